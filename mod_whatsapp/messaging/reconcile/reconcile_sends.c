/* SPDX-License-Identifier: Apache-2.0 */
/* Settles sends whose outcome is not known by Twilio's list, message by message and part by
 * part. */
#include "messaging/reconcile/reconcile_sends.h"

#include <apr_strings.h>
#include <apr_tables.h>

#include "messaging/delivery/parked.h"
#include "messaging/delivery/reducer.h"
#include "messaging/policy/policy.h"
#include "messaging/reconcile/passed.h"
#include "messaging/reconcile/reconcile_pending.h"
#include "twilio/errors.h"

/* How much of a list one run reads; the next one goes on. */
#define LIST_MAX 1000
/* Lists that Twilio fails to give, before the rest is left to the next run. */
#define FAILURES_MAX 3

typedef wa_reconcile_run_t run_t;
typedef wa_reconcile_pending_t pending_t;
typedef wa_reconcile_listed_t listed_t;
typedef wa_reconcile_group_t group_t;

/* ---- what Twilio lists ---- */

typedef struct listing_t {
    apr_array_header_t *listed; /* of listed_t, newest first */
    apr_int64_t from_ms;        /* 0, or: messages from before end it */
    int older;                  /* how many such came one after the other */
    apr_pool_t *p;
} listing_t;

static apr_status_t sent_take(void *baton, const wa_twilio_message_t *message, apr_pool_t *tmp)
{
    listing_t *listing = baton;
    const apr_time_t when = message->date_created ? message->date_created : message->date_sent;
    listed_t *one;

    (void)tmp;
    if (listing->from_ms != 0 && when != 0 && apr_time_as_msec(when) < listing->from_ms) {
        return ++listing->older < WA_RECONCILE_OLDER_MAX ? APR_SUCCESS : APR_EOF;
    }
    listing->older = 0;
    if (!wa_reconcile_is_sent(message)) {
        return APR_SUCCESS;
    }
    one = apr_array_push(listing->listed);
    memset(one, 0, sizeof(*one));
    one->sid = apr_pstrdup(listing->p, message->sid);
    one->body = apr_pstrdup(listing->p, message->body ? message->body : "");
    one->status = apr_pstrdup(listing->p, message->status ? message->status : "");
    one->error_code = message->error_code;
    one->media_count = message->media_count;
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

/* What Twilio gave of it. */
typedef struct sent_t {
    apr_array_header_t *listed; /* of listed_t, newest first */
    int is_whole;               /* 1: there is nothing more in the range */
} sent_t;

/* Reads what Twilio has for one counterpart. @param result  out: how it went */
static apr_status_t sent_list(const run_t *run, const sent_range_t *range, sent_t *sent,
                              wa_twilio_result_t *result, apr_pool_t *p)
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
    apr_status_t rv = wa_twilio_messages_fetch(run->messenger->twilio, &query, &visitor, result, p);

    sent->listed = listing.listed;
    sent->is_whole = rv == APR_EOF || (rv == APR_SUCCESS && listing.listed->nelts < LIST_MAX);
    return APR_STATUS_IS_EOF(rv) || APR_STATUS_IS_INCOMPLETE(rv) ? APR_SUCCESS : rv;
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
    wa_message_update_t update = {.key = pending->id, .merge = claim_merge, .baton = &settle};
    wa_message_t message;
    apr_status_t rv = wa_store_message_update(store, &update, &message, run->p);

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
        update.merge = parked_merge;
        rv = wa_store_message_update(store, &update, &message, run->p);
    }
    run->result->settled += pending->part == 0 || message.status != WA_STATUS_PENDING;
    return APR_STATUS_IS_NOTFOUND(rv) ? APR_SUCCESS : rv;
}

/* Of a message in parts all that were not found at once. */
static apr_status_t give_up(const run_t *run, const pending_t *pending)
{
    settle_t settle = {.run = run};
    const wa_message_update_t update = {
        .key = pending->id, .merge = give_up_merge, .baton = &settle};
    wa_message_t message;
    apr_status_t rv = wa_store_message_update(run->messenger->store, &update, &message, run->p);

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
            rv = wa_passed_judge(run, claim(run, pending, found),
                                 wa_passed_key("message", pending->id));
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
            if (!is_doubtful(run, group, i, listed)) {
                rv = wa_passed_judge(run, give_up(run, pending),
                                     wa_passed_key("message", pending->id));
            }
        }
    }
    return rv;
}

/* Reads Twilio's list, and claims what matches.
 * @return APR_SUCCESS, also when Twilio gave no list (group->list_rv) | the store's */
static apr_status_t list_claim(const run_t *run, group_t *group, const sent_range_t *range,
                               sent_t *sent, apr_pool_t *p)
{
    apr_status_t rv;

    group->list_rv = sent_list(run, range, sent, &group->result, p);
    if (group->list_rv != APR_SUCCESS || !wa_reconcile_has_match(run, group, sent->listed)) {
        return APR_SUCCESS;
    }
    rv = wa_reconcile_rivals_add(run, group, p);
    return rv == APR_SUCCESS ? claim_all(run, group, sent->listed) : rv;
}

/* Settles the pending messages to one counterpart.
 * @return as list_claim */
static apr_status_t group_settle(const run_t *run, group_t *group, apr_pool_t *p)
{
    sent_range_t range = {group->pending[0], group->pending[0]->from_ms, 1};
    sent_t sent;
    int i, is_needed = 0;
    apr_status_t rv;

    for (i = 1; i < group->count; i++) {
        if (group->pending[i]->from_ms < range.from_ms) {
            range.from_ms = group->pending[i]->from_ms;
        }
    }
    rv = list_claim(run, group, &range, &sent, p);
    for (i = 0; i < group->count; i++) {
        is_needed |= may_be_given_up(run, group->pending[i]);
    }
    if (rv != APR_SUCCESS || group->list_rv != APR_SUCCESS || !is_needed) {
        return rv;
    }
    range.has_dates = 0;
    rv = list_claim(run, group, &range, &sent, p);
    if (rv != APR_SUCCESS || group->list_rv != APR_SUCCESS || !sent.is_whole) {
        return rv;
    }
    return give_up_all(run, group, sent.listed);
}

/* 1 when all that is left of them is older than Twilio's list can settle: their receipts may. */
static int group_is_stuck(const run_t *run, const group_t *group)
{
    int i, left = 0;

    for (i = 0; i < group->count; i++) {
        left += !group->pending[i]->is_done;
        if (!group->pending[i]->is_done && run->options->now_ms < group->pending[i]->give_up_ms) {
            return 0;
        }
    }
    return left > 0;
}

/* What one group's list, given or not, means for the others.
 * @param pfailures  how often Twilio failed in this run
 * @return APR_SUCCESS the others go on | APR_EGENERAL nothing more is to be had now */
static apr_status_t group_judge(const run_t *run, const group_t *group, int *pfailures)
{
    wa_twilio_verdict_e verdict = wa_twilio_verdict(&group->result);

    if (group->list_rv == APR_SUCCESS) {
        run->progress->has_list = 1;
        if (group_is_stuck(run, group)) {
            (void)wa_passed_deny(run, group->key);
        } else {
            wa_passed_forget(run, group->key);
        }
        return APR_SUCCESS;
    }
    if (APR_STATUS_IS_EINVAL(group->list_rv)) {
        verdict = WA_TWILIO_DENIED; /* an address that is none */
    } else if (verdict == WA_TWILIO_DENIED && group->result.http_status == 403
               && !run->progress->has_list) {
        return group->list_rv; /* it may be the account */
    }
    if (verdict == WA_TWILIO_DENIED) {
        if (wa_passed_deny(run, group->key)) {
            wa_passed_note(run, &run->progress->passed.lists, "sends", &group->result);
        }
        return APR_SUCCESS;
    }
    if (!run->progress->has_list || group->result.http_status == 401) {
        return group->list_rv;
    }
    wa_passed_delay(run, group->key);
    if (++*pfailures < FAILURES_MAX) {
        return APR_SUCCESS;
    }
    run->memory->sends_after_ms = group->pending[0]->timestamp_ms; /* the next run begins there */
    return group->list_rv;
}

/* Puts together what is pending to the counterpart of number `first`. */
static void group_make(group_t *group, const apr_array_header_t *pending, int first, char *is_taken,
                       apr_pool_t *p)
{
    const pending_t *one = &APR_ARRAY_IDX(pending, first, pending_t);
    int i;

    for (i = first; i < pending->nelts; i++) {
        pending_t *other = &APR_ARRAY_IDX(pending, i, pending_t);

        if (strcmp(one->counterpart, other->counterpart) == 0
            && strcmp(one->number, other->number) == 0) {
            group->pending[group->count++] = other;
            is_taken[i] = 1;
        }
    }
    group->key = wa_passed_key("list", apr_pstrcat(p, one->counterpart, " ", one->number, " ",
                                                   group->pending[group->count - 1]->id, NULL));
}

/* Settles all groups, each by itself. */
static apr_status_t groups_settle(const run_t *run, const apr_array_header_t *pending)
{
    char *is_taken = apr_pcalloc(run->p, (apr_size_t)pending->nelts + 1);
    pending_t **together = apr_palloc(run->p, ((apr_size_t)pending->nelts + 1) * sizeof(*together));
    group_t group;
    int i, failures = 0;
    apr_pool_t *p;
    apr_status_t rv = apr_pool_create(&p, run->p);

    for (i = 0; i < pending->nelts && rv == APR_SUCCESS; i++) {
        if (is_taken[i]) {
            continue;
        }
        group = (group_t){.pending = together};
        group_make(&group, pending, i, is_taken, p);
        if (wa_reconcile_is_stopping(run)) {
            rv = APR_EINTR;
        } else if (wa_passed_is_due(run, group.key)) {
            rv = group_settle(run, &group, p);
            rv = rv == APR_SUCCESS ? group_judge(run, &group, &failures) : rv;
        }
        apr_pool_clear(p);
    }
    return rv;
}

apr_status_t wa_reconcile_sends(const run_t *run)
{
    apr_array_header_t *pending = apr_array_make(run->p, 16, sizeof(pending_t));
    apr_int64_t last_ms;
    apr_status_t rv = wa_reconcile_pending_list(run, pending, &last_ms);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = groups_settle(run, pending);
    if (rv == APR_SUCCESS) {
        run->memory->sends_after_ms = last_ms;
    }
    return rv;
}
