/* SPDX-License-Identifier: Apache-2.0 */
/* A file mapped shared that grows: the address of old bytes stays good while new mappings follow
 * the file. */
#ifndef WA_STORE_FILE_MAPPING_H
#define WA_STORE_FILE_MAPPING_H

#include <pthread.h>

#include <apr_errno.h>
#include <apr_pools.h>
#include <apr_user.h>

/* One mapping of a file in one process. Mappings double, and replaced ones stay until the release,
 * so that slices into them stay valid. */
typedef struct wa_mapping_t {
    int fd;
    int is_writable;
    /* atomic: the newest mapping */
    char *base;
    /* atomic: how much of the file it covers, at times beyond the file's end */
    apr_uint64_t length;
    pthread_mutex_t grow;
    struct {
        void *base;
        apr_uint64_t length;
    } replaced[40];
    int replaced_count;
} wa_mapping_t;

/* Maps the file `fd` (which stays the mapping's until the release).
 * @param expected  bytes to cover at first, may be more than the file has
 * @return APR_SUCCESS | the operating system's status. One thread. */
apr_status_t wa_mapping_init(wa_mapping_t *m, int fd, int is_writable, apr_uint64_t expected);

/* Maps a copy of the file `fd` (-1: of an empty one; it may be closed afterwards): what is written
 * stays in this process. It covers `length` bytes for good, zeros where the file has none, and
 * takes memory only for pages that are written.
 * @return APR_SUCCESS | the operating system's status. One thread. */
apr_status_t wa_mapping_init_copy(wa_mapping_t *m, int fd, apr_uint64_t length);

/* Unmaps and closes everything. One thread, when nobody uses its memory any more. */
void wa_mapping_release(wa_mapping_t *m);

/* Makes the mapping cover the file's first `end` bytes.
 * @return APR_SUCCESS | the operating system's status. Any thread. */
apr_status_t wa_mapping_cover(wa_mapping_t *m, apr_uint64_t end);

/* No file is so long. */
#define WA_MAPPING_MAX ((apr_uint64_t)1 << 46)

/* The address of the byte at `offset`, of which the `length` bytes from there may be used: they
 * must be in the file. NULL when mapping them failed, or where no file is so long. Any thread. */
static inline void *wa_mapping_at(wa_mapping_t *m, apr_uint64_t offset, apr_uint64_t length)
{
    if (offset > WA_MAPPING_MAX || length > WA_MAPPING_MAX - offset) {
        return NULL;
    }
    if (__atomic_load_n(&m->length, __ATOMIC_ACQUIRE) < offset + length
        && wa_mapping_cover(m, offset + length) != APR_SUCCESS) {
        return NULL;
    }
    return __atomic_load_n(&m->base, __ATOMIC_ACQUIRE) + offset;
}

/* Allocates the file's blocks up to `end`, so that writing to them (mapped or not) cannot fail for
 * want of space.
 * @return APR_SUCCESS | APR_ENOSPC and its kind (disk, quota, read-only) */
apr_status_t wa_file_allocate(int fd, apr_uint64_t from, apr_uint64_t end);

/* Opens or creates a file of the store, 0600, close-on-exec; one that it makes as root is given to
 * uid:gid. Follows no link, waits for no pipe, and refuses for writing what has a second name or
 * belongs to anybody but the caller (uid, when that is root).
 * @return APR_SUCCESS | EINVAL no regular file | EMLINK | APR_EACCES another's | the operating
 *     system's status */
apr_status_t wa_file_open(int *pfd, const char *path, int flags, apr_uid_t uid, apr_gid_t gid);

/* Writes all bytes at `offset`. @return APR_SUCCESS | the operating system's status */
apr_status_t wa_file_write(int fd, const void *bytes, apr_size_t len, apr_uint64_t offset);

/* Makes a directory's entries durable. @return APR_SUCCESS | the operating system's status */
apr_status_t wa_directory_sync(const char *path);

#endif
