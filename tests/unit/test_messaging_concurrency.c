/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the gate before Twilio: one limit for all processes, that no killed process can hold. */
#include "test_base.h"

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "messaging/policy/concurrency.h"

static wa_concurrency_shared_t *shared_make(void)
{
    void *memory = mmap(NULL, sizeof(wa_concurrency_shared_t), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    assert_ptr_not_equal(memory, MAP_FAILED);
    return memory;
}

static void shared_end(wa_concurrency_shared_t *shared)
{
    munmap(shared, sizeof(*shared));
}

static void test_two_processes_share_the_limit(void **state)
{
    wa_concurrency_shared_t *shared = shared_make();
    wa_concurrency_t a = {shared, wa_concurrency_claim(shared, (apr_uint32_t)getpid()), 0};
    wa_concurrency_t b = {shared, wa_concurrency_claim(shared, (apr_uint32_t)getppid()), 0};
    wa_messenger_t here = {.gate = &a, .max_sends = 3}, there = {.gate = &b, .max_sends = 3};

    (void)state;
    assert_non_null(a.own);
    assert_ptr_not_equal(a.own, b.own);
    assert_true(wa_concurrency_enter(&here));
    assert_true(wa_concurrency_enter(&there));
    assert_true(wa_concurrency_enter(&there));
    assert_false(wa_concurrency_enter(&here));
    assert_false(wa_concurrency_enter(&there));
    assert_int_equal(wa_concurrency_count(shared), 3);
    wa_concurrency_leave(&there);
    assert_true(wa_concurrency_enter(&here));
    assert_false(wa_concurrency_enter(&there));
    /* the other process ends in the middle of its send */
    wa_concurrency_free(shared, (apr_uint32_t)getppid());
    assert_int_equal(wa_concurrency_count(shared), 2);
    assert_true(wa_concurrency_enter(&here));
    assert_int_equal(here.sends_in_flight, 3);
    shared_end(shared);
}

static void test_a_process_has_a_limit_of_its_own(void **state)
{
    wa_concurrency_shared_t *shared = shared_make();
    wa_concurrency_t a = {shared, wa_concurrency_claim(shared, (apr_uint32_t)getpid()), 2};
    wa_messenger_t here = {.gate = &a, .max_sends = 100};

    (void)state;
    assert_true(wa_concurrency_enter(&here));
    assert_true(wa_concurrency_enter(&here));
    assert_false(wa_concurrency_enter(&here));
    wa_concurrency_leave(&here);
    assert_true(wa_concurrency_enter(&here));
    shared_end(shared);
}

static void test_the_place_of_a_killed_process_is_taken_over(void **state)
{
    wa_concurrency_shared_t *shared = shared_make();
    pid_t pid = fork();
    int i, status;

    (void)state;
    assert_true(pid >= 0);
    if (pid == 0) {
        wa_concurrency_t gate = {shared, wa_concurrency_claim(shared, (apr_uint32_t)getpid()), 0};
        wa_messenger_t child = {.gate = &gate, .max_sends = 5};

        for (i = 0; i < 5; i++) {
            wa_concurrency_enter(&child);
        }
        raise(SIGKILL);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(wa_concurrency_count(shared), 5);
    assert_ptr_equal(wa_concurrency_claim(shared, (apr_uint32_t)getpid()), &shared->slots[0]);
    assert_int_equal(wa_concurrency_count(shared), 0);
    shared_end(shared);
}

static void test_a_process_number_that_comes_again(void **state)
{
    wa_concurrency_shared_t *shared = shared_make();
    wa_concurrency_slot_t *slot = wa_concurrency_claim(shared, (apr_uint32_t)getpid());

    (void)state;
    slot->count = 7;
    assert_non_null(wa_concurrency_claim(shared, (apr_uint32_t)getpid()));
    assert_int_equal(wa_concurrency_count(shared), 0);
    shared_end(shared);
}

/* Many threads, in and out: never more inside than allowed. */
#define LIMIT 3
#define THREADS 8
#define ROUNDS 20000

static struct {
    wa_messenger_t messenger;
    apr_uint32_t inside, most, entered;
} race;

static void *racer(void *unused)
{
    int i;

    for (i = 0; i < ROUNDS; i++) {
        if (wa_concurrency_enter(&race.messenger)) {
            const apr_uint32_t now = __atomic_add_fetch(&race.inside, 1, __ATOMIC_SEQ_CST);
            apr_uint32_t most = __atomic_load_n(&race.most, __ATOMIC_SEQ_CST);

            while (now > most
                   && !__atomic_compare_exchange_n(&race.most, &most, now, 0, __ATOMIC_SEQ_CST,
                                                   __ATOMIC_SEQ_CST)) {
            }
            __atomic_add_fetch(&race.entered, 1, __ATOMIC_SEQ_CST);
            __atomic_sub_fetch(&race.inside, 1, __ATOMIC_SEQ_CST);
            wa_concurrency_leave(&race.messenger);
        }
    }
    return unused;
}

static void test_never_more_than_allowed(void **state)
{
    wa_concurrency_shared_t *shared = shared_make();
    wa_concurrency_t gate = {shared, wa_concurrency_claim(shared, (apr_uint32_t)getpid()), 0};
    pthread_t threads[THREADS];
    int i;

    (void)state;
    memset(&race, 0, sizeof(race));
    race.messenger.gate = &gate;
    race.messenger.max_sends = LIMIT;
    for (i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, racer, NULL), 0);
    }
    for (i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_in_range(race.most, 1, LIMIT);
    assert_in_range(race.entered, 1, THREADS * ROUNDS);
    assert_int_equal(wa_concurrency_count(shared), 0);
    assert_int_equal(race.messenger.sends_in_flight, 0);
    shared_end(shared);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_processes_share_the_limit),
        cmocka_unit_test(test_a_process_has_a_limit_of_its_own),
        cmocka_unit_test(test_the_place_of_a_killed_process_is_taken_over),
        cmocka_unit_test(test_a_process_number_that_comes_again),
        cmocka_unit_test(test_never_more_than_allowed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
