/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of phone numbers: normal form and mask. */
#include "test_base.h"

#include <stdio.h>

#include <apr_strings.h>
#include <jansson.h>
#include <utf8proc.h>

#include "base/phone.h"
#include "base/unicode.h"

/* What the web client reads alike: tests/browser/tests/typed.test.js reads the same file. */
#define VECTORS "tests/number-vectors.json"
#define LEAST_NUMBERS 90
#define LEAST_TEXTS 25

static json_t *vectors_load(void)
{
    json_error_t error;
    json_t *vectors = json_load_file(VECTORS, JSON_ALLOW_NUL, &error);

    assert_non_null(vectors);
    return vectors;
}

static wa_slice_t slice_of(const json_t *text)
{
    assert_true(json_is_string(text));
    return wa_slice_make(json_string_value(text), json_string_length(text));
}

static const char *shown(wa_slice_t text)
{
    static char hex[512];
    apr_size_t i;

    hex[0] = '\0';
    for (i = 0; i < text.len && i < 100; i++) {
        (void)snprintf(hex + strlen(hex), 8, "%02x ", (unsigned char)text.ptr[i]);
    }
    return hex;
}

static void test_numbers_as_people_write_them(void **state)
{
    json_t *vectors = vectors_load(), *numbers = json_object_get(vectors, "numbers"), *vector;
    size_t i;

    assert_true(json_array_size(numbers) >= LEAST_NUMBERS);
    json_array_foreach(numbers, i, vector)
    {
        const wa_slice_t typed = slice_of(json_array_get(vector, 0));
        const char *expected = json_string_value(json_array_get(vector, 1));
        char *copy = exact_copy(typed.ptr, typed.len);
        wa_phone_fault_t fault;
        const char *number = wa_phone_read(wa_slice_make(copy, typed.len), &fault, *state);

        free(copy);
        if ((number == NULL) != (expected == NULL) || (number && strcmp(number, expected) != 0)) {
            fail_msg("%s: %s, not %s", shown(typed), number ? number : "refused",
                     expected ? expected : "refused");
        }
        assert_int_equal(fault.what == WA_PHONE_IS_FINE, number != NULL);
    }
    json_decref(vectors);
}

static void test_texts_of_which_nothing_is_seen(void **state)
{
    json_t *vectors = vectors_load(), *texts = json_object_get(vectors, "texts"), *vector;
    size_t i;

    (void)state;
    assert_true(json_array_size(texts) >= LEAST_TEXTS);
    json_array_foreach(texts, i, vector)
    {
        const wa_slice_t text = slice_of(json_array_get(vector, 0));
        char *copy = exact_copy(text.ptr, text.len);

        if (wa_text_is_unseen(copy, text.len) != json_is_true(json_array_get(vector, 1))) {
            fail_msg("%s", shown(text));
        }
        free(copy);
    }
    assert_false(wa_text_is_unseen("\xff", 1));
    assert_false(wa_text_is_unseen(" \xe2\x80", 3));
    json_decref(vectors);
}

#define CODES 0xe1000

/* Marks the characters of a list of "0020" and "2000..200A". */
static char *codes_of(const json_t *vectors, const char *name)
{
    char *codes = calloc(1, CODES);
    const json_t *list = json_object_get(vectors, name), *range;
    size_t i;

    assert_non_null(codes);
    assert_true(json_array_size(list) > 0);
    json_array_foreach(list, i, range)
    {
        const char *text = json_string_value(range);
        char *end;
        unsigned long first = strtoul(text, &end, 16);
        unsigned long last = *end == '.' ? strtoul(end + 2, NULL, 16) : first;

        assert_true(first <= last && last < CODES);
        memset(codes + first, 1, last - first + 1);
    }
    return codes;
}

static int is_dropped(apr_uint32_t c, apr_pool_t *p)
{
    char typed[64];
    utf8proc_uint8_t text[5] = {0};
    const char *number;

    (void)utf8proc_encode_char((utf8proc_int32_t)c, text);
    (void)snprintf(typed, sizeof(typed), "+4477%s00900123", (const char *)text);
    number = c == 0 ? NULL : wa_phone_normalize(typed, p);
    return number && strcmp(number, "+447700900123") == 0;
}

static void test_every_character(void **state)
{
    json_t *vectors = vectors_load();
    char *dropped = codes_of(vectors, "dropped"), *unseen = codes_of(vectors, "unseen");
    char *newer = codes_of(vectors, "newer");
    apr_pool_t *tmp;
    apr_uint32_t c;

    apr_pool_create(&tmp, *state);
    for (c = 0; c < CODES; c = c == 0xd7ff ? 0xe000 : c == 0xffff ? 0xe0000 : c + 1) {
        apr_pool_clear(tmp);
        if (newer[c]) {
            continue;
        }
        if (is_dropped(c, tmp) != dropped[c]) {
            fail_msg("U+%04X in a number", (unsigned)c);
        }
        if (wa_unicode_is_unseen(c) != unseen[c]) {
            fail_msg("U+%04X in a text", (unsigned)c);
        }
    }
    free(dropped);
    free(unseen);
    free(newer);
    json_decref(vectors);
}

static void test_what_is_wrong_is_said(void **state)
{
    static const struct {
        const char *typed, *said;
        int has_plus;
    } cases[] = {
        {"", "it has fewer than 2 digits", 0},
        {"+4", "it has fewer than 2 digits", 1},
        {"4420", "it has no + in front", 0},
        {"00 44 20", "it begins with 00, for which + has to stand", 0},
        {"0 0 44 20", "it begins with 00, for which + has to stand", 0},
        {"020 7946", "it has no + in front", 0},
        {"+0442", "no country code begins with 0", 1},
        {"+44 20 (0) 7946", "a (0) can only follow the country code", 1},
        {"+1234567890123456", "it has more than 15 digits", 1},
        {"+44 20;ext=1", "the character ';' (U+003B) stands in none", 1},
        {"x+44 20", "the character 'x' (U+0078) stands in none", 0},
        {"+44\n20", "the character U+000A stands in none", 1},
        {"+44 \xd8\xa7 20", "the character U+0627 stands in none", 1},
        {"+44 \xf0\x9f\x98\x80 20", "the character U+1F600 stands in none", 1},
        {"+44 \xff 20", "the character U+FFFD stands in none", 1},
    };
    size_t i;

    for (i = 0; i < COUNT(cases); i++) {
        wa_phone_fault_t fault;

        assert_null(wa_phone_read(wa_slice_of(cases[i].typed), &fault, *state));
        assert_string_equal(wa_phone_fault_say(&fault, *state), cases[i].said);
        assert_int_equal(fault.has_plus, cases[i].has_plus);
    }
    assert_null(wa_phone_normalize(NULL, *state));
}

static void test_a_plus_that_came_as_a_space(void **state)
{
    static const struct {
        const char *arrived, *meant;
    } cases[] = {
        {" 1555", "+1555"},
        {"whatsapp: 1555", "whatsapp:+1555"},
        {"tel: 1555", "tel:+1555"},
        {"( 1) 555", "(+1) 555"},
        {"\xe2\x80\xad 44 20", "\xe2\x80\xad+44 20"},
        {"\xe2\x80\xad \xe2\x80\xac"
         "44",
         "\xe2\x80\xad+\xe2\x80\xac"
         "44"},
        {"  1555", " +1555"},
        {"1555", "1555"},
        {"15 55", "15 55"},
        {" +1555", " +1555"},
        {"US.12 3", "US.12 3"},
        {" US.12", "+US.12"},
        {"sms: 1555", "sms: 1555"},
        {" ", "+"},
        {"", ""},
    };
    size_t i;

    for (i = 0; i < COUNT(cases); i++) {
        const wa_slice_t text = wa_phone_plus_restore(wa_slice_of(cases[i].arrived), *state);

        assert_string_equal(apr_pstrmemdup(*state, text.ptr ? text.ptr : "", text.len),
                            cases[i].meant);
    }
}

static void test_a_long_input_is_bounded(void **state)
{
    size_t len = 1 << 20;
    char *typed = malloc(len + 1);

    assert_non_null(typed);
    memset(typed, ' ', len);
    typed[len] = '\0';
    assert_null(wa_phone_normalize(typed, *state));
    memcpy(typed, "+1", 2);
    memcpy(typed + len - 3, "555", 3);
    assert_string_equal(wa_phone_normalize(typed, *state), "+1555");
    memset(typed + 2, '5', len - 2);
    assert_null(wa_phone_normalize(typed, *state));
    assert_string_equal(wa_phone_mask(typed, *state), "+1555***5555");
    free(typed);
}

static void test_mask(void **state)
{
    static const struct {
        const char *number;
        const char *shown;
    } cases[] = {
        {"+15551230001", "+1555***0001"},
        {"whatsapp:+15551230001", "+1555***0001"},
        {"+123456789012345", "+1234***2345"},
        {"+1555123000", "+15***00"},
        {"+1234567", "+12***67"},
        {"+123456", "***"},
        {"whatsapp:+123456", "***"},
        {"whatsapp:", "***"},
        {"", "***"},
        {NULL, "***"},
        {"US.13491208655302", "US.13***5302"},
        {"a\nb\x1b"
         "c secret \xff\x7f"
         "de",
         "a?b?c***??de"},
    };
    size_t i;

    for (i = 0; i < COUNT(cases); i++) {
        size_t len = cases[i].number ? strlen(cases[i].number) + 1 : 0;
        char *copy = cases[i].number ? exact_copy(cases[i].number, len) : NULL;

        assert_string_equal(wa_phone_mask(copy, *state), cases[i].shown);
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_TEST(test_numbers_as_people_write_them),
        POOL_TEST(test_texts_of_which_nothing_is_seen),
        POOL_TEST(test_every_character),
        POOL_TEST(test_what_is_wrong_is_said),
        POOL_TEST(test_a_plus_that_came_as_a_space),
        POOL_TEST(test_a_long_input_is_bounded),
        POOL_TEST(test_mask),
    };

    return cmocka_run_group_tests(tests, apr_setup, apr_teardown);
}
