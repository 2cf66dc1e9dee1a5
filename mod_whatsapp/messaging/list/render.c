/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON of messages, threads and contacts, made of their fields when they are read. */
#include "messaging/list/render.h"

#include "base/clock.h"
#include "messaging/delivery/state.h"
#include "base/id.h"
#include "base/phone.h"
#include "messaging/message/attributes.h"
#include "messaging/message/channel.h"
#include "messaging/message/details.h"
#include "messaging/message/file_name.h"
#include "messaging/message/late_media.h"
#include "messaging/message/preview.h"
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

/* What a document is called that somebody sent. */
static void file_name_add(wa_json_writer_t *w, const wa_message_t *message, wa_slice_t content_type,
                          const wa_details_t *details, apr_pool_t *tmp)
{
    const char *name = wa_file_name(message->body, details->type, content_type, tmp);

    if (wa_file_name_has_end(name)) {
        WA_JSON_STRING(w, "fileName", wa_slice_of(name));
    }
}

/* Attachments stand first, then the template; the fields behind them are in `details`. */
static void attributes_render(wa_json_writer_t *w, const wa_message_t *message,
                              const char *base_path, const wa_details_t *details, apr_pool_t *tmp)
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
        if (kind == WA_ATTRIBUTE_MEDIA && n == 0 && message->body.len > 0) {
            file_name_add(w, message, one.content_type, details, tmp);
        }
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

/* ---- what a webhook said beside text and attachments ---- */

static wa_slice_t preview_of(const wa_message_t *message, apr_pool_t *p)
{
    wa_attribute_t media = {.content_type = {NULL, 0}};
    wa_details_t details;

    if (message->body.len > 0) {
        return wa_preview_make(message->body, NULL);
    }
    wa_details_read(&details, message->attributes);
    (void)wa_attributes_media(message->attributes, 0, &media);
    return wa_preview_received(
        message->body, details.type,
        media.content_type.len > 0 ? wa_slice_string(media.content_type, p) : NULL, p);
}

/* Whose the message was that is answered. */
static void sender_add(wa_json_writer_t *w, wa_slice_t address, apr_pool_t *p)
{
    static const wa_slice_t prefix = WA_SLICE_LITERAL("whatsapp:");
    const char *number;

    address = wa_details_name(address, p);
    if (address.len > prefix.len && strncasecmp(address.ptr, prefix.ptr, prefix.len) == 0) {
        address = wa_slice_make(address.ptr + prefix.len, address.len - prefix.len);
    }
    if (address.len > 0) {
        number = wa_phone_normalize(wa_slice_string(address, p), p);
        WA_JSON_STRING(w, "sender", number ? wa_slice_of(number) : address);
    }
}

/* The message that this one answers, as far as it is known here. */
static void reply_render(wa_json_writer_t *w, const wa_details_t *details, wa_store_t *store,
                         apr_pool_t *p)
{
    const char *sid = wa_slice_string(details->reply_sid, p);
    wa_message_t answered;

    if (!wa_id_is_sid(sid, "SM,MM")) {
        return;
    }
    WA_JSON_NAME(w, "replyTo");
    wa_json_object_begin(w);
    WA_JSON_STRING(w, "sid", details->reply_sid);
    sender_add(w, details->reply_sender, p);
    if (store && wa_store_message_find(store, sid, &answered, p) == APR_SUCCESS) {
        WA_JSON_STRING(w, "id", answered.id);
        WA_JSON_STRING(w, "direction", direction_name(answered.direction));
        WA_JSON_STRING(w, "preview", preview_of(&answered, p));
    }
    wa_json_object_end(w);
}

static void referral_render(wa_json_writer_t *w, const wa_details_t *details, apr_pool_t *p)
{
    int which, count = 0;

    for (which = 0; which < WA_REFERRAL_COUNT; which++) {
        const wa_slice_t text = wa_referral_text(details, (wa_referral_e)which, p);

        if (text.len == 0) {
            continue;
        }
        if (count++ == 0) {
            WA_JSON_NAME(w, "referral");
            wa_json_object_begin(w);
        }
        wa_json_name(w, wa_referral_member((wa_referral_e)which));
        wa_json_string(w, text);
    }
    if (count > 0) {
        wa_json_object_end(w);
    }
}

static void details_render(wa_json_writer_t *w, const wa_details_t *details, wa_store_t *store,
                           apr_pool_t *p)
{
    const wa_slice_t type = wa_details_type(details->type, p);

    if (type.len > 0) {
        WA_JSON_STRING(w, "type", type);
    }
    if (details->reply_sid.len > 0) {
        reply_render(w, details, store, p);
    }
    if (details->has_referral) {
        referral_render(w, details, p);
    }
}

/* ---- receipts ---- */

static void receipts_add(wa_json_writer_t *w, const apr_int64_t *since_ms)
{
    int done[WA_DELIVERY_COUNT] = {0};
    int word, next;

    WA_JSON_NAME(w, "receipts");
    wa_json_array_begin(w);
    do { /* in the order of their times; of one time as Twilio's words follow each other */
        next = 0;
        for (word = WA_DELIVERY_UNKNOWN + 1; word < WA_DELIVERY_COUNT; word++) {
            if (since_ms[word] > 0 && !done[word]
                && (!next || since_ms[word] < since_ms[next]
                    || (since_ms[word] == since_ms[next]
                        && wa_delivery_rank((wa_delivery_e)word)
                               < wa_delivery_rank((wa_delivery_e)next)))) {
                next = word;
            }
        }
        if (next) {
            done[next] = 1;
            wa_json_object_begin(w);
            WA_JSON_STRING(w, "deliveryStatus", wa_slice_of(wa_delivery_name((wa_delivery_e)next)));
            WA_JSON_INT(w, "timestamp", since_ms[next]);
            wa_json_object_end(w);
        }
    } while (next);
    wa_json_array_end(w);
}

static void part_render(wa_json_writer_t *w, const wa_delivery_t *d, apr_size_t i, apr_pool_t *p)
{
    const wa_part_t *part = &d->parts[i];
    const char *word = wa_delivery_name(part->word);
    const char *error = wa_delivery_part_error(d, i, p);

    wa_json_object_begin(w);
    if (part->sid) {
        WA_JSON_STRING(w, "sid", wa_slice_of(part->sid));
    }
    WA_JSON_STRING(w, "status", status_name(wa_status_of_part(part->is)));
    if (word) {
        WA_JSON_STRING(w, "deliveryStatus", wa_slice_of(word));
    }
    if (error) {
        WA_JSON_STRING(w, "errorMessage", wa_slice_of(error));
    }
    if (part->error_code != 0) {
        WA_JSON_INT(w, "errorCode", part->error_code);
    }
    receipts_add(w, part->since_ms);
    wa_json_object_end(w);
}

void wa_receipts_render(wa_json_writer_t *w, const wa_message_t *message, apr_pool_t *tmp)
{
    apr_int64_t since_ms[WA_DELIVERY_COUNT] = {0};
    wa_delivery_t delivery = {.part_count = 0};
    apr_size_t i;
    int word;

    if (message->direction == WA_DIRECTION_SENT) {
        wa_delivery_read(&delivery, message, tmp);
    }
    for (word = 0; word < WA_DELIVERY_COUNT; word++) {
        since_ms[word] = wa_delivery_since_ms(&delivery, (wa_delivery_e)word);
    }
    receipts_add(w, since_ms);
    if (delivery.part_count > 1) {
        WA_JSON_NAME(w, "parts");
        wa_json_array_begin(w);
        for (i = 0; i < delivery.part_count; i++) {
            part_render(w, &delivery, i, tmp);
        }
        wa_json_array_end(w);
    }
}

/* ---- the objects ---- */

void wa_message_render(wa_json_writer_t *w, const wa_message_t *message, wa_store_t *store,
                       const char *base_path, apr_pool_t *tmp)
{
    wa_details_t details;

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
        wa_details_read(&details, message->attributes);
        attributes_render(w, message, base_path, &details, tmp);
        details_render(w, &details, store, tmp);
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
    if (thread->profile_name.len > 0) {
        WA_JSON_STRING(w, "profileName", thread->profile_name);
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
