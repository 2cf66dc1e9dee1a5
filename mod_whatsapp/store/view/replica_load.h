/* SPDX-License-Identifier: Apache-2.0 */
/* Filling an empty replica from a checkpoint. */
#ifndef WA_STORE_VIEW_REPLICA_LOAD_H
#define WA_STORE_VIEW_REPLICA_LOAD_H

#include "store/view/replica.h"

/* Puts a thread that a checkpoint holds.
 * @param thread  its counterpart, last_row and numbers; all else is taken from the journal
 * @param at  what the checkpoint says of the journal: nothing after its offset is looked at, and no
 *     number goes over its own
 * @return APR_SUCCESS | APR_EGENERAL the journal does not say the same, or the thread is there
 *     already. The only thread. */
apr_status_t wa_replica_thread_load(wa_replica_t *replica, const wa_replica_thread_t *thread,
                                    const wa_tail_t *at);

/* Puts the contact, or the parked fact, whose newest record is at `offset`; parked facts the older
 * ones first.
 * @return APR_SUCCESS | APR_EGENERAL there is no such record before `end`. The only thread. */
apr_status_t wa_replica_contact_load(wa_replica_t *replica, apr_uint64_t offset, apr_uint64_t end);
apr_status_t wa_replica_parked_load(wa_replica_t *replica, apr_uint64_t offset, apr_uint64_t end);

/* Puts a pending message by its row, the lower ones first.
 * @return APR_SUCCESS | APR_EGENERAL there is no such message before `at`. The only thread. */
apr_status_t wa_replica_pending_load(wa_replica_t *replica, apr_uint64_t row, const wa_tail_t *at);

/* After the last load: orders the thread list, joins contacts, and says how far the replica is.
 * @return APR_SUCCESS | APR_ENOMEM | APR_EGENERAL the threads have more messages than there are, or
 *         the journal's record at `at` is another one: it was replaced. The only thread. */
apr_status_t wa_replica_load_end(wa_replica_t *replica, const wa_tail_t *at);

#endif
