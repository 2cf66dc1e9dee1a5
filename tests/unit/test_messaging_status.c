/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of receipts: whatever order they come in, the message ends the same. */
#include "test_messaging.h"

#include "messaging/state.h"
#include "messaging/status.h"

#define ID "6f1c3b52-5c2b-4b06-9d5e-0d4f5e3b2a10"
#define ID_2 "6f1c3b52-5c2b-4b06-9d5e-0d4f5e3b2a11"

/* Stores a sent message; `sid` NULL: its outcome is not known. */
static void sent_add(world_t *world, const char *id, const char *sid)
{
    wa_state_t state = {.status = sid ? WA_STATUS_SUCCESS : WA_STATUS_PENDING,
                        .delivery = sid ? WA_DELIVERY_QUEUED : WA_DELIVERY_UNKNOWN,
                        .sid = sid,
                        .error = sid ? NULL : "No answer."};
    wa_message_state_t first;
    wa_message_new_t message = {.id = id,
                                .sid = sid,
                                .counterpart = "+15551230001",
                                .direction = WA_DIRECTION_SENT,
                                .preview_json = WA_SLICE_LITERAL("x"),
                                .fixed_json = WA_SLICE_LITERAL("\"id\":\"x\"")};
    wa_message_t stored;

    wa_state_write(&state, &first, world->p);
    message.status = first.status;
    message.state_json = first.state_json;
    message.state_private = first.state_private;
    assert_int_equal(wa_store_message_add(world->messenger.store, &message, &stored, world->p),
                     APR_SUCCESS);
}

static apr_status_t receive_as(world_t *world, const char *sid, const char *fields, const char *id)
{
    const char *body =
        apr_pstrcat(world->p, "MessageSid=", sid, "&AccountSid=" OUR_SID, fields, NULL);
    wa_sentence_t sentence;
    apr_status_t rv =
        wa_status_receive(&world->messenger, form_of(body, world->p), id, &sentence, world->p);

    assert_int_equal(sentence != NULL, rv == APR_EINVAL);
    return rv;
}

static void receive(world_t *world, const char *fields)
{
    assert_int_equal(receive_as(world, SID_1, fields, NULL), APR_SUCCESS);
}

static const char *newest_state(world_t *world)
{
    return text_of(fake_store_newest(world->fake)->m.state_json, world->p);
}

static void test_what_is_a_callback(void **state)
{
    static const struct {
        const char *body;
        int is_callback;
    } cases[] = {{"MessageStatus=sent", 1},
                 {"MessageStatus=sent&SmsStatus=sent", 1},
                 {"SmsStatus=delivered", 1},
                 {"MessageStatus=&SmsStatus=delivered", 1},
                 {"MessageStatus=received&SmsStatus=received", 1},
                 {"SmsStatus=received&Body=x", 0},
                 {"SmsStatus=receiving", 0},
                 {"MessageStatus=&SmsStatus=received", 0},
                 {"Body=MessageStatus", 0},
                 {"", 0}};
    size_t i;

    for (i = 0; i < COUNT(cases); i++) {
        assert_int_equal(wa_status_is_callback(form_of(cases[i].body, *state)),
                         cases[i].is_callback);
    }
}

static void test_steps(void **state)
{
    world_t world;

    world_init(&world, *state);
    sent_add(&world, ID, SID_1);
    receive(&world, "&MessageStatus=sent");
    assert_string_equal(newest_state(&world),
                        "\"status\":\"success\",\"sid\":\"" SID_1 "\",\"deliveryStatus\":\"sent\"");
    receive(&world, "&MessageStatus=read");
    assert_string_equal(newest_state(&world),
                        "\"status\":\"success\",\"sid\":\"" SID_1 "\",\"deliveryStatus\":\"read\"");
    receive(&world, "&MessageStatus=delivered");
    receive(&world, "&MessageStatus=read");
    assert_string_equal(newest_state(&world),
                        "\"status\":\"success\",\"sid\":\"" SID_1 "\",\"deliveryStatus\":\"read\"");
    assert_int_equal(fake_store_newest(world.fake)->updates, 3); /* the time of delivery is new */
}

static void test_a_failure_has_its_code_and_sentence(void **state)
{
    world_t world;

    world_init(&world, *state);
    sent_add(&world, ID, SID_1);
    receive(&world, "&MessageStatus=undelivered&ErrorCode=63016");
    assert_int_equal(fake_store_newest(world.fake)->m.status, WA_STATUS_FAILED);
    assert_non_null(strstr(newest_state(&world), "\"deliveryStatus\":\"undelivered\""));
    assert_non_null(strstr(newest_state(&world), "\"errorMessage\":\""));
    assert_non_null(strstr(newest_state(&world), ",\"errorCode\":63016"));
    receive(&world, "&MessageStatus=delivered&ErrorCode=30008");
    assert_int_equal(fake_store_newest(world.fake)->m.status, WA_STATUS_SUCCESS);
    assert_null(strstr(newest_state(&world), "error"));
}

static void test_codes_that_are_none(void **state)
{
    static const char *const codes[] = {"",       "0", "-5", "abc", "99999999999999999999",
                                        "63016x", "+1"};
    size_t i;

    for (i = 0; i < COUNT(codes); i++) {
        world_t world;

        world_init(&world, *state);
        sent_add(&world, ID, SID_1);
        receive(&world, apr_pstrcat(world.p, "&MessageStatus=failed&ErrorCode=", codes[i], NULL));
        assert_null(strstr(newest_state(&world), "errorCode"));
        assert_non_null(strstr(newest_state(&world), "errorMessage"));
    }
}

static const char *const events[] = {
    "&MessageStatus=queued",
    "&MessageStatus=sent",
    "&MessageStatus=undelivered&ErrorCode=30008",
    "&MessageStatus=failed&ErrorCode=63016",
    "&MessageStatus=failed&ErrorCode=63024",
    "&MessageStatus=failed",
    "&MessageStatus=delivered",
};

/* Every order of `count` events, some of them twice, before and after the outcome is known. */
static void all_orders(apr_pool_t *parent, const int *which, size_t count, const char *expected)
{
    size_t order[8] = {0}, i, orders = 1, n;

    for (i = 1; i <= count; i++) {
        orders *= i;
    }
    for (n = 0; n < orders * (count + 1); n++) {
        const size_t known_at = n % (count + 1); /* when the message gets its sid */
        size_t code = n / (count + 1), left = count;
        int rest[8];
        apr_pool_t *p;
        world_t world;

        assert_int_equal(apr_pool_create(&p, parent), APR_SUCCESS);
        world_init(&world, p);
        memcpy(rest, which, count * sizeof(*which));
        for (i = 0; i < count; i++) {
            order[i] = code % left;
            code /= left;
            left--;
        }
        sent_add(&world, ID, known_at == 0 ? SID_1 : NULL);
        for (i = 0, left = count; i < count; i++, left--) {
            const int event = rest[order[i]];

            rest[order[i]] = rest[left - 1];
            assert_int_equal(receive_as(&world, SID_1, events[event], i < known_at ? ID : NULL),
                             APR_SUCCESS);
            receive(&world, events[event]);
        }
        assert_string_equal(newest_state(&world), expected);
        apr_pool_destroy(p);
    }
}

static void test_the_order_does_not_matter(void **state)
{
    static const int failures[] = {0, 1, 2, 3, 4, 5};
    static const int proof[] = {1, 2, 4, 6, 0};
    wa_state_t failed = {.status = WA_STATUS_FAILED, .delivery = WA_DELIVERY_QUEUED, .sid = SID_1};
    const wa_state_event_t event = {WA_DELIVERY_FAILED, 63024, 1};
    wa_message_state_t stored;

    assert_true(wa_state_apply(&failed, &event, *state));
    wa_state_write(&failed, &stored, *state);
    all_orders(*state, failures, COUNT(failures), text_of(stored.state_json, *state));
    all_orders(*state, proof, COUNT(proof),
               "\"status\":\"success\",\"sid\":\"" SID_1 "\",\"deliveryStatus\":\"delivered\"");
}

/* Applies events in the order that `code` stands for, each of them twice, and gives what is stored. */
static const char *stored_after(const wa_state_event_t *told, size_t count, size_t code,
                                apr_pool_t *p)
{
    wa_state_t state = {.status = WA_STATUS_PENDING, .sid = SID_1};
    wa_message_state_t stored;
    size_t rest[8], left = count, i;

    for (i = 0; i < count; i++) {
        rest[i] = i;
    }
    for (; left > 0; left--) {
        const size_t pick = code % left;
        wa_state_event_t again = told[rest[pick]];

        wa_state_apply(&state, &again, p);
        again.at_ms += 5000;
        wa_state_apply(&state, &again, p);
        rest[pick] = rest[left - 1];
        code /= left;
    }
    wa_state_write(&state, &stored, p);
    return apr_pstrcat(p, text_of(stored.state_json, p), " ", text_of(stored.state_private, p),
                       NULL);
}

static void test_the_time_of_every_word_is_kept_in_whatever_order(void **state)
{
    static const wa_state_event_t told[] = {
        {WA_DELIVERY_QUEUED, 0, 1001},    {WA_DELIVERY_SENDING, 0, 1002},
        {WA_DELIVERY_SENT, 0, 1003},      {WA_DELIVERY_FAILED, 63016, 1004},
        {WA_DELIVERY_DELIVERED, 0, 1005}, {WA_DELIVERY_READ, 0, 1006}};
    const char *expected =
        "\"status\":\"success\",\"sid\":\"" SID_1 "\",\"deliveryStatus\":\"read\" "
        "1;10;0;3=1001,4=1002,5=1003,8=1004,9=1005,10=1006;";
    size_t code;

    for (code = 0; code < 720; code++) {
        assert_string_equal(stored_after(told, COUNT(told), code, *state), expected);
    }
}

static void test_our_id_finds_a_message_without_sid(void **state)
{
    world_t world;

    world_init(&world, *state);
    sent_add(&world, ID, NULL);
    assert_int_equal(receive_as(&world, SID_1, "&MessageStatus=sent", ID), APR_SUCCESS);
    assert_string_equal(newest_state(&world),
                        "\"status\":\"success\",\"sid\":\"" SID_1 "\",\"deliveryStatus\":\"sent\"");
    receive(&world, "&MessageStatus=delivered");
    assert_non_null(strstr(newest_state(&world), "delivered"));
}

static void test_our_id_of_another_message_changes_nothing_there(void **state)
{
    world_t world;

    world_init(&world, *state);
    sent_add(&world, ID, SID_1);
    sent_add(&world, ID_2, SID_2);
    assert_int_equal(receive_as(&world, SID_1, "&MessageStatus=read", ID_2), APR_SUCCESS);
    assert_non_null(strstr(newest_state(&world), "queued"));
    assert_non_null(strstr(text_of(fake_store_newest(world.fake)->next->m.state_json, world.p),
                           "\"deliveryStatus\":\"read\""));
}

static void test_an_unknown_message_is_parked(void **state)
{
    world_t world;
    wa_slice_t parked;
    wa_state_t read = {.status = WA_STATUS_PENDING};

    world_init(&world, *state);
    receive(&world, "&MessageStatus=sent");
    receive(&world, "&MessageStatus=undelivered&ErrorCode=63016");
    assert_int_equal(receive_as(&world, SID_1, "&MessageStatus=sent", ID), APR_SUCCESS);
    assert_int_equal(receive_as(&world, SID_1, "&MessageStatus=sent", "no id"), APR_SUCCESS);
    assert_int_equal(fake_store_count(world.fake), 0);
    assert_int_equal(wa_store_parked_get(world.messenger.store, SID_1, &parked, world.p),
                     APR_SUCCESS);
    assert_true(wa_status_unpark(parked, &read, world.p));
    assert_int_equal(read.delivery, WA_DELIVERY_UNDELIVERED);
    assert_int_equal(read.error_code, 63016);
    assert_int_equal(read.status, WA_STATUS_FAILED);
    assert_false(wa_status_unpark(parked, &read, world.p));
    assert_non_null(strstr(world.lines, "result=parked"));
}

static void test_parked_lines_that_are_damaged(void **state)
{
    static const char *const lines[] = {"",       "\n",    "x",      "99 0 0",
                                        "-1 0 0", "0 0 0", "11 0 0", "\n\n"};
    size_t i;

    for (i = 0; i < COUNT(lines); i++) {
        wa_state_t read = {.status = WA_STATUS_PENDING};

        assert_false(wa_status_unpark(wa_slice_of(lines[i]), &read, *state));
        assert_int_equal(read.status, WA_STATUS_PENDING);
    }
}

static void test_words_that_nobody_knows(void **state)
{
    static const char *const words[] = {"pending", "SENT", "received", "%3Cb%3E", "x%00y"};
    world_t world;
    size_t i;

    world_init(&world, *state);
    sent_add(&world, ID, SID_1);
    for (i = 0; i < COUNT(words); i++) {
        receive(&world, apr_pstrcat(world.p, "&MessageStatus=", words[i], NULL));
    }
    assert_int_equal(fake_store_newest(world.fake)->updates, 0);
    assert_null(strchr(world.lines, '<'));
}

static void test_an_inbound_message_has_no_status(void **state)
{
    const wa_message_new_t message = {.id = ID,
                                      .sid = SID_1,
                                      .counterpart = "+15551230001",
                                      .direction = WA_DIRECTION_RECEIVED,
                                      .preview_json = WA_SLICE_LITERAL("x"),
                                      .fixed_json = WA_SLICE_LITERAL("\"id\":\"x\"")};
    world_t world;
    wa_message_t stored;

    world_init(&world, *state);
    assert_int_equal(wa_store_message_add(world.messenger.store, &message, &stored, world.p),
                     APR_SUCCESS);
    receive(&world, "&MessageStatus=delivered");
    assert_int_equal(receive_as(&world, SID_1, "&MessageStatus=delivered", ID), APR_SUCCESS);
    assert_int_equal(fake_store_newest(world.fake)->updates, 0);
}

static void test_what_is_refused(void **state)
{
    world_t world;
    wa_sentence_t sentence;

    world_init(&world, *state);
    assert_int_equal(receive_as(&world, "SM1", "&MessageStatus=sent", ID), APR_EINVAL);
    assert_int_equal(wa_status_receive(&world.messenger, form_of("MessageStatus=sent", world.p),
                                       NULL, &sentence, world.p),
                     APR_EINVAL);
    fake_store_fail(world.fake, FAKE_UPDATE, APR_TIMEUP);
    assert_int_equal(receive_as(&world, SID_1, "&MessageStatus=sent", NULL), APR_TIMEUP);
    fake_store_fail(world.fake, FAKE_PARK, APR_ENOSPC);
    assert_int_equal(receive_as(&world, SID_1, "&MessageStatus=sent", NULL), APR_ENOSPC);
}

static void test_the_stored_form(void **state)
{
    wa_state_t written = {.status = WA_STATUS_FAILED,
                          .delivery = WA_DELIVERY_FAILED,
                          .sid = SID_1,
                          .error_code = 63016,
                          .error = "A; sentence \"with\" all,\nof it = 1"},
               read;
    wa_message_state_t stored;
    wa_message_t message;

    written.since_ms[WA_DELIVERY_QUEUED] = 1700000000001;
    written.since_ms[WA_DELIVERY_FAILED] = 1700000000002;
    wa_state_write(&written, &stored, *state);
    memset(&message, 0, sizeof(message));
    message.status = stored.status;
    message.sid = wa_slice_of(stored.sid);
    message.state_private = stored.state_private;
    wa_state_read(&read, &message, *state);
    assert_string_equal(read.sid, SID_1);
    assert_string_equal(read.error, written.error);
    assert_int_equal(read.delivery, written.delivery);
    assert_int_equal(read.status, written.status);
    assert_int_equal(read.error_code, written.error_code);
    assert_memory_equal(read.since_ms, written.since_ms, sizeof(read.since_ms));
}

static void test_a_stored_form_that_is_damaged(void **state)
{
    static const char *const texts[] = {"",
                                        "2;5;0;;",
                                        "1;",
                                        "1;99;x;99=1;",
                                        "1;-1;",
                                        "1;5;63016",
                                        "1;5;0;5=,6=",
                                        "1;5;0;=;;;;",
                                        ";",
                                        "1;5;0;5=1,5;x",
                                        "x"};
    size_t i;

    for (i = 0; i < COUNT(texts); i++) {
        const size_t len = strlen(texts[i]);
        char *copy = exact_copy(texts[i], len);
        wa_message_t message;
        wa_state_t read;

        memset(&message, 0, sizeof(message));
        message.status = WA_STATUS_SUCCESS;
        message.state_private = wa_slice_make(copy, len);
        wa_state_read(&read, &message, *state);
        assert_true(read.delivery < WA_DELIVERY_COUNT);
        assert_int_equal(read.status, WA_STATUS_SUCCESS);
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_TEST(test_what_is_a_callback),
        POOL_TEST(test_steps),
        POOL_TEST(test_a_failure_has_its_code_and_sentence),
        POOL_TEST(test_codes_that_are_none),
        POOL_TEST(test_the_order_does_not_matter),
        POOL_TEST(test_the_time_of_every_word_is_kept_in_whatever_order),
        POOL_TEST(test_our_id_finds_a_message_without_sid),
        POOL_TEST(test_our_id_of_another_message_changes_nothing_there),
        POOL_TEST(test_an_unknown_message_is_parked),
        POOL_TEST(test_parked_lines_that_are_damaged),
        POOL_TEST(test_words_that_nobody_knows),
        POOL_TEST(test_an_inbound_message_has_no_status),
        POOL_TEST(test_what_is_refused),
        POOL_TEST(test_the_stored_form),
        POOL_TEST(test_a_stored_form_that_is_damaged),
    };

    return cmocka_run_group_tests(tests, apr_setup, apr_teardown);
}
