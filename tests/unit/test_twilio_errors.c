/* SPDX-License-Identifier: Apache-2.0 */
/* Twilio's error codes: each known one has a sentence, each unknown one is named. */
#include "test_base.h"

#include <apr_strings.h>

#include "base/text.h"
#include "twilio/errors.h"

/* All codes of Twilio's that we know to come with messages and webhooks. */
static const int codes[] = {
    20003, 20005, 20404, 20429, 20500, 20503, 20403, 21211, 21212, 21604, 21614, 21602,
    21619, 21603, 21606, 21408, 21608, 21609, 21617, 21620, 21623, 21654, 21655, 21656,
    21658, 21610, 21611, 30001, 21701, 21702, 21703, 21704, 21705, 30003, 30005, 30007,
    30008, 30016, 30036, 30500, 63001, 63002, 63003, 63005, 63006, 63007, 63008, 63009,
    63010, 63012, 63013, 63014, 63033, 63015, 63016, 63017, 63018, 63038, 63019, 63021,
    63034, 63037, 63020, 63022, 63051, 63024, 63032, 63049, 63027, 63028, 63030, 63040,
    63041, 63042, 11200, 11205, 11210, 11220, 11235, 11237, 11750, 12100, 12200, 12300,
};

/* A sentence for a person: begins with a capital, ends with a full stop, without the bare number.
 */
static void test_every_known_code(void **state)
{
    unsigned i;

    for (i = 0; i < COUNT(codes); i++) {
        const char *sentence = wa_twilio_error_sentence(codes[i], *state);
        size_t len = strlen(sentence);

        if (strstr(sentence, "see https")) {
            fail_msg("%d is not in the table", codes[i]);
        }
        assert_true(len > 30 && len < 200);
        assert_true(sentence[0] >= 'A' && sentence[0] <= 'Z');
        assert_int_equal(sentence[len - 1], '.');
        assert_true(wa_text_is_utf8(sentence, len));
        /* Two codes may share a sentence only when they mean the same. */
        assert_ptr_equal(sentence, wa_twilio_error_sentence(codes[i], *state));
    }
}

static void test_unknown_codes(void **state)
{
    static const int unknown[] = {1, 11199, 11201, 20004, 63043, 63052, 99999, 0x7fffffff};
    char number[16];
    unsigned i;

    for (i = 0; i < COUNT(unknown); i++) {
        apr_snprintf(number, sizeof(number), "error %d:", unknown[i]);
        assert_non_null(strstr(wa_twilio_error_sentence(unknown[i], *state), number));
        assert_int_equal(wa_twilio_error_kind(unknown[i]), WA_TWILIO_ERROR_OTHER);
    }
    assert_null(strchr(wa_twilio_error_sentence(0, *state), '0'));
    assert_string_equal(wa_twilio_error_sentence(-5, *state), wa_twilio_error_sentence(0, *state));
}

static void test_words_of_twilios(void **state)
{
    assert_string_equal(wa_twilio_error_told(63016, "words", *state),
                        wa_twilio_error_sentence(63016, *state));
    assert_string_equal(wa_twilio_error_told(63999, NULL, *state),
                        wa_twilio_error_sentence(63999, *state));
    assert_non_null(strstr(wa_twilio_error_told(63999, "words", *state), " It says: words"));
    assert_non_null(strstr(wa_twilio_error_told(0, "words", *state), " It says: words"));
    assert_null(wa_twilio_words(wa_slice_of(NULL), *state));
    assert_null(wa_twilio_words(wa_slice_of(" \n"), *state));
    assert_string_equal(wa_twilio_words(wa_slice_of(" a\nb "), *state), "a b");
}

static void test_kinds(void **state)
{
    static const struct {
        int code;
        wa_twilio_error_kind_e kind;
    } rows[] = {
        {20003, WA_TWILIO_ERROR_CREDENTIALS}, {20005, WA_TWILIO_ERROR_CREDENTIALS},
        {63007, WA_TWILIO_ERROR_CREDENTIALS}, {20429, WA_TWILIO_ERROR_BUSY},
        {63018, WA_TWILIO_ERROR_BUSY},        {63016, WA_TWILIO_ERROR_WINDOW_CLOSED},
        {21610, WA_TWILIO_ERROR_OPTED_OUT},   {21211, WA_TWILIO_ERROR_RECIPIENT},
        {63024, WA_TWILIO_ERROR_RECIPIENT},   {63049, WA_TWILIO_ERROR_RECIPIENT},
        {21617, WA_TWILIO_ERROR_CONTENT},     {63041, WA_TWILIO_ERROR_CONTENT},
        {30008, WA_TWILIO_ERROR_OTHER},
    };
    unsigned i;

    (void)state;
    for (i = 0; i < COUNT(rows); i++) {
        assert_int_equal(wa_twilio_error_kind(rows[i].code), rows[i].kind);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_TEST(test_every_known_code),
        POOL_TEST(test_unknown_codes),
        POOL_TEST(test_words_of_twilios),
        POOL_TEST(test_kinds),
    };

    return cmocka_run_group_tests(tests, apr_setup, apr_teardown);
}
