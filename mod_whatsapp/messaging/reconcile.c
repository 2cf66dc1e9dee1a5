/* SPDX-License-Identifier: Apache-2.0 */
/* Asks Twilio what became of sends whose outcome is not known, and for messages that came meanwhile. */
#include "messaging/reconcile.h"

#include <apr_strings.h>
#include <apr_tables.h>

#include "base/json.h"
#include "base/phone.h"
#include "base/text.h"
#include "messaging/receive.h"
#include "messaging/state.h"
#include "messaging/status.h"
#include "twilio/client.h"

/* How much one run takes on; the next one goes on. */
#define PENDING_MAX 200
#define PENDING_SEEN_MAX 65536 /* with those that are passed over */
#define LIST_MAX 1000
#define MISSING_MAX 5000
#define MEDIA_MAX 10

/* Clocks differ, and Twilio's dates have no milliseconds: a message of ours may seem so much older than
 * its intent, and may have been made so long after it. */
#define EARLIER_MS ((apr_int64_t)2 * 60 * 1000)
#define LATER_MS ((apr_int64_t)10 * 60 * 1000)

/* Runs overlap by this much, so that no message falls between two. */
#define OVERLAP_MS ((apr_int64_t)10 * 60 * 1000)

#define SEND_TIMEOUT_DEFAULT apr_time_from_sec(30)

/* A longer text is several messages at Twilio's: only their receipts settle it. */
#define PART_UNITS_MAX 1600

#define NEVER_TAKEN "Twilio never took this message: it was not sent, and sending it anew is safe."

/* A pending message of ours. Strings in the run's pool. */
typedef struct pending_t {
    const char *id;
    const char *sid; /* NULL while unknown */
    const char *counterpart;
    const char *number; /* ours, which it was sent from */
    const char *body;
    int has_any_body; /* 1: Twilio makes the text of it (a template) */
    apr_int64_t timestamp_ms;
    int is_done;
} pending_t;

/* One of Twilio's messages. */
typedef struct listed_t {
    const char *sid;
    const char *body;
    const char *status;
    int error_code;
    apr_int64_t created_ms;
    int is_claimed; /* it is one of ours already */
} listed_t;

typedef struct run_t {
    wa_messenger_t *messenger;
    const wa_reconcile_options_t *options;
    wa_reconcile_result_t *result;
    wa_twilio_account_t account;
    apr_pool_t *p;
} run_t;

static int is_stopping(const run_t *run)
{
    return run->options->is_stopping && run->options->is_stopping();
}

/* ---- what is pending ---- */

typedef struct gather_t {
    apr_array_header_t *pending; /* of pending_t */
    apr_pool_t *p;
} gather_t;

static const char *member_string(json_t *j, const char *name, apr_pool_t *p)
{
    const char *s = json_string_value(json_object_get(j, name));

    return s ? apr_pstrdup(p, s) : "";
}

static apr_status_t pending_gather(void *baton, const wa_message_t *message, int is_update)
{
    gather_t *gather = baton;
    apr_pool_t *p = gather->p;
    pending_t *one;
    const char *error, *body;
    char *text;
    json_t *j;

    (void)is_update;
    text = apr_psprintf(p, "{%.*s}", (int)message->fixed_json.len, message->fixed_json.ptr);
    if (wa_json_parse(&j, text, message->fixed_json.len + 2, &error, p) != APR_SUCCESS) {
        return APR_SUCCESS; /* not of our making */
    }
    body = member_string(j, "body", p);
    if (wa_text_utf16_length(body, strlen(body)) > PART_UNITS_MAX) {
        return APR_SUCCESS;
    }
    if (gather->pending->nelts >= PENDING_MAX) {
        return APR_EOF;
    }
    one = apr_array_push(gather->pending);
    memset(one, 0, sizeof(*one));
    one->id = apr_pstrmemdup(p, message->id.ptr, message->id.len);
    one->sid = message->sid.len ? apr_pstrmemdup(p, message->sid.ptr, message->sid.len) : NULL;
    one->counterpart = apr_pstrmemdup(p, message->counterpart.ptr, message->counterpart.len);
    one->number = member_string(j, "phoneNumber", p);
    one->body = body;
    one->has_any_body = json_object_get(j, "contentSid") != NULL;
    one->timestamp_ms = message->timestamp_ms;
    return APR_SUCCESS;
}

/* ---- what Twilio lists ---- */

typedef struct listing_t {
    apr_array_header_t *listed; /* of listed_t, newest first */
    apr_int64_t from_ms;        /* 0, or: stop at messages from before */
    apr_pool_t *p;
} listing_t;

static apr_status_t sent_take(void *baton, const wa_twilio_message_t *message, apr_pool_t *tmp)
{
    listing_t *listing = baton;
    const apr_time_t when = message->date_created ? message->date_created : message->date_sent;
    listed_t *one;

    (void)tmp;
    if (listing->from_ms != 0 && when != 0 && apr_time_as_msec(when) < listing->from_ms) {
        return APR_EOF;
    }
    if (!message->direction || strncmp(message->direction, "outbound", 8) != 0) {
        return APR_SUCCESS;
    }
    one = apr_array_push(listing->listed);
    memset(one, 0, sizeof(*one));
    one->sid = apr_pstrdup(listing->p, message->sid);
    one->body = apr_pstrdup(listing->p, message->body ? message->body : "");
    one->status = apr_pstrdup(listing->p, message->status ? message->status : "");
    one->error_code = message->error_code;
    one->created_ms = apr_time_as_msec(when);
    return APR_SUCCESS;
}

/* Reads what Twilio has for one counterpart since `from_ms`.
 * @param has_dates  1: Twilio filters by the date of sending; 0: it gives all, and we stop at what is
 *                   older
 * @param plisted    out: NULL unless the list is whole */
static apr_status_t sent_list(const run_t *run, const pending_t *like, apr_int64_t from_ms,
                              int has_dates, apr_array_header_t **plisted, apr_pool_t *p)
{
    listing_t listing = {.listed = apr_array_make(p, 16, sizeof(listed_t)),
                         .from_ms = has_dates ? 0 : from_ms,
                         .p = p};
    wa_twilio_query_t query = {.to = like->counterpart,
                               .from = like->number,
                               .date_sent_from = has_dates ? apr_time_from_msec(from_ms) : 0,
                               .page_size = 100,
                               .max_messages = LIST_MAX};
    wa_twilio_result_t result;
    apr_status_t rv;

    *plisted = NULL;
    rv = wa_twilio_messages_fetch(run->messenger->twilio, &run->account, &query, sent_take,
                                  &listing, &result, p);
    if (APR_STATUS_IS_EOF(rv)) {
        rv = APR_SUCCESS;
    }
    if (rv == APR_SUCCESS) {
        *plisted = listing.listed;
    }
    return rv;
}

/* ---- matching ---- */

static int body_is_same(const pending_t *pending, const listed_t *listed)
{
    return pending->has_any_body
           || wa_slice_is_equal(wa_text_trim(wa_slice_of(pending->body)),
                                wa_text_trim(wa_slice_of(listed->body)));
}

static int time_fits(const pending_t *pending, const listed_t *listed)
{
    return listed->created_ms >= pending->timestamp_ms - EARLIER_MS
           && listed->created_ms <= pending->timestamp_ms + LATER_MS;
}

/* Twilio's message that is the pending one: by sid, else the oldest that fits and is nobody's; NULL
 * for none. */
static listed_t *match(const run_t *run, const pending_t *pending, apr_array_header_t *listed)
{
    int i;

    for (i = listed->nelts - 1; i >= 0; i--) {
        listed_t *one = &APR_ARRAY_IDX(listed, i, listed_t);
        wa_message_t ours;

        if (pending->sid) {
            if (strcmp(pending->sid, one->sid) == 0) {
                return one;
            }
            continue;
        }
        if (one->is_claimed || !time_fits(pending, one) || !body_is_same(pending, one)) {
            continue;
        }
        one->is_claimed =
            wa_store_message_find(run->messenger->store, one->sid, &ours, run->p) != APR_NOTFOUND;
        if (!one->is_claimed) {
            return one;
        }
    }
    return NULL;
}

/* ---- settling ---- */

/* What a merge makes of a pending message. */
typedef struct settle_t {
    const run_t *run;
    const listed_t *listed; /* NULL: Twilio has none */
    wa_slice_t parked;
    int is_changed;
} settle_t;

static apr_status_t state_finish(settle_t *settle, const wa_state_t *state,
                                 wa_message_state_t *next, apr_pool_t *p)
{
    wa_state_write(state, next, p);
    settle->is_changed = next->state_json.len > 0;
    return settle->is_changed ? APR_SUCCESS : APR_ENOMEM;
}

/* Makes Twilio's message ours. The sid is looked up within the merge: the store repeats it when another
 * process gave the sid away in between. */
static apr_status_t claim_merge(void *baton, const wa_message_t *now, wa_message_state_t *next,
                                apr_pool_t *p)
{
    settle_t *settle = baton;
    const listed_t *listed = settle->listed;
    wa_state_event_t event = {wa_delivery_parse(listed->status), listed->error_code,
                              listed->created_ms};
    wa_message_t other;
    wa_state_t state;
    apr_status_t rv;

    settle->is_changed = 0;
    wa_state_read(&state, now, p);
    if (now->status != WA_STATUS_PENDING || (state.sid && strcmp(state.sid, listed->sid) != 0)) {
        return APR_EEXIST; /* settled meanwhile */
    }
    rv = wa_store_message_find(settle->run->messenger->store, listed->sid, &other, p);
    if (rv == APR_SUCCESS && !wa_slice_is_equal(other.id, now->id)) {
        return APR_EEXIST; /* it is another one's */
    }
    if (rv != APR_SUCCESS && !APR_STATUS_IS_NOTFOUND(rv)) {
        return rv;
    }
    if (wa_delivery_rank(event.delivery) < 0) {
        event.delivery = WA_DELIVERY_ACCEPTED;
    }
    wa_state_apply(&state, &event, p);
    state.sid = listed->sid;
    return state_finish(settle, &state, next, p);
}

static apr_status_t parked_merge(void *baton, const wa_message_t *now, wa_message_state_t *next,
                                 apr_pool_t *p)
{
    settle_t *settle = baton;
    wa_state_t state;

    wa_state_read(&state, now, p);
    return wa_status_unpark(settle->parked, &state, p) ? state_finish(settle, &state, next, p)
                                                       : APR_EEXIST;
}

static apr_status_t give_up_merge(void *baton, const wa_message_t *now, wa_message_state_t *next,
                                  apr_pool_t *p)
{
    settle_t *settle = baton;
    wa_state_t state;

    settle->is_changed = 0;
    wa_state_read(&state, now, p);
    if (now->status != WA_STATUS_PENDING || state.sid || state.delivery != WA_DELIVERY_UNKNOWN) {
        return APR_EEXIST;
    }
    state.status = WA_STATUS_FAILED;
    state.error = NEVER_TAKEN;
    state.error_code = 0;
    return state_finish(settle, &state, next, p);
}

static apr_status_t claim(const run_t *run, pending_t *pending, listed_t *listed)
{
    wa_store_t *store = run->messenger->store;
    settle_t settle = {.run = run, .listed = listed};
    wa_message_t message;
    apr_status_t rv =
        wa_store_message_update(store, pending->id, claim_merge, &settle, &message, run->p);

    listed->is_claimed = 1;
    pending->is_done = rv == APR_SUCCESS && message.status != WA_STATUS_PENDING;
    if (rv != APR_SUCCESS || !settle.is_changed) {
        return rv;
    }
    run->result->settled++;
    rv = wa_store_parked_get(store, listed->sid, &settle.parked, run->p);
    if (rv == APR_SUCCESS) {
        rv = wa_store_message_update(store, pending->id, parked_merge, &settle, &message, run->p);
    }
    return APR_STATUS_IS_NOTFOUND(rv) ? APR_SUCCESS : rv;
}

static apr_status_t give_up(const run_t *run, pending_t *pending)
{
    settle_t settle = {.run = run};
    wa_message_t message;
    apr_status_t rv = wa_store_message_update(run->messenger->store, pending->id, give_up_merge,
                                              &settle, &message, run->p);

    pending->is_done = 1;
    run->result->given_up += rv == APR_SUCCESS && settle.is_changed;
    return rv;
}

/* Claims what matches. With `is_last` what does not, and is old enough, is given up. */
static apr_status_t settle_all(const run_t *run, pending_t **group, int count,
                               apr_array_header_t *listed, int is_last)
{
    apr_status_t rv = APR_SUCCESS;
    int i;

    for (i = 0; i < 2 * count && rv == APR_SUCCESS; i++) {
        pending_t *pending = group[i % count];
        listed_t *found;

        /* Templates last: they take whatever no text of ours is. */
        if (pending->is_done || pending->has_any_body != (i >= count)) {
            continue;
        }
        found = match(run, pending, listed);
        if (found) {
            rv = claim(run, pending, found);
        } else if (is_last && !pending->sid && listed->nelts < LIST_MAX
                   && run->options->now_ms - pending->timestamp_ms >= WA_RECONCILE_GIVE_UP_MS) {
            rv = give_up(run, pending);
        }
    }
    return rv;
}

/* Settles the pending messages to one counterpart, the oldest first. */
static apr_status_t group_settle(const run_t *run, pending_t **group, int count, apr_pool_t *p)
{
    const apr_int64_t from_ms = group[0]->timestamp_ms - EARLIER_MS;
    apr_array_header_t *listed;
    int i, is_needed = 0;
    apr_status_t rv = sent_list(run, group[0], from_ms, 1, &listed, p);

    if (rv == APR_SUCCESS) {
        rv = settle_all(run, group, count, listed, 0);
    }
    for (i = 0; i < count; i++) {
        is_needed |= !group[i]->is_done && !group[i]->sid
                     && run->options->now_ms - group[i]->timestamp_ms >= WA_RECONCILE_GIVE_UP_MS;
    }
    if (rv == APR_SUCCESS && is_needed) {
        rv = sent_list(run, group[0], from_ms, 0, &listed, p);
        if (rv == APR_SUCCESS) {
            rv = settle_all(run, group, count, listed, 1);
        }
    }
    return rv;
}

static apr_status_t sends_reconcile(const run_t *run)
{
    const apr_interval_time_t timeout =
        run->messenger->send_timeout > 0 ? run->messenger->send_timeout : SEND_TIMEOUT_DEFAULT;
    gather_t gather = {.pending = apr_array_make(run->p, 16, sizeof(pending_t)), .p = run->p};
    pending_t **group = apr_palloc(run->p, PENDING_MAX * sizeof(*group));
    char *is_taken = apr_pcalloc(run->p, PENDING_MAX);
    apr_pool_t *p;
    apr_status_t rv;
    int i, j;

    rv = wa_store_pending_list(run->messenger->store,
                               run->options->now_ms - 2 * apr_time_as_msec(timeout),
                               PENDING_SEEN_MAX, pending_gather, &gather, run->p);
    if (rv != APR_SUCCESS && !APR_STATUS_IS_EOF(rv)) {
        return rv;
    }
    rv = apr_pool_create(&p, run->p);
    for (i = 0; i < gather.pending->nelts && rv == APR_SUCCESS; i++) {
        const pending_t *first = &APR_ARRAY_IDX(gather.pending, i, pending_t);
        int count = 0;

        if (is_taken[i]) {
            continue;
        }
        for (j = i; j < gather.pending->nelts; j++) {
            pending_t *other = &APR_ARRAY_IDX(gather.pending, j, pending_t);

            if (strcmp(first->counterpart, other->counterpart) == 0
                && strcmp(first->number, other->number) == 0) {
                group[count++] = other;
                is_taken[j] = 1;
            }
        }
        rv = is_stopping(run) ? APR_EINTR : group_settle(run, group, count, p);
        apr_pool_clear(p);
    }
    return rv;
}

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
    apr_pool_t *p;
} inbound_t;

static apr_status_t inbound_take(void *baton, const wa_twilio_message_t *message, apr_pool_t *tmp)
{
    inbound_t *inbound = baton;
    const apr_time_t date = message->date_sent ? message->date_sent : message->date_created;
    apr_pool_t *p = inbound->p;
    wa_message_t stored;
    missing_t *one;
    apr_status_t rv;

    if (is_stopping(inbound->run)) {
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
        rv = wa_twilio_media_list(run->messenger->twilio, &run->account, missing->sid, media_take,
                                  &media, &result, p);
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
    wa_twilio_query_t query = {.to = run->messenger->number, .page_size = 100};
    apr_int64_t from_ms = options->now_ms - apr_time_as_msec(options->look_back);
    wa_twilio_result_t result;
    apr_pool_t *p;
    int i, is_whole;
    apr_status_t rv;

    if (memory->inbound_from_ms > from_ms) {
        from_ms = memory->inbound_from_ms;
    }
    query.date_sent_from = apr_time_from_msec(from_ms);
    rv = wa_twilio_messages_fetch(run->messenger->twilio, &run->account, &query, inbound_take,
                                  &inbound, &result, run->p);
    is_whole = rv == APR_SUCCESS;
    if (!is_whole && !APR_STATUS_IS_EOF(rv)) {
        return rv;
    }
    rv = apr_pool_create(&p, run->p);
    for (i = inbound.missing->nelts - 1; i >= 0 && rv == APR_SUCCESS; i--) {
        rv = is_stopping(run)
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
    run_t run = {.messenger = messenger, .options = options, .result = result, .p = tmp};
    apr_time_t started = apr_time_now();
    apr_status_t rv;

    memset(result, 0, sizeof(*result));
    run.account.sid = messenger->account_sid;
    run.account.secret = messenger->tokens[0];
    rv = sends_reconcile(&run);
    if (rv == APR_SUCCESS) {
        rv = inbound_reconcile(&run, memory);
    }
    if (result->settled + result->given_up + result->received > 0) {
        WA_LOG(messenger->log, WA_LOG_INFO, "WA0531", rv,
               "reconciled with Twilio: settled=%" APR_SIZE_T_FMT " failed=%" APR_SIZE_T_FMT
               " received=%" APR_SIZE_T_FMT " duration=%" APR_INT64_T_FMT "ms",
               result->settled, result->given_up, result->received,
               apr_time_as_msec(apr_time_now() - started));
    }
    return rv;
}
