/* SPDX-License-Identifier: Apache-2.0 */
/* What Unicode says of characters, and texts made such that what means the same is the same. */
#ifndef WA_BASE_UNICODE_H
#define WA_BASE_UNICODE_H

#include <apr_errno.h>
#include <apr_pools.h>

#include "base/slice.h"

/* Everything here comes out of utf8proc, and so is of the Unicode version that the system has. */

/* The character that a text begins with.
 * @param len    at least 1
 * @param pused  out: its bytes, 1..4
 * @return its code point; U+FFFD for bytes that are not valid, see wa_text_char. Any thread. */
apr_uint32_t wa_unicode_read(const char *s, apr_size_t len, apr_size_t *pused);

typedef enum {
    WA_UNICODE_OTHER = 0, /* spaces, punctuation, symbols, emoji, controls, what is not assigned */
    WA_UNICODE_LETTER,
    WA_UNICODE_MARK, /* belongs to the character before it */
    WA_UNICODE_NUMBER
} wa_unicode_class_e;

/* What kind of character it is (its General_Category). Any thread. */
wa_unicode_class_e wa_unicode_class(apr_uint32_t c);

/* 1 for a character that nobody sees: formatting (category Cf: marks of direction, joiners, the
 * soft hyphen, tags, the byte order mark), variation selectors, and whatever else is
 * Default_Ignorable_Code_Point, such as the fillers of Hangul and places that are kept for more of
 * them. Not white space and not the controls (Cc), which part words; not the few of Cf that are
 * drawn, such as the Arabic number sign. Any thread. */
int wa_unicode_is_invisible(apr_uint32_t c);

/* 1 for a character of which a reader sees nothing, wherever it stands: what is invisible, white
 * space, the controls, and the two of the symbols whose picture is empty (Braille without dots, the
 * head of a note that is not played). Any thread. */
int wa_unicode_is_unseen(apr_uint32_t c);

/* 1 when there is nothing to see in the text: it is empty, or every character is unseen. Bytes that
 * are not valid UTF-8 are seen. Any thread. */
int wa_text_is_unseen(const char *s, apr_size_t len);

/* 1 for a space within a line (category Zs): not tabs, not what ends a line. Any thread. */
int wa_unicode_is_space(apr_uint32_t c);

/* 1 for hyphens and dashes (category Pd). Any thread. */
int wa_unicode_is_dash(apr_uint32_t c);

/* The value of a decimal digit of any script (category Nd): 7 for "7", for the full-width one and
 * for the Arabic-Indic one. @return 0..9, -1 for all else, such as raised and circled digits. Any
 * thread. */
int wa_unicode_digit(apr_uint32_t c);

/* 1 for what directs how text is written and is not text (categories Cc, Cf, Zl, Zp): what must
 * stand in no file's name. Any thread. */
int wa_unicode_is_control(apr_uint32_t c);

typedef enum {
    WA_FOLD_MARKS_KEPT,    /* the same word: "STOP" is "stop", "stöp" is not */
    WA_FOLD_MARKS_STRIPPED /* for search: "cafe" finds "Café" */
} wa_fold_e;

/* Folds a text, so that texts that differ only in how they are written become equal: compatibility
 * decomposition (NFKD), full case folding, without what is invisible. "STRASSE" and "Straße" become
 * "strasse"; full-width, mathematical and circled letters the plain ones; the Turkish capital İ
 * becomes i; the sigma at the end of a word one like the others. Folding twice changes nothing
 * more.
 *
 * WA_FOLD_MARKS_STRIPPED also drops the marks that accent a letter: those of Latin, Greek and
 * Cyrillic, points of Hebrew, Arabic and Syriac, the dots of the Indic nukta, enclosing rings. It
 * keeps those that are letters in their script, without which other words remain: vowel signs and
 * viramas from India to Cambodia, the vowels and tones of Thai and Lao, the voicing of kana. What
 * is a letter of its own to Unicode stays one: đ, ø and ł are not d, o and l.
 *
 * Of more than 30 marks on one character the rest is left out (UAX #15's stream-safe limit): no
 * word has them, and the time stays linear in text.len.
 * @param text       UTF-8 without NUL
 * @param bytes_max  the longest result; folding gives at most 11 bytes for each
 * @param pfolded    out: in p, a NUL behind it; empty unless APR_SUCCESS
 * @return APR_SUCCESS | APR_EINVAL not UTF-8, or a NUL in it | APR_ENOSPC over bytes_max |
 *         APR_ENOMEM. Any thread that may use p. */
apr_status_t wa_text_fold(wa_slice_t text, wa_fold_e how, apr_size_t bytes_max, wa_slice_t *pfolded,
                          apr_pool_t *p);

#endif
