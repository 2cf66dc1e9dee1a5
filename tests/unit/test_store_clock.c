/* SPDX-License-Identifier: Apache-2.0 */
/* Tests the store with clocks that jump: its own time goes forward, and what is due is done. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dlfcn.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <time.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "base/clock.h"
#include "store/dbm/dbm.h"
#include "store_snapshot.h"

#define VISIBLE __attribute__((visibility("default")))
#define CHECKPOINT_AGE apr_time_from_sec(300)
#define HOUR ((int64_t)3600 * 1000000)

/* ---- the clocks, which this program puts itself in front of, for the library and for APR alike
 * ---- */

static int64_t wall_shift_us; /* added to the wall clock */
static int64_t wall_us;       /* what the wall clock says, 0: the truth */
static int64_t steady_us;     /* what the steady clock says, 0: the truth */
static int syncs;             /* how often anything was synced */

VISIBLE int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    static int (*real)(struct timeval *, void *);
    int rc;

    if (!real) {
        *(void **)&real = dlsym(RTLD_NEXT, "gettimeofday");
    }
    rc = real(now, zone);
    if (!rc) {
        int64_t us =
            wall_us ? wall_us : now->tv_sec * (int64_t)1000000 + now->tv_usec + wall_shift_us;

        now->tv_sec = us / 1000000;
        now->tv_usec = us % 1000000;
    }
    return rc;
}

VISIBLE int clock_gettime(clockid_t id, struct timespec *now)
{
    static int (*real)(clockid_t, struct timespec *);

    if (!real) {
        *(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
    }
    if (id == CLOCK_MONOTONIC && steady_us) {
        now->tv_sec = steady_us / 1000000;
        now->tv_nsec = steady_us % 1000000 * 1000;
        return 0;
    }
    return real(id, now);
}

VISIBLE int fdatasync(int fd)
{
    (void)fd;
    syncs++;
    return 0;
}

static int setup(void **state)
{
    wall_shift_us = wall_us = steady_us = 0;
    *state = fixture_create("sdbm");
    return 0;
}

static int teardown(void **state)
{
    wall_shift_us = wall_us = steady_us = 0;
    fixture_destroy(*state);
    return 0;
}

/* ---- the store's time ---- */

static apr_status_t visit(void *baton, const wa_message_t *m, int is_update)
{
    visited_t *v = baton;

    assert_int_equal(is_update, 0);
    assert_true(v->count < sizeof(v->messages) / sizeof(v->messages[0]));
    v->messages[v->count++] = *m;
    return APR_SUCCESS;
}

/* Stores three messages and polls: these three come, in order, after all that came before, and none
 * twice. */
static void three_come(fixture_t *f, int turn, apr_int64_t *psince)
{
    wa_changes_t changes;
    visited_t *v = apr_pcalloc(f->p, sizeof(*v));
    wa_message_t stored[3];
    int i;

    for (i = 0; i < 3; i++) {
        const char *id = apr_psprintf(f->p, "m-%d-%d", turn, i);

        stored[i] = message_add(f, id, apr_pstrcat(f->p, "SM", id, NULL), "+15551230001",
                                WA_DIRECTION_RECEIVED);
        assert_true(stored[i].timestamp_ms >= (i ? stored[i - 1].timestamp_ms : *psince + 1));
    }
    assert_int_equal(
        wa_store_changes_list(f->store, CHANGES_AFTER(*psince, 50, visit, v), &changes, f->p),
        APR_SUCCESS);
    assert_int_equal(v->count, 3);
    for (i = 0; i < 3; i++) {
        assert_slice(v->messages[i].id, apr_psprintf(f->p, "m-%d-%d", turn, i));
    }
    assert_int_equal(changes.timestamp_ms, stored[2].timestamp_ms);
    assert_int_equal(store_time(f), stored[2].timestamp_ms);
    *psince = changes.timestamp_ms;
}

static void time_goes_forward_whatever_the_clock_does(void **state)
{
    static const int64_t shifts[] = {0, -24 * HOUR, HOUR, -2 * HOUR, 240 * HOUR, 0, -1, 5000};
    fixture_t *f = *state;
    apr_int64_t since = 0;
    apr_size_t i, how;
    int turn = 0;

    for (how = 0; how < 3; how++) {
        for (i = 0; i < sizeof(shifts) / sizeof(shifts[0]); i++) {
            wall_shift_us = shifts[i];
            if (how == 1) {
                fixture_reopen(f);
            } else if (how == 2) {
                snapshot_t *s = snapshot_take(f, f->p);

                fixture_close(f);
                snapshot_restore(s, f); /* as if killed */
                fixture_open(f);
            }
            assert_int_equal(store_time(f), since);
            three_come(f, turn++, &since);
        }
    }
    assert_int_equal(thread_get(f, "+15551230001").message_count, 3 * turn);
}

#define A_MORNING ((int64_t)1800000000 * 1000000)

static apr_int64_t poll(fixture_t *f, apr_int64_t since, apr_size_t count)
{
    wa_changes_t changes;
    visited_t *v = apr_pcalloc(f->p, sizeof(*v));

    assert_int_equal(
        wa_store_changes_list(f->store, CHANGES_AFTER(since, 50, visit, v), &changes, f->p),
        APR_SUCCESS);
    assert_int_equal(v->count, count);
    return changes.timestamp_ms;
}

static apr_int64_t time_of_new(fixture_t *f, int n)
{
    const char *id = apr_psprintf(f->p, "m-%d", n);

    return message_add(f, id, apr_pstrcat(f->p, "SM", id, NULL), "+15551230001",
                       WA_DIRECTION_RECEIVED)
        .timestamp_ms;
}

static void a_burst_has_the_time_of_its_millisecond_until_somebody_saw_its_end(void **state)
{
    const apr_int64_t now = A_MORNING / 1000;
    fixture_t *f = *state;
    int i;

    wall_us = A_MORNING;
    for (i = 0; i < 20; i++) {
        assert_int_equal(time_of_new(f, i), now);
    }
    wall_us += 1000;
    assert_int_equal(poll(f, now - 1, 20), now);
    assert_int_equal(poll(f, now, 0), now);
    wall_us -= 1000; /* the clock is set back: nothing comes at a time that was closed */
    assert_int_equal(time_of_new(f, i++), now + 1);
    assert_int_equal(time_of_new(f, i++), now + 1);
    assert_int_equal(poll(f, now, 2), now + 1);
    assert_int_equal(time_of_new(f, i++), now + 2);
    fixture_reopen(f); /* who polled before a restart was told the truth, too */
    assert_int_equal(time_of_new(f, i++), now + 3);
    wall_us += HOUR;
    assert_int_equal(time_of_new(f, i), wall_us / 1000);
}

/* An answer holds a millisecond whole, so there is a bound on what one millisecond holds. */
static void no_millisecond_holds_more_than_an_answer(void **state)
{
    const apr_int64_t now = A_MORNING / 1000;
    fixture_t *f = *state;
    int i;

    wall_us = A_MORNING;
    for (i = 0; i < 1200; i++) {
        const apr_int64_t time = time_of_new(f, i);

        assert_in_range(time, now, now + 2);
        assert_true(time >= now + i / 501);
    }
    wall_us += 1000;
    assert_int_equal(poll(f, now - 1, 501), now);
}

/* Two of one millisecond of which one is not durable yet: neither is given, and neither is lost. */
static void what_others_may_still_join_is_held_back(void **state)
{
    const apr_int64_t now = A_MORNING / 1000;
    fixture_t *f = *state;
    wa_dbm_store_t *store;
    wa_record_parked_t parked = {WA_SLICE_LITERAL("key"), WA_SLICE_LITERAL("value")};
    wa_changes_t changes;
    wa_commit_t commit = {0};
    wa_record_t *record;

    fixture_close(f);
    f->sync = WA_SYNC_ALWAYS;
    wall_us = A_MORNING;
    fixture_open(f);
    store = WA_DBM_STORE(f->store);
    assert_int_equal(time_of_new(f, 0), now);
    wall_us += 1000;
    assert_int_equal(time_of_new(f, 1), now + 1);
    assert_int_equal(wa_record_parked_make(&record, &parked, f->p), APR_SUCCESS);
    commit.base = wa_dbm_end(store);
    assert_int_equal(wa_order_append(&store->writer, record, &commit), APR_SUCCESS);
    assert_int_equal(commit.timestamp_ms, now + 1);
    wall_us += 1000;
    assert_int_equal(poll(f, now - 1, 1), now);
    assert_int_equal(poll(f, now, 0), now);
    memset(&changes, 0, sizeof(changes));
    assert_int_equal(
        wa_store_changes_list(f->store, CHANGES_AFTER(now, 50, visit, NULL), &changes, f->p),
        APR_SUCCESS);
    assert_true(changes.is_held_back);
    assert_int_equal(wa_commit_wait(&store->writer, &commit), APR_SUCCESS);
    assert_int_equal(poll(f, now, 1), now + 1);
}

/* A new store of another machine's clock, set right by days afterwards: what is newest is what came
 * last. */
static void the_thread_list_follows_the_order_of_arrival(void **state)
{
    fixture_t *f = *state;

    wall_shift_us = 240 * HOUR;
    message_add(f, "early", "SMearly", "+15551230001", WA_DIRECTION_RECEIVED);
    wall_shift_us = 0;
    fixture_reopen(f);
    message_add(f, "late", "SMlate", "+15551230002", WA_DIRECTION_RECEIVED);
    assert_true(thread_get(f, "+15551230002").last_timestamp_ms
                > thread_get(f, "+15551230001").last_timestamp_ms);
}

/* ---- dates: what the clock said ---- */

#define MS(hours) ((apr_int64_t)(hours)*3600000)
#define NEAR(a, b) assert_true((a) - (b) < 60000 && (b) - (a) < 60000)

static const char *const ana = "+15551230001", *const bea = "+15551230002";

/* Opens the store again, so that all is read from a checkpoint, or from the journal as after a
 * kill. */
static void reopen(fixture_t *f, int is_killed)
{
    snapshot_t *s = is_killed ? snapshot_take(f, f->p) : NULL;

    fixture_close(f);
    if (s) {
        snapshot_restore(s, f);
    }
    fixture_open(f);
}

static void a_date_is_the_clocks_whatever_the_stores_time_is(void **state)
{
    fixture_t *f = *state;
    const apr_int64_t now = wa_clock_now_ms();
    wa_message_t m;
    wa_thread_t t;
    int how;

    wall_shift_us = 9600 * HOUR;
    m = message_add(f, "ahead", "SMahead", ana, WA_DIRECTION_RECEIVED);
    NEAR(m.date_ms, now + MS(9600));
    assert_true(m.date_ms == m.timestamp_ms);
    assert_true(thread_get(f, ana).inbound[0].before_ms == 0);
    wall_shift_us = 0;
    m = message_add(f, "right", "SMright", bea, WA_DIRECTION_RECEIVED);
    NEAR(m.date_ms, now);
    NEAR(m.timestamp_ms, now + MS(9600));
    wall_shift_us = HOUR;
    message_add(f, "sent", NULL, bea, WA_DIRECTION_SENT);
    for (how = 0; how < 3; how++) {
        if (how) {
            reopen(f, how == 2);
        }
        t = thread_get(f, ana);
        NEAR(t.inbound[0].date_ms, now + MS(9600));
        NEAR(t.inbound[0].before_ms, now);
        t = thread_get(f, bea);
        NEAR(t.inbound[0].date_ms, now);
        assert_int_equal(t.inbound[0].before_ms, 0);
    }
    /* What they write later counts as of then. */
    m = message_add(f, "again", "SMagain", ana, WA_DIRECTION_RECEIVED);
    NEAR(thread_get(f, ana).inbound[0].date_ms, now + MS(1));
    assert_int_equal(thread_get(f, ana).inbound[0].before_ms, 0);
}

/* A clock that goes back by a little is set right every day. */
static void small_steps_back_are_nothing(void **state)
{
    fixture_t *f = *state;

    message_add(f, "a", "SMa", ana, WA_DIRECTION_RECEIVED);
    wall_shift_us = -(int64_t)4 * 60 * 1000000;
    message_add(f, "b", "SMb", bea, WA_DIRECTION_RECEIVED);
    assert_int_equal(thread_get(f, ana).inbound[0].before_ms, 0);
    wall_shift_us = -HOUR;
    message_add(f, "c", "SMc", bea, WA_DIRECTION_SENT);
    assert_true(thread_get(f, ana).inbound[0].before_ms > 0);
    assert_true(thread_get(f, bea).inbound[0].before_ms > 0);
}

static void a_date_that_is_given_is_kept(void **state)
{
    fixture_t *f = *state;
    const apr_int64_t now = wa_clock_now_ms();
    wa_message_new_t late = message_new("late", "SMlate", ana, WA_DIRECTION_RECEIVED, NULL);
    wa_message_t m;
    int how;

    message_add(f, "before", "SMbefore", ana, WA_DIRECTION_RECEIVED);
    late.date_ms = now - MS(30);
    assert_int_equal(wa_store_message_add(f->store, &late, &m, f->p), APR_SUCCESS);
    assert_true(m.date_ms == now - MS(30));
    late.counterpart = bea;
    late.id = "late2";
    late.sid = "SMlate2";
    assert_int_equal(wa_store_message_add(f->store, &late, &m, f->p), APR_SUCCESS);
    for (how = 0; how < 3; how++) {
        if (how) {
            reopen(f, how == 2);
        }
        NEAR(thread_get(f, ana).inbound[0].date_ms,
             now); /* what came before it was written after it */
        assert_true(thread_get(f, bea).inbound[0].date_ms == now - MS(30));
        assert_int_equal(wa_store_message_find(f->store, "late2", &m, f->p), APR_SUCCESS);
        assert_true(m.date_ms == now - MS(30));
    }
}

static void a_clock_that_was_never_set_gives_no_date(void **state)
{
    fixture_t *f = *state;
    wa_message_t first = message_add(f, "a", "SMa", ana, WA_DIRECTION_RECEIVED), m;

    wall_shift_us = -(wa_clock_now_ms() - 100000) * 1000; /* 1970 */
    m = message_add(f, "b", "SMb", bea, WA_DIRECTION_RECEIVED);
    assert_true(m.timestamp_ms == first.timestamp_ms); /* nobody was told that it is over */
    assert_true(m.date_ms == m.timestamp_ms);
    assert_int_equal(thread_get(f, ana).inbound[0].before_ms, 0);
}

static void a_contacts_times_are_the_clocks(void **state)
{
    fixture_t *f = *state;
    const apr_int64_t now = wa_clock_now_ms();
    wa_contact_t c;

    wall_shift_us = 9600 * HOUR;
    message_add(f, "a", "SMa", ana, WA_DIRECTION_RECEIVED);
    wall_shift_us = 0;
    assert_int_equal(contact_add(f, "c1", ana, "Ana", &c), APR_SUCCESS);
    NEAR(c.created_ms, now);
    NEAR(c.updated_ms, now);
}

/* To the millisecond, as the messenger counts that asks for keys (test_messaging_idempotency). */
static void a_key_counts_for_24_hours_exactly(void **state)
{
    fixture_t *f = *state;
    wa_message_new_t again = message_new("k2", NULL, ana, WA_DIRECTION_SENT, "key");
    wa_message_t first, m;

    wall_us = 1795000000123000;
    first = message_keyed_add(f, "k1", NULL, ana, "key");
    wall_us = first.date_ms * 1000 + 24 * HOUR;
    assert_int_equal(wa_store_message_add(f->store, &again, &m, f->p), APR_EEXIST);
    assert_slice(m.id, "k1");
    wall_us += 1000;
    assert_int_equal(wa_store_message_add(f->store, &again, &m, f->p), APR_SUCCESS);
    assert_slice(m.id, "k2");
    /* and the key is the new message's from now on */
    assert_int_equal(wa_store_message_find(f->store, WA_KEY_IDEMPOTENCY "key", &m, f->p),
                     APR_SUCCESS);
    assert_slice(m.id, "k2");
}

static void a_key_counts_for_24_hours_of_the_clock(void **state)
{
    fixture_t *f = *state;
    wa_message_new_t again = message_new("k2", NULL, ana, WA_DIRECTION_SENT, "key");
    wa_message_t m;

    wall_shift_us = 9600 * HOUR;
    message_add(f, "a", "SMa", ana, WA_DIRECTION_RECEIVED);
    wall_shift_us = 0;
    message_keyed_add(f, "k1", NULL, ana, "key");
    wall_shift_us = 23 * HOUR;
    assert_int_equal(wa_store_message_add(f->store, &again, &m, f->p), APR_EEXIST);
    wall_shift_us = 25 * HOUR;
    assert_int_equal(wa_store_message_add(f->store, &again, &m, f->p), APR_SUCCESS);
}

static void pending_messages_are_listed_by_their_dates(void **state)
{
    fixture_t *f = *state;
    const apr_int64_t now = wa_clock_now_ms();
    visited_t *v = apr_pcalloc(f->p, sizeof(*v));

    wall_shift_us = 9600 * HOUR;
    message_add(f, "ahead", NULL, ana, WA_DIRECTION_SENT);
    wall_shift_us = 0;
    message_add(f, "now", NULL, ana, WA_DIRECTION_SENT);
    wall_shift_us = HOUR;
    message_add(f, "later", NULL, ana, WA_DIRECTION_SENT);
    assert_int_equal(
        wa_store_pending_list(f->store, PENDING_OF(now + 60000, now + MS(2), 9, visit, v), f->p),
        APR_SUCCESS);
    assert_int_equal(v->count,
                     2); /* of the one nobody knows when, of the other an hour is missing */
    assert_slice(v->messages[0].id, "ahead");
    assert_slice(v->messages[1].id, "now");
}

/* ---- saying it ---- */

static int lines(const char *tag)
{
    const char *at = fixture_log();
    int count = 0;

    while ((at = strstr(at, tag)) != NULL) {
        count++;
        at++;
    }
    return count;
}

static void a_time_that_is_ahead_is_said_at_a_start_and_each_hour(void **state)
{
    fixture_t *f = *state;

    steady_us = HOUR;
    wall_shift_us = (int64_t)4 * 60 * 1000000;
    message_add(f, "a", "SMa", ana, WA_DIRECTION_RECEIVED);
    wall_shift_us = 0;
    fixture_log_clear();
    fixture_reopen(f);
    assert_int_equal(lines("WA0455"), 0); /* bursts and clocks do that */
    wall_shift_us = 9600 * HOUR;
    message_add(f, "b", "SMb", ana, WA_DIRECTION_RECEIVED);
    assert_int_equal(wa_store_maintain(f->store, f->p), APR_SUCCESS);
    assert_int_equal(lines("WA0455"), 0); /* nobody can know yet */
    wall_shift_us = 0;
    assert_int_equal(wa_store_maintain(f->store, f->p), APR_SUCCESS);
    assert_int_equal(wa_store_maintain(f->store, f->p), APR_SUCCESS);
    assert_int_equal(lines("WA0455"), 1);
    assert_true(strstr(fixture_log(), "399 days ahead of the clock")
                || strstr(fixture_log(), "400 days ahead of the clock"));
    steady_us += HOUR - 1000000;
    assert_int_equal(wa_store_maintain(f->store, f->p), APR_SUCCESS);
    assert_int_equal(lines("WA0455"), 1);
    steady_us += 2000000;
    assert_int_equal(wa_store_maintain(f->store, f->p), APR_SUCCESS);
    assert_int_equal(lines("WA0455"), 2);
    fixture_reopen(f);
    assert_int_equal(lines("WA0455"), 3);
}

/* ---- what is due ---- */

static void a_checkpoint_is_made_when_the_clock_went_back(void **state)
{
    fixture_t *f = *state;
    const wa_shared_t *shared = WA_DBM_STORE(f->store)->shared;
    apr_uint64_t before;

    steady_us = HOUR;
    assert_int_equal(wa_store_maintain(f->store, f->p), APR_SUCCESS);
    message_add(f, "one", "SMone", "+15551230001", WA_DIRECTION_RECEIVED);
    before = shared->checkpoint_offset;
    wall_shift_us = -24 * HOUR;
    steady_us += (int64_t)299 * 1000000;
    assert_int_equal(wa_store_maintain(f->store, f->p), APR_SUCCESS);
    assert_true(shared->checkpoint_offset == before);
    steady_us += (int64_t)2 * 1000000;
    assert_int_equal(wa_store_maintain(f->store, f->p), APR_SUCCESS);
    assert_true(shared->checkpoint_offset > before);
}

static void a_checkpoint_that_failed_is_left_alone_for_a_minute(void **state)
{
    fixture_t *f = *state;
    const wa_shared_t *shared = WA_DBM_STORE(f->store)->shared;
    struct rlimit old, none;
    int i;

    steady_us = HOUR;
    assert_int_equal(wa_store_maintain(f->store, f->p), APR_SUCCESS);
    message_add(f, "one", "SMone", "+15551230001", WA_DIRECTION_RECEIVED);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    signal(SIGXFSZ, SIG_IGN);
    none = old;
    none.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0); /* as if the disk were full */
    steady_us += (int64_t)301 * 1000000;
    fixture_log_clear();
    assert_int_not_equal(wa_store_maintain(f->store, f->p), APR_SUCCESS);
    assert_non_null(strstr(fixture_log(), "WA0420"));
    fixture_log_clear();
    for (i = 0; i < 59; i++) {
        steady_us += 1000000;
        assert_int_equal(wa_store_maintain(f->store, f->p), APR_SUCCESS);
    }
    assert_string_equal(fixture_log(), "");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    steady_us += 1000001;
    WA_DBM_STORE(f->store)->checked_at -= CHECKPOINT_AGE; /* it is still due */
    assert_int_equal(wa_store_maintain(f->store, f->p), APR_SUCCESS);
    assert_true(shared->checkpoint_offset == shared->visible);
}

static void an_interval_passes_when_the_clock_went_back(void **state)
{
    fixture_t *f = *state;
    int before;

    fixture_close(f);
    f->sync = WA_SYNC_INTERVAL;
    steady_us = HOUR;
    fixture_open(f);
    message_add(f, "one", "SMone", "+15551230001", WA_DIRECTION_RECEIVED);
    before = syncs;
    wall_shift_us = -24 * HOUR;
    message_add(f, "two", "SMtwo", "+15551230001", WA_DIRECTION_RECEIVED);
    assert_int_equal(syncs, before);
    steady_us += 1000001;
    message_add(f, "three", "SMthree", "+15551230001", WA_DIRECTION_RECEIVED);
    assert_int_equal(syncs, before + 1);
    wall_shift_us = 24 * HOUR;
    message_add(f, "four", "SMfour", "+15551230001", WA_DIRECTION_RECEIVED);
    assert_int_equal(syncs, before + 1);
    steady_us += 1000001;
    assert_int_equal(wa_store_maintain(f->store, f->p), APR_SUCCESS);
    assert_int_equal(syncs, before + 2);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(time_goes_forward_whatever_the_clock_does),
        TEST(a_burst_has_the_time_of_its_millisecond_until_somebody_saw_its_end),
        TEST(no_millisecond_holds_more_than_an_answer),
        TEST(what_others_may_still_join_is_held_back),
        TEST(the_thread_list_follows_the_order_of_arrival),
        TEST(a_date_is_the_clocks_whatever_the_stores_time_is),
        TEST(small_steps_back_are_nothing),
        TEST(a_date_that_is_given_is_kept),
        TEST(a_clock_that_was_never_set_gives_no_date),
        TEST(a_contacts_times_are_the_clocks),
        TEST(a_key_counts_for_24_hours_exactly),
        TEST(a_key_counts_for_24_hours_of_the_clock),
        TEST(pending_messages_are_listed_by_their_dates),
        TEST(a_time_that_is_ahead_is_said_at_a_start_and_each_hour),
        TEST(a_checkpoint_is_made_when_the_clock_went_back),
        TEST(a_checkpoint_that_failed_is_left_alone_for_a_minute),
        TEST(an_interval_passes_when_the_clock_went_back),
    };
    int failed;

    apr_initialize();
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    apr_terminate();
    return failed;
}
