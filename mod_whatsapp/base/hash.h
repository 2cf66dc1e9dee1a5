/* SPDX-License-Identifier: Apache-2.0 */
/* Checksums of records and hashes of keys. */
#ifndef WA_BASE_HASH_H
#define WA_BASE_HASH_H

#include <apr_hash.h>

/* CRC-32C (Castagnoli, RFC 3720 appendix B.4) of `len` bytes, with the CPU's own instruction
 * where there is one. The same on every machine.
 * @param crc  0 to begin, or the result for the bytes before these
 * @return the checksum; "123456789" gives 0xe3069283. Any thread. */
apr_uint32_t wa_crc32c(apr_uint32_t crc, const void *bytes, apr_size_t len);

/* The same by tables: what wa_crc32c does on a CPU without the instruction. Any thread. */
apr_uint32_t wa_crc32c_portable(apr_uint32_t crc, const void *bytes, apr_size_t len);

/* A fast 64-bit hash, the same on every machine. Not for signatures, and for no table whose keys
 * strangers choose: its seed does not keep them from finding keys that fall together.
 * @param seed  any; different seeds give unrelated hashes
 * @return the hash, good in all its bits. Any thread. */
apr_uint64_t wa_hash64(apr_uint64_t seed, const void *bytes, apr_size_t len);

/* SipHash-2-4: for tables whose keys strangers choose. Without the key nobody can find names that
 * collide.
 * @param key  secret, at least 64 bits of it random
 * @return the hash. Any thread. */
apr_uint64_t wa_hash_keyed(const apr_uint64_t key[2], const void *bytes, apr_size_t len);

/* The same with a key of this process, made at random when it is first needed. Processes forked
 * after that have the same; other values of `seed` give unrelated hashes. Any thread. */
apr_uint64_t wa_hash_process(apr_uint64_t seed, const void *bytes, apr_size_t len);

/* An empty apr_hash in p that goes by wa_hash_process: apr's own functions can be flooded by keys
 * that collide whatever its seed is. Lint lets no other be made. Any thread that may use p. */
apr_hash_t *wa_table_make(apr_pool_t *p);

#endif
