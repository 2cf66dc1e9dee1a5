/* SPDX-License-Identifier: Apache-2.0 */
/* The changing half of a sent message: what Twilio said of it last, and how that is stored. */
#include "messaging/state.h"

#include <stdlib.h>

#include <apr_strings.h>

#include "base/buffer.h"
#include "base/json.h"
#include "twilio/errors.h"

/*
 * The private part of a stored state, one text:
 *
 *   1;<delivery>;<error code>;<delivery>=<unix ms>,<delivery>=<unix ms>...;<error sentence>
 *
 * or, where there is more to say,
 *
 *   2;<delivery>;<error code>;<times as above>;<digest>;<answer>;<error sentence>
 *
 * or, of a message in parts (wa_state_parts_write),
 *
 *   3;<delivery>;<error code>;<times as above>;<digest>;<answer>;<parts>;<sentence of the part that stopped the rest>
 *
 * The sentence is last and may hold anything. A reader skips what begins with another version.
 */
#define PLAIN_VERSION "1;"
#define FULL_VERSION "2;"
#define PARTS_VERSION "3;"

static const char *field_skip(const char *s)
{
    const char *end = strchr(s, ';');

    return end ? end + 1 : s + strlen(s);
}

static int delivery_is_known(long value)
{
    return value > WA_DELIVERY_UNKNOWN && value < WA_DELIVERY_COUNT;
}

static void times_read(wa_state_t *state, const char *s)
{
    while (*s && *s != ';') {
        char *end;
        long delivery = strtol(s, &end, 10);

        if (end == s || *end != '=') {
            return;
        }
        s = end + 1;
        if (delivery_is_known(delivery)) {
            state->since_ms[delivery] = apr_strtoi64(s, &end, 10);
        }
        s += strcspn(s, ",;");
        if (*s == ',') {
            s++;
        }
    }
}

/* Reads what is kept of the request. @return what comes after it */
static const char *request_read(wa_state_t *state, const char *s, apr_pool_t *p)
{
    const apr_size_t len = strcspn(s, ";");
    long answer;

    state->digest = len > 0 ? wa_slice_string(wa_slice_make(s, len), p) : NULL;
    s = field_skip(s);
    answer = strtol(s, NULL, 10);
    state->answer = answer == WA_ANSWER_ACCEPTED || answer == WA_ANSWER_NOT_ACCEPTED
                        ? (wa_answer_e)answer
                        : WA_ANSWER_NONE;
    return field_skip(s);
}

void wa_state_read(wa_state_t *state, const wa_message_t *message, apr_pool_t *p)
{
    const char *s = "";
    long delivery;
    int is_full, is_parts;

    memset(state, 0, sizeof(*state));
    state->status = message->status;
    if (message->sid.len > 0) {
        state->sid = wa_slice_string(message->sid, p);
    }
    if (message->state_private.len > 0) {
        s = wa_slice_string(message->state_private, p);
    }
    is_full = strncmp(s, FULL_VERSION, sizeof(FULL_VERSION) - 1) == 0;
    is_parts = strncmp(s, PARTS_VERSION, sizeof(PARTS_VERSION) - 1) == 0;
    if (!is_full && !is_parts && strncmp(s, PLAIN_VERSION, sizeof(PLAIN_VERSION) - 1) != 0) {
        return;
    }
    s += sizeof(PLAIN_VERSION) - 1;
    delivery = strtol(s, NULL, 10);
    state->delivery = delivery_is_known(delivery) ? (wa_delivery_e)delivery : WA_DELIVERY_UNKNOWN;
    s = field_skip(s);
    state->error_code = (int)strtol(s, NULL, 10);
    s = field_skip(s);
    times_read(state, s);
    s = field_skip(s);
    if (is_full || is_parts) {
        s = request_read(state, s, p);
    }
    if (is_parts) {
        wa_state_parts_read(state, s, p);
        s = field_skip(s);
        state->reason = *s ? s : NULL;
        wa_state_parts_settle(state, p);
        return;
    }
    state->error = *s ? s : NULL;
}

static const char *status_name(wa_status_e status)
{
    switch (status) {
    case WA_STATUS_PENDING:
        return "pending";
    case WA_STATUS_SUCCESS:
        return "success";
    case WA_STATUS_FAILED:
        return "failed";
    case WA_STATUS_NONE:
        break;
    }
    return NULL;
}

static void member_add(wa_buffer_t *b, const char *name, const char *value)
{
    if (b->len > 0) {
        WA_BUFFER_ADD_LITERAL(b, ",");
    }
    WA_BUFFER_ADD_LITERAL(b, "\"");
    wa_buffer_add(b, name, strlen(name));
    WA_BUFFER_ADD_LITERAL(b, "\":\"");
    wa_buffer_add_json(b, value, strlen(value));
    WA_BUFFER_ADD_LITERAL(b, "\"");
}

static wa_slice_t buffer_slice(wa_buffer_t *b, apr_pool_t *p)
{
    wa_slice_t slice = {NULL, 0};

    if (!b->failed && b->len > 0) {
        slice = wa_slice_make(wa_slice_string(wa_slice_make(b->data, b->len), p), b->len);
    }
    wa_buffer_release(b);
    return slice;
}

static wa_slice_t state_json(const wa_state_t *state, apr_pool_t *p)
{
    const char *status = status_name(state->status);
    const char *word = wa_delivery_name(state->delivery);
    wa_buffer_t b;

    wa_buffer_init(&b, 256);
    if (status) {
        member_add(&b, "status", status);
    }
    if (state->sid) {
        member_add(&b, "sid", state->sid);
    }
    if (word) {
        member_add(&b, "deliveryStatus", word);
    }
    if (state->error) {
        member_add(&b, "errorMessage", state->error);
    }
    if (state->error_code != 0) {
        WA_BUFFER_ADD_LITERAL(&b, ",\"errorCode\":");
        wa_buffer_add_int(&b, state->error_code);
    }
    return buffer_slice(&b, p);
}

static wa_slice_t state_private(const wa_state_t *state, apr_pool_t *p)
{
    wa_buffer_t b;
    int i, is_first = 1;

    wa_buffer_init(&b, 256);
    if (state->part_count > 0) {
        WA_BUFFER_ADD_LITERAL(&b, PARTS_VERSION);
    } else if (state->digest) {
        WA_BUFFER_ADD_LITERAL(&b, FULL_VERSION);
    } else {
        WA_BUFFER_ADD_LITERAL(&b, PLAIN_VERSION);
    }
    wa_buffer_add_int(&b, state->delivery);
    WA_BUFFER_ADD_LITERAL(&b, ";");
    wa_buffer_add_int(&b, state->error_code);
    WA_BUFFER_ADD_LITERAL(&b, ";");
    for (i = 0; i < WA_DELIVERY_COUNT; i++) {
        if (state->since_ms[i] == 0) {
            continue;
        }
        if (!is_first) {
            WA_BUFFER_ADD_LITERAL(&b, ",");
        }
        is_first = 0;
        wa_buffer_add_int(&b, i);
        WA_BUFFER_ADD_LITERAL(&b, "=");
        wa_buffer_add_int(&b, state->since_ms[i]);
    }
    WA_BUFFER_ADD_LITERAL(&b, ";");
    if (state->digest || state->part_count > 0) {
        wa_buffer_add_slice(&b, wa_slice_of(state->digest));
        WA_BUFFER_ADD_LITERAL(&b, ";");
        wa_buffer_add_int(&b, state->answer);
        WA_BUFFER_ADD_LITERAL(&b, ";");
    }
    if (state->part_count > 0) {
        wa_state_parts_write(state, &b);
        WA_BUFFER_ADD_LITERAL(&b, ";");
    }
    wa_buffer_add_slice(&b, wa_slice_of(state->part_count > 0 ? state->reason : state->error));
    return buffer_slice(&b, p);
}

void wa_state_write(const wa_state_t *state, wa_message_state_t *stored, apr_pool_t *p)
{
    stored->status = state->status;
    stored->sid = state->part_count > 0 ? state->new_sid : state->sid;
    stored->state_json = state_json(state, p);
    stored->state_private = state_private(state, p);
}

/* Keeps when a status was first told, also of one that came late. @return 1 when that is news. */
static int time_note(wa_state_t *state, const wa_state_event_t *event)
{
    apr_int64_t *since = &state->since_ms[event->delivery];

    if (wa_delivery_rank(event->delivery) < 0 || event->at_ms <= 0
        || (*since != 0 && *since <= event->at_ms)) {
        return 0;
    }
    *since = event->at_ms;
    return 1;
}

/* The same for one part. */
static int part_apply(wa_state_t *state, const wa_state_event_t *event, apr_pool_t *p)
{
    wa_part_t *part = &state->parts[state->part - 1];
    const int is_failure = wa_delivery_is_failure(event->delivery);

    if (!wa_delivery_is_newer(part->delivery, event->delivery)
        && !(is_failure && event->delivery == part->delivery
             && event->error_code > part->error_code)) {
        return 0;
    }
    part->delivery = event->delivery;
    part->is = is_failure ? WA_PART_FAILED : WA_PART_TAKEN;
    part->error_code = is_failure ? event->error_code : 0;
    wa_state_parts_settle(state, p);
    return 1;
}

int wa_state_apply(wa_state_t *state, const wa_state_event_t *event, apr_pool_t *p)
{
    int is_newer = wa_delivery_is_newer(state->delivery, event->delivery);
    int is_failure = wa_delivery_is_failure(event->delivery);
    int is_first = time_note(state, event);

    if (state->part_count > 0) {
        return state->part > 0 && state->part <= state->part_count
                   ? part_apply(state, event, p) | is_first
                   : 0;
    }
    if (!is_newer
        && !(is_failure && event->delivery == state->delivery
             && event->error_code > state->error_code)) {
        return is_first;
    }
    state->delivery = event->delivery;
    state->status = wa_delivery_status(event->delivery);
    state->error_code = is_failure ? event->error_code : 0;
    state->error = is_failure ? wa_twilio_error_sentence(event->error_code, p) : NULL;
    return 1;
}
