/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of receipts that nobody took: what Twilio's list says counts, once, and what reading it
 * costs. */
#include "test_reconciling.h"

#include "base/clock.h"
#include "messaging/reconcile/reconcile_receipts.h"

#define HOUR (60 * MINUTE)

static const char *sid_number(apr_pool_t *p, int n)
{
    return apr_psprintf(p, "SM%032d", n);
}

/* A message that Twilio took, whose receipts have not come. */
static const char *sent_add(world_t *world, const char *id, const char *sid)
{
    const wa_delivery_t delivery = {
        .part_count = 1, .parts = {{.is = WA_PART_TAKEN, .word = WA_DELIVERY_QUEUED, .sid = sid}}};
    wa_message_new_t message = {.id = id,
                                .sid = sid,
                                .counterpart = NUMBER,
                                .direction = WA_DIRECTION_SENT,
                                .preview = WA_SLICE_LITERAL("x"),
                                .body = WA_SLICE_LITERAL("hello")};
    wa_message_state_t first;
    wa_message_t stored;

    assert_int_equal(wa_delivery_write(&delivery, sid, &first, world->p), APR_SUCCESS);
    message.status = first.status;
    message.delivery = first.delivery;
    assert_int_equal(wa_store_message_add(world->messenger.store, &message, &stored, world->p),
                     APR_SUCCESS);
    return id;
}

static void begin_at_first(world_t *world, apr_pool_t *p, const entry_t *entries, size_t count)
{
    begin(world, p, entries, count);
    memset(&memory, 0, sizeof(memory));
}

static void test_what_the_list_says_counts_once(void **state)
{
    static const struct {
        const char *word;
        int code;
        const char *json;
    } cases[] = {
        {"read", 0, "\"status\":\"success\",\"sid\":\"" SID("1") "\",\"deliveryStatus\":\"read\""},
        {"undelivered", 63016, "\"errorCode\":63016"},
        {"failed", 0, "\"status\":\"failed\""},
        {"canceled", 0, "\"deliveryStatus\":\"canceled\""},
        {"accepted", 0, QUEUED(SID("1"))},
        {"partially_delivered", 0, QUEUED(SID("1"))},
        {"", 0, QUEUED(SID("1"))},
    };
    size_t i;

    for (i = 0; i < COUNT(cases); i++) {
        const entry_t entries[] = {{SID("1"), "whatsapp:" OUR_NUMBER, "whatsapp:" NUMBER, "hello",
                                    "outbound-api", cases[i].word, START + 1000, 0, cases[i].code,
                                    0}};
        const int is_news = i < 4;
        wa_message_t now;
        apr_int64_t changed_ms;
        world_t world;

        begin_at_first(&world, *state, entries, 1);
        sent_add(&world, "a", SID("1"));
        assert_int_equal(run(&world, MINUTE).updated, is_news);
        assert_non_null(strstr(state_of(&world, "a"), cases[i].json));
        assert_int_equal(wa_store_message_find(world.messenger.store, "a", &now, world.p),
                         APR_SUCCESS);
        changed_ms = now.changed_ms;
        memory.receipts_due_us = 0;
        assert_int_equal(run(&world, 2 * MINUTE).updated, 0);
        assert_int_equal(wa_store_message_find(world.messenger.store, "a", &now, world.p),
                         APR_SUCCESS);
        assert_int_equal(now.changed_ms, changed_ms);
    }
}

/* A receipt that came at another time than Twilio's list says is no reason to store anything. */
static void test_a_word_that_is_known_is_no_news(void **state)
{
    static const entry_t entries[] = {SENT_TO(SID("1"), "hello", "delivered", START - HOUR)};
    wa_sentence_t sentence;
    world_t world;

    begin_at_first(&world, *state, entries, COUNT(entries));
    sent_add(&world, "a", SID("1"));
    assert_int_equal(
        wa_receipt_receive(&world.messenger,
                           form_of("MessageSid=" SID("1") "&MessageStatus=read", world.p), NULL,
                           &sentence, world.p),
        APR_SUCCESS);
    assert_int_equal(run(&world, MINUTE).updated, 0);
    assert_non_null(strstr(state_of(&world, "a"), "\"read\""));
}

static void test_what_is_not_ours_is_passed_over(void **state)
{
    static const entry_t entries[] = {
        SENT_TO(SID("3"), "another program's", "read", START),
        {SID("2"), "whatsapp:" OUR_NUMBER, "whatsapp:" NUMBER, "x", "inbound", "read", START, 0, 0,
         0},
        SENT_TO(SID("1"), "a received one's sid", "read", START),
    };
    wa_message_new_t received = {.id = "r",
                                 .sid = SID("1"),
                                 .counterpart = NUMBER,
                                 .direction = WA_DIRECTION_RECEIVED,
                                 .preview = WA_SLICE_LITERAL("x")};
    wa_message_t stored;
    world_t world;

    begin_at_first(&world, *state, entries, COUNT(entries));
    assert_int_equal(wa_store_message_add(world.messenger.store, &received, &stored, world.p),
                     APR_SUCCESS);
    assert_int_equal(run(&world, MINUTE).updated, 0);
    assert_string_equal(state_of(&world, "r"), "");
    assert_int_equal(memory.receipts_open_ms, 0);
}

static void test_how_far_back_a_run_reads(void **state)
{
    entry_t entries[] = {SENT_TO(SID("2"), "b", "delivered", START - 30 * MINUTE),
                         SENT_TO(SID("1"), "a", "sent", START - 40 * MINUTE),
                         SENT_TO(SID("3"), "c", "sent", START - 23 * HOUR)};
    world_t world;

    begin_at_first(&world, *state, entries, COUNT(entries));
    sent_add(&world, "a", SID("1"));
    sent_add(&world, "b", SID("2"));
    sent_add(&world, "c", SID("3"));
    assert_int_equal(run(&world, 0).updated, 3); /* at first all */
    assert_int_equal(memory.receipts_open_ms, START - 23 * HOUR);
    entries[0].status = entries[1].status = entries[2].status = "read";
    assert_int_equal(run(&world, MINUTE).updated, 2); /* then an hour for the sake of one */
    assert_int_equal(memory.receipts_open_ms, 0);
    assert_int_equal(twilio.receipt_lists, 2);
    assert_int_equal(run(&world, 2 * MINUTE).updated, 0);
    assert_int_equal(twilio.receipt_lists, 3); /* what it stored itself was news */
    assert_int_equal(run(&world, 3 * MINUTE).updated, 0);
    assert_int_equal(twilio.receipt_lists, 3); /* nothing to learn: nothing is asked */
    memory.receipts_due_us = wa_clock_steady_us();
    assert_int_equal(run(&world, 4 * MINUTE).updated, 1); /* once an hour all */
    assert_true(memory.receipts_due_us > wa_clock_steady_us() + apr_time_from_sec(3000));
}

static void test_a_long_list_is_read_in_portions(void **state)
{
    enum { ALL = 2 * WA_RECONCILE_RECEIPTS_MAX + 500 };
    apr_pool_t *p = *state;
    entry_t *entries = apr_pcalloc(p, ALL * sizeof(*entries));
    world_t world;
    int i;

    for (i = 0; i < ALL; i++) { /* two a second */
        entry_t one =
            SENT_TO(sid_number(p, i), "x", "read", (START - (apr_int64_t)i * 500) / 1000 * 1000);

        entries[i] = one;
    }
    begin_at_first(&world, p, entries, ALL);
    sent_add(&world, "new", sid_number(p, 5));
    sent_add(&world, "older", sid_number(p, WA_RECONCILE_RECEIPTS_MAX + 5));
    sent_add(&world, "oldest", sid_number(p, ALL - 1));
    assert_int_equal(run(&world, 0).updated, 1);
    assert_int_equal(twilio.receipt_lists, 1);
    assert_int_equal(run(&world, 0).updated, 1);
    assert_int_equal(run(&world, 0).updated, 1);
    assert_int_equal(memory.receipts_rest_ms, 0);
}

/* More in one second than are taken at a time. */
static void test_a_second_full_of_messages_holds_up_nothing(void **state)
{
    enum { ALL = 2 * WA_RECONCILE_RECEIPTS_MAX };
    apr_pool_t *p = *state;
    entry_t *entries = apr_pcalloc(p, (ALL + 1) * sizeof(*entries));
    world_t world;
    int i;

    for (i = 0; i <= ALL; i++) {
        entry_t one = SENT_TO(sid_number(p, i), "x", "read", START - (i == ALL) * HOUR);

        entries[i] = one;
    }
    begin_at_first(&world, p, entries, ALL + 1);
    sent_add(&world, "oldest", sid_number(p, ALL));
    for (i = 0; i < 4; i++) {
        run(&world, 0);
    }
    assert_non_null(strstr(state_of(&world, "oldest"), "read"));
    assert_int_equal(memory.receipts_rest_ms, 0);
}

static void test_a_list_that_is_not_given_is_asked_for_again(void **state)
{
    static const entry_t entries[] = {SENT_TO(SID("1"), "a", "read", START - 20 * HOUR)};
    wa_reconcile_result_t result;
    world_t world;

    begin_at_first(&world, *state, entries, COUNT(entries));
    sent_add(&world, "a", SID("1"));
    twilio.rv = APR_EGENERAL;
    assert_int_equal(run_at(&world, 0, &result), APR_EGENERAL);
    twilio.rv = APR_SUCCESS;
    assert_int_equal(run(&world, MINUTE).updated, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_TEST(test_what_the_list_says_counts_once),
        POOL_TEST(test_a_word_that_is_known_is_no_news),
        POOL_TEST(test_what_is_not_ours_is_passed_over),
        POOL_TEST(test_how_far_back_a_run_reads),
        POOL_TEST(test_a_long_list_is_read_in_portions),
        POOL_TEST(test_a_second_full_of_messages_holds_up_nothing),
        POOL_TEST(test_a_list_that_is_not_given_is_asked_for_again),
    };

    return cmocka_run_group_tests(tests, apr_setup, apr_teardown);
}
