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
 * The sentence is last and may hold anything. A reader skips what begins with another version.
 */
#define PRIVATE_VERSION "1;"

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

void wa_state_read(wa_state_t *state, const wa_message_t *message, apr_pool_t *p)
{
    const char *s = "";
    long delivery;

    memset(state, 0, sizeof(*state));
    state->status = message->status;
    if (message->sid.len > 0) {
        state->sid = apr_pstrmemdup(p, message->sid.ptr, message->sid.len);
    }
    if (message->state_private.len > 0) {
        s = apr_pstrmemdup(p, message->state_private.ptr, message->state_private.len);
    }
    if (strncmp(s, PRIVATE_VERSION, sizeof(PRIVATE_VERSION) - 1) != 0) {
        return;
    }
    s += sizeof(PRIVATE_VERSION) - 1;
    delivery = strtol(s, NULL, 10);
    state->delivery = delivery_is_known(delivery) ? (wa_delivery_e)delivery : WA_DELIVERY_UNKNOWN;
    s = field_skip(s);
    state->error_code = (int)strtol(s, NULL, 10);
    s = field_skip(s);
    times_read(state, s);
    s = field_skip(s);
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
        slice = wa_slice_make(apr_pstrmemdup(p, b->data, b->len), b->len);
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
    WA_BUFFER_ADD_LITERAL(&b, PRIVATE_VERSION);
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
    wa_buffer_add_slice(&b, wa_slice_of(state->error));
    return buffer_slice(&b, p);
}

void wa_state_write(const wa_state_t *state, wa_message_state_t *stored, apr_pool_t *p)
{
    stored->status = state->status;
    stored->sid = state->sid;
    stored->state_json = state_json(state, p);
    stored->state_private = state_private(state, p);
}

int wa_state_apply(wa_state_t *state, const wa_state_event_t *event, apr_pool_t *p)
{
    int is_newer = wa_delivery_is_newer(state->delivery, event->delivery);
    int is_failure = wa_delivery_is_failure(event->delivery);

    if (!is_newer
        && !(is_failure && event->delivery == state->delivery
             && event->error_code > state->error_code)) {
        return 0;
    }
    state->delivery = event->delivery;
    state->status = wa_delivery_status(event->delivery);
    if (state->since_ms[event->delivery] == 0) {
        state->since_ms[event->delivery] = event->at_ms;
    }
    state->error_code = is_failure ? event->error_code : 0;
    state->error = is_failure ? wa_twilio_error_sentence(event->error_code, p) : NULL;
    return 1;
}
