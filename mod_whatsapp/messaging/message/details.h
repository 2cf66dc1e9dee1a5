/* SPDX-License-Identifier: Apache-2.0 */
/* What a received message's webhook said that clients are told beside text and attachments. */
#ifndef WA_MESSAGING_MESSAGE_DETAILS_H
#define WA_MESSAGING_MESSAGE_DETAILS_H

#include <apr_pools.h>

#include "base/slice.h"

/* How much of each is told, in code points. */
#define WA_DETAIL_TYPE_CHARACTERS 40
#define WA_DETAIL_NAME_CHARACTERS 100
#define WA_DETAIL_REFERRAL_CHARACTERS 2048

/* Of the ad that a conversation began with (click to WhatsApp), in the order of
 * wa_referral_member. */
typedef enum {
    WA_REFERRAL_SOURCE_TYPE = 0,
    WA_REFERRAL_SOURCE_ID,
    WA_REFERRAL_SOURCE_URL,
    WA_REFERRAL_HEADLINE,
    WA_REFERRAL_BODY,
    WA_REFERRAL_MEDIA_URL,
    WA_REFERRAL_MEDIA_TYPE,
    WA_REFERRAL_MEDIA_ID,
    WA_REFERRAL_CLICK_ID,
    WA_REFERRAL_COUNT
} wa_referral_e;

/* As they came: any bytes, pieces of the attributes; empty for what was not said. */
typedef struct wa_details_t {
    wa_slice_t type;         /* MessageType */
    wa_slice_t reply_sid;    /* of the message that this one answers */
    wa_slice_t reply_sender; /* who that one is from: "whatsapp:+1..." */
    wa_slice_t referral[WA_REFERRAL_COUNT];
    int has_referral;
} wa_details_t;

/* Reads them from wa_message_t.attributes; of a field that comes twice the first counts. Any
 * thread. */
void wa_details_read(wa_details_t *details, wa_slice_t attributes);

/* The API's name of a member of `referral`. Any thread. */
const char *wa_referral_member(wa_referral_e which);

/* Twilio's name of the field that it is made of. Any thread. */
const char *wa_referral_field(wa_referral_e which);

/* A member of `referral` as clients are told it; empty for none, and for an address that is not
 * http or https. Any thread that may use p. */
wa_slice_t wa_referral_text(const wa_details_t *details, wa_referral_e which, apr_pool_t *p);

/* The message's kind as clients are told it: Twilio's word, one line. Empty for none. Any thread
 * that may use p. */
wa_slice_t wa_details_type(wa_slice_t type, apr_pool_t *p);

/* The name that somebody gave themself, as it may be shown; empty for none. Any thread that may use
 * p. */
wa_slice_t wa_details_name(wa_slice_t name, apr_pool_t *p);

#endif
