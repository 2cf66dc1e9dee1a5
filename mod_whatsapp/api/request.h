/* SPDX-License-Identifier: Apache-2.0 */
/* One request to the API, as the router hands it to an endpoint. */
#ifndef WA_API_REQUEST_H
#define WA_API_REQUEST_H

#include <httpd.h>

#include "api/api.h"

typedef struct wa_request_t {
    request_rec *r;
    const wa_api_server_t *server;
    wa_messenger_t *messenger;
    const wa_log_t *log;
    const char *pattern;   /* the route, as a log may name it */
    wa_slice_t argument;   /* the open part of the path ("/contacts/{this}"), decoded; else empty */
    wa_slice_t argument_2; /* the second one ("/messages/{}/media/{this}") */
} wa_request_t;

/* An endpoint: answers the request, whatever comes, by one call of api/reply.h.
 * @return what that call returned: the handler's return value for httpd. Any thread. */
typedef int (*wa_endpoint_fn)(wa_request_t *q);

int wa_endpoint_send(wa_request_t *q);
int wa_endpoint_messages(wa_request_t *q);
int wa_endpoint_message(wa_request_t *q);
int wa_endpoint_media(wa_request_t *q);
int wa_endpoint_messages_since(wa_request_t *q);
int wa_endpoint_threads(wa_request_t *q);
int wa_endpoint_thread_read(wa_request_t *q);
int wa_endpoint_thread_block(wa_request_t *q);
int wa_endpoint_thread_unblock(wa_request_t *q);
int wa_endpoint_contacts(wa_request_t *q);
int wa_endpoint_contact_create(wa_request_t *q);
int wa_endpoint_contact_rename(wa_request_t *q);
int wa_endpoint_contact_delete(wa_request_t *q);
int wa_endpoint_webhook(wa_request_t *q);

#endif
