/* SPDX-License-Identifier: Apache-2.0 */
/* Looks at a store's folder and says what would keep it from being opened; changes nothing, follows no link in it, waits for nothing. */
#include "store/dbm/inspect.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <apr_strings.h>

#include "store/dbm/uri.h"
#include "store/dbm/folder.h"

/* What a new store takes at once: its index, and the journal's first room. */
#define NEW_STORE_BYTES ((apr_uint64_t)1 << 20)

typedef struct look_t {
    const wa_store_options_t *options;
    const char *folder;
    const char *missing; /* the part of the path that is not there, "" for none; begins with '/' */
    const char *there;   /* the part that is */
    DIR *dir;            /* the folder, NULL while it is not open */
    int fd;              /* its descriptor */
    const char **perror;
    apr_pool_t *p;
} look_t;

static const char *os_text(int number, apr_pool_t *p)
{
    char text[128];

    return apr_pstrdup(p, apr_strerror(APR_FROM_OS_ERROR(number), text, sizeof(text)));
}

/* Whether somebody may be kept out at all by modes; root is not. */
static int is_root(void)
{
    return geteuid() == 0;
}

/* ---- the folder's place ---- */

/* Finds the deepest part of the path that exists. O_PATH opens nothing: no device or FIFO notices. */
static apr_status_t place_find(look_t *look, struct stat *info, const char **pidentity)
{
    char *at = apr_pstrdup(look->p, look->folder);
    const char *missing = "";
    struct stat link_info;
    int fd;

    *pidentity = apr_pstrcat(look->p, "dbm:", look->folder, NULL);
    while ((fd = open(*at ? at : "/", O_PATH | O_CLOEXEC)) < 0) {
        apr_status_t rv = APR_FROM_OS_ERROR(errno);

        if (!APR_STATUS_IS_ENOENT(rv) || !*at) {
            *look->perror = apr_psprintf(look->p, "%s cannot be reached: %s", look->folder,
                                         os_text(APR_TO_OS_ERROR(rv), look->p));
            return rv;
        }
        if (lstat(at, &link_info) == 0) {
            *look->perror =
                apr_psprintf(look->p, "%s is a symbolic link to something that is not there", at);
            return APR_ENOENT;
        }
        missing = apr_pstrcat(look->p, strrchr(at, '/'), missing, NULL);
        *strrchr(at, '/') = '\0';
    }
    look->missing = missing;
    look->there = *at ? at : "/";
    if (fstat(fd, info)) {
        apr_status_t rv = APR_FROM_OS_ERROR(errno);

        close(fd);
        return rv;
    }
    close(fd);
    *pidentity = apr_psprintf(look->p, "dbm:%" APR_UINT64_T_HEX_FMT ":%" APR_UINT64_T_HEX_FMT "%s",
                              (apr_uint64_t)info->st_dev, (apr_uint64_t)info->st_ino, missing);
    return APR_SUCCESS;
}

/* Whether entries can be made in `path`, by whoever is to make them: on a file system that is read-only not even by root. */
static apr_status_t writable_check(const look_t *look, const char *path)
{
    int number;

    if (faccessat(AT_FDCWD, path, W_OK | X_OK, AT_EACCESS) == 0) {
        return APR_SUCCESS;
    }
    number = errno;
    *look->perror =
        number == EROFS
            ? apr_psprintf(look->p, "%s is on a file system that is read-only", path)
            : apr_psprintf(look->p, "%s cannot be written to: %s", path, os_text(number, look->p));
    return APR_FROM_OS_ERROR(number);
}

static apr_status_t room_check(const look_t *look, const char *path)
{
    struct statvfs fs;

    if (statvfs(path, &fs) == 0
        && ((apr_uint64_t)(is_root() ? fs.f_bfree : fs.f_bavail) * fs.f_frsize < NEW_STORE_BYTES
            || (fs.f_files > 0 && fs.f_ffree == 0))) {
        *look->perror = apr_psprintf(look->p, "%s has no space left for a new store", path);
        return APR_ENOSPC;
    }
    return APR_SUCCESS;
}

/* There is no store. Where the server had one somebody took it away: a new one in its place would answer as if there had never been a message. */
static apr_status_t absence_check(const look_t *look)
{
    if (!look->options->must_exist) {
        return APR_SUCCESS;
    }
    *look->perror =
        apr_psprintf(look->p,
                     "the store in %s is gone since the server used it: put it back, or "
                     "stop the server and start it again, which makes a new one",
                     look->folder);
    return APR_ENOENT;
}

/* The folder is to be made. */
static apr_status_t parent_check(const look_t *look, const struct stat *info)
{
    apr_status_t rv;

    if (!S_ISDIR(info->st_mode)) {
        *look->perror = apr_psprintf(look->p, "%s cannot be created: %s is not a folder",
                                     look->folder, look->there);
        return APR_ENOTDIR;
    }
    if (strrchr(look->missing, '/') != look->missing && !look->options->may_make_parents) {
        *look->perror = apr_psprintf(
            look->p, "%s cannot be created: there is no folder %s", look->folder,
            wa_slice_string(wa_slice_make(look->folder,
                                          (apr_size_t)(strrchr(look->folder, '/') - look->folder)),
                            look->p));
        return APR_ENOENT;
    }
    rv = absence_check(look);
    if (rv == APR_SUCCESS) {
        rv = writable_check(look, look->there);
    }
    return rv == APR_SUCCESS ? room_check(look, look->there) : rv;
}

/* Whether modes alone keep the folder's owner, who is not us, from coming through a folder on the way. Where a group or an
 * access list may let it through that is not looked at. */
static int is_closed(const struct stat *info, apr_uid_t uid)
{
    return info->st_uid == uid ? !(info->st_mode & S_IXUSR)
                               : !(info->st_mode & (S_IXGRP | S_IXOTH));
}

/* What only root can fail to notice: its own access says nothing about that of the server's user. */
static apr_status_t way_check(const look_t *look)
{
    char *path = realpath(look->folder, NULL);
    char *end = path ? strrchr(path, '/') : NULL;
    apr_status_t rv = APR_SUCCESS;
    struct stat info;

    for (; rv == APR_SUCCESS && end && end != path; end = strrchr(path, '/')) {
        *end = '\0';
        if (stat(path, &info) == 0 && is_closed(&info, look->options->uid)) {
            *look->perror =
                apr_psprintf(look->p, "the server's user cannot reach %s: it may not enter %s",
                             look->folder, path);
            rv = APR_EACCES;
        }
    }
    free(path);
    return rv;
}

static apr_status_t folder_check(const look_t *look, const struct stat *info)
{
    const wa_store_options_t *options = look->options;

    if (!S_ISDIR(info->st_mode)) {
        *look->perror = apr_psprintf(look->p, "%s is not a folder", look->folder);
        return APR_ENOTDIR;
    }
    if (is_root() && options->uid != 0) {
        apr_status_t rv;

        if (info->st_uid != options->uid) {
            *look->perror = apr_psprintf(look->p,
                                         "%s does not belong to the server's user; change its "
                                         "owner, or let the module create it",
                                         look->folder);
            return APR_EACCES;
        }
        if ((info->st_mode & S_IRWXU) != S_IRWXU) {
            *look->perror = apr_psprintf(look->p,
                                         "%s is closed to its owner, who is to read and write "
                                         "there: chmod 700 it",
                                         look->folder);
            return APR_EACCES;
        }
        rv = way_check(look);
        if (rv != APR_SUCCESS) {
            return rv;
        }
    }
    return writable_check(look, look->folder);
}

/* ---- what is in it ---- */

static int is_ours(const char *name)
{
    static const char *const names[] = {"lock", "journal", "rows", "marks", "CURRENT", NULL};
    int i;

    for (i = 0; names[i]; i++) {
        if (!strcmp(name, names[i])) {
            return 1;
        }
    }
    return !strncmp(name, "keys.", 5) || !strncmp(name, "state-", 6);
}

/* What is planted is told by the same words as at a start; then whether what is there can be used. */
static apr_status_t entries_check(look_t *look)
{
    const apr_uid_t owner = is_root() ? look->options->uid : geteuid();
    struct dirent *entry;
    apr_status_t rv;

    look->dir = opendir(look->folder);
    if (!look->dir) {
        rv = APR_FROM_OS_ERROR(errno);
        *look->perror = apr_psprintf(look->p, "%s cannot be read: %s", look->folder,
                                     os_text(APR_TO_OS_ERROR(rv), look->p));
        return rv;
    }
    look->fd = dirfd(look->dir);
    rv = wa_folder_inspect(look->folder, owner, look->perror, look->p);
    while (rv == APR_SUCCESS && !is_root() && (entry = readdir(look->dir)) != NULL) {
        if (is_ours(entry->d_name) && faccessat(look->fd, entry->d_name, R_OK | W_OK, AT_EACCESS)
            && errno != ENOENT) { /* checkpoints come and go beside a live server */
            rv = APR_FROM_OS_ERROR(errno);
            *look->perror =
                apr_psprintf(look->p, "%s/%s cannot be read and written: %s", look->folder,
                             entry->d_name, os_text(APR_TO_OS_ERROR(rv), look->p));
        }
    }
    return rv;
}

static apr_status_t journal_check(const look_t *look)
{
    wa_journal_options_t journal = {.account_sid = look->options->account_sid};
    int fd = openat(look->fd, "journal", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    apr_status_t rv;

    journal.path = apr_pstrcat(look->p, look->folder, "/journal", NULL);
    if (fd < 0) {
        rv = APR_FROM_OS_ERROR(errno);
        if (APR_STATUS_IS_ENOENT(rv)) {
            rv = absence_check(look);
            return rv == APR_SUCCESS ? room_check(look, look->folder) : rv;
        }
        *look->perror = apr_psprintf(look->p, "%s cannot be opened: %s", journal.path,
                                     os_text(APR_TO_OS_ERROR(rv), look->p));
        return rv;
    }
    rv = wa_journal_inspect(fd, &journal, look->perror, look->p);
    close(fd);
    return rv;
}

/* ---- a store that this server uses already ---- */

static int is_long_enough(int folder, const char *name, apr_uint64_t size)
{
    struct stat info;

    return size == 0
           || (fstatat(folder, name, &info, AT_SYMLINK_NOFOLLOW) == 0
               && (apr_uint64_t)info.st_size >= size);
}

static int are_long_enough(int folder, const wa_shared_t *shared)
{
    wa_tail_t tail = wa_shared_tail(shared);
    char name[32];
    int level;

    if (!is_long_enough(folder, "journal", tail.offset)
        || !is_long_enough(folder, "rows", wa_index_rows_size(tail.rows))
        || !is_long_enough(folder, "marks", wa_index_marks_size(tail.records))) {
        return 0;
    }
    for (level = 0; level < wa_index_levels(tail.keys); level++) {
        apr_snprintf(name, sizeof(name), "keys.%d", level);
        if (!is_long_enough(folder, name, wa_index_level_size(level))) {
            return 0;
        }
    }
    return 1;
}

/* 1 when `name` is there and is the file (dev, ino). */
static int is_file(int folder, const char *name, apr_uint64_t dev, apr_uint64_t ino)
{
    struct stat info;

    return fstatat(folder, name, &info, AT_SYMLINK_NOFOLLOW) == 0
           && (apr_uint64_t)info.st_dev == dev && (apr_uint64_t)info.st_ino == ino;
}

static int is_kept_lock(int folder, const wa_store_keep_t *keep)
{
    struct stat held;

    return fstat(keep->lock_fd, &held) == 0
           && is_file(folder, "lock", (apr_uint64_t)held.st_dev, (apr_uint64_t)held.st_ino);
}

int wa_dbm_keep_is_of_another(const wa_store_keep_t *keep, const char *folder)
{
    int fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int is_of_another;

    if (fd < 0) {
        return 0;
    }
    is_of_another =
        !is_kept_lock(fd, keep) && !is_file(fd, "journal", keep->journal_dev, keep->journal_ino);
    close(fd);
    return is_of_another;
}

int wa_dbm_folder_is_ours(const wa_dbm_store_t *store)
{
    int fd = open(store->place.folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int is_ours_now = fd >= 0 && is_kept_lock(fd, store->keep);

    if (fd >= 0) {
        close(fd);
    }
    return is_ours_now;
}

/* Old children may still write to these files, and what all processes share in memory fits no others. */
static apr_status_t live_check(const look_t *look)
{
    const wa_store_keep_t *keep = look->options->keep;
    wa_shared_t shared;

    if (!keep || keep->layout != WA_SHARED_LAYOUT
        || wa_dbm_keep_is_of_another(keep, look->folder)) {
        return APR_SUCCESS;
    }
    if (!is_kept_lock(look->fd, keep)
        || !is_file(look->fd, "journal", keep->journal_dev, keep->journal_ino)
        || pread(keep->shared_fd, &shared, sizeof(shared), 0) != (ssize_t)sizeof(shared)
        || !are_long_enough(look->fd, &shared)) {
        *look->perror = apr_psprintf(look->p,
                                     "files in %s were removed, cut or replaced while the server "
                                     "used them; put them back, or stop the server and start it "
                                     "again",
                                     look->folder);
        return APR_EINVAL;
    }
    return APR_SUCCESS;
}

static int is_whole(int fd, apr_uint64_t size)
{
    struct stat info;

    return size == 0 || (fstat(fd, &info) == 0 && (apr_uint64_t)info.st_size >= size);
}

int wa_dbm_files_are_whole(const wa_dbm_store_t *store)
{
    wa_tail_t tail = wa_shared_tail(store->shared);
    int levels = wa_index_levels(tail.keys);
    int level;

    if (!is_whole(store->journal.map.fd, tail.offset)
        || !is_whole(store->index.rows.fd, wa_index_rows_size(tail.rows))
        || !is_whole(store->index.marks.fd, wa_index_marks_size(tail.records))) {
        return 0;
    }
    for (level = 0; level < levels && level < store->index.levels; level++) {
        if (!is_whole(store->index.keys[level].fd, wa_index_level_size(level))) {
            return 0;
        }
    }
    return 1;
}

/* ---- all of it ---- */

apr_status_t wa_dbm_inspect(const wa_store_uri_t *uri, const wa_store_options_t *options,
                            const char **pidentity, const char **perror, apr_pool_t *p)
{
    look_t look = {.options = options, .fd = -1, .perror = perror, .p = p};
    struct stat info;
    const char *key = NULL;
    apr_status_t rv = wa_dbm_check(uri, perror, &key, p);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    look.folder = key + strlen("dbm:");
    rv = place_find(&look, &info, pidentity);
    if (rv == APR_SUCCESS && *look.missing) {
        return parent_check(&look, &info);
    }
    if (rv == APR_SUCCESS) {
        rv = folder_check(&look, &info);
    }
    if (rv == APR_SUCCESS) {
        rv = entries_check(&look);
    }
    if (rv == APR_SUCCESS) {
        rv = live_check(&look);
    }
    if (rv == APR_SUCCESS) {
        rv = journal_check(&look);
    }
    if (look.dir) {
        closedir(look.dir);
    }
    return rv;
}
