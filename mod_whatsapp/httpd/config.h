/* SPDX-License-Identifier: Apache-2.0 */
/* What the directives of one virtual host say, and the command table that reads them. */
#ifndef WA_HTTPD_CONFIG_H
#define WA_HTTPD_CONFIG_H

#include <apr_pools.h>
#include <apr_time.h>
#include <httpd.h>
#include <http_config.h>

#include "base/secret.h"
#include "messaging/messenger.h"
#include "messaging/policy/rate.h"
#include "store/store.h"

struct wa_api_server_t;

/* The name of the module record; every file that logs or reads its config uses it. */
extern module AP_MODULE_DECLARE_DATA whatsapp_module __attribute__((visibility("default")));

/* A number that no directive takes; a string or secret that is not set is NULL or empty. Defaults
 * are given by the getters only. */
#define WA_CONFIG_UNSET (-1)

/* The settings of one server_rec, merged: what a virtual host does not set comes from the main
 * server. Made while the configuration is read, from pconf; read-only afterwards but for `api`. */
typedef struct wa_config_t {
    const char *account_sid;
    wa_secret_t tokens[WA_MESSENGER_TOKENS_MAX];
    apr_size_t token_count;
    /* what is wrong with the file or command of a token, as a sentence; NULL: nothing. token_count
     * are then those before it */
    const char *token_wrong;
    /* normalized */
    const char *number;
    /* without a slash at the end */
    const char *public_url;
    /* with an absolute path */
    const char *store_uri;
    const char *twilio_url;
    /* without a slash at the end */
    const char *base_path;
    /* a secret's file that everybody may read, to be warned of */
    const char *open_file;
    apr_interval_time_t connect_timeout;
    apr_interval_time_t total_timeout;
    apr_off_t max_body;
    int max_sends;
    /* WA_CONFIG_UNSET, 0 or 1 */
    int enforce_window;
    /* 1: send_rate was configured, also as off */
    int send_rate_set;
    wa_rate_t send_rate;
    /* NULL: not set; a NULL ends the list */
    const char *const *stop_words;
    const char *const *start_words;
    /* a wa_sync_e */
    int sync;
    apr_interval_time_t sync_interval;
    /* WA_CONFIG_UNSET, 0 or 1; the two after it belong to it */
    int reconcile;
    /* WA_CONFIG_UNSET for the default */
    apr_interval_time_t reconcile_interval;
    /* WA_CONFIG_UNSET for the default, too */
    apr_interval_time_t reconcile_look_back;
    /* set in post_config; NULL where no account is configured */
    struct wa_api_server_t *api;
} wa_config_t;

/* The directives, for the module record. */
extern const command_rec wa_config_commands[];

/* The module record's create_server_config and merge_server_config. A virtual host with an
 * AccountSID other than the main server's inherits neither its tokens nor its number: they belong
 * to that account. */
void *wa_config_create(apr_pool_t *p, server_rec *s);
void *wa_config_merge(apr_pool_t *p, void *base, void *add);

/* The settings of a server; never NULL. Any thread. */
wa_config_t *wa_config_get(const server_rec *s);

/* 1 when account, token and number are all configured, else 0. The token may still be one that
 * could not be read. */
int wa_config_is_complete(const wa_config_t *config);

/* 1 when any of account, token and number is there, else 0. */
int wa_config_is_begun(const wa_config_t *config);

/* The values in force, defaults included. The store's default is the directory of
 * wa_config_state_dir with the driver dbm. */
const char *wa_config_store_uri(const wa_config_t *config, apr_pool_t *p);
const char *wa_config_twilio_url(const wa_config_t *config);
const char *wa_config_base_path(const wa_config_t *config);
apr_interval_time_t wa_config_connect_timeout(const wa_config_t *config);
apr_interval_time_t wa_config_total_timeout(const wa_config_t *config);
int wa_config_enforce_window(const wa_config_t *config);
const char *const *wa_config_stop_words(const wa_config_t *config);
const char *const *wa_config_start_words(const wa_config_t *config);
apr_off_t wa_config_max_body(const wa_config_t *config);
wa_sync_e wa_config_sync(const wa_config_t *config);
int wa_config_reconcile(const wa_config_t *config);
apr_interval_time_t wa_config_reconcile_interval(const wa_config_t *config);
apr_interval_time_t wa_config_reconcile_look_back(const wa_config_t *config);

/* The calls that may wait for Twilio in all processes of a server that may have `threads` threads:
 * three quarters of them unless configured, so that a slow Twilio leaves threads to read with. */
apr_uint32_t wa_config_max_sends(const wa_config_t *config, int threads);

/* The same for one process of `threads` threads: three quarters of them, but no limit of its own
 * (0) where WhatsAppMaxSends is configured or a process has one thread. */
apr_uint32_t wa_config_process_sends(const wa_config_t *config, int threads);

/* The default store's directory: /var/lib/NAME/whatsapp where the ServerRoot is /etc/NAME (as
 * Debian and others install httpd), else state/whatsapp below the ServerRoot. In p. */
const char *wa_config_state_dir(apr_pool_t *p);

#endif
