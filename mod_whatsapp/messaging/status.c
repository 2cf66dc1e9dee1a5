/* SPDX-License-Identifier: Apache-2.0 */
/* Applies Twilio's status callbacks to sent messages, in whatever order they come. */
#include "messaging/status.h"

#include <stdlib.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "base/clock.h"
#include "base/id.h"
#include "messaging/policy.h"

/* Twilio's codes have five digits. */
#define ERROR_CODE_MAX 999999

/* One callback on its way. */
typedef struct callback_t {
    const char *sid;
    const char *word; /* Twilio's, as it may be logged */
    wa_state_event_t event;
    apr_size_t part; /* from the query, 0 for none */
    int is_other;    /* merge: the message is not the one the callback is about */
    int is_changed;  /* merge: the callback said something new */
    int is_parked;   /* it was kept for a message that is not known yet, and was not before */
} callback_t;

/* 1 for the words of messages that came in. */
static int is_inbound_word(wa_slice_t word)
{
    return wa_slice_is_equal(word, WA_SLICE_LITERAL("received"))
           || wa_slice_is_equal(word, WA_SLICE_LITERAL("receiving"));
}

int wa_status_is_callback(const wa_form_t *form)
{
    wa_slice_t word, media;

    if (wa_form_get(form, "MessageStatus", &word) && word.len > 0) {
        /* every message that comes in says how many attachments it has, and no receipt does */
        return !is_inbound_word(word) || !wa_form_get(form, "NumMedia", &media);
    }
    return wa_form_get(form, "SmsStatus", &word) && word.len > 0 && !is_inbound_word(word);
}

/* Twilio's word as far as it can stand in a log and in a parked line. */
static const char *word_clean(const char *word, apr_pool_t *p)
{
    char *clean = apr_pstrndup(p, word ? word : "", 32), *c;

    for (c = clean; *c; c++) {
        if (!apr_isalnum(*c) && *c != '_' && *c != '-') {
            *c = '?';
        }
    }
    return clean;
}

static const char *first_of(const wa_form_t *form, const char *a, const char *b, apr_pool_t *p)
{
    const char *value = wa_form_string(form, a, p);

    return value && *value ? value : wa_form_string(form, b, p);
}

/* Twilio's error code; 0 for what is none. */
static int code_of(const char *s)
{
    char *end;
    apr_int64_t code = s && apr_isdigit(*s) ? apr_strtoi64(s, &end, 10) : 0;

    return code > 0 && code <= ERROR_CODE_MAX && *end == '\0' ? (int)code : 0;
}

static apr_status_t callback_read(callback_t *callback, const wa_form_t *form, apr_pool_t *p)
{
    const char *word = first_of(form, "MessageStatus", "SmsStatus", p);

    memset(callback, 0, sizeof(*callback));
    callback->sid = first_of(form, "MessageSid", "SmsSid", p);
    callback->word = word_clean(word, p);
    callback->event.delivery = wa_delivery_parse(word);
    callback->event.error_code = code_of(wa_form_string(form, "ErrorCode", p));
    callback->event.at_ms = wa_clock_now_ms();
    return wa_id_is_sid(callback->sid, "SM,MM") ? APR_SUCCESS : APR_EINVAL;
}

/* Whether the callback is about this message, or the part of it that state->part then says. */
static int is_about(const callback_t *callback, wa_state_t *state)
{
    if (state->part_count == 0) {
        return !state->sid || strcmp(state->sid, callback->sid) == 0;
    }
    state->part = wa_state_part_find(state, callback->sid);
    if (state->part == 0 && callback->part >= 1 && callback->part <= state->part_count
        && !state->parts[callback->part - 1].sid) {
        state->part = callback->part;
    }
    return state->part > 0;
}

static apr_status_t part_merge(callback_t *callback, wa_state_t *state, wa_message_state_t *next,
                               apr_pool_t *p)
{
    wa_part_t *part = &state->parts[state->part - 1];

    if (!wa_state_apply(state, &callback->event, p) && part->sid) {
        return APR_EEXIST;
    }
    if (!part->sid) {
        part->sid = state->new_sid = callback->sid;
        wa_state_parts_settle(state, p);
    }
    wa_state_write(state, next, p);
    callback->is_changed = 1;
    return next->state_json.len > 0 ? APR_SUCCESS : APR_ENOMEM;
}

static apr_status_t callback_merge(void *baton, const wa_message_t *now, wa_message_state_t *next,
                                   apr_pool_t *p)
{
    callback_t *callback = baton;
    wa_state_t state;

    callback->is_changed = 0;
    wa_state_read(&state, now, p);
    callback->is_other = now->direction != WA_DIRECTION_SENT || !is_about(callback, &state);
    if (callback->is_other) {
        return APR_EEXIST;
    }
    if (state.part_count > 0) {
        return part_merge(callback, &state, next, p);
    }
    if (!wa_state_apply(&state, &callback->event, p) && state.sid) {
        return APR_EEXIST;
    }
    state.sid = callback->sid;
    wa_state_write(&state, next, p);
    if (next->state_json.len == 0) {
        return APR_ENOMEM;
    }
    callback->is_changed = 1;
    return APR_SUCCESS;
}

/* Applies the callback to the message with that id or sid.
 * @return APR_SUCCESS | APR_NOTFOUND there is none, or it is another one's | the store's */
static apr_status_t callback_apply(wa_messenger_t *messenger, const char *key, callback_t *callback,
                                   apr_pool_t *p)
{
    wa_message_t message;
    apr_status_t rv =
        wa_store_message_update(messenger->store, key, callback_merge, callback, &message, p);

    if (rv == APR_SUCCESS && callback->is_changed) {
        wa_policy_error(messenger, message.counterpart, callback->event.error_code, p);
    }
    return rv == APR_SUCCESS && callback->is_other ? APR_NOTFOUND : rv;
}

/* 1 when among the parked lines is one that begins like this. */
static int is_parked(wa_slice_t parked, const char *what, apr_pool_t *p)
{
    const char *s = parked.len > 0 ? apr_pstrmemdup(p, parked.ptr, parked.len) : NULL;

    for (; s; s = strchr(s, '\n')) {
        s += *s == '\n';
        if (strncmp(s, what, strlen(what)) == 0) {
            return 1;
        }
    }
    return 0;
}

/* Keeps a callback until its message is known: "<delivery> <error code> <unix ms>". One that is kept
 * already is not kept again: a request that somebody caught is valid for ever. */
static apr_status_t callback_park(wa_messenger_t *messenger, callback_t *callback, apr_pool_t *p)
{
    const char *what =
        apr_psprintf(p, "%d %d ", (int)callback->event.delivery, callback->event.error_code);
    const char *line = apr_psprintf(p, "%s%" APR_INT64_T_FMT, what, callback->event.at_ms);
    wa_slice_t parked;
    apr_status_t rv = wa_store_parked_get(messenger->store, callback->sid, &parked, p);

    if (rv == APR_SUCCESS && is_parked(parked, what, p)) {
        return APR_SUCCESS;
    }
    if (rv != APR_SUCCESS && !APR_STATUS_IS_NOTFOUND(rv)) {
        return rv;
    }
    rv = wa_store_parked_add(messenger->store, callback->sid, wa_slice_of(line), p);
    callback->is_parked = rv == APR_SUCCESS;
    return rv;
}

int wa_status_unpark(wa_slice_t parked, wa_state_t *state, apr_pool_t *p)
{
    const char *s = parked.len > 0 ? apr_pstrmemdup(p, parked.ptr, parked.len) : NULL;
    int is_changed = 0;

    for (; s; s = strchr(s, '\n')) {
        char *end;
        wa_state_event_t event;
        long delivery;

        s += *s == '\n';
        delivery = strtol(s, &end, 10);
        event.error_code = (int)strtol(end, &end, 10);
        event.at_ms = apr_strtoi64(end, NULL, 10);
        if (delivery <= WA_DELIVERY_UNKNOWN || delivery >= WA_DELIVERY_COUNT) {
            continue;
        }
        event.delivery = (wa_delivery_e)delivery;
        is_changed |= wa_state_apply(state, &event, p);
    }
    return is_changed;
}

/* Our id as it stands in the callback's query: "<id>", or "<id>.<part>". */
static const char *message_id_read(const char *text, apr_size_t *ppart, apr_pool_t *p)
{
    const char *dot = text ? strchr(text, '.') : NULL;
    apr_int64_t part;

    *ppart = 0;
    if (!dot) {
        return text;
    }
    part = apr_strtoi64(dot + 1, NULL, 10);
    *ppart = part >= 1 && part <= WA_PARTS_MAX ? (apr_size_t)part : 0;
    return apr_pstrmemdup(p, text, (apr_size_t)(dot - text));
}

/* Finds the callback's message, by our id first. Parks it when there is none, and looks again: the
 * send may have stored the sid in between, and then it has not seen what was parked. */
static apr_status_t callback_settle(wa_messenger_t *messenger, const char *message_id,
                                    callback_t *callback, const char **presult, apr_pool_t *p)
{
    apr_status_t rv = APR_NOTFOUND;

    message_id = message_id_read(message_id, &callback->part, p);
    if (wa_id_is_uuid(message_id)) {
        rv = callback_apply(messenger, message_id, callback, p);
    }
    if (APR_STATUS_IS_NOTFOUND(rv)) {
        rv = callback_apply(messenger, callback->sid, callback, p);
    }
    if (APR_STATUS_IS_NOTFOUND(rv)) {
        rv = callback_park(messenger, callback, p);
        if (rv == APR_SUCCESS) {
            rv = callback_apply(messenger, callback->sid, callback, p);
        }
        if (APR_STATUS_IS_NOTFOUND(rv)) {
            *presult = "parked";
            return APR_SUCCESS;
        }
    }
    *presult = callback->is_changed ? "applied" : "no change";
    return rv;
}

apr_status_t wa_status_receive(wa_messenger_t *messenger, const wa_form_t *form,
                               const char *message_id, wa_sentence_t *psentence, apr_pool_t *p)
{
    callback_t callback;
    apr_time_t started = apr_time_now();
    const char *result = "unknown status";
    apr_status_t rv;

    *psentence = NULL;
    rv = callback_read(&callback, form, p);
    if (rv != APR_SUCCESS) {
        *psentence = "MessageSid must be the sid of a message";
        return rv;
    }
    if (wa_delivery_rank(callback.event.delivery) >= 0) {
        rv = callback_settle(messenger, message_id, &callback, &result, p);
    }
    /* Who saw a signed receipt can send it again and again: what that logs has a tag of its own. */
    WA_LOG(messenger->log, WA_LOG_INFO,
           rv == APR_SUCCESS && (callback.is_changed || callback.is_parked) ? "WA0521" : "WA0522",
           rv, "receipt: sid=%s status=%s error=%d result=%s duration=%" APR_INT64_T_FMT "ms",
           callback.sid, callback.word, callback.event.error_code,
           rv == APR_SUCCESS ? result : "not stored", apr_time_as_msec(apr_time_now() - started));
    return rv;
}
