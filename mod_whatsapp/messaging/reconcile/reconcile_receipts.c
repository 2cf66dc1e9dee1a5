/* SPDX-License-Identifier: Apache-2.0 */
/* Learns from Twilio's list what became of sent messages whose receipts nobody took. */
#include "messaging/reconcile/reconcile_receipts.h"

#include "base/clock.h"
#include "messaging/delivery/receipts.h"
#include "messaging/reconcile/passed.h"
#include "twilio/errors.h"

#define RECENT_MS ((apr_int64_t)10 * 60 * 1000)
#define OPEN_MS ((apr_int64_t)60 * 60 * 1000)
#define WHOLE_EVERY apr_time_from_sec(3600)
#define SECOND_MS ((apr_int64_t)1000)

/* One list on its way. */
typedef struct pass_t {
    const wa_reconcile_run_t *run;
    apr_int64_t from_ms;   /* messages made before this end it */
    int older;             /* how many such came one after the other */
    apr_int64_t oldest_ms; /* of the messages that were read; 0: there were none */
    apr_int64_t open_ms;   /* the oldest of ours that was not delivered; 0: none */
    int left;              /* how many more are taken */
    int is_cut;            /* it ended because `left` was used up, or broke off, */
    int is_broken;         /* the latter */
} pass_t;

/* 1 when more than `read` may still come. */
static int is_open(wa_delivery_e delivery)
{
    return wa_delivery_rank(delivery) >= 0 && !wa_delivery_is_failure(delivery)
           && wa_delivery_rank(delivery) < wa_delivery_rank(WA_DELIVERY_DELIVERED);
}

static apr_status_t listed_take(void *baton, const wa_twilio_message_t *message, apr_pool_t *tmp)
{
    pass_t *pass = baton;
    const apr_time_t made = message->date_created ? message->date_created : message->date_sent;
    const apr_int64_t made_ms = apr_time_as_msec(made);
    const wa_delivery_event_t event = {
        .kind = WA_EVENT_LISTED,
        .word = wa_delivery_parse(message->status),
        .error_code = message->error_code,
        .said = wa_twilio_words(wa_slice_of(message->error_message), tmp),
        .at_ms = apr_time_as_msec(message->date_updated),
        .sid = message->sid};
    int is_ours, is_changed;
    apr_status_t rv;

    if (wa_reconcile_is_stopping(pass->run)) {
        return APR_EINTR;
    }
    if (made > 0 && made_ms < pass->from_ms) {
        return ++pass->older < WA_RECONCILE_OLDER_MAX ? APR_SUCCESS : APR_EOF;
    }
    pass->older = 0;
    if (pass->left-- == 0) {
        pass->is_cut = 1;
        return APR_EOF;
    }
    if (made > 0) {
        pass->oldest_ms = made_ms;
    }
    if (!wa_reconcile_is_sent(message) || wa_delivery_rank(event.word) < 0) {
        return APR_SUCCESS;
    }
    rv = wa_receipt_listed(pass->run->messenger, &event, &is_ours, &is_changed, tmp);
    if (rv != APR_SUCCESS) {
        return wa_passed_judge(pass->run, rv, wa_passed_key("message", message->sid));
    }
    if (is_ours && is_open(event.word) && made > 0) {
        pass->open_ms = made_ms;
    }
    pass->run->result->updated += (apr_size_t)is_changed;
    return APR_SUCCESS;
}

/* Reads what was made from `from_ms` on, the newest first.
 * @param to_ms  0: all, also what Twilio has not sent yet; or what it sent until then */
static apr_status_t pass_read(pass_t *pass, const wa_reconcile_run_t *run, apr_int64_t from_ms,
                              apr_int64_t to_ms)
{
    wa_twilio_message_visitor_t visitor;
    wa_twilio_query_t query = {
        .account = &run->account, .from = run->messenger->number, .page_size = 100};
    wa_twilio_result_t result;
    apr_status_t rv;

    memset(pass, 0, sizeof(*pass));
    visitor = (wa_twilio_message_visitor_t){listed_take, pass};
    pass->run = run;
    pass->from_ms = from_ms;
    pass->left = WA_RECONCILE_RECEIPTS_MAX;
    if (to_ms > 0) {
        query.date_sent_from = apr_time_from_msec(from_ms);
        query.date_sent_to = apr_time_from_msec(to_ms);
    }
    rv = wa_twilio_messages_fetch(run->messenger->twilio, &query, &visitor, &result, run->p);
    pass->is_broken = APR_STATUS_IS_INCOMPLETE(rv);
    pass->is_cut |= pass->is_broken;
    return APR_STATUS_IS_EOF(rv) || APR_STATUS_IS_INCOMPLETE(rv) ? APR_SUCCESS : rv;
}

/* Where the next run goes on with the look-back; 0: it was read whole. */
static apr_int64_t rest_of(const pass_t *pass, apr_int64_t to_ms)
{
    if (!pass->is_cut || pass->oldest_ms == 0) {
        return 0;
    }
    /* Twilio's dates are seconds: more of one than are taken at a time must not hold it up for
     * ever. */
    return to_ms > 0 && pass->oldest_ms >= to_ms ? to_ms - SECOND_MS : pass->oldest_ms;
}

static apr_int64_t recent_from(const wa_reconcile_memory_t *memory, apr_int64_t now_ms)
{
    apr_int64_t from_ms = now_ms - RECENT_MS;

    if (memory->receipts_open_ms > 0 && memory->receipts_open_ms < from_ms) {
        from_ms = memory->receipts_open_ms;
    }
    return from_ms > now_ms - OPEN_MS ? from_ms : now_ms - OPEN_MS;
}

apr_status_t wa_reconcile_receipts(const wa_reconcile_run_t *run, wa_reconcile_memory_t *memory)
{
    const apr_time_t steady_us = wa_clock_steady_us();
    const apr_uint64_t version = wa_store_version(run->messenger->store, WA_VERSION_ALL);
    const apr_int64_t now_ms = run->options->now_ms;
    const apr_int64_t back_ms = now_ms - apr_time_as_msec(run->options->look_back);
    const int is_whole = steady_us >= memory->receipts_due_us;
    apr_int64_t from_ms = is_whole ? back_ms : recent_from(memory, now_ms);
    pass_t pass;
    apr_status_t rv = APR_SUCCESS;

    if (!is_whole && memory->receipts_open_ms == 0 && memory->receipts_rest_ms == 0
        && memory->receipts_version == version) {
        return APR_SUCCESS;
    }
    rv = pass_read(&pass, run, from_ms > back_ms ? from_ms : back_ms, 0);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    memory->receipts_open_ms = pass.open_ms;
    memory->receipts_version = version;
    if (pass.is_broken && memory->receipts_rest_ms == 0) {
        memory->receipts_rest_ms = rest_of(&pass, 0);
    }
    if (is_whole) {
        memory->receipts_due_us = steady_us + WHOLE_EVERY;
        memory->receipts_rest_ms = rest_of(&pass, 0);
        return APR_SUCCESS;
    }
    if (memory->receipts_rest_ms > 0) {
        rv = pass_read(&pass, run, back_ms, memory->receipts_rest_ms);
        if (rv == APR_SUCCESS) {
            memory->receipts_rest_ms = rest_of(&pass, memory->receipts_rest_ms);
        }
    }
    return rv;
}
