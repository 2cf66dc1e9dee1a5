/* SPDX-License-Identifier: Apache-2.0 */
/* A filled store to be hurt, and what has to be there when it is opened again. */
#ifndef WA_TESTS_RECOVERY_SUPPORT_H
#define WA_TESTS_RECOVERY_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_strings.h>

#include "store/dbm/dbm.h"
#include "store_image.h"
#include "store_model.h"
#include "store_snapshot.h"

/* A filled store as it was at one moment, and the model of what it must hold. */
typedef struct recovery_t {
    fixture_t *f; /* closed */
    model_t *model;
    snapshot_t *killed; /* everything after a checkpoint that is empty: nobody closed it */
    snapshot_t *half;   /* the same with a checkpoint of the first half */
    snapshot_t *closed; /* closed in order */
    apr_pool_t *p;      /* for one test */
} recovery_t;

/* Fills a store of this type (apr_dbm's). */
recovery_t *recovery_create(const char *type);

/* Makes a file of the store's directory what is given. */
void recovery_file_write(recovery_t *b, const char *name, const void *bytes, apr_size_t len);

/* What the store holds must be the first `count` records but for the lost ones. */
void recovery_image_check(recovery_t *b, int count, const char *lost, const char *what);

/* The store must still take a new message, once. */
void recovery_write_check(recovery_t *b, const char *id);

/* Opens what is in the directory: it must hold the first `count` records but for the lost ones, say
 * `tag` (NULL: nothing at warning level), and be sound when it is opened again. */
void recovery_check(recovery_t *b, int count, const char *lost, const char *tag, const char *what);

int recovery_setup(void **state);
int recovery_teardown(void **state);

#define TEST(f, type) \
    cmocka_unit_test_prestate_setup_teardown(f, recovery_setup, recovery_teardown, (void *)(type))
#define ALL_TYPES(f) TEST(f, "db"), TEST(f, "gdbm"), TEST(f, "sdbm")

/* Runs this process's share of the tests (test_shard.h).
 * @param is_divided  says which of them every process takes part in; NULL: none
 * @return what main returns */
int recovery_run(const char *group, struct CMUnitTest *tests, size_t count,
                 int (*is_divided)(const struct CMUnitTest *test));

#endif
