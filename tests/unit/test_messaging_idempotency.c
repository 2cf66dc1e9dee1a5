/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of Idempotency-Key: one send for each key, and the same answer for everybody who asks. */
#include "fixed_clock.h"
#include "test_sending.h"

#include "base/clock.h"
#include "messaging/send/idempotency.h"

/* A key counts by the clock: the store's times are the clock's. */
static void begin_now(world_t *world, apr_pool_t *p)
{
    begin(world, p);
    fake_store_clock(world->fake, wa_clock_now_ms());
}

static apr_status_t send_key(world_t *world, const char *key, const char *number, const char *text,
                             wa_send_result_t *result)
{
    wa_send_request_t request = {
        .phone_number = wa_slice_of(number), .message = wa_slice_of(text), .idempotency_key = key};

    return wa_send(&world->messenger, &request, result, world->p);
}

static void test_keys(void **state)
{
    char longest[257];
    wa_sentence_t sentence;

    (void)state;
    memset(longest, 'k', 256);
    longest[256] = '\0';
    assert_int_equal(wa_idempotency_check(longest, &sentence), APR_EINVAL);
    assert_memory_equal(sentence, "Idempotency-Key", 15);
    longest[255] = '\0';
    assert_int_equal(wa_idempotency_check(longest, &sentence), APR_SUCCESS);
    assert_null(sentence);
    assert_int_equal(wa_idempotency_check("~ {a}", &sentence), APR_SUCCESS);
    assert_int_equal(wa_idempotency_check("", &sentence), APR_EINVAL);
    assert_int_equal(wa_idempotency_check("a\tb", &sentence), APR_EINVAL);
    assert_int_equal(wa_idempotency_check("a\x7f", &sentence), APR_EINVAL);
    assert_int_equal(wa_idempotency_check("a\xc3\xa9", &sentence), APR_EINVAL);
}

static void test_digests_differ_by_every_field_and_border(void **state)
{
    const wa_slice_t lists[][3] = {
        {WA_SLICE_LITERAL("a"), WA_SLICE_LITERAL("b"), WA_SLICE_LITERAL("")},
        {WA_SLICE_LITERAL("ab"), WA_SLICE_LITERAL(""), WA_SLICE_LITERAL("")},
        {WA_SLICE_LITERAL(""), WA_SLICE_LITERAL("ab"), WA_SLICE_LITERAL("")},
        {WA_SLICE_LITERAL("a"), WA_SLICE_LITERAL(""), WA_SLICE_LITERAL("b")}};
    size_t i, k;

    for (i = 0; i < COUNT(lists); i++) {
        const char *digest = wa_idempotency_digest(lists[i], 3, *state);

        assert_int_equal(strspn(digest, "0123456789abcdef"), 32);
        assert_int_equal(strlen(digest), 32);
        for (k = 0; k < COUNT(lists); k++) {
            assert_int_equal(strcmp(digest, wa_idempotency_digest(lists[k], 3, *state)) == 0,
                             i == k);
        }
    }
}

static void check_again(world_t *world, const wa_send_result_t *first)
{
    wa_send_result_t again;

    assert_int_equal(send_key(world, "key", " whatsapp:+1 555 123 0001", TEXT, &again),
                     APR_SUCCESS);
    assert_string_equal(json_of(&again.message, world->p), json_of(&first->message, world->p));
    assert_int_equal(again.is_accepted, first->is_accepted);
    if (!first->is_accepted) {
        assert_string_equal(again.sentence, first->sentence);
    }
    assert_int_equal(twilio.calls, 1);
    assert_int_equal(fake_store_count(world->fake), 1);
    assert_int_equal(world->messenger.sends_in_flight, 0);
}

static void test_the_same_again(void **state)
{
    static const wa_twilio_result_t answers[] = {
        {.outcome = WA_TWILIO_ACCEPTED, .sid = SID_1, .status = "queued"},
        {.outcome = WA_TWILIO_ACCEPTED, .sid = SID_1},
        {.outcome = WA_TWILIO_REFUSED, .error = "Said; no.", .error_code = 21211},
        {.outcome = WA_TWILIO_NOT_REACHED, .error = "Not there."},
        {.outcome = WA_TWILIO_UNKNOWN, .error = "No answer."}};
    size_t i;

    for (i = 0; i < COUNT(answers); i++) {
        world_t world;
        wa_send_result_t first;

        begin_now(&world, *state);
        twilio.answer = answers[i];
        assert_int_equal(send_key(&world, "key", NUMBER, TEXT, &first), APR_SUCCESS);
        assert_int_equal(first.is_accepted, i < 2);
        check_again(&world, &first);
        check_again(&world, &first);
        assert_non_null(strstr(world.lines, "6 WA0504 "));
        assert_null(strstr(world.lines, "key:"));
    }
}

static void test_another_message_under_the_key(void **state)
{
    world_t world;
    wa_send_result_t result;

    begin_now(&world, *state);
    assert_int_equal(send_key(&world, "key", NUMBER, TEXT, &result), APR_SUCCESS);
    assert_int_equal(send_key(&world, "key", NUMBER, TEXT " ", &result), APR_EACCES);
    assert_non_null(strstr(result.sentence, "Idempotency-Key"));
    assert_int_equal(send_key(&world, "key", "+15551230002", TEXT, &result), APR_EACCES);
    assert_int_equal(twilio.calls, 1);
    assert_int_equal(fake_store_count(world.fake), 1);
    assert_int_equal(send_key(&world, "another", NUMBER, TEXT, &result), APR_SUCCESS);
    assert_int_equal(send_text(&world, NUMBER, TEXT, &result), APR_SUCCESS);
    assert_int_equal(twilio.calls, 3);
}

static void test_a_bad_key_sends_nothing(void **state)
{
    world_t world;
    wa_send_result_t result;

    begin_now(&world, *state);
    assert_int_equal(send_key(&world, "", NUMBER, TEXT, &result), APR_EINVAL);
    assert_int_equal(fake_store_count(world.fake), 0);
    assert_int_equal(twilio.calls, 0);
}

/* The message that comes to be while Twilio thinks is the answer of whoever asks meanwhile. */
static void settle(void *baton)
{
    world_t *world = baton;
    const char *id = text_of(fake_store_newest(world->fake)->m.id, world->p);

    receipt(world, "delivered", "", id);
}

static fake_op_e settled_at; /* when the outcome comes */

static void second_meanwhile(world_t *world)
{
    wa_send_result_t second;

    twilio.meanwhile = NULL;
    /* its first look finds the send under way; then the outcome comes */
    fake_store_meanwhile(world->fake, settled_at, settle, world);
    world->messenger.send_timeout = apr_time_from_sec(600);
    assert_int_equal(send_key(world, "key", NUMBER, TEXT, &second), APR_SUCCESS);
    assert_true(second.is_accepted);
    assert_non_null(strstr(json_of(&second.message, world->p), "\"deliveryStatus\":\"delivered\""));
    assert_int_equal(twilio.calls, 1);
}

/* Between two looks, and while it sleeps. */
static void test_a_second_while_the_first_is_under_way_waits_for_its_outcome(void **state)
{
    static const fake_op_e moments[] = {FAKE_FIND, FAKE_WAIT};
    size_t i;

    for (i = 0; i < COUNT(moments); i++) {
        world_t world;
        wa_send_result_t first;

        begin_now(&world, *state);
        settled_at = moments[i];
        twilio.meanwhile = second_meanwhile;
        assert_int_equal(send_key(&world, "key", NUMBER, TEXT, &first), APR_SUCCESS);
        assert_true(first.is_accepted);
        assert_int_equal(twilio.calls, 1);
        assert_int_equal(fake_store_count(world.fake), 1);
    }
}

/* Somebody else's message comes first: that is no answer, and it waits on. */
static void other_commit(void *baton)
{
    world_t *world = baton;
    wa_slice_t value = WA_SLICE_LITERAL("a receipt of somebody else");

    assert_int_equal(wa_store_parked_add(world->messenger.store, "SMother", value, world->p),
                     APR_SUCCESS);
    fake_store_meanwhile(world->fake, FAKE_FIND, settle, world);
}

static void second_beside_others(world_t *world)
{
    wa_send_result_t second;

    twilio.meanwhile = NULL;
    fake_store_meanwhile(world->fake, FAKE_WAIT, other_commit, world);
    world->messenger.send_timeout = apr_time_from_sec(600);
    assert_int_equal(send_key(world, "key", NUMBER, TEXT, &second), APR_SUCCESS);
    assert_true(second.is_accepted);
}

static void test_who_waits_goes_on_waiting_when_something_else_is_committed(void **state)
{
    world_t world;
    wa_send_result_t first;

    begin_now(&world, *state);
    twilio.meanwhile = second_beside_others;
    assert_int_equal(send_key(&world, "key", NUMBER, TEXT, &first), APR_SUCCESS);
    assert_true(first.is_accepted);
    assert_int_equal(twilio.calls, 1);
}

/* The process is to stop: what is known by then is the answer, long before the first must be
 * over. */
static void second_at_the_end(world_t *world)
{
    wa_send_result_t second;

    twilio.meanwhile = NULL;
    world->messenger.send_timeout = apr_time_from_sec(600);
    wa_store_wait_end(world->messenger.store);
    assert_int_equal(send_key(world, "key", NUMBER, TEXT, &second), APR_SUCCESS);
    assert_false(second.is_accepted);
    assert_int_equal(second.message.status, WA_STATUS_PENDING);
    assert_non_null(strstr(second.sentence, "Nobody can know"));
}

static void test_who_waits_is_answered_when_the_process_is_to_stop(void **state)
{
    world_t world;
    wa_send_result_t first;

    begin_now(&world, *state);
    twilio.meanwhile = second_at_the_end;
    assert_int_equal(send_key(&world, "key", NUMBER, TEXT, &first), APR_SUCCESS);
    assert_true(first.is_accepted);
    assert_int_equal(twilio.calls, 1);
}

static void second_after_death(world_t *world)
{
    wa_send_result_t second;

    twilio.meanwhile = NULL;
    assert_int_equal(send_key(world, "key", NUMBER, TEXT, &second), APR_SUCCESS);
    assert_false(second.is_accepted);
    assert_int_equal(second.message.status, WA_STATUS_PENDING);
    assert_non_null(strstr(second.sentence, "Nobody can know"));
    assert_int_equal(twilio.calls, 1);
}

/* The first is stored as pending and never gets further: it is older than any send can be. */
static void test_a_first_that_died_is_not_waited_for_and_not_sent_again(void **state)
{
    world_t world;
    wa_send_result_t first;

    begin_now(&world, *state);
    fake_store_clock(world.fake, wa_clock_now_ms() - 60000);
    twilio.meanwhile = second_after_death;
    assert_int_equal(send_key(&world, "key", NUMBER, TEXT, &first), APR_SUCCESS);
}

/* To the millisecond, as the store decides it (test_store_seam). */
static void test_a_key_counts_for_24_hours(void **state)
{
    world_t world;
    wa_send_result_t result;
    wa_message_t message;

    begin_now(&world, *state);
    assert_int_equal(send_key(&world, "key", NUMBER, TEXT, &result), APR_SUCCESS);
    fixed_clock_ms = result.message.date_ms + 24 * 3600 * (apr_int64_t)1000;
    assert_int_equal(wa_idempotency_find(&world.messenger, "key", &message, world.p), APR_SUCCESS);
    fixed_clock_ms++;
    assert_int_equal(wa_idempotency_find(&world.messenger, "key", &message, world.p), APR_NOTFOUND);
    fixed_clock_ms = 0;
}

static void test_a_later_receipt_changes_the_message_and_not_the_verdict(void **state)
{
    world_t world;
    wa_send_result_t first, again;

    begin_now(&world, *state);
    assert_int_equal(send_key(&world, "key", NUMBER, TEXT, &first), APR_SUCCESS);
    receipt(&world, "undelivered", "&ErrorCode=63016", NULL);
    assert_int_equal(send_key(&world, "key", NUMBER, TEXT, &again), APR_SUCCESS);
    assert_true(again.is_accepted);
    assert_int_equal(again.message.status, WA_STATUS_FAILED);

    begin_now(&world, *state);
    twilio.answer = (wa_twilio_result_t){.outcome = WA_TWILIO_UNKNOWN, .error = "No answer."};
    assert_int_equal(send_key(&world, "key", NUMBER, TEXT, &first), APR_SUCCESS);
    assert_false(first.is_accepted);
    receipt(&world, "delivered", "", text_of(first.message.id, world.p));
    assert_int_equal(send_key(&world, "key", NUMBER, TEXT, &again), APR_SUCCESS);
    assert_true(again.is_accepted);
    assert_int_equal(twilio.calls, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_TEST(test_keys),
        POOL_TEST(test_digests_differ_by_every_field_and_border),
        POOL_TEST(test_the_same_again),
        POOL_TEST(test_another_message_under_the_key),
        POOL_TEST(test_a_bad_key_sends_nothing),
        POOL_TEST(test_a_second_while_the_first_is_under_way_waits_for_its_outcome),
        POOL_TEST(test_who_waits_goes_on_waiting_when_something_else_is_committed),
        POOL_TEST(test_who_waits_is_answered_when_the_process_is_to_stop),
        POOL_TEST(test_a_first_that_died_is_not_waited_for_and_not_sent_again),
        POOL_TEST(test_a_key_counts_for_24_hours),
        POOL_TEST(test_a_later_receipt_changes_the_message_and_not_the_verdict),
    };

    return cmocka_run_group_tests(tests, apr_setup, apr_teardown);
}
