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
    world_t world;

    begin(&world, *state, entries, COUNT(entries));
    template_add(&world);
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

/* One whose attachments are not to be had now is stored, and they are looked for. */
static void test_attachments_that_are_not_given_now_come_later(void **state)
{
    static const entry_t entries[] = {FROM_ANA(SID("2"), "b", "inbound", START - 5 * MINUTE, 0),
                                      FROM_ANA(SID("1"), "a", "inbound", START - 6 * MINUTE, 1)};
    wa_message_t m;
    world_t world;

    begin(&world, *state, entries, COUNT(entries));
    memset(&memory, 0, sizeof(memory));
    twilio.media_rv = APR_EGENERAL;
    twilio.http = 503;
    assert_int_equal(run(&world, 0).received, 2);
    assert_true(memory.inbound_from_ms > 0);
    m = stored_of(&world, SID("1"));
    assert_int_equal(m.status, WA_STATUS_PENDING);
    assert_non_null(
        strstr(json_of(&m, world.p), "\"media\":[{\"missing\":true,\"awaited\":true}]"));
    assert_null(strstr(world.lines, "WA0550"));
    twilio.media_rv = APR_SUCCESS;
    assert_int_equal(run(&world, MINUTE).attached, 1);
    m = stored_of(&world, SID("1"));
    assert_int_equal(m.status, WA_STATUS_NONE);
    assert_non_null(strstr(json_of(&m, world.p), "\"contentType\":\"image/png\"}]"));
    twilio.media_lists = 0;
    run(&world, 2 * MINUTE);
    assert_int_equal(twilio.media_lists, 0);
}

/* What Twilio denies, and what does not come, is missing; nothing is asked for without end. */
static void test_attachments_are_given_up(void **state)
{
    static const struct {
        answer_t answer;
        apr_int64_t until_ms; /* it is awaited up to here */
        int most;             /* so often it is asked for at most */
    } cases[] = {
        {{SID("1"), APR_EGENERAL, 404, 0}, 0, 1},
        {{SID("1"), APR_EGENERAL, 403, 0}, 0, 1},
        {{SID("1"), APR_SUCCESS, 200, 0}, WA_RECONCILE_MEDIA_MS, 140},
        {{SID("1"), APR_EGENERAL, 500, 0}, WA_RECONCILE_MEDIA_MS, 140},
        {{SID("1"), APR_EGENERAL, 429, 0}, WA_RECONCILE_MEDIA_LONGEST_MS, 170},
        {{SID("1"), APR_EGENERAL, 0, 0}, WA_RECONCILE_MEDIA_LONGEST_MS, 170},
    };
    static const entry_t entries[] = {FROM_ANA(SID("1"), "a", "inbound", START - 6 * MINUTE, 1)};
    size_t i;

    for (i = 0; i < COUNT(cases); i++) {
        const answer_t answers[] = {cases[i].answer, {NULL, 0, 0, 0}};
        apr_int64_t after_ms;
        world_t world;
        wa_message_t m;

        begin(&world, *state, entries, COUNT(entries));
        memset(&memory, 0, sizeof(memory));
        twilio.answers = answers;
        run(&world, 0);
        assert_int_equal(stored_of(&world, SID("1")).status,
                         cases[i].until_ms > 0 ? WA_STATUS_PENDING : WA_STATUS_NONE);
        for (after_ms = MINUTE; after_ms < cases[i].until_ms + 30 * 60 * MINUTE;
             after_ms += 5 * MINUTE) {
            run(&world, after_ms);
            if (after_ms < cases[i].until_ms) {
                assert_int_equal(stored_of(&world, SID("1")).status, WA_STATUS_PENDING);
            }
        }
        m = stored_of(&world, SID("1"));
        assert_int_equal(m.status, WA_STATUS_NONE);
        assert_non_null(strstr(json_of(&m, world.p), "\"media\":[{\"missing\":true}]"));
        assert_true(twilio.media_lists <= cases[i].most);
        assert_non_null(strstr(world.lines, "WA0550"));
        assert_null(strstr(strstr(world.lines, "WA0550") + 1, "WA0550"));
    }
}

/* One message that cannot be kept, and what comes after it. */
static void test_a_message_that_is_refused_is_passed_over(void **state)
{
    static const entry_t entries[] = {FROM_ANA(SID("2"), "b", "inbound", START - 5 * MINUTE, 0),
                                      FROM_ANA(SID("1"), "a", "inbound", START - 6 * MINUTE, 0)};
    static const apr_status_t refusals[] = {APR_EINVAL, APR_EGENERAL};
    size_t i;

    for (i = 0; i < COUNT(refusals); i++) {
        world_t world;

        begin(&world, *state, entries, COUNT(entries));
        memset(&memory, 0, sizeof(memory));
        fake_store_fail(world.fake, FAKE_ADD, refusals[i]);
        assert_int_equal(run(&world, 0).received, 1);
        assert_true(memory.inbound_from_ms > 0);
        assert_int_equal(fake_store_count(world.fake), 1);
        assert_non_null(strstr(world.lines, "messages=1"));
        assert_int_equal(run(&world, 0).received, 0); /* its pause is not over */
        assert_null(strstr(strstr(world.lines, "WA0550") + 1, "WA0550"));
    }
}

/* A store that takes nothing now loses nothing. */
static void test_a_store_that_is_busy_is_waited_for(void **state)
{
    static const entry_t entries[] = {FROM_ANA(SID("2"), "b", "inbound", START - 5 * MINUTE, 0),
                                      FROM_ANA(SID("1"), "a", "inbound", START - 6 * MINUTE, 0)};
    wa_reconcile_result_t result;
    world_t world;

    begin(&world, *state, entries, COUNT(entries));
    memset(&memory, 0, sizeof(memory));
    fake_store_fail(world.fake, FAKE_ADD, APR_TIMEUP);
    assert_int_equal(run_at(&world, 0, &result), APR_TIMEUP);
    assert_int_equal(memory.inbound_from_ms, 0);
    assert_int_equal(run(&world, 0).received, 2);
    assert_null(strstr(world.lines, "WA0550"));
}

/* A list that breaks off goes on by dates, also behind a message whose date is wrong. */
static void test_a_list_that_breaks_off_goes_on_by_dates(void **state)
{
    static const entry_t entries[] = {
        FROM_ANA(SID("6"), "f", "inbound", START - 5 * MINUTE, 0),
        FROM_ANA(SID("5"), "e", "inbound", START - 6 * MINUTE, 0),
        FROM_ANA(SID("4"), "d", "inbound", START - 8 * MINUTE, 0),
        FROM_ANA(SID("3"), "c", "inbound", START - 23 * 60 * MINUTE, 0), /* it is not so old */
        FROM_ANA(SID("2"), "b", "inbound", START - 9 * MINUTE, 0),
        FROM_ANA(SID("1"), "STOP", "inbound", START - 10 * MINUTE, 0)};
    world_t world;

    begin(&world, *state, entries, COUNT(entries));
    memset(&memory, 0, sizeof(memory));
    twilio.break_after = 4;
    twilio.breaks = 2;
    assert_int_equal(run(&world, 0).received, COUNT(entries));
    assert_true(memory.inbound_from_ms > 0);
    assert_true(twilio.inbound_lists >= 3);
}

/* Within one second nothing tells where a list goes on: the place is kept. */
static void test_a_list_that_breaks_off_for_good_keeps_the_place(void **state)
{
    static const entry_t entries[] = {FROM_ANA(SID("2"), "b", "inbound", START - 5 * MINUTE, 0),
                                      FROM_ANA(SID("1"), "a", "inbound", START - 5 * MINUTE, 0)};
    world_t world;

    begin(&world, *state, entries, COUNT(entries));
    memset(&memory, 0, sizeof(memory));
    twilio.break_after = 1;
    twilio.breaks = 1000;
    assert_int_equal(run(&world, 0).received, 1);
    assert_int_equal(memory.inbound_from_ms, 0);
    assert_true(twilio.inbound_lists < 5);
    twilio.breaks = 0;
    assert_int_equal(run(&world, 0).received, 1);
    assert_true(memory.inbound_from_ms > 0);
}

static void pending_add_to(world_t *world, const char *id, const char *number)
{
    wa_message_new_t message = {.id = id,
                                .counterpart = number,
                                .phone_number = OUR_NUMBER,
                                .body = WA_SLICE_LITERAL("hello"),
                                .direction = WA_DIRECTION_SENT,
                                .status = WA_STATUS_PENDING,
                                .preview = WA_SLICE_LITERAL("x")};

    assert_int_equal(wa_store_message_add(world->messenger.store, &message, NULL, world->p),
                     APR_SUCCESS);
}

#define OTHER "+15551230002"

/* Of two counterparts the list of the first is not given. */
static void test_one_counterparts_list_holds_up_no_other(void **state)
{
    static const struct {
        answer_t answer;
        const char *line; /* that is logged once; NULL: none */
        int is_settled;   /* by the time that Twilio gives it */
    } cases[] = {
        {{NUMBER, APR_EGENERAL, 404, 0}, "WA0550", 0},
        {{NUMBER, APR_EGENERAL, 403, 0}, "WA0550", 0},
        {{NUMBER, APR_EGENERAL, 400, 0}, "WA0550", 0},
        {{NUMBER, APR_EINVAL, 0, 0}, "WA0550", 0},
        {{NUMBER, APR_EGENERAL, 503, 0}, NULL, 1},
        {{NUMBER, APR_EGENERAL, 429, 0}, NULL, 1},
        {{NUMBER, APR_EGENERAL, 0, 0}, NULL, 1},
    };
    static const entry_t entries[] = {FROM_ANA(SID("9"), "STOP", "inbound", START - 5 * MINUTE, 0),
                                      SENT_TO(SID("1"), "hello", "queued", START + 2000),
                                      {SID("2"), "whatsapp:" OUR_NUMBER, "whatsapp:" OTHER, "hello",
                                       "outbound-api", "queued", START + 2000, 0, 0, 0}};
    size_t i;
    int n;

    for (i = 0; i < COUNT(cases); i++) {
        const answer_t answers[] = {cases[i].answer, {NULL, 0, 0, 0}};
        world_t world;

        begin(&world, *state, entries, COUNT(entries));
        memset(&memory, 0, sizeof(memory));
        twilio.answers = answers;
        pending_add_to(&world, "a", NUMBER);
        pending_add_to(&world, "b", OTHER);
        for (n = 0; n < 10; n++) {
            run(&world, 2 * MINUTE + n);
        }
        assert_non_null(strstr(state_of(&world, "b"), SID("2")));
        assert_string_equal(state_of(&world, "a"), "\"status\":\"pending\"");
        assert_int_equal(stored_of(&world, SID("9")).direction, WA_DIRECTION_RECEIVED);
        assert_int_equal(strstr(world.lines, "WA0550") != NULL, cases[i].line != NULL);
        assert_true(twilio.sent_lists <= (cases[i].line ? 2 : 7));
        twilio.answers = NULL;
        for (n = 0; n < 8; n++) {
            run(&world, 3 * MINUTE + n);
        }
        assert_int_equal(strstr(state_of(&world, "a"), SID("1")) != NULL, cases[i].is_settled);
    }
}

/* More than one run may fail at before it stops: the next runs begin behind them. */
static void test_many_lists_in_trouble_hold_up_no_other(void **state)
{
    enum { MANY = 60 };
    static const entry_t entries[] = {SENT_TO(SID("1"), "hello", "queued", START + 2000),
                                      FROM_ANA(SID("9"), "hi", "inbound", START - 5 * MINUTE, 0)};
    answer_t answers[MANY + 1] = {{NULL, 0, 0, 0}};
    wa_reconcile_result_t result;
    world_t world;
    int i;

    begin(&world, *state, entries, COUNT(entries));
    memset(&memory, 0, sizeof(memory));
    for (i = 0; i < MANY; i++) {
        const char *number = apr_psprintf(world.p, "+1555124%04d", i);

        answers[i] = (answer_t){number, APR_EGENERAL, 503, 0};
        fake_store_clock(world.fake, START + i);
        pending_add_to(&world, number, number);
    }
    fake_store_clock(world.fake, START + MANY);
    pending_add_to(&world, "last", NUMBER);
    twilio.answers = answers;
    for (i = 0; i < MANY / 2; i++) {
        (void)run_at(&world, 2 * MINUTE + i, &result);
    }
    assert_non_null(strstr(state_of(&world, "last"), SID("1")));
}

/* A kill, or a store that is busy, between the storing and what is said of the attachment. */
static void test_what_was_cut_short_is_settled_by_the_next_run(void **state)
{
    static const entry_t entries[] = {FROM_ANA(SID("1"), "a", "inbound", START - 6 * MINUTE, 1)};
    static const answer_t answers[] = {{SID("1"), APR_EGENERAL, 404, 0}, {NULL, 0, 0, 0}};
    wa_reconcile_result_t result;
    world_t world;

    begin(&world, *state, entries, COUNT(entries));
    memset(&memory, 0, sizeof(memory));
    twilio.answers = answers;
    fake_store_fail(world.fake, FAKE_UPDATE, APR_TIMEUP);
    assert_int_equal(run_at(&world, 0, &result), APR_TIMEUP);
    memset(&memory, 0, sizeof(memory)); /* another process */
    run(&world, MINUTE);
    assert_int_equal(stored_of(&world, SID("1")).status, WA_STATUS_NONE);
    assert_int_equal(fake_store_count(world.fake), 1);
}

/* One damaged message of ours, and the next one. */
static void test_a_send_that_is_damaged_is_passed_over(void **state)
{
    static const entry_t entries[] = {SENT_TO(SID("2"), "second", "queued", START + 2000),
                                      SENT_TO(SID("1"), "first", "queued", START + 1000)};
    world_t world;

    begin(&world, *state, entries, COUNT(entries));
    pending_add(&world, "a", "first");
    pending_add(&world, "b", "second");
    fake_store_fail(world.fake, FAKE_UPDATE, APR_EGENERAL);
    assert_int_equal(run(&world, 2 * MINUTE).settled, 1);
    assert_string_equal(state_of(&world, "b"), QUEUED(SID("2")));
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
        POOL_TEST(test_attachments_that_are_not_given_now_come_later),
        POOL_TEST(test_attachments_are_given_up),
        POOL_TEST(test_a_message_that_is_refused_is_passed_over),
        POOL_TEST(test_a_store_that_is_busy_is_waited_for),
        POOL_TEST(test_a_list_that_breaks_off_goes_on_by_dates),
        POOL_TEST(test_a_list_that_breaks_off_for_good_keeps_the_place),
        POOL_TEST(test_one_counterparts_list_holds_up_no_other),
        POOL_TEST(test_many_lists_in_trouble_hold_up_no_other),
        POOL_TEST(test_what_was_cut_short_is_settled_by_the_next_run),
        POOL_TEST(test_a_send_that_is_damaged_is_passed_over),
        POOL_TEST(test_a_store_that_is_ahead_changes_no_age),
        POOL_TEST(test_a_date_that_cannot_be_right_is_waited_for),
        POOL_TEST(test_a_clock_that_jumps_holds_up_nothing),
        POOL_TEST(test_a_server_that_stops_is_not_held_up),
    };

    return cmocka_run_group_tests(tests, apr_setup, apr_teardown);
}
