/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of how answers leave: each status as its error, sentences, headers, a heap that is full. */
#include "memory_faults.h"

#include "api_support.h"

#include "api/reply.h"
#include "messaging/list/render.h"

/* ---- one answer, made by hand ---- */

typedef struct making_t {
    apr_status_t rv;
    wa_error_e error;
    const char *sentence;
    int retry_s;
    const wa_message_t *message;
} making_t;

static const making_t *making;

static api_answer_t make(api_t *api, wa_endpoint_fn endpoint, const making_t *m)
{
    making = m;
    api->world.lines = apr_pstrdup(api->world.p, "");
    return api_get(api, endpoint, "/x");
}

static int status_make(wa_request_t *q)
{
    return wa_reply_status(q, making->rv, making->sentence);
}

static int error_make(wa_request_t *q)
{
    return wa_reply_error(q, making->error, making->sentence);
}

static int message_error_make(wa_request_t *q)
{
    return wa_reply_error_message(q, making->error, making->sentence, making->message);
}

static int retry_make(wa_request_t *q)
{
    return wa_reply_retry(q, making->error, making->sentence, making->retry_s);
}

static int object_make(wa_request_t *q)
{
    wa_reply_t reply;

    wa_reply_begin(&reply, q, 1);
    WA_JSON_STRING(&reply.w, "text", WA_SLICE_LITERAL("\"\\\n\xff"));
    return wa_reply_end(&reply, making->rv, making->sentence);
}

static int failed_object_make(wa_request_t *q)
{
    wa_reply_t reply;

    wa_reply_begin(&reply, q, 64);
    reply.b.failed = 1;
    return wa_reply_end(&reply, APR_SUCCESS, NULL);
}

static int entry_make(wa_request_t *q)
{
    const wa_cache_key_t key = {WA_CACHE_THREADS, {NULL, 0}, 0};
    wa_reply_t reply;

    wa_reply_begin(&reply, q, 1);
    wa_reply_close(&reply);
    return wa_reply_entry(q, wa_cache_put(q->server->cache, &key, 1, 0, &reply.b));
}

static int no_entry_make(wa_request_t *q)
{
    return wa_reply_entry(q, NULL);
}

static int constant_make(wa_request_t *q)
{
    return wa_reply_constant(q, "text/xml", WA_SLICE_LITERAL("<a/>"));
}

/* ---- statuses ---- */

static void test_each_status_is_its_error(void **state)
{
    static const char busy[] = "The message store is busy; nothing was stored or sent";
    static const char full[] = "The message store cannot be written to; nothing was stored";
    static const char internal[] = "Something failed in this server; its error log says what.";
    static const struct {
        apr_status_t rv;
        int status;
        const char *code, *sentence, *given; /* NULL: the sentence that was given does not count */
        const char *retry, *level;
    } cases[] = {
        {APR_EINVAL, 400, "INVALID_INPUT", "The request is not valid.", "x is wrong.", "", ""},
        {APR_EEXIST, 400, "INVALID_INPUT", "The request is not valid.", "x is wrong.", "", ""},
        {APR_NOTFOUND, 404, "NOT_FOUND", "What was asked for is not there.", "x is wrong.", "", ""},
        {APR_TIMEUP, 503, "UNAVAILABLE", busy, NULL, "2", ""},
        {APR_ENOSPC, 503, "UNAVAILABLE", full, NULL, "2", ""},
        {APR_EGENERAL, 500, "INTERNAL_ERROR", internal, NULL, "", "6"},
        {APR_ENOMEM, 500, "INTERNAL_ERROR", internal, NULL, "", "3"},
        {APR_EACCES, 500, "INTERNAL_ERROR", internal, NULL, "", "3"},
        {APR_ENOENT, 500, "INTERNAL_ERROR", internal, NULL, "", "3"},
        {APR_ENOTIMPL, 500, "INTERNAL_ERROR", internal, NULL, "", "3"},
        {APR_EOF, 500, "INTERNAL_ERROR", internal, NULL, "", "3"},
        {APR_ECONNABORTED, 500, "INTERNAL_ERROR", internal, NULL, "", "3"},
        {EIO, 500, "INTERNAL_ERROR", internal, NULL, "", "3"},
    };
    api_t api;
    size_t i;
    int is_given;

    api_init(&api, *state);
    for (i = 0; i < COUNT(cases); i++) {
        for (is_given = 0; is_given < 2; is_given++) {
            const making_t m = {.rv = cases[i].rv, .sentence = is_given ? "x is wrong" : NULL};
            const wa_endpoint_fn makers[] = {status_make, object_make};
            size_t k;

            for (k = 0; k < COUNT(makers); k++) {
                const api_answer_t answer = make(&api, makers[k], &m);

                assert_error(&answer, cases[i].status, cases[i].code,
                             is_given && cases[i].given ? cases[i].given : cases[i].sentence);
                assert_string_equal(api_header(&answer, "Retry-After"), cases[i].retry);
                assert_string_equal(api.world.lines,
                                    *cases[i].level ? apr_pstrcat(*state, cases[i].level,
                                                                  " WA0201 /pattern failed\n", NULL)
                                                    : "");
            }
        }
    }
}

static void test_each_error_has_its_status_and_code(void **state)
{
    static const struct {
        int status;
        const char *code;
    } errors[] = {
        [WA_ERROR_INVALID_INPUT] = {400, "INVALID_INPUT"},
        [WA_ERROR_UNAUTHORIZED] = {403, "UNAUTHORIZED"},
        [WA_ERROR_NOT_FOUND] = {404, "NOT_FOUND"},
        [WA_ERROR_METHOD_NOT_ALLOWED] = {405, "METHOD_NOT_ALLOWED"},
        [WA_ERROR_CONFLICT] = {409, "CONFLICT"},
        [WA_ERROR_PAYLOAD_TOO_LARGE] = {413, "PAYLOAD_TOO_LARGE"},
        [WA_ERROR_UNSUPPORTED_MEDIA_TYPE] = {415, "UNSUPPORTED_MEDIA_TYPE"},
        [WA_ERROR_RATE_LIMITED] = {429, "RATE_LIMITED"},
        [WA_ERROR_INTERNAL] = {500, "INTERNAL_ERROR"},
        [WA_ERROR_TWILIO] = {502, "TWILIO_ERROR"},
        [WA_ERROR_UNAVAILABLE] = {503, "UNAVAILABLE"},
    };
    api_t api;
    size_t i;

    api_init(&api, *state);
    for (i = 0; i < COUNT(errors); i++) {
        const making_t m = {.error = (wa_error_e)i, .sentence = "So it is.", .retry_s = 61};
        api_answer_t answer = make(&api, error_make, &m);

        assert_int_equal(answer.status, errors[i].status);
        assert_string_equal(answer.body,
                            apr_psprintf(*state,
                                         "{\"success\":false,\"error\":\"So it is.\",\"code\":"
                                         "\"%s\"}",
                                         errors[i].code));
        assert_string_equal(api_header(&answer, "Retry-After"), "");
        answer = make(&api, retry_make, &m);
        assert_error(&answer, errors[i].status, errors[i].code, "So it is.");
        assert_string_equal(api_header(&answer, "Retry-After"), "61");
    }
}

static void test_a_sentence_ends_like_one(void **state)
{
    static const struct {
        const char *sentence, *json;
    } cases[] = {
        {"So it is", "So it is."},  {"So it is.", "So it is."},     {"Is it so?", "Is it so?"},
        {"So it is!", "So it is!"}, {"(so it is)", "(so it is)"},   {"1 to 200", "1 to 200."},
        {"\xc3\xa9", "\xc3\xa9."},  {"say \"x\"", "say \\\"x\\\""}, {"", ""},
    };
    api_t api;
    size_t i;

    api_init(&api, *state);
    for (i = 0; i < COUNT(cases); i++) {
        const making_t m = {.error = WA_ERROR_CONFLICT, .sentence = cases[i].sentence};
        const api_answer_t answer = make(&api, error_make, &m);

        assert_string_equal(answer.body,
                            apr_pstrcat(*state, "{\"success\":false,\"error\":\"", cases[i].json,
                                        "\",\"code\":\"CONFLICT\"}", NULL));
    }
}

static void test_an_error_with_what_was_stored(void **state)
{
    static const wa_message_t message = {.id = WA_SLICE_LITERAL("m1"),
                                         .direction = WA_DIRECTION_SENT,
                                         .status = WA_STATUS_FAILED,
                                         .timestamp_ms = 7};
    const making_t m = {.error = WA_ERROR_TWILIO, .sentence = "No", .message = &message};
    api_t api;
    api_answer_t answer;

    api_init(&api, *state);
    answer = make(&api, message_error_make, &m);
    assert_int_equal(answer.status, 502);
    assert_string_equal(
        answer.body,
        apr_pstrcat(*state, "{\"success\":false,\"error\":\"No.\",\"code\":\"TWILIO_ERROR\",",
                    "\"message\":", json_of(&message, *state), "}", NULL));
}

static void test_answers_of_success(void **state)
{
    const making_t m = {.rv = APR_SUCCESS};
    api_t api;
    api_answer_t answer;

    api_init(&api, *state);
    answer = make(&api, object_make, &m);
    assert_answer(&answer, "{\"success\":true,\"text\":\"\\\"\\\\\\n\xef\xbf\xbd\"}");
    assert_string_equal(answer.type, "application/json");
    answer = make(&api, entry_make, &m);
    assert_answer(&answer, "{\"success\":true}");
    assert_string_equal(answer.type, "application/json");
    answer = make(&api, constant_make, &m);
    assert_answer(&answer, "<a/>");
    assert_string_equal(answer.type, "text/xml");
    assert_string_equal(api.world.lines, "");
}

/* ---- no memory ---- */

#define OUT_OF_MEMORY                                                                          \
    "{\"success\":false,\"error\":\"The server is out of memory; try again later.\",\"code\":" \
    "\"INTERNAL_ERROR\"}"

static void test_an_answer_that_memory_ran_out_of(void **state)
{
    const making_t m = {.rv = APR_SUCCESS};
    api_t api;
    api_answer_t answer;

    api_init(&api, *state);
    answer = make(&api, failed_object_make, &m);
    assert_int_equal(answer.status, 500);
    assert_string_equal(answer.body, OUT_OF_MEMORY);
    assert_string_equal(api.world.lines, "3 WA0202 no memory for an answer\n");
    answer = make(&api, no_entry_make, &m);
    assert_error(&answer, 500, "INTERNAL_ERROR", "Something failed in this server");
    assert_string_equal(api.world.lines, "3 WA0201 /pattern failed\n");
}

/* What a child says of its life. */
typedef struct shared_t {
    unsigned seen;
    int is_fallback, is_whole, is_internal;
} shared_t;

static shared_t *shared;

static const making_t full_making = {.error = WA_ERROR_NOT_FOUND, .sentence = "No"};
static wa_endpoint_fn full_endpoint;
static const char *full_body;
static unsigned full_at;

/* The endpoint, with an allocation that fails. */
static int full_make(wa_request_t *q)
{
    int result;

    memory_set(full_at, 1);
    result = full_endpoint(q);
    memory_clear();
    return result;
}

static void full_child(void *baton)
{
    api_t api;
    api_answer_t answer;

    api_init(&api, baton);
    answer = make(&api, full_make, &full_making);
    shared->seen = memory.seen;
    shared->is_fallback = strcmp(answer.body, OUT_OF_MEMORY) == 0;
    shared->is_whole = strcmp(answer.body, full_body) == 0;
    shared->is_internal = strstr(answer.body, "Something failed in this server") != NULL;
}

/* With each of its allocations failing once the answer is whole, or one that says what failed. */
static void answer_try(wa_endpoint_fn endpoint, const char *body)
{
    unsigned refusals = 0;

    full_endpoint = endpoint;
    full_body = body;
    for (full_at = 1;; full_at++) {
        apr_pool_t *p = memory_pool();
        int has_died;

        memset(shared, 0, sizeof(*shared));
        has_died = memory_child(full_child, p, body, full_at);
        apr_pool_destroy(p);
        if (has_died) {
            continue; /* as httpd ends a child whose pools find no memory */
        }
        assert_int_equal(shared->is_fallback + shared->is_whole + shared->is_internal, 1);
        if (shared->seen < full_at) {
            assert_true(shared->is_whole);
            break;
        }
        refusals += !shared->is_whole;
    }
    assert_true(refusals > 0);
}

static void test_a_heap_that_is_full(void **state)
{
    (void)state;
    shared = memory_shared(sizeof(*shared));
    answer_try(error_make, "{\"success\":false,\"error\":\"No.\",\"code\":\"NOT_FOUND\"}");
    answer_try(object_make, "{\"success\":true,\"text\":\"\\\"\\\\\\n\xef\xbf\xbd\"}");
    answer_try(entry_make, "{\"success\":true}");
    munmap(shared, sizeof(*shared));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_TEST(test_each_status_is_its_error),
        POOL_TEST(test_each_error_has_its_status_and_code),
        POOL_TEST(test_a_sentence_ends_like_one),
        POOL_TEST(test_an_error_with_what_was_stored),
        POOL_TEST(test_answers_of_success),
        POOL_TEST(test_an_answer_that_memory_ran_out_of),
        POOL_TEST(test_a_heap_that_is_full),
    };

    return cmocka_run_group_tests(tests, apr_setup, apr_teardown);
}
