/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON of messages, threads and contacts: made once when stored, copied in slices when read. */
#include "messaging/message_json.h"

#include <apr_strings.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "messaging/policy.h"

/* Our path of an attachment, without its base and number: the longest id has 64 characters. */
#define LINK_BYTES_MAX 96

static void string_add(wa_buffer_t *b, wa_slice_t s)
{
    WA_BUFFER_ADD_LITERAL(b, "\"");
    wa_buffer_add_json(b, s.ptr, s.len);
    WA_BUFFER_ADD_LITERAL(b, "\"");
}

/* For text that holds nothing to escape: ids and what is escaped already. */
static void quoted_add(wa_buffer_t *b, wa_slice_t s)
{
    WA_BUFFER_ADD_LITERAL(b, "\"");
    wa_buffer_add_slice(b, s);
    WA_BUFFER_ADD_LITERAL(b, "\"");
}

static void direction_add(wa_buffer_t *b, wa_direction_e direction)
{
    if (direction == WA_DIRECTION_SENT) {
        WA_BUFFER_ADD_LITERAL(b, "\"sent\"");
    } else {
        WA_BUFFER_ADD_LITERAL(b, "\"received\"");
    }
}

static void media_add(wa_buffer_t *b, const wa_media_t *media, apr_size_t count)
{
    apr_size_t i;

    WA_BUFFER_ADD_LITERAL(b, ",\"media\":[");
    for (i = 0; i < count; i++) {
        if (i > 0) {
            WA_BUFFER_ADD_LITERAL(b, ",");
        }
        WA_BUFFER_ADD_LITERAL(b, "{\"url\":");
        string_add(b, wa_slice_of(media[i].url));
        WA_BUFFER_ADD_LITERAL(b, ",\"contentType\":");
        string_add(b, wa_slice_of(media[i].content_type));
        WA_BUFFER_ADD_LITERAL(b, "}");
    }
    WA_BUFFER_ADD_LITERAL(b, "]");
}

wa_slice_t wa_message_fixed_json(const wa_message_draft_t *draft, apr_pool_t *p)
{
    wa_slice_t made = {NULL, 0};
    wa_buffer_t b;

    wa_buffer_init(&b, draft->body.len + 256);
    WA_BUFFER_ADD_LITERAL(&b, "\"id\":");
    string_add(&b, wa_slice_of(draft->id));
    WA_BUFFER_ADD_LITERAL(&b, ",\"direction\":");
    direction_add(&b, draft->direction);
    WA_BUFFER_ADD_LITERAL(&b, ",\"phoneNumber\":");
    string_add(&b, wa_slice_of(draft->phone_number));
    WA_BUFFER_ADD_LITERAL(&b, ",\"counterpart\":");
    string_add(&b, wa_slice_of(draft->counterpart));
    WA_BUFFER_ADD_LITERAL(&b, ",\"body\":");
    string_add(&b, draft->body);
    if (draft->sid) {
        WA_BUFFER_ADD_LITERAL(&b, ",\"sid\":");
        string_add(&b, wa_slice_of(draft->sid));
    }
    if (draft->media_count > 0) {
        media_add(&b, draft->media, draft->media_count);
    }
    if (draft->content_sid) {
        WA_BUFFER_ADD_LITERAL(&b, ",\"contentSid\":");
        string_add(&b, wa_slice_of(draft->content_sid));
    }
    if (!b.failed) {
        made = wa_slice_make(wa_slice_string(wa_slice_make(b.data, b.len), p), b.len);
    }
    wa_buffer_release(&b);
    return made;
}

wa_slice_t wa_message_preview_json(wa_slice_t body, apr_pool_t *p)
{
    body.len = wa_text_prefix(body.ptr, body.len, WA_PREVIEW_CHARACTERS);
    return wa_json_escape(body, p);
}

/* Where a text stands in another one; NULL when it does not. */
static const char *place_of(const char *from, const char *end, wa_slice_t what)
{
    return memmem(from, (apr_size_t)(end - from), what.ptr, what.len);
}

/* The members of a message with links to its attachments. The links were stored with the base path of
 * that time and get today's. What is looked for with its quotes is never text: in a JSON string a quote
 * has a backslash before it. */
static void links_add(wa_buffer_t *b, const wa_message_t *message, const char *base_path)
{
    const wa_slice_t url = WA_SLICE_LITERAL("\"url\":\"");
    const char *from = message->fixed_json.ptr, *const end = from + message->fixed_json.len;
    const char *at = place_of(from, end, WA_SLICE_LITERAL(",\"media\":[{\"url\":\""));
    char path[LINK_BYTES_MAX];
    wa_slice_t link = {path, 0};

    link.len = (apr_size_t)apr_snprintf(path, sizeof(path), "/messages/%.*s/media/",
                                        (int)message->id.len, message->id.ptr);
    for (at = at ? place_of(at, end, url) : NULL; at; at = place_of(at, end, url)) {
        const char *quote, *ours;

        at += url.len;
        quote = memchr(at, '"', (apr_size_t)(end - at));
        ours = quote ? place_of(at, quote, link) : NULL;
        if (ours) {
            wa_buffer_add(b, from, (apr_size_t)(at - from));
            wa_buffer_add(b, base_path, strlen(base_path));
            from = at = ours;
        }
    }
    wa_buffer_add(b, from, (apr_size_t)(end - from));
}

void wa_message_render(wa_buffer_t *b, const wa_message_t *message, const char *base_path)
{
    const wa_slice_t fixed = message->fixed_json;

    WA_BUFFER_ADD_LITERAL(b, "{");
    if (base_path && fixed.len > 0 && fixed.ptr[fixed.len - 1] == ']'
        && message->direction == WA_DIRECTION_RECEIVED) {
        links_add(b, message, base_path);
    } else {
        wa_buffer_add_slice(b, fixed);
    }
    if (message->state_json.len > 0) {
        WA_BUFFER_ADD_LITERAL(b, ",");
        wa_buffer_add_slice(b, message->state_json);
    }
    WA_BUFFER_ADD_LITERAL(b, ",\"timestamp\":");
    wa_buffer_add_int(b, message->timestamp_ms);
    if (message->contact_id.len > 0) {
        WA_BUFFER_ADD_LITERAL(b, ",\"contactId\":");
        quoted_add(b, message->contact_id);
    }
    if (message->unread) {
        WA_BUFFER_ADD_LITERAL(b, ",\"unread\":true");
    }
    WA_BUFFER_ADD_LITERAL(b, "}");
}

void wa_thread_render(wa_buffer_t *b, const wa_thread_t *thread)
{
    const apr_int64_t written_ms = wa_policy_written_ms(thread, wa_clock_now_ms());

    WA_BUFFER_ADD_LITERAL(b, "{\"counterpart\":");
    string_add(b, thread->counterpart);
    WA_BUFFER_ADD_LITERAL(b, ",\"lastMessagePreview\":");
    quoted_add(b, thread->preview_json);
    WA_BUFFER_ADD_LITERAL(b, ",\"lastMessageTimestamp\":");
    wa_buffer_add_int(b, thread->last_timestamp_ms);
    WA_BUFFER_ADD_LITERAL(b, ",\"lastDirection\":");
    direction_add(b, thread->last_direction);
    WA_BUFFER_ADD_LITERAL(b, ",\"messageCount\":");
    wa_buffer_add_int(b, (apr_int64_t)thread->message_count);
    WA_BUFFER_ADD_LITERAL(b, ",\"unreadCount\":");
    wa_buffer_add_int(b, (apr_int64_t)thread->unread_count);
    if (written_ms > 0) {
        WA_BUFFER_ADD_LITERAL(b, ",\"windowClosesAt\":");
        wa_buffer_add_int(b, written_ms + WA_WINDOW_MS);
    }
    if (thread->flags & WA_THREAD_OPTED_OUT) {
        WA_BUFFER_ADD_LITERAL(b, ",\"optedOut\":true");
    }
    if (thread->flags & WA_THREAD_BLOCKED) {
        WA_BUFFER_ADD_LITERAL(b, ",\"blocked\":true");
    }
    if (thread->contact_id.len > 0) {
        WA_BUFFER_ADD_LITERAL(b, ",\"contactId\":");
        quoted_add(b, thread->contact_id);
        WA_BUFFER_ADD_LITERAL(b, ",\"contactName\":");
        quoted_add(b, thread->contact_name_json);
    }
    WA_BUFFER_ADD_LITERAL(b, "}");
}

void wa_contact_render(wa_buffer_t *b, const wa_contact_t *contact)
{
    WA_BUFFER_ADD_LITERAL(b, "{\"id\":");
    quoted_add(b, contact->id);
    WA_BUFFER_ADD_LITERAL(b, ",\"phoneNumber\":");
    quoted_add(b, contact->phone_number);
    WA_BUFFER_ADD_LITERAL(b, ",\"displayName\":");
    quoted_add(b, contact->display_name_json);
    WA_BUFFER_ADD_LITERAL(b, ",\"createdAt\":");
    wa_buffer_add_int(b, contact->created_ms);
    WA_BUFFER_ADD_LITERAL(b, ",\"updatedAt\":");
    wa_buffer_add_int(b, contact->updated_ms);
    WA_BUFFER_ADD_LITERAL(b, "}");
}
