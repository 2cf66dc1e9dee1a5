/* SPDX-License-Identifier: Apache-2.0 */
/* Asks Twilio what became of what was sent, and for messages that came meanwhile. */
#include "messaging/reconcile/reconcile.h"

#include "base/clock.h"
#include "messaging/reconcile/passed.h"
#include "messaging/reconcile/reconcile_inbound.h"
#include "messaging/reconcile/reconcile_media.h"
#include "messaging/reconcile/reconcile_receipts.h"
#include "messaging/reconcile/reconcile_sends.h"

/* How often Twilio may fail to say what attachments a message has before a run asks no more. */
#define MEDIA_FAILURES_MAX 10

typedef wa_reconcile_run_t run_t;

/* The parts of a run, of which none holds up the next, but where nothing at all is to be had now.
 * @return APR_SUCCESS | the first failure */
static apr_status_t parts_run(const run_t *run)
{
    wa_twilio_result_t result;
    apr_status_t rv = wa_reconcile_inbound(run, &result), other;

    if (APR_STATUS_IS_EINTR(rv)
        || (rv != APR_SUCCESS && !run->progress->has_list
            && wa_twilio_verdict(&result) == WA_TWILIO_SILENT)) {
        return rv;
    }
    other = wa_reconcile_sends(run);
    rv = rv != APR_SUCCESS ? rv : other;
    if (!APR_STATUS_IS_EINTR(other)) {
        other = wa_reconcile_receipts(run, run->memory);
        rv = rv != APR_SUCCESS ? rv : other;
    }
    if (!APR_STATUS_IS_EINTR(other)) {
        other = wa_reconcile_media(run);
        rv = rv != APR_SUCCESS ? rv : other;
    }
    return rv;
}

apr_status_t wa_reconcile(wa_messenger_t *messenger, wa_reconcile_memory_t *memory,
                          const wa_reconcile_options_t *options, wa_reconcile_result_t *result,
                          apr_pool_t *tmp)
{
    run_t run = {
        .messenger = messenger, .options = options, .result = result, .memory = memory, .p = tmp};
    wa_reconcile_progress_t progress = {.media_left = MEDIA_FAILURES_MAX};
    apr_time_t started = wa_clock_steady_us();
    apr_status_t rv;

    memset(result, 0, sizeof(*result));
    run.account.sid = messenger->account_sid;
    run.account.secret = messenger->tokens[0];
    if (options->now_ms < (apr_int64_t)WA_CLOCK_SET_S * 1000) {
        return APR_SUCCESS; /* the clock is not set yet: nobody can say how long ago anything was */
    }
    run.progress = &progress;
    memory->runs++;
    rv = parts_run(&run);
    wa_passed_log(&run);
    if (result->settled + result->given_up + result->received + result->updated + result->attached
        > 0) {
        WA_LOG(messenger->log, WA_LOG_INFO, "WA0531", rv,
               "reconciled with Twilio: settled=%" APR_SIZE_T_FMT " failed=%" APR_SIZE_T_FMT
               " received=%" APR_SIZE_T_FMT " updated=%" APR_SIZE_T_FMT " attached=%" APR_SIZE_T_FMT
               " duration=%" APR_INT64_T_FMT "ms",
               result->settled, result->given_up, result->received, result->updated,
               result->attached, apr_time_as_msec(wa_clock_steady_us() - started));
    }
    return rv;
}
