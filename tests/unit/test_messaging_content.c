/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of sending media and templates: what is refused, asked of Twilio, and shown. */
#include "test_sending.h"

#define TEMPLATE "HX00000000000000000000000000000001"

static apr_status_t send_content(world_t *world, const char *text,
                                 const wa_content_request_t *content, wa_send_result_t *result)
{
    wa_send_request_t request = {.phone_number = wa_slice_of(NUMBER), .content = *content};

    if (text) {
        request.message = wa_slice_of(text);
    }
    return wa_send(&world->messenger, &request, result, world->p);
}

static void test_media(void **state)
{
    wa_content_request_t content = {.media_urls = {WA_SLICE_LITERAL("https://x.test/a.JPG?v=1"),
                                                   WA_SLICE_LITERAL("HTTPS://x.mp3")},
                                    .media_count = 2};
    world_t world;
    wa_send_result_t result;

    begin(&world, *state);
    assert_int_equal(send_content(&world, NULL, &content, &result), APR_SUCCESS);
    assert_true(result.is_accepted);
    assert_int_equal(twilio.request.media_count, 2);
    assert_string_equal(twilio.request.media_urls[0], "https://x.test/a.JPG?v=1");
    assert_int_equal(twilio.request.body.len, 0);
    assert_non_null(strstr(json_of(&result.message, world.p),
                           "\"body\":\"\",\"media\":[{\"url\":\"https://x.test/a.JPG?v=1\","
                           "\"contentType\":\"image/jpeg\"},{\"url\":\"HTTPS://x.mp3\","
                           "\"contentType\":\"application/octet-stream\"}]"));
    assert_string_equal(fake_store_newest(world.fake)->preview, "[image]");
    assert_int_equal(send_content(&world, TEXT, &content, &result), APR_SUCCESS);
    assert_true(wa_slice_is_equal(twilio.request.body, wa_slice_of(TEXT)));
    assert_int_equal(twilio.request.media_count, 2);
}

static int media_calls;

static void count_media(world_t *world)
{
    (void)world;
    media_calls += twilio.request.media_count;
}

static void test_media_go_with_the_first_part_only(void **state)
{
    wa_content_request_t content = {.media_urls = {WA_SLICE_LITERAL("https://x.test/a.pdf")},
                                    .media_count = 1};
    world_t world;
    wa_send_result_t result;
    char text[2001];

    begin(&world, *state);
    memset(text, 'x', 2000);
    text[2000] = '\0';
    media_calls = 0;
    twilio.meanwhile = count_media;
    assert_int_equal(send_content(&world, text, &content, &result), APR_SUCCESS);
    assert_int_equal(twilio.calls, 2);
    assert_int_equal(media_calls, 1);
}

static void test_a_template(void **state)
{
    json_t *variables = json_pack("{s:s,s:s}", "2", "5 \"x\"", "1", "Ana");
    wa_content_request_t content = {.content_sid = WA_SLICE_LITERAL(TEMPLATE),
                                    .content_variables = variables};
    world_t world;
    wa_send_result_t result;

    begin(&world, *state);
    world.messenger.enforce_window = 1; /* which templates do not need */
    assert_int_equal(send_content(&world, NULL, &content, &result), APR_SUCCESS);
    assert_string_equal(twilio.request.content_sid, TEMPLATE);
    assert_string_equal(twilio.request.content_variables, "{\"1\":\"Ana\",\"2\":\"5 \\\"x\\\"\"}");
    assert_int_equal(twilio.request.body.len, 0);
    assert_non_null(strstr(json_of(&result.message, world.p), "\"contentSid\":\"" TEMPLATE "\""));
    assert_non_null(strstr(json_of(&result.message, world.p), "\"body\":\"Template " TEMPLATE));
    content.content_variables = NULL;
    assert_int_equal(send_content(&world, NULL, &content, &result), APR_SUCCESS);
    assert_null(twilio.request.content_variables);
    json_decref(variables);
}

static void test_what_is_refused(void **state)
{
    json_t *good = json_pack("{s:s}", "1", "Ana"), *number = json_pack("{s:i}", "1", 5);
    json_t *nameless = json_pack("{s:s}", "", "x"), *list = json_pack("[s]", "x");
    const wa_slice_t url = WA_SLICE_LITERAL("https://x.test/a"), sid = WA_SLICE_LITERAL(TEMPLATE);
    const struct {
        const char *text, *field;
        wa_content_request_t content;
    } cases[] = {
        {NULL, "message", {.media_count = 0}},
        {" ", "message", {.media_urls = {url}, .media_count = 1}},
        {TEXT, "contentSid", {.content_sid = sid}},
        {NULL, "contentSid", {.content_sid = sid, .media_urls = {url}, .media_count = 1}},
        {NULL, "contentSid", {.content_sid = WA_SLICE_LITERAL("HX1")}},
        {NULL, "contentSid", {.content_sid = WA_SLICE_LITERAL("")}},
        {TEXT, "contentVariables", {.content_variables = good}},
        {NULL, "contentVariables", {.content_sid = sid, .content_variables = number}},
        {NULL, "contentVariables", {.content_sid = sid, .content_variables = nameless}},
        {NULL, "contentVariables", {.content_sid = sid, .content_variables = list}},
        {NULL, "mediaUrl", {.media_urls = {url, WA_SLICE_LITERAL("")}, .media_count = 2}},
    };
    static const char *const urls[] = {"http://x.test/a",
                                       "https://",
                                       "https:///a",
                                       "https://u:p@x.test/a",
                                       "https://x test/a",
                                       "https://x.test/a\n",
                                       "https://x.test:/a",
                                       "https://x.test:123456/",
                                       "https://.test/a",
                                       "ftp://x.test/a",
                                       "https://x.test/\"",
                                       "https://x.test/\xC3\xA9",
                                       "x.test/a",
                                       "https://x.test:0/a",
                                       "https://x.test:65536/a",
                                       "https://x.test\\@evil.test/",
                                       "https://2130706433/",
                                       "https://x.test/%zz",
                                       "https://[::1/a",
                                       "https://x..test/"};
    world_t world;
    wa_send_result_t result;
    size_t i;

    begin(&world, *state);
    for (i = 0; i < COUNT(cases); i++) {
        assert_int_equal(send_content(&world, cases[i].text, &cases[i].content, &result),
                         APR_EINVAL);
        assert_memory_equal(result.sentence, cases[i].field, strlen(cases[i].field));
    }
    for (i = 0; i < COUNT(urls); i++) {
        wa_content_request_t content = {.media_urls = {wa_slice_of(urls[i])}, .media_count = 1};

        assert_int_equal(send_content(&world, TEXT, &content, &result), APR_EINVAL);
        assert_memory_equal(result.sentence, "mediaUrl", 8);
    }
    assert_int_equal(twilio.calls, 0);
    assert_int_equal(fake_store_count(world.fake), 0);
    json_decref(good), json_decref(number), json_decref(nameless), json_decref(list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_TEST(test_media),
        POOL_TEST(test_media_go_with_the_first_part_only),
        POOL_TEST(test_a_template),
        POOL_TEST(test_what_is_refused),
    };

    return cmocka_run_group_tests(tests, apr_setup, apr_teardown);
}
