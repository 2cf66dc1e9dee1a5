/* SPDX-License-Identifier: Apache-2.0 */
/* Identifiers: ours (UUID v4) and the shape of Twilio's (SIDs). */
#ifndef WA_BASE_ID_H
#define WA_BASE_ID_H

#include <apr_pools.h>

/* Makes a random UUID, version 4 (RFC 9562 section 5.4), 36 bytes in lower case, from OpenSSL's
 * generator (reseeded after fork).
 * @return the id in p | NULL when the system gives no random bytes. Any thread that may use p. */
const char *wa_id_uuid4(apr_pool_t *p);

/* 1 when `s` has the shape of a UUID: hex digits of either case in groups of 8-4-4-4-12 (RFC
 * 9562 section 4), any version, and nothing else. NULL gives 0. Any thread. */
int wa_id_is_uuid(const char *s);

/* 1 when `s` has the shape of a Twilio SID: one of the prefixes and then exactly 32 hex digits
 * of either case (docs/TWILIO.md section 2.2).
 * @param s         NUL-terminated, may be NULL (gives 0)
 * @param prefixes  comma separated without spaces, e.g. "SM,MM"
 * @return 1 | 0. Any thread. */
int wa_id_is_sid(const char *s, const char *prefixes);

#endif
