/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps an open store up: syncs that are due, and checkpoints when enough has changed. */
#include "store/dbm/lifecycle/upkeep.h"

#include <string.h>

#include "base/clock.h"
#include "store/dbm/lifecycle/ahead.h"
#include "store/dbm/lifecycle/inspect.h"

/* A checkpoint is due when the journal grew by this much, or by a part of its size, or after a
 * while. */
#define CHECKPOINT_BYTES ((apr_uint64_t)8 << 20)
#define CHECKPOINT_PART 32
#define CHECKPOINT_AFTER apr_time_from_sec(300)

/* After a failed one, on a full disk perhaps, all processes leave it alone for so long. */
#define CHECKPOINT_PAUSE apr_time_from_sec(60)

/* The number that comes after those of all checkpoints: who made the newest may have died before it
 * could say so. */
static apr_uint64_t checkpoint_number_next(wa_dbm_store_t *store, apr_pool_t *tmp)
{
    apr_uint64_t number = store->shared->checkpoint_number;
    wa_checkpoint_t c;

    if (wa_checkpoint_find(&c, &store->place, tmp) == APR_SUCCESS && c.number > number) {
        number = c.number;
    }
    return number + 1;
}

apr_status_t wa_dbm_checkpoint(wa_dbm_store_t *store, apr_pool_t *tmp)
{
    wa_shared_t *s = store->shared;
    wa_checkpoint_t c;
    apr_status_t rv = wa_shared_trylock(&s->upkeep);

    memset(&c, 0, sizeof(c));
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (store->is_read_only || __atomic_load_n(&s->damaged, __ATOMIC_SEQ_CST)) {
        wa_shared_unlock(&s->upkeep);
        return APR_EBUSY; /* what would be written may be wrong, or is not ours to write */
    }
    rv = wa_commit_sync(&store->writer, 1);
    if (rv == APR_SUCCESS && !wa_dbm_directory_is_ours(store)) {
        rv = APR_ENOENT;
        WA_LOG(store->log, WA_LOG_ERR, "WA0442", rv,
               "%s was moved or replaced while the server used it: no checkpoint is written there",
               store->place.directory);
    }
    if (rv == APR_SUCCESS) {
        rv = wa_replica_catch_up(&store->replica, s);
    }
    if (rv == APR_SUCCESS) {
        c.number = checkpoint_number_next(store, tmp);
        rv = wa_checkpoint_write(&c, &store->place, &store->replica, tmp);
    }
    if (rv == APR_SUCCESS) {
        s->checkpoint_number = c.number;
        __atomic_store_n(&s->checkpoint_offset, c.at.offset, __ATOMIC_RELEASE);
    }
    __atomic_store_n(&s->checkpoint_failed_us, rv == APR_SUCCESS ? 0 : wa_clock_steady_us(),
                     __ATOMIC_RELAXED);
    if (__atomic_load_n(&s->damaged, __ATOMIC_SEQ_CST)) {
        wa_checkpoint_forget(&store->place); /* damage was found meanwhile */
    }
    wa_shared_unlock(&s->upkeep);
    return rv;
}

apr_status_t wa_dbm_maintain(wa_store_t *self, apr_pool_t *tmp)
{
    wa_dbm_store_t *store = WA_DBM_STORE(self);
    apr_uint64_t visible = __atomic_load_n(&store->shared->visible, __ATOMIC_ACQUIRE);
    apr_uint64_t grown =
        visible - __atomic_load_n(&store->shared->checkpoint_offset, __ATOMIC_ACQUIRE);
    apr_uint64_t due =
        visible / CHECKPOINT_PART > CHECKPOINT_BYTES ? visible / CHECKPOINT_PART : CHECKPOINT_BYTES;
    apr_time_t now = wa_clock_steady_us();
    apr_time_t failed_at = __atomic_load_n(&store->shared->checkpoint_failed_us, __ATOMIC_RELAXED);
    /* Who appended what is not visible yet may have died before its sync: nobody else would make
     * one until the next commit. */
    int is_left = wa_shared_tail(store->shared).offset > visible
                  && !__atomic_load_n(&store->shared->failed, __ATOMIC_SEQ_CST);
    apr_status_t rv;

    if (store->is_read_only) {
        return APR_SUCCESS;
    }
    rv = wa_commit_sync(&store->writer, is_left);
    if (rv == APR_SUCCESS) {
        rv = wa_commit_follow(&store->writer);
    }
    /* Who made it visible may have died before it could wake who waits for it. */
    if (store->news_told_end != visible) {
        store->news_told_end = visible;
        wa_shared_news_tell(store->shared);
    }

    if (store->checked_at == 0 || grown == 0) {
        store->checked_at = now;
    }
    if (rv == APR_SUCCESS && (!failed_at || now - failed_at >= CHECKPOINT_PAUSE)
        && (grown >= due || (grown && now - store->checked_at >= CHECKPOINT_AFTER))) {
        store->checked_at = now;
        rv = wa_dbm_checkpoint(store, tmp);
    }
    wa_dbm_ahead_log(store, 0, tmp);
    return APR_STATUS_IS_EBUSY(rv) ? APR_SUCCESS : rv;
}
