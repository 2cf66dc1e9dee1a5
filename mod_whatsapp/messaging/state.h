/* SPDX-License-Identifier: Apache-2.0 */
/* The changing half of a sent message: what Twilio said of it last, and how that is stored. */
#ifndef WA_MESSAGING_STATE_H
#define WA_MESSAGING_STATE_H

#include <apr_errno.h>
#include <apr_pools.h>

#include "base/buffer.h"
#include "base/types.h"
#include "messaging/parts.h"
#include "twilio/status.h"

/* How many values wa_delivery_e has. */
#define WA_DELIVERY_COUNT (WA_DELIVERY_RECEIVED + 1)

/* How the request that made a message was answered. The values are stored: never renumber. */
typedef enum { WA_ANSWER_NONE = 0, WA_ANSWER_ACCEPTED = 1, WA_ANSWER_NOT_ACCEPTED = 2 } wa_answer_e;

/* What became of one part of a message that was too long for one. The values are stored: never
 * renumber. */
typedef enum {
    WA_PART_WAITING = 0, /* its turn has not come yet, or it is being sent */
    WA_PART_TAKEN = 1,   /* Twilio has it */
    WA_PART_FAILED = 2,  /* it was refused, or could not be delivered */
    WA_PART_UNKNOWN = 3, /* nobody can know whether Twilio has it */
    WA_PART_STOPPED = 4  /* it was not sent because one before it was not */
} wa_part_e;

typedef struct wa_part_t {
    wa_part_e is;
    wa_delivery_e delivery;
    int error_code;
    const char *sid;
} wa_part_t;

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
    /* Of a message in parts. Its status, delivery, error_code, error and sid then follow from them
     * (wa_state_parts_settle): the status is that of the worst part, but pending while it is not known
     * of some part whether Twilio has it. */
    apr_size_t part_count; /* 0: it is one message at Twilio's too */
    wa_part_t parts[WA_PARTS_MAX];
    const char *reason;  /* what was said of the part that stopped the rest */
    apr_size_t part;     /* 1 and up: the part that wa_state_apply is about; never stored */
    const char *new_sid; /* a part's, which the store shall find it by; never stored */
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

/* Makes of what became of the parts what is said of the whole message: failed when a part was refused
 * or not delivered, else pending while a part is open, else failed when a part was not sent. Any
 * thread. */
void wa_state_parts_settle(wa_state_t *state, apr_pool_t *p);

/* 1 for a part of which nothing shows yet whether Twilio has it. Any thread. */
int wa_state_part_is_open(const wa_part_t *part);

/* Of a message in parts: Twilio has none of the open parts, which is then kept in them. Those before one
 * that Twilio has were taken all the same, as each was sent only when Twilio had taken the one before; of
 * the others the first was not sent, and stopped the rest.
 * @return 1 the state changed | 0 there is no open part. Any thread that may use p. */
int wa_state_parts_give_up(wa_state_t *state, apr_pool_t *p);

/* The part with that sid, 1 and up; 0 for none. Any thread. */
apr_size_t wa_state_part_find(const wa_state_t *state, const char *sid);

/* The text that the parts are stored as, and back; for state.c. Any thread that may use p. */
void wa_state_parts_write(const wa_state_t *state, wa_buffer_t *b);
void wa_state_parts_read(wa_state_t *state, const char *text, apr_pool_t *p);

#endif
