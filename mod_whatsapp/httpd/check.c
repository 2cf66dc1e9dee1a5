/* SPDX-License-Identifier: Apache-2.0 */
/* What can only be checked when the whole configuration is read. */
#include "httpd/check.h"

#include <apr_hash.h>
#include <apr_strings.h>
#include <httpd.h>
#include <http_config.h>
#include <http_core.h>
#include <http_log.h>
#include <mpm_common.h>

#include "base/hash.h"
#include "httpd/config.h"
#include "httpd/lifecycle.h"

APLOG_USE_MODULE(whatsapp);

/* "the main server" or "the virtual host chat.example.org (FILE:LINE)" */
static const char *server_name(const server_rec *s, apr_pool_t *p)
{
    if (!s->is_virtual)
        return "the main server";
    return apr_psprintf(p, "the virtual host %s (%s:%u)",
                        s->server_hostname ? s->server_hostname : "without ServerName",
                        s->defn_name ? s->defn_name : "?", s->defn_line_number);
}

static const char *missing_directive(const wa_config_t *config)
{
    if (!config->account_sid)
        return "WhatsAppAccountSID";
    if (config->token_count == 0)
        return "WhatsAppAuthToken";
    return "WhatsAppNumber";
}

static int check_complete(server_rec *s, apr_pool_t *tmp)
{
    const wa_config_t *config = wa_config_get(s);

    if (!wa_config_is_begun(config) || wa_config_is_complete(config))
        return 1;
    ap_log_error(APLOG_MARK, APLOG_EMERG | APLOG_STARTUP, 0, s,
                 "WA0110: %s is missing for %s: WhatsAppAccountSID, WhatsAppAuthToken and "
                 "WhatsAppNumber belong together",
                 missing_directive(config), server_name(s, tmp));
    return 0;
}

static int check_store(server_rec *s, apr_hash_t *owners, apr_pool_t *tmp)
{
    const wa_config_t *config = wa_config_get(s);
    const char *uri = wa_config_store_uri(config, tmp);
    const wa_config_t *other;
    server_rec *owner;
    const char *reason = NULL;
    const char *key = NULL;

    if (!wa_config_is_complete(config))
        return 1;
    if (wa_store_check(uri, &reason, &key, tmp) != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_EMERG | APLOG_STARTUP, 0, s,
                     "WA0111: the store '%s' of %s: %s", uri, server_name(s, tmp),
                     reason ? reason : "not valid");
        return 0;
    }
    owner = apr_hash_get(owners, key, APR_HASH_KEY_STRING);
    if (!owner) {
        apr_hash_set(owners, key, APR_HASH_KEY_STRING, s);
        return 1;
    }
    other = wa_config_get(owner);
    if (strcmp(other->account_sid, config->account_sid) != 0) {
        ap_log_error(APLOG_MARK, APLOG_EMERG | APLOG_STARTUP, 0, s,
                     "WA0112: %s and %s have different accounts but the same WhatsAppStore '%s': "
                     "give each account a store of its own",
                     server_name(owner, tmp), server_name(s, tmp), uri);
        return 0;
    }
    if (wa_config_sync(other) != wa_config_sync(config)
        || (wa_config_sync(config) == WA_SYNC_INTERVAL
            && other->sync_interval != config->sync_interval)) {
        ap_log_error(APLOG_MARK, APLOG_EMERG | APLOG_STARTUP, 0, s,
                     "WA0113: %s and %s share the WhatsAppStore '%s' but differ in WhatsAppSync: "
                     "set it once, in the main server",
                     server_name(owner, tmp), server_name(s, tmp), uri);
        return 0;
    }
    return 1;
}

/* The server that a <VirtualHost> section made, or NULL. */
static server_rec *server_of_section(server_rec *main_server, const ap_directive_t *section)
{
    server_rec *s;

    for (s = main_server->next; s; s = s->next) {
        if (s->defn_name && strcmp(s->defn_name, section->filename) == 0
            && (int)s->defn_line_number == section->line_num)
            return s;
    }
    return NULL;
}

static int is_handler_set(const ap_directive_t *node)
{
    return (ap_cstr_casecmp(node->directive, "SetHandler") == 0
            || ap_cstr_casecmp(node->directive, "AddHandler") == 0)
           && node->args && strstr(node->args, WA_HANDLER_NAME) != NULL;
}

/* 1 when an account is configured where the handler is set: in that virtual host, or, for the main server's, in any server. */
static int has_account(server_rec *main_server, const server_rec *vhost)
{
    const server_rec *s;

    if (vhost)
        return wa_config_is_complete(wa_config_get(vhost));
    for (s = main_server; s; s = s->next) {
        if (wa_config_is_complete(wa_config_get(s)))
            return 1;
    }
    return 0;
}

static int check_handlers(server_rec *main_server, const ap_directive_t *node, server_rec *vhost,
                          apr_pool_t *tmp)
{
    int is_fine = 1;

    for (; node; node = node->next) {
        server_rec *inside = vhost;

        if (ap_cstr_casecmp(node->directive, "<VirtualHost") == 0)
            inside = server_of_section(main_server, node);
        if (is_handler_set(node) && !has_account(main_server, vhost)) {
            ap_log_error(APLOG_MARK, APLOG_EMERG | APLOG_STARTUP, 0, main_server,
                         "WA0114: %s:%d sets the handler " WA_HANDLER_NAME
                         ", but %s has no account: set WhatsAppAccountSID, WhatsAppAuthToken and "
                         "WhatsAppNumber",
                         node->filename, node->line_num,
                         server_name(vhost ? vhost : main_server, tmp));
            is_fine = 0;
        }
        if (node->first_child && !check_handlers(main_server, node->first_child, inside, tmp))
            is_fine = 0;
    }
    return is_fine;
}

void wa_check_warn(server_rec *main_server)
{
    server_rec *s;

    for (s = main_server; s; s = s->next) {
        const wa_config_t *config = wa_config_get(s);

        if (config->open_file
            && (s == main_server || config->open_file != wa_config_get(main_server)->open_file))
            ap_log_error(
                APLOG_MARK, APLOG_WARNING, 0, s,
                "WA0115: everybody on this machine can read the auth token in %s: chmod 600 it",
                config->open_file);
    }
}

int wa_check_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *main_server)
{
    apr_hash_t *owners = wa_table_make(ptemp);
    int is_fine = 1;
    server_rec *s;

    (void)pconf;
    (void)plog;
    for (s = main_server; s; s = s->next) {
        if (!check_complete(s, ptemp) || !check_store(s, owners, ptemp))
            is_fine = 0;
    }
    if (is_fine)
        is_fine = check_handlers(main_server, ap_conftree, NULL, ptemp);
    if (is_fine && ap_state_query(AP_SQ_RUN_MODE) == AP_SQ_RM_CONFIG_TEST)
        wa_check_warn(main_server);
    return is_fine ? OK : HTTP_INTERNAL_SERVER_ERROR;
}
