/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the members of a query. */
#ifndef WA_API_QUERY_H
#define WA_API_QUERY_H

#include "api/request.h"
#include "base/form.h"

/* The functions here give 1 when all is well. With 0 they have answered the request with 400 and a
 * sentence that names the member, and *presult is what the endpoint returns. A member given twice is
 * refused, an unknown one ignored. The request's own thread. */

/* Reads the query. @param pform  out: in r->pool */
int wa_query_read(wa_request_t *q, wa_form_t **pform, int *presult);

/* Gives a member as text. @param pis_given  out: 1 when it is there, maybe empty */
int wa_query_text(wa_request_t *q, const wa_form_t *form, const char *name, wa_slice_t *pvalue,
                  int *pis_given, int *presult);

/* Gives a member that is a number: digits only, min..max. One over `max` is refused, or counts as
 * `max` with is_capped. An absent one leaves *pvalue as it is. */
typedef struct wa_query_range_t {
    apr_int64_t min, max;
    int is_capped;
    int is_needed;
} wa_query_range_t;
int wa_query_number(wa_request_t *q, const wa_form_t *form, const char *name,
                    const wa_query_range_t *range, apr_int64_t *pvalue, int *presult);

/* Gives the counterpart that text from a query or path means (wa_validate_counterpart); an unescaped
 * '+', which arrives as a space, is put back. @param pcounterpart  out: in r->pool */
int wa_query_counterpart(wa_request_t *q, wa_slice_t text, const char **pcounterpart, int *presult);

#endif
