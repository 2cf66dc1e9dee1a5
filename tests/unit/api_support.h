/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of api/ share: a request made by hand, its answer, what api/ calls of httpd. */
#ifndef WA_TEST_API_SUPPORT_H
#define WA_TEST_API_SUPPORT_H

#include <httpd.h>

#include "test_messaging.h"

#include "api/api.h"
#include "api/request.h"
#include "canned_store.h"

#define BASE "/api/whatsapp-messenger"

/* One virtual host: its messenger is on a canned store. */
typedef struct api_t {
    world_t world; /* with the log */
    canned_store_t *store;
    wa_api_server_t server;
} api_t;

void api_init(api_t *api, apr_pool_t *p);

/* What a client asks for. */
typedef struct api_ask_t {
    /* NULL: GET */
    const char *method;
    /* as in the request line; of what httpd does to a path only the percent-decoding is done */
    const char *target;
    /* names and values */
    const char *headers[16];
    const char *body;
    /* what its connection ends with; APR_SUCCESS: the body is whole */
    apr_status_t body_rv;
} api_ask_t;

/* What a client got. */
typedef struct api_answer_t {
    int status;
    const char *type;
    const char *body; /* as a string */
    apr_size_t len;
    apr_table_t *headers;
    int is_last; /* 1: the connection closes */
} api_answer_t;

/* Makes the request, in a pool of its own. */
request_rec *api_request_begin(api_t *api, const api_ask_t *ask);

/* Ends the request and its pool: checks what every answer has to be (one whole body, its length,
 * uncached, of its declared type, JSON that says of its success what the status says).
 * @param result  what the handler returned
 * @return in api->world.p */
api_answer_t api_request_end(api_t *api, request_rec *r, int result);

/* As the router hands it over. */
wa_request_t api_request_of(api_t *api, request_rec *r);

/* Asks one endpoint. @param argument  the open part of the path, NULL for none */
api_answer_t api_endpoint_ask(api_t *api, wa_endpoint_fn endpoint, const char *argument,
                              const api_ask_t *ask);

/* Asks one endpoint by GET. */
api_answer_t api_get(api_t *api, wa_endpoint_fn endpoint, const char *target);

/* The header of an answer, "" when it has none. */
const char *api_header(const api_answer_t *answer, const char *name);

/* The answer must be this error, and its sentence begin with `sentence` (NULL: any). */
void assert_error(const api_answer_t *answer, int status, const char *code, const char *sentence);

/* The answer must be 200 with exactly this body. */
void assert_answer(const api_answer_t *answer, const char *body);

/* The store must have been asked exactly this since the last time. */
void assert_calls(api_t *api, const char *calls);

#endif
