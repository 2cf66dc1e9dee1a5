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

/* A row, and what it points to. */
typedef struct filled_t {
    wa_thread_t row;
    wa_inbound_t inbound[WA_STORE_NUMBERS_MAX];
} filled_t;

static void thread_fill(filled_t *filled, const wa_replica_thread_t *t)
{
    wa_thread_t *out = &filled->row;
    apr_uint32_t i;

    for (i = 0; i < t->inbound_count; i++) {
        filled->inbound[i] = t->inbound[i].last;
    }
    out->counterpart = t->counterpart;
    out->preview = t->preview;
    out->profile_name = t->profile_name;
    out->last_timestamp_ms = t->last_timestamp_ms;
    out->changed_ms = t->changed_ms;
    out->last_inbound_ms = t->last_inbound_ms;
    out->inbound = filled->inbound;
    out->inbound_count = t->inbound_count;
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
    filled_t filled;
    apr_status_t rv = wa_replica_catch_up(&store->replica, store->shared);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    pthread_rwlock_rdlock(&store->replica.lock);
    t = since_ms && since_ms >= store->replica.threads_changed_ms ? NULL : store->replica.newest;
    for (; rv == APR_SUCCESS && t; t = t->older) {
        if (t->changed_ms > since_ms) {
            thread_fill(&filled, t);
            rv = visit(baton, &filled.row);
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
    filled_t filled;
    apr_status_t rv = wa_replica_catch_up(&store->replica, store->shared);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    pthread_rwlock_rdlock(&store->replica.lock);
    t = wa_replica_thread_find(&store->replica, wa_slice_of(counterpart));
    if (t) {
        thread_fill(&filled, t);
        rv = visit(baton, &filled.row);
    }
    pthread_rwlock_unlock(&store->replica.lock);
    return t ? rv : APR_NOTFOUND;
}

/* ---- changing ---- */

/* A change of a thread: what it starts from, whose counterpart's bytes stay, and its commit. All
 * zero at first. */
typedef struct change_t {
    wa_replica_thread_t before;
    wa_commit_t commit;
} change_t;

static apr_status_t change_begin(wa_dbm_store_t *store, const char *counterpart, change_t *change)
{
    const wa_replica_thread_t *t;
    apr_status_t rv = wa_dbm_check_begin(store, &change->commit);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    pthread_rwlock_rdlock(&store->replica.lock);
    t = wa_replica_thread_find(&store->replica, wa_slice_of(counterpart));
    if (t) {
        change->before = *t;
    }
    pthread_rwlock_unlock(&store->replica.lock);
    return t ? APR_SUCCESS : APR_NOTFOUND;
}

/* @return like wa_dbm_commit_try */
static apr_status_t change_commit(wa_dbm_store_t *store, wa_record_type_e type, apr_uint32_t flags,
                                  change_t *change, apr_pool_t *tmp)
{
    const wa_replica_thread_t *before = &change->before;
    const wa_record_thread_t thread = {.counterpart = before->counterpart, .flags = flags};
    wa_record_t *record;
    apr_status_t rv = wa_record_thread_make(&record, type, &thread,
                                            type == WA_RECORD_READ ? before->last_row : 0, tmp);

    change->commit.timestamp_ms = 0;
    return rv == APR_SUCCESS ? wa_dbm_commit_try(store, record, &change->commit) : rv;
}

apr_status_t wa_dbm_thread_mark_read(wa_store_t *self, const char *counterpart, apr_pool_t *tmp)
{
    wa_dbm_store_t *store = WA_DBM_STORE(self);
    change_t change;
    apr_status_t rv;

    memset(&change, 0, sizeof(change));
    do {
        rv = change_begin(store, counterpart, &change);
        if (rv != APR_SUCCESS || change.before.unread_count == 0) {
            return rv;
        }
        rv = change_commit(store, WA_RECORD_READ, 0, &change, tmp);
    } while (APR_STATUS_IS_EAGAIN(rv));
    return rv;
}

apr_status_t wa_dbm_thread_flags_set(wa_store_t *self, const char *counterpart, apr_uint32_t set,
                                     apr_uint32_t clear, apr_pool_t *tmp)
{
    wa_dbm_store_t *store = WA_DBM_STORE(self);
    change_t change;
    apr_status_t rv;

    memset(&change, 0, sizeof(change));
    do {
        apr_uint32_t flags;

        rv = change_begin(store, counterpart, &change);
        if (rv != APR_SUCCESS) {
            return rv;
        }
        flags = (change.before.flags | set) & ~clear;
        if (flags == change.before.flags) {
            return APR_SUCCESS;
        }
        rv = change_commit(store, WA_RECORD_FLAGS, flags, &change, tmp);
    } while (APR_STATUS_IS_EAGAIN(rv));
    return rv;
}
