/* SPDX-License-Identifier: Apache-2.0 */
/* Checksums of records and hashes of keys. */
#ifndef WA_BASE_HASH_H
#define WA_BASE_HASH_H

#include <apr.h>

/* CRC-32C (Castagnoli, RFC 3720 appendix B.4) of `len` bytes, with the CPU's own instruction
 * where there is one. The same on every machine.
 * @param crc  0 to begin, or the result for the bytes before these
 * @return the checksum; "123456789" gives 0xe3069283. Any thread. */
apr_uint32_t wa_crc32c(apr_uint32_t crc, const void *bytes, apr_size_t len);

/* The same by tables: what wa_crc32c does on a CPU without the instruction. Any thread. */
apr_uint32_t wa_crc32c_portable(apr_uint32_t crc, const void *bytes, apr_size_t len);

/* A fast 64-bit hash for tables in memory and on disk: the same on every machine. Not for
 * signatures; where strangers choose the keys, give a random seed.
 * @param seed  any; different seeds give unrelated hashes
 * @return the hash, good in all its bits. Any thread. */
apr_uint64_t wa_hash64(apr_uint64_t seed, const void *bytes, apr_size_t len);

#endif
