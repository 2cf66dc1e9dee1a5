/* SPDX-License-Identifier: Apache-2.0 */
/* Which sends are pending, part by part, and until when Twilio's list may have them. */
#include "messaging/reconcile/reconcile_pending.h"

#include <string.h>

#include "base/clock.h"
#include "messaging/delivery/reducer.h"
#include "messaging/message/attributes.h"
#include "messaging/message/parts.h"

/* How much one run takes on; the next one goes on. */
#define PENDING_MAX 200
#define PENDING_SEEN_MAX 65536 /* including those that are passed over */

/* Clocks differ, and Twilio's dates have no milliseconds: Twilio's message may seem this much older
 * than our intent, and may have been made this long after it. */
#define EARLIER_MS ((apr_int64_t)2 * 60 * 1000)
#define LATER_MS ((apr_int64_t)10 * 60 * 1000)

#define SEND_TIMEOUT_DEFAULT apr_time_from_sec(30)

typedef wa_reconcile_run_t run_t;
typedef wa_reconcile_pending_t pending_t;
typedef wa_reconcile_group_t group_t;

static apr_int64_t timeout_ms(const run_t *run)
{
    const apr_interval_time_t timeout = run->messenger->send_timeout;

    return apr_time_as_msec(timeout > 0 ? timeout : SEND_TIMEOUT_DEFAULT);
}

typedef struct gather_t {
    const run_t *run;
    /* of pending_t; a message's parts stand together, in their order */
    apr_array_header_t *pending;
    /* NULL, or: only what goes to the same counterpart and is none of these */
    const group_t *rivals_of;
    apr_int64_t last_ms; /* the store's time of the last one */
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
    pending_t one = {.timestamp_ms = message->timestamp_ms,
                     .date_ms = message->date_ms,
                     .from_ms = message->date_ms - EARLIER_MS};

    (void)is_update;
    if (message->direction != WA_DIRECTION_SENT
        || message->timestamp_ms <= gather->run->memory->sends_after_ms) {
        return APR_SUCCESS;
    }
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
    gather->last_ms = message->timestamp_ms;
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
    if (message->direction != WA_DIRECTION_SENT
        || !wa_slice_is_equal(message->counterpart, wa_slice_of(like->counterpart))
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

apr_status_t wa_reconcile_pending_list(const run_t *run, apr_array_header_t *pending,
                                       apr_int64_t *plast_ms)
{
    gather_t gather = {.run = run, .pending = pending, .p = run->p};
    const wa_pending_query_t query = {.before_ms = sure_before(run),
                                      .ahead_ms = run->options->now_ms + WA_CLOCK_SKEW_MS,
                                      .max = PENDING_SEEN_MAX,
                                      .visit = pending_gather,
                                      .baton = &gather};
    apr_status_t rv = wa_store_pending_list(run->messenger->store, &query, run->p);

    *plast_ms = APR_STATUS_IS_EOF(rv) ? gather.last_ms : 0;
    return APR_STATUS_IS_EOF(rv) ? APR_SUCCESS : rv;
}

apr_status_t wa_reconcile_rivals_add(const run_t *run, group_t *group, apr_pool_t *p)
{
    gather_t gather = {.run = run,
                       .pending = apr_array_make(p, 16, sizeof(pending_t)),
                       .rivals_of = group,
                       .p = p};
    const wa_pending_query_t query = {.before_ms = run->options->now_ms,
                                      .ahead_ms = run->options->now_ms,
                                      .max = PENDING_SEEN_MAX,
                                      .visit = rival_gather,
                                      .baton = &gather};
    pending_t **all;
    int i;
    apr_status_t rv = wa_store_pending_list(run->messenger->store, &query, p);

    group->rival_count = gather.pending->nelts;
    all = apr_palloc(p, (apr_size_t)(group->count + group->rival_count) * sizeof(*all));
    memcpy(all, group->pending, (apr_size_t)group->count * sizeof(*all));
    for (i = 0; i < group->rival_count; i++) {
        all[group->count + i] = &APR_ARRAY_IDX(gather.pending, i, pending_t);
    }
    group->pending = all;
    return rv;
}
