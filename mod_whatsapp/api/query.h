/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the members of a query. */
#ifndef WA_API_QUERY_H
#define WA_API_QUERY_H

#include "api/request.h"
#include "base/form.h"

/* A request's query. */
typedef struct wa_query_t {
    wa_request_t *q;
    wa_form_t *form; /* its members, in r->pool */
    int result;      /* what the endpoint returns once a function here gave 0 */
} wa_query_t;

/* The functions here give 1 when all is well. With 0 they have answered the request with 400 and a
 * sentence that names the member, and query->result (or *presult) is what the endpoint returns. A
 * member given twice is refused, an unknown one ignored. The request's own thread. */

/* Reads the query of a request. @param query  out: filled whatever comes of it */
int wa_query_read(wa_query_t *query, wa_request_t *q);

/* Gives a member as text. @param pis_given  out: 1 when it is there, maybe empty */
int wa_query_text(wa_query_t *query, const char *name, wa_slice_t *pvalue, int *pis_given);

/* Which numbers a member may be. */
typedef struct wa_query_range_t {
    apr_int64_t min, max;
    int is_capped; /* 1: one over `max` counts as `max`; 0: it is refused */
    int is_needed; /* 1: it has to be given */
} wa_query_range_t;

/* Gives a member that is a number: digits only, in the range. An absent one leaves *pvalue as it
 * is. */
int wa_query_number(wa_query_t *query, const char *name, const wa_query_range_t *range,
                    apr_int64_t *pvalue);

/* Gives the counterpart that text from a query or path means (wa_validate_counterpart); an
 * unescaped '+', which arrives as a space, is put back.
 * @param pcounterpart  out: in r->pool */
int wa_query_counterpart(wa_request_t *q, wa_slice_t text, const char **pcounterpart, int *presult);

#endif
