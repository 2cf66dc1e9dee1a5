/* SPDX-License-Identifier: Apache-2.0 */
/* Fetches media from where Twilio keeps it, and from nowhere that it should not. */
#include <string.h>

#include <apr_strings.h>

#include "base/clock.h"
#include "twilio/client_private.h"

#define MAX_REDIRECTS 3

/* A large file on a slow line may take longer than a call, as long as something comes. */
#define TOTAL_FACTOR 4

/* 1 when `host` is `domain` or below it. */
static int host_is_below(const char *host, const char *domain)
{
    apr_size_t len = strlen(host);
    apr_size_t tail = strlen(domain);

    return len >= tail && strcmp(host + len - tail, domain) == 0
           && (len == tail || host[len - tail - 1] == '.');
}

/* Where a MediaUrl may lead. */
static int url_is_twilio(const wa_url_t *url)
{
    return url->is_https && url->port == 443
           && (host_is_below(url->host, "twilio.com") || host_is_below(url->host, "twiliocdn.com"));
}

/* Twilio's API hosts: api.twilio.com and the regional api.{edge}.{region}.twilio.com. */
static int url_takes_credentials(const wa_url_t *url)
{
    return url_is_twilio(url) && strncmp(url->host, "api.", 4) == 0
           && host_is_below(url->host, "twilio.com");
}

/* What an answer that is no redirect means. */
static apr_status_t status_of_answer(const wa_http_answer_t *answer)
{
    if (answer->sink_rv != APR_SUCCESS) {
        return answer->sink_rv;
    }
    if (answer->is_forbidden && answer->is_untouched) {
        return APR_EINVAL;
    }
    if (answer->is_too_long) {
        return APR_ENOSPC;
    }
    if (answer->is_timeout) {
        return APR_TIMEUP;
    }
    switch (answer->status) {
    case 200:
        return answer->is_complete ? APR_SUCCESS : APR_EGENERAL;
    case 401:
    case 403:
        return APR_EACCES;
    case 404:
    case 410:
        return APR_NOTFOUND;
    default:
        return APR_EGENERAL;
    }
}

static int status_is_redirect(int status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* One fetch, from address to address. */
typedef struct fetch_t {
    wa_twilio_client_t *client;
    const wa_twilio_account_t *account;
    wa_http_request_t http;  /* to the current address */
    wa_http_answer_t answer; /* from the last one asked */
    const char *host;        /* of the current address, for the log */
    int redirects;           /* that were followed */
} fetch_t;

/* Asks the current address. */
static apr_status_t url_fetch(fetch_t *fetch, apr_pool_t *tmp)
{
    wa_http_request_t *request = &fetch->http;
    const wa_twilio_account_t *account = fetch->account;
    wa_url_t url;
    int is_base;

    memset(&fetch->answer, 0, sizeof(fetch->answer));
    fetch->host = "-";
    if (wa_url_read(&url, wa_slice_of(request->url), tmp) != APR_SUCCESS || url.has_user) {
        return APR_EINVAL;
    }
    fetch->host = url.host;
    is_base = wa_url_is_same_origin(&url, &fetch->client->base);
    if (!is_base && !(fetch->redirects > 0 ? url.is_https : url_is_twilio(&url))) {
        return APR_EINVAL;
    }
    request->is_public_only = !is_base;
    request->user = NULL;
    request->secret.len = 0;
    if (is_base || url_takes_credentials(&url)) {
        request->user = account->user ? account->user : account->sid;
        request->secret = account->secret;
    }
    return wa_http_perform(fetch->client->http, request, &fetch->answer, tmp);
}

apr_status_t wa_twilio_media_fetch(wa_twilio_client_t *client,
                                   const wa_twilio_media_request_t *request,
                                   const wa_twilio_sink_t *sink, apr_pool_t *tmp)
{
    wa_http_sink_t http_sink = {sink->begin, sink->data, sink->baton};
    fetch_t fetch = {.client = client, .account = request->account};
    const wa_http_answer_t *answer = &fetch.answer;
    apr_time_t start = wa_clock_steady_us();
    apr_status_t rv = APR_EINVAL;

    if (!wa_twilio_account_is_usable(request->account)) {
        return APR_EINVAL;
    }
    fetch.http = wa_twilio_request(client, request->account, request->url);
    fetch.http.max_bytes = request->max_bytes;
    fetch.http.sink = &http_sink;
    fetch.http.stall_timeout = client->total_timeout;
    for (fetch.redirects = 0; fetch.redirects <= MAX_REDIRECTS; fetch.redirects++) {
        fetch.http.total_timeout =
            TOTAL_FACTOR * client->total_timeout - (wa_clock_steady_us() - start);
        rv = url_fetch(&fetch, tmp);
        if (rv != APR_SUCCESS) {
            break;
        }
        rv = status_of_answer(answer);
        if (!status_is_redirect(answer->status) || !answer->redirect_url || !answer->is_complete) {
            break;
        }
        fetch.http.url = answer->redirect_url;
    }
    /* A fetch that the sink ended is no trouble: it wanted no more, or its client is gone. */
    WA_LOG(client->log,
           rv == APR_SUCCESS || answer->sink_rv != APR_SUCCESS ? WA_LOG_INFO : WA_LOG_WARNING,
           "WA0304", rv, "media from %s: http=%d redirects=%d ms=%" APR_TIME_T_FMT "%s%s",
           fetch.host, answer->status, fetch.redirects,
           apr_time_as_msec(wa_clock_steady_us() - start), answer->problem ? ": " : "",
           answer->problem ? answer->problem : "");
    return rv;
}
