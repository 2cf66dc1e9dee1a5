/* SPDX-License-Identifier: Apache-2.0 */
/* Twilio's message statuses: their words, their order, and what they mean for the API's `status`.
 */
#ifndef WA_TWILIO_STATUS_H
#define WA_TWILIO_STATUS_H

#include "base/types.h"

/* Twilio's words (docs/TWILIO.md section 1.3). The values may be stored: never renumber. */
typedef enum wa_delivery_e {
    WA_DELIVERY_UNKNOWN = 0, /* no status known yet, or a word that is not in the table */
    WA_DELIVERY_ACCEPTED = 1,
    WA_DELIVERY_SCHEDULED = 2,
    WA_DELIVERY_QUEUED = 3,
    WA_DELIVERY_SENDING = 4,
    WA_DELIVERY_SENT = 5,
    WA_DELIVERY_CANCELED = 6,
    WA_DELIVERY_UNDELIVERED = 7,
    WA_DELIVERY_FAILED = 8,
    WA_DELIVERY_DELIVERED = 9,
    WA_DELIVERY_READ = 10,
    WA_DELIVERY_RECEIVING = 11, /* inbound only, never a state of a sent message */
    WA_DELIVERY_RECEIVED = 12   /* inbound only */
} wa_delivery_e;

/* The status of Twilio's word ("delivered"); case-sensitive as Twilio sends it.
 * @return WA_DELIVERY_UNKNOWN for NULL, an empty or an unknown word. Any thread. */
wa_delivery_e wa_delivery_parse(const char *word);

/* Twilio's word for a status, a static string; NULL for WA_DELIVERY_UNKNOWN. Any thread. */
const char *wa_delivery_name(wa_delivery_e delivery);

/* The place of a status in the merge order (docs/TWILIO.md section 3): accepted = scheduled = 0,
 * queued 1, sending 2, sent 3, failed = undelivered = canceled = 4, delivered 5, read 6; -1 for the
 * others. Any thread. */
int wa_delivery_rank(wa_delivery_e delivery);

/* 1 when `incoming` replaces `now`: a higher rank does, an unknown or inbound word never does,
 * anything known replaces WA_DELIVERY_UNKNOWN. Late `sent` changes nothing, a failure is final
 * against sent and below, and delivered or read (positive proof) win over a failure: the caller
 * then forgets the failure's error. Among equal ranks the one listed later in the enum wins
 * (scheduled over accepted; failed over undelivered over canceled), so that the final state is the
 * same in whatever order and however often callbacks come. The same status again is 0. Any thread.
 */
int wa_delivery_is_newer(wa_delivery_e now, wa_delivery_e incoming);

/* 1 for failed, undelivered and canceled. Any thread. */
int wa_delivery_is_failure(wa_delivery_e delivery);

/* The API's status of a sent message: delivered, read, sent, queued, sending, accepted, scheduled
 * are WA_STATUS_SUCCESS (Twilio has it), failures WA_STATUS_FAILED, WA_DELIVERY_UNKNOWN is
 * WA_STATUS_PENDING, inbound words WA_STATUS_NONE. Any thread. */
wa_status_e wa_delivery_status(wa_delivery_e delivery);

#endif
