/* SPDX-License-Identifier: Apache-2.0 */
/* Tests a journal that was put back into a directory whose other files tell of another course of
 * the same store. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "store/dbm/lifecycle/snapshot.h"
#include "store_image.h"
#include "store_model.h"
#include "store_snapshot.h"
#include "store_quick.h"

/* A store up to where its courses part. */
typedef struct fork_t {
    fixture_t *f;
    const model_t *model;
    snapshot_t *directory;
    apr_pool_t *p; /* for one case */
} fork_t;

/* What happened on one side after the fork, and the directory then. */
typedef struct course_t {
    model_t *model;
    snapshot_t *directory;
} course_t;

static fork_t *fork_create(const char *type)
{
    fixture_t *f = fixture_create(type);
    fork_t *k = apr_pcalloc(f->p, sizeof(*k));
    model_t *model = model_create(f->p);
    const op_t *ops;
    int count, i;

    ops = model_ops(&count);
    for (i = 0; i < count; i++) {
        assert_int_equal(model_run(model, f, &ops[i]), APR_SUCCESS);
    }
    fixture_close(f);
    k->f = f;
    k->model = model;
    k->directory = snapshot_take(f, f->p);
    assert_int_equal(apr_pool_create(&k->p, f->p), APR_SUCCESS);
    return k;
}

/* Goes on from the fork. */
static course_t course_run(fork_t *k, const op_t *ops, int count)
{
    course_t course = {apr_pmemdup(k->p, k->model, sizeof(*k->model)), NULL};
    int i;

    course.model->p = k->p;
    snapshot_restore(k->directory, k->f);
    fixture_open(k->f);
    for (i = 0; i < count; i++) {
        assert_int_equal(model_run(course.model, k->f, &ops[i]), APR_SUCCESS);
    }
    fixture_close(k->f);
    course.directory = snapshot_take(k->f, k->p);
    return course;
}

/* Puts `journal`'s journal beside all else of `rest`. */
static void mixed_restore(fork_t *k, const snapshot_t *journal, const snapshot_t *rest)
{
    snapshot_t *mixed = apr_pmemdup(k->p, rest, sizeof(*mixed));
    int i;

    for (i = 0; i < mixed->count; i++) {
        if (strcmp(mixed->files[i].name, "journal") == 0) {
            mixed->files[i].bytes = snapshot_file(journal, "journal", &mixed->files[i].size);
            mixed->files[i].length = mixed->files[i].size;
        }
    }
    snapshot_restore(mixed, k->f);
}

static int damage_count(fork_t *k)
{
    const snapshot_t *s = snapshot_take(k->f, k->p);
    int i, count = 0;

    for (i = 0; i < s->count; i++) {
        count += strncmp(s->files[i].name, "damaged-", strlen("damaged-")) == 0;
    }
    return count;
}

/* The store must hold what its journal says, all of it and nothing else, and say `tag` (NULL:
 * nothing that calls for anybody). */
static void journal_check(fork_t *k, const course_t *course, const char *tag, const char *what)
{
    const char *wanted = model_image(course->model, course->model->count, NULL, k->p);
    const char *found;

    fixture_log_clear();
    fixture_open(k->f);
    found = store_image(course->model, k->f, k->p);
    if (strcmp(wanted, found) != 0) {
        fail_msg("%s\nwanted:\n%s\nfound:\n%s\nlog:\n%s", what, wanted, found, fixture_log());
    }
    if (tag ? !strstr(fixture_log(), tag) : strstr(fixture_log(), "WA0430") != NULL) {
        fail_msg("%s: the log should say %s, it says:\n%s", what, tag ? tag : "nothing",
                 fixture_log());
    }
    fixture_close(k->f);
    if (damage_count(k)) {
        fail_msg("%s: a good record was set aside as damage:\n%s", what, fixture_log());
    }
}

/* A tool that believes the checkpoint where it may. */
static void view_check(fork_t *k, int is_from_checkpoint, const char *what)
{
    const wa_snapshot_options_t options = {
        .directory = apr_pstrcat(k->p, k->f->directory, "/store", NULL), .is_quick = 1};
    const char *error;
    wa_snapshot_t *snapshot;
    apr_pool_t *p;

    assert_int_equal(apr_pool_create(&p, k->p), APR_SUCCESS);
    assert_int_equal(wa_snapshot_open(&snapshot, &options, &error, p), APR_SUCCESS);
    if (snapshot->is_from_checkpoint != is_from_checkpoint) {
        fail_msg("%s: a tool should%s believe the checkpoint", what,
                 is_from_checkpoint ? "" : " not");
    }
    apr_pool_destroy(p);
}

static apr_uint64_t course_end(const course_t *course)
{
    return course->model->records[course->model->count - 1].end;
}

/* Records of every type, of different lengths and of the same one. */
static const op_t extras[] = {
    {OP_READ, "+15551230001", NULL, NULL, NULL},
    {OP_READ, "BSUID.44f9a0", NULL, NULL, NULL},
    {OP_FLAGS, "+15551230002", NULL, NULL, NULL},
    {OP_NAME, "c-1", "+15551230001", "Eva", NULL},
    {OP_NAME, "c-1", "+15551230001", "Ida", NULL},
    {OP_NAME, "c-9", "+15551230009", "Somebody with quite a long name", NULL},
    {OP_FORGET, "c-3", NULL, NULL, NULL},
    {OP_PARK, "SMpark1", "failed", NULL, NULL},
    {OP_STATE, "out-1", NULL, "\"status\":\"success\",\"n\":8", NULL},
    {OP_STATE, "out-1", NULL, "\"status\":\"success\",\"n\":9", NULL},
    {OP_STATE, "out-4", "SMout4b", "\"status\":\"success\",\"n\":12345678", NULL},
    {OP_IN, "in-20", "SMin20", "+15551230001", NULL},
    {OP_IN, "in-21", "SMin21", "+15551230001", NULL},
    {OP_IN, "in-22", "SMin22", "+15551230004", "\"a longer text than that of the other ones\""},
    {OP_OUT, "out-20", "key-20", "+15551230002", NULL},
};

enum { EXTRAS = sizeof(extras) / sizeof(extras[0]) };

/* What both sides may go on with after their first record. */
static const op_t more[] = {
    {OP_IN, "in-30", "SMin30", "+15551230001", NULL},
    {OP_IN, "in-31", "SMin31", "+15551230002", NULL},
    {OP_NAME, "c-8", "+15551230008", "Zoe", NULL},
};

enum { MORE = sizeof(more) / sizeof(more[0]) };

static void a_journal_of_another_course_is_read_anew(void **state)
{
    fork_t *k = *state;
    course_t before[EXTRAS], after[EXTRAS][2];
    int a, b, is_long;

    for (a = 0; a < EXTRAS; a++) {
        op_t ops[1 + MORE] = {extras[a]};

        memcpy(ops + 1, more, sizeof(more));
        before[a] = course_run(k, ops, 1);
        after[a][0] = course_run(k, ops, 1);
        after[a][1] = course_run(k, ops, 1 + MORE);
    }
    assert_int_equal(apr_pool_create(&k->p, k->f->p), APR_SUCCESS);
    for (a = 0; a < EXTRAS; a++) {
        for (b = 0; b < EXTRAS; b++) {
            for (is_long = 0; is_long < 2; is_long++) {
                const course_t *now = &after[b][is_long];
                const char *what =
                    apr_psprintf(k->p, "%d was, %d came instead, long %d", a, b, is_long);

                mixed_restore(k, now->directory, before[a].directory);
                view_check(k, 0, what);
                /* a journal that is shorter than before has a sentence of its own */
                journal_check(k, now,
                              course_end(now) < course_end(&before[a]) ? "WA0435" : "WA0430", what);
                apr_pool_clear(k->p);
            }
        }
    }
}

/* The files of a moment before, and a journal that went on from there: nothing is made again. */
static void a_journal_that_went_on_is_applied(void **state)
{
    fork_t *k = *state;
    int a;

    for (a = 0; a < EXTRAS; a++) {
        op_t ops[1 + MORE] = {extras[a]};
        course_t later;

        memcpy(ops + 1, more, sizeof(more));
        later = course_run(k, ops, 1 + MORE);
        mixed_restore(k, later.directory, k->directory);
        view_check(k, 1, "went on");
        journal_check(k, &later, NULL, apr_psprintf(k->p, "went on with %d", a));
        apr_pool_clear(k->p);
    }
}

static int setup(void **state)
{
    *state = fork_create(*state);
    return 0;
}

static int teardown(void **state)
{
    fork_t *k = *state;

    fixture_destroy(k->f);
    return 0;
}

#define TEST(f, type) cmocka_unit_test_prestate_setup_teardown(f, setup, teardown, (void *)(type))

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_journal_of_another_course_is_read_anew, "sdbm"),
        TEST(a_journal_that_went_on_is_applied, "db"),
    };
    int failed;

    apr_initialize();
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    if (!failed) {
        apr_terminate();
    }
    return failed;
}
