/* SPDX-License-Identifier: Apache-2.0 */
/* Makes directories for a less privileged user, and looks for what is planted in them. */
#include "store/file/directory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_strings.h>

#include "base/identity.h"
#include "base/slice.h"
#include "store/file/mapping.h"

#define JOURNAL "journal"

/* A directory that root makes, until it is given away. */
#define UNFINISHED ".mod_whatsapp.new"

static const char *const journal_all[] = {JOURNAL, "journal.before-compact",
                                          "journal.before-retime", NULL};

/* What a journal that was replaced is kept as. */
static const char *const kept_names[] = {"journal.before-compact", "journal.before-retime", NULL};

static const char *const file_names[] = {JOURNAL, "journal.new", "rows",        "times",
                                         "lock",  "CURRENT",     "CURRENT.new", NULL};
static const char *const file_beginnings[] = {"keys.", "state-", "__db.state-", "damaged-", NULL};
static const char *const directory_names[] = {"load.new", "compact.new", "retime.new", NULL};

/* What a start opens for writing, and makes where it is missing. Opening goes by this list, and so
 * does looking. */
static const char *const needed_names[] = {"lock", JOURNAL, "rows", "times", NULL};
static const char *const needed_beginnings[] = {"keys.", NULL};

static int is_one_of(const char *name, const char *const *names)
{
    while (*names && strcmp(*names, name) != 0) {
        names++;
    }
    return *names != NULL;
}

static int begins_with_one_of(const char *name, const char *const *beginnings)
{
    while (*beginnings && strncmp(name, *beginnings, strlen(*beginnings)) != 0) {
        beginnings++;
    }
    return *beginnings != NULL;
}

static int is_file_of_store(const char *name)
{
    return begins_with_one_of(name, file_beginnings) || is_one_of(name, file_names)
           || is_one_of(name, kept_names);
}

static int is_needed(const char *name)
{
    return is_one_of(name, needed_names) || begins_with_one_of(name, needed_beginnings);
}

/* The system's reason, with what an admin does about one that no mode shows. */
static const char *reason(apr_status_t rv, apr_pool_t *p)
{
    char why[120];

    return apr_pstrcat(p, apr_strerror(rv, why, sizeof(why)),
                       rv == APR_FROM_OS_ERROR(EPERM) ? " (see lsattr: chattr -i -a it)" : "",
                       NULL);
}

/* ---- making ---- */

/* As root, where only root can change what the path leads to: so what was made is what is given
 * away. */
static apr_status_t root_make(const char *directory, apr_uid_t uid, apr_gid_t gid, apr_pool_t *p)
{
    const char *slash = strrchr(directory, '/');
    const char *parent =
        slash == directory
            ? "/"
            : wa_slice_string(wa_slice_make(directory, (apr_size_t)(slash - directory)), p);
    struct stat info;
    apr_status_t rv = APR_SUCCESS;
    int in = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd = -1;

    if (in < 0) {
        return APR_FROM_OS_ERROR(errno);
    }
    if (!wa_path_is_safe(parent, 0, p)) {
        rv = APR_EACCES;
    } else if ((unlinkat(in, UNFINISHED, AT_REMOVEDIR) && errno != ENOENT)
               || mkdirat(in, UNFINISHED, 0700)) {
        rv = APR_FROM_OS_ERROR(errno);
    } else {
        /* It gets its name when it is the user's: who is killed before leaves nothing that a later
         * start would refuse. */
        fd = openat(in, UNFINISHED, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &info) || fchown(fd, uid, gid) || fchmod(fd, 0700)
            || renameat(in, UNFINISHED, in, slash + 1)) {
            rv = APR_FROM_OS_ERROR(errno);
            unlinkat(in, UNFINISHED, AT_REMOVEDIR);
        }
    }
    if (fd >= 0) {
        close(fd);
    }
    close(in);
    return rv;
}

apr_status_t wa_directory_make(const char *directory, apr_uid_t uid, apr_gid_t gid,
                               const char **perror, apr_pool_t *p)
{
    wa_identity_t before;
    apr_status_t rv = wa_identity_enter(&before, uid, gid, p);

    if (rv != APR_SUCCESS) {
        *perror = apr_psprintf(p, WA_DIRECTORY_NO_USER, (unsigned long)uid, directory);
        return rv;
    }
    rv = mkdir(directory, 0700) ? APR_FROM_OS_ERROR(errno) : APR_SUCCESS;
    wa_identity_leave(&before);
    if (APR_STATUS_IS_EACCES(rv) && before.is_other) {
        rv = root_make(directory, uid, gid, p);
        if (APR_STATUS_IS_EACCES(rv)) {
            *perror = apr_psprintf(p, WA_DIRECTORY_UNSAFE, directory);
            return rv;
        }
    }
    if (APR_STATUS_IS_EEXIST(rv)) {
        return APR_EEXIST;
    }
    if (rv != APR_SUCCESS) {
        *perror = apr_psprintf(p, "%s cannot be created: %s", directory, reason(rv, p));
    }
    return rv;
}

/* ---- looking ---- */

/* How many of the names that a store gives a journal lead to this file. */
static unsigned journal_names(int dir, const struct stat *file)
{
    unsigned count = 0, i;
    struct stat other;

    for (i = 0; journal_all[i]; i++) {
        count += !fstatat(dir, journal_all[i], &other, AT_SYMLINK_NOFOLLOW)
                 && other.st_dev == file->st_dev && other.st_ino == file->st_ino;
    }
    return count;
}

/* 1 when all the names that the file has are a journal's: rewrites that were killed leave it so. */
static int is_half_kept(int dir, const struct stat *info, const char *name)
{
    return is_one_of(name, journal_all) && journal_names(dir, info) == info->st_nlink;
}

/* @return NULL | what is wrong with it */
static const char *entry_judge(int dir, const char *name, apr_uid_t uid, apr_pool_t *p)
{
    const int is_directory = is_one_of(name, directory_names);
    struct stat info;

    if (!is_directory && !is_file_of_store(name)) {
        return NULL;
    }
    if (fstatat(dir, name, &info, AT_SYMLINK_NOFOLLOW)) {
        return errno == ENOENT ? NULL : "cannot be looked at";
    }
    if (S_ISLNK(info.st_mode)) {
        return "is a symbolic link";
    }
    if (is_directory ? !S_ISDIR(info.st_mode) : !S_ISREG(info.st_mode)) {
        return is_directory ? "is no directory" : "is no regular file";
    }
    if (info.st_uid != uid) {
        return apr_psprintf(p, "belongs to user %lu and not to %lu like the store",
                            (unsigned long)info.st_uid, (unsigned long)uid);
    }
    if (!is_directory && info.st_nlink > 1 && !is_half_kept(dir, &info, name)) {
        return "has a second name (a hard link)";
    }
    return NULL;
}

/* Whether what a start needs can be opened as it will open it. */
static apr_status_t need_check(int dir, const char *directory, const char *name,
                               const char **perror, apr_pool_t *p)
{
    int fd = openat(dir, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    apr_status_t rv;

    if (fd >= 0) {
        close(fd);
        return APR_SUCCESS;
    }
    rv = APR_FROM_OS_ERROR(errno);
    if (APR_STATUS_IS_ENOENT(rv)) {
        return APR_SUCCESS; /* removed meanwhile, as a start would make it again */
    }
    *perror =
        apr_psprintf(p, "%s/%s cannot be read and written: %s", directory, name, reason(rv, p));
    return rv;
}

static apr_status_t entries_judge(int dir, const char *directory, apr_uid_t uid,
                                  const char **perror, apr_pool_t *p)
{
    int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = copy < 0 ? NULL : fdopendir(copy);
    apr_status_t rv = APR_SUCCESS;
    const struct dirent *entry;

    if (!list) {
        rv = APR_FROM_OS_ERROR(errno);
        if (copy >= 0) {
            close(copy);
        }
        *perror = apr_psprintf(p, "%s cannot be read", directory);
        return rv;
    }
    while (rv == APR_SUCCESS && (entry = readdir(list)) != NULL) {
        const char *wrong = entry_judge(dir, entry->d_name, uid, p);

        if (wrong) {
            rv = APR_EACCES;
            *perror = apr_psprintf(p,
                                   "%s/%s %s: the store made no such thing, and it is not "
                                   "touched; find out who did, then move it away or set it right",
                                   directory, entry->d_name, wrong);
        }
    }
    closedir(list);
    return rv;
}

apr_status_t wa_directory_needs_check(const char *directory, const char **perror, apr_pool_t *p)
{
    DIR *list = opendir(directory);
    apr_status_t rv = APR_SUCCESS;
    const struct dirent *entry;

    if (!list) {
        rv = APR_FROM_OS_ERROR(errno);
        *perror = apr_psprintf(p, "%s cannot be read: %s", directory, reason(rv, p));
        return rv;
    }
    while (rv == APR_SUCCESS && (entry = readdir(list)) != NULL) {
        if (is_needed(entry->d_name)) {
            rv = need_check(dirfd(list), directory, entry->d_name, perror, p);
        }
    }
    closedir(list);
    return rv;
}

apr_status_t wa_directory_write_check(const char *path, const char **perror, apr_pool_t *p)
{
    apr_status_t rv = APR_SUCCESS;
    struct statx info;

    if (faccessat(AT_FDCWD, path, R_OK | W_OK | X_OK, AT_EACCESS)) {
        rv = APR_FROM_OS_ERROR(errno);
        *perror = APR_TO_OS_ERROR(rv) == EROFS
                      ? apr_psprintf(p, "%s is on a file system that is read-only", path)
                      : apr_psprintf(p, "%s cannot be written to: %s", path, reason(rv, p));
    } else if (!statx(AT_FDCWD, path, 0, STATX_TYPE, &info)
               && (info.stx_attributes & STATX_ATTR_APPEND)) {
        rv = APR_FROM_OS_ERROR(EPERM);
        *perror =
            apr_psprintf(p, "in %s nothing can be replaced or removed: %s", path, reason(rv, p));
    }
    return rv;
}

apr_status_t wa_directory_file_open(int *pfd, const char *directory, const char *name,
                                    apr_uid_t uid, apr_gid_t gid)
{
    char path[4096];

    *pfd = -1;
    if (!is_needed(name)) {
        return APR_EINVAL; /* a start would need what nobody looks at before */
    }
    apr_snprintf(path, sizeof(path), "%s/%s", directory, name);
    return wa_file_open(pfd, path, O_RDWR | O_CREAT, uid, gid);
}

apr_status_t wa_directory_inspect(const char *directory, apr_uid_t uid, const char **perror,
                                  apr_pool_t *p)
{
    /* Whose it is can be told of a directory that may not be read. */
    int dir = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct stat info;
    apr_status_t rv;

    if (dir < 0) {
        rv = APR_FROM_OS_ERROR(errno);
        *perror =
            apr_psprintf(p,
                         APR_STATUS_IS_ENOTDIR(rv) ? "%s is not a directory"
                                                   : "%s cannot be reached by the store's user",
                         directory);
        return rv;
    }
    if (fstat(dir, &info)) {
        rv = APR_FROM_OS_ERROR(errno);
    } else if (info.st_uid != uid) {
        rv = APR_EACCES;
        *perror = apr_psprintf(p,
                               "%s does not belong to the server's user; change its owner, or let "
                               "the module create it",
                               directory);
    } else {
        rv = entries_judge(dir, directory, uid, perror, p);
    }
    close(dir);
    return rv;
}

apr_status_t wa_directory_heal(const char *directory)
{
    int dir = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    apr_status_t rv = APR_SUCCESS;
    struct stat info;
    int i;

    if (dir < 0) {
        return APR_FROM_OS_ERROR(errno);
    }
    for (i = 0; rv == APR_SUCCESS && kept_names[i]; i++) {
        if (!fstatat(dir, kept_names[i], &info, AT_SYMLINK_NOFOLLOW) && info.st_nlink > 1
            && is_half_kept(dir, &info, kept_names[i]) && unlinkat(dir, kept_names[i], 0)) {
            rv = APR_FROM_OS_ERROR(errno);
        }
    }
    close(dir);
    return rv;
}
