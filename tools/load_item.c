/* SPDX-License-Identifier: Apache-2.0 */
/* Takes one object of a dump or an export apart; checks threads and contacts member by member. */
#include "load_item.h"

#include <string.h>

#include <apr_strings.h>

#include "base/hex.h"
#include "base/json.h"
#include "load_message.h"
#include "load_reader.h"
#include "messaging/message/details.h"
#include "messaging/message/validate.h"

/* ---- threads and contacts ---- */

static void thread_read(load_reader_t *r, load_item_t *item, const char *rest)
{
    static const char *const known[] = {"counterpart",
                                        "channel",
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
    load_reader_t extra = {.object = load_member(r, "store"), .p = r->p, .now_ms = r->now_ms};
    apr_int64_t unread = load_number_optional(r, "unreadCount", 0);
    apr_int64_t flags = load_number_optional(&extra, "flags", 0);
    const char *raw;

    load_members_count(r, known);
    item->counterpart = load_counterpart(r, &raw);
    if (!r->wrong && strcmp(rest, raw) != 0) {
        load_wrong(r, "key", "does not say what the value's counterpart says");
    }
    if (unread < 0) {
        load_wrong(r, "unreadCount", "must not be negative");
    }
    if (flags < 0 || flags > 0x7fffffff) {
        load_wrong(r, "store.flags", "must be flags of a thread");
    }
    if (extra.wrong) {
        load_wrong(r, "store:", extra.wrong);
    }
    item->profile_name = wa_slice_string(
        wa_details_name(wa_slice_of(load_text_optional(r, "profileName")), r->p), r->p);
    item->unread_count = unread > 0 ? (apr_uint64_t)unread : 0;
    item->flags = (apr_uint32_t)flags
                  | (json_is_true(load_member(r, "optedOut")) ? WA_THREAD_OPTED_OUT : 0)
                  | (json_is_true(load_member(r, "blocked")) ? WA_THREAD_BLOCKED : 0);
}

static void contact_read(load_reader_t *r, load_item_t *item, const char *rest)
{
    static const char *const known[] = {"id",        "phoneNumber", "displayName",
                                        "createdAt", "updatedAt",   NULL};
    wa_record_contact_t *c = &item->contact;
    const char *raw = load_text(r, "id"), *number = "", *id = "",
               *typed = load_text(r, "phoneNumber"), *shown = load_text(r, "displayName");
    wa_sentence_t sentence = NULL;
    wa_slice_t name = {NULL, 0};

    load_members_count(r, known);
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
    if (!r->wrong && strcmp(rest, raw) != 0) {
        load_wrong(r, "key", "does not say what the value's id says");
    }
    c->created_ms = load_time(r, "createdAt");
    item->time_ms = load_member(r, "updatedAt") ? load_time(r, "updatedAt") : c->created_ms;
    if (item->time_ms < c->created_ms) {
        load_wrong(r, "updatedAt", "is before createdAt");
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

/* Without what Cloudflare puts around a value. */
static json_t *value_unwrap(json_t *value)
{
    static const char *const known[] = {"value", "metadata", "expiration", NULL};
    load_reader_t counted = {.object = value};

    if (!json_object_get(value, "value")) {
        return value;
    }
    load_members_count(&counted, known);
    return counted.unknown ? value : json_object_get(value, "value");
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
            value ? "value must be an object, or a string that holds one"
                  : "value is missing: a list of keys has none, `wrangler kv bulk get` prints them";
        return NULL;
    }
    return value;
}

const char *load_item_read(load_item_t *item, char *line, apr_size_t len, apr_int64_t now_ms,
                           apr_pool_t *p)
{
    const char *key, *rest, *error = NULL;
    load_reader_t r = {.p = p, .now_ms = now_ms};
    json_t *j, *value;

    memset(item, 0, sizeof(*item));
    item->kind = LOAD_OTHER;
    item->repaired = load_surrogates_repair(line, len);
    if (wa_json_parse(&j, line, len, &error, p) != APR_SUCCESS) {
        return error ? error : "is no JSON";
    }
    if (!json_is_object(j)) {
        return "must be an object with key and value";
    }
    key = json_string_value(json_object_get(j, json_object_get(j, "key") ? "key" : "name"));
    if (!key) {
        return json_object_get(j, "id") || json_object_get(j, "counterpart")
                   ? "key must be a string: a value alone, as `wrangler kv key get` prints it, "
                     "does not say where it belongs"
                   : "key must be a string";
    }
    if (json_is_true(json_object_get(j, "base64"))) {
        return "values in base64 are not read";
    }
    value = value_unwrap(json_object_get(j, "value"));
    if (json_is_null(value)) {
        item->kind = LOAD_NOTHING;
        return NULL;
    }
    if (!load_key_rest(key, "msg:", &rest) && !load_key_rest(key, "thread:", &rest)
        && !load_key_rest(key, "contact:", &rest)) {
        return NULL;
    }
    r.object = value_get(item, value, &error, p);
    if (error) {
        return error;
    }
    if (key[0] == 'm') {
        item->kind = LOAD_MESSAGE;
        load_message_read(&r, item, rest);
    } else if (key[0] == 't') {
        item->kind = LOAD_THREAD;
        thread_read(&r, item, rest);
    } else {
        item->kind = LOAD_CONTACT;
        contact_read(&r, item, rest);
    }
    item->unknown = r.unknown;
    return r.wrong;
}
