/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of UTF-8 text against a decoder written from the definition. */
#include "test_base.h"

#include "base/text.h"

/* The code point that `s` begins with by the plain definition, -1 when there is none; slow on
 * purpose. */
static long decode(const unsigned char *s, size_t len, size_t *pused)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t need = s[0] < 0x80 ? 1 : s[0] < 0xc0 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
    uint32_t cp = need == 1 ? s[0] : s[0] & (0x7fu >> need);
    size_t i;

    if (need == 0 || s[0] >= 0xf8 || need > len) {
        return -1;
    }
    for (i = 1; i < need; i++) {
        if ((s[i] & 0xc0) != 0x80) {
            return -1;
        }
        cp = cp << 6 | (s[i] & 0x3f);
    }
    if (cp < least[need] || cp > 0x10ffff || (cp >= 0xd800 && cp < 0xe000)) {
        return -1;
    }
    *pused = need;
    return (long)cp;
}

/* What wa_text_is_utf8 must say, and the UTF-16 length of what is valid. */
static int is_utf8_by_definition(const char *s, size_t len, size_t *punits)
{
    size_t at = 0, used = 0;

    *punits = 0;
    while (at < len) {
        long cp = decode((const unsigned char *)s + at, len - at, &used);

        if (cp <= 0) {
            return 0;
        }
        *punits += cp >= 0x10000 ? 2 : 1;
        at += used;
    }
    return 1;
}

static void assert_agrees(const char *s, size_t len)
{
    char *copy = exact_copy(s, len);
    size_t units;
    int expected = is_utf8_by_definition(s, len, &units);

    assert_int_equal(wa_text_is_utf8(copy, len), expected);
    if (expected) {
        assert_int_equal(wa_text_utf16_length(copy, len), units);
    }
    free(copy);
}

static void test_every_code_point(void **state)
{
    uint32_t cp;

    (void)state;
    assert_true(wa_text_is_utf8("", 0));
    assert_true(wa_text_is_utf8(NULL, 0));
    for (cp = 0; cp < 0x110000; cp++) {
        char text[4];
        size_t len = encode_utf8(cp, text), used;
        int is_surrogate = cp >= 0xd800 && cp < 0xe000;

        assert_int_equal(wa_text_is_utf8(text, len), cp != 0 && !is_surrogate);
        assert_int_equal(wa_text_char(text, len, &used), !is_surrogate);
        assert_int_equal(used, is_surrogate ? 1 : len);
        assert_int_equal(wa_text_utf16_length(text, len), cp >= 0x10000 ? 2 : 1);
    }
}

static void test_every_pair_of_bytes(void **state)
{
    int first, second;

    (void)state;
    for (first = 0; first < 256; first++) {
        for (second = 0; second < 256; second++) {
            char text[2] = {(char)first, (char)second};

            assert_agrees(text, 2);
            assert_agrees(text, 1);
        }
    }
}

static void test_every_lead_byte_with_edges(void **state)
{
    static const unsigned char edges[] = {0x00, 0x7f, 0x80, 0x8f, 0x90,
                                          0x9f, 0xa0, 0xbf, 0xc0, 0xff};
    int lead;
    size_t i, j, k;

    (void)state;
    for (lead = 0x80; lead < 256; lead++) {
        for (i = 0; i < COUNT(edges); i++) {
            for (j = 0; j < COUNT(edges); j++) {
                for (k = 0; k < COUNT(edges); k++) {
                    char text[4] = {(char)lead, (char)edges[i], (char)edges[j], (char)edges[k]};
                    size_t len;

                    for (len = 2; len <= 4; len++) {
                        assert_agrees(text, len);
                    }
                }
            }
        }
    }
}

/* The fast path looks at 16 bytes at once: a bad byte must be seen at every place of every
 * length. */
static void test_a_bad_byte_anywhere(void **state)
{
    static const char *const bad[] = {"\x00", "\x80", "\xff", "\xc0"};
    char text[70];
    size_t len, at, i;

    (void)state;
    for (len = 1; len <= sizeof(text); len++) {
        memset(text, 'a', sizeof(text));
        assert_agrees(text, len);
        for (at = 0; at < len; at++) {
            for (i = 0; i < COUNT(bad); i++) {
                char *copy;

                memset(text, 1 + (int)(at % 127), sizeof(text));
                text[at] = bad[i][0];
                copy = exact_copy(text, len);
                assert_false(wa_text_is_utf8(copy, len));
                free(copy);
            }
        }
    }
}

static void test_random_mixtures(void **state)
{
    static const char *const parts[] = {
        "a",    "12345678",         "\xc3\xa4",     "\xe2\x82\xac",    "\xf0\x9f\x98\x80",
        "\x7f", "abcdefghijklmnop", "\xed\x9f\xbf", "\xf4\x8f\xbf\xbf"};
    uint64_t seed = 7;
    int round;

    (void)state;
    for (round = 0; round < 20000; round++) {
        char text[160];
        size_t len = 0, parts_left = next_random(&seed) % 10;

        while (parts_left-- > 0) {
            const char *part = parts[next_random(&seed) % COUNT(parts)];

            memcpy(text + len, part, strlen(part));
            len += strlen(part);
        }
        assert_agrees(text, len);
        if (len > 0 && round % 2) {
            text[next_random(&seed) % len] = (char)next_random(&seed);
            assert_agrees(text, len);
            assert_agrees(text, len - 1);
        }
    }
}

/* Unicode 15 tables 3-8 to 3-11: where one U+FFFD ends and the next begins. */
static void test_what_one_replacement_stands_for(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
        const char *steps; /* bytes taken each time */
    } cases[] = {
        {"\xc0\xaf\xe0\x80\xbf\xf0\x81\x82\x41", 9, "111111111"},
        {"\xed\xa0\x80\xed\xbf\xbf\xed\xaf\x41", 9, "111111111"},
        {"\xf4\x91\x92\x93\xff\x41\x80\xbf\x42", 9, "111111111"},
        {"\xe1\x80\xe2\xf0\x91\x92\xf1\xbf\x41", 9, "21321"},
        {"\xf0\x9f\x98", 3, "3"},
        {"\xf0\x9f\x98\x80\xe2\x82\xac\x00", 8, "431"},
    };
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(cases); i++) {
        char *copy = exact_copy(cases[i].bytes, cases[i].len);
        const char *step;
        size_t at = 0, used;

        for (step = cases[i].steps; *step; step++) {
            assert_true(at < cases[i].len);
            (void)wa_text_char(copy + at, cases[i].len - at, &used);
            assert_int_equal(used, *step - '0');
            at += used;
        }
        assert_int_equal(at, cases[i].len);
        free(copy);
    }
}

static void test_utf16_length_counts_like_javascript(void **state)
{
    char text[4096];
    size_t len = 0;

    (void)state;
    assert_int_equal(wa_text_utf16_length(NULL, 0), 0);
    while (len + 4 <= sizeof(text)) { /* more than 255 marks in a row */
        len += encode_utf8(0x1f600, text + len);
        assert_int_equal(wa_text_utf16_length(text, len), len / 2);
    }
    memset(text, 'x', sizeof(text));
    assert_int_equal(wa_text_utf16_length(text, sizeof(text)), sizeof(text));
}

/* PropList.txt, White_Space */
static int is_space_by_list(uint32_t cp)
{
    static const uint32_t list[] = {0x09,   0x0a,   0x0b,   0x0c,   0x0d,   0x20,   0x85,
                                    0xa0,   0x1680, 0x2000, 0x2001, 0x2002, 0x2003, 0x2004,
                                    0x2005, 0x2006, 0x2007, 0x2008, 0x2009, 0x200a, 0x2028,
                                    0x2029, 0x202f, 0x205f, 0x3000};
    size_t i;

    for (i = 0; i < COUNT(list); i++) {
        if (list[i] == cp) {
            return 1;
        }
    }
    return 0;
}

static void test_white_space_is_exactly_the_list(void **state)
{
    uint32_t cp;

    (void)state;
    for (cp = 0; cp < 0x110000; cp++) {
        char text[13] = "x";
        size_t len = 1, one;
        wa_slice_t trimmed;
        int is_space = is_space_by_list(cp);

        one = encode_utf8(cp, text);
        assert_int_equal(wa_text_is_blank(text, one), is_space);
        memcpy(text + one, "x", 1);
        memcpy(text + one + 1, text, one);
        len = 2 * one + 1;
        assert_false(wa_text_is_blank(text, len));
        trimmed = wa_text_trim(wa_slice_make(text, len));
        assert_ptr_equal(trimmed.ptr, is_space ? text + one : text);
        assert_int_equal(trimmed.len, is_space ? 1 : len);
    }
}

static void assert_trims(const char *s, const char *expected)
{
    size_t len = strlen(s);
    char *copy = exact_copy(s, len);
    wa_slice_t trimmed = wa_text_trim(wa_slice_make(copy, len));

    assert_true(wa_slice_is_equal(trimmed, wa_slice_of(expected)));
    assert_int_equal(wa_text_is_blank(copy, len), *expected == '\0');
    free(copy);
}

static void test_trim(void **state)
{
    (void)state;
    assert_true(wa_text_is_blank(NULL, 0));
    assert_int_equal(wa_text_trim(wa_slice_make(NULL, 0)).len, 0);
    assert_trims("", "");
    assert_trims(" \t\r\n\v\f", "");
    assert_trims("\xc2\xa0\xe3\x80\x80\xe2\x80\xaf \xc2\x85", "");
    assert_trims("  Ann  Bee\xe2\x80\x89", "Ann  Bee");
    assert_trims("\xc3\xa0", "\xc3\xa0");         /* ends in the second byte of U+00A0 */
    assert_trims("\xe4\x80\x80", "\xe4\x80\x80"); /* and of U+3000 */
    assert_trims("\xc2", "\xc2");                 /* cut characters are no space */
    assert_trims("\xe2\x80", "\xe2\x80");
    assert_trims("\x80\x80", "\x80\x80");
    assert_trims(" \xe2\x80\x8b ", "\xe2\x80\x8b"); /* zero width space is not White_Space */
    assert_trims("\xef\xbb\xbf", "\xef\xbb\xbf");   /* nor is the byte order mark */
}

static void test_prefix_cuts_between_characters(void **state)
{
    static const char text[] = "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80z"; /* 1 2 3 4 1 bytes */
    static const size_t cuts[] = {0, 1, 3, 6, 10, 11, 11, 11};
    char *copy = exact_copy(text, sizeof(text) - 1);
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(cuts); i++) {
        assert_int_equal(wa_text_prefix(copy, sizeof(text) - 1, i), cuts[i]);
    }
    free(copy);
    assert_int_equal(wa_text_prefix(NULL, 0, 100), 0);
    assert_int_equal(wa_text_prefix("abc", 3, SIZE_MAX), 3);
    assert_int_equal(wa_text_prefix("\x80\x80\xff", 3, 1), 3); /* never beyond the end */
}

/* Anything that looks at the text again and again would take hours here. */
static void test_a_long_text_is_one_pass(void **state)
{
    size_t len = 1 << 21;
    char *text = malloc(len);

    (void)state;
    assert_non_null(text);
    memset(text, ' ', len);
    assert_true(wa_text_is_blank(text, len));
    assert_int_equal(wa_text_trim(wa_slice_make(text, len)).len, 0);
    text[len / 2] = 'x';
    assert_int_equal(wa_text_trim(wa_slice_make(text, len)).len, 1);
    assert_int_equal(wa_text_prefix(text, len, len - 1), len - 1);
    assert_true(wa_text_is_utf8(text, len));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_code_point),
        cmocka_unit_test(test_every_pair_of_bytes),
        cmocka_unit_test(test_every_lead_byte_with_edges),
        cmocka_unit_test(test_a_bad_byte_anywhere),
        cmocka_unit_test(test_random_mixtures),
        cmocka_unit_test(test_what_one_replacement_stands_for),
        cmocka_unit_test(test_utf16_length_counts_like_javascript),
        cmocka_unit_test(test_white_space_is_exactly_the_list),
        cmocka_unit_test(test_trim),
        cmocka_unit_test(test_prefix_cuts_between_characters),
        cmocka_unit_test(test_a_long_text_is_one_pass),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
