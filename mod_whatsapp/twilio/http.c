/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP requests over pooled libcurl handles: the one place that talks to libcurl. */
#include "twilio/http.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <apr_lib.h>
#include <apr_strings.h>
#include <apr_thread_mutex.h>
#include <curl/curl.h>

#include "base/buffer.h"
#include "base/url.h"

/* Kept connections are closed by us before the load balancers in front of Twilio (60 s) do it under
 * a request. */
#define MAX_IDLE_SECONDS 50L

/* The most of a page without interest that is read. */
#define MAX_SKIPPED (64 * 1024)

#define USER_AGENT "mod_whatsapp (libcurl)"

struct wa_http_t {
    const char *ca_file;
    struct curl_slist *post_headers, *get_headers; /* only read once they are made */
    apr_thread_mutex_t *lock;                      /* guards idle and idle_count */
    CURL **idle; /* the last one used is on top: its connection is the warmest */
    int idle_count;
    int idle_max;
};

/* One perform. */
typedef struct exchange_t {
    CURL *handle;
    const wa_http_request_t *request;
    wa_http_answer_t *answer;
    apr_int64_t received;
    int has_begun; /* the sink was told */
    int is_again;  /* libcurl was about to send a form a second time */
    wa_buffer_t body;
    char problem[CURL_ERROR_SIZE];
} exchange_t;

/* ---- Addresses ---- */

static int prefix_has(const unsigned char *address, const unsigned char *prefix, int bits)
{
    int bytes = bits / 8;

    if (memcmp(address, prefix, (size_t)bytes) != 0) {
        return 0;
    }
    return bits % 8 == 0 || ((address[bytes] ^ prefix[bytes]) >> (8 - bits % 8)) == 0;
}

/* IANA's special-purpose blocks of IPv4: what no host on the internet has. */
static int ipv4_is_public(const unsigned char *a)
{
    static const struct {
        unsigned char prefix[4];
        int bits;
    } special[] = {{{0, 0, 0, 0}, 8},      {{10, 0, 0, 0}, 8},     {{100, 64, 0, 0}, 10},
                   {{127, 0, 0, 0}, 8},    {{169, 254, 0, 0}, 16}, {{172, 16, 0, 0}, 12},
                   {{192, 0, 0, 0}, 24},   {{192, 0, 2, 0}, 24},   {{192, 88, 99, 0}, 24},
                   {{192, 168, 0, 0}, 16}, {{198, 18, 0, 0}, 15},  {{198, 51, 100, 0}, 24},
                   {{203, 0, 113, 0}, 24}, {{224, 0, 0, 0}, 4},    {{240, 0, 0, 0}, 4}};
    unsigned i;

    for (i = 0; i < sizeof(special) / sizeof(special[0]); i++) {
        if (prefix_has(a, special[i].prefix, special[i].bits)) {
            return 0;
        }
    }
    return 1;
}

/* Only global unicast (2000::/3) without the blocks in it that lead to IPv4 or nowhere; mapped IPv4
 * counts as IPv4. */
static int ipv6_is_public(const unsigned char *a)
{
    static const unsigned char mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    static const unsigned char global[1] = {0x20};
    static const unsigned char ietf[3] = {0x20, 0x01, 0x00}; /* 2001::/23, Teredo included */
    static const unsigned char example[4] = {0x20, 0x01, 0x0d, 0xb8}; /* 2001:db8::/32 */
    static const unsigned char six_to_four[2] = {0x20, 0x02};         /* 2002::/16 */
    static const unsigned char example_wide[3] = {0x3f, 0xff, 0x00};  /* 3fff::/20 */

    if (memcmp(a, mapped, sizeof(mapped)) == 0) {
        return ipv4_is_public(a + sizeof(mapped));
    }
    return prefix_has(a, global, 3) && !prefix_has(a, ietf, 23) && !prefix_has(a, example, 32)
           && !prefix_has(a, six_to_four, 16) && !prefix_has(a, example_wide, 20);
}

static int address_is_public(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        struct in_addr v4 = ((const struct sockaddr_in *)(const void *)address)->sin_addr;

        return ipv4_is_public((const unsigned char *)&v4);
    }
    if (address->sa_family == AF_INET6) {
        return ipv6_is_public(
            ((const struct sockaddr_in6 *)(const void *)address)->sin6_addr.s6_addr);
    }
    return 0;
}

/* ---- libcurl's callbacks ---- */

/* Called with the very address that is about to be connected to, so that no second DNS answer can
 * slip in between. */
static curl_socket_t on_socket(void *baton, curlsocktype purpose, struct curl_sockaddr *address)
{
    exchange_t *x = baton;

    if (purpose != CURLSOCKTYPE_IPCXN
        || (x->request->is_public_only && !address_is_public(&address->addr))) {
        x->answer->is_forbidden = 1;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* Called when a connection stands, TLS included, and before the first byte of the request goes out.
 * libcurl would send a form again by itself, on a new connection, when a kept one is closed without
 * an answer. The first one may have been acted on, so the second time is refused. */
static int on_connected(void *baton, char *remote, char *local, int remote_port, int local_port)
{
    exchange_t *x = baton;

    (void)remote;
    (void)local;
    (void)remote_port;
    (void)local_port;
    x->is_again = x->request->is_post && !x->answer->is_untouched;
    x->answer->is_untouched = 0;
    return x->is_again ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

/* "type/subtype" of the answer, or the type of anything. */
static const char *media_type(CURL *handle, char *text, size_t room)
{
    static const char token[] =
        "!#$&-^_.+abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    char *given = NULL;
    size_t type, subtype;

    curl_easy_getinfo(handle, CURLINFO_CONTENT_TYPE, &given);
    type = given ? strspn(given, token) : 0;
    subtype = type > 0 && given[type] == '/' ? strspn(given + type + 1, token) : 0;
    if (subtype == 0 || type + 1 + subtype >= room) {
        return "application/octet-stream";
    }
    memcpy(text, given, type + 1 + subtype);
    text[type + 1 + subtype] = '\0';
    return text;
}

/* Tells the sink what comes. */
static apr_status_t sink_begin(exchange_t *x)
{
    char text[128];
    curl_off_t length = -1;

    x->has_begun = 1;
    curl_easy_getinfo(x->handle, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    if (length > x->request->max_bytes) {
        x->answer->is_too_long = 1;
        return APR_ENOSPC;
    }
    return x->request->sink->begin(x->request->sink->baton,
                                   media_type(x->handle, text, sizeof(text)), length);
}

static size_t on_receive(char *bytes, size_t size, size_t count, void *baton)
{
    exchange_t *x = baton;
    const wa_http_sink_t *sink = x->request->sink;
    size_t len = size * count;
    long status = 0;

    curl_easy_getinfo(x->handle, CURLINFO_RESPONSE_CODE, &status);
    x->received += (apr_int64_t)len;
    if (sink && status != 200) {
        /* A redirect's or an error's page: read past when short, so that the connection is kept. */
        return x->received <= MAX_SKIPPED ? len : 0;
    }
    if (x->received > x->request->max_bytes) {
        x->answer->is_too_long = 1;
        return 0;
    }
    if (!sink) {
        wa_buffer_add(&x->body, bytes, len);
        return x->body.failed ? 0 : len;
    }
    if (!x->has_begun) {
        x->answer->sink_rv = sink_begin(x);
    }
    if (x->answer->sink_rv == APR_SUCCESS) {
        x->answer->sink_rv = sink->data(sink->baton, bytes, len);
    }
    return x->answer->sink_rv == APR_SUCCESS ? len : 0;
}

/* ---- What handles keep ---- */

/* Options are set before they are needed and cannot fail but for memory: the first failure is kept.
 */
#define SET(option, value)                                          \
    do {                                                            \
        CURLcode set_code = curl_easy_setopt(h, (option), (value)); \
        if (code == CURLE_OK) {                                     \
            code = set_code;                                        \
        }                                                           \
    } while (0)

/* What holds for every request: a handle keeps it. */
static CURLcode options_set(const wa_http_t *http, CURL *h)
{
    CURLcode code = CURLE_OK;

    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_PROXY, "");
    SET(CURLOPT_NOPROXY, "*");
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (http->ca_file) {
        SET(CURLOPT_CAINFO, http->ca_file);
        SET(CURLOPT_CAPATH, NULL);
    }
    SET(CURLOPT_MAXAGE_CONN, MAX_IDLE_SECONDS);
    SET(CURLOPT_USERAGENT, USER_AGENT);
    SET(CURLOPT_OPENSOCKETFUNCTION, on_socket);
    SET(CURLOPT_PREREQFUNCTION, on_connected);
    SET(CURLOPT_WRITEFUNCTION, on_receive);
    SET(CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
    return code;
}

static struct curl_slist *headers_make(int is_post)
{
    static const char *const lines[] = {"Accept: application/json", "Accept-Charset: utf-8",
                                        "Expect:"};
    struct curl_slist *list = NULL;
    unsigned i;

    /* Of a file that is fetched, nothing is said about the type wanted. */
    for (i = is_post ? 0 : 2; i < sizeof(lines) / sizeof(lines[0]); i++) {
        struct curl_slist *longer = curl_slist_append(list, lines[i]);

        if (!longer) {
            curl_slist_free_all(list);
            return NULL;
        }
        list = longer;
    }
    return list;
}

/* ---- The pool of handles ---- */

static apr_status_t handles_close(void *data)
{
    wa_http_t *http = data;

    while (http->idle_count > 0) {
        curl_easy_cleanup(http->idle[--http->idle_count]);
    }
    curl_slist_free_all(http->post_headers);
    curl_slist_free_all(http->get_headers);
    return APR_SUCCESS;
}

static CURL *handle_make(const wa_http_t *http)
{
    CURL *handle = curl_easy_init();

    if (handle && options_set(http, handle) != CURLE_OK) {
        curl_easy_cleanup(handle);
        handle = NULL;
    }
    return handle;
}

static CURL *handle_take(wa_http_t *http)
{
    CURL *handle = NULL;

    apr_thread_mutex_lock(http->lock);
    if (http->idle_count > 0) {
        handle = http->idle[--http->idle_count];
    }
    apr_thread_mutex_unlock(http->lock);
    return handle ? handle : handle_make(http);
}

/* Takes out what request_set put in: credentials, addresses and pointers of one call. */
static CURLcode request_clear(CURL *h)
{
    CURLcode code = CURLE_OK;

    SET(CURLOPT_URL, NULL);
    SET(CURLOPT_USERNAME, NULL);
    SET(CURLOPT_PASSWORD, NULL);
    SET(CURLOPT_ERRORBUFFER, NULL);
    SET(CURLOPT_OPENSOCKETDATA, NULL);
    SET(CURLOPT_PREREQDATA, NULL);
    SET(CURLOPT_WRITEDATA, NULL);
    SET(CURLOPT_POSTFIELDS, NULL);
    return code;
}

/* Back into the pool: no credentials and no pointers of this call stay in it, only its connection
 * and the lasting options. A handle whose transfer failed is not used again: libcurl keeps more of
 * a failure than a reset takes out (8.14 a refused rewind, which failed every later request). */
static void handle_give(wa_http_t *http, CURL *handle, int is_sound)
{
    if (is_sound && request_clear(handle) == CURLE_OK) {
        apr_thread_mutex_lock(http->lock);
        if (http->idle_count < http->idle_max) {
            http->idle[http->idle_count++] = handle;
            handle = NULL;
        }
        apr_thread_mutex_unlock(http->lock);
    }
    if (handle) {
        curl_easy_cleanup(handle);
    }
}

/* The system's bundle. It is named outright, because libcurl keeps the parsed bundle only when it
 * is set so and no directory of certificates is: without that, each new connection would parse it
 * anew (20 ms). */
static const char *bundle_find(void)
{
    static const char *const places[] = {"/etc/ssl/certs/ca-certificates.crt",
                                         "/etc/pki/tls/certs/ca-bundle.crt",
                                         "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem"};
    const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);
    unsigned i;

    if (info->age >= CURLVERSION_SEVENTH && info->cainfo && access(info->cainfo, R_OK) == 0) {
        return info->cainfo;
    }
    for (i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        if (access(places[i], R_OK) == 0) {
            return places[i];
        }
    }
    return NULL;
}

apr_status_t wa_http_create(wa_http_t **phttp, const char *ca_file, int max_idle, apr_pool_t *p)
{
    wa_http_t *http = apr_pcalloc(p, sizeof(*http));
    apr_status_t rv;

    *phttp = NULL;
    /* Counted by libcurl. It is never undone: other threads and modules of this process may still
     * be in libcurl when p goes. */
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        return APR_EGENERAL;
    }
    rv = apr_thread_mutex_create(&http->lock, APR_THREAD_MUTEX_DEFAULT, p);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    http->ca_file = ca_file ? apr_pstrdup(p, ca_file) : bundle_find();
    http->idle_max = max_idle;
    http->idle = apr_pcalloc(p, (apr_size_t)max_idle * sizeof(*http->idle) + 1);
    http->post_headers = headers_make(1);
    http->get_headers = headers_make(0);
    apr_pool_cleanup_register(p, http, handles_close, apr_pool_cleanup_null);
    if (!http->post_headers || !http->get_headers) {
        return APR_ENOMEM;
    }
    *phttp = http;
    return APR_SUCCESS;
}

/* ---- One request ---- */

/* At least one millisecond: 0 would mean no limit. */
static long milliseconds(apr_interval_time_t t)
{
    return t > apr_time_from_msec(1) ? (long)apr_time_as_msec(t) : 1L;
}

/* What this request asks. `secret` is NUL-terminated; libcurl keeps a copy until the handle is
 * reset. */
static CURLcode request_set(const wa_http_t *http, exchange_t *x, const char *secret)
{
    const wa_http_request_t *request = x->request;
    CURL *h = x->handle;
    CURLcode code = CURLE_OK;

    SET(CURLOPT_ERRORBUFFER, x->problem);
    SET(CURLOPT_OPENSOCKETDATA, x);
    SET(CURLOPT_PREREQDATA, x);
    SET(CURLOPT_WRITEDATA, x);
    SET(CURLOPT_URL, request->url);
    SET(CURLOPT_HTTPHEADER, request->is_post ? http->post_headers : http->get_headers);
    SET(CURLOPT_CONNECTTIMEOUT_MS, milliseconds(request->connect_timeout));
    SET(CURLOPT_TIMEOUT_MS, milliseconds(request->total_timeout));
    SET(CURLOPT_LOW_SPEED_LIMIT, request->stall_timeout > 0 ? 1L : 0L);
    SET(CURLOPT_LOW_SPEED_TIME, (long)apr_time_sec(request->stall_timeout));
    if (request->user) {
        SET(CURLOPT_USERNAME, request->user);
        SET(CURLOPT_PASSWORD, secret);
    }
    SET(CURLOPT_HTTPGET, 1L);
    if (request->is_post) {
        /* Given whole, it goes out in one write with the header. */
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->form.len);
        SET(CURLOPT_POSTFIELDS, request->form.len ? request->form.ptr : "");
    }
    return code;
}

/* A copy of at most 64 printable ASCII characters: for a log. */
static const char *text_clean(const char *s, apr_size_t max, apr_pool_t *p)
{
    apr_size_t len = strlen(s);
    char *copy = wa_slice_string(wa_slice_make(s, len < max ? len : max), p);
    char *c;

    for (c = copy; *c; c++) {
        if (*c < ' ' || *c > '~') {
            *c = '?';
        }
    }
    return copy;
}

/* The absolute URL that the Location header means; NULL when there is none. libcurl's own
 * CURLINFO_REDIRECT_URL would put our credentials into it. */
static const char *redirect_read(exchange_t *x, apr_pool_t *p)
{
    struct curl_header *location = NULL;
    CURLU *parsed = curl_url();
    char *text = NULL;
    const char *url = NULL;

    if (parsed
        && curl_easy_header(x->handle, "Location", 0, CURLH_HEADER, -1, &location) == CURLHE_OK
        && curl_url_set(parsed, CURLUPART_URL, x->request->url, 0) == CURLUE_OK
        && curl_url_set(parsed, CURLUPART_URL, location->value, 0) == CURLUE_OK
        && curl_url_get(parsed, CURLUPART_URL, &text, 0) == CURLUE_OK) {
        url = wa_url_mend(wa_slice_of(text), p);
    }
    curl_free(text);
    curl_url_cleanup(parsed);
    return url;
}

/* What libcurl found out, in our words. */
static void answer_fill(exchange_t *x, CURLcode code, apr_pool_t *p)
{
    wa_http_answer_t *answer = x->answer;
    struct curl_header *id = NULL;
    long status = 0;
    curl_off_t seconds = 0;

    curl_easy_getinfo(x->handle, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(x->handle, CURLINFO_RETRY_AFTER, &seconds);
    answer->is_complete = code == CURLE_OK;
    answer->is_timeout = code == CURLE_OPERATION_TIMEDOUT;
    answer->is_hopeless = code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE
                          || code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL;
    answer->status = status >= 200 ? (int)status : 0;
    answer->redirect_url = status >= 300 && status < 400 ? redirect_read(x, p) : NULL;
    /* The next four billion seconds are enough for anybody; more would overflow. */
    answer->retry_after = seconds > 0 && seconds < 0x7fffffff ? apr_time_from_sec(seconds) : 0;
    if (curl_easy_header(x->handle, "Twilio-Request-Id", 0, CURLH_HEADER, -1, &id) == CURLHE_OK) {
        answer->request_id = text_clean(id->value, 64, p);
    }
    if (code != CURLE_OK) {
        answer->problem =
            x->is_again ? "the connection was closed without an answer"
                        : text_clean(x->problem[0] ? x->problem : curl_easy_strerror(code), 200, p);
    }
    answer->body.len = x->body.len;
    answer->body.ptr = wa_slice_string(wa_slice_make(x->body.data, x->body.len), p);
}

apr_status_t wa_http_perform(wa_http_t *http, const wa_http_request_t *request,
                             wa_http_answer_t *answer, apr_pool_t *p)
{
    exchange_t x = {.handle = handle_take(http), .request = request, .answer = answer};
    char *secret = wa_slice_string(wa_slice_make(request->secret.bytes, request->secret.len), p);
    CURLcode code = CURLE_FAILED_INIT;
    apr_status_t rv = APR_ENOMEM;

    memset(answer, 0, sizeof(*answer));
    answer->is_untouched = 1;
    wa_buffer_init(&x.body, 0);
    if (!x.handle || request_set(http, &x, secret) != CURLE_OK) {
        goto out;
    }
    code = curl_easy_perform(x.handle);
    if (code == CURLE_OK && request->sink && !x.has_begun) {
        long status = 0;

        curl_easy_getinfo(x.handle, CURLINFO_RESPONSE_CODE, &status);
        answer->sink_rv = status == 200 ? sink_begin(&x) : APR_SUCCESS;
    }
    answer_fill(&x, code, p);
    rv = APR_SUCCESS;
out:
    wa_secret_wipe(secret, request->secret.len);
    if (x.handle) {
        handle_give(http, x.handle, code == CURLE_OK);
    }
    wa_buffer_release(&x.body);
    return rv;
}
