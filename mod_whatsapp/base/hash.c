/* SPDX-License-Identifier: Apache-2.0 */
/* Checksums of records and hashes of keys. */
#include "base/hash.h"

#include <pthread.h>
#include <stdint.h>
#include <string.h>

#include <apr_general.h>
#include <apr_siphash.h>
#include <apr_time.h>

#if defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

static uint64_t load64(const unsigned char *s)
{
    uint64_t word;

    memcpy(&word, s, sizeof(word));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

static uint64_t load32(const unsigned char *s)
{
    uint32_t word;

    memcpy(&word, s, sizeof(word));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap32(word);
#endif
    return word;
}

/* ---- CRC-32C ---- */

/* A table is linear: each of its 256 entries is the XOR of the entries of its bits (1, 2, 4 ...).
 * So ROW makes the entries of all bytes from those of the eight bits. */
#define BIT(i, b, value) ((uint32_t)((i) >> (b)) % 2 * (value))
#define ENTRY(i, v0, v1, v2, v3, v4, v5, v6, v7)                                                   \
    (BIT(i, 0, v0) ^ BIT(i, 1, v1) ^ BIT(i, 2, v2) ^ BIT(i, 3, v3) ^ BIT(i, 4, v4) ^ BIT(i, 5, v5) \
     ^ BIT(i, 6, v6) ^ BIT(i, 7, v7))
#define ENTRIES4(i, ...)                                                               \
    ENTRY((i), __VA_ARGS__), ENTRY((i) + 1, __VA_ARGS__), ENTRY((i) + 2, __VA_ARGS__), \
        ENTRY((i) + 3, __VA_ARGS__)
#define ENTRIES16(i, ...)                                                                       \
    ENTRIES4((i), __VA_ARGS__), ENTRIES4((i) + 4, __VA_ARGS__), ENTRIES4((i) + 8, __VA_ARGS__), \
        ENTRIES4((i) + 12, __VA_ARGS__)
#define ENTRIES64(i, ...)                                          \
    ENTRIES16((i), __VA_ARGS__), ENTRIES16((i) + 16, __VA_ARGS__), \
        ENTRIES16((i) + 32, __VA_ARGS__), ENTRIES16((i) + 48, __VA_ARGS__)
/* The versions of clang-format differ about these braces. */
/* clang-format off */
#define ROW(...)                                                                            \
    {                                                                                       \
        ENTRIES64(0, __VA_ARGS__), ENTRIES64(64, __VA_ARGS__), ENTRIES64(128, __VA_ARGS__), \
            ENTRIES64(192, __VA_ARGS__)                                                     \
    }
/* clang-format on */

/* Row k: the checksum of one byte and k zero bytes after it, for the reflected polynomial
 * 0x82f63b78. The last number of row 0 is the polynomial itself. */
static const uint32_t crc_table[8][256] = {
    ROW(0xf26b8303u, 0xe13b70f7u, 0xc79a971fu, 0x8ad958cfu, 0x105ec76fu, 0x20bd8edeu, 0x417b1dbcu,
        0x82f63b78u),
    ROW(0x13a29877u, 0x274530eeu, 0x4e8a61dcu, 0x9d14c3b8u, 0x3fc5f181u, 0x7f8be302u, 0xff17c604u,
        0xfbc3faf9u),
    ROW(0xa541927eu, 0x4f6f520du, 0x9edea41au, 0x38513ec5u, 0x70a27d8au, 0xe144fb14u, 0xc76580d9u,
        0x8b277743u),
    ROW(0xdd45aab8u, 0xbf672381u, 0x7b2231f3u, 0xf64463e6u, 0xe964b13du, 0xd725148bu, 0xaba65fe7u,
        0x52a0c93fu),
    ROW(0x38116facu, 0x7022df58u, 0xe045beb0u, 0xc5670b91u, 0x8f2261d3u, 0x1ba8b557u, 0x37516aaeu,
        0x6ea2d55cu),
    ROW(0xef306b19u, 0xdb8ca0c3u, 0xb2f53777u, 0x6006181fu, 0xc00c303eu, 0x85f4168du, 0x0e045bebu,
        0x1c08b7d6u),
    ROW(0x68032cc8u, 0xd0065990u, 0xa5e0c5d1u, 0x4e2dfd53u, 0x9c5bfaa6u, 0x3d5b83bdu, 0x7ab7077au,
        0xf56e0ef4u),
    ROW(0x493c7d27u, 0x9278fa4eu, 0x211d826du, 0x423b04dau, 0x847609b4u, 0x0d006599u, 0x1a00cb32u,
        0x34019664u),
};

apr_uint32_t wa_crc32c_portable(apr_uint32_t crc, const void *bytes, apr_size_t len)
{
    const unsigned char *s = bytes;

    crc = ~crc;
    for (; len >= 8; len -= 8, s += 8) {
        uint64_t word = load64(s) ^ crc;

        crc = crc_table[7][word & 0xff] ^ crc_table[6][word >> 8 & 0xff]
              ^ crc_table[5][word >> 16 & 0xff] ^ crc_table[4][word >> 24 & 0xff]
              ^ crc_table[3][word >> 32 & 0xff] ^ crc_table[2][word >> 40 & 0xff]
              ^ crc_table[1][word >> 48 & 0xff] ^ crc_table[0][word >> 56];
    }
    for (; len > 0; len--, s++) {
        crc = crc_table[0][(crc ^ *s) & 0xff] ^ crc >> 8;
    }
    return ~crc;
}

#if defined(__x86_64__)

__attribute__((target("sse4.2"))) static apr_uint32_t
crc32c_sse42(apr_uint32_t crc, const unsigned char *s, apr_size_t len)
{
    uint64_t wide = ~crc;
    uint32_t narrow;

    for (; len >= 8; len -= 8, s += 8) {
        wide = __builtin_ia32_crc32di(wide, load64(s));
    }
    narrow = (uint32_t)wide;
    if (len & 4) {
        narrow = __builtin_ia32_crc32si(narrow, (uint32_t)load32(s));
        s += 4;
    }
    for (len &= 3; len > 0; len--, s++) {
        narrow = __builtin_ia32_crc32qi(narrow, *s);
    }
    return ~narrow;
}

apr_uint32_t wa_crc32c(apr_uint32_t crc, const void *bytes, apr_size_t len)
{
    return __builtin_cpu_supports("sse4.2") ? crc32c_sse42(crc, bytes, len)
                                            : wa_crc32c_portable(crc, bytes, len);
}

#elif defined(__aarch64__)

/* Found out once; every thread finds the same. */
static int crc32c_is_there(void)
{
    static int known; /* 0: not looked yet | 1: no | 2: yes */
    int is = __atomic_load_n(&known, __ATOMIC_RELAXED);

    if (is == 0) {
        is = getauxval(AT_HWCAP) & HWCAP_CRC32 ? 2 : 1;
        __atomic_store_n(&known, is, __ATOMIC_RELAXED);
    }
    return is == 2;
}

__attribute__((target("+crc"))) static apr_uint32_t
crc32c_armv8(apr_uint32_t crc, const unsigned char *s, apr_size_t len)
{
    crc = ~crc;
    for (; len >= 8; len -= 8, s += 8) {
        crc = __builtin_aarch64_crc32cx(crc, load64(s));
    }
    if (len & 4) {
        crc = __builtin_aarch64_crc32cw(crc, (uint32_t)load32(s));
        s += 4;
    }
    for (len &= 3; len > 0; len--, s++) {
        crc = __builtin_aarch64_crc32cb(crc, *s);
    }
    return ~crc;
}

apr_uint32_t wa_crc32c(apr_uint32_t crc, const void *bytes, apr_size_t len)
{
    return crc32c_is_there() ? crc32c_armv8(crc, bytes, len) : wa_crc32c_portable(crc, bytes, len);
}

#else

apr_uint32_t wa_crc32c(apr_uint32_t crc, const void *bytes, apr_size_t len)
{
    return wa_crc32c_portable(crc, bytes, len);
}

#endif

/* ---- the 64-bit hash: inputs multiplied to 128 bits and folded ---- */

/* The first bits of the square roots' fractions of 2, 3, 5 and 7, made odd: no structure that
 * keys could share. */
#define KEY0 0x6a09e667f3bcc909ULL
#define KEY1 0xbb67ae8584caa73bULL
#define KEY2 0xa54ff53a5f1d36f1ULL
#define KEY3 0x510e527fade682d1ULL

/* Multiplies and folds. The factors are added again, so that a zero in one does not swallow the
 * other. */
static uint64_t fold(uint64_t a, uint64_t b)
{
#if defined(__SIZEOF_INT128__)
    unsigned __int128 product = (unsigned __int128)a * b;

    return (a ^ (uint64_t)product) ^ (b ^ (uint64_t)(product >> 64));
#else
    uint64_t a0 = (uint32_t)a, a1 = a >> 32, b0 = (uint32_t)b, b1 = b >> 32;
    uint64_t middle = a1 * b0 + (a0 * b0 >> 32);
    uint64_t carry = (uint32_t)middle + a0 * b1;
    uint64_t high = a1 * b1 + (middle >> 32) + (carry >> 32);

    return (a ^ (a * b)) ^ (b ^ high);
#endif
}

/* Reads up to 16 bytes into two words, each byte at least once. */
static void load_short(const unsigned char *s, apr_size_t len, uint64_t *a, uint64_t *b)
{
    *a = 0;
    *b = 0;
    if (len >= 8) {
        *a = load64(s);
        *b = load64(s + len - 8);
    } else if (len >= 4) {
        *a = load32(s);
        *b = load32(s + len - 4);
    } else if (len > 0) {
        *a = (uint64_t)s[0] << 16 | (uint64_t)s[len / 2] << 8 | s[len - 1];
    }
}

apr_uint64_t wa_hash64(apr_uint64_t seed, const void *bytes, apr_size_t len)
{
    const unsigned char *s = bytes;
    apr_size_t rest = len;
    uint64_t state = fold(seed ^ KEY0, KEY1);
    uint64_t other = state;
    uint64_t a, b;

    for (; rest > 32; rest -= 32, s += 32) {
        state = fold(load64(s) ^ KEY1, load64(s + 8) ^ state);
        other = fold(load64(s + 16) ^ KEY2, load64(s + 24) ^ other);
    }
    if (rest > 16) {
        state = fold(load64(s) ^ KEY3, load64(s + 8) ^ state);
        s += rest - 16; /* the last 16 bytes, some of them a second time */
        rest = 16;
    }
    load_short(s, rest, &a, &b);
    state = fold(a ^ KEY2 ^ len, b ^ state ^ (other << 1 | other >> 63));
    return fold(state ^ KEY3, KEY1 ^ len);
}

/* ---- keyed, for what strangers choose ---- */

static apr_uint64_t process_key[2];
static pthread_once_t process_key_once = PTHREAD_ONCE_INIT;

static void process_key_make(void)
{
    if (apr_generate_random_bytes((unsigned char *)process_key, sizeof(process_key))
        != APR_SUCCESS) {
        /* Without randomness nothing else of the server works either. */
        process_key[0] = (apr_uint64_t)apr_time_now() * KEY1;
        process_key[1] = (apr_uint64_t)(uintptr_t)&process_key ^ KEY2;
    }
}

apr_uint64_t wa_hash_keyed(const apr_uint64_t key[2], const void *bytes, apr_size_t len)
{
    unsigned char text[APR_SIPHASH_KSIZE];

    memcpy(text, key, sizeof(text));
    return apr_siphash24(bytes, len, text);
}

apr_uint64_t wa_hash_process(apr_uint64_t seed, const void *bytes, apr_size_t len)
{
    apr_uint64_t key[2];

    pthread_once(&process_key_once, process_key_make);
    key[0] = process_key[0];
    key[1] = process_key[1] ^ seed;
    return wa_hash_keyed(key, bytes, len);
}

static unsigned int table_hash(const char *key, apr_ssize_t *klen)
{
    if (*klen == APR_HASH_KEY_STRING) {
        *klen = (apr_ssize_t)strlen(key);
    }
    return (unsigned int)wa_hash_process(0, key, (apr_size_t)*klen);
}

apr_hash_t *wa_table_make(apr_pool_t *p)
{
    return apr_hash_make_custom(p, table_hash);
}
