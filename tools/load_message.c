/* SPDX-License-Identifier: Apache-2.0 */
/* Checks a message of a dump or an export member by member. */
#include "load_message.h"

#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "base/id.h"
#include "base/phone.h"
#include "base/text.h"
#include "dump_delivery.h"
#include "dump_version_1.h"
#include "load_details.h"
#include "messaging/message/channel.h"
#include "messaging/receive/inbound_text.h"
#include "messaging/receive/media.h"
#include "messaging/message/attributes.h"
#include "messaging/message/details.h"
#include "messaging/message/late_media.h"
#include "messaging/message/preview.h"
#include "messaging/message/validate.h"
#include "twilio/signature.h"

#define MEDIA_MAX 64
#define SIDS_MAX 64

static int is_word(const char *s, apr_size_t max)
{
    apr_size_t len = strlen(s);

    return len > 0 && len <= max
           && strspn(s, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_-") == len;
}

/* msg:{counterpart}:{timestamp}:{id}; the timestamp may be padded with zeros. */
static void message_key_check(load_reader_t *r, const char *rest, const char *counterpart,
                              const char *id, apr_int64_t time_ms)
{
    const char *after;
    char *end;

    if (!r->wrong
        && (!load_key_rest(rest, apr_pstrcat(r->p, counterpart, ":", NULL), &after)
            || !apr_isdigit(*after) || apr_strtoi64(after, &end, 10) != time_ms || *end != ':'
            || strcmp(end + 1, id) != 0)) {
        load_wrong(r, "key", "does not say what the value's counterpart, timestamp and id say");
    }
}

static wa_status_e status_get(load_reader_t *r)
{
    const char *s = load_text(r, "status");

    if (strcmp(s, "pending") == 0) {
        return WA_STATUS_PENDING;
    }
    if (strcmp(s, "failed") == 0) {
        return WA_STATUS_FAILED;
    }
    if (strcmp(s, "success") != 0) {
        load_wrong(r, "status", "must be success, failed or pending");
    }
    return WA_STATUS_SUCCESS;
}

/* Reads what is known of a sent message's outcome. The API shows an error only where there is one,
 * and always where a message failed. */
static void outcome_read(load_reader_t *r, wa_delivery_t *delivery)
{
    const char *word = load_text_optional(r, "deliveryStatus");
    const apr_int64_t code = load_number_optional(r, "errorCode", 0);
    const wa_status_e status = status_get(r);
    const char *error = NULL;
    wa_part_t *part = &delivery->parts[0];

    part->word = wa_delivery_parse(word);
    if (word && wa_delivery_rank(part->word) < 0) {
        load_wrong(r, "deliveryStatus", "must be one of Twilio's words for sent messages");
    }
    if (code < 0 || code > 999999) {
        load_wrong(r, "errorCode", "must be one of Twilio's codes");
    }
    if (status != WA_STATUS_SUCCESS) {
        error = load_text_optional(r, "errorMessage");
        part->error_code = (int)code;
    }
    if (error && !*error) {
        error = NULL;
    }
    if (status == WA_STATUS_FAILED && !error) {
        error = "The message could not be sent.";
    }
    part->is = wa_part_of_status(status, error);
    delivery->reason = error;
}

/* The delivery of a sent message: what "store" says of it, else what the API's members say. */
static void delivery_set(load_reader_t *r, load_item_t *item, const load_reader_t *extra,
                         const char *sid)
{
    wa_message_new_t *m = &item->message;
    wa_delivery_t delivery = {.part_count = 1};
    const json_t *more = load_member(extra, "delivery");
    const char *text = json_string_value(load_member(extra, "private"));
    wa_message_state_t stored;

    outcome_read(r, &delivery);
    delivery.parts[0].sid = sid;
    if (more) {
        const char *flaw = dump_delivery_read(&delivery, more, r->p);

        if (flaw && !r->wrong) {
            r->wrong = flaw;
            return;
        }
    } else if (text) {
        dump_version_1_read(&delivery, text, r->p);
    }
    if (wa_delivery_write(&delivery, sid, &stored, r->p) != APR_SUCCESS) {
        load_wrong(r, "status", "cannot be kept: out of memory");
    }
    m->status = stored.status;
    m->delivery = stored.delivery;
}

/* One that was announced and is not there; the store looks for it where it did. */
static void media_missing(const json_t *one, wa_late_media_t *late)
{
    apr_size_t *count =
        json_is_true(json_object_get(one, "awaited")) ? &late->awaited : &late->missing;

    *count += late->awaited + late->missing < WA_LATE_MEDIA_MAX;
}

/* @param late  out: those that are not there; NULL: there can be none */
static apr_size_t media_get(load_reader_t *r, wa_media_t *media, wa_late_media_t *late)
{
    json_t *list = load_member(r, "media");
    apr_size_t i = 0, at, all = list ? json_array_size(list) : 0;

    if (list && (!json_is_array(list) || all > MEDIA_MAX)) {
        load_wrong(r, "media", "must be a list of at most 64 objects");
        return 0;
    }
    for (at = 0; at < all; at++) {
        const json_t *one = json_array_get(list, at);
        const json_t *url = json_object_get(one, "url"),
                     *type = json_object_get(one, "contentType");

        if (late && json_is_true(json_object_get(one, "missing"))) {
            media_missing(one, late);
            continue;
        }
        if (!json_is_string(url) || !json_is_string(type)) {
            load_wrong(r, "media", "must have objects with the strings url and contentType");
            return 0;
        }
        media[i].number = i;
        media[i].url = json_string_value(url);
        media[i].content_type = json_string_value(type);
        if (media[i].url[0] != '/' && strncasecmp(media[i].url, "https://", 8) != 0
            && strncasecmp(media[i].url, "http://", 7) != 0) {
            load_wrong(r, "media", "must have urls that begin with https://, http:// or /");
        }
        if (!*media[i].content_type) {
            load_wrong(r, "media", "must have no empty contentType");
        }
        i++;
    }
    return i;
}

/* The sids by which the message is found: those in "store", or the one that is shown. The first
 * goes into the message, the others follow as states. */
static void sids_get(load_reader_t *r, load_item_t *item, const json_t *list, const char *shown)
{
    apr_size_t i, count = json_array_size(list);
    const char **sids;

    if (list && (!count || count > SIDS_MAX)) {
        load_wrong(r, "store.sids", "must be a list of 1 to 64 sids");
        return;
    }
    sids = apr_pcalloc(r->p, (count + 2) * sizeof(*sids));
    for (i = 0; i < count; i++) {
        sids[i] = json_string_value(json_array_get(list, i));
        if (!wa_id_is_sid(sids[i], "SM,MM")) {
            load_wrong(r, "store.sids", "must hold sids of messages: SM or MM and 32 hex digits");
            return;
        }
    }
    sids[0] = count ? sids[0] : shown;
    item->message.sid = sids[0];
    item->sids = sids + (sids[0] != NULL);
}

static const char *sid_get(load_reader_t *r, const char *id)
{
    const char *sid = load_text_optional(r, "sid");

    if (sid && !wa_id_is_sid(sid, "SM,MM")) {
        load_wrong(r, "sid", "must be the sid of a message: SM or MM and 32 hex digits");
    }
    /* Some keep a message under Twilio's id: then a receipt or a repeated webhook can still find
     * it. */
    return !sid && wa_id_is_sid(id, "SM,MM") ? id : sid;
}

/* The template that a sent message was made with. */
static const char *content_sid_get(load_reader_t *r)
{
    const char *sid = load_text_optional(r, "contentSid");

    if (sid && !wa_id_is_sid(sid, "HX")) {
        load_wrong(r, "contentSid", "must be the sid of a template: HX and 32 hex digits");
    }
    return sid;
}

/* Which of our numbers it was sent from or to. */
static const char *our_number_get(load_reader_t *r)
{
    const char *typed = load_text(r, "phoneNumber"), *number = wa_phone_normalize(typed, r->p);

    if (!number && wa_channel_prefix(wa_slice_of(typed)).len > 0
        && strlen(typed) <= WA_COUNTERPART_BYTES_MAX) {
        return typed; /* ours of another channel */
    }
    if (!number) {
        load_wrong(r, "phoneNumber", "must be our phone number, like +14155238886");
    }
    return number ? number : "";
}

/* What a webhook said beside the message's own fields, as dumps have it: a form. Where it names
 * attachments, they are those of the message. */
static void form_read(load_reader_t *r, const load_reader_t *extra, wa_attributes_t *attributes)
{
    const char *text = json_string_value(load_member(extra, "form"));
    wa_media_t *media = apr_palloc(r->p, WA_MEDIA_MAX * sizeof(*media));
    wa_form_field_t *fields;
    wa_form_t *form;
    apr_size_t count;

    text = text ? text
                : json_string_value(load_member(extra, "private")); /* of a store of version 1 */
    if (!text) {
        const char *flaw = load_details_read(r->object, attributes, r->p);

        r->wrong = r->wrong ? r->wrong : flaw;
        return;
    }
    if (wa_form_parse(&form, text, strlen(text), WA_SIGNATURE_MAX_FIELDS, r->p) != APR_SUCCESS) {
        load_wrong(r, "store.form", "has too many fields");
        return;
    }
    count = wa_media_read(form, media, r->p);
    fields = apr_palloc(r->p, (form->count + 1) * sizeof(*fields));
    attributes->fields = fields;
    attributes->field_count = wa_inbound_text_rest(form, media, count, fields, r->p);
    if (count > 0) {
        attributes->media = media;
        attributes->media_count = count;
        attributes->media_is_at_twilio = 1;
    }
}

/* The name that the sender gave themself. */
static wa_slice_t profile_name_of(const wa_attributes_t *attributes, apr_pool_t *p)
{
    const wa_form_t form = {.fields = attributes->fields, .count = attributes->field_count};
    wa_slice_t name;

    wa_form_get(&form, "ProfileName", &name);
    return wa_details_name(name, p);
}

static void preview_set(load_reader_t *r, wa_message_new_t *m, const char *given,
                        const wa_attributes_t *attributes)
{
    m->preview = given ? wa_slice_of(given)
                       : wa_preview_make(m->body, attributes->media_count > 0
                                                      ? attributes->media[0].content_type
                                                      : NULL);
    if (m->preview.len > 4096) {
        load_wrong(r, "store.preview", "is too long");
    }
}

/* What never changes in a message beside its own fields. */
static void attributes_set(load_reader_t *r, wa_message_new_t *m, const load_reader_t *extra)
{
    wa_media_t media[MEDIA_MAX];
    wa_attributes_t attributes = {.media = media};
    const int is_sent = m->direction == WA_DIRECTION_SENT;
    wa_late_media_t late = {.since_ms = r->now_ms};
    wa_message_state_t state;

    attributes.media_count = media_get(r, media, is_sent ? NULL : &late);
    if (late.awaited + late.missing > 0) {
        if (wa_late_media_write(&late, &state, r->p) != APR_SUCCESS) {
            load_wrong(r, "media", "cannot be kept: out of memory");
            return;
        }
        m->status = state.status;
        m->delivery = state.delivery;
    }
    if (is_sent) {
        attributes.content_sid = content_sid_get(r);
    } else {
        form_read(r, extra, &attributes);
        m->profile_name = profile_name_of(&attributes, r->p);
    }
    preview_set(r, m, load_text_optional((load_reader_t *)(apr_uintptr_t)extra, "preview"),
                &attributes);
    if (wa_attributes_write(&attributes, &m->attributes, r->p) != APR_SUCCESS) {
        load_wrong(r, "media", "cannot be kept: out of memory");
    }
}

void load_message_read(load_reader_t *r, load_item_t *item, const char *rest)
{
    static const char *const known[] = {"id",        "direction", "phoneNumber", "counterpart",
                                        "body",      "timestamp", "status",      "errorMessage",
                                        "contactId", "unread",    "sid",         "deliveryStatus",
                                        "errorCode", "media",     "contentSid",  "store",
                                        "type",      "replyTo",   "referral",    NULL};
    wa_message_new_t *m = &item->message;
    const char *direction = load_text(r, "direction"), *sid, *raw;
    load_reader_t extra = {.object = load_member(r, "store"), .p = r->p, .now_ms = r->now_ms};

    load_members_count(r, known);
    m->id = load_text(r, "id");
    if (!is_word(m->id, 64)) {
        load_wrong(r, "id", "must be 1 to 64 letters, digits, - and _");
    }
    m->counterpart = load_counterpart(r, &raw);
    m->timestamp_ms = item->time_ms = load_time(r, "timestamp");
    m->date_ms = load_number_optional(&extra, "date", 0);
    message_key_check(r, rest, raw, m->id, item->time_ms);
    if (strcmp(direction, "sent") != 0 && strcmp(direction, "received") != 0) {
        load_wrong(r, "direction", "must be sent or received");
    }
    m->direction = strcmp(direction, "sent") == 0 ? WA_DIRECTION_SENT : WA_DIRECTION_RECEIVED;
    m->phone_number = our_number_get(r);
    m->body = wa_slice_of(load_text(r, "body"));
    sid = sid_get(r, m->id);
    if (m->direction == WA_DIRECTION_SENT) {
        delivery_set(r, item, &extra, sid);
    }
    item->is_unread = json_is_true(load_member(r, "unread"));
    attributes_set(r, m, &extra);
    m->idempotency_key = load_text_optional(&extra, "idempotencyKey");
    if (m->idempotency_key && strlen(m->idempotency_key) > 255) {
        load_wrong(r, "store.idempotencyKey", "is too long");
    }
    sids_get(r, item, load_member(&extra, "sids"), sid);
    if (extra.wrong) {
        load_wrong(r, "store:", extra.wrong);
    }
}
