/* SPDX-License-Identifier: Apache-2.0 */
/* Looks at a store's directory and says what would keep it from being opened; changes nothing,
 * follows no link in it, waits for nothing. */
#include "store/dbm/lifecycle/inspect.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <apr_strings.h>

#include "base/identity.h"
#include "store/dbm/dbm.h"
#include "store/file/directory.h"
#include "store/dbm/lifecycle/loss.h"
#include "store/dbm/lifecycle/uri.h"
#include "store/dbm/lifecycle/snapshot.h"

/* With so much room in the file system, and so many times the journal's length, nothing that a
 * start makes anew can lack it: an index is less than twice as long as its journal, and of damage
 * no more is kept than the journal has. */
#define ROOM_LEAST ((apr_uint64_t)16 << 20)
#define ROOM_TIMES 3

typedef struct look_t {
    const wa_store_options_t *options;
    const char *directory;
    const char *real;    /* the path as root sees it, without links; NULL where there is nothing */
    const char *missing; /* the part of the path that is not there, "" for none; begins with '/' */
    const char *there;   /* the part that is */
    apr_uid_t owner;     /* whose the directory has to be */
    int is_root;         /* 1: root looks, as that user */
    int is_roots;        /* 1: root would have to make it, which root is to look at */
    int fd;              /* the directory, -1 while it is not open */
    const char **perror;
    apr_pool_t *p;
} look_t;

static const char *os_text(apr_status_t rv, apr_pool_t *p)
{
    char text[128];

    return apr_pstrdup(p, apr_strerror(rv, text, sizeof(text)));
}

/* ---- the directory's place ---- */

/* The directory on a path that the caller may not enter, NULL for none. What a link leads to is on
 * another path. */
static const char *closed_find(const char *path, apr_pool_t *p)
{
    const char *end = path;
    struct stat info;

    while (path && *end) {
        const char *part;

        end += 1 + strcspn(end + 1, "/");
        part = wa_slice_string(wa_slice_make(path, (apr_size_t)(end - path)), p);
        if (lstat(part, &info)) {
            return NULL;
        }
        if (S_ISDIR(info.st_mode) && faccessat(AT_FDCWD, part, X_OK, AT_EACCESS)) {
            return part;
        }
    }
    return NULL;
}

static apr_status_t unreachable_tell(const look_t *look, apr_status_t rv)
{
    const char *closed = NULL;

    if (APR_STATUS_IS_EACCES(rv)) {
        closed = closed_find(look->directory, look->p);
        closed = closed ? closed : closed_find(look->real, look->p);
    }
    *look->perror =
        closed
            ? apr_psprintf(look->p, "the server's user cannot reach %s: it may not enter %s (%s)",
                           look->directory, closed, os_text(rv, look->p))
            : apr_psprintf(look->p, "%s cannot be reached: %s", look->directory,
                           os_text(rv, look->p));
    return rv;
}

/* Finds the deepest part of the path that exists. O_PATH opens nothing: no device or FIFO
 * notices. */
static apr_status_t place_find(look_t *look, struct stat *info, const char **pidentity)
{
    char *at = apr_pstrdup(look->p, look->directory);
    const char *missing = "";
    struct stat link_info;
    int fd;

    *pidentity = apr_pstrcat(look->p, "dbm:", look->directory, NULL);
    while ((fd = open(*at ? at : "/", O_PATH | O_CLOEXEC)) < 0) {
        apr_status_t rv = APR_FROM_OS_ERROR(errno);

        if (!APR_STATUS_IS_ENOENT(rv) || !*at) {
            return unreachable_tell(look, rv);
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

/* ---- room ---- */

static apr_status_t room_tell(const look_t *look, const char *path, apr_status_t rv)
{
    *look->perror = apr_psprintf(look->p, "there is no room in %s for the files of the store: %s",
                                 path, os_text(rv, look->p));
    return rv;
}

/* Takes what a start would take, in a file that has no name and is gone when it is closed: quotas
 * and what is kept for root count. */
static apr_status_t room_try(const look_t *look, const char *path, apr_uint64_t bytes)
{
    int fd = open(path, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    apr_status_t rv = fd < 0 ? APR_FROM_OS_ERROR(errno) : APR_SUCCESS;
    struct statvfs fs;

    if (fd >= 0) {
        rv = bytes ? wa_file_allocate(fd, 0, bytes) : APR_SUCCESS;
        close(fd);
        return rv == APR_SUCCESS ? rv : room_tell(look, path, rv);
    }
    if (APR_STATUS_IS_ENOSPC(rv) || rv == APR_FROM_OS_ERROR(EDQUOT)) {
        return room_tell(look, path, rv);
    }
    /* Not here, or not by this user. */
    if (statvfs(path, &fs) == 0
        && ((apr_uint64_t)fs.f_bavail * fs.f_frsize < bytes
            || (fs.f_files > 0 && fs.f_ffree == 0))) {
        return room_tell(look, path, APR_ENOSPC);
    }
    return APR_SUCCESS;
}

static apr_status_t new_room_check(const look_t *look, const char *path)
{
    return room_try(look, path, wa_index_level_size(0) + WA_JOURNAL_START);
}

/* What a start would find out, found out without writing: reads what it would read.
 * @return 0 where it cannot be told */
static apr_uint64_t room_rehearse(const look_t *look, apr_pool_t *tmp)
{
    const wa_snapshot_options_t options = {.directory = look->directory, .is_quick = 1};
    const char *ignored;
    apr_uint64_t rest = 0, room;
    wa_scan_step_t step;
    wa_snapshot_t *snapshot;
    apr_status_t rv = wa_snapshot_open(&snapshot, &options, &ignored, tmp);

    while (rv == APR_SUCCESS) {
        rv = wa_snapshot_next(snapshot, &step);
    }
    if (rv != APR_EOF) {
        return 0;
    }
    room =
        wa_index_room(look->fd, snapshot->is_from_checkpoint || snapshot->store.replica.at.records
                                    ? &snapshot->store.replica.at
                                    : NULL);
    (void)wa_scan_rest(&snapshot->scan, &rest);
    /* What was allocated ahead of it goes before it is kept. */
    if (snapshot->scan.size - snapshot->scan.offset - rest >= rest) {
        rest = 0;
    }
    return room + snapshot->damaged + rest;
}

/* Whether a start has to make a file: inodes may be missing where bytes are not. */
static int is_missing(const look_t *look)
{
    static const char *const names[] = {"lock", "rows", "times", "keys.0", NULL};
    struct stat info;
    int i;

    for (i = 0; names[i]; i++) {
        if (fstatat(look->fd, names[i], &info, AT_SYMLINK_NOFOLLOW)) {
            return 1;
        }
    }
    return 0;
}

/* The disk may be full where the files are large enough, and must not be where they are to be made.
 * Most have so much room that nobody has to count. */
static apr_status_t room_check(const look_t *look)
{
    apr_uint64_t most, need;
    struct stat journal;
    struct statvfs fs;
    apr_pool_t *tmp;

    if (fstatat(look->fd, "journal", &journal, AT_SYMLINK_NOFOLLOW)) {
        return new_room_check(look, look->directory);
    }
    most = ROOM_TIMES * (apr_uint64_t)journal.st_size + ROOM_LEAST;
    need = wa_index_room(look->fd, NULL);
    if (need < ROOM_LEAST && statvfs(look->directory, &fs) == 0
        && (apr_uint64_t)fs.f_bavail * fs.f_frsize >= most && (!fs.f_files || fs.f_ffree > 100)) {
        return APR_SUCCESS;
    }
    if (apr_pool_create(&tmp, look->p) == APR_SUCCESS) {
        apr_uint64_t found = room_rehearse(look, tmp);

        need = found > need ? found : need;
        apr_pool_destroy(tmp);
    }
    return need || is_missing(look) ? room_try(look, look->directory, need) : APR_SUCCESS;
}

/* ---- a directory that is to be made ---- */

/* There is no store. Where the server had one somebody took it away: a new one in its place would
 * answer as if there had never been a message. */
static apr_status_t absence_check(const look_t *look)
{
    if (!look->options->server.had_store) {
        return APR_SUCCESS;
    }
    *look->perror =
        apr_psprintf(look->p,
                     "the store in %s is gone since the server used it: put it back, or "
                     "stop the server and start it again, which makes a new one",
                     look->directory);
    return APR_ENOENT;
}

static apr_status_t make_tell(const look_t *look, apr_status_t rv)
{
    *look->perror =
        APR_TO_OS_ERROR(rv) == EROFS
            ? apr_psprintf(look->p, "%s is on a file system that is read-only", look->there)
            : apr_psprintf(look->p, "%s cannot be created: %s cannot be written to: %s",
                           look->directory, look->there, os_text(rv, look->p));
    return rv;
}

/* The directory is to be made: by who it is for, else by root. */
static apr_status_t parent_check(look_t *look, const struct stat *info)
{
    const int is_deep = strrchr(look->missing, '/') != look->missing;
    apr_status_t rv;

    if (!S_ISDIR(info->st_mode)) {
        *look->perror = apr_psprintf(look->p, "%s cannot be created: %s is not a directory",
                                     look->directory, look->there);
        return APR_ENOTDIR;
    }
    if (is_deep && !look->options->server.is_default_place) {
        *look->perror =
            apr_psprintf(look->p, "%s cannot be created: there is no directory %s", look->directory,
                         wa_slice_string(wa_slice_make(look->directory,
                                                       (apr_size_t)(strrchr(look->directory, '/')
                                                                    - look->directory)),
                                         look->p));
        return APR_ENOENT;
    }
    rv = absence_check(look);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (faccessat(AT_FDCWD, look->there, X_OK, AT_EACCESS)) {
        return unreachable_tell(look, APR_FROM_OS_ERROR(errno));
    }
    if (faccessat(AT_FDCWD, look->there, W_OK | X_OK, AT_EACCESS)) {
        rv = APR_FROM_OS_ERROR(errno);
    }
    look->is_roots = look->is_root && (is_deep || APR_STATUS_IS_EACCES(rv));
    if (rv != APR_SUCCESS && !look->is_roots) {
        return make_tell(look, rv);
    }
    return new_room_check(look, look->there);
}

/* The rest of that, as root: it makes directories only where nobody else can change what the path
 * leads to. */
static apr_status_t root_parent_check(const look_t *look)
{
    if (faccessat(AT_FDCWD, look->there, W_OK | X_OK, AT_EACCESS)) {
        return make_tell(look, APR_FROM_OS_ERROR(errno));
    }
    if (!wa_path_is_safe(look->there, 0, look->p)) {
        *look->perror = apr_psprintf(look->p, WA_DIRECTORY_UNSAFE, look->directory);
        return APR_EACCES;
    }
    return APR_SUCCESS;
}

static apr_status_t directory_check(const look_t *look, const struct stat *info)
{
    if (!S_ISDIR(info->st_mode)) {
        *look->perror = apr_psprintf(look->p, "%s is not a directory", look->directory);
        return APR_ENOTDIR;
    }
    if (look->is_root && info->st_uid != look->owner) {
        *look->perror = apr_psprintf(look->p,
                                     "%s does not belong to the server's user; change its owner, "
                                     "or let the module create it",
                                     look->directory);
        return APR_EACCES;
    }
    if (look->is_root && (info->st_mode & S_IRWXU) != S_IRWXU) {
        *look->perror = apr_psprintf(look->p,
                                     "%s is closed to its owner, who is to read and write there: "
                                     "chmod 700 it",
                                     look->directory);
        return APR_EACCES;
    }
    return wa_directory_write_check(look->directory, look->perror, look->p);
}

/* ---- what is in it ---- */

/* What is planted, and what a start could not open, is told by the same words as there. */
static apr_status_t entries_check(look_t *look)
{
    apr_status_t rv = wa_directory_inspect(look->directory, look->owner, look->perror, look->p);

    if (rv == APR_SUCCESS) {
        look->fd = open(look->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (look->fd < 0) {
            return unreachable_tell(look, APR_FROM_OS_ERROR(errno));
        }
        rv = wa_directory_needs_check(look->directory, look->perror, look->p);
    }
    return rv;
}

static apr_status_t journal_check(const look_t *look)
{
    const char *path = apr_pstrcat(look->p, look->directory, "/journal", NULL);
    const wa_journal_options_t options = {
        .path = path, .account_sid = look->options->account_sid, .is_read_only = 1};
    wa_checkpoint_place_t place = {.directory = look->directory};
    wa_journal_t journal;
    struct stat info;
    apr_status_t rv;

    if (fstatat(look->fd, "journal", &info, AT_SYMLINK_NOFOLLOW) && errno == ENOENT) {
        rv = wa_loss_check_missing(look->directory, look->perror, look->p);
        return rv == APR_SUCCESS ? absence_check(look) : rv;
    }
    rv = wa_journal_open(&journal, &options, look->perror, look->p);
    if (rv == APR_SUCCESS) {
        place.salt = journal.salt;
        rv = wa_loss_check_emptied(&place, &journal, look->perror, look->p);
        wa_journal_release(&journal);
    }
    return rv;
}

/* ---- a store that this server uses already ---- */

static int is_long_enough(int directory, const char *name, apr_uint64_t size)
{
    struct stat info;

    return size == 0
           || (fstatat(directory, name, &info, AT_SYMLINK_NOFOLLOW) == 0
               && (apr_uint64_t)info.st_size >= size);
}

static int are_long_enough(int directory, const wa_shared_t *shared)
{
    wa_tail_t tail = wa_shared_tail(shared);
    char name[32];
    int level;

    if (!is_long_enough(directory, "journal", tail.offset)
        || !is_long_enough(directory, "rows", wa_index_rows_size(tail.rows))
        || !is_long_enough(directory, "times", wa_index_times_size(tail.records))) {
        return 0;
    }
    for (level = 0; level < wa_index_levels(tail.keys); level++) {
        apr_snprintf(name, sizeof(name), "keys.%d", level);
        if (!is_long_enough(directory, name, wa_index_level_size(level))) {
            return 0;
        }
    }
    return 1;
}

/* 1 when `name` is there and is the file (dev, ino). */
static int is_file(int directory, const char *name, apr_uint64_t dev, apr_uint64_t ino)
{
    struct stat info;

    return fstatat(directory, name, &info, AT_SYMLINK_NOFOLLOW) == 0
           && (apr_uint64_t)info.st_dev == dev && (apr_uint64_t)info.st_ino == ino;
}

static int is_kept_lock(int directory, const wa_dbm_retained_t *retained)
{
    struct stat held;

    return fstat(retained->lock_fd, &held) == 0
           && is_file(directory, "lock", (apr_uint64_t)held.st_dev, (apr_uint64_t)held.st_ino);
}

int wa_dbm_retained_is_of_another(const wa_dbm_retained_t *retained, const char *directory)
{
    int fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int is_of_another;

    if (fd < 0) {
        return 0;
    }
    is_of_another = !is_kept_lock(fd, retained)
                    && !is_file(fd, "journal", retained->journal_dev, retained->journal_ino);
    close(fd);
    return is_of_another;
}

int wa_dbm_directory_is_ours(const wa_dbm_store_t *store)
{
    int fd = open(store->place.directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int is_ours_now = fd >= 0 && is_kept_lock(fd, store->retained);

    if (fd >= 0) {
        close(fd);
    }
    return is_ours_now;
}

/* Old children may still write to these files, and what all processes share in memory fits no
 * others. */
static apr_status_t live_check(const look_t *look)
{
    wa_store_retained_t *memory = look->options->server.retained;
    const wa_dbm_retained_t *retained = memory ? wa_dbm_retained(memory) : NULL;
    wa_shared_t shared;

    if (!retained || retained->layout != WA_SHARED_LAYOUT
        || wa_dbm_retained_is_of_another(retained, look->directory)) {
        return APR_SUCCESS;
    }
    if (!is_kept_lock(look->fd, retained)
        || !is_file(look->fd, "journal", retained->journal_dev, retained->journal_ino)
        || pread(retained->shared_fd, &shared, sizeof(shared), 0) != (ssize_t)sizeof(shared)
        || !are_long_enough(look->fd, &shared)) {
        *look->perror = apr_psprintf(look->p,
                                     "files in %s were removed, cut or replaced while the server "
                                     "used them; put them back, or stop the server and start it "
                                     "again",
                                     look->directory);
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
        || !is_whole(store->index.times.fd, wa_index_times_size(tail.records))) {
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

/* As who will open it: what root may do says nothing of that. */
static apr_status_t look_around(look_t *look, const char **pidentity)
{
    struct stat info;
    apr_status_t rv = place_find(look, &info, pidentity);

    if (rv == APR_SUCCESS && *look->missing) {
        return parent_check(look, &info);
    }
    if (rv == APR_SUCCESS) {
        rv = directory_check(look, &info);
    }
    if (rv == APR_SUCCESS) {
        rv = entries_check(look);
    }
    if (rv == APR_SUCCESS) {
        rv = live_check(look);
    }
    if (rv == APR_SUCCESS) {
        rv = journal_check(look);
    }
    if (rv == APR_SUCCESS) {
        rv = room_check(look);
    }
    if (look->fd >= 0) {
        close(look->fd);
    }
    return rv;
}

apr_status_t wa_dbm_inspect(const wa_store_uri_t *uri, const wa_store_options_t *options,
                            const char **pidentity, const char **perror, apr_pool_t *p)
{
    look_t look = {.options = options, .fd = -1, .perror = perror, .p = p};
    wa_identity_t before;
    const char *key = NULL;
    char *real;
    apr_status_t rv = wa_dbm_check(uri, perror, &key, p);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    look.directory = key + strlen("dbm:");
    look.is_root = geteuid() == 0 && options->server.owner != 0;
    look.owner = geteuid() == 0 ? options->server.owner : geteuid();
    real = realpath(look.directory, NULL);
    look.real = real ? apr_pstrdup(p, real) : NULL;
    free(real);
    rv = wa_identity_enter(&before, options->server.owner, options->server.owner_group, p);
    if (rv != APR_SUCCESS) {
        *perror = apr_psprintf(p, WA_DIRECTORY_NO_USER, (unsigned long)options->server.owner,
                               look.directory);
        return rv;
    }
    rv = look_around(&look, pidentity);
    wa_identity_leave(&before);
    return rv == APR_SUCCESS && look.is_roots ? root_parent_check(&look) : rv;
}
