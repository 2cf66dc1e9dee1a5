/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of reconciliation of messages in parts: which of Twilio's messages is which part, and what
 * is said of those that Twilio has not. */
#include "test_reconciling.h"

#include "messaging/message/parts.h"

#define ID "6f1c3b52-5c2b-4b06-9d5e-0d4f5e3b2a10"
#define OPEN(n) "Nobody can know whether part " n " of 3 was sent"

/* A text of three parts, each of one letter; with a space at the end of the first two. */
static const char *text_of_parts(const char *letters, apr_pool_t *p)
{
    char *text = apr_palloc(p, 4002);

    memset(text, letters[0], 1500);
    memset(text + 1500, letters[1], 1500);
    memset(text + 3000, letters[2], 1001);
    text[1499] = text[2999] = ' ';
    text[4001] = '\0';
    return text;
}

/* The body of one part as Twilio gives it back: without the white space at its end. */
static const char *part_text(char letter, int n, apr_pool_t *p)
{
    const apr_size_t len = n == 3 ? 1001 : 1499;
    char *text = apr_palloc(p, len + 1);

    memset(text, letter, len);
    text[len] = '\0';
    return text;
}

/* A message in parts; `is` has one letter for each: w(aiting), t(aken) with its sid, u(nknown),
 * s(topped). */
static void parts_add(world_t *world, const char *id, const char *text, const char *is,
                      const char *const *sids)
{
    wa_delivery_t state = {.reason = "No answer."};
    const char *newest = NULL;
    wa_message_new_t message = {.id = id,
                                .counterpart = NUMBER,
                                .phone_number = OUR_NUMBER,
                                .body = wa_slice_of(text),
                                .direction = WA_DIRECTION_SENT,
                                .preview = WA_SLICE_LITERAL("x")};
    wa_slice_t cut[WA_PARTS_MAX];
    wa_message_state_t first;
    wa_message_t stored;
    size_t i;

    state.part_count = strlen(is);
    assert_int_equal(wa_parts_cut(message.body, cut), state.part_count);
    for (i = 0; i < state.part_count; i++) {
        state.parts[i].is = (wa_part_e)(strchr("wtfus", is[i]) - "wtfus");
        if (is[i] == 't') {
            state.parts[i].sid = newest = sids[i];
            state.parts[i].word = WA_DELIVERY_QUEUED;
        }
    }
    assert_int_equal(wa_delivery_write(&state, newest, &first, world->p), APR_SUCCESS);
    message.status = first.status;
    message.sid = first.sid;
    message.delivery = first.delivery;
    assert_int_equal(wa_store_message_add(world->messenger.store, &message, &stored, world->p),
                     APR_SUCCESS);
}

static void told(world_t *world, const char *sid, const char *word, const char *id)
{
    wa_sentence_t sentence;

    assert_int_equal(
        wa_receipt_receive(
            &world->messenger,
            form_of(apr_psprintf(world->p, "MessageSid=%s&MessageStatus=%s", sid, word), world->p),
            id, &sentence, world->p),
        APR_SUCCESS);
}

#define HAS(world, id, text) assert_non_null(strstr(state_of(world, id), text))

static void test_each_part_is_found_by_its_text(void **state)
{
    apr_pool_t *p = *state;
    const entry_t entries[] = {SENT_TO(SID("3"), part_text('c', 3, p), "queued", START + 3000),
                               SENT_TO(SID("2"), part_text('b', 2, p), "sent", START + 2000),
                               SENT_TO(SID("1"), part_text('a', 1, p), "delivered", START + 1000)};
    world_t world;

    begin(&world, p, entries, COUNT(entries));
    parts_add(&world, ID, text_of_parts("abc", p), "www",
              NULL); /* killed, and nothing was stored */
    assert_int_equal(run(&world, MINUTE - 1000).settled, 0);
    assert_int_equal(twilio.sent_lists, 0);
    assert_int_equal(run(&world, MINUTE + 1000).settled, 1);
    assert_string_equal(sids_of(&world, ID), "1,2,3");
    assert_string_equal(state_of(&world, ID), "\"status\":\"success\",\"sid\":\"" SID(
                                                  "1") "\",\"deliveryStatus\":\"queued\"");
    /* each can be found by its sid, and is merged by it */
    told(&world, SID("1"), "read", NULL);
    told(&world, SID("2"), "read", NULL);
    told(&world, SID("3"), "read", NULL);
    HAS(&world, ID, "\"deliveryStatus\":\"read\"");
    assert_int_equal(run(&world, 2 * MINUTE).settled, 0);
}

static void test_parts_that_are_alike_get_one_each_in_their_order(void **state)
{
    apr_pool_t *p = *state;
    const entry_t entries[] = {
        SENT_TO(SID("4"), part_text('a', 3, p), "queued", START + 3000),
        SENT_TO(SID("3"), part_text('a', 2, p), "queued", START + 2000),
        SENT_TO(SID("2"), part_text('a', 1, p), "queued", START + 2000),
        SENT_TO(SID("1"), part_text('a', 1, p), "queued", START - 3 * MINUTE)};
    world_t world;

    begin(&world, p, entries, COUNT(entries));
    parts_add(&world, ID, text_of_parts("aaa", p), "www", NULL);
    assert_int_equal(run(&world, 2 * MINUTE).settled, 1);
    assert_string_equal(sids_of(&world, ID), "2,3,4");
}

static void test_what_is_one_parts_is_no_others(void **state)
{
    static const char *const known[] = {SID("1"), NULL, NULL};
    apr_pool_t *p = *state;
    const entry_t entries[] = {SENT_TO(SID("1"), part_text('a', 1, p), "queued", START + 1000)};
    world_t world;

    begin(&world, p, entries, COUNT(entries));
    parts_add(&world, ID, text_of_parts("aaa", p), "tus", known);
    assert_int_equal(run(&world, 2 * MINUTE).settled, 0);
    assert_string_equal(sids_of(&world, ID), "1,-,-");
    HAS(&world, ID, "\"status\":\"pending\"");
    HAS(&world, ID, OPEN("2"));
}

static void test_a_part_is_not_older_than_the_one_before_it(void **state)
{
    apr_pool_t *p = *state;
    const entry_t entries[] = {SENT_TO(SID("3"), part_text('b', 2, p), "queued", START + 9000),
                               SENT_TO(SID("2"), part_text('a', 1, p), "queued", START + 5000),
                               SENT_TO(SID("1"), part_text('b', 2, p), "queued", START + 1000)};
    world_t world;

    begin(&world, p, entries, COUNT(entries));
    parts_add(&world, ID, text_of_parts("abc", p), "www", NULL);
    run(&world, 2 * MINUTE);
    assert_string_equal(sids_of(&world, ID), "2,3,-");
    HAS(&world, ID, "\"status\":\"pending\"");
}

static void test_long_messages_and_short_ones_share_nothing(void **state)
{
    static const char other[] = "7f1c3b52-5c2b-4b06-9d5e-0d4f5e3b2a10";
    apr_pool_t *p = *state;
    const entry_t entries[] = {SENT_TO(SID("2"), part_text('a', 1, p), "queued", START + 2000),
                               SENT_TO(SID("1"), part_text('a', 1, p), "queued", START + 1000)};
    world_t world;

    begin(&world, p, entries, COUNT(entries));
    pending_add(&world, "short", part_text('a', 1, p));
    parts_add(&world, ID, text_of_parts("abc", p), "uss", NULL);
    parts_add(&world, other, text_of_parts("abc", p), "uss", NULL);
    assert_int_equal(run(&world, 2 * MINUTE).settled, 2);
    assert_string_equal(state_of(&world, "short"), QUEUED(SID("1")));
    assert_string_equal(sids_of(&world, ID), "2,-,-");
    assert_string_equal(sids_of(&world, other), "-,-,-");
    assert_string_equal(state_of(&world, ID),
                        "\"status\":\"failed\",\"sid\":\"" SID(
                            "2") "\",\"errorMessage\":\"Only the first of the 3 parts of this "
                                 "message was sent.\"");
    HAS(&world, other, "\"status\":\"pending\"");
}

static void test_a_part_that_failed_at_twilio_makes_it_failed(void **state)
{
    static const char *const known[] = {SID("1"), NULL, NULL};
    apr_pool_t *p = *state;
    const entry_t entries[] = {{SID("2"), "whatsapp:" OUR_NUMBER, "whatsapp:" NUMBER,
                                part_text('b', 2, p), "outbound-api", "undelivered", START + 2000,
                                0, 63016, 0}};
    world_t world;

    begin(&world, p, entries, COUNT(entries));
    parts_add(&world, ID, text_of_parts("abc", p), "tus", known);
    assert_int_equal(run(&world, 2 * MINUTE).settled, 1);
    HAS(&world, ID, "\"status\":\"failed\"");
    HAS(&world, ID, "Part 2 of 3 was not delivered: ");
    HAS(&world, ID, " The last parts were not sent.");
    HAS(&world, ID, "\"errorCode\":63016");
}

static void test_parked_receipts_reach_their_part(void **state)
{
    static const char *const known[] = {SID("1"), SID("2"), NULL};
    apr_pool_t *p = *state;
    const entry_t entries[] = {SENT_TO(SID("3"), part_text('c', 3, p), "queued", START + 3000)};
    world_t world;

    begin(&world, p, entries, COUNT(entries));
    parts_add(&world, ID, text_of_parts("abc", p), "ttu", known);
    told(&world, SID("3"), "delivered", NULL); /* nothing says whose it is */
    told(&world, SID("1"), "delivered", ID);
    told(&world, SID("2"), "delivered", ID);
    HAS(&world, ID, "\"status\":\"pending\"");
    assert_int_equal(run(&world, 2 * MINUTE).settled, 1);
    assert_string_equal(state_of(&world, ID), "\"status\":\"success\",\"sid\":\"" SID(
                                                  "1") "\",\"deliveryStatus\":\"delivered\"");
}

static void receipt_of_the_part(void *baton)
{
    told(baton, SID("9"), "sent", ID ".2");
}

static void receipt_of_the_next_part(void *baton)
{
    told(baton, SID("2"), "sent", ID ".2");
}

/* It names the same message of Twilio's as another part, which nobody could have known before. */
static void test_no_sid_becomes_two_parts_whatever_comes_in_between(void **state)
{
    apr_pool_t *p = *state;
    const entry_t entries[] = {SENT_TO(SID("2"), part_text('a', 2, p), "queued", START + 2000)};
    world_t world;

    begin(&world, p, entries, COUNT(entries));
    parts_add(&world, ID, text_of_parts("aab", p), "www", NULL);
    fake_store_meanwhile(world.fake, FAKE_UPDATE, receipt_of_the_next_part, &world);
    run(&world, 2 * MINUTE);
    run(&world, 3 * MINUTE);
    assert_string_equal(sids_of(&world, ID), "-,2,-");
}

/* A part may have been made as late as all calls before it may have taken. */
static void test_a_late_part_is_found(void **state)
{
    apr_pool_t *p = *state;
    const entry_t entries[] = {
        SENT_TO(SID("3"), part_text('c', 3, p), "queued", START + 14 * MINUTE)};
    static const char *const known[] = {SID("1"), SID("2"), NULL};
    world_t world;

    begin(&world, p, entries, COUNT(entries));
    world.messenger.send_timeout = apr_time_from_sec(300);
    parts_add(&world, ID, text_of_parts("abc", p), "ttu", known);
    assert_int_equal(run(&world, 15 * MINUTE).settled, 1);
    assert_string_equal(sids_of(&world, ID), "1,2,3");
}

static void test_twilio_tells_that_they_opted_out(void **state)
{
    static const entry_t entries[] = {{SID("1"), "whatsapp:" OUR_NUMBER, "whatsapp:" NUMBER,
                                       "hello", "outbound-api", "failed", START + 2000, 0, 21610,
                                       0}};
    world_t world;

    begin(&world, *state, entries, COUNT(entries));
    pending_add(&world, "a", "hello");
    assert_int_equal(run(&world, 2 * MINUTE).settled, 1);
    assert_non_null(strstr(world.lines, "WA0541"));
}

static void test_a_receipt_in_between_stays(void **state)
{
    static const char *const known[] = {SID("1"), NULL, NULL};
    apr_pool_t *p = *state;
    const entry_t entries[] = {SENT_TO(SID("3"), part_text('b', 2, p), "queued", START + 3000),
                               SENT_TO(SID("2"), part_text('b', 2, p), "queued", START + 2000)};
    world_t world;

    begin(&world, p, entries, COUNT(entries));
    parts_add(&world, ID, text_of_parts("abc", p), "tus", known);
    fake_store_meanwhile(world.fake, FAKE_UPDATE, receipt_of_the_part, &world);
    run(&world, 2 * MINUTE);
    assert_string_equal(sids_of(&world, ID), "1,9,-");
    assert_int_equal(run(&world, 3 * MINUTE).settled, 0);
    assert_string_equal(sids_of(&world, ID), "1,9,-");
}

static void test_what_twilio_never_took_is_kept_in_the_parts(void **state)
{
    static const char *const known[] = {SID("1"), SID("2"), NULL};
    static const struct {
        const char *is, *sentence;
    } cases[] = {
        {"www",
         "None of the 3 parts of this message was sent: Twilio never took it, and sending it "
         "anew is safe."},
        {"uss",
         "None of the 3 parts of this message was sent: Twilio never took it, and sending it "
         "anew is safe."},
        {"tww",
         "Only the first of the 3 parts of this message was sent: Twilio never took the next "
         "one."},
        {"tus",
         "Only the first of the 3 parts of this message was sent: Twilio never took the next "
         "one."},
        {"ttu", "Only the first 2 of the 3 parts of this message were sent: Twilio never took the "
                "next one."}};
    apr_pool_t *p = *state;
    size_t i;

    for (i = 0; i < COUNT(cases); i++) {
        wa_reconcile_result_t result;
        world_t world;
        wa_message_t m;
        wa_delivery_t again;
        wa_delivery_summary_t summary;

        begin(&world, p, NULL, 0);
        parts_add(&world, ID, text_of_parts("abc", p), cases[i].is, known);
        assert_int_equal(run(&world, 15 * MINUTE - 1000).given_up, 0);
        HAS(&world, ID, "\"status\":\"pending\"");
        twilio.rv = APR_EGENERAL;
        assert_int_equal(run_at(&world, 16 * MINUTE, &result), APR_EGENERAL);
        HAS(&world, ID, "\"status\":\"pending\""); /* the list was not read */
        twilio.rv = APR_SUCCESS;
        assert_int_equal(run(&world, 16 * MINUTE).given_up, 1);
        HAS(&world, ID, "\"status\":\"failed\"");
        HAS(&world, ID, cases[i].sentence);
        /* and it reads back as it was written */
        assert_int_equal(wa_store_message_find(world.messenger.store, ID, &m, p), APR_SUCCESS);
        wa_delivery_read(&again, &m, p);
        wa_delivery_summarize(&again, &summary, p);
        assert_int_equal(summary.status, WA_STATUS_FAILED);
        assert_string_equal(summary.error, cases[i].sentence);
        assert_int_equal(run(&world, 17 * MINUTE).given_up, 0);
    }
}

static void test_a_receipt_after_giving_up_still_counts(void **state)
{
    static const char *const known[] = {SID("1"), SID("2"), NULL};
    apr_pool_t *p = *state;
    world_t world;

    begin(&world, p, NULL, 0);
    parts_add(&world, ID, text_of_parts("abc", p), "tww", known);
    assert_int_equal(run(&world, 16 * MINUTE).given_up, 1);
    told(&world, SID("2"), "sent", ID ".2");
    HAS(&world, ID, "\"status\":\"failed\"");
    HAS(&world, ID, "\"Only the first 2 of the 3 parts of this message were sent.\"");
    told(&world, SID("3"), "sent", ID ".3");
    assert_string_equal(sids_of(&world, ID), "1,2,3");
    assert_string_equal(state_of(&world, ID), "\"status\":\"success\",\"sid\":\"" SID(
                                                  "1") "\",\"deliveryStatus\":\"queued\"");
}

/* Each part goes out only when the one before it was taken: what is after it at Twilio's proves
 * that. */
static void test_a_part_before_one_that_twilio_has_was_taken(void **state)
{
    apr_pool_t *p = *state;
    const entry_t entries[] = {SENT_TO(SID("2"), part_text('b', 2, p), "delivered", START + 2000)};
    world_t world;

    begin(&world, p, entries, COUNT(entries));
    parts_add(&world, ID, text_of_parts("abc", p), "wws", NULL);
    run(&world, 16 * MINUTE);
    assert_string_equal(sids_of(&world, ID), "-,2,-");
    HAS(&world, ID, "\"status\":\"failed\"");
    HAS(&world, ID, "\"Only the first 2 of the 3 parts of this message were sent.\"");
}

/* One that Twilio has not sent yet stands only in the list without dates, and after one that it
 * never took: nothing is given up before all is looked for. */
static void test_the_whole_list_is_looked_through_first(void **state)
{
    apr_pool_t *p = *state;
    const entry_t entries[] = {
        {SID("3"), "whatsapp:" OUR_NUMBER, "whatsapp:" NUMBER, part_text('c', 3, p), "outbound-api",
         "queued", START + 3000, 0, 0, 1},
        {SID("2"), "whatsapp:" OUR_NUMBER, "whatsapp:" NUMBER, part_text('b', 2, p), "outbound-api",
         "queued", START + 2000, 0, 0, 1},
        SENT_TO(SID("1"), part_text('a', 1, p), "queued", START + 1000)};
    world_t world;

    begin(&world, p, entries, COUNT(entries));
    parts_add(&world, ID, text_of_parts("abc", p), "www", NULL);
    assert_int_equal(run(&world, 2 * MINUTE).settled, 0);
    assert_string_equal(sids_of(&world, ID), "1,-,-");
    assert_int_equal(run(&world, 16 * MINUTE).given_up, 0);
    assert_string_equal(sids_of(&world, ID), "1,2,3");
    HAS(&world, ID, "\"status\":\"success\"");
}

/* Where all calls may take their whole time, a message in parts is longer under way. */
static void test_what_may_still_be_sent_is_not_given_up(void **state)
{
    world_t world;

    begin(&world, *state, NULL, 0);
    world.messenger.send_timeout = apr_time_from_sec(300);
    parts_add(&world, ID, text_of_parts("abc", world.p), "www", NULL);
    assert_int_equal(run(&world, 20 * MINUTE - 1000).given_up, 0);
    assert_int_equal(run(&world, 20 * MINUTE + 1000).given_up, 1);
}

/* A message of a version that cuts otherwise: what it sent cannot be known. */
static void test_a_text_that_is_cut_otherwise_is_left_alone(void **state)
{
    apr_pool_t *p = *state;
    const entry_t entries[] = {SENT_TO(SID("1"), part_text('a', 1, p), "queued", START + 1000)};
    const wa_delivery_t two = {.part_count = 2};
    wa_message_new_t other = {.id = "old",
                              .counterpart = NUMBER,
                              .phone_number = OUR_NUMBER,
                              .body = wa_slice_of(text_of_parts("abc", p)),
                              .direction = WA_DIRECTION_SENT,
                              .status = WA_STATUS_PENDING};
    wa_message_state_t first;
    wa_message_t stored;
    world_t world;

    begin(&world, p, entries, COUNT(entries));
    assert_int_equal(wa_delivery_write(&two, NULL, &first, p), APR_SUCCESS);
    other.delivery = first.delivery;
    assert_int_equal(wa_store_message_add(world.messenger.store, &other, &stored, p), APR_SUCCESS);
    assert_int_equal(run(&world, 16 * MINUTE).given_up, 0);
    assert_string_equal(sids_of(&world, "old"), "-,-");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_TEST(test_each_part_is_found_by_its_text),
        POOL_TEST(test_parts_that_are_alike_get_one_each_in_their_order),
        POOL_TEST(test_what_is_one_parts_is_no_others),
        POOL_TEST(test_a_part_is_not_older_than_the_one_before_it),
        POOL_TEST(test_long_messages_and_short_ones_share_nothing),
        POOL_TEST(test_a_part_that_failed_at_twilio_makes_it_failed),
        POOL_TEST(test_parked_receipts_reach_their_part),
        POOL_TEST(test_a_receipt_in_between_stays),
        POOL_TEST(test_no_sid_becomes_two_parts_whatever_comes_in_between),
        POOL_TEST(test_a_late_part_is_found),
        POOL_TEST(test_twilio_tells_that_they_opted_out),
        POOL_TEST(test_what_twilio_never_took_is_kept_in_the_parts),
        POOL_TEST(test_a_receipt_after_giving_up_still_counts),
        POOL_TEST(test_a_part_before_one_that_twilio_has_was_taken),
        POOL_TEST(test_the_whole_list_is_looked_through_first),
        POOL_TEST(test_what_may_still_be_sent_is_not_given_up),
        POOL_TEST(test_a_text_that_is_cut_otherwise_is_left_alone),
    };

    return cmocka_run_group_tests(tests, apr_setup, apr_teardown);
}
