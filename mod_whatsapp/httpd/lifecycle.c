/* SPDX-License-Identifier: Apache-2.0 */
/* The module's life in a server: what is made at start, in each child, and at work once a
 * second. */
#include "httpd/lifecycle.h"

#include <apr_optional.h>
#include <apr_strings.h>
#include <httpd.h>
#include <ap_mpm.h>
#include <http_config.h>
#include <http_core.h>
#include <http_log.h>
#include <http_main.h>
#include <mod_watchdog.h>
#include <unixd.h>

#include "api/api.h"
#include "httpd/check.h"
#include "httpd/check_report.h"
#include "httpd/config.h"
#include "httpd/log_limit.h"
#include "httpd/limits.h"
#include "httpd/log.h"
#include "httpd/reconciler.h"
#include "httpd/status.h"
#include "httpd/stores.h"
#include "httpd/terminal.h"
#include "store/store.h"
#include "twilio/client.h"

APLOG_USE_MODULE(whatsapp);

#define WATCHDOG_NAME "_whatsapp_"
#define MAINTAIN_INTERVAL apr_time_from_sec(1)

#define UNAVAILABLE                                                                           \
    "The messenger of this host cannot work at the moment: the server's error log says why. " \
    "Nothing "                                                                                \
    "was stored or sent."

/* What one start or restart made; lives in pconf. */
typedef struct runtime_t {
    apr_array_header_t *stores; /* of wa_stores_entry_t */
    server_rec *main_server;
    int threads;              /* of one child */
    apr_status_t maintain_rv; /* of the last housekeeping, so that one trouble is one line */
} runtime_t;

static runtime_t *runtime;

/* ---- start ---- */

/* Says why a virtual host cannot be served: at a start, which ends with it, also on the
 * terminal. */
static void trouble_tell(server_rec *s, const char *tag, apr_status_t rv, const char *text)
{
    char why[120];

    if (wa_check_is_reload()) {
        ap_log_error(APLOG_MARK, APLOG_CRIT, rv, s,
                     "%s: %s. Its virtual hosts answer 503, all else is served: mend it and reload",
                     tag, text);
        return;
    }
    ap_log_error(APLOG_MARK, APLOG_EMERG | APLOG_STARTUP, rv, s, "%s: %s", tag, text);
    apr_strerror(rv, why, sizeof(why));
    if (rv == APR_SUCCESS || strstr(text, why)) {
        wa_terminal_say(apr_pstrcat(s->process->pool, tag, ": ", text, NULL));
    } else {
        wa_terminal_say(apr_pstrcat(s->process->pool, tag, ": ", text, " (", why, ")", NULL));
    }
}

/* The token's file or command gave nothing good; known since the configuration was read.
 * @return APR_SUCCESS when there is a token to go on with */
static apr_status_t token_check(server_rec *s, apr_pool_t *tmp)
{
    const wa_config_t *config = wa_config_get(s);
    const server_rec *main_server = ap_server_conf;

    if (!config->token_wrong) {
        return APR_SUCCESS;
    }
    if (s == main_server || config->token_wrong != wa_config_get(main_server)->token_wrong) {
        if (config->token_count > 0 && wa_check_is_reload()) {
            ap_log_error(APLOG_MARK, APLOG_ERR, 0, s,
                         "WA0142: %s. The first token is used alone: mend it and reload",
                         config->token_wrong);
        } else {
            trouble_tell(s, "WA0141", APR_SUCCESS, apr_pstrdup(tmp, config->token_wrong));
        }
    }
    return config->token_count > 0 && wa_check_is_reload() ? APR_SUCCESS : APR_EINVAL;
}

/* Finds out what a virtual host needs from outside of the configuration: its token and its store.
 * Tells the trouble, once for all that share it. */
static apr_status_t server_open(server_rec *s, apr_array_header_t *stores, wa_store_t **pstore,
                                apr_pool_t *pconf, apr_pool_t *tmp)
{
    wa_stores_entry_t entry;
    apr_status_t rv = token_check(s, tmp);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = wa_stores_open(s, stores, &entry, pconf, tmp);
    if (rv != APR_SUCCESS && entry.is_new) {
        trouble_tell(s, wa_check_is_reload() ? "WA0140" : WA_TAG_STORE, rv,
                     wa_stores_trouble(entry.uri, entry.reason, tmp));
    }
    *pstore = entry.store;
    return rv;
}

/* The most children that there may be. */
static int daemons_max(void)
{
    int daemons = 1;

    return ap_mpm_query(AP_MPMQ_MAX_DAEMONS, &daemons) == APR_SUCCESS && daemons > 0 ? daemons : 1;
}

/* Nothing of the messenger is there: each request is told so. */
static void server_refuse(server_rec *s, apr_pool_t *pconf)
{
    wa_config_t *config = wa_config_get(s);

    config->api = apr_pcalloc(pconf, sizeof(*config->api));
    config->api->base_path = wa_config_base_path(config);
    config->api->unavailable = UNAVAILABLE;
}

static void server_start(server_rec *s, wa_store_t *store, int threads, apr_pool_t *pconf)
{
    wa_config_t *config = wa_config_get(s);
    wa_messenger_t *messenger = apr_pcalloc(pconf, sizeof(*messenger));

    messenger->store = store;
    messenger->account_sid = config->account_sid;
    memcpy(messenger->tokens, config->tokens, sizeof(messenger->tokens));
    messenger->token_count = config->token_count;
    messenger->number = config->number;
    messenger->public_url = config->public_url;
    messenger->base_path = wa_config_base_path(config);
    messenger->max_sends = wa_config_max_sends(config, threads * daemons_max());
    messenger->enforce_window = wa_config_enforce_window(config);
    messenger->stop_words = wa_config_stop_words(config);
    messenger->start_words = wa_config_start_words(config);
    messenger->send_timeout = wa_config_total_timeout(config);
    messenger->log = wa_log_create(s, pconf);

    config->api = apr_pcalloc(pconf, sizeof(*config->api));
    config->api->messenger = messenger;
    config->api->base_path = wa_config_base_path(config);
    config->api->max_body = wa_config_max_body(config);
    config->api->send_rate = config->send_rate;
    config->api->rates = wa_limits_rates();
}

/* ---- housekeeping ---- */

/* In a thread of each child, about once a second; the driver sees to it that only one process is at
 * it. */
static apr_status_t maintain(int state, void *data, apr_pool_t *tmp)
{
    runtime_t *rt = data;
    apr_status_t failure = APR_SUCCESS;
    int i;

    if (state != AP_WATCHDOG_STATE_RUNNING) {
        return APR_SUCCESS;
    }
    wa_log_limit_report();
    for (i = 0; i < rt->stores->nelts; i++) {
        wa_store_t *store = APR_ARRAY_IDX(rt->stores, i, wa_stores_entry_t).store;
        apr_status_t rv = store ? wa_store_maintain(store, tmp) : APR_SUCCESS;

        if (rv != APR_SUCCESS) {
            failure = rv;
        }
    }
    if (failure != rt->maintain_rv && failure != APR_SUCCESS && !APR_STATUS_IS_TIMEUP(failure)) {
        ap_log_error(APLOG_MARK, APLOG_ERR, failure, rt->main_server,
                     "WA0122: the store's housekeeping failed; it is tried again every second");
    }
    rt->maintain_rv = failure;
    return APR_SUCCESS;
}

static void maintain_start(server_rec *s, apr_pool_t *pconf)
{
    APR_OPTIONAL_FN_TYPE(ap_watchdog_get_instance) *get_instance =
        APR_RETRIEVE_OPTIONAL_FN(ap_watchdog_get_instance);
    APR_OPTIONAL_FN_TYPE(ap_watchdog_register_callback) *add =
        APR_RETRIEVE_OPTIONAL_FN(ap_watchdog_register_callback);
    ap_watchdog_t *watchdog = NULL;
    apr_status_t rv = APR_ENOTIMPL;

    if (get_instance && add) {
        rv = get_instance(&watchdog, WATCHDOG_NAME, 0, 0, pconf);
        if (rv == APR_SUCCESS) {
            rv = add(watchdog, MAINTAIN_INTERVAL, runtime, maintain);
        }
    }
    if (rv != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_NOTICE, rv == APR_ENOTIMPL ? APR_SUCCESS : rv, s,
                     "WA0123: mod_watchdog is not there: the store is only tidied up at restarts");
    }
}

static apr_status_t runtime_forget(void *data)
{
    if (runtime == data) {
        runtime = NULL;
    }
    return APR_SUCCESS;
}

/* The memory that all processes share. Where it was there before, it still is. */
static apr_status_t shared_make(server_rec *main_server)
{
    apr_status_t rv = wa_status_create(main_server);

    if (rv == APR_SUCCESS) {
        rv = wa_limits_create(main_server);
    }
    if (rv != APR_SUCCESS && !wa_check_is_reload()) {
        wa_terminal_say("mod_whatsapp: no shared memory for counters and limits");
    }
    return rv;
}

/* The pass before httpd detaches from the terminal: opens the stores, so that a start that cannot
 * work ends here, with a status and a reason. They are closed with pconf; what is kept over
 * restarts has their locks for the next pass. */
static int start_try(apr_pool_t *pconf, apr_pool_t *ptemp, server_rec *main_server)
{
    apr_array_header_t *stores = apr_array_make(ptemp, 2, sizeof(wa_stores_entry_t));
    apr_status_t rv = shared_make(main_server);
    wa_store_t *store;
    server_rec *s;

    for (s = main_server; s && rv == APR_SUCCESS; s = s->next) {
        if (wa_config_is_complete(wa_config_get(s))) {
            rv = server_open(s, stores, &store, pconf, ptemp);
        }
    }
    wa_terminal_release();
    return rv == APR_SUCCESS ? OK : HTTP_INTERNAL_SERVER_ERROR;
}

/* Makes the messenger of each server. @return APR_SUCCESS, in a reload always */
static apr_status_t servers_start(server_rec *main_server, apr_pool_t *pconf, apr_pool_t *ptemp)
{
    server_rec *s;

    for (s = main_server; s; s = s->next) {
        wa_store_t *store = NULL;
        apr_status_t rv;

        if (!wa_config_is_begun(wa_config_get(s))
            || (!wa_config_is_complete(wa_config_get(s)) && wa_check_is_lent(main_server, s))) {
            continue;
        }
        rv = wa_config_is_complete(wa_config_get(s))
                 ? server_open(s, runtime->stores, &store, pconf, ptemp)
                 : APR_EINVAL;
        if (rv != APR_SUCCESS && !wa_check_is_reload()) {
            return rv;
        }
        if (rv == APR_SUCCESS) {
            server_start(s, store, runtime->threads, pconf);
        } else {
            server_refuse(s, pconf);
        }
    }
    return APR_SUCCESS;
}

int wa_lifecycle_start(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp,
                       server_rec *main_server)
{
    int threads = 1;

    (void)plog;
    if (ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG) {
        return start_try(pconf, ptemp, main_server);
    }
    if (ap_mpm_query(AP_MPMQ_MAX_THREADS, &threads) != APR_SUCCESS) {
        threads = 1;
    }
    runtime = apr_pcalloc(pconf, sizeof(*runtime));
    runtime->stores = apr_array_make(pconf, 2, sizeof(wa_stores_entry_t));
    runtime->main_server = main_server;
    runtime->threads = threads;
    apr_pool_cleanup_register(pconf, runtime, runtime_forget, apr_pool_cleanup_null);
    if (((shared_make(main_server) != APR_SUCCESS
          || wa_log_limit_create(main_server, pconf) != APR_SUCCESS)
         && !wa_check_is_reload())
        || servers_start(main_server, pconf, ptemp) != APR_SUCCESS) {
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    wa_check_warn(main_server, ptemp);
    if (runtime->stores->nelts > 0) {
        maintain_start(main_server, pconf);
    }
    wa_reconciler_start(main_server, pconf);
    return OK;
}

/* ---- each child ---- */

/* One client for each Twilio address and pair of time limits. */
typedef struct made_client_t {
    const char *url;
    apr_interval_time_t connect_timeout;
    apr_interval_time_t total_timeout;
    wa_twilio_client_t *client;
} made_client_t;

static apr_status_t client_get(const wa_config_t *config, server_rec *s,
                               apr_array_header_t *clients, wa_twilio_client_t **pclient,
                               apr_pool_t *pchild)
{
    made_client_t wanted = {wa_config_twilio_url(config), wa_config_connect_timeout(config),
                            wa_config_total_timeout(config), NULL};
    wa_twilio_options_t options;
    apr_status_t rv;
    int i;

    for (i = 0; i < clients->nelts; i++) {
        const made_client_t *made = &APR_ARRAY_IDX(clients, i, made_client_t);

        if (strcmp(made->url, wanted.url) == 0 && made->connect_timeout == wanted.connect_timeout
            && made->total_timeout == wanted.total_timeout) {
            *pclient = made->client;
            return APR_SUCCESS;
        }
    }
    memset(&options, 0, sizeof(options));
    options.base_url = wanted.url;
    options.connect_timeout = wanted.connect_timeout;
    options.total_timeout = wanted.total_timeout;
    options.log = wa_log_create(s, pchild);
    rv = wa_twilio_client_create(&wanted.client, &options, pchild);
    *pclient = wanted.client;
    if (rv == APR_SUCCESS) {
        APR_ARRAY_PUSH(clients, made_client_t) = wanted;
    }
    return rv;
}

static void server_child(server_rec *s, const wa_concurrency_t *gate, apr_array_header_t *clients,
                         apr_pool_t *pchild)
{
    const wa_config_t *config = wa_config_get(s);
    wa_messenger_t *messenger = config->api->messenger;
    apr_status_t rv = client_get(config, s, clients, &messenger->twilio, pchild);

    if (gate) {
        messenger->gate = apr_pmemdup(pchild, gate, sizeof(*gate));
        messenger->gate->process_max = wa_config_process_sends(config, runtime->threads);
    }
    if (rv == APR_SUCCESS) {
        rv = wa_api_child_init(config->api, pchild);
    }
    if (rv != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_CRIT, rv, s,
                     "WA0125: this process cannot serve the messenger: no Twilio client or cache");
        config->api->messenger = NULL;
        config->api->unavailable = UNAVAILABLE;
    }
}

static void store_lose(const wa_store_t *store, server_rec *main_server)
{
    server_rec *s;

    for (s = main_server; s; s = s->next) {
        wa_api_server_t *api = wa_config_get(s)->api;

        if (api && api->messenger && api->messenger->store == store) {
            api->messenger = NULL;
            api->unavailable = UNAVAILABLE;
        }
    }
}

void wa_lifecycle_child(apr_pool_t *pchild, server_rec *main_server)
{
    apr_array_header_t *clients;
    const wa_concurrency_t *gate;
    server_rec *s;
    int i;

    if (!runtime) {
        return;
    }
    wa_log_limit_child(pchild);
    gate = wa_limits_child(main_server, pchild);
    for (i = 0; i < runtime->stores->nelts; i++) {
        wa_stores_entry_t *entry = &APR_ARRAY_IDX(runtime->stores, i, wa_stores_entry_t);
        apr_status_t rv;

        if (!entry->store) {
            continue;
        }
        rv = wa_store_child_init(entry->store, pchild);
        if (rv != APR_SUCCESS) {
            ap_log_error(APLOG_MARK, APLOG_CRIT, rv, main_server,
                         "WA0124: this process cannot use the store %s", entry->uri);
            store_lose(entry->store, main_server);
            entry->store = NULL;
        }
    }
    clients = apr_array_make(pchild, 2, sizeof(made_client_t));
    for (s = main_server; s; s = s->next) {
        const wa_api_server_t *api = wa_config_get(s)->api;

        if (api && api->messenger) {
            server_child(s, gate, clients, pchild);
        }
    }
}

void wa_lifecycle_child_stop(apr_pool_t *pchild, int is_graceful)
{
    int i;

    (void)pchild;
    for (i = 0; runtime && !is_graceful && i < runtime->stores->nelts; i++) {
        wa_store_t *store = APR_ARRAY_IDX(runtime->stores, i, wa_stores_entry_t).store;

        if (store) {
            wa_store_wait_end(store);
        }
    }
}
