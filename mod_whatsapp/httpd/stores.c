/* SPDX-License-Identifier: Apache-2.0 */
/* The stores of one start or reload: each directory opened once, whatever names lead to it. */
#include "httpd/stores.h"

#include <sys/stat.h>

#include <apr_file_info.h>
#include <apr_strings.h>
#include <http_config.h>
#include <http_core.h>
#include <unixd.h>

#include "httpd/check_report.h"
#include "httpd/config.h"
#include "httpd/log.h"

/* Memory that outlives every restart, one piece for each store that was opened. */
typedef struct retained_t {
    char identity[64]; /* "" when it is free */
    wa_store_retained_t retained;
} retained_t;

/* Finds what is retained of a store, or a free piece. The number in the name is that of the
 * struct's version. */
static retained_t *retained_find(const char *identity, apr_pool_t *tmp)
{
    retained_t *spare = NULL;
    int i;

    for (i = 0;; i++) {
        const char *name = apr_psprintf(tmp, "mod_whatsapp store 2.%d", i);
        retained_t *retained = ap_retained_data_get(name);

        if (!retained) {
            return spare ? spare : ap_retained_data_create(name, sizeof(*retained));
        }
        if (strcmp(retained->identity, identity) == 0) {
            return retained;
        }
        if (retained->identity[0] == '\0' && !spare) {
            spare = retained;
        }
    }
}

/* Makes the directories above the default store's. The store's own is its driver's to make. */
static apr_status_t parents_make(const char **preason, apr_pool_t *p)
{
    const char *dir = wa_config_state_dir(p);
    const char *above = ap_make_dirstr_parent(p, dir);
    apr_finfo_t info;
    /* The server's user has to come through them, whatever root's shell said of new files. */
    const mode_t mask = umask(S_IWGRP | S_IWOTH);
    apr_status_t rv = apr_dir_make_recursive(above, APR_FPROT_OS_DEFAULT, p);

    umask(mask);
    if (rv == APR_SUCCESS) {
        rv = apr_stat(&info, above, APR_FINFO_TYPE, p); /* what is there may be a file */
    }
    if (rv != APR_SUCCESS) {
        *preason =
            apr_psprintf(p, "the directory %s for messages cannot be made: set WhatsAppStore", dir);
    }
    return rv;
}

void wa_stores_options(wa_store_options_t *options, server_rec *s, apr_pool_t *p)
{
    const wa_config_t *config = wa_config_get(s);

    memset(options, 0, sizeof(*options));
    options->uri = wa_config_store_uri(config, p);
    options->account_sid = config->account_sid;
    options->sync = wa_config_sync(config);
    options->sync_interval = config->sync_interval;
    options->server.owner = ap_unixd_config.user_id;
    options->server.owner_group = ap_unixd_config.group_id;
    options->server.is_default_place = !config->store_uri;
}

const char *wa_stores_sharing(const server_rec *owner, const server_rec *s, const char **ptag,
                              apr_pool_t *p)
{
    const wa_config_t *one = wa_config_get(owner);
    const wa_config_t *two = wa_config_get(s);

    if (strcmp(one->account_sid, two->account_sid) != 0) {
        *ptag = "WA0112";
        return apr_psprintf(
            p,
            "%s and %s have different accounts but the same WhatsAppStore '%s': give "
            "each account a store of its own",
            wa_check_server_name(owner, p), wa_check_server_name(s, p),
            wa_config_store_uri(two, p));
    }
    if (wa_config_sync(one) != wa_config_sync(two)
        || (wa_config_sync(two) == WA_SYNC_INTERVAL && one->sync_interval != two->sync_interval)) {
        *ptag = "WA0113";
        return apr_psprintf(
            p,
            "%s and %s share the WhatsAppStore '%s' but differ in WhatsAppSync: set "
            "it once, in the main server",
            wa_check_server_name(owner, p), wa_check_server_name(s, p),
            wa_config_store_uri(two, p));
    }
    return NULL;
}

const char *wa_stores_trouble(const char *uri, const char *reason, apr_pool_t *p)
{
    return apr_psprintf(p, "WhatsAppStore: the store '%s' cannot be opened: %s", uri, reason);
}

/* The name under which it is remembered that this server had a store in that directory, whatever is
 * there now. */
static const char *had_name(const wa_store_options_t *options, apr_pool_t *tmp)
{
    const char *reason, *key = options->uri;

    (void)wa_store_check(options->uri, &reason, &key, tmp);
    return apr_pstrcat(tmp, "mod_whatsapp had 1 ", key, NULL);
}

static apr_status_t store_open(wa_stores_entry_t *entry, wa_store_options_t *options,
                               apr_pool_t *pconf, apr_pool_t *tmp)
{
    retained_t *retained = retained_find(entry->identity, tmp);
    const char *had = had_name(options, tmp);
    const char *ignored;
    apr_status_t rv;

    options->server.retained = &retained->retained;
    options->server.had_store = wa_check_is_reload() && ap_retained_data_get(had) != NULL;
    /* What configtest says is said here too, word for word. */
    rv = wa_store_inspect(options, &entry->identity, &entry->reason, pconf);
    if (rv == APR_SUCCESS && options->server.is_default_place) {
        rv = parents_make(&entry->reason, pconf);
    }
    if (rv == APR_SUCCESS) {
        options->log = wa_log_create(entry->s, pconf);
        rv = wa_store_open(&entry->store, options, &entry->reason, pconf);
    }
    if (rv == APR_SUCCESS && !ap_retained_data_get(had)) {
        (void)ap_retained_data_create(had, 1);
    }
    if (rv == APR_SUCCESS && retained->identity[0] == '\0') {
        options->server.retained = NULL;
        (void)wa_store_inspect(options, &entry->identity, &ignored, pconf);
        apr_cpystrn(retained->identity, entry->identity, sizeof(retained->identity));
    }
    if (rv != APR_SUCCESS && !entry->reason) {
        char text[120];

        entry->reason = apr_pstrdup(pconf, apr_strerror(rv, text, sizeof(text)));
    }
    return rv;
}

apr_status_t wa_stores_open(server_rec *s, apr_array_header_t *entries, wa_stores_entry_t *pentry,
                            apr_pool_t *pconf, apr_pool_t *tmp)
{
    wa_store_options_t options;
    wa_stores_entry_t entry = {.s = s};
    const char *reason;
    const char *tag;
    int i;

    wa_stores_options(&options, s, pconf);
    entry.uri = options.uri;
    (void)wa_store_inspect(&options, &entry.identity, &reason, pconf);
    for (i = 0; i < entries->nelts; i++) {
        *pentry = APR_ARRAY_IDX(entries, i, wa_stores_entry_t);
        if (strcmp(pentry->identity, entry.identity) != 0) {
            continue;
        }
        reason = wa_stores_sharing(pentry->s, s, &tag, pconf);
        if (!reason) {
            return pentry->rv;
        }
        entry.reason = reason;
        entry.rv = APR_EINVAL;
        entry.is_new = 1;
        *pentry = entry;
        return APR_EINVAL;
    }
    entry.rv = store_open(&entry, &options, pconf, tmp);
    APR_ARRAY_PUSH(entries, wa_stores_entry_t) = entry;
    entry.is_new = 1;
    *pentry = entry;
    return entry.rv;
}
