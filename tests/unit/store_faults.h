/* SPDX-License-Identifier: Apache-2.0 */
/* An operating system that fails, or kills the process, at any call, and a store to try it on. For
 * one file of a test program. */
#ifndef WA_TESTS_STORE_FAULTS_H
#define WA_TESTS_STORE_FAULTS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "store/dbm/operation/read.h"
#include "store/dbm/lifecycle/upkeep.h"
#include "store/dbm/operation/write.h"
#include "store_image.h"
#include "store_model.h"

/* ---- the faults: calls of libc that this program puts itself in front of, for the library and for
 * APR alike ---- */

#define VISIBLE __attribute__((visibility("default")))

typedef enum {
    FAULT_NONE,
    FAULT_ERROR,     /* the call does nothing and fails with `error` */
    FAULT_HALF,      /* a write writes half and fails with `error` */
    FAULT_KILL,      /* the process dies before the call */
    FAULT_KILL_HALF, /* it dies in the middle of a write */
    FAULT_KILL_AFTER /* it dies right after the call */
} fault_e;

static struct {
    fault_e kind;
    const char *call; /* NULL: any */
    const char *path; /* NULL: any file of a store */
    int at;           /* the call that fails, counted from 1 */
    int times;        /* how many from there on */
    int error;
    int seen;
} fault;

static inline void fault_set(fault_e kind, const char *call, int at, int error)
{
    memset(&fault, 0, sizeof(fault));
    fault.call = call;
    fault.at = at;
    fault.times = 1;
    fault.error = error;
    fault.kind = kind;
}

static inline void fault_clear(void)
{
    fault.kind = FAULT_NONE;
}

static inline int path_is_ours(const char *path)
{
    return strstr(path, "wa-store-") && (!fault.path || strstr(path, fault.path));
}

static inline fault_e fault_of_path(const char *call, const char *path)
{
    if (fault.kind == FAULT_NONE || (fault.call && strcmp(fault.call, call) != 0)
        || !path_is_ours(path)) {
        return FAULT_NONE;
    }
    fault.seen++;
    if (fault.seen < fault.at || fault.seen >= fault.at + fault.times) {
        return FAULT_NONE;
    }
    if (fault.kind == FAULT_KILL) {
        kill(getpid(), SIGKILL);
    }
    errno = fault.error;
    return fault.kind;
}

static inline fault_e fault_of(const char *call, int fd)
{
    char link[64], path[512];
    ssize_t n;

    if (fault.kind == FAULT_NONE) {
        return FAULT_NONE;
    }
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    n = readlink(link, path, sizeof(path) - 1);
    path[n > 0 ? n : 0] = '\0';
    return fault_of_path(call, path);
}

static inline void fault_after(fault_e kind)
{
    if (kind == FAULT_KILL_AFTER || kind == FAULT_KILL_HALF) {
        kill(getpid(), SIGKILL);
    }
}

#define REAL(type, name)                          \
    static type real;                             \
    if (!real) {                                  \
        *(void **)&real = dlsym(RTLD_NEXT, name); \
    }

typedef ssize_t (*pwrite_fn)(int, const void *, size_t, off_t);
typedef ssize_t (*write_fn)(int, const void *, size_t);
typedef int (*fallocate_fn)(int, off_t, off_t);
typedef int (*truncate_fn)(int, off_t);
typedef int (*rename_fn)(const char *, const char *);
typedef int (*unlink_fn)(const char *);
typedef int (*open_fn)(const char *, int, ...);

VISIBLE ssize_t pwrite(int fd, const void *bytes, size_t len, off_t offset)
{
    fault_e kind = fault_of("pwrite", fd);
    int error = errno;
    ssize_t n;

    REAL(pwrite_fn, "pwrite")
    if (kind == FAULT_ERROR) {
        return -1;
    }
    n = real(fd, bytes, kind == FAULT_HALF || kind == FAULT_KILL_HALF ? len / 2 : len, offset);
    fault_after(kind);
    if (kind == FAULT_HALF) {
        fault.times++; /* what is left fails as well */
        fault.kind = FAULT_ERROR;
        errno = error;
    }
    return n;
}

VISIBLE ssize_t write(int fd, const void *bytes, size_t len)
{
    fault_e kind = fault_of("write", fd);
    ssize_t n;

    REAL(write_fn, "write")
    if (kind == FAULT_ERROR || kind == FAULT_HALF) {
        return -1;
    }
    n = real(fd, bytes, kind == FAULT_KILL_HALF ? len / 2 : len);
    fault_after(kind);
    return n;
}

VISIBLE int posix_fallocate(int fd, off_t from, off_t len)
{
    fault_e kind = fault_of("posix_fallocate", fd);
    int rc;

    REAL(fallocate_fn, "posix_fallocate")
    if (kind == FAULT_ERROR || kind == FAULT_HALF) {
        return fault.error;
    }
    rc = real(fd, from, len);
    fault_after(kind);
    return rc;
}

VISIBLE int ftruncate(int fd, off_t len)
{
    fault_e kind = fault_of("ftruncate", fd);
    int rc;

    REAL(truncate_fn, "ftruncate")
    if (kind == FAULT_ERROR || kind == FAULT_HALF) {
        return -1;
    }
    rc = real(fd, len);
    fault_after(kind);
    return rc;
}

/* What is looked at is in the page cache: syncing need not be waited for. */
static inline int sync_fake(const char *call, int fd)
{
    fault_e kind = fault_of(call, fd);

    fault_after(kind);
    return kind == FAULT_ERROR || kind == FAULT_HALF ? -1 : 0;
}

VISIBLE int fsync(int fd)
{
    return sync_fake("fsync", fd);
}

VISIBLE int fdatasync(int fd)
{
    return sync_fake("fdatasync", fd);
}

VISIBLE int rename(const char *from, const char *to)
{
    fault_e kind = fault_of_path("rename", to);
    int rc;

    REAL(rename_fn, "rename")
    if (kind == FAULT_ERROR || kind == FAULT_HALF) {
        return -1;
    }
    rc = real(from, to);
    fault_after(kind);
    return rc;
}

VISIBLE int unlink(const char *path)
{
    fault_e kind = fault_of_path("unlink", path);
    int rc;

    REAL(unlink_fn, "unlink")
    if (kind == FAULT_ERROR || kind == FAULT_HALF) {
        return -1;
    }
    rc = real(path);
    fault_after(kind);
    return rc;
}

VISIBLE int open(const char *path, int flags, ...)
{
    fault_e kind = fault_of_path("open", path);
    unsigned mode = 0;
    va_list more;
    int rc;

    REAL(open_fn, "open")
    va_start(more, flags);
    if (flags & (O_CREAT | O_TMPFILE)) {
        mode = va_arg(more, unsigned);
    }
    va_end(more);
    if (kind == FAULT_ERROR || kind == FAULT_HALF) {
        return -1;
    }
    rc = real(path, flags, mode);
    fault_after(kind);
    return rc;
}

/* ---- the frame ---- */

typedef struct bench_t {
    fixture_t *f; /* open, filled with the first half of the operations */
    model_t *model;
    const op_t *ops;
    int op_count, done;
    apr_pool_t *p;     /* for one image */
    int *acknowledged; /* shared with children: how many operations were answered with success */
} bench_t;

enum { TIME_LIMIT = 120 };

static inline bench_t *bench_create(const char *type, int some)
{
    fixture_t *f = fixture_create(type);
    bench_t *b = apr_pcalloc(f->p, sizeof(*b));

    fixture_close(f);
    f->sync = WA_SYNC_ALWAYS;
    fixture_open(f);
    b->f = f;
    b->model = model_create(f->p);
    b->ops = model_ops(&b->op_count);
    for (b->done = 0; b->done < some; b->done++) {
        assert_int_equal(model_run(b->model, f, &b->ops[b->done]), APR_SUCCESS);
    }
    b->acknowledged =
        mmap(NULL, sizeof(int), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(b->acknowledged != MAP_FAILED);
    assert_int_equal(apr_pool_create(&b->p, f->p), APR_SUCCESS);
    fixture_log_clear();
    return b;
}

static inline int setup(void **state)
{
    static const char *const types[] = {"db", "gdbm", "sdbm"};
    static int turn;
    int count;

    alarm(TIME_LIMIT
          * (unsigned)test_step()); /* a lock that nobody gives back would hang for ever */
    fault_clear();
    model_ops(&count);
    *state = bench_create(types[turn++ % 3], count - 20);
    return 0;
}

static inline int teardown(void **state)
{
    bench_t *b = *state;

    fault_clear();
    alarm(0);
    munmap(b->acknowledged, sizeof(int));
    fixture_destroy(b->f);
    return 0;
}

static inline void image_check(bench_t *b, int count, const char *what)
{
    const char *wanted = model_image(b->model, count, NULL, b->p);
    const char *found = store_image(b->model, b->f, b->p);

    if (strcmp(wanted, found) != 0) {
        fail_msg("%s\nwanted:\n%s\nfound:\n%s\nlog:\n%s", what, wanted, found, fixture_log());
    }
    apr_pool_clear(b->p);
}

static inline void sound_check(bench_t *b, const char *what)
{
    image_check(b, b->model->count, what);
    fixture_reopen(b->f);
    image_check(b, b->model->count, what);
}

static inline wa_shared_t *shared(bench_t *b)
{
    return WA_DBM_STORE(b->f->store)->shared;
}

static inline apr_status_t in_message(bench_t *b, const char *id)
{
    op_t op = {OP_IN, id, apr_pstrcat(b->f->p, "SM", id, NULL), "+15551230001", NULL};

    return model_run(b->model, b->f, &op);
}

/* Runs `work` in a child with a fault and waits for it.
 * @return 1 when it was killed, 0 when it came to its end */
static inline int child_run(bench_t *b, void (*work)(bench_t *b))
{
    int status;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (!pid) {
        work(b);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFSIGNALED(status)) {
        assert_int_equal(WTERMSIG(status), SIGKILL);
        return 1;
    }
    assert_int_equal(WEXITSTATUS(status), 0);
    return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define ALL_TYPES(f) TEST(f), TEST(f), TEST(f)

/* Berkeley DB keeps memory of a file that it could not write: its leak, provoked here on purpose.
 * LeakSanitizer asks this; nothing else does. */
__attribute__((visibility("default"))) int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
    return 1;
}

/* Runs a program's tests, or those that WA_TEST_ONLY names. */
#define RUN(tests) run_end((run_begin(), cmocka_run_group_tests(tests, NULL, NULL)))

static inline void run_begin(void)
{
    const char *only = getenv("WA_TEST_ONLY");

    if (only) {
        cmocka_set_test_filter(only);
    }
    apr_initialize();
}

static inline int run_end(int failed)
{
    if (!failed) {
        apr_terminate(); /* a failed test leaves a store open in the middle of something */
    }
    return failed;
}

#endif
