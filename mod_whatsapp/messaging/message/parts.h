/* SPDX-License-Identifier: Apache-2.0 */
/* What a message becomes at Twilio: parts of one attachment at most, and texts that are not too
 * long. */
#ifndef WA_MESSAGING_MESSAGE_PARTS_H
#define WA_MESSAGING_MESSAGE_PARTS_H

#include <apr.h>

#include "base/slice.h"

/* The longest Body that Twilio takes (docs/TWILIO.md section 1.4), in UTF-16 units. */
#define WA_PART_UNITS_MAX 1600

/* The longest text that WhatsApp shows under a picture or video, likewise. */
#define WA_CAPTION_UNITS_MAX 1024

/* The most parts that a text of WA_MESSAGE_UNITS_MAX can have, the most attachments of a message,
 * and the most parts of both. */
#define WA_PARTS_TEXT_MAX 8
#define WA_PARTS_MEDIA_MAX 10
#define WA_PARTS_MAX (WA_PARTS_TEXT_MAX + WA_PARTS_MEDIA_MAX)

/* What one part carries. */
typedef struct wa_part_content_t {
    wa_slice_t text;     /* empty: none */
    apr_size_t media_no; /* which attachment, 1 and up; 0: none */
} wa_part_content_t;

/* Cuts a text into consecutive parts of at most WA_PART_UNITS_MAX units: after white space where
 * there is any in the second half of a part, else between two characters as a reader sees them
 * (base/grapheme.h); inside one only where it is longer than a part. Nothing is added or lost, but
 * for parts in which there would be nothing to see, which Twilio refuses.
 * @param text   valid UTF-8, with something to see, at most WA_MESSAGE_UNITS_MAX units
 * @param parts  out: room for WA_PARTS_TEXT_MAX, pieces of `text`
 * @return how many, at least 1. Any thread. */
apr_size_t wa_parts_cut(wa_slice_t text, wa_slice_t *parts);

/* Says what goes out for a message, part by part: each attachment by itself, since WhatsApp takes
 * one with a message and Twilio drops the others. The text goes with the first attachment where
 * that is a picture or video and the text fits under it, else before all of them: beside other
 * kinds nobody would see it. The same message gives the same parts at any time.
 * @param text         like wa_parts_cut; empty for none
 * @param media_count  how many attachments
 * @param first_type   the type of the first one, as wa_media_type_of_path gives it
 * @param parts        out: room for WA_PARTS_MAX; texts are pieces of `text`
 * @return how many, at least 1 | 0 for more attachments than are ever sent. Any thread. */
apr_size_t wa_parts_make(wa_slice_t text, apr_size_t media_count, wa_slice_t first_type,
                         wa_part_content_t *parts);

#endif
