/* SPDX-License-Identifier: Apache-2.0 */
/* Attachments that were announced with a received message and were not there when it was stored. */
#ifndef WA_MESSAGING_RECEIVE_LATE_H
#define WA_MESSAGING_RECEIVE_LATE_H

#include <apr_errno.h>
#include <apr_pools.h>

#include "base/form.h"
#include "messaging/message/attributes.h"
#include "messaging/message/late_media.h"
#include "messaging/messenger.h"

/* Gives a message that is to be stored the state that says how many attachments are looked for:
 * those that the form of a fetched message (one with DateSent) announces (NumMedia) beyond the ones
 * that have an address in it. A webhook gives the addresses of all that there are.
 * @param count     how many have one
 * @param message   its status and delivery are set, or left as they are where nothing is late
 * @param pawaited  out: how many are looked for
 * @return APR_SUCCESS | APR_ENOMEM. Any thread that may use p. */
apr_status_t wa_late_begin(const wa_form_t *form, apr_size_t count, wa_message_new_t *message,
                           apr_size_t *pawaited, apr_pool_t *p);

/* What Twilio says of a message's attachments. */
typedef struct wa_late_news_t {
    const wa_media_t *media; /* all that it has of it; those that are known already count once */
    apr_size_t count;
    int is_final; /* 1: what is not among them is missing for good */
} wa_late_news_t;

/* Fills in attachments that a stored message lacks. Safe against others that do the same.
 * @param key          its id or sid
 * @param pis_changed  out: 1 when the message is another than before
 * @return APR_SUCCESS | APR_NOTFOUND no such message | the store's. Any thread. */
apr_status_t wa_late_fill(wa_messenger_t *messenger, const char *key, const wa_late_news_t *news,
                          int *pis_changed, apr_pool_t *p);

/* Notes that a message's attachments are looked for since `since_ms`: of a clock that was ahead
 * when it was stored nobody knows since when. Statuses as wa_late_fill. */
apr_status_t wa_late_restart(wa_messenger_t *messenger, const char *key, apr_int64_t since_ms,
                             apr_pool_t *p);

#endif
