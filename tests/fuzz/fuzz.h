/* SPDX-License-Identifier: Apache-2.0 */
/* What the fuzz targets share. Each is built with libFuzzer, or with standalone.c for the tests. */
#ifndef WA_TEST_FUZZ_H
#define WA_TEST_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_general.h>
#include <apr_pools.h>

/* Feeds one input to the parser and aborts when the answer breaks a promise. @return 0 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Aborts, naming the promise, when it does not hold. */
#define FUZZ_CHECK(condition)                                                              \
    do {                                                                                   \
        if (!(condition)) {                                                                \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                                       \
        }                                                                                  \
    } while (0)

/* A malloc'd copy of exactly these bytes: a sanitizer sees every read beyond them. */
static inline char *fuzz_copy(const void *bytes, size_t len)
{
    char *copy = malloc(len);

    FUZZ_CHECK(copy != NULL || len == 0);
    if (len > 0) {
        memcpy(copy, bytes, len);
    }
    return copy;
}

/* A pool of its own for each input. */
static inline apr_pool_t *fuzz_pool(void)
{
    static int is_ready;
    apr_pool_t *p = NULL;

    if (!is_ready) {
        FUZZ_CHECK(apr_initialize() == APR_SUCCESS);
        is_ready = 1;
    }
    FUZZ_CHECK(apr_pool_create(&p, NULL) == APR_SUCCESS);
    return p;
}

#endif
