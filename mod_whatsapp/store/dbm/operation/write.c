/* SPDX-License-Identifier: Apache-2.0 */
/* The writing operations on messages and parked facts: check against what is visible, append, and
 * try again where something came in between. */
#include "store/dbm/operation/write.h"

#include <string.h>

#include <apr_strings.h>

#include "store/dbm/operation/read.h"

apr_status_t wa_dbm_check_begin(wa_dbm_store_t *store, wa_commit_t *commit)
{
    apr_status_t rv = wa_replica_catch_up(&store->replica, store->shared);

    commit->base = wa_dbm_end(store);
    return rv;
}

apr_status_t wa_dbm_commit_try(wa_dbm_store_t *store, wa_record_t *record, wa_commit_t *commit)
{
    apr_status_t rv, waited;

    if (store->is_read_only) {
        return APR_TIMEUP;
    }
    rv = wa_order_append(&store->writer, record, commit);
    if (rv != APR_SUCCESS && !APR_STATUS_IS_EAGAIN(rv)) {
        return rv;
    }
    waited = wa_commit_wait(&store->writer, commit);
    if (APR_STATUS_IS_EAGAIN(rv) && waited == APR_INCOMPLETE) {
        return APR_TIMEUP; /* what is in the way is in doubt: of this one nothing is stored */
    }
    return waited != APR_SUCCESS ? waited : rv;
}

/* The row of a message that is there already under one of the keys that a new one's record makes.
 * @return APR_SUCCESS | APR_NOTFOUND | APR_EGENERAL */
static apr_status_t duplicate_find(wa_dbm_store_t *store, const wa_record_keys_t *keys,
                                   apr_uint64_t *prow)
{
    apr_status_t rv = APR_NOTFOUND;
    int i;

    for (i = 0; i < WA_RECORD_CONFLICTS && APR_STATUS_IS_NOTFOUND(rv); i++) {
        const wa_record_key_t *key = &keys->key[i];

        if (key->kind && key->use == WA_KEY_MADE) {
            rv = wa_dbm_key_in_force_find(store, key->kind, key->name, prow);
        }
    }
    return rv;
}

static wa_slice_t slice_dup(wa_slice_t s, apr_pool_t *p)
{
    return wa_slice_make(s.len ? apr_pmemdup(p, s.ptr, s.len) : NULL, s.len);
}

apr_status_t wa_dbm_message_add(wa_store_t *self, const wa_message_new_t *m, wa_message_t *pm,
                                apr_pool_t *p)
{
    wa_dbm_store_t *store = WA_DBM_STORE(self);
    wa_record_keys_t keys;
    wa_record_t *record;
    wa_commit_t commit;
    int is_again = 0;
    apr_status_t rv = wa_record_message_make(&record, m, p);

    if (rv == APR_SUCCESS) {
        rv = wa_record_keys_read(record, &keys);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    memset(&commit, 0, sizeof(commit));
    do {
        apr_uint64_t row;

        /* What this replica does not know yet the append finds in the way. */
        rv = is_again ? wa_replica_catch_up(&store->replica, store->shared)
                      : wa_replica_catch_up_try(&store->replica, store->shared);
        is_again = 1;
        commit.base = wa_dbm_end(store);
        if (rv == APR_SUCCESS) {
            rv = duplicate_find(store, &keys, &row);
        }
        if (rv == APR_SUCCESS) {
            rv = pm ? wa_dbm_message_get(store, row, pm) : APR_SUCCESS;
            return rv == APR_SUCCESS ? APR_EEXIST : rv;
        }
        if (!APR_STATUS_IS_NOTFOUND(rv)) {
            return rv;
        }
        commit.timestamp_ms = m->timestamp_ms;
        rv = wa_dbm_commit_try(store, record, &commit);
    } while (APR_STATUS_IS_EAGAIN(rv));
    if (rv != APR_SUCCESS || !pm) {
        return rv;
    }
    rv = wa_replica_catch_up(&store->replica, store->shared);
    return rv == APR_SUCCESS ? wa_dbm_message_get(store, commit.row, pm) : rv;
}

/* What the STATE record says that brings the message of a row from `now` to `next`.
 * @return APR_SUCCESS | APR_EGENERAL */
static apr_status_t state_fill(wa_dbm_store_t *store, apr_uint64_t row, const wa_message_t *now,
                               const wa_message_state_t *next, wa_record_state_t *state)
{
    const wa_row_t *entry = wa_index_row(&store->index, row);
    apr_uint64_t other;
    apr_status_t rv;

    memset(state, 0, sizeof(*state));
    state->status = next->status;
    state->sid = next->sid ? wa_slice_of(next->sid) : now->sid;
    state->delivery = next->delivery;
    state->previous = entry ? __atomic_load_n(&entry->state, __ATOMIC_ACQUIRE) : 0;
    if (next->sid && !wa_slice_is_equal(state->sid, now->sid)) {
        rv = wa_dbm_key_find(store, "sid", state->sid, &other);
        if (rv != APR_SUCCESS && !APR_STATUS_IS_NOTFOUND(rv)) {
            return rv;
        }
        state->sid_is_new = rv != APR_SUCCESS || other != row;
    }
    return APR_SUCCESS;
}

apr_status_t wa_dbm_message_update(wa_store_t *self, const wa_message_update_t *update,
                                   wa_message_t *pm, apr_pool_t *p)
{
    wa_dbm_store_t *store = WA_DBM_STORE(self);
    wa_commit_t commit;
    apr_uint64_t row;
    apr_status_t rv;

    memset(&commit, 0, sizeof(commit));
    do {
        wa_message_state_t next;
        wa_record_state_t state;
        wa_record_t *record;

        memset(&next, 0, sizeof(next));
        rv = wa_dbm_check_begin(store, &commit);
        if (rv == APR_SUCCESS) {
            rv = wa_dbm_id_or_sid_find(store, update->key, &row);
        }
        if (rv == APR_SUCCESS) {
            rv = wa_dbm_message_get(store, row, pm);
        }
        if (rv == APR_SUCCESS) {
            next.status = pm->status;
            rv = update->merge(update->baton, pm, &next, p);
            if (APR_STATUS_IS_EEXIST(rv)) {
                return APR_SUCCESS;
            }
        }
        if (rv == APR_SUCCESS) {
            rv = state_fill(store, row, pm, &next, &state);
        }
        if (rv == APR_SUCCESS) {
            rv = wa_record_state_make(&record, &state, row, p);
        }
        if (rv != APR_SUCCESS) {
            return rv;
        }
        commit.timestamp_ms = 0;
        rv = wa_dbm_commit_try(store, record, &commit);
    } while (APR_STATUS_IS_EAGAIN(rv));
    if (rv == APR_SUCCESS) {
        rv = wa_replica_catch_up(&store->replica, store->shared);
    }
    return rv == APR_SUCCESS ? wa_dbm_message_get(store, row, pm) : rv;
}

/* ---- parked facts ---- */

static const wa_replica_parked_t *parked_find(wa_dbm_store_t *store, const char *key)
{
    return apr_hash_get(store->replica.parked, key, (apr_ssize_t)strlen(key));
}

apr_status_t wa_dbm_parked_add(wa_store_t *self, const char *key, wa_slice_t value, apr_pool_t *tmp)
{
    wa_dbm_store_t *store = WA_DBM_STORE(self);
    wa_record_parked_t parked;
    wa_record_t *record;
    wa_commit_t commit;
    apr_status_t rv;

    memset(&commit, 0, sizeof(commit));
    do {
        const wa_replica_parked_t *now;

        rv = wa_dbm_check_begin(store, &commit);
        if (rv != APR_SUCCESS) {
            return rv;
        }
        parked.key = wa_slice_of(key);
        parked.value = value;
        pthread_rwlock_rdlock(&store->replica.lock);
        now = parked_find(store, key);
        if (now) {
            char *joined = apr_palloc(tmp, now->value.len + 1 + value.len);

            memcpy(joined, now->value.ptr, now->value.len);
            joined[now->value.len] = '\n';
            memcpy(joined + now->value.len + 1, value.ptr, value.len);
            parked.value = wa_slice_make(joined, now->value.len + 1 + value.len);
        }
        pthread_rwlock_unlock(&store->replica.lock);
        if (parked.value.len > WA_STORE_TEXT_MAX || parked.key.len > WA_STORE_NAME_MAX) {
            return APR_ENOSPC;
        }
        rv = wa_record_parked_make(&record, &parked, tmp);
        if (rv == APR_SUCCESS) {
            commit.timestamp_ms = 0;
            rv = wa_dbm_commit_try(store, record, &commit);
        }
    } while (APR_STATUS_IS_EAGAIN(rv));
    return rv;
}

apr_status_t wa_dbm_parked_get(wa_store_t *self, const char *key, wa_slice_t *pvalue, apr_pool_t *p)
{
    wa_dbm_store_t *store = WA_DBM_STORE(self);
    const wa_replica_parked_t *parked;
    apr_status_t rv = wa_replica_catch_up(&store->replica, store->shared);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    pthread_rwlock_rdlock(&store->replica.lock);
    parked = parked_find(store, key);
    if (parked) {
        *pvalue = slice_dup(parked->value, p);
    }
    pthread_rwlock_unlock(&store->replica.lock);
    return parked ? APR_SUCCESS : APR_NOTFOUND;
}
