/* SPDX-License-Identifier: Apache-2.0 */
/* Tests the list of pending messages through the store seam, over updates, restarts and
 * rebuilds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <unistd.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "store_support.h"

#define LATER ((apr_int64_t)1 << 52)

static apr_status_t visit(void *baton, const wa_message_t *m, int is_update)
{
    visited_t *v = baton;

    assert_int_equal(is_update, 0);
    assert_true(v->count < sizeof(v->messages) / sizeof(v->messages[0]));
    v->messages[v->count++] = *m;
    return APR_SUCCESS;
}

/* The ids of the pending messages, each followed by a space. */
static const char *pending(fixture_t *f, apr_int64_t before_ms, apr_size_t max)
{
    const char *ids = "";
    visited_t v = {0};
    apr_size_t i;

    assert_int_equal(
        wa_store_pending_list(f->store, PENDING_OF(before_ms, INT64_MAX, max, visit, &v), f->p),
        APR_SUCCESS);
    for (i = 0; i < v.count; i++) {
        assert_int_equal(v.messages[i].status, WA_STATUS_PENDING);
        ids = apr_psprintf(f->p, "%s%.*s ", ids, (int)v.messages[i].id.len, v.messages[i].id.ptr);
    }
    return ids;
}

static apr_int64_t add(fixture_t *f, const char *id, wa_status_e status)
{
    wa_message_new_t m = message_new(id, NULL, "+15551230001", WA_DIRECTION_SENT, NULL);
    wa_message_t stored;

    m.status = status;
    assert_int_equal(wa_store_message_add(f->store, &m, &stored, f->p), APR_SUCCESS);
    return stored.timestamp_ms;
}

static apr_status_t set(void *baton, const wa_message_t *now, wa_message_state_t *next,
                        apr_pool_t *p)
{
    (void)now;
    (void)p;
    next->status = *(const wa_status_e *)baton;
    next->delivery = WA_SLICE_LITERAL("changed");
    return APR_SUCCESS;
}

static void become(fixture_t *f, const char *id, wa_status_e status)
{
    wa_message_t m;

    assert_int_equal(wa_store_message_update(f->store, UPDATE_OF(id, set, &status), &m, f->p),
                     APR_SUCCESS);
}

static void messages_that_are_pending_are_listed(void **state)
{
    fixture_t *f = *state;

    assert_string_equal(pending(f, LATER, 10), "");
    message_add(f, "in", "SM1", "+15551230001", WA_DIRECTION_RECEIVED);
    add(f, "a", WA_STATUS_PENDING);
    add(f, "b", WA_STATUS_SUCCESS);
    add(f, "c", WA_STATUS_PENDING);
    add(f, "d", WA_STATUS_PENDING);
    assert_string_equal(pending(f, LATER, 10), "a c d ");
    become(f, "c", WA_STATUS_SUCCESS);
    become(f, "d", WA_STATUS_FAILED);
    become(f, "a", WA_STATUS_PENDING);
    assert_string_equal(pending(f, LATER, 10), "a ");
    become(f, "c", WA_STATUS_PENDING);
    assert_string_equal(pending(f, LATER, 10), "a c ");
    become(f, "in", WA_STATUS_PENDING); /* a received one, while something of it is looked for */
    assert_string_equal(pending(f, LATER, 10), "in a c ");
    become(f, "in", WA_STATUS_NONE);
    assert_string_equal(pending(f, LATER, 10), "a c ");
}

static void the_oldest_come_first_up_to_a_time_and_a_count(void **state)
{
    fixture_t *f = *state;
    apr_int64_t b;

    add(f, "a", WA_STATUS_PENDING);
    store_time(f); /* closes a's millisecond */
    b = add(f, "b", WA_STATUS_PENDING);
    store_time(f);
    add(f, "c", WA_STATUS_PENDING);
    assert_string_equal(pending(f, b, 10), "a b ");
    assert_string_equal(pending(f, b - 1, 10), "a ");
    assert_string_equal(pending(f, LATER, 2), "a b ");
    assert_string_equal(pending(f, LATER, 0), "");
}

static apr_status_t pending_count(void *baton, const wa_message_t *m, int is_update)
{
    (void)m;
    (void)is_update;
    ++*(int *)baton;
    return APR_SUCCESS;
}

/* What is dated after `before` is listed all the same where its date lies ahead of the clock. */
static void dates_ahead_are_listed_too(void **state)
{
    fixture_t *f = *state;
    apr_int64_t date;
    int i;

    add(f, "a", WA_STATUS_PENDING);
    {
        wa_message_t m;

        assert_int_equal(wa_store_message_find(f->store, "a", &m, f->p), APR_SUCCESS);
        date = m.date_ms;
    }
    for (i = -1; i <= 1; i++) {
        int count = 0;

        assert_int_equal(
            wa_store_pending_list(f->store,
                                  PENDING_OF(date - 10, date + i, 10, pending_count, &count), f->p),
            APR_SUCCESS);
        assert_int_equal(count, i < 0);
    }
}

static void they_are_known_after_a_restart(void **state)
{
    fixture_t *f = *state;

    add(f, "a", WA_STATUS_PENDING);
    add(f, "b", WA_STATUS_PENDING);
    add(f, "c", WA_STATUS_PENDING);
    become(f, "b", WA_STATUS_SUCCESS);
    fixture_log_clear();
    fixture_reopen(f);
    assert_string_equal(fixture_log(), ""); /* the checkpoint was believed */
    assert_string_equal(pending(f, LATER, 10), "a c ");
    become(f, "a", WA_STATUS_SUCCESS);
    fixture_reopen(f);
    assert_string_equal(pending(f, LATER, 10), "c ");
}

static void they_are_known_when_only_the_journal_is_left(void **state)
{
    fixture_t *f = *state;

    add(f, "a", WA_STATUS_PENDING);
    add(f, "b", WA_STATUS_PENDING);
    become(f, "a", WA_STATUS_FAILED);
    fixture_close(f);
    assert_int_equal(unlink(apr_pstrcat(f->p, f->directory, "/store/CURRENT", NULL)), 0);
    fixture_open(f);
    assert_string_equal(pending(f, LATER, 10), "b ");
}

static void more_than_a_batch_is_listed_whole(void **state)
{
    fixture_t *f = *state;
    visited_t *v = apr_pcalloc(f->p, sizeof(*v));
    int i;

    f->sync = WA_SYNC_OFF;
    fixture_reopen(f);
    for (i = 0; i < 520; i++) {
        add(f, apr_psprintf(f->p, "m%d", i), WA_STATUS_PENDING);
    }
    for (i = 0; i < 520; i += 5) {
        become(f, apr_psprintf(f->p, "m%d", i), WA_STATUS_SUCCESS);
    }
    assert_int_equal(
        wa_store_pending_list(f->store, PENDING_OF(LATER, INT64_MAX, 600, visit, v), f->p),
        APR_SUCCESS);
    assert_int_equal(v->count, 416);
    assert_slice(v->messages[0].id, "m1");
    assert_slice(v->messages[415].id, "m519");
}

static int setup(void **state)
{
    *state = fixture_create("db");
    return 0;
}

static int teardown(void **state)
{
    fixture_destroy(*state);
    return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(messages_that_are_pending_are_listed),
        TEST(the_oldest_come_first_up_to_a_time_and_a_count),
        TEST(dates_ahead_are_listed_too),
        TEST(they_are_known_after_a_restart),
        TEST(they_are_known_when_only_the_journal_is_left),
        TEST(more_than_a_batch_is_listed_whole),
    };
    int failed;

    apr_initialize();
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    apr_terminate();
    return failed;
}
