/* SPDX-License-Identifier: Apache-2.0 */
/* All that the processes of one store share in memory, and its locks that survive the death of
 * their holder. */
#ifndef WA_STORE_LOG_SHARED_H
#define WA_STORE_LOG_SHARED_H

#include <pthread.h>

#include <apr_errno.h>
#include <apr_pools.h>
#include <apr_time.h>

/* Of the struct below and of the index files, which all processes of a server write together: a
 * change of either is a new number here. */
#define WA_SHARED_LAYOUT 8u

/* Where the journal ends and what its last record was. */
typedef struct wa_tail_t {
    /* the end of the last record */
    apr_uint64_t offset;
    /* of the last record, 0 for none */
    apr_int64_t timestamp_ms;
    /* how many there are: the last one's number */
    apr_uint64_t records;
    /* how many messages there are: the last one's row */
    apr_uint64_t rows;
    /* how many keys were given out (index.h) */
    apr_uint64_t keys;
    /* the last record's header_crc */
    apr_uint32_t crc;
    /* how many records before the last one have its time, as far as this server gave it */
    apr_uint32_t same_ms;
} wa_tail_t;

/* In memory without a name (memfd_create), which the server's processes inherit. Rules:
 * - `tails` is written only under `append`, always the unused one, then `tail_current` is flipped
 *   by one store: a writer killed anywhere leaves the old tail or the new one, never a mixture.
 * - `visible` only grows (but when a failed sync cuts the journal, and then only what nobody saw is
 *     cut).
 * - `durable` is written only under `sync`, in the same way. `visible` is not beyond it but under
 *     WA_SYNC_INTERVAL and WA_SYNC_OFF.
 * - The tail goes back only where the log refused a batch (backend.h), to `durable`: whoever
 *   waits for what was behind that sees that `withdrawals` is another number.
 * - `failed` once set stays set until the store is opened anew. */
typedef struct wa_shared_t {
    apr_uint32_t layout;
    /* atomic: counts; its lowest bit says which tail holds */
    apr_uint32_t tail_current;
    wa_tail_t tails[2];
    /* atomic: like tail_current */
    apr_uint32_t durable_current;
    /* the end of what is durable */
    wa_tail_t durables[2];
    /* robust: who may write at the journal's end */
    pthread_mutex_t append;
    /* robust: who syncs for all */
    pthread_mutex_t sync;
    /* robust: who makes a checkpoint */
    pthread_mutex_t upkeep;
    /* the journal's file is ready to be written up to here; under `append` */
    apr_uint64_t reserved_end;
    /* behind the tail, up to here, there may be what was never durable; under `append` */
    apr_uint64_t wipe_end;
    /* where others append too: the last batch ends at this time, no later one gets it; under
     * `append` */
    apr_int64_t batched_ms;
    /* 1: the tail goes back to `durable` first; under `append` */
    apr_uint32_t is_withdrawing;
    /* atomic: an apr_status_t, what those are told who wait for it */
    apr_int32_t withdrawn_why;
    /* atomic: a sync failed, nothing is written any more */
    apr_uint32_t failed;
    /* atomic: damage was found, no checkpoint may be written any more */
    apr_uint32_t damaged;
    /* atomic: the journal up to here is in the newest checkpoint */
    apr_uint64_t checkpoint_offset;
    /* of that checkpoint; under `upkeep` */
    apr_uint64_t checkpoint_number;
    /* atomic: when the last try at a checkpoint failed (wa_clock_steady_us), 0: it did not */
    apr_int64_t checkpoint_failed_us;
    /* atomic: when it was logged that the store's time is ahead of the clock (wa_clock_steady_us),
     * 0: never */
    apr_int64_t ahead_logged_us;
    /* atomic: when the last sync under WA_SYNC_INTERVAL ended */
    apr_int64_t synced_at_us;
    /* atomic: the journal up to here is on the disk */
    apr_uint64_t synced;
    /* what follows is read by every request and written by every commit */
    char separate_line[64];
    /* atomic: readers see the journal up to here */
    apr_uint64_t visible;
    /* atomic, written under `append`, only grows: no record gets this time, or an earlier one, any
     * more */
    apr_int64_t closed_ms;
    /* atomic: the sync that runs, or ran last, covers the journal up to here */
    apr_uint64_t batch_end;
    /* atomic: the number of that sync */
    apr_uint32_t batch;
    /* atomic: how often the tail went back */
    apr_uint32_t withdrawals;
    /* atomic: how often nobody could know whether a batch is durable */
    apr_uint32_t doubts;
    /* atomic: where the last such batch ends */
    apr_uint64_t doubt_end;
    /* atomic futex words: [n & 1] changes when sync n ended, and when sync n - 1 did */
    apr_uint32_t batch_ended[2];
    /* atomic futex word of who waits for `visible` to grow */
    apr_uint32_t news;
    /* atomic: the highest `visible` that anybody began to wait at, and the `visible` up to which
     * waiters were woken last. While the first is not below the second somebody may be asleep. */
    apr_uint64_t news_waited;
    apr_uint64_t news_told;
} wa_shared_t;

/* Makes *s new: locks free, tails at `tail`. Nobody else may use it meanwhile.
 * @return APR_SUCCESS | APR_EGENERAL */
apr_status_t wa_shared_init(wa_shared_t *s, const wa_tail_t *tail);

/* Takes a lock.
 * @param pholder_died  out: 1 when the holder before died with it. What it guards is then checked
 *     by the caller; the lock itself is sound again. May be NULL.
 * @return APR_SUCCESS | APR_EGENERAL. Any thread. */
apr_status_t wa_shared_lock(pthread_mutex_t *lock, int *pholder_died);

/* Takes a lock if nobody living has it.
 * @return APR_SUCCESS | APR_EBUSY | APR_EGENERAL. Any thread. */
apr_status_t wa_shared_trylock(pthread_mutex_t *lock);

/* Gives a lock back. Any thread that has it. */
void wa_shared_unlock(pthread_mutex_t *lock);

/* The journal's end as published last. Any thread. */
wa_tail_t wa_shared_tail(const wa_shared_t *s);

/* Publishes a new end. The caller holds `append`. */
void wa_shared_tail_set(wa_shared_t *s, const wa_tail_t *tail);

/* The end of what is durable. Any thread. */
wa_tail_t wa_shared_durable(const wa_shared_t *s);

/* Publishes a new one. The caller holds `sync`. */
void wa_shared_durable_set(wa_shared_t *s, const wa_tail_t *tail);

/* For who has raised `visible`: wakes those that wait for it, in all processes. Costs two reads
 * where nobody does. One who dies before it, or anywhere in it, leaves it to the next. Any
 * thread. */
void wa_shared_news_tell(wa_shared_t *s);

/* Sleeps while `visible` is `seen`, at most `limit`, unless s->news is not `news` any more. May
 * wake for no reason. Any thread. */
void wa_shared_news_wait(wa_shared_t *s, apr_uint32_t news, apr_uint64_t seen,
                         apr_interval_time_t limit);

/* Sleeps while *word is `value`, at most 20 ms. May wake for no reason. Any thread. */
void wa_shared_wait(const apr_uint32_t *word, apr_uint32_t value);

/* Changes *word and wakes at most `count` of those that sleep on it in any process. Any thread. */
void wa_shared_wake(apr_uint32_t *word, int count);

#endif
