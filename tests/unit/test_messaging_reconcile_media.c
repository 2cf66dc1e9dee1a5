/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of reconciliation of attachments: each part is known by its text and by whether it has one,
 * and what could be several is taken for none. */
#include "test_reconciling.h"

#include "messaging/message/media_type.h"
#include "messaging/message/parts.h"

#define A "6f1c3b52-5c2b-4b06-9d5e-0d4f5e3b2a10"
#define B "7f1c3b52-5c2b-4b06-9d5e-0d4f5e3b2a10"

/* The versions of clang-format differ about these braces. */
/* clang-format off */
#define MEDIA_TO(sid, body, when)                                                                  \
    {                                                                                              \
        sid, "whatsapp:" OUR_NUMBER, "whatsapp:" NUMBER, body, "outbound-api", "queued", when, 1,  \
            0, 0                                                                                   \
    }
/* clang-format on */

/* A message with attachments under "https://x.test/<name>", of which each part waits for its
 * outcome but for the first ones, which have sids. */
static void media_add(world_t *world, const char *id, const char *text, const char *names,
                      const char *const *sids)
{
    wa_media_t media[WA_PARTS_MEDIA_MAX];
    wa_attributes_t attributes = {.media = media};
    wa_part_content_t parts[WA_PARTS_MAX];
    wa_delivery_t delivery = {.reason = "No answer."};
    wa_message_new_t message = {.id = id,
                                .counterpart = NUMBER,
                                .phone_number = OUR_NUMBER,
                                .body = wa_slice_of(text),
                                .direction = WA_DIRECTION_SENT,
                                .preview = WA_SLICE_LITERAL("x")};
    char *rest = apr_pstrdup(world->p, names), *name, *state;
    wa_message_state_t first;
    wa_message_t stored;
    apr_size_t i;

    for (name = apr_strtok(rest, " ", &state); name; name = apr_strtok(NULL, " ", &state)) {
        media[attributes.media_count].url = apr_pstrcat(world->p, "https://x.test/", name, NULL);
        media[attributes.media_count++].content_type = wa_media_type_of_path(name, world->p);
    }
    delivery.part_count = wa_parts_make(message.body, attributes.media_count,
                                        wa_slice_of(media[0].content_type), parts);
    for (i = 0; sids && sids[i]; i++) {
        delivery.parts[i] =
            (wa_part_t){.is = WA_PART_TAKEN, .word = WA_DELIVERY_QUEUED, .sid = sids[i]};
    }
    assert_int_equal(wa_delivery_write(&delivery, i > 0 ? sids[i - 1] : NULL, &first, world->p),
                     APR_SUCCESS);
    message.status = first.status;
    message.sid = first.sid;
    message.delivery = first.delivery;
    assert_int_equal(wa_attributes_write(&attributes, &message.attributes, world->p), APR_SUCCESS);
    assert_int_equal(wa_store_message_add(world->messenger.store, &message, &stored, world->p),
                     APR_SUCCESS);
}

static int is_pending(world_t *world, const char *id)
{
    return strstr(state_of(world, id), "\"status\":\"pending\"") != NULL;
}

static void told(world_t *world, const char *sid, const char *id)
{
    wa_sentence_t sentence;

    assert_int_equal(
        wa_receipt_receive(
            &world->messenger,
            form_of(apr_psprintf(world->p, "MessageSid=%s&MessageStatus=sent", sid), world->p), id,
            &sentence, world->p),
        APR_SUCCESS);
}

static void test_each_part_is_found_in_its_order(void **state)
{
    static const entry_t entries[] = {
        MEDIA_TO(SID("4"), "", START + 2000), MEDIA_TO(SID("3"), "", START + 2000),
        MEDIA_TO(SID("2"), "", START + 2000), SENT_TO(SID("1"), "hello", "queued", START + 2000)};
    world_t world;

    begin(&world, *state, entries, COUNT(entries));
    media_add(&world, A, "hello", "a.pdf b.jpg c.pdf", NULL);
    assert_int_equal(run(&world, 2 * MINUTE).settled, 1);
    assert_string_equal(sids_of(&world, A), "1,2,3,4");
    assert_non_null(strstr(state_of(&world, A), "\"status\":\"success\""));
}

static void test_what_was_not_sent_of_it_is_told(void **state)
{
    static const char *const known[] = {SID("1"), NULL};
    static const entry_t entries[] = {MEDIA_TO(SID("2"), "", START + 2000),
                                      MEDIA_TO(SID("1"), "hello", START + 1000)};
    world_t world;

    begin(&world, *state, entries, COUNT(entries));
    media_add(&world, A, "hello", "a.jpg b.jpg c.jpg", known);
    assert_int_equal(run(&world, 2 * MINUTE).settled, 0);
    assert_string_equal(sids_of(&world, A), "1,2,-");
    assert_true(is_pending(&world, A));
    assert_int_equal(run(&world, 16 * MINUTE).given_up, 1);
    assert_non_null(strstr(state_of(&world, A), "Only the first 2 of the 3 parts of this message "
                                                "were sent: Twilio never took the next one."));
}

/* The same words as a text, under a picture, and before a document. */
static void test_a_caption_is_no_text(void **state)
{
    static const entry_t entries[] = {MEDIA_TO(SID("3"), "hello", START + 3000),
                                      MEDIA_TO(SID("2"), "", START + 2000),
                                      SENT_TO(SID("1"), "hello", "queued", START + 1000)};
    world_t world;

    begin(&world, *state, entries, COUNT(entries));
    media_add(&world, A, "hello", "a.jpg", NULL);
    media_add(&world, B, "hello", "a.pdf", NULL);
    pending_add(&world, "text", "hello");
    assert_int_equal(run(&world, 2 * MINUTE).settled, 2);
    assert_string_equal(sids_of(&world, A), "3");
    assert_string_equal(sids_of(&world, B), "1,2");
    assert_int_equal(run(&world, 16 * MINUTE).given_up, 1);
    assert_non_null(strstr(state_of(&world, "text"), "\"status\":\"failed\""));
}

/* Were Twilio's number of attachments not what we think, it would be sent a second time. */
static void test_what_may_be_it_is_not_given_up(void **state)
{
    static const entry_t entries[] = {SENT_TO(SID("1"), "hello", "queued", START + 1000)};
    world_t world;

    begin(&world, *state, entries, COUNT(entries));
    media_add(&world, A, "hello", "a.jpg", NULL);
    media_add(&world, B, "other", "a.jpg", NULL);
    assert_int_equal(run(&world, 2 * MINUTE).settled, 0);
    assert_int_equal(run(&world, 16 * MINUTE).given_up, 1);
    assert_true(is_pending(&world, A));
    assert_false(is_pending(&world, B));
    told(&world, SID("1"), A);
    assert_string_equal(sids_of(&world, A), "1");
    assert_false(is_pending(&world, A));
}

/* Two pictures of two messages, and Twilio has one. */
static void one_of_two(void **state, const char *caption, const entry_t *entries)
{
    world_t world;

    begin(&world, *state, entries, 1);
    media_add(&world, A, caption, "a.jpg", NULL);
    media_add(&world, B, caption, "b.jpg", NULL);
    assert_int_equal(run(&world, 2 * MINUTE).settled, 0);
    assert_int_equal(run(&world, 16 * MINUTE).given_up, 0);
    assert_true(is_pending(&world, A));
    assert_true(is_pending(&world, B));
    told(&world, SID("1"), B); /* it says which it is */
    assert_int_equal(run(&world, 17 * MINUTE).given_up, 1);
    assert_string_equal(sids_of(&world, B), "1");
    assert_string_equal(sids_of(&world, A), "-");
    assert_false(is_pending(&world, A));
}

static void test_one_of_two_pictures_is_taken_for_neither(void **state)
{
    static const entry_t bare[] = {MEDIA_TO(SID("1"), "", START + 2000)};
    static const entry_t captioned[] = {MEDIA_TO(SID("1"), "hello", START + 2000)};

    one_of_two(state, "", bare);
    one_of_two(state, "hello", captioned);
}

static void test_a_part_and_another_message_are_not_mixed_up(void **state)
{
    static const char *const known[] = {SID("1"), NULL};
    static const entry_t entries[] = {MEDIA_TO(SID("2"), "", START + 2000),
                                      MEDIA_TO(SID("1"), "", START + 1000)};
    world_t world;

    begin(&world, *state, entries, COUNT(entries));
    media_add(&world, A, "", "a.jpg b.jpg c.jpg", known);
    media_add(&world, B, "", "d.jpg", NULL);
    run(&world, 16 * MINUTE);
    assert_string_equal(sids_of(&world, A), "1,-,-");
    assert_string_equal(sids_of(&world, B), "-");
    assert_true(is_pending(&world, A));
    assert_true(is_pending(&world, B));
}

static void test_one_for_each_is_enough(void **state)
{
    static const entry_t entries[] = {MEDIA_TO(SID("3"), "", START + 3000),
                                      MEDIA_TO(SID("2"), "", START + 2000),
                                      MEDIA_TO(SID("1"), "", START + 1000)};
    world_t world;

    begin(&world, *state, entries, COUNT(entries));
    media_add(&world, A, "", "a.jpg b.jpg", NULL);
    media_add(&world, B, "", "c.jpg", NULL);
    assert_int_equal(run(&world, 2 * MINUTE).settled, 2);
    assert_string_equal(sids_of(&world, A), "1,2");
    assert_string_equal(sids_of(&world, B), "3");
}

static const char *now_sent;

/* Somebody sends one more. */
static void intent_stored(world_t *world)
{
    twilio.meanwhile = NULL;
    fake_store_clock(world->fake, START + 3 * MINUTE);
    if (strncmp(now_sent, "text", 4) == 0) {
        pending_add(world, B, now_sent);
    } else {
        media_add(world, B, "", now_sent, NULL);
    }
}

/* Twilio has what is just being sent, and its sid is not stored yet: before and after the run took
 * up what is pending. */
static void while_another_is_sent(void **state, const entry_t *entries, const char *before,
                                  const char *sent, int is_early)
{
    world_t world;

    begin(&world, *state, entries, 1);
    if (strncmp(before, "text", 4) == 0) {
        pending_add(&world, A, before);
    } else {
        media_add(&world, A, "", before, NULL);
    }
    now_sent = sent;
    if (is_early) {
        intent_stored(&world);
    } else {
        twilio.meanwhile = intent_stored;
    }
    assert_int_equal(run(&world, 3 * MINUTE).settled, 0);
    assert_null(twilio.meanwhile);
    assert_string_equal(sids_of(&world, A), "-");
    told(&world, SID("1"), B);
    assert_int_equal(run(&world, 16 * MINUTE).given_up, 1);
    assert_string_equal(sids_of(&world, A), "-");
    assert_string_equal(sids_of(&world, B), "1");
}

static void test_what_is_under_way_keeps_its_sid(void **state)
{
    static const entry_t picture[] = {MEDIA_TO(SID("1"), "", START + 3 * MINUTE)};
    static const entry_t text[] = {SENT_TO(SID("1"), "text", "queued", START + 3 * MINUTE)};
    int is_early;

    for (is_early = 0; is_early < 2; is_early++) {
        while_another_is_sent(state, picture, "a.jpg", "b.jpg", is_early);
        while_another_is_sent(state, picture, "a.jpg", "a.jpg", is_early);
        while_another_is_sent(state, text, "text", "text", is_early);
    }
}

/* The same file twice: whichever it is, it is right; and one that comes much later is no rival. */
static void test_what_need_not_be_told_apart(void **state)
{
    static const entry_t entries[] = {MEDIA_TO(SID("1"), "", START + 1000)};
    world_t world;

    begin(&world, *state, entries, COUNT(entries));
    media_add(&world, A, "", "a.jpg", NULL);
    media_add(&world, B, "", "a.jpg", NULL);
    fake_store_clock(world.fake, START + 20 * MINUTE);
    media_add(&world, "late", "", "b.jpg", NULL);
    assert_int_equal(run(&world, 23 * MINUTE).settled, 1);
    assert_string_equal(sids_of(&world, A), "1");
    assert_string_equal(sids_of(&world, "late"), "-");
}

/* What only Twilio knows the text of takes nothing that may be another one's. */
static void test_a_template_takes_no_picture_that_is_wanted(void **state)
{
    static const entry_t entries[] = {MEDIA_TO(SID("1"), "", START + 2000)};
    world_t world;

    begin(&world, *state, entries, COUNT(entries));
    template_add(&world);
    media_add(&world, A, "", "a.jpg", NULL);
    media_add(&world, B, "", "b.jpg", NULL);
    assert_int_equal(run(&world, 16 * MINUTE).settled, 0);
    assert_true(is_pending(&world, "t"));
    assert_true(is_pending(&world, A));
    assert_true(is_pending(&world, B));
}

/* What was divided by other rules, or was never sent by us, is left to its receipts. */
static void test_what_would_be_divided_otherwise_is_left_alone(void **state)
{
    static const entry_t entries[] = {MEDIA_TO(SID("1"), "hello", START + 1000)};
    const wa_media_t media[] = {{"https://x.test/a.pdf", "application/pdf", 0}};
    wa_attributes_t attributes = {.media = media, .media_count = 1};
    wa_message_new_t message = {.id = A,
                                .counterpart = NUMBER,
                                .direction = WA_DIRECTION_SENT,
                                .status = WA_STATUS_PENDING,
                                .phone_number = OUR_NUMBER,
                                .body = WA_SLICE_LITERAL("hello")};
    wa_message_t stored;
    world_t world;

    begin(&world, *state, entries, COUNT(entries));
    assert_int_equal(wa_attributes_write(&attributes, &message.attributes, world.p), APR_SUCCESS);
    assert_int_equal(wa_store_message_add(world.messenger.store, &message, &stored, world.p),
                     APR_SUCCESS);
    assert_int_equal(run(&world, 16 * MINUTE).given_up, 0);
    assert_true(is_pending(&world, A));
    assert_string_equal(sids_of(&world, A), "-");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_TEST(test_each_part_is_found_in_its_order),
        POOL_TEST(test_what_was_not_sent_of_it_is_told),
        POOL_TEST(test_a_caption_is_no_text),
        POOL_TEST(test_what_may_be_it_is_not_given_up),
        POOL_TEST(test_one_of_two_pictures_is_taken_for_neither),
        POOL_TEST(test_a_part_and_another_message_are_not_mixed_up),
        POOL_TEST(test_one_for_each_is_enough),
        POOL_TEST(test_what_is_under_way_keeps_its_sid),
        POOL_TEST(test_what_need_not_be_told_apart),
        POOL_TEST(test_a_template_takes_no_picture_that_is_wanted),
        POOL_TEST(test_what_would_be_divided_otherwise_is_left_alone),
    };

    return cmocka_run_group_tests(tests, apr_setup, apr_teardown);
}
