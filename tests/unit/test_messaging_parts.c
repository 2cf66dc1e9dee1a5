/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of cutting long texts: how long parts are, and where they are never cut. */
#include "test_base.h"

#include <apr_strings.h>

#include "base/grapheme.h"
#include "base/text.h"
#include "messaging/message/parts.h"

/* `count` times `piece`. */
static char *repeat(const char *piece, size_t count, apr_pool_t *p)
{
    const size_t len = strlen(piece);
    char *s = apr_palloc(p, len * count + 1);
    size_t i;

    for (i = 0; i < count; i++) {
        memcpy(s + i * len, piece, len);
    }
    s[len * count] = '\0';
    return s;
}

/* Cuts, and checks what holds for every text. */
static size_t cut(const char *text, wa_slice_t *parts)
{
    const size_t count = wa_parts_cut(wa_slice_of(text), parts);
    const char *at = text;
    size_t i;

    assert_in_range(count, 1, WA_PARTS_MAX);
    for (i = 0; i < count; i++) {
        assert_in_range(wa_text_utf16_length(parts[i].ptr, parts[i].len), 1, WA_PART_UNITS_MAX);
        assert_true(wa_text_is_utf8(parts[i].ptr, parts[i].len));
        assert_false(wa_text_is_blank(parts[i].ptr, parts[i].len));
        assert_true(parts[i].ptr >= at);
        assert_true(wa_text_is_blank(at, (size_t)(parts[i].ptr - at))); /* only blanks are lost */
        at = parts[i].ptr + parts[i].len;
    }
    assert_true(wa_text_is_blank(at, strlen(at)));
    return count;
}

static void test_lengths(void **state)
{
    static const struct {
        size_t units, parts;
    } cases[] = {{1, 1}, {1599, 1}, {1600, 1}, {1601, 2}, {3200, 2}, {3201, 3}, {4096, 3}};
    wa_slice_t parts[WA_PARTS_MAX];
    size_t i;

    for (i = 0; i < COUNT(cases); i++) {
        assert_int_equal(cut(repeat("x", cases[i].units, *state), parts), cases[i].parts);
        assert_int_equal(parts[0].len, cases[i].units < 1600 ? cases[i].units : 1600);
    }
}

static void test_cuts_after_white_space(void **state)
{
    wa_slice_t parts[WA_PARTS_MAX];
    char *text = repeat("word ", 700, *state);

    assert_int_equal(cut(text, parts), 3);
    assert_int_equal(parts[0].len, 1600);
    text = repeat("longer ", 500, *state);
    assert_int_equal(cut(text, parts), 3);
    assert_int_equal(parts[0].len, 1596);
    assert_int_equal(parts[0].ptr[parts[0].len - 1], ' ');
    assert_memory_equal(parts[1].ptr, "longer", 6);
    /* the last white space that is far enough on, of any kind */
    text = repeat("x", 2000, *state);
    text[900] = '\n';
    assert_int_equal(cut(text, parts), 2);
    assert_int_equal(parts[0].len, 901);
    /* white space near the beginning makes no tiny parts */
    text = repeat("x", 2000, *state);
    text[10] = ' ';
    assert_int_equal(cut(text, parts), 2);
    assert_int_equal(parts[0].len, 1600);
}

static void test_blank_parts_are_left_out(void **state)
{
    wa_slice_t parts[WA_PARTS_MAX];

    assert_int_equal(cut(apr_pstrcat(*state, "a", repeat(" ", 4000, *state), "b", NULL), parts), 2);
    assert_int_equal(cut(apr_pstrcat(*state, "a", repeat(" ", 4000, *state), NULL), parts), 1);
    assert_int_equal(cut(apr_pstrcat(*state, repeat(" ", 4000, *state), "b", NULL), parts), 1);
}

/* What must never be cut; each is one character for its reader. */
static const char *const whole[] = {
    "e\xcc\x81",                        /* e and acute */
    "a\xcc\x81\xcc\xa3\xcc\x84",        /* three marks */
    "\xf0\x9f\x91\x8b",                 /* a surrogate pair */
    "\xf0\x9f\x91\x8b\xf0\x9f\x8f\xbd", /* skin tone */
    "\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x91\xa7", /* family */
    "\xf0\x9f\x91\xa9\xf0\x9f\x8f\xbd\xe2\x80\x8d\xf0\x9f\x9a\x80", /* astronaut, skin tone */
    "\xe2\x9d\xa4\xef\xb8\x8f",                                     /* variation selector */
    "\xe2\x9d\xa4\xef\xb8\x8f\xe2\x80\x8d\xf0\x9f\x94\xa5",         /* heart on fire */
    "1\xef\xb8\x8f\xe2\x83\xa3",                                    /* keycap */
    "\xf0\x9f\x87\xaa\xf0\x9f\x87\xb8",                             /* flag */
    "\xf0\x9f\x8f\xb4\xf3\xa0\x81\xa7\xf3\xa0\x81\xa2\xf3\xa0\x81\xb3\xf3\xa0\x81\xa3\xf3\xa0\x81"
    "\xb4\xf3\xa0\x81\xbf",                             /* Scotland: tags */
    "\xe1\x84\x92\xe1\x85\xa1\xe1\x86\xab",             /* Hangul L V T */
    "\xea\xb0\x80\xe1\x86\xa8",                         /* Hangul LV T */
    "\xe0\xa4\x95\xe0\xa5\x8d\xe0\xa4\xb7\xe0\xa4\xbf", /* Devanagari kshi */
    "\xe0\xae\xa8\xe0\xae\xbf",                         /* Tamil ni */
    "\xe0\xb8\x99\xe0\xb9\x89\xe0\xb8\xb3",             /* Thai nam */
    "\xd7\xa9\xd7\x81",                                 /* Hebrew shin and dot */
    "\xe0\xa4\x95\xe0\xa5\x8d\xe2\x80\x8d\xe0\xa4\xb7", /* the same with a joiner */
    "\xe0\xa6\x95\xe0\xa7\x8d\xe0\xa6\xb7",             /* Bengali ksha */
    "\xe1\x9e\x81\xe1\x9f\x92\xe1\x9e\x98\xe1\x9f\x82", /* Khmer khmae */
    "\xf0\x91\x84\x83\xf0\x91\x84\xb3\xf0\x91\x84\x87", /* Chakma, beyond all old tables */
    "\xf0\x91\xa4\x95\xf0\x91\xa4\xb0",                 /* Dives Akuru with its vowel */
    "\xd8\x80\xd9\xa1",                                 /* Arabic number sign and digit */
    "\r\n",
};

static void test_what_is_one_character(void **state)
{
    size_t i;

    for (i = 0; i < COUNT(whole); i++) {
        const char *twice = apr_pstrcat(*state, whole[i], whole[i], "x", NULL);

        assert_int_equal(wa_grapheme_first(whole[i], strlen(whole[i])), strlen(whole[i]));
        assert_int_equal(wa_grapheme_first(twice, strlen(twice)), strlen(whole[i]));
    }
    assert_int_equal(wa_grapheme_first("ab", 2), 1);
    assert_int_equal(wa_grapheme_first("\n\xcc\x81", 3), 1);
    assert_int_equal(wa_grapheme_first("\xea\xb0\x80\xea\xb0\x80", 6), 3);
    assert_int_equal(wa_grapheme_first("\xff\xcc\x81", 3), 3);
    /* a virama joins a letter, and nothing else */
    assert_int_equal(wa_grapheme_first("\xe0\xa4\x95\xe0\xa5\x8d ", 7), 6);
    assert_int_equal(wa_grapheme_first("\xe0\xa4\x95\xe0\xa5\x8d"
                                       "1",
                                       7),
                     6);
    /* two flags are two */
    assert_int_equal(wa_grapheme_first("\xf0\x9f\x87\xaa\xf0\x9f\x87\xb8\xf0\x9f\x87\xab", 12), 8);
}

/* Each of them at every place around the border of a part. */
static void test_never_cut_inside_a_character(void **state)
{
    wa_slice_t parts[WA_PARTS_MAX];
    size_t i, before, k;

    for (i = 0; i + 1 < COUNT(whole); i++) {
        const size_t len = strlen(whole[i]);

        for (before = 1580; before <= 1602; before++) {
            const char *text = apr_pstrcat(*state, repeat("x", before, *state), whole[i],
                                           repeat("y", 40, *state), NULL);
            const size_t count = cut(text, parts);

            for (k = 0; k + 1 < count; k++) {
                const size_t end = (size_t)(parts[k].ptr + parts[k].len - text);

                assert_true(end <= before || end >= before + len);
            }
        }
    }
}

static void test_a_character_longer_than_a_part_is_cut_at_a_code_point(void **state)
{
    wa_slice_t parts[WA_PARTS_MAX];

    assert_int_equal(cut(apr_pstrcat(*state, "e", repeat("\xcc\x81", 4000, *state), NULL), parts),
                     3);
    assert_int_equal(
        cut(apr_pstrcat(*state, "x ", repeat("\xf0\x9f\x91\xa9\xe2\x80\x8d", 1300, *state), NULL),
            parts),
        4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_TEST(test_lengths),
        POOL_TEST(test_cuts_after_white_space),
        POOL_TEST(test_blank_parts_are_left_out),
        POOL_TEST(test_what_is_one_character),
        POOL_TEST(test_never_cut_inside_a_character),
        POOL_TEST(test_a_character_longer_than_a_part_is_cut_at_a_code_point),
    };

    return cmocka_run_group_tests(tests, apr_setup, apr_teardown);
}
