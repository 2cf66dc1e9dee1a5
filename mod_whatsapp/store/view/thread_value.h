/* SPDX-License-Identifier: Apache-2.0 */
/* What a checkpoint holds of a thread: the value under "thread:{counterpart}". */
#ifndef WA_STORE_VIEW_THREAD_VALUE_H
#define WA_STORE_VIEW_THREAD_VALUE_H

#include "store/view/replica.h"

/* How many bytes the value of a thread takes, less than 600. Any thread that holds the replica's
 * lock. */
apr_size_t wa_thread_value_size(const wa_replica_thread_t *t);

/* Writes the value of a thread to where there is room for wa_thread_value_size. Any thread that
 * holds the replica's lock. */
void wa_thread_value_make(void *to, const wa_replica_thread_t *t);

/* Reads a value, and puts the thread into the replica (wa_replica_thread_load).
 * @return APR_SUCCESS | APR_EGENERAL it is no such value, or the journal does not say the same. The
 *     only thread. */
apr_status_t wa_thread_value_load(wa_replica_t *replica, wa_slice_t counterpart, wa_slice_t value,
                                  const wa_tail_t *at);

#endif
