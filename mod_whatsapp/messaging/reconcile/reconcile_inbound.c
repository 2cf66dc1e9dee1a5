/* SPDX-License-Identifier: Apache-2.0 */
/* Fetches messages that came while no webhook got through. */
#include "messaging/reconcile/reconcile_inbound.h"

#include <apr_strings.h>
#include <apr_tables.h>

#include "messaging/receive/late.h"
#include "messaging/receive/receive.h"
#include "messaging/reconcile/passed.h"
#include "messaging/reconcile/reconcile_media.h"

/* How much one run takes on; the next one goes on. */
#define MISSING_MAX 5000

/* How often a list that breaks off is begun anew where it did. */
#define ROUNDS_MAX 100

/* Runs overlap by this much, so that no message falls between two. */
#define OVERLAP_MS ((apr_int64_t)10 * 60 * 1000)

/* A date that lies further ahead is none. */
#define AHEAD_MS ((apr_int64_t)24 * 3600 * 1000)

typedef wa_reconcile_run_t run_t;

/* An inbound message that is not stored. */
typedef struct missing_t {
    const char *sid, *from, *to, *body;
    int media_count;
    apr_time_t date;
} missing_t;

typedef struct inbound_t {
    const run_t *run;
    apr_array_header_t *missing; /* of missing_t, newest first */
    apr_time_t from;             /* nothing in the list is older */
    apr_time_t last[3];          /* dates of what was listed last; 0: none had one */
    apr_pool_t *p;
} inbound_t;

/* ---- the list ---- */

/* A word for a direction that Twilio does not have today must not lose a message. */
static int is_inbound(const wa_twilio_message_t *message)
{
    const char *direction = message->direction ? message->direction : "";
    const char *status = message->status ? message->status : "";

    return strcmp(direction, "inbound") == 0
           || (strncmp(direction, "outbound", 8) != 0
               && (strcmp(status, "received") == 0 || strcmp(status, "receiving") == 0));
}

/* When they wrote it, of Twilio's two dates the earlier one, so that no window is held open by the
 * later; 0 when nobody can read that, or it cannot be in this list. */
static apr_time_t date_of(const inbound_t *inbound, const wa_twilio_message_t *message)
{
    const apr_time_t limit = apr_time_from_msec(inbound->run->options->now_ms + AHEAD_MS);
    const apr_time_t sent = message->date_sent, created = message->date_created;
    const apr_time_t date = sent > 0 && (created <= 0 || sent < created) ? sent : created;

    return date > 0 && apr_time_sec(date) >= apr_time_sec(inbound->from) && sent <= limit
                   && created <= limit
               ? date
               : 0;
}

/* Whether a message is to be stored. @return APR_NOTFOUND it is | APR_SUCCESS it is not | the
 * store's */
static apr_status_t sid_judge(const run_t *run, const char *sid, apr_pool_t *tmp)
{
    const apr_uint64_t key = wa_passed_key("message", sid);
    wa_message_t stored;
    apr_status_t rv;

    if (!wa_passed_is_due(run, key)) {
        return APR_SUCCESS;
    }
    rv = wa_store_message_find(run->messenger->store, sid, &stored, tmp);
    /* What is there and damaged is not stored anew. */
    return APR_STATUS_IS_NOTFOUND(rv) ? rv : wa_passed_judge(run, rv, key);
}

static apr_status_t inbound_take(void *baton, const wa_twilio_message_t *message, apr_pool_t *tmp)
{
    inbound_t *inbound = baton;
    const run_t *run = inbound->run;
    const apr_time_t date = date_of(inbound, message);
    apr_pool_t *p = inbound->p;
    missing_t *one;
    apr_status_t rv;

    if (wa_reconcile_is_stopping(run)) {
        return APR_EINTR;
    }
    run->progress->has_list = 1;
    if (date > 0) {
        inbound->last[2] = inbound->last[1];
        inbound->last[1] = inbound->last[0];
        inbound->last[0] = date;
    }
    if (!is_inbound(message)
        || apr_time_as_msec(date) > run->options->now_ms - WA_RECONCILE_GRACE_MS) {
        return APR_SUCCESS;
    }
    rv = sid_judge(run, message->sid, tmp);
    if (!APR_STATUS_IS_NOTFOUND(rv)) {
        return rv;
    }
    one = apr_array_push(inbound->missing);
    one->sid = apr_pstrdup(p, message->sid);
    one->from = apr_pstrdup(p, message->from ? message->from : "");
    one->to = apr_pstrdup(p, message->to ? message->to : "");
    one->body = apr_pstrdup(p, message->body ? message->body : "");
    one->media_count = message->media_count;
    /* Without a date it may be as old as anything in the list: it opens no window. */
    one->date = date > 0 ? date : inbound->from;
    return inbound->missing->nelts >= MISSING_MAX ? APR_EOF : APR_SUCCESS;
}

/* Where a list that broke off goes on; 0: nobody knows. Of the last ones the newest: a single one
 * may have a date that is wrong. */
static apr_time_t rest_of(const inbound_t *inbound)
{
    apr_time_t newest = inbound->last[0];
    int i;

    for (i = 1; i < 3; i++) {
        newest = inbound->last[i] > newest ? inbound->last[i] : newest;
    }
    return newest;
}

/* Reads the list to its end, by dates where its links lead nowhere.
 * @return APR_SUCCESS it is whole | APR_EOF, APR_INCOMPLETE it is not | as wa_reconcile */
static apr_status_t inbound_list(inbound_t *inbound, wa_twilio_result_t *result)
{
    const run_t *run = inbound->run;
    const wa_twilio_message_visitor_t visitor = {inbound_take, inbound};
    wa_twilio_query_t query = {.account = &run->account,
                               .to = run->messenger->number,
                               .date_sent_from = inbound->from,
                               .page_size = 100};
    const apr_uint64_t key = wa_passed_key("list", "inbound");
    apr_time_t rest;
    apr_status_t rv = APR_INCOMPLETE;
    int round;

    for (round = 0; round < ROUNDS_MAX && APR_STATUS_IS_INCOMPLETE(rv); round++) {
        rv = wa_twilio_messages_fetch(run->messenger->twilio, &query, &visitor, result, run->p);
        if (rv != APR_SUCCESS && !APR_STATUS_IS_EOF(rv) && !APR_STATUS_IS_INCOMPLETE(rv)) {
            return rv;
        }
        run->progress->has_list = 1;
        if (!APR_STATUS_IS_INCOMPLETE(rv)) {
            break;
        }
        if (wa_passed_deny(run, key)) {
            wa_passed_note(run, &run->progress->passed.lists, "inbound", result);
        }
        rest = rest_of(inbound);
        if (rest == 0 || (query.date_sent_to != 0 && rest >= query.date_sent_to)) {
            break; /* it breaks off within one second of messages */
        }
        query.date_sent_to = rest;
    }
    return rv;
}

/* ---- storing ---- */

static void field_add(apr_array_header_t *fields, const char *name, const char *value)
{
    wa_form_field_t *field = apr_array_push(fields);

    field->name = wa_slice_of(name);
    field->value = wa_slice_of(value);
}

static void media_add(apr_array_header_t *fields, const wa_reconcile_media_t *answer, apr_pool_t *p)
{
    apr_size_t i;

    for (i = 0; i < answer->count; i++) {
        field_add(fields, apr_psprintf(p, "MediaUrl%" APR_SIZE_T_FMT, i), answer->media[i].url);
        field_add(fields, apr_psprintf(p, "MediaContentType%" APR_SIZE_T_FMT, i),
                  answer->media[i].content_type);
    }
}

/* Its attachments will not come: says so in the message, which is stored. */
static apr_status_t media_deny(const run_t *run, const char *sid, const wa_twilio_result_t *result,
                               apr_pool_t *p)
{
    const wa_late_news_t none = {.is_final = 1};
    int is_changed;
    apr_status_t rv = wa_late_fill(run->messenger, sid, &none, &is_changed, p);

    if (rv == APR_SUCCESS && is_changed) {
        wa_passed_note(run, &run->progress->passed.attachments, sid, result);
    }
    return rv;
}

/* Stores one as its webhook would have. */
static apr_status_t missing_store(const run_t *run, const missing_t *missing, apr_pool_t *p)
{
    apr_array_header_t *fields = apr_array_make(p, 16, sizeof(wa_form_field_t));
    char *date = apr_palloc(p, APR_RFC822_DATE_LEN);
    wa_reconcile_media_t media = {.verdict = WA_TWILIO_GIVEN};
    wa_sentence_t sentence;
    wa_form_t form;
    apr_status_t rv = sid_judge(run, missing->sid, p);

    if (!APR_STATUS_IS_NOTFOUND(rv)) {
        return rv; /* listed twice, or its webhook came meanwhile */
    }
    rv = APR_SUCCESS;
    apr_rfc822_date(date, missing->date);
    field_add(fields, "MessageSid", missing->sid);
    field_add(fields, "From", missing->from);
    field_add(fields, "To", missing->to);
    field_add(fields, "Body", missing->body);
    field_add(fields, "DateSent", date);
    field_add(fields, "NumMedia", apr_itoa(p, missing->media_count));
    if (missing->media_count > 0) {
        rv = wa_reconcile_media_ask(run, missing->sid, &media, p);
        media_add(fields, &media, p);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    form.fields = (const wa_form_field_t *)(const void *)fields->elts;
    form.count = (apr_size_t)fields->nelts;
    rv = wa_receive(run->messenger, &form, &sentence, p);
    run->result->received += rv == APR_SUCCESS;
    return rv == APR_SUCCESS && media.verdict == WA_TWILIO_DENIED
               ? media_deny(run, missing->sid, &media.result, p)
               : rv;
}

/* Stores all, the oldest first. @return APR_SUCCESS | what keeps the store from taking more */
static apr_status_t missing_store_all(const inbound_t *inbound)
{
    const run_t *run = inbound->run;
    apr_size_t *count = &run->progress->passed.messages;
    apr_pool_t *p;
    apr_status_t rv = apr_pool_create(&p, run->p);
    int i;

    for (i = inbound->missing->nelts - 1; i >= 0 && rv == APR_SUCCESS; i--) {
        const missing_t *one = &APR_ARRAY_IDX(inbound->missing, i, missing_t);

        rv = wa_reconcile_is_stopping(run) ? APR_EINTR : missing_store(run, one, p);
        if (rv != APR_SUCCESS) {
            rv = wa_passed_judge(run, rv, wa_passed_key("message", one->sid));
            if (rv == APR_SUCCESS) {
                wa_passed_note(run, count, one->sid, NULL);
            }
        }
        apr_pool_clear(p);
    }
    return rv;
}

apr_status_t wa_reconcile_inbound(const run_t *run, wa_twilio_result_t *presult)
{
    const wa_reconcile_options_t *options = run->options;
    wa_reconcile_memory_t *memory = run->memory;
    inbound_t inbound = {
        .run = run, .missing = apr_array_make(run->p, 16, sizeof(missing_t)), .p = run->p};
    apr_int64_t from_ms = options->now_ms - apr_time_as_msec(options->look_back);
    apr_status_t rv, listed;

    memset(presult, 0, sizeof(*presult));
    if (wa_reconcile_is_stopping(run)) {
        return APR_EINTR;
    }
    /* One that lies ahead of the clock was made by a clock that was. */
    if (memory->inbound_from_ms > from_ms && memory->inbound_from_ms <= options->now_ms) {
        from_ms = memory->inbound_from_ms;
    }
    inbound.from = apr_time_from_msec(from_ms);
    listed = inbound_list(&inbound, presult);
    if (APR_STATUS_IS_EINTR(listed)) {
        return listed;
    }
    rv = missing_store_all(&inbound);
    if (rv == APR_SUCCESS && listed == APR_SUCCESS) {
        memory->inbound_from_ms = options->now_ms - OVERLAP_MS;
    }
    if (rv == APR_SUCCESS && !APR_STATUS_IS_EOF(listed) && !APR_STATUS_IS_INCOMPLETE(listed)) {
        rv = listed;
    }
    return rv;
}
