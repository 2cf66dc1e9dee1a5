/* SPDX-License-Identifier: Apache-2.0 */
/* Growing shared mappings and the few file operations that the store needs below APR's. */
#include "store/file/mapping.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAPPING_MIN ((apr_uint64_t)16 << 20)

static apr_status_t mapping_replace(wa_mapping_t *m, apr_uint64_t end)
{
    apr_uint64_t length = MAPPING_MIN;
    int protection = PROT_READ | (m->is_writable ? PROT_WRITE : 0);
    void *base;

    if (end > WA_MAPPING_MAX) {
        return APR_EINVAL; /* no file is so long: a damaged number */
    }
    while (length < end) {
        length *= 2;
    }
    if (m->replaced_count >= (int)(sizeof(m->replaced) / sizeof(m->replaced[0]))) {
        return APR_ENOMEM;
    }
    base = mmap(NULL, length, protection, MAP_SHARED, m->fd, 0);
    if (base == MAP_FAILED) {
        return APR_FROM_OS_ERROR(errno);
    }
    if (m->base) {
        m->replaced[m->replaced_count].base = m->base;
        m->replaced[m->replaced_count].length = m->length;
        m->replaced_count++;
    }
    __atomic_store_n(&m->base, base, __ATOMIC_RELEASE);
    __atomic_store_n(&m->length, length, __ATOMIC_RELEASE);
    return APR_SUCCESS;
}

apr_status_t wa_mapping_init(wa_mapping_t *m, int fd, int is_writable, apr_uint64_t expected)
{
    memset(m, 0, sizeof(*m));
    m->fd = fd;
    m->is_writable = is_writable;
    if (pthread_mutex_init(&m->grow, NULL)) {
        return APR_EGENERAL;
    }
    return mapping_replace(m, expected);
}

apr_status_t wa_mapping_init_copy(wa_mapping_t *m, int fd, apr_uint64_t length)
{
    const apr_uint64_t page = (apr_uint64_t)sysconf(_SC_PAGESIZE);
    apr_uint64_t part = 0;
    struct stat info;
    char *base;

    memset(m, 0, sizeof(*m));
    m->fd = -1;
    if (length > WA_MAPPING_MAX) {
        return APR_EINVAL;
    }
    length = (length + page) / page * page;
    if (fd >= 0) {
        if (fstat(fd, &info)) {
            return APR_FROM_OS_ERROR(errno);
        }
        part = (apr_uint64_t)info.st_size < length ? (apr_uint64_t)info.st_size : length;
    }
    base = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                -1, 0);
    if (base == MAP_FAILED) {
        return APR_FROM_OS_ERROR(errno);
    }
    if ((part
         && mmap(base, part, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE, fd, 0)
                == MAP_FAILED)
        || pthread_mutex_init(&m->grow, NULL)) {
        apr_status_t rv = APR_FROM_OS_ERROR(errno);

        munmap(base, length);
        return rv == APR_SUCCESS ? APR_ENOMEM : rv;
    }
    m->is_writable = 1;
    m->base = base;
    m->length = length;
    return APR_SUCCESS;
}

void wa_mapping_release(wa_mapping_t *m)
{
    int i;

    for (i = 0; i < m->replaced_count; i++) {
        munmap(m->replaced[i].base, m->replaced[i].length);
    }
    if (m->base) {
        munmap(m->base, m->length);
        pthread_mutex_destroy(&m->grow);
    }
    if (m->fd >= 0) {
        close(m->fd);
    }
    memset(m, 0, sizeof(*m));
    m->fd = -1;
}

apr_status_t wa_mapping_cover(wa_mapping_t *m, apr_uint64_t end)
{
    apr_status_t rv = APR_SUCCESS;

    pthread_mutex_lock(&m->grow);
    if (m->length < end) {
        rv = mapping_replace(m, end);
    }
    pthread_mutex_unlock(&m->grow);
    return rv;
}

apr_status_t wa_file_allocate(int fd, apr_uint64_t from, apr_uint64_t end)
{
    int rc;

    do {
        rc = posix_fallocate(fd, (off_t)from, (off_t)(end - from));
    } while (rc == EINTR);
    if (rc == EDQUOT || rc == EFBIG || rc == EROFS || rc == EBADF) {
        return APR_ENOSPC;
    }
    return APR_FROM_OS_ERROR(rc);
}

/* A file that somebody else put there, or can reach by another name, is none of the store's. */
static apr_status_t file_judge(int fd, int flags, apr_uid_t uid)
{
    const apr_uid_t own = geteuid() == 0 ? uid : geteuid();
    struct stat info;

    if (fstat(fd, &info)) {
        return APR_FROM_OS_ERROR(errno);
    }
    if (!S_ISREG(info.st_mode)) {
        return APR_FROM_OS_ERROR(EINVAL);
    }
    if ((flags & O_ACCMODE) == O_RDONLY) {
        return APR_SUCCESS;
    }
    if (info.st_nlink > 1) {
        return APR_FROM_OS_ERROR(EMLINK);
    }
    return info.st_uid == own ? APR_SUCCESS : APR_EACCES;
}

/* @param pis_made  out: 1 when the file was not there before */
static int file_get(const char *path, int flags, int *pis_made)
{
    /* Without O_NONBLOCK a pipe would keep whoever opens it. */
    const int always = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
    const int is_wanted = flags & O_CREAT;
    int fd, tries;

    flags &= ~(O_CREAT | O_TRUNC);
    *pis_made = 0;
    for (tries = 0; tries < 3; tries++) {
        fd = open(path, flags | always);
        if (fd >= 0 || errno != ENOENT || !is_wanted) {
            return fd;
        }
        fd = open(path, flags | always | O_CREAT | O_EXCL, 0600);
        *pis_made = fd >= 0;
        if (fd >= 0 || errno != EEXIST) {
            return fd; /* else another process was first */
        }
    }
    return -1;
}

apr_status_t wa_file_open(int *pfd, const char *path, int flags, apr_uid_t uid, apr_gid_t gid)
{
    apr_status_t rv = APR_SUCCESS;
    int is_made, fd = file_get(path, flags, &is_made);

    *pfd = -1;
    if (fd < 0) {
        return APR_FROM_OS_ERROR(errno);
    }
    if (is_made && geteuid() == 0 && (fchown(fd, uid, gid) || fchmod(fd, 0600))) {
        rv = APR_FROM_OS_ERROR(errno);
    }
    if (rv == APR_SUCCESS) {
        rv = file_judge(fd, flags, uid);
    }
    if (rv == APR_SUCCESS && (flags & O_TRUNC) && ftruncate(fd, 0)) {
        rv = APR_FROM_OS_ERROR(errno);
    }
    if (rv != APR_SUCCESS) {
        close(fd);
        return rv;
    }
    *pfd = fd;
    return APR_SUCCESS;
}

apr_status_t wa_file_write(int fd, const void *bytes, apr_size_t len, apr_uint64_t offset)
{
    const char *at = bytes;

    while (len > 0) {
        ssize_t n = pwrite(fd, at, len, (off_t)offset);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return n < 0 ? APR_FROM_OS_ERROR(errno) : APR_EGENERAL;
        }
        at += n;
        len -= (apr_size_t)n;
        offset += (apr_uint64_t)n;
    }
    return APR_SUCCESS;
}

apr_status_t wa_directory_sync(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    apr_status_t rv = APR_SUCCESS;

    if (fd < 0) {
        return APR_FROM_OS_ERROR(errno);
    }
    if (fsync(fd)) {
        rv = APR_FROM_OS_ERROR(errno);
    }
    close(fd);
    return rv;
}
