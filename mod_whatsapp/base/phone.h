/* SPDX-License-Identifier: Apache-2.0 */
/* Phone numbers: from what people type to E.164, and from a number to what may stand in a log. */
#ifndef WA_BASE_PHONE_H
#define WA_BASE_PHONE_H

#include <apr_pools.h>

/* Makes "+15551230001" of "whatsapp:+1 (555) 123-0001": drops one leading "whatsapp:" and,
 * everywhere, the separators that people type: space - . ( ) A leading space is a separator
 * here: who reads a query, where an unescaped '+' arrives as a space, puts it back first
 * (docs/API.md, Phone numbers).
 * @param typed  NUL-terminated, may be NULL
 * @return the number in p | NULL when the rest is not ^\+[1-9][0-9]{1,14}$ (E.164). Any thread. */
const char *wa_phone_normalize(const char *typed, apr_pool_t *p);

/* Makes what a log may show of a number or of any other address: "+1555***0001". An address with
 * fewer than 12 bytes shows its first 3 and last 2, with fewer than 8 nothing. A leading
 * "whatsapp:" is dropped; bytes that are not printable ASCII become '?'.
 * @param number  NUL-terminated, any bytes, may be NULL ("***")
 * @return the masked text in p, never NULL. Any thread. */
const char *wa_phone_mask(const char *number, apr_pool_t *p);

#endif
