/* SPDX-License-Identifier: Apache-2.0 */
/* Sends a message: the intent is stored, Twilio is asked, the outcome is stored. */
#ifndef WA_MESSAGING_SEND_SEND_H
#define WA_MESSAGING_SEND_SEND_H

#include <apr_errno.h>
#include <apr_pools.h>

#include "messaging/send/content.h"
#include "messaging/messenger.h"

/* What somebody wants to send. Start from zero bytes: members added later are off then. Borrowed
 * for the time of the call. */
typedef struct wa_send_request_t {
    /* as typed */
    wa_slice_t phone_number;
    /* ptr NULL: none, there is other content */
    wa_slice_t message;
    /* beside the message, or instead of it */
    wa_content_request_t content;
    int has_contact_id;
    /* must be the contact of that number */
    wa_slice_t contact_id;
    /* Asked right before a message is stored and sent, when nothing else is against it; not for one
     * that is only answered again. Gives how long until it may be, 0 for now. NULL: always. */
    apr_interval_time_t (*admit)(void *baton);
    void *admit_baton;
    /* NULL for none: the request's Idempotency-Key */
    const char *idempotency_key;
} wa_send_request_t;

typedef struct wa_send_result_t {
    wa_sentence_t sentence; /* what was wrong (APR_EINVAL), or why it is not sent */
    int is_accepted;        /* 1: it is on its way, as far as Twilio and its receipts say by now */
    int retry_after_s;      /* with APR_TIMEUP: when to try again */
    int is_rate_limited;    /* with APR_TIMEUP: it was `admit` */
    wa_message_t message;   /* as stored, with APR_SUCCESS only; slices in p */
} wa_send_result_t;

/* Sends one message. It is stored as pending before Twilio is asked, and its outcome after that:
 * success, failed (with errorMessage and, from Twilio, errorCode), or pending with errorMessage
 * when nobody can know. When the outcome cannot be stored the message stays pending and that is
 * logged (WA0502); a receipt may still settle it. Never asks Twilio twice where it may have acted.
 * Of any number of requests with one idempotency key and the same content, in any processes and
 * within 24 hours, one sends; the others wait for its outcome and give the same result. Logs one
 * line (WA0501, info), of a message in parts about the last one that was asked for.
 * @param result  out: always filled
 * @return APR_SUCCESS the intent is stored and Twilio was asked: see is_accepted and message |
 *         APR_EINVAL the request is not valid, see sentence; nothing was stored or sent |
 *         APR_EACCES the idempotency key belongs to another message, or nothing may be sent to this
 *         counterpart now (messaging/policy/policy.h), see sentence; likewise |
 *         APR_TIMEUP not admitted (is_rate_limited), likewise |
 *         APR_TIMEUP, APR_ENOSPC no capacity to send or to store; nothing was stored or sent |
 *         APR_EGENERAL the store or the system failed; nothing was sent.
 * Any thread; takes as long as Twilio does. */
apr_status_t wa_send(wa_messenger_t *messenger, const wa_send_request_t *request,
                     wa_send_result_t *result, apr_pool_t *p);

#endif
