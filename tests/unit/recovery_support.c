/* SPDX-License-Identifier: Apache-2.0 */
/* A filled store to be hurt, and what has to be there when it is opened again. */
#include "recovery_support.h"

#include <apr_general.h>

#include "test_shard.h"

recovery_t *recovery_create(const char *type)
{
    fixture_t *f = fixture_create(type);
    recovery_t *b = apr_pcalloc(f->p, sizeof(*b));
    const op_t *ops;
    apr_pool_t *tmp;
    int count, i;

    fixture_close(f);
    f->sync = WA_SYNC_ALWAYS;
    fixture_open(f);
    b->f = f;
    b->model = model_create(f->p);
    ops = model_ops(&count);
    for (i = 0; i < count; i++) {
        assert_int_equal(model_run(b->model, f, &ops[i]), APR_SUCCESS);
    }
    b->killed = snapshot_take(f, f->p);
    for (i = 0; i < b->killed->count; i++) {
        if (strcmp(b->killed->files[i].name, "journal") == 0) {
            /* much less of what is allocated ahead: looking through megabytes of zeros takes most
             * of the time otherwise */
            b->killed->files[i].size = b->killed->files[i].length + (64 << 10);
        }
    }
    fixture_close(f);
    b->closed = snapshot_take(f, f->p);
    /* the same records once more, for a checkpoint in their middle */
    snapshot_restore(b->killed, f);
    {
        apr_size_t size;
        char *journal = snapshot_file(b->killed, "journal", &size),
             *copy = apr_pmemdup(f->p, journal, size);
        apr_uint64_t half = b->model->records[count / 2].begin;

        memset(journal + half, 0, size - half);
        snapshot_restore(b->killed, f);
        memcpy(journal, copy, size);
        fixture_open(f);
        fixture_close(f);
        b->half = snapshot_take(f, f->p);
        assert_int_equal(apr_pool_create(&tmp, f->p), APR_SUCCESS);
        for (i = 0; i < b->half->count; i++) {
            if (strcmp(b->half->files[i].name, "journal") == 0) {
                b->half->files[i].bytes = copy;
                b->half->files[i].size = size;
                b->half->files[i].length = (apr_size_t)b->model->records[count - 1].end;
            }
        }
    }
    assert_int_equal(apr_pool_create(&b->p, f->p), APR_SUCCESS);
    return b;
}

void recovery_image_check(recovery_t *b, int count, const char *lost, const char *what)
{
    const char *wanted = model_image(b->model, count, lost, b->p);
    const char *found = store_image(b->model, b->f, b->p);

    if (strcmp(wanted, found) != 0) {
        fail_msg("%s\nwanted:\n%s\nfound:\n%s\nlog:\n%s", what, wanted, found, fixture_log());
    }
}

void recovery_write_check(recovery_t *b, const char *id)
{
    wa_message_t m;

    message_add(b->f, id, apr_pstrcat(b->p, "SM", id, NULL), "+19990001", WA_DIRECTION_RECEIVED);
    assert_int_equal(wa_store_message_find(b->f->store, id, &m, b->p), APR_SUCCESS);
    assert_int_equal(thread_get(b->f, "+19990001").message_count, 1);
}

void recovery_check(recovery_t *b, int count, const char *lost, const char *tag, const char *what)
{
    fixture_log_clear();
    assert_int_equal(fixture_open_status(b->f), APR_SUCCESS);
    recovery_image_check(b, count, lost, what);
    if (tag ? !strstr(fixture_log(), tag)
            : strstr(fixture_log(), "WA04") && !strstr(fixture_log(), "WA0433")) {
        fail_msg("%s: the log should say %s, it says:\n%s", what, tag ? tag : "nothing",
                 fixture_log());
    }
    fixture_log_clear();
    fixture_reopen(b->f);
    if (*fixture_log()) {
        fail_msg("%s: the second start says:\n%s", what, fixture_log());
    }
    recovery_image_check(b, count, lost, what);
    fixture_close(b->f);
    apr_pool_clear(b->p);
}

void recovery_file_write(recovery_t *b, const char *name, const void *bytes, apr_size_t len)
{
    int fd = open(apr_pstrcat(b->p, b->f->directory, "/store/", name, NULL),
                  O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, len), len);
    close(fd);
}

int recovery_setup(void **state)
{
    *state = recovery_create(*state);
    return 0;
}

int recovery_teardown(void **state)
{
    recovery_t *b = *state;

    fixture_destroy(b->f);
    return 0;
}

static int is_never(const struct CMUnitTest *test)
{
    (void)test;
    return 0;
}

int recovery_run(const char *group, struct CMUnitTest *tests, size_t count,
                 int (*is_divided)(const struct CMUnitTest *test))
{
    const size_t mine = shard_tests(tests, count, is_divided ? is_divided : is_never);
    const char *only = getenv("WA_TEST_ONLY");
    int failed;

    if (only) {
        cmocka_set_test_filter(only);
    }
    apr_initialize();
    failed = _cmocka_run_group_tests(group, tests, mine, NULL, NULL);
    if (!failed) {
        apr_terminate(); /* a failed test leaves a store open in the middle of something */
    }
    return failed;
}
