/* SPDX-License-Identifier: Apache-2.0 */
/* One run of reconciliation, as its parts share it. */
#ifndef WA_MESSAGING_RECONCILE_RECONCILE_RUN_H
#define WA_MESSAGING_RECONCILE_RECONCILE_RUN_H

#include "messaging/reconcile/reconcile.h"
#include "twilio/client.h"

typedef struct wa_reconcile_run_t {
    wa_messenger_t *messenger;
    const wa_reconcile_options_t *options;
    wa_reconcile_result_t *result;
    wa_reconcile_memory_t *memory;
    wa_twilio_account_t account;
    apr_pool_t *p;
} wa_reconcile_run_t;

/* 1 when the server wants to stop: nothing new is begun then. Any thread. */
static inline int wa_reconcile_is_stopping(const wa_reconcile_run_t *run)
{
    return run->options->is_stopping && run->options->is_stopping();
}

#endif
