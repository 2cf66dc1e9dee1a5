/* SPDX-License-Identifier: Apache-2.0 */
/* Asks Twilio what became of what was sent, and for messages that came meanwhile. */
#include "messaging/reconcile/reconcile.h"

#include <apr_strings.h>
#include <apr_tables.h>

#include "base/clock.h"
#include "messaging/receive/receive.h"
#include "messaging/reconcile/reconcile_receipts.h"
#include "messaging/reconcile/reconcile_sends.h"

/* How much one run takes on; the next one goes on. */
#define MISSING_MAX 5000
#define MEDIA_MAX 10

/* Runs overlap by this much, so that no message falls between two. */
#define OVERLAP_MS ((apr_int64_t)10 * 60 * 1000)

typedef wa_reconcile_run_t run_t;

/* ---- inbound ---- */

/* An inbound message that is not stored. */
typedef struct missing_t {
    const char *sid, *from, *to, *body;
    int media_count;
    apr_time_t date;
} missing_t;

typedef struct inbound_t {
    const run_t *run;
    apr_array_header_t *missing; /* of missing_t, newest first */
    apr_time_t from;             /* Twilio was asked for those from then on */
    apr_pool_t *p;
} inbound_t;

/* When they wrote it: of Twilio's two dates the earlier one, so that no window is held open by the
 * later; where there is none, what was asked for from on. */
static apr_time_t written_at(const inbound_t *inbound, const wa_twilio_message_t *message)
{
    const apr_time_t sent = message->date_sent, created = message->date_created;

    if (sent > 0 && created > 0) {
        return sent < created ? sent : created;
    }
    return sent > 0 ? sent : created > 0 ? created : inbound->from;
}

static apr_status_t inbound_take(void *baton, const wa_twilio_message_t *message, apr_pool_t *tmp)
{
    inbound_t *inbound = baton;
    const apr_time_t date = written_at(inbound, message);
    apr_pool_t *p = inbound->p;
    wa_message_t stored;
    missing_t *one;
    apr_status_t rv;

    if (wa_reconcile_is_stopping(inbound->run)) {
        return APR_EINTR;
    }
    if (!message->direction || strcmp(message->direction, "inbound") != 0 || !message->from
        || apr_time_as_msec(date) > inbound->run->options->now_ms - WA_RECONCILE_GRACE_MS) {
        return APR_SUCCESS;
    }
    rv = wa_store_message_find(inbound->run->messenger->store, message->sid, &stored, tmp);
    if (!APR_STATUS_IS_NOTFOUND(rv)) {
        return rv;
    }
    one = apr_array_push(inbound->missing);
    one->sid = apr_pstrdup(p, message->sid);
    one->from = apr_pstrdup(p, message->from);
    one->to = apr_pstrdup(p, message->to ? message->to : "");
    one->body = apr_pstrdup(p, message->body ? message->body : "");
    one->media_count = message->media_count;
    one->date = date;
    return inbound->missing->nelts >= MISSING_MAX ? APR_EOF : APR_SUCCESS;
}

static void field_add(apr_array_header_t *fields, const char *name, const char *value)
{
    wa_form_field_t *field = apr_array_push(fields);

    field->name = wa_slice_of(name);
    field->value = wa_slice_of(value);
}

typedef struct media_list_t {
    apr_array_header_t *fields;
    int count;
    apr_pool_t *p;
} media_list_t;

static apr_status_t media_take(void *baton, const wa_twilio_media_t *media, apr_pool_t *tmp)
{
    media_list_t *list = baton;
    apr_pool_t *p = list->p;

    (void)tmp;
    field_add(list->fields, apr_psprintf(p, "MediaUrl%d", list->count), apr_pstrdup(p, media->url));
    field_add(list->fields, apr_psprintf(p, "MediaContentType%d", list->count),
              apr_pstrdup(p, media->content_type ? media->content_type : ""));
    list->count++;
    return list->count < MEDIA_MAX ? APR_SUCCESS : APR_EOF;
}

/* Stores one as its webhook would have. */
static apr_status_t missing_store(const run_t *run, const missing_t *missing, apr_pool_t *p)
{
    media_list_t media = {.fields = apr_array_make(p, 16, sizeof(wa_form_field_t)), .p = p};
    const wa_twilio_media_query_t query = {&run->account, missing->sid};
    const wa_twilio_media_visitor_t visitor = {media_take, &media};
    char *date = apr_palloc(p, APR_RFC822_DATE_LEN);
    wa_twilio_result_t result;
    wa_sentence_t sentence;
    wa_form_t form;
    apr_status_t rv = APR_SUCCESS;

    apr_rfc822_date(date, missing->date);
    field_add(media.fields, "MessageSid", missing->sid);
    field_add(media.fields, "From", missing->from);
    field_add(media.fields, "To", missing->to);
    field_add(media.fields, "Body", missing->body);
    field_add(media.fields, "DateSent", date);
    if (missing->media_count > 0) {
        rv = wa_twilio_media_list(run->messenger->twilio, &query, &visitor, &result, p);
    }
    if (rv != APR_SUCCESS && !APR_STATUS_IS_EOF(rv)) {
        return rv;
    }
    form.fields = (const wa_form_field_t *)(const void *)media.fields->elts;
    form.count = (apr_size_t)media.fields->nelts;
    rv = wa_receive(run->messenger, &form, &sentence, p);
    run->result->received += rv == APR_SUCCESS;
    return rv;
}

static apr_status_t inbound_reconcile(const run_t *run, wa_reconcile_memory_t *memory)
{
    const wa_reconcile_options_t *options = run->options;
    inbound_t inbound = {
        .run = run, .missing = apr_array_make(run->p, 16, sizeof(missing_t)), .p = run->p};
    const wa_twilio_message_visitor_t visitor = {inbound_take, &inbound};
    wa_twilio_query_t query = {
        .account = &run->account, .to = run->messenger->number, .page_size = 100};
    apr_int64_t from_ms = options->now_ms - apr_time_as_msec(options->look_back);
    wa_twilio_result_t result;
    apr_pool_t *p;
    int i, is_whole;
    apr_status_t rv;

    /* One that lies ahead of the clock was made by a clock that was. */
    if (memory->inbound_from_ms > from_ms && memory->inbound_from_ms <= options->now_ms) {
        from_ms = memory->inbound_from_ms;
    }
    query.date_sent_from = inbound.from = apr_time_from_msec(from_ms);
    rv = wa_twilio_messages_fetch(run->messenger->twilio, &query, &visitor, &result, run->p);
    is_whole = rv == APR_SUCCESS;
    if (!is_whole && !APR_STATUS_IS_EOF(rv)) {
        return rv;
    }
    rv = apr_pool_create(&p, run->p);
    for (i = inbound.missing->nelts - 1; i >= 0 && rv == APR_SUCCESS; i--) {
        rv = wa_reconcile_is_stopping(run)
                 ? APR_EINTR
                 : missing_store(run, &APR_ARRAY_IDX(inbound.missing, i, missing_t), p);
        apr_pool_clear(p);
    }
    if (rv == APR_SUCCESS && is_whole) {
        memory->inbound_from_ms = options->now_ms - OVERLAP_MS;
    }
    return rv;
}

apr_status_t wa_reconcile(wa_messenger_t *messenger, wa_reconcile_memory_t *memory,
                          const wa_reconcile_options_t *options, wa_reconcile_result_t *result,
                          apr_pool_t *tmp)
{
    run_t run = {
        .messenger = messenger, .options = options, .result = result, .memory = memory, .p = tmp};
    apr_time_t started = wa_clock_steady_us();
    apr_status_t rv;

    memset(result, 0, sizeof(*result));
    run.account.sid = messenger->account_sid;
    run.account.secret = messenger->tokens[0];
    if (options->now_ms < (apr_int64_t)WA_CLOCK_SET_S * 1000) {
        return APR_SUCCESS; /* the clock is not set yet: nobody can say how long ago anything was */
    }
    rv = wa_reconcile_sends(&run);
    if (rv == APR_SUCCESS) {
        rv = inbound_reconcile(&run, memory);
    }
    if (rv == APR_SUCCESS) {
        rv = wa_reconcile_receipts(&run, memory);
    }
    if (result->settled + result->given_up + result->received + result->updated > 0) {
        WA_LOG(messenger->log, WA_LOG_INFO, "WA0531", rv,
               "reconciled with Twilio: settled=%" APR_SIZE_T_FMT " failed=%" APR_SIZE_T_FMT
               " received=%" APR_SIZE_T_FMT " updated=%" APR_SIZE_T_FMT
               " duration=%" APR_INT64_T_FMT "ms",
               result->settled, result->given_up, result->received, result->updated,
               apr_time_as_msec(wa_clock_steady_us() - started));
    }
    return rv;
}
