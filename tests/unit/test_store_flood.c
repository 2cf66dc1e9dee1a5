/* SPDX-License-Identifier: Apache-2.0 */
/* Tests that names which an outsider chose to fall together in apr's own hash tables do not in
 * ours, in memory and on the disk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "base/hash.h"
#include "store/dbm/dbm.h"
#include "store_support.h"

/* A table of apr_hash with so many entries has as many slots, and one. */
enum { NAMES = 1000, SLOTS = 1024 };

/* More of 1,000 names in one of 1,024 slots is no accident (it has odds below 1 in 10^9). */
#define CHAIN_MAX 14

static const char *numbers[NAMES]; /* phone numbers */
static const char *sids[NAMES];
static const char *uuids[NAMES];

/* What apr_hash goes by: its seed adds the same to all names of one length. */
static unsigned times33(const char *name)
{
    unsigned hash = 0;

    while (*name) {
        hash = hash * 33 + (unsigned char)*name++;
    }
    return hash;
}

/* Names of a prefix and as many hexadecimal digits as `width` says (of a number: decimal). */
static void names_find(const char **names, const char *prefix, int width, apr_pool_t *p)
{
    unsigned n, count = 0, wanted = 0;
    char text[64];

    for (n = 0; count < NAMES; n++) {
        if (*prefix == '+') {
            apr_snprintf(text, sizeof(text), "%s%0*u", prefix, width, n);
        } else {
            apr_snprintf(text, sizeof(text), "%s%0*x", prefix, width, n);
        }
        if (count == 0) {
            wanted = times33(text) % SLOTS;
        }
        if (times33(text) % SLOTS == wanted) {
            names[count++] = apr_pstrdup(p, text);
        }
    }
}

static unsigned chain_longest(apr_uint64_t (*hash)(const char *name), const char *const *names)
{
    unsigned slots[SLOTS] = {0}, longest = 0, i;

    for (i = 0; i < NAMES; i++) {
        unsigned *slot = &slots[hash(names[i]) % SLOTS];

        longest = ++*slot > longest ? *slot : longest;
    }
    return longest;
}

static apr_uint64_t by_times33(const char *name)
{
    return times33(name);
}

static apr_uint64_t by_process(const char *name)
{
    return wa_hash_process(0, name, strlen(name));
}

static void test_chosen_names_spread(void **state)
{
    (void)state;
    assert_int_equal(chain_longest(by_times33, numbers), NAMES); /* they are what they should be */
    assert_true(chain_longest(by_process, numbers) <= CHAIN_MAX);
    assert_true(chain_longest(by_process, sids) <= CHAIN_MAX);
    assert_true(chain_longest(by_process, uuids) <= CHAIN_MAX);
}

/* How often two names that were put one after the other stand one after the other in a table: in
 * one chain all do, in many hardly any. */
static unsigned neighbours(apr_hash_t *table, const char *const *names, apr_pool_t *p)
{
    apr_hash_t *places = wa_table_make(p);
    apr_hash_index_t *hi;
    intptr_t last = -10;
    unsigned count = 0, i;

    for (i = 0; i < NAMES; i++) {
        apr_hash_set(places, names[i], APR_HASH_KEY_STRING, (void *)(intptr_t)(i + 1));
    }
    assert_int_equal(apr_hash_count(table), NAMES);
    for (hi = apr_hash_first(p, table); hi; hi = apr_hash_next(hi)) {
        const void *key;
        apr_ssize_t len;
        intptr_t place;

        apr_hash_this(hi, &key, &len, NULL);
        place = (intptr_t)apr_hash_get(places, key, len);
        assert_true(place > 0);
        count += place - last == 1 || last - place == 1;
        last = place;
    }
    return count;
}

static void test_the_measure_sees_a_flood(void **state)
{
    apr_pool_t *p = *state;
    apr_hash_t *flooded = apr_hash_make(p), *keyed = wa_table_make(p);
    unsigned i;

    for (i = 0; i < NAMES; i++) {
        apr_hash_set(flooded, numbers[i], APR_HASH_KEY_STRING, numbers[i]);
        apr_hash_set(keyed, numbers[i], APR_HASH_KEY_STRING, numbers[i]);
    }
    assert_true(neighbours(flooded, numbers, p) > NAMES / 2);
    assert_true(neighbours(keyed, numbers, p) < NAMES / 20);
}

static void test_the_tables_of_a_replica_are_not_flooded(void **state)
{
    fixture_t *f = fixture_create("sdbm");
    const wa_replica_t *replica = &WA_DBM_STORE(f->store)->replica;
    wa_contact_t contact;
    unsigned i;

    (void)state;
    for (i = 0; i < NAMES; i++) {
        message_add(f, apr_psprintf(f->p, "m%u", i), NULL, numbers[i], WA_DIRECTION_RECEIVED);
        assert_int_equal(contact_add(f, uuids[i], numbers[i], "name", &contact), APR_SUCCESS);
        assert_int_equal(wa_store_parked_add(f->store, sids[i], wa_slice_of("1 0 1"), f->p),
                         APR_SUCCESS);
    }
    wa_store_version(f->store, WA_VERSION_ALL);
    assert_true(neighbours(replica->threads, numbers, f->p) < NAMES / 20);
    assert_true(neighbours(replica->contacts_by_number, numbers, f->p) < NAMES / 20);
    assert_true(neighbours(replica->contacts_by_id, uuids, f->p) < NAMES / 20);
    assert_true(neighbours(replica->parked, sids, f->p) < NAMES / 20);
    fixture_destroy(f);
}

/* The key tables on the disk: names that fall together under one store's salt do not under
 * another's, nor do those of one kind under another kind. */
static void test_keys_on_the_disk_go_by_the_salt(void **state)
{
    const apr_uint64_t salts[] = {0x123456789abcdef0u, 0x123456789abcdef1u};
    wa_index_t one = {.salt = salts[0]}, two = {.salt = salts[1]};
    apr_pool_t *p = *state;
    unsigned n, together = 0, still = 0, other_kind = 0;

    for (n = 0; together < 64; n++) {
        const char *key = apr_psprintf(p, "key %u", n);

        if (wa_index_hash(&one, "idem", key, strlen(key)) % SLOTS == 5) {
            together++;
            still += wa_index_hash(&two, "idem", key, strlen(key)) % SLOTS == 5;
            other_kind += wa_index_hash(&one, "id", key, strlen(key)) % SLOTS == 5;
        }
    }
    assert_true(still <= 4);
    assert_true(other_kind <= 4);
}

/* SipHash-2-4 of its authors' paper, appendix A: 15 bytes 00 01 .. 0e under the key 00 01 .. 0f. */
static void test_the_hash_is_siphash(void **state)
{
    const unsigned char key_bytes[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    apr_uint64_t key[2];

    (void)state;
    memcpy(key, key_bytes, sizeof(key));
    assert_true(wa_hash_keyed(key, key_bytes, 15) == 0xa129ca6149be45e5u);
    assert_true(wa_hash_process(0, "a", 1) == wa_hash_process(0, "a", 1));
    assert_true(wa_hash_process(0, "a", 1) != wa_hash_process(1, "a", 1));
}

static int group_setup(void **state)
{
    apr_pool_t *p;

    apr_initialize();
    apr_pool_create(&p, NULL);
    names_find(numbers, "+1555", 7, p);
    names_find(sids, "SM", 32, p);
    names_find(uuids, "00000000-0000-4000-8000-", 12, p);
    *state = p;
    return 0;
}

static int group_teardown(void **state)
{
    apr_pool_destroy(*state);
    apr_terminate();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chosen_names_spread),
        cmocka_unit_test(test_the_measure_sees_a_flood),
        cmocka_unit_test(test_the_tables_of_a_replica_are_not_flooded),
        cmocka_unit_test(test_keys_on_the_disk_go_by_the_salt),
        cmocka_unit_test(test_the_hash_is_siphash),
    };

    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
