/* SPDX-License-Identifier: Apache-2.0 */
/* The changing half of a sent message: what Twilio said of it last, and how that is stored. */
#ifndef WA_MESSAGING_STATE_H
#define WA_MESSAGING_STATE_H

#include <apr_errno.h>
#include <apr_pools.h>

#include "base/types.h"
#include "twilio/status.h"

/* How many values wa_delivery_e has. */
#define WA_DELIVERY_COUNT (WA_DELIVERY_RECEIVED + 1)

/* How the request that made a message was answered. The values are stored: never renumber. */
typedef enum { WA_ANSWER_NONE = 0, WA_ANSWER_ACCEPTED = 1, WA_ANSWER_NOT_ACCEPTED = 2 } wa_answer_e;

/* What is known of a sent message. Strings are NUL-terminated UTF-8; NULL for none. */
typedef struct wa_state_t {
    wa_status_e status;
    wa_delivery_e delivery; /* Twilio's newest word that counts */
    const char *sid;
    int error_code;                          /* Twilio's; 0 for none */
    const char *error;                       /* a sentence for a person */
    apr_int64_t since_ms[WA_DELIVERY_COUNT]; /* when each word was first told; 0 never */
    const char *digest; /* of the request, when it had an idempotency key; lower-case hex */
    wa_answer_e answer; /* how that request was answered; kept only beside a digest */
} wa_state_t;

/* Something Twilio said of a message, in the API's answer or in a callback. */
typedef struct wa_state_event_t {
    wa_delivery_e delivery;
    int error_code;
    apr_int64_t at_ms;
} wa_state_event_t;

/* Reads the state out of a stored message. What is unreadable counts as not known. Strings in p. Any
 * thread that may use p. */
void wa_state_read(wa_state_t *state, const wa_message_t *message, apr_pool_t *p);

/* Makes what the store keeps: status, sid, the JSON members and the private part; all in p. Any
 * thread that may use p. */
void wa_state_write(const wa_state_t *state, wa_message_state_t *stored, apr_pool_t *p);

/* Merges an event by the order of twilio/status.h: the final state, times included, is the same in
 * whatever order, and however often, events come. Of two failures of one kind the higher error code
 * stays; a late word leaves nothing but its time.
 * @return 1 the state changed | 0 the event was repeated or unknown. Any thread. */
int wa_state_apply(wa_state_t *state, const wa_state_event_t *event, apr_pool_t *p);

#endif
