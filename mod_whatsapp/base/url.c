/* SPDX-License-Identifier: Apache-2.0 */
/* Reads web addresses: the one place that decides where a URL leads. */
#include "base/url.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <apr_strings.h>
#include <apr_uri.h>

#include "base/hex.h"
#include "base/percent.h"

#define DIGITS "0123456789"
#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define HOST_BYTES_MAX 253
#define LABEL_BYTES_MAX 63
#define PORT_DIGITS_MAX 5

int wa_url_may_stand(wa_slice_t text, apr_size_t i)
{
    const char c = text.ptr[i];
    apr_uint64_t byte;

    if (c == '%') {
        return text.len - i >= 3 && wa_hex_read(text.ptr + i + 1, 2, &byte);
    }
    return c != '\0' && strchr(LETTERS DIGITS "-._~:/?#[]@!$&'()*+,;=", c) != NULL;
}

static int is_url_text(wa_slice_t text)
{
    apr_size_t i = 0;

    while (i < text.len && wa_url_may_stand(text, i)) {
        i++;
    }
    return i == text.len;
}

const char *wa_url_mend(wa_slice_t text, apr_pool_t *p)
{
    char *mended = apr_palloc(p, 3 * text.len + 1);
    char *end = mended;
    apr_size_t i;

    for (i = 0; i < text.len; i++) {
        if (wa_url_may_stand(text, i)) {
            *end++ = text.ptr[i];
        } else {
            const char *escape = wa_percent_encode(wa_slice_make(text.ptr + i, 1), p);

            end = apr_cpystrn(end, escape, 4);
        }
    }
    *end = '\0';
    return mended;
}

/* Readers take a host whose last label is a number for an IPv4 address, whatever else it is. */
static int is_number(const char *label, apr_size_t len)
{
    return strspn(label, DIGITS) >= len
           || (label[0] == '0' && (label[1] == 'x' || label[1] == 'X'));
}

static int is_host_name(const char *host)
{
    apr_size_t len = strlen(host);
    const char *label = host;
    struct in_addr v4;

    if (len > 0 && host[len - 1] == '.') {
        len--;
    }
    if (len == 0 || len > HOST_BYTES_MAX || strspn(host, LETTERS DIGITS "-_.") < len) {
        return 0;
    }
    for (;;) {
        const apr_size_t left = len - (apr_size_t)(label - host);
        const char *dot = memchr(label, '.', left);
        const apr_size_t label_len = dot ? (apr_size_t)(dot - label) : left;

        if (label_len == 0 || label_len > LABEL_BYTES_MAX || *label == '-') {
            return 0;
        }
        if (!dot) {
            return !is_number(label, label_len) || inet_pton(AF_INET, host, &v4) == 1;
        }
        label = dot + 1;
    }
}

static int is_ipv6_address(const char *host)
{
    struct in6_addr v6;

    return inet_pton(AF_INET6, host, &v6) == 1;
}

/* The port of an authority's digits; 0 when they are none. */
static int port_read(const char *digits)
{
    const apr_size_t len = strlen(digits);
    const int port =
        len > 0 && len <= PORT_DIGITS_MAX && strspn(digits, DIGITS) == len ? atoi(digits) : 0;

    return port <= 65535 ? port : 0;
}

static char *lower_case(const char *s, apr_pool_t *p)
{
    char *copy = apr_pstrdup(p, s);
    char *c;

    for (c = copy; *c; c++) {
        if (*c >= 'A' && *c <= 'Z') {
            *c = (char)(*c - 'A' + 'a');
        }
    }
    return copy;
}

/* What stands between the scheme and the path; `at` is behind its user. */
static apr_status_t authority_check(wa_url_t *url, const apr_uri_t *uri, const char *at)
{
    url->is_ipv6 = *at == '[';
    if (strchr(at, '@') || strchr(uri->hostinfo, '@') != strrchr(uri->hostinfo, '@')
        || !uri->hostname
        || !(url->is_ipv6 ? is_ipv6_address(uri->hostname) : is_host_name(uri->hostname))) {
        return APR_EINVAL;
    }
    url->port = url->is_https ? 443 : 80;
    if (uri->port_str) {
        url->port = port_read(uri->port_str);
    }
    return url->port > 0 ? APR_SUCCESS : APR_EINVAL;
}

apr_status_t wa_url_read(wa_url_t *url, wa_slice_t text, apr_pool_t *p)
{
    wa_url_t read = {0};
    apr_uri_t uri;
    const char *at;

    memset(url, 0, sizeof(*url));
    if (!is_url_text(text) || apr_uri_parse(p, wa_slice_string(text, p), &uri) != APR_SUCCESS
        || !uri.scheme || !uri.hostinfo) {
        return APR_EINVAL;
    }
    read.is_https = strcasecmp(uri.scheme, "https") == 0;
    if (!read.is_https && strcasecmp(uri.scheme, "http") != 0) {
        return APR_EINVAL;
    }
    at = strchr(uri.hostinfo, '@');
    read.has_user = at != NULL;
    at = at ? at + 1 : uri.hostinfo;
    if (authority_check(&read, &uri, at) != APR_SUCCESS) {
        return APR_EINVAL;
    }
    read.host = lower_case(uri.hostname, p);
    read.path = uri.path ? uri.path : "";
    read.query = uri.query;
    read.fragment = uri.fragment;
    read.port_text = uri.port_str ? apr_pstrcat(p, ":", uri.port_str, NULL) : "";
    read.front = apr_pstrcat(
        p, uri.scheme, "://",
        wa_slice_string(wa_slice_make(at, strlen(at) - strlen(read.port_text)), p), NULL);
    *url = read;
    return APR_SUCCESS;
}

const char *wa_url_base_read(wa_url_t *url, const char *text, apr_pool_t *p)
{
    apr_size_t len = strlen(text);

    if (wa_url_read(url, wa_slice_make(text, len), p) != APR_SUCCESS) {
        return NULL;
    }
    if (url->has_user || url->query || url->fragment) {
        memset(url, 0, sizeof(*url));
        return NULL;
    }
    while (text[len - 1] == '/') {
        len--;
    }
    return wa_slice_string(wa_slice_make(text, len), p);
}

int wa_url_is_same_origin(const wa_url_t *a, const wa_url_t *b)
{
    return a->is_https == b->is_https && a->port == b->port && a->is_ipv6 == b->is_ipv6
           && strcmp(a->host, b->host) == 0;
}

int wa_url_path_is_plain(const char *path, apr_pool_t *p)
{
    while (*path) {
        const apr_size_t len = strcspn(path, "/");
        char *segment = apr_palloc(p, len + 1);
        const apr_size_t used =
            wa_percent_decode(segment, wa_slice_make(path, len), WA_PERCENT_PLUS_IS_PLUS);

        segment[used] = '\0';
        if (strcmp(segment, ".") == 0 || strcmp(segment, "..") == 0
            || memchr(segment, '/', used) != NULL) {
            return 0;
        }
        path += len + (path[len] == '/');
    }
    return 1;
}
