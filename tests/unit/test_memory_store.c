/* SPDX-License-Identifier: Apache-2.0 */
/* Tests the store with a heap that is full at each of its allocations: it says so or the process
 * ends, and what is on the disk is sound. */
#include "memory_faults.h"

#include <stdio.h>
#include <string.h>

#include <apr_strings.h>

#include "store/dbm/dbm.h"
#include "store_image.h"
#include "store_model.h"
#include "store_snapshot.h"
#include "store_quick.h"

enum { BEFORE = 55, OPS_MAX = 128 };

/* What a child says of its life, in memory that outlives it. */
typedef struct report_t {
    int is_open;
    int is_stored[OPS_MAX]; /* operation n made a record, whatever its answer */
    int done;               /* operations that came to their end */
    apr_status_t rv;        /* of the open */
    unsigned seen;          /* allocations */
} report_t;

typedef struct world_t {
    fixture_t *f;
    const model_t *model;
    snapshot_t *directory;
    report_t *report;
    const op_t *ops;
    int op_count;
    apr_pool_t *p; /* for one case */
    unsigned at, times;
} world_t;

static int status_is_known(apr_status_t rv)
{
    return rv == APR_SUCCESS || rv == APR_ENOMEM || rv == APR_EGENERAL || APR_STATUS_IS_ENOSPC(rv)
           || APR_STATUS_IS_TIMEUP(rv) || APR_STATUS_IS_NOTFOUND(rv) || APR_STATUS_IS_EEXIST(rv);
}

/* Opens the store, does what is left of the operations and closes it, with one allocation
 * failing. */
static void life(void *baton)
{
    world_t *w = baton;
    report_t *report = w->report;
    model_t model = *w->model;
    apr_pool_t *p = memory_pool();
    int i;

    model.p = memory_pool();
    w->f->p = memory_pool();
    memory_set(w->at, w->times);
    report->rv = fixture_open_in(w->f, p);
    report->is_open = report->rv == APR_SUCCESS;
    for (i = BEFORE; report->is_open && i < w->op_count; i++) {
        const int before = model.count;
        apr_status_t rv = model_run_all(&model, w->f, &w->ops[i]);

        report->is_stored[i] = model.count > before;
        report->done = i + 1;
        if (!status_is_known(rv) || (rv == APR_SUCCESS && !report->is_stored[i])) {
            memory_clear();
            fprintf(stderr, "operation %d gave status %d\n", i, rv);
            _exit(3);
        }
    }
    if (report->is_open) {
        apr_pool_destroy(w->f->store_pool);
    }
    memory_clear();
    report->seen = memory.seen;
}

/* The model of what was stored, with the operation that a death interrupted or without it. */
static const char *image_of(world_t *w, int is_with_last)
{
    model_t *model = apr_pmemdup(w->p, w->model, sizeof(*model));
    int i;

    model->p = w->p;
    for (i = BEFORE; i < w->report->done; i++) {
        if (w->report->is_stored[i]) {
            model_note(model, &w->ops[i], 0, 0);
        }
    }
    if (is_with_last && i < w->op_count) {
        model_note(model, &w->ops[i], 0, 0);
    }
    return model_image(model, model->count, NULL, w->p);
}

static void result_check(world_t *w, int has_died)
{
    const char *what = apr_psprintf(w->p, "allocation %u failed, %s", w->at,
                                    has_died ? "the process ended" : "it went on");
    const char *found, *without, *with;
    wa_message_new_t n = message_new("after", "SMafter", "+19990001", WA_DIRECTION_RECEIVED, NULL);
    model_t all = *w->model;
    wa_message_t m;
    int i;

    /* what keys are asked for */
    for (i = BEFORE; i < w->op_count; i++) {
        all.p = w->p;
        model_note(&all, &w->ops[i], 0, 0);
    }
    fixture_log_clear();
    fixture_open(w->f);
    if (strstr(fixture_log(), "WA0431") || strstr(fixture_log(), "WA0435")) {
        fail_msg("%s, and left damage:\n%s", what, fixture_log());
    }
    found = store_image(&all, w->f, w->p);
    without = image_of(w, 0);
    with = has_died ? image_of(w, 1) : without;
    if (strcmp(found, without) != 0 && strcmp(found, with) != 0) {
        fail_msg("%s\nwanted:\n%s\nfound:\n%s\nlog:\n%s", what, without, found, fixture_log());
    }
    assert_int_equal(wa_store_message_add(w->f->store, &n, &m, w->p), APR_SUCCESS);
    fixture_close(w->f);
}

static void any_allocation_may_fail(void **state)
{
    world_t *w = *state;
    unsigned died = 0, refused = 0, lived = 0;
    int is_over = 0;

    for (w->at = 1; !is_over; w->at += (unsigned)test_step()) {
        int has_died;

        snapshot_restore(w->directory, w->f);
        memset(w->report, 0, sizeof(*w->report));
        has_died = memory_child(life, w, "the store", w->at);
        if (!has_died && w->report->seen < w->at) {
            is_over = 1;
        }
        died += has_died != 0;
        refused += !has_died && !w->report->is_open;
        lived += !has_died && w->report->is_open;
        result_check(w, has_died);
        apr_pool_clear(w->p);
    }
    if (getenv("WA_TEST_VERBOSE")) {
        fprintf(stderr, "%u allocations: %u deaths, %u refusals, %u lives\n", w->at, died, refused,
                lived);
    }
    assert_true(test_step() > 1 || (died + refused > 0 && lived > 1));
}

/* From one on there is no memory any more. */
static void all_allocations_may_fail_from_one_on(void **state)
{
    world_t *w = *state;

    w->times = UINT32_MAX;
    any_allocation_may_fail(state);
}

/* ---- a store that grows ---- */

enum { MANY = 2000 };

static wa_message_new_t message_of(int i, apr_pool_t *p)
{
    return message_new(apr_psprintf(p, "many-%d", i), apr_psprintf(p, "SMmany%d", i),
                       apr_psprintf(p, "+1557%07d", i), WA_DIRECTION_RECEIVED, NULL);
}

/* Each message is of another counterpart, for which this process allocates. */
static void growth(void *baton)
{
    world_t *w = baton;
    apr_pool_t *p = memory_pool(), *tmp = memory_pool();
    wa_message_t m;
    int i;

    w->f->p = memory_pool();
    w->report->rv = fixture_open_in(w->f, p);
    if (w->report->rv != APR_SUCCESS) {
        _exit(4);
    }
    memory.is_by_page = 1;
    memory_set(w->at, w->times);
    for (i = 0; i < MANY; i++) {
        const wa_message_new_t n = message_of(i, tmp);

        w->report->done = i;
        /* it says that it failed: whoever asked asks again */
        if (wa_store_message_add(w->f->store, &n, &m, tmp) != APR_SUCCESS
            && !APR_STATUS_IS_EEXIST(wa_store_message_add(w->f->store, &n, &m, tmp))
            && wa_store_message_find(w->f->store, n.id, &m, tmp) != APR_SUCCESS) {
            _exit(5);
        }
        apr_pool_clear(tmp);
    }
    w->report->done = i;
    memory_clear();
    w->report->seen = memory.seen;
    apr_pool_destroy(w->f->store_pool);
}

static apr_status_t messages_count(void *baton, const wa_thread_t *t)
{
    *(apr_uint64_t *)baton += t->message_count;
    return APR_SUCCESS;
}

static void a_store_may_run_out_of_memory_as_it_grows(void **state)
{
    world_t *w = *state;
    apr_uint64_t before = w->model->rows;
    unsigned died = 0;
    int is_over = 0;

    for (w->at = 1; !is_over; w->at += (unsigned)test_step()) {
        apr_uint64_t count = 0;
        wa_message_t m;
        int i;

        snapshot_restore(w->directory, w->f);
        memset(w->report, 0, sizeof(*w->report));
        died += memory_child(growth, w, "a store that grows", w->at) != 0;
        is_over = w->report->done == MANY && w->report->seen < w->at;
        fixture_log_clear();
        fixture_open(w->f);
        assert_null(strstr(fixture_log(), "WA0431"));
        for (i = 0; i < w->report->done; i++) {
            assert_int_equal(wa_store_message_find(w->f->store, message_of(i, w->p).id, &m, w->p),
                             APR_SUCCESS);
        }
        assert_int_equal(wa_store_threads_list(w->f->store, 0, messages_count, &count),
                         APR_SUCCESS);
        assert_true(
            count == before + (apr_uint64_t)w->report->done
            || (w->report->done < MANY && count == before + (apr_uint64_t)w->report->done + 1));
        fixture_close(w->f);
        apr_pool_clear(w->p);
    }
    assert_true(test_step() > 1 || died > 20);
}

static int setup(void **state)
{
    fixture_t *f = fixture_create(*state);
    world_t *w = apr_pcalloc(f->p, sizeof(*w));
    model_t *model = model_create(f->p);
    int i;

    w->f = f;
    w->ops = model_ops(&w->op_count);
    for (i = 0; i < BEFORE; i++) {
        assert_int_equal(model_run(model, f, &w->ops[i]), APR_SUCCESS);
    }
    fixture_close(f);
    w->model = model;
    w->directory = snapshot_take(f, f->p);
    w->report = memory_shared(sizeof(*w->report));
    w->times = 1;
    assert_int_equal(apr_pool_create(&w->p, f->p), APR_SUCCESS);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    world_t *w = *state;

    munmap(w->report, sizeof(*w->report));
    fixture_destroy(w->f);
    return 0;
}

#define TEST(f, type) cmocka_unit_test_prestate_setup_teardown(f, setup, teardown, (void *)(type))

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(any_allocation_may_fail, "sdbm"),
/* Berkeley DB compares what it could not allocate, which ends the process there. */
#ifndef __SANITIZE_ADDRESS__
        TEST(any_allocation_may_fail, "db"),
#endif
        TEST(any_allocation_may_fail, "gdbm"),
        TEST(all_allocations_may_fail_from_one_on, "sdbm"),
        TEST(a_store_may_run_out_of_memory_as_it_grows, "sdbm"),
    };
    int failed;

    apr_initialize();
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    if (!failed) {
        apr_terminate();
    }
    return failed;
}
