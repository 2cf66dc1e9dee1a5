/* SPDX-License-Identifier: Apache-2.0 */
/* Preloaded into httpd by the crash tests: fails a call on a store's file, or kills the process or
 * the whole server at it, when it is told to. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

/* What happens at the call. */
enum { KILL = 1, KILL_HALF = 2, KILL_AFTER = 3, FAIL = 4, FAIL_HALF = 5 };

/* The file that WA_FAULTS names, shared by all processes of the server and the test. harness.py
 * knows this layout. */
typedef struct control_t {
    uint32_t armed; /* 1: look at calls; set last, by the test */
    uint32_t what;
    uint32_t is_all; /* kill the whole server, not only the process at the call */
    uint32_t error;  /* errno */
    uint32_t at;     /* the call that is meant, counted from 1 over all processes */
    uint32_t times;  /* how many from there on fail */
    uint32_t seen;   /* how many calls were looked at */
    uint32_t hits;
    char call[32];          /* a name, or "" for every call */
    char path[64];          /* a part of the file's path */
    int64_t clock_shift_ms; /* added to the wall clock, armed or not */
    int64_t process;        /* the process that came to the call */
} control_t;

static control_t *control;

__attribute__((constructor)) static void control_open(void)
{
    const char *path = getenv("WA_FAULTS");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void *map;

    if (fd < 0) {
        return;
    }
    map = mmap(NULL, sizeof(*control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    control = map == MAP_FAILED ? NULL : map;
}

static void die(void)
{
    kill(control->is_all ? 0 : getpid(), SIGKILL);
    for (;;) {
        pause();
    }
}

/* What is to happen at this call: 0 for nothing. Does not return where the process is to die before
 * it. */
static uint32_t fault_at(const char *call, const char *path)
{
    uint32_t n;

    if ((control->call[0] && strcmp(control->call, call) != 0) || !strstr(path, control->path)) {
        return 0;
    }
    n = __atomic_add_fetch(&control->seen, 1, __ATOMIC_SEQ_CST);
    if (n < control->at || n >= control->at + control->times) {
        return 0;
    }
    __atomic_store_n(&control->process, getpid(), __ATOMIC_SEQ_CST);
    __atomic_add_fetch(&control->hits, 1, __ATOMIC_SEQ_CST);
    if (control->what == KILL) {
        die();
    }
    return control->what;
}

static uint32_t fault_of_path(const char *call, const char *path)
{
    return control && __atomic_load_n(&control->armed, __ATOMIC_ACQUIRE) ? fault_at(call, path) : 0;
}

static uint32_t fault_of(const char *call, int fd)
{
    char link[64], path[512];
    ssize_t n;

    if (!control || !__atomic_load_n(&control->armed, __ATOMIC_ACQUIRE)) {
        return 0;
    }
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    n = readlink(link, path, sizeof(path) - 1);
    path[n > 0 ? n : 0] = '\0';
    return fault_at(call, path);
}

static int is_failing(uint32_t what)
{
    if (what == FAIL || what == FAIL_HALF) {
        errno = (int)control->error;
        return 1;
    }
    return 0;
}

static void after(uint32_t what)
{
    if (what == KILL_AFTER || what == KILL_HALF) {
        die();
    }
}

#define REAL(name)                                 \
    static __typeof__(&name) real;                 \
    if (!real) {                                   \
        *(void **)&real = dlsym(RTLD_NEXT, #name); \
    }

#define WRITE_AT(name)                                                                       \
    ssize_t name(int fd, const void *bytes, size_t len, off_t offset)                        \
    {                                                                                        \
        uint32_t what = fault_of("pwrite", fd);                                              \
        ssize_t n;                                                                           \
        REAL(name)                                                                           \
        if (what != FAIL_HALF && is_failing(what)) {                                         \
            return -1;                                                                       \
        }                                                                                    \
        n = real(fd, bytes, what == KILL_HALF || what == FAIL_HALF ? len / 2 : len, offset); \
        after(what);                                                                         \
        return n;                                                                            \
    }

WRITE_AT(pwrite)
WRITE_AT(pwrite64)

ssize_t write(int fd, const void *bytes, size_t len)
{
    uint32_t what = fault_of("write", fd);
    ssize_t n;

    REAL(write)
    if (is_failing(what)) {
        return -1;
    }
    n = real(fd, bytes, what == KILL_HALF ? len / 2 : len);
    after(what);
    return n;
}

int posix_fallocate(int fd, off_t from, off_t len)
{
    uint32_t what = fault_of("posix_fallocate", fd);
    int rc;

    REAL(posix_fallocate)
    if (is_failing(what)) {
        return errno;
    }
    rc = real(fd, from, len);
    after(what);
    return rc;
}

#define ON_FILE(name, parameters, arguments) \
    int name parameters                      \
    {                                        \
        uint32_t what = fault_of(#name, fd); \
        int rc;                              \
        REAL(name)                           \
        if (is_failing(what)) {              \
            return -1;                       \
        }                                    \
        rc = real arguments;                 \
        after(what);                         \
        return rc;                           \
    }

ON_FILE(fdatasync, (int fd), (fd))
ON_FILE(fsync, (int fd), (fd))
ON_FILE(ftruncate, (int fd, off_t len), (fd, len))
ON_FILE(ftruncate64, (int fd, off_t len), (fd, len))

int rename(const char *from, const char *to)
{
    uint32_t what = fault_of_path("rename", to);
    int rc;

    REAL(rename)
    if (is_failing(what)) {
        return -1;
    }
    rc = real(from, to);
    after(what);
    return rc;
}

int unlink(const char *path)
{
    uint32_t what = fault_of_path("unlink", path);
    int rc;

    REAL(unlink)
    if (is_failing(what)) {
        return -1;
    }
    rc = real(path);
    after(what);
    return rc;
}

#define OPEN(name)                                   \
    int name(const char *path, int flags, ...)       \
    {                                                \
        uint32_t what = fault_of_path("open", path); \
        unsigned mode = 0;                           \
        va_list more;                                \
        int rc;                                      \
        REAL(name)                                   \
        if (flags & (O_CREAT | O_TMPFILE)) {         \
            va_start(more, flags);                   \
            mode = va_arg(more, unsigned);           \
            va_end(more);                            \
        }                                            \
        if (is_failing(what)) {                      \
            return -1;                               \
        }                                            \
        rc = real(path, flags, mode);                \
        after(what);                                 \
        return rc;                                   \
    }

OPEN(open)
OPEN(open64)

/* ---- the wall clock, which APR reads by gettimeofday ---- */

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    int rc;

    REAL(gettimeofday)
    rc = real(now, zone);
    if (!rc && control) {
        int64_t us = now->tv_sec * (int64_t)1000000 + now->tv_usec
                     + __atomic_load_n(&control->clock_shift_ms, __ATOMIC_RELAXED) * 1000;

        now->tv_sec = us / 1000000;
        now->tv_usec = us % 1000000;
    }
    return rc;
}
