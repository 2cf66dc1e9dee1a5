/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of secrets: copy, comparison, wiping. */
#include "test_base.h"

#include "base/secret.h"

static void test_the_copy_is_whole(void **state)
{
    char *typed = exact_copy("to\0ken", 6);
    wa_secret_t secret = wa_secret_make(typed, 6, *state);

    memset(typed, 'x', 6);
    free(typed);
    assert_int_equal(secret.len, 6);
    assert_memory_equal(secret.bytes, "to\0ken", 7); /* with the NUL after it */
}

static void test_only_the_same_bytes_are_equal(void **state)
{
    wa_secret_t secret = wa_secret_make("to\0ken", 6, *state);

    assert_true(wa_secret_is_equal(secret, "to\0ken", 6));
    assert_false(wa_secret_is_equal(secret, "to\0keN", 6));
    assert_false(wa_secret_is_equal(secret, "To\0ken", 6));
    assert_false(wa_secret_is_equal(secret, "to\0ke", 5));
    assert_false(wa_secret_is_equal(secret, "to\0ken\0", 7));
    assert_false(wa_secret_is_equal(secret, "to", 2));
    assert_false(wa_secret_is_equal(secret, NULL, 0));
}

static void test_an_empty_secret_equals_nothing(void **state)
{
    wa_secret_t none = {NULL, 0};
    wa_secret_t empty = wa_secret_make("", 0, *state);

    assert_int_equal(empty.len, 0);
    assert_false(wa_secret_is_equal(none, NULL, 0));
    assert_false(wa_secret_is_equal(empty, "", 0));
    assert_false(wa_secret_is_equal(empty, "x", 1));
}

/* Looks at the copy after the secret's cleanup (the later registered run first), while the
 * pool's memory is still there. */
typedef struct witness_t {
    const char *bytes;
    size_t len;
    int calls;
    int is_wiped;
} witness_t;

static apr_status_t witness_look(void *data)
{
    witness_t *witness = data;
    size_t i;

    witness->calls++;
    witness->is_wiped = 1;
    for (i = 0; i < witness->len; i++) {
        witness->is_wiped &= witness->bytes[i] == 0;
    }
    return APR_SUCCESS;
}

static void test_the_copy_is_wiped_with_the_pool(void **state)
{
    witness_t witness = {NULL, 0, 0, 0};
    apr_pool_t *p = *state;
    wa_secret_t secret;

    apr_pool_cleanup_register(p, &witness, witness_look, apr_pool_cleanup_null);
    secret = wa_secret_make("0123456789abcdef", 16, p);
    assert_memory_equal(secret.bytes, "0123456789abcdef", 16);
    witness.bytes = secret.bytes;
    witness.len = secret.len;
    apr_pool_clear(p);
    assert_int_equal(witness.calls, 1);
    assert_true(witness.is_wiped);
}

static void test_wipe(void **state)
{
    char bytes[] = "abcdef";

    (void)state;
    wa_secret_wipe(bytes, 3);
    assert_memory_equal(bytes, "\0\0\0def", 7);
    wa_secret_wipe(NULL, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_TEST(test_the_copy_is_whole),
        POOL_TEST(test_only_the_same_bytes_are_equal),
        POOL_TEST(test_an_empty_secret_equals_nothing),
        POOL_TEST(test_the_copy_is_wiped_with_the_pool),
        POOL_TEST(test_wipe),
    };

    return cmocka_run_group_tests(tests, apr_setup, apr_teardown);
}
