/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the Twilio client share. Private to twilio/. */
#ifndef WA_TWILIO_CLIENT_PRIVATE_H
#define WA_TWILIO_CLIENT_PRIVATE_H

#include <jansson.h>

#include "base/url.h"
#include "twilio/client.h"
#include "twilio/http.h"

struct wa_twilio_client_t {
    wa_http_t *http;
    const char *base_url; /* without a trailing slash */
    wa_url_t base;        /* the same, taken apart */
    apr_interval_time_t connect_timeout;
    apr_interval_time_t total_timeout;
    int max_tries;
    const wa_log_t *log;
    apr_uint32_t alarm_seconds; /* when WA0302 was last written; changed atomically */
};

/* 1 when the account can be used in a URL and in Basic credentials; 0 for NULL too. Any thread. */
int wa_twilio_account_is_usable(const wa_twilio_account_t *account);

/* A request with the client's limits and the account's credentials. Any thread. */
wa_http_request_t wa_twilio_request(const wa_twilio_client_t *client,
                                    const wa_twilio_account_t *account, const char *url);

/* The absolute URL of what Twilio calls by its path, or by a URL, in an answer. The account's
 * credentials go where this says: only to what lies below the client's base URL, without a user,
 * fragment or ".." in it.
 * @param url  out: the URL taken apart
 * @return the URL in p | NULL it leads elsewhere, or is none. Any thread. */
const char *wa_twilio_url(const wa_twilio_client_t *client, const char *uri, wa_url_t *url,
                          apr_pool_t *p);

/* "whatsapp:+1555..." of a number with or without the prefix; NULL for NULL, an empty one, or one
 * with control characters. */
const char *wa_twilio_address(const char *number, apr_pool_t *p);

/* Says what an HTTP answer to a request means for whether Twilio acted; fills everything in
 * `result` but duration and tries.
 * @param pjson out: the answer's JSON object, owned by p; NULL when there is none. Any thread. */
void wa_twilio_answer_read(const wa_http_answer_t *answer, wa_twilio_result_t *result,
                           json_t **pjson, apr_pool_t *p);

/* A string member of an object, NULL when absent or no string. Borrowed. Any thread. */
const char *wa_twilio_json_string(const json_t *object, const char *name);

/* An integer member, also when Twilio gives it as text; 0 when absent or neither. Any thread. */
int wa_twilio_json_int(const json_t *object, const char *name);

/* Writes WA0302 when the credentials were refused, at most once a minute: by a 401, or by a 403 to
 * what is the account's own and whose code says so.
 * @param is_about_one  1: the request was about one thing of many, which a 403 may deny by itself
 * Any thread. */
void wa_twilio_alarm(wa_twilio_client_t *client, const wa_twilio_account_t *account,
                     const wa_twilio_result_t *result, int is_about_one);

#endif
