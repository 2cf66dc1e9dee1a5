/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps what a site does with its URLs (front controllers, rewriting, proxies, redirects) away from
 * the API. */
#include "httpd/mapping.h"

#include <ap_expr.h>
#include <apr_strings.h>
#include <http_config.h>
#include <http_core.h>

#include "api/api.h"
#include "httpd/config.h"
#include "httpd/request_state.h"
#include "httpd/lifecycle.h"

#define WEBHOOK "/webhook"

/* The path below the base path, NULL when it is elsewhere or the server has no account. */
static const char *path_below(const request_rec *r)
{
    const wa_api_server_t *api = wa_config_get(r->server)->api;
    apr_size_t len;

    if (!api || !r->uri) {
        return NULL;
    }
    len = strlen(api->base_path);
    if (strncmp(r->uri, api->base_path, len) != 0 || (r->uri[len] != '/' && r->uri[len] != '\0')) {
        return NULL;
    }
    return r->uri + len;
}

/* 1 when the settings that are in force now would give the request to our handler: what httpd's
 * core does with them in fixups. */
static int is_handler_set(request_rec *r)
{
    const core_dir_config *core = ap_get_core_module_config(r->per_dir_config);
    const char *failure = NULL;
    const char *handler = core->handler;

    if (core->expr_handler) {
        handler = ap_expr_str_exec(r, core->expr_handler, &failure);
    }
    return handler && !failure && ap_cstr_casecmp(handler, WA_HANDLER_NAME) == 0;
}

int wa_mapping_unproxy(request_rec *r)
{
    if (path_below(r) && is_handler_set(r)) {
        apr_table_setn(r->subprocess_env, "no-proxy", "1");
    }
    return DECLINED;
}

int wa_mapping_translate(request_rec *r)
{
    const apr_size_t len = sizeof(WEBHOOK) - 1;
    const char *path = path_below(r);
    wa_request_state_t *state;

    if (!path || !is_handler_set(r)) {
        return DECLINED;
    }
    state = wa_request_state_make(r);
    state->locations = r->per_dir_config;
    state->uri = apr_pstrdup(r->pool, r->uri);
    state->args = r->args;
    apr_table_setn(r->subprocess_env, "no-proxy", "1");
    if (strncmp(path, WEBHOOK, len) != 0 || (path[len] != '/' && path[len] != '\0')) {
        return DECLINED;
    }
    return ap_core_translate(r);
}

int wa_mapping_settle(request_rec *r)
{
    wa_request_state_t *state = wa_request_state_get(r);

    if (!state || !state->uri || strcmp(state->uri, r->uri) != 0 || !is_handler_set(r)) {
        return DECLINED;
    }
    state->whole = r->per_dir_config;
    r->per_dir_config = state->locations;
    /* mod_dir and mod_speling look no further where there is a file. */
    r->finfo.filetype = APR_REG;
    r->args = state->args;
    return OK;
}

int wa_mapping_restore(request_rec *r)
{
    const wa_request_state_t *state = wa_request_state_get(r);

    if (!state || !state->locations || r->per_dir_config != state->locations) {
        return DECLINED;
    }
    r->handler = WA_HANDLER_NAME;
    r->args = state->args;
    r->proxyreq = PROXYREQ_NONE;
    return OK;
}
