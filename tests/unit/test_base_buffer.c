/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the growing buffer. */
#include "test_base.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/buffer.h"

static void test_bytes_stay_while_it_grows(void **state)
{
    wa_buffer_t b;
    size_t i, grown = 0, cap = 0;

    (void)state;
    wa_buffer_init(&b, 0);
    assert_null(b.data);
    for (i = 0; i < 1000000; i++) {
        char c = (char)(i * 7);

        wa_buffer_add(&b, &c, 1);
        assert_true(b.len <= b.cap);
        grown += b.cap != cap;
        cap = b.cap;
    }
    assert_false(b.failed);
    assert_int_equal(b.len, 1000000);
    assert_true(grown <= 14); /* 256 doubled 12 times is over a million */
    for (i = 0; i < b.len; i++) {
        assert_true(b.data[i] == (char)(i * 7));
    }
    wa_buffer_release(&b);
    assert_null(b.data);
    assert_int_equal(b.len + b.cap, 0);
}

static void test_pieces_are_joined(void **state)
{
    wa_buffer_t b;

    (void)state;
    wa_buffer_init(&b, 3);
    assert_int_equal(b.cap, 3);
    WA_BUFFER_ADD_LITERAL(&b, "{\"a\":");
    wa_buffer_add_int(&b, -12);
    wa_buffer_add_slice(&b, wa_slice_make(NULL, 0));
    wa_buffer_add_slice(&b, wa_slice_of("}tail"));
    assert_int_equal(b.len, 13);
    assert_memory_equal(b.data, "{\"a\":-12}tail", 13);
    wa_buffer_release(&b);
}

static void test_reserved_room_is_not_moved(void **state)
{
    wa_buffer_t b;
    char *data;

    (void)state;
    wa_buffer_init(&b, 0);
    assert_int_equal(wa_buffer_reserve(&b, 5000), APR_SUCCESS);
    assert_true(b.cap >= 5000);
    data = b.data;
    memset(data, 'x', 5000); /* a sanitizer sees when there is less than promised */
    while (b.len < 5000) {
        WA_BUFFER_ADD_LITERAL(&b, "12345");
    }
    assert_ptr_equal(b.data, data);
    assert_int_equal(wa_buffer_reserve(&b, 0), APR_SUCCESS);
    wa_buffer_release(&b);
}

static void test_failure_stays(void **state)
{
    wa_buffer_t b;
    size_t len = 1;

    (void)state;
    wa_buffer_init(&b, 64);
    WA_BUFFER_ADD_LITERAL(&b, "abc");
    assert_int_equal(wa_buffer_reserve(&b, SIZE_MAX), APR_ENOMEM);
    assert_true(b.failed);
    WA_BUFFER_ADD_LITERAL(&b, "d"); /* would have fitted */
    wa_buffer_add_int(&b, 5);
    assert_int_equal(b.len, 3);
    assert_memory_equal(b.data, "abc", 3);
    assert_int_equal(wa_buffer_reserve(&b, 1), APR_ENOMEM);
    assert_int_equal(wa_buffer_reserve(&b, 0), APR_ENOMEM);
    assert_null(wa_buffer_take(&b, &len));
    assert_int_equal(len, 0);

    assert_false(b.failed); /* empty and usable again */
    WA_BUFFER_ADD_LITERAL(&b, "e");
    assert_int_equal(b.len, 1);
    wa_buffer_release(&b);
}

static void test_lengths_do_not_wrap(void **state)
{
    const size_t extras[] = {SIZE_MAX, SIZE_MAX - 3, SIZE_MAX - 2, SIZE_MAX / 2, SIZE_MAX / 2 - 2};
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(extras); i++) {
        wa_buffer_t b;

        wa_buffer_init(&b, 0);
        WA_BUFFER_ADD_LITERAL(&b, "abc");
        assert_int_equal(wa_buffer_reserve(&b, extras[i]), APR_ENOMEM);
        assert_int_equal(b.len, 3);
        wa_buffer_release(&b);
    }
}

static void test_take_gives_the_bytes_away(void **state)
{
    wa_buffer_t b;
    size_t len;
    char *bytes;

    (void)state;
    wa_buffer_init(&b, 100);
    assert_null(wa_buffer_take(&b, &len));
    assert_int_equal(len, 0);
    WA_BUFFER_ADD_LITERAL(&b, "first");
    bytes = wa_buffer_take(&b, &len);
    assert_int_equal(len, 5);
    assert_null(b.data);
    WA_BUFFER_ADD_LITERAL(&b, "second");
    assert_memory_equal(bytes, "first", 5);
    assert_memory_equal(b.data, "second", 6);
    free(bytes);
    wa_buffer_release(&b);
}

static void assert_renders(int64_t value)
{
    char expected[32];
    wa_buffer_t b;
    int len = snprintf(expected, sizeof(expected), "%" PRId64, value);

    wa_buffer_init(&b, 0);
    wa_buffer_add_int(&b, value);
    assert_int_equal(b.len, len);
    assert_memory_equal(b.data, expected, (size_t)len);
    wa_buffer_release(&b);
}

static void test_numbers_are_as_printf_says(void **state)
{
    uint64_t seed = 42, power = 1;
    int i, shift;

    (void)state;
    assert_renders(INT64_MAX);
    assert_renders(INT64_MIN);
    assert_renders(INT64_MIN + 1);
    for (i = -1000; i <= 1000; i++) {
        assert_renders(i);
    }
    for (i = 0; i < 19; i++, power *= 10) {
        assert_renders((int64_t)power - 1);
        assert_renders((int64_t)power);
        assert_renders(-(int64_t)power);
        assert_renders(-(int64_t)power - 1);
    }
    for (shift = 0; shift < 64; shift++) {
        for (i = 0; i < 100; i++) {
            assert_renders((int64_t)(next_random(&seed) >> shift));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_stay_while_it_grows),
        cmocka_unit_test(test_pieces_are_joined),
        cmocka_unit_test(test_reserved_room_is_not_moved),
        cmocka_unit_test(test_failure_stays),
        cmocka_unit_test(test_lengths_do_not_wrap),
        cmocka_unit_test(test_take_gives_the_bytes_away),
        cmocka_unit_test(test_numbers_are_as_printf_says),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
