/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of what Unicode says of characters, and of folded texts in many scripts. */
#include "test_base.h"

#include <apr_strings.h>

#include "base/text.h"
#include "base/unicode.h"

#define FOLDED_MAX 4096

static const char *fold(const char *text, wa_fold_e how, apr_pool_t *p)
{
    const size_t len = strlen(text);
    char *copy = exact_copy(text, len);
    wa_slice_t folded;

    assert_int_equal(wa_text_fold(wa_slice_make(copy, len), how, FOLDED_MAX, &folded, p),
                     APR_SUCCESS);
    free(copy);
    assert_int_equal(folded.ptr[folded.len], '\0');
    assert_int_equal(strlen(folded.ptr), folded.len);
    return folded.ptr;
}

/* What a search has to find, by script: two ways to write one thing, and what must stay apart. */
static const struct {
    const char *script, *a, *b;
    int is_same_word, is_found;
} pairs[] = {
    {"Latin", "CAFE", "cafe", 1, 1},
    {"Latin", "Café", "cafe", 0, 1},
    {"Latin", "Caf\xC3\xA9", "Cafe\xCC\x81", 1, 1},
    {"Latin", "Straße", "strasse", 1, 1},
    {"Latin",
     "STRA\xE1\xBA\x9E"
     "E",
     "straße", 1, 1},
    {"Latin", "naïve", "NAIVE", 0, 1},
    {"Latin", "Łódź", "łodz", 0, 1},
    {"Latin", "Łódź", "lodz", 0, 0},
    {"Latin", "ĐẶNG", "đang", 0, 1},
    {"Latin", "a\xCC\xA3\xCC\x82", "a\xCC\x82\xCC\xA3", 1, 1}, /* one order of marks */
    {"Latin", "a\xCC\x81\xCC\x82", "a\xCC\x82\xCC\x81", 0, 1}, /* above each other: two texts */
    {"Latin", "İstanbul", "istanbul", 1, 1},
    {"Latin", "ılık", "ilik", 0, 0},
    {"Latin", "ﬁnance", "FINANCE", 1, 1},
    {"Latin", "ＨＥＬＬＯ", "hello", 1, 1},
    {"Latin", "𝓗𝓮𝓵𝓵𝓸 Ⓗⓘ", "hello hi", 1, 1},
    {"Latin", "co\xC2\xADoperate", "cooperate", 1, 1},
    {"Latin", "résumé\xE2\x80\x8B", "resume", 0, 1},
    {"Latin", "stop", "stöp", 0, 1},
    {"Latin", "O\xCC\x88l", "ol", 0, 1},
    {"Greek", "ΣΊΣΥΦΟΣ", "σίσυφος", 1, 1},
    {"Greek", "Ελλάδα", "ελλαδα", 0, 1},
    {"Greek", "\xE1\xBE\xB3", "α", 0, 1}, /* with the iota below */
    {"Greek", "\xE1\xBE\xBC", "\xE1\xBE\xB3", 1, 1},
    {"Cyrillic", "ПРИВЕТ", "привет", 1, 1},
    {"Cyrillic", "Ёлка", "елка", 0, 1},
    {"Cyrillic", "ЇЖАК", "їжак", 1, 1},
    {"Cyrillic", "с", "c", 0, 0}, /* looks the same, is not */
    {"Armenian", "ԲԱՐԵՎ", "բարեվ", 1, 1},
    {"Armenian", "և", "եւ", 1, 1},
    {"Georgian", "\xE1\xB2\x92\xE1\xB2\x90", "გა", 1, 1}, /* Mtavruli capitals */
    {"Hebrew", "שָׁלוֹם", "שלום", 0, 1},
    {"Hebrew", "\xEF\xAC\xAA", "\xD7\xA9\xD7\x81", 1, 1},
    {"Hebrew", "\xE2\x80\x8Fשלום", "שלום", 1, 1},
    {"Arabic", "مُحَمَّد", "محمد", 0, 1},
    {"Arabic", "أحمد", "احمد", 0, 1},
    {"Arabic", "\xEF\xBB\xBB", "لا", 1, 1}, /* a ligature */
    {"Arabic", "می\xE2\x80\x8Cخواهم", "میخواهم", 1, 1},
    {"Devanagari", "क़लम", "कलम", 0, 1},
    {"Devanagari", "\xE0\xA5\x98", "\xE0\xA4\x95\xE0\xA4\xBC", 1, 1},
    {"Devanagari", "कि", "की", 0, 0}, /* other vowels, other words */
    {"Devanagari", "कि", "क", 0, 0},
    {"Devanagari", "क्ष", "कष", 0, 0},
    {"Bengali", "\xE0\xA6\x95\xE0\xA7\x8B", "\xE0\xA6\x95\xE0\xA7\x87\xE0\xA6\xBE", 1, 1},
    {"Tamil", "நி", "நீ", 0, 0},
    {"Thai", "กุ้ง", "กง", 0, 0},
    {"Thai", "น้ำ", "นํ้า", 0, 0}, /* typed in another order: other texts to Unicode too */
    {"Thai", "\xE0\xB8\x99\xE0\xB8\xB3", "\xE0\xB8\x99\xE0\xB9\x8D\xE0\xB8\xB2", 1, 1},
    {"Khmer", "ខ្មែរ", "ខមែរ", 0, 0},
    {"Hangul", "한국", "\xE1\x84\x92\xE1\x85\xA1\xE1\x86\xAB\xE1\x84\x80\xE1\x85\xAE\xE1\x86\xA8",
     1, 1},
    {"Hangul", "한", "하", 0, 0},
    {"Kana", "ガ", "\xEF\xBD\xB6\xEF\xBE\x9E", 1, 1}, /* half-width, with its own mark */
    {"Kana", "が", "か", 0, 0},
    {"Kana", "が", "ガ", 0, 0},
    {"Han", "\xEF\xA4\x80", "豈", 1, 1}, /* compatibility ideograph */
    {"Han", "骨\xEF\xB8\x80", "骨", 1, 1},
    {"Han", "国", "國", 0, 0},
    {"Cherokee", "\xEA\xAD\xB0", "Ꭰ", 1, 1},
    {"Deseret", "𐐀", "𐐨", 1, 1},
    {"digits", "①２³", "123", 1, 1},
    {"emoji", "❤\xEF\xB8\x8F", "❤", 1, 1},
    {"emoji", "1\xEF\xB8\x8F\xE2\x83\xA3", "1", 0, 1},
    {"units", "5 ㎏", "5 KG", 1, 1},
};

static void test_ways_to_write_one_thing(void **state)
{
    static const wa_fold_e hows[] = {WA_FOLD_MARKS_KEPT, WA_FOLD_MARKS_STRIPPED};
    size_t i, k;

    for (i = 0; i < COUNT(pairs); i++) {
        for (k = 0; k < COUNT(hows); k++) {
            const char *a = fold(pairs[i].a, hows[k], *state);
            const char *b = fold(pairs[i].b, hows[k], *state);
            const int wanted = k == 0 ? pairs[i].is_same_word : pairs[i].is_found;

            if ((strcmp(a, b) == 0) != wanted) {
                fail_msg("%s, %d: %s and %s give %s and %s", pairs[i].script, (int)k, pairs[i].a,
                         pairs[i].b, a, b);
            }
            assert_string_equal(fold(a, hows[k], *state), a);
        }
    }
    assert_string_equal(fold("Café Straße", WA_FOLD_MARKS_STRIPPED, *state), "cafe strasse");
    assert_string_equal(fold("", WA_FOLD_MARKS_STRIPPED, *state), "");
    assert_string_equal(fold("a\tB\n", WA_FOLD_MARKS_KEPT, *state), "a\tb\n");
}

/* Every character folds, to text that is folded, within the bound that the header promises. */
static void test_every_character(void **state)
{
    static const wa_fold_e hows[] = {WA_FOLD_MARKS_KEPT, WA_FOLD_MARKS_STRIPPED};
    apr_pool_t *p;
    uint32_t c;
    size_t k;

    assert_int_equal(apr_pool_create(&p, *state), APR_SUCCESS);
    for (c = 1; c <= 0x10ffff; c++) {
        char text[5] = "";
        size_t used;
        wa_slice_t once, twice;
        const size_t len = encode_utf8(c, text);

        if (c >= 0xd800 && c <= 0xdfff) {
            continue;
        }
        assert_int_equal(wa_unicode_read(text, len, &used), c);
        assert_int_equal(used, len);
        for (k = 0; k < COUNT(hows); k++) {
            assert_int_equal(wa_text_fold(wa_slice_make(text, len), hows[k], 11 * len, &once, p),
                             APR_SUCCESS);
            assert_true(wa_text_is_utf8(once.ptr, once.len));
            assert_int_equal(wa_text_fold(once, hows[k], once.len, &twice, p), APR_SUCCESS);
            if (!wa_slice_is_equal(once, twice)) {
                fail_msg("U+%04X is not folded once and for all: %s, %s", c, once.ptr, twice.ptr);
            }
        }
        if (c % 1024 == 0) {
            apr_pool_clear(p);
        }
    }
}

static void test_what_cannot_be_folded(void **state)
{
    static const char *const bad[] = {
        "\xff", "a\xc3", "\xed\xa0\x80", "\xc0\x80", "\xf4\x90\x80\x80", "caf\xe9", "\xe0\x80\xaf"};
    wa_slice_t folded;
    size_t i;

    for (i = 0; i < COUNT(bad); i++) {
        const size_t len = strlen(bad[i]);
        char *copy = exact_copy(bad[i], len);

        assert_int_equal(wa_text_fold(wa_slice_make(copy, len), WA_FOLD_MARKS_STRIPPED, FOLDED_MAX,
                                      &folded, *state),
                         APR_EINVAL);
        assert_int_equal(folded.len, 0);
        free(copy);
    }
    assert_int_equal(
        wa_text_fold(wa_slice_make("a\0b", 3), WA_FOLD_MARKS_KEPT, FOLDED_MAX, &folded, *state),
        APR_EINVAL);
    assert_int_equal(wa_text_fold(wa_slice_make(NULL, 0), WA_FOLD_MARKS_KEPT, 0, &folded, *state),
                     APR_SUCCESS);
    assert_int_equal(folded.len, 0);
}

static void test_the_bound_is_the_result_s(void **state)
{
    const wa_slice_t text = WA_SLICE_LITERAL("\xEF\xB7\xBA"); /* 3 bytes that fold to 33 */
    const wa_slice_t marked = WA_SLICE_LITERAL("e\xCC\x81");
    wa_slice_t folded;

    assert_int_equal(wa_text_fold(text, WA_FOLD_MARKS_KEPT, 33, &folded, *state), APR_SUCCESS);
    assert_int_equal(folded.len, 33);
    assert_int_equal(wa_text_fold(text, WA_FOLD_MARKS_KEPT, 32, &folded, *state), APR_ENOSPC);
    assert_int_equal(folded.len, 0);
    assert_int_equal(wa_text_fold(marked, WA_FOLD_MARKS_STRIPPED, 1, &folded, *state), APR_SUCCESS);
    assert_int_equal(wa_text_fold(marked, WA_FOLD_MARKS_KEPT, 2, &folded, *state), APR_ENOSPC);
}

/* A megabyte of marks on one letter, in the order that is the worst to sort. */
static void test_very_many_marks(void **state)
{
    const size_t count = 250000;
    char *text = apr_palloc(*state, 1 + 4 * count);
    wa_slice_t folded;
    size_t i;

    text[0] = 'A';
    for (i = 0; i < count; i++) {
        memcpy(text + 1 + 4 * i, "\xCC\x81\xCC\xA3", 4); /* above, below */
    }
    assert_int_equal(wa_text_fold(wa_slice_make(text, 1 + 4 * count), WA_FOLD_MARKS_KEPT,
                                  FOLDED_MAX, &folded, *state),
                     APR_SUCCESS);
    assert_int_equal(folded.len, 1 + 2 * 30);
    assert_memory_equal(folded.ptr, "a\xCC\xA3\xCC\xA3", 5); /* what is below comes first */
    assert_memory_equal(folded.ptr + folded.len - 4, "\xCC\x81\xCC\x81", 4);
    assert_int_equal(wa_text_fold(wa_slice_make(text, 1 + 4 * count), WA_FOLD_MARKS_STRIPPED, 1,
                                  &folded, *state),
                     APR_SUCCESS);
    assert_memory_equal(folded.ptr, "a", 2);
}

static void test_invisible_characters(void **state)
{
    static const apr_uint32_t yes[] = {
        0x00ad,  0x034f,  0x061c,  0x115f,  0x1160,  0x17b4,  0x180b,  0x180e,  0x200b,
        0x200c,  0x200d,  0x200e,  0x200f,  0x202a,  0x202e,  0x2060,  0x2064,  0x2065,
        0x2066,  0x206f,  0x3164,  0xfe00,  0xfe0f,  0xfeff,  0xffa0,  0xfff0,  0xfff9,
        0x1bca0, 0x1d173, 0xe0000, 0xe0001, 0xe0020, 0xe007f, 0xe0100, 0xe01ef, 0xe0fff};
    static const apr_uint32_t no[] = {'a',     '0',     '+',     ' ',      '\t',   '\n',
                                      0x00a0,  0x2028,  0x3000,  0x0301,   0x0600, 0x0605,
                                      0x06dd,  0x20e3,  0x4e00,  0xac00,   0xfffd, 0xe000,
                                      0x1f600, 0x110bd, 0x1f3fb, 0x10ffff, 0x0378};
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(yes); i++) {
        if (!wa_unicode_is_invisible(yes[i])) {
            fail_msg("U+%04X", yes[i]);
        }
    }
    for (i = 0; i < COUNT(no); i++) {
        if (wa_unicode_is_invisible(no[i])) {
            fail_msg("U+%04X", no[i]);
        }
    }
}

static void test_classes_and_controls(void **state)
{
    static const struct {
        apr_uint32_t c;
        wa_unicode_class_e class;
        int is_control;
    } cases[] = {{'a', WA_UNICODE_LETTER, 0},    {0x00e9, WA_UNICODE_LETTER, 0},
                 {0x0939, WA_UNICODE_LETTER, 0}, {0x3005, WA_UNICODE_LETTER, 0},
                 {0x4e00, WA_UNICODE_LETTER, 0}, {0x01c5, WA_UNICODE_LETTER, 0},
                 {0x0301, WA_UNICODE_MARK, 0},   {0x093f, WA_UNICODE_MARK, 0},
                 {0x20e3, WA_UNICODE_MARK, 0},   {0xfe0f, WA_UNICODE_MARK, 0},
                 {'7', WA_UNICODE_NUMBER, 0},    {0x0967, WA_UNICODE_NUMBER, 0},
                 {0x00bd, WA_UNICODE_NUMBER, 0}, {0x2160, WA_UNICODE_NUMBER, 0},
                 {'!', WA_UNICODE_OTHER, 0},     {' ', WA_UNICODE_OTHER, 0},
                 {0x1f600, WA_UNICODE_OTHER, 0}, {0x1f3fb, WA_UNICODE_OTHER, 0},
                 {0x0000, WA_UNICODE_OTHER, 1},  {0x007f, WA_UNICODE_OTHER, 1},
                 {0x0085, WA_UNICODE_OTHER, 1},  {0x202e, WA_UNICODE_OTHER, 1},
                 {0x2028, WA_UNICODE_OTHER, 1},  {0xfeff, WA_UNICODE_OTHER, 1},
                 {0xe007f, WA_UNICODE_OTHER, 1}, {0x10ffff, WA_UNICODE_OTHER, 0}};
    size_t i, used;

    (void)state;
    for (i = 0; i < COUNT(cases); i++) {
        assert_int_equal(wa_unicode_class(cases[i].c), cases[i].class);
        assert_int_equal(wa_unicode_is_control(cases[i].c), cases[i].is_control);
    }
    assert_int_equal(wa_unicode_read("\xe2\x82", 2, &used), 0xfffd);
    assert_int_equal(used, 2);
    assert_int_equal(wa_unicode_read("\xffz", 2, &used), 0xfffd);
    assert_int_equal(used, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_TEST(test_ways_to_write_one_thing), POOL_TEST(test_every_character),
        POOL_TEST(test_what_cannot_be_folded),   POOL_TEST(test_the_bound_is_the_result_s),
        POOL_TEST(test_very_many_marks),         POOL_TEST(test_invisible_characters),
        POOL_TEST(test_classes_and_controls),
    };

    return cmocka_run_group_tests(tests, apr_setup, apr_teardown);
}
