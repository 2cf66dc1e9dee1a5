/* SPDX-License-Identifier: Apache-2.0 */
/* Fields of tag, length and value: what is written is read, and what is cut or changed is not
 * believed. */
#include "test_base.h"

#include "base/tlv.h"

/* Lengths around each border of the encoding. */
static const size_t lengths[] = {0, 1, 127, 128, 16383, 16384, 2097151, 2097152};

static wa_slice_t bytes_of(apr_pool_t *p, size_t len)
{
    char *bytes = apr_palloc(p, len + 1);
    size_t i;

    for (i = 0; i < len; i++) {
        bytes[i] = (char)(i * 31 + len);
    }
    return wa_slice_make(bytes, len);
}

static void test_what_is_written_is_read(void **state)
{
    wa_slice_t all, rest, value;
    wa_tlv_t field;
    wa_buffer_t b;
    size_t i;

    wa_buffer_init(&b, 0);
    for (i = 0; i < COUNT(lengths); i++) {
        wa_tlv_add(&b, (apr_byte_t)(i + 1), bytes_of(*state, lengths[i]));
    }
    wa_tlv_add_pair(&b, 200, wa_slice_of("one"), wa_slice_of(" two"));
    wa_tlv_add_string(&b, 255, "text");
    assert_int_equal(wa_buffer_slice(&b, &all, *state), APR_SUCCESS);
    rest = all;
    for (i = 0; i < COUNT(lengths); i++) {
        assert_int_equal(wa_tlv_next(&rest, &field), 1);
        assert_int_equal(field.tag, i + 1);
        value = bytes_of(*state, lengths[i]);
        assert_true(wa_slice_is_equal(field.value, value));
    }
    assert_int_equal(wa_tlv_next(&rest, &field), 1);
    assert_true(wa_slice_is_equal(field.value, wa_slice_of("one two")));
    assert_int_equal(wa_tlv_next(&rest, &field), 1);
    assert_int_equal(field.tag, 255);
    assert_string_equal(wa_tlv_string(field.value), "text");
    assert_int_equal(wa_tlv_next(&rest, &field), 0);
    assert_int_equal(wa_tlv_next(&rest, &field), 0);
}

/* The fields that are whole are read, and nothing behind the end is looked at (the copies are
 * exact: ASan sees it). */
static void test_what_is_cut_ends_the_list(void **state)
{
    wa_slice_t all, rest;
    wa_tlv_t field;
    wa_buffer_t b;
    size_t len;

    wa_buffer_init(&b, 0);
    wa_tlv_add(&b, 1, bytes_of(*state, 3));
    wa_tlv_add(&b, 2, bytes_of(*state, 200));
    wa_tlv_add(&b, 3, bytes_of(*state, 0));
    assert_int_equal(wa_buffer_slice(&b, &all, *state), APR_SUCCESS);
    for (len = 0; len < all.len; len++) {
        char *copy = exact_copy(all.ptr, len);
        int count = 0;

        for (rest = wa_slice_make(copy, len); wa_tlv_next(&rest, &field);) {
            count++;
        }
        assert_int_equal(rest.len, 0);
        assert_int_equal(count, (len >= 5) + (len >= 5 + 203));
        free(copy);
    }
}

static void test_lengths_that_cannot_be(void **state)
{
    static const char *const heads[] = {"\x01\xff\xff\xff\xff\x0f",
                                        "\x01\xff\xff\xff\xff\xff",
                                        "\x01\x80\x80\x80\x80\x80",
                                        "\x01\xff\xff\xff\xff\x7f",
                                        "\x01\x05",
                                        "\x01\x80",
                                        "\x01"};
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(heads); i++) {
        char *copy = exact_copy(heads[i], strlen(heads[i]));
        wa_slice_t rest = wa_slice_make(copy, strlen(heads[i]));
        wa_tlv_t field;

        assert_int_equal(wa_tlv_next(&rest, &field), 0);
        assert_int_equal(rest.len, 0);
        free(copy);
    }
}

static void test_strings(void **state)
{
    (void)state;
    assert_null(wa_tlv_string(wa_slice_make(NULL, 0)));
    assert_null(wa_tlv_string(wa_slice_make("ab", 2)));
    assert_null(wa_tlv_string(wa_slice_make("a\0b", 4)));
    assert_string_equal(wa_tlv_string(wa_slice_make("ab", 3)), "ab");
    assert_string_equal(wa_tlv_string(wa_slice_make("", 1)), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_TEST(test_what_is_written_is_read),
        POOL_TEST(test_what_is_cut_ends_the_list),
        POOL_TEST(test_lengths_that_cannot_be),
        POOL_TEST(test_strings),
    };

    return cmocka_run_group_tests(tests, apr_setup, apr_teardown);
}
