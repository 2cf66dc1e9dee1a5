/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of CRC-32C against published values and the polynomial, and of the hash's quality. */
#include "test_base.h"

#include <stdio.h>

#include "base/hash.h"

/* ---- CRC-32C ---- */

/* One bit at a time, by the polynomial. */
static uint32_t crc_by_bits(uint32_t crc, const unsigned char *s, size_t len)
{
    int bit;

    crc = ~crc;
    for (; len > 0; len--, s++) {
        crc ^= *s;
        for (bit = 0; bit < 8; bit++) {
            crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
        }
    }
    return ~crc;
}

static void test_published_values(void **state)
{
    /* RFC 3720 appendix B.4 */
    static const unsigned char pdu[48] = {
        0x01, 0xc0, [16] = 0x14, [22] = 0x04, [27] = 0x14, [31] = 0x18, 0x28, [40] = 0x02};
    unsigned char bytes[4][32];
    static const uint32_t expected[] = {0x8a9136aau, 0x62a8ab43u, 0x46dd794eu, 0x113fdb5cu};
    size_t i;

    (void)state;
    for (i = 0; i < 32; i++) {
        bytes[0][i] = 0x00;
        bytes[1][i] = 0xff;
        bytes[2][i] = (unsigned char)i;
        bytes[3][i] = (unsigned char)(31 - i);
    }
    for (i = 0; i < 4; i++) {
        assert_int_equal(wa_crc32c(0, bytes[i], 32), expected[i]);
        assert_int_equal(wa_crc32c_portable(0, bytes[i], 32), expected[i]);
    }
    assert_int_equal(wa_crc32c(0, pdu, sizeof(pdu)), 0xd9963a56u);
    assert_int_equal(wa_crc32c_portable(0, pdu, sizeof(pdu)), 0xd9963a56u);
    assert_int_equal(wa_crc32c(0, "123456789", 9), 0xe3069283u);
    assert_int_equal(wa_crc32c_portable(0, "123456789", 9), 0xe3069283u);
    assert_int_equal(wa_crc32c(0, NULL, 0), 0);
    assert_int_equal(wa_crc32c_portable(0, NULL, 0), 0);
}

static void test_all_lengths_and_places(void **state)
{
    unsigned char bytes[320];
    uint64_t seed = 3;
    size_t i, len, shift;

    (void)state;
    for (i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (unsigned char)(next_random(&seed) >> 32);
    }
    for (len = 0; len <= 300; len++) {
        for (shift = 0; shift < 9; shift++) {
            uint32_t start = (uint32_t)next_random(&seed);
            uint32_t expected = crc_by_bits(start, bytes + shift, len);
            char *copy = exact_copy(bytes + shift, len);

            assert_int_equal(wa_crc32c(start, bytes + shift, len), expected);
            assert_int_equal(wa_crc32c_portable(start, bytes + shift, len), expected);
            assert_int_equal(wa_crc32c(start, copy, len), expected);
            assert_int_equal(wa_crc32c_portable(start, copy, len), expected);
            free(copy);
        }
    }
}

static void test_parts_give_the_same_as_the_whole(void **state)
{
    static const char text[] = "A record's head, its key and its body are added one after another.";
    size_t len = sizeof(text) - 1, cut;
    uint32_t whole = wa_crc32c(0, text, len);

    (void)state;
    for (cut = 0; cut <= len; cut++) {
        assert_int_equal(wa_crc32c(wa_crc32c(0, text, cut), text + cut, len - cut), whole);
        assert_int_equal(wa_crc32c_portable(wa_crc32c(0, text, cut), text + cut, len - cut), whole);
    }
}

/* ---- the hash ---- */

/* Hashes lie in files: these may never change. */
static void test_hashes_stay(void **state)
{
    static const struct {
        uint64_t seed;
        const char *text;
        uint64_t hash;
    } cases[] = {
        {0, "", 0x085ce6ebfd0c5302ULL},
        {1, "", 0xc84e8e21efad1c70ULL},
        {0, "a", 0x85dba18050c7b249ULL},
        {0, "abc", 0xf2694daa67a80217ULL},
        {0, "abcd", 0x3c62c7c83d349268ULL},
        {0, "12345678", 0xb814bff084fc1229ULL},
        {0, "+15551230001", 0xb2a48cd2efd2f929ULL},
        {7, "+15551230001", 0xa03f1710de0b111aULL},
        {0, "0123456789abcdef", 0xa59b9ed9d60edd79ULL},
        {0, "0123456789abcdefg", 0xf7dd785614b6bebcULL},
        {0, "0123456789abcdef0123456789abcdef", 0xba6e6849e7d40498ULL},
        {0, "SM0123456789abcdef0123456789abcdef", 0x681752a0942c5861ULL},
        {0, "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef012",
         0x69359ce5acd8378bULL},
    };
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(cases); i++) {
        char *copy = exact_copy(cases[i].text, strlen(cases[i].text));
        uint64_t hash = wa_hash64(cases[i].seed, copy, strlen(cases[i].text));

        free(copy);
        assert_true(hash == cases[i].hash);
    }
}

static int compare_hashes(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

    return left < right ? -1 : left > right;
}

/* No two of them are equal, and they fill the buckets that the low and the high bits name as
 * evenly as chance does. */
static void assert_spread(uint64_t *hashes, size_t count)
{
    static int low[1024], high[1024];
    double expected = (double)count / 1024, chi_low = 0, chi_high = 0;
    size_t i;

    memset(low, 0, sizeof(low));
    memset(high, 0, sizeof(high));
    for (i = 0; i < count; i++) {
        low[hashes[i] & 1023]++;
        high[hashes[i] >> 54]++;
    }
    for (i = 0; i < 1024; i++) {
        chi_low += (low[i] - expected) * (low[i] - expected) / expected;
        chi_high += (high[i] - expected) * (high[i] - expected) / expected;
    }
    /* 1023 degrees of freedom: mean 1023, standard deviation 45 */
    assert_in_range((long)chi_low, 800, 1250);
    assert_in_range((long)chi_high, 800, 1250);
    qsort(hashes, count, sizeof(hashes[0]), compare_hashes);
    for (i = 1; i < count; i++) {
        assert_true(hashes[i - 1] != hashes[i]);
    }
}

#define KEYS 100000

static void test_keys_like_ours_are_spread(void **state)
{
    uint64_t *hashes = malloc(KEYS * sizeof(*hashes));
    size_t i;

    (void)state;
    assert_non_null(hashes);
    for (i = 0; i < KEYS; i++) { /* numbers in a row */
        char key[64];
        int len = snprintf(key, sizeof(key), "+1555%07zu", i);

        hashes[i] = wa_hash64(0, key, (size_t)len);
    }
    assert_spread(hashes, KEYS);
    for (i = 0; i < KEYS; i++) { /* SIDs that differ at their end */
        char key[64];
        int len = snprintf(key, sizeof(key), "SM0123456789abcdef01234567%08zx", i);

        hashes[i] = wa_hash64(0, key, (size_t)len);
    }
    assert_spread(hashes, KEYS);
    for (i = 0; i < KEYS; i++) { /* little integers */
        uint64_t key = i;

        hashes[i] = wa_hash64(0, &key, sizeof(key));
    }
    assert_spread(hashes, KEYS);
    for (i = 0; i < KEYS; i++) { /* one key, many seeds */
        hashes[i] = wa_hash64(i, "+15551230001", 12);
    }
    assert_spread(hashes, KEYS);
    free(hashes);
}

static void test_zeros_of_every_length_differ(void **state)
{
    static const unsigned char zeros[4096];
    uint64_t *hashes = malloc(sizeof(zeros) * sizeof(*hashes));
    size_t i;

    (void)state;
    assert_non_null(hashes);
    for (i = 0; i < sizeof(zeros); i++) {
        hashes[i] = wa_hash64(0, zeros, i);
    }
    qsort(hashes, sizeof(zeros), sizeof(hashes[0]), compare_hashes);
    for (i = 1; i < sizeof(zeros); i++) {
        assert_true(hashes[i - 1] != hashes[i]);
    }
    free(hashes);
}

/* Every bit of the key, wherever it is, changes every bit of the hash about half of the time. */
static void assert_avalanche(size_t len)
{
    enum { ROUNDS = 200 };
    unsigned char key[80];
    uint64_t seed = 11 + len;
    size_t bit, i;

    for (bit = 0; bit < len * 8; bit++) {
        int total = 0, of_bit[64] = {0};
        int round;

        for (round = 0; round < ROUNDS; round++) {
            uint64_t before, changed;

            for (i = 0; i < len; i++) {
                key[i] = (unsigned char)(next_random(&seed) >> 40);
            }
            before = wa_hash64(0, key, len);
            key[bit / 8] ^= (unsigned char)(1 << bit % 8);
            changed = before ^ wa_hash64(0, key, len);
            total += __builtin_popcountll(changed);
            for (i = 0; i < 64; i++) {
                of_bit[i] += (int)(changed >> i & 1);
            }
        }
        assert_in_range(total, ROUNDS * 30, ROUNDS * 34); /* of 64 */
        for (i = 0; i < 64; i++) {
            assert_in_range(of_bit[i], ROUNDS / 5, ROUNDS * 4 / 5);
        }
    }
}

static void test_avalanche(void **state)
{
    static const size_t lengths[] = {1,  2,  3,  4,  5,  7,  8,  9,  12, 15, 16,
                                     17, 24, 31, 32, 33, 48, 49, 64, 65, 79};
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(lengths); i++) {
        assert_avalanche(lengths[i]);
    }
}

/* The two lanes of long keys are not interchangeable, nor are blocks. */
static void test_order_of_blocks_matters(void **state)
{
    char key[96], other[96];
    size_t a, b;

    (void)state;
    for (a = 0; a < sizeof(key); a++) {
        key[a] = (char)(a / 8 + 'a');
    }
    for (a = 0; a < 12; a++) {
        for (b = a + 1; b < 12; b++) {
            memcpy(other, key, sizeof(key));
            memcpy(other + 8 * a, key + 8 * b, 8);
            memcpy(other + 8 * b, key + 8 * a, 8);
            assert_true(wa_hash64(0, key, sizeof(key)) != wa_hash64(0, other, sizeof(other)));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published_values),
        cmocka_unit_test(test_all_lengths_and_places),
        cmocka_unit_test(test_parts_give_the_same_as_the_whole),
        cmocka_unit_test(test_hashes_stay),
        cmocka_unit_test(test_keys_like_ours_are_spread),
        cmocka_unit_test(test_zeros_of_every_length_differ),
        cmocka_unit_test(test_avalanche),
        cmocka_unit_test(test_order_of_blocks_matters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
