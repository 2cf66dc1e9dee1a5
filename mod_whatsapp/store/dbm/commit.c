/* SPDX-License-Identifier: Apache-2.0 */
/* Appends records under the shared lock, checks them against what came in between, and lets one sync serve all who wait. */
#include "store/dbm/commit.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include <apr_time.h>

#include "base/clock.h"

/* The journal's file grows by these steps; the smaller ones are for a disk that is nearly full. */
static const apr_uint64_t reserve_steps[] = {(apr_uint64_t)16 << 20, (apr_uint64_t)1 << 20,
                                             (apr_uint64_t)64 << 10, 0};

/* How long a look at the clock is from the next while a millisecond ends. */
#define CLOSE_PAUSE ((apr_interval_time_t)100)

/* An answer to a poll holds a millisecond whole: this bounds it. */
#define SAME_MS_MAX 500u

/* What is allocated is written with zeros by portions of this size. */
#define PREPARE_STEP ((apr_uint64_t)1 << 20)

static apr_status_t zeros_write(int fd, apr_uint64_t offset, apr_uint64_t end)
{
    static const char zeros[65536];
    apr_status_t rv = APR_SUCCESS;

    while (rv == APR_SUCCESS && offset < end) {
        apr_size_t n = end - offset < sizeof(zeros) ? (apr_size_t)(end - offset) : sizeof(zeros);

        rv = wa_file_write(fd, zeros, n, offset);
        offset += n;
    }
    return rv;
}

/* Allocates the journal's file up to `end` or further. */
static apr_status_t journal_allocate(wa_log_writer_t *w, apr_uint64_t end, apr_uint64_t *psize)
{
    apr_status_t rv = wa_journal_size(w->journal, psize);
    apr_size_t i;

    for (i = 0; end > *psize && i < sizeof(reserve_steps) / sizeof(reserve_steps[0]); i++) {
        apr_uint64_t to = end + reserve_steps[i];

        rv = wa_file_allocate(w->journal->map.fd, w->shared->reserved_end, to);
        if (rv == APR_SUCCESS) {
            *psize = to;
        }
    }
    return rv;
}

/* Makes room up to `end`. A block that was only allocated costs its first sync a second write, of the file system's own notes that it
 * holds data now; zeros that are on the disk already spare that, a portion at a time: a third of a sync's time. */
static apr_status_t journal_reserve(wa_log_writer_t *w, apr_uint64_t end)
{
    wa_shared_t *s = w->shared;
    int fd = w->journal->map.fd;
    apr_uint64_t size, to;
    apr_status_t rv;

    if (end <= s->reserved_end) {
        return APR_SUCCESS;
    }
    rv = journal_allocate(w, end, &size);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    to = size;
    if (w->sync == WA_SYNC_ALWAYS) {
        to = end + PREPARE_STEP < size ? end + PREPARE_STEP : size;
        rv = zeros_write(fd, s->reserved_end, to);
        /* Whether it succeeds is of no interest: what these blocks will hold is synced when it is there. */
        (void)sync_file_range(fd, (off_t)s->reserved_end, (off_t)(to - s->reserved_end),
                              SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
    }
    if (rv == APR_SUCCESS) {
        s->reserved_end = to;
    }
    return rv;
}

/* The end of the first record after `base` that touches what `record` touches, 0 when none does. */
static apr_uint64_t conflict_find(wa_log_writer_t *w, const wa_record_t *record, apr_uint64_t base,
                                  apr_uint64_t end)
{
    while (base < end) {
        const wa_record_t *r = wa_journal_record(w->journal, base, end);
        int i, k;

        if (!r) {
            return end;
        }
        base += r->length;
        for (i = 0; i < WA_RECORD_TOUCHES; i++) {
            for (k = 0; k < WA_RECORD_TOUCHES; k++) {
                if (record->touch[i] && record->touch[i] == r->touch[k]) {
                    return base;
                }
            }
        }
    }
    return 0;
}

/* A holder died in here: what it may have written after the published end was never answered for. It is wiped, so that it cannot be taken for a record later. */
static apr_status_t tail_wipe(wa_log_writer_t *w)
{
    apr_uint64_t offset = wa_shared_tail(w->shared).offset;
    apr_uint64_t end = offset + WA_RECORD_MAX < w->shared->reserved_end ? offset + WA_RECORD_MAX
                                                                        : w->shared->reserved_end;

    return zeros_write(w->journal->map.fd, offset, end);
}

static void fail_stop(wa_log_writer_t *w)
{
    if (!__atomic_exchange_n(&w->shared->failed, 1, __ATOMIC_SEQ_CST)) {
        WA_LOG(w->log, WA_LOG_ERR, "WA0411", APR_FROM_OS_ERROR(errno),
               "%s cannot be synced to the disk; nothing more is written until the server is "
               "restarted, reading goes on",
               w->journal->path);
    }
}

static void space_log(wa_log_writer_t *w, apr_status_t rv)
{
    static apr_int64_t last_ms;
    apr_int64_t now = wa_clock_steady_us() / 1000;
    apr_int64_t last = __atomic_load_n(&last_ms, __ATOMIC_RELAXED);

    if ((!last || now - last >= 1000)
        && __atomic_compare_exchange_n(&last_ms, &last, now, 0, __ATOMIC_RELAXED,
                                       __ATOMIC_RELAXED)) {
        WA_LOG(w->log, WA_LOG_ERR, "WA0412", rv,
               "%s cannot grow: no space, or not writable; messages are refused until it can",
               w->journal->path);
    }
}

/* Raises `visible`, which never goes back: under WA_SYNC_INTERVAL and WA_SYNC_OFF writers raise it while another process syncs. */
static void visible_raise(wa_shared_t *s, apr_uint64_t end)
{
    apr_uint64_t now = __atomic_load_n(&s->visible, __ATOMIC_ACQUIRE);

    while (now < end
           && !__atomic_compare_exchange_n(&s->visible, &now, end, 0, __ATOMIC_SEQ_CST,
                                           __ATOMIC_ACQUIRE)) {
        continue;
    }
}

/* The earliest time that the next record may have: that of the last one, unless somebody was told that nothing comes
 * at that time any more. */
static apr_int64_t time_least(const wa_shared_t *s, const wa_tail_t *tail)
{
    const apr_int64_t closed = __atomic_load_n(&s->closed_ms, __ATOMIC_ACQUIRE);

    if (closed >= tail->timestamp_ms) {
        return closed + 1;
    }
    return tail->timestamp_ms + (tail->same_ms >= SAME_MS_MAX);
}

static apr_status_t append_locked(wa_log_writer_t *w, wa_record_t *record, wa_commit_t *commit)
{
    wa_tail_t tail = wa_shared_tail(w->shared);
    apr_int64_t now = wa_clock_now_ms();
    const int is_given = commit->timestamp_ms != 0;
    apr_uint64_t conflict;
    apr_int64_t least;
    apr_status_t rv;

    if (__atomic_load_n(&w->shared->failed, __ATOMIC_SEQ_CST)) {
        return APR_TIMEUP;
    }
    conflict = conflict_find(w, record, commit->base, tail.offset);
    if (conflict) {
        commit->end = conflict;
        return APR_EAGAIN;
    }
    least = time_least(w->shared, &tail);
    if (commit->timestamp_ms
        && (commit->timestamp_ms < tail.timestamp_ms
            || commit->timestamp_ms <= w->shared->closed_ms)) {
        return APR_EINVAL;
    }
    if (!commit->timestamp_ms) {
        commit->timestamp_ms = now > least ? now : least;
    }
    if (!wa_record_time_is_valid(commit->timestamp_ms)) {
        WA_LOG(w->log, WA_LOG_ERR, "WA0451", APR_SUCCESS,
               "%s: no record can have the time %" APR_INT64_T_FMT
               ": the clock, or the time of the last record, is wrong; nothing can be stored",
               w->journal->path, commit->timestamp_ms);
        return APR_EGENERAL;
    }
    rv = journal_reserve(w, tail.offset + record->length);
    if (rv == APR_SUCCESS) {
        rv = wa_index_reserve(w->index, tail.rows + 1, tail.records + 1, tail.keys + commit->keys);
    }
    if (rv != APR_SUCCESS) {
        space_log(w, rv);
        return APR_STATUS_IS_ENOSPC(rv) || APR_STATUS_IS_EACCES(rv) || rv == EROFS || rv == EDQUOT
                   ? APR_ENOSPC
                   : APR_EGENERAL;
    }
    if (record->type == WA_RECORD_MESSAGE) {
        record->row = commit->row = ++tail.rows;
    }
    record->magic = WA_RECORD_MAGIC;
    record->prev_crc = tail.crc;
    record->timestamp_ms = commit->timestamp_ms;
    wa_record_date_set(record, is_given ? commit->timestamp_ms : now);
    record->number = ++tail.records;
    record->header_crc = wa_record_header_crc(record, tail.offset, w->journal->salt);
    rv = wa_file_write(w->journal->map.fd, record, record->length, tail.offset);
    if (rv != APR_SUCCESS) {
        space_log(w, rv);
        tail_wipe(w);
        return APR_ENOSPC;
    }
    tail.offset += record->length;
    tail.same_ms = record->timestamp_ms == tail.timestamp_ms ? tail.same_ms + 1 : 0;
    tail.timestamp_ms = record->timestamp_ms;
    tail.crc = record->header_crc;
    tail.keys += commit->keys;
    commit->end = tail.offset;
    wa_shared_tail_set(w->shared, &tail);
    if (w->sync != WA_SYNC_ALWAYS) {
        visible_raise(w->shared, tail.offset);
    }
    return APR_SUCCESS;
}

/* Takes the lock of the journal's end, and tidies up after a holder that died. The caller unlocks it where this is
 * APR_SUCCESS. */
static apr_status_t append_lock(wa_log_writer_t *w)
{
    int holder_died;
    apr_status_t rv = wa_shared_lock(&w->shared->append, &holder_died);

    if (rv == APR_SUCCESS && holder_died) {
        rv = tail_wipe(w);
        WA_LOG(w->log, WA_LOG_NOTICE, "WA0410", rv,
               "%s: a process died while it wrote; its unfinished record was wiped",
               w->journal->path);
        if (rv != APR_SUCCESS) {
            wa_shared_unlock(&w->shared->append);
        }
    }
    return rv;
}

apr_status_t wa_commit_append(wa_log_writer_t *w, wa_record_t *record, wa_commit_t *commit)
{
    apr_status_t rv = append_lock(w);

    if (rv == APR_SUCCESS) {
        rv = append_locked(w, record, commit);
        wa_shared_unlock(&w->shared->append);
        if (rv == APR_SUCCESS && w->sync != WA_SYNC_ALWAYS) {
            wa_shared_news_tell(w->shared);
        }
    }
    return rv;
}

apr_status_t wa_commit_time_close(wa_log_writer_t *w, apr_int64_t timestamp_ms, apr_uint64_t *pend)
{
    wa_shared_t *s = w->shared;
    apr_status_t rv;

    *pend = 0;
    if (__atomic_load_n(&s->closed_ms, __ATOMIC_ACQUIRE) >= timestamp_ms) {
        *pend = wa_shared_tail(s).offset;
        return APR_SUCCESS;
    }
    while (wa_clock_now_ms() == timestamp_ms) {
        apr_sleep(CLOSE_PAUSE);
    }
    rv = append_lock(w);
    if (rv == APR_SUCCESS) {
        if (s->closed_ms < timestamp_ms) {
            __atomic_store_n(&s->closed_ms, timestamp_ms, __ATOMIC_RELEASE);
        }
        *pend = wa_shared_tail(s).offset;
        wa_shared_unlock(&s->append);
    }
    return rv;
}

/* After a failed sync nobody knows what is on the disk. What nobody was told to be stored is cut, so that it does not come back later. */
static void unsynced_cut(wa_log_writer_t *w)
{
    wa_shared_t *s = w->shared;

    fail_stop(w);
    if (wa_shared_lock(&s->append, NULL) == APR_SUCCESS) {
        if (w->sync == WA_SYNC_ALWAYS) {
            wa_journal_cut(w->journal, s->visible);
            s->reserved_end = s->visible;
        }
        wa_shared_unlock(&s->append);
    }
}

/* Wakes those whose records the sync that just ended covers, and one of those that it came too early for: that one leads the next sync. */
static void sync_announce(wa_shared_t *s)
{
    apr_uint32_t batch = __atomic_load_n(&s->batch, __ATOMIC_ACQUIRE);

    wa_shared_wake(&s->batch_ended[batch & 1], INT_MAX);
    wa_shared_wake(&s->batch_ended[(batch + 1) & 1], 1);
    wa_shared_news_tell(s);
}

/* The caller holds `sync`. */
static apr_status_t sync_locked(wa_log_writer_t *w)
{
    wa_shared_t *s = w->shared;
    apr_uint64_t end = wa_shared_tail(s).offset;

    /* After a failed sync the kernel calls the lost pages clean: another one would succeed and say nothing. */
    if (__atomic_load_n(&s->failed, __ATOMIC_SEQ_CST)) {
        return APR_TIMEUP;
    }
    if (__atomic_load_n(&s->synced, __ATOMIC_ACQUIRE) < end) {
        __atomic_add_fetch(&s->batch, 1, __ATOMIC_SEQ_CST);
        __atomic_store_n(&s->batch_end, end, __ATOMIC_SEQ_CST);
        if (fdatasync(w->journal->map.fd)) {
            unsynced_cut(w);
            return APR_TIMEUP;
        }
        __atomic_store_n(&s->synced, end, __ATOMIC_RELEASE);
    }
    /* Also where a process died between these two steps: nobody else would show what it synced. */
    visible_raise(s, end);
    return APR_SUCCESS;
}

/* The word that changes when the sync ends that covers the journal up to `end`: the one that runs, or the next. */
static apr_uint32_t *batch_word(wa_shared_t *s, apr_uint64_t end)
{
    apr_uint32_t batch;
    int is_covered;

    do {
        batch = __atomic_load_n(&s->batch, __ATOMIC_SEQ_CST);
        is_covered = __atomic_load_n(&s->batch_end, __ATOMIC_SEQ_CST) >= end;
    } while (batch != __atomic_load_n(&s->batch, __ATOMIC_SEQ_CST));
    return &s->batch_ended[(batch + !is_covered) & 1];
}

apr_status_t wa_commit_wait(wa_log_writer_t *w, apr_uint64_t end)
{
    wa_shared_t *s = w->shared;

    if (w->sync == WA_SYNC_INTERVAL) {
        (void)wa_commit_sync(w,
                             0); /* this record is visible already; a failure stops the next ones */
        return APR_SUCCESS;
    }
    for (;;) {
        apr_uint32_t *word = batch_word(s, end);
        apr_uint32_t value = __atomic_load_n(word, __ATOMIC_SEQ_CST);
        apr_status_t rv;

        /* Visible is not yet durable while an older generation of this server, that does not sync always, writes too. */
        if (__atomic_load_n(&s->visible, __ATOMIC_SEQ_CST) >= end
            && (w->sync != WA_SYNC_ALWAYS
                || __atomic_load_n(&s->synced, __ATOMIC_ACQUIRE) >= end)) {
            return APR_SUCCESS;
        }
        if (__atomic_load_n(&s->failed, __ATOMIC_SEQ_CST)) {
            return APR_TIMEUP;
        }
        rv = wa_shared_trylock(&s->sync);
        if (rv == APR_SUCCESS) {
            rv = sync_locked(w);
            wa_shared_unlock(&s->sync);
            sync_announce(s);
        } else if (APR_STATUS_IS_EBUSY(rv)) {
            wa_shared_wait(word, value);
        } else {
            return rv;
        }
    }
}

apr_status_t wa_commit_sync(wa_log_writer_t *w, int now)
{
    wa_shared_t *s = w->shared;
    apr_time_t time = wa_clock_steady_us();
    apr_status_t rv;

    if (!now
        && (w->sync != WA_SYNC_INTERVAL
            || time - __atomic_load_n(&s->synced_at_us, __ATOMIC_RELAXED) < w->sync_interval)) {
        return APR_SUCCESS;
    }
    if (__atomic_load_n(&s->failed, __ATOMIC_SEQ_CST)) {
        return APR_TIMEUP;
    }
    rv = wa_shared_lock(&s->sync, NULL);
    if (rv == APR_SUCCESS) {
        rv = sync_locked(w);
        __atomic_store_n(&s->synced_at_us, time, __ATOMIC_RELAXED);
        wa_shared_unlock(&s->sync);
        sync_announce(s);
    }
    return rv;
}
