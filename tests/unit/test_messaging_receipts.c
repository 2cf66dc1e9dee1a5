/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of receipts: whatever order they come in, the message ends the same. */
#include "fixed_clock.h"
#include "test_messaging.h"

#include "messaging/delivery/parked.h"
#include "messaging/delivery/receipts.h"

#define ID "6f1c3b52-5c2b-4b06-9d5e-0d4f5e3b2a10"
#define ID_2 "6f1c3b52-5c2b-4b06-9d5e-0d4f5e3b2a11"

/* Stores a sent message; `sid` NULL: its outcome is not known. */
static void sent_add(world_t *world, const char *id, const char *sid)
{
    wa_delivery_t delivery = {.part_count = 1,
                              .parts = {{.is = sid ? WA_PART_TAKEN : WA_PART_UNKNOWN,
                                         .word = sid ? WA_DELIVERY_QUEUED : WA_DELIVERY_UNKNOWN,
                                         .sid = sid}},
                              .reason = sid ? NULL : "No answer."};
    wa_message_state_t first;
    wa_message_new_t message = {.id = id,
                                .sid = sid,
                                .counterpart = "+15551230001",
                                .direction = WA_DIRECTION_SENT,
                                .preview = WA_SLICE_LITERAL("x")};
    wa_message_t stored;

    assert_int_equal(wa_delivery_write(&delivery, sid, &first, world->p), APR_SUCCESS);
    message.status = first.status;
    message.delivery = first.delivery;
    assert_int_equal(wa_store_message_add(world->messenger.store, &message, &stored, world->p),
                     APR_SUCCESS);
}

static apr_status_t receive_as(world_t *world, const char *sid, const char *fields, const char *id)
{
    const char *body =
        apr_pstrcat(world->p, "MessageSid=", sid, "&AccountSid=" OUR_SID, fields, NULL);
    wa_sentence_t sentence;
    apr_status_t rv =
        wa_receipt_receive(&world->messenger, form_of(body, world->p), id, &sentence, world->p);

    assert_int_equal(sentence != NULL, rv == APR_EINVAL);
    return rv;
}

static void receive(world_t *world, const char *fields)
{
    assert_int_equal(receive_as(world, SID_1, fields, NULL), APR_SUCCESS);
}

static const char *newest_state(world_t *world)
{
    return delivery_of(&fake_store_newest(world->fake)->m, world->p);
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
        assert_int_equal(wa_receipt_is(form_of(cases[i].body, *state)), cases[i].is_callback);
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
    wa_delivery_t failed = {.part_count = 1};
    const wa_delivery_event_t event = {
        .kind = WA_EVENT_RECEIPT, .word = WA_DELIVERY_FAILED, .error_code = 63024, .sid = SID_1};
    wa_message_state_t stored;

    assert_int_equal(wa_delivery_apply(&failed, &event), APR_SUCCESS);
    assert_int_equal(wa_delivery_write(&failed, SID_1, &stored, *state), APR_SUCCESS);
    all_orders(*state, failures, COUNT(failures), state_text_of(&stored, *state));
    all_orders(*state, proof, COUNT(proof),
               "\"status\":\"success\",\"sid\":\"" SID_1 "\",\"deliveryStatus\":\"delivered\"");
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
    assert_non_null(strstr(delivery_of(&fake_store_newest(world.fake)->next->m, world.p),
                           "\"deliveryStatus\":\"read\""));
}

static void test_an_unknown_message_is_parked(void **state)
{
    world_t world;
    wa_slice_t parked;
    const wa_delivery_event_t about = {.sid = SID_1, .part = 1};
    wa_delivery_t read = {.part_count = 1};

    world_init(&world, *state);
    receive(&world, "&MessageStatus=sent");
    receive(&world, "&MessageStatus=undelivered&ErrorCode=63016");
    assert_int_equal(receive_as(&world, SID_1, "&MessageStatus=sent", ID), APR_SUCCESS);
    assert_int_equal(receive_as(&world, SID_1, "&MessageStatus=sent", "no id"), APR_SUCCESS);
    assert_int_equal(fake_store_count(world.fake), 0);
    assert_int_equal(wa_store_parked_get(world.messenger.store, SID_1, &parked, world.p),
                     APR_SUCCESS);
    assert_int_equal(wa_parked_apply(parked, &about, &read, world.p), APR_SUCCESS);
    assert_int_equal(read.parts[0].word, WA_DELIVERY_UNDELIVERED);
    assert_int_equal(read.parts[0].error_code, 63016);
    assert_int_equal(read.parts[0].is, WA_PART_FAILED);
    assert_int_equal(wa_parked_apply(parked, &about, &read, world.p), APR_EEXIST);
    assert_non_null(strstr(world.lines, "result=parked"));
}

static void clock_jumps(void *baton)
{
    (void)baton;
    clock_shift_ms += 3600 * 1000;
}

/* Somebody sets the clock while a receipt is stored: the line says how long it took all the
 * same. */
static void test_a_duration_is_not_of_the_wall_clock(void **state)
{
    world_t world;

    world_init(&world, *state);
    fake_store_meanwhile(world.fake, FAKE_PARK, clock_jumps, NULL);
    receive(&world, "&MessageStatus=sent");
    assert_int_equal(clock_shift_ms, 3600 * 1000);
    clock_shift_ms = 0;
    assert_in_range(duration_of(&world), 0, 3600 * 1000 - 1);
}

/* Which of Twilio's words are told is the same whether the message is known yet or not. */
static void test_what_is_said_of_an_unknown_message(void **state)
{
    static const char *const said[] = {"short", "a longer one", "short", "a longer one",
                                       "longest of all"};
    static const wa_delivery_event_t about = {.kind = WA_EVENT_LISTED, .sid = SID_1, .part = 1};
    wa_delivery_t read = {.part_count = 1, .parts = {{.is = WA_PART_TAKEN, .sid = SID_1}}};
    wa_slice_t parked;
    world_t world;
    size_t i;
    int is_new;

    world_init(&world, *state);
    for (i = 0; i < COUNT(said); i++) {
        const wa_delivery_event_t event = {.kind = WA_EVENT_RECEIPT,
                                           .word = WA_DELIVERY_FAILED,
                                           .error_code = 63999,
                                           .at_ms = 1000,
                                           .sid = SID_1,
                                           .said = said[i]};

        assert_int_equal(wa_parked_add(world.messenger.store, &event, &is_new, world.p),
                         APR_SUCCESS);
        assert_int_equal(is_new, i < 2 || i == 4);
    }
    assert_int_equal(wa_store_parked_get(world.messenger.store, SID_1, &parked, world.p),
                     APR_SUCCESS);
    assert_int_equal(wa_parked_apply(parked, &about, &read, world.p), APR_SUCCESS);
    assert_string_equal(read.parts[0].said, "longest of all");
}

static void test_parked_lines_that_are_damaged(void **state)
{
    static const char *const lines[] = {"",       "\n",    "x",      "99 0 0",
                                        "-1 0 0", "0 0 0", "11 0 0", "\n\n"};
    size_t i;

    for (i = 0; i < COUNT(lines); i++) {
        const wa_delivery_event_t about = {.part = 1};
        wa_delivery_t read = {.part_count = 1};

        assert_int_equal(wa_parked_apply(wa_slice_of(lines[i]), &about, &read, *state), APR_EEXIST);
        assert_int_equal(read.parts[0].is, WA_PART_WAITING);
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
                                      .preview = WA_SLICE_LITERAL("x")};
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
    assert_int_equal(wa_receipt_receive(&world.messenger, form_of("MessageStatus=sent", world.p),
                                        NULL, &sentence, world.p),
                     APR_EINVAL);
    fake_store_fail(world.fake, FAKE_UPDATE, APR_TIMEUP);
    assert_int_equal(receive_as(&world, SID_1, "&MessageStatus=sent", NULL), APR_TIMEUP);
    fake_store_fail(world.fake, FAKE_PARK, APR_ENOSPC);
    assert_int_equal(receive_as(&world, SID_1, "&MessageStatus=sent", NULL), APR_ENOSPC);
}

static void test_the_stored_form(void **state)
{
    wa_delivery_t written = {.part_count = 1,
                             .parts = {{.is = WA_PART_FAILED,
                                        .word = WA_DELIVERY_FAILED,
                                        .error_code = 63016,
                                        .sid = SID_1}},
                             .reason = "A; sentence \"with\" all,\nof it = 1"},
                  read;
    wa_delivery_summary_t summary;
    wa_message_state_t stored;
    wa_message_t message;

    written.parts[0].since_ms[WA_DELIVERY_QUEUED] = 1700000000001;
    written.parts[0].since_ms[WA_DELIVERY_FAILED] = 1700000000002;
    assert_int_equal(wa_delivery_write(&written, SID_1, &stored, *state), APR_SUCCESS);
    memset(&message, 0, sizeof(message));
    message.status = stored.status;
    message.delivery = stored.delivery;
    wa_delivery_read(&read, &message, *state);
    wa_delivery_summarize(&read, &summary, *state);
    assert_string_equal(summary.sid, SID_1);
    assert_string_equal(summary.error, written.reason);
    assert_int_equal(summary.word, WA_DELIVERY_FAILED);
    assert_int_equal(summary.status, WA_STATUS_FAILED);
    assert_int_equal(summary.error_code, 63016);
    assert_memory_equal(read.parts[0].since_ms, written.parts[0].since_ms,
                        sizeof(read.parts[0].since_ms));
}

static void test_a_stored_form_that_is_damaged(void **state)
{
    wa_delivery_t written = {
        .part_count = 1, .parts = {{.is = WA_PART_TAKEN, .word = WA_DELIVERY_READ, .sid = SID_1}}};
    wa_message_state_t stored;
    wa_message_t message = {.status = WA_STATUS_SUCCESS};
    wa_delivery_t read;
    size_t i, len;

    written.parts[0].since_ms[WA_DELIVERY_READ] = 1700000000001;
    written.reason = "why";
    assert_int_equal(wa_delivery_write(&written, SID_1, &stored, *state), APR_SUCCESS);
    for (len = 0; len <= stored.delivery.len; len++) {
        for (i = 0; i <= len; i++) {
            char *copy = exact_copy(stored.delivery.ptr, len);

            if (i < len) {
                copy[i] ^= (char)0xff;
            }
            message.delivery = wa_slice_make(copy, len);
            wa_delivery_read(&read, &message, *state);
            assert_true(read.part_count >= 1 && read.part_count <= WA_PARTS_MAX);
            assert_true(read.parts[0].word < WA_DELIVERY_COUNT);
            assert_true(read.parts[0].is < WA_PART_COUNT);
            assert_true(!read.parts[0].sid || strlen(read.parts[0].sid) == 34);
            assert_true(!read.reason || strlen(read.reason) <= 3);
            free(copy);
        }
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
        POOL_TEST(test_our_id_finds_a_message_without_sid),
        POOL_TEST(test_our_id_of_another_message_changes_nothing_there),
        POOL_TEST(test_an_unknown_message_is_parked),
        POOL_TEST(test_a_duration_is_not_of_the_wall_clock),
        POOL_TEST(test_what_is_said_of_an_unknown_message),
        POOL_TEST(test_parked_lines_that_are_damaged),
        POOL_TEST(test_words_that_nobody_knows),
        POOL_TEST(test_an_inbound_message_has_no_status),
        POOL_TEST(test_what_is_refused),
        POOL_TEST(test_the_stored_form),
        POOL_TEST(test_a_stored_form_that_is_damaged),
    };

    return cmocka_run_group_tests(tests, apr_setup, apr_teardown);
}
