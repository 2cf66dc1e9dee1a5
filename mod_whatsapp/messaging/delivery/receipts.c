/* SPDX-License-Identifier: Apache-2.0 */
/* Applies what Twilio says of sent messages, in callbacks and lists, in whatever order it comes. */
#include "messaging/delivery/receipts.h"

#include <stdlib.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "base/clock.h"
#include "base/id.h"
#include "messaging/delivery/parked.h"
#include "messaging/delivery/reducer.h"
#include "messaging/policy/policy.h"
#include "twilio/errors.h"

/* Twilio's codes have five digits. */
#define ERROR_CODE_MAX 999999

/* One callback on its way. */
typedef struct callback_t {
    const char *word; /* Twilio's, as it may be logged */
    wa_delivery_event_t event;
    int is_other;   /* merge: the message is not the one the callback is about */
    int is_changed; /* merge: the callback said something new */
    int is_parked;  /* it was kept for a message that is not known yet, and was not before */
} callback_t;

/* 1 for the words of messages that came in. */
static int is_inbound_word(wa_slice_t word)
{
    return wa_slice_is_equal(word, WA_SLICE_LITERAL("received"))
           || wa_slice_is_equal(word, WA_SLICE_LITERAL("receiving"));
}

int wa_receipt_is(const wa_form_t *form)
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

/* What Twilio says of a failure: WhatsApp's words, else its own. */
static const char *words_of(const wa_form_t *form, apr_pool_t *p)
{
    wa_slice_t text;
    const char *words;

    wa_form_get(form, "ChannelStatusMessage", &text);
    words = wa_twilio_words(text, p);
    if (!words) {
        wa_form_get(form, "ErrorMessage", &text);
        words = wa_twilio_words(text, p);
    }
    return words;
}

static apr_status_t callback_read(callback_t *callback, const wa_form_t *form, apr_pool_t *p)
{
    const char *word = first_of(form, "MessageStatus", "SmsStatus", p);

    memset(callback, 0, sizeof(*callback));
    callback->word = word_clean(word, p);
    callback->event =
        (wa_delivery_event_t){.kind = WA_EVENT_RECEIPT,
                              .word = wa_delivery_parse(word),
                              .error_code = code_of(wa_form_string(form, "ErrorCode", p)),
                              .said = words_of(form, p),
                              .at_ms = wa_clock_now_ms(),
                              .sid = first_of(form, "MessageSid", "SmsSid", p)};
    return wa_id_is_sid(callback->event.sid, "SM,MM") ? APR_SUCCESS : APR_EINVAL;
}

static apr_status_t callback_merge(void *baton, const wa_message_t *now, wa_message_state_t *next,
                                   apr_pool_t *p)
{
    callback_t *callback = baton;
    wa_delivery_t delivery;
    apr_status_t rv = APR_NOTFOUND;

    callback->is_changed = 0;
    if (now->direction == WA_DIRECTION_SENT) {
        wa_delivery_read(&delivery, now, p);
        rv = wa_delivery_apply(&delivery, &callback->event);
    }
    callback->is_other = rv == APR_NOTFOUND;
    if (rv == APR_SUCCESS) {
        rv = wa_delivery_write(&delivery, callback->event.sid, next, p);
        callback->is_changed = rv == APR_SUCCESS;
    }
    return callback->is_other ? APR_EEXIST : rv;
}

/* Applies the callback to the message with that id or sid.
 * @return APR_SUCCESS | APR_NOTFOUND there is none, or it is another one's | the store's */
static apr_status_t callback_apply(wa_messenger_t *messenger, const char *key, callback_t *callback,
                                   apr_pool_t *p)
{
    const wa_message_update_t update = {.key = key, .merge = callback_merge, .baton = callback};
    wa_message_t message;
    apr_status_t rv = wa_store_message_update(messenger->store, &update, &message, p);

    if (rv == APR_SUCCESS && callback->is_changed) {
        wa_policy_error(messenger, message.counterpart, callback->event.error_code, p);
    }
    return rv == APR_SUCCESS && callback->is_other ? APR_NOTFOUND : rv;
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
    return wa_slice_string(wa_slice_make(text, (apr_size_t)(dot - text)), p);
}

/* Finds the callback's message, by our id first. Parks it when there is none, and looks again: the
 * send may have stored the sid in between, and then it has not seen what was parked. */
static apr_status_t callback_settle(wa_messenger_t *messenger, const char *message_id,
                                    callback_t *callback, const char **presult, apr_pool_t *p)
{
    apr_status_t rv = APR_NOTFOUND;

    message_id = message_id_read(message_id, &callback->event.part, p);
    if (wa_id_is_uuid(message_id)) {
        rv = callback_apply(messenger, message_id, callback, p);
    }
    if (APR_STATUS_IS_NOTFOUND(rv)) {
        rv = callback_apply(messenger, callback->event.sid, callback, p);
    }
    if (APR_STATUS_IS_NOTFOUND(rv)) {
        rv = wa_parked_add(messenger->store, &callback->event, &callback->is_parked, p);
        if (rv == APR_SUCCESS) {
            rv = callback_apply(messenger, callback->event.sid, callback, p);
        }
        if (APR_STATUS_IS_NOTFOUND(rv)) {
            *presult = "parked";
            return APR_SUCCESS;
        }
    }
    *presult = callback->is_changed ? "applied" : "no change";
    return rv;
}

apr_status_t wa_receipt_listed(wa_messenger_t *messenger, const wa_delivery_event_t *event,
                               int *pis_ours, int *pis_changed, apr_pool_t *p)
{
    callback_t callback = {.event = *event};
    apr_status_t rv;

    callback.event.kind = WA_EVENT_LISTED;
    if (event->error_code < 0 || event->error_code > ERROR_CODE_MAX) {
        callback.event.error_code = 0;
    }
    if (callback.event.at_ms <= 0) {
        callback.event.at_ms = wa_clock_now_ms();
    }
    rv = callback_apply(messenger, event->sid, &callback, p);
    *pis_ours = rv == APR_SUCCESS;
    *pis_changed = rv == APR_SUCCESS && callback.is_changed;
    return APR_STATUS_IS_NOTFOUND(rv) ? APR_SUCCESS : rv;
}

apr_status_t wa_receipt_receive(wa_messenger_t *messenger, const wa_form_t *form,
                                const char *message_id, wa_sentence_t *psentence, apr_pool_t *p)
{
    callback_t callback;
    apr_time_t started = wa_clock_steady_us();
    const char *result = "unknown status";
    apr_status_t rv;

    *psentence = NULL;
    rv = callback_read(&callback, form, p);
    if (rv != APR_SUCCESS) {
        *psentence = "MessageSid must be the sid of a message";
        return rv;
    }
    if (wa_delivery_rank(callback.event.word) >= 0) {
        rv = callback_settle(messenger, message_id, &callback, &result, p);
    }
    /* Who saw a signed receipt can send it again and again: what that logs has a tag of its own. */
    WA_LOG(messenger->log, WA_LOG_INFO,
           rv == APR_SUCCESS && (callback.is_changed || callback.is_parked) ? "WA0521" : "WA0522",
           rv, "receipt: sid=%s status=%s error=%d result=%s duration=%" APR_INT64_T_FMT "ms",
           callback.event.sid, callback.word, callback.event.error_code,
           rv == APR_SUCCESS ? result : "not stored",
           apr_time_as_msec(wa_clock_steady_us() - started));
    return rv;
}
