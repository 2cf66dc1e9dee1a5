/* SPDX-License-Identifier: Apache-2.0 */
/* Every answer of the API leaves through here: status, headers, body. */
#ifndef WA_API_REPLY_H
#define WA_API_REPLY_H

#include <apr_errno.h>

#include "api/cache.h"
#include "api/request.h"
#include "base/json_write.h"
#include "messaging/list/list.h"

/* The API's errors (docs/API.md); reply.c has their statuses and codes. */
typedef enum {
    WA_ERROR_INVALID_INPUT = 0,
    WA_ERROR_UNAUTHORIZED,
    WA_ERROR_NOT_FOUND,
    WA_ERROR_METHOD_NOT_ALLOWED,
    WA_ERROR_CONFLICT,
    WA_ERROR_PAYLOAD_TOO_LARGE,
    WA_ERROR_UNSUPPORTED_MEDIA_TYPE,
    WA_ERROR_RATE_LIMITED,
    WA_ERROR_INTERNAL,
    WA_ERROR_TWILIO,
    WA_ERROR_UNAVAILABLE
} wa_error_e;

/* All of these return what the endpoint returns to httpd. A connection that is gone is no error of
 * ours: httpd logs it. To be called once for a request, by its own thread. */

/* An answer of success that is being made: an object that is open. */
typedef struct wa_reply_t {
    wa_request_t *q;
    wa_buffer_t b;
    wa_json_writer_t w; /* into b */
    wa_list_t list;     /* through w */
} wa_reply_t;

/* Opens the object, with "success". It must not be moved, and wa_reply_end, wa_reply_close or
 * wa_buffer_release has to follow.
 * @param room  what the answer may take, in bytes; only a first guess */
void wa_reply_begin(wa_reply_t *reply, wa_request_t *q, apr_size_t room);

/* Closes the object, for a caller that keeps reply->b. */
void wa_reply_close(wa_reply_t *reply);

/* Closes the object and sends it with 200; or, when `rv` is not APR_SUCCESS, wa_reply_status
 * instead. */
int wa_reply_end(wa_reply_t *reply, apr_status_t rv, const char *sentence);

/* 200 with a cached answer; takes the caller's hold. NULL gives 500. */
int wa_reply_entry(wa_request_t *q, wa_cache_entry_t *entry);

/* 200 with a constant body of another type. */
int wa_reply_constant(wa_request_t *q, const char *content_type, wa_slice_t body);

/* An error with its sentence, which must hold nothing of the request. */
int wa_reply_error(wa_request_t *q, wa_error_e error, const char *sentence);

/* The same, with the message that was stored nevertheless. */
int wa_reply_error_message(wa_request_t *q, wa_error_e error, const char *sentence,
                           const wa_message_t *message);

/* The same, with Retry-After. */
int wa_reply_retry(wa_request_t *q, wa_error_e error, const char *sentence, int retry_after_s);

/* Any status but APR_SUCCESS that a lower layer gave, as the error that it is for a client:
 *   APR_EINVAL, APR_EEXIST     INVALID_INPUT with the sentence
 *   APR_NOTFOUND               NOT_FOUND with the sentence
 *   APR_TIMEUP, APR_ENOSPC     UNAVAILABLE with Retry-After; nothing was stored
 *   all else                   INTERNAL_ERROR, logged
 * @param sentence  NULL for a general one */
int wa_reply_status(wa_request_t *q, apr_status_t rv, const char *sentence);

#endif
