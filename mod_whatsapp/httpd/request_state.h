/* SPDX-License-Identifier: Apache-2.0 */
/* What the module keeps of a request from one of httpd's hooks to another, in its
 * request_config. */
#ifndef WA_HTTPD_REQUEST_STATE_H
#define WA_HTTPD_REQUEST_STATE_H

#include <httpd.h>
#include <http_config.h>

/* Made from zeroed memory. Compare the uri before you believe any of it: ap_internal_fast_redirect
 * gives a request another one. */
typedef struct wa_request_state_t {
    /* mapping.c: of a request whose <Location> sets our handler, from its translation on; NULL for
     * others */
    const char *uri;
    char *args;
    /* the settings of its <Location>s without any directory's */
    ap_conf_vector_t *locations;
    /* those that the authorization went by; NULL before it */
    ap_conf_vector_t *whole;
    /* access.c: the address that somebody logged in for; NULL for nobody */
    const char *user_uri;
} wa_request_state_t;

/* What is kept of the request. @return NULL when nothing is. The request's own thread. */
wa_request_state_t *wa_request_state_get(const request_rec *r);

/* The same, made when there is nothing yet; in the request's pool. */
wa_request_state_t *wa_request_state_make(request_rec *r);

#endif
