/* SPDX-License-Identifier: Apache-2.0 */
/* Rendered answers that may be given again, one cache for each process and virtual host. */
#include "api/cache.h"

#include <stdlib.h>

#include <apr_thread_rwlock.h>

#include "base/hash.h"

/* Slots of the hash table, a power of two. */
#define SLOTS 512

struct wa_cache_entry_t {
    /* atomic: the cache's own and each reader's */
    apr_uint32_t holds;
    /* atomic: asked for since it was last looked at for room */
    int is_used;
    apr_uint64_t version;
    apr_int64_t stamp;
    char *bytes;
    apr_size_t len;
    /* the key; it and all below are guarded by the cache's lock */
    apr_uint64_t hash;
    wa_cache_kind_e kind;
    apr_int64_t number;
    wa_cache_entry_t *chain;
    /* its neighbours in the order in which entries were put, or spared */
    wa_cache_entry_t *newer, *older;
    apr_size_t name_len;
    char name[];
};

/* Readers only look and count, so that they never wait for each other; whoever puts an entry waits
 * for them. */
struct wa_cache_t {
    apr_thread_rwlock_t *lock;
    apr_size_t max_entries, max_bytes;
    /* under the lock */
    apr_size_t entries, bytes;
    wa_cache_entry_t *newest, *oldest;
    wa_cache_entry_t *slots[SLOTS];
};

static apr_uint64_t key_hash(const wa_cache_key_t *key)
{
    apr_uint64_t seed = (apr_uint64_t)key->number * 8 + (apr_uint64_t)key->kind;

    return wa_hash_process(seed, key->name.ptr, key->name.len);
}

static int entry_has_key(const wa_cache_entry_t *entry, const wa_cache_key_t *key,
                         apr_uint64_t hash)
{
    return entry->hash == hash && entry->kind == key->kind && entry->number == key->number
           && wa_slice_is_equal(wa_slice_make(entry->name, entry->name_len), key->name);
}

static apr_size_t entry_size(const wa_cache_entry_t *entry)
{
    return sizeof(*entry) + entry->name_len + entry->len;
}

static wa_cache_entry_t *entry_find(wa_cache_t *cache, const wa_cache_key_t *key, apr_uint64_t hash)
{
    wa_cache_entry_t *entry = cache->slots[hash & (SLOTS - 1)];

    while (entry && !entry_has_key(entry, key, hash)) {
        entry = entry->chain;
    }
    return entry;
}

static void use_unlink(wa_cache_t *cache, wa_cache_entry_t *entry)
{
    *(entry->newer ? &entry->newer->older : &cache->newest) = entry->older;
    *(entry->older ? &entry->older->newer : &cache->oldest) = entry->newer;
    entry->newer = entry->older = NULL;
}

static void use_link(wa_cache_t *cache, wa_cache_entry_t *entry)
{
    entry->newer = NULL;
    entry->older = cache->newest;
    *(cache->newest ? &cache->newest->newer : &cache->oldest) = entry;
    cache->newest = entry;
}

static void entry_drop(wa_cache_t *cache, wa_cache_entry_t *entry)
{
    wa_cache_entry_t **link = &cache->slots[entry->hash & (SLOTS - 1)];

    while (*link != entry) {
        link = &(*link)->chain;
    }
    *link = entry->chain;
    use_unlink(cache, entry);
    cache->entries--;
    cache->bytes -= entry_size(entry);
    wa_cache_entry_release(entry);
}

static apr_status_t cache_clear(void *baton)
{
    wa_cache_t *cache = baton;

    while (cache->oldest) {
        entry_drop(cache, cache->oldest);
    }
    return APR_SUCCESS;
}

apr_status_t wa_cache_create(wa_cache_t **pcache, apr_size_t max_entries, apr_size_t max_bytes,
                             apr_pool_t *p)
{
    wa_cache_t *cache = apr_pcalloc(p, sizeof(*cache));
    apr_status_t rv;

    *pcache = NULL;
    cache->max_entries = max_entries;
    cache->max_bytes = max_bytes;
    rv = apr_thread_rwlock_create(&cache->lock, p);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    apr_pool_cleanup_register(p, cache, cache_clear, apr_pool_cleanup_null);
    *pcache = cache;
    return APR_SUCCESS;
}

wa_cache_entry_t *wa_cache_get(wa_cache_t *cache, const wa_cache_key_t *key, apr_uint64_t version)
{
    const apr_uint64_t hash = key_hash(key);
    wa_cache_entry_t *entry;

    apr_thread_rwlock_rdlock(cache->lock);
    entry = entry_find(cache, key, hash);
    if (entry && entry->version != version) {
        entry = NULL; /* what is rendered now takes its place */
    }
    if (entry) {
        __atomic_add_fetch(&entry->holds, 1, __ATOMIC_RELAXED);
        if (!__atomic_load_n(&entry->is_used, __ATOMIC_RELAXED)) {
            __atomic_store_n(&entry->is_used, 1, __ATOMIC_RELAXED);
        }
    }
    apr_thread_rwlock_unlock(cache->lock);
    return entry;
}

/* Makes room: the oldest goes, but one that was asked for since is spared once. */
static void cache_shrink(wa_cache_t *cache)
{
    while (cache->entries > cache->max_entries || cache->bytes > cache->max_bytes) {
        wa_cache_entry_t *entry = cache->oldest;

        if (__atomic_exchange_n(&entry->is_used, 0, __ATOMIC_RELAXED)) {
            use_unlink(cache, entry);
            use_link(cache, entry);
        } else {
            entry_drop(cache, entry);
        }
    }
}

static wa_cache_entry_t *entry_make(const wa_cache_key_t *key, wa_buffer_t *b)
{
    wa_cache_entry_t *entry = calloc(1, sizeof(*entry) + key->name.len);

    if (!entry || b->failed) {
        free(entry);
        wa_buffer_release(b);
        return NULL;
    }
    entry->holds = 1;
    entry->hash = key_hash(key);
    entry->kind = key->kind;
    entry->number = key->number;
    entry->name_len = key->name.len;
    if (key->name.len > 0) {
        memcpy(entry->name, key->name.ptr, key->name.len);
    }
    entry->bytes = wa_buffer_take(b, &entry->len);
    return entry;
}

wa_cache_entry_t *wa_cache_put(wa_cache_t *cache, const wa_cache_key_t *key, apr_uint64_t version,
                               apr_int64_t stamp, wa_buffer_t *b)
{
    wa_cache_entry_t *entry = entry_make(key, b), *old;

    /* A quarter of the room for one answer: a few giant ones must not empty the cache. */
    if (!entry || entry_size(entry) > cache->max_bytes / 4) {
        return entry;
    }
    entry->version = version;
    entry->stamp = stamp;
    entry->holds++;
    apr_thread_rwlock_wrlock(cache->lock);
    old = entry_find(cache, key, entry->hash);
    if (old) {
        entry_drop(cache, old);
    }
    entry->chain = cache->slots[entry->hash & (SLOTS - 1)];
    cache->slots[entry->hash & (SLOTS - 1)] = entry;
    use_link(cache, entry);
    cache->entries++;
    cache->bytes += entry_size(entry);
    cache_shrink(cache);
    apr_thread_rwlock_unlock(cache->lock);
    return entry;
}

wa_slice_t wa_cache_entry_bytes(const wa_cache_entry_t *entry)
{
    return wa_slice_make(entry->bytes, entry->len);
}

apr_int64_t wa_cache_entry_stamp(const wa_cache_entry_t *entry)
{
    return entry->stamp;
}

void wa_cache_entry_release(wa_cache_entry_t *entry)
{
    if (__atomic_sub_fetch(&entry->holds, 1, __ATOMIC_ACQ_REL) == 0) {
        free(entry->bytes);
        free(entry);
    }
}

/* ---- the bucket ---- */

/* What all buckets of one answer share: they are split and copied by one thread only. */
typedef struct held_t {
    apr_bucket_refcount refcount;
    wa_cache_entry_t *entry;
} held_t;

static void held_destroy(void *data)
{
    held_t *held = data;

    if (apr_bucket_shared_destroy(held)) {
        wa_cache_entry_release(held->entry);
        apr_bucket_free(held);
    }
}

static apr_status_t held_read(apr_bucket *b, const char **str, apr_size_t *len,
                              apr_read_type_e block)
{
    const held_t *held = b->data;

    (void)block;
    *str = held->entry->bytes + b->start;
    *len = b->length;
    return APR_SUCCESS;
}

static const apr_bucket_type_t held_type = {"WHATSAPP_ANSWER",
                                            5,
                                            APR_BUCKET_DATA,
                                            held_destroy,
                                            held_read,
                                            apr_bucket_setaside_noop,
                                            apr_bucket_shared_split,
                                            apr_bucket_shared_copy};

apr_bucket *wa_cache_bucket_create(wa_cache_entry_t *entry, apr_bucket_alloc_t *list)
{
    apr_bucket *b = apr_bucket_alloc(sizeof(*b), list);
    held_t *held = apr_bucket_alloc(sizeof(*held), list);

    APR_BUCKET_INIT(b);
    b->free = apr_bucket_free;
    b->list = list;
    held->entry = entry;
    b = apr_bucket_shared_make(b, held, 0, entry->len);
    b->type = &held_type;
    return b;
}
