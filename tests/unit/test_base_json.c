/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of JSON parsing within its bounds, and of escaping against jansson and the UTF-8 rules. */
#include "test_base.h"

#include <apr_strings.h>

#include "base/json.h"
#include "base/json_write.h"
#include "base/text.h"

/* ---- parsing ---- */

static apr_status_t parse(const char *text, size_t len, json_t **pj, const char **perror,
                          apr_pool_t *p)
{
    char *body = exact_copy(text, len);
    apr_status_t rv = wa_json_parse(pj, body, len, perror, p);

    memset(body, 'x', len); /* nothing may point into it */
    free(body);
    return rv;
}

static void test_valid_bodies(void **state)
{
    static const char *const bodies[] = {
        "{}",
        "[]",
        " \t\r\n{ } \n",
        "{\"a\":1,\"b\":[true,false,null],\"c\":{\"a\":-1.5e3}}",
        "{\"a\":{\"x\":1},\"b\":{\"x\":2}}",
        "[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\"]",
        "[\"\\ud83d\\ude00\"]",
        "[\"\\uD83D\\uDE00x\\\\ud800\"]", /* a backslash and then no escape */
        "[\"\\u0001\\u0010\\u0100\\u1000\"]",
        "[\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[{{{{\"]",
        "[\"\\\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\\\"]",
        ("[[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],["
         "],"
         "[],[],[],[],[],[]]"),
        "[9223372036854775807,-9223372036854775808,1e308]",
        "[\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"]",
    };
    size_t i;

    for (i = 0; i < COUNT(bodies); i++) {
        const char *error = "before";
        json_t *j = NULL;

        assert_int_equal(parse(bodies[i], strlen(bodies[i]), &j, &error, *state), APR_SUCCESS);
        assert_non_null(j);
        assert_null(error);
    }
}

static void test_values_are_right(void **state)
{
    static const char body[] =
        "{\"phoneNumber\":\"+15551230001\",\"message\":\"a\\ud83d\\ude00\\n\",\"n\":42}";
    json_t *j;

    assert_int_equal(parse(body, sizeof(body) - 1, &j, NULL, *state), APR_SUCCESS);
    assert_string_equal(json_string_value(json_object_get(j, "phoneNumber")), "+15551230001");
    assert_string_equal(json_string_value(json_object_get(j, "message")), "a\xf0\x9f\x98\x80\n");
    assert_int_equal(json_integer_value(json_object_get(j, "n")), 42);
}

static void test_refused_bodies(void **state)
{
    static const struct {
        const char *body;
        const char *says;
    } cases[] = {
        {"", "it is empty"},
        {" ", "it ends too early"},
        {"{", "it ends too early (line 1, byte 2)"},
        {"[1,\n2,", "it ends too early (line 2, byte 3)"},
        {"{\"a", "it ends too early"},
        {"[\"\\", "syntax error"},
        {"[\"\\u00", "syntax error"},
        {"[\"\\ud83d\\", "half of a surrogate pair"},
        {"{\"a\":1}x", "something follows its end"},
        {"{}{}", "something follows its end"},
        {"[1]]", "something follows its end"},
        {"{\"a\":1,\"b\":2,\"a\":3}", "twice"},
        {"[{\"a\":{\"x\":1,\"x\":2}}]", "twice"},
        {"{\"a\":1,\"\\u0061\":3}", "twice"},
        {"{a:1}", "syntax error"},
        {"{'a':1}", "syntax error"},
        {"[1,]", "syntax error"},
        {"[01]", "syntax error"},
        {"[+1]", "syntax error"},
        {"[NaN]", "syntax error"},
        {"[1 2]", "syntax error"},
        {"]", "syntax error"},
        {"[}", "syntax error"},
        {"\"text\"", "syntax error"},
        {"42", "syntax error"},
        {"null", "syntax error"},
        {"[\"a\nb\"]", "syntax error"},
        {"[\"\\x41\"]", "syntax error"},
        {"[\"\\u00zz\"]", "syntax error"},
        {"// note\n[]", "syntax error"},
        {"[\"\\u0000\"]", "\\u0000 is not allowed (line 1, byte 3)"},
        {"{\"a\\u0000b\":1}", "\\u0000 is not allowed"},
        {"[\"\\ud800\"]", "half of a surrogate pair (line 1, byte 3)"},
        {"[\n\"ab\\udc00\"]", "half of a surrogate pair (line 2, byte 4)"},
        {"[\"\\ud83d\\ud83d\"]", "half of a surrogate pair"},
        {"[\"\\ud83d\\n\"]", "half of a surrogate pair"},
        {"[\"\\ude00\\ud83d\"]", "half of a surrogate pair"},
        {"[\"\\ud83dx\\ude00\"]", "half of a surrogate pair"},
        {"{\"\\ud800\":1}", "half of a surrogate pair"},
        {"[\"\xff\"]", "not valid UTF-8"},
        {"[\"\xed\xa0\x80\"]", "not valid UTF-8"},
        {"[\"\xc3\"]", "not valid UTF-8"},
        {"[9223372036854775808]", "a number is too large"},
        {"[1e400]", "a number is too large"},
    };
    size_t i;

    for (i = 0; i < COUNT(cases); i++) {
        const char *error = NULL;
        json_t *j = (json_t *)&cases;

        assert_int_equal(parse(cases[i].body, strlen(cases[i].body), &j, &error, *state),
                         APR_EINVAL);
        assert_null(j);
        assert_non_null(error);
        if (!strstr(error, cases[i].says)) {
            fail_msg("%s: says '%s', not '%s'", cases[i].body, error, cases[i].says);
        }
        assert_int_equal(strncmp(error, "The body is not valid JSON: ", 28), 0);
        assert_int_equal(parse(cases[i].body, strlen(cases[i].body), &j, NULL, *state), APR_EINVAL);
    }
}

static void test_a_nul_byte_is_refused_anywhere(void **state)
{
    static const char body[] = "{\"ab\":[1,\"cd\"]}";
    size_t at;

    for (at = 0; at < sizeof(body); at++) { /* also after the end */
        char text[sizeof(body)];
        json_t *j;

        memcpy(text, body, sizeof(body));
        text[sizeof(body) - 1] = ' ';
        text[at] = '\0';
        assert_int_equal(parse(text, sizeof(text), &j, NULL, *state), APR_EINVAL);
    }
}

static void test_every_shorter_body_is_refused(void **state)
{
    static const char body[] =
        "{\"phoneNumber\":\"+1555\",\"message\":\"\\ud83d\\ude00 \xc3\xa4\\n\",\"n\":[1.5e3]}";
    size_t len;
    json_t *j;

    for (len = 0; len < sizeof(body) - 1; len++) {
        assert_int_equal(parse(body, len, &j, NULL, *state), APR_EINVAL);
    }
    assert_int_equal(parse(body, len, &j, NULL, *state), APR_SUCCESS);
}

static void test_nesting_is_bounded(void **state)
{
    int depth, as_object;

    for (as_object = 0; as_object < 2; as_object++) {
        for (depth = 30; depth <= 34; depth++) {
            const char *open = as_object ? "{\"a\":" : "[";
            char text[400] = "";
            const char *error;
            apr_status_t rv;
            json_t *j;
            int i;

            for (i = 0; i < depth; i++) {
                strcat(text, i == depth - 1 && as_object ? "{" : open);
            }
            for (i = 0; i < depth; i++) {
                strcat(text, as_object ? "}" : "]");
            }
            rv = parse(text, strlen(text), &j, &error, *state);
            assert_int_equal(rv, depth <= 32 ? APR_SUCCESS : APR_EINVAL);
            if (rv != APR_SUCCESS) {
                assert_non_null(strstr(error, "it nests deeper than 32 levels"));
            }
        }
    }
}

static void test_a_hostile_body_costs_one_pass(void **state)
{
    static const char *const patterns[] = {"[",  "\\", "\"", "{\"a\":", "[\"\\ud83d\\ude00\"],",
                                           "\n", "]"};
    size_t len = 1 << 20, i, at;
    char *body = malloc(len);
    json_t *j;

    assert_non_null(body);
    for (i = 0; i < COUNT(patterns); i++) {
        for (at = 0; at < len; at++) {
            body[at] = patterns[i][at % strlen(patterns[i])];
        }
        assert_int_equal(wa_json_parse(&j, body, len, NULL, *state), APR_EINVAL);
    }
    memset(body, 'a', len); /* one long string */
    memcpy(body, "[\"", 2);
    memcpy(body + len - 2, "\"]", 2);
    assert_int_equal(wa_json_parse(&j, body, len, NULL, *state), APR_SUCCESS);
    assert_int_equal(json_string_length(json_array_get(j, 0)), len - 4);
    free(body);
}

static void test_a_sentence_quotes_nothing(void **state)
{
    static const char *const bodies[] = {"{\"hunter2\"", "{\"hunter2\":1,\"hunter2\":2}",
                                         "[hunter2]",    "[\"hunter2\\ud800\"]",
                                         "[1]hunter2",   "[\"hunter2\n\"]"};
    size_t i;

    for (i = 0; i < COUNT(bodies); i++) {
        const char *error;
        json_t *j;

        assert_int_equal(parse(bodies[i], strlen(bodies[i]), &j, &error, *state), APR_EINVAL);
        assert_null(strstr(error, "hunter2"));
    }
}

static void test_the_value_goes_with_the_pool(void **state)
{
    apr_pool_t *child;
    json_t *parsed, *made = json_string("made");

    assert_int_equal(apr_pool_create(&child, *state), APR_SUCCESS);
    assert_int_equal(wa_json_parse(&parsed, "[1]", 3, NULL, child), APR_SUCCESS);
    wa_json_own(NULL, child);
    wa_json_own(json_incref(made), child);
    json_incref(parsed);
    assert_int_equal(parsed->refcount, 2);
    assert_int_equal(made->refcount, 2);
    apr_pool_destroy(child);
    assert_int_equal(parsed->refcount, 1);
    assert_int_equal(made->refcount, 1);
    json_decref(parsed);
    json_decref(made);
}

/* ---- writing ---- */

/* What the escaped text must mean: the bytes with each invalid part as U+FFFD. */
static size_t repair(const char *s, size_t len, char *to)
{
    size_t at = 0, written = 0, used;

    while (at < len) {
        if (wa_text_char(s + at, len - at, &used)) {
            memcpy(to + written, s + at, used);
            written += used;
        } else {
            memcpy(to + written, "\xef\xbf\xbd", 3);
            written += 3;
        }
        at += used;
    }
    return written;
}

/* Escapes in both ways and reads the result with jansson. */
static void assert_means_the_same(const char *s, size_t len)
{
    char *copy = exact_copy(s, len);
    char *meant = malloc(3 * len + 1);
    size_t meant_len;
    wa_buffer_t b, inside;
    json_t *j;

    assert_non_null(meant);
    meant_len = repair(s, len, meant);
    wa_buffer_init(&b, 0);
    wa_buffer_init(&inside, 0);
    wa_buffer_add_json_string(&b, wa_slice_make(copy, len));
    wa_buffer_add_json(&inside, copy, len);
    assert_int_equal(b.len, inside.len + 2);
    if (inside.len > 0) {
        assert_memory_equal(b.data + 1, inside.data, inside.len);
    }
    j = json_loadb(b.data, b.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    assert_non_null(j);
    assert_int_equal(json_string_length(j), meant_len);
    if (meant_len > 0) {
        assert_memory_equal(json_string_value(j), meant, meant_len);
    }
    json_decref(j);
    wa_buffer_release(&b);
    wa_buffer_release(&inside);
    free(meant);
    free(copy);
}

static void assert_escapes(const char *s, size_t len, const char *expected)
{
    wa_buffer_t b;

    wa_buffer_init(&b, 0);
    wa_buffer_add_json(&b, s, len);
    assert_int_equal(b.len, strlen(expected));
    if (b.len > 0) {
        assert_memory_equal(b.data, expected, b.len);
    }
    wa_buffer_release(&b);
}

static void test_escapes(void **state)
{
    static const char plain[] = "just text /, that needs nothing: \x7f\xc3\xa4\xe2\x80\xa8";

    (void)state;
    assert_escapes("", 0, "");
    assert_escapes(NULL, 0, "");
    assert_escapes("\"\\\b\f\n\r\t", 7, "\\\"\\\\\\b\\f\\n\\r\\t");
    assert_escapes("\0\x01\x0b\x1f", 4, "\\u0000\\u0001\\u000b\\u001f");
    assert_escapes("say \"hi\" to everyone here", 25, "say \\\"hi\\\" to everyone here");
    assert_escapes("\xff", 1, "\xef\xbf\xbd");
    assert_escapes("a\xc3", 2, "a\xef\xbf\xbd");
    assert_escapes("\xed\xa0\x80", 3, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
    assert_escapes("\xe2\x82\"", 3, "\xef\xbf\xbd\\\"");
    assert_escapes(plain, sizeof(plain) - 1, plain);
}

static void test_every_code_point_survives(void **state)
{
    char text[64 * 4];
    uint32_t cp;
    size_t len = 0;

    (void)state;
    for (cp = 0; cp < 0x110000; cp++) {
        len += encode_utf8(cp, text + len);
        if (cp % 64 == 63) { /* surrogates too: three bytes, each replaced */
            assert_means_the_same(text, len);
            len = 0;
        }
    }
}

/* The fast path looks at 8 bytes at once: what needs an escape must be seen at every place. */
static void test_every_byte_at_every_place(void **state)
{
    char text[25];
    size_t len, at;
    int byte;

    (void)state;
    for (byte = 0; byte < 256; byte++) {
        for (len = 1; len <= sizeof(text); len++) {
            for (at = 0; at < len; at++) {
                memset(text, 'a', sizeof(text));
                text[at] = (char)byte;
                assert_means_the_same(text, len);
            }
        }
    }
}

static void test_random_bytes(void **state)
{
    static const char alphabet[] = "abc\"\\\n\x01\x00\x80\xbf\xc3\xe2\xf0\x9f\xed\xff";
    uint64_t seed = 5;
    int round;

    (void)state;
    for (round = 0; round < 20000; round++) {
        char text[48];
        size_t len = next_random(&seed) % sizeof(text), i;

        for (i = 0; i < len; i++) {
            text[i] = alphabet[next_random(&seed) % (sizeof(alphabet) - 1)];
        }
        assert_means_the_same(text, len);
    }
}

/* Commas and brackets come out right however values stand in each other. */
static void test_the_writer(void **state)
{
    wa_buffer_t b;
    wa_json_writer_t w = WA_JSON_WRITER(&b);

    (void)state;
    wa_buffer_init(&b, 0);
    wa_json_object_begin(&w);
    WA_JSON_STRING(&w, "a", WA_SLICE_LITERAL("x\"y"));
    WA_JSON_NAME(&w, "list");
    wa_json_array_begin(&w);
    wa_json_object_begin(&w);
    wa_json_object_end(&w);
    wa_json_array_begin(&w);
    wa_json_array_end(&w);
    wa_json_int(&w, -1);
    wa_json_string(&w, wa_slice_make(NULL, 0));
    wa_json_array_end(&w);
    WA_JSON_INT(&w, "n", INT64_MIN);
    WA_JSON_BOOL(&w, "yes", 2);
    WA_JSON_BOOL(&w, "no", 0);
    wa_json_name(&w, "odd\nname");
    wa_json_object_begin(&w);
    WA_JSON_INT(&w, "m", 1);
    wa_json_object_end(&w);
    wa_json_raw(&w, WA_SLICE_LITERAL("\"raw\":[1]"));
    wa_json_object_end(&w);
    wa_json_object_reopen(&w);
    WA_JSON_INT(&w, "late", 3);
    wa_json_object_end(&w);
    wa_buffer_add(&b, "", 1);
    assert_string_equal(b.data, "{\"a\":\"x\\\"y\",\"list\":[{},[],-1,\"\"],"
                                "\"n\":-9223372036854775808,\"yes\":true,\"no\":false,"
                                "\"odd\\nname\":{\"m\":1},\"raw\":[1],\"late\":3}");
    wa_buffer_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_TEST(test_valid_bodies),
        POOL_TEST(test_values_are_right),
        POOL_TEST(test_refused_bodies),
        POOL_TEST(test_a_nul_byte_is_refused_anywhere),
        POOL_TEST(test_every_shorter_body_is_refused),
        POOL_TEST(test_nesting_is_bounded),
        POOL_TEST(test_a_hostile_body_costs_one_pass),
        POOL_TEST(test_a_sentence_quotes_nothing),
        POOL_TEST(test_the_value_goes_with_the_pool),
        POOL_TEST(test_escapes),
        POOL_TEST(test_every_code_point_survives),
        POOL_TEST(test_every_byte_at_every_place),
        POOL_TEST(test_random_bytes),
        POOL_TEST(test_the_writer),
    };

    return cmocka_run_group_tests(tests, apr_setup, apr_teardown);
}
