/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of lines that somebody else wrote: made clean, bounded, and left alone where they are. */
#include "test_base.h"

#include "base/line.h"
#include "base/text.h"

#define RLO "\xE2\x80\xAE"
#define ZWSP "\xE2\x80\x8B"
#define ZWJ "\xE2\x80\x8D"
#define LINE_SEPARATOR "\xE2\x80\xA8"
#define FFFD "\xEF\xBF\xBD"
#define BYTES(s) (s), sizeof(s) - 1

static void test_lines(void **state)
{
    static const struct {
        const char *raw;
        size_t len;
        size_t characters;
        const char *line;
    } cases[] = {
        {BYTES(""), 10, ""},
        {BYTES("Ana"), 10, "Ana"},
        {BYTES("Ana"), 3, "Ana"},
        {BYTES("Anabel"), 3, "Ana"},
        {BYTES("  Ana\t \r\nG\x00mez  "), 20, "Ana G mez"},
        {BYTES("Ana" LINE_SEPARATOR "G"), 20, "Ana G"},
        {BYTES("Ana\xC2\x85G\x7fX"), 20, "Ana G X"},
        {BYTES(RLO "gomez" ZWSP "x"), 20, "gomezx"},
        {BYTES("\xF0\x9F\x91\xA9" ZWJ "\xF0\x9F\x9A\x80"), 20,
         "\xF0\x9F\x91\xA9" ZWJ "\xF0\x9F\x9A\x80"},
        {BYTES("\xC3\xA9\xC3\xA9\xC3\xA9"), 2, "\xC3\xA9\xC3\xA9"},
        {BYTES("a\xff\xC3"), 20, "a" FFFD FFFD},
        {BYTES("ab  c"), 4, "ab c"},
        {BYTES("ab c"), 3, "ab"},
        {BYTES(" \n " ZWSP RLO), 20, ""},
        {BYTES(ZWJ ZWJ), 20, ""},
        {BYTES("\xE3\x85\xA4"), 20, ""}, /* the filler of Hangul */
        {BYTES("\xD8\x80"
               "1"),
         20,
         "\xD8\x80"
         "1"}, /* the Arabic number sign is drawn */
    };
    size_t i;

    for (i = 0; i < COUNT(cases); i++) {
        char *copy = exact_copy(cases[i].raw, cases[i].len);
        const wa_slice_t line =
            wa_line_clean(wa_slice_make(copy, cases[i].len), cases[i].characters, *state);
        const wa_slice_t again = wa_line_clean(line, cases[i].characters, *state);

        assert_string_equal(line.len > 0 ? wa_slice_string(line, *state) : "", cases[i].line);
        assert_true(wa_slice_is_equal(again, line));
        free(copy);
    }
}

/* Whatever the bytes are, a line is text of so many characters at most. */
static void test_any_bytes(void **state)
{
    unsigned seed = 3, round, i;

    for (round = 0; round < 20000; round++) {
        char raw[24];
        wa_slice_t line;
        apr_size_t characters;
        apr_pool_t *p;

        assert_int_equal(apr_pool_create(&p, *state), APR_SUCCESS);
        for (i = 0; i < sizeof(raw); i++) {
            seed = seed * 1103515245u + 12345u;
            raw[i] = (char)(seed >> 16);
        }
        characters = (seed >> 8) % 12;
        line = wa_line_clean(wa_slice_make(raw, (seed >> 20) % sizeof(raw)), characters, p);
        assert_true(wa_text_is_utf8(line.ptr, line.len));
        assert_int_equal(wa_text_prefix(line.ptr, line.len, characters), line.len);
        assert_true(line.len == 0 || wa_slice_is_equal(wa_text_trim(line), line));
        apr_pool_destroy(p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {POOL_TEST(test_lines), POOL_TEST(test_any_bytes)};

    return cmocka_run_group_tests(tests, apr_setup, apr_teardown);
}
