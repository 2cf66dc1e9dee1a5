/* SPDX-License-Identifier: Apache-2.0 */
/* Changes who a thread or the process acts as, and judges paths. */
#include "base/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <apr_strings.h>

#include "base/slice.h"

/* glibc's own functions change all threads of the process: another module's thread would lose root
 * in the middle of its work. The kernel's change the one that calls. */
#ifdef SYS_setresuid32
#define THREAD_SETRESUID SYS_setresuid32
#define THREAD_SETRESGID SYS_setresgid32
#define THREAD_SETGROUPS SYS_setgroups32
#else
#define THREAD_SETRESUID SYS_setresuid
#define THREAD_SETRESGID SYS_setresgid
#define THREAD_SETGROUPS SYS_setgroups
#endif

#define KEEP ((uid_t)-1)
#define LINKS_MAX 40

/* The groups that httpd gives its children, too. */
static gid_t *groups_get(apr_uid_t uid, apr_gid_t gid, int *pcount, apr_pool_t *p)
{
    const struct passwd *user = getpwuid(uid);
    const char *name = user ? apr_pstrdup(p, user->pw_name) : NULL;
    gid_t *groups = apr_palloc(p, NGROUPS_MAX * sizeof(*groups));

    *pcount = NGROUPS_MAX;
    if (!name || getgrouplist(name, gid, groups, pcount) < 0) {
        groups[0] = gid;
        *pcount = 1;
    }
    return groups;
}

apr_gid_t wa_identity_group(apr_uid_t uid, apr_gid_t gid, apr_pool_t *tmp)
{
    const struct passwd *user = getpwuid(uid);
    const gid_t own = user ? user->pw_gid : gid;
    gid_t *groups;
    int count, i;

    groups = groups_get(uid, own, &count, tmp);
    for (i = 0; i < count; i++) {
        if (groups[i] == gid) {
            return gid;
        }
    }
    return own;
}

static int thread_restore(const wa_identity_t *before)
{
    /* The user first: only root may set the others. */
    return syscall(THREAD_SETRESUID, KEEP, 0, KEEP) == 0
           && syscall(THREAD_SETRESGID, KEEP, before->gid, KEEP) == 0
           && syscall(THREAD_SETGROUPS, before->group_count, before->groups) == 0;
}

apr_status_t wa_identity_enter(wa_identity_t *before, apr_uid_t uid, apr_gid_t gid, apr_pool_t *p)
{
    gid_t *groups;
    int count;

    memset(before, 0, sizeof(*before));
    if (geteuid() != 0 || uid == 0) {
        return APR_SUCCESS;
    }
    before->gid = getegid();
    before->is_dumpable = prctl(PR_GET_DUMPABLE);
    before->group_count = getgroups(0, NULL);
    if (before->group_count < 0) {
        return APR_FROM_OS_ERROR(errno);
    }
    before->groups = apr_palloc(p, ((apr_size_t)before->group_count + 1) * sizeof(gid_t));
    if (before->group_count > 0
        && getgroups(before->group_count, before->groups) != before->group_count) {
        return APR_FROM_OS_ERROR(errno ? errno : EINVAL);
    }
    groups = groups_get(uid, gid, &count, p);
    before->is_other = 1;
    if (syscall(THREAD_SETGROUPS, count, groups) || syscall(THREAD_SETRESGID, KEEP, gid, KEEP)
        || syscall(THREAD_SETRESUID, KEEP, uid, KEEP)) {
        apr_status_t rv = APR_FROM_OS_ERROR(errno);

        wa_identity_leave(before);
        before->is_other = 0;
        return rv;
    }
    return APR_SUCCESS;
}

void wa_identity_leave(const wa_identity_t *before)
{
    if (!before->is_other) {
        return;
    }
    if (!thread_restore(before) || geteuid() != 0) {
        abort();
    }
    /* The kernel takes dumps from whoever changes; whether httpd may leave one is its
     * configuration's to say. */
    if (before->is_dumpable == 1) {
        prctl(PR_SET_DUMPABLE, 1);
    }
}

apr_status_t wa_identity_become(apr_uid_t uid, apr_gid_t gid, apr_pool_t *tmp)
{
    gid_t *groups;
    int count;

    if (geteuid() != 0 || uid == 0) {
        return APR_SUCCESS;
    }
    groups = groups_get(uid, gid, &count, tmp);
    if (setgroups((size_t)count, groups) || setresgid(gid, gid, gid) || setresuid(uid, uid, uid)) {
        return APR_FROM_OS_ERROR(errno);
    }
    if (setuid(0) == 0 || geteuid() == 0) {
        abort();
    }
    return APR_SUCCESS;
}

/* ---- paths ---- */

static int is_of(const struct stat *info, apr_uid_t uid)
{
    return info->st_uid == 0 || info->st_uid == uid;
}

static int path_judge(const char *path, apr_uid_t uid, int links, apr_pool_t *tmp)
{
    const char *end = path;

    do {
        struct stat info;
        const char *part;

        end += 1 + strcspn(end + 1, "/");
        part = end == path + 1
                   ? "/"
                   : wa_slice_string(wa_slice_make(path, (apr_size_t)(end - path)), tmp);
        if (lstat(part, &info) || !is_of(&info, uid)) {
            return 0;
        }
        if (S_ISLNK(info.st_mode)) {
            char *target = realpath(part, NULL);
            const char *kept = target ? apr_pstrdup(tmp, target) : NULL;

            free(target);
            if (!kept || links == 0 || !path_judge(kept, uid, links - 1, tmp)) {
                return 0;
            }
        } else if (S_ISDIR(info.st_mode) && (info.st_mode & (S_IWGRP | S_IWOTH))
                   && !(info.st_mode & S_ISVTX)) {
            return 0;
        }
    } while (*end);
    return 1;
}

int wa_path_is_safe(const char *path, apr_uid_t uid, apr_pool_t *tmp)
{
    struct stat root;

    return path[0] == '/' && !lstat("/", &root) && is_of(&root, uid)
           && !(root.st_mode & (S_IWGRP | S_IWOTH)) && path_judge(path, uid, LINKS_MAX, tmp);
}

/* What a link at `at` says, and whose it is: read through one descriptor, so that it is one
 * link. */
static const char *link_read(int at, uid_t *powner, apr_pool_t *tmp)
{
    char *text = apr_palloc(tmp, PATH_MAX);
    struct stat info;
    ssize_t len = readlinkat(at, "", text, PATH_MAX - 1);

    if (len <= 0 || fstat(at, &info)) {
        return NULL;
    }
    text[len] = '\0';
    *powner = info.st_uid;
    return text;
}

int wa_path_open(const char *path, uid_t *plinks_of, apr_pool_t *tmp)
{
    const char *rest = path;
    int dir = open(*path == '/' ? "/" : ".", O_PATH | O_DIRECTORY | O_CLOEXEC), links = 0, next;

    *plinks_of = 0;
    while (dir >= 0) {
        const apr_size_t len = strcspn(rest += strspn(rest, "/"), "/");
        const char *name = wa_slice_string(wa_slice_make(rest, len), tmp);
        struct stat info;

        if (len == 0) {
            next = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
            close(dir);
            return next;
        }
        rest += len;
        next = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        if (next >= 0 && !fstat(next, &info) && S_ISLNK(info.st_mode)) {
            uid_t owner = 0;
            const char *target = link_read(next, &owner, tmp);

            close(next);
            if (!target || ++links > LINKS_MAX || (owner && *plinks_of && owner != *plinks_of)) {
                close(dir);
                errno = ELOOP;
                return -1;
            }
            *plinks_of = owner ? owner : *plinks_of;
            rest = apr_pstrcat(tmp, target, "/", rest, NULL);
            next = *target == '/' ? open("/", O_PATH | O_DIRECTORY | O_CLOEXEC) : dup(dir);
        }
        close(dir);
        dir = next;
    }
    return -1;
}
