/* SPDX-License-Identifier: Apache-2.0 */
/* What is done for a connection that is kept alive once its request is answered. */
#ifndef WA_HTTPD_KEEPALIVE_H
#define WA_HTTPD_KEEPALIVE_H

#include <httpd.h>

/* Hook log_transaction: after one of our answers to a GET was written, lets those run who wait for
 * a processor, so that a client on this machine (a proxy, a load tool) can ask again before httpd
 * looks for more on the connection. What has come by then is read by this very thread; otherwise
 * the connection goes through the listener, two more system calls and two more switches between
 * threads. Where nobody waits for a processor, and for clients across a network, it is one system
 * call that changes nothing. Not after a POST: who stores would only be held up (6 % fewer webhooks
 * a second).
 * @return DECLINED: other modules log too. Any worker thread. Source: sched_yield(2). */
int wa_keepalive_yield(request_rec *r);

#endif
