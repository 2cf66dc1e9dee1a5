/* SPDX-License-Identifier: Apache-2.0 */
/* What a message becomes at Twilio: parts of one attachment at most, and texts that are not too
 * long. */
#include "messaging/message/parts.h"

#include "base/grapheme.h"
#include "base/text.h"
#include "base/unicode.h"
#include "messaging/message/media_type.h"

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

    while (count < WA_PARTS_TEXT_MAX
           && wa_text_utf16_length(text.ptr, text.len) > WA_PART_UNITS_MAX) {
        const apr_size_t len = part_length(text);

        if (!wa_text_is_unseen(text.ptr, len)) {
            parts[count++] = wa_slice_make(text.ptr, len);
        }
        text = wa_slice_make(text.ptr + len, text.len - len);
    }
    if (count == 0 || (count < WA_PARTS_TEXT_MAX && !wa_text_is_unseen(text.ptr, text.len))) {
        parts[count++] = text;
    }
    return count;
}

apr_size_t wa_parts_make(wa_slice_t text, apr_size_t media_count, wa_slice_t first_type,
                         wa_part_content_t *parts)
{
    const int is_caption = media_count > 0 && text.len > 0 && wa_media_type_has_caption(first_type)
                           && wa_text_utf16_length(text.ptr, text.len) <= WA_CAPTION_UNITS_MAX;
    wa_slice_t texts[WA_PARTS_TEXT_MAX];
    apr_size_t count = 0, i;

    if (media_count > WA_PARTS_MEDIA_MAX) {
        return 0;
    }
    if (media_count == 0 || (text.len > 0 && !is_caption)) {
        count = wa_parts_cut(text, texts);
    }
    for (i = 0; i < count; i++) {
        parts[i] = (wa_part_content_t){.text = texts[i]};
    }
    for (i = 0; i < media_count; i++) {
        parts[count++] = (wa_part_content_t){.media_no = i + 1};
    }
    if (is_caption) {
        parts[0].text = text;
    }
    return count;
}
