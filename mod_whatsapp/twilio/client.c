/* SPDX-License-Identifier: Apache-2.0 */
/* The Twilio client: its making, and sending a message with honest retries. */
#include "twilio/client.h"

#include <string.h>

#include <apr_strings.h>
#include <apr_general.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/form.h"
#include "base/id.h"
#include "base/phone.h"
#include "twilio/client_private.h"

#define DEFAULT_BASE_URL "https://api.twilio.com"
#define DEFAULT_CONNECT_TIMEOUT apr_time_from_sec(10)
#define DEFAULT_TOTAL_TIMEOUT apr_time_from_sec(30)
#define DEFAULT_IDLE_HANDLES 64
#define DEFAULT_TRIES 3

/* Pauses between tries: random between half and all of this, doubled each time, up to the longest.
 */
#define FIRST_PAUSE apr_time_from_msec(100)
#define LONGEST_PAUSE apr_time_from_sec(3)

/* A try is not begun with less time than this left. */
#define SHORTEST_TRY apr_time_from_msec(50)

#define ALARM_SECONDS 60

/* ---- Making ---- */

apr_status_t wa_twilio_client_create(wa_twilio_client_t **pclient,
                                     const wa_twilio_options_t *options, apr_pool_t *p)
{
    wa_twilio_client_t *client = apr_pcalloc(p, sizeof(*client));
    int max_idle = options->max_idle_handles > 0 ? options->max_idle_handles : DEFAULT_IDLE_HANDLES;
    apr_status_t rv;

    *pclient = NULL;
    client->base_url = wa_url_base_read(
        &client->base, options->base_url ? options->base_url : DEFAULT_BASE_URL, p);
    if (!client->base_url) {
        return APR_EINVAL;
    }
    client->connect_timeout =
        options->connect_timeout > 0 ? options->connect_timeout : DEFAULT_CONNECT_TIMEOUT;
    client->total_timeout =
        options->total_timeout > 0 ? options->total_timeout : DEFAULT_TOTAL_TIMEOUT;
    client->max_tries = options->max_tries > 0 ? options->max_tries : DEFAULT_TRIES;
    client->log = options->log;
    rv = wa_http_create(&client->http, options->ca_file, max_idle, p);
    if (rv == APR_SUCCESS) {
        *pclient = client;
    }
    return rv;
}

/* ---- What the calls share ---- */

int wa_twilio_account_is_usable(const wa_twilio_account_t *account)
{
    const char *c;

    if (!account) {
        return 0;
    }
    c = account->user ? account->user : account->sid;
    if (!wa_id_is_sid(account->sid, "AC") || account->secret.len == 0 || *c == '\0') {
        return 0;
    }
    /* A colon would end the user's name, a line break the header. */
    for (; *c; c++) {
        if (*c <= ' ' || *c > '~' || *c == ':') {
            return 0;
        }
    }
    return !memchr(account->secret.bytes, '\r', account->secret.len)
           && !memchr(account->secret.bytes, '\n', account->secret.len)
           && !memchr(account->secret.bytes, '\0', account->secret.len);
}

wa_http_request_t wa_twilio_request(const wa_twilio_client_t *client,
                                    const wa_twilio_account_t *account, const char *url)
{
    wa_http_request_t request = {.url = url,
                                 .user = account->user ? account->user : account->sid,
                                 .secret = account->secret,
                                 .connect_timeout = client->connect_timeout,
                                 .total_timeout = client->total_timeout,
                                 .max_bytes = WA_TWILIO_MAX_ANSWER};

    return request;
}

const char *wa_twilio_url(const wa_twilio_client_t *client, const char *uri, wa_url_t *url,
                          apr_pool_t *p)
{
    const apr_size_t base_len = strlen(client->base_url);
    const char *text = *uri == '/' ? apr_pstrcat(p, client->base_url, uri, NULL) : uri;

    if (strncmp(text, client->base_url, base_len) != 0 || text[base_len] != '/'
        || wa_url_read(url, wa_slice_of(text), p) != APR_SUCCESS || url->has_user || url->fragment
        || !wa_url_is_same_origin(url, &client->base) || !wa_url_path_is_plain(url->path, p)) {
        return NULL;
    }
    return text;
}

const char *wa_twilio_address(const char *number, apr_pool_t *p)
{
    const char *c;

    if (!number || *number == '\0') {
        return NULL;
    }
    for (c = number; *c; c++) {
        if ((unsigned char)*c < ' ') {
            return NULL;
        }
    }
    return strncmp(number, "whatsapp:", 9) == 0 ? number
                                                : apr_pstrcat(p, "whatsapp:", number, NULL);
}

/* 1 for what Twilio says when it is the account that may not: suspended, closed, or not whom the
 * credentials are of. Without a code it is the best guess. */
static int code_is_of_account(int code)
{
    static const int codes[] = {0, 10001, 20003, 20005, 20403, 70051};
    apr_size_t i = 0;

    while (i < sizeof(codes) / sizeof(codes[0]) && codes[i] != code) {
        i++;
    }
    return i < sizeof(codes) / sizeof(codes[0]);
}

void wa_twilio_alarm(wa_twilio_client_t *client, const wa_twilio_account_t *account,
                     const wa_twilio_result_t *result, int is_about_one)
{
    const int is_denied =
        result->http_status == 403 && !is_about_one && code_is_of_account(result->error_code);
    apr_uint32_t now = (apr_uint32_t)apr_time_sec(wa_clock_steady_us()) + ALARM_SECONDS;
    apr_uint32_t last = __atomic_load_n(&client->alarm_seconds, __ATOMIC_RELAXED);

    if (result->http_status != 401 && !is_denied) {
        return;
    }
    if (last != 0 && now - last < ALARM_SECONDS) {
        return;
    }
    /* Whoever changes it writes the line. */
    if (__atomic_compare_exchange_n(&client->alarm_seconds, &last, now, 0, __ATOMIC_RELAXED,
                                    __ATOMIC_RELAXED)) {
        WA_LOG(client->log, WA_LOG_ERR, "WA0302", APR_SUCCESS,
               "Twilio refuses the credentials of account %s (HTTP %d, error %d): nothing can be "
               "sent until WhatsAppAccountSID and "
               "WhatsAppAuthToken are right",
               account->sid, result->http_status, result->error_code);
    }
}

/* ---- Sending ---- */

static int content_is_usable(const wa_twilio_message_request_t *request)
{
    int has_free = request->body.len > 0 || request->media_url;

    if (request->content_sid) {
        return !has_free && wa_id_is_sid(request->content_sid, "HX");
    }
    return has_free && !request->content_variables;
}

/* The form of docs/TWILIO.md section 1.1. */
static apr_status_t form_make(wa_buffer_t *form, const wa_twilio_message_request_t *request,
                              apr_pool_t *p)
{
    const char *to = wa_twilio_address(request->to, p);
    const char *from = wa_twilio_address(request->from, p);

    if (!to || !from || !content_is_usable(request)) {
        return APR_EINVAL;
    }
    wa_form_add(form, WA_SLICE_LITERAL("To"), wa_slice_of(to));
    wa_form_add(form, WA_SLICE_LITERAL("From"), wa_slice_of(from));
    if (request->body.len > 0) {
        wa_form_add(form, WA_SLICE_LITERAL("Body"), request->body);
    }
    if (request->media_url) {
        wa_form_add(form, WA_SLICE_LITERAL("MediaUrl"), wa_slice_of(request->media_url));
    }
    if (request->content_sid) {
        wa_form_add(form, WA_SLICE_LITERAL("ContentSid"), wa_slice_of(request->content_sid));
    }
    if (request->content_variables) {
        wa_form_add(form, WA_SLICE_LITERAL("ContentVariables"),
                    wa_slice_of(request->content_variables));
    }
    if (request->status_callback) {
        wa_form_add(form, WA_SLICE_LITERAL("StatusCallback"),
                    wa_slice_of(request->status_callback));
    }
    return form->failed ? APR_ENOMEM : APR_SUCCESS;
}

/* How long to wait after the n-th try: what Twilio asked for, or a random part of a time that
 * doubles, so that many senders spread out. */
static apr_interval_time_t pause_of(int tries, apr_interval_time_t retry_after)
{
    apr_interval_time_t pause = FIRST_PAUSE;
    unsigned char random[4] = {0};
    apr_uint32_t number;

    if (retry_after > 0) {
        return retry_after;
    }
    while (--tries > 0 && pause < LONGEST_PAUSE) {
        pause *= 2;
    }
    if (pause > LONGEST_PAUSE) {
        pause = LONGEST_PAUSE;
    }
    (void)apr_generate_random_bytes(random, sizeof(random));
    memcpy(&number, random, sizeof(number));
    return pause / 2 + (apr_interval_time_t)(number % (apr_uint32_t)(pause / 2 + 1));
}

/* Whether this try may be followed by another one: only what certainly did nothing may, and only
 * while time lasts. */
static int is_worth_another(const wa_twilio_client_t *client, const wa_twilio_result_t *result,
                            const wa_http_answer_t *answer, apr_interval_time_t left,
                            apr_interval_time_t *ppause)
{
    if (result->outcome != WA_TWILIO_RATE_LIMITED
        && (result->outcome != WA_TWILIO_NOT_REACHED || answer->is_hopeless)) {
        return 0;
    }
    *ppause = pause_of(result->tries, result->retry_after);
    return result->tries < client->max_tries && left - *ppause >= SHORTEST_TRY;
}

static void result_log(const wa_twilio_client_t *client, const wa_twilio_message_request_t *request,
                       const wa_twilio_result_t *result, const char *problem, apr_pool_t *p)
{
    static const char *const words[] = {"unknown", "accepted", "refused", "not reached",
                                        "rate limited"};
    int is_fine = result->outcome == WA_TWILIO_ACCEPTED || result->outcome == WA_TWILIO_REFUSED;

    /* What was sent is said once, by who sends (WA0501). */
    WA_LOG(client->log, is_fine ? WA_LOG_DEBUG : WA_LOG_WARNING, "WA0301", APR_SUCCESS,
           "send to %s %s: sid=%s len=%" APR_SIZE_T_FMT
           " http=%d error=%d status=%s tries=%d ms=%" APR_TIME_T_FMT " request=%s%s%s",
           wa_phone_mask(request->to, p), words[result->outcome], result->sid ? result->sid : "-",
           request->body.len, result->http_status, result->error_code,
           result->status ? result->status : "-", result->tries, apr_time_as_msec(result->duration),
           result->request_id ? result->request_id : "-", problem ? ": " : "",
           problem ? problem : "");
}

/* Tries until something is certain or time is up. */
static apr_status_t form_send(wa_twilio_client_t *client, wa_http_request_t *http_request,
                              wa_twilio_result_t *result, const char **pproblem, apr_pool_t *p)
{
    apr_time_t start = wa_clock_steady_us();
    apr_interval_time_t pause, left;
    wa_http_answer_t answer;
    json_t *json;
    int tries = 0;
    apr_status_t rv;

    for (;;) {
        left = client->total_timeout - (wa_clock_steady_us() - start);
        http_request->total_timeout = left;
        rv = wa_http_perform(client->http, http_request, &answer, p);
        if (rv != APR_SUCCESS) {
            return rv;
        }
        wa_twilio_answer_read(&answer, result, &json, p);
        result->tries = ++tries;
        left = client->total_timeout - (wa_clock_steady_us() - start);
        if (!is_worth_another(client, result, &answer, left, &pause)) {
            break;
        }
        apr_sleep(pause);
    }
    *pproblem = answer.problem;
    result->duration = wa_clock_steady_us() - start;
    return APR_SUCCESS;
}

apr_status_t wa_twilio_message_create(wa_twilio_client_t *client,
                                      const wa_twilio_message_request_t *request,
                                      wa_twilio_result_t *result, apr_pool_t *p)
{
    const wa_twilio_account_t *account = request->account;
    wa_http_request_t http_request;
    wa_buffer_t form;
    const char *problem = NULL;
    apr_status_t rv = APR_EINVAL;

    memset(result, 0, sizeof(*result));
    wa_buffer_init(&form, 0);
    if (!wa_twilio_account_is_usable(account)) {
        goto out;
    }
    rv = form_make(&form, request, p);
    if (rv != APR_SUCCESS) {
        goto out;
    }
    http_request = wa_twilio_request(client, account,
                                     apr_pstrcat(p, client->base_url, "/2010-04-01/Accounts/",
                                                 account->sid, "/Messages.json", NULL));
    http_request.is_post = 1;
    http_request.form = wa_slice_make(form.data, form.len);
    rv = form_send(client, &http_request, result, &problem, p);
    if (rv != APR_SUCCESS) {
        goto out;
    }
    wa_twilio_alarm(client, account, result, 0);
    result_log(client, request, result, problem, p);
out:
    wa_buffer_release(&form);
    return rv;
}
