/* SPDX-License-Identifier: Apache-2.0 */
/* A test program that may be run as several processes at once, each with its share of the tests and
 * of their longest loops. */
#ifndef WA_TEST_SHARD_H
#define WA_TEST_SHARD_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct shard_t {
    unsigned number, count;
} shard_t;

/* What WA_TEST_SHARD says, "2/4" for the second of four; without it one process does all. */
static inline shard_t shard_get(void)
{
    const char *text = getenv("WA_TEST_SHARD");
    shard_t shard = {1, 1};

    if (text
        && (sscanf(text, "%u/%u", &shard.number, &shard.count) != 2 || shard.number < 1
            || shard.number > shard.count)) {
        fprintf(stderr, "WA_TEST_SHARD is number/count, not %s\n", text);
        exit(2);
    }
    return shard;
}

/* 1 when the next turn of a loop is this process's. To be called once for each turn, so that
 * together all processes do them all. */
static inline int shard_turn(void)
{
    static unsigned turns;
    const shard_t shard = shard_get();

    return turns++ % shard.count == shard.number - 1;
}

/* Leaves this process's tests in `tests` and the ones that every process takes part in; those have
 * `is_divided` set.
 * @return how many */
static inline size_t shard_tests(struct CMUnitTest *tests, size_t count,
                                 int (*is_divided)(const struct CMUnitTest *test))
{
    const shard_t shard = shard_get();
    size_t i, kept = 0, whole = 0;

    for (i = 0; i < count; i++) {
        if (is_divided(&tests[i]) || whole++ % shard.count == shard.number - 1) {
            tests[kept++] = tests[i];
        }
    }
    return kept;
}

#endif
