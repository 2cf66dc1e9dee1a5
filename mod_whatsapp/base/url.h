/* SPDX-License-Identifier: Apache-2.0 */
/* Reads web addresses: the one place that decides where a URL leads. */
#ifndef WA_BASE_URL_H
#define WA_BASE_URL_H

#include <apr_errno.h>
#include <apr_pools.h>

#include "base/slice.h"

/* A URL taken apart. Strings live in the pool that it was read with. */
typedef struct wa_url_t {
    /* 0: http */
    int is_https;
    /* lower case: a name, an IPv4 address, or an IPv6 address without its brackets */
    const char *host;
    int is_ipv6;
    /* the scheme's own when none is given */
    int port;
    int has_user;
    /* as written, from its slash on; "" when there is none */
    const char *path;
    /* as written; NULL when there is no '?' */
    const char *query;
    /* as written; NULL when there is no '#' */
    const char *fragment;
    /* The scheme, "://" and the host as written, without user: "HTTPS://Chat.Example.org", and the
     * port with its colon, empty when there is none: where bytes count, as in a signature. */
    const char *front;
    const char *port_text;
} wa_url_t;

/* Reads an absolute URL, scheme http or https, of RFC 3986. APR's reader takes it apart; refused is
 * what two readers could understand in two ways, since what is checked here is fetched by libcurl,
 * by browsers and by Twilio:
 * - any byte that is not of RFC 3986's alphabet: control characters, NUL, space, '\', quotes, bytes
 *   over 0x7e; a '%' without two hex digits behind it
 * - a host that is no name of at most 253 letters, digits, '-', '_' and '.', each label of 1 to 63
 *   and beginning with no '-' (a '.' at the end is fine), no IPv4 address in four decimal parts
 *   where its last label is a number, no IPv6 address in brackets; so no escape and no IPv6 zone in
 *   it
 * - a port that is empty, 0, over 65535 or of more than five digits; a second '@'
 * '[' and ']' may stand in path, query and fragment, where everybody writes them.
 * @param url  out: all 0 unless APR_SUCCESS
 * @return APR_SUCCESS | APR_EINVAL. Any thread that may use p. */
apr_status_t wa_url_read(wa_url_t *url, wa_slice_t text, apr_pool_t *p);

/* 1 when the byte at `i` may stand in a URL somewhere: one of RFC 3986's alphabet, a '%' only with
 * two hex digits behind it. Any thread. */
int wa_url_may_stand(wa_slice_t text, apr_size_t i);

/* What browsers make of an address that others gave before they use it: each byte that may not
 * stand in a URL, and a '%' that begins no escape, becomes an escape; nothing else changes. For
 * what comes from outside and had better be fetched than refused; the reader is as strict about its
 * host as ever.
 * @return the text in p, without NUL inside. Any thread that may use p. */
const char *wa_url_mend(wa_slice_t text, apr_pool_t *p);

/* Reads a URL that paths are put behind: one without user, query and fragment.
 * @param url  out: all 0 when it is none
 * @return the text without slashes at its end in p | NULL. Any thread that may use p. */
const char *wa_url_base_read(wa_url_t *url, const char *text, apr_pool_t *p);

/* 1 when both are of one origin: scheme, host and port (RFC 6454 section 5). Any thread. */
int wa_url_is_same_origin(const wa_url_t *a, const wa_url_t *b);

/* 1 when a path stays below where it begins: none of its segments is "." or "..", escaped or not,
 * and none holds an escaped slash. Any thread that may use p. */
int wa_url_path_is_plain(const char *path, apr_pool_t *p);

#endif
