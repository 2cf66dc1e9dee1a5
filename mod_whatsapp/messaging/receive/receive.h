/* SPDX-License-Identifier: Apache-2.0 */
/* Makes a stored message of an inbound webhook. */
#ifndef WA_MESSAGING_RECEIVE_RECEIVE_H
#define WA_MESSAGING_RECEIVE_RECEIVE_H

#include <apr_errno.h>
#include <apr_pools.h>

#include "base/form.h"
#include "messaging/messenger.h"

/* Stores one inbound message (docs/TWILIO.md section 2.2), whatever its kind and whoever it is
 * from:
 *   text, media    body or caption as sent; media[] for MediaUrl0..N, with paths of ours: see
 *                  messaging/receive/media.h
 *   location       "Location: label, address (latitude, longitude)" in the body
 *   button         its text in the body
 *   anything else  "[kind]" in the body when there is no text
 * Bytes that are not valid UTF-8 become U+FFFD. A `From` that is no phone number is the counterpart
 * as it is. What came by another channel than WhatsApp (SMS, `messenger:`) is of a counterpart of
 * its own (messaging/message/channel.h). A STOP or START counts in the commit that stores the
 * message (messaging/policy/policy.h). All other fields are kept as they came, among the message's
 * attributes.
 * A second webhook with the same MessageSid stores nothing, but for attachments that were missing.
 * Attachments of a fetched one that NumMedia announces and that have no address are looked for
 * (messaging/receive/late.h).
 * Logs one line (WA0511, info; WA0512 where nothing was stored).
 * @param form       a genuine webhook of our account
 * @param psentence  out: with APR_EINVAL what is missing
 * @return APR_SUCCESS it is stored, now or before | APR_EINVAL no MessageSid | the store's
 * statuses. Any thread. */
apr_status_t wa_receive(wa_messenger_t *messenger, const wa_form_t *form, wa_sentence_t *psentence,
                        apr_pool_t *p);

#endif
