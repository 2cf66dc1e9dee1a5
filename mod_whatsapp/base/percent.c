/* SPDX-License-Identifier: Apache-2.0 */
/* Percent-encoding (RFC 3986 section 2.1): the one place that writes and reads it. */
#include "base/percent.h"

#include "base/hex.h"

/* Not isalnum(), which asks the locale. */
static int is_unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-'
           || c == '.' || c == '_' || c == '~';
}

/* @param to  room for 3 bytes. @return behind what was written */
static char *byte_encode(char *to, char c)
{
    if (is_unreserved(c)) {
        *to++ = c;
        return to;
    }
    *to++ = '%';
    *to++ = wa_hex_digit_upper((unsigned char)c >> 4);
    *to++ = wa_hex_digit_upper((unsigned char)c);
    return to;
}

void wa_percent_add(wa_buffer_t *b, wa_slice_t text)
{
    char piece[192];
    char *end = piece;
    apr_size_t i;

    for (i = 0; i < text.len; i++) {
        if (end > piece + sizeof(piece) - 3) {
            wa_buffer_add(b, piece, (apr_size_t)(end - piece));
            end = piece;
        }
        end = byte_encode(end, text.ptr[i]);
    }
    wa_buffer_add(b, piece, (apr_size_t)(end - piece));
}

const char *wa_percent_encode(wa_slice_t text, apr_pool_t *p)
{
    char *encoded = apr_palloc(p, 3 * text.len + 1);
    char *end = encoded;
    apr_size_t i;

    for (i = 0; i < text.len; i++) {
        end = byte_encode(end, text.ptr[i]);
    }
    *end = '\0';
    return encoded;
}

apr_size_t wa_percent_decode(char *to, wa_slice_t text, int plus)
{
    char *const begin = to;
    apr_size_t i = 0;

    while (i < text.len) {
        const char c = text.ptr[i];
        apr_uint64_t byte;

        if (c == '%' && text.len - i >= 3 && wa_hex_read(text.ptr + i + 1, 2, &byte)) {
            *to++ = (char)byte;
            i += 3;
            continue;
        }
        *to++ = c == '+' && plus == WA_PERCENT_PLUS_IS_SPACE ? ' ' : c;
        i++;
    }
    return (apr_size_t)(to - begin);
}
