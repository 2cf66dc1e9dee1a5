/* SPDX-License-Identifier: Apache-2.0 */
/* A growing byte buffer on malloc, into which answers are rendered. */
#include "base/buffer.h"

#include <stdint.h>
#include <stdlib.h>

/* The first allocation: most single values fit, and doubling reaches a page list in a few steps. */
#define FIRST_CAP 256

/* Every number below 100 as two digits. */
static const char digit_pairs[] = "00010203040506070809101112131415161718192021222324"
                                  "25262728293031323334353637383940414243444546474849"
                                  "50515253545556575859606162636465666768697071727374"
                                  "75767778798081828384858687888990919293949596979899";

void wa_buffer_init(wa_buffer_t *b, apr_size_t cap)
{
    b->data = NULL;
    b->len = 0;
    b->cap = 0;
    b->failed = 0;
    if (cap > 0) {
        b->data = malloc(cap);
        b->cap = b->data ? cap : 0;
        b->failed = b->data == NULL;
    }
}

void wa_buffer_release(wa_buffer_t *b)
{
    free(b->data);
    wa_buffer_init(b, 0);
}

char *wa_buffer_take(wa_buffer_t *b, apr_size_t *plen)
{
    char *data = NULL;

    *plen = 0;
    if (b->len > 0 && !b->failed) {
        data = b->data;
        *plen = b->len;
        b->data = NULL;
    }
    wa_buffer_release(b);
    return data;
}

apr_status_t wa_buffer_slice(wa_buffer_t *b, wa_slice_t *pslice, apr_pool_t *p)
{
    const apr_status_t rv = b->failed ? APR_ENOMEM : APR_SUCCESS;

    *pslice = wa_slice_make(NULL, 0);
    if (rv == APR_SUCCESS && b->len > 0) {
        *pslice = wa_slice_make(wa_slice_string(wa_slice_make(b->data, b->len), p), b->len);
    }
    wa_buffer_release(b);
    return rv;
}

apr_status_t wa_buffer_reserve(wa_buffer_t *b, apr_size_t extra)
{
    apr_size_t cap;
    char *data;

    if (!b->failed && b->cap - b->len >= extra) {
        return APR_SUCCESS;
    }
    if (b->failed || extra > SIZE_MAX / 2 - b->len) {
        goto fail;
    }
    cap = b->cap < FIRST_CAP ? FIRST_CAP : b->cap * 2;
    if (cap < b->len + extra) {
        cap = b->len + extra;
    }
    data = realloc(b->data, cap);
    if (data == NULL) {
        goto fail;
    }
    b->data = data;
    b->cap = cap;
    return APR_SUCCESS;

fail:
    /* Without room left, every later append comes here and does nothing, also one that would
     * have fitted. */
    b->failed = 1;
    b->cap = b->len;
    return APR_ENOMEM;
}

void wa_buffer_add_int(wa_buffer_t *b, apr_int64_t value)
{
    char text[20]; /* "-9223372036854775808" */
    char *at = text + sizeof(text);
    apr_uint64_t rest = value < 0 ? 0 - (apr_uint64_t)value : (apr_uint64_t)value;

    while (rest >= 100) {
        apr_uint64_t pair = rest % 100;

        rest /= 100;
        at -= 2;
        memcpy(at, digit_pairs + 2 * pair, 2);
    }
    if (rest >= 10) {
        at -= 2;
        memcpy(at, digit_pairs + 2 * rest, 2);
    } else {
        *--at = (char)('0' + rest);
    }
    if (value < 0) {
        *--at = '-';
    }
    wa_buffer_add(b, at, (apr_size_t)(text + sizeof(text) - at));
}
