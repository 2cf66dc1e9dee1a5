/* SPDX-License-Identifier: Apache-2.0 */
/* The attachments of received messages: where Twilio keeps them, and fetching one on demand. */
#ifndef WA_MESSAGING_RECEIVE_MEDIA_H
#define WA_MESSAGING_RECEIVE_MEDIA_H

#include <apr_errno.h>
#include <apr_pools.h>

#include "base/form.h"
#include "messaging/message/attributes.h"
#include "messaging/messenger.h"
#include "twilio/client.h"

/* The most attachments that are looked for; WhatsApp sends one, Twilio allows ten. */
#define WA_MEDIA_MAX 32

/* The largest file that is passed on: twice what WhatsApp takes of any kind. */
#define WA_MEDIA_BYTES_MAX ((apr_int64_t)32 * 1024 * 1024)

/* Finds the attachments in an inbound form (MediaUrl0, MediaContentType0, ...), as Twilio names
 * them. Number n here is number n of the stored message's `media`.
 * @param media  out: room for WA_MEDIA_MAX; strings in p
 * @return how many. Any thread. */
apr_size_t wa_media_read(const wa_form_t *form, wa_media_t *media, apr_pool_t *p);

/* One attachment that was found. Strings in p. */
typedef struct wa_media_place_t {
    /* Twilio's; for no client */
    const char *url;
    /* what a saved copy may be called: UTF-8 without path, control or quote characters; of a
     * document the name that it was sent with; without ending where nothing better is known */
    const char *name;
    /* 1: `name` is the sender's, ending and all */
    int is_named;
} wa_media_place_t;

/* Looks an attachment up.
 * @param message_id  what a client gave as our message's id
 * @return APR_SUCCESS | APR_NOTFOUND no such message, or it has no attachment n | the store's. Any
 * thread. */
apr_status_t wa_media_find(wa_messenger_t *messenger, const char *message_id, apr_size_t n,
                           wa_media_place_t *place, apr_pool_t *p);

/* Fetches an attachment from Twilio into `sink` (see wa_twilio_media_fetch), at most
 * WA_MEDIA_BYTES_MAX. Counts as one of the sends that may wait for Twilio at one time.
 * @param pis_busy  out: 1 with APR_TIMEUP when there was no capacity and nothing was asked
 * @return as wa_twilio_media_fetch. Any thread; takes as long as Twilio does. */
apr_status_t wa_media_fetch(wa_messenger_t *messenger, const wa_media_place_t *place,
                            const wa_twilio_sink_t *sink, int *pis_busy, apr_pool_t *tmp);

#endif
