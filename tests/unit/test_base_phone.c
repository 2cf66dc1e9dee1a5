/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of phone numbers: normal form and mask. */
#include "test_base.h"

#include "base/phone.h"

static void test_normal_form(void **state)
{
    static const struct {
        const char *typed;
        const char *number; /* NULL: refused */
    } cases[] = {
        {"+15551230001", "+15551230001"},
        {"whatsapp:+15551230001", "+15551230001"},
        {"whatsapp: +1 (555) 123-0001", "+15551230001"},
        {"  whatsapp:+15551230001", "+15551230001"},
        {"+1 (555) 123-00.01", "+15551230001"},
        {" +1-555-123-0001 ", "+15551230001"},
        {"(+1)5551230001", "+15551230001"},
        {"+12", "+12"},
        {"+123456789012345", "+123456789012345"},
        {"+1-2-3-4-5-6-7-8-9-0-1-2-3-4-5-", "+123456789012345"},
        {NULL, NULL},
        {"", NULL},
        {"+", NULL},
        {"+1", NULL},
        {"+1 ", NULL},
        {"+1234567890123456", NULL},
        {"+01234567", NULL},
        {"+ 0 1234567", NULL},
        {"15551230001", NULL},
        {" 15551230001", NULL},
        {"0015551230001", NULL},
        {"++15551230001", NULL},
        {"+1555+1230001", NULL},
        {"+1555123000a", NULL},
        {"+1555123/0001", NULL},
        {"+1555\t1230001", NULL},
        {"+1555123\n0001", NULL},
        {"+\xd9\xa1\xd9\xa2\xd9\xa3\xd9\xa4", NULL}, /* digits, but not ASCII ones */
        {"+1\xc2\xa0"
         "555",
         NULL},
        {"whatsapp:", NULL},
        {"whatsapp:15551230001", NULL},
        {"whatsapp:whatsapp:+15551230001", NULL},
        {"+1555whatsapp:1230001", NULL},
        {"WhatsApp:+15551230001", NULL},
        {"sms:+15551230001", NULL},
        {"US.1234567890123", NULL},
    };
    size_t i;

    for (i = 0; i < COUNT(cases); i++) {
        size_t len = cases[i].typed ? strlen(cases[i].typed) + 1 : 0;
        char *copy = cases[i].typed ? exact_copy(cases[i].typed, len) : NULL;
        const char *number = wa_phone_normalize(copy, *state);

        free(copy);
        if (cases[i].number == NULL) {
            assert_null(number);
        } else {
            assert_non_null(number);
            assert_string_equal(number, cases[i].number);
        }
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
        POOL_TEST(test_normal_form),
        POOL_TEST(test_a_long_input_is_bounded),
        POOL_TEST(test_mask),
    };

    return cmocka_run_group_tests(tests, apr_setup, apr_teardown);
}
