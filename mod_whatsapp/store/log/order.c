/* SPDX-License-Identifier: Apache-2.0 */
/* Puts records in order under the lock `append`: checks against what came in between, times,
 * numbers, and the journal's end. */
#include "store/log/order.h"

#include <string.h>

#include <apr_time.h>

#include "base/clock.h"

/* How long a look at the clock is from the next while a millisecond ends. */
#define CLOSE_PAUSE ((apr_interval_time_t)100)

/* An answer to a poll holds a millisecond whole: this bounds it. */
#define SAME_MS_MAX 500u

int wa_order_is_shown_at_once(const wa_log_writer_t *w)
{
    return w->sync != WA_SYNC_ALWAYS && !w->backend->ops->has_others;
}

void wa_order_show(wa_shared_t *s, apr_uint64_t end)
{
    apr_uint64_t now = __atomic_load_n(&s->visible, __ATOMIC_ACQUIRE);

    while (now < end
           && !__atomic_compare_exchange_n(&s->visible, &now, end, 0, __ATOMIC_SEQ_CST,
                                           __ATOMIC_ACQUIRE)) {
        continue;
    }
}

/* ---- the lock, and what a holder leaves that died ---- */

/* Brings to its end what `wipe_end` and `is_withdrawing` say was begun. The caller holds
 * `append`. */
static apr_status_t end_restore(wa_log_writer_t *w)
{
    wa_shared_t *s = w->shared;
    apr_status_t rv;

    if (s->is_withdrawing) {
        const wa_tail_t durable = wa_shared_durable(s);

        wa_shared_tail_set(s, &durable);
        __atomic_store_n(&s->is_withdrawing, 0, __ATOMIC_SEQ_CST);
    }
    rv = w->backend->ops->wipe(w->backend, wa_shared_tail(s).offset, s->wipe_end);
    if (rv == APR_SUCCESS) {
        __atomic_store_n(&s->wipe_end, 0, __ATOMIC_SEQ_CST);
    }
    return rv;
}

/* Takes the lock of the journal's end, and tidies up after a holder that died: what it may have
 * written after the published end was never answered for, and must not be taken for a record later.
 * The caller unlocks it where this is APR_SUCCESS. */
static apr_status_t append_lock(wa_log_writer_t *w)
{
    wa_shared_t *s = w->shared;
    int holder_died;
    apr_status_t rv = wa_shared_lock(&s->append, &holder_died);

    if (rv == APR_SUCCESS && holder_died && !s->wipe_end) {
        s->wipe_end = wa_shared_tail(s).offset + WA_RECORD_MAX;
    }
    if (rv == APR_SUCCESS && s->wipe_end) {
        rv = end_restore(w);
        WA_LOG(w->log, WA_LOG_NOTICE, "WA0410", rv,
               "%s: a process died while it wrote; its unfinished record was wiped",
               w->journal->path);
        if (rv != APR_SUCCESS) {
            wa_shared_unlock(&s->append);
        }
    }
    return rv;
}

/* ---- appending ---- */

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
        for (i = 0; i < WA_RECORD_CONFLICTS; i++) {
            for (k = 0; k < WA_RECORD_CONFLICTS; k++) {
                if (record->conflicts[i] && record->conflicts[i] == r->conflicts[k]) {
                    return base;
                }
            }
        }
    }
    return 0;
}

/* No record gets this time any more: somebody was told that nothing comes at it, or a batch ended
 * at it that others may know. */
static apr_int64_t time_over(const wa_shared_t *s)
{
    const apr_int64_t closed = __atomic_load_n(&s->closed_ms, __ATOMIC_ACQUIRE);

    return closed > s->batched_ms ? closed : s->batched_ms;
}

/* The earliest time that the next record may have: that of the last one, unless that is over. */
static apr_int64_t time_least(const wa_shared_t *s, const wa_tail_t *tail)
{
    const apr_int64_t closed = time_over(s);

    if (closed >= tail->timestamp_ms) {
        return closed + 1;
    }
    return tail->timestamp_ms + (tail->same_ms >= SAME_MS_MAX);
}

/* Where one more record comes, which makes that many keys. */
static apr_status_t room_make(wa_log_writer_t *w, const wa_tail_t *tail, unsigned keys)
{
    wa_tail_t next = *tail;
    apr_status_t rv;

    next.rows++;
    next.records++;
    next.keys += keys;
    rv = w->reserve(w->view, &next);
    return rv == APR_SUCCESS ? rv : wa_journal_refuse(w->journal, rv);
}

/* @param keys  how many keys the record makes */
static apr_status_t append_locked(wa_log_writer_t *w, wa_record_t *record, unsigned keys,
                                  wa_commit_t *commit)
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
            || commit->timestamp_ms <= time_over(w->shared))) {
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
    rv = room_make(w, &tail, keys);
    if (rv != APR_SUCCESS) {
        return rv;
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
    rv = w->backend->ops->append(w->backend, wa_slice_make((const char *)record, record->length),
                                 tail.offset);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    tail.offset += record->length;
    tail.same_ms = record->timestamp_ms == tail.timestamp_ms ? tail.same_ms + 1 : 0;
    tail.timestamp_ms = record->timestamp_ms;
    tail.crc = record->header_crc;
    tail.keys += keys;
    commit->end = tail.offset;
    commit->record = record;
    wa_shared_tail_set(w->shared, &tail);
    if (wa_order_is_shown_at_once(w)) {
        wa_order_show(w->shared, tail.offset);
    }
    return APR_SUCCESS;
}

apr_status_t wa_order_append(wa_log_writer_t *w, wa_record_t *record, wa_commit_t *commit)
{
    wa_record_keys_t keys;
    apr_status_t rv = wa_record_keys_read(record, &keys);

    commit->record = NULL;
    if (rv == APR_SUCCESS) {
        rv = append_lock(w);
    }
    if (rv == APR_SUCCESS) {
        commit->withdrawals = __atomic_load_n(&w->shared->withdrawals, __ATOMIC_SEQ_CST);
        commit->doubts = __atomic_load_n(&w->shared->doubts, __ATOMIC_SEQ_CST);
        rv = append_locked(w, record, keys.made, commit);
        wa_shared_unlock(&w->shared->append);
        if (rv == APR_SUCCESS && wa_order_is_shown_at_once(w)) {
            wa_shared_news_tell(w->shared);
        }
    }
    return rv;
}

/* ---- times that are over ---- */

/* The caller holds `append`. */
static void batched_raise(wa_shared_t *s, apr_int64_t timestamp_ms)
{
    if (s->batched_ms < timestamp_ms) {
        s->batched_ms = timestamp_ms;
    }
}

apr_status_t wa_order_time_close(wa_log_writer_t *w, apr_int64_t timestamp_ms, apr_uint64_t *pend)
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

apr_status_t wa_order_batch_end(wa_log_writer_t *w, wa_tail_t *pend)
{
    apr_status_t rv;

    if (!w->backend->ops->has_others) {
        *pend = wa_shared_tail(w->shared);
        return APR_SUCCESS;
    }
    rv = append_lock(w);
    if (rv == APR_SUCCESS) {
        *pend = wa_shared_tail(w->shared);
        batched_raise(w->shared, pend->timestamp_ms);
        wa_shared_unlock(&w->shared->append);
    }
    return rv;
}

/* ---- what the log did not take, and what it has from others ---- */

/* Each step is one store: who dies between two leaves the rest to the next that takes the lock. */
static apr_status_t withdraw_locked(wa_log_writer_t *w, apr_status_t why)
{
    wa_shared_t *s = w->shared;
    const apr_uint64_t end = wa_shared_tail(s).offset;

    if (end == wa_shared_durable(s).offset) {
        return APR_SUCCESS;
    }
    __atomic_store_n(&s->wipe_end, end, __ATOMIC_SEQ_CST);
    __atomic_store_n(&s->withdrawn_why, why, __ATOMIC_SEQ_CST);
    __atomic_store_n(&s->is_withdrawing, 1, __ATOMIC_SEQ_CST);
    __atomic_add_fetch(&s->withdrawals, 1, __ATOMIC_SEQ_CST);
    return end_restore(w);
}

apr_status_t wa_order_withdraw(wa_log_writer_t *w, apr_status_t why)
{
    apr_status_t rv = append_lock(w);

    if (rv == APR_SUCCESS) {
        rv = withdraw_locked(w, why);
        wa_shared_unlock(&w->shared->append);
    }
    return rv;
}

/* Checks that these are the records that come next, and moves *tail behind them. */
static apr_status_t records_follow(const wa_log_writer_t *w, wa_slice_t records, wa_tail_t *tail)
{
    apr_size_t at = 0;

    while (at < records.len) {
        const wa_record_t *r = (const void *)(records.ptr + at);
        const wa_record_chain_t chain = {tail->records, tail->rows, tail->crc, 0};
        wa_record_keys_t keys;

        if (!wa_record_header_is_valid(r, records.len - at, tail->offset, w->journal->salt)
            || !wa_record_payload_is_valid(r) || wa_record_keys_read(r, &keys) != APR_SUCCESS
            || r->type == WA_RECORD_FILLER || !wa_record_is_next(&chain, r)
            || r->timestamp_ms < tail->timestamp_ms
            || r->timestamp_ms <= __atomic_load_n(&w->shared->closed_ms, __ATOMIC_ACQUIRE)
            || (r->type == WA_RECORD_MESSAGE && r->row != tail->rows + 1)) {
            return APR_EGENERAL;
        }
        tail->same_ms = r->timestamp_ms == tail->timestamp_ms ? tail->same_ms + 1 : 0;
        tail->timestamp_ms = r->timestamp_ms;
        tail->records = r->number;
        tail->rows += r->type == WA_RECORD_MESSAGE;
        tail->keys += keys.made;
        tail->crc = r->header_crc;
        tail->offset += r->length;
        at += r->length;
    }
    return APR_SUCCESS;
}

static apr_status_t adopt_locked(wa_log_writer_t *w, wa_slice_t records)
{
    wa_shared_t *s = w->shared;
    const apr_uint64_t offset = wa_shared_tail(s).offset;
    wa_tail_t tail = wa_shared_tail(s);
    apr_status_t rv = records_follow(w, records, &tail);

    if (rv != APR_SUCCESS) {
        WA_LOG(w->log, WA_LOG_ERR, "WA0457", rv,
               "%s: what others wrote behind byte %" APR_UINT64_T_FMT
               " of the log cannot come there: it is another history",
               w->journal->path, offset);
        return rv;
    }
    rv = room_make(w, &tail, 0);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    __atomic_store_n(&s->wipe_end, tail.offset, __ATOMIC_SEQ_CST);
    rv = w->backend->ops->append(w->backend, records, offset);
    if (rv == APR_SUCCESS) {
        wa_shared_tail_set(s, &tail);
        wa_shared_durable_set(s, &tail);
        __atomic_store_n(&s->synced, tail.offset, __ATOMIC_RELEASE);
        batched_raise(s, tail.timestamp_ms);
    }
    __atomic_store_n(&s->wipe_end, 0, __ATOMIC_SEQ_CST);
    if (rv == APR_SUCCESS) {
        wa_order_show(s, tail.offset);
    }
    return rv;
}

apr_status_t wa_order_adopt(wa_log_writer_t *w, wa_slice_t records)
{
    apr_status_t rv = append_lock(w);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = withdraw_locked(w, APR_EAGAIN);
    if (rv == APR_SUCCESS) {
        rv = adopt_locked(w, records);
    }
    wa_shared_unlock(&w->shared->append);
    return rv;
}

/* ---- the end ---- */

void wa_order_stop(wa_log_writer_t *w, apr_status_t why)
{
    wa_shared_t *s = w->shared;

    if (!__atomic_exchange_n(&s->failed, 1, __ATOMIC_SEQ_CST)) {
        WA_LOG(w->log, WA_LOG_ERR, "WA0411", why,
               "%s cannot be synced to the disk; nothing more is written until the server is "
               "restarted, reading goes on",
               w->journal->path);
    }
    if (wa_shared_lock(&s->append, NULL) == APR_SUCCESS) {
        if (!wa_order_is_shown_at_once(w)) {
            (void)w->backend->ops->cut(w->backend, s->visible);
        }
        wa_shared_unlock(&s->append);
    }
}

void wa_order_trim(wa_log_writer_t *w, apr_uint64_t end)
{
    wa_shared_t *s = w->shared;

    if (append_lock(w) == APR_SUCCESS) {
        if (!__atomic_load_n(&s->failed, __ATOMIC_SEQ_CST) && wa_shared_tail(s).offset == end) {
            (void)w->backend->ops->cut(w->backend, end);
        }
        wa_shared_unlock(&s->append);
    }
}
