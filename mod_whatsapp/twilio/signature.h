/* SPDX-License-Identifier: Apache-2.0 */
/* Makes and checks X-Twilio-Signature, exactly as Twilio signs (docs/TWILIO.md section 4). */
#ifndef WA_TWILIO_SIGNATURE_H
#define WA_TWILIO_SIGNATURE_H

#include <apr_errno.h>
#include <apr_pools.h>

#include "base/form.h"
#include "base/secret.h"
#include "base/slice.h"

/* Length of the text of a signature: base64 of a SHA-1. */
#define WA_SIGNATURE_LENGTH 28

/* The most form fields that a signed request may have; more is APR_EINVAL. Twilio sends about 30.
 */
#define WA_SIGNATURE_MAX_FIELDS 1000

/* One request as it came over the wire. Everything is borrowed for the time of the call. */
typedef struct wa_signature_request_t {
    /* What Twilio was given as our address: scheme://host[:port], and a path prefix when a proxy in
     * front of us strips one. User information, a query, a fragment and a trailing slash are
     * ignored. */
    const char *base;
    /* the raw request target of the initial request (r->unparsed_uri): "/path?query", never decoded
     */
    const char *target;
    /* "POST", "GET", ... */
    const char *method;
    /* the header as it came; NULL when absent */
    const char *content_type;
    /* the raw body */
    wa_slice_t body;
    /* the body when the caller has parsed it already; NULL: parsed here */
    const wa_form_t *form;
    /* the X-Twilio-Signature header; NULL when absent. Ignored by wa_signature_make */
    const char *signature;
} wa_signature_request_t;

/* Checks one request against every token (two while a token is rotated). Tried are the URL without
 * its port and the URL with its port or the scheme's default one, nothing else. Compares in
 * constant time.
 * @param tokens Twilio AuthTokens as raw bytes; an empty one never matches.
 * @param tmp scratch; nothing in it is needed afterwards.
 * @return APR_SUCCESS genuine | APR_EACCES not signed with any of the tokens, or no signature, or
 *     no usable token | APR_EINVAL the request cannot be one that Twilio signs (no usable base or
 *     target, over WA_SIGNATURE_MAX_FIELDS) | APR_EGENERAL OpenSSL offers no HMAC-SHA1. The caller
 *     still has to check AccountSid (names and values are signed without delimiters). Any thread,
 *     any process. */
apr_status_t wa_signature_check(const wa_secret_t *tokens, int token_count,
                                const wa_signature_request_t *request, apr_pool_t *tmp);

/* Signs a request as Twilio would with its URL exactly as given (port kept when there is one). For
 * tests and tools.
 * @param psignature out: the header's value in p; NULL unless APR_SUCCESS.
 * @return APR_SUCCESS | APR_EINVAL as above, or an empty token | APR_EGENERAL. Any thread. */
apr_status_t wa_signature_make(const char **psignature, wa_secret_t token,
                               const wa_signature_request_t *request, apr_pool_t *p);

#endif
