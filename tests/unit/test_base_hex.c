/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of hexadecimal digits: every byte both ways, and what is no digit. */
#include "test_base.h"

#include <stdio.h>

#include "base/hex.h"

static void test_every_byte_both_ways(void **state)
{
    unsigned i;

    (void)state;
    for (i = 0; i < 256; i++) {
        const unsigned char byte = (unsigned char)i;
        char text[3] = "zz", wanted[3], upper[3];
        apr_uint64_t value;

        (void)snprintf(wanted, sizeof(wanted), "%02x", i);
        (void)snprintf(upper, sizeof(upper), "%02X", i);
        assert_ptr_equal(wa_hex_write(text, &byte, 1), text + 2);
        text[2] = '\0';
        assert_string_equal(text, wanted);
        assert_int_equal(wa_hex_digit(i >> 4), wanted[0]);
        assert_int_equal(wa_hex_digit_upper(i >> 4), upper[0]);
        assert_true(wa_hex_read(wanted, 2, &value));
        assert_int_equal(value, i);
        assert_true(wa_hex_read(upper, 2, &value));
        assert_int_equal(value, i);
        assert_int_equal(wa_hex_value((char)i) >= 0,
                         i > 0 && strchr("0123456789abcdefABCDEF", (int)i) != NULL);
    }
}

static void test_numbers(void **state)
{
    static const struct {
        const char *text;
        size_t digits;
        int is_read;
        apr_uint64_t value;
    } cases[] = {{"0", 1, 1, 0},
                 {"00fF", 4, 1, 255},
                 {"fffffffffffffffe", 16, 1, 0xfffffffffffffffeULL},
                 {"8000000000000000", 16, 1, 0x8000000000000000ULL},
                 {"12g4", 4, 0, 0},
                 {"12g4", 2, 1, 0x12},
                 {"0x12", 4, 0, 0},
                 {"+1", 2, 0, 0},
                 {" 1", 2, 0, 0},
                 {"-1", 2, 0, 0},
                 {"1\xc2\xb2", 3, 0, 0},
                 {"", 1, 0, 0},
                 {"abc", 4, 0, 0}};
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(cases); i++) {
        apr_uint64_t value = 77;

        assert_int_equal(wa_hex_read(cases[i].text, cases[i].digits, &value), cases[i].is_read);
        assert_int_equal(value, cases[i].value);
    }
}

/* What is behind the first byte that is no digit may not be there. */
static void test_nothing_is_read_beyond_what_is_no_digit(void **state)
{
    char *text = exact_copy("ab%", 3);
    char written[6];
    apr_uint64_t value;

    (void)state;
    assert_false(wa_hex_read(text, 16, &value));
    free(text);
    assert_ptr_equal(wa_hex_write(written, "\0\xff\x7f", 3), written + 6);
    assert_memory_equal(written, "00ff7f", 6);
    assert_ptr_equal(wa_hex_write(written, NULL, 0), written);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_TEST(test_every_byte_both_ways),
        POOL_TEST(test_numbers),
        POOL_TEST(test_nothing_is_read_beyond_what_is_no_digit),
    };

    return cmocka_run_group_tests(tests, apr_setup, apr_teardown);
}
