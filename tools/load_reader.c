/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the members of one JSON object, as loading wants them. */
#include "load_reader.h"

#include <string.h>

#include <apr_strings.h>

#include "base/phone.h"
#include "messaging/message/channel.h"
#include "messaging/message/validate.h"

#define DAY_MS ((apr_int64_t)24 * 3600 * 1000)

void load_wrong(load_reader_t *r, const char *name, const char *what)
{
    if (!r->wrong) {
        r->wrong = apr_pstrcat(r->p, name, " ", what, NULL);
    }
}

json_t *load_member(const load_reader_t *r, const char *name)
{
    json_t *j = json_object_get(r->object, name);

    return json_is_null(j) ? NULL : j;
}

const char *load_text_optional(load_reader_t *r, const char *name)
{
    json_t *j = load_member(r, name);

    if (!j) {
        return NULL;
    }
    if (!json_is_string(j)) {
        load_wrong(r, name, "must be a string");
        return NULL;
    }
    return json_string_value(j);
}

const char *load_text(load_reader_t *r, const char *name)
{
    const char *s = load_text_optional(r, name);

    if (!s) {
        load_wrong(r, name, load_member(r, name) ? "must be a string" : "is missing");
        return "";
    }
    return s;
}

apr_int64_t load_number_optional(load_reader_t *r, const char *name, apr_int64_t fallback)
{
    json_t *j = load_member(r, name);
    double d;

    if (!j) {
        return fallback;
    }
    if (json_is_integer(j)) {
        return json_integer_value(j);
    }
    d = json_is_real(j) ? json_real_value(j) : 0.5;
    if (d < -9e15 || d > 9e15 || (double)(apr_int64_t)d != d) {
        load_wrong(r, name, "must be a whole number");
        return fallback;
    }
    return (apr_int64_t)d;
}

apr_int64_t load_time(load_reader_t *r, const char *name)
{
    apr_int64_t ms = load_number_optional(r, name, 0);

    if (!load_member(r, name)) {
        load_wrong(r, name, "is missing");
    } else if (ms < 1) {
        load_wrong(r, name, "must be milliseconds since 1970");
    } else if (ms > r->now_ms + DAY_MS) {
        load_wrong(r, name,
                   "lies in the future: no message could come after it; where a clock was ahead, "
                   "whatsappctl retime mends the store that was dumped");
    }
    return ms;
}

void load_members_count(load_reader_t *r, const char *const *known)
{
    const char *name;
    json_t *value;

    json_object_foreach(r->object, name, value)
    {
        const char *const *k = known;

        while (*k && strcmp(*k, name) != 0) {
            k++;
        }
        r->unknown += *k == NULL;
    }
}

int load_key_rest(const char *key, const char *prefix, const char **prest)
{
    apr_size_t len = strlen(prefix);

    *prest = key + len;
    return strncmp(key, prefix, len) == 0;
}

const char *load_counterpart(load_reader_t *r, const char **praw)
{
    const char *counterpart = load_text(r, "counterpart"), *number;

    *praw = counterpart;
    if (!*counterpart || strlen(counterpart) > WA_COUNTERPART_BYTES_MAX) {
        load_wrong(r, "counterpart", "must have 1 to 128 bytes");
    }
    number = wa_phone_normalize(counterpart, r->p);
    if (!number && wa_channel_of(wa_slice_of(counterpart)).len > 0) {
        number = wa_channel_keep(wa_slice_of(counterpart), wa_slice_make(NULL, 0), r->p);
    }
    return number ? number : counterpart;
}
