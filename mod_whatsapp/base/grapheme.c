/* SPDX-License-Identifier: Apache-2.0 */
/* What a reader sees as one character, so that no text is cut inside it. */
#include "base/grapheme.h"

#include <utf8proc.h>

#include "base/unicode.h"

#define ZWJ 0x200d

/* Canonical combining class 9: the sign kills a vowel and joins the next consonant. */
static int is_virama(apr_uint32_t c)
{
    return utf8proc_get_property((utf8proc_int32_t)c)->combining_class == 9;
}

/* 1 when a virama that was before this is still at work behind it. */
static int is_passed(apr_uint32_t c)
{
    return c == ZWJ || wa_unicode_class(c) == WA_UNICODE_MARK;
}

apr_size_t wa_grapheme_first(const char *s, apr_size_t len)
{
    apr_size_t at, used;
    apr_uint32_t before = wa_unicode_read(s, len, &at);
    utf8proc_int32_t state = 0;
    int is_joining = is_virama(before);

    while (at < len) {
        const apr_uint32_t after = wa_unicode_read(s + at, len - at, &used);
        const int is_break = utf8proc_grapheme_break_stateful((utf8proc_int32_t)before,
                                                              (utf8proc_int32_t)after, &state);

        /* Rule GB9c, which utf8proc has since 2.9, and that only for six scripts. */
        if (is_break && !(is_joining && wa_unicode_class(after) == WA_UNICODE_LETTER)) {
            break;
        }
        is_joining = is_virama(after) || (is_joining && is_passed(after));
        before = after;
        at += used;
    }
    return at;
}
