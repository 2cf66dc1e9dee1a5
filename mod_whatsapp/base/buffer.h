/* SPDX-License-Identifier: Apache-2.0 */
/* A growing byte buffer on malloc, into which answers are rendered. */
#ifndef WA_BASE_BUFFER_H
#define WA_BASE_BUFFER_H

#include <string.h>

#include <apr.h>
#include <apr_errno.h>
#include <apr_pools.h>

#include "base/slice.h"

/* Caller's storage. The bytes are malloc'd so that they can be handed to an apr heap bucket
 * without a copy. Invariant: len <= cap; `failed` is set once memory ran out and stays set,
 * later appends do nothing. */
typedef struct wa_buffer_t {
    char *data;
    apr_size_t len;
    apr_size_t cap;
    int failed;
} wa_buffer_t;

/* Makes *b empty with room for `cap` bytes (0 is fine: the first append allocates). Any thread. */
void wa_buffer_init(wa_buffer_t *b, apr_size_t cap);

/* Frees the bytes; *b is empty and usable again. Any thread. */
void wa_buffer_release(wa_buffer_t *b);

/* Gives the malloc'd bytes to the caller, who frees them with free(); *b is empty afterwards.
 * @return the bytes, NULL when nothing was ever appended or memory ran out. Any thread. */
char *wa_buffer_take(wa_buffer_t *b, apr_size_t *plen);

/* Moves the bytes into p, with a NUL after their end; *b is empty afterwards.
 * @param pslice  out: empty when nothing was appended, or unless APR_SUCCESS
 * @return APR_SUCCESS | APR_ENOMEM an append had failed. Any thread that may use p. */
apr_status_t wa_buffer_slice(wa_buffer_t *b, wa_slice_t *pslice, apr_pool_t *p);

/* Makes room for `extra` more bytes. @return APR_SUCCESS | APR_ENOMEM (and b->failed is set).
 * Any thread. */
apr_status_t wa_buffer_reserve(wa_buffer_t *b, apr_size_t extra);

/* Appends a number in decimal. Any thread. */
void wa_buffer_add_int(wa_buffer_t *b, apr_int64_t value);

/* Appends `len` bytes. A failure is remembered in b->failed, so that callers check once at the
 * end. Any thread. */
static inline void wa_buffer_add(wa_buffer_t *b, const void *bytes, apr_size_t len)
{
    if (b->cap - b->len < len && wa_buffer_reserve(b, len) != APR_SUCCESS) {
        return;
    }
    if (len > 0) {
        memcpy(b->data + b->len, bytes, len);
        b->len += len;
    }
}

/* Appends a slice. Any thread. */
static inline void wa_buffer_add_slice(wa_buffer_t *b, wa_slice_t s)
{
    wa_buffer_add(b, s.ptr, s.len);
}

/* Appends a string literal. Any thread. */
#define WA_BUFFER_ADD_LITERAL(b, s) wa_buffer_add((b), (s), sizeof(s) - 1)

#endif
