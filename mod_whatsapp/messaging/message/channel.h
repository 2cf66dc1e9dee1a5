/* SPDX-License-Identifier: Apache-2.0 */
/* Which of Twilio's channels an address is of: WhatsApp's are kept without one. */
#ifndef WA_MESSAGING_MESSAGE_CHANNEL_H
#define WA_MESSAGING_MESSAGE_CHANNEL_H

#include <apr_pools.h>

#include "base/slice.h"

/* Twilio writes a channel before an address, "whatsapp:+15551230001", "messenger:1017", and none
 * before a number that wrote an SMS. Counterparts are kept as "+15551230001" where they wrote by
 * WhatsApp, and as "sms:+15551230001" or "messenger:1017" where they did not: nobody knows whether
 * these are the same person, and one cannot be answered by the other's channel. */

/* What stands before an address's colon; empty where it has no channel, or where that is "tel:".
 * Letters only, in upper or lower case. Any thread. */
wa_slice_t wa_channel_prefix(wa_slice_t address);

/* 1 for the name of WhatsApp's channel. Any thread. */
int wa_channel_is_whatsapp(wa_slice_t channel);

/* The channel of a counterpart as it is kept; empty for WhatsApp. Any thread. */
wa_slice_t wa_channel_of(wa_slice_t counterpart);

/* How an address is kept.
 * @param address  valid UTF-8, as Twilio writes it; not empty
 * @param channel  of an address that has none before it; empty for WhatsApp
 * @return in p: a phone number as E.164 with its channel, or another address; no longer than
 *         WA_COUNTERPART_BYTES_MAX, those that are longer are told apart by a hash. NULL where
 *         there is nothing beside the channel. Any thread that may use p. */
const char *wa_channel_keep(wa_slice_t address, wa_slice_t channel, apr_pool_t *p);

#endif
