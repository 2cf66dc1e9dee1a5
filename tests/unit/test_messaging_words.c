/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of words as people write them: case, and what stands around. */
#include "test_base.h"

#include "messaging/words.h"

static int has(const char *const *words, const char *text)
{
    return wa_words_has(words, wa_slice_of(text));
}

static void test_case_in_many_scripts(void **state)
{
    static const char *const pairs[][2] = {
        {"stop", "StOp"},   {"DÉTENIR", "détenir"}, {"Þórr", "þÓRR"},     {"KOŃCZ", "kończ"},
        {"ŹLE", "źle"},     {"ŽIŽKA", "žižka"},     {"İPTAL", "iptal"},   {"ΣΤΑΜΑΤΑ", "σταματα"},
        {"ΤΈΛΟΣ", "τέλος"}, {"СТОП", "стоп"},       {"ЄЇЁҐ", "єїёґ"},     {"ԿԱՆԳ", "կանգ"},
        {"NGỪNG", "ngừng"}, {"ƯƠ", "ươ"},           {"ＳＴＯＰ", "stop"}, {"ÿ", "Ÿ"},
        {"停止", "停止"},   {"إيقاف", "إيقاف"}};
    static const char *const apart[][2] = {{"stop", "stöp"}, {"с", "c"},  {"×", "÷"}, {"ß", "ss"},
                                           {"ĸ", "Ĺ"},       {"a", "aa"}, {"ı", "i"}};
    apr_size_t i;

    (void)state;
    for (i = 0; i < COUNT(pairs); i++) {
        const char *const words[] = {"other", pairs[i][0], NULL};
        const char *const reverse[] = {pairs[i][1], NULL};

        assert_true(has(words, pairs[i][1]));
        assert_true(has(reverse, pairs[i][0]));
    }
    for (i = 0; i < COUNT(apart); i++) {
        const char *const words[] = {apart[i][0], NULL};

        assert_false(has(words, apart[i][1]));
        assert_true(has(words, apart[i][0]));
    }
}

static void test_what_stands_around(void **state)
{
    static const char *const words[] = {"STOP", "Basta ya", "停止", "#1", "توقف", NULL};
    static const char *const yes[] = {" stop\t\n",
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
                                      "stop\xF3\xA0\x80\xA0"};
    static const char *const no[] = {"stop?",  "stop？", "¿stop",    "توقف؟", "st.op",
                                     "stop 2", "2stop",  "",         " ",     "...",
                                     "🙏",      "stopş",  "basta  ya"};
    apr_size_t i;

    (void)state;
    for (i = 0; i < COUNT(yes); i++) {
        assert_true(has(words, yes[i]));
    }
    for (i = 0; i < COUNT(no); i++) {
        assert_false(has(words, no[i]));
    }
}

static void test_words_of_signs_alone(void **state)
{
    static const char *const words[] = {"...", "🛑", NULL};
    static const char *const none[] = {NULL};

    (void)state;
    assert_true(has(words, " ... "));
    assert_true(has(words, "🛑"));
    assert_false(has(words, ".."));
    assert_false(has(words, ""));
    assert_false(has(none, "stop"));
    assert_false(has(NULL, "stop"));
    assert_false(wa_words_has(words, (wa_slice_t){NULL, 0}));
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
