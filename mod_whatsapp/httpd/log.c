/* SPDX-License-Identifier: Apache-2.0 */
/* The log of the layers below, written to a virtual host's error log. */
#include "httpd/log.h"

#include <httpd.h>
#include <http_config.h>
#include <http_core.h>
#include <http_log.h>

#include "httpd/config.h"

APLOG_USE_MODULE(whatsapp);

static int log_is_on(void *baton, wa_log_level_e level)
{
    const server_rec *s = baton;

    return APLOG_IS_LEVEL(s, (int)level);
}

static void log_write(void *baton, wa_log_level_e level, const char *tag, apr_status_t rv,
                      const char *text)
{
    const server_rec *s = baton;

    ap_log_error(APLOG_MARK, (int)level, rv, s, "%s: %s", tag, text);
}

const wa_log_t *wa_log_create(server_rec *s, apr_pool_t *p)
{
    wa_log_t *log = apr_pcalloc(p, sizeof(*log));

    log->is_on = log_is_on;
    log->write = log_write;
    log->baton = s;
    return log;
}
