/* SPDX-License-Identifier: Apache-2.0 */
/* Changing the lists and tables of a replica. Private to replica.c and replica_load.c; whoever
 * calls holds the replica's lock alone, or is the only thread. */
#ifndef WA_STORE_VIEW_REPLICA_PARTS_H
#define WA_STORE_VIEW_REPLICA_PARTS_H

#include "store/view/replica.h"

/* Makes the empty thread of a counterpart that has none, joined with its contact. It is in no list
 * yet.
 * @param counterpart  stays as long as the replica
 * @return the thread, which lives as long as the replica */
wa_replica_thread_t *wa_replica_thread_create(wa_replica_t *replica, wa_slice_t counterpart);

/* Puts a thread at the head of the list, wherever it was before. */
void wa_replica_thread_lead(wa_replica_t *replica, wa_replica_thread_t *t);

/* Notes that `row` is the thread's newest, before last_row says so.
 * @return the row WA_ROW_SKIP before it, 0 for none or where the thread's chain is damaged: the
 *     `skip` of its entry */
apr_uint64_t wa_replica_thread_row_put(wa_replica_t *replica, wa_replica_thread_t *t,
                                       apr_uint64_t row);

/* Notes when the counterpart wrote the message `m` of `r`, which is the thread's newest received
 * one, to the number of ours that it names. */
void wa_replica_thread_date(wa_replica_t *replica, wa_replica_thread_t *t, const wa_record_t *r,
                            const wa_record_message_t *m);

/* Adds what is known of a number of ours that the thread has nothing of yet. Where the thread has
 * WA_STORE_NUMBERS_MAX it takes the place of what is longest ago, unless it is that itself. */
void wa_replica_thread_inbound_add(wa_replica_t *replica, wa_replica_thread_t *t,
                                   const wa_replica_inbound_t *inbound);

/* Notes what the clock said when `r` was made: dates ahead of it were of a clock that was ahead,
 * and get this as their before_ms. Costs a look at every thread when the clock was set
 * back, else nothing. Call it before the record is applied. */
void wa_replica_clock_note(wa_replica_t *replica, const wa_record_t *r);

/* Puts a contact in place of what is known under its id.
 * @param r  the CONTACT record, at `offset`; its slices stay as long as the replica
 * @param c  what it says
 * @return the contact, which lives until wa_replica_contact_forget */
wa_replica_contact_t *wa_replica_contact_put(wa_replica_t *replica, const wa_record_t *r,
                                             apr_uint64_t offset, const wa_record_contact_t *c);

/* Removes a contact. No thread may point to it afterwards. */
void wa_replica_contact_forget(wa_replica_t *replica, wa_replica_contact_t *contact);

/* Puts a parked fact in place of what is known under its key. Beyond WA_PARKED_MAX the oldest one
 * goes. */
void wa_replica_parked_put(wa_replica_t *replica, apr_uint64_t offset, const wa_record_parked_t *k);

/* Notes whether a message is pending; noting the same again changes nothing. Beyond WA_PENDING_MAX
 * the lowest row goes. */
void wa_replica_pending_set(wa_replica_t *replica, apr_uint64_t row, int is_pending);

#endif
