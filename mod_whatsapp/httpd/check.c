/* SPDX-License-Identifier: Apache-2.0 */
/* What can only be checked when the whole configuration is read. */
#include "httpd/check.h"

#include <signal.h>

#include <apr_hash.h>
#include <apr_strings.h>
#include <httpd.h>
#include <http_config.h>
#include <http_core.h>
#include <http_log.h>
#include <mpm_common.h>

#include "base/hash.h"
#include "httpd/check_access.h"
#include "httpd/check_paths.h"
#include "httpd/check_report.h"
#include "httpd/config.h"
#include "httpd/stores.h"
#include "httpd/terminal.h"

APLOG_USE_MODULE(whatsapp);

static const char *missing_directive(const wa_config_t *config)
{
    if (!config->account_sid) {
        return "WhatsAppAccountSID";
    }
    if (config->token_count == 0) {
        return "WhatsAppAuthToken";
    }
    return "WhatsAppNumber";
}

/* 1 when a virtual host takes account, token and number from the main server. */
static int is_inherited(const wa_config_t *config, const wa_config_t *inherited)
{
    return config->account_sid == inherited->account_sid
           && config->token_count == inherited->token_count
           && config->tokens[0].bytes == inherited->tokens[0].bytes
           && config->token_wrong == inherited->token_wrong && config->number == inherited->number;
}

/* 1 when a virtual host has what it did not set itself from the main server. */
static int is_taken(const wa_config_t *config, const wa_config_t *inherited)
{
    return (inherited->account_sid && config->account_sid == inherited->account_sid)
           || (inherited->token_count != 0 && config->tokens[0].bytes == inherited->tokens[0].bytes)
           || (inherited->number && config->number == inherited->number);
}

int wa_check_is_lent(const server_rec *main_server, const server_rec *s)
{
    const wa_config_t *lender = wa_config_get(main_server);
    const server_rec *taker;

    if (s != main_server && !is_inherited(wa_config_get(s), lender)) {
        return 0;
    }
    for (taker = main_server->next; taker; taker = taker->next) {
        const wa_config_t *config = wa_config_get(taker);

        if (wa_config_is_complete(config) && is_taken(config, lender)) {
            return 1;
        }
    }
    return 0;
}

static int check_complete(server_rec *main_server, server_rec *s, apr_pool_t *tmp)
{
    const wa_config_t *config = wa_config_get(s);

    if (!wa_config_is_begun(config) || wa_config_is_complete(config)
        || wa_check_is_lent(main_server, s)) {
        return 1;
    }
    if (s != main_server && is_inherited(config, wa_config_get(main_server))) {
        return 1; /* said of the main server already */
    }
    wa_check_complain(
        s, "WA0110",
        apr_psprintf(tmp,
                     "%s is missing for %s: WhatsAppAccountSID, WhatsAppAuthToken and "
                     "WhatsAppNumber belong together",
                     missing_directive(config), wa_check_server_name(s, tmp)));
    return 0;
}

/* A store's uri, and who uses it. Only configtest looks at the directory: what a start finds there
 * it says when it opens the stores, and a command that stops or reloads a server must not be held
 * up by it. */
static int check_store(server_rec *s, apr_hash_t *owners, apr_pool_t *tmp)
{
    const wa_config_t *config = wa_config_get(s);
    wa_store_options_t options;
    const char *reason = NULL;
    const char *tag = "WA0111";
    const char *key = NULL;
    server_rec *owner;
    apr_status_t rv;

    if (!wa_config_is_complete(config)) {
        return 1;
    }
    wa_stores_options(&options, s, tmp);
    rv = wa_store_check(options.uri, &reason, &key, tmp);
    if (rv == APR_SUCCESS && ap_state_query(AP_SQ_RUN_MODE) == AP_SQ_RM_CONFIG_TEST) {
        tag = WA_TAG_STORE;
        rv = wa_store_inspect(&options, &key, &reason, tmp);
    }
    owner = key ? apr_hash_get(owners, key, APR_HASH_KEY_STRING) : NULL;
    if (owner) {
        reason = wa_stores_sharing(owner, s, &tag, tmp);
        if (reason) {
            wa_check_complain(s, tag, reason);
        }
        return !reason; /* what is wrong with the directory was said before */
    }
    if (key) {
        apr_hash_set(owners, key, APR_HASH_KEY_STRING, s);
    }
    if (rv == APR_SUCCESS) {
        return 1;
    }
    wa_check_complain(s, tag, wa_stores_trouble(options.uri, reason ? reason : "not valid", tmp));
    return 0;
}

void wa_check_warn(server_rec *main_server, apr_pool_t *tmp)
{
    server_rec *s;

    wa_check_paths_warn(main_server, tmp);
    wa_check_access_warn(main_server, tmp);
    for (s = main_server; s; s = s->next) {
        const wa_config_t *config = wa_config_get(s);

        if (config->open_file
            && (s == main_server || config->open_file != wa_config_get(main_server)->open_file)) {
            ap_log_error(
                APLOG_MARK, APLOG_WARNING, 0, s,
                "WA0115: everybody on this machine can read the auth token in %s: chmod 600 it",
                config->open_file);
        }
    }
}

int wa_check_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *main_server)
{
    apr_hash_t *owners = wa_table_make(ptemp);
    int is_fine = 1;
    server_rec *s;

    (void)pconf;
    (void)plog;
    /* httpd ignores it too, but only when it serves: a file that may not grow (ulimit -f) is to be
     * an error that is said, not the end without a word. */
    (void)signal(SIGXFSZ, SIG_IGN);
    if (ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG) {
        wa_terminal_keep();
    }
    for (s = main_server; s; s = s->next) {
        if (!check_complete(main_server, s, ptemp) || !check_store(s, owners, ptemp)) {
            is_fine = 0;
        }
    }
    /* Without the accounts nothing can be said of the paths. */
    if (is_fine || ap_state_query(AP_SQ_RUN_MODE) == AP_SQ_RM_CONFIG_TEST) {
        is_fine = (wa_check_paths(main_server, ptemp) && is_fine);
    }
    if (is_fine && ap_state_query(AP_SQ_RUN_MODE) == AP_SQ_RM_CONFIG_TEST) {
        wa_check_warn(main_server, ptemp);
    }
    return is_fine || wa_check_is_reload() ? OK : HTTP_INTERNAL_SERVER_ERROR;
}
