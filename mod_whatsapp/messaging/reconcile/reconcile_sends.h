/* SPDX-License-Identifier: Apache-2.0 */
/* The half of reconciliation that settles what was sent. For reconcile.c. */
#ifndef WA_MESSAGING_RECONCILE_RECONCILE_SENDS_H
#define WA_MESSAGING_RECONCILE_RECONCILE_SENDS_H

#include "messaging/reconcile/reconcile_run.h"

/* Settles pending messages as wa_reconcile says, and counts them in run->result. Statuses as
 * wa_reconcile. Any thread. */
apr_status_t wa_reconcile_sends(const wa_reconcile_run_t *run);

#endif
