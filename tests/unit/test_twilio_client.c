/* SPDX-License-Identifier: Apache-2.0 */
/* Sending through the simulator: what each way to answer, or not to, makes certain; and that
 * nothing is ever sent twice. */
#include "test_twilio.h"

#include "base/id.h"
#include "twilio/errors.h"

/* The only request that the simulator saw; the caller drops *pall. */
static json_t *only_request(json_t **pall)
{
    json_t *list;

    *pall = control(&simulator, "requests", NULL);
    list = json_object_get(*pall, "requests");
    assert_int_equal(json_array_size(list), 1);
    return json_array_get(list, 0);
}

static const char *field_of(json_t *request, const char *name, size_t index)
{
    return json_string_value(
        json_array_get(json_object_get(json_object_get(request, "form"), name), index));
}

/* ---- What goes out ---- */

static void test_text_is_sent_as_it_is(void **state)
{
    static const char body[] = "Ünï & co=100%+ \xf0\x9f\x91\x8b\n\"quoted\" ~-._;/?";
    wa_twilio_client_t *client = client_of(simulator.url, NULL, *state);
    wa_twilio_message_request_t request = {.account = &account,
                                           .to = THEIR_NUMBER,
                                           .from = "whatsapp:" OUR_NUMBER,
                                           .body = wa_slice_of(body),
                                           .status_callback =
                                               "https://chat.example.org/hook?id=a%20b&x=1"};
    wa_twilio_result_t result;
    json_t *all, *seen;

    assert_int_equal(wa_twilio_message_create(client, &request, &result, *state), APR_SUCCESS);
    assert_int_equal(result.outcome, WA_TWILIO_ACCEPTED);
    assert_int_equal(result.http_status, 201);
    assert_int_equal(result.tries, 1);
    assert_int_equal(result.error_code, 0);
    assert_null(result.error);
    assert_true(wa_id_is_sid(result.sid, "SM"));
    assert_string_equal(result.status, "queued");
    assert_true(wa_id_is_sid(result.request_id, "RQ"));
    assert_true(result.duration > 0);
    seen = only_request(&all);
    assert_string_equal(field_of(seen, "To", 0), "whatsapp:" THEIR_NUMBER);
    assert_string_equal(field_of(seen, "From", 0), "whatsapp:" OUR_NUMBER);
    assert_string_equal(field_of(seen, "Body", 0), body);
    assert_string_equal(field_of(seen, "StatusCallback", 0), request.status_callback);
    assert_int_equal(json_object_size(json_object_get(seen, "form")), 4);
    assert_int_equal(json_array_size(json_object_get(seen, "problems")), 0);
    assert_string_equal(json_string_value(json_object_get(seen, "user")), ACCOUNT);
    assert_null(json_object_get(json_object_get(seen, "headers"), "expect"));
    json_decref(all);
}

static void test_media_and_templates(void **state)
{
    static const char url[] = "https://example.org/a.png?x=1&y=2";
    wa_twilio_client_t *client = client_of(simulator.url, NULL, *state);
    wa_twilio_message_request_t media = {
        .account = &account, .to = THEIR_NUMBER, .from = OUR_NUMBER, .media_url = url};
    wa_twilio_message_request_t template = {.account = &account,
                                            .to = THEIR_NUMBER,
                                            .from = OUR_NUMBER,
                                            .content_sid = "HX00000000000000000000000000000001",
                                            .content_variables = "{\"1\":\"Ana\"}"};
    wa_twilio_result_t result;
    json_t *all, *seen;

    assert_int_equal(wa_twilio_message_create(client, &media, &result, *state), APR_SUCCESS);
    assert_int_equal(result.outcome, WA_TWILIO_ACCEPTED);
    assert_true(wa_id_is_sid(result.sid, "MM"));
    seen = only_request(&all);
    assert_string_equal(field_of(seen, "MediaUrl", 0), url);
    assert_null(field_of(seen, "Body", 0));
    json_decref(all);
    control_do(&simulator, "reset", "{}");
    assert_int_equal(wa_twilio_message_create(client, &template, &result, *state), APR_SUCCESS);
    assert_int_equal(result.outcome, WA_TWILIO_ACCEPTED);
    seen = only_request(&all);
    assert_string_equal(field_of(seen, "ContentSid", 0), template.content_sid);
    assert_string_equal(field_of(seen, "ContentVariables", 0), template.content_variables);
    assert_int_equal(json_array_size(json_object_get(seen, "problems")), 0);
    json_decref(all);
}

/* What could only fail is not tried. */
static void test_impossible_requests(void **state)
{
    static const wa_twilio_message_request_t requests[] = {
        {.account = &account, .from = OUR_NUMBER, .body = {"x", 1}},
        {.account = &account, .to = "", .from = OUR_NUMBER, .body = {"x", 1}},
        {.account = &account, .to = "+1555\r\n", .from = OUR_NUMBER, .body = {"x", 1}},
        {.account = &account, .to = THEIR_NUMBER, .body = {"x", 1}},
        {.account = &account, .to = THEIR_NUMBER, .from = OUR_NUMBER},
        {.account = &account, .to = THEIR_NUMBER, .from = OUR_NUMBER, .content_sid = "HX1"},
        {.account = &account,
         .to = THEIR_NUMBER,
         .from = OUR_NUMBER,
         .media_url = "https://example.org/a",
         .content_sid = "HX00000000000000000000000000000001"},
        {.account = &account,
         .to = THEIR_NUMBER,
         .from = OUR_NUMBER,
         .body = {"x", 1},
         .content_sid = "HX00000000000000000000000000000001"},
        {.account = &account,
         .to = THEIR_NUMBER,
         .from = OUR_NUMBER,
         .body = {"x", 1},
         .content_variables = "{}"},
    };
    static const wa_twilio_account_t accounts[] = {
        {.sid = NULL, .secret = {TOKEN, 32}},
        {.sid = "AC1", .secret = {TOKEN, 32}},
        {.sid = "SK00000000000000000000000000000001", .secret = {TOKEN, 32}},
        {.sid = ACCOUNT, .secret = {"", 0}},
        {.sid = ACCOUNT, .secret = {"a\r\nX: y", 7}},
        {.sid = ACCOUNT, .secret = {"a\0b", 3}},
        {.sid = ACCOUNT, .user = "", .secret = {TOKEN, 32}},
        {.sid = ACCOUNT, .user = "a:b", .secret = {TOKEN, 32}},
        {.sid = ACCOUNT, .user = "a\nb", .secret = {TOKEN, 32}},
    };
    wa_twilio_message_request_t good = {
        .account = &account, .to = THEIR_NUMBER, .from = OUR_NUMBER, .body = {"x", 1}};
    wa_twilio_client_t *client = client_of(simulator.url, NULL, *state);
    wa_twilio_result_t result;
    unsigned i;

    for (i = 0; i < COUNT(requests); i++) {
        assert_int_equal(wa_twilio_message_create(client, &requests[i], &result, *state),
                         APR_EINVAL);
    }
    for (i = 0; i < COUNT(accounts); i++) {
        good.account = &accounts[i];
        assert_int_equal(wa_twilio_message_create(client, &good, &result, *state), APR_EINVAL);
    }
    good.account = NULL;
    assert_int_equal(wa_twilio_message_create(client, &good, &result, *state), APR_EINVAL);
    assert_int_equal(stat_of(&simulator, "requests"), 0);
}

static void test_base_urls(void **state)
{
    static const char *const bad[] = {"",
                                      "api.twilio.com",
                                      "ftp://api.twilio.com",
                                      "https://",
                                      "https:///x",
                                      "https://user@host",
                                      "https://:1",
                                      "https://h?x=1",
                                      "https://h#f",
                                      "https://h h",
                                      "https://h\r\nX: y"};
    wa_twilio_client_t *client;
    unsigned i;

    for (i = 0; i < COUNT(bad); i++) {
        wa_twilio_options_t options = {.base_url = bad[i]};

        assert_int_equal(wa_twilio_client_create(&client, &options, *state), APR_EINVAL);
        assert_null(client);
    }
    client = client_of(apr_pstrcat(*state, simulator.url, "//", NULL), NULL, *state);
    assert_int_equal(send_text(client, "x", *state).outcome, WA_TWILIO_ACCEPTED);
}

/* ---- What comes back ---- */

static void test_refusals(void **state)
{
    static const struct {
        int code;
        int http;
    } rows[] = {{21211, 400}, {21610, 400}, {63016, 400}, {20404, 404},
                {20405, 405}, {21608, 422}, {99999, 400}};
    wa_twilio_client_t *client = client_of(simulator.url, NULL, *state);
    unsigned i;

    for (i = 0; i < COUNT(rows); i++) {
        wa_twilio_result_t result;

        control_do(&simulator, "mode",
                   apr_psprintf(*state, "{\"mode\":\"refuse\",\"code\":%d,\"http\":%d}",
                                rows[i].code, rows[i].http));
        result = send_text(client, "x", *state);
        assert_int_equal(result.outcome, WA_TWILIO_REFUSED);
        assert_int_equal(result.http_status, rows[i].http);
        assert_int_equal(result.error_code, rows[i].code);
        assert_int_equal(result.tries, 1);
        assert_non_null(result.said);
        assert_string_equal(result.error, wa_twilio_error_told(rows[i].code, result.said, *state));
    }
    assert_int_equal(stat_of(&simulator, "requests"), COUNT(rows));
}

/* Wrong credentials are told to the user each time, and to the operator once a minute. */
static void test_credentials_are_refused(void **state)
{
    wa_twilio_account_t wrong = {.sid = ACCOUNT, .secret = {"not-the-token", 13}};
    wa_twilio_message_request_t request = {
        .account = &wrong, .to = THEIR_NUMBER, .from = OUR_NUMBER, .body = {"x", 1}};
    kept_log_t log;
    wa_twilio_client_t *client;
    wa_twilio_result_t result;
    int i;

    kept_log_init(&log);
    client = client_of(simulator.url, &log.log, *state);
    for (i = 0; i < 3; i++) {
        assert_int_equal(wa_twilio_message_create(client, &request, &result, *state), APR_SUCCESS);
        assert_int_equal(result.outcome, WA_TWILIO_REFUSED);
        assert_int_equal(result.http_status, 401);
        assert_int_equal(result.error_code, 20003);
        assert_string_equal(result.error, wa_twilio_error_sentence(20003, *state));
    }
    assert_int_equal(count_of(log.text, "[3] WA0302"), 1);
    assert_int_equal(count_of(log.text, "WA0301"), 3);
    assert_null(strstr(log.text, "not-the-token"));
}

/* Each of these may have made a message: nobody can know, so it is not sent again. */
static void test_what_nobody_can_know(void **state)
{
    static const char *const modes[] = {
        "{\"mode\":\"error\",\"http\":500}",
        "{\"mode\":\"error\",\"http\":500,\"create\":true}",
        "{\"mode\":\"error\",\"http\":503}",
        "{\"mode\":\"error\",\"http\":504,\"create\":true}",
        "{\"mode\":\"error\",\"http\":408}",
        "{\"mode\":\"html\",\"http\":502}",
        "{\"mode\":\"html\",\"http\":200,\"create\":true}",
        "{\"mode\":\"empty\"}",
        "{\"mode\":\"empty\",\"http\":200}",
        "{\"mode\":\"truncated\"}",
        "{\"mode\":\"short\"}",
        "{\"mode\":\"huge\"}",
        "{\"mode\":\"huge\",\"bytes\":270000}",
        "{\"mode\":\"no-sid\"}",
        "{\"mode\":\"reset-after\"}",
        "{\"mode\":\"close\"}",
        "{\"mode\":\"redirect\",\"http\":302}",
        "{\"mode\":\"redirect\",\"http\":303}",
    };
    unsigned i;

    for (i = 0; i < COUNT(modes); i++) {
        wa_twilio_client_t *client = client_of(simulator.url, NULL, *state);
        wa_twilio_result_t result;

        control_do(&simulator, "reset", "{}");
        control_do(&simulator, "mode", modes[i]);
        result = send_text(client, "x", *state);
        if (result.outcome != WA_TWILIO_UNKNOWN || result.tries != 1
            || stat_of(&simulator, "requests") != 1) {
            fail_msg("%s: outcome %d after %d tries, %d requests", modes[i], result.outcome,
                     result.tries, stat_of(&simulator, "requests"));
        }
    }
}

/* The same where no answer comes in time. */
static void test_no_answer_in_time(void **state)
{
    static const char *const modes[] = {"{\"mode\":\"hang\"}", "{\"mode\":\"hang-after\"}",
                                        "{\"mode\":\"slow-drip\",\"ms\":50}"};
    wa_twilio_options_t options = {.base_url = simulator.url,
                                   .total_timeout = apr_time_from_msec(400)};
    wa_twilio_client_t *client;
    wa_twilio_result_t result;
    unsigned i;

    for (i = 0; i < COUNT(modes); i++) {
        assert_int_equal(wa_twilio_client_create(&client, &options, *state), APR_SUCCESS);
        control_do(&simulator, "reset", "{}");
        /* The first request opens the connection, so that even a slow machine has the time to write
         * the second. */
        assert_int_equal(send_text(client, "first", *state).outcome, WA_TWILIO_ACCEPTED);
        control_do(&simulator, "mode", modes[i]);
        result = send_text(client, "x", *state);
        assert_int_equal(result.outcome, WA_TWILIO_UNKNOWN);
        assert_int_equal(result.tries, 1);
        assert_int_equal(stat_of(&simulator, "requests"), 2);
    }
}

/* A reset at the first byte: the server has not read the request, but the client cannot know that.
 */
static void test_reset_at_the_first_byte(void **state)
{
    wa_twilio_client_t *client = client_of(simulator.url, NULL, *state);

    control_do(&simulator, "mode", "{\"mode\":\"reset-before\"}");
    assert_int_equal(send_text(client, "x", *state).outcome, WA_TWILIO_UNKNOWN);
    assert_int_equal(stat_of(&simulator, "resets"), 1);
}

static void test_good_answers_in_odd_clothes(void **state)
{
    static const char *const modes[] = {"{\"mode\":\"wrong-type\"}", "{\"mode\":\"close-after\"}",
                                        "{\"mode\":\"slow-drip\",\"ms\":0}",
                                        "{\"mode\":\"delay\",\"ms\":30}",
                                        "{\"mode\":\"huge\",\"bytes\":200000}"};
    wa_twilio_client_t *client = client_of(simulator.url, NULL, *state);
    unsigned i;

    for (i = 0; i < COUNT(modes); i++) {
        control_do(&simulator, "mode", modes[i]);
        assert_int_equal(send_text(client, "x", *state).outcome, WA_TWILIO_ACCEPTED);
    }
    assert_int_equal(stat_of(&simulator, "created"), COUNT(modes));
}

/* A long page of an error is cut, and its status still says that nothing was sent. */
static void test_long_refusal(void **state)
{
    wa_twilio_client_t *client = client_of(simulator.url, NULL, *state);
    wa_twilio_result_t result;

    control_do(&simulator, "mode", "{\"mode\":\"huge\",\"http\":400}");
    result = send_text(client, "x", *state);
    assert_int_equal(result.outcome, WA_TWILIO_REFUSED);
    assert_int_equal(result.error_code, 0);
    assert_non_null(strstr(result.error, "400"));
}

static void test_redirects_are_refused(void **state)
{
    static const int statuses[] = {301, 307, 308};
    wa_twilio_client_t *client = client_of(simulator.url, NULL, *state);
    unsigned i;

    for (i = 0; i < COUNT(statuses); i++) {
        wa_twilio_result_t result;

        control_do(&simulator, "reset", "{}");
        control_do(
            &simulator, "mode",
            apr_psprintf(*state, "{\"mode\":\"redirect\",\"http\":%d,\"count\":1}", statuses[i]));
        result = send_text(client, "x", *state);
        assert_int_equal(result.outcome, WA_TWILIO_REFUSED);
        assert_non_null(strstr(result.error, "redirect"));
        assert_int_equal(stat_of(&simulator, "requests"), 1);
        assert_int_equal(stat_of(&simulator, "created"), 0);
    }
}

/* ---- Odd answers to a send ---- */

static void test_odd_answers_to_a_send(void **state)
{
    static const struct {
        const char *answer;
        wa_twilio_outcome_e outcome;
        int code;
    } rows[] = {
        /* A status line is enough to know, also when the page after it breaks off. */
        {"HTTP/1.1 400 x\r\nContent-Length: 99\r\n\r\n{\"code\":21211", WA_TWILIO_REFUSED, 0},
        {"HTTP/1.1 404 x\r\n\r\n<html>", WA_TWILIO_REFUSED, 0},
        {"HTTP/1.1 400 x\r\nContent-Type: text/html\r\n\r\n{\"code\":\"21610\"}", WA_TWILIO_REFUSED,
         21610},
        {"HTTP/1.1 400 x\r\n\r\n{\"type\":\"t\",\"title\":\"x\",\"status\":400,\"code\":63024}",
         WA_TWILIO_REFUSED, 63024},
        {"HTTP/1.1 400 x\r\n\r\n{\"code\":-1}", WA_TWILIO_REFUSED, 0},
        {"HTTP/1.1 400 x\r\n\r\n[1]", WA_TWILIO_REFUSED, 0},
        {"HTTP/1.1 201 x\r\n\r\n{\"sid\":\"XX00000000000000000000000000000001\"}",
         WA_TWILIO_UNKNOWN, 0},
        {"HTTP/1.1 201 x\r\n\r\n{\"sid\":7}", WA_TWILIO_UNKNOWN, 0},
        {"HTTP/1.1 201 x\r\n\r\n[\"SM00000000000000000000000000000001\"]", WA_TWILIO_UNKNOWN, 0},
        {"HTTP/1.1 204 x\r\n\r\n", WA_TWILIO_UNKNOWN, 0},
        {"HTTP/1.1 304 x\r\n\r\n", WA_TWILIO_UNKNOWN, 0},
        {"HTTP/1.1 999 x\r\nContent-Length: 0\r\n\r\n", WA_TWILIO_UNKNOWN, 0},
        {"HTTP/1.1 103 Early\r\n\r\n", WA_TWILIO_UNKNOWN, 0},
        {"{\"sid\":\"SM00000000000000000000000000000001\"}", WA_TWILIO_UNKNOWN, 0},
        {"", WA_TWILIO_UNKNOWN, 0},
        {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 "
         "x\r\n\r\n{\"sid\":\"MM0000000000000000000000000000000a\"}",
         WA_TWILIO_ACCEPTED, 0},
    };
    unsigned i;

    for (i = 0; i < COUNT(rows); i++) {
        const char *answers[] = {rows[i].answer, NULL};
        wa_twilio_result_t result;
        script_t script;

        script_start(&script, answers, *state);
        result = send_text(client_of_port(script.port, *state), "x", *state);
        script_stop(&script);
        if (result.outcome != rows[i].outcome || result.error_code != rows[i].code
            || script.requests != 1) {
            fail_msg("%s: outcome %d, code %d, %d requests", rows[i].answer, result.outcome,
                     result.error_code, script.requests);
        }
    }
}

/* Taken, and failed at once: the word and the reason are told. */
static void test_taken_and_failed(void **state)
{
    const char *answers[] = {
        "HTTP/1.1 201 "
        "x\r\n\r\n{\"sid\":\"SM00000000000000000000000000000001\",\"status\":\"failed\","
        "\"error_code\":63024}",
        NULL};
    wa_twilio_message_request_t request = {
        .account = &account, .to = THEIR_NUMBER, .from = OUR_NUMBER, .body = {"x", 1}};
    wa_twilio_result_t result;
    script_t script;

    script_start(&script, answers, *state);
    assert_int_equal(
        wa_twilio_message_create(client_of_port(script.port, *state), &request, &result, *state),
        APR_SUCCESS);
    script_stop(&script);
    assert_int_equal(result.outcome, WA_TWILIO_ACCEPTED);
    assert_string_equal(result.status, "failed");
    assert_int_equal(result.error_code, 63024);
    assert_non_null(result.error);
}

/* ---- Trying again ---- */

static void test_busy_is_tried_again(void **state)
{
    wa_twilio_client_t *client = client_of(simulator.url, NULL, *state);
    wa_twilio_result_t result;

    control_do(&simulator, "mode", "{\"mode\":\"rate-limit\",\"count\":2}");
    result = send_text(client, "x", *state);
    assert_int_equal(result.outcome, WA_TWILIO_ACCEPTED);
    assert_int_equal(result.tries, 3);
    assert_int_equal(stat_of(&simulator, "requests"), 3);
    assert_int_equal(stat_of(&simulator, "created"), 1);
    control_do(&simulator, "mode", "{\"mode\":\"rate-limit\"}");
    result = send_text(client, "x", *state);
    assert_int_equal(result.outcome, WA_TWILIO_RATE_LIMITED);
    assert_int_equal(result.tries, 3);
    assert_int_equal(result.http_status, 429);
    assert_int_equal(result.error_code, 20429);
    assert_string_equal(result.error, wa_twilio_error_sentence(20429, *state));
    assert_int_equal(stat_of(&simulator, "requests"), 6);
}

static void test_retry_after_is_obeyed(void **state)
{
    wa_twilio_client_t *client = client_of(simulator.url, NULL, *state);
    wa_twilio_result_t result;

    /* Longer than the call may take: told to the caller at once. */
    control_do(&simulator, "mode", "{\"mode\":\"rate-limit\",\"retry_after\":120}");
    result = send_text(client, "x", *state);
    assert_int_equal(result.outcome, WA_TWILIO_RATE_LIMITED);
    assert_int_equal(result.tries, 1);
    assert_int_equal(result.retry_after, apr_time_from_sec(120));
    control_do(&simulator, "mode", "{\"mode\":\"rate-limit\",\"retry_after\":1,\"count\":1}");
    result = send_text(client, "x", *state);
    assert_int_equal(result.outcome, WA_TWILIO_ACCEPTED);
    assert_int_equal(result.tries, 2);
    assert_true(result.duration >= apr_time_from_sec(1));
}

/* After a try that did nothing, one that may have done something ends it. */
static void test_unknown_after_busy_ends_it(void **state)
{
    wa_twilio_client_t *client = client_of(simulator.url, NULL, *state);
    wa_twilio_result_t result;

    control_do(&simulator, "mode",
               "[{\"mode\":\"rate-limit\",\"count\":1},{\"mode\":\"error\",\"create\":true}]");
    result = send_text(client, "x", *state);
    assert_int_equal(result.outcome, WA_TWILIO_UNKNOWN);
    assert_int_equal(result.tries, 2);
    assert_int_equal(stat_of(&simulator, "created"), 1);
}

static void test_max_tries(void **state)
{
    wa_twilio_options_t options = {.base_url = simulator.url, .max_tries = 1};
    wa_twilio_client_t *client;

    assert_int_equal(wa_twilio_client_create(&client, &options, *state), APR_SUCCESS);
    control_do(&simulator, "mode", "{\"mode\":\"rate-limit\",\"count\":1}");
    assert_int_equal(send_text(client, "x", *state).outcome, WA_TWILIO_RATE_LIMITED);
    assert_int_equal(stat_of(&simulator, "requests"), 1);
}

/* ---- The log ---- */

static void test_log_tells_no_secrets(void **state)
{
    static const char *const modes[] = {"ok", "refuse", "error", "close", "redirect", "rate-limit"};
    static const char *const secrets[] = {TOKEN, "planted text", THEIR_NUMBER, "5551230001",
                                          "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY"};
    wa_twilio_client_t *client;
    wa_twilio_result_t result;
    kept_log_t log;
    unsigned i;

    kept_log_init(&log);
    client = client_of(simulator.url, &log.log, *state);
    for (i = 0; i < COUNT(modes); i++) {
        control_do(&simulator, "mode", apr_psprintf(*state, "{\"mode\":\"%s\"}", modes[i]));
        result = send_text(client, "planted text", *state);
        if (i == 0) {
            assert_non_null(strstr(log.text, result.sid));
        }
    }
    assert_int_equal(count_of(log.text, "WA0301"), COUNT(modes));
    assert_int_equal(count_of(log.text, "[7] WA0301"), 3);
    assert_int_equal(count_of(log.text, "len=12"), COUNT(modes));
    assert_non_null(strstr(log.text, "+1555***0001"));
    assert_non_null(strstr(log.text, "http=201"));
    for (i = 0; i < COUNT(secrets); i++) {
        assert_null(strstr(log.text, secrets[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_text_is_sent_as_it_is),
        TEST(test_media_and_templates),
        TEST(test_impossible_requests),
        TEST(test_base_urls),
        TEST(test_refusals),
        TEST(test_credentials_are_refused),
        TEST(test_what_nobody_can_know),
        TEST(test_no_answer_in_time),
        TEST(test_reset_at_the_first_byte),
        TEST(test_good_answers_in_odd_clothes),
        TEST(test_long_refusal),
        TEST(test_redirects_are_refused),
        TEST(test_odd_answers_to_a_send),
        TEST(test_taken_and_failed),
        TEST(test_busy_is_tried_again),
        TEST(test_retry_after_is_obeyed),
        TEST(test_unknown_after_busy_ends_it),
        TEST(test_max_tries),
        TEST(test_log_tells_no_secrets),
    };

    return cmocka_run_group_tests(tests, simulator_setup, simulator_teardown);
}
