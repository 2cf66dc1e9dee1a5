/* SPDX-License-Identifier: Apache-2.0 */
/* The order of records: who may append one, at which time, and what becomes of those that the log
 * did not take. */
#ifndef WA_STORE_LOG_ORDER_H
#define WA_STORE_LOG_ORDER_H

#include "store/log/journal.h"
#include "store/log/backend.h"
#include "store/log/shared.h"
#include "store/store.h"

/* What commits go through, in one process. */
typedef struct wa_log_writer_t {
    wa_log_backend_t *backend;
    wa_journal_t *journal;
    wa_shared_t *shared;
    /* Makes room for what is derived of the records up to that tail, so that applying them cannot
     * fail: called before a record is appended.
     * @return APR_SUCCESS | APR_ENOSPC | the operating system's status */
    apr_status_t (*reserve)(void *view, const wa_tail_t *tail);
    void *view;
    wa_sync_e sync;
    apr_interval_time_t sync_interval;
    const wa_log_t *log;
} wa_log_writer_t;

typedef struct wa_commit_t {
    /* in: the caller has checked its preconditions against the journal up to here */
    apr_uint64_t base;
    /* in: 0 or the time to keep; out: the record's time */
    apr_int64_t timestamp_ms;
    /* out: the record's end, or with APR_EAGAIN the end of the record that is in the way */
    apr_uint64_t end;
    /* out: of a message */
    apr_uint64_t row;
    /* out: what was appended, NULL with APR_EAGAIN */
    const wa_record_t *record;
    /* out: as they were in shared memory then */
    apr_uint32_t withdrawals;
    apr_uint32_t doubts;
} wa_commit_t;

/* 1 when readers see a record as soon as it is appended. Any thread. */
int wa_order_is_shown_at_once(const wa_log_writer_t *w);

/* Appends a record at the journal's end, unless one after `base` touches the same things
 * (record.conflicts): then the caller waits for that one by wa_commit_wait, checks again and tries
 * again.
 * @param record  stays as it is until wa_commit_wait returned
 * @return APR_SUCCESS appended, not yet durable | APR_EAGAIN see above | APR_TIMEUP writing has
 *         stopped after a failed sync | APR_ENOSPC no space (logged) | APR_EINVAL timestamp_ms is
 *         earlier than the newest, or closed | APR_EGENERAL (logged). Any thread. */
apr_status_t wa_order_append(wa_log_writer_t *w, wa_record_t *record, wa_commit_t *commit);

/* Sees to it that no record gets the time `timestamp_ms`, or an earlier one, any more. While the
 * clock still shows that millisecond it is waited for: closed earlier, each commit of a burst would
 * push the store's time ahead of the clock.
 * @param pend  out: all records up to that time are in the journal before this; not all of them
 *     need be visible yet
 * @return APR_SUCCESS | APR_EGENERAL. Any thread. */
apr_status_t wa_order_time_close(wa_log_writer_t *w, apr_int64_t timestamp_ms, apr_uint64_t *pend);

/* Raises `visible`, which never goes back: under WA_SYNC_INTERVAL and WA_SYNC_OFF writers raise it
 * while another process syncs. Any thread. */
void wa_order_show(wa_shared_t *s, apr_uint64_t end);

/* The end of what is to be made durable next. Where others append too, the last time before it is
 * closed by this.
 * @return APR_SUCCESS | APR_EGENERAL. The caller holds `sync`. */
apr_status_t wa_order_batch_end(wa_log_writer_t *w, wa_tail_t *pend);

/* Takes back everything that is appended and not durable: its writers are told `why`.
 * @return APR_SUCCESS | the operating system's status. The caller holds `sync`. */
apr_status_t wa_order_withdraw(wa_log_writer_t *w, apr_status_t why);

/* Takes what others appended behind the durable end into the journal, in place of what is there and
 * not durable, and shows it.
 * @return APR_SUCCESS | APR_ENOSPC no space (logged) | APR_EGENERAL they are no records that can
 *     come there (logged, WA0457): nothing was taken | the operating system's status. The caller
 *     holds `sync`. */
apr_status_t wa_order_adopt(wa_log_writer_t *w, wa_slice_t records);

/* Nobody knows what is on the disk: nothing is appended any more (WA0411), and what nobody was told
 * to be stored is cut, so that it does not come back later. The caller holds `sync`. */
void wa_order_stop(wa_log_writer_t *w, apr_status_t why);

/* Cuts the space that is allocated ahead, where the journal ends at `end`: one without it says that
 * it was closed in order. Any thread. */
void wa_order_trim(wa_log_writer_t *w, apr_uint64_t end);

#endif
