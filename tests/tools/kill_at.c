/* SPDX-License-Identifier: Apache-2.0 */
/* Preloaded into a program: kills it at the KILL_AT-th call that changes something on the disk; without that it writes how many there were to KILL_COUNT. */
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

static long calls;

static void step(void)
{
    const char *at = getenv("KILL_AT");

    if (++calls == (at ? atol(at) : -1)) {
        kill(getpid(), SIGKILL);
    }
}

__attribute__((destructor)) static void count_write(void)
{
    const char *path = getenv("KILL_COUNT");
    FILE *f = path ? fopen(path, "w") : NULL;

    if (f) {
        fprintf(f, "%ld", calls);
        fclose(f);
    }
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
BEFORE(int, rmdir, (const char *path), (path))
BEFORE(int, mkdir, (const char *path, mode_t mode), (path, mode))
BEFORE(int, fsync, (int fd), (fd))
BEFORE(int, fdatasync, (int fd), (fd))
BEFORE(int, ftruncate, (int fd, off_t end), (fd, end))
BEFORE(int, ftruncate64, (int fd, off_t end), (fd, end))
BEFORE(ssize_t, pwrite, (int fd, const void *bytes, size_t n, off_t at), (fd, bytes, n, at))
BEFORE(ssize_t, pwrite64, (int fd, const void *bytes, size_t n, off_t at), (fd, bytes, n, at))
