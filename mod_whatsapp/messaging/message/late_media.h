/* SPDX-License-Identifier: Apache-2.0 */
/* The attachments of a received message that Twilio had announced and not listed when it was
 * stored: those that came later, those that are looked for, those that are missing. */
#ifndef WA_MESSAGING_MESSAGE_LATE_MEDIA_H
#define WA_MESSAGING_MESSAGE_LATE_MEDIA_H

#include <apr_errno.h>
#include <apr_pools.h>

#include "base/types.h"

/* The most attachments that are believed to be announced: what Twilio allows. */
#define WA_LATE_MEDIA_MAX 10

/* One that came later. */
typedef struct wa_late_medium_t {
    wa_slice_t content_type, url;
} wa_late_medium_t;

/* What is known of them: the state of a received message (wa_message_t.delivery). A message of
 * which some are looked for is WA_STATUS_PENDING, so that the store lists it
 * (wa_store_pending_list) until they are there or given up: a message with none of either has no
 * state at all. All zero: nothing was late. */
typedef struct wa_late_media_t {
    /* found_count of them are set; they follow those in the message's attributes */
    wa_late_medium_t found[WA_LATE_MEDIA_MAX];
    apr_size_t found_count;
    apr_size_t awaited; /* that are looked for again and again */
    apr_size_t missing; /* that Twilio does not give, for good */
    /* when they were first looked for, unix time; 0: not since it was stored */
    apr_int64_t since_ms;
} wa_late_media_t;

/* Reads the state of a received message; of a sent one, and of what is unreadable, nothing. Slices
 * are those of the message. Any thread. */
void wa_late_media_read(wa_late_media_t *late, const wa_message_t *message);

/* Makes what the store keeps, in p.
 * @return APR_SUCCESS | APR_ENOMEM. Any thread that may use p. */
apr_status_t wa_late_media_write(const wa_late_media_t *late, wa_message_state_t *stored,
                                 apr_pool_t *p);

/* Attachment n, from 0, of a received message: one of its attributes, or one that came later.
 * @return 1 | 0 there are fewer. Any thread. */
int wa_late_media_get(const wa_message_t *message, apr_size_t n, wa_late_medium_t *medium);

#endif
