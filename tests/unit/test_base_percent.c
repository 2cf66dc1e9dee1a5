/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of percent-encoding: RFC 3986's alphabet, every byte both ways, and what is no escape. */
#include "test_base.h"

#include <stdio.h>

#include "base/percent.h"

static const char unreserved[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";

static void test_every_byte(void **state)
{
    unsigned i;

    for (i = 0; i < 256; i++) {
        const char byte = (char)i;
        char wanted[4] = {byte, '\0', '\0', '\0'};
        char back[3];

        if (byte == '\0' || !strchr(unreserved, byte)) {
            (void)snprintf(wanted, sizeof(wanted), "%%%02X", i);
        }
        assert_string_equal(wa_percent_encode(wa_slice_make(&byte, 1), *state), wanted);
        assert_int_equal(wa_percent_decode(back, wa_slice_of(wanted), WA_PERCENT_PLUS_IS_SPACE), 1);
        assert_int_equal(back[0], byte);
        /* lower case is the same escape (RFC 3986, 6.2.2.1) */
        (void)snprintf(wanted, sizeof(wanted), "%%%02x", i);
        assert_int_equal(wa_percent_decode(back, wa_slice_of(wanted), WA_PERCENT_PLUS_IS_PLUS), 1);
        assert_int_equal(back[0], byte);
    }
}

static void test_texts(void **state)
{
    static const char *const cases[][2] = {
        {"", ""},
        {"a b+c&d=e", "a%20b%2Bc%26d%3De"},
        {"whatsapp:+15551230001", "whatsapp%3A%2B15551230001"},
        {"100%", "100%25"},
        {"%41", "%2541"},
        {"\xE3\x82\xA2", "%E3%82%A2"}, /* RFC 3986, 2.5: katakana A */
        {"\xC3\x80", "%C3%80"},        /* and A with grave */
        {"~user/..", "~user%2F.."},
        {":/?#[]@!$&'()*+,;=", "%3A%2F%3F%23%5B%5D%40%21%24%26%27%28%29%2A%2B%2C%3B%3D"}};
    size_t i;

    for (i = 0; i < COUNT(cases); i++) {
        wa_buffer_t b;

        assert_string_equal(wa_percent_encode(wa_slice_of(cases[i][0]), *state), cases[i][1]);
        wa_buffer_init(&b, 0);
        wa_percent_add(&b, wa_slice_of(cases[i][0]));
        assert_int_equal(b.len, strlen(cases[i][1]));
        if (b.len > 0) {
            assert_memory_equal(b.data, cases[i][1], b.len);
        }
        wa_buffer_release(&b);
    }
    assert_string_equal(wa_percent_encode(wa_slice_make(NULL, 0), *state), "");
}

static void test_what_is_no_escape_stays(void **state)
{
    static const struct {
        const char *text, *plain, *form;
    } cases[] = {{"%", "%", "%"},
                 {"%4", "%4", "%4"},
                 {"a%", "a%", "a%"},
                 {"%%41", "%A", "%A"},
                 {"%4%41", "%4A", "%4A"},
                 {"%zz%4g", "%zz%4g", "%zz%4g"},
                 {"%+1% 1%-1%0x", "%+1% 1%-1%0x", "% 1% 1%-1%0x"},
                 {"%2541", "%41", "%41"},
                 {"%u0041", "%u0041", "%u0041"},
                 {"a+b%2B", "a+b+", "a b+"},
                 {"%C0%AF", "\xC0\xAF", "\xC0\xAF"}, /* overlong: bytes, for others to refuse */
                 {"%25%34%31", "%41", "%41"}};
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(cases); i++) {
        const size_t len = strlen(cases[i].text);
        char *text = exact_copy(cases[i].text, len);
        char *to = malloc(len);

        assert_int_equal(wa_percent_decode(to, wa_slice_make(text, len), WA_PERCENT_PLUS_IS_PLUS),
                         strlen(cases[i].plain));
        assert_memory_equal(to, cases[i].plain, strlen(cases[i].plain));
        /* in its own place */
        assert_int_equal(
            wa_percent_decode(text, wa_slice_make(text, len), WA_PERCENT_PLUS_IS_SPACE),
            strlen(cases[i].form));
        assert_memory_equal(text, cases[i].form, strlen(cases[i].form));
        free(text);
        free(to);
    }
}

static void test_nul_is_a_byte_like_others(void **state)
{
    char to[8];

    assert_string_equal(wa_percent_encode(wa_slice_make("a\0b", 3), *state), "a%00b");
    assert_int_equal(wa_percent_decode(to, WA_SLICE_LITERAL("a%00b"), WA_PERCENT_PLUS_IS_PLUS), 3);
    assert_memory_equal(to, "a\0b", 3);
    assert_int_equal(wa_percent_decode(to,
                                       wa_slice_make("%\0"
                                                     "41",
                                                     4),
                                       WA_PERCENT_PLUS_IS_PLUS),
                     4);
    /* what stands behind the end is no part of an escape */
    assert_int_equal(wa_percent_decode(to, wa_slice_make("%41", 2), WA_PERCENT_PLUS_IS_PLUS), 2);
    assert_int_equal(wa_percent_decode(to, wa_slice_make("%41", 1), WA_PERCENT_PLUS_IS_PLUS), 1);
    assert_int_equal(wa_percent_decode(to, wa_slice_make(NULL, 0), WA_PERCENT_PLUS_IS_PLUS), 0);
}

static void test_random_bytes_come_back(void **state)
{
    uint64_t seed = 1;
    size_t round;

    for (round = 0; round < 300; round++) {
        char bytes[900], back[900];
        const size_t len = next_random(&seed) % sizeof(bytes);
        const char *encoded;
        wa_buffer_t b;
        size_t i;

        for (i = 0; i < len; i++) {
            bytes[i] = (char)(next_random(&seed) >> 32);
        }
        encoded = wa_percent_encode(wa_slice_make(bytes, len), *state);
        assert_int_equal(wa_percent_decode(back, wa_slice_of(encoded), WA_PERCENT_PLUS_IS_SPACE),
                         len);
        if (len > 0) {
            assert_memory_equal(back, bytes, len);
        }
        wa_buffer_init(&b, 0);
        wa_percent_add(&b, wa_slice_make(bytes, len));
        assert_true(wa_slice_is_equal(wa_slice_make(b.data, b.len), wa_slice_of(encoded)));
        wa_buffer_release(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_TEST(test_every_byte),
        POOL_TEST(test_texts),
        POOL_TEST(test_what_is_no_escape_stays),
        POOL_TEST(test_nul_is_a_byte_like_others),
        POOL_TEST(test_random_bytes_come_back),
    };

    return cmocka_run_group_tests(tests, apr_setup, apr_teardown);
}
