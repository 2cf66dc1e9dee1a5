/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the driver of a store uri and passes every call of the seam on to it. */
#include "store/store.h"

#include <string.h>

#include <apr_strings.h>

#include "store/driver.h"

static const wa_store_ops_t *const drivers[] = {
    &wa_store_dbm_ops,
};

static const wa_store_ops_t *driver_find(const char *name)
{
    apr_size_t i;

    for (i = 0; i < sizeof(drivers) / sizeof(drivers[0]); i++) {
        if (strcmp(drivers[i]->name, name) == 0) {
            return drivers[i];
        }
    }
    return NULL;
}

static const char *driver_names(apr_pool_t *p)
{
    const char *names = "";
    apr_size_t i;

    for (i = 0; i < sizeof(drivers) / sizeof(drivers[0]); i++) {
        names = apr_pstrcat(p, names, i ? ", " : "", drivers[i]->name, ":", NULL);
    }
    return names;
}

static apr_status_t uri_parse(wa_store_uri_t *uri, const wa_store_ops_t **pops, const char *text,
                              const char **perror, apr_pool_t *p)
{
    const char *colon = strchr(text, ':');
    const char *end;

    *pops = NULL;
    if (!colon) {
        *perror = apr_psprintf(
            p, "'%s' is no store; it must be DRIVER:LOCATION, with one of the drivers %s", text,
            driver_names(p));
        return APR_EINVAL;
    }
    uri->driver = wa_slice_string(wa_slice_make(text, (apr_size_t)(colon - text)), p);
    end = colon + 1 + strcspn(colon + 1, " \t");
    uri->location = wa_slice_string(wa_slice_make(colon + 1, (apr_size_t)(end - colon - 1)), p);
    uri->arguments = apr_pstrdup(p, end + strspn(end, " \t"));
    *pops = driver_find(uri->driver);
    if (!*pops) {
        *perror = apr_psprintf(p, "there is no store driver '%s'; there is %s", uri->driver,
                               driver_names(p));
        return APR_EINVAL;
    }
    return APR_SUCCESS;
}

apr_status_t wa_store_check(const char *uri, const char **perror, const char **pkey, apr_pool_t *p)
{
    const wa_store_ops_t *ops;
    wa_store_uri_t parsed;
    apr_status_t rv;

    *perror = NULL;
    *pkey = NULL;
    rv = uri_parse(&parsed, &ops, uri, perror, p);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    return ops->check(&parsed, perror, pkey, p);
}

apr_status_t wa_store_inspect(const wa_store_options_t *options, const char **pidentity,
                              const char **perror, apr_pool_t *p)
{
    const wa_store_ops_t *ops;
    wa_store_uri_t parsed;
    apr_status_t rv;

    *pidentity = options->uri;
    *perror = NULL;
    rv = uri_parse(&parsed, &ops, options->uri, perror, p);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    return ops->inspect(&parsed, options, pidentity, perror, p);
}

apr_status_t wa_store_open(wa_store_t **pstore, const wa_store_options_t *options,
                           const char **perror, apr_pool_t *p)
{
    const wa_store_ops_t *ops;
    wa_store_uri_t parsed;
    apr_status_t rv;

    *pstore = NULL;
    *perror = NULL;
    rv = uri_parse(&parsed, &ops, options->uri, perror, p);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    return ops->open(pstore, &parsed, options, perror, p);
}

apr_status_t wa_store_child_init(wa_store_t *store, apr_pool_t *p)
{
    return store->ops->child_init(store, p);
}

apr_status_t wa_store_maintain(wa_store_t *store, apr_pool_t *tmp)
{
    return store->ops->maintain(store, tmp);
}

apr_uint64_t wa_store_version(wa_store_t *store, wa_version_e part)
{
    return store->ops->version(store, part);
}

apr_uint64_t wa_store_thread_version(wa_store_t *store, const char *counterpart)
{
    return store->ops->thread_version(store, counterpart);
}

apr_status_t wa_store_wait(wa_store_t *store, apr_uint64_t version, apr_interval_time_t timeout)
{
    return store->ops->wait(store, version, timeout);
}

void wa_store_wait_end(wa_store_t *store)
{
    store->ops->wait_end(store);
}

apr_status_t wa_store_message_add(wa_store_t *store, const wa_message_new_t *message,
                                  wa_message_t *pm, apr_pool_t *p)
{
    if (pm) {
        memset(pm, 0, sizeof(*pm));
    }
    if (!message->id || !*message->id || !message->counterpart || !*message->counterpart) {
        return APR_EINVAL;
    }
    return store->ops->message_add(store, message, pm, p);
}

apr_status_t wa_store_message_update(wa_store_t *store, const wa_message_update_t *update,
                                     wa_message_t *pm, apr_pool_t *p)
{
    memset(pm, 0, sizeof(*pm));
    return store->ops->message_update(store, update, pm, p);
}

apr_status_t wa_store_message_find(wa_store_t *store, const char *key, wa_message_t *pm,
                                   apr_pool_t *p)
{
    memset(pm, 0, sizeof(*pm));
    return store->ops->message_find(store, key, pm, p);
}

apr_status_t wa_store_messages_list(wa_store_t *store, const wa_messages_query_t *query,
                                    wa_page_t *page, apr_pool_t *p)
{
    memset(page, 0, sizeof(*page));
    return store->ops->messages_list(store, query, page, p);
}

apr_status_t wa_store_pending_list(wa_store_t *store, const wa_pending_query_t *query,
                                   apr_pool_t *p)
{
    return store->ops->pending_list(store, query, p);
}

apr_status_t wa_store_changes_list(wa_store_t *store, const wa_changes_query_t *query,
                                   wa_changes_t *changes, apr_pool_t *p)
{
    memset(changes, 0, sizeof(*changes));
    return store->ops->changes_list(store, query, changes, p);
}

apr_status_t wa_store_threads_list(wa_store_t *store, apr_int64_t since_ms,
                                   wa_thread_visit_fn visit, void *baton)
{
    return store->ops->threads_list(store, since_ms, visit, baton);
}

apr_status_t wa_store_thread_visit(wa_store_t *store, const char *counterpart,
                                   wa_thread_visit_fn visit, void *baton)
{
    return store->ops->thread_visit(store, counterpart, visit, baton);
}

apr_status_t wa_store_thread_mark_read(wa_store_t *store, const char *counterpart, apr_pool_t *tmp)
{
    return store->ops->thread_mark_read(store, counterpart, tmp);
}

apr_status_t wa_store_thread_flags_set(wa_store_t *store, const char *counterpart, apr_uint32_t set,
                                       apr_uint32_t clear, apr_pool_t *tmp)
{
    return store->ops->thread_flags_set(store, counterpart, set, clear, tmp);
}

apr_status_t wa_store_contacts_list(wa_store_t *store, wa_contact_visit_fn visit, void *baton)
{
    return store->ops->contacts_list(store, visit, baton);
}

apr_status_t wa_store_contact_add(wa_store_t *store, const wa_contact_t *contact, wa_contact_t *pc,
                                  apr_pool_t *p)
{
    memset(pc, 0, sizeof(*pc));
    return store->ops->contact_add(store, contact, pc, p);
}

apr_status_t wa_store_contact_rename(wa_store_t *store, const char *id, wa_slice_t display_name,
                                     wa_contact_t *pc, apr_pool_t *p)
{
    memset(pc, 0, sizeof(*pc));
    return store->ops->contact_rename(store, id, display_name, pc, p);
}

apr_status_t wa_store_contact_delete(wa_store_t *store, const char *id, apr_pool_t *tmp)
{
    return store->ops->contact_delete(store, id, tmp);
}

apr_status_t wa_store_contact_find(wa_store_t *store, const char *key, wa_contact_t *pc,
                                   apr_pool_t *p)
{
    memset(pc, 0, sizeof(*pc));
    return store->ops->contact_find(store, key, pc, p);
}

apr_status_t wa_store_parked_add(wa_store_t *store, const char *key, wa_slice_t value,
                                 apr_pool_t *tmp)
{
    return store->ops->parked_add(store, key, value, tmp);
}

apr_status_t wa_store_parked_get(wa_store_t *store, const char *key, wa_slice_t *pvalue,
                                 apr_pool_t *p)
{
    memset(pvalue, 0, sizeof(*pvalue));
    return store->ops->parked_get(store, key, pvalue, p);
}
