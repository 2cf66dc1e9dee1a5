/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of words as people write them: case, and what stands around. */
#include "test_base.h"

#include "messaging/policy/words.h"

static int has(const char *const *words, const char *text, apr_pool_t *p)
{
    return wa_words_has(words, wa_slice_of(text), p);
}

static void test_case_in_many_scripts(void **state)
{
    static const char *const pairs[][2] = {
        {"stop", "StOp"},
        {"DÉTENIR", "détenir"},
        {"Þórr", "þÓRR"},
        {"KOŃCZ", "kończ"},
        {"ŹLE", "źle"},
        {"ŽIŽKA", "žižka"},
        {"İPTAL", "iptal"},
        {"ΣΤΑΜΑΤΑ", "σταματα"},
        {"ΤΈΛΟΣ", "τέλος"},
        {"СТОП", "стоп"},
        {"ЄЇЁҐ", "єїёґ"},
        {"ԿԱՆԳ", "կանգ"},
        {"NGỪNG", "ngừng"},
        {"ƯƠ", "ươ"},
        {"ＳＴＯＰ", "stop"},
        {"ÿ", "Ÿ"},
        {"停止", "停止"},
        {"إيقاف", "إيقاف"},
        /* capitals in other places, and other ways to write the same */
        {"ẞ", "ss"},
        {"STRASSE", "straße"},
        {"ᲒᲐᲩᲔᲠᲓᲘ", "გაჩერდი"},
        {"𐐝𐐓𐐉𐐑", "𐑅𐐻𐐱𐐹"},
        {"d\xC3\xA9tenir", "DE\xCC\x81TENIR"},
        {"ⓈⓉⓄⓅ", "stop"},
        {"한국", "\xE1\x84\x92\xE1\x85\xA1\xE1\x86\xAB\xEA\xB5\xAD"},
        {"st\xC2\xADop", "stop"},
        {"रोक", "रोक"}};
    static const char *const apart[][2] = {{"stop", "stöp"}, {"с", "c"},    {"×", "÷"},
                                           {"ß", "s"},       {"रोक", "रक"}, {"が", "か"},
                                           {"ĸ", "Ĺ"},       {"a", "aa"},   {"ı", "i"}};
    apr_size_t i;

    for (i = 0; i < COUNT(pairs); i++) {
        const char *const words[] = {"other", pairs[i][0], NULL};
        const char *const reverse[] = {pairs[i][1], NULL};

        assert_true(has(words, pairs[i][1], *state));
        assert_true(has(reverse, pairs[i][0], *state));
    }
    for (i = 0; i < COUNT(apart); i++) {
        const char *const words[] = {apart[i][0], NULL};

        assert_false(has(words, apart[i][1], *state));
        assert_true(has(words, apart[i][0], *state));
    }
}

static void test_what_stands_around(void **state)
{
    static const char *const words[] = {"STOP", "Basta ya", "停止", "#1", "توقف", NULL};
    static const char *const yes[] = {
        " stop\t\n",
        "\"STOP\"",
        "¡Stop!",
        "“stop…”",
        "*stop*",
        "— Stop —",
        "stop 🙏🏽",
        "🛑Stop",
        "\xE2\x80\x8Bstop\xEF\xBB\xBF",
        "basta ya.",
        "「停止」",
        "停止。",
        "停止！",
        "(#1)",
        "1",
        "،توقف.",
        "stop\xF3\xA0\x80\xA0",
        "stop‼",
        "stop #\xEF\xB8\x8F\xE2\x83\xA3",
        "❤\xEF\xB8\x8Fstop",
        "stop।",
        "stop™",
        "stop\xF0\x9F\xAB\xA8\xF0\x9F\xAB\x9F", /* newer than some tables */
        "stop\xCD\x8F"};
    static const char *const no[] = {
        "stop?", "stop？",       "¿stop", "توقف؟", "st.op",     "stop 2", "2stop", "",
        " ",     "...",          "🙏",     "stopş", "basta  ya", "stop❓",  "stop⁉", "stop՞",
        "stop‽", "stop\xCC\x81", "stop①", "ⓈⓉⓄ"};
    apr_size_t i;

    for (i = 0; i < COUNT(yes); i++) {
        assert_true(has(words, yes[i], *state));
    }
    for (i = 0; i < COUNT(no); i++) {
        assert_false(has(words, no[i], *state));
    }
}

static void test_words_of_signs_alone(void **state)
{
    static const char *const words[] = {"...", "🛑", NULL};
    static const char *const none[] = {NULL};

    assert_true(has(words, " ... ", *state));
    assert_true(has(words, "🛑", *state));
    assert_false(has(words, "..", *state));
    assert_false(has(words, "", *state));
    assert_false(has(none, "stop", *state));
    assert_false(has(NULL, "stop", *state));
    assert_false(wa_words_has(words, (wa_slice_t){NULL, 0}, *state));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_TEST(test_case_in_many_scripts),
        POOL_TEST(test_what_stands_around),
        POOL_TEST(test_words_of_signs_alone),
    };

    return cmocka_run_group_tests(tests, apr_setup, apr_teardown);
}
