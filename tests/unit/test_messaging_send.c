/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of sending: what is stored before, while and after Twilio is asked. */
#include "fixed_clock.h"
#include "test_sending.h"

static const char *newest_json(world_t *world)
{
    return json_of(&fake_store_newest(world->fake)->m, world->p);
}

static void intent_is_there(world_t *world)
{
    const fake_message_t *stored = fake_store_newest(world->fake);

    assert_non_null(stored);
    assert_int_equal(stored->m.status, WA_STATUS_PENDING);
    assert_string_equal(delivery_of(&stored->m, world->p), "\"status\":\"pending\"");
    assert_int_equal(world->messenger.sends_in_flight, 1);
}

static void test_accepted(void **state)
{
    world_t world;
    wa_send_result_t result;
    const char *id;

    begin(&world, *state);
    twilio.meanwhile = intent_is_there;
    assert_int_equal(send_text(&world, "whatsapp:+1 (555) 123-0001", TEXT, &result), APR_SUCCESS);
    assert_int_equal(twilio.calls, 1);
    assert_true(result.is_accepted);
    id = text_of(result.message.id, world.p);
    assert_string_equal(
        json_of(&result.message, world.p),
        apr_pstrcat(world.p, "{\"id\":\"", id,
                    "\",\"direction\":\"sent\",\"phoneNumber\":\"" OUR_NUMBER
                    "\",\"counterpart\":\"" NUMBER
                    "\",\"body\":\"planted text, 1+1 & \\\"more\\\" \xF0\x9F\x91\x8B\","
                    "\"status\":\"success\",\"sid\":\"" SID_1
                    "\",\"deliveryStatus\":\"queued\",\"timestamp\":1700000000001}",
                    NULL));
    assert_string_equal(newest_json(&world), json_of(&result.message, world.p));
    assert_string_equal(twilio.request.to, NUMBER);
    assert_string_equal(twilio.request.from, OUR_NUMBER);
    assert_true(wa_slice_is_equal(twilio.request.body, wa_slice_of(TEXT)));
    assert_true(wa_secret_is_equal(twilio.secret, OUR_TOKEN, strlen(OUR_TOKEN)));
    assert_string_equal(twilio.request.status_callback,
                        apr_pstrcat(world.p,
                                    "https://chat.example.org/api/whatsapp-messenger/webhook"
                                    "?message=",
                                    id, NULL));
    assert_int_equal(world.messenger.sends_in_flight, 0);
    assert_int_equal(fake_store_newest(world.fake)->updates, 1);
}

static void test_no_public_url_asks_for_no_receipts(void **state)
{
    world_t world;
    wa_send_result_t result;

    begin(&world, *state);
    world.messenger.public_url = NULL;
    assert_int_equal(send_text(&world, NUMBER, TEXT, &result), APR_SUCCESS);
    assert_null(twilio.request.status_callback);
}

static void test_what_is_logged(void **state)
{
    world_t world;
    wa_send_result_t result;

    begin(&world, *state);
    assert_int_equal(send_text(&world, NUMBER, TEXT, &result), APR_SUCCESS);
    assert_non_null(strstr(world.lines, "6 WA0501 send: sid=" SID_1));
    assert_non_null(strstr(world.lines, "to=+1555***0001"));
    assert_non_null(strstr(world.lines, "length=29 "));
    assert_non_null(strstr(world.lines, "status=accepted"));
    assert_null(strstr(world.lines, "planted"));
    assert_null(strstr(world.lines, NUMBER));
    assert_ptr_equal(strchr(world.lines, '\n'), strrchr(world.lines, '\n'));
}

static void clock_jumps(world_t *world)
{
    (void)world;
    clock_shift_ms += 3600 * 1000;
}

/* Somebody sets the clock while Twilio is asked: the line says how long it took all the same. */
static void test_a_duration_is_not_of_the_wall_clock(void **state)
{
    wa_send_result_t result;
    world_t world;

    begin(&world, *state);
    twilio.meanwhile = clock_jumps;
    assert_int_equal(send_text(&world, NUMBER, TEXT, &result), APR_SUCCESS);
    clock_shift_ms = 0;
    assert_in_range(duration_of(&world), 0, 3600 * 1000 - 1);
}

static void test_not_accepted(void **state)
{
    static const struct {
        wa_twilio_outcome_e outcome;
        int code;
        const char *members;
    } cases[] = {
        {WA_TWILIO_REFUSED, 21610,
         "\"status\":\"failed\",\"errorMessage\":\"Said no.\",\"errorCode\":21610"},
        {WA_TWILIO_REFUSED, 0, "\"status\":\"failed\",\"errorMessage\":\"Said no.\""},
        {WA_TWILIO_NOT_REACHED, 0, "\"status\":\"failed\",\"errorMessage\":\"Said no.\""},
        {WA_TWILIO_RATE_LIMITED, 20429,
         "\"status\":\"failed\",\"errorMessage\":\"Said no.\",\"errorCode\":20429"},
        {WA_TWILIO_UNKNOWN, 0, "\"status\":\"pending\",\"errorMessage\":\"Said no.\""},
    };
    size_t i;

    for (i = 0; i < COUNT(cases); i++) {
        world_t world;
        wa_send_result_t result;

        begin(&world, *state);
        memset(&twilio.answer, 0, sizeof(twilio.answer));
        twilio.answer.outcome = cases[i].outcome;
        twilio.answer.error_code = cases[i].code;
        twilio.answer.error = "Said no.";
        assert_int_equal(send_text(&world, NUMBER, TEXT, &result), APR_SUCCESS);
        assert_false(result.is_accepted);
        assert_string_equal(result.sentence, "Said no.");
        assert_string_equal(delivery_of(&result.message, world.p), cases[i].members);
        assert_int_equal(result.message.status, fake_store_newest(world.fake)->m.status);
        assert_int_equal(twilio.calls, 1);
        assert_int_equal(world.messenger.sends_in_flight, 0);
    }
}

static void test_a_client_that_cannot_ask(void **state)
{
    world_t world;
    wa_send_result_t result;

    begin(&world, *state);
    twilio.rv = APR_EINVAL;
    assert_int_equal(send_text(&world, NUMBER, TEXT, &result), APR_SUCCESS);
    assert_false(result.is_accepted);
    assert_int_equal(result.message.status, WA_STATUS_FAILED);
    assert_int_equal(result.message.sid.len, 0);
    assert_non_null(strstr(world.lines, "3 WA0503 "));
}

static void test_nothing_is_stored_or_sent_when_the_input_is_bad(void **state)
{
    static const struct {
        const char *number, *text, *word;
    } cases[] = {{"5551230001", TEXT, "phoneNumber"},
                 {"", TEXT, "phoneNumber"},
                 {NUMBER, "", "message"},
                 {NUMBER, " \t\n", "message"},
                 {NUMBER, "\xFF", "message"},
                 {NUMBER, "\xED\xA0\xBD", "message"}};
    size_t i;

    for (i = 0; i < COUNT(cases); i++) {
        world_t world;
        wa_send_result_t result;

        begin(&world, *state);
        assert_int_equal(send_text(&world, cases[i].number, cases[i].text, &result), APR_EINVAL);
        assert_memory_equal(result.sentence, cases[i].word, strlen(cases[i].word));
        assert_int_equal(fake_store_count(world.fake), 0);
        assert_int_equal(twilio.calls, 0);
        assert_string_equal(world.lines, "");
    }
}

static void test_the_intent_comes_first(void **state)
{
    world_t world;
    wa_send_result_t result;

    begin(&world, *state);
    fake_store_fail(world.fake, FAKE_ADD, APR_TIMEUP);
    assert_int_equal(send_text(&world, NUMBER, TEXT, &result), APR_TIMEUP);
    fake_store_fail(world.fake, FAKE_ADD, APR_ENOSPC);
    assert_int_equal(send_text(&world, NUMBER, TEXT, &result), APR_ENOSPC);
    assert_int_equal(twilio.calls, 0);
    assert_int_equal(world.messenger.sends_in_flight, 0);
}

static void test_an_outcome_that_cannot_be_stored_is_logged(void **state)
{
    world_t world;
    wa_send_result_t result;

    begin(&world, *state);
    fake_store_fail(world.fake, FAKE_UPDATE, APR_ENOSPC);
    assert_int_equal(send_text(&world, NUMBER, TEXT, &result), APR_SUCCESS);
    assert_true(result.is_accepted);
    assert_int_equal(result.message.status, WA_STATUS_PENDING);
    assert_non_null(strstr(world.lines, "3 WA0502 "));
    assert_non_null(strstr(world.lines, SID_1));
    /* The receipt settles it: it names our message. */
    receipt(&world, "delivered", "", text_of(result.message.id, world.p));
    assert_int_equal(fake_store_newest(world.fake)->m.status, WA_STATUS_SUCCESS);
    assert_string_equal(text_of(fake_store_newest(world.fake)->m.sid, world.p), SID_1);
}

static void test_a_refusal_that_cannot_be_stored_is_no_success(void **state)
{
    world_t world;
    wa_send_result_t result;

    begin(&world, *state);
    twilio.answer = (wa_twilio_result_t){.outcome = WA_TWILIO_REFUSED, .error = "Said no."};
    fake_store_fail(world.fake, FAKE_UPDATE, APR_ENOSPC);
    assert_int_equal(send_text(&world, NUMBER, TEXT, &result), APR_SUCCESS);
    assert_false(result.is_accepted);
    assert_string_equal(result.sentence, "Said no.");
}

static void receipts_by_sid(world_t *world)
{
    receipt(world, "sent", "", NULL);
    receipt(world, "delivered", "", NULL);
}

static void receipts_by_id(world_t *world)
{
    const char *id = text_of(fake_store_newest(world->fake)->m.id, world->p);

    receipt(world, "delivered", "", id);
}

static void failure_by_sid(world_t *world)
{
    receipt(world, "undelivered", "&ErrorCode=63016", NULL);
}

static void test_receipts_that_overtake_the_answer(void **state)
{
    world_t world;
    wa_send_result_t result;

    begin(&world, *state);
    twilio.meanwhile = receipts_by_sid;
    assert_int_equal(send_text(&world, NUMBER, TEXT, &result), APR_SUCCESS);
    assert_string_equal(delivery_of(&result.message, world.p),
                        "\"status\":\"success\",\"sid\":\"" SID_1
                        "\",\"deliveryStatus\":\"delivered\"");
    assert_string_equal(newest_json(&world), json_of(&result.message, world.p));

    begin(&world, *state);
    twilio.meanwhile = receipts_by_id;
    assert_int_equal(send_text(&world, NUMBER, TEXT, &result), APR_SUCCESS);
    assert_string_equal(delivery_of(&result.message, world.p),
                        "\"status\":\"success\",\"sid\":\"" SID_1
                        "\",\"deliveryStatus\":\"delivered\"");
    assert_true(result.is_accepted);

    begin(&world, *state);
    twilio.meanwhile = failure_by_sid;
    assert_int_equal(send_text(&world, NUMBER, TEXT, &result), APR_SUCCESS);
    assert_int_equal(result.message.status, WA_STATUS_FAILED);
    assert_non_null(strstr(json_of(&result.message, world.p), "\"errorCode\":63016"));
    assert_false(result.is_accepted);
}

static void test_a_receipt_tells_more_than_a_lost_answer(void **state)
{
    world_t world;
    wa_send_result_t result;

    begin(&world, *state);
    twilio.meanwhile = receipts_by_id;
    twilio.answer = (wa_twilio_result_t){.outcome = WA_TWILIO_UNKNOWN, .error = "No answer."};
    assert_int_equal(send_text(&world, NUMBER, TEXT, &result), APR_SUCCESS);
    assert_true(result.is_accepted);
    assert_string_equal(delivery_of(&result.message, world.p),
                        "\"status\":\"success\",\"sid\":\"" SID_1
                        "\",\"deliveryStatus\":\"delivered\"");
}

static void receipt_in_between(void *baton)
{
    receipt(baton, "read", "", NULL);
}

/* The receipt of another process slips between any two steps of the send. */
static void test_receipts_between_the_steps(void **state)
{
    static const fake_op_e steps[] = {FAKE_UPDATE, FAKE_UNPARK};
    size_t i;

    for (i = 0; i < COUNT(steps); i++) {
        world_t world;
        wa_send_result_t result;

        begin(&world, *state);
        fake_store_meanwhile(world.fake, steps[i], receipt_in_between, &world);
        assert_int_equal(send_text(&world, NUMBER, TEXT, &result), APR_SUCCESS);
        assert_non_null(strstr(newest_json(&world), "\"deliveryStatus\":\"read\""));
    }
}

static void outcome_in_between(void *baton)
{
    world_t *world = baton;
    wa_send_result_t result;

    assert_int_equal(send_text(world, NUMBER, TEXT, &result), APR_SUCCESS);
}

/* The whole send goes by between a receipt's look for its message and its parking. */
static void test_a_send_between_the_steps_of_a_receipt(void **state)
{
    world_t world;

    begin(&world, *state);
    fake_store_meanwhile(world.fake, FAKE_PARK, outcome_in_between, &world);
    receipt(&world, "delivered", "", NULL);
    assert_int_equal(fake_store_count(world.fake), 1);
    assert_non_null(strstr(newest_json(&world), "\"deliveryStatus\":\"delivered\""));
}

static void test_contact_ids(void **state)
{
    world_t world;
    wa_send_result_t result;
    wa_send_request_t request = {
        .phone_number = wa_slice_of(NUMBER), .message = wa_slice_of(TEXT), .has_contact_id = 1};
    const char *id = "6f1c3b52-5c2b-4b06-9d5e-0d4f5e3b2a10";
    const wa_contact_t contact = {.id = wa_slice_of(id),
                                  .phone_number = wa_slice_of(NUMBER),
                                  .display_name = wa_slice_of("Ana")};
    wa_contact_t added;

    begin(&world, *state);
    request.contact_id = wa_slice_of(id);
    assert_int_equal(wa_send(&world.messenger, &request, &result, world.p), APR_EINVAL);
    assert_non_null(strstr(result.sentence, "contactId"));
    assert_int_equal(wa_store_contact_add(world.messenger.store, &contact, &added, world.p),
                     APR_SUCCESS);
    request.contact_id = wa_slice_of("6f1c3b52");
    assert_int_equal(wa_send(&world.messenger, &request, &result, world.p), APR_EINVAL);
    request.contact_id = wa_slice_of(id);
    request.phone_number = wa_slice_of("+15551230002");
    assert_int_equal(wa_send(&world.messenger, &request, &result, world.p), APR_EINVAL);
    assert_non_null(strstr(result.sentence, "contactId"));
    assert_int_equal(fake_store_count(world.fake), 0);
    request.phone_number = wa_slice_of(NUMBER);
    fake_store_fail(world.fake, FAKE_CONTACT, APR_TIMEUP);
    assert_int_equal(wa_send(&world.messenger, &request, &result, world.p), APR_TIMEUP);
    request.contact_id = wa_slice_of("6F1C3B52-5C2B-4B06-9D5E-0D4F5E3B2A10");
    assert_int_equal(wa_send(&world.messenger, &request, &result, world.p), APR_SUCCESS);
    assert_string_equal(text_of(result.message.contact_id, world.p), id);
}

static void second_send(world_t *world)
{
    wa_send_result_t result;

    twilio.meanwhile = NULL;
    assert_int_equal(send_text(world, NUMBER, TEXT, &result), APR_TIMEUP);
    assert_non_null(result.sentence);
    assert_true(result.retry_after_s >= 1);
    assert_int_equal(fake_store_count(world->fake), 1);
    assert_int_equal(twilio.calls, 1);
}

static void test_no_more_sends_than_allowed(void **state)
{
    world_t world;
    wa_send_result_t result;

    begin(&world, *state);
    world.messenger.max_sends = 1;
    twilio.meanwhile = second_send;
    assert_int_equal(send_text(&world, NUMBER, TEXT, &result), APR_SUCCESS);
    assert_int_equal(send_text(&world, NUMBER, TEXT, &result), APR_SUCCESS);
    assert_int_equal(fake_store_count(world.fake), 2);
    assert_int_equal(world.messenger.sends_in_flight, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_TEST(test_accepted),
        POOL_TEST(test_no_public_url_asks_for_no_receipts),
        POOL_TEST(test_what_is_logged),
        POOL_TEST(test_a_duration_is_not_of_the_wall_clock),
        POOL_TEST(test_not_accepted),
        POOL_TEST(test_a_client_that_cannot_ask),
        POOL_TEST(test_nothing_is_stored_or_sent_when_the_input_is_bad),
        POOL_TEST(test_the_intent_comes_first),
        POOL_TEST(test_an_outcome_that_cannot_be_stored_is_logged),
        POOL_TEST(test_a_refusal_that_cannot_be_stored_is_no_success),
        POOL_TEST(test_receipts_that_overtake_the_answer),
        POOL_TEST(test_a_receipt_tells_more_than_a_lost_answer),
        POOL_TEST(test_receipts_between_the_steps),
        POOL_TEST(test_a_send_between_the_steps_of_a_receipt),
        POOL_TEST(test_contact_ids),
        POOL_TEST(test_no_more_sends_than_allowed),
    };

    return cmocka_run_group_tests(tests, apr_setup, apr_teardown);
}
