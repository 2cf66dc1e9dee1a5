/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the delivery out of dumps of a store of version 1. */
#include "dump_version_1.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "base/id.h"

/*
 * One text, by its version:
 *
 *   1;<word>;<error code>;<times>;<error sentence>
 *   2;<word>;<error code>;<times>;<digest>;<answer>;<error sentence>
 *   3;<word>;<error code>;<times>;<digest>;<answer>;<parts>;<reason>
 *   4;<times>;<digest>;<answer>;<parts>;<reason>
 *
 * times  <word>=<unix ms>, with a comma between two
 * parts  <is>:<word>:<error code>:<sid>, with a comma between two
 *
 * What is last may hold anything. Of 1 and 2 the word, the code and the sentence are among the
 * API's members too.
 */

static wa_delivery_e word_check(long value)
{
    return value > WA_DELIVERY_UNKNOWN && value < WA_DELIVERY_COUNT ? (wa_delivery_e)value
                                                                    : WA_DELIVERY_UNKNOWN;
}

static void times_read(wa_delivery_t *d, const char *s)
{
    while (*s && *s != ';') {
        char *end;
        const wa_delivery_e word = word_check(strtol(s, &end, 10));

        if (end == s || *end != '=') {
            return;
        }
        s = end + 1;
        if (word != WA_DELIVERY_UNKNOWN) {
            d->parts[0].since_ms[word] = apr_strtoi64(s, &end, 10);
        }
        s += strcspn(s, ",;");
        s += *s == ',';
    }
}

static long number_read(const char **ps)
{
    char *end;
    const long number = strtol(*ps, &end, 10);

    *ps = *end == ':' ? end + 1 : end;
    return number;
}

static void parts_read(wa_delivery_t *d, const char *s, apr_pool_t *p)
{
    d->part_count = 0;
    while (*s && *s != ';' && d->part_count < WA_PARTS_MAX) {
        wa_part_t *part = &d->parts[d->part_count++];
        const long is = number_read(&s);
        const char *sid;

        part->is = is >= WA_PART_WAITING && is < WA_PART_COUNT ? (wa_part_e)is : WA_PART_UNKNOWN;
        part->word = word_check(number_read(&s));
        part->error_code = (int)number_read(&s);
        sid = apr_pstrndup(p, s, strcspn(s, ",;"));
        part->sid = wa_id_is_sid(sid, "SM,MM") ? sid : NULL;
        s += strcspn(s, ",;");
        s += *s == ',';
    }
}

/* Takes what stands before the next semicolon. @return a copy in p */
static const char *field_take(const char **ps, apr_pool_t *p)
{
    const wa_slice_t field = wa_slice_make(*ps, strcspn(*ps, ";"));

    *ps += field.len;
    *ps += **ps == ';';
    return wa_slice_string(field, p);
}

static void request_read(wa_delivery_t *d, const char **ps, apr_pool_t *p)
{
    const char *digest = field_take(ps, p);
    const long answer = strtol(field_take(ps, p), NULL, 10);

    d->digest = *digest ? digest : NULL;
    d->answer = answer == WA_ANSWER_ACCEPTED || answer == WA_ANSWER_NOT_ACCEPTED
                    ? (wa_answer_e)answer
                    : WA_ANSWER_NONE;
}

void dump_version_1_read(wa_delivery_t *delivery, const char *text, apr_pool_t *p)
{
    const int version = text[0] >= '1' && text[0] <= '4' && text[1] == ';' ? text[0] - '0' : 0;

    if (version == 0) {
        return;
    }
    text += 2;
    if (version < 4) {
        (void)field_take(&text, p);
        (void)field_take(&text, p);
    }
    times_read(delivery, field_take(&text, p));
    if (version > 1) {
        request_read(delivery, &text, p);
    }
    if (version > 2) {
        wa_delivery_t parts = {.parts = {{.sid = NULL}}};

        memcpy(parts.parts[0].since_ms, delivery->parts[0].since_ms,
               sizeof(parts.parts[0].since_ms));
        parts_read(&parts, field_take(&text, p), p);
        if (parts.part_count > 0) {
            memcpy(delivery->parts, parts.parts, sizeof(parts.parts));
            delivery->part_count = parts.part_count;
            delivery->reason = *text ? text : NULL;
        }
    }
}
