/* SPDX-License-Identifier: Apache-2.0 */
/* The log of the layers below, written to a virtual host's error log. */
#include "httpd/log.h"

#include <httpd.h>
#include <http_config.h>
#include <http_core.h>
#include <http_log.h>

#include <apr_strings.h>

#include "httpd/config.h"
#include "httpd/log_limit.h"
#include "httpd/terminal.h"

APLOG_USE_MODULE(whatsapp);

/* httpd writes this header behind the line, whole; ours need no more of it than tells where
 * from. */
#define REFERER_MAX 200

/* What this thread is answering. All that a request makes the layers below say is said in its
 * thread. */
static __thread request_rec *current;

request_rec *wa_log_bind(request_rec *r)
{
    request_rec *before = current;

    current = r;
    return before;
}

/* 1 for a line that whoever calls can have written as often as they like. A record of something
 * that was done is none: who can make those can fill more than the log. */
static int is_limited(wa_log_level_e level, const char *tag)
{
    static const char *const tags[] = {"0201", "0512", "0522"}; /* WAnnnn */
    apr_size_t i;

    for (i = 0; i < sizeof(tags) / sizeof(tags[0]); i++) {
        if (strcmp(tags[i], tag + 2) == 0) {
            return 1;
        }
    }
    return level <= WA_LOG_WARNING;
}

static void request_log(wa_log_level_e level, const char *tag, apr_status_t rv, const char *text)
{
    const char *referer = apr_table_get(current->headers_in, "Referer");
    request_rec shown;

    if (is_limited(level, tag) && !wa_log_limit_pass(current->server, (int)level, tag)) {
        return;
    }
    if (!referer || strlen(referer) <= REFERER_MAX) {
        ap_log_rerror(APLOG_MARK, (int)level, rv, current, "%s: %s", tag, text);
        return;
    }
    shown = *current;
    shown.headers_in = apr_table_copy(current->pool, current->headers_in);
    apr_table_setn(shown.headers_in, "Referer", apr_pstrndup(current->pool, referer, REFERER_MAX));
    ap_log_rerror(APLOG_MARK, (int)level, rv, &shown, "%s: %s", tag, text);
    current->log_id = shown.log_id; /* made with the first line that shows it */
}

static int log_is_on(void *baton, wa_log_level_e level)
{
    const server_rec *s = baton;

    if (current) {
        return APLOG_R_IS_LEVEL(current, (int)level);
    }
    return APLOG_IS_LEVEL(s, (int)level);
}

static void log_write(void *baton, wa_log_level_e level, const char *tag, apr_status_t rv,
                      const char *text)
{
    const server_rec *s = baton;

    if (current) {
        request_log(level, tag, rv, text);
    } else {
        ap_log_error(APLOG_MARK, (int)level, rv, s, "%s: %s", tag, text);
    }
    /* Data that is lost or damaged is no reason not to start, and who starts the server should not
     * have to look for it. */
    if (!current && level <= WA_LOG_ERR) {
        wa_terminal_say(apr_psprintf(s->process->pool, "%s: %s", tag, text));
    }
}

const wa_log_t *wa_log_create(server_rec *s, apr_pool_t *p)
{
    wa_log_t *log = apr_pcalloc(p, sizeof(*log));

    log->is_on = log_is_on;
    log->write = log_write;
    log->baton = s;
    return log;
}
