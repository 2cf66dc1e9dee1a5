/* SPDX-License-Identifier: Apache-2.0 */
/* Applies what Twilio says of sent messages, in callbacks and lists, in whatever order it comes. */
#ifndef WA_MESSAGING_DELIVERY_RECEIPTS_H
#define WA_MESSAGING_DELIVERY_RECEIPTS_H

#include <apr_errno.h>
#include <apr_pools.h>

#include "base/form.h"
#include "messaging/delivery/reducer.h"
#include "messaging/messenger.h"

/* 1 when a webhook's form is a status callback, 0 when it is an inbound message. Any thread. */
int wa_receipt_is(const wa_form_t *form);

/* Applies one status callback (docs/TWILIO.md section 3). A late, repeated or unknown status
 * changes nothing. One for a message that is not known (yet) is parked for the time it is.
 * Logs one line (WA0521, info; WA0522 where nothing changed).
 * @param form        a genuine webhook of our account
 * @param message_id  our message's id from the callback's query, with .N behind it for its part N;
 *     NULL when there is none
 * @param psentence   out: with APR_EINVAL what is missing
 * @return APR_SUCCESS it is dealt with | APR_EINVAL no MessageSid | the store's statuses.
 * Any thread. */
apr_status_t wa_receipt_receive(wa_messenger_t *messenger, const wa_form_t *form,
                                const char *message_id, wa_sentence_t *psentence, apr_pool_t *p);

/* Applies what Twilio's list says of a message, as a receipt would, but for the time of a word that
 * is known already: reading a list again stores nothing.
 * @param event  its kind does not matter; at_ms is when it came to be so, 0: not known
 * @param pis_ours     out: 1 when a sent message of ours, or a part of one, has that sid
 * @param pis_changed  out: 1 when it said something new
 * @return APR_SUCCESS | the store's. Any thread. */
apr_status_t wa_receipt_listed(wa_messenger_t *messenger, const wa_delivery_event_t *event,
                               int *pis_ours, int *pis_changed, apr_pool_t *p);

#endif
