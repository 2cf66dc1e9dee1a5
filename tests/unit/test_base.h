/* SPDX-License-Identifier: Apache-2.0 */
/* What the base layer's test programs share: a pool for each test, exact copies, random bytes. */
#ifndef WA_TEST_BASE_H
#define WA_TEST_BASE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <apr_general.h>
#include <apr_pools.h>

/* How many elements an array has. */
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Group and test fixtures: *state is the test's pool. */
static inline int apr_setup(void **state)
{
    (void)state;
    return apr_initialize() == APR_SUCCESS ? 0 : -1;
}

static inline int apr_teardown(void **state)
{
    (void)state;
    apr_terminate();
    return 0;
}

static inline int pool_setup(void **state)
{
    apr_pool_t *p = NULL;
    apr_status_t rv = apr_pool_create(&p, NULL);

    *state = p;
    return rv == APR_SUCCESS ? 0 : -1;
}

static inline int pool_teardown(void **state)
{
    apr_pool_destroy(*state);
    return 0;
}

#define POOL_TEST(f) cmocka_unit_test_setup_teardown(f, pool_setup, pool_teardown)

/* A malloc'd copy of exactly these bytes: a sanitizer sees every read beyond them. */
static inline char *exact_copy(const void *bytes, size_t len)
{
    char *copy = malloc(len);

    assert_true(copy != NULL || len == 0);
    if (len > 0) {
        memcpy(copy, bytes, len);
    }
    return copy;
}

/* The next of a fixed sequence of random numbers (xorshift64*): every run tests the same. */
static inline uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed >> 12;
    *seed ^= *seed << 25;
    *seed ^= *seed >> 27;
    return *seed * 0x2545f4914f6cdd1dULL;
}

/* Encodes a code point (also a surrogate, by the same rule). @return the bytes used, 1..4 */
static inline size_t encode_utf8(uint32_t cp, char *to)
{
    if (cp < 0x80) {
        to[0] = (char)cp;
        return 1;
    }
    if (cp < 0x800) {
        to[0] = (char)(0xc0 | cp >> 6);
        to[1] = (char)(0x80 | (cp & 0x3f));
        return 2;
    }
    if (cp < 0x10000) {
        to[0] = (char)(0xe0 | cp >> 12);
        to[1] = (char)(0x80 | (cp >> 6 & 0x3f));
        to[2] = (char)(0x80 | (cp & 0x3f));
        return 3;
    }
    to[0] = (char)(0xf0 | cp >> 18);
    to[1] = (char)(0x80 | (cp >> 12 & 0x3f));
    to[2] = (char)(0x80 | (cp >> 6 & 0x3f));
    to[3] = (char)(0x80 | (cp & 0x3f));
    return 4;
}

#endif
