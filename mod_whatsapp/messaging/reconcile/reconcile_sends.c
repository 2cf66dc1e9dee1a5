/* SPDX-License-Identifier: Apache-2.0 */
/* Settles sends whose outcome is not known by Twilio's list, message by message and part by
 * part. */
#include "messaging/reconcile/reconcile_sends.h"

#include <apr_strings.h>
#include <apr_tables.h>

#include "base/clock.h"
#include "messaging/delivery/parked.h"
#include "messaging/delivery/reducer.h"
#include "messaging/message/attributes.h"
#include "messaging/policy/policy.h"
#include "messaging/reconcile/reconcile_match.h"

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

typedef wa_reconcile_pending_t pending_t;
typedef wa_reconcile_listed_t listed_t;
typedef wa_reconcile_group_t group_t;

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
    /* NULL, or: only what goes to the same counterpart and is none of these */
    const group_t *rivals_of;
    apr_pool_t *p;
} gather_t;

static void pending_push(gather_t *gather, const pending_t *one)
{
    *(pending_t *)apr_array_push(gather->pending) = *one;
}

/* What the message was sent as. @return how many parts */
static apr_size_t parts_of(const wa_message_t *message, wa_part_content_t *parts)
{
    wa_attribute_t first = {.content_type = {NULL, 0}}, media;
    apr_size_t count = 0;

    if (wa_attributes_content_sid(message->attributes).len > 0) {
        parts[0] = (wa_part_content_t){.text = message->body};
        return 1;
    }
    while (wa_attributes_media(message->attributes, count, &media) != WA_ATTRIBUTE_NONE) {
        first = count++ == 0 ? media : first;
    }
    return wa_parts_make(message->body, count, first.content_type, parts);
}

static void content_set(pending_t *one, const wa_part_content_t *part, const wa_message_t *message)
{
    wa_attribute_t media;

    one->body = part->text;
    one->media_url = wa_slice_make(NULL, 0);
    if (part->media_no > 0
        && wa_attributes_media(message->attributes, part->media_no - 1, &media)
               != WA_ATTRIBUTE_NONE) {
        one->media_url = media.url;
    }
}

/* The parts whose outcome is not known. Where the message would be divided otherwise than when it
 * was sent, its receipts have to settle it. */
static void parts_push(gather_t *gather, pending_t one, const wa_message_t *message)
{
    wa_part_content_t parts[WA_PARTS_MAX];
    wa_delivery_t delivery;
    apr_int64_t longest_ms;
    apr_size_t i;

    wa_delivery_read(&delivery, message, gather->p);
    if (parts_of(message, parts) != delivery.part_count) {
        return;
    }
    if (delivery.part_count == 1) {
        content_set(&one, &parts[0], message);
        pending_push(gather, &one);
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
            content_set(&one, &parts[i], message);
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

/* Fills what is the same for all parts but for the dates, and takes it up. */
static void message_push(gather_t *gather, pending_t one, const wa_message_t *message)
{
    one.id = wa_slice_string(message->id, gather->p);
    one.sid = message->sid.len ? wa_slice_string(message->sid, gather->p) : NULL;
    one.counterpart = wa_slice_string(message->counterpart, gather->p);
    one.number = wa_slice_string(message->phone_number, gather->p);
    one.has_any_body = wa_attributes_content_sid(message->attributes).len > 0;
    one.until_ms = one.date_ms + LATER_MS;
    one.give_up_ms = one.date_ms + WA_RECONCILE_GIVE_UP_MS;
    parts_push(gather, one, message);
}

static apr_int64_t look_back_from(const run_t *run)
{
    return run->options->now_ms - apr_time_as_msec(run->options->look_back);
}

static apr_status_t pending_gather(void *baton, const wa_message_t *message, int is_update)
{
    gather_t *gather = baton;
    pending_t one = {.date_ms = message->date_ms, .from_ms = message->date_ms - EARLIER_MS};

    (void)is_update;
    if (date_is_wrong(gather->run, message->date_ms)) {
        one.date_ms = date_known(gather, message);
        one.from_ms = look_back_from(gather->run);
        if (one.date_ms > sure_before(gather->run)) {
            return APR_SUCCESS;
        }
    }
    if (gather->pending->nelts >= PENDING_MAX) {
        return APR_EOF;
    }
    message_push(gather, one, message);
    return APR_SUCCESS;
}

static int is_in(const group_t *group, wa_slice_t id)
{
    int i;

    for (i = 0; i < group->count; i++) {
        if (wa_slice_is_equal(wa_slice_of(group->pending[i]->id), id)) {
            return 1;
        }
    }
    return 0;
}

static apr_status_t rival_gather(void *baton, const wa_message_t *message, int is_update)
{
    gather_t *gather = baton;
    const group_t *group = gather->rivals_of;
    const pending_t *like = group->pending[0];
    pending_t one = {.date_ms = message->date_ms, .from_ms = message->date_ms - EARLIER_MS};

    (void)is_update;
    if (!wa_slice_is_equal(message->counterpart, wa_slice_of(like->counterpart))
        || !wa_slice_is_equal(message->phone_number, wa_slice_of(like->number))
        || is_in(group, message->id)) {
        return APR_SUCCESS;
    }
    if (date_is_wrong(gather->run, message->date_ms)) {
        one.date_ms = gather->run->options->now_ms;
        one.from_ms = look_back_from(gather->run);
    }
    message_push(gather, one, message);
    return APR_SUCCESS;
}

/* Adds the messages that may be under way, or of which there are too many for one run. Their
 * intents are stored before Twilio is asked: read after Twilio's list they are all that can be in
 * it without a sid of theirs being known. */
static apr_status_t rivals_add(const run_t *run, group_t *group, apr_pool_t *p)
{
    const apr_int64_t any_ms = run->options->now_ms;
    gather_t gather = {.run = run,
                       .pending = apr_array_make(p, 16, sizeof(pending_t)),
                       .rivals_of = group,
                       .p = p};
    pending_t **all;
    int i;
    apr_status_t rv = wa_store_pending_list(run->messenger->store, any_ms, any_ms, PENDING_SEEN_MAX,
                                            rival_gather, &gather, p);

    group->rival_count = gather.pending->nelts;
    all = apr_palloc(p, (apr_size_t)(group->count + group->rival_count) * sizeof(*all));
    memcpy(all, group->pending, (apr_size_t)group->count * sizeof(*all));
    for (i = 0; i < group->rival_count; i++) {
        all[group->count + i] = &APR_ARRAY_IDX(gather.pending, i, pending_t);
    }
    group->pending = all;
    return rv;
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
    one->media_count = message->media_count;
    one->created_ms = apr_time_as_msec(when);
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
                                 .at_ms = settle->listed->created_ms,
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
        found = wa_reconcile_match(run, group, pending, listed);
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

/* 1 when any of a message's parts, which stand together from `first` on, may be at Twilio. */
static int is_doubtful(const run_t *run, const group_t *group, int first,
                       apr_array_header_t *listed)
{
    int i;

    for (i = first;
         i < group->count && strcmp(group->pending[i]->id, group->pending[first]->id) == 0; i++) {
        if (wa_reconcile_is_doubtful(run, group->pending[i], listed)) {
            return 1;
        }
    }
    return 0;
}

static apr_status_t give_up_all(const run_t *run, const group_t *group, apr_array_header_t *listed)
{
    const char *last = ""; /* a message's parts stand together */
    apr_status_t rv = APR_SUCCESS;
    int i;

    for (i = 0; i < group->count && rv == APR_SUCCESS; i++) {
        const pending_t *pending = group->pending[i];

        if (may_be_given_up(run, pending) && strcmp(pending->id, last) != 0) {
            last = pending->id;
            rv = is_doubtful(run, group, i, listed) ? APR_SUCCESS : give_up(run, pending);
        }
    }
    return rv;
}

/* Reads Twilio's list, and claims what matches. */
static apr_status_t list_claim(const run_t *run, group_t *group, const sent_range_t *range,
                               apr_array_header_t **plisted, apr_pool_t *p)
{
    apr_status_t rv = sent_list(run, range, plisted, p);

    if (rv != APR_SUCCESS || !wa_reconcile_has_match(run, group, *plisted)) {
        return rv;
    }
    rv = rivals_add(run, group, p);
    return rv == APR_SUCCESS ? claim_all(run, group, *plisted) : rv;
}

/* Settles the pending messages to one counterpart. */
static apr_status_t group_settle(const run_t *run, group_t *group, apr_pool_t *p)
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
    rv = list_claim(run, group, &range, &listed, p);
    for (i = 0; i < group->count; i++) {
        is_needed |= may_be_given_up(run, group->pending[i]);
    }
    if (rv != APR_SUCCESS || !is_needed) {
        return rv;
    }
    range.has_dates = 0;
    rv = list_claim(run, group, &range, &listed, p);
    return rv == APR_SUCCESS && listed->nelts < LIST_MAX ? give_up_all(run, group, listed) : rv;
}

apr_status_t wa_reconcile_sends(const run_t *run)
{
    gather_t gather = {
        .run = run, .pending = apr_array_make(run->p, 16, sizeof(pending_t)), .p = run->p};
    pending_t **together;
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
    together = apr_palloc(run->p, ((apr_size_t)gather.pending->nelts + 1) * sizeof(*together));
    is_taken = apr_pcalloc(run->p, (apr_size_t)gather.pending->nelts + 1);
    rv = apr_pool_create(&p, run->p);
    for (i = 0; i < gather.pending->nelts && rv == APR_SUCCESS; i++) {
        const pending_t *first = &APR_ARRAY_IDX(gather.pending, i, pending_t);
        group_t group = {.pending = together};

        if (is_taken[i]) {
            continue;
        }
        for (j = i; j < gather.pending->nelts; j++) {
            pending_t *other = &APR_ARRAY_IDX(gather.pending, j, pending_t);

            if (strcmp(first->counterpart, other->counterpart) == 0
                && strcmp(first->number, other->number) == 0) {
                together[group.count++] = other;
                is_taken[j] = 1;
            }
        }
        rv = wa_reconcile_is_stopping(run) ? APR_EINTR : group_settle(run, &group, p);
        apr_pool_clear(p);
    }
    return rv;
}
