/* SPDX-License-Identifier: Apache-2.0 */
/* Settles sends whose outcome is not known by Twilio's list, message by message and part by
 * part. */
#include "messaging/reconcile/reconcile_sends.h"

#include <apr_strings.h>
#include <apr_tables.h>

#include "base/clock.h"
#include "base/text.h"
#include "messaging/delivery/parked.h"
#include "messaging/delivery/reducer.h"
#include "messaging/message/attributes.h"
#include "messaging/policy/policy.h"
#include "twilio/errors.h"

/* How much one run takes on; the next one goes on. */
#define PENDING_MAX 200
#define PENDING_SEEN_MAX 65536 /* including those that are passed over */
#define LIST_MAX 1000

/* Clocks differ, and Twilio's dates have no milliseconds: Twilio's message may seem this much older
 * than our intent, and may have been made this long after it. */
#define EARLIER_MS ((apr_int64_t)2 * 60 * 1000)
#define LATER_MS ((apr_int64_t)10 * 60 * 1000)

#define SEND_TIMEOUT_DEFAULT apr_time_from_sec(30)

typedef wa_reconcile_run_t run_t;

/* A pending message of ours, or one part of it. Strings in the run's pool. */
typedef struct pending_t {
    const char *id;
    apr_size_t part; /* 1 and up; 0: it is one message at Twilio's too */
    const char *sid; /* NULL while unknown; never of a part */
    const char *counterpart;
    const char *number; /* ours, which it was sent from */
    wa_slice_t body;
    int has_any_body;     /* 1: Twilio makes its text (a template) */
    apr_int64_t date_ms;  /* of the intent */
    apr_int64_t from_ms;  /* Twilio's message was not made before */
    apr_int64_t after_ms; /* of a part: when the one before it was made, as far as this run knows */
    apr_int64_t until_ms; /* Twilio's message was made by then */
    apr_int64_t give_up_ms; /* from then on what is not found counts as never sent */
    int is_done;
} pending_t;

/* One of Twilio's messages. */
typedef struct listed_t {
    const char *sid;
    const char *body;
    const char *status;
    int error_code;
    const char *said; /* of a failure, in Twilio's own words; NULL for none */
    apr_int64_t created_ms;
    apr_int64_t status_ms; /* since when it has its status at the latest */
    int is_claimed;        /* it is one of ours already */
} listed_t;

static apr_int64_t timeout_ms(const run_t *run)
{
    const apr_interval_time_t timeout = run->messenger->send_timeout;

    return apr_time_as_msec(timeout > 0 ? timeout : SEND_TIMEOUT_DEFAULT);
}

/* ---- what is pending ---- */

typedef struct gather_t {
    const run_t *run;
    /* of pending_t; a message's parts stand together, in their order */
    apr_array_header_t *pending;
} gather_t;

static void pending_push(gather_t *gather, const pending_t *one)
{
    *(pending_t *)apr_array_push(gather->pending) = *one;
}

/* The parts whose outcome is not known. Where the text would be cut otherwise than when it was
 * sent, its receipts have to settle it. */
static void parts_push(gather_t *gather, pending_t one, const wa_message_t *message)
{
    wa_slice_t parts[WA_PARTS_MAX];
    wa_delivery_t delivery;
    apr_int64_t longest_ms;
    apr_size_t i;

    wa_delivery_read(&delivery, message, gather->run->p);
    if (delivery.part_count == 1 || wa_parts_cut(one.body, parts) != delivery.part_count) {
        return;
    }
    longest_ms = (apr_int64_t)(delivery.part_count + 1) * timeout_ms(gather->run);
    one.sid = NULL;
    one.until_ms += longest_ms;
    if (one.give_up_ms < one.date_ms + longest_ms) {
        one.give_up_ms = one.date_ms + longest_ms;
    }
    for (i = 0; i < delivery.part_count; i++) {
        if (wa_part_is_open(&delivery.parts[i])) {
            one.part = i + 1;
            one.body = parts[i];
            pending_push(gather, &one);
        }
    }
}

/* For what was committed before this no call can be under way any more. */
static apr_int64_t sure_before(const run_t *run)
{
    return run->options->now_ms - 2 * timeout_ms(run);
}

/* 1 for a date of a clock that was ahead, or never set. */
static int date_is_wrong(const run_t *run, apr_int64_t date_ms)
{
    return date_ms > run->options->now_ms + WA_CLOCK_SKEW_MS
           || date_ms < (apr_int64_t)WA_CLOCK_SET_S * 1000;
}

/* The date to go by for a message whose own is wrong: when it was first seen. One moment is kept
 * for all of them, that at which the newest was first seen: once the clock is right no more of them
 * come. */
static apr_int64_t date_known(const gather_t *gather, const wa_message_t *message)
{
    wa_reconcile_memory_t *memory = gather->run->memory;
    const apr_time_t steady_us = wa_clock_steady_us();

    if (message->timestamp_ms > memory->undated_ms) {
        memory->undated_ms = message->timestamp_ms;
        memory->undated_since_us = steady_us;
    }
    return gather->run->options->now_ms - apr_time_as_msec(steady_us - memory->undated_since_us);
}

static apr_status_t pending_gather(void *baton, const wa_message_t *message, int is_update)
{
    gather_t *gather = baton;
    apr_pool_t *p = gather->run->p;
    pending_t one = {.date_ms = message->date_ms, .from_ms = message->date_ms - EARLIER_MS};

    (void)is_update;
    if (date_is_wrong(gather->run, message->date_ms)) {
        one.date_ms = date_known(gather, message);
        one.from_ms =
            gather->run->options->now_ms - apr_time_as_msec(gather->run->options->look_back);
        if (one.date_ms > sure_before(gather->run)) {
            return APR_SUCCESS;
        }
    }
    if (gather->pending->nelts >= PENDING_MAX) {
        return APR_EOF;
    }
    one.id = wa_slice_string(message->id, p);
    one.sid = message->sid.len ? wa_slice_string(message->sid, p) : NULL;
    one.counterpart = wa_slice_string(message->counterpart, p);
    one.number = wa_slice_string(message->phone_number, p);
    one.body = message->body;
    one.has_any_body = wa_attributes_content_sid(message->attributes).len > 0;
    one.until_ms = one.date_ms + LATER_MS;
    one.give_up_ms = one.date_ms + WA_RECONCILE_GIVE_UP_MS;
    if (wa_text_utf16_length(one.body.ptr, one.body.len) > WA_PART_UNITS_MAX) {
        parts_push(gather, one, message);
    } else {
        pending_push(gather, &one);
    }
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
    one->said = wa_twilio_words(wa_slice_of(message->error_message), listing->p);
    one->created_ms = apr_time_as_msec(when);
    one->status_ms = apr_time_as_msec(message->date_updated ? message->date_updated : when);
    return APR_SUCCESS;
}

/* What to read of Twilio's list. */
typedef struct sent_range_t {
    /* its counterpart and our number */
    const pending_t *like;
    /* no older ones */
    apr_int64_t from_ms;
    /* 1: Twilio filters by the date of sending; 0: it gives all, and we stop at what is older */
    int has_dates;
} sent_range_t;

/* Reads what Twilio has for one counterpart. @param plisted  out: NULL unless the list is whole */
static apr_status_t sent_list(const run_t *run, const sent_range_t *range,
                              apr_array_header_t **plisted, apr_pool_t *p)
{
    const apr_int64_t from_ms = range->from_ms;
    listing_t listing = {.listed = apr_array_make(p, 16, sizeof(listed_t)),
                         .from_ms = range->has_dates ? 0 : from_ms,
                         .p = p};
    const wa_twilio_message_visitor_t visitor = {sent_take, &listing};
    wa_twilio_query_t query = {.account = &run->account,
                               .to = range->like->counterpart,
                               .from = range->like->number,
                               .date_sent_from = range->has_dates ? apr_time_from_msec(from_ms) : 0,
                               .page_size = 100,
                               .max_messages = LIST_MAX};
    wa_twilio_result_t result;
    apr_status_t rv;

    *plisted = NULL;
    rv = wa_twilio_messages_fetch(run->messenger->twilio, &query, &visitor, &result, p);
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
           || wa_slice_is_equal(wa_text_trim(pending->body),
                                wa_text_trim(wa_slice_of(listed->body)));
}

static int time_fits(const pending_t *pending, const listed_t *listed)
{
    return listed->created_ms >= pending->from_ms && listed->created_ms >= pending->after_ms
           && listed->created_ms <= pending->until_ms;
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
    apr_size_t part;        /* that it is about; 0: the whole */
    wa_slice_t parked;
    int is_changed;
} settle_t;

static wa_delivery_event_t listed_event(const settle_t *settle)
{
    return (wa_delivery_event_t){.kind = WA_EVENT_LISTED,
                                 .word = wa_delivery_parse(settle->listed->status),
                                 .error_code = settle->listed->error_code,
                                 .said = settle->listed->said,
                                 .at_ms = settle->listed->status_ms,
                                 .sid = settle->listed->sid,
                                 .part = settle->part};
}

/* 1 while nothing shows of the part that Twilio's message would be whether Twilio has it. */
static int is_open(const wa_delivery_t *delivery, const wa_delivery_event_t *event)
{
    const apr_size_t known = wa_delivery_part_find(delivery, event->sid);
    const apr_size_t part = known > 0 ? known : event->part > 0 ? event->part : 1;

    return part <= delivery->part_count && wa_part_is_open(&delivery->parts[part - 1]);
}

/* Makes Twilio's message ours. The sid is looked up within the merge: the store repeats it when
 * another process gave the sid away in between. */
static apr_status_t claim_merge(void *baton, const wa_message_t *now, wa_message_state_t *next,
                                apr_pool_t *p)
{
    settle_t *settle = baton;
    const wa_delivery_event_t event = listed_event(settle);
    wa_delivery_t delivery;
    wa_message_t other;
    apr_status_t rv;

    settle->is_changed = 0;
    rv = wa_store_message_find(settle->run->messenger->store, event.sid, &other, p);
    if (rv == APR_SUCCESS && !wa_slice_is_equal(other.id, now->id)) {
        return APR_EEXIST; /* it is another one's */
    }
    if (rv != APR_SUCCESS && !APR_STATUS_IS_NOTFOUND(rv)) {
        return rv;
    }
    wa_delivery_read(&delivery, now, p);
    if (!is_open(&delivery, &event)) {
        return APR_EEXIST; /* it was settled meanwhile */
    }
    rv = wa_delivery_apply(&delivery, &event);
    if (rv == APR_SUCCESS) {
        rv = wa_delivery_write(&delivery, event.sid, next, p);
        settle->is_changed = rv == APR_SUCCESS;
    }
    return APR_STATUS_IS_NOTFOUND(rv) ? APR_EEXIST : rv;
}

static apr_status_t parked_merge(void *baton, const wa_message_t *now, wa_message_state_t *next,
                                 apr_pool_t *p)
{
    settle_t *settle = baton;
    const wa_delivery_event_t about = listed_event(settle);
    wa_delivery_t delivery;
    apr_status_t rv;

    wa_delivery_read(&delivery, now, p);
    rv = wa_parked_apply(settle->parked, &about, &delivery, p);
    return rv == APR_SUCCESS ? wa_delivery_write(&delivery, about.sid, next, p) : rv;
}

static apr_status_t give_up_merge(void *baton, const wa_message_t *now, wa_message_state_t *next,
                                  apr_pool_t *p)
{
    static const wa_delivery_event_t event = {.kind = WA_EVENT_GIVE_UP};
    settle_t *settle = baton;
    wa_delivery_t delivery;
    apr_status_t rv;

    settle->is_changed = 0;
    wa_delivery_read(&delivery, now, p);
    rv = wa_delivery_apply(&delivery, &event);
    if (rv == APR_SUCCESS) {
        rv = wa_delivery_write(&delivery, NULL, next, p);
        settle->is_changed = rv == APR_SUCCESS;
    }
    return rv;
}

static apr_status_t claim(const run_t *run, pending_t *pending, listed_t *listed)
{
    wa_store_t *store = run->messenger->store;
    settle_t settle = {.run = run, .listed = listed, .part = pending->part};
    wa_message_t message;
    apr_status_t rv =
        wa_store_message_update(store, pending->id, claim_merge, &settle, &message, run->p);

    listed->is_claimed = 1;
    if (rv == APR_SUCCESS) {
        pending->is_done =
            pending->part > 0 ? settle.is_changed : message.status != WA_STATUS_PENDING;
    }
    if (rv != APR_SUCCESS || !settle.is_changed) {
        return rv;
    }
    wa_policy_error(run->messenger, message.counterpart, listed->error_code, run->p);
    rv = wa_store_parked_get(store, listed->sid, &settle.parked, run->p);
    if (rv == APR_SUCCESS) {
        rv = wa_store_message_update(store, pending->id, parked_merge, &settle, &message, run->p);
    }
    run->result->settled += pending->part == 0 || message.status != WA_STATUS_PENDING;
    return APR_STATUS_IS_NOTFOUND(rv) ? APR_SUCCESS : rv;
}

/* Of a message in parts all that were not found at once. */
static apr_status_t give_up(const run_t *run, const pending_t *pending)
{
    settle_t settle = {.run = run};
    wa_message_t message;
    apr_status_t rv = wa_store_message_update(run->messenger->store, pending->id, give_up_merge,
                                              &settle, &message, run->p);

    if (rv == APR_SUCCESS && settle.is_changed) {
        run->result->given_up += message.status == WA_STATUS_FAILED;
        run->result->settled += message.status != WA_STATUS_FAILED;
    }
    return rv;
}

/* The messages to one counterpart that are settled together. */
typedef struct group_t {
    pending_t **pending; /* the oldest first */
    int count;
} group_t;

/* Says of the later parts of a message that they are not older than the one that was found. */
static void order_note(const group_t *group, const pending_t *found, const listed_t *listed)
{
    int i;

    for (i = 0; i < group->count; i++) {
        pending_t *other = group->pending[i];

        if (other->part > found->part && strcmp(other->id, found->id) == 0) {
            other->after_ms = listed->created_ms;
        }
    }
}

/* Claims what matches: first what has a text of ours, as a template takes whatever is left. */
static apr_status_t claim_all(const run_t *run, const group_t *group, apr_array_header_t *listed)
{
    apr_status_t rv = APR_SUCCESS;
    int i;

    for (i = 0; i < 2 * group->count && rv == APR_SUCCESS; i++) {
        pending_t *pending = group->pending[i % group->count];
        listed_t *found;

        if (pending->is_done || pending->has_any_body != (i >= group->count)) {
            continue;
        }
        found = match(run, pending, listed);
        if (found) {
            rv = claim(run, pending, found);
            if (pending->part > 0 && pending->is_done) {
                order_note(group, pending, found);
            }
        }
    }
    return rv;
}

static int may_be_given_up(const run_t *run, const pending_t *pending)
{
    return !pending->is_done && !pending->sid && run->options->now_ms >= pending->give_up_ms;
}

static apr_status_t give_up_all(const run_t *run, const group_t *group)
{
    const char *last = ""; /* a message's parts stand together */
    apr_status_t rv = APR_SUCCESS;
    int i;

    for (i = 0; i < group->count && rv == APR_SUCCESS; i++) {
        const pending_t *pending = group->pending[i];

        if (may_be_given_up(run, pending) && strcmp(pending->id, last) != 0) {
            last = pending->id;
            rv = give_up(run, pending);
        }
    }
    return rv;
}

/* Settles the pending messages to one counterpart. */
static apr_status_t group_settle(const run_t *run, const group_t *group, apr_pool_t *p)
{
    sent_range_t range = {group->pending[0], group->pending[0]->from_ms, 1};
    apr_array_header_t *listed;
    int i, is_needed = 0;
    apr_status_t rv;

    for (i = 1; i < group->count; i++) {
        if (group->pending[i]->from_ms < range.from_ms) {
            range.from_ms = group->pending[i]->from_ms;
        }
    }
    rv = sent_list(run, &range, &listed, p);
    if (rv == APR_SUCCESS) {
        rv = claim_all(run, group, listed);
    }
    for (i = 0; i < group->count; i++) {
        is_needed |= may_be_given_up(run, group->pending[i]);
    }
    if (rv != APR_SUCCESS || !is_needed) {
        return rv;
    }
    range.has_dates = 0;
    rv = sent_list(run, &range, &listed, p);
    if (rv == APR_SUCCESS) {
        rv = claim_all(run, group, listed);
    }
    return rv == APR_SUCCESS && listed->nelts < LIST_MAX ? give_up_all(run, group) : rv;
}

apr_status_t wa_reconcile_sends(const run_t *run)
{
    gather_t gather = {.run = run, .pending = apr_array_make(run->p, 16, sizeof(pending_t))};
    group_t group = {NULL, 0};
    char *is_taken;
    apr_pool_t *p;
    apr_status_t rv;
    int i, j;

    rv = wa_store_pending_list(run->messenger->store, sure_before(run),
                               run->options->now_ms + WA_CLOCK_SKEW_MS, PENDING_SEEN_MAX,
                               pending_gather, &gather, run->p);
    if (rv != APR_SUCCESS && !APR_STATUS_IS_EOF(rv)) {
        return rv;
    }
    group.pending =
        apr_palloc(run->p, ((apr_size_t)gather.pending->nelts + 1) * sizeof(pending_t *));
    is_taken = apr_pcalloc(run->p, (apr_size_t)gather.pending->nelts + 1);
    rv = apr_pool_create(&p, run->p);
    for (i = 0; i < gather.pending->nelts && rv == APR_SUCCESS; i++) {
        const pending_t *first = &APR_ARRAY_IDX(gather.pending, i, pending_t);

        if (is_taken[i]) {
            continue;
        }
        for (group.count = 0, j = i; j < gather.pending->nelts; j++) {
            pending_t *other = &APR_ARRAY_IDX(gather.pending, j, pending_t);

            if (strcmp(first->counterpart, other->counterpart) == 0
                && strcmp(first->number, other->number) == 0) {
                group.pending[group.count++] = other;
                is_taken[j] = 1;
            }
        }
        rv = wa_reconcile_is_stopping(run) ? APR_EINTR : group_settle(run, &group, p);
        apr_pool_clear(p);
    }
    return rv;
}
