/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps what a site does with its URLs (front controllers, rewriting, proxies, redirects) away from the API. */
#include "httpd/mapping.h"

#include <ap_expr.h>
#include <apr_strings.h>
#include <http_config.h>
#include <http_core.h>

#include "api/api.h"
#include "httpd/config.h"
#include "httpd/lifecycle.h"

#define WEBHOOK "/webhook"

/* What is kept of a request from its translation to its handler, in its request_config. */
typedef struct mapping_t {
    ap_conf_vector_t *locations; /* the settings of its <Location>s without any directory's */
    const char *uri;
    char *args;
} mapping_t;

/* The path below the base path, NULL when it is elsewhere or the server has no account. */
static const char *path_below(const request_rec *r)
{
    const wa_api_server_t *api = wa_config_get(r->server)->api;
    apr_size_t len;

    if (!api || !r->uri)
        return NULL;
    len = strlen(api->base_path);
    if (strncmp(r->uri, api->base_path, len) != 0 || (r->uri[len] != '/' && r->uri[len] != '\0'))
        return NULL;
    return r->uri + len;
}

/* 1 when the settings that are in force now would give the request to our handler: what httpd's core does with them in fixups. */
static int is_handler_set(request_rec *r)
{
    const core_dir_config *core = ap_get_core_module_config(r->per_dir_config);
    const char *failure = NULL;
    const char *handler = core->handler;

    if (core->expr_handler)
        handler = ap_expr_str_exec(r, core->expr_handler, &failure);
    return handler && !failure && ap_cstr_casecmp(handler, WA_HANDLER_NAME) == 0;
}

int wa_mapping_unproxy(request_rec *r)
{
    if (path_below(r) && is_handler_set(r))
        apr_table_setn(r->subprocess_env, "no-proxy", "1");
    return DECLINED;
}

int wa_mapping_translate(request_rec *r)
{
    const apr_size_t len = sizeof(WEBHOOK) - 1;
    const char *path = path_below(r);
    mapping_t *mapping;

    if (!path || !is_handler_set(r))
        return DECLINED;
    mapping = apr_palloc(r->pool, sizeof(*mapping));
    mapping->locations = r->per_dir_config;
    mapping->uri = apr_pstrdup(r->pool, r->uri);
    mapping->args = r->args;
    ap_set_module_config(r->request_config, &whatsapp_module, mapping);
    apr_table_setn(r->subprocess_env, "no-proxy", "1");
    if (strncmp(path, WEBHOOK, len) != 0 || (path[len] != '/' && path[len] != '\0'))
        return DECLINED;
    return ap_core_translate(r);
}

int wa_mapping_settle(request_rec *r)
{
    const mapping_t *mapping = ap_get_module_config(r->request_config, &whatsapp_module);

    if (!mapping || strcmp(mapping->uri, r->uri) != 0 || !is_handler_set(r))
        return DECLINED;
    r->per_dir_config = mapping->locations;
    /* mod_dir and mod_speling look no further where there is a file. */
    r->finfo.filetype = APR_REG;
    r->args = mapping->args;
    return OK;
}

int wa_mapping_restore(request_rec *r)
{
    const mapping_t *mapping = ap_get_module_config(r->request_config, &whatsapp_module);

    if (!mapping || r->per_dir_config != mapping->locations)
        return DECLINED;
    r->handler = WA_HANDLER_NAME;
    r->args = mapping->args;
    r->proxyreq = PROXYREQ_NONE;
    return OK;
}
