/* SPDX-License-Identifier: Apache-2.0 */
/* Checks the address of an attachment as people type it, and says what is wrong with it. */
#include "messaging/message/media_url.h"

#include <stdlib.h>
#include <strings.h>

#include <apr_strings.h>

#include "base/text.h"
#include "base/unicode.h"

#define SCHEME "https://"

#define HOST_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."

/* An address with its scheme, as typed: where its parts stand. */
typedef struct typed_t {
    wa_slice_t text;
    apr_size_t host;     /* where what stands before the path begins */
    apr_size_t host_end; /* and ends */
} typed_t;

/* "U+007C (|)": the character itself where everybody sees which it is. */
static const char *character_name(apr_uint32_t c, apr_pool_t *p)
{
    return c > ' ' && c < 0x7f ? apr_psprintf(p, "U+%04X (%c)", (unsigned)c, (char)c)
           : c == ' '          ? "U+0020 (a space)"
                               : apr_psprintf(p, "U+%04X", (unsigned)c);
}

/* The number of the character at a byte, from 1, as a reader counts code points. */
static int place_of(const typed_t *typed, apr_size_t byte)
{
    apr_size_t at = 0, used;
    int place = 1;

    for (; at < byte; at += used) {
        (void)wa_text_char(typed->text.ptr + at, typed->text.len - at, &used);
        place++;
    }
    return place;
}

/* 1 for what directs how a text is written and is no part of it: it came along when the address was
 * copied. Joiners and tags are part of words and emoji. */
static int is_stray(apr_uint32_t c)
{
    if (c == 0x200c || c == 0x200d || (c >= 0xe0020 && c <= 0xe007f)) {
        return 0;
    }
    return (c >= 0x80 && c < 0xa0) || c == 0x2028 || c == 0x2029
           || (wa_unicode_is_control(c) && wa_unicode_is_invisible(c));
}

/* What is wrong with the character at a byte; NULL for nothing. */
static const char *character_flaw(const typed_t *typed, apr_size_t at, apr_pool_t *p)
{
    const int is_in_host = at >= typed->host && at < typed->host_end;
    apr_size_t used;
    const apr_uint32_t c = wa_unicode_read(typed->text.ptr + at, typed->text.len - at, &used);

    if (wa_url_may_stand(typed->text, at)) {
        return NULL;
    }
    if (is_in_host && c >= 0x80) {
        return apr_psprintf(p,
                            ": character %d, %s, may not stand in a host name; write the name in"
                            " its ASCII form, which begins with xn--",
                            place_of(typed, at), character_name(c, p));
    }
    if (is_in_host) {
        return apr_psprintf(p, ": character %d, %s, may not stand in a host name",
                            place_of(typed, at), character_name(c, p));
    }
    if (c == '%') {
        return apr_psprintf(p, ": behind the %% at character %d two hexadecimal digits are missing",
                            place_of(typed, at));
    }
    if (c == ' ' || (c >= 0x80 && !is_stray(c))) {
        return NULL;
    }
    return apr_psprintf(p, ": character %d, %s, may not stand in an address", place_of(typed, at),
                        character_name(c, p));
}

static const char *characters_flaw(const typed_t *typed, apr_pool_t *p)
{
    const char *flaw = NULL;
    apr_size_t at = 0, used;

    for (; at < typed->text.len && !flaw; at += used) {
        (void)wa_text_char(typed->text.ptr + at, typed->text.len - at, &used);
        flaw = character_flaw(typed, at, p);
    }
    return flaw;
}

/* What wa_url_read has against the part before the path, of which each character may stand in an
 * address. */
static const char *host_flaw(const typed_t *typed, apr_pool_t *p)
{
    const char *host = wa_slice_string(
        wa_slice_make(typed->text.ptr + typed->host, typed->host_end - typed->host), p);
    const char *bracket = *host == '[' ? strchr(host, ']') : NULL;
    const char *port = strchr(bracket ? bracket : host, ':');
    const apr_size_t len = port ? (apr_size_t)(port - host) : strlen(host);
    const apr_size_t good = strspn(host, HOST_CHARACTERS);

    if (strchr(host, '@')) {
        return " must have no user name or password";
    }
    if (len == 0) {
        return ": the host name is missing";
    }
    if (*host == '[') {
        return ": what stands in [] must be an IPv6 address, and only a port may stand behind it";
    }
    if (good < len) {
        return apr_psprintf(p, ": character %d, %s, may not stand in a host name",
                            place_of(typed, typed->host + good),
                            character_name((unsigned char)host[good], p));
    }
    if (port
        && (strspn(port + 1, "0123456789") != strlen(port + 1) || strlen(port + 1) > 5
            || atoi(port + 1) < 1 || atoi(port + 1) > 65535)) {
        return ": the port must be a number from 1 to 65535";
    }
    return ": the host must be a name of labels of 1 to 63 characters that do not begin with -, or"
           " an IP address in its usual form";
}

static const char *flaw_find(wa_slice_t text, const char **pmended, wa_url_t *url, apr_pool_t *p)
{
    const apr_size_t scheme = sizeof(SCHEME) - 1;
    const char *flaw;
    typed_t typed = {.text = text, .host = scheme, .host_end = scheme};

    if (!wa_text_is_utf8(text.ptr, text.len)) {
        return " must be valid text without NUL characters";
    }
    if (text.len < scheme || strncasecmp(text.ptr, SCHEME, scheme) != 0) {
        return " must be an address that begins with https://";
    }
    if (wa_text_trim(text).len < text.len) {
        return " must not end with white space";
    }
    while (typed.host_end < text.len && !strchr("/?#", text.ptr[typed.host_end])) {
        typed.host_end++;
    }
    flaw = characters_flaw(&typed, p);
    if (flaw) {
        return flaw;
    }
    *pmended = wa_url_mend(text, p);
    if (strlen(*pmended) > WA_MEDIA_URL_BYTES_MAX) {
        return " must have at most 4000 characters, each escape counted as three";
    }
    return wa_url_read(url, wa_slice_of(*pmended), p) != APR_SUCCESS || url->has_user
               ? host_flaw(&typed, p)
               : NULL;
}

apr_status_t wa_media_url_check(wa_slice_t typed, const char **ptext, wa_url_t *url,
                                const char **pflaw, apr_pool_t *p)
{
    const char *mended = NULL;

    memset(url, 0, sizeof(*url));
    *pflaw = flaw_find(typed, &mended, url, p);
    *ptext = *pflaw ? NULL : mended;
    return *pflaw ? APR_EINVAL : APR_SUCCESS;
}
