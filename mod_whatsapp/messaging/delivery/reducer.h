/* SPDX-License-Identifier: Apache-2.0 */
/* The one place where something that happened to a sent message changes what is known of it. */
#ifndef WA_MESSAGING_DELIVERY_REDUCER_H
#define WA_MESSAGING_DELIVERY_REDUCER_H

#include "messaging/delivery/state.h"

/* Where the news comes from. */
typedef enum {
    WA_EVENT_ANSWER,  /* Twilio's answer to our request, or that there was none */
    WA_EVENT_RECEIPT, /* a status callback */
    WA_EVENT_PARKED,  /* a status callback that came before its message was known */
    WA_EVENT_LISTED,  /* an entry of Twilio's list of messages */
    WA_EVENT_GIVE_UP  /* Twilio's whole list has none of the parts that are open */
} wa_event_e;

/* What an answer says. */
typedef enum {
    WA_OUTCOME_ACCEPTED, /* Twilio has it */
    WA_OUTCOME_REFUSED,  /* Twilio certainly has it not */
    WA_OUTCOME_UNKNOWN   /* nobody can know */
} wa_outcome_e;

/* Strings have to live as long as the state that they go into. */
typedef struct wa_delivery_event_t {
    wa_event_e kind;
    /* Twilio's; WA_DELIVERY_UNKNOWN for none */
    wa_delivery_e word;
    /* Twilio's; 0 for none */
    int error_code;
    /* of a failure, in Twilio's own words (wa_twilio_words); NULL for none */
    const char *said;
    /* when it happened, unix time; 0 unknown */
    apr_int64_t at_ms;
    /* of the message of Twilio's that it is about; NULL unknown */
    const char *sid;
    /* Which part it is about where the sid does not say, 1 and up; 0: the message has one part
     * only. An answer's is the part that was asked for. */
    apr_size_t part;
    /* of an answer */
    wa_outcome_e outcome;
    /* of an answer that is no acceptance: for a person */
    const char *sentence;
} wa_delivery_event_t;

/* Merges an event. The order of words is that of twilio/status.h: whatever order, and however
 * often, events come in, the state ends the same, times included (but those of lists, which count
 * only with a word that is new: a list is read again and again). Of two failures of one kind the
 * higher error code stays, with one code the words that say more; a late word leaves nothing but
 * its time. Of two times of a word the earlier one stays, whichever came first.
 *
 * An answer that is no acceptance stops the parts after it, and yields to a word that Twilio said
 * before. A listed message is claimed by a part that is open and has no sid; for one that has its
 * sid it is as good as a receipt. Giving up settles every part that is open: those before one that
 * Twilio has were taken all the same, as each is sent only when Twilio took the one before; of the
 * others the first was not sent, and stopped the rest.
 * @return APR_SUCCESS the state changed | APR_EEXIST it says nothing new | APR_NOTFOUND it is about
 * another message. Any thread that may use p. */
apr_status_t wa_delivery_apply(wa_delivery_t *d, const wa_delivery_event_t *event);

#endif
