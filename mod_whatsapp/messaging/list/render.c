/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON of messages, threads and contacts, made of their fields when they are read. */
#include "messaging/list/render.h"

#include "base/clock.h"
#include "messaging/delivery/state.h"
#include "messaging/message/attributes.h"
#include "messaging/message/channel.h"
#include "messaging/message/late_media.h"
#include "messaging/policy/policy.h"

static wa_slice_t direction_name(wa_direction_e direction)
{
    return direction == WA_DIRECTION_SENT ? WA_SLICE_LITERAL("sent") : WA_SLICE_LITERAL("received");
}

static wa_slice_t status_name(wa_status_e status)
{
    switch (status) {
    case WA_STATUS_PENDING:
        return WA_SLICE_LITERAL("pending");
    case WA_STATUS_SUCCESS:
        return WA_SLICE_LITERAL("success");
    case WA_STATUS_FAILED:
        return WA_SLICE_LITERAL("failed");
    case WA_STATUS_NONE:
        break;
    }
    return wa_slice_make(NULL, 0);
}

/* Where clients get an attachment that Twilio keeps: its address needs the account's
 * credentials. */
static void media_path_add(wa_json_writer_t *w, wa_slice_t id, apr_size_t n, const char *base_path)
{
    WA_JSON_NAME(w, "url");
    wa_json_separate(w);
    WA_BUFFER_ADD_LITERAL(w->b, "\"");
    wa_buffer_add_json(w->b, base_path, strlen(base_path));
    WA_BUFFER_ADD_LITERAL(w->b, "/messages/");
    wa_buffer_add_json(w->b, id.ptr, id.len);
    WA_BUFFER_ADD_LITERAL(w->b, "/media/");
    wa_buffer_add_int(w->b, (apr_int64_t)n);
    WA_BUFFER_ADD_LITERAL(w->b, "\"");
}

/* Those that were not there when the message was stored: what has come since, and in whose place
 * there is nothing. */
static void late_media_render(wa_json_writer_t *w, const wa_message_t *message,
                              const wa_late_media_t *late, apr_size_t n, const char *base_path)
{
    apr_size_t i;

    for (i = 0; i < late->found_count; i++) {
        wa_json_object_begin(w);
        media_path_add(w, message->id, n + i, base_path);
        WA_JSON_STRING(w, "contentType", late->found[i].content_type);
        wa_json_object_end(w);
    }
    for (i = 0; i < late->awaited + late->missing; i++) {
        wa_json_object_begin(w);
        WA_JSON_BOOL(w, "missing", 1);
        if (i < late->awaited) {
            WA_JSON_BOOL(w, "awaited", 1);
        }
        wa_json_object_end(w);
    }
}

/* Attachments stand first, then the template; the fields behind them are for no client. */
static void attributes_render(wa_json_writer_t *w, const wa_message_t *message,
                              const char *base_path)
{
    wa_slice_t rest = message->attributes;
    wa_late_media_t late;
    wa_attribute_t one;
    wa_attribute_e kind = wa_attributes_next(&rest, &one);
    int has_media;
    apr_size_t n;

    wa_late_media_read(&late, message);
    has_media = kind == WA_ATTRIBUTE_MEDIA || kind == WA_ATTRIBUTE_LINK
                || late.found_count + late.awaited + late.missing > 0;
    if (has_media) {
        WA_JSON_NAME(w, "media");
        wa_json_array_begin(w);
    }
    for (n = 0; kind == WA_ATTRIBUTE_MEDIA || kind == WA_ATTRIBUTE_LINK; n++) {
        wa_json_object_begin(w);
        if (kind == WA_ATTRIBUTE_MEDIA) {
            media_path_add(w, message->id, n, base_path);
        } else {
            WA_JSON_STRING(w, "url", one.url);
        }
        WA_JSON_STRING(w, "contentType", one.content_type);
        wa_json_object_end(w);
        kind = wa_attributes_next(&rest, &one);
    }
    late_media_render(w, message, &late, n, base_path);
    if (has_media) {
        wa_json_array_end(w);
    }
    if (kind == WA_ATTRIBUTE_CONTENT_SID) {
        WA_JSON_STRING(w, "contentSid", one.content_sid);
    }
}

static void delivery_render(wa_json_writer_t *w, const wa_message_t *message, apr_pool_t *tmp)
{
    wa_delivery_t delivery;
    wa_delivery_summary_t summary;
    const char *word;

    wa_delivery_read(&delivery, message, tmp);
    wa_delivery_summarize(&delivery, &summary, tmp);
    word = wa_delivery_name(summary.word);
    WA_JSON_STRING(w, "status", status_name(message->status));
    if (summary.sid) {
        WA_JSON_STRING(w, "sid", wa_slice_of(summary.sid));
    }
    if (word) {
        WA_JSON_STRING(w, "deliveryStatus", wa_slice_of(word));
    }
    if (summary.error) {
        WA_JSON_STRING(w, "errorMessage", wa_slice_of(summary.error));
    }
    if (summary.error_code != 0) {
        WA_JSON_INT(w, "errorCode", summary.error_code);
    }
}

void wa_message_render(wa_json_writer_t *w, const wa_message_t *message, const char *base_path,
                       apr_pool_t *tmp)
{
    wa_json_object_begin(w);
    WA_JSON_STRING(w, "id", message->id);
    WA_JSON_STRING(w, "direction", direction_name(message->direction));
    WA_JSON_STRING(w, "phoneNumber", message->phone_number);
    WA_JSON_STRING(w, "counterpart", message->counterpart);
    WA_JSON_STRING(w, "body", message->body);
    if (message->direction == WA_DIRECTION_RECEIVED && message->sid.len > 0) {
        WA_JSON_STRING(w, "sid", message->sid);
    }
    if (message->attributes.len + message->delivery.len > 0) {
        attributes_render(w, message, base_path);
    }
    if (message->direction == WA_DIRECTION_SENT) {
        delivery_render(w, message, tmp);
    }
    WA_JSON_INT(w, "timestamp", message->timestamp_ms);
    if (message->contact_id.len > 0) {
        WA_JSON_STRING(w, "contactId", message->contact_id);
    }
    if (message->unread) {
        WA_JSON_BOOL(w, "unread", 1);
    }
    wa_json_object_end(w);
}

void wa_thread_render(wa_json_writer_t *w, const wa_thread_t *thread, const char *our_number)
{
    const apr_int64_t written_ms = wa_policy_written_ms(thread, our_number, wa_clock_now_ms());
    const wa_slice_t channel = wa_channel_of(thread->counterpart);

    wa_json_object_begin(w);
    WA_JSON_STRING(w, "counterpart", thread->counterpart);
    if (channel.len > 0) {
        WA_JSON_STRING(w, "channel", channel);
    }
    WA_JSON_STRING(w, "lastMessagePreview", thread->preview);
    WA_JSON_INT(w, "lastMessageTimestamp", thread->last_timestamp_ms);
    WA_JSON_STRING(w, "lastDirection", direction_name(thread->last_direction));
    WA_JSON_INT(w, "messageCount", (apr_int64_t)thread->message_count);
    WA_JSON_INT(w, "unreadCount", (apr_int64_t)thread->unread_count);
    if (written_ms > 0) {
        WA_JSON_INT(w, "windowClosesAt", written_ms + WA_WINDOW_MS);
    }
    if (thread->flags & WA_THREAD_OPTED_OUT) {
        WA_JSON_BOOL(w, "optedOut", 1);
    }
    if (thread->flags & WA_THREAD_BLOCKED) {
        WA_JSON_BOOL(w, "blocked", 1);
    }
    if (thread->contact_id.len > 0) {
        WA_JSON_STRING(w, "contactId", thread->contact_id);
        WA_JSON_STRING(w, "contactName", thread->contact_name);
    }
    wa_json_object_end(w);
}

void wa_contact_render(wa_json_writer_t *w, const wa_contact_t *contact)
{
    wa_json_object_begin(w);
    WA_JSON_STRING(w, "id", contact->id);
    WA_JSON_STRING(w, "phoneNumber", contact->phone_number);
    WA_JSON_STRING(w, "displayName", contact->display_name);
    WA_JSON_INT(w, "createdAt", contact->created_ms);
    WA_JSON_INT(w, "updatedAt", contact->updated_ms);
    wa_json_object_end(w);
}
