/* SPDX-License-Identifier: Apache-2.0 */
/* What a store driver provides: one operation for each function of store.h, and the table of
 * drivers. */
#ifndef WA_STORE_DRIVER_H
#define WA_STORE_DRIVER_H

#include "base/clock.h"
#include "store/store.h"

/* WhatsAppStore taken apart: "dbm:/path type=db" has the driver "dbm", the location "/path" and the
 * arguments "type=db". All in the pool of the call. */
typedef struct wa_store_uri_t {
    const char *driver;
    const char *location;
    const char *arguments; /* never NULL */
} wa_store_uri_t;

/* Each operation fulfils the contract of the function of the same name in store.h; `self` is the
 * driver's own struct, whose first member is the wa_store_t. */
typedef struct wa_store_ops_t {
    const char *name;
    apr_status_t (*check)(const wa_store_uri_t *uri, const char **perror, const char **pkey,
                          apr_pool_t *p);
    apr_status_t (*inspect)(const wa_store_uri_t *uri, const wa_store_options_t *options,
                            const char **pidentity, const char **perror, apr_pool_t *p);
    apr_status_t (*open)(wa_store_t **pstore, const wa_store_uri_t *uri,
                         const wa_store_options_t *options, const char **perror, apr_pool_t *p);
    apr_status_t (*child_init)(wa_store_t *self, apr_pool_t *p);
    apr_status_t (*maintain)(wa_store_t *self, apr_pool_t *tmp);
    apr_uint64_t (*version)(wa_store_t *self, wa_version_e part);
    apr_uint64_t (*thread_version)(wa_store_t *self, const char *counterpart);
    apr_status_t (*wait)(wa_store_t *self, apr_uint64_t version, apr_interval_time_t timeout);
    void (*wait_end)(wa_store_t *self);
    apr_status_t (*message_add)(wa_store_t *self, const wa_message_new_t *message, wa_message_t *pm,
                                apr_pool_t *p);
    apr_status_t (*message_update)(wa_store_t *self, const wa_message_update_t *update,
                                   wa_message_t *pm, apr_pool_t *p);
    apr_status_t (*message_find)(wa_store_t *self, const char *key, wa_message_t *pm,
                                 apr_pool_t *p);
    apr_status_t (*messages_list)(wa_store_t *self, const wa_messages_query_t *query,
                                  wa_page_t *page, apr_pool_t *p);
    apr_status_t (*pending_list)(wa_store_t *self, const wa_pending_query_t *query, apr_pool_t *p);
    apr_status_t (*changes_list)(wa_store_t *self, const wa_changes_query_t *query,
                                 wa_changes_t *changes, apr_pool_t *p);
    apr_status_t (*threads_list)(wa_store_t *self, apr_int64_t since_ms, wa_thread_visit_fn visit,
                                 void *baton);
    apr_status_t (*thread_visit)(wa_store_t *self, const char *counterpart,
                                 wa_thread_visit_fn visit, void *baton);
    apr_status_t (*thread_mark_read)(wa_store_t *self, const char *counterpart, apr_pool_t *tmp);
    apr_status_t (*thread_flags_set)(wa_store_t *self, const char *counterpart, apr_uint32_t set,
                                     apr_uint32_t clear, apr_pool_t *tmp);
    apr_status_t (*contacts_list)(wa_store_t *self, wa_contact_visit_fn visit, void *baton);
    apr_status_t (*contact_add)(wa_store_t *self, const wa_contact_t *contact, wa_contact_t *pc,
                                apr_pool_t *p);
    apr_status_t (*contact_rename)(wa_store_t *self, const char *id, wa_slice_t display_name,
                                   wa_contact_t *pc, apr_pool_t *p);
    apr_status_t (*contact_delete)(wa_store_t *self, const char *id, apr_pool_t *tmp);
    apr_status_t (*contact_find)(wa_store_t *self, const char *key, wa_contact_t *pc,
                                 apr_pool_t *p);
    apr_status_t (*parked_add)(wa_store_t *self, const char *key, wa_slice_t value,
                               apr_pool_t *tmp);
    apr_status_t (*parked_get)(wa_store_t *self, const char *key, wa_slice_t *pvalue,
                               apr_pool_t *p);
} wa_store_ops_t;

/* 1 while the idempotency key of a message with this date counts: what finding it and taking the
 * key both ask. Any thread. */
static inline int wa_store_idempotency_counts(apr_int64_t date_ms)
{
    return wa_clock_now_ms() - date_ms <= WA_STORE_IDEMPOTENCY_MS;
}

/* The first member of every driver's struct. */
struct wa_store_t {
    const wa_store_ops_t *ops;
};

/* The drivers. A new one is a directory beside dbm/, a line here and a line in the table in
 * store.c. */
extern const wa_store_ops_t wa_store_dbm_ops;

#endif
