/* SPDX-License-Identifier: Apache-2.0 */
/* A borrowed piece of memory with a length: the type of every string without a NUL at its end. */
#ifndef WA_BASE_SLICE_H
#define WA_BASE_SLICE_H

#include <string.h>

#include <apr_pools.h>

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

/* The bytes as a NUL-terminated copy of the caller's own in p: "" for the empty slice, never NULL.
 * Whoever goes on with strlen sees it end at a NUL among the bytes. apr_pstrmemdup gives NULL where
 * `ptr` is NULL, as it is in a form's value without '=': lint lets nothing else make strings of
 * slices. Any thread. */
static inline char *wa_slice_string(wa_slice_t s, apr_pool_t *p)
{
    char *text = (char *)apr_palloc(p, s.len + 1);

    if (s.len > 0) {
        memcpy(text, s.ptr, s.len);
    }
    text[s.len] = '\0';
    return text;
}

/* 1 when both hold the same bytes, else 0. Any thread. */
static inline int wa_slice_is_equal(wa_slice_t a, wa_slice_t b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

#endif
