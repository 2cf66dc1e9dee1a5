/* SPDX-License-Identifier: Apache-2.0 */
/* Rendered answers that may be given again, one cache for each process and virtual host. */
#ifndef WA_API_CACHE_H
#define WA_API_CACHE_H

#include <apr_buckets.h>
#include <apr_errno.h>
#include <apr_pools.h>

#include "base/buffer.h"
#include "base/slice.h"

/*
 * An entry holds the bytes of one answer together with the store's version that they were made at.
 * Entries are immutable and counted: whoever got one may read its bytes until it releases it,
 * whatever the cache does meanwhile, so that an answer is sent without a copy.
 */
typedef struct wa_cache_t wa_cache_t;
typedef struct wa_cache_entry_t wa_cache_entry_t;

/* What an answer is an answer to. */
typedef enum {
    WA_CACHE_THREADS = 1,
    WA_CACHE_CONTACTS,
    WA_CACHE_MESSAGES, /* name: counterpart, number: limit */
    WA_CACHE_SINCE     /* number: 0 with all threads, 1 with changed ones */
} wa_cache_kind_e;

typedef struct wa_cache_key_t {
    wa_cache_kind_e kind;
    wa_slice_t name; /* borrowed for the time of the call */
    apr_int64_t number;
} wa_cache_key_t;

/* Makes a cache that keeps at most `max_entries` answers of `max_bytes` together; the oldest go
 * first, but for those that were asked for of late.
 * @return APR_SUCCESS | a status of apr_thread_rwlock_create. One thread. */
apr_status_t wa_cache_create(wa_cache_t **pcache, apr_size_t max_entries, apr_size_t max_bytes,
                             apr_pool_t *p);

/* Finds an answer made at exactly this version.
 * @return the entry, to be released or made a bucket of; NULL when there is none. Any thread. */
wa_cache_entry_t *wa_cache_get(wa_cache_t *cache, const wa_cache_key_t *key, apr_uint64_t version);

/* Makes an entry of a buffer, which is empty afterwards, and keeps it in the cache unless it is too
 * large for that. `version` must have been read before the answer was rendered.
 * @param stamp  a number that goes with the answer (wa_cache_entry_stamp)
 * @return the entry, to be released or made a bucket of; NULL when memory ran out. Any thread. */
wa_cache_entry_t *wa_cache_put(wa_cache_t *cache, const wa_cache_key_t *key, apr_uint64_t version,
                               apr_int64_t stamp, wa_buffer_t *b);

/* The bytes of the answer, until the entry is released. Any thread. */
wa_slice_t wa_cache_entry_bytes(const wa_cache_entry_t *entry);

/* The stamp it was put with. Any thread. */
apr_int64_t wa_cache_entry_stamp(const wa_cache_entry_t *entry);

/* Gives the caller's hold on an entry back. Any thread. */
void wa_cache_entry_release(wa_cache_entry_t *entry);

/* Makes a bucket that reads the entry's bytes where they are. Takes the caller's hold, which is
 * given back when the bucket is destroyed. The thread that owns `list`. */
apr_bucket *wa_cache_bucket_create(wa_cache_entry_t *entry, apr_bucket_alloc_t *list);

#endif
