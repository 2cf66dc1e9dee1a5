/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of to whom nothing is sent: blocked, opted out, window closed. */
#include "fixed_clock.h"
#include "test_sending.h"

#include "base/clock.h"
#include "base/percent.h"
#include "messaging/policy/policy.h"
#include "messaging/receive/receive.h"

/* Not asked for here; it would bring the real client with it. */
apr_status_t wa_twilio_media_fetch(wa_twilio_client_t *client,
                                   const wa_twilio_media_request_t *request,
                                   const wa_twilio_sink_t *sink, apr_pool_t *tmp)
{
    (void)client, (void)request, (void)sink, (void)tmp;
    return APR_EGENERAL;
}

static const char *const stops[] = {"STOP", "Basta ya", NULL};
static const char *const starts[] = {"START", NULL};

static void begin_policy(world_t *world, apr_pool_t *p)
{
    begin(world, p);
    fake_store_clock(world->fake, wa_clock_now_ms() - 1000);
    world->messenger.stop_words = stops;
    world->messenger.start_words = starts;
}

static apr_status_t inbound_as(world_t *world, const char *sid, const char *text)
{
    const char *body = apr_psprintf(
        world->p, "MessageSid=%s&From=whatsapp%%3A%%2B15551230001&NumMedia=0&Body=%s", sid, text);
    wa_sentence_t sentence;

    return wa_receive(&world->messenger, form_of(body, world->p), &sentence, world->p);
}

static void inbound(world_t *world, const char *text)
{
    static int count;
    const char *sid = apr_psprintf(world->p, "SM%032x", ++count + 0x1000);

    assert_int_equal(inbound_as(world, sid, text), APR_SUCCESS);
}

static apr_status_t try_send(world_t *world)
{
    wa_send_result_t result;
    const int calls = twilio.calls;
    const apr_size_t count = fake_store_count(world->fake);
    apr_status_t rv = send_text(world, NUMBER, TEXT, &result);

    if (rv != APR_SUCCESS) {
        assert_int_equal(twilio.calls, calls);
        assert_int_equal(fake_store_count(world->fake), count);
        assert_non_null(result.sentence);
    }
    return rv;
}

static void test_stop_and_start(void **state)
{
    static const char *const stop[] = {"STOP", "stop", "+Stop!%0A", "stop.", "basta+YA"};
    static const char *const other[] = {"STOP+IT", "please+stop", "START+STOP", "", "st%00op"};
    world_t world;
    size_t i;

    begin_policy(&world, *state);
    for (i = 0; i < COUNT(stop); i++) {
        inbound(&world, stop[i]);
        assert_int_equal(try_send(&world), APR_EACCES);
        inbound(&world, "hello");
        assert_int_equal(try_send(&world), APR_EACCES);
        inbound(&world, "start");
        assert_int_equal(try_send(&world), APR_SUCCESS);
    }
    for (i = 0; i < COUNT(other); i++) {
        inbound(&world, other[i]);
        assert_int_equal(try_send(&world), APR_SUCCESS);
    }
    assert_non_null(strstr(world.lines, "6 WA0541 +1555***0001 has opted out"));
    world.messenger.stop_words = NULL;
    inbound(&world, "STOP");
    assert_int_equal(try_send(&world), APR_SUCCESS);
}

/* It is in one commit with its message: there is no moment at which only the message is there. */
static void test_a_stop_is_kept_with_its_message_or_not_at_all(void **state)
{
    world_t world;

    begin_policy(&world, *state);
    fake_store_fail(world.fake, FAKE_FLAGS, APR_TIMEUP);
    assert_int_equal(inbound_as(&world, SID_2, "STOP"), APR_SUCCESS);
    assert_int_equal(try_send(&world), APR_EACCES);
    inbound(&world, "START");
    assert_int_equal(try_send(&world), APR_SUCCESS);
    /* An old one that comes again undoes nothing. */
    assert_int_equal(inbound_as(&world, SID_2, "STOP"), APR_SUCCESS);
    assert_int_equal(try_send(&world), APR_SUCCESS);
}

/* One that was fetched: it was written at `date_ms`, whole seconds. */
static void inbound_late(world_t *world, const char *text, apr_int64_t date_ms)
{
    static int count;
    char date[APR_RFC822_DATE_LEN];
    const char *sid = apr_psprintf(world->p, "SM%032x", ++count + 0x2000);

    apr_rfc822_date(date, apr_time_from_msec(date_ms));
    assert_int_equal(inbound_as(world, sid,
                                apr_pstrcat(world->p, text, "&DateSent=",
                                            wa_percent_encode(wa_slice_of(date), world->p), NULL)),
                     APR_SUCCESS);
}

/* What they said last holds, by when they wrote and not by when it came. */
static void test_a_word_that_comes_late_counts_as_of_its_time(void **state)
{
    static const struct {
        const char *first; /* by its webhook, an hour ago */
        const char
            *late; /* fetched now, written so many minutes after the first (before it: negative) */
        int after_min;
        apr_status_t rv;
    } cases[] = {
        {"START", "STOP", -30, APR_SUCCESS},
        {"START", "STOP", 30, APR_EACCES},
        {"STOP", "START", -30, APR_EACCES},
        {"STOP", "START", 30, APR_SUCCESS},
        {"hello", "STOP", -30, APR_EACCES},
        {"hello", "STOP", 30, APR_EACCES},
        /* at the same moment: what came last */
        {"START", "STOP", 0, APR_EACCES},
        {"STOP", "START", 0, APR_SUCCESS},
    };
    const apr_int64_t now = 1700000000000, hour = 3600000;
    world_t world;
    size_t i;

    for (i = 0; i < COUNT(cases); i++) {
        begin_policy(&world, *state);
        fixed_clock_ms = now;
        fake_store_clock(world.fake, now - hour - 1);
        inbound(&world, cases[i].first);
        fake_store_clock(world.fake, now - 1);
        inbound_late(&world, cases[i].late, now - hour + cases[i].after_min * (hour / 60));
        assert_int_equal(try_send(&world), cases[i].rv);
        fixed_clock_ms = 0;
    }
}

/* What we wrote is no word of theirs. */
static void test_our_own_start_lets_nobody_in(void **state)
{
    const apr_int64_t now = 1700000000000, hour = 3600000;
    wa_send_result_t result;
    world_t world;

    begin_policy(&world, *state);
    fixed_clock_ms = now;
    fake_store_clock(world.fake, now - hour);
    assert_int_equal(send_text(&world, NUMBER, "START", &result), APR_SUCCESS);
    fake_store_clock(world.fake, now);
    inbound_late(&world, "STOP", now - 2 * hour);
    assert_int_equal(try_send(&world), APR_EACCES);
    fixed_clock_ms = 0;
}

/* A later word's date that cannot be right: a STOP is believed all the same, a START is not. */
static void test_a_date_that_cannot_be_right_only_shuts(void **state)
{
    static const struct {
        const char *later, *late;
        apr_int64_t ahead_ms;
        apr_status_t rv;
    } cases[] = {
        {"START", "STOP", 0, APR_SUCCESS},
        {"START", "STOP", WA_CLOCK_SKEW_MS, APR_SUCCESS},
        {"START", "STOP", WA_CLOCK_SKEW_MS + 1000, APR_EACCES},
        {"STOP", "START", WA_CLOCK_SKEW_MS + 1000, APR_EACCES},
        {"STOP", "START", 24 * 3600000, APR_EACCES},
    };
    const apr_int64_t now = 1700000000000, hour = 3600000;
    world_t world;
    size_t i;

    for (i = 0; i < COUNT(cases); i++) {
        begin_policy(&world, *state);
        fixed_clock_ms = now;
        fake_store_clock(world.fake, now + cases[i].ahead_ms - 1);
        inbound(&world, cases[i].later);
        inbound_late(&world, cases[i].late, now - hour);
        assert_int_equal(try_send(&world), cases[i].rv);
        fixed_clock_ms = 0;
    }
}

static void test_a_word_that_changes_nothing_is_not_logged(void **state)
{
    const char *first;
    world_t world;

    begin_policy(&world, *state);
    inbound(&world, "START");
    assert_null(strstr(world.lines, "WA0541"));
    inbound(&world, "STOP");
    first = strstr(world.lines, "WA0541");
    assert_non_null(first);
    assert_null(strstr(first + 1, "WA0541"));
    inbound(&world, "STOP");
    first = strstr(world.lines, "WA0541");
    assert_null(strstr(first + 1, "WA0541"));
}

static void test_21610_opts_out(void **state)
{
    world_t world;

    begin_policy(&world, *state);
    twilio.answer =
        (wa_twilio_result_t){.outcome = WA_TWILIO_REFUSED, .error_code = 21610, .error = "No."};
    assert_int_equal(try_send(&world), APR_SUCCESS);
    assert_int_equal(try_send(&world), APR_EACCES);

    begin_policy(&world, *state);
    assert_int_equal(try_send(&world), APR_SUCCESS);
    receipt(&world, "undelivered", "&ErrorCode=63016", NULL);
    assert_int_equal(try_send(&world), APR_SUCCESS);

    begin_policy(&world, *state);
    assert_int_equal(try_send(&world), APR_SUCCESS);
    receipt(&world, "failed", "&ErrorCode=21610", NULL);
    assert_int_equal(try_send(&world), APR_EACCES);
    inbound(&world, "START");
    /* the same receipt again undoes no START */
    receipt(&world, "failed", "&ErrorCode=21610", NULL);
    assert_int_equal(try_send(&world), APR_SUCCESS);
}

static void test_an_opt_out_that_cannot_be_kept_is_logged(void **state)
{
    world_t world;

    begin_policy(&world, *state);
    twilio.answer =
        (wa_twilio_result_t){.outcome = WA_TWILIO_REFUSED, .error_code = 21610, .error = "No."};
    fake_store_fail(world.fake, FAKE_FLAGS, APR_ENOSPC);
    assert_int_equal(try_send(&world), APR_SUCCESS);
    assert_non_null(strstr(world.lines, "4 WA0542 "));
}

static void test_blocked(void **state)
{
    world_t world;
    wa_store_t *store;

    begin_policy(&world, *state);
    store = world.messenger.store;
    inbound(&world, "hello");
    assert_int_equal(wa_store_thread_flags_set(store, NUMBER, WA_THREAD_BLOCKED, 0, world.p),
                     APR_SUCCESS);
    assert_int_equal(try_send(&world), APR_EACCES);
    inbound(&world, "START");
    assert_int_equal(try_send(&world), APR_EACCES);
    assert_int_equal(wa_store_thread_flags_set(store, NUMBER, 0, WA_THREAD_BLOCKED, world.p),
                     APR_SUCCESS);
    assert_int_equal(try_send(&world), APR_SUCCESS);
}

static void test_the_window(void **state)
{
    world_t world;
    wa_sentence_t sentence;

    begin_policy(&world, *state);
    assert_int_equal(try_send(&world), APR_SUCCESS);
    world.messenger.enforce_window = 1;
    assert_int_equal(try_send(&world), APR_EACCES);
    assert_int_equal(wa_policy_check(&world.messenger, NUMBER, 0, &sentence), APR_SUCCESS);
    fake_store_clock(world.fake, wa_clock_now_ms() - WA_WINDOW_MS - 10);
    inbound(&world, "long ago");
    assert_int_equal(try_send(&world), APR_EACCES);
    fake_store_clock(world.fake, wa_clock_now_ms() - WA_WINDOW_MS + 600000);
    inbound(&world, "just in time");
    assert_int_equal(try_send(&world), APR_SUCCESS);
}

/* It closes 24 hours after what they wrote, to the millisecond, as the thread says
 * (windowClosesAt). */
static void test_the_window_closes_to_the_millisecond(void **state)
{
    const apr_int64_t now = 1700000000123, day = 24 * 3600000;
    const struct {
        apr_int64_t at;
        apr_status_t rv;
    } cases[] = {
        {now, APR_SUCCESS},
        {now + day - 1, APR_SUCCESS},
        {now + day, APR_EACCES},
        {now + day + 1, APR_EACCES},
    };
    wa_sentence_t sentence;
    world_t world;
    size_t i;

    begin_policy(&world, *state);
    world.messenger.enforce_window = 1;
    fake_store_clock(world.fake, now - 1); /* the next commit's is `now` */
    inbound(&world, "hello");
    assert_true(fake_store_newest(world.fake)->m.date_ms == now);
    for (i = 0; i < COUNT(cases); i++) {
        fixed_clock_ms = cases[i].at;
        assert_int_equal(wa_policy_check(&world.messenger, NUMBER, 1, &sentence), cases[i].rv);
        assert_int_equal(wa_policy_check(&world.messenger, NUMBER, 0, &sentence), APR_SUCCESS);
    }
    fixed_clock_ms = 0;
}

static void test_when_somebody_wrote_last(void **state)
{
    static const apr_int64_t now = 1700000000000, day = 24 * 3600000;
    static const struct {
        apr_int64_t date, before, written;
    } cases[] = {
        {0, 0, 0},
        {now - day, 0, now - day},
        {now, 0, now},
        {now + 60000, 0, now + 60000}, /* clocks differ */
        {now + WA_CLOCK_SKEW_MS, 0, now + WA_CLOCK_SKEW_MS},
        {now + WA_CLOCK_SKEW_MS + 1, 0, now},
        {now + 400 * day, 0, now},
        {now + 400 * day, now - day, now - day},
        {now + 400 * day, now - 1, now - 1},
        {now + 400 * day, now, now},
        {now + 400 * day, now + day, now},
        {now - day, now - 2 * day, now - day}, /* the clock was behind after that */
    };
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(cases); i++) {
        const wa_inbound_t inbound[] = {
            {WA_SLICE_LITERAL(OUR_NUMBER), cases[i].date, cases[i].before},
            {WA_SLICE_LITERAL("+14155230000"), now - 9 * day, 0}};
        wa_thread_t thread = {.counterpart = WA_SLICE_LITERAL(NUMBER),
                              .last_inbound_ms = now + 400 * day,
                              .inbound = inbound,
                              .inbound_count = 2};

        assert_true(wa_policy_written_ms(&thread, OUR_NUMBER, now) == cases[i].written);
        /* to another number of ours, to one they never wrote to, to any, by another channel */
        assert_true(wa_policy_written_ms(&thread, "+14155230000", now) == now - 9 * day);
        assert_true(wa_policy_written_ms(&thread, "+14155230001", now) == 0);
        assert_true(wa_policy_written_ms(&thread, NULL, now)
                    == (cases[i].written > 0 ? cases[i].written : now - 9 * day));
        thread.counterpart = wa_slice_of("sms:" NUMBER);
        assert_true(wa_policy_written_ms(&thread, OUR_NUMBER, now) == 0);
    }
}

static void test_the_window_goes_by_the_clock(void **state)
{
    world_t world;

    begin_policy(&world, *state);
    world.messenger.enforce_window = 1;
    fake_store_clock(world.fake, wa_clock_now_ms() + 400 * WA_WINDOW_MS);
    fake_store_dates(world.fake, -401 * WA_WINDOW_MS - 60000);
    inbound(&world, "more than a day ago");
    assert_int_equal(try_send(&world), APR_EACCES);
    fake_store_dates(world.fake, -400 * WA_WINDOW_MS - 3600000);
    inbound(&world, "an hour ago");
    assert_int_equal(try_send(&world), APR_SUCCESS);
}

static void test_a_thread_says_what_holds(void **state)
{
    const wa_inbound_t inbound = {WA_SLICE_LITERAL(OUR_NUMBER), 1700000000000, 0};
    wa_thread_t thread = {
        .counterpart = wa_slice_of(NUMBER), .inbound = &inbound, .inbound_count = 1};
    wa_buffer_t b;
    wa_json_writer_t w = WA_JSON_WRITER(&b);

    (void)state;
    wa_buffer_init(&b, 0);
    thread.flags = WA_THREAD_OPTED_OUT | WA_THREAD_BLOCKED;
    wa_thread_render(&w, &thread, OUR_NUMBER);
    wa_buffer_add(&b, "", 1);
    assert_non_null(strstr(b.data, ",\"windowClosesAt\":1700086400000,\"optedOut\":true,"
                                   "\"blocked\":true}"));
    wa_buffer_release(&b);
    thread.flags = 0;
    thread.inbound_count = 0;
    wa_buffer_init(&b, 0);
    w = WA_JSON_WRITER(&b);
    wa_thread_render(&w, &thread, OUR_NUMBER);
    wa_buffer_add(&b, "", 1);
    assert_null(strstr(b.data, "windowClosesAt"));
    assert_null(strstr(b.data, "optedOut"));
    assert_null(strstr(b.data, "blocked"));
    wa_buffer_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_TEST(test_stop_and_start),
        POOL_TEST(test_a_stop_is_kept_with_its_message_or_not_at_all),
        POOL_TEST(test_a_word_that_comes_late_counts_as_of_its_time),
        POOL_TEST(test_our_own_start_lets_nobody_in),
        POOL_TEST(test_a_date_that_cannot_be_right_only_shuts),
        POOL_TEST(test_a_word_that_changes_nothing_is_not_logged),
        POOL_TEST(test_21610_opts_out),
        POOL_TEST(test_an_opt_out_that_cannot_be_kept_is_logged),
        POOL_TEST(test_blocked),
        POOL_TEST(test_the_window),
        POOL_TEST(test_the_window_closes_to_the_millisecond),
        POOL_TEST(test_when_somebody_wrote_last),
        POOL_TEST(test_the_window_goes_by_the_clock),
        POOL_TEST(test_a_thread_says_what_holds),
    };

    return cmocka_run_group_tests(tests, apr_setup, apr_teardown);
}
