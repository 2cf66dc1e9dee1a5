/* SPDX-License-Identifier: Apache-2.0 */
/* The part of reconciliation that fetches messages that came meanwhile. For reconcile.c. */
#ifndef WA_MESSAGING_RECONCILE_RECONCILE_INBOUND_H
#define WA_MESSAGING_RECONCILE_RECONCILE_INBOUND_H

#include "messaging/reconcile/reconcile_run.h"

/* Stores what Twilio lists as received and is not stored, as wa_reconcile says, and counts it in
 * run->result->received. One message that cannot be had or kept holds up none: without its
 * attachments it is stored at once (wa_late_media_t), one that the store refuses is passed over.
 * What was listed before the list broke off is stored; where the link to the next page leads
 * nowhere the list goes on by dates. The remembered place moves only when the list was read to its
 * end and everything in it is stored, or passed over for good.
 * @param presult  out: of the list. Statuses as wa_reconcile. Any thread. */
apr_status_t wa_reconcile_inbound(const wa_reconcile_run_t *run, wa_twilio_result_t *presult);

#endif
