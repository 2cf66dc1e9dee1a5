/* SPDX-License-Identifier: Apache-2.0 */
/* Cuts a text that is too long for one message of Twilio's into parts that are not. */
#include "messaging/message/parts.h"

#include "base/grapheme.h"
#include "base/text.h"
#include "base/unicode.h"

/* A cut after white space makes no part shorter than this. */
#define SPACE_UNITS_MIN (WA_PART_UNITS_MAX / 2)

/* The bytes of the longest beginning of a text that one part can be, whatever it cuts through. */
static apr_size_t bytes_max(wa_slice_t text)
{
    apr_size_t at = 0, units = 0, used;

    while (at < text.len) {
        (void)wa_text_char(text.ptr + at, text.len - at, &used);
        units += wa_text_utf16_length(text.ptr + at, used);
        if (units > WA_PART_UNITS_MAX) {
            break;
        }
        at += used;
    }
    return at;
}

/* How many bytes of a text that is longer than a part the next part takes. */
static apr_size_t part_length(wa_slice_t text)
{
    apr_size_t at = 0, units = 0, after_space = 0;

    for (;;) {
        const apr_size_t used = wa_grapheme_first(text.ptr + at, text.len - at);

        units += wa_text_utf16_length(text.ptr + at, used);
        if (units > WA_PART_UNITS_MAX) {
            break;
        }
        if (units > SPACE_UNITS_MIN && wa_text_is_blank(text.ptr + at, used)) {
            after_space = at + used;
        }
        at += used;
    }
    if (after_space > 0) {
        return after_space;
    }
    return at > 0 ? at : bytes_max(text);
}

apr_size_t wa_parts_cut(wa_slice_t text, wa_slice_t *parts)
{
    apr_size_t count = 0;

    while (count < WA_PARTS_MAX && wa_text_utf16_length(text.ptr, text.len) > WA_PART_UNITS_MAX) {
        const apr_size_t len = part_length(text);

        if (!wa_text_is_unseen(text.ptr, len)) {
            parts[count++] = wa_slice_make(text.ptr, len);
        }
        text = wa_slice_make(text.ptr + len, text.len - len);
    }
    if (count == 0 || (count < WA_PARTS_MAX && !wa_text_is_unseen(text.ptr, text.len))) {
        parts[count++] = text;
    }
    return count;
}
