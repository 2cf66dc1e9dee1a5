/* SPDX-License-Identifier: Apache-2.0 */
/* One send for each Idempotency-Key, however often and by how many processes it is asked for. */
#ifndef WA_MESSAGING_SEND_IDEMPOTENCY_H
#define WA_MESSAGING_SEND_IDEMPOTENCY_H

#include <apr_errno.h>
#include <apr_pools.h>

#include "messaging/messenger.h"
#include "messaging/delivery/state.h"

/* Checks a key: 1 to 255 printable ASCII characters.
 * @param psentence  out: NULL, or with APR_EINVAL what is allowed. @return APR_SUCCESS |
 * APR_EINVAL. Any thread. */
apr_status_t wa_idempotency_check(const char *key, wa_sentence_t *psentence);

/* The digest of what a request means: the same for two requests exactly when all fields are the
 * same, in their order (SHA-256, cut to 128 bits).
 * @return 32 hex digits in p, NULL when the system failed. Any thread that may use p. */
const char *wa_idempotency_digest(const wa_slice_t *fields, apr_size_t count, apr_pool_t *p);

/* Finds the message that was made with the key while that counts (WA_STORE_IDEMPOTENCY_MS).
 * @return APR_SUCCESS *message, slices in p | APR_NOTFOUND there is none | the store's. Any
 * thread. */
apr_status_t wa_idempotency_find(wa_messenger_t *messenger, const char *key, wa_message_t *message,
                                 apr_pool_t *p);

/* 1 when the request that made the message is done with it, 0 when it is still at it or died. Any
 * thread. */
int wa_idempotency_is_done(const wa_delivery_t *delivery);

/* Waits until the request that made the message is done with it, at most until it must have given
 * up or died. Takes no lock, and looks at the store only when something was committed.
 * @param message  in: the message; out: as it is then, slices in p
 * @param delivery   in and out: what is known of its delivery, in p
 * @return APR_SUCCESS, also when that request died | the store's. Any thread. */
apr_status_t wa_idempotency_wait(wa_messenger_t *messenger, wa_message_t *message,
                                 wa_delivery_t *delivery, apr_pool_t *p);

#endif
