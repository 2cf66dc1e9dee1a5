/* SPDX-License-Identifier: Apache-2.0 */
/* What a message can carry beside or instead of text: media by their address, or a template of
 * Twilio's. */
#ifndef WA_MESSAGING_SEND_CONTENT_H
#define WA_MESSAGING_SEND_CONTENT_H

#include <apr_errno.h>
#include <apr_pools.h>
#include <jansson.h>

#include "messaging/message/attributes.h"
#include "messaging/message/parts.h"
#include "messaging/messenger.h"

/* The most attachments of one message. */
#define WA_CONTENT_MEDIA_MAX WA_PARTS_MEDIA_MAX

/* What somebody wants to send, as typed; borrowed. All zero: text alone. */
typedef struct wa_content_request_t {
    wa_slice_t media_urls[WA_CONTENT_MEDIA_MAX];
    apr_size_t media_count;
    wa_slice_t content_sid;          /* ptr NULL: none */
    const json_t *content_variables; /* NULL: none */
} wa_content_request_t;

/* The same, checked; strings in the pool of the check. */
typedef struct wa_content_t {
    wa_media_t media[WA_CONTENT_MEDIA_MAX]; /* types by the ending of the address's path */
    apr_size_t media_count;
    const char *sid;       /* HX..., NULL for no template */
    const char *variables; /* JSON with its members sorted, NULL for none */
    wa_slice_t body; /* of a template: what is shown for it, since Twilio alone knows its text */
} wa_content_t;

/* Checks what is sent beside the text.
 * @param has_text  1 when there is a text too: a template takes none
 * @param psentence out: NULL, or with APR_EINVAL what is wrong; it holds nothing of what was typed
 *     but the one character of an address that is wrong
 * @return APR_SUCCESS | APR_EINVAL | APR_ENOMEM. Any thread that may use p. */
apr_status_t wa_content_check(wa_content_t *content, const wa_content_request_t *request,
                              int has_text, wa_sentence_t *psentence, apr_pool_t *p);

#endif
