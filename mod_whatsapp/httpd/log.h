/* SPDX-License-Identifier: Apache-2.0 */
/* The log of the layers below, written to a virtual host's error log. */
#ifndef WA_HTTPD_LOG_H
#define WA_HTTPD_LOG_H

#include <httpd.h>

#include "base/log.h"

/* Binds the lines that this thread writes from now on, through any wa_log_t, to the request that it
 * answers: they go to the request's log, at its LogLevel, and say who called ("[client
 * address:port]"). Of those that callers can provoke only WA_FLOOD_LINES a second are written; see
 * log_limit.h. NULL: to none.
 * @return what was bound before, to be bound again afterwards. The request's own thread. */
request_rec *wa_log_bind(request_rec *r);

/* Makes a wa_log_t that writes to the error log of `s`, at its LogLevel for this module, with the
 * tag before the text. Lives in p, which must not outlive s. Parent process; the log may then be
 * used by any thread of any child. */
const wa_log_t *wa_log_create(server_rec *s, apr_pool_t *p);

#endif
