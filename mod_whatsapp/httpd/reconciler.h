/* SPDX-License-Identifier: Apache-2.0 */
/* Runs reconciliation with Twilio in one process of the server, beside everything else. */
#ifndef WA_HTTPD_RECONCILER_H
#define WA_HTTPD_RECONCILER_H

#include <httpd.h>

/* Sets up a thread that reconciles every virtual host where WhatsAppReconcile is on: at once, then
 * every interval. mod_watchdog starts it in each child and lets one of them at a time run it,
 * another when that one ends; it is not the thread of the store's housekeeping, so a slow Twilio
 * holds up nothing. Call it in post_config, when the messengers are made. Logs WA0127 when
 * mod_watchdog is not there. */
void wa_reconciler_start(server_rec *main_server, apr_pool_t *pconf);

#endif
