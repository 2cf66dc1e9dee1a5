/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of what people may send, of contacts, and of the rendered rows. */
#include "test_messaging.h"

#include "messaging/thread/contacts.h"
#include "messaging/message/preview.h"
#include "messaging/message/validate.h"

#define NUMBER "+15551230001"

static char *repeated(apr_pool_t *p, const char *piece, size_t times)
{
    const size_t len = strlen(piece);
    char *text = apr_palloc(p, len * times + 1);
    size_t i;

    for (i = 0; i < times; i++) {
        memcpy(text + i * len, piece, len);
    }
    text[len * times] = '\0';
    return text;
}

static void test_messages(void **state)
{
    const struct {
        const char *text;
        apr_status_t rv;
    } cases[] = {
        {"x", APR_SUCCESS},
        {repeated(*state, "x", 4096), APR_SUCCESS},
        {repeated(*state, "x", 4097), APR_EINVAL},
        {repeated(*state, "\xF0\x9F\x98\x80", 2048), APR_SUCCESS},
        {repeated(*state, "\xF0\x9F\x98\x80", 2049), APR_EINVAL},
        {"", APR_EINVAL},
        {" \t\r\n\xC2\xA0\xE3\x80\x80", APR_EINVAL},
        {"\xE2\x80\x8B", APR_EINVAL},
        {"\xC2\xA0\xEF\xBB\xBF\xE2\x80\x83", APR_EINVAL},
        {"\xE2\xA0\x80\xE3\x85\xA4", APR_EINVAL}, /* Braille without dots, Hangul filler */
        {"\xE2\x80\x8B.", APR_SUCCESS},
        {"\xED\xA0\xBD", APR_EINVAL},
        {"\xC0\xAF", APR_EINVAL},
    };
    wa_sentence_t sentence;
    size_t i;

    for (i = 0; i < COUNT(cases); i++) {
        assert_int_equal(wa_validate_message(wa_slice_of(cases[i].text), &sentence), cases[i].rv);
        assert_int_equal(sentence != NULL, cases[i].rv != APR_SUCCESS);
    }
    assert_int_equal(wa_validate_message(wa_slice_make("a\0b", 3), &sentence), APR_EINVAL);
    assert_memory_equal(sentence, "message", 7);
}

static void test_names(void **state)
{
    const struct {
        const char *typed, *name; /* NULL: refused */
    } cases[] = {
        {"Ana", "Ana"},
        {" \t Ana G\xC3\xB3mez\xE3\x80\x80\n", "Ana G\xC3\xB3mez"},
        {repeated(*state, "x", 100), repeated(*state, "x", 100)},
        {repeated(*state, "x", 101), NULL},
        {repeated(*state, "\xF0\x9F\x98\x80", 50), repeated(*state, "\xF0\x9F\x98\x80", 50)},
        {repeated(*state, "\xF0\x9F\x98\x80", 51), NULL},
        {"", NULL},
        {" \xE2\x80\xA8 ", NULL},
        {" \xE2\x80\x8B \xE1\x85\x9F", NULL},
        {"\xE2\x80\x8F"
         "Ana",
         "\xE2\x80\x8F"
         "Ana"},
        {"a\xFF", NULL},
    };
    wa_sentence_t sentence;
    wa_slice_t name;
    size_t i;

    for (i = 0; i < COUNT(cases); i++) {
        apr_status_t rv = wa_validate_display_name(wa_slice_of(cases[i].typed), &name, &sentence);

        assert_int_equal(rv, cases[i].name ? APR_SUCCESS : APR_EINVAL);
        if (cases[i].name) {
            assert_string_equal(text_of(name, *state), cases[i].name);
            assert_null(sentence);
        } else {
            assert_memory_equal(sentence, "displayName", 11);
        }
    }
}

static void test_numbers(void **state)
{
    const char *number;
    wa_sentence_t sentence;

    assert_int_equal(
        wa_validate_phone(wa_slice_of("whatsapp:+1 (555) 123-0001"), &number, &sentence, *state),
        APR_SUCCESS);
    assert_string_equal(number, NUMBER);
    assert_int_equal(wa_validate_phone(wa_slice_make(NUMBER "\0x", sizeof(NUMBER) + 1), &number,
                                       &sentence, *state),
                     APR_EINVAL);
    assert_null(number);
    assert_int_equal(wa_validate_phone(wa_slice_of(repeated(*state, "+1555", 10000)), &number,
                                       &sentence, *state),
                     APR_EINVAL);
    assert_memory_equal(sentence, "phoneNumber", 11);
    assert_int_equal(
        wa_validate_phone(wa_slice_of("+44 20 7946 0958 x9"), &number, &sentence, *state),
        APR_EINVAL);
    assert_non_null(strstr(sentence, ": the character 'x' (U+0078) stands in none"));
    assert_int_equal(wa_validate_phone(wa_slice_of(NULL), &number, &sentence, *state), APR_EINVAL);
}

static void test_counterparts(void **state)
{
    const wa_message_new_t message = {.id = "1",
                                      .sid = SID_1,
                                      .counterpart = "US.abc",
                                      .direction = WA_DIRECTION_RECEIVED,
                                      .preview = WA_SLICE_LITERAL("x")};
    const struct {
        wa_slice_t typed;
        const char *counterpart;
    } cases[] = {
        {wa_slice_of("+1-555-123-0001"), NUMBER},
        {wa_slice_of("US.abc"), "US.abc"},
        {wa_slice_of("US.abd"), NULL},
        {wa_slice_of(""), NULL},
        {wa_slice_make("US.abc\0", 7), NULL},
        {wa_slice_of("US.abc\xFF"), NULL},
        {wa_slice_of(repeated(*state, "x", 129)), NULL},
    };
    world_t world;
    wa_message_t stored;
    size_t i;

    world_init(&world, *state);
    assert_int_equal(wa_store_message_add(world.messenger.store, &message, &stored, world.p),
                     APR_SUCCESS);
    for (i = 0; i < COUNT(cases); i++) {
        const char *counterpart;
        wa_sentence_t sentence;
        apr_status_t rv = wa_validate_counterpart(world.messenger.store, cases[i].typed,
                                                  &counterpart, &sentence, world.p);

        assert_int_equal(rv, cases[i].counterpart ? APR_SUCCESS : APR_EINVAL);
        if (cases[i].counterpart) {
            assert_string_equal(counterpart, cases[i].counterpart);
        } else {
            assert_memory_equal(sentence, "counterpart", 11);
        }
    }
}

static const char *contact_json(const wa_contact_t *contact, apr_pool_t *p)
{
    wa_buffer_t b;
    wa_json_writer_t w = WA_JSON_WRITER(&b);
    const char *json;

    wa_buffer_init(&b, 0);
    wa_contact_render(&w, contact);
    json = apr_pstrmemdup(p, b.data, b.len);
    wa_buffer_release(&b);
    return json;
}

static apr_status_t contact_create(world_t *world, const char *number, const char *name,
                                   wa_contact_t *pc, wa_sentence_t *psentence)
{
    const wa_contact_request_t request = {NULL, wa_slice_of(number), wa_slice_of(name)};

    return wa_contact_create(&world->messenger, &request, pc, psentence, world->p);
}

static apr_status_t contact_rename(world_t *world, const char *id, const char *name,
                                   wa_contact_t *pc, wa_sentence_t *psentence)
{
    const wa_contact_request_t request = {.id = id, .display_name = wa_slice_of(name)};

    return wa_contact_rename(&world->messenger, &request, pc, psentence, world->p);
}

static void test_contacts(void **state)
{
    world_t world;
    wa_contact_t contact, other;
    wa_sentence_t sentence;
    const char *id;

    world_init(&world, *state);
    assert_int_equal(contact_create(&world, "whatsapp:" NUMBER, " \"Ana\" ", &contact, &sentence),
                     APR_SUCCESS);
    id = text_of(contact.id, world.p);
    assert_string_equal(contact_json(&contact, world.p),
                        apr_pstrcat(world.p, "{\"id\":\"", id,
                                    "\",\"phoneNumber\":\"" NUMBER
                                    "\",\"displayName\":\"\\\"Ana\\\"\","
                                    "\"createdAt\":1700000000001,\"updatedAt\":1700000000001}",
                                    NULL));
    assert_int_equal(contact_create(&world, "+1 555 123 0001", "Bea", &other, &sentence),
                     APR_EEXIST);
    assert_memory_equal(sentence, "phoneNumber", 11);
    assert_int_equal(contact_create(&world, "1", "Bea", &other, &sentence), APR_EINVAL);
    assert_int_equal(contact_create(&world, "+4912345678", " ", &other, &sentence), APR_EINVAL);
    assert_memory_equal(sentence, "displayName", 11);
    assert_int_equal(contact_rename(&world, id, "Ana G.\n", &contact, &sentence), APR_SUCCESS);
    assert_string_equal(text_of(contact.display_name, world.p), "Ana G.");
    assert_true(contact.updated_ms > contact.created_ms);
    assert_int_equal(contact_rename(&world, "6f1c3b52-5c2b-4b06-9d5e-0d4f5e3b2a10", "Nobody",
                                    &contact, &sentence),
                     APR_NOTFOUND);
    assert_int_equal(contact_rename(&world, id, "", &contact, &sentence), APR_EINVAL);
}

static void test_threads_are_rendered(void **state)
{
    wa_thread_t thread = {.counterpart = wa_slice_of("a\"b"),
                          .preview = wa_slice_of("x\ny"),
                          .last_timestamp_ms = 1700000000001,
                          .last_direction = WA_DIRECTION_RECEIVED,
                          .message_count = 3,
                          .unread_count = 2};
    wa_buffer_t b;
    wa_json_writer_t w = WA_JSON_WRITER(&b);

    (void)state;
    wa_buffer_init(&b, 0);
    wa_thread_render(&w, &thread, NULL);
    thread.contact_id = wa_slice_of("id");
    thread.contact_name = wa_slice_of("A\"");
    thread.last_direction = WA_DIRECTION_SENT;
    wa_thread_render(&w, &thread, NULL);
    wa_buffer_add(&b, "", 1);
    assert_string_equal(b.data,
                        "{\"counterpart\":\"a\\\"b\",\"lastMessagePreview\":\"x\\ny\","
                        "\"lastMessageTimestamp\":1700000000001,\"lastDirection\":\"received\","
                        "\"messageCount\":3,\"unreadCount\":2},"
                        "{\"counterpart\":\"a\\\"b\",\"lastMessagePreview\":\"x\\ny\","
                        "\"lastMessageTimestamp\":1700000000001,\"lastDirection\":\"sent\","
                        "\"messageCount\":3,\"unreadCount\":2,"
                        "\"contactId\":\"id\",\"contactName\":\"A\\\"\"}");
    wa_buffer_release(&b);
}

static void test_previews(void **state)
{
    const char *emoji = repeated(*state, "\xF0\x9F\x98\x80", 101);

    assert_int_equal(wa_preview_make(wa_slice_of(emoji), NULL).len, 400);
    assert_int_equal(wa_preview_make(wa_slice_of(repeated(*state, "\"", 150)), NULL).len, 100);
    assert_int_equal(wa_preview_make(wa_slice_of("a caption"), "image/png").len, 9);
    assert_int_equal(wa_preview_make(wa_slice_of(""), NULL).len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_TEST(test_messages), POOL_TEST(test_names),
        POOL_TEST(test_numbers),  POOL_TEST(test_counterparts),
        POOL_TEST(test_contacts), POOL_TEST(test_threads_are_rendered),
        POOL_TEST(test_previews),
    };

    return cmocka_run_group_tests(tests, apr_setup, apr_teardown);
}
