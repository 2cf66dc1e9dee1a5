/* SPDX-License-Identifier: Apache-2.0 */
/* Phone numbers: from what people type to E.164, and from a number to what may stand in a log. */
#ifndef WA_BASE_PHONE_H
#define WA_BASE_PHONE_H

#include <apr_pools.h>

#include "base/slice.h"

/* Numbers are read as people write and copy them:
 * - one leading "whatsapp:" or "tel:" is dropped, in any case; a tel URI's parameters are refused,
 *   for an extension (;ext=) is somebody else;
 * - everywhere dropped are spaces, what nobody sees (marks of direction, joiners, variation
 *   selectors), hyphens and dashes, dots, slashes, and brackets; tabs and ends of lines only around
 *   the number. The wave dash is refused: it means "up to";
 * - digits of every script (Unicode Nd) are the ASCII ones, and the full-width plus is a plus;
 * - a 0 in brackets directly after the country code, as in +44 (0)20 or +44 (020), is what is
 *   dialled within the country, and dropped. Where numbers begin with 0 for everybody (Italy,
 *   Benin, Congo, Ivory Coast, San Marino) it stays. A (0) anywhere else is refused;
 * - 00 in front is not read as +: in some countries it is the beginning of another number.
 * What is left has to be ^\+[1-9][0-9]{1,14}$ (E.164). frontend/js/typed.js reads alike, and
 * tests/number-vectors.json holds both to it. */

typedef enum {
    WA_PHONE_IS_FINE = 0,
    WA_PHONE_NO_PLUS,
    WA_PHONE_DOUBLE_ZERO,    /* 00 where + has to stand */
    WA_PHONE_CHARACTER,      /* one that stands in no number: `character` */
    WA_PHONE_ZERO_FIRST,     /* no country code begins with 0 */
    WA_PHONE_ZERO_ELSEWHERE, /* a (0) that is not after the country code */
    WA_PHONE_FEW_DIGITS,     /* under 2, none of them included */
    WA_PHONE_MANY_DIGITS     /* over 15 */
} wa_phone_fault_e;

/* The first thing that is wrong with what was typed. */
typedef struct wa_phone_fault_t {
    wa_phone_fault_e what;
    apr_uint32_t character; /* with WA_PHONE_CHARACTER; U+FFFD for bytes that are not UTF-8 */
    int has_plus;           /* a + was read before it: a number was meant */
} wa_phone_fault_t;

/* Reads a number.
 * @param typed   any bytes; a space in front is dropped (see wa_phone_plus_restore)
 * @param pfault  out: WA_PHONE_IS_FINE, or what is wrong; may be NULL
 * @return the number in p | NULL. Any thread. */
const char *wa_phone_read(wa_slice_t typed, wa_phone_fault_t *pfault, apr_pool_t *p);

/* The same of a NUL-terminated text, which may be NULL. */
const char *wa_phone_normalize(const char *typed, apr_pool_t *p);

/* Says what is wrong, in words that follow "...: ", such as "it has no + in front". Of what was
 * typed it tells the one character. @return static, or in p. Any thread. */
const char *wa_phone_fault_say(const wa_phone_fault_t *fault, apr_pool_t *p);

/* Puts back the + that arrives as a space where a query's author did not escape it: the last space
 * before the first digit, when nothing but what is dropped stands before that digit; else a space
 * in front, when no + follows: other ids may begin with + too.
 * @return the text, or a copy of it in p. Any thread. */
wa_slice_t wa_phone_plus_restore(wa_slice_t text, apr_pool_t *p);

/* Makes what a log may show of a number or of any other address: "+1555***0001". An address with
 * fewer than 12 bytes shows its first 3 and last 2, with fewer than 8 nothing. A leading
 * "whatsapp:" is dropped; bytes that are not printable ASCII become '?'.
 * @param number  NUL-terminated, any bytes, may be NULL ("***")
 * @return the masked text in p, never NULL. Any thread. */
const char *wa_phone_mask(const char *number, apr_pool_t *p);

#endif
