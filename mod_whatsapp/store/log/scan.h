/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a journal's records one after the other, over damage, without changing anything: also while
 * a server writes to it. */
#ifndef WA_STORE_LOG_SCAN_H
#define WA_STORE_LOG_SCAN_H

#include "store/log/journal.h"
#include "store/log/shared.h"

typedef struct wa_scan_t {
    wa_journal_t *journal;
    /* of the file when the scan began: it ends there at the latest */
    apr_uint64_t size;
    /* where the next record is looked for; after the end: the end of the last record */
    apr_uint64_t offset;
    /* of the last record */
    wa_record_chain_t chain;
    int is_over;
} wa_scan_t;

/* What a step came to. */
typedef struct wa_scan_step_t {
    apr_uint64_t offset;
    apr_uint64_t length;
    /* in the journal's mapping, checked; NULL: `length` bytes here are damaged */
    const wa_record_t *record;
} wa_scan_step_t;

/* Begins a scan after `at` (NULL: at the first record).
 * @return APR_SUCCESS | the operating system's status. One thread. */
apr_status_t wa_scan_init(wa_scan_t *w, wa_journal_t *journal, const wa_tail_t *at);

/* Goes on to the next whole record, or over damage: that is what whole records come after.
 * @return APR_SUCCESS | APR_EOF no whole record comes any more | APR_EINTR the journal's `stop` is
 *     set. One thread. */
apr_status_t wa_scan_next(wa_scan_t *w, wa_scan_step_t *step);

/* After the end: how many bytes behind the last record are something else than the zeros that are
 * allocated ahead: a record that is being written, was never finished, or is damaged.
 * @return APR_SUCCESS | APR_EINTR the journal's `stop` is set | APR_ENOMEM. One thread. */
apr_status_t wa_scan_rest(wa_scan_t *w, apr_uint64_t *prest);

#endif
