/* SPDX-License-Identifier: Apache-2.0 */
/* The half of reconciliation that learns what became of sent messages whose receipts nobody took.
 * For reconcile.c. */
#ifndef WA_MESSAGING_RECONCILE_RECONCILE_RECEIPTS_H
#define WA_MESSAGING_RECONCILE_RECONCILE_RECEIPTS_H

#include "messaging/reconcile/reconcile_run.h"

/* Reads Twilio's list of what our number sent, and applies status and error of what is ours as a
 * receipt would have (wa_receipt_listed); counts it in run->result->updated. Statuses as
 * wa_reconcile. Any thread.
 *
 * What it costs: a run reads what was made in the last 10 minutes, and back to the oldest message
 * that Twilio had not delivered at the run before, an hour at most; nothing at all while there is
 * none and nothing was committed since. The first run, then one an hour, reads back to the
 * look-back: of what is delivered only `read` can come, and it seldom comes late, so that it is not
 * worth a day of lists each minute. No list takes more than WA_RECONCILE_RECEIPTS_MAX messages (50
 * requests): what is left of the look-back the next runs read, as much each. */
apr_status_t wa_reconcile_receipts(const wa_reconcile_run_t *run, wa_reconcile_memory_t *memory);

#define WA_RECONCILE_RECEIPTS_MAX 5000

#endif
