/* SPDX-License-Identifier: Apache-2.0 */
/* What a reader sees as one character, so that no text is cut inside it. */
#ifndef WA_BASE_GRAPHEME_H
#define WA_BASE_GRAPHEME_H

#include <apr.h>

/* The bytes of the first user-perceived character of a text: a base with its combining marks,
 * vowel signs and variation selectors, emoji joined by ZWJ, with skin tones or tags, a flag of two regional
 * indicators, a Hangul syllable, a conjunct of Indic letters, CR LF.
 *
 * The rules are those of Unicode's UAX #29, over a table of our own that holds the marks of the scripts in
 * everyday use rather than all of Unicode. Where the two differ this one keeps together what UAX #29
 * would part (whatever follows a ZWJ or a virama), never more than that.
 * @param len  over 0; the text is valid UTF-8, of anything else one byte is a character
 * @return 1..len. Any thread. */
apr_size_t wa_grapheme_first(const char *s, apr_size_t len);

#endif
