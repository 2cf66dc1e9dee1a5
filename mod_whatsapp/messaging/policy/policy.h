/* SPDX-License-Identifier: Apache-2.0 */
/* To whom nothing may be sent: blocked, opted out, or outside WhatsApp's 24 hours. */
#ifndef WA_MESSAGING_POLICY_POLICY_H
#define WA_MESSAGING_POLICY_POLICY_H

#include <apr_errno.h>
#include <apr_pools.h>

#include "messaging/messenger.h"

/* How long after a message of theirs WhatsApp lets us write freely. */
#define WA_WINDOW_MS (24 * 3600 * (apr_int64_t)1000)

/* When a counterpart wrote last, unix milliseconds; 0: never. Where their date lies ahead of the
 * clock it cannot be right: then this is the moment at which the clock was seen to be behind it, or
 * now while that is not known. The store's own time, which may be ahead of the clock, is not asked.
 * Any thread. */
apr_int64_t wa_policy_written_ms(const wa_thread_t *thread, apr_int64_t now_ms);

/* Says whether a message may be sent to a counterpart now.
 * @param is_free_form  0 for a template, which WhatsApp takes at any time
 * @param psentence     out: with APR_EACCES why not, static
 * @return APR_SUCCESS | APR_EACCES | the store's. Any thread. */
apr_status_t wa_policy_check(wa_messenger_t *messenger, const char *counterpart, int is_free_form,
                             wa_sentence_t *psentence);

/* What an inbound message says about more messages. */
typedef enum { WA_POLICY_NO_WORD = 0, WA_POLICY_STOP, WA_POLICY_START } wa_policy_word_e;

/* Reads it: one of the configured words and nothing else, as people write it
 * (messaging/policy/words.h), or what Twilio understood itself.
 * @param opt_out_type  the webhook's OptOutType, empty for none: STOP and START count before the
 * text Any thread that may use tmp. */
wa_policy_word_e wa_policy_word(const wa_messenger_t *messenger, wa_slice_t text,
                                wa_slice_t opt_out_type, apr_pool_t *tmp);

/* Acts on the word of an inbound message, unless they have said something else since: for one that
 * was fetched late (its date_ms is before its timestamp_ms) later ones are looked for. Logs a
 * change (WA0541).
 * @param stored  the message as stored; one that was stored before counts only as the newest of its
 *     thread, so that an old STOP that comes again undoes no START
 * @param is_new  1 when it was stored just now
 * @return APR_SUCCESS | the store's, when the change could not be kept. Any thread. */
apr_status_t wa_policy_inbound(wa_messenger_t *messenger, const wa_message_t *stored, int is_new,
                               wa_policy_word_e word, apr_pool_t *p);

/* Notices an error of Twilio's that says that the counterpart has opted out (21610). A change that
 * cannot be kept is logged (WA0542): Twilio will refuse the next message too. Any thread. */
void wa_policy_error(wa_messenger_t *messenger, wa_slice_t counterpart, int error_code,
                     apr_pool_t *p);

#endif
