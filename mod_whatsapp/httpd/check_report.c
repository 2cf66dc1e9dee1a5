/* SPDX-License-Identifier: Apache-2.0 */
/* Tells what is wrong with the configuration: it ends a start, but no server that runs. */
#include "httpd/check_report.h"

#include <apr_strings.h>
#include <http_config.h>
#include <http_core.h>
#include <http_log.h>

APLOG_USE_MODULE(whatsapp);

const char *wa_check_server_name(const server_rec *s, apr_pool_t *p)
{
    if (!s->is_virtual) {
        return "the main server";
    }
    return apr_psprintf(p, "the virtual host %s (%s:%u)",
                        s->server_hostname ? s->server_hostname : "without ServerName",
                        s->defn_name ? s->defn_name : "?", s->defn_line_number);
}

int wa_check_is_reload(void)
{
    return ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_CONFIG
           && ap_state_query(AP_SQ_CONFIG_GEN) > 1;
}

void wa_check_complain(server_rec *s, const char *tag, const char *text)
{
    if (wa_check_is_reload()) {
        ap_log_error(
            APLOG_MARK, APLOG_CRIT, 0, s,
            "%s: %s. A start would be refused for this; what it is about does not work, all "
            "else is served",
            tag, text);
    } else {
        ap_log_error(APLOG_MARK, APLOG_EMERG | APLOG_STARTUP, 0, s, "%s: %s", tag, text);
    }
}
