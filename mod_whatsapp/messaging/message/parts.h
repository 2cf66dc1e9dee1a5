/* SPDX-License-Identifier: Apache-2.0 */
/* Cuts a text that is too long for one message of Twilio's into parts that are not. */
#ifndef WA_MESSAGING_MESSAGE_PARTS_H
#define WA_MESSAGING_MESSAGE_PARTS_H

#include <apr.h>

#include "base/slice.h"

/* The longest Body that Twilio takes (docs/TWILIO.md section 1.4), in UTF-16 units. */
#define WA_PART_UNITS_MAX 1600

/* The most parts that a message of WA_MESSAGE_UNITS_MAX can have. */
#define WA_PARTS_MAX 8

/* Cuts a text into consecutive parts of at most WA_PART_UNITS_MAX units: after white space where
 * there is any in the second half of a part, else between two characters as a reader sees them
 * (base/grapheme.h); inside one only where it is longer than a part. Nothing is added or lost, but
 * for parts in which there would be nothing to see, which Twilio refuses.
 * @param text   valid UTF-8, with something to see, at most WA_MESSAGE_UNITS_MAX units
 * @param parts  out: room for WA_PARTS_MAX, pieces of `text`
 * @return how many, at least 1. Any thread. */
apr_size_t wa_parts_cut(wa_slice_t text, wa_slice_t *parts);

#endif
