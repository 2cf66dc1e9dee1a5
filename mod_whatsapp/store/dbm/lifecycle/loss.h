/* SPDX-License-Identifier: Apache-2.0 */
/* Tells a store that lost its journal from one that never held anything. */
#ifndef WA_STORE_DBM_LIFECYCLE_LOSS_H
#define WA_STORE_DBM_LIFECYCLE_LOSS_H

#include "store/view/checkpoint.h"

/* Looks whether the directory says that there was a journal though there is none: one must not be
 * made there then, it would be served as if there had never been a message. A kill during the first
 * creation leaves nothing of that: the journal is there, and on the disk, before the others are
 * made.
 * @param perror  out: what is missing and what to do, in p
 * @return APR_SUCCESS there is a journal, or never was one | APR_ENOENT. Any thread. */
apr_status_t wa_loss_check_missing(const char *directory, const char **perror, apr_pool_t *p);

/* Looks whether the journal holds no record at all though its own checkpoint, which is written
 * after the journal is on the disk, says how many it had.
 * @param perror  out: what is missing and what to do, in p
 * @return APR_SUCCESS | APR_EINVAL | APR_EINTR the journal's `stop` is set. Any thread. */
apr_status_t wa_loss_check_emptied(const wa_checkpoint_place_t *place, wa_journal_t *journal,
                                   const char **perror, apr_pool_t *p);

/* How many messages the index files of this journal know, whose entries carry a check with its
 * salt. They may be more than the journal has: after a loss of power under another WhatsAppSync
 * than always, and where the journal was cut. One thread. */
apr_uint64_t wa_loss_rows_known(wa_index_t *index);

#endif
