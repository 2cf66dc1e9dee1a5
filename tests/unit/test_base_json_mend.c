/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of JSON in which single characters are none: it becomes readable, and nothing else of it
 * changes. */
#include "test_base.h"

#include "base/json.h"
#include "base/json_mend.h"

#define FFFD "\xEF\xBF\xBD"

static void test_what_is_sound_stays_as_it_is(void **state)
{
    static const char *const sound[] = {
        "",
        "{}",
        "[\"\\ud83d\\ude00\"]",
        "{\"a\":\"\\\"\\\\u0000\\\\ud800\"}",
        "[\"\xF0\x9F\x91\x8B\"]",
        "{\"a\":\n\t1}",
        "\xff",
        "[\"open",
        "[\"\\",
    };
    size_t i;

    for (i = 0; i < COUNT(sound); i++) {
        wa_slice_t mended;

        assert_int_equal(wa_json_mend(wa_slice_of(sound[i]), &mended, *state), APR_SUCCESS);
        assert_ptr_equal(mended.ptr, sound[i]);
        assert_int_equal(mended.len, strlen(sound[i]));
    }
}

static void test_what_is_no_character_is_replaced(void **state)
{
    static const struct {
        const char *json, *mended;
    } cases[] = {
        {"[\"cut \\ud83d\"]", "[\"cut " FFFD "\"]"},
        {"[\"\\ude00\\ud83d\"]", "[\"" FFFD FFFD "\"]"},
        {"[\"\\ud83dx\\ud83d\\ud83d\\ude00\"]", "[\"" FFFD "x" FFFD "\\ud83d\\ude00\"]"},
        {"[\"a\\u0000b\"]", "[\"a" FFFD "b\"]"},
        {"{\"\\u0000\":\"\xff\xC3\"}", "{\"" FFFD "\":\"" FFFD FFFD "\"}"},
        {"[\"a\nb\x01\"]", "[\"a" FFFD "b" FFFD "\"]"},
    };
    size_t i;

    for (i = 0; i < COUNT(cases); i++) {
        char *json = exact_copy(cases[i].json, strlen(cases[i].json));
        wa_slice_t mended;
        json_t *j;

        assert_int_equal(wa_json_mend(wa_slice_make(json, strlen(cases[i].json)), &mended, *state),
                         APR_SUCCESS);
        free(json);
        assert_int_equal(mended.len, strlen(cases[i].mended));
        assert_memory_equal(mended.ptr, cases[i].mended, mended.len);
        assert_int_equal(wa_json_parse(&j, cases[i].json, strlen(cases[i].json), NULL, *state),
                         APR_EINVAL);
        assert_int_equal(wa_json_parse(&j, mended.ptr, mended.len, NULL, *state), APR_SUCCESS);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_TEST(test_what_is_sound_stays_as_it_is),
        POOL_TEST(test_what_is_no_character_is_replaced),
    };

    return cmocka_run_group_tests(tests, apr_setup, apr_teardown);
}
