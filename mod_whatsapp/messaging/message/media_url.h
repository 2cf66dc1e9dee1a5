/* SPDX-License-Identifier: Apache-2.0 */
/* Checks the address of an attachment as people type it, and says what is wrong with it. */
#ifndef WA_MESSAGING_MESSAGE_MEDIA_URL_H
#define WA_MESSAGING_MESSAGE_MEDIA_URL_H

#include <apr_errno.h>
#include <apr_pools.h>

#include "base/url.h"

/* The longest address, in bytes as Twilio gets it: what Twilio takes of its other addresses
 * (docs/TWILIO.md section 1.1), and more than any that was signed in advance needs. */
#define WA_MEDIA_URL_BYTES_MAX 4000

/* Checks an address that Twilio is to fetch: https, nobody's password, a host that wa_url_read
 * takes. Behind the host, spaces and characters beyond ASCII become escapes, as browsers make them;
 * what else may not stand in an address is not guessed at.
 * @param ptext  out: the address as Twilio gets it, in p; NULL unless APR_SUCCESS
 * @param url    out: the same taken apart
 * @param pflaw  out: NULL, or with APR_EINVAL what is wrong, static or in p, such as
 *     " must begin with https://" or ": character 21 is U+007C (|), ...": to go on from the field's
 *     name. It repeats nothing of what was typed but the character that is wrong
 * @return APR_SUCCESS | APR_EINVAL. Any thread that may use p. */
apr_status_t wa_media_url_check(wa_slice_t typed, const char **ptext, wa_url_t *url,
                                const char **pflaw, apr_pool_t *p);

#endif
