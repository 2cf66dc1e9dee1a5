/* SPDX-License-Identifier: Apache-2.0 */
/* Preloaded into a program: kills it at the KILL_AT-th call that changes something on the disk;
 * without that it writes how many there were to KILL_COUNT. */
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

static long calls;
static int count_fd = -1;

static void step(void)
{
    const char *at = getenv("KILL_AT");

    if (++calls == (at ? atol(at) : -1)) {
        kill(getpid(), SIGKILL);
    }
}

__attribute__((destructor)) static void count_write(void)
{
    char text[32] = "";

    if (count_fd >= 0 && pread(count_fd, text, sizeof(text) - 1, 0) >= 0 && atol(text) < calls) {
        lseek(count_fd, 0, SEEK_SET);
        dprintf(count_fd, "%ld", calls);
    }
}

/* Open from the beginning: the process that does the work may not be who may open it. The one that
 * made more calls is counted. */
__attribute__((constructor)) static void count_open(void)
{
    const char *path = getenv("KILL_COUNT");

    count_fd = path ? open(path, O_RDWR | O_CREAT | O_TRUNC, 0600) : -1;
}

#define BEFORE(result, name, parameters, arguments)               \
    __attribute__((visibility("default"))) result name parameters \
    {                                                             \
        static result(*real) parameters;                          \
                                                                  \
        if (!real) {                                              \
            *(void **)&real = dlsym(RTLD_NEXT, #name);            \
        }                                                         \
        step();                                                   \
        return real arguments;                                    \
    }

BEFORE(int, rename, (const char *from, const char *to), (from, to))
BEFORE(int, link, (const char *from, const char *to), (from, to))
BEFORE(int, unlink, (const char *path), (path))
BEFORE(int, renameat, (int in, const char *from, int to_in, const char *to), (in, from, to_in, to))
BEFORE(int, unlinkat, (int in, const char *path, int flags), (in, path, flags))
BEFORE(int, rmdir, (const char *path), (path))
BEFORE(int, mkdir, (const char *path, mode_t mode), (path, mode))
BEFORE(int, fsync, (int fd), (fd))
BEFORE(int, fdatasync, (int fd), (fd))
BEFORE(int, ftruncate, (int fd, off_t end), (fd, end))
BEFORE(int, ftruncate64, (int fd, off_t end), (fd, end))
BEFORE(ssize_t, pwrite, (int fd, const void *bytes, size_t n, off_t at), (fd, bytes, n, at))
BEFORE(ssize_t, pwrite64, (int fd, const void *bytes, size_t n, off_t at), (fd, bytes, n, at))
