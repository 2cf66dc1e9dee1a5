/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of what a query may hold: numbers at their bounds, members given twice, plus signs, NUL. */
#include "api_support.h"

#include "api/query.h"
#include "api/reply.h"

/* ---- the module under test, called at this one place ---- */

typedef struct member_t {
    const char *name;
    const wa_query_range_t *range; /* it is a number; NULL: text */
    int is_counterpart;
} member_t;

typedef struct value_t {
    int is_given;
    const char *text; /* with its NULs as "\\0" */
    apr_int64_t number;
} value_t;

static const member_t *wanted;
static value_t *found;

static const char *escaped(wa_slice_t s, apr_pool_t *p)
{
    char *text = apr_pcalloc(p, 2 * s.len + 1), *to = text;
    apr_size_t i;

    for (i = 0; i < s.len; i++) {
        if (!s.ptr[i]) {
            *to++ = '\\';
        }
        *to++ = s.ptr[i] ? s.ptr[i] : '0';
    }
    return text;
}

static int member_read(wa_query_t *query, wa_request_t *q)
{
    apr_pool_t *p = found ? apr_pool_parent_get(q->r->pool) : NULL;
    const char *counterpart;
    wa_slice_t text;

    if (!wa_query_read(query, q)) {
        return 0;
    }
    if (wanted->range) {
        return wa_query_number(query, wanted->name, wanted->range, &found->number);
    }
    if (!wa_query_text(query, wanted->name, &text, &found->is_given)) {
        return 0;
    }
    found->text = escaped(text, p);
    if (!wanted->is_counterpart) {
        return 1;
    }
    if (!wa_query_counterpart(q, text, &counterpart, &query->result)) {
        return 0;
    }
    found->text = apr_pstrdup(p, counterpart);
    return 1;
}

/* An endpoint that reads the member. */
static int endpoint(wa_request_t *q)
{
    wa_query_t query;
    wa_reply_t reply;

    if (!member_read(&query, q)) {
        return query.result;
    }
    wa_reply_begin(&reply, q, 16);
    return wa_reply_end(&reply, APR_SUCCESS, NULL);
}

/* ---- asking ---- */

static api_answer_t query_ask(api_t *api, const member_t *member, const char *query, value_t *value)
{
    wanted = member;
    found = value;
    return api_get(api, endpoint, query ? apr_pstrcat(api->world.p, "/x?", query, NULL) : "/x");
}

#define NOT_GIVEN (-77)

/* @return the number, NOT_GIVEN when it stayed what it was */
static apr_int64_t number_of(api_t *api, const wa_query_range_t *range, const char *query)
{
    const member_t member = {.name = "n", .range = range};
    value_t value = {.number = NOT_GIVEN};
    const api_answer_t answer = query_ask(api, &member, query, &value);

    if (answer.status != HTTP_OK) {
        fail_msg("%s: %s", query, answer.body);
    }
    return value.number;
}

static void assert_number_refused(api_t *api, const wa_query_range_t *range, const char *query,
                                  const char *sentence)
{
    const member_t member = {.name = "n", .range = range};
    value_t value = {.number = NOT_GIVEN};
    const api_answer_t answer = query_ask(api, &member, query, &value);

    if (answer.status == HTTP_OK) {
        fail_msg("%s is taken as %d", query, (int)value.number);
    }
    assert_error(&answer, HTTP_BAD_REQUEST, "INVALID_INPUT", sentence);
    assert_int_equal(value.number, NOT_GIVEN);
}

static const char *text_given(api_t *api, const char *query)
{
    const member_t member = {.name = "n"};
    value_t value = {0};
    const api_answer_t answer = query_ask(api, &member, query, &value);

    assert_answer(&answer, "{\"success\":true}");
    assert_true(value.is_given || !*value.text);
    return value.is_given ? value.text : NULL;
}

static void assert_twice(api_t *api, const char *query)
{
    const member_t member = {.name = "n"};
    value_t value = {0};
    const api_answer_t answer = query_ask(api, &member, query, &value);

    assert_error(&answer, HTTP_BAD_REQUEST, "INVALID_INPUT", "n is given twice.");
}

/* ---- numbers ---- */

#define FROM_1_TO_200 "n must be a whole number from 1 to 200."

static void test_numbers_at_their_bounds(void **state)
{
    static const wa_query_range_t range = {.min = 1, .max = 200};
    static const wa_query_range_t capped = {.min = 1, .max = 200, .is_capped = 1};
    static const char *const over[] = {"n=201",
                                       "n=2000",
                                       "n=9223372036854775807",
                                       "n=9223372036854775808",
                                       "n=18446744073709551617", /* 1, where 64 bits overflow */
                                       "n=4294967297",           /* 1, where 32 bits do */
                                       "n=99999999999999999999999999999999999999999999999999999"};
    api_t api;
    size_t i;

    api_init(&api, *state);
    assert_int_equal(number_of(&api, &range, "n=1"), 1);
    assert_int_equal(number_of(&api, &range, "n=200"), 200);
    assert_int_equal(number_of(&api, &range, "n=007"), 7);
    assert_int_equal(number_of(&api, &range, "n=000000000000000000000000000000000000012"), 12);
    assert_number_refused(&api, &range, "n=0", FROM_1_TO_200);
    assert_number_refused(&api, &capped, "n=0", FROM_1_TO_200);
    assert_number_refused(&api, &capped, "n=000", FROM_1_TO_200);
    for (i = 0; i < COUNT(over); i++) {
        assert_number_refused(&api, &range, over[i], FROM_1_TO_200);
        assert_int_equal(number_of(&api, &capped, over[i]), 200);
    }
}

/* The largest number that JavaScript has exactly: since. */
static void test_large_numbers_are_exact(void **state)
{
    static const wa_query_range_t range = {.min = 0, .max = INT64_C(9007199254740991)};
    api_t api;

    api_init(&api, *state);
    assert_true(number_of(&api, &range, "n=9007199254740991") == INT64_C(9007199254740991));
    assert_true(number_of(&api, &range, "n=9007199254740990") == INT64_C(9007199254740990));
    assert_true(number_of(&api, &range, "n=0") == 0);
    assert_number_refused(&api, &range, "n=9007199254740992",
                          "n must be a whole number from 0 to 9007199254740991.");
    assert_number_refused(&api, &range, "n=90071992547409910", NULL);
}

static void test_what_is_no_number(void **state)
{
    static const char *const queries[] = {"n",         "n=",
                                          "n=+",       "n=%20",
                                          "n=-1",      "n=-0",
                                          "n=+1",      "n=%2B1",
                                          "n=1+",      "n=%201",
                                          "n=1%00",    "n=%001",
                                          "n=%00",     "n=1.0",
                                          "n=1e1",     "n=0x1",
                                          "n=1,0",     "n=one",
                                          "n=1/",      "n=1:",
                                          "n=1%0A",    "n=1%09",
                                          "n=1=1",     "n==1",
                                          "n=%31%",    "n=%D9%A1" /* an Arabic one */,
                                          "n=1%C2%A0", "n=null",
                                          "n=true",    "n=9999999999999999999x"};
    static const wa_query_range_t ranges[] = {{.min = 1, .max = 200},
                                              {.min = 1, .max = 200, .is_capped = 1},
                                              {.min = 1, .max = 200, .is_needed = 1}};
    api_t api;
    size_t i, k;

    api_init(&api, *state);
    for (i = 0; i < COUNT(queries); i++) {
        for (k = 0; k < COUNT(ranges); k++) {
            assert_number_refused(&api, &ranges[k], queries[i], FROM_1_TO_200);
        }
    }
    /* nor where 0 is one */
    assert_number_refused(&api, &(wa_query_range_t){.min = 0, .max = 5}, "n=", NULL);
    assert_number_refused(&api, &(wa_query_range_t){.min = 0, .max = 5}, "n=x", NULL);
    assert_int_equal(number_of(&api, &ranges[0], "n=%31%32"), 12);
}

static void test_a_number_that_is_not_there(void **state)
{
    static const wa_query_range_t free_range = {.min = 1, .max = 200};
    static const wa_query_range_t needed = {.min = 1, .max = 200, .is_needed = 1};
    static const char *const queries[] = {NULL,   "",     "&",      "m=1",  "N=1",   "nn=1",
                                          "n+=1", "+n=1", "%00n=1", "=n=1", "n%00=1"};
    api_t api;
    size_t i;

    api_init(&api, *state);
    for (i = 0; i < COUNT(queries); i++) {
        assert_int_equal(number_of(&api, &free_range, queries[i]), NOT_GIVEN);
        assert_number_refused(&api, &needed, queries[i], FROM_1_TO_200);
    }
    assert_number_refused(&api, &free_range, "n=1&n=1", "n is given twice.");
    assert_number_refused(&api, &needed, "n=1&m=2&n=3", "n is given twice.");
    assert_number_refused(&api, &free_range, "n&n", "n is given twice.");
}

/* ---- text ---- */

static void test_text_is_what_it_decodes_to(void **state)
{
    static const struct {
        const char *query, *text;
    } cases[] = {
        {NULL, NULL},
        {"", NULL},
        {"m=x", NULL},
        {"N=x", NULL},
        {"nn=x", NULL},
        {"m=n=x", NULL},
        {"m=n%26n=x", NULL},
        {"n", ""},
        {"n=", ""},
        {"n=&m=1", ""},
        {"m=1&&n=x&", "x"},
        {"n=a=b", "a=b"},
        {"n=+a+", " a "},
        {"n=%2B%2b", "++"},
        {"n=%26%3D%25", "&=%"},
        {"n=%", "%"},
        {"n=%4", "%4"},
        {"n=%zz%41", "%zzA"},
        {"n=a%00b%00", "a\\0b\\0"},
        {"n=%00", "\\0"},
        {"%6E=x", "x"},
        {"n=?x", "?x"},
        {"n=%c3%A9\xff", "\xc3\xa9\xff"},
        {"unknown=1&unknown=2&n=x", "x"},
    };
    api_t api;
    size_t i;

    api_init(&api, *state);
    for (i = 0; i < COUNT(cases); i++) {
        const char *text = text_given(&api, cases[i].query);

        if (!cases[i].text) {
            assert_null(text);
        } else {
            assert_non_null(text);
            assert_string_equal(text, cases[i].text);
        }
    }
    assert_twice(&api, "n=x&n=x");
    assert_twice(&api, "n&n");
    assert_twice(&api, "n=&m=1&%6e=y");
    assert_twice(&api, "n=1&n=2&n=3");
}

static const char *members(int count, const char *last, apr_pool_t *p)
{
    wa_buffer_t b;
    const char *query;
    int i;

    wa_buffer_init(&b, 0);
    for (i = 1; i < count; i++) {
        WA_BUFFER_ADD_LITERAL(&b, "m=1&");
    }
    wa_buffer_add_slice(&b, wa_slice_of(last));
    query = apr_pstrmemdup(p, b.data, b.len);
    wa_buffer_release(&b);
    return query;
}

static void test_a_query_has_at_most_64_members(void **state)
{
    static const int over[] = {65, 66, 1000};
    const member_t member = {.name = "n"};
    value_t value = {0};
    api_t api;
    size_t i;

    api_init(&api, *state);
    assert_string_equal(text_given(&api, members(64, "n=last", *state)), "last");
    for (i = 0; i < COUNT(over); i++) {
        const api_answer_t answer =
            query_ask(&api, &member, members(over[i], "n=last", *state), &value);

        assert_error(&answer, HTTP_BAD_REQUEST, "INVALID_INPUT", "The query has too many members.");
        assert_null(value.text);
    }
}

/* ---- counterparts ---- */

static const member_t counterpart_member = {.name = "counterpart", .is_counterpart = 1};

static void counterpart_try(api_t *api, const char *query, const char *counterpart)
{
    value_t value = {0};
    const api_answer_t answer = query_ask(
        api, &counterpart_member, apr_pstrcat(api->world.p, "counterpart=", query, NULL), &value);

    if (!counterpart) {
        if (answer.status == HTTP_OK) {
            fail_msg("%s is taken as %s", query, value.text);
        }
        assert_error(&answer, HTTP_BAD_REQUEST, "INVALID_INPUT", "counterpart must be ");
        return;
    }
    if (answer.status != HTTP_OK) {
        fail_msg("%s: %s", query, answer.body);
    }
    assert_string_equal(value.text, counterpart);
}

static void test_a_plus_that_came_as_a_space_is_put_back(void **state)
{
    static const struct {
        const char *query, *counterpart;
    } cases[] = {
        {"+15551230001", "+15551230001"},
        {"%2B15551230001", "+15551230001"},
        {"%2015551230001", "+15551230001"},
        {"whatsapp:+15551230001", "+15551230001"},
        {"whatsapp%3A%2B15551230001", "+15551230001"},
        {"whatsapp:%2015551230001", "+15551230001"},
        {"%2B1+(555)+123-0001", "+15551230001"},
        {"+1+555+123+0001", "+15551230001"},
        {"+1", NULL}, /* one digit is no number */
        {"15551230001", NULL},
        {"whatsapp:15551230001", NULL},
        {"++15551230001", "+15551230001"}, /* the second is a space, which people type */
        {"%2B+15551230001", "+15551230001"},
        {"+++15551230001", "+15551230001"},
        {"%20%2B15551230001", "+15551230001"},
        {"+%2B15551230001", "+15551230001"},
        {"x+15551230001", NULL},
        {"Whatsapp:+15551230001", "+15551230001"},
        {"%E2%80%AD+44+(0)20+7946+0958%E2%80%AC", "+442079460958"},
        {"%E2%80%AD%2B44%207700%C2%A0900%E2%80%91123", "+447700900123"},
        {"tel:+44-20-7946-0958;ext=1", NULL},
        {"+44+20+(0)+7946", NULL},
        {"", NULL},
        {"+", NULL},
        {"whatsapp:", NULL},
        {"whatsapp:+", NULL},
        {"+0123", NULL},
        {"+1555123000112345", NULL},
        {"+15551230001%00", NULL},
        {"%00+15551230001", NULL},
        {"+15551230001x", NULL},
    };
    api_t api;
    size_t i;

    api_init(&api, *state);
    for (i = 0; i < COUNT(cases); i++) {
        counterpart_try(&api, cases[i].query, cases[i].counterpart);
    }
}

/* Twilio knows people by other names, too: those of threads that there are. */
static void test_the_counterpart_of_a_thread_is_taken_as_it_is(void **state)
{
    api_t api;

    api_init(&api, *state);
    counterpart_try(&api, "US.1234567890", NULL);
    assert_calls(&api, "thread_version(US.1234567890)");
    api.store->thread_version = 1;
    counterpart_try(&api, "US.1234567890", "US.1234567890");
    counterpart_try(&api, "+US.1", "+US.1");
    counterpart_try(&api, "US+1", "US 1"); /* a space stays one but for the first */
    counterpart_try(&api, "%FF", NULL);
    counterpart_try(&api, "US%00", NULL);
    counterpart_try(&api, "", NULL);
    canned_calls_take(api.store);
    counterpart_try(&api, "+15551230001", "+15551230001");
    assert_calls(&api, ""); /* a number needs no thread */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_TEST(test_numbers_at_their_bounds),
        POOL_TEST(test_large_numbers_are_exact),
        POOL_TEST(test_what_is_no_number),
        POOL_TEST(test_a_number_that_is_not_there),
        POOL_TEST(test_text_is_what_it_decodes_to),
        POOL_TEST(test_a_query_has_at_most_64_members),
        POOL_TEST(test_a_plus_that_came_as_a_space_is_put_back),
        POOL_TEST(test_the_counterpart_of_a_thread_is_taken_as_it_is),
    };

    return cmocka_run_group_tests(tests, apr_setup, apr_teardown);
}
