/* SPDX-License-Identifier: Apache-2.0 */
/* Writes JSON into a buffer, value by value; the commas come by themselves. */
#include "base/json_write.h"

#include <stdint.h>

#include "base/hex.h"
#include "base/text.h"

#define ONES 0x0101010101010101ULL
#define HIGHS 0x8080808080808080ULL

/* U+FFFD */
static const char replacement[] = "\xef\xbf\xbd";

/* Not zero when one of the 8 bytes is a control character, a quote, a backslash, or above 0x7f. */
static uint64_t not_plain(const char *s)
{
    uint64_t word;

    memcpy(&word, s, sizeof(word));
    return (word | (word - 0x20 * ONES) | ((word ^ '"' * ONES) - ONES)
            | ((word ^ '\\' * ONES) - ONES))
           & HIGHS;
}

static int is_escaped(unsigned char c)
{
    return c < 0x20 || c == '"' || c == '\\';
}

/* The letter of the short escape, 0 where only \u00XX will do. */
static char short_escape(unsigned char c)
{
    switch (c) {
    case '"':
    case '\\':
        return (char)c;
    case '\b':
        return 'b';
    case '\f':
        return 'f';
    case '\n':
        return 'n';
    case '\r':
        return 'r';
    case '\t':
        return 't';
    default:
        return 0;
    }
}

static void add_escape(wa_buffer_t *b, unsigned char c)
{
    char text[6] = {'\\', short_escape(c)};
    apr_size_t len = 2;

    if (text[1] == 0) {
        memcpy(text + 1, "u00", 3);
        wa_hex_write(text + 4, &c, 1);
        len = 6;
    }
    wa_buffer_add(b, text, len);
}

/* How many bytes at the front need no look at what they are: ASCII, and nothing to escape. */
static apr_size_t plain_span(const char *s, apr_size_t len)
{
    apr_size_t at = 0;

    while (len - at >= sizeof(uint64_t) && !not_plain(s + at)) {
        at += sizeof(uint64_t);
    }
    if (len - at < sizeof(uint64_t)) {
        char tail[sizeof(uint64_t)] = "        ";

        memcpy(tail, s + at, len - at);
        if (!not_plain(tail)) {
            return len;
        }
    }
    while (at < len && (unsigned char)s[at] < 0x80 && !is_escaped((unsigned char)s[at])) {
        at++;
    }
    return at;
}

/* How many bytes at the front stand in JSON as they are. */
static apr_size_t unescaped_span(const char *s, apr_size_t len)
{
    apr_size_t at = 0, used;

    while (at < len) {
        if ((unsigned char)s[at] < 0x80) {
            used = plain_span(s + at, len - at);
            if (used == 0) {
                break;
            }
        } else if (!wa_text_char(s + at, len - at, &used)) {
            break;
        }
        at += used;
    }
    return at;
}

void wa_buffer_add_json(wa_buffer_t *b, const char *s, apr_size_t len)
{
    while (len > 0) {
        apr_size_t used = unescaped_span(s, len);

        wa_buffer_add(b, s, used);
        s += used;
        len -= used;
        if (len == 0) {
            return;
        }
        used = 1;
        if ((unsigned char)*s < 0x80) {
            add_escape(b, (unsigned char)*s);
        } else {
            wa_text_char(s, len, &used);
            wa_buffer_add(b, replacement, sizeof(replacement) - 1);
        }
        s += used;
        len -= used;
    }
}

void wa_buffer_add_json_string(wa_buffer_t *b, wa_slice_t s)
{
    const apr_size_t plain = s.len > 0 ? plain_span(s.ptr, s.len) : 0;

    if (b->cap - b->len < plain + 2 && wa_buffer_reserve(b, plain + 2) != APR_SUCCESS) {
        return;
    }
    b->data[b->len++] = '"';
    if (plain > 0) {
        memcpy(b->data + b->len, s.ptr, plain);
        b->len += plain;
    }
    if (plain < s.len) {
        wa_buffer_add_json(b, s.ptr + plain, s.len - plain);
    }
    WA_BUFFER_ADD_LITERAL(b, "\"");
}
