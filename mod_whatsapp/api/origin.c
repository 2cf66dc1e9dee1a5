/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a browser says that a request was made by another site's page. */
#include "api/origin.h"

#include <apr_lib.h>

#include <http_protocol.h>

#include "base/slice.h"

/* A host with its port, as they stand in an origin, an address or a Host header. */
typedef struct place_t {
    wa_slice_t host; /* with its brackets when it is an IPv6 address */
    int port;        /* 0: not given */
} place_t;

static int slice_is_same(wa_slice_t a, wa_slice_t b)
{
    return a.len == b.len && strncasecmp(a.ptr, b.ptr, a.len) == 0;
}

static int host_is_valid(wa_slice_t host)
{
    const apr_size_t to = host.len;
    apr_size_t i;

    if (to > 2 && host.ptr[0] == '[' && host.ptr[to - 1] == ']') {
        for (i = 1; i + 1 < to; i++) {
            if (!apr_isxdigit(host.ptr[i]) && !strchr(":.", host.ptr[i])) {
                return 0;
            }
        }
        return 1;
    }
    for (i = 0; i < to; i++) {
        if (!apr_isalnum(host.ptr[i]) && !strchr(".-_", host.ptr[i])) {
            return 0;
        }
    }
    return to > 0;
}

/* 1 to 65535 in at most five digits, -1 for anything else. */
static int port_read(wa_slice_t digits)
{
    apr_size_t i;
    int port = 0;

    if (digits.len == 0 || digits.len > 5) {
        return -1;
    }
    for (i = 0; i < digits.len; i++) {
        if (!apr_isdigit(digits.ptr[i])) {
            return -1;
        }
        port = port * 10 + (digits.ptr[i] - '0');
    }
    return port > 0 && port <= 65535 ? port : -1;
}

/* Reads "host" or "host:port". @return 1 | 0 it is something else */
static int place_read(const char *text, apr_size_t len, place_t *place)
{
    apr_size_t end = len;

    while (end > 0 && apr_isdigit(text[end - 1])) {
        end--;
    }
    place->port = 0;
    if (end > 0 && text[end - 1] == ':') {
        place->port = port_read(wa_slice_make(text + end, len - end));
        len = end - 1;
    }
    place->host = wa_slice_make(text, len);
    return place->port >= 0 && host_is_valid(place->host);
}

/* Reads the scheme, host and port that an address begins with; the port is the scheme's where there
 * is none.
 * @param pafter  out: what follows @return 1 | 0 no http or https address */
static int address_read(const char *text, place_t *place, int *pis_tls, const char **pafter)
{
    apr_size_t len;

    *pis_tls = strncasecmp(text, "https://", 8) == 0;
    if (!*pis_tls && strncasecmp(text, "http://", 7) != 0) {
        return 0;
    }
    text += *pis_tls ? 8 : 7;
    len = strcspn(text, "/?#");
    *pafter = text + len;
    if (!place_read(text, len, place)) {
        return 0;
    }
    if (place->port == 0) {
        place->port = *pis_tls ? 443 : 80;
    }
    return 1;
}

/* The scheme of an origin is not compared with this connection's: a proxy may end TLS before us. It
 * only says which port an absent one is. */
static int is_host_header(request_rec *r, const place_t *origin, int is_tls)
{
    const char *given = apr_table_get(r->headers_in, "Host");
    place_t host;

    if (!given || !place_read(given, strlen(given), &host)) {
        return 0;
    }
    if (host.port == 0) {
        host.port = is_tls ? 443 : 80;
    }
    return host.port == origin->port && slice_is_same(host.host, origin->host)
           && (is_tls || strcmp(ap_http_scheme(r), "https") != 0);
}

static int is_public_url(const char *public_url, const place_t *origin, int is_tls)
{
    const char *after;
    place_t place;
    int is_public_tls;

    return public_url && address_read(public_url, &place, &is_public_tls, &after)
           && is_public_tls == is_tls && place.port == origin->port
           && slice_is_same(place.host, origin->host);
}

int wa_origin_is_foreign(request_rec *r, const char *public_url)
{
    const char *site = apr_table_get(r->headers_in, "Sec-Fetch-Site");
    const char *origin = apr_table_get(r->headers_in, "Origin");
    const char *after = "";
    place_t place;
    int is_tls;

    if (site && strcmp(site, "same-origin") != 0 && strcmp(site, "none") != 0
        && strcmp(site, "same-site") != 0) {
        return 1;
    }
    if (!origin) {
        return site && strcmp(site, "same-site") == 0;
    }
    if (!address_read(origin, &place, &is_tls, &after) || *after != '\0') {
        return 1;
    }
    if (site && strcmp(site, "same-origin") == 0) {
        return 0;
    }
    return !is_host_header(r, &place, is_tls) && !is_public_url(public_url, &place, is_tls);
}
