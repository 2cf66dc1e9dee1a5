/* SPDX-License-Identifier: Apache-2.0 */
/* Reading what Twilio has: lists page by page, media from allowed places only, and the same over
 * TLS. */
#include "test_twilio.h"

#include "twilio/http.h"

/* ---- Lists ---- */

typedef struct seen_t {
    int count;
    int stop_at;
    char bodies[512];
    char sids[16][40];
    apr_time_t created;
    int media_count;
} seen_t;

static apr_status_t on_message(void *baton, const wa_twilio_message_t *message, apr_pool_t *tmp)
{
    seen_t *seen = baton;

    (void)tmp;
    assert_string_equal(message->to, "whatsapp:" OUR_NUMBER);
    assert_string_equal(message->direction, "inbound");
    assert_string_equal(message->status, "received");
    if (seen->count < 16) {
        apr_cpystrn(seen->sids[seen->count], message->sid, sizeof(seen->sids[0]));
    }
    apr_cpystrn(seen->bodies + strlen(seen->bodies), message->body,
                sizeof(seen->bodies) - strlen(seen->bodies));
    seen->created = message->date_created;
    seen->media_count = message->media_count;
    seen->count++;
    return seen->stop_at == seen->count ? APR_EOF : APR_SUCCESS;
}

/* Puts `count` messages into the account, their bodies "a", "b", ... */
static void inbound(int count)
{
    int i;

    for (i = 0; i < count; i++) {
        char body[128];

        snprintf(body, sizeof(body),
                 "{\"From\":\"+1555123000%d\",\"Body\":\"%c\",\"deliver\":false}", i % 2, 'a' + i);
        control_do(&simulator, "inbound", body);
    }
}

static apr_status_t list(wa_twilio_client_t *client, const wa_twilio_query_t *query, seen_t *seen,
                         wa_twilio_result_t *result, apr_pool_t *p)
{
    const wa_twilio_message_visitor_t visitor = {on_message, seen};

    return wa_twilio_messages_fetch(client, query, &visitor, result, p);
}

static void test_list_over_pages(void **state)
{
    wa_twilio_client_t *client = client_of(simulator.url, NULL, *state);
    wa_twilio_query_t query = {.account = &account, .page_size = 3};
    wa_twilio_result_t result;
    seen_t seen = {0};

    inbound(8);
    assert_int_equal(list(client, &query, &seen, &result, *state), APR_SUCCESS);
    assert_int_equal(result.outcome, WA_TWILIO_ACCEPTED);
    assert_int_equal(result.tries, 3);
    assert_string_equal(seen.bodies, "hgfedcba");
    /* RFC 2822 dates have seconds. */
    assert_true(seen.created > 0 && seen.created <= apr_time_now());
    assert_true(seen.created > apr_time_now() - apr_time_from_sec(3600));
}

static void test_list_filters(void **state)
{
    wa_twilio_client_t *client = client_of(simulator.url, NULL, *state);
    wa_twilio_query_t from = {.account = &account, .from = "+15551230001"};
    wa_twilio_query_t to = {.account = &account, .to = "whatsapp:" OUR_NUMBER, .max_messages = 2};
    wa_twilio_query_t none = {.account = &account, .to = "+15559999999"};
    wa_twilio_query_t past = {.account = &account,
                              .date_sent_to = apr_time_now() - apr_time_from_sec(86400)};
    wa_twilio_query_t recent = {.account = &account,
                                .date_sent_from = apr_time_now() - apr_time_from_sec(3600),
                                .date_sent_to = apr_time_now() + apr_time_from_sec(3600)};
    wa_twilio_query_t future = {.account = &account,
                                .date_sent_from = apr_time_now() + apr_time_from_sec(3600)};
    const wa_twilio_query_t *queries[] = {&from, &to, &none, &past, &recent, &future};
    static const char *const bodies[] = {"db", "dc", "", "", "dcba", ""};
    wa_twilio_result_t result;
    unsigned i;

    inbound(4);
    for (i = 0; i < COUNT(queries); i++) {
        seen_t seen = {0};

        assert_int_equal(list(client, queries[i], &seen, &result, *state), APR_SUCCESS);
        assert_string_equal(seen.bodies, bodies[i]);
    }
}

static void test_list_is_ended_by_its_reader(void **state)
{
    wa_twilio_client_t *client = client_of(simulator.url, NULL, *state);
    wa_twilio_query_t query = {.account = &account, .page_size = 2};
    wa_twilio_result_t result;
    seen_t seen = {.stop_at = 3};

    inbound(8);
    assert_int_equal(list(client, &query, &seen, &result, *state), APR_EOF);
    assert_int_equal(seen.count, 3);
    assert_int_equal(stat_of(&simulator, "requests"), 2);
}

static void test_list_that_fails(void **state)
{
    static const char *const modes[] = {"{\"mode\":\"error\"}",
                                        "{\"mode\":\"html\",\"http\":200}",
                                        "{\"mode\":\"truncated\"}",
                                        "{\"mode\":\"close\"}",
                                        "{\"mode\":\"empty\",\"http\":200}",
                                        "{\"mode\":\"huge\",\"http\":200,\"bytes\":17000000}",
                                        "{\"mode\":\"no-sid\"}",
                                        "{\"mode\":\"redirect\"}"};
    wa_twilio_client_t *client = client_of(simulator.url, NULL, *state);
    wa_twilio_query_t query = {.account = &account};
    wa_twilio_query_t bad = {.account = &account, .from = "+1\n"};
    wa_twilio_query_t nobodys = {NULL};
    wa_twilio_query_t large = {.account = &account, .page_size = 101};
    wa_twilio_result_t result;
    seen_t seen = {0};
    unsigned i;

    inbound(1);
    for (i = 0; i < COUNT(modes); i++) {
        control_do(&simulator, "mode", modes[i]);
        assert_int_equal(list(client, &query, &seen, &result, *state), APR_EGENERAL);
        assert_int_not_equal(result.outcome, WA_TWILIO_ACCEPTED);
        assert_non_null(result.error);
    }
    assert_int_equal(list(client, &bad, &seen, &result, *state), APR_EINVAL);
    assert_int_equal(list(client, &large, &seen, &result, *state), APR_EINVAL);
    assert_int_equal(list(client, &nobodys, &seen, &result, *state), APR_EINVAL);
    assert_int_equal(seen.count, 0);
}

/* A page link must not lead the credentials elsewhere. */
static void test_list_whose_link_leads_elsewhere(void **state)
{
    static const char *const links[] = {
        "http://127.0.0.1:1/2010-04-01/Accounts/" ACCOUNT "/Messages.json?Page=1",
        "@127.0.0.1:1/x",
        ".example.org/x",
        "/2010-04-01/Accounts/AC00000000000000000000000000000002/Messages.json",
        "/2010-04-01/Accounts/" ACCOUNT "/Messages/../../x",
        "/2010-04-01/Accounts/" ACCOUNT "/Messages/%2e%2E/%2e./x",
        "/2010-04-01/Accounts/" ACCOUNT "/Messages/..%2f..%2fx",
        "/2010-04-01/Accounts/" ACCOUNT "/Messages.json?a#b",
        "//127.0.0.1:1/2010-04-01/Accounts/" ACCOUNT "/Messages.json",
        "/2010-04-01/Accounts/" ACCOUNT "/Messages\\\\x",
        "/2010-04-01/Accounts/" ACCOUNT "/Messages.json?a b"};
    wa_twilio_query_t query = {.account = &account};
    wa_twilio_result_t result;
    seen_t seen = {0};
    unsigned i;

    for (i = 0; i < COUNT(links); i++) {
        const char *answers[] = {
            apr_pstrcat(*state,
                        "HTTP/1.1 200 OK\r\nContent-Type: "
                        "application/json\r\n\r\n{\"messages\":[],\"next_page_uri\":\"",
                        links[i], "\"}", NULL),
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", NULL};
        script_t script;

        script_start(&script, answers, *state);
        assert_int_equal(list(client_of_port(script.port, *state), &query, &seen, &result, *state),
                         APR_INCOMPLETE);
        script_stop(&script);
        assert_int_equal(script.requests, 1);
        assert_int_equal(result.tries, 1);
    }
}

/* A page that is not given, or that leads to itself, ends the list and says which. */
static void test_list_whose_next_page_is_not_given(void **state)
{
    static const struct {
        const char *mode;
        apr_status_t rv;
    } cases[] = {
        {"refuse\",\"http\":404", APR_INCOMPLETE}, {"refuse\",\"http\":403", APR_INCOMPLETE},
        {"error\",\"http\":503", APR_EGENERAL},    {"rate-limit\"", APR_EGENERAL},
        {"refuse\",\"http\":401", APR_EGENERAL},   {"close\"", APR_EGENERAL}};
    static const char path[] = "/2010-04-01/Accounts/" ACCOUNT "/Messages.json?PageSize=2";
    wa_twilio_query_t query = {.account = &account, .page_size = 2};
    const char *answers[] = {apr_pstrcat(*state,
                                         "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"
                                         "{\"messages\":[],\"next_page_uri\":\"",
                                         path, "\"}", NULL),
                             NULL};
    wa_twilio_result_t result;
    script_t script;
    seen_t seen = {0};
    unsigned i;

    inbound(5);
    for (i = 0; i < COUNT(cases); i++) {
        memset(&seen, 0, sizeof(seen));
        control_do(
            &simulator, "mode",
            apr_pstrcat(*state, "{\"mode\":\"", cases[i].mode, ",\"target\":\"Page=1\"}", NULL));
        assert_int_equal(
            list(client_of(simulator.url, NULL, *state), &query, &seen, &result, *state),
            cases[i].rv);
        assert_int_equal(seen.count, 2);
        assert_int_equal(result.tries, 2);
    }
    script_start(&script, answers, *state);
    assert_int_equal(list(client_of_port(script.port, *state), &query, &seen, &result, *state),
                     APR_INCOMPLETE);
    script_stop(&script);
    assert_int_equal(script.requests, 1);
}

/* What the answer to one list says of others, and when the account is alarmed about. */
static void test_what_a_refusal_is_about(void **state)
{
    static const struct {
        const char *mode;
        wa_twilio_verdict_e verdict;
        int is_alarm; /* of a list of the account; of one counterpart's only a 401 */
    } cases[] = {
        {"ok\"", WA_TWILIO_GIVEN, 0},
        {"refuse\",\"http\":400,\"code\":21211", WA_TWILIO_DENIED, 0},
        {"refuse\",\"http\":404,\"code\":20404", WA_TWILIO_DENIED, 0},
        {"refuse\",\"http\":403,\"code\":21408", WA_TWILIO_DENIED, 0},
        {"refuse\",\"http\":403,\"code\":20003", WA_TWILIO_DENIED, 1},
        {"refuse\",\"http\":403,\"code\":20403", WA_TWILIO_DENIED, 1},
        {"refuse\",\"http\":401,\"code\":20003", WA_TWILIO_SILENT, 1},
        {"redirect\"", WA_TWILIO_DENIED, 0},
        {"rate-limit\"", WA_TWILIO_TROUBLE, 0},
        {"refuse\",\"http\":408,\"code\":20001", WA_TWILIO_TROUBLE, 0},
        {"error\",\"http\":500", WA_TWILIO_TROUBLE, 0},
        {"truncated\"", WA_TWILIO_TROUBLE, 0},
        {"close\"", WA_TWILIO_SILENT, 0},
    };
    unsigned i, is_one;

    for (i = 0; i < COUNT(cases); i++) {
        control_do(&simulator, "mode",
                   apr_pstrcat(*state, "{\"mode\":\"", cases[i].mode, "}", NULL));
        for (is_one = 0; is_one < 2; is_one++) {
            const wa_twilio_query_t query = {
                .account = &account, .from = OUR_NUMBER, .to = is_one ? THEIR_NUMBER : NULL};
            wa_twilio_result_t result;
            seen_t seen = {0};
            kept_log_t log;

            kept_log_init(&log);
            (void)list(client_of(simulator.url, &log.log, *state), &query, &seen, &result, *state);
            assert_int_equal(wa_twilio_verdict(&result), cases[i].verdict);
            assert_int_equal(count_of(log.text, "WA0302"),
                             cases[i].is_alarm && (!is_one || result.http_status == 401));
            assert_int_equal(count_of(log.text, "[4] WA0303"),
                             cases[i].verdict != WA_TWILIO_GIVEN
                                 && !(is_one && cases[i].verdict == WA_TWILIO_DENIED));
        }
    }
    control_do(&simulator, "mode", "{\"mode\":\"ok\"}");
}

static apr_status_t on_media(void *baton, const wa_twilio_media_t *media, apr_pool_t *tmp)
{
    char *url = baton;

    (void)tmp;
    assert_string_equal(media->content_type, "image/webp");
    apr_cpystrn(url, media->url, 512);
    return APR_SUCCESS;
}

/* ---- Media ---- */

typedef struct file_t {
    apr_status_t begin_rv, data_rv;
    int begun;
    char type[64];
    apr_int64_t length;
    wa_buffer_t bytes;
} file_t;

static apr_status_t file_begin(void *baton, const char *content_type, apr_int64_t length)
{
    file_t *file = baton;

    file->begun++;
    apr_cpystrn(file->type, content_type, sizeof(file->type));
    file->length = length;
    return file->begin_rv;
}

static apr_status_t file_data(void *baton, const char *bytes, apr_size_t len)
{
    file_t *file = baton;

    wa_buffer_add(&file->bytes, bytes, len);
    return file->data_rv;
}

static apr_status_t fetch(wa_twilio_client_t *client, const char *url, apr_int64_t max,
                          file_t *file, apr_pool_t *p)
{
    const wa_twilio_media_request_t request = {&account, url, max};
    wa_twilio_sink_t sink = {file_begin, file_data, file};

    wa_buffer_release(&file->bytes);
    file->begun = 0;
    return wa_twilio_media_fetch(client, &request, &sink, p);
}

/* A message with the picture "pretended" in it; its media URL goes to `url`, which has room for
 * 512. */
static void picture_make(wa_twilio_client_t *client, char *url, apr_pool_t *p)
{
    json_t *made = control(&simulator, "inbound",
                           "{\"deliver\":false,\"media\":[{\"content_type\":\"image/"
                           "webp\",\"base64\":\"cHJldGVuZGVk\"}]}");
    const wa_twilio_media_query_t query = {&account,
                                           json_string_value(json_object_get(made, "sid"))};
    const wa_twilio_media_visitor_t visitor = {on_media, url};
    wa_twilio_result_t result;

    url[0] = '\0';
    assert_int_equal(wa_twilio_media_list(client, &query, &visitor, &result, p), APR_SUCCESS);
    assert_memory_equal(url, simulator.url, strlen(simulator.url));
    json_decref(made);
}

static void test_media_with_and_without_redirect(void **state)
{
    static const char *const ways[] = {"{\"media_redirect\":true}", "{\"media_redirect\":false}"};
    wa_twilio_client_t *client = client_of(simulator.url, NULL, *state);
    file_t file = {0};
    char url[512];
    unsigned i;

    picture_make(client, url, *state);
    for (i = 0; i < COUNT(ways); i++) {
        control_do(&simulator, "config", ways[i]);
        assert_int_equal(fetch(client, url, 9, &file, *state), APR_SUCCESS);
        assert_int_equal(file.begun, 1);
        assert_string_equal(file.type, "image/webp");
        assert_int_equal(file.length, 9);
        assert_int_equal(file.bytes.len, 9);
        assert_memory_equal(file.bytes.data, "pretended", 9);
    }
    wa_buffer_release(&file.bytes);
}

static void test_media_that_is_refused(void **state)
{
    wa_twilio_client_t *client = client_of(simulator.url, NULL, *state);
    wa_twilio_account_t wrong = {.sid = ACCOUNT, .secret = {"wrong", 5}};
    file_t file = {0};
    wa_twilio_sink_t sink = {file_begin, file_data, &file};
    char url[512];
    wa_twilio_media_request_t request = {&wrong, url, 100};

    picture_make(client, url, *state);
    assert_int_equal(fetch(client, url, 8, &file, *state), APR_ENOSPC);
    assert_int_equal(file.bytes.len, 0);
    assert_int_equal(fetch(client, apr_pstrcat(*state, url, "0", NULL), 100, &file, *state),
                     APR_NOTFOUND);
    assert_int_equal(wa_twilio_media_fetch(client, &request, &sink, *state), APR_EACCES);
    request.account = NULL;
    assert_int_equal(wa_twilio_media_fetch(client, &request, &sink, *state), APR_EINVAL);
    file.begin_rv = APR_EEXIST;
    assert_int_equal(fetch(client, url, 100, &file, *state), APR_EEXIST);
    file.begin_rv = APR_SUCCESS;
    file.data_rv = APR_EBADF;
    assert_int_equal(fetch(client, url, 100, &file, *state), APR_EBADF);
    wa_buffer_release(&file.bytes);
}

/* Not Twilio's and not the configured server's: not even asked. */
static void test_media_elsewhere(void **state)
{
    static const char *const urls[] = {"",
                                       "/x",
                                       "https://",
                                       "file:///etc/hostname",
                                       "ftp://api.twilio.com/x",
                                       "http://api.twilio.com/x",
                                       "https://api.twilio.com:8443/x",
                                       "https://example.org/x",
                                       "https://twilio.com.example.org/x",
                                       "https://eviltwilio.com/x",
                                       "https://user:pass@api.twilio.com/x",
                                       "https://api.twilio.com@example.org/x",
                                       "http://127.0.0.1:1/x",
                                       "https://[::1]/x"};
    wa_twilio_client_t *client = client_of(simulator.url, NULL, *state);
    file_t file = {0};
    unsigned i;

    for (i = 0; i < COUNT(urls); i++) {
        if (fetch(client, urls[i], 100, &file, *state) != APR_EINVAL) {
            fail_msg("%s", urls[i]);
        }
    }
    assert_int_equal(file.begun, 0);
}

/* The configured server redirects: other private addresses are not even connected to, whatever the
 * name for them. */
static void test_redirect_to_a_private_address(void **state)
{
    static const char *const hosts[] = {"http://127.0.0.1",
                                        "https://127.0.0.1",
                                        "https://localhost",
                                        "https://[::1]",
                                        "https://127.1",
                                        "https://0.0.0.0",
                                        "https://[::ffff:127.0.0.1]",
                                        "https://2130706433"};
    script_t inner;
    file_t file = {0};
    unsigned i;

    script_start(&inner, NULL, *state);
    for (i = 0; i < COUNT(hosts); i++) {
        const char *answers[] = {
            apr_psprintf(*state, "HTTP/1.1 307 x\r\nLocation: %s:%d/x\r\nContent-Length: 0\r\n\r\n",
                         hosts[i], inner.port),
            NULL};
        script_t outer;
        const char *url;

        script_start(&outer, answers, *state);
        url = apr_psprintf(*state, "http://127.0.0.1:%d/x", outer.port);
        if (fetch(client_of_port(outer.port, *state), url, 100, &file, *state) != APR_EINVAL) {
            fail_msg("%s", hosts[i]);
        }
        script_stop(&outer);
        assert_int_equal(outer.requests, 1);
    }
    assert_int_equal(file.begun, 0);
    script_stop(&inner);
}

static void test_too_many_redirects(void **state)
{
    static const char redirect[] = "HTTP/1.1 302 x\r\nLocation: /next\r\nContent-Length: 0\r\n\r\n";
    static const char file_answer[] =
        "HTTP/1.1 200 x\r\nContent-Type: Text/Plain; x=y\r\nContent-Length: 2\r\n\r\nhi";
    const char *four[] = {redirect, redirect, redirect, redirect, file_answer, NULL};
    script_t script;
    file_t file = {0};

    script_start(&script, four, *state);
    assert_int_equal(fetch(client_of_port(script.port, *state),
                           apr_psprintf(*state, "http://127.0.0.1:%d/", script.port), 100, &file,
                           *state),
                     APR_EGENERAL);
    script_stop(&script);
    assert_int_equal(script.requests, 4);
    assert_int_equal(file.begun, 0);
    script_start(&script, four + 1, *state);
    assert_int_equal(fetch(client_of_port(script.port, *state),
                           apr_psprintf(*state, "http://127.0.0.1:%d/", script.port), 100, &file,
                           *state),
                     APR_SUCCESS);
    script_stop(&script);
    assert_string_equal(file.type, "Text/Plain");
    assert_int_equal(file.bytes.len, 2);
    wa_buffer_release(&file.bytes);
}

/* Types that are none, lengths that are not said, files that end early. */
static void test_odd_media_answers(void **state)
{
    static const struct {
        const char *answer;
        apr_status_t rv;
        apr_int64_t length;
        apr_size_t got;
    } rows[] = {
        {"HTTP/1.1 200 x\r\nContent-Type: a\"b/c\r\n\r\nhello", APR_SUCCESS, -1, 5},
        {"HTTP/1.1 200 x\r\nContent-Length: 0\r\n\r\n", APR_SUCCESS, 0, 0},
        {"HTTP/1.1 200 x\r\n\r\n01234567890123456789", APR_ENOSPC, -1, 0},
        {"HTTP/1.1 200 x\r\nContent-Length: 9\r\n\r\nhell", APR_EGENERAL, 9, 4},
        {"HTTP/1.1 206 x\r\nContent-Length: 2\r\n\r\nhi", APR_EGENERAL, 0, 0},
        {"HTTP/1.1 302 x\r\nContent-Length: 0\r\n\r\n", APR_EGENERAL, 0, 0},
        {"HTTP/1.1 403 x\r\nContent-Length: 2\r\n\r\nno", APR_EACCES, 0, 0},
        {"HTTP/1.1 410 x\r\nContent-Length: 2\r\n\r\nno", APR_NOTFOUND, 0, 0},
        {"nonsense\r\n\r\n", APR_EGENERAL, 0, 0},
        {"", APR_EGENERAL, 0, 0},
    };
    unsigned i;

    for (i = 0; i < COUNT(rows); i++) {
        const char *answers[] = {rows[i].answer, NULL};
        script_t script;
        file_t file = {0};
        apr_status_t rv;

        script_start(&script, answers, *state);
        rv = fetch(client_of_port(script.port, *state),
                   apr_psprintf(*state, "http://127.0.0.1:%d/", script.port), 16, &file, *state);
        script_stop(&script);
        if (rv != rows[i].rv || file.bytes.len != rows[i].got
            || (file.begun && file.length != rows[i].length)
            || (file.begun && strcmp(file.type, "application/octet-stream") != 0)) {
            fail_msg("%s: %d, %d bytes", rows[i].answer, rv, (int)file.bytes.len);
        }
        wa_buffer_release(&file.bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_list_over_pages),
        TEST(test_list_whose_next_page_is_not_given),
        TEST(test_what_a_refusal_is_about),
        TEST(test_list_filters),
        TEST(test_list_is_ended_by_its_reader),
        TEST(test_list_that_fails),
        TEST(test_list_whose_link_leads_elsewhere),
        TEST(test_media_with_and_without_redirect),
        TEST(test_media_that_is_refused),
        TEST(test_media_elsewhere),
        TEST(test_redirect_to_a_private_address),
        TEST(test_too_many_redirects),
        TEST(test_odd_media_answers),
    };

    simulator_option = "--media-auth";
    return cmocka_run_group_tests(tests, simulator_setup, simulator_teardown);
}
