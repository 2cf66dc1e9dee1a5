/* SPDX-License-Identifier: Apache-2.0 */
/* Checks the keys and values of a dump or an export member by member. */
#include "load_item.h"

#include <stdlib.h>
#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "base/hex.h"
#include "base/id.h"
#include "base/json.h"
#include "base/phone.h"
#include "base/text.h"
#include "dump_delivery.h"
#include "dump_version_1.h"
#include "load_details.h"
#include "messaging/receive/inbound_text.h"
#include "messaging/receive/media.h"
#include "messaging/message/attributes.h"
#include "messaging/message/details.h"
#include "messaging/message/preview.h"
#include "messaging/message/validate.h"
#include "twilio/signature.h"

#define DAY_MS ((apr_int64_t)24 * 3600 * 1000)
#define MEDIA_MAX 64
#define SIDS_MAX 64

/* What an object is read with: the first thing that is wrong stays. */
typedef struct reader_t {
    json_t *object;
    const char *wrong;
    apr_pool_t *p;
    apr_int64_t now_ms;
} reader_t;

static void wrong(reader_t *r, const char *name, const char *what)
{
    if (!r->wrong) {
        r->wrong = apr_pstrcat(r->p, name, " ", what, NULL);
    }
}

/* null is what JavaScript writes for nothing. */
static json_t *member(const reader_t *r, const char *name)
{
    json_t *j = json_object_get(r->object, name);

    return json_is_null(j) ? NULL : j;
}

static const char *text_optional(reader_t *r, const char *name)
{
    json_t *j = member(r, name);

    if (!j) {
        return NULL;
    }
    if (!json_is_string(j)) {
        wrong(r, name, "must be a string");
        return NULL;
    }
    return json_string_value(j);
}

static const char *text(reader_t *r, const char *name)
{
    const char *s = text_optional(r, name);

    if (!s) {
        wrong(r, name, member(r, name) ? "must be a string" : "is missing");
        return "";
    }
    return s;
}

/* A whole number; JavaScript may write one as 1.7e12. */
static apr_int64_t number_optional(reader_t *r, const char *name, apr_int64_t fallback)
{
    json_t *j = member(r, name);
    double d;

    if (!j) {
        return fallback;
    }
    if (json_is_integer(j)) {
        return json_integer_value(j);
    }
    d = json_is_real(j) ? json_real_value(j) : 0.5;
    if (d < -9e15 || d > 9e15 || (double)(apr_int64_t)d != d) {
        wrong(r, name, "must be a whole number");
        return fallback;
    }
    return (apr_int64_t)d;
}

static apr_int64_t time_get(reader_t *r, const char *name)
{
    apr_int64_t ms = number_optional(r, name, 0);

    if (!member(r, name)) {
        wrong(r, name, "is missing");
    } else if (ms < 1) {
        wrong(r, name, "must be milliseconds since 1970");
    } else if (ms > r->now_ms + DAY_MS) {
        wrong(r, name,
              "lies in the future: no message could come after it; where a clock was ahead, "
              "whatsappctl retime mends the store that was dumped");
    }
    return ms;
}

static int is_word(const char *s, apr_size_t max)
{
    apr_size_t len = strlen(s);

    return len > 0 && len <= max
           && strspn(s, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_-") == len;
}

static void members_count(load_item_t *item, const json_t *object, const char *const *known)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)object, name, value)
    {
        const char *const *k = known;

        while (*k && strcmp(*k, name)) {
            k++;
        }
        item->unknown += *k == NULL;
    }
}

/* ---- keys ---- */

static int key_rest(const char *key, const char *prefix, const char **prest)
{
    apr_size_t len = strlen(prefix);

    *prest = key + len;
    return !strncmp(key, prefix, len);
}

/* msg:{counterpart}:{timestamp}:{id}; the timestamp may be padded with zeros. */
static void message_key_check(reader_t *r, const char *rest, const char *counterpart,
                              const char *id, apr_int64_t time_ms)
{
    const char *after;
    char *end;

    if (!r->wrong
        && (!key_rest(rest, apr_pstrcat(r->p, counterpart, ":", NULL), &after)
            || !apr_isdigit(*after) || apr_strtoi64(after, &end, 10) != time_ms || *end != ':'
            || strcmp(end + 1, id))) {
        wrong(r, "key", "does not say what the value's counterpart, timestamp and id say");
    }
}

/* ---- messages ---- */

static wa_status_e status_get(reader_t *r)
{
    const char *s = text(r, "status");

    if (!strcmp(s, "pending")) {
        return WA_STATUS_PENDING;
    }
    if (!strcmp(s, "failed")) {
        return WA_STATUS_FAILED;
    }
    if (strcmp(s, "success")) {
        wrong(r, "status", "must be success, failed or pending");
    }
    return WA_STATUS_SUCCESS;
}

/* Reads what is known of a sent message's outcome. The API shows an error only where there is one,
 * and always where a message failed. */
static void outcome_read(reader_t *r, wa_delivery_t *delivery)
{
    const char *word = text_optional(r, "deliveryStatus");
    const apr_int64_t code = number_optional(r, "errorCode", 0);
    const wa_status_e status = status_get(r);
    const char *error = NULL;
    wa_part_t *part = &delivery->parts[0];

    part->word = wa_delivery_parse(word);
    if (word && wa_delivery_rank(part->word) < 0) {
        wrong(r, "deliveryStatus", "must be one of Twilio's words for sent messages");
    }
    if (code < 0 || code > 999999) {
        wrong(r, "errorCode", "must be one of Twilio's codes");
    }
    if (status != WA_STATUS_SUCCESS) {
        error = text_optional(r, "errorMessage");
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
static void delivery_set(reader_t *r, load_item_t *item, const reader_t *extra, const char *sid)
{
    wa_message_new_t *m = &item->message;
    wa_delivery_t delivery = {.part_count = 1};
    const json_t *more = member(extra, "delivery");
    const char *text = json_string_value(member(extra, "private"));
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
        wrong(r, "status", "cannot be kept: out of memory");
    }
    m->status = stored.status;
    m->delivery = stored.delivery;
}

static apr_size_t media_get(reader_t *r, wa_media_t *media)
{
    json_t *list = member(r, "media");
    apr_size_t i, count = list ? json_array_size(list) : 0;

    if (list && (!json_is_array(list) || count > MEDIA_MAX)) {
        wrong(r, "media", "must be a list of at most 64 objects");
        return 0;
    }
    for (i = 0; i < count; i++) {
        const json_t *one = json_array_get(list, i);
        const json_t *url = json_object_get(one, "url"),
                     *type = json_object_get(one, "contentType");

        if (!json_is_string(url) || !json_is_string(type)) {
            wrong(r, "media", "must have objects with the strings url and contentType");
            return 0;
        }
        media[i].number = i;
        media[i].url = json_string_value(url);
        media[i].content_type = json_string_value(type);
        if (media[i].url[0] != '/' && strncasecmp(media[i].url, "https://", 8)
            && strncasecmp(media[i].url, "http://", 7)) {
            wrong(r, "media", "must have urls that begin with https://, http:// or /");
        }
        if (!*media[i].content_type) {
            wrong(r, "media", "must have no empty contentType");
        }
    }
    return count;
}

/* The sids by which the message is found: those in "store", or the one that is shown. The first
 * goes into the message, the others follow as states. */
static void sids_get(reader_t *r, load_item_t *item, const json_t *list, const char *shown)
{
    apr_size_t i, count = json_array_size(list);
    const char **sids;

    if (list && (!count || count > SIDS_MAX)) {
        wrong(r, "store.sids", "must be a list of 1 to 64 sids");
        return;
    }
    sids = apr_pcalloc(r->p, (count + 2) * sizeof(*sids));
    for (i = 0; i < count; i++) {
        sids[i] = json_string_value(json_array_get(list, i));
        if (!wa_id_is_sid(sids[i], "SM,MM")) {
            wrong(r, "store.sids", "must hold sids of messages: SM or MM and 32 hex digits");
            return;
        }
    }
    sids[0] = count ? sids[0] : shown;
    item->message.sid = sids[0];
    item->sids = sids + (sids[0] != NULL);
}

static const char *sid_get(reader_t *r, const char *id)
{
    const char *sid = text_optional(r, "sid");

    if (sid && !wa_id_is_sid(sid, "SM,MM")) {
        wrong(r, "sid", "must be the sid of a message: SM or MM and 32 hex digits");
    }
    /* Some keep a message under Twilio's id: then a receipt or a repeated webhook can still find
     * it. */
    return !sid && wa_id_is_sid(id, "SM,MM") ? id : sid;
}

static const char *counterpart_get(reader_t *r, const char **praw)
{
    const char *counterpart = text(r, "counterpart"), *number;

    *praw = counterpart;
    if (!*counterpart || strlen(counterpart) > WA_COUNTERPART_BYTES_MAX) {
        wrong(r, "counterpart", "must have 1 to 128 bytes");
    }
    number = wa_phone_normalize(counterpart, r->p);
    return number ? number : counterpart;
}

/* The template that a sent message was made with. */
static const char *content_sid_get(reader_t *r)
{
    const char *sid = text_optional(r, "contentSid");

    if (sid && !wa_id_is_sid(sid, "HX")) {
        wrong(r, "contentSid", "must be the sid of a template: HX and 32 hex digits");
    }
    return sid;
}

/* Which of our numbers it was sent from or to. */
static const char *our_number_get(reader_t *r)
{
    const char *number = wa_phone_normalize(text(r, "phoneNumber"), r->p);

    if (!number) {
        wrong(r, "phoneNumber", "must be our phone number, like +14155238886");
    }
    return number ? number : "";
}

/* What a webhook said beside the message's own fields, as dumps have it: a form. Where it names
 * attachments, they are those of the message. */
static void form_read(reader_t *r, const reader_t *extra, wa_attributes_t *attributes)
{
    const char *text = json_string_value(member(extra, "form"));
    wa_media_t *media = apr_palloc(r->p, WA_MEDIA_MAX * sizeof(*media));
    wa_form_field_t *fields;
    wa_form_t *form;
    apr_size_t count;

    text = text ? text : json_string_value(member(extra, "private")); /* of a store of version 1 */
    if (!text) {
        const char *flaw = load_details_read(r->object, attributes, r->p);

        r->wrong = r->wrong ? r->wrong : flaw;
        return;
    }
    if (wa_form_parse(&form, text, strlen(text), WA_SIGNATURE_MAX_FIELDS, r->p) != APR_SUCCESS) {
        wrong(r, "store.form", "has too many fields");
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

static void preview_set(reader_t *r, wa_message_new_t *m, const char *given,
                        const wa_attributes_t *attributes)
{
    m->preview = given ? wa_slice_of(given)
                       : wa_preview_make(m->body, attributes->media_count > 0
                                                      ? attributes->media[0].content_type
                                                      : NULL);
    if (m->preview.len > 4096) {
        wrong(r, "store.preview", "is too long");
    }
}

/* What never changes in a message beside its own fields. */
static void attributes_set(reader_t *r, wa_message_new_t *m, const reader_t *extra)
{
    wa_media_t media[MEDIA_MAX];
    wa_attributes_t attributes = {.media = media};

    attributes.media_count = media_get(r, media);
    if (m->direction == WA_DIRECTION_SENT) {
        attributes.content_sid = content_sid_get(r);
    } else {
        form_read(r, extra, &attributes);
        m->profile_name = profile_name_of(&attributes, r->p);
    }
    preview_set(r, m, text_optional((reader_t *)(apr_uintptr_t)extra, "preview"), &attributes);
    if (wa_attributes_write(&attributes, &m->attributes, r->p) != APR_SUCCESS) {
        wrong(r, "media", "cannot be kept: out of memory");
    }
}

static void message_read(reader_t *r, load_item_t *item, const char *key_rest_)
{
    static const char *const known[] = {"id",        "direction", "phoneNumber", "counterpart",
                                        "body",      "timestamp", "status",      "errorMessage",
                                        "contactId", "unread",    "sid",         "deliveryStatus",
                                        "errorCode", "media",     "contentSid",  "store",
                                        "type",      "replyTo",   "referral",    NULL};
    wa_message_new_t *m = &item->message;
    const char *direction = text(r, "direction"), *sid, *raw;
    reader_t extra = {member(r, "store"), NULL, r->p, r->now_ms};

    members_count(item, r->object, known);
    m->id = text(r, "id");
    if (!is_word(m->id, 64)) {
        wrong(r, "id", "must be 1 to 64 letters, digits, - and _");
    }
    m->counterpart = counterpart_get(r, &raw);
    m->timestamp_ms = item->time_ms = time_get(r, "timestamp");
    m->date_ms = number_optional(&extra, "date", 0);
    message_key_check(r, key_rest_, raw, m->id, item->time_ms);
    if (strcmp(direction, "sent") && strcmp(direction, "received")) {
        wrong(r, "direction", "must be sent or received");
    }
    m->direction = !strcmp(direction, "sent") ? WA_DIRECTION_SENT : WA_DIRECTION_RECEIVED;
    m->phone_number = our_number_get(r);
    m->body = wa_slice_of(text(r, "body"));
    sid = sid_get(r, m->id);
    if (m->direction == WA_DIRECTION_SENT) {
        delivery_set(r, item, &extra, sid);
    }
    item->is_unread = json_is_true(member(r, "unread"));
    attributes_set(r, m, &extra);
    m->idempotency_key = text_optional(&extra, "idempotencyKey");
    if (m->idempotency_key && strlen(m->idempotency_key) > 255) {
        wrong(r, "store.idempotencyKey", "is too long");
    }
    sids_get(r, item, member(&extra, "sids"), sid);
    if (extra.wrong) {
        wrong(r, "store:", extra.wrong);
    }
}

/* ---- threads and contacts ---- */

static void thread_read(reader_t *r, load_item_t *item, const char *rest)
{
    static const char *const known[] = {"counterpart",
                                        "lastMessagePreview",
                                        "lastMessageTimestamp",
                                        "lastDirection",
                                        "messageCount",
                                        "unreadCount",
                                        "windowClosesAt",
                                        "optedOut",
                                        "blocked",
                                        "profileName",
                                        "contactId",
                                        "contactName",
                                        "store",
                                        NULL};
    reader_t extra = {member(r, "store"), NULL, r->p, r->now_ms};
    apr_int64_t unread = number_optional(r, "unreadCount", 0);
    apr_int64_t flags = number_optional(&extra, "flags", 0);
    const char *raw;

    members_count(item, r->object, known);
    item->counterpart = counterpart_get(r, &raw);
    if (!r->wrong && strcmp(rest, raw)) {
        wrong(r, "key", "does not say what the value's counterpart says");
    }
    if (unread < 0) {
        wrong(r, "unreadCount", "must not be negative");
    }
    if (flags < 0 || flags > 0x7fffffff) {
        wrong(r, "store.flags", "must be flags of a thread");
    }
    if (extra.wrong) {
        wrong(r, "store:", extra.wrong);
    }
    item->profile_name =
        wa_slice_string(wa_details_name(wa_slice_of(text_optional(r, "profileName")), r->p), r->p);
    item->unread_count = unread > 0 ? (apr_uint64_t)unread : 0;
    item->flags = (apr_uint32_t)flags
                  | (json_is_true(member(r, "optedOut")) ? WA_THREAD_OPTED_OUT : 0)
                  | (json_is_true(member(r, "blocked")) ? WA_THREAD_BLOCKED : 0);
}

static void contact_read(reader_t *r, load_item_t *item, const char *rest)
{
    static const char *const known[] = {"id",        "phoneNumber", "displayName",
                                        "createdAt", "updatedAt",   NULL};
    wa_record_contact_t *c = &item->contact;
    const char *raw = text(r, "id"), *number = "", *id = "", *typed = text(r, "phoneNumber"),
               *shown = text(r, "displayName");
    wa_sentence_t sentence = NULL;
    wa_slice_t name = {NULL, 0};

    members_count(item, r->object, known);
    if (!r->wrong
        && wa_validate_contact_id("id", wa_slice_of(raw), &id, &sentence, r->p) != APR_SUCCESS) {
        r->wrong = sentence;
    }
    if (!r->wrong
        && wa_validate_phone(wa_slice_of(typed), &number, &sentence, r->p) != APR_SUCCESS) {
        r->wrong = sentence;
    }
    if (!r->wrong
        && wa_validate_display_name(wa_slice_of(shown), &name, &sentence) != APR_SUCCESS) {
        r->wrong = sentence;
    }
    if (!r->wrong && strcmp(rest, raw)) {
        wrong(r, "key", "does not say what the value's id says");
    }
    c->created_ms = time_get(r, "createdAt");
    item->time_ms = member(r, "updatedAt") ? time_get(r, "updatedAt") : c->created_ms;
    if (item->time_ms < c->created_ms) {
        wrong(r, "updatedAt", "is before createdAt");
    }
    c->id = wa_slice_of(id);
    c->phone_number = wa_slice_of(number);
    c->display_name = name;
}

/* ---- lines ---- */

unsigned load_surrogates_repair(char *s, apr_size_t len)
{
    unsigned repaired = 0;
    apr_uint64_t first, second;
    apr_size_t i;

    for (i = 0; i + 1 < len; i++) {
        if (s[i] != '\\') {
            continue;
        }
        i++;
        if (s[i] != 'u' || i + 4 >= len || !wa_hex_read(s + i + 1, 4, &first) || first < 0xd800
            || first > 0xdfff) {
            continue;
        }
        if (first < 0xdc00 && i + 10 < len && s[i + 5] == '\\' && s[i + 6] == 'u'
            && wa_hex_read(s + i + 7, 4, &second) && second >= 0xdc00 && second <= 0xdfff) {
            i += 10;
            continue;
        }
        memcpy(s + i + 1, "fffd", 4);
        repaired++;
    }
    return repaired;
}

/* The value itself, or the object that is in it as a string. */
static json_t *value_get(load_item_t *item, json_t *value, const char **perror, apr_pool_t *p)
{
    json_t *inner = NULL;
    apr_size_t len;
    char *copy;

    *perror = NULL;
    if (json_is_string(value)) {
        len = json_string_length(value);
        copy = wa_slice_string(wa_slice_make(json_string_value(value), len), p);
        item->repaired += load_surrogates_repair(copy, len);
        if (wa_json_parse(&inner, copy, len, perror, p) != APR_SUCCESS) {
            *perror = apr_pstrcat(p, "the string in value: ", *perror ? *perror : "no JSON", NULL);
            return NULL;
        }
        value = inner;
    }
    if (!json_is_object(value)) {
        *perror =
            value ? "value must be an object, or a string that holds one" : "value is missing";
        return NULL;
    }
    return value;
}

const char *load_item_read(load_item_t *item, char *line, apr_size_t len, apr_int64_t now_ms,
                           apr_pool_t *p)
{
    const char *key, *rest, *error = NULL;
    reader_t r = {NULL, NULL, p, now_ms};
    json_t *j;

    memset(item, 0, sizeof(*item));
    item->kind = LOAD_OTHER;
    item->repaired = load_surrogates_repair(line, len);
    if (wa_json_parse(&j, line, len, &error, p) != APR_SUCCESS) {
        return error ? error : "is no JSON";
    }
    if (!json_is_object(j)) {
        return "must be an object with key and value";
    }
    key = json_string_value(json_object_get(j, "key"));
    if (!key) {
        return "key must be a string";
    }
    if (json_is_true(json_object_get(j, "base64"))) {
        return "values in base64 are not read";
    }
    if (!key_rest(key, "msg:", &rest) && !key_rest(key, "thread:", &rest)
        && !key_rest(key, "contact:", &rest)) {
        return NULL;
    }
    r.object = value_get(item, json_object_get(j, "value"), &error, p);
    if (error) {
        return error;
    }
    if (key[0] == 'm') {
        item->kind = LOAD_MESSAGE;
        message_read(&r, item, rest);
    } else if (key[0] == 't') {
        item->kind = LOAD_THREAD;
        thread_read(&r, item, rest);
    } else {
        item->kind = LOAD_CONTACT;
        contact_read(&r, item, rest);
    }
    return r.wrong;
}
