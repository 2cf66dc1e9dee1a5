/* SPDX-License-Identifier: Apache-2.0 */
/* Rows, times and keys in mapped files: reserving, putting and finding. */
#include "store/view/index.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_strings.h>

#include "base/hash.h"
#include "store/file/directory.h"

#define ROWS_STEP ((apr_uint64_t)256 << 10)
#define MARKS_STEP ((apr_uint64_t)64 << 10)
#define ROW_MASK WA_ROW_MAX
#define PATH_SIZE 4096

static apr_uint64_t level_slots(int level)
{
    return WA_KEYS_FIRST << level;
}

/* How many keys the levels before `level` take. */
static apr_uint64_t level_first_key(int level)
{
    return (level_slots(level) - WA_KEYS_FIRST) / 8 * 5;
}

static int level_of_key(apr_uint64_t ordinal)
{
    int level = 0;

    while (level + 1 < WA_KEYS_LEVELS && ordinal >= level_first_key(level + 1)) {
        level++;
    }
    return level;
}

static void index_path(char *path, const wa_index_t *x, const char *name)
{
    snprintf(path, PATH_SIZE, "%s/%s", x->directory, name);
}

/* @param name  of at most 15 bytes */
static apr_status_t table_open(wa_mapping_t *m, wa_index_t *x, const char *name, apr_uint64_t *pend)
{
    struct stat info;
    apr_status_t rv;
    int fd;

    snprintf(x->failed, sizeof(x->failed), "%s", name);
    rv = wa_directory_file_open(&fd, x->directory, name, x->uid, x->gid);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (fstat(fd, &info)) {
        rv = APR_FROM_OS_ERROR(errno);
        close(fd);
        return rv;
    }
    *pend = (apr_uint64_t)info.st_size;
    /* A copy may have left out what was zero: writing there through the mapping could find the disk
     * full, and die of it. */
    if ((apr_uint64_t)info.st_blocks * 512 < *pend) {
        rv = wa_file_allocate(fd, 0, *pend);
    }
    if (rv == APR_SUCCESS) {
        rv = wa_mapping_init(m, fd, 1, *pend);
    }
    if (rv != APR_SUCCESS) {
        close(fd);
        m->fd = -1;
    }
    return rv;
}

static apr_status_t level_open(wa_index_t *x, int level)
{
    apr_uint64_t size = level_slots(level) * sizeof(apr_uint64_t);
    apr_uint64_t end;
    char name[32];
    apr_status_t rv;

    snprintf(name, sizeof(name), "keys.%d", level);
    rv = table_open(&x->keys[level], x, name, &end);
    if (rv == APR_SUCCESS && end < size) {
        x->levels_made |= 1u << level;
        rv = wa_file_allocate(x->keys[level].fd, 0, size);
        if (rv != APR_SUCCESS) {
            wa_mapping_release(&x->keys[level]);
            return rv;
        }
    }
    if (rv == APR_SUCCESS) {
        rv = wa_mapping_cover(&x->keys[level], size);
        __atomic_store_n(&x->levels, level + 1, __ATOMIC_RELEASE);
    }
    return rv;
}

/* Opens the levels up to the one that takes key `ordinal`. */
static apr_status_t levels_open(wa_index_t *x, apr_uint64_t ordinal)
{
    int wanted = level_of_key(ordinal) + 1;
    apr_status_t rv = APR_SUCCESS;

    if (__atomic_load_n(&x->levels, __ATOMIC_ACQUIRE) >= wanted) {
        return APR_SUCCESS;
    }
    pthread_mutex_lock(&x->grow);
    while (rv == APR_SUCCESS && x->levels < wanted) {
        rv = level_open(x, x->levels);
    }
    pthread_mutex_unlock(&x->grow);
    return rv;
}

apr_status_t wa_index_open(wa_index_t *x, const wa_index_place_t *place, const char **perror,
                           apr_pool_t *p)
{
    char why[120];
    apr_status_t rv;
    int i;

    memset(x, 0, sizeof(*x));
    x->directory = place->directory;
    x->salt = place->salt;
    x->uid = place->uid;
    x->gid = place->gid;
    x->rows.fd = x->times.fd = -1;
    for (i = 0; i < WA_KEYS_LEVELS; i++) {
        x->keys[i].fd = -1;
    }
    if (pthread_mutex_init(&x->grow, NULL)) {
        return APR_EGENERAL;
    }
    rv = table_open(&x->rows, x, "rows", &x->rows_end);
    if (rv == APR_SUCCESS) {
        rv = table_open(&x->times, x, "times", &x->times_end);
    }
    if (rv == APR_SUCCESS) {
        rv = levels_open(x, 0);
    }
    if (rv != APR_SUCCESS) {
        *perror = apr_psprintf(p, "%s/%s cannot be opened: %s", x->directory, x->failed,
                               apr_strerror(rv, why, sizeof(why)));
    }
    return rv;
}

/* @param pend  out: the file's length, 0 when there is none */
static apr_status_t table_copy(wa_mapping_t *m, const wa_index_t *x, const char *name,
                               apr_uint64_t length, apr_uint64_t *pend)
{
    char path[PATH_SIZE];
    struct stat info;
    apr_status_t rv;
    int fd = -1;

    *pend = 0;
    index_path(path, x, name);
    rv = *x->directory ? wa_file_open(&fd, path, O_RDONLY, 0, 0) : APR_ENOENT;
    if (rv != APR_SUCCESS && !APR_STATUS_IS_ENOENT(rv)) {
        return rv;
    }
    if (fd >= 0 && !fstat(fd, &info)) {
        *pend = (apr_uint64_t)info.st_size;
    }
    rv = wa_mapping_init_copy(m, fd, length);
    if (fd >= 0) {
        close(fd);
    }
    return rv;
}

apr_status_t wa_index_open_copy(wa_index_t *x, const char *directory, apr_uint64_t salt,
                                const wa_index_room_t *room)
{
    int levels = room->keys ? level_of_key(room->keys) + 1 : 0, i;
    apr_uint64_t end;
    apr_status_t rv;

    memset(x, 0, sizeof(*x));
    x->directory = directory ? directory : "";
    x->salt = salt;
    x->has_no_keys = !room->keys;
    x->rows.fd = x->times.fd = -1;
    for (i = 0; i < WA_KEYS_LEVELS; i++) {
        x->keys[i].fd = -1;
    }
    if (pthread_mutex_init(&x->grow, NULL)) {
        return APR_EGENERAL;
    }
    rv = table_copy(&x->rows, x, "rows", (room->rows + 2) * sizeof(wa_row_t), &x->rows_end);
    if (rv == APR_SUCCESS) {
        rv = table_copy(&x->times, x, "times",
                        (room->records / WA_TIME_EVERY + 2) * sizeof(wa_time_entry_t),
                        &x->times_end);
    }
    for (i = 0; rv == APR_SUCCESS && i < levels; i++) {
        char name[32];

        snprintf(name, sizeof(name), "keys.%d", i);
        rv = table_copy(&x->keys[i], x, name, level_slots(i) * sizeof(apr_uint64_t), &end);
        if (rv == APR_SUCCESS && end < level_slots(i) * sizeof(apr_uint64_t)) {
            x->levels_made |= 1u << i;
        }
        x->levels = i + 1;
    }
    return rv;
}

apr_uint64_t wa_index_level_slots(int level)
{
    return level_slots(level);
}

apr_uint64_t wa_index_level_keys(int level)
{
    return level_slots(level) / 8 * 5;
}

void wa_index_release(wa_index_t *x)
{
    int i;

    if (!x->directory) {
        return; /* was never opened: its file numbers are none */
    }
    x->directory = NULL;
    wa_mapping_release(&x->rows);
    wa_mapping_release(&x->times);
    for (i = 0; i < WA_KEYS_LEVELS; i++) {
        wa_mapping_release(&x->keys[i]);
    }
    pthread_mutex_destroy(&x->grow);
}

apr_uint64_t wa_index_rows_size(apr_uint64_t rows)
{
    return rows ? (rows + 1) * sizeof(wa_row_t) : 0;
}

apr_uint64_t wa_index_times_size(apr_uint64_t records)
{
    return records ? (records / WA_TIME_EVERY + 1) * sizeof(wa_time_entry_t) : 0;
}

int wa_index_levels(apr_uint64_t keys)
{
    return keys ? level_of_key(keys - 1) + 1 : 0;
}

apr_uint64_t wa_index_level_size(int level)
{
    return level_slots(level) * sizeof(apr_uint64_t);
}

static apr_status_t table_reserve(wa_mapping_t *m, apr_uint64_t *pend, apr_uint64_t need,
                                  apr_uint64_t step)
{
    apr_uint64_t end = (need / step + 1) * step;
    struct stat info;
    apr_status_t rv;

    if (need <= __atomic_load_n(pend, __ATOMIC_RELAXED)) {
        return APR_SUCCESS;
    }
    if (!fstat(m->fd, &info) && (apr_uint64_t)info.st_size >= need) {
        /* another process was first */
        __atomic_store_n(pend, (apr_uint64_t)info.st_size, __ATOMIC_RELAXED);
        return APR_SUCCESS;
    }
    rv = wa_file_allocate(m->fd, *pend, end);
    if (rv == APR_SUCCESS) {
        __atomic_store_n(pend, end, __ATOMIC_RELAXED);
    }
    return rv;
}

/* What a file takes more than it has, to be as long as table_reserve makes it, with no holes. */
static apr_uint64_t file_room(int dir, const char *name, apr_uint64_t need, apr_uint64_t step)
{
    apr_uint64_t size = 0, blocks = 0;
    struct stat info;

    if (!fstatat(dir, name, &info, AT_SYMLINK_NOFOLLOW)) {
        size = (apr_uint64_t)info.st_size;
        blocks = (apr_uint64_t)info.st_blocks * 512;
    }
    if (size < need) {
        size = step ? (need / step + 1) * step : need;
    }
    return size > blocks ? size - blocks : 0;
}

apr_uint64_t wa_index_room(int dir, const wa_tail_t *at)
{
    const int levels = at ? level_of_key(at->keys) + 1 : 1;
    apr_uint64_t room =
        file_room(dir, "rows", at ? (at->rows + 1) * sizeof(wa_row_t) : 0, ROWS_STEP);
    char name[16];
    int level;

    room +=
        file_room(dir, "times",
                  at ? (at->records / WA_TIME_EVERY + 1) * sizeof(wa_time_entry_t) : 0, MARKS_STEP);
    for (level = 0; level < levels; level++) {
        snprintf(name, sizeof(name), "keys.%d", level);
        room += file_room(dir, name, wa_index_level_size(level), 0);
    }
    return room;
}

apr_status_t wa_index_reserve(wa_index_t *x, apr_uint64_t rows, apr_uint64_t records,
                              apr_uint64_t keys)
{
    apr_status_t rv;

    if (rows > WA_ROW_MAX || records > WA_ROW_MAX) {
        return APR_ENOSPC;
    }
    rv = table_reserve(&x->rows, &x->rows_end, (rows + 1) * sizeof(wa_row_t), ROWS_STEP);

    if (rv == APR_SUCCESS) {
        rv = table_reserve(&x->times, &x->times_end,
                           (records / WA_TIME_EVERY + 1) * sizeof(wa_time_entry_t), MARKS_STEP);
    }
    return rv == APR_SUCCESS ? levels_open(x, keys) : rv;
}

/* Writes zeros instead of cutting: on a full disk the room might not be had again. */
static apr_status_t table_trim(wa_mapping_t *m, const apr_uint64_t *pend, apr_uint64_t keep)
{
    static const char zeros[65536];
    apr_status_t rv = APR_SUCCESS;

    while (rv == APR_SUCCESS && keep < *pend) {
        apr_uint64_t left = *pend - keep;
        apr_size_t n = left < sizeof(zeros) ? (apr_size_t)left : sizeof(zeros);

        rv = wa_file_write(m->fd, zeros, n, keep);
        keep += n;
    }
    return rv;
}

apr_status_t wa_index_trim(wa_index_t *x, apr_uint64_t rows, apr_uint64_t records)
{
    apr_status_t rv = table_trim(&x->rows, &x->rows_end, (rows + 1) * sizeof(wa_row_t));

    if (rv == APR_SUCCESS) {
        rv = table_trim(&x->times, &x->times_end,
                        (records / WA_TIME_EVERY + 1) * sizeof(wa_time_entry_t));
    }
    return rv;
}

apr_status_t wa_index_remove(const char *directory, const char **perror, apr_pool_t *p)
{
    wa_index_t x = {.directory = directory};
    char path[PATH_SIZE], name[32], why[120];
    int level;

    for (level = -2; level < WA_KEYS_LEVELS; level++) {
        if (level < 0) {
            snprintf(name, sizeof(name), "%s", level == -2 ? "rows" : "times");
        } else {
            snprintf(name, sizeof(name), "keys.%d", level);
        }
        index_path(path, &x, name);
        if (unlink(path) && errno != ENOENT) {
            apr_status_t rv = APR_FROM_OS_ERROR(errno);

            *perror = apr_psprintf(p, "%s cannot be removed, to be made anew: %s", path,
                                   apr_strerror(rv, why, sizeof(why)));
            return rv;
        }
    }
    return APR_SUCCESS;
}

apr_status_t wa_index_sync(wa_index_t *x)
{
    int levels = __atomic_load_n(&x->levels, __ATOMIC_ACQUIRE), i;

    if (fdatasync(x->rows.fd) || fdatasync(x->times.fd)) {
        return APR_FROM_OS_ERROR(errno);
    }
    for (i = 0; i < levels; i++) {
        if (fdatasync(x->keys[i].fd)) {
            return APR_FROM_OS_ERROR(errno);
        }
    }
    return APR_SUCCESS;
}

/* The address of a part of a table, NULL where the table ends before it: a mapping goes further
 * than its file, and who touches that ends by a signal. */
static void *table_at(wa_mapping_t *m, apr_uint64_t *pend, apr_uint64_t offset, apr_uint64_t length)
{
    struct stat info;

    if (m->fd < 0) { /* a copy covers what it covers */
        return offset + length <= m->length ? m->base + offset : NULL;
    }
    if (offset + length > __atomic_load_n(pend, __ATOMIC_RELAXED)) {
        /* Another process may have made it longer. */
        if (fstat(m->fd, &info) || (apr_uint64_t)info.st_size < offset + length) {
            return NULL;
        }
        __atomic_store_n(pend, (apr_uint64_t)info.st_size, __ATOMIC_RELAXED);
    }
    return wa_mapping_at(m, offset, length);
}

wa_row_t *wa_index_row(wa_index_t *x, apr_uint64_t row)
{
    if (row > WA_ROW_MAX) {
        return NULL;
    }
    return table_at(&x->rows, &x->rows_end, row * sizeof(wa_row_t), sizeof(wa_row_t));
}

static apr_uint64_t previous_check(const wa_index_t *x, apr_uint64_t row, apr_uint64_t previous)
{
    apr_uint64_t h = (row * 0x9E3779B97F4A7C15u) ^ (previous * 0xC2B2AE3D27D4EB4Fu) ^ x->salt;

    h = (h ^ (h >> 31)) * 0xD6E8FEB86659FD93u;
    return h >> WA_KEYS_ROW_BITS << WA_KEYS_ROW_BITS;
}

apr_uint64_t wa_index_previous_make(const wa_index_t *x, apr_uint64_t row, apr_uint64_t previous)
{
    return previous_check(x, row, previous) | (previous & ROW_MASK);
}

apr_status_t wa_index_previous(const wa_index_t *x, apr_uint64_t row, const wa_row_t *entry,
                               apr_uint64_t *pprevious)
{
    apr_uint64_t stored = entry->previous;

    *pprevious = stored & ROW_MASK;
    if (*pprevious >= row || stored != wa_index_previous_make(x, row, *pprevious)) {
        *pprevious = 0;
        return APR_EGENERAL;
    }
    return APR_SUCCESS;
}

int wa_index_is_whole(wa_index_t *x, apr_uint64_t rows, apr_uint64_t records, apr_uint64_t keys)
{
    apr_uint32_t used;

    if (rows > WA_ROW_MAX || records > WA_ROW_MAX) {
        return 0;
    }
    if ((rows && x->rows_end < (rows + 1) * sizeof(wa_row_t))
        || (records && x->times_end < (records / WA_TIME_EVERY + 1) * sizeof(wa_time_entry_t))) {
        return 0;
    }
    if (!keys) {
        return 1;
    }
    if (levels_open(x, keys - 1) != APR_SUCCESS) {
        return 0;
    }
    used = (2u << level_of_key(keys - 1)) - 1;
    return !(x->levels_made & used);
}

void wa_index_mark_put(wa_index_t *x, apr_uint64_t before, apr_uint64_t number,
                       apr_int64_t timestamp_ms, apr_uint64_t offset)
{
    apr_uint64_t m;

    if (number > WA_ROW_MAX) {
        return; /* of no journal */
    }
    for (m = before / WA_TIME_EVERY + 1; m <= number / WA_TIME_EVERY; m++) {
        wa_time_entry_t *entry =
            table_at(&x->times, &x->times_end, m * sizeof(*entry), sizeof(*entry));

        if (entry && (entry->offset != offset || entry->timestamp_ms != timestamp_ms)) {
            entry->timestamp_ms = timestamp_ms;
            __atomic_store_n(&entry->offset, offset, __ATOMIC_RELEASE);
        }
    }
}

apr_uint64_t wa_index_mark_find(wa_index_t *x, apr_uint64_t records, apr_int64_t timestamp_ms)
{
    apr_uint64_t low = 0, high = records <= WA_ROW_MAX ? records / WA_TIME_EVERY : 0;
    const wa_time_entry_t *times =
        table_at(&x->times, &x->times_end, 0, (high + 1) * sizeof(*times));

    while (times && low < high) {
        apr_uint64_t middle = low + (high - low + 1) / 2;

        if (times[middle].timestamp_ms <= timestamp_ms) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    return low && times ? times[low].offset : 0;
}

apr_uint64_t wa_index_hash(const wa_index_t *x, const char *kind, const void *key, apr_size_t len)
{
    apr_uint64_t secret[2] = {x->salt, 0};

    memcpy(&secret[1], kind, strlen(kind)); /* 8 bytes at most */
    return wa_hash_keyed(secret, key, len);
}

apr_status_t wa_index_key_put(wa_index_t *x, apr_uint64_t ordinal, apr_uint64_t hash,
                              apr_uint64_t row)
{
    int level = level_of_key(ordinal);
    apr_uint64_t mask = level_slots(level) - 1, at = hash & mask, tried;
    apr_uint64_t entry = (hash >> WA_KEYS_ROW_BITS << WA_KEYS_ROW_BITS) | (row & ROW_MASK);
    apr_status_t rv = x->has_no_keys ? APR_SUCCESS : levels_open(x, ordinal);
    apr_uint64_t *slots;

    if (x->has_no_keys || rv != APR_SUCCESS) {
        return rv;
    }
    slots = wa_mapping_at(&x->keys[level], 0, (mask + 1) * sizeof(*slots));
    if (!slots) {
        return APR_ENOMEM;
    }
    for (tried = 0; tried <= mask; tried++, at = (at + 1) & mask) {
        apr_uint64_t there = __atomic_load_n(&slots[at], __ATOMIC_ACQUIRE);

        if (there == 0
            && __atomic_compare_exchange_n(&slots[at], &there, entry, 0, __ATOMIC_ACQ_REL,
                                           __ATOMIC_ACQUIRE)) {
            return APR_SUCCESS;
        }
        if (there == entry) {
            return APR_SUCCESS;
        }
    }
    return APR_EGENERAL;
}

apr_status_t wa_index_key_find(wa_index_t *x, apr_uint64_t keys, apr_uint64_t hash,
                               wa_index_candidate_fn visit, void *baton)
{
    int level = keys && !x->has_no_keys ? level_of_key(keys - 1) : -1;
    apr_status_t rv = level >= 0 ? levels_open(x, keys - 1) : APR_SUCCESS;

    for (; rv == APR_SUCCESS && level >= 0; level--) {
        apr_uint64_t mask = level_slots(level) - 1, at = hash & mask, tried;
        const apr_uint64_t *slots = wa_mapping_at(&x->keys[level], 0, (mask + 1) * sizeof(*slots));

        if (!slots) {
            return APR_ENOMEM;
        }
        for (tried = 0; rv == APR_SUCCESS && tried <= mask; tried++, at = (at + 1) & mask) {
            apr_uint64_t there = __atomic_load_n(&slots[at], __ATOMIC_ACQUIRE);

            if (there == 0) {
                break;
            }
            if (there >> WA_KEYS_ROW_BITS == hash >> WA_KEYS_ROW_BITS) {
                rv = visit(baton, there & ROW_MASK);
            }
        }
    }
    return rv;
}
