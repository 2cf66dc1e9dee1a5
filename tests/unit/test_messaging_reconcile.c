/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of reconciliation: what is settled, what is given up and when, and what is fetched. */
#include "test_reconciling.h"

static void test_a_send_is_settled_by_text_and_time(void **state)
{
    static const entry_t entries[] = {
        SENT_TO(SID("5"), "hello", "queued", START + 11 * MINUTE), /* too late */
        SENT_TO(SID("3"), " hello\n", "queued", START + 2000),
        SENT_TO(SID("4"), "other", "queued", START + 1),
        SENT_TO(SID("2"), "hello", "queued", START - 3 * MINUTE), /* too early */
    };
    world_t world;

    begin(&world, *state, entries, COUNT(entries));
    pending_add(&world, "a", "hello");
    assert_int_equal(run(&world, 59 * 1000).settled, 0); /* it may still be under way */
    assert_int_equal(twilio.sent_lists, 0);
    assert_int_equal(run(&world, MINUTE + 1000).settled, 1);
    assert_string_equal(state_of(&world, "a"), QUEUED(SID("3")));
    assert_int_equal(twilio.sent_lists, 1);
    assert_int_equal(run(&world, 2 * MINUTE).settled, 0);
    assert_int_equal(twilio.sent_lists, 1); /* nothing is pending any more */
}

static void test_a_failure_at_twilio_is_told(void **state)
{
    static const entry_t entries[] = {{SID("1"), "whatsapp:" OUR_NUMBER, "whatsapp:" NUMBER,
                                       "hello", "outbound-api", "undelivered", START + 2000, 0,
                                       63016, 0}};
    world_t world;

    begin(&world, *state, entries, COUNT(entries));
    pending_add(&world, "a", "hello");
    assert_int_equal(run(&world, 2 * MINUTE).settled, 1);
    assert_non_null(strstr(state_of(&world, "a"), "\"status\":\"failed\",\"sid\":\"" SID("1")));
    assert_non_null(strstr(state_of(&world, "a"), "\"errorCode\":63016"));
}

static void test_no_message_of_twilios_is_claimed_twice(void **state)
{
    static const entry_t entries[] = {SENT_TO(SID("3"), "hello", "queued", START + 3000),
                                      SENT_TO(SID("2"), "hello", "queued", START + 2000),
                                      SENT_TO(SID("1"), "hello", "queued", START + 1000)};
    wa_message_new_t known = {.id = "known",
                              .sid = SID("1"),
                              .counterpart = NUMBER,
                              .direction = WA_DIRECTION_SENT,
                              .status = WA_STATUS_SUCCESS};
    wa_message_t stored;
    world_t world;

    begin(&world, *state, entries, COUNT(entries));
    assert_int_equal(wa_store_message_add(world.messenger.store, &known, &stored, world.p),
                     APR_SUCCESS);
    pending_add(&world, "a", "hello");
    pending_add(&world, "b", "hello");
    pending_add(&world, "c", "hello");
    assert_int_equal(run(&world, 2 * MINUTE).settled, 2);
    assert_string_equal(state_of(&world, "a"), QUEUED(SID("2")));
    assert_string_equal(state_of(&world, "b"), QUEUED(SID("3")));
    assert_string_equal(state_of(&world, "c"), PENDING);
}

static void another_claims(void *baton)
{
    world_t *world = baton;
    wa_sentence_t sentence;

    assert_int_equal(
        wa_receipt_receive(&world->messenger,
                           form_of("MessageSid=" SID("1") "&MessageStatus=sent", world->p),
                           "6f1c3b52-5c2b-4b06-9d5e-0d4f5e3b2a10", &sentence, world->p),
        APR_SUCCESS);
}

static void test_what_another_process_settles_meanwhile_stays(void **state)
{
    static const entry_t entries[] = {SENT_TO(SID("1"), "hello", "queued", START + 1000)};
    static const char other[] = "6f1c3b52-5c2b-4b06-9d5e-0d4f5e3b2a10";
    world_t world;

    begin(&world, *state, entries, COUNT(entries));
    pending_add(&world, other, "hello");
    /* Between the look at the message and the change of it. */
    fake_store_meanwhile(world.fake, FAKE_UPDATE, another_claims, &world);
    assert_int_equal(run(&world, 2 * MINUTE).settled, 0);
    assert_non_null(strstr(state_of(&world, other), "\"deliveryStatus\":\"sent\""));
}

static void test_parked_receipts_are_applied(void **state)
{
    static const entry_t entries[] = {SENT_TO(SID("1"), "hello", "queued", START + 1000)};
    wa_sentence_t sentence;
    world_t world;

    begin(&world, *state, entries, COUNT(entries));
    pending_add(&world, "a", "hello");
    assert_int_equal(
        wa_receipt_receive(&world.messenger,
                           form_of("MessageSid=" SID("1") "&MessageStatus=read", world.p), NULL,
                           &sentence, world.p),
        APR_SUCCESS);
    assert_int_equal(run(&world, 2 * MINUTE).settled, 1);
    assert_non_null(strstr(state_of(&world, "a"), "\"deliveryStatus\":\"read\""));
}

static void test_what_twilio_never_took_fails_after_15_minutes(void **state)
{
    world_t world;
    wa_reconcile_result_t result;

    begin(&world, *state, NULL, 0);
    pending_add(&world, "a", "hello");
    assert_int_equal(run(&world, 15 * MINUTE - 1000).given_up, 0);
    assert_string_equal(state_of(&world, "a"), PENDING);
    assert_int_equal(twilio.undated_lists, 0);
    twilio.rv = APR_EGENERAL;
    assert_int_equal(run_at(&world, 16 * MINUTE, &result), APR_EGENERAL);
    assert_string_equal(state_of(&world, "a"), PENDING); /* the list was not read */
    twilio.rv = APR_SUCCESS;
    assert_int_equal(run(&world, 16 * MINUTE).given_up, 1);
    assert_string_equal(
        state_of(&world, "a"),
        "\"status\":\"failed\",\"errorMessage\":\"Twilio never took this message: it "
        "was not sent, and sending it anew is safe.\"");
}

static void test_what_twilio_has_queued_is_not_given_up(void **state)
{
    static const entry_t entries[] = {{SID("1"), "whatsapp:" OUR_NUMBER, "whatsapp:" NUMBER,
                                       "hello", "outbound-api", "queued", START + 1000, 0, 0, 1}};
    world_t world;
    wa_reconcile_result_t result;

    begin(&world, *state, entries, COUNT(entries));
    pending_add(&world, "a", "hello");
    result = run(&world, 16 * MINUTE);
    assert_int_equal(result.given_up, 0);
    assert_int_equal(result.settled, 1);
    assert_string_equal(state_of(&world, "a"), QUEUED(SID("1")));
}

static void test_the_same_text_at_another_time_is_another_message(void **state)
{
    static const entry_t entries[] = {SENT_TO(SID("2"), "hello", "queued", START + 11 * MINUTE),
                                      SENT_TO(SID("1"), "hello", "queued", START - 3 * MINUTE)};
    world_t world;

    begin(&world, *state, entries, COUNT(entries));
    pending_add(&world, "a", "hello");
    assert_int_equal(run(&world, 14 * MINUTE).settled, 0);
    assert_int_equal(run(&world, 16 * MINUTE).given_up, 1);
}

static void test_a_template_takes_what_no_text_is(void **state)
{
    static const entry_t entries[] = {SENT_TO(SID("2"), "Dear Ana", "queued", START + 2000),
                                      SENT_TO(SID("1"), "hello", "queued", START + 1000)};
    const wa_attributes_t attributes = {.content_sid = "HX1"};
    wa_message_new_t template = {.id = "t",
                                 .counterpart = NUMBER,
                                 .direction = WA_DIRECTION_SENT,
                                 .status = WA_STATUS_PENDING,
                                 .phone_number = OUR_NUMBER,
                                 .body = WA_SLICE_LITERAL("[template]")};
    wa_message_t stored;
    world_t world;

    begin(&world, *state, entries, COUNT(entries));
    assert_int_equal(wa_attributes_write(&attributes, &template.attributes, world.p), APR_SUCCESS);
    assert_int_equal(wa_store_message_add(world.messenger.store, &template, &stored, world.p),
                     APR_SUCCESS);
    pending_add(&world, "a", "hello");
    assert_int_equal(run(&world, 2 * MINUTE).settled, 2);
    assert_string_equal(state_of(&world, "a"), QUEUED(SID("1")));
    assert_string_equal(state_of(&world, "t"), QUEUED(SID("2")));
}

static void test_a_receipt_after_giving_up_still_counts(void **state)
{
    const char *id = "6f1c3b52-5c2b-4b06-9d5e-0d4f5e3b2a10";
    world_t world;

    begin(&world, *state, NULL, 0);
    pending_add(&world, id, "hello");
    assert_int_equal(run(&world, 16 * MINUTE).given_up, 1);
    another_claims(&world);
    assert_string_equal(state_of(&world, id), "\"status\":\"success\",\"sid\":\"" SID(
                                                  "1") "\",\"deliveryStatus\":\"sent\"");
}

/* The versions of clang-format differ about these braces. */
/* clang-format off */
#define FROM_ANA(sid, body, direction, when, media)                                                \
    {                                                                                              \
        sid, "whatsapp:" NUMBER, "whatsapp:" OUR_NUMBER, body, direction, "received", when, media, \
            0, 0                                                                                   \
    }
/* clang-format on */

static void test_missed_messages_are_stored_once_and_in_order(void **state)
{
    static const entry_t entries[] = {
        FROM_ANA(SID("4"), "on its way", "inbound", START - 30 * 1000, 0),
        FROM_ANA(SID("3"), "", "inbound", START - 5 * MINUTE, 1),
        FROM_ANA(SID("2"), "first", "inbound", START - 6 * MINUTE, 0),
        FROM_ANA(SID("1"), "not inbound", "outbound-api", START - 7 * MINUTE, 0),
    };
    const fake_message_t *newest;
    wa_slice_t date;
    world_t world;

    begin(&world, *state, entries, COUNT(entries));
    memset(&memory, 0, sizeof(memory));
    assert_int_equal(run(&world, 0).received, 2);
    assert_int_equal(fake_store_count(world.fake), 2);
    assert_int_equal(twilio.date_from, apr_time_from_msec(START - 24 * 60 * MINUTE));
    newest = fake_store_newest(world.fake);
    assert_string_equal(text_of(newest->m.sid, world.p), SID("3"));
    assert_non_null(strstr(json_of(&newest->m, world.p), "\"contentType\":\"image/png\""));
    assert_int_equal(wa_attributes_field(newest->m.attributes, "DateSent", &date), 1);
    assert_string_equal(text_of(newest->next->m.counterpart, world.p), NUMBER);
    assert_int_equal(run(&world, MINUTE).received, 1); /* its webhook did not come */
    assert_int_equal(run(&world, 2 * MINUTE).received, 0);
    assert_int_equal(fake_store_count(world.fake), 3);
    /* Only what is new is asked for, with some overlap. */
    assert_int_equal(twilio.date_from, apr_time_from_msec(START + MINUTE - 10 * MINUTE));
}

static void test_a_run_that_failed_is_done_anew(void **state)
{
    static const entry_t entries[] = {FROM_ANA(SID("2"), "b", "inbound", START - 5 * MINUTE, 1),
                                      FROM_ANA(SID("1"), "a", "inbound", START - 6 * MINUTE, 0)};
    wa_reconcile_result_t result;
    world_t world;

    begin(&world, *state, entries, COUNT(entries));
    memset(&memory, 0, sizeof(memory));
    twilio.media_rv = APR_EGENERAL;
    assert_int_equal(run_at(&world, 0, &result), APR_EGENERAL);
    assert_int_equal(result.received, 1);
    assert_int_equal(memory.inbound_from_ms, 0);
    twilio.media_rv = APR_SUCCESS;
    assert_int_equal(run(&world, 0).received, 1);
    assert_int_equal(fake_store_count(world.fake), 2);
}

static int stop(void)
{
    return 1;
}

/* The store's time is ahead of the clock, which is right: ages go by the clock. */
static void test_a_store_that_is_ahead_changes_no_age(void **state)
{
    static const entry_t entries[] = {SENT_TO(SID("1"), "hello", "queued", START + 2000)};
    const apr_int64_t ahead = 400 * 24 * 60 * MINUTE;
    world_t world;

    begin(&world, *state, entries, COUNT(entries));
    fake_store_clock(world.fake, START + ahead);
    fake_store_dates(world.fake, -ahead);
    pending_add(&world, "a", "hello");
    pending_add(&world, "b", "never taken");
    assert_int_equal(run(&world, 59 * 1000).settled, 0);
    assert_int_equal(run(&world, 2 * MINUTE).settled, 1);
    assert_string_equal(state_of(&world, "a"), QUEUED(SID("1")));
    assert_int_equal(run(&world, 14 * MINUTE).given_up, 0);
    assert_int_equal(run(&world, 16 * MINUTE).given_up, 1);
}

/* Of a clock that was wrong when it was stored nobody knows the age: it counts from when it was
 * seen. */
static void test_a_date_that_cannot_be_right_is_waited_for(void **state)
{
    static const apr_int64_t shifts[] = {400 * 24 * 60 * MINUTE, -START + 100000};
    static const entry_t entries[] = {
        SENT_TO(SID("1"), "hello", "queued", START - 3 * 60 * MINUTE)};
    size_t i;

    for (i = 0; i < COUNT(shifts); i++) {
        world_t world;

        begin(&world, *state, entries, COUNT(entries));
        memset(&memory, 0, sizeof(memory));
        fake_store_dates(world.fake, shifts[i]);
        pending_add(&world, "a", "hello");
        pending_add(&world, "b", "never taken");
        assert_int_equal(run(&world, 0).settled, 0);
        assert_int_equal(twilio.sent_lists, 0); /* its call may be under way */
        memory.undated_since_us -= apr_time_from_sec(120);
        assert_int_equal(run(&world, 0).settled, 1);
        assert_string_equal(state_of(&world, "a"), QUEUED(SID("1")));
        assert_string_equal(state_of(&world, "b"), PENDING);
        memory.undated_since_us -= apr_time_from_sec(15 * 60);
        assert_int_equal(run(&world, 0).given_up, 1);
    }
}

static void test_a_clock_that_jumps_holds_up_nothing(void **state)
{
    static const entry_t entries[] = {FROM_ANA(SID("1"), "hi", "inbound", START - 5 * MINUTE, 0)};
    const apr_int64_t ahead = 400 * 24 * 60 * MINUTE;
    world_t world;

    begin(&world, *state, entries, COUNT(entries));
    memset(&memory, 0, sizeof(memory));
    assert_int_equal(run(&world, ahead).received, 0);
    assert_int_equal(run(&world, 0).received, 1);
    /* before the clock is set nothing is asked: since 1970 would be all */
    twilio.inbound_lists = 0;
    assert_int_equal(run(&world, -START + 1000).received, 0);
    assert_int_equal(twilio.inbound_lists, 0);
}

static void test_a_server_that_stops_is_not_held_up(void **state)
{
    const wa_reconcile_options_t options = {.now_ms = START + 2 * MINUTE, .is_stopping = stop};
    wa_reconcile_result_t result;
    world_t world;

    begin(&world, *state, NULL, 0);
    pending_add(&world, "a", "hello");
    assert_int_equal(wa_reconcile(&world.messenger, &memory, &options, &result, world.p),
                     APR_EINTR);
    assert_int_equal(twilio.sent_lists + twilio.inbound_lists, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_TEST(test_a_send_is_settled_by_text_and_time),
        POOL_TEST(test_a_failure_at_twilio_is_told),
        POOL_TEST(test_no_message_of_twilios_is_claimed_twice),
        POOL_TEST(test_what_another_process_settles_meanwhile_stays),
        POOL_TEST(test_parked_receipts_are_applied),
        POOL_TEST(test_what_twilio_never_took_fails_after_15_minutes),
        POOL_TEST(test_what_twilio_has_queued_is_not_given_up),
        POOL_TEST(test_the_same_text_at_another_time_is_another_message),
        POOL_TEST(test_a_template_takes_what_no_text_is),
        POOL_TEST(test_a_receipt_after_giving_up_still_counts),
        POOL_TEST(test_missed_messages_are_stored_once_and_in_order),
        POOL_TEST(test_a_run_that_failed_is_done_anew),
        POOL_TEST(test_a_store_that_is_ahead_changes_no_age),
        POOL_TEST(test_a_date_that_cannot_be_right_is_waited_for),
        POOL_TEST(test_a_clock_that_jumps_holds_up_nothing),
        POOL_TEST(test_a_server_that_stops_is_not_held_up),
    };

    return cmocka_run_group_tests(tests, apr_setup, apr_teardown);
}
