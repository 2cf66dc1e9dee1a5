/* SPDX-License-Identifier: Apache-2.0 */
/* The module's life in a server: what is made at start, in each child, and at work once a
 * second. */
#ifndef WA_HTTPD_LIFECYCLE_H
#define WA_HTTPD_LIFECYCLE_H

#include <apr_pools.h>
#include <httpd.h>

/* What SetHandler names. */
#define WA_HANDLER_NAME "whatsapp-messenger"

/* The post_config hook: opens each distinct store once, makes the messenger of each virtual host
 * with an account, starts the housekeeping. Does nothing in httpd's dry run.
 * @return OK | HTTP_INTERNAL_SERVER_ERROR, logged */
int wa_lifecycle_start(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s);

/* The child_init hook: prepares the stores, Twilio clients and caches of this process. What fails
 * is logged, and its virtual hosts then answer 500. */
void wa_lifecycle_child(apr_pool_t *pchild, server_rec *s);

/* The child_stopping hook. Where the process is to end at once, nobody waits for news of the stores
 * any more; before a graceful end requests are answered as ever. May run in a signal handler. */
void wa_lifecycle_child_stop(apr_pool_t *pchild, int is_graceful);

#endif
