/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the members of a query. */
#include "api/query.h"

#include <apr_lib.h>
#include <apr_strings.h>

#include "api/reply.h"
#include "base/phone.h"
#include "messaging/message/channel.h"
#include "messaging/message/validate.h"

/* No question of ours has more than four members. */
#define FIELDS_MAX 64

int wa_query_read(wa_query_t *query, wa_request_t *q)
{
    const char *args = q->r->args ? q->r->args : "";
    apr_status_t rv;

    *query = (wa_query_t){.q = q};
    rv = wa_form_parse(&query->form, args, strlen(args), FIELDS_MAX, q->r->pool);
    if (rv != APR_SUCCESS) {
        query->result =
            wa_reply_error(q, WA_ERROR_INVALID_INPUT, "The query has too many members.");
        return 0;
    }
    return 1;
}

int wa_query_text(wa_query_t *query, const char *name, wa_slice_t *pvalue, int *pis_given)
{
    const wa_form_t *form = query->form;
    const wa_slice_t wanted = wa_slice_of(name);
    apr_size_t i;

    *pvalue = (wa_slice_t){NULL, 0};
    *pis_given = 0;
    for (i = 0; i < form->count; i++) {
        if (!wa_slice_is_equal(form->fields[i].name, wanted)) {
            continue;
        }
        if (*pis_given) {
            query->result =
                wa_reply_error(query->q, WA_ERROR_INVALID_INPUT,
                               apr_pstrcat(query->q->r->pool, name, " is given twice", NULL));
            return 0;
        }
        *pis_given = 1;
        *pvalue = form->fields[i].value;
    }
    return 1;
}

/* The value of up to `max`; max + 1 for all numbers over it; -1 for what is no number. */
static apr_int64_t digits_read(wa_slice_t text, apr_int64_t max)
{
    apr_int64_t value = 0;
    apr_size_t i;

    for (i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9') {
            return -1;
        }
        if (value <= max) {
            value = value * 10 + (text.ptr[i] - '0');
        }
    }
    if (text.len == 0) {
        return -1;
    }
    return value > max ? max + 1 : value;
}

int wa_query_number(wa_query_t *query, const char *name, const wa_query_range_t *range,
                    apr_int64_t *pvalue)
{
    wa_slice_t text;
    apr_int64_t value;
    int is_given;

    if (!wa_query_text(query, name, &text, &is_given)) {
        return 0;
    }
    if (!is_given && !range->is_needed) {
        return 1;
    }
    value = digits_read(text, range->max);
    if (value > range->max && range->is_capped) {
        value = range->max;
    }
    if (value < range->min || value > range->max) {
        const char *sentence =
            apr_psprintf(query->q->r->pool,
                         "%s must be a whole number from %" APR_INT64_T_FMT " to %" APR_INT64_T_FMT,
                         name, range->min, range->max);

        query->result = wa_reply_error(query->q, WA_ERROR_INVALID_INPUT, sentence);
        return 0;
    }
    *pvalue = value;
    return 1;
}

/* "+1555" for " 1555" and "sms:+1555" for "sms: 1555". */
static wa_slice_t plus_restore(wa_slice_t text, apr_pool_t *p)
{
    const wa_slice_t channel = wa_channel_prefix(text);
    const apr_size_t at = channel.len + 1;
    char *restored;

    if (channel.len == 0 || wa_channel_is_whatsapp(channel)) {
        return wa_phone_plus_restore(text, p);
    }
    if (text.len <= at || text.ptr[at] != ' ') {
        return text;
    }
    restored = apr_pmemdup(p, text.ptr, text.len);
    restored[at] = '+';
    return wa_slice_make(restored, text.len);
}

int wa_query_counterpart(wa_request_t *q, wa_slice_t text, const char **pcounterpart, int *presult)
{
    wa_sentence_t sentence;
    apr_status_t rv;

    rv = wa_validate_counterpart(q->messenger->store, plus_restore(text, q->r->pool), pcounterpart,
                                 &sentence, q->r->pool);
    if (rv != APR_SUCCESS) {
        *presult = wa_reply_status(q, rv, sentence);
        return 0;
    }
    return 1;
}
