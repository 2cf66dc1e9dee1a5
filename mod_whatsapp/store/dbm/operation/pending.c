/* SPDX-License-Identifier: Apache-2.0 */
/* Lists the messages that are pending, from the replica's list of their rows. */
#include "store/dbm/operation/pending.h"

#include "store/dbm/operation/read.h"

/* How many rows are copied under the replica's lock at one time. */
#define ROWS_AT_ONCE 256

/* Copies the next rows after `after`. @return how many */
static apr_size_t rows_copy(wa_replica_t *replica, apr_uint64_t after, apr_uint64_t *rows)
{
    apr_size_t count = 0;
    int at;

    pthread_rwlock_rdlock(&replica->lock);
    at = wa_replica_pending_place(replica, after + 1);
    for (; at < replica->pending->nelts && count < ROWS_AT_ONCE; at++) {
        rows[count++] = APR_ARRAY_IDX(replica->pending, at, apr_uint64_t);
    }
    pthread_rwlock_unlock(&replica->lock);
    return count;
}

apr_status_t wa_dbm_pending_list(wa_store_t *self, const wa_pending_query_t *query, apr_pool_t *p)
{
    wa_dbm_store_t *store = WA_DBM_STORE(self);
    apr_uint64_t rows[ROWS_AT_ONCE], after = 0;
    apr_size_t i, count, given = 0;
    apr_status_t rv = wa_replica_catch_up(&store->replica, store->shared);

    (void)p; /* all slices are in the journal's mapping */
    while (rv == APR_SUCCESS && given < query->max) {
        count = rows_copy(&store->replica, after, rows);
        for (i = 0; i < count && given < query->max; i++) {
            wa_message_t m;

            after = rows[i];
            rv = wa_dbm_message_get(store, after, &m);
            if (rv != APR_SUCCESS || m.status != WA_STATUS_PENDING) {
                rv = APR_SUCCESS; /* settled meanwhile, or damaged: the others are served */
                continue;
            }
            if (m.date_ms > query->before_ms && m.date_ms <= query->ahead_ms) {
                continue; /* dates need not grow with the rows */
            }
            rv = query->visit(query->baton, &m, 0);
            if (rv != APR_SUCCESS) {
                return rv;
            }
            given++;
        }
        if (count < ROWS_AT_ONCE) {
            break;
        }
    }
    return rv;
}
