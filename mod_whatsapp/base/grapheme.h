/* SPDX-License-Identifier: Apache-2.0 */
/* What a reader sees as one character, so that no text is cut inside it. */
#ifndef WA_BASE_GRAPHEME_H
#define WA_BASE_GRAPHEME_H

#include <apr.h>

/* The bytes of the first user-perceived character of a text: a base with its combining marks,
 * vowel signs and variation selectors, emoji joined by ZWJ, with skin tones or tags, a flag of two
 * regional indicators, a Hangul syllable, a conjunct of Indic letters, CR LF.
 *
 * The rules are those of Unicode's UAX #29 (extended grapheme clusters) as utf8proc has them, and
 * one more: a letter behind a virama stays with it in every script, while UAX #29 keeps conjuncts
 * together in six of them.
 * @param len  over 0; of bytes that are not valid UTF-8 what one U+FFFD stands for is a character
 * @return 1..len. Any thread. */
apr_size_t wa_grapheme_first(const char *s, apr_size_t len);

#endif
