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

/* What was asked, a request after the other: "text|address" of each. */
static const char *asked(apr_pool_t *p)
{
    const char *all = "";
    int i;

    for (i = 0; i < twilio.calls; i++) {
        const wa_twilio_message_request_t *request = &twilio.requests[i];

        all = apr_pstrcat(p, all, i ? " " : "",
                          request->body.len > 9 ? apr_itoa(p, (int)request->body.len)
                                                : wa_slice_string(request->body, p),
                          "|", request->media_url, NULL);
    }
    return all;
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
    assert_string_equal(asked(world.p), "|https://x.test/a.JPG?v=1 |HTTPS://x.mp3");
    assert_non_null(strstr(json_of(&result.message, world.p),
                           "\"body\":\"\",\"media\":[{\"url\":\"https://x.test/a.JPG?v=1\","
                           "\"contentType\":\"image/jpeg\"},{\"url\":\"HTTPS://x.mp3\","
                           "\"contentType\":\"application/octet-stream\"}]"));
    assert_string_equal(fake_store_newest(world.fake)->preview, "[image]");
    assert_int_equal(fake_store_count(world.fake), 1);
    /* each part's receipts name it */
    assert_non_null(strstr(twilio.requests[0].status_callback, ".1"));
    assert_non_null(strstr(twilio.requests[1].status_callback, ".2"));
}

/* Where the text goes: `before` requests with text alone, or with the first attachment. */
static void test_the_text_goes_where_it_is_seen(void **state)
{
    static const struct {
        const char *first, *second;
        const char *asked; /* of the text "x" */
    } cases[] = {
        {"https://x.test/a.jpg", NULL, "x|https://x.test/a.jpg"},
        {"https://x.test/a.PNG?b=.pdf#c.pdf", NULL, "x|https://x.test/a.PNG?b=.pdf#c.pdf"},
        {"https://x.test/a%2Emp4", NULL, "x|https://x.test/a%2Emp4"},
        {"https://x.test/a.jpeg", "https://x.test/b.pdf",
         "x|https://x.test/a.jpeg |https://x.test/b.pdf"},
        {"https://x.test/b.pdf", "https://x.test/a.jpg",
         "x| |https://x.test/b.pdf |https://x.test/a.jpg"},
        {"https://x.test/a.pdf?x=a.jpg", NULL, "x| |https://x.test/a.pdf?x=a.jpg"},
        {"https://x.test/a.ogg", NULL, "x| |https://x.test/a.ogg"},
        {"https://x.test/a.opus", NULL, "x| |https://x.test/a.opus"},
        {"https://x.test/a.vcf", NULL, "x| |https://x.test/a.vcf"},
        {"https://x.test/a.webp", NULL, "x| |https://x.test/a.webp"},
        {"https://x.test/a.gif", NULL, "x| |https://x.test/a.gif"},
        {"https://x.test/a.3gp", NULL, "x| |https://x.test/a.3gp"},
        {"https://x.test/a.docx", NULL, "x| |https://x.test/a.docx"},
        {"https://x.test/jpg", NULL, "x| |https://x.test/jpg"},
        {"https://x.test/a.jpg/", NULL, "x| |https://x.test/a.jpg/"},
        {"https://x.test/?a.jpg", NULL, "x| |https://x.test/?a.jpg"},
        {"https://x.jpg", NULL, "x| |https://x.jpg"},
    };
    world_t world;
    wa_send_result_t result;
    size_t i;

    for (i = 0; i < COUNT(cases); i++) {
        wa_content_request_t content = {
            .media_urls = {wa_slice_of(cases[i].first), wa_slice_of(cases[i].second)},
            .media_count = cases[i].second ? 2 : 1};

        begin(&world, *state);
        assert_int_equal(send_content(&world, "x", &content, &result), APR_SUCCESS);
        assert_string_equal(asked(world.p), cases[i].asked);
        assert_int_equal(fake_store_count(world.fake), 1);
        assert_true(wa_slice_is_equal(result.message.body, WA_SLICE_LITERAL("x")));
    }
}

static void test_a_caption_has_a_length(void **state)
{
    static const struct {
        const char *letter; /* two units where it is no ASCII */
        int count;
        const char *asked;
    } cases[] = {
        {"x", 1024, "1024|https://x.test/a.jpg"},
        {"x", 1025, "1025| |https://x.test/a.jpg"},
        {"\xF0\x9F\x91\x8B", 512, "2048|https://x.test/a.jpg"},
        {"\xF0\x9F\x91\x8B", 513, "2052| |https://x.test/a.jpg"},
        {"x", 1601, "1600| x| |https://x.test/a.jpg"},
    };
    wa_content_request_t content = {.media_urls = {WA_SLICE_LITERAL("https://x.test/a.jpg")},
                                    .media_count = 1};
    world_t world;
    wa_send_result_t result;
    size_t i;
    int k;

    for (i = 0; i < COUNT(cases); i++) {
        const apr_size_t len = strlen(cases[i].letter);
        char *text;

        begin(&world, *state);
        text = apr_pcalloc(world.p, len * (apr_size_t)cases[i].count + 1);
        for (k = 0; k < cases[i].count; k++) {
            memcpy(text + len * (apr_size_t)k, cases[i].letter, len);
        }
        assert_int_equal(send_content(&world, text, &content, &result), APR_SUCCESS);
        assert_string_equal(asked(world.p), cases[i].asked);
    }
}

static void refuse_third(world_t *world)
{
    (void)world;
    if (twilio.calls == 3) {
        twilio.answer.outcome = WA_TWILIO_REFUSED;
        twilio.answer.error = "No.";
        twilio.answer.sid = NULL;
    }
}

static void test_the_most_and_one_that_is_refused(void **state)
{
    wa_content_request_t content = {.media_count = WA_CONTENT_MEDIA_MAX};
    world_t world;
    wa_send_result_t result;
    wa_delivery_t delivery;
    char text[4097];
    size_t i;

    begin(&world, *state);
    memset(text, 'x', 4096);
    text[4096] = '\0';
    for (i = 0; i < WA_CONTENT_MEDIA_MAX; i++) {
        content.media_urls[i] = wa_slice_of(apr_psprintf(world.p, "https://x.test/%d.pdf", (int)i));
    }
    assert_int_equal(send_content(&world, text, &content, &result), APR_SUCCESS);
    assert_int_equal(twilio.calls, 13);
    assert_string_equal(twilio.requests[12].media_url, "https://x.test/9.pdf");
    wa_delivery_read(&delivery, &result.message, world.p);
    assert_int_equal(delivery.part_count, 13);

    begin(&world, *state);
    twilio.meanwhile = refuse_third;
    content.media_count = 4;
    for (i = 0; i < 4; i++) {
        content.media_urls[i] = wa_slice_of(apr_psprintf(world.p, "https://x.test/%d.jpg", (int)i));
    }
    assert_int_equal(send_content(&world, NULL, &content, &result), APR_SUCCESS);
    assert_int_equal(twilio.calls, 3);
    assert_false(result.is_accepted);
    assert_string_equal(result.sentence,
                        "Only the first 2 of the 4 parts of this message were sent: No.");
    assert_int_equal(result.message.status, WA_STATUS_FAILED);
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
                                       "https://x.test/\xE2\x80\x8B",
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
        POOL_TEST(test_the_text_goes_where_it_is_seen),
        POOL_TEST(test_a_caption_has_a_length),
        POOL_TEST(test_the_most_and_one_that_is_refused),
        POOL_TEST(test_a_template),
        POOL_TEST(test_what_is_refused),
    };

    return cmocka_run_group_tests(tests, apr_setup, apr_teardown);
}
