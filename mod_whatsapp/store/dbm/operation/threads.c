/* SPDX-License-Identifier: Apache-2.0 */
/* The operations on threads: the list, marking as read, flags. */
#include "store/dbm/operation/threads.h"

#include <string.h>

#include "store/dbm/operation/write.h"

apr_uint64_t wa_dbm_thread_version(wa_store_t *self, const char *counterpart)
{
    wa_dbm_store_t *store = WA_DBM_STORE(self);
    const wa_replica_thread_t *t;
    apr_uint64_t version;

    wa_replica_catch_up(&store->replica, store->shared);
    pthread_rwlock_rdlock(&store->replica.lock);
    t = wa_replica_thread_find(&store->replica, wa_slice_of(counterpart));
    version = t ? t->version : 0;
    pthread_rwlock_unlock(&store->replica.lock);
    return version;
}

static void thread_fill(wa_thread_t *out, const wa_replica_thread_t *t)
{
    out->counterpart = t->counterpart;
    out->preview = t->preview;
    out->profile_name = t->profile_name;
    out->last_timestamp_ms = t->last_timestamp_ms;
    out->changed_ms = t->changed_ms;
    out->last_inbound_ms = t->last_inbound_ms;
    out->inbound_date_ms = t->inbound_date_ms;
    out->inbound_before_ms = t->inbound_before_ms;
    out->last_direction = t->last_direction;
    out->message_count = t->message_count;
    out->unread_count = t->unread_count;
    out->flags = t->flags;
    out->contact_id = t->contact ? t->contact->id : wa_slice_make(NULL, 0);
    out->contact_name = t->contact ? t->contact->display_name : wa_slice_make(NULL, 0);
}

apr_status_t wa_dbm_threads_list(wa_store_t *self, apr_int64_t since_ms, wa_thread_visit_fn visit,
                                 void *baton)
{
    wa_dbm_store_t *store = WA_DBM_STORE(self);
    const wa_replica_thread_t *t;
    wa_thread_t out;
    apr_status_t rv = wa_replica_catch_up(&store->replica, store->shared);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    pthread_rwlock_rdlock(&store->replica.lock);
    t = since_ms && since_ms >= store->replica.threads_changed_ms ? NULL : store->replica.newest;
    for (; rv == APR_SUCCESS && t; t = t->older) {
        if (t->changed_ms > since_ms) {
            thread_fill(&out, t);
            rv = visit(baton, &out);
        }
    }
    pthread_rwlock_unlock(&store->replica.lock);
    return rv;
}

apr_status_t wa_dbm_thread_visit(wa_store_t *self, const char *counterpart,
                                 wa_thread_visit_fn visit, void *baton)
{
    wa_dbm_store_t *store = WA_DBM_STORE(self);
    const wa_replica_thread_t *t;
    wa_thread_t out;
    apr_status_t rv = wa_replica_catch_up(&store->replica, store->shared);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    pthread_rwlock_rdlock(&store->replica.lock);
    t = wa_replica_thread_find(&store->replica, wa_slice_of(counterpart));
    if (t) {
        thread_fill(&out, t);
        rv = visit(baton, &out);
    }
    pthread_rwlock_unlock(&store->replica.lock);
    return t ? rv : APR_NOTFOUND;
}

/* ---- changing ---- */

/* What a change of a thread starts from; its counterpart's bytes stay. */
static apr_status_t change_begin(wa_dbm_store_t *store, const char *counterpart,
                                 wa_replica_thread_t *out, wa_commit_t *commit)
{
    const wa_replica_thread_t *t;
    apr_status_t rv = wa_dbm_check_begin(store, commit);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    pthread_rwlock_rdlock(&store->replica.lock);
    t = wa_replica_thread_find(&store->replica, wa_slice_of(counterpart));
    if (t) {
        *out = *t;
    }
    pthread_rwlock_unlock(&store->replica.lock);
    return t ? APR_SUCCESS : APR_NOTFOUND;
}

static apr_status_t thread_commit(wa_dbm_store_t *store, wa_record_type_e type,
                                  const wa_record_thread_t *change, apr_uint64_t row,
                                  wa_commit_t *commit, apr_pool_t *tmp)
{
    wa_record_t *record;
    apr_status_t rv = wa_record_thread_make(&record, type, change, row, tmp);

    commit->timestamp_ms = 0;
    return rv == APR_SUCCESS ? wa_dbm_commit_try(store, record, commit) : rv;
}

apr_status_t wa_dbm_thread_mark_read(wa_store_t *self, const char *counterpart, apr_pool_t *tmp)
{
    wa_dbm_store_t *store = WA_DBM_STORE(self);
    wa_record_thread_t change;
    wa_replica_thread_t t;
    wa_commit_t commit;
    apr_status_t rv;

    memset(&commit, 0, sizeof(commit));
    memset(&t, 0, sizeof(t));
    do {
        rv = change_begin(store, counterpart, &t, &commit);
        if (rv != APR_SUCCESS || t.unread_count == 0) {
            return rv;
        }
        change.counterpart = t.counterpart;
        change.flags = 0;
        rv = thread_commit(store, WA_RECORD_READ, &change, t.last_row, &commit, tmp);
    } while (APR_STATUS_IS_EAGAIN(rv));
    return rv;
}

apr_status_t wa_dbm_thread_flags_set(wa_store_t *self, const char *counterpart, apr_uint32_t set,
                                     apr_uint32_t clear, apr_pool_t *tmp)
{
    wa_dbm_store_t *store = WA_DBM_STORE(self);
    wa_record_thread_t change;
    wa_replica_thread_t t;
    wa_commit_t commit;
    apr_status_t rv;

    memset(&commit, 0, sizeof(commit));
    do {
        rv = change_begin(store, counterpart, &t, &commit);
        if (rv != APR_SUCCESS) {
            return rv;
        }
        change.counterpart = t.counterpart;
        change.flags = (t.flags | set) & ~clear;
        if (change.flags == t.flags) {
            return APR_SUCCESS;
        }
        rv = thread_commit(store, WA_RECORD_FLAGS, &change, 0, &commit, tmp);
    } while (APR_STATUS_IS_EAGAIN(rv));
    return rv;
}
