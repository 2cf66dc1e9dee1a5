/* SPDX-License-Identifier: Apache-2.0 */
/* Who does the work: root only opens what it alone may, then a process of the store's owner goes
 * on. */
#include "ctl_owner.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <apr_strings.h>

#include "base/identity.h"
#include "base/slice.h"
#include "ctl_say.h"
#include "store/file/directory.h"

/* What is made outside of the store's directory, and gets its end by who made it. */
typedef struct outside_t {
    int in;          /* the directory that it is in; -1: there is nothing */
    char name[300];  /* outlives the pool */
    char final[300]; /* of a file: the name that it gets; empty: a directory */
    int was_there;   /* a directory that was empty and root's: it is given back */
    int is_trial;    /* it goes in any case */
    int fd;          /* that directory */
} outside_t;

static outside_t outside = {.in = -1, .fd = -1};
static int is_owner_process;

/* The directory of a path, and the path's last part. */
static int parent_open(ctl_t *ctl, const char *path, const char **pname)
{
    const char *slash = strrchr(path, '/');
    uid_t links_of;
    int fd;

    *pname = slash ? slash + 1 : path;
    if (!slash) {
        return open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    fd = wa_path_open(
        slash == path ? "/"
                      : wa_slice_string(wa_slice_make(path, (apr_size_t)(slash - path)), ctl->pool),
        &links_of, ctl->pool);
    if (fd >= 0 && geteuid() == 0 && links_of) {
        close(fd);
        errno = ELOOP; /* of somebody who can have it lead anywhere */
        return -1;
    }
    return fd;
}

int ctl_outside_file(ctl_t *ctl, const char *path, int *pfd)
{
    const char *name;

    outside.in = parent_open(ctl, path, &name);
    if (outside.in < 0) {
        return ctl_error_status(APR_FROM_OS_ERROR(errno), "%s cannot be written", path);
    }
    apr_snprintf(outside.final, sizeof(outside.final), "%s", name);
    apr_snprintf(outside.name, sizeof(outside.name), "%s.part", name);
    if (unlinkat(outside.in, outside.name, 0) && errno != ENOENT) {
        int rc = ctl_error_status(APR_FROM_OS_ERROR(errno), "%s.part is in the way", path);

        outside.in = -1;
        return rc;
    }
    *pfd = openat(outside.in, outside.name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                  0600);
    if (*pfd < 0) {
        outside.in = -1;
        return ctl_error_status(APR_FROM_OS_ERROR(errno), "%s cannot be written", path);
    }
    return CTL_DONE;
}

static int is_empty(int fd)
{
    int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), count = 0;
    DIR *dir = copy < 0 ? NULL : fdopendir(copy);
    const struct dirent *entry;

    if (!dir) {
        return 0;
    }
    while ((entry = readdir(dir)) != NULL) {
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    }
    closedir(dir);
    return count == 0;
}

/* An empty directory that was there: the owner's, or root's own where nobody else could have put
 * it. */
static int directory_take(ctl_t *ctl, const char *directory)
{
    struct stat info;
    int rc = CTL_DONE;

    if (fstat(outside.fd, &info)) {
        return ctl_error_status(APR_FROM_OS_ERROR(errno), "%s cannot be looked at", directory);
    }
    if (info.st_uid == ctl->uid || geteuid() != 0) {
        return CTL_DONE;
    }
    if (info.st_uid != 0 || !wa_path_is_safe(directory, 0, ctl->pool)) {
        return ctl_error("%s is not the store's owner's, and others than root can change it or the "
                         "directories above it: name a new directory",
                         directory);
    }
    outside.was_there = 1;
    if (fchown(outside.fd, ctl->uid, ctl->gid)) {
        rc = ctl_error_status(APR_FROM_OS_ERROR(errno), "%s cannot be given to the store's owner",
                              directory);
    }
    return rc;
}

int ctl_outside_directory(ctl_t *ctl, const char *directory, int has_to_be_empty, int *pfd)
{
    const char *error = NULL, *name;
    int in = parent_open(ctl, directory, &name);
    apr_status_t rv;

    if (in < 0) {
        return ctl_error_status(APR_FROM_OS_ERROR(errno), "%s cannot be made", directory);
    }
    rv = wa_directory_make(directory, ctl->uid, ctl->gid, &error, ctl->pool);
    if (rv != APR_SUCCESS && rv != APR_EEXIST) {
        return ctl_error_status(rv, "%s cannot be made%s%s", directory, error ? ": " : "",
                                error ? error : "");
    }
    outside.fd = openat(in, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (rv == APR_SUCCESS) {
        outside.in = in;
        apr_cpystrn(outside.name, name, sizeof(outside.name));
    }
    *pfd = outside.fd;
    if (outside.fd < 0 || (has_to_be_empty && !is_empty(outside.fd))) {
        return ctl_error(
            "%s is no empty directory: name a new one, so that no older backup is overwritten",
            directory);
    }
    return rv == APR_SUCCESS || !has_to_be_empty ? CTL_DONE : directory_take(ctl, directory);
}

void ctl_outside_is_trial(void)
{
    outside.is_trial = 1;
}

static int outside_end(int rc)
{
    int is_done = (rc == CTL_DONE && !outside.is_trial) || (rc == CTL_BAD && *outside.final);
    int is_wrong = 0;

    if (outside.was_there && !is_done) {
        is_wrong = fchown(outside.fd, 0, 0);
    }
    if (outside.in >= 0 && *outside.final) {
        is_wrong = is_done ? renameat(outside.in, outside.name, outside.in, outside.final)
                           : unlinkat(outside.in, outside.name, 0);
    } else if (outside.in >= 0) {
        is_wrong = is_done ? fsync(outside.in)
                           : unlinkat(outside.in, outside.name, AT_REMOVEDIR) && errno != ENOENT;
    }
    outside.in = -1;
    outside.was_there = 0;
    return is_wrong ? ctl_error_status(APR_FROM_OS_ERROR(errno), "%s cannot be put in its place",
                                       *outside.final ? outside.final : outside.name)
                    : rc;
}

int ctl_outside_end(int rc)
{
    return is_owner_process ? rc : outside_end(rc);
}

/* Root waits, passes on who wants the program to end, and finishes what it made. */
static int owner_wait(pid_t pid, const sigset_t *waited)
{
    int status = 0, number;

    for (;;) {
        number = sigwaitinfo(waited, NULL);
        if (number == SIGCHLD && waitpid(pid, &status, WNOHANG) == pid) {
            break;
        }
        if (number > 0 && number != SIGCHLD) {
            kill(pid, SIGTERM);
        }
    }
    return status;
}

static void owner_finish(int status) __attribute__((noreturn));

static void owner_finish(int status)
{
    int rc = outside_end(WIFEXITED(status) ? WEXITSTATUS(status) : CTL_FAILED);

    if (WIFSIGNALED(status)) {
        sigset_t ended;

        sigemptyset(&ended);
        sigaddset(&ended, WTERMSIG(status));
        signal(WTERMSIG(status), SIG_DFL);
        raise(WTERMSIG(status));
        sigprocmask(SIG_UNBLOCK, &ended, NULL);
        rc = CTL_FAILED;
    }
    exit(rc);
}

/* Where the owner cannot go by the store's path, it stands in the directory. */
static int place_take(ctl_t *ctl, int directory)
{
    struct stat there, here;

    if (fstat(directory, &here)) {
        return ctl_error_status(APR_FROM_OS_ERROR(errno), "%s cannot be looked at", ctl->directory);
    }
    if (!stat(ctl->directory, &there) && there.st_dev == here.st_dev && there.st_ino == here.st_ino
        && wa_path_is_safe(ctl->directory, ctl->uid, ctl->pool)) {
        return CTL_DONE;
    }
    ctl->directory = ".";
    return fchdir(directory)
               ? ctl_error_status(APR_FROM_OS_ERROR(errno), "%s cannot be entered", ctl->shown)
               : CTL_DONE;
}

int ctl_owner_become(ctl_t *ctl)
{
    struct stat info;
    uid_t links_of;
    int directory, rc;
    apr_status_t rv;
    sigset_t wanted, before;
    pid_t pid, parent;

    if (geteuid() != 0) {
        return CTL_DONE;
    }
    directory = wa_path_open(ctl->directory, &links_of, ctl->pool);
    if (directory < 0 || fstat(directory, &info)) {
        return ctl_error_status(APR_FROM_OS_ERROR(errno), "%s cannot be opened", ctl->directory);
    }
    ctl->uid = info.st_uid;
    ctl->gid = wa_identity_group(info.st_uid, info.st_gid, ctl->pool);
    if (links_of && links_of != ctl->uid) {
        close(directory);
        return ctl_error("%s leads through a symbolic link of somebody who is neither root nor the "
                         "store's owner: name the directory itself",
                         ctl->directory);
    }
    if (ctl->uid == 0) {
        close(directory);
        return wa_path_is_safe(ctl->directory, 0, ctl->pool)
                   ? CTL_DONE
                   : ctl_error(
                       "%s belongs to root, but others can change it or the directories above "
                       "it: root does not work there; give it to the server's user",
                       ctl->directory);
    }
    fflush(NULL);
    sigemptyset(&wanted);
    sigaddset(&wanted, SIGINT);
    sigaddset(&wanted, SIGTERM);
    sigaddset(&wanted, SIGHUP);
    sigaddset(&wanted, SIGQUIT);
    sigaddset(&wanted, SIGCHLD);
    signal(SIGCHLD, SIG_DFL);
    sigprocmask(SIG_BLOCK, &wanted, &before);
    parent = getpid();
    pid = fork();
    if (pid < 0) {
        return ctl_error_status(APR_FROM_OS_ERROR(errno), "no process can be made");
    }
    if (pid > 0) {
        owner_finish(owner_wait(pid, &wanted));
    }
    is_owner_process = 1;
    rv = wa_identity_become(ctl->uid, ctl->gid, ctl->pool);
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* after the change, which forgets it */
    if (getppid() != parent) {
        _exit(CTL_FAILED); /* it ended before that was asked for */
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
    if (rv != APR_SUCCESS) {
        return ctl_error_status(rv, "the owner of %s (user %lu) cannot be taken on", ctl->directory,
                                (unsigned long)ctl->uid);
    }
    rc = place_take(ctl, directory);
    close(directory);
    return rc;
}
