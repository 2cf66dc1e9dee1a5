/* SPDX-License-Identifier: Apache-2.0 */
/* What somebody else wrote as one line that may be shown anywhere: a name, a title, a reason. */
#include "base/line.h"

#include "base/buffer.h"
#include "base/text.h"
#include "base/unicode.h"

#define ZERO_WIDTH_NON_JOINER 0x200C
#define ZERO_WIDTH_JOINER 0x200D

/* 1 for printable ASCII without a space at an end or two in a row, which most lines are. */
static int is_plain(wa_slice_t s, apr_size_t characters)
{
    apr_size_t i;

    if (s.len == 0 || s.len > characters || s.ptr[0] == ' ' || s.ptr[s.len - 1] == ' ') {
        return s.len == 0;
    }
    for (i = 0; i < s.len; i++) {
        if (s.ptr[i] < 0x20 || s.ptr[i] > 0x7e || (s.ptr[i] == ' ' && s.ptr[i + 1] == ' ')) {
            return 0;
        }
    }
    return 1;
}

static int is_joiner(apr_uint32_t c)
{
    return c == ZERO_WIDTH_NON_JOINER || c == ZERO_WIDTH_JOINER;
}

/* The controls (Cc) part words, as white space does. */
static int is_space(const char *s, apr_size_t used, apr_uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || wa_text_is_blank(s, used);
}

wa_slice_t wa_line_clean(wa_slice_t raw, apr_size_t characters, apr_pool_t *p)
{
    apr_size_t i = 0, used, kept = 0;
    int is_parted = 0, has_text = 0;
    wa_slice_t line;
    wa_buffer_t b;

    if (is_plain(raw, characters)) {
        return raw;
    }
    wa_buffer_init(&b, raw.len < characters * 4 ? raw.len : characters * 4);
    for (; i < raw.len && kept < characters; i += used) {
        const apr_uint32_t c = wa_unicode_read(raw.ptr + i, raw.len - i, &used);

        if (is_space(raw.ptr + i, used, c)) {
            is_parted = b.len > 0;
            continue;
        }
        if (wa_unicode_is_control(c) && wa_unicode_is_invisible(c) && !is_joiner(c)) {
            continue;
        }
        if (is_parted && ++kept < characters) {
            WA_BUFFER_ADD_LITERAL(&b, " ");
        }
        if (kept == characters) {
            break;
        }
        is_parted = 0;
        kept++;
        has_text |= !wa_unicode_is_invisible(c);
        if (wa_text_char(raw.ptr + i, raw.len - i, &used)) {
            wa_buffer_add(&b, raw.ptr + i, used);
        } else {
            WA_BUFFER_ADD_LITERAL(&b, "\xEF\xBF\xBD");
        }
    }
    if (!has_text) {
        b.len = 0;
    }
    (void)wa_buffer_slice(&b, &line, p); /* empty when memory ran out */
    return line;
}
