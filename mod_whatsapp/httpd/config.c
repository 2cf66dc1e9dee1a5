/* SPDX-License-Identifier: Apache-2.0 */
/* The settings of a virtual host: made, merged, and their defaults. */
#include "httpd/config.h"

#include <apr_strings.h>
#include <httpd.h>
#include <http_core.h>
#include <http_main.h>

#define DEFAULT_TWILIO_URL "https://api.twilio.com"
#define DEFAULT_BASE_PATH "/api/whatsapp-messenger"
#define DEFAULT_CONNECT_TIMEOUT apr_time_from_sec(10)
#define DEFAULT_TOTAL_TIMEOUT apr_time_from_sec(30)
#define DEFAULT_RECONCILE_INTERVAL apr_time_from_sec(60)
#define DEFAULT_RECONCILE_LOOK_BACK apr_time_from_sec(24 * 3600)
#define DEFAULT_MAX_BODY ((apr_off_t)64 * 1024)

void *wa_config_create(apr_pool_t *p, server_rec *s)
{
    wa_config_t *config = apr_pcalloc(p, sizeof(*config));

    (void)s;
    config->connect_timeout = WA_CONFIG_UNSET;
    config->total_timeout = WA_CONFIG_UNSET;
    config->max_body = WA_CONFIG_UNSET;
    config->max_sends = WA_CONFIG_UNSET;
    config->enforce_window = WA_CONFIG_UNSET;
    config->sync = WA_CONFIG_UNSET;
    config->reconcile = WA_CONFIG_UNSET;
    config->reconcile_interval = WA_CONFIG_UNSET;
    config->reconcile_look_back = WA_CONFIG_UNSET;
    return config;
}

static int is_other_account(const wa_config_t *add, const wa_config_t *base)
{
    return add->account_sid && base->account_sid
           && strcmp(add->account_sid, base->account_sid) != 0;
}

void *wa_config_merge(apr_pool_t *p, void *base_config, void *add_config)
{
    const wa_config_t *base = base_config;
    const wa_config_t *add = add_config;
    wa_config_t *merged = apr_pmemdup(p, base, sizeof(*merged));

#define MERGE(member, unset)    \
    if (add->member != (unset)) \
    merged->member = add->member

    if (is_other_account(add, base)) {
        merged->token_count = 0;
        merged->token_wrong = NULL;
        merged->open_file = NULL;
        merged->number = NULL;
    }
    if (add->token_count != 0 || add->token_wrong) {
        memcpy(merged->tokens, add->tokens, sizeof(merged->tokens));
        merged->token_count = add->token_count;
        merged->token_wrong = add->token_wrong;
        merged->open_file = add->open_file;
    }
    if (add->sync != WA_CONFIG_UNSET) {
        merged->sync = add->sync;
        merged->sync_interval = add->sync_interval;
    }
    if (add->reconcile != WA_CONFIG_UNSET) {
        merged->reconcile = add->reconcile;
        merged->reconcile_interval = add->reconcile_interval;
        merged->reconcile_look_back = add->reconcile_look_back;
    }
    MERGE(account_sid, NULL);
    MERGE(number, NULL);
    MERGE(public_url, NULL);
    MERGE(store_uri, NULL);
    MERGE(twilio_url, NULL);
    MERGE(base_path, NULL);
    MERGE(connect_timeout, WA_CONFIG_UNSET);
    MERGE(total_timeout, WA_CONFIG_UNSET);
    MERGE(max_body, WA_CONFIG_UNSET);
    MERGE(max_sends, WA_CONFIG_UNSET);
    MERGE(enforce_window, WA_CONFIG_UNSET);
    if (add->send_rate_set) {
        merged->send_rate_set = 1;
        merged->send_rate = add->send_rate;
    }
    MERGE(stop_words, NULL);
    MERGE(start_words, NULL);
#undef MERGE
    merged->api = NULL;
    return merged;
}

wa_config_t *wa_config_get(const server_rec *s)
{
    return ap_get_module_config(s->module_config, &whatsapp_module);
}

int wa_config_is_complete(const wa_config_t *config)
{
    return config->account_sid && (config->token_count != 0 || config->token_wrong)
           && config->number;
}

int wa_config_is_begun(const wa_config_t *config)
{
    return config->account_sid || config->token_count != 0 || config->token_wrong || config->number;
}

const char *wa_config_state_dir(apr_pool_t *p)
{
    const char *name = ap_server_root;

    if (strncmp(name, "/etc/", 5) == 0 && name[5] != '\0') {
        char *below = apr_pstrdup(p, name + 5);
        apr_size_t len = strlen(below);

        while (len > 0 && below[len - 1] == '/') {
            below[--len] = '\0';
        }
        if (len > 0 && !strchr(below, '/')) {
            return apr_pstrcat(p, "/var/lib/", below, "/whatsapp", NULL);
        }
    }
    return ap_server_root_relative(p, "state/whatsapp");
}

const char *wa_config_store_uri(const wa_config_t *config, apr_pool_t *p)
{
    return config->store_uri ? config->store_uri
                             : apr_pstrcat(p, "dbm:", wa_config_state_dir(p), NULL);
}

const char *wa_config_twilio_url(const wa_config_t *config)
{
    return config->twilio_url ? config->twilio_url : DEFAULT_TWILIO_URL;
}

const char *wa_config_base_path(const wa_config_t *config)
{
    return config->base_path ? config->base_path : DEFAULT_BASE_PATH;
}

apr_interval_time_t wa_config_connect_timeout(const wa_config_t *config)
{
    return config->connect_timeout != WA_CONFIG_UNSET ? config->connect_timeout
                                                      : DEFAULT_CONNECT_TIMEOUT;
}

apr_interval_time_t wa_config_total_timeout(const wa_config_t *config)
{
    return config->total_timeout != WA_CONFIG_UNSET ? config->total_timeout : DEFAULT_TOTAL_TIMEOUT;
}

int wa_config_enforce_window(const wa_config_t *config)
{
    return config->enforce_window == 1;
}

/* The words that Twilio itself takes by default, in its Messaging Services. */
const char *const *wa_config_stop_words(const wa_config_t *config)
{
    static const char *const words[] = {"STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END",
                                        "QUIT", "OPTOUT",  "REVOKE",      NULL};

    return config->stop_words ? config->stop_words : words;
}

const char *const *wa_config_start_words(const wa_config_t *config)
{
    static const char *const words[] = {"START", "YES", "UNSTOP", NULL};

    return config->start_words ? config->start_words : words;
}

apr_off_t wa_config_max_body(const wa_config_t *config)
{
    return config->max_body != WA_CONFIG_UNSET ? config->max_body : DEFAULT_MAX_BODY;
}

int wa_config_reconcile(const wa_config_t *config)
{
    return config->reconcile != 0;
}

apr_interval_time_t wa_config_reconcile_interval(const wa_config_t *config)
{
    return config->reconcile_interval != WA_CONFIG_UNSET ? config->reconcile_interval
                                                         : DEFAULT_RECONCILE_INTERVAL;
}

apr_interval_time_t wa_config_reconcile_look_back(const wa_config_t *config)
{
    return config->reconcile_look_back != WA_CONFIG_UNSET ? config->reconcile_look_back
                                                          : DEFAULT_RECONCILE_LOOK_BACK;
}

wa_sync_e wa_config_sync(const wa_config_t *config)
{
    return config->sync != WA_CONFIG_UNSET ? (wa_sync_e)config->sync : WA_SYNC_ALWAYS;
}

apr_uint32_t wa_config_max_sends(const wa_config_t *config, int threads)
{
    if (config->max_sends != WA_CONFIG_UNSET) {
        return (apr_uint32_t)config->max_sends;
    }
    return ((apr_uint32_t)threads * 3 + 3) / 4;
}

apr_uint32_t wa_config_process_sends(const wa_config_t *config, int threads)
{
    if (config->max_sends != WA_CONFIG_UNSET || threads <= 1) {
        return 0;
    }
    return ((apr_uint32_t)threads * 3 + 3) / 4;
}
