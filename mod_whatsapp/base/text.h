/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8 text: validity, length as JavaScript counts it, white space, prefixes. */
#ifndef WA_BASE_TEXT_H
#define WA_BASE_TEXT_H

#include <apr.h>

#include "base/slice.h"

/* No function here reads beyond `len` bytes, needs a NUL, allocates, or costs more than one
 * pass. All may be called by any thread. */

/* Measures the character that `s` begins with (Unicode 15, table 3-7: no overlong form, no
 * surrogate, nothing above U+10FFFF; NUL is a character here).
 * @param len    at least 1
 * @param pused  out: its bytes, 1..4. When it is not valid: the bytes (1..3) that one U+FFFD
 *               stands for (Unicode 15, 3.9 "maximal subparts")
 * @return 1 valid | 0 not */
int wa_text_char(const char *s, apr_size_t len, apr_size_t *pused);

/* 1 when all `len` bytes are strict UTF-8 (RFC 3629: no overlong forms, no surrogates, nothing
 * above U+10FFFF) and hold no NUL, else 0. The empty text is valid. */
int wa_text_is_utf8(const char *s, apr_size_t len);

/* The length in UTF-16 code units: what JavaScript's String.length says. For bytes that are not
 * valid UTF-8 the number means nothing, but nothing breaks. */
apr_size_t wa_text_utf16_length(const char *s, apr_size_t len);

/* 1 when the text is empty or only Unicode White_Space (PropList.txt), else 0. Invalid UTF-8 is not
 * white space, nor is what nobody sees (wa_unicode_is_invisible). */
int wa_text_is_blank(const char *s, apr_size_t len);

/* The text without Unicode White_Space at both ends; points into the same memory. */
wa_slice_t wa_text_trim(wa_slice_t s);

/* How many bytes the first `characters` code points take: a place where the text can be cut.
 * `len` when it has no more than that. */
apr_size_t wa_text_prefix(const char *s, apr_size_t len, apr_size_t characters);

#endif
