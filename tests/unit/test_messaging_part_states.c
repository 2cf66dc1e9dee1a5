/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of messages in parts: what is sent, what stops, and how the parts' receipts make one
 * status. */
#include "test_sending.h"

#include "base/clock.h"
#include "base/tlv.h"
#include "messaging/send/idempotency.h"
#include "messaging/delivery/reducer.h"

#define SID(n) "SM0000000000000000000000000000002" #n

static const char *const sids[] = {SID(1), SID(2), SID(3)};

/* Twilio takes the parts before `stop_at`, and gives `stop` to that one. */
static struct {
    int stop_at;
    wa_twilio_result_t stop;
    const char *bodies[8], *callbacks[8];
} script;

static void part_answer(world_t *world)
{
    const int i = twilio.calls - 1;

    script.bodies[i] = text_of(twilio.request.body, world->p);
    script.callbacks[i] = apr_pstrdup(world->p, twilio.request.status_callback);
    twilio.answer = (wa_twilio_result_t){
        .outcome = WA_TWILIO_ACCEPTED, .http_status = 201, .sid = sids[i % 3], .status = "queued"};
    if (i == script.stop_at) {
        twilio.answer = script.stop;
    }
}

/* 4000 units: three parts. */
static const char *long_text(apr_pool_t *p)
{
    char *text = apr_palloc(p, 4001);

    memset(text, 'x', 4000);
    text[4000] = '\0';
    text[1500] = ' ';
    return text;
}

static void begin_parts(world_t *world, apr_pool_t *p, int stop_at, wa_twilio_result_t stop)
{
    begin(world, p);
    memset(&script, 0, sizeof(script));
    script.stop_at = stop_at;
    script.stop = stop;
    twilio.meanwhile = part_answer;
}

static void part_receipt(world_t *world, const char *sid, const char *status, const char *more,
                         const char *id)
{
    const char *body =
        apr_psprintf(world->p, "MessageSid=%s&MessageStatus=%s%s", sid, status, more);
    wa_sentence_t sentence;

    assert_int_equal(
        wa_receipt_receive(&world->messenger, form_of(body, world->p), id, &sentence, world->p),
        APR_SUCCESS);
}

static const char *state_now(world_t *world)
{
    return delivery_of(&fake_store_newest(world->fake)->m, world->p);
}

static wa_delivery_t parts_now(world_t *world)
{
    wa_delivery_t read;

    wa_delivery_read(&read, &fake_store_newest(world->fake)->m, world->p);
    return read;
}

static void test_all_parts_in_order(void **state)
{
    world_t world;
    wa_send_result_t result;
    const char *text;

    begin_parts(&world, *state, -1, (wa_twilio_result_t){.outcome = WA_TWILIO_UNKNOWN});
    text = long_text(world.p);
    assert_int_equal(send_text(&world, NUMBER, text, &result), APR_SUCCESS);
    assert_true(result.is_accepted);
    assert_int_equal(twilio.calls, 3);
    assert_string_equal(
        apr_pstrcat(world.p, script.bodies[0], script.bodies[1], script.bodies[2], NULL), text);
    assert_int_equal(strlen(script.bodies[0]), 1501);
    assert_int_equal(strlen(script.bodies[1]), 1600);
    assert_non_null(
        strstr(script.callbacks[2],
               apr_pstrcat(world.p, "?message=", text_of(result.message.id, world.p), ".3", NULL)));
    assert_int_equal(fake_store_count(world.fake), 1);
    assert_string_equal(state_now(&world), "\"status\":\"success\",\"sid\":\"" SID(
                                               1) "\",\"deliveryStatus\":\"queued\"");
}

static void test_a_refusal_stops_the_rest_and_says_so(void **state)
{
    static const struct {
        int at;
        wa_twilio_outcome_e outcome;
        const char *status, *sentence;
    } cases[] = {
        {0, WA_TWILIO_REFUSED, "failed", "None of the 3 parts of this message was sent: Said no."},
        {1, WA_TWILIO_REFUSED, "failed",
         "Only the first of the 3 parts of this message was sent: Said no."},
        {2, WA_TWILIO_NOT_REACHED, "failed",
         "Only the first 2 of the 3 parts of this message were sent: Said no."},
        {0, WA_TWILIO_UNKNOWN, "pending",
         "Nobody can know whether part 1 of 3 was sent; those after it were not: Said no."},
        {1, WA_TWILIO_UNKNOWN, "pending",
         "Nobody can know whether part 2 of 3 was sent; those after it were not: Said no."},
        {2, WA_TWILIO_UNKNOWN, "pending",
         "Nobody can know whether part 3 of 3 was sent: Said no."}};
    size_t i;

    for (i = 0; i < COUNT(cases); i++) {
        world_t world;
        wa_send_result_t result;

        begin_parts(&world, *state, cases[i].at,
                    (wa_twilio_result_t){.outcome = cases[i].outcome, .error = "Said no."});
        assert_int_equal(send_text(&world, NUMBER, long_text(world.p), &result), APR_SUCCESS);
        assert_false(result.is_accepted);
        assert_int_equal(twilio.calls, cases[i].at + 1);
        assert_string_equal(result.sentence, cases[i].sentence);
        assert_non_null(strstr(state_now(&world),
                               apr_pstrcat(world.p, "\"status\":\"", cases[i].status, "\"", NULL)));
        assert_non_null(strstr(state_now(&world), cases[i].sentence));
        /* one line in the log, that says which part it is about; the sid is the message's own */
        assert_non_null(strstr(world.lines, apr_psprintf(world.p, "WA0501 send: sid=%s id=",
                                                         cases[i].at ? SID(1) : "-")));
        assert_non_null(strstr(
            world.lines, apr_psprintf(world.p, " length=4000 part=%d/3 status=", cases[i].at + 1)));
    }
}

static void test_the_status_is_the_worst_of_the_parts(void **state)
{
    world_t world;
    wa_send_result_t result;
    wa_delivery_t parts;

    begin_parts(&world, *state, -1, (wa_twilio_result_t){.outcome = WA_TWILIO_UNKNOWN});
    assert_int_equal(send_text(&world, NUMBER, long_text(world.p), &result), APR_SUCCESS);
    part_receipt(&world, SID(1), "read", "", NULL);
    part_receipt(&world, SID(3), "delivered", "", NULL);
    assert_non_null(strstr(state_now(&world), "\"deliveryStatus\":\"queued\""));
    part_receipt(&world, SID(2), "sent", "", NULL);
    assert_non_null(strstr(state_now(&world), "\"deliveryStatus\":\"sent\""));
    part_receipt(&world, SID(2), "undelivered", "&ErrorCode=63016", NULL);
    assert_non_null(strstr(state_now(&world), "\"status\":\"failed\""));
    assert_non_null(strstr(state_now(&world), "Part 2 of 3 was not delivered: "));
    assert_non_null(strstr(state_now(&world), "\"errorCode\":63016"));
    assert_non_null(strstr(state_now(&world), "\"deliveryStatus\":\"undelivered\""));
    part_receipt(&world, SID(2), "delivered", "", NULL);
    assert_string_equal(state_now(&world), "\"status\":\"success\",\"sid\":\"" SID(
                                               1) "\",\"deliveryStatus\":\"delivered\"");
    parts = parts_now(&world);
    assert_int_equal(parts.parts[1].error_code, 0);
    assert_int_equal(wa_delivery_since_ms(&parts, WA_DELIVERY_READ) > 0, 1);
    assert_int_equal(wa_delivery_since_ms(&parts, WA_DELIVERY_SENDING), 0);
    part_receipt(&world, SID(1), "sending", "", NULL); /* late: nothing but its time */
    parts = parts_now(&world);
    assert_true(parts.parts[0].since_ms[WA_DELIVERY_SENDING] > 0);
}

static void test_a_failure_is_worse_than_not_to_know(void **state)
{
    world_t world;
    wa_send_result_t result;

    begin_parts(&world, *state, 2,
                (wa_twilio_result_t){.outcome = WA_TWILIO_UNKNOWN, .error = "No answer."});
    assert_int_equal(send_text(&world, NUMBER, long_text(world.p), &result), APR_SUCCESS);
    part_receipt(&world, SID(1), "undelivered", "&ErrorCode=63024", NULL);
    assert_non_null(strstr(state_now(&world), "\"status\":\"failed\""));
    assert_non_null(strstr(state_now(&world), "Part 1 of 3 was not delivered: "));
    assert_non_null(strstr(state_now(&world), "\"deliveryStatus\":\"undelivered\""));
    /* where that was not true the question is open again */
    part_receipt(&world, SID(1), "delivered", "", NULL);
    assert_non_null(strstr(state_now(&world), "\"status\":\"pending\""));
}

/* Of two failures of one kind the higher code stays, whichever came first. */
static void test_the_code_of_a_part_does_not_depend_on_the_order(void **state)
{
    static const char *const codes[] = {"&ErrorCode=63016", "&ErrorCode=63024"};
    int i;

    for (i = 0; i < 2; i++) {
        world_t world;
        wa_send_result_t result;

        begin_parts(&world, *state, -1, (wa_twilio_result_t){.outcome = WA_TWILIO_UNKNOWN});
        assert_int_equal(send_text(&world, NUMBER, long_text(world.p), &result), APR_SUCCESS);
        part_receipt(&world, SID(2), "failed", codes[i], NULL);
        part_receipt(&world, SID(2), "failed", codes[1 - i], NULL);
        assert_non_null(strstr(state_now(&world), "\"errorCode\":63024"));
    }
}

static void receipt_before_the_loss(world_t *world)
{
    part_answer(world);
    if (twilio.calls == 2) {
        const char *callback = script.callbacks[1];

        part_receipt(world, SID(2), "sent", "", strstr(callback, "message=") + strlen("message="));
    }
}

static void test_a_receipt_proves_more_than_a_lost_answer(void **state)
{
    world_t world;
    wa_send_result_t result;

    begin_parts(&world, *state, 1,
                (wa_twilio_result_t){.outcome = WA_TWILIO_UNKNOWN, .error = "No answer."});
    twilio.meanwhile = receipt_before_the_loss;
    assert_int_equal(send_text(&world, NUMBER, long_text(world.p), &result), APR_SUCCESS);
    assert_int_equal(twilio.calls, 2);
    assert_int_equal(parts_now(&world).parts[1].is, WA_PART_TAKEN);
    assert_string_equal(parts_now(&world).parts[1].sid, SID(2));
    assert_non_null(strstr(state_now(&world),
                           "\"Only the first 2 of the 3 parts of this message were sent.\""));
}

/* What a newer version, or damage, wrote: nothing is believed that has no meaning here. */
static void test_parts_that_cannot_be_read(void **state)
{
#define BYTES(is, word) WA_SLICE_LITERAL(is word "\0\0\0\0")
#define SID_BYTES(n) wa_slice_make(SID(n), sizeof(SID(n)))
    const struct {
        wa_slice_t numbers, sid;
    } parts[] = {{BYTES("\x09", "\x63"), wa_slice_make("SMx", 4)},
                 {BYTES("\xff", "\xff"), wa_slice_make("x", 2)},
                 {BYTES("\0", "\0"), wa_slice_make(SID(1), 5)},
                 {BYTES("\1", "\3"), SID_BYTES(1)},
                 {BYTES("\1", "\3"), SID_BYTES(2)},
                 {WA_SLICE_LITERAL("\1\3\0"), wa_slice_make(NULL, 0)}, /* too short: no part */
                 {BYTES("\1", "\3"), wa_slice_make(NULL, 0)},
                 {BYTES("\1", "\3"), wa_slice_make(NULL, 0)},
                 {BYTES("\1", "\3"), wa_slice_make(NULL, 0)},
                 {BYTES("\1", "\3"), wa_slice_make(NULL, 0)}};
    wa_message_t m = {.status = WA_STATUS_PENDING};
    wa_delivery_t read;
    wa_buffer_t b;
    size_t i;

    wa_buffer_init(&b, 0);
    for (i = 0; i < COUNT(parts) + WA_PARTS_MAX; i++) { /* more than there may be */
        const size_t n = i < COUNT(parts) ? i : COUNT(parts) - 1;

        wa_tlv_add_pair(&b, 1, parts[n].numbers, parts[n].sid);
    }
    wa_tlv_add_string(&b, 5, "why");
    assert_int_equal(wa_buffer_slice(&b, &m.delivery, *state), APR_SUCCESS);
    wa_delivery_read(&read, &m, *state);
    assert_int_equal(read.part_count, WA_PARTS_MAX);
    assert_int_equal(read.parts[0].is, WA_PART_UNKNOWN);
    assert_int_equal(read.parts[0].word, WA_DELIVERY_UNKNOWN);
    assert_null(read.parts[0].sid);
    assert_int_equal(read.parts[1].is, WA_PART_UNKNOWN);
    assert_int_equal(read.parts[2].is, WA_PART_WAITING);
    assert_null(read.parts[2].sid);
    assert_string_equal(read.parts[4].sid, SID(2));
    assert_string_equal(read.reason, "why");
}

/* Callbacks for all parts in any order and twice give one state. */
static void test_the_order_of_receipts_does_not_matter(void **state)
{
    static const struct {
        const char *sid, *status, *more;
    } told[] = {{SID(1), "delivered", ""},
                {SID(2), "failed", "&ErrorCode=63024"},
                {SID(3), "read", ""},
                {SID(1), "sent", ""},
                {SID(3), "delivered", ""}};
    const char *expected = NULL;
    int code;

    for (code = 0; code < 120; code++) {
        world_t world;
        wa_send_result_t result;
        size_t rest[5] = {0, 1, 2, 3, 4}, left = 5;
        int c = code;

        begin_parts(&world, *state, -1, (wa_twilio_result_t){.outcome = WA_TWILIO_UNKNOWN});
        assert_int_equal(send_text(&world, NUMBER, long_text(world.p), &result), APR_SUCCESS);
        for (; left > 0; left--) {
            const size_t pick = (size_t)c % left, k = rest[pick];

            part_receipt(&world, told[k].sid, told[k].status, told[k].more, NULL);
            part_receipt(&world, told[k].sid, told[k].status, told[k].more, NULL);
            rest[pick] = rest[left - 1];
            c /= (int)left;
        }
        if (!expected) {
            expected = state_now(&world);
        }
        assert_string_equal(state_now(&world), expected);
    }
}

static void test_a_lost_part_is_settled_by_its_number_in_the_callback(void **state)
{
    world_t world;
    wa_send_result_t result;
    const char *id;

    begin_parts(&world, *state, 2,
                (wa_twilio_result_t){.outcome = WA_TWILIO_UNKNOWN, .error = "No answer."});
    assert_int_equal(send_text(&world, NUMBER, long_text(world.p), &result), APR_SUCCESS);
    assert_int_equal(result.message.status, WA_STATUS_PENDING);
    id = apr_pstrcat(world.p, text_of(result.message.id, world.p), ".3", NULL);
    part_receipt(&world, SID(3), "delivered", "", id);
    assert_string_equal(state_now(&world), "\"status\":\"success\",\"sid\":\"" SID(
                                               1) "\",\"deliveryStatus\":\"queued\"");
    /* its sid is known from then on */
    part_receipt(&world, SID(3), "undelivered", "&ErrorCode=63024", NULL);
    part_receipt(&world, SID(3), "read", "", NULL);
    part_receipt(&world, SID(1), "read", "", NULL);
    part_receipt(&world, SID(2), "read", "", NULL);
    assert_non_null(strstr(state_now(&world), "\"deliveryStatus\":\"read\""));
}

static void test_receipts_of_something_else_change_nothing(void **state)
{
    world_t world;
    wa_send_result_t result;
    const char *before;
    const char *const refs[] = {"", ".0", ".1", ".9", ".x"};
    size_t i;

    begin_parts(&world, *state, -1, (wa_twilio_result_t){.outcome = WA_TWILIO_UNKNOWN});
    assert_int_equal(send_text(&world, NUMBER, long_text(world.p), &result), APR_SUCCESS);
    before = state_now(&world);
    for (i = 0; i < COUNT(refs); i++) {
        part_receipt(&world, "SM000000000000000000000000000000ff", "failed", "&ErrorCode=63016",
                     apr_pstrcat(world.p, text_of(result.message.id, world.p), refs[i], NULL));
    }
    assert_string_equal(state_now(&world), before);
}

static void early_receipt(world_t *world)
{
    part_answer(world);
    if (twilio.calls == 2) {
        part_receipt(world, SID(2), "delivered", "", NULL); /* before its sid is stored */
    }
}

static void test_a_receipt_that_overtakes_the_answer_of_its_part(void **state)
{
    world_t world;
    wa_send_result_t result;

    begin_parts(&world, *state, -1, (wa_twilio_result_t){.outcome = WA_TWILIO_UNKNOWN});
    twilio.meanwhile = early_receipt;
    assert_int_equal(send_text(&world, NUMBER, long_text(world.p), &result), APR_SUCCESS);
    part_receipt(&world, SID(1), "delivered", "", NULL);
    part_receipt(&world, SID(3), "delivered", "", NULL);
    assert_non_null(strstr(state_now(&world), "\"deliveryStatus\":\"delivered\""));
}

static void test_an_outcome_that_could_not_be_stored_comes_with_the_next(void **state)
{
    world_t world;
    wa_send_result_t result;

    begin_parts(&world, *state, -1, (wa_twilio_result_t){.outcome = WA_TWILIO_UNKNOWN});
    fake_store_fail(world.fake, FAKE_UPDATE, APR_ENOSPC);
    assert_int_equal(send_text(&world, NUMBER, long_text(world.p), &result), APR_SUCCESS);
    assert_true(result.is_accepted);
    assert_int_equal(twilio.calls, 3);
    assert_string_equal(state_now(&world), "\"status\":\"success\",\"sid\":\"" SID(
                                               1) "\",\"deliveryStatus\":\"queued\"");
}

static void test_a_key_gives_the_answer_of_all_parts(void **state)
{
    world_t world;
    wa_send_result_t first, again;
    wa_send_request_t request = {.phone_number = wa_slice_of(NUMBER), .idempotency_key = "key"};

    begin_parts(&world, *state, 1,
                (wa_twilio_result_t){.outcome = WA_TWILIO_REFUSED, .error = "Said no."});
    fake_store_clock(world.fake, wa_clock_now_ms()); /* by which a key counts */
    request.message = wa_slice_of(long_text(world.p));
    assert_int_equal(wa_send(&world.messenger, &request, &first, world.p), APR_SUCCESS);
    assert_int_equal(wa_send(&world.messenger, &request, &again, world.p), APR_SUCCESS);
    assert_int_equal(twilio.calls, 2);
    assert_int_equal(again.is_accepted, first.is_accepted);
    assert_string_equal(again.sentence, first.sentence);
    assert_string_equal(json_of(&again.message, world.p), json_of(&first.message, world.p));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_TEST(test_all_parts_in_order),
        POOL_TEST(test_a_refusal_stops_the_rest_and_says_so),
        POOL_TEST(test_the_status_is_the_worst_of_the_parts),
        POOL_TEST(test_a_failure_is_worse_than_not_to_know),
        POOL_TEST(test_the_code_of_a_part_does_not_depend_on_the_order),
        POOL_TEST(test_a_receipt_proves_more_than_a_lost_answer),
        POOL_TEST(test_parts_that_cannot_be_read),
        POOL_TEST(test_the_order_of_receipts_does_not_matter),
        POOL_TEST(test_a_lost_part_is_settled_by_its_number_in_the_callback),
        POOL_TEST(test_receipts_of_something_else_change_nothing),
        POOL_TEST(test_a_receipt_that_overtakes_the_answer_of_its_part),
        POOL_TEST(test_an_outcome_that_could_not_be_stored_comes_with_the_next),
        POOL_TEST(test_a_key_gives_the_answer_of_all_parts),
    };

    return cmocka_run_group_tests(tests, apr_setup, apr_teardown);
}
