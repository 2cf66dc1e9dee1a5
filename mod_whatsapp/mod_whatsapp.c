/* SPDX-License-Identifier: Apache-2.0 */
/* The module record and the hooks. */
#include <httpd.h>
#include <ap_mpm.h>
#include <http_config.h>
#include <http_protocol.h>
#include <http_request.h>
#include <mpm_common.h>
#include <mod_status.h>

#include "api/api.h"
#include "httpd/check.h"
#include "httpd/config.h"
#include "httpd/access.h"
#include "httpd/keepalive.h"
#include "httpd/lifecycle.h"
#include "httpd/limits.h"
#include "httpd/log.h"
#include "httpd/mapping.h"
#include "httpd/status.h"

static int handle(request_rec *r)
{
    request_rec *outer;
    int rc;

    if (!r->handler || ap_cstr_casecmp(r->handler, WA_HANDLER_NAME) != 0) {
        return DECLINED;
    }
    outer = wa_log_bind(r);
    rc = wa_api_handler(r, wa_config_get(r->server)->api, wa_access_user_flaw);
    (void)wa_log_bind(outer);
    wa_status_count(r);
    return rc;
}

static void register_hooks(apr_pool_t *p)
{
    /* The watchdog's thread may run as soon as its own child_init did: the stores must be ready
     * before. */
    static const char *const watchdog[] = {"mod_watchdog.c", NULL};

    (void)p;
    ap_hook_check_config(wa_check_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_post_config(wa_lifecycle_start, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_child_init(wa_lifecycle_child, NULL, watchdog, APR_HOOK_MIDDLE);
    ap_hook_child_stopping(wa_lifecycle_child_stop, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_child_status(wa_limits_child_status, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_pre_translate_name(wa_mapping_unproxy, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_translate_name(wa_mapping_translate, NULL, NULL, APR_HOOK_REALLY_FIRST);
    /* Of the kind of httpd's own: it may then still check an internal request of one configuration
     * only once. */
    ap_hook_check_authz(wa_access_user_keep, NULL, NULL, APR_HOOK_REALLY_FIRST,
                        AP_AUTH_INTERNAL_PER_CONF);
    ap_hook_type_checker(wa_mapping_settle, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_fixups(wa_mapping_restore, NULL, NULL, APR_HOOK_REALLY_LAST);
    ap_hook_handler(handle, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_log_transaction(wa_keepalive_yield, NULL, NULL, APR_HOOK_REALLY_LAST);
    APR_OPTIONAL_HOOK(ap, status_hook, wa_status_show, NULL, NULL, APR_HOOK_MIDDLE);
}

AP_DECLARE_MODULE(whatsapp) = {
    STANDARD20_MODULE_STUFF, wa_access_create,   wa_access_merge, wa_config_create,
    wa_config_merge,         wa_config_commands, register_hooks,  0,
};
