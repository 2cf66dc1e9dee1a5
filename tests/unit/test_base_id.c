/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of identifiers. */
#include "test_base.h"

#include <sys/wait.h>
#include <unistd.h>

#include "base/id.h"

#define MANY 5000

static int compare_ids(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void test_uuids_are_version_4_and_differ(void **state)
{
    const char *ids[MANY];
    int seen[36][16] = {{0}};
    size_t i, at;

    for (i = 0; i < MANY; i++) {
        ids[i] = wa_id_uuid4(*state);
        assert_non_null(ids[i]);
        assert_int_equal(strspn(ids[i], "0123456789abcdef-"), 36);
        assert_true(wa_id_is_uuid(ids[i]));
        assert_int_equal(ids[i][14], '4');
        assert_non_null(strchr("89ab", ids[i][19]));
        for (at = 0; at < 36; at++) {
            char c = ids[i][at];

            if (c != '-') {
                seen[at][c <= '9' ? c - '0' : c - 'a' + 10]++;
            }
        }
    }
    for (at = 0; at < 36; at++) { /* every random digit takes every value */
        int is_fixed = at == 8 || at == 13 || at == 14 || at == 18 || at == 19 || at == 23;

        for (i = 0; i < 16 && !is_fixed; i++) {
            assert_in_range(seen[at][i], MANY / 32, MANY / 8);
        }
    }
    qsort(ids, MANY, sizeof(ids[0]), compare_ids);
    for (i = 1; i < MANY; i++) {
        assert_string_not_equal(ids[i - 1], ids[i]);
    }
}

/* Children of one parent must not make the same ids. */
static void test_a_forked_process_makes_other_uuids(void **state)
{
    char theirs[37] = "";
    int ends[2], status = -1;
    pid_t child;

    (void)wa_id_uuid4(*state); /* the generator is seeded before the fork */
    assert_int_equal(pipe(ends), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        const char *id = wa_id_uuid4(*state);

        _exit(id && write(ends[1], id, 36) == 36 ? 0 : 1);
    }
    assert_int_equal(read(ends[0], theirs, 36), 36);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_true(wa_id_is_uuid(theirs));
    assert_string_not_equal(theirs, wa_id_uuid4(*state));
    close(ends[0]);
    close(ends[1]);
}

static void test_shape_of_a_uuid(void **state)
{
    static const struct {
        const char *s;
        int is_uuid;
    } cases[] = {
        {"f47ac10b-58cc-4372-a567-0e02b2c3d479", 1},
        {"F47AC10B-58CC-4372-A567-0E02B2C3D479", 1},
        {"00000000-0000-0000-0000-000000000000", 1},
        {NULL, 0},
        {"", 0},
        {"f47ac10b-58cc-4372-a567-0e02b2c3d47", 0},
        {"f47ac10b-58cc-4372-a567-0e02b2c3d4790", 0},
        {"f47ac10b-58cc-4372-a567-0e02b2c3d47g", 0},
        {"f47ac10b58cc-4372-a567-0e02b2c3d4790", 0},
        {"f47ac10b-58cc-4372-a5670e02b2c3d4790", 0},
        {"-47ac10b-58cc-4372-a567-0e02b2c3d479", 0},
        {"{47ac10b-58cc-4372-a567-0e02b2c3d479", 0},
        {"f47ac10b-58cc-4372-a567-0e02b2c3d479 ", 0},
        {"f47ac10b", 0},
    };
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(cases); i++) {
        char *copy = cases[i].s ? exact_copy(cases[i].s, strlen(cases[i].s) + 1) : NULL;

        assert_int_equal(wa_id_is_uuid(copy), cases[i].is_uuid);
        free(copy);
    }
}

static void test_shape_of_a_sid(void **state)
{
    static const struct {
        const char *s;
        const char *prefixes;
        int is_sid;
    } cases[] = {
        {"SM0123456789abcdef0123456789abcdef", "SM,MM", 1},
        {"MM0123456789ABCDEF0123456789abcdef", "SM,MM", 1},
        {"AC0123456789abcdef0123456789abcdef", "AC", 1},
        {"AC0123456789abcdef0123456789abcdef", "SM,MM", 0},
        {"SM0123456789abcdef0123456789abcdef", "S", 0},
        {"SM0123456789abcdef0123456789abcdef", "", 0},
        {"0123456789abcdef0123456789abcdef", "", 0},
        {"0123456789abcdef0123456789abcdef", ",", 0},
        {"sm0123456789abcdef0123456789abcdef", "SM", 0},
        {"SM0123456789abcdef0123456789abcde", "SM", 0},
        {"SM0123456789abcdef0123456789abcdef0", "SM", 0},
        {"SM0123456789abcdef0123456789abcdeg", "SM", 0},
        {"SM", "SM,MM", 0},
        {"S", "SM,MM", 0},
        {"", "SM", 0},
        {NULL, "SM", 0},
    };
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(cases); i++) {
        char *copy = cases[i].s ? exact_copy(cases[i].s, strlen(cases[i].s) + 1) : NULL;

        assert_int_equal(wa_id_is_sid(copy, cases[i].prefixes), cases[i].is_sid);
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_TEST(test_uuids_are_version_4_and_differ),
        POOL_TEST(test_a_forked_process_makes_other_uuids),
        POOL_TEST(test_shape_of_a_uuid),
        POOL_TEST(test_shape_of_a_sid),
    };

    return cmocka_run_group_tests(tests, apr_setup, apr_teardown);
}
