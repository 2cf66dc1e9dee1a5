/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP API: its handler, and what httpd/ has to give it. */
#ifndef WA_API_API_H
#define WA_API_API_H

#include <httpd.h>

#include "messaging/messenger.h"
#include "messaging/policy/rate.h"

struct wa_cache_t;

/* What the API needs to know of one virtual host. Made by httpd/ before the children are forked,
 * from zeroed memory. */
typedef struct wa_api_server_t {
    /* NULL: not configured here, every request is answered 500 and logged */
    wa_messenger_t *messenger;
    /* NULL, or why there is no messenger though one is configured: every request is answered 503
     * with this sentence */
    const char *unavailable;
    /* where the API is, "/api/whatsapp-messenger", without a slash at the end; "" for the root */
    const char *base_path;
    /* WhatsAppMaxBody in bytes, over 0 */
    apr_off_t max_body;
    /* for each client address and each user */
    wa_rate_t send_rate;
    /* shared by all processes */
    wa_rate_table_t *rates;
    /* set by wa_api_child_init */
    struct wa_cache_t *cache;
} wa_api_server_t;

/* The paths that the API has below its base path: "/threads/" and so on, with a '*' for each open
 * part.
 * @param i            0 and up; a path with several methods comes more than once
 * @param pis_signed   out: 1 when who calls it proves that by a signature and needs no login
 * @return NULL when there are no more. Any thread. */
const char *wa_api_path(apr_size_t i, int *pis_signed);

/* Whether the request's <Location> asks for a user (WhatsAppRequireUser On) and httpd had nobody
 * log in for it. Asked for each request that needs no signature, before anything else.
 * @return NULL it may be answered | what an admin has to look for, in the request's pool. Any
 *     thread. */
typedef const char *(*wa_api_user_flaw_fn)(request_rec *r);

/* Makes what the API keeps for each process (the cache of rendered answers). To be called in
 * child_init, for each wa_api_server_t, after wa_store_child_init. Everything lives in pchild.
 * @return APR_SUCCESS | a status of APR's mutex creation */
apr_status_t wa_api_child_init(wa_api_server_t *server, apr_pool_t *pchild);

/* The content handler. httpd/ calls it only when r->handler is "whatsapp-messenger". Answers every
 * path at or below the base path itself, errors included, as JSON; it never lets httpd make an
 * error page.
 * @param server  the virtual host's; NULL when the module is not configured there
 * @return OK, always: a connection that broke meanwhile is httpd's to log. Any thread. */
int wa_api_handler(request_rec *r, const wa_api_server_t *server, wa_api_user_flaw_fn user_flaw);

#endif
