/* SPDX-License-Identifier: Apache-2.0 */
/* Committing one record: who may, in which order, at what time, and when it is durable for all who wait. */
#ifndef WA_STORE_DBM_COMMIT_H
#define WA_STORE_DBM_COMMIT_H

#include "store/dbm/index.h"
#include "store/dbm/journal.h"
#include "store/dbm/shared.h"
#include "store/store.h"

/* What commits go through, in one process. */
typedef struct wa_log_writer_t {
    wa_journal_t *journal;
    wa_index_t *index;
    wa_shared_t *shared;
    wa_sync_e sync;
    apr_interval_time_t sync_interval;
    const wa_log_t *log;
} wa_log_writer_t;

typedef struct wa_commit_t {
    apr_uint64_t
        base; /* in: the caller has checked its preconditions against the journal up to here */
    apr_int64_t timestamp_ms; /* in: 0 or the time to keep; out: the record's time */
    apr_uint64_t
        end; /* out: the record's end, or with APR_EAGAIN the end of the record that is in the way */
    apr_uint64_t row; /* out: of a message */
} wa_commit_t;

/* Appends a record at the journal's end, unless one after `base` touches the same things (record.touch): then the caller waits for that one by
 * wa_commit_wait, checks again and tries again.
 * @return APR_SUCCESS appended, not yet durable | APR_EAGAIN see above | APR_TIMEUP writing has stopped after a failed sync |
 *         APR_ENOSPC no space (logged) | APR_EINVAL timestamp_ms is earlier than the newest, or closed | APR_EGENERAL (logged). Any thread. */
apr_status_t wa_commit_append(wa_log_writer_t *w, wa_record_t *record, wa_commit_t *commit);

/* Sees to it that no record gets the time `timestamp_ms`, or an earlier one, any more. While the clock still shows that
 * millisecond it is waited for: closed earlier, each commit of a burst would push the store's time ahead of the clock.
 * @param pend  out: all records up to that time are in the journal before this; not all of them need be visible yet
 * @return APR_SUCCESS | APR_EGENERAL. Any thread. */
apr_status_t wa_commit_time_close(wa_log_writer_t *w, apr_int64_t timestamp_ms, apr_uint64_t *pend);

/* Waits until readers see the journal up to `end`: one sync serves all who wait. @return APR_SUCCESS | APR_TIMEUP writing has stopped, nothing is stored. Any thread. */
apr_status_t wa_commit_wait(wa_log_writer_t *w, apr_uint64_t end);

/* Syncs what is due under WA_SYNC_INTERVAL, or all of it with `now` 1. @return APR_SUCCESS | APR_TIMEUP. Any thread. */
apr_status_t wa_commit_sync(wa_log_writer_t *w, int now);

#endif
