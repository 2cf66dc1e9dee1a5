/* SPDX-License-Identifier: Apache-2.0 */
/* Which sends are pending. For reconcile_sends.c. */
#ifndef WA_MESSAGING_RECONCILE_RECONCILE_PENDING_H
#define WA_MESSAGING_RECONCILE_RECONCILE_PENDING_H

#include "messaging/reconcile/reconcile_match.h"

/* Lists the sends that no call can be under way for any more and whose outcome is not known, the
 * oldest first, from where the last run ended (memory->sends_after_ms); a message's parts stand
 * together, in their order.
 * @param pending   wa_reconcile_pending_t are added; strings in the run's pool
 * @param plast_ms  out: 0, or there are more, behind this time of the store's
 * @return APR_SUCCESS | the store's. The reconciling thread. */
apr_status_t wa_reconcile_pending_list(const wa_reconcile_run_t *run, apr_array_header_t *pending,
                                       apr_int64_t *plast_ms);

/* Adds the messages that may be under way, or of which there are too many for one run. Their
 * intents are stored before Twilio is asked: read after Twilio's list they are all that can be in
 * it without a sid of theirs being known.
 * @return APR_SUCCESS | the store's; what is added is in p. The reconciling thread. */
apr_status_t wa_reconcile_rivals_add(const wa_reconcile_run_t *run, wa_reconcile_group_t *group,
                                     apr_pool_t *p);

#endif
