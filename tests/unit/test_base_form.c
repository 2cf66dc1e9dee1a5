/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the form parser against a slow one written from the rule. */
#include "test_base.h"

#include <stdio.h>

#include "base/form.h"

#define FIELDS_MAX 1000

/* Decodes one byte at a time with the C library. @return the length written to `to` */
static size_t decode_by_rule(const char *s, size_t len, char *to)
{
    size_t at, written = 0;

    for (at = 0; at < len; at++) {
        if (s[at] == '%' && at + 2 < len && strchr("0123456789abcdefABCDEF", s[at + 1]) && s[at + 1]
            && strchr("0123456789abcdefABCDEF", s[at + 2]) && s[at + 2]) {
            char digits[3] = {s[at + 1], s[at + 2], '\0'};

            to[written++] = (char)strtol(digits, NULL, 16);
            at += 2;
        } else {
            to[written++] = s[at] == '+' ? ' ' : s[at];
        }
    }
    return written;
}

static void assert_decodes(wa_slice_t slice, const char *raw, size_t raw_len)
{
    char *expected = malloc(raw_len + 1);
    size_t len;

    assert_non_null(expected);
    len = decode_by_rule(raw, raw_len, expected);
    assert_int_equal(slice.len, len);
    if (len > 0) {
        assert_memory_equal(slice.ptr, expected, len);
    }
    free(expected);
}

/* Splits by hand and compares every field. @return how many there were */
static size_t assert_parses(const char *text, size_t len, apr_pool_t *p)
{
    char *body = exact_copy(text, len);
    wa_form_t *form = NULL;
    size_t start, end, found = 0;

    assert_int_equal(wa_form_parse(&form, body, len, FIELDS_MAX, p), APR_SUCCESS);
    assert_non_null(form);
    for (start = 0; start < len; start = end + 1) {
        size_t equals;

        for (end = start; end < len && text[end] != '&'; end++) {
        }
        if (end == start) {
            continue;
        }
        for (equals = start; equals < end && text[equals] != '='; equals++) {
        }
        assert_true(found < form->count);
        assert_decodes(form->fields[found].name, text + start, equals - start);
        assert_decodes(form->fields[found].value, text + equals + 1,
                       equals < end ? end - equals - 1 : 0);
        found++;
    }
    assert_int_equal(form->count, found);
    free(body);
    return found;
}

static void test_fields(void **state)
{
    static const struct {
        const char *body;
        size_t count;
    } cases[] = {
        {"", 0},
        {"&", 0},
        {"&&&", 0},
        {"a", 1},
        {"=", 1},
        {"==", 1},
        {"=v", 1},
        {"a=", 1},
        {"a=b", 1},
        {"a=b=c", 1},
        {"a=b&a=c&A=d", 3},
        {"&a=b&&c=d&", 2},
        {"Body=Hi%20there+you%21&From=whatsapp%3A%2B15551230001", 2},
        {"a%3Db=c%26d", 1},
        {"a;b=c;d", 1},
        {"%41=%42", 1},
        {"a=%", 1},
        {"a=%4", 1},
        {"a=%4&b=%4", 2},
        {"a=%zz%4g%g4", 1},
        {"a=%%41", 1},
        {"a=%+41", 1},
        {"a=%2541", 1},
        {"a=%ff%FE%c3%28", 1},
        {"a=%00b%0a", 1},
        {"+=+", 1},
        {"a=\xc3\xa4\xff", 1},
        {" a = b ", 1},
        {"%", 1},
        {"%4", 1},
    };
    size_t i;

    for (i = 0; i < COUNT(cases); i++) {
        assert_int_equal(assert_parses(cases[i].body, strlen(cases[i].body), *state),
                         cases[i].count);
    }
    assert_int_equal(assert_parses("a\0b=c\0&d", 8, *state),
                     2); /* a NUL is a byte like any other */
}

static void test_random_bodies(void **state)
{
    static const char alphabet[] = "ab=&&%+4cF\0\xff";
    uint64_t seed = 99;
    apr_pool_t *p = *state;
    int round;

    for (round = 0; round < 20000; round++) {
        char body[40];
        size_t len = next_random(&seed) % sizeof(body), i;

        for (i = 0; i < len; i++) {
            body[i] = alphabet[next_random(&seed) % (sizeof(alphabet) - 1)];
        }
        (void)assert_parses(body, len, p);
        apr_pool_clear(p);
    }
}

static void test_plain_text_is_not_copied(void **state)
{
    static const char body[] = "name=value&x=a+b&other=thing";
    wa_form_t *form;

    assert_int_equal(wa_form_parse(&form, body, sizeof(body) - 1, 10, *state), APR_SUCCESS);
    assert_int_equal(form->count, 3);
    assert_ptr_equal(form->fields[0].name.ptr, body);
    assert_ptr_equal(form->fields[0].value.ptr, body + 5);
    assert_ptr_equal(form->fields[1].name.ptr, body + 11);
    assert_ptr_not_equal(form->fields[1].value.ptr, body + 13);
    assert_ptr_equal(form->fields[2].value.ptr, body + 23);
}

/* Decoded fields share one block, which must be long enough for all: later ones may not run into
 * what follows it. */
static void test_decoded_fields_do_not_touch(void **state)
{
    static const char body[] = "plain=1&a=x+y&b+c=%41%42%43&d=+++++++++++++++++++++++++++++++";
    wa_form_t *form;
    char *after;

    assert_int_equal(wa_form_parse(&form, body, sizeof(body) - 1, 10, *state), APR_SUCCESS);
    after = apr_pcalloc(*state, 8);
    assert_memory_equal(form->fields[1].value.ptr, "x y", 3);
    assert_memory_equal(form->fields[2].name.ptr, "b c", 3);
    assert_memory_equal(form->fields[2].value.ptr, "ABC", 3);
    assert_memory_equal(form->fields[3].value.ptr, "                               ", 31);
    assert_true(form->fields[3].value.ptr + 31 <= after);
    assert_true(form->fields[1].value.ptr + 3 <= form->fields[2].name.ptr);
    assert_true(form->fields[2].name.ptr + 3 <= form->fields[2].value.ptr);
    assert_true(form->fields[2].value.ptr + 3 <= form->fields[3].value.ptr);
}

static void test_cap_on_fields(void **state)
{
    wa_form_t *form = NULL;

    assert_int_equal(wa_form_parse(&form, "a&b&c", 5, 3, *state), APR_SUCCESS);
    assert_int_equal(form->count, 3);
    assert_int_equal(wa_form_parse(&form, "a&b&c", 5, 2, *state), APR_ENOSPC);
    assert_null(form);
    assert_int_equal(wa_form_parse(&form, "&a&&b&&", 7, 2, *state), APR_SUCCESS);
    assert_int_equal(form->count, 2);
    assert_int_equal(wa_form_parse(&form, "a", 1, 0, *state), APR_ENOSPC);
    assert_int_equal(wa_form_parse(&form, "&&", 2, 0, *state), APR_SUCCESS);
    assert_int_equal(form->count, 0);
    assert_int_equal(wa_form_parse(&form, NULL, 0, 0, *state), APR_SUCCESS);
    assert_int_equal(form->count, 0);
}

static void test_get_and_string(void **state)
{
    static const char body[] = "A=1&a=2&a=3&empty=&none&nul=x%00y&Long+name=z&=unnamed";
    wa_slice_t value = WA_SLICE_LITERAL("before");
    wa_form_t *form;

    assert_int_equal(wa_form_parse(&form, body, sizeof(body) - 1, 20, *state), APR_SUCCESS);
    assert_true(wa_form_get(form, "a", &value));
    assert_true(wa_slice_is_equal(value, WA_SLICE_LITERAL("2")));
    assert_true(wa_form_get(form, "nul", &value));
    assert_true(wa_slice_is_equal(value, wa_slice_make("x\0y", 3)));
    assert_true(wa_form_get(form, "none", &value));
    assert_int_equal(value.len, 0);
    assert_true(wa_form_get(form, "Long name", &value));
    assert_true(wa_form_get(form, "", &value));
    assert_true(wa_slice_is_equal(value, WA_SLICE_LITERAL("unnamed")));
    assert_false(wa_form_get(form, "Empty", &value));
    assert_int_equal(value.len, 0);

    assert_string_equal(wa_form_string(form, "A", *state), "1");
    assert_string_equal(wa_form_string(form, "empty", *state), "");
    assert_string_equal(wa_form_string(form, "none", *state), "");
    assert_null(wa_form_string(form, "nul", *state));
    assert_null(wa_form_string(form, "absent", *state));
}

/* Anything but one pass would take hours here. */
static void test_a_long_body_is_linear(void **state)
{
    static const char *const patterns[] = {"&", "a&", "=", "%41", "%", "+&", "a=%41+&"};
    size_t len = 1 << 20, i, at;
    char *body = malloc(len);

    assert_non_null(body);
    for (i = 0; i < COUNT(patterns); i++) {
        wa_form_t *form;

        for (at = 0; at < len; at++) {
            body[at] = patterns[i][at % strlen(patterns[i])];
        }
        assert_int_equal(wa_form_parse(&form, body, len, len, *state), APR_SUCCESS);
        apr_pool_clear(*state);
    }
    free(body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_TEST(test_fields),
        POOL_TEST(test_random_bodies),
        POOL_TEST(test_plain_text_is_not_copied),
        POOL_TEST(test_decoded_fields_do_not_touch),
        POOL_TEST(test_cap_on_fields),
        POOL_TEST(test_get_and_string),
        POOL_TEST(test_a_long_body_is_linear),
    };

    return cmocka_run_group_tests(tests, apr_setup, apr_teardown);
}
