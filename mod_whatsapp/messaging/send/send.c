/* SPDX-License-Identifier: Apache-2.0 */
/* Sends a message: the intent is stored, Twilio is asked, the outcome is stored. */
#include "messaging/send/send.h"

#include <apr_strings.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/phone.h"
#include "base/text.h"
#include "messaging/send/content.h"
#include "messaging/delivery/parked.h"
#include "messaging/delivery/reducer.h"
#include "messaging/policy/concurrency.h"
#include "messaging/send/idempotency.h"
#include "messaging/message/attributes.h"
#include "messaging/message/channel.h"
#include "messaging/message/preview.h"
#include "messaging/message/parts.h"
#include "messaging/policy/policy.h"
#include "messaging/message/validate.h"
#include "twilio/client.h"

/* When somebody should try again who found all sends taken. */
#define BUSY_RETRY_S 2

/* What a request means, beside the addresses of its media. */
#define MEANING_FIELDS 6

/* One send on its way through the steps below. */
typedef struct send_t {
    wa_messenger_t *messenger;
    const char *id;
    const char *number;                    /* the counterpart */
    wa_slice_t text;                       /* as shown; of a template what stands for it */
    wa_content_t content;                  /* beside the text, or instead of it */
    const char *contact_id;                /* in lower case, NULL for none */
    const char *key;                       /* the idempotency key, NULL for none */
    const char *digest;                    /* of what the request means; only with a key */
    wa_part_content_t parts[WA_PARTS_MAX]; /* what Twilio gets */
    apr_size_t part_count;
    apr_size_t part;                          /* the one that is being sent, from 0 */
    wa_twilio_result_t answers[WA_PARTS_MAX]; /* to the parts up to that one */
    apr_int64_t answered_ms[WA_PARTS_MAX];
    wa_slice_t parked; /* receipts that came before the sid was known */
} send_t;

/* Whether the contact is there and has the number: of what was sent already that no longer
 * matters. */
static apr_status_t contact_check(const send_t *send, wa_sentence_t *psentence, apr_pool_t *p)
{
    wa_contact_t contact;
    apr_status_t rv;

    if (!send->contact_id) {
        return APR_SUCCESS;
    }
    rv = wa_store_contact_find(send->messenger->store, send->contact_id, &contact, p);
    if (APR_STATUS_IS_NOTFOUND(rv)) {
        *psentence = "contactId is not the id of a contact there is";
        return APR_EINVAL;
    }
    if (rv == APR_SUCCESS && !wa_slice_is_equal(contact.phone_number, wa_slice_of(send->number))) {
        *psentence = "contactId belongs to a contact with another number than phoneNumber";
        return APR_EINVAL;
    }
    return rv;
}

/* Checks what is to be sent, and cuts it into what Twilio takes at a time. */
static apr_status_t text_check(send_t *send, const wa_send_request_t *request,
                               wa_sentence_t *psentence, apr_pool_t *p)
{
    const int has_text = request->message.ptr != NULL;
    apr_status_t rv = wa_content_check(&send->content, &request->content, has_text, psentence, p);

    if (rv == APR_SUCCESS && (has_text || (!send->content.sid && send->content.media_count == 0))) {
        rv = wa_validate_message(request->message, psentence);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    send->text = send->content.sid ? send->content.body : request->message;
    send->part_count = 1;
    if (!send->content.sid) {
        send->part_count =
            wa_parts_make(send->text, send->content.media_count,
                          wa_slice_of(send->content.media[0].content_type), send->parts);
    }
    return APR_SUCCESS;
}

/* The digest of all that makes two requests the same, the number that it is sent from included:
 * several virtual hosts may share a store. */
static const char *meaning_digest(const send_t *send, apr_pool_t *p)
{
    wa_slice_t meaning[MEANING_FIELDS + WA_CONTENT_MEDIA_MAX] = {
        wa_slice_of(send->messenger->number),
        wa_slice_of(send->number),
        send->text,
        wa_slice_of(send->contact_id),
        wa_slice_of(send->content.sid),
        wa_slice_of(send->content.variables)};
    apr_size_t i;

    for (i = 0; i < send->content.media_count; i++) {
        meaning[MEANING_FIELDS + i] = wa_slice_of(send->content.media[i].url);
    }
    return wa_idempotency_digest(meaning, MEANING_FIELDS + send->content.media_count, p);
}

/* Whether the counterpart that is named is one of WhatsApp's: those of other channels are known by
 * their threads. */
static apr_status_t channel_check(const send_t *send, wa_slice_t typed, wa_sentence_t *psentence,
                                  apr_pool_t *p)
{
    wa_sentence_t ignored;
    const char *counterpart;

    if (wa_channel_of(typed).len == 0
        || wa_validate_counterpart(send->messenger->store, typed, &counterpart, &ignored, p)
               != APR_SUCCESS
        || wa_channel_of(wa_slice_of(counterpart)).len == 0) {
        return APR_SUCCESS;
    }
    *psentence = WA_POLICY_OTHER_CHANNEL;
    return APR_EACCES;
}

static apr_status_t request_check(send_t *send, const wa_send_request_t *request,
                                  wa_sentence_t *psentence, apr_pool_t *p)
{
    apr_status_t rv;

    rv = channel_check(send, request->phone_number, psentence, p);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = wa_validate_phone(request->phone_number, &send->number, psentence, p);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = text_check(send, request, psentence, p);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (request->has_contact_id) {
        rv = wa_validate_contact_id("contactId", request->contact_id, &send->contact_id, psentence,
                                    p);
    }
    if (rv != APR_SUCCESS || !request->idempotency_key) {
        return rv;
    }
    send->key = request->idempotency_key;
    rv = wa_idempotency_check(send->key, psentence);
    if (rv == APR_SUCCESS) {
        send->digest = meaning_digest(send, p);
        rv = send->digest ? APR_SUCCESS : APR_EGENERAL;
    }
    return rv;
}

/* Stores the intent: from here on the message exists, whatever happens. */
static apr_status_t intent_store(const send_t *send, wa_message_t *stored, apr_pool_t *p)
{
    const wa_content_t *content = &send->content;
    const wa_attributes_t attributes = {
        .media = content->media, .media_count = content->media_count, .content_sid = content->sid};
    const wa_delivery_t delivery = {.part_count = send->part_count, .digest = send->digest};
    wa_message_state_t first;
    wa_message_new_t message = {.id = send->id,
                                .counterpart = send->number,
                                .phone_number = send->messenger->number,
                                .body = send->text,
                                .direction = WA_DIRECTION_SENT,
                                .status = WA_STATUS_PENDING,
                                .idempotency_key = send->key};
    apr_status_t rv = wa_delivery_write(&delivery, NULL, &first, p);

    message.delivery = first.delivery;
    message.preview = wa_preview_make(
        send->text, content->media_count > 0 ? content->media[0].content_type : NULL);
    if (rv == APR_SUCCESS) {
        rv = wa_attributes_write(&attributes, &message.attributes, p);
    }
    return rv != APR_SUCCESS ? rv
                             : wa_store_message_add(send->messenger->store, &message, stored, p);
}

/* Where Twilio is to send receipts: our webhook, with our id in the query, so that the outcome is
 * learned even if Twilio's answer is lost. */
static const char *callback_url(const send_t *send, apr_pool_t *p)
{
    const wa_messenger_t *messenger = send->messenger;

    if (!messenger->public_url) {
        return NULL;
    }
    return apr_pstrcat(
        p, messenger->public_url, messenger->base_path, "/webhook?message=", send->id,
        send->part_count > 1 ? apr_psprintf(p, ".%" APR_SIZE_T_FMT, send->part + 1) : NULL, NULL);
}

/* Asks Twilio to send the current part. Whatever comes of it is in send->answers. */
static void twilio_ask(send_t *send, apr_pool_t *p)
{
    wa_messenger_t *messenger = send->messenger;
    wa_twilio_result_t *answer = &send->answers[send->part];
    const wa_part_content_t *part = &send->parts[send->part];
    wa_twilio_account_t account = {.sid = messenger->account_sid, .secret = messenger->tokens[0]};
    wa_twilio_message_request_t request = {.account = &account,
                                           .to = send->number,
                                           .from = messenger->number,
                                           .body = part->text,
                                           .content_sid = send->content.sid,
                                           .content_variables = send->content.variables,
                                           .status_callback = callback_url(send, p)};
    apr_status_t rv;

    if (part->media_no > 0) {
        request.media_url = send->content.media[part->media_no - 1].url;
    }
    rv = wa_twilio_message_create(messenger->twilio, &request, answer, p);
    if (rv != APR_SUCCESS) {
        WA_LOG(messenger->log, WA_LOG_ERR, "WA0503", rv, "message %s cannot be given to Twilio",
               send->id);
        memset(answer, 0, sizeof(*answer));
        answer->outcome = WA_TWILIO_REFUSED;
        answer->error = "This server could not hand the message to Twilio.";
    }
    send->answered_ms[send->part] = wa_clock_now_ms();
}

/* What the client is told. */
static wa_answer_e answer_of(wa_status_e status, wa_twilio_outcome_e outcome)
{
    return status == WA_STATUS_SUCCESS
                   || (status == WA_STATUS_PENDING && outcome == WA_TWILIO_ACCEPTED)
               ? WA_ANSWER_ACCEPTED
               : WA_ANSWER_NOT_ACCEPTED;
}

/* Twilio's answer to a part, as it changes what is known of the delivery. */
static wa_delivery_event_t answer_event(const send_t *send, apr_size_t part)
{
    static const wa_outcome_e outcomes[] = {[WA_TWILIO_ACCEPTED] = WA_OUTCOME_ACCEPTED,
                                            [WA_TWILIO_REFUSED] = WA_OUTCOME_REFUSED,
                                            [WA_TWILIO_NOT_REACHED] = WA_OUTCOME_REFUSED,
                                            [WA_TWILIO_RATE_LIMITED] = WA_OUTCOME_REFUSED,
                                            [WA_TWILIO_UNKNOWN] = WA_OUTCOME_UNKNOWN};
    const wa_twilio_result_t *answer = &send->answers[part];

    return (wa_delivery_event_t){.kind = WA_EVENT_ANSWER,
                                 .word = wa_delivery_parse(answer->status),
                                 .error_code = answer->error_code,
                                 .said = answer->said,
                                 .at_ms = send->answered_ms[part],
                                 .sid = answer->sid,
                                 .part = part + 1,
                                 .outcome = outcomes[answer->outcome],
                                 .sentence = answer->error};
}

/* Says in the delivery what the client is told, once nothing more is asked of Twilio.
 * @return APR_SUCCESS that is new | APR_EEXIST */
static apr_status_t answer_note(const send_t *send, wa_delivery_t *delivery, apr_pool_t *p)
{
    const wa_twilio_outcome_e outcome = send->answers[send->part].outcome;
    const wa_answer_e before = delivery->answer;
    wa_delivery_summary_t summary;

    if (outcome == WA_TWILIO_ACCEPTED && send->part + 1 < send->part_count) {
        return APR_EEXIST;
    }
    wa_delivery_summarize(delivery, &summary, p);
    delivery->answer = answer_of(summary.status, outcome);
    return delivery->digest && delivery->answer != before ? APR_SUCCESS : APR_EEXIST;
}

/* The next state of a message by the answers so far, also those that could not be stored when they
 * came, whatever receipts came before them. */
static apr_status_t outcome_merge(void *baton, const wa_message_t *now, wa_message_state_t *next,
                                  apr_pool_t *p)
{
    const send_t *send = baton;
    wa_delivery_t delivery;
    apr_status_t rv = APR_EEXIST;
    apr_size_t i;

    wa_delivery_read(&delivery, now, p);
    for (i = 0; i <= send->part; i++) {
        const wa_delivery_event_t event = answer_event(send, i);

        rv = wa_delivery_apply(&delivery, &event) == APR_SUCCESS ? APR_SUCCESS : rv;
    }
    rv = answer_note(send, &delivery, p) == APR_SUCCESS ? APR_SUCCESS : rv;
    return rv != APR_SUCCESS ? rv
                             : wa_delivery_write(&delivery, send->answers[send->part].sid, next, p);
}

/* The next state of a message by the receipts that were parked. */
static apr_status_t parked_merge(void *baton, const wa_message_t *now, wa_message_state_t *next,
                                 apr_pool_t *p)
{
    const send_t *send = baton;
    const wa_delivery_event_t about = answer_event(send, send->part);
    wa_delivery_t delivery;
    apr_status_t rv;

    wa_delivery_read(&delivery, now, p);
    rv = wa_parked_apply(send->parked, &about, &delivery, p);
    if (rv == APR_SUCCESS) {
        answer_note(send, &delivery, p);
        rv = wa_delivery_write(&delivery, about.sid, next, p);
    }
    return rv;
}

/* Merges what was parked under the new sid; a receipt that comes from now on finds the sid
 * itself. */
static apr_status_t parked_apply(send_t *send, wa_message_t *message, apr_pool_t *p)
{
    const wa_message_update_t update = {.key = send->id, .merge = parked_merge, .baton = send};
    wa_store_t *store = send->messenger->store;
    apr_status_t rv = wa_store_parked_get(store, send->answers[send->part].sid, &send->parked, p);

    if (rv == APR_SUCCESS) {
        rv = wa_store_message_update(store, &update, message, p);
    }
    return APR_STATUS_IS_NOTFOUND(rv) ? APR_SUCCESS : rv;
}

static void outcome_store(send_t *send, wa_message_t *message, apr_pool_t *p)
{
    const wa_twilio_result_t *answer = &send->answers[send->part];
    const wa_message_update_t update = {.key = send->id, .merge = outcome_merge, .baton = send};
    wa_message_t updated;
    apr_status_t rv = wa_store_message_update(send->messenger->store, &update, &updated, p);

    if (rv == APR_SUCCESS) {
        *message = updated;
        if (answer->outcome == WA_TWILIO_ACCEPTED) {
            rv = parked_apply(send, message, p);
        }
    }
    if (rv != APR_SUCCESS) {
        WA_LOG(send->messenger->log, WA_LOG_ERR, "WA0502", rv,
               "the outcome of message %s (sid %s) could not be stored", send->id,
               answer->sid ? answer->sid : "none");
    }
}

static const char *outcome_name(wa_twilio_outcome_e outcome)
{
    switch (outcome) {
    case WA_TWILIO_ACCEPTED:
        return "accepted";
    case WA_TWILIO_REFUSED:
        return "refused";
    case WA_TWILIO_NOT_REACHED:
        return "not reached";
    case WA_TWILIO_RATE_LIMITED:
        return "rate limited";
    case WA_TWILIO_UNKNOWN:
        break;
    }
    return "unknown";
}

/* One line for a message. Of one in parts the sid is the message's, the first part's, and the rest
 * is about the last part that was asked for. */
static void send_log(const send_t *send, apr_time_t started, apr_pool_t *p)
{
    const wa_twilio_result_t *answer = &send->answers[send->part];
    const char *sid = send->answers[0].sid, *part = "";

    if (send->part_count > 1) {
        part = apr_psprintf(p, " part=%" APR_SIZE_T_FMT "/%" APR_SIZE_T_FMT, send->part + 1,
                            send->part_count);
    }
    WA_LOG(send->messenger->log, WA_LOG_INFO, "WA0501", APR_SUCCESS,
           "send: sid=%s id=%s to=%s length=%" APR_SIZE_T_FMT
           "%s status=%s http=%d error=%d duration=%" APR_INT64_T_FMT "ms",
           sid ? sid : "-", send->id, wa_phone_mask(send->number, p),
           wa_text_utf16_length(send->text.ptr, send->text.len), part,
           outcome_name(answer->outcome), answer->http_status, answer->error_code,
           apr_time_as_msec(wa_clock_steady_us() - started));
}

/* Sends one part after the other, as long as Twilio takes them. @return the last answer */
static const wa_twilio_result_t *parts_send(send_t *send, wa_message_t *message, apr_pool_t *p)
{
    for (send->part = 0;; send->part++) {
        twilio_ask(send, p);
        outcome_store(send, message, p);
        if (send->answers[send->part].outcome != WA_TWILIO_ACCEPTED
            || send->part + 1 == send->part_count) {
            return &send->answers[send->part];
        }
    }
}

/* Stores, sends, stores. Inside the gate. @return APR_EEXIST somebody else has the key: *message */
static apr_status_t message_send(send_t *send, wa_send_result_t *result, apr_pool_t *p)
{
    const apr_time_t started = wa_clock_steady_us();
    wa_twilio_outcome_e outcome;
    wa_delivery_summary_t summary;
    wa_delivery_t delivery;
    apr_status_t rv;

    send->id = wa_id_uuid4(p);
    rv = send->id ? intent_store(send, &result->message, p) : APR_EGENERAL;
    if (rv != APR_SUCCESS) {
        return APR_STATUS_IS_EINVAL(rv) ? APR_EGENERAL
                                        : rv; /* what the store refuses we should have */
    }
    outcome = parts_send(send, &result->message, p)->outcome;
    wa_policy_error(send->messenger, result->message.counterpart,
                    send->answers[send->part].error_code, p);
    result->is_accepted = answer_of(result->message.status, outcome) == WA_ANSWER_ACCEPTED;
    result->sentence = send->answers[send->part].error;
    if (send->part_count > 1) {
        wa_delivery_read(&delivery, &result->message, p);
        wa_delivery_summarize(&delivery, &summary, p);
        result->sentence = summary.error ? summary.error : result->sentence;
    }
    send_log(send, started, p);
    return APR_SUCCESS;
}

/* Enters the gate; says why when it is full. */
static int is_let_in(wa_messenger_t *messenger, wa_send_result_t *result)
{
    if (wa_concurrency_enter(messenger)) {
        return 1;
    }
    result->sentence = "Too many messages are being sent right now; nothing was sent, try again in"
                       " a moment.";
    result->retry_after_s = BUSY_RETRY_S;
    return 0;
}

/* Answers by the message that an earlier request with the key made. Inside the gate when that
 * request may still be at it. */
static apr_status_t earlier_answer(const send_t *send, wa_send_result_t *result, apr_pool_t *p)
{
    wa_delivery_summary_t summary;
    wa_delivery_t delivery;
    apr_status_t rv = APR_SUCCESS;

    wa_delivery_read(&delivery, &result->message, p);
    if (!delivery.digest || strcmp(delivery.digest, send->digest) != 0) {
        result->sentence = "The Idempotency-Key was used for another message; nothing was sent.";
        return APR_EACCES;
    }
    if (!wa_idempotency_is_done(&delivery)) {
        rv = wa_idempotency_wait(send->messenger, &result->message, &delivery, p);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    /* What the first was told, unless it is known by now that Twilio has the message. */
    wa_delivery_summarize(&delivery, &summary, p);
    result->is_accepted =
        delivery.answer == WA_ANSWER_ACCEPTED || summary.status == WA_STATUS_SUCCESS;
    result->sentence = summary.error ? summary.error
                                     : "Nobody can know whether the message was sent: the request"
                                       " that was sending it was cut off.";
    WA_LOG(send->messenger->log, WA_LOG_INFO, "WA0504", APR_SUCCESS,
           "send: id=%.*s answered again, by its Idempotency-Key: %s", (int)result->message.id.len,
           result->message.id.ptr, result->is_accepted ? "accepted" : "not accepted");
    return APR_SUCCESS;
}

/* What an earlier request with the key has come to. One that is still at it is waited for inside
 * the gate; it costs nothing and no rule is against it, because nothing is sent.
 * @return what earlier_answer gives | APR_NOTFOUND there is none | APR_TIMEUP no capacity to
 * wait */
static apr_status_t earlier_find(const send_t *send, wa_send_result_t *result, apr_pool_t *p)
{
    wa_delivery_t delivery;
    apr_status_t rv;

    if (!send->key) {
        return APR_NOTFOUND;
    }
    rv = wa_idempotency_find(send->messenger, send->key, &result->message, p);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    wa_delivery_read(&delivery, &result->message, p);
    if (!delivery.digest || strcmp(delivery.digest, send->digest) != 0
        || wa_idempotency_is_done(&delivery)) {
        return earlier_answer(send, result, p);
    }
    if (!is_let_in(send->messenger, result)) {
        return APR_TIMEUP;
    }
    rv = earlier_answer(send, result, p);
    wa_concurrency_leave(send->messenger);
    return rv;
}

static int is_admitted(const wa_send_request_t *request, wa_send_result_t *result)
{
    const apr_interval_time_t wait = request->admit ? request->admit(request->admit_baton) : 0;

    if (wait <= 0) {
        return 1;
    }
    result->is_rate_limited = 1;
    result->retry_after_s = (int)((wait + APR_USEC_PER_SEC - 1) / APR_USEC_PER_SEC);
    result->sentence = "You have sent as many messages as are allowed in this time; nothing was"
                       " sent, try again later.";
    return 0;
}

apr_status_t wa_send(wa_messenger_t *messenger, const wa_send_request_t *request,
                     wa_send_result_t *result, apr_pool_t *p)
{
    send_t send = {.messenger = messenger};
    apr_status_t rv;

    memset(result, 0, sizeof(*result));
    rv = request_check(&send, request, &result->sentence, p);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = earlier_find(&send, result, p);
    if (!APR_STATUS_IS_NOTFOUND(rv)) {
        return rv;
    }
    rv = contact_check(&send, &result->sentence, p);
    if (rv == APR_SUCCESS) {
        rv = wa_policy_check(messenger, send.number, !send.content.sid, &result->sentence);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (!is_let_in(messenger, result)) {
        return APR_TIMEUP;
    }
    rv = is_admitted(request, result) ? message_send(&send, result, p) : APR_TIMEUP;
    if (APR_STATUS_IS_EEXIST(rv)) {
        rv = send.key ? earlier_answer(&send, result, p) : APR_EGENERAL;
    }
    wa_concurrency_leave(messenger);
    return rv;
}
