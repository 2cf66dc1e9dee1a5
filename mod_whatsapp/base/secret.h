/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets: a type that no %s takes by accident, compared in constant time, wiped after use. */
#ifndef WA_BASE_SECRET_H
#define WA_BASE_SECRET_H

#include <apr.h>
#include <apr_pools.h>

/* Bytes that must not reach a log, an answer or a core file for longer than needed. `bytes` is
 * NULL only when `len` is 0. */
typedef struct wa_secret_t {
    const char *bytes;
    apr_size_t len;
} wa_secret_t;

/* Copies `len` bytes (any) into p with a NUL after them; the copy is wiped when p is cleared.
 * The caller wipes its own copy. Any thread that may use p. */
wa_secret_t wa_secret_make(const char *s, apr_size_t len, apr_pool_t *p);

/* 1 when the secret is exactly these bytes, else 0. The time taken depends on the lengths only.
 * An empty secret equals nothing, not even nothing: a missing token must never match
 * (docs/TWILIO.md section 4). Any thread. */
int wa_secret_is_equal(wa_secret_t secret, const void *bytes, apr_size_t len);

/* Overwrites `len` bytes in a way that the compiler cannot leave out. NULL with 0 is fine. Any
 * thread. */
void wa_secret_wipe(void *bytes, apr_size_t len);

#endif
