/* SPDX-License-Identifier: Apache-2.0 */
/* Receipts that come before their message is known: kept under their sid until it is. */
#include "messaging/delivery/parked.h"

#include <stdlib.h>

#include <apr_strings.h>

/* One line each: "<word> <error code> <unix ms>", and a space with what Twilio says where it says
 * anything, which holds no line feed (base/line.h). */

static const char *lines_of(wa_slice_t parked, apr_pool_t *p)
{
    return wa_slice_string(parked, p);
}

static const char *line_next(const char *line)
{
    const char *end = strchr(line, '\n');

    return end ? end + 1 : line + strlen(line);
}

/* What stands behind the numbers of a line; NULL for nothing. */
static const char *said_of(const char *rest, apr_pool_t *p)
{
    const apr_size_t len = *rest == ' ' ? strcspn(rest + 1, "\n") : 0;

    return len > 0 ? wa_slice_string(wa_slice_make(rest + 1, len), p) : NULL;
}

/* 1 when a line has the same word and code already, and the same of Twilio's words where there are
 * any: which of two wins is the reducer's to say. */
static int is_parked(wa_slice_t parked, const char *what, const char *said, apr_pool_t *p)
{
    const char *line;

    for (line = lines_of(parked, p); *line; line = line_next(line)) {
        const char *had;

        if (strncmp(line, what, strlen(what)) != 0) {
            continue;
        }
        had = said ? said_of(line + strcspn(line + strlen(what), " \n") + strlen(what), p) : NULL;
        if (!said || (had && strcmp(had, said) == 0)) {
            return 1;
        }
    }
    return 0;
}

apr_status_t wa_parked_add(wa_store_t *store, const wa_delivery_event_t *event, int *pis_new,
                           apr_pool_t *p)
{
    const char *what = apr_psprintf(p, "%d %d ", (int)event->word, event->error_code);
    const char *line = apr_psprintf(p, "%s%" APR_INT64_T_FMT, what, event->at_ms);
    const char *said = event->said && wa_delivery_is_failure(event->word) ? event->said : NULL;
    wa_slice_t parked = {NULL, 0};
    apr_status_t rv = wa_store_parked_get(store, event->sid, &parked, p);

    *pis_new = 0;
    if (rv == APR_SUCCESS && is_parked(parked, what, said, p)) {
        return APR_SUCCESS;
    }
    if (rv != APR_SUCCESS && !APR_STATUS_IS_NOTFOUND(rv)) {
        return rv;
    }
    rv = said ? wa_store_parked_add(store, event->sid,
                                    wa_slice_of(apr_pstrcat(p, line, " ", said, NULL)), p)
              : APR_ENOSPC;
    if (APR_STATUS_IS_ENOSPC(rv) && is_parked(parked, what, NULL, p)) {
        return APR_SUCCESS; /* the words are the least of it */
    }
    if (APR_STATUS_IS_ENOSPC(rv)) {
        rv = wa_store_parked_add(store, event->sid, wa_slice_of(line), p);
    }
    *pis_new = rv == APR_SUCCESS;
    return rv;
}

apr_status_t wa_parked_apply(wa_slice_t parked, const wa_delivery_event_t *about, wa_delivery_t *d,
                             apr_pool_t *p)
{
    apr_status_t result = APR_EEXIST;
    const char *line;

    for (line = lines_of(parked, p); *line; line = line_next(line)) {
        wa_delivery_event_t event = {
            .kind = WA_EVENT_PARKED, .sid = about->sid, .part = about->part};
        char *end;
        const long word = strtol(line, &end, 10);

        event.error_code = (int)strtol(end, &end, 10);
        event.at_ms = apr_strtoi64(end, &end, 10);
        event.said = said_of(end, p);
        if (word <= WA_DELIVERY_UNKNOWN || word >= WA_DELIVERY_COUNT) {
            continue;
        }
        event.word = (wa_delivery_e)word;
        if (wa_delivery_apply(d, &event) == APR_SUCCESS) {
            result = APR_SUCCESS;
        }
    }
    return result;
}
