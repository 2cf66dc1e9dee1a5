/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting for news of a dbm store: asleep, woken by any process, free for writers, under kills. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dlfcn.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "base/clock.h"
#include "store/dbm/dbm.h"
#include "store_support.h"

#define LONG apr_time_from_sec(600)

/* A lost wake shows as a wait without end: then the program ends. */
#define PATIENCE_S 240

/* ---- what the store asks of the kernel ---- */

static struct {
    const void *news; /* the word that is counted */
    int sleeps, wakes;
    int wakes_until_death; /* of any word: this process is killed at that one, before it */
} calls;

/* In front of libc's. */
__attribute__((visibility("default"))) long syscall(long number, ...)
{
    static long (*real)(long, ...);
    long a[6];
    va_list list;
    int i;

    va_start(list, number);
    for (i = 0; i < 6; i++) {
        a[i] = va_arg(list, long);
    }
    va_end(list);
    if (!real) {
        *(void **)&real = dlsym(RTLD_NEXT, "syscall");
    }
    if (number == SYS_futex && a[1] == FUTEX_WAKE && calls.wakes_until_death
        && --calls.wakes_until_death == 0) {
        kill(getpid(), SIGKILL);
    }
    if (number == SYS_futex && (const void *)a[0] == calls.news) {
        calls.sleeps += a[1] == FUTEX_WAIT;
        calls.wakes += a[1] == FUTEX_WAKE;
    }
    return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

static wa_shared_t *shared(const fixture_t *f)
{
    return WA_DBM_STORE(f->store)->shared;
}

static void count_begin(const fixture_t *f)
{
    calls.news = &shared(f)->news;
    calls.sleeps = calls.wakes = 0;
}

static void commit(wa_store_t *store, apr_pool_t *p)
{
    assert_int_equal(wa_store_parked_add(store, apr_psprintf(p, "%d", rand()), wa_slice_of("v"), p),
                     APR_SUCCESS);
}

/* ---- a waiter ---- */

typedef struct waiter_t {
    wa_store_t *store;
    apr_uint64_t version;
    apr_status_t rv;
    pthread_t thread;
    pid_t tid; /* atomic */
} waiter_t;

static void *waiter_main(void *data)
{
    waiter_t *w = data;

    __atomic_store_n(&w->tid, gettid(), __ATOMIC_SEQ_CST);
    w->rv = wa_store_wait(w->store, w->version, LONG);
    return NULL;
}

/* Until the thread sleeps, which it does in nothing but the wait. */
static void asleep_await(pid_t pid, pid_t tid)
{
    char path[64], state = 0;

    snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", (int)pid, (int)tid);
    while (state != 'S') {
        FILE *stat = fopen(path, "r");

        assert_non_null(stat);
        assert_int_equal(fscanf(stat, "%*d (%*[^)]) %c", &state), 1);
        fclose(stat);
        sched_yield();
    }
}

static void waiter_start(waiter_t *w, fixture_t *f)
{
    const apr_uint64_t asleep_at = shared(f)->visible;

    memset(w, 0, sizeof(*w));
    w->store = f->store;
    w->version = wa_store_version(f->store, WA_VERSION_ALL);
    assert_int_equal(pthread_create(&w->thread, NULL, waiter_main, w), 0);
    while (__atomic_load_n(&shared(f)->news_waited, __ATOMIC_SEQ_CST) < asleep_at) {
        sched_yield();
    }
    asleep_await(getpid(), __atomic_load_n(&w->tid, __ATOMIC_SEQ_CST));
}

static void waiter_end(waiter_t *w, apr_status_t rv)
{
    assert_int_equal(pthread_join(w->thread, NULL), 0);
    assert_int_equal(w->rv, rv);
}

/* ---- what it costs ---- */

static void who_waits_sleeps_once(void **state)
{
    fixture_t *f = *state;
    const apr_uint64_t version = wa_store_version(f->store, WA_VERSION_ALL);

    count_begin(f);
    assert_int_equal(wa_store_wait(f->store, version, apr_time_from_msec(100)), APR_TIMEUP);
    assert_int_equal(calls.sleeps, 1);
    assert_int_equal(wa_store_wait(f->store, version, 0), APR_TIMEUP);
    commit(f->store, f->p);
    assert_int_equal(wa_store_wait(f->store, version, LONG), APR_SUCCESS);
    assert_int_equal(calls.sleeps, 1);
}

static void writers_call_nobody_while_nobody_waits(void **state)
{
    fixture_t *f = *state;
    waiter_t w;
    int i;

    count_begin(f);
    for (i = 0; i < 100; i++) {
        commit(f->store, f->p);
        assert_int_equal(wa_store_maintain(f->store, f->p), APR_SUCCESS);
    }
    assert_int_equal(calls.wakes, 0);
    /* one who gave up, or was woken, costs one call at most */
    assert_int_equal(wa_store_wait(f->store, wa_store_version(f->store, WA_VERSION_ALL), 1000),
                     APR_TIMEUP);
    for (i = 0; i < 100; i++) {
        commit(f->store, f->p);
    }
    assert_int_equal(calls.wakes, 1);
    waiter_start(&w, f);
    for (i = 0; i < 100; i++) {
        commit(f->store, f->p);
    }
    waiter_end(&w, APR_SUCCESS);
    assert_int_equal(calls.wakes, 2);
}

/* ---- processes ---- */

static pid_t child_start(fixture_t *f, void (*run)(fixture_t *f, void *baton), void *baton)
{
    const pid_t pid = fork();

    assert_true(pid >= 0);
    if (!pid) {
        alarm(PATIENCE_S);
        if (wa_store_child_init(f->store, f->p) != APR_SUCCESS) {
            _exit(2);
        }
        run(f, baton);
        _exit(0);
    }
    return pid;
}

static int child_end(pid_t pid)
{
    int status;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

/* Answers each commit of the other side by one of its own. */
static void play(fixture_t *f, void *baton)
{
    unsigned *turn = baton;
    apr_pool_t *p;

    apr_pool_create(&p, NULL);
    while (*turn < 400) {
        const apr_uint64_t version = wa_store_version(f->store, WA_VERSION_ALL);
        const unsigned mine = f->store_pool ? 0 : 1;

        if (__atomic_load_n(turn, __ATOMIC_SEQ_CST) % 2 == mine) {
            apr_pool_clear(p);
            __atomic_add_fetch(turn, 1, __ATOMIC_SEQ_CST);
            if (wa_store_parked_add(f->store, "SM", wa_slice_of(""), p) != APR_SUCCESS
                && wa_store_parked_add(f->store, apr_psprintf(p, "SM%u", *turn), wa_slice_of(""), p)
                       != APR_SUCCESS) {
                _exit(3);
            }
        } else if (wa_store_wait(f->store, version, LONG) != APR_SUCCESS) {
            _exit(4);
        }
    }
    apr_pool_destroy(p);
}

static void play_other(fixture_t *f, void *baton)
{
    f->store_pool = NULL; /* the other side */
    play(f, baton);
}

static void processes_wake_each_other(void **state)
{
    fixture_t *f = *state;
    unsigned *turn =
        mmap(NULL, sizeof(*turn), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t pid;

    assert_true(turn != MAP_FAILED);
    pid = child_start(f, play_other, turn);
    play(f, turn);
    assert_int_equal(child_end(pid), 0);
    assert_int_equal(*turn, 400);
    munmap(turn, sizeof(*turn));
}

/* The end of the waiting is one process's own. */
static void sleep_here(fixture_t *f, void *baton)
{
    (void)baton;
    if (wa_store_wait(f->store, wa_store_version(f->store, WA_VERSION_ALL), LONG) != APR_SUCCESS) {
        _exit(3);
    }
}

static void the_end_is_of_one_process(void **state)
{
    fixture_t *f = *state;
    const apr_uint64_t at = shared(f)->visible;
    const pid_t pid = child_start(f, sleep_here, NULL);

    while (__atomic_load_n(&shared(f)->news_waited, __ATOMIC_SEQ_CST) < at) {
        sched_yield();
    }
    asleep_await(pid, pid);
    wa_store_wait_end(f->store);
    asleep_await(pid, pid);
    commit(f->store, f->p);
    assert_int_equal(child_end(pid), 0);
}

/* ---- kills ---- */

static void who_is_killed_asleep_costs_one_call(void **state)
{
    fixture_t *f = *state;
    const apr_uint64_t at = shared(f)->visible;
    const pid_t pid = child_start(f, sleep_here, NULL);
    int i;

    while (__atomic_load_n(&shared(f)->news_waited, __ATOMIC_SEQ_CST) < at) {
        sched_yield();
    }
    asleep_await(pid, pid);
    kill(pid, SIGKILL);
    child_end(pid);
    count_begin(f);
    for (i = 0; i < 50; i++) {
        commit(f->store, f->p);
    }
    assert_int_equal(calls.wakes, 1);
}

static void commit_until_death(fixture_t *f, void *baton)
{
    calls.wakes_until_death = *(int *)baton;
    commit(f->store, f->p);
}

/* Whoever made it visible is killed before one of its calls to the kernel: the next commit wakes
 * who waits, and so does the housekeeping. */
static void a_writer_may_die_at_each_of_its_wakes(void **state)
{
    fixture_t *f = *state;
    int at, is_killed = 1, kills = 0;

    for (at = 1; is_killed; at++) {
        int is_upkeep;

        for (is_upkeep = 0; is_upkeep < 2; is_upkeep++) {
            waiter_t w;
            int status;

            waiter_start(&w, f);
            status = child_end(child_start(f, commit_until_death, &at));
            is_killed = WIFSIGNALED(status);
            assert_true(is_killed ? WTERMSIG(status) == SIGKILL : status == 0);
            kills += is_killed;
            if (is_killed && is_upkeep) {
                assert_int_equal(wa_store_maintain(f->store, f->p), APR_SUCCESS);
            } else if (is_killed) {
                commit(f->store, f->p);
            }
            waiter_end(&w, APR_SUCCESS);
        }
    }
    /* at its word alone, or at those of the sync before it too */
    assert_int_equal(kills, f->sync == WA_SYNC_ALWAYS ? 6 : 2);
}

typedef struct stepped_t {
    wa_shared_t *s;
    pid_t tid; /* atomic */
} stepped_t;

static void *stepped_main(void *data)
{
    stepped_t *w = data;
    const apr_uint64_t seen = w->s->visible;
    const apr_time_t until = wa_clock_steady_us() + LONG;

    __atomic_store_n(&w->tid, gettid(), __ATOMIC_SEQ_CST);
    while (wa_clock_steady_us() < until) {
        const apr_uint32_t news = __atomic_load_n(&w->s->news, __ATOMIC_SEQ_CST);

        if (__atomic_load_n(&w->s->visible, __ATOMIC_SEQ_CST) > seen + 8) {
            return NULL; /* what came second */
        }
        wa_shared_news_wait(w->s, news, __atomic_load_n(&w->s->visible, __ATOMIC_SEQ_CST), LONG);
    }
    return data;
}

static void visible_step(wa_shared_t *s)
{
    __atomic_add_fetch(&s->visible, 8, __ATOMIC_SEQ_CST);
    wa_shared_news_tell(s);
}

/* @return 1 when the writer ended before it came to its `steps`-th instruction */
static int stepped_run(wa_shared_t *s, int steps)
{
    const pid_t pid = fork();
    int status, i;

    assert_true(pid >= 0);
    if (!pid) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL)) {
            _exit(2);
        }
        raise(SIGSTOP);
        visible_step(s);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSTOPPED(status));
    for (i = 0; i < steps && WIFSTOPPED(status); i++) {
        assert_int_equal(ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL), 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
    }
    if (!WIFSTOPPED(status)) {
        assert_int_equal(status, 0);
        return 1;
    }
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    return 0;
}

/* Between "visible" and the last instruction of telling it. Whatever is left, the second writer
 * wakes who waits. */
static void a_writer_may_die_at_any_instruction_of_telling(void **state)
{
    wa_shared_t *s =
        mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    const wa_tail_t tail = {.offset = 4096};
    int steps, is_over = 0;

    (void)state;
    assert_true(s != MAP_FAILED);
    assert_int_equal(wa_shared_init(s, &tail), APR_SUCCESS);
    for (steps = 0; !is_over; steps += test_step()) {
        stepped_t w = {s, 0};
        pthread_t thread;
        void *trouble;
        const apr_uint64_t at = s->visible;

        assert_int_equal(pthread_create(&thread, NULL, stepped_main, &w), 0);
        while (__atomic_load_n(&s->news_waited, __ATOMIC_SEQ_CST) < at) {
            sched_yield();
        }
        asleep_await(getpid(), __atomic_load_n(&w.tid, __ATOMIC_SEQ_CST));
        is_over = stepped_run(s, steps);
        if (s->visible == at) {
            visible_step(s);
        }
        visible_step(s);
        assert_int_equal(pthread_join(thread, &trouble), 0);
        assert_null(trouble);
    }
    assert_true(steps > 20);
    munmap(s, sizeof(*s));
}

static void commit_for_ever(fixture_t *f, void *baton)
{
    apr_pool_t *p;
    unsigned i;

    (void)baton;
    apr_pool_create(&p, NULL);
    for (i = 0;; i++) {
        apr_pool_clear(p);
        if (wa_store_parked_add(f->store, apr_psprintf(p, "%d.%u", (int)getpid(), i),
                                wa_slice_of("v"), p)
            != APR_SUCCESS) {
            _exit(3);
        }
    }
}

typedef struct watcher_t {
    wa_store_t *store;
    apr_uint64_t last; /* atomic: the version to end at, 0: not known yet */
    apr_uint64_t seen; /* atomic */
} watcher_t;

static void *watcher_main(void *data)
{
    watcher_t *w = data;

    for (;;) {
        const apr_uint64_t seen = wa_store_version(w->store, WA_VERSION_ALL);
        const apr_uint64_t last = __atomic_load_n(&w->last, __ATOMIC_SEQ_CST);

        __atomic_store_n(&w->seen, seen, __ATOMIC_SEQ_CST);
        if (last && seen >= last) {
            return NULL;
        }
        if (wa_store_wait(w->store, seen, LONG) != APR_SUCCESS) {
            return data;
        }
    }
}

/* Writers that are killed wherever they are; who waits comes to the last commit all the same. */
static void writers_are_killed_and_nobody_oversleeps(void **state)
{
    fixture_t *f = *state;
    watcher_t w = {.store = f->store};
    pthread_t thread;
    void *trouble;
    int i;

    assert_int_equal(pthread_create(&thread, NULL, watcher_main, &w), 0);
    for (i = 0; i < 40; i++) {
        const pid_t one = child_start(f, commit_for_ever, NULL);
        const pid_t two = child_start(f, commit_for_ever, NULL);
        const apr_uint64_t from = __atomic_load_n(&w.seen, __ATOMIC_SEQ_CST);

        while (__atomic_load_n(&w.seen, __ATOMIC_SEQ_CST) < from + (apr_uint64_t)(i * 100)) {
            sched_yield();
        }
        kill(one, SIGKILL);
        kill(two, SIGKILL);
        child_end(one);
        child_end(two);
    }
    commit(f->store, f->p);
    __atomic_store_n(&w.last, wa_store_version(f->store, WA_VERSION_ALL), __ATOMIC_SEQ_CST);
    commit(f->store, f->p);
    assert_int_equal(pthread_join(thread, &trouble), 0);
    assert_null(trouble);
}

/* ---- */

static int setup(void **state)
{
    alarm(PATIENCE_S);
    calls.wakes_until_death = 0;
    *state = fixture_create("default");
    return 0;
}

static int setup_always(void **state)
{
    setup(state);
    fixture_close(*state);
    ((fixture_t *)*state)->sync = WA_SYNC_ALWAYS;
    fixture_open(*state);
    return 0;
}

static int teardown(void **state)
{
    fixture_destroy(*state);
    alarm(0);
    return 0;
}

#define TESTS(f)                                        \
    {#f " (off)", f, setup, teardown, NULL},            \
    {                                                   \
#f " (always)", f, setup_always, teardown, NULL \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        TESTS(who_waits_sleeps_once),
        TESTS(writers_call_nobody_while_nobody_waits),
        TESTS(processes_wake_each_other),
        TESTS(the_end_is_of_one_process),
        TESTS(who_is_killed_asleep_costs_one_call),
        TESTS(a_writer_may_die_at_each_of_its_wakes),
        cmocka_unit_test_setup_teardown(a_writer_may_die_at_any_instruction_of_telling, setup,
                                        teardown),
        TESTS(writers_are_killed_and_nobody_oversleeps),
    };
    int failed;

    apr_initialize();
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    apr_terminate();
    return failed;
}
