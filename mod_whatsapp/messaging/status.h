/* SPDX-License-Identifier: Apache-2.0 */
/* Applies Twilio's status callbacks to sent messages, in whatever order they come. */
#ifndef WA_MESSAGING_STATUS_H
#define WA_MESSAGING_STATUS_H

#include <apr_errno.h>
#include <apr_pools.h>

#include "base/form.h"
#include "messaging/messenger.h"
#include "messaging/state.h"

/* 1 when a webhook's form is a status callback, 0 when it is an inbound message. Any thread. */
int wa_status_is_callback(const wa_form_t *form);

/* Applies one status callback (TWILIO.md section 3). A late, repeated or unknown status changes
 * nothing. One for a message that is not known (yet) is parked for the time it is.
 * Logs one line (WA0521, info; WA0522 where nothing changed).
 * @param form        a genuine webhook of our account
 * @param message_id  our message's id from the callback's query, with .N behind it for its part N; NULL when there is
 *     none
 * @param psentence   out: with APR_EINVAL what is missing
 * @return APR_SUCCESS it is dealt with | APR_EINVAL no MessageSid | the store's statuses.
 * Any thread. */
apr_status_t wa_status_receive(wa_messenger_t *messenger, const wa_form_t *form,
                               const char *message_id, wa_sentence_t *psentence, apr_pool_t *p);

/* Merges into `state` what was parked for it (wa_store_parked_get).
 * @return 1 when that changed it, else 0. Any thread. */
int wa_status_unpark(wa_slice_t parked, wa_state_t *state, apr_pool_t *p);

#endif
