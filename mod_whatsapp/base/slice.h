/* SPDX-License-Identifier: Apache-2.0 */
/* A borrowed piece of memory with a length: the type of every string without a NUL at its end. */
#ifndef WA_BASE_SLICE_H
#define WA_BASE_SLICE_H

#include <string.h>

#include <apr.h>

/* Points into memory that somebody else owns; `ptr` is NULL only when `len` is 0. */
typedef struct wa_slice_t {
    const char *ptr;
    apr_size_t len;
} wa_slice_t;

/* A slice over a string literal. */
#define WA_SLICE_LITERAL(s) ((wa_slice_t){(s), sizeof(s) - 1})

/* A slice over a NUL-terminated string, which may be NULL (empty slice). Any thread. */
static inline wa_slice_t wa_slice_of(const char *s)
{
    wa_slice_t slice = {s, s ? strlen(s) : 0};
    return slice;
}

/* A slice over `len` bytes at `ptr`. Any thread. */
static inline wa_slice_t wa_slice_make(const void *ptr, apr_size_t len)
{
    wa_slice_t slice = {(const char *)ptr, len};
    return slice;
}

/* 1 when both hold the same bytes, else 0. Any thread. */
static inline int wa_slice_is_equal(wa_slice_t a, wa_slice_t b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

#endif
