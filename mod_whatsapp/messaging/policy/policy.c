/* SPDX-License-Identifier: Apache-2.0 */
/* To whom nothing may be sent: blocked, opted out, or outside WhatsApp's 24 hours. */
#include "messaging/policy/policy.h"

#include <apr_strings.h>

#include "base/clock.h"
#include "base/phone.h"
#include "messaging/message/attributes.h"
#include "messaging/policy/words.h"
#include "twilio/errors.h"

/* How many messages of a thread are looked through for a later word, and how long one of them may
 * be. */
#define LATER_MAX 200
#define WORD_MESSAGE_BYTES_MAX 4096

/* What the rules need of a thread; all zero when there is none. */
typedef struct row_t {
    apr_uint32_t flags;
    apr_int64_t last_inbound_ms;
    apr_int64_t written_ms;
} row_t;

apr_int64_t wa_policy_written_ms(const wa_thread_t *thread, apr_int64_t now_ms)
{
    if (thread->inbound_date_ms <= now_ms + WA_CLOCK_SKEW_MS) {
        return thread->inbound_date_ms;
    }
    return thread->inbound_before_ms > 0 && thread->inbound_before_ms < now_ms
               ? thread->inbound_before_ms
               : now_ms;
}

static apr_status_t row_visit(void *baton, const wa_thread_t *thread)
{
    row_t *row = baton;

    row->flags = thread->flags;
    row->last_inbound_ms = thread->last_inbound_ms;
    row->written_ms = wa_policy_written_ms(thread, wa_clock_now_ms());
    return APR_SUCCESS;
}

static apr_status_t row_get(wa_messenger_t *messenger, const char *counterpart, row_t *row)
{
    apr_status_t rv;

    memset(row, 0, sizeof(*row));
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
    if (row.flags & WA_THREAD_BLOCKED) {
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

wa_policy_word_e wa_policy_word(const wa_messenger_t *messenger, wa_slice_t text,
                                wa_slice_t opt_out_type, apr_pool_t *tmp)
{
    if (wa_slice_is_equal(opt_out_type, WA_SLICE_LITERAL("STOP"))) {
        return WA_POLICY_STOP;
    }
    if (wa_slice_is_equal(opt_out_type, WA_SLICE_LITERAL("START"))) {
        return WA_POLICY_START;
    }
    if (wa_words_has(messenger->stop_words, text, tmp)) {
        return WA_POLICY_STOP;
    }
    return wa_words_has(messenger->start_words, text, tmp) ? WA_POLICY_START : WA_POLICY_NO_WORD;
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
    WA_LOG(messenger->log, rv == APR_SUCCESS ? WA_LOG_INFO : WA_LOG_ERR, "WA0541", rv,
           "%s has opted %s", wa_phone_mask(counterpart, p), is_out ? "out" : "in again");
    return rv;
}

/* What somebody said about more messages after the message that is looked at late. */
typedef struct later_t {
    const wa_messenger_t *messenger;
    wa_slice_t id; /* the message itself */
    apr_int64_t date_ms;
    int is_found;
    apr_pool_t *p;
} later_t;

static apr_status_t later_visit(void *baton, const wa_message_t *message, int is_update)
{
    later_t *later = baton;
    wa_policy_word_e word;
    wa_slice_t type;

    (void)is_update;
    if (message->timestamp_ms < later->date_ms) {
        return APR_EOF; /* what came before cannot have been written after */
    }
    if (message->direction != WA_DIRECTION_RECEIVED || wa_slice_is_equal(message->id, later->id)
        || message->body.len > WORD_MESSAGE_BYTES_MAX) {
        return APR_SUCCESS;
    }
    wa_attributes_field(message->attributes, "OptOutType", &type);
    word = wa_policy_word(later->messenger, message->body, type, later->p);
    /* Nobody knows which of two is the older when a date cannot be right: then it is better not to
     * write to them. */
    later->is_found =
        word != WA_POLICY_NO_WORD && message->date_ms > later->date_ms
        && (word == WA_POLICY_STOP || message->date_ms <= wa_clock_now_ms() + WA_CLOCK_SKEW_MS);
    return later->is_found ? APR_EOF : APR_SUCCESS;
}

/* Whether a later message has taken the place of what one says that was fetched late.
 * @param pis_found  out: 1 it has */
static apr_status_t later_find(wa_messenger_t *messenger, const wa_message_t *stored,
                               const char *counterpart, int *pis_found, apr_pool_t *p)
{
    later_t later = {.messenger = messenger, .id = stored->id, .p = p};
    const wa_messages_query_t newest = {
        .counterpart = counterpart, .limit = LATER_MAX, .visit = later_visit, .baton = &later};
    wa_page_t page;
    apr_status_t rv = APR_SUCCESS;

    later.date_ms = stored->date_ms;
    if (later.date_ms < stored->timestamp_ms) {
        rv = wa_store_messages_list(messenger->store, &newest, &page, p);
    }
    *pis_found = later.is_found;
    return APR_STATUS_IS_EOF(rv) ? APR_SUCCESS : rv;
}

apr_status_t wa_policy_inbound(wa_messenger_t *messenger, const wa_message_t *stored, int is_new,
                               wa_policy_word_e word, apr_pool_t *p)
{
    const char *counterpart;
    row_t row;
    int is_outdated;
    apr_status_t rv;

    if (word == WA_POLICY_NO_WORD) {
        return APR_SUCCESS;
    }
    counterpart = wa_slice_string(stored->counterpart, p);
    if (!is_new) {
        rv = row_get(messenger, counterpart, &row);
        if (rv != APR_SUCCESS || row.last_inbound_ms != stored->timestamp_ms) {
            return rv;
        }
    }
    rv = later_find(messenger, stored, counterpart, &is_outdated, p);
    if (rv != APR_SUCCESS || is_outdated) {
        return rv;
    }
    return opted_out_set(messenger, counterpart, word == WA_POLICY_STOP, p);
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
