/* SPDX-License-Identifier: Apache-2.0 */
/* How the delivery of a sent message is stored, and read back. */
#include "messaging/delivery/state.h"

#include <stdlib.h>

#include <apr_strings.h>

#include "base/buffer.h"
#include "base/id.h"
#include "base/json.h"

/*
 * The private part of a stored state, one text:
 *
 *   4;<times>;<digest>;<answer>;<parts>;<reason>
 *
 * times  <word>=<unix ms>, with a comma between two
 * parts  <is>:<word>:<error code>:<sid>, with a comma between two
 *
 * The reason is last and may hold anything. What begins with another version is not read.
 */
#define VERSION "4;"

/* ---- reading ---- */

static const char *field_skip(const char *s)
{
    const char *end = strchr(s, ';');

    return end ? end + 1 : s + strlen(s);
}

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
            d->since_ms[word] = apr_strtoi64(s, &end, 10);
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

void wa_delivery_read(wa_delivery_t *d, const wa_message_t *message, apr_pool_t *p)
{
    const char *s = wa_slice_string(message->state_private, p);
    long answer;

    memset(d, 0, sizeof(*d));
    if (strncmp(s, VERSION, sizeof(VERSION) - 1) == 0) {
        s += sizeof(VERSION) - 1;
        times_read(d, s);
        s = field_skip(s);
        d->digest = *s != ';' ? wa_slice_string(wa_slice_make(s, strcspn(s, ";")), p) : NULL;
        s = field_skip(s);
        answer = strtol(s, NULL, 10);
        d->answer = answer == WA_ANSWER_ACCEPTED || answer == WA_ANSWER_NOT_ACCEPTED
                        ? (wa_answer_e)answer
                        : WA_ANSWER_NONE;
        s = field_skip(s);
        parts_read(d, s, p);
        s = field_skip(s);
        d->reason = *s ? s : NULL;
    }
    if (d->part_count == 0) {
        d->part_count = 1;
        d->parts[0].is = wa_part_of_status(message->status, NULL);
    }
    if (d->part_count == 1 && !d->parts[0].sid && message->sid.len > 0) {
        d->parts[0].sid = wa_slice_string(message->sid, p);
    }
}

/* ---- writing ---- */

static const char *status_name(wa_status_e status)
{
    switch (status) {
    case WA_STATUS_PENDING:
        return "pending";
    case WA_STATUS_SUCCESS:
        return "success";
    case WA_STATUS_FAILED:
        return "failed";
    case WA_STATUS_NONE:
        break;
    }
    return NULL;
}

static void member_add(wa_buffer_t *b, const char *name, const char *value)
{
    if (!value) {
        return;
    }
    if (b->len > 0) {
        WA_BUFFER_ADD_LITERAL(b, ",");
    }
    WA_BUFFER_ADD_LITERAL(b, "\"");
    wa_buffer_add(b, name, strlen(name));
    WA_BUFFER_ADD_LITERAL(b, "\":\"");
    wa_buffer_add_json(b, value, strlen(value));
    WA_BUFFER_ADD_LITERAL(b, "\"");
}

static apr_status_t buffer_slice(wa_buffer_t *b, wa_slice_t *pslice, apr_pool_t *p)
{
    const apr_status_t rv = b->failed ? APR_ENOMEM : APR_SUCCESS;

    *pslice = wa_slice_make(NULL, 0);
    if (rv == APR_SUCCESS && b->len > 0) {
        *pslice = wa_slice_make(wa_slice_string(wa_slice_make(b->data, b->len), p), b->len);
    }
    wa_buffer_release(b);
    return rv;
}

static void summary_add(wa_buffer_t *b, const wa_delivery_summary_t *summary)
{
    member_add(b, "status", status_name(summary->status));
    member_add(b, "sid", summary->sid);
    member_add(b, "deliveryStatus", wa_delivery_name(summary->word));
    member_add(b, "errorMessage", summary->error);
    if (summary->error_code != 0) {
        WA_BUFFER_ADD_LITERAL(b, ",\"errorCode\":");
        wa_buffer_add_int(b, summary->error_code);
    }
}

static void times_add(wa_buffer_t *b, const wa_delivery_t *d)
{
    const char *comma = "";
    int word;

    for (word = 0; word < WA_DELIVERY_COUNT; word++) {
        if (d->since_ms[word] != 0) {
            wa_buffer_add(b, comma, strlen(comma));
            wa_buffer_add_int(b, word);
            WA_BUFFER_ADD_LITERAL(b, "=");
            wa_buffer_add_int(b, d->since_ms[word]);
            comma = ",";
        }
    }
}

static void parts_add(wa_buffer_t *b, const wa_delivery_t *d)
{
    const char *comma = "";
    apr_size_t i;

    for (i = 0; i < d->part_count; i++) {
        const wa_part_t *part = &d->parts[i];

        wa_buffer_add(b, comma, strlen(comma));
        wa_buffer_add_int(b, part->is);
        WA_BUFFER_ADD_LITERAL(b, ":");
        wa_buffer_add_int(b, part->word);
        WA_BUFFER_ADD_LITERAL(b, ":");
        wa_buffer_add_int(b, part->error_code);
        WA_BUFFER_ADD_LITERAL(b, ":");
        wa_buffer_add_slice(b, wa_slice_of(part->sid));
        comma = ",";
    }
}

static void private_add(wa_buffer_t *b, const wa_delivery_t *d)
{
    WA_BUFFER_ADD_LITERAL(b, VERSION);
    times_add(b, d);
    WA_BUFFER_ADD_LITERAL(b, ";");
    wa_buffer_add_slice(b, wa_slice_of(d->digest));
    WA_BUFFER_ADD_LITERAL(b, ";");
    wa_buffer_add_int(b, d->answer);
    WA_BUFFER_ADD_LITERAL(b, ";");
    parts_add(b, d);
    WA_BUFFER_ADD_LITERAL(b, ";");
    wa_buffer_add_slice(b, wa_slice_of(d->reason));
}

apr_status_t wa_delivery_write(const wa_delivery_t *d, const char *sid, wa_message_state_t *stored,
                               apr_pool_t *p)
{
    wa_delivery_summary_t summary;
    wa_buffer_t b;
    apr_status_t rv;

    memset(stored, 0, sizeof(*stored));
    wa_delivery_summarize(d, &summary, p);
    stored->status = summary.status;
    stored->sid = sid;
    wa_buffer_init(&b, 256);
    summary_add(&b, &summary);
    rv = buffer_slice(&b, &stored->state_json, p);
    if (rv == APR_SUCCESS) {
        wa_buffer_init(&b, 256);
        private_add(&b, d);
        rv = buffer_slice(&b, &stored->state_private, p);
    }
    return rv;
}
