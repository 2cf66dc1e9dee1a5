/* SPDX-License-Identifier: Apache-2.0 */
/* What is known of the delivery of a sent message, and how that is stored. */
#ifndef WA_MESSAGING_DELIVERY_STATE_H
#define WA_MESSAGING_DELIVERY_STATE_H

#include <apr_errno.h>
#include <apr_pools.h>

#include "base/types.h"
#include "messaging/message/parts.h"
#include "twilio/status.h"

/* How many values wa_delivery_e has. */
#define WA_DELIVERY_COUNT (WA_DELIVERY_RECEIVED + 1)

/* How the request that made a message was answered. The values are stored: never renumber. */
typedef enum { WA_ANSWER_NONE = 0, WA_ANSWER_ACCEPTED = 1, WA_ANSWER_NOT_ACCEPTED = 2 } wa_answer_e;

/* Where one message of Twilio's stands. The values are stored: never renumber. */
typedef enum {
    WA_PART_WAITING = 0, /* its turn has not come yet, or it is being sent */
    WA_PART_TAKEN = 1,   /* Twilio has it */
    WA_PART_FAILED = 2,  /* it was refused, or could not be delivered */
    WA_PART_UNKNOWN = 3, /* nobody can know whether Twilio has it */
    WA_PART_STOPPED = 4  /* it was not sent because one before it was not */
} wa_part_e;

#define WA_PART_COUNT (WA_PART_STOPPED + 1)

/* One message of Twilio's: the whole of ours, or one of its parts. */
typedef struct wa_part_t {
    wa_part_e is;
    wa_delivery_e word; /* Twilio's newest that counts */
    int error_code;     /* Twilio's; 0 for none */
    const char *sid;    /* NULL while unknown */
    const char *said; /* what Twilio says of a failure in words of its own, clean; NULL for none */
    apr_int64_t since_ms[WA_DELIVERY_COUNT]; /* when each word was first told; 0 never */
} wa_part_t;

/* Strings are NUL-terminated UTF-8; NULL for none. */
typedef struct wa_delivery_t {
    /* 1 and up; of the parts behind these nothing is set */
    apr_size_t part_count;
    wa_part_t parts[WA_PARTS_MAX];
    /* What was said of the part that was refused, or that nobody knows of: there is one at most, as
     * it stops those after it. Of a message in one part also what is said of its failure where
     * Twilio's code alone does not say it. */
    const char *reason;
    /* of the request, when it had an idempotency key; lower-case hex */
    const char *digest;
    /* how that request was answered; kept only beside a digest */
    wa_answer_e answer;
} wa_delivery_t;

/* What the API says of the whole message; follows from a wa_delivery_t. */
typedef struct wa_delivery_summary_t {
    /* failed when a part was refused or not delivered, else pending while it is not known of some
     * part whether Twilio has it, else failed when one was not sent */
    wa_status_e status;
    /* of a part that failed, else the least that holds for all */
    wa_delivery_e word;
    /* the first part's */
    const char *sid;
    int error_code;
    /* a sentence for a person, in the pool that was given */
    const char *error;
} wa_delivery_summary_t;

/* An outcome that is known only as far as the API tells it: a message in one part. Any thread. */
wa_part_e wa_part_of_status(wa_status_e status, const char *error);

/* What the API says of a part that is there. Any thread. */
wa_status_e wa_status_of_part(wa_part_e is);

/* Makes the summary; strings in p, or those of *d. Any thread that may use p. */
void wa_delivery_summarize(const wa_delivery_t *d, wa_delivery_summary_t *summary, apr_pool_t *p);

/* 1 for a part of which nothing shows yet whether Twilio has it. Any thread. */
int wa_part_is_open(const wa_part_t *part);

/* The part with that sid, 1 and up; 0 for none. Any thread. */
apr_size_t wa_delivery_part_find(const wa_delivery_t *d, const char *sid);

/* When a word was first told of any part, unix milliseconds; 0 never. Any thread. */
apr_int64_t wa_delivery_since_ms(const wa_delivery_t *d, wa_delivery_e word);

/* What a person is told of that part, from 0; NULL for nothing. In p, or of *d. Any thread that may
 * use p. */
const char *wa_delivery_part_error(const wa_delivery_t *d, apr_size_t part, apr_pool_t *p);

/* Reads the delivery of a stored message. What is unreadable counts as not known. Strings in p. Any
 * thread that may use p. */
void wa_delivery_read(wa_delivery_t *d, const wa_message_t *message, apr_pool_t *p);

/* Makes what the store keeps; all in p.
 * @param sid  the one by which the store shall find the message from now on, NULL for none that is
 *     new
 * @return APR_SUCCESS | APR_ENOMEM. Any thread that may use p. */
apr_status_t wa_delivery_write(const wa_delivery_t *d, const char *sid, wa_message_state_t *stored,
                               apr_pool_t *p);

#endif
