/* SPDX-License-Identifier: Apache-2.0 */
/* To whom nothing may be sent: blocked, opted out, or outside WhatsApp's 24 hours. */
#include "messaging/policy/policy.h"

#include <apr_strings.h>

#include "base/clock.h"
#include "base/phone.h"
#include "base/text.h"
#include "messaging/message/attributes.h"
#include "messaging/message/channel.h"
#include "messaging/policy/words.h"
#include "twilio/errors.h"

/* How many messages of a thread are looked through for a later word, and how long one of them may
 * be. */
#define LATER_MAX 200
#define WORD_MESSAGE_BYTES_MAX 4096

/* What is dated so much before it was stored was fetched; Twilio's dates are whole seconds. */
#define FETCHED_MS 1000

/* What the rules need of a thread; all zero but for our number when there is none. */
typedef struct row_t {
    const char *our_number;
    apr_uint32_t flags;
    apr_int64_t last_inbound_ms;
    apr_int64_t written_ms;
} row_t;

static apr_int64_t inbound_ms(const wa_inbound_t *inbound, apr_int64_t now_ms)
{
    if (inbound->date_ms <= now_ms + WA_CLOCK_SKEW_MS) {
        return inbound->date_ms;
    }
    return inbound->before_ms > 0 && inbound->before_ms < now_ms ? inbound->before_ms : now_ms;
}

apr_int64_t wa_policy_written_ms(const wa_thread_t *thread, const char *our_number,
                                 apr_int64_t now_ms)
{
    apr_int64_t written_ms = 0;
    apr_size_t i;

    if (wa_channel_of(thread->counterpart).len > 0) {
        return 0;
    }
    for (i = 0; i < thread->inbound_count; i++) {
        const wa_inbound_t *inbound = &thread->inbound[i];

        if (!our_number || wa_slice_is_equal(inbound->phone_number, wa_slice_of(our_number))) {
            const apr_int64_t ms = inbound_ms(inbound, now_ms);

            written_ms = ms > written_ms ? ms : written_ms;
        }
    }
    return written_ms;
}

static apr_status_t row_visit(void *baton, const wa_thread_t *thread)
{
    row_t *row = baton;

    row->flags = thread->flags;
    row->last_inbound_ms = thread->last_inbound_ms;
    row->written_ms = wa_policy_written_ms(thread, row->our_number, wa_clock_now_ms());
    return APR_SUCCESS;
}

static apr_status_t row_get(wa_messenger_t *messenger, const char *counterpart, row_t *row)
{
    apr_status_t rv;

    *row = (row_t){.our_number = messenger->number};
    rv = wa_store_thread_visit(messenger->store, counterpart, row_visit, row);
    return APR_STATUS_IS_NOTFOUND(rv) ? APR_SUCCESS : rv;
}

apr_status_t wa_policy_check(wa_messenger_t *messenger, const char *counterpart, int is_free_form,
                             wa_sentence_t *psentence)
{
    row_t row;
    apr_status_t rv = row_get(messenger, counterpart, &row);

    *psentence = NULL;
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (wa_channel_of(wa_slice_of(counterpart)).len > 0) {
        *psentence = WA_POLICY_OTHER_CHANNEL;
    } else if (row.flags & WA_THREAD_BLOCKED) {
        *psentence = "This counterpart is blocked here; unblock it to send to it.";
    } else if (row.flags & WA_THREAD_OPTED_OUT) {
        *psentence = "This counterpart asked for no more messages; it has to write START first.";
    } else if (messenger->enforce_window && is_free_form
               && wa_clock_now_ms() >= row.written_ms + WA_WINDOW_MS) {
        *psentence = "This counterpart has not written in the last 24 hours; until it does,"
                     " WhatsApp takes only a template.";
    }
    return *psentence ? APR_EACCES : APR_SUCCESS;
}

/* ---- words ---- */

/* What a message's fields say of its being a word or not. */
typedef struct told_t {
    wa_slice_t opt_out_type;
    wa_slice_t payload, list_id; /* what its sender gave a button, or an entry of a list, to say */
    int is_button;               /* it was pressed or chosen, and not written */
} told_t;

static int is_of_button(wa_slice_t name)
{
    static const wa_slice_t names[] = {
        WA_SLICE_LITERAL("ButtonPayload"), WA_SLICE_LITERAL("ListId"),
        WA_SLICE_LITERAL("ButtonText"),    WA_SLICE_LITERAL("ButtonType"),
        WA_SLICE_LITERAL("ListTitle"),     WA_SLICE_LITERAL("ListDescription"),
        WA_SLICE_LITERAL("FlowData"),      WA_SLICE_LITERAL("InteractiveData")};
    apr_size_t i = 0;

    while (i < sizeof(names) / sizeof(names[0]) && !wa_slice_is_equal(name, names[i])) {
        i++;
    }
    return i < sizeof(names) / sizeof(names[0]);
}

static void field_take(told_t *told, const wa_form_field_t *field)
{
    if (field->value.len == 0) {
        return;
    }
    if (wa_slice_is_equal(field->name, WA_SLICE_LITERAL("OptOutType"))) {
        told->opt_out_type = field->value;
    } else if (wa_slice_is_equal(field->name, WA_SLICE_LITERAL("MessageType"))) {
        told->is_button |= wa_slice_is_equal(field->value, WA_SLICE_LITERAL("button"))
                           || wa_slice_is_equal(field->value, WA_SLICE_LITERAL("interactive"));
    } else if (is_of_button(field->name)) {
        told->is_button = 1;
        if (wa_slice_is_equal(field->name, WA_SLICE_LITERAL("ButtonPayload"))) {
            told->payload = field->value;
        } else if (wa_slice_is_equal(field->name, WA_SLICE_LITERAL("ListId"))) {
            told->list_id = field->value;
        }
    }
}

/* In one pass: each webhook comes by here. */
static told_t told_read(wa_slice_t attributes)
{
    told_t told = {.is_button = 0};
    wa_attribute_t one;
    wa_attribute_e kind;

    while ((kind = wa_attributes_next(&attributes, &one)) != WA_ATTRIBUTE_NONE) {
        if (kind == WA_ATTRIBUTE_FIELD) {
            field_take(&told, &one.field);
        }
    }
    return told;
}

/* What a button says: its text, or what its sender gave it to say. Only what cannot be meant
 * otherwise counts, and only where it is a word of this messenger's. */
static wa_policy_word_e button_word(const wa_messenger_t *messenger, wa_slice_t text,
                                    const told_t *told, apr_pool_t *tmp)
{
    static const char *const words[] = {"STOP", "STOPALL", "UNSUBSCRIBE", "OPTOUT", NULL};
    const wa_slice_t said[] = {text, told->payload, told->list_id};
    apr_size_t i;

    for (i = 0; i < sizeof(said) / sizeof(said[0]); i++) {
        if (wa_text_is_utf8(said[i].ptr, said[i].len) && wa_words_has(words, said[i], tmp)
            && wa_words_has(messenger->stop_words, said[i], tmp)) {
            return WA_POLICY_STOP;
        }
    }
    return WA_POLICY_NO_WORD;
}

wa_policy_word_e wa_policy_word(const wa_messenger_t *messenger, wa_slice_t text,
                                wa_slice_t attributes, int is_fetched, apr_pool_t *tmp)
{
    static const char *const plain_starts[] = {"START", "UNSTOP", NULL};
    const told_t told = told_read(attributes);

    if (wa_slice_is_equal(told.opt_out_type, WA_SLICE_LITERAL("STOP"))) {
        return WA_POLICY_STOP;
    }
    if (wa_slice_is_equal(told.opt_out_type, WA_SLICE_LITERAL("START"))) {
        return WA_POLICY_START;
    }
    if (told.is_button) {
        return button_word(messenger, text, &told, tmp);
    }
    if (wa_words_has(messenger->stop_words, text, tmp)) {
        return WA_POLICY_STOP;
    }
    return wa_words_has(messenger->start_words, text, tmp)
                   && (!is_fetched || wa_words_has(plain_starts, text, tmp))
               ? WA_POLICY_START
               : WA_POLICY_NO_WORD;
}

/* ---- what they make of a thread ---- */

static void change_log(const wa_messenger_t *messenger, apr_status_t rv, const char *counterpart,
                       int is_out, apr_pool_t *p)
{
    WA_LOG(messenger->log, rv == APR_SUCCESS ? WA_LOG_INFO : WA_LOG_ERR, "WA0541", rv,
           "%s has opted %s", wa_phone_mask(counterpart, p), is_out ? "out" : "in again");
}

static apr_status_t opted_out_set(wa_messenger_t *messenger, const char *counterpart, int is_out,
                                  apr_pool_t *p)
{
    row_t row;
    apr_status_t rv = row_get(messenger, counterpart, &row);

    if (rv != APR_SUCCESS || ((row.flags & WA_THREAD_OPTED_OUT) != 0) == is_out) {
        return rv;
    }
    rv = wa_store_thread_flags_set(messenger->store, counterpart, is_out ? WA_THREAD_OPTED_OUT : 0,
                                   is_out ? 0 : WA_THREAD_OPTED_OUT, p);
    change_log(messenger, rv, counterpart, is_out, p);
    return rv;
}

/* What somebody said about more messages after the message that is looked at late. */
typedef struct later_t {
    const wa_messenger_t *messenger;
    const char *counterpart;
    wa_slice_t id; /* the message itself */
    apr_int64_t date_ms;
    wa_policy_word_e word; /* the newest of them */
    apr_pool_t *p;
} later_t;

static apr_status_t later_visit(void *baton, const wa_message_t *message, int is_update)
{
    later_t *later = baton;
    wa_policy_word_e word;
    int is_fetched;

    (void)is_update;
    if (message->timestamp_ms < later->date_ms) {
        return APR_EOF; /* what came before cannot have been written after */
    }
    if (message->direction != WA_DIRECTION_RECEIVED || wa_slice_is_equal(message->id, later->id)
        || message->body.len > WORD_MESSAGE_BYTES_MAX) {
        return APR_SUCCESS;
    }
    is_fetched = message->date_ms < message->timestamp_ms - FETCHED_MS;
    word =
        wa_policy_word(later->messenger, message->body, message->attributes, is_fetched, later->p);
    /* Nobody knows which of two is the older when a date cannot be right: then it is better not to
     * write to them. */
    if (word == WA_POLICY_NO_WORD || message->date_ms <= later->date_ms
        || (word != WA_POLICY_STOP && message->date_ms > wa_clock_now_ms() + WA_CLOCK_SKEW_MS)) {
        return APR_SUCCESS;
    }
    later->word = word;
    return APR_EOF;
}

/* Whether a later message has taken the place of what one says that was fetched late: `later` says
 * which word. */
static apr_status_t later_find(later_t *later)
{
    const wa_messages_query_t newest = {.counterpart = later->counterpart,
                                        .limit = LATER_MAX,
                                        .visit = later_visit,
                                        .baton = later};
    wa_page_t page;
    apr_status_t rv;

    rv = wa_store_messages_list(later->messenger->store, &newest, &page, later->p);
    return APR_STATUS_IS_EOF(rv) ? APR_SUCCESS : rv;
}

static later_t later_of(const wa_messenger_t *messenger, const wa_message_new_t *message,
                        apr_pool_t *p)
{
    return (later_t){.messenger = messenger,
                     .counterpart = message->counterpart,
                     .id = wa_slice_of(message->id),
                     .date_ms = message->date_ms,
                     .p = p};
}

apr_status_t wa_policy_prepare(wa_messenger_t *messenger, wa_message_new_t *message,
                               wa_policy_change_t *change, apr_pool_t *p)
{
    later_t later = later_of(messenger, message, p);
    row_t row;
    apr_status_t rv;

    *change = (wa_policy_change_t){
        wa_policy_word(messenger, message->body, message->attributes, message->date_ms > 0, p), 0};
    if (change->word == WA_POLICY_NO_WORD) {
        return APR_SUCCESS;
    }
    rv = row_get(messenger, message->counterpart, &row);
    if (rv == APR_SUCCESS && message->date_ms > 0) {
        rv = later_find(&later);
    }
    if (rv != APR_SUCCESS || later.word != WA_POLICY_NO_WORD) {
        return rv;
    }
    if (change->word == WA_POLICY_STOP) {
        message->flags_set = WA_THREAD_OPTED_OUT;
    } else {
        message->flags_clear = WA_THREAD_OPTED_OUT;
    }
    change->is_change =
        ((row.flags & WA_THREAD_OPTED_OUT) != 0) != (change->word == WA_POLICY_STOP);
    return APR_SUCCESS;
}

apr_status_t wa_policy_stored(wa_messenger_t *messenger, const wa_message_new_t *message,
                              const wa_policy_change_t *change, apr_pool_t *p)
{
    later_t later = later_of(messenger, message, p);
    apr_status_t rv;

    if (change->is_change) {
        change_log(messenger, APR_SUCCESS, message->counterpart, change->word == WA_POLICY_STOP, p);
    }
    if (change->word == WA_POLICY_NO_WORD || message->date_ms == 0) {
        return APR_SUCCESS;
    }
    rv = later_find(&later);
    return rv != APR_SUCCESS || later.word == WA_POLICY_NO_WORD
               ? rv
               : opted_out_set(messenger, message->counterpart, later.word == WA_POLICY_STOP, p);
}

apr_status_t wa_policy_repeated(wa_messenger_t *messenger, const wa_message_t *stored,
                                wa_policy_word_e word, apr_pool_t *p)
{
    later_t later = {.messenger = messenger,
                     .counterpart = wa_slice_string(stored->counterpart, p),
                     .id = stored->id,
                     .date_ms = stored->date_ms,
                     .p = p};
    row_t row;
    apr_status_t rv;

    if (word == WA_POLICY_NO_WORD) {
        return APR_SUCCESS;
    }
    rv = row_get(messenger, later.counterpart, &row);
    if (rv != APR_SUCCESS || row.last_inbound_ms != stored->timestamp_ms) {
        return rv;
    }
    if (stored->date_ms < stored->timestamp_ms) {
        rv = later_find(&later);
    }
    return rv != APR_SUCCESS || later.word != WA_POLICY_NO_WORD
               ? rv
               : opted_out_set(messenger, later.counterpart, word == WA_POLICY_STOP, p);
}

void wa_policy_error(wa_messenger_t *messenger, wa_slice_t counterpart, int error_code,
                     apr_pool_t *p)
{
    apr_status_t rv;

    if (wa_twilio_error_kind(error_code) != WA_TWILIO_ERROR_OPTED_OUT) {
        return;
    }
    rv = opted_out_set(messenger, wa_slice_string(counterpart, p), 1, p);
    if (rv != APR_SUCCESS) {
        WA_LOG(messenger->log, WA_LOG_WARNING, "WA0542", rv,
               "that a counterpart opted out could not be kept");
    }
}
