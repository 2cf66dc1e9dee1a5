/* SPDX-License-Identifier: Apache-2.0 */
/* To whom nothing may be sent: blocked, opted out, or outside WhatsApp's 24 hours. */
#ifndef WA_MESSAGING_POLICY_POLICY_H
#define WA_MESSAGING_POLICY_POLICY_H

#include <apr_errno.h>
#include <apr_pools.h>

#include "messaging/messenger.h"

/* How long after a message of theirs WhatsApp lets us write freely. */
#define WA_WINDOW_MS (24 * 3600 * (apr_int64_t)1000)

/* When a counterpart wrote last to one of our numbers, unix milliseconds; 0: never, or not by
 * WhatsApp, whose window it is. Where their date lies ahead of the clock it cannot be right: then
 * this is the moment at which the clock was seen to be behind it, or now while that is not known.
 * The store's own time, which may be ahead of the clock, is not asked.
 * @param our_number  as messages name it; NULL: to any of them
 * Any thread. */
apr_int64_t wa_policy_written_ms(const wa_thread_t *thread, const char *our_number,
                                 apr_int64_t now_ms);

/* Why nothing is sent to a counterpart of another channel (messaging/message/channel.h). */
#define WA_POLICY_OTHER_CHANNEL                                                      \
    "This counterpart does not write by WhatsApp, and cannot be answered from here;" \
    " answer it where its channel is."

/* Says whether a message may be sent to a counterpart now, from the messenger's number.
 * @param is_free_form  0 for a template, which WhatsApp takes at any time
 * @param psentence     out: with APR_EACCES why not, static
 * @return APR_SUCCESS | APR_EACCES | the store's. Any thread. */
apr_status_t wa_policy_check(wa_messenger_t *messenger, const char *counterpart, int is_free_form,
                             wa_sentence_t *psentence);

/* What an inbound message says about more messages. */
typedef enum { WA_POLICY_NO_WORD = 0, WA_POLICY_STOP, WA_POLICY_START } wa_policy_word_e;

/* Reads it: one of the configured words and nothing else, as people write it
 * (messaging/policy/words.h), or what Twilio understood itself (OptOutType STOP and START, which
 * count before all else).
 *   A button or an item of a list   Its text was written by whoever sent it: "Cancel" is about an
 *                                   appointment. Of the configured words only STOP, STOPALL,
 *                                   UNSUBSCRIBE and OPTOUT opt out, as its text or as its payload;
 *                                   none opts in.
 *   A message that was fetched      Twilio's list does not say whether it was a button. It opts
 *                                   out as what is written does: at worst somebody is not written
 *                                   to. Of the configured words only START and UNSTOP, which no
 *                                   button says by accident, opt in.
 * @param text        valid UTF-8
 * @param attributes  the message's, with its webhook's fields
 * @param is_fetched  1: Twilio's list is all that is known of it
 * Any thread that may use tmp. */
wa_policy_word_e wa_policy_word(const wa_messenger_t *messenger, wa_slice_t text,
                                wa_slice_t attributes, int is_fetched, apr_pool_t *tmp);

/* A word on its way. */
typedef struct wa_policy_change_t {
    wa_policy_word_e word;
    int is_change; /* 1: the message changes the thread's flags */
} wa_policy_change_t;

/* Has an inbound message that is to be stored opt its counterpart out, or in again, in the commit
 * that stores it (message->flags_set, flags_clear); unless, for one that was fetched late, they
 * have said something else since.
 * @param change  out: for wa_policy_stored
 * @return APR_SUCCESS | the store's. Any thread that may use p. */
apr_status_t wa_policy_prepare(wa_messenger_t *messenger, wa_message_new_t *message,
                               wa_policy_change_t *change, apr_pool_t *p);

/* To be called when the message is stored. Logs a change (WA0541), and sees to it that what they
 * wrote later holds where it was stored in the same moment.
 * @param change  of wa_policy_prepare
 * @return APR_SUCCESS | the store's. Any thread that may use p. */
apr_status_t wa_policy_stored(wa_messenger_t *messenger, const wa_message_new_t *message,
                              const wa_policy_change_t *change, apr_pool_t *p);

/* Acts on a word of a message that was stored before and comes again, as a webhook may that says
 * more than what was fetched: only of the newest of its thread, so that an old STOP undoes no
 * START.
 * @param stored  the message as stored
 * @return APR_SUCCESS | the store's, when the change could not be kept. Any thread. */
apr_status_t wa_policy_repeated(wa_messenger_t *messenger, const wa_message_t *stored,
                                wa_policy_word_e word, apr_pool_t *p);

/* Notices an error of Twilio's that says that the counterpart has opted out (21610). A change that
 * cannot be kept is logged (WA0542): Twilio will refuse the next message too. Any thread. */
void wa_policy_error(wa_messenger_t *messenger, wa_slice_t counterpart, int error_code,
                     apr_pool_t *p);

#endif
