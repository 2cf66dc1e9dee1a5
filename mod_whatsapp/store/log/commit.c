/* SPDX-License-Identifier: Apache-2.0 */
/* Lets one sync serve all who wait for what they appended, and tells them what became of it. */
#include "store/log/commit.h"

#include <limits.h>
#include <string.h>

#include "base/clock.h"

/* Wakes those whose records the sync that just ended covers, and one of those that it came too
 * early for: that one leads the next sync. */
/* @param rv  how it ended: where nothing was made durable all look again */
static void sync_announce(wa_shared_t *s, apr_status_t rv)
{
    apr_uint32_t batch = __atomic_load_n(&s->batch, __ATOMIC_ACQUIRE);

    wa_shared_wake(&s->batch_ended[batch & 1], INT_MAX);
    wa_shared_wake(&s->batch_ended[(batch + 1) & 1], rv == APR_SUCCESS ? 1 : INT_MAX);
    wa_shared_news_tell(s);
}

/* What others came first with takes the place of what was refused. The caller holds `sync`. */
static apr_status_t follow_locked(wa_log_writer_t *w)
{
    wa_slice_t records = {NULL, 0};
    apr_status_t rv =
        w->backend->ops->follow(w->backend, wa_shared_durable(w->shared).offset, &records);

    return rv == APR_SUCCESS && records.len ? wa_order_adopt(w, records) : rv;
}

/* The log did not make the journal durable up to `end`. The caller holds `sync`.
 * @return what its waiters are told, too */
static apr_status_t batch_fail(wa_log_writer_t *w, apr_uint64_t end, apr_status_t why)
{
    wa_shared_t *s = w->shared;
    apr_status_t rv;

    if (why == APR_INCOMPLETE) {
        __atomic_store_n(&s->doubt_end, end, __ATOMIC_SEQ_CST);
        __atomic_add_fetch(&s->doubts, 1, __ATOMIC_SEQ_CST);
        return why;
    }
    if (!APR_STATUS_IS_EAGAIN(why) && !APR_STATUS_IS_TIMEUP(why)) {
        wa_order_stop(w, why);
        return APR_TIMEUP;
    }
    rv = wa_order_withdraw(w, why);
    if (rv == APR_SUCCESS && APR_STATUS_IS_EAGAIN(why)) {
        (void)follow_locked(w); /* who tries again finds out whether it could be had */
    }
    return rv == APR_SUCCESS ? why : rv;
}

/* The caller holds `sync`. */
static apr_status_t sync_locked(wa_log_writer_t *w)
{
    wa_shared_t *s = w->shared;
    wa_tail_t end;
    apr_status_t rv = wa_order_batch_end(w, &end);

    /* After a failed sync the kernel calls the lost pages clean: another one would succeed and say
     * nothing. */
    if (__atomic_load_n(&s->failed, __ATOMIC_SEQ_CST)) {
        return APR_TIMEUP;
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (__atomic_load_n(&s->synced, __ATOMIC_ACQUIRE) < end.offset) {
        __atomic_add_fetch(&s->batch, 1, __ATOMIC_SEQ_CST);
        __atomic_store_n(&s->batch_end, end.offset, __ATOMIC_SEQ_CST);
        rv = w->backend->ops->harden(w->backend, wa_shared_durable(s).offset, end.offset);
        if (rv != APR_SUCCESS) {
            return batch_fail(w, end.offset, rv);
        }
        wa_shared_durable_set(s, &end);
        __atomic_store_n(&s->synced, end.offset, __ATOMIC_RELEASE);
    }
    /* Also where a process died between these two steps: nobody else would show what it synced. */
    wa_order_show(s, end.offset);
    return APR_SUCCESS;
}

/* The word that changes when the sync ends that covers the journal up to `end`: the one that runs,
 * or the next. */
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

/* 1 when what was appended stands where it was put. Where nothing was taken back since, it does. */
static int is_in_place(const wa_log_writer_t *w, const wa_commit_t *commit)
{
    const wa_record_t *mine = commit->record, *r;

    if (!mine
        || __atomic_load_n(&w->shared->withdrawals, __ATOMIC_SEQ_CST) == commit->withdrawals) {
        return 1;
    }
    r = wa_journal_record(w->journal, commit->end - mine->length, commit->end);
    return r && r->length == mine->length && memcmp(r, mine, mine->length) == 0;
}

/* What is known of it now. @return APR_EINPROGRESS nothing yet | what wa_commit_wait says */
static apr_status_t outcome_get(const wa_log_writer_t *w, const wa_commit_t *commit)
{
    const wa_shared_t *s = w->shared;
    /* These two before `visible`: what was taken back, or in doubt, before it was seen there is not
     * what is seen. */
    const int is_withdrawn =
        __atomic_load_n(&s->withdrawals, __ATOMIC_SEQ_CST) != commit->withdrawals;
    const int is_doubted = __atomic_load_n(&s->doubts, __ATOMIC_SEQ_CST) != commit->doubts
                           && __atomic_load_n(&s->doubt_end, __ATOMIC_SEQ_CST) >= commit->end;

    /* Visible is not yet durable while an older generation of this server, that does not sync
     * always, writes too. */
    if (__atomic_load_n(&s->visible, __ATOMIC_SEQ_CST) >= commit->end
        && (wa_order_is_shown_at_once(w)
            || __atomic_load_n(&s->synced, __ATOMIC_ACQUIRE) >= commit->end)) {
        return is_in_place(w, commit) ? APR_SUCCESS : APR_EAGAIN;
    }
    if (__atomic_load_n(&s->failed, __ATOMIC_SEQ_CST)) {
        return APR_TIMEUP;
    }
    if (is_withdrawn) {
        return __atomic_load_n(&s->withdrawn_why, __ATOMIC_SEQ_CST);
    }
    return is_doubted ? APR_INCOMPLETE : APR_EINPROGRESS;
}

apr_status_t wa_commit_wait(wa_log_writer_t *w, const wa_commit_t *commit)
{
    wa_shared_t *s = w->shared;

    if (w->sync == WA_SYNC_INTERVAL && wa_order_is_shown_at_once(w)) {
        (void)wa_commit_sync(w,
                             0); /* this record is visible already; a failure stops the next ones */
        return APR_SUCCESS;
    }
    for (;;) {
        apr_uint32_t *word = batch_word(s, commit->end);
        apr_uint32_t value = __atomic_load_n(word, __ATOMIC_SEQ_CST);
        apr_status_t rv = outcome_get(w, commit);

        if (rv != APR_EINPROGRESS) {
            return rv;
        }
        rv = wa_shared_trylock(&s->sync);
        if (rv == APR_SUCCESS) {
            rv = sync_locked(w);
            wa_shared_unlock(&s->sync);
            sync_announce(s, rv);
            if (rv != APR_SUCCESS) {
                rv = outcome_get(w, commit);
                return rv == APR_EINPROGRESS ? APR_INCOMPLETE : rv;
            }
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
        sync_announce(s, rv);
    }
    return APR_STATUS_IS_EAGAIN(rv) ? APR_SUCCESS : rv;
}

apr_status_t wa_commit_follow(wa_log_writer_t *w)
{
    wa_shared_t *s = w->shared;
    apr_status_t rv;

    if (!w->backend->ops->follow) {
        return APR_SUCCESS;
    }
    if (__atomic_load_n(&s->failed, __ATOMIC_SEQ_CST)) {
        return APR_TIMEUP;
    }
    rv = wa_shared_lock(&s->sync, NULL);
    if (rv == APR_SUCCESS) {
        rv = follow_locked(w);
        wa_shared_unlock(&s->sync);
        sync_announce(s, APR_EAGAIN);
    }
    return rv;
}
