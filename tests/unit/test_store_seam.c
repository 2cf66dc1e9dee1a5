/* SPDX-License-Identifier: Apache-2.0 */
/* The conformance suite of the seam on dbm, with each type that is there, and on the fake. */
#include "fixed_clock.h"
#include "seam_conformance.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <apr_general.h>

#include "fake_store.h"
#include "store/view/checkpoint.h"

/* ---- the fake is strict ---- */

static apr_status_t forbidden_row(void *baton, const wa_thread_t *row)
{
    (void)row;
    wa_store_version(((seam_t *)baton)->store, WA_VERSION_ALL);
    return APR_SUCCESS;
}

static apr_status_t forbidden_contact(void *baton, const wa_contact_t *contact)
{
    (void)contact;
    wa_store_version(((seam_t *)baton)->store, WA_VERSION_ALL);
    return APR_SUCCESS;
}

static void thread_walk(seam_t *seam)
{
    wa_store_threads_list(seam->store, 0, forbidden_row, seam);
}

static void one_thread_walk(seam_t *seam)
{
    wa_store_thread_visit(seam->store, SEAM_ANA, forbidden_row, seam);
}

static void contact_walk(seam_t *seam)
{
    wa_store_contacts_list(seam->store, forbidden_contact, seam);
}

static void visitors_inside_the_fake_may_not_call_it(seam_t *seam)
{
    static void (*const walks[])(seam_t *) = {thread_walk, one_thread_walk, contact_walk};
    size_t i;

    seam_add(seam, "a", NULL, SEAM_ANA, WA_DIRECTION_SENT);
    seam_contact(seam, "1", SEAM_ANA, "Ana");
    for (i = 0; i < sizeof(walks) / sizeof(walks[0]); i++) {
        const pid_t pid = fork();
        int status;

        assert_true(pid >= 0);
        if (!pid) {
            const struct rlimit none = {0, 0};

            (void)setrlimit(RLIMIT_CORE, &none);
            fclose(stderr);
            walks[i](seam);
            _exit(0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    }
}

static const seam_case_t cases_fake[] = {
    {"visitors inside it may not call it", visitors_inside_the_fake_may_not_call_it},
    {NULL, NULL},
};

/* ---- all cases on all stores ---- */

/* A visitor that waits for itself, or a lost wake, shows as a case without end. */
#define PATIENCE_S 240

/* A case on a store of one kind. */
typedef struct bound_t {
    const seam_case_t *seam_case;
    const char *type; /* NULL: the fake */
} bound_t;

typedef struct run_t {
    seam_t seam;
    fixture_t *f;
    const bound_t *bound;
} run_t;

static void clock_set(apr_int64_t ms)
{
    fixed_clock_ms = ms;
}

static void reopen_dbm(seam_t *seam)
{
    fixture_t *f = ((run_t *)seam->baton)->f;

    fixture_reopen(f);
    seam->store = f->store;
}

static void reopen_none(seam_t *seam)
{
    (void)seam;
}

static int setup(void **state)
{
    const bound_t *bound = *state;
    run_t *run = calloc(1, sizeof(*run));

    alarm(PATIENCE_S);
    apr_pool_create(&run->seam.p, NULL);
    run->bound = bound;
    run->seam.clock_set = clock_set;
    run->seam.baton = run;
    if (bound->type) {
        run->f = fixture_create(bound->type);
        run->seam.store = run->f->store;
        run->seam.reopen = reopen_dbm;
    } else {
        fake_store_t *fake = fake_store_create(run->seam.p);

        fake_store_follow_clock(fake);
        run->seam.store = fake_store_seam(fake);
        run->seam.reopen = reopen_none;
    }
    *state = run;
    return 0;
}

static int teardown(void **state)
{
    run_t *run = *state;

    fixed_clock_ms = 0;
    if (run->f) {
        fixture_destroy(run->f);
    }
    apr_pool_destroy(run->seam.p);
    free(run);
    alarm(0);
    return 0;
}

static void run_case(void **state)
{
    run_t *run = *state;

    run->bound->seam_case->run(&run->seam);
}

static void cases_bind(apr_array_header_t *tests, const seam_case_t *cases, const char *type,
                       apr_pool_t *p)
{
    for (; cases->name; cases++) {
        bound_t *bound = apr_palloc(p, sizeof(*bound));

        *bound = (bound_t){cases, type};
        APR_ARRAY_PUSH(tests, struct CMUnitTest) = (struct CMUnitTest){
            .name = apr_psprintf(p, "%s: %s", type ? type : "fake", cases->name),
            .test_func = run_case,
            .setup_func = setup,
            .teardown_func = teardown,
            .initial_state = bound};
    }
}

int main(void)
{
    static const char *const types[] = {"db", "gdbm", "sdbm", NULL};
    apr_array_header_t *tests;
    apr_pool_t *p;
    size_t i;
    int failed;

    apr_initialize();
    apr_pool_create(&p, NULL);
    tests = apr_array_make(p, 200, sizeof(struct CMUnitTest));
    for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (types[i] && !wa_checkpoint_type_is_available(types[i], p)) {
            continue;
        }
        cases_bind(tests, seam_cases_messages, types[i], p);
        cases_bind(tests, seam_cases_changes, types[i], p);
        cases_bind(tests, seam_cases_rows, types[i], p);
        cases_bind(tests, seam_cases_waiting, types[i], p);
    }
    cases_bind(tests, cases_fake, NULL, p);
    failed = _cmocka_run_group_tests("seam", (const struct CMUnitTest *)(void *)tests->elts,
                                     (size_t)tests->nelts, NULL, NULL);
    apr_pool_destroy(p);
    apr_terminate();
    return failed;
}
