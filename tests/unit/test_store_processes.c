/* SPDX-License-Identifier: Apache-2.0 */
/* Tests the store between processes and threads: exactly once, in order, and whatever is killed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "base/clock.h"
#include "store_support.h"

enum { PROCESSES = 3, THREADS = 4, MESSAGES = 150, COUNTERPARTS = 5, SLOTS = 4096 };

/* What the writers tell the test, in memory that outlives them. */
typedef struct report_t {
    unsigned stored;              /* APR_SUCCESS answers */
    unsigned failed;              /* any other answer than success or duplicate */
    unsigned acknowledged[SLOTS]; /* by message number */
    unsigned is_over;
} report_t;

static report_t *report_create(void)
{
    report_t *r = mmap(NULL, sizeof(*r), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    assert_true(r != MAP_FAILED);
    return r;
}

typedef struct writer_t {
    wa_store_t *store;
    report_t *report;
    unsigned first; /* message numbers first, first + step, ... */
    unsigned step;
    unsigned count;
} writer_t;

static void *writer_main(void *data)
{
    writer_t *w = data;
    apr_pool_t *p;
    unsigned i;

    apr_pool_create(&p, NULL);
    for (i = 0; i < w->count; i++) {
        unsigned n = w->first + i * w->step;
        wa_message_new_t m;
        wa_message_t stored;
        apr_status_t rv;

        apr_pool_clear(p);
        memset(&m, 0, sizeof(m));
        m.id = apr_psprintf(p, "id-%d-%u-%lx", (int)getpid(), n, (unsigned long)pthread_self());
        m.sid = apr_psprintf(p, "SM%u", n);
        m.counterpart = apr_psprintf(p, "+1%u", n % COUNTERPARTS);
        m.direction = WA_DIRECTION_RECEIVED;
        m.preview = WA_SLICE_LITERAL("x");
        m.body = wa_slice_of(apr_psprintf(p, "%u", n));
        rv = wa_store_message_add(w->store, &m, &stored, p);
        if (rv == APR_SUCCESS) {
            __atomic_add_fetch(&w->report->stored, 1, __ATOMIC_SEQ_CST);
        } else if (!APR_STATUS_IS_EEXIST(rv)) {
            __atomic_add_fetch(&w->report->failed, 1, __ATOMIC_SEQ_CST);
            continue;
        }
        __atomic_store_n(&w->report->acknowledged[n % SLOTS], 1, __ATOMIC_SEQ_CST);
    }
    apr_pool_destroy(p);
    return NULL;
}

/* A child process with THREADS writers; with `is_shared` all write the same messages, otherwise
 * each its own. */
static pid_t writers_start(fixture_t *f, report_t *report, unsigned process, int is_shared,
                           unsigned count)
{
    pthread_t threads[THREADS];
    writer_t writers[THREADS];
    pid_t pid = fork();
    unsigned i;

    assert_true(pid >= 0);
    if (pid) {
        return pid;
    }
    wa_store_child_init(f->store, f->p);
    for (i = 0; i < THREADS; i++) {
        writers[i].store = f->store;
        writers[i].report = report;
        writers[i].first = is_shared ? 0 : process * THREADS + i;
        writers[i].step = is_shared ? 1 : PROCESSES * THREADS;
        writers[i].count = count;
        pthread_create(&threads[i], NULL, writer_main, &writers[i]);
    }
    for (i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    _exit(0);
}

typedef struct poll_t {
    unsigned seen[SLOTS];
    apr_int64_t last_ms;
    apr_int64_t since_ms;
    unsigned count;
} poll_t;

static apr_status_t poll_visit(void *baton, const wa_message_t *m, int is_update)
{
    poll_t *poll = baton;
    char text[32];

    assert_int_equal(is_update, 0);
    assert_true(m->timestamp_ms >= poll->last_ms);
    assert_true(m->timestamp_ms > poll->since_ms);
    assert_true(m->body.len < sizeof(text));
    memcpy(text, m->body.ptr, m->body.len);
    text[m->body.len] = '\0';
    poll->last_ms = m->timestamp_ms;
    poll->seen[atoi(text) % SLOTS]++;
    poll->count++;
    return APR_SUCCESS;
}

/* One poll from *psince on, which it moves. */
static void poll_once(fixture_t *f, poll_t *poll, apr_int64_t *psince)
{
    wa_changes_t changes;
    apr_pool_t *p;

    assert_int_equal(apr_pool_create(&p, f->p), APR_SUCCESS);
    poll->since_ms = *psince;
    assert_int_equal(
        wa_store_changes_list(f->store, CHANGES_AFTER(*psince, 50, poll_visit, poll), &changes, p),
        APR_SUCCESS);
    assert_true(changes.timestamp_ms >= *psince);
    assert_true(changes.timestamp_ms >= poll->last_ms);
    *psince = changes.timestamp_ms;
    apr_pool_destroy(p);
}

static apr_status_t counts_add(void *baton, const wa_thread_t *t)
{
    *(apr_uint64_t *)baton += t->message_count;
    return APR_SUCCESS;
}

static void the_same_messages_from_all_sides_are_stored_once(void **state)
{
    fixture_t *f = *state;
    report_t *report = report_create();
    pid_t pids[PROCESSES];
    poll_t *poll = calloc(1, sizeof(*poll));
    apr_uint64_t total = 0;
    apr_int64_t since = 0;
    unsigned i, alive = PROCESSES;

    for (i = 0; i < PROCESSES; i++) {
        pids[i] = writers_start(f, report, i, 1, MESSAGES);
    }
    while (alive) {
        int status;

        poll_once(f, poll, &since);
        for (i = 0; i < PROCESSES; i++) {
            if (pids[i] && waitpid(pids[i], &status, WNOHANG) == pids[i]) {
                assert_int_equal(status, 0);
                pids[i] = 0;
                alive--;
            }
        }
    }
    poll_once(f, poll, &since);
    while (since < store_time(f)) {
        poll_once(f, poll, &since);
    }
    assert_int_equal(report->failed, 0);
    assert_int_equal(report->stored, MESSAGES);
    assert_int_equal(poll->count, MESSAGES);
    /* whatever the rate, and however often it was asked: times are the clock's */
    assert_true(since <= wa_clock_now_ms());
    for (i = 0; i < MESSAGES; i++) {
        assert_int_equal(poll->seen[i], 1);
    }
    assert_int_equal(wa_store_threads_list(f->store, 0, counts_add, &total), APR_SUCCESS);
    assert_int_equal(total, MESSAGES);
    free(poll);
    munmap(report, sizeof(*report));
}

/* Kills one writer process at a random moment, several times; others and the poller go on. */
static void killed_writers_lose_and_double_nothing(void **state)
{
    fixture_t *f = *state;
    report_t *report = report_create();
    poll_t *poll = calloc(1, sizeof(*poll));
    apr_uint64_t total = 0;
    apr_int64_t since = 0;
    unsigned i, round;

    for (round = 0; round < 12; round++) {
        pid_t pids[PROCESSES];
        unsigned target;

        for (i = 0; i < PROCESSES; i++) {
            pids[i] = writers_start(f, report, i, 0, MESSAGES);
        }
        /* The moment: after so many more messages were stored; at random among rounds. */
        target = __atomic_load_n(&report->stored, __ATOMIC_SEQ_CST) + (unsigned)(rand() % 100);
        while (__atomic_load_n(&report->stored, __ATOMIC_SEQ_CST) < target
               && waitpid(pids[0], NULL, WNOHANG) == 0) {
            poll_once(f, poll, &since);
        }
        kill(pids[round % PROCESSES], SIGKILL);
        for (i = 0; i < PROCESSES; i++) {
            waitpid(pids[i], NULL, 0);
        }
        while (since < store_time(f)) {
            poll_once(f, poll, &since);
        }
        if (round % 3 == 2) {
            fixture_reopen(f);
        }
    }
    assert_int_equal(report->failed, 0);
    for (i = 0; i < SLOTS; i++) {
        assert_true(poll->seen[i] <= 1);
        assert_true(poll->seen[i] >= report->acknowledged[i]);
    }
    assert_int_equal(wa_store_threads_list(f->store, 0, counts_add, &total), APR_SUCCESS);
    assert_int_equal(total, poll->count);
    free(poll);
    munmap(report, sizeof(*report));
}

static int setup(void **state)
{
    *state = fixture_create("sdbm");
    fixture_close(*state);
    ((fixture_t *)*state)->sync = WA_SYNC_ALWAYS;
    fixture_open(*state);
    return 0;
}

static int teardown(void **state)
{
    fixture_destroy(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_same_messages_from_all_sides_are_stored_once, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(killed_writers_lose_and_double_nothing, setup, teardown),
    };
    int failed;

    srand((unsigned)getpid());
    apr_initialize();
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    apr_terminate();
    return failed;
}
