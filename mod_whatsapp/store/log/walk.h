/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a journal's records one after the other, over damage, without changing anything: also while
 * a server writes to it. */
#ifndef WA_STORE_LOG_WALK_H
#define WA_STORE_LOG_WALK_H

#include "store/log/journal.h"
#include "store/log/shared.h"

typedef struct wa_walk_t {
    wa_journal_t *journal;
    /* of the file when the walk began: it ends there at the latest */
    apr_uint64_t size;
    /* where the next record is looked for; after the end: the end of the last record */
    apr_uint64_t offset;
    /* of the last record */
    wa_record_chain_t chain;
    int is_over;
} wa_walk_t;

/* What a step came to. */
typedef struct wa_walk_step_t {
    apr_uint64_t offset;
    apr_uint64_t length;
    /* in the journal's mapping, checked; NULL: `length` bytes here are damaged */
    const wa_record_t *record;
} wa_walk_step_t;

/* Begins a walk after `at` (NULL: at the first record).
 * @return APR_SUCCESS | the operating system's status. One thread. */
apr_status_t wa_walk_init(wa_walk_t *w, wa_journal_t *journal, const wa_tail_t *at);

/* Goes on to the next whole record, or over damage: that is what whole records come after.
 * @return APR_SUCCESS | APR_EOF no whole record comes any more | APR_EINTR the journal's `stop` is
 *     set. One thread. */
apr_status_t wa_walk_next(wa_walk_t *w, wa_walk_step_t *step);

/* After the end: how many bytes behind the last record are something else than the zeros that are
 * allocated ahead: a record that is being written, was never finished, or is damaged.
 * @return APR_SUCCESS | APR_EINTR the journal's `stop` is set | APR_ENOMEM. One thread. */
apr_status_t wa_walk_rest(wa_walk_t *w, apr_uint64_t *prest);

#endif
