/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8 text: validity, length as JavaScript counts it, white space, prefixes. */
#include "base/text.h"

#include <stdint.h>

#include <utf8proc.h>

#define ONES 0x0101010101010101ULL
#define HIGHS 0x8080808080808080ULL
#define NEXT_LINE 0x85

static uint64_t word_at(const char *s)
{
    uint64_t word;

    memcpy(&word, s, sizeof(word));
    return word;
}

/* Not zero when a byte of the word is 0 or above 0x7f. A false alarm is impossible: without a
 * high bit, only a 0 borrows. */
static uint64_t not_plain(uint64_t word)
{
    return (word | (word - ONES)) & HIGHS;
}

/* How many of the word's bytes have bit 0 set; all other bits are 0. */
static apr_size_t count_marks(uint64_t marks)
{
    return (apr_size_t)((marks * ONES) >> 56);
}

/* Bit 0 of each byte that begins a character, i.e. is not 10xxxxxx. */
static uint64_t mark_starts(uint64_t word)
{
    return (~(word >> 7) | (word >> 6)) & ONES;
}

/* Bit 0 of each byte 1111xxxx: it begins a character that takes two UTF-16 units. */
static uint64_t mark_pairs(uint64_t word)
{
    return (word >> 7) & (word >> 6) & (word >> 5) & (word >> 4) & ONES;
}

int wa_text_char(const char *s, apr_size_t len, apr_size_t *pused)
{
    const unsigned char *c = (const unsigned char *)s;
    unsigned char low = 0x80, high = 0xbf; /* what the second byte may be */
    apr_size_t need, i;

    *pused = 1;
    if (c[0] < 0x80) {
        return 1;
    }
    if (c[0] < 0xc2 || c[0] > 0xf4) {
        return 0;
    }
    need = c[0] < 0xe0 ? 2 : c[0] < 0xf0 ? 3 : 4;
    if (c[0] == 0xe0) {
        low = 0xa0; /* below: overlong */
    } else if (c[0] == 0xed) {
        high = 0x9f; /* above: surrogates */
    } else if (c[0] == 0xf0) {
        low = 0x90; /* below: overlong */
    } else if (c[0] == 0xf4) {
        high = 0x8f; /* above: beyond U+10FFFF */
    }
    for (i = 1; i < need; i++) {
        if (i >= len || c[i] < low || c[i] > high) {
            *pused = i;
            return 0;
        }
        low = 0x80;
        high = 0xbf;
    }
    *pused = need;
    return 1;
}

int wa_text_is_utf8(const char *s, apr_size_t len)
{
    apr_size_t at = 0, used;

    while (at < len) {
        while (len - at >= 16 && !(not_plain(word_at(s + at)) | not_plain(word_at(s + at + 8)))) {
            at += 16;
        }
        while (at < len && (unsigned char)s[at] < 0x80) {
            if (s[at] == '\0') {
                return 0;
            }
            at++;
        }
        while (at < len && (unsigned char)s[at] >= 0x80) {
            if (!wa_text_char(s + at, len - at, &used)) {
                return 0;
            }
            at += used;
        }
    }
    return 1;
}

apr_size_t wa_text_utf16_length(const char *s, apr_size_t len)
{
    apr_size_t at = 0, units = 0;

    for (; len - at >= 8; at += 8) {
        uint64_t word = word_at(s + at);

        units += count_marks(mark_starts(word)) + count_marks(mark_pairs(word));
    }
    for (; at < len; at++) {
        unsigned char c = (unsigned char)s[at];

        units += (apr_size_t)((c & 0xc0) != 0x80) + (apr_size_t)(c >= 0xf0);
    }
    return units;
}

/* 1 for Unicode's White_Space: all of its categories of separators, and six controls. */
static int is_space(utf8proc_int32_t c)
{
    if (c < 0x80) {
        return c == ' ' || (c >= '\t' && c <= '\r');
    }
    switch (utf8proc_get_property(c)->category) {
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
        return 1;
    default:
        return c == NEXT_LINE;
    }
}

/* The bytes of the white space character that the text begins with, 0 when it begins with
 * another. */
static apr_size_t space_first(const char *s, apr_size_t len)
{
    utf8proc_int32_t c = -1; /* utf8proc's for none */
    utf8proc_ssize_t used = 0;

    if (len > 0) {
        used = utf8proc_iterate((const utf8proc_uint8_t *)s, (utf8proc_ssize_t)len, &c);
    }
    return used > 0 && is_space(c) ? (apr_size_t)used : 0;
}

/* The same at the end of the text. */
static apr_size_t space_last(const char *s, apr_size_t len)
{
    apr_size_t start = len;

    while (start > 0 && len - start < 4) {
        start--;
        if (((unsigned char)s[start] & 0xc0) != 0x80) {
            break;
        }
    }
    return start < len && space_first(s + start, len - start) == len - start ? len - start : 0;
}

wa_slice_t wa_text_trim(wa_slice_t s)
{
    apr_size_t space;

    for (space = space_first(s.ptr, s.len); space > 0; space = space_first(s.ptr, s.len)) {
        s.ptr += space;
        s.len -= space;
    }
    for (space = space_last(s.ptr, s.len); space > 0; space = space_last(s.ptr, s.len)) {
        s.len -= space;
    }
    return s;
}

int wa_text_is_blank(const char *s, apr_size_t len)
{
    apr_size_t space;

    for (space = space_first(s, len); space > 0; space = space_first(s, len)) {
        s += space;
        len -= space;
    }
    return len == 0;
}

apr_size_t wa_text_prefix(const char *s, apr_size_t len, apr_size_t characters)
{
    apr_size_t at, started = 0;

    for (at = 0; at < len; at++) {
        if (((unsigned char)s[at] & 0xc0) == 0x80) {
            continue;
        }
        if (started == characters) {
            return at;
        }
        started++;
    }
    return len;
}
