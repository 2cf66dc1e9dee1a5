/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the token buckets: how many go, when the next may, and who shares with whom. */
#include "test_base.h"

#include <pthread.h>
#include <stdlib.h>

#include <apr_strings.h>

#include "base/hash.h"
#include "messaging/policy/rate.h"

#define START ((apr_time_t)1000000000)

static const wa_rate_t three_a_minute = {3, apr_time_from_sec(60)};

static wa_rate_table_t *table_make(void)
{
    wa_rate_table_t *table = calloc(1, sizeof(*table));

    assert_non_null(table);
    table->key[0] = 12345;
    return table;
}

static void test_a_burst_then_one_by_one(void **state)
{
    wa_rate_table_t *table = table_make();
    apr_time_t now = START;
    int i;

    (void)state;
    for (i = 0; i < 3; i++) {
        assert_int_equal(wa_rate_take(table, &three_a_minute, "a", now), 0);
    }
    for (i = 0; i < 5; i++) {
        assert_int_equal(wa_rate_take(table, &three_a_minute, "a", now), apr_time_from_sec(20));
    }
    assert_int_equal(wa_rate_take(table, &three_a_minute, "b", now), 0);
    now += apr_time_from_sec(19);
    assert_int_equal(wa_rate_take(table, &three_a_minute, "a", now), apr_time_from_sec(1));
    now += apr_time_from_sec(1);
    assert_int_equal(wa_rate_take(table, &three_a_minute, "a", now), 0);
    assert_int_equal(wa_rate_take(table, &three_a_minute, "a", now), apr_time_from_sec(20));
    /* a long time gives no more than a burst */
    now += apr_time_from_sec(3600);
    for (i = 0; i < 3; i++) {
        assert_int_equal(wa_rate_take(table, &three_a_minute, "a", now), 0);
    }
    assert_true(wa_rate_take(table, &three_a_minute, "a", now) > 0);
    free(table);
}

static void test_one_is_put_back(void **state)
{
    wa_rate_table_t *table = table_make();
    int i;

    (void)state;
    wa_rate_give_back(table, &three_a_minute, "a", START); /* of a full bucket: nothing */
    for (i = 0; i < 3; i++) {
        assert_int_equal(wa_rate_take(table, &three_a_minute, "a", START), 0);
    }
    wa_rate_give_back(table, &three_a_minute, "a", START);
    assert_int_equal(wa_rate_take(table, &three_a_minute, "a", START), 0);
    assert_true(wa_rate_take(table, &three_a_minute, "a", START) > 0);
    free(table);
}

static void test_every_rate_is_kept(void **state)
{
    static const wa_rate_t rates[] = {{1, apr_time_from_sec(1)},
                                      {7, apr_time_from_sec(60)},
                                      {1000, apr_time_from_sec(1)},
                                      {1000, apr_time_from_sec(3600)},
                                      {1, apr_time_from_sec(3600)}};
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(rates); i++) {
        wa_rate_table_t *table = table_make();
        apr_uint32_t count = 0;
        apr_interval_time_t wait;

        while (wa_rate_take(table, &rates[i], "a", START) == 0) {
            count++;
        }
        assert_int_equal(count, rates[i].count);
        wait = wa_rate_take(table, &rates[i], "a", START);
        assert_in_range(wait, rates[i].period / rates[i].count,
                        rates[i].period / rates[i].count + 100);
        assert_int_equal(wa_rate_take(table, &rates[i], "a", START + wait), 0);
        free(table);
    }
}

/* Far more names than places: those who are at their limit keep it while places are to be had. */
static void test_many_names(void **state)
{
    wa_rate_table_t *table = table_make();
    apr_pool_t *p = *state;
    int i, k;

    for (i = 0; i < 4000; i++) {
        for (k = 0; k < 3; k++) {
            assert_int_equal(
                wa_rate_take(table, &three_a_minute, apr_psprintf(p, "name %d", i), START), 0);
        }
    }
    for (i = 0, k = 0; i < 4000; i++) {
        k += wa_rate_take(table, &three_a_minute, apr_psprintf(p, "name %d", i), START) > 0;
    }
    assert_in_range(k, 3900, 4000);
    /* old names leave their places without anybody's doing */
    for (i = 0; i < 100000; i++) {
        assert_int_equal(wa_rate_take(table, &three_a_minute, apr_psprintf(p, "other %d", i),
                                      START + apr_time_from_sec(60 + i)),
                         0);
    }
    free(table);
}

/* Names that fall into one set of a table. */
static void names_of_one_set(const char **names, int count, const apr_uint64_t *key, apr_pool_t *p)
{
    int i, found = 0;

    for (i = 0; found < count; i++) {
        const char *name = apr_psprintf(p, "name %d", i);

        if (wa_hash_keyed(key, name, strlen(name)) % WA_RATE_SETS == 7) {
            names[found++] = name;
        }
    }
}

/* Where a set is full somebody's bucket gives way, but nobody pays for another one, or is paid. */
static void test_a_full_set(void **state)
{
    const char *names[WA_RATE_WAYS + 2];
    wa_rate_table_t *table = table_make();
    int i, k, still = 0;

    names_of_one_set(names, WA_RATE_WAYS + 2, table->key, *state);
    for (i = 0; i < WA_RATE_WAYS; i++) {
        for (k = 0; k < (i == 3 ? 2 : 3); k++) {
            assert_int_equal(wa_rate_take(table, &three_a_minute, names[i], START), 0);
        }
    }
    /* one that has no bucket has none to put back in */
    wa_rate_give_back(table, &three_a_minute, names[WA_RATE_WAYS + 1], START);
    assert_int_equal(wa_rate_take(table, &three_a_minute, names[3], START), 0);
    for (i = 0; i < WA_RATE_WAYS; i++) {
        assert_true(wa_rate_take(table, &three_a_minute, names[i], START) > 0);
        assert_true(table->buckets[7][i] != 0);
    }
    for (k = 0; k < 3; k++) {
        assert_int_equal(wa_rate_take(table, &three_a_minute, names[WA_RATE_WAYS], START), 0);
    }
    assert_true(wa_rate_take(table, &three_a_minute, names[WA_RATE_WAYS], START) > 0);
    /* one made room, all others are where they were */
    for (i = WA_RATE_WAYS - 1; i > 0; i--) {
        still += wa_rate_take(table, &three_a_minute, names[i], START) > 0;
    }
    assert_int_equal(still, WA_RATE_WAYS - 1);
    free(table);
}

/* Names that fall together in one server's table do not in another's. */
static void test_the_key_counts(void **state)
{
    const char *names[20];
    wa_rate_table_t *table = table_make();
    int i, sets = 0;

    names_of_one_set(names, COUNT(names), table->key, *state);
    table->key[0]++;
    for (i = 0; i < (int)COUNT(names); i++) {
        assert_int_equal(wa_rate_take(table, &three_a_minute, names[i], START), 0);
    }
    for (i = 0; i < WA_RATE_SETS; i++) {
        sets += table->buckets[i][0] != 0;
    }
    assert_in_range(sets, 15, 20);
    free(table);
}

static struct {
    wa_rate_table_t *table;
    apr_uint32_t taken;
} race;

static void *racer(void *unused)
{
    const wa_rate_t rate = {500, apr_time_from_sec(3600)};
    int i;

    for (i = 0; i < 1000; i++) {
        if (wa_rate_take(race.table, &rate, "one", START) == 0) {
            __atomic_add_fetch(&race.taken, 1, __ATOMIC_SEQ_CST);
        }
    }
    return unused;
}

static void test_threads_together_get_no_more(void **state)
{
    pthread_t threads[4];
    int i;

    (void)state;
    race.table = table_make();
    race.taken = 0;
    for (i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, racer, NULL), 0);
    }
    for (i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(race.taken, 500);
    free(race.table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_TEST(test_a_burst_then_one_by_one),
        POOL_TEST(test_one_is_put_back),
        POOL_TEST(test_every_rate_is_kept),
        POOL_TEST(test_many_names),
        POOL_TEST(test_a_full_set),
        POOL_TEST(test_the_key_counts),
        POOL_TEST(test_threads_together_get_no_more),
    };

    return cmocka_run_group_tests(tests, apr_setup, apr_teardown);
}
