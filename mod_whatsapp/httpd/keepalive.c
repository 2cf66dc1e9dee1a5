/* SPDX-License-Identifier: Apache-2.0 */
/* Gives the client of a connection that is kept alive the moment that it needs to ask again. */
#include "httpd/keepalive.h"

#include <sched.h>

#include "httpd/lifecycle.h"

/* Every so many requests a busy connection goes through the listener like all others, behind those
 * that wait there for a worker. */
#define TURN 32

int wa_keepalive_yield(request_rec *r)
{
    const conn_rec *c = r->connection;

    if (r->method_number == M_GET && c->keepalive == AP_CONN_KEEPALIVE && c->keepalives % TURN != 0
        && r->handler && strcmp(r->handler, WA_HANDLER_NAME) == 0) {
        (void)sched_yield();
    }
    return DECLINED;
}
