/* SPDX-License-Identifier: Apache-2.0 */
/* A heap that is full at any allocation, for the library and all that it uses alike, and children
 * to meet it in. For one file of a test program. */
#ifndef WA_TESTS_MEMORY_FAULTS_H
#define WA_TESTS_MEMORY_FAULTS_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* dladdr, REG_RIP */
#endif

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include <apr_general.h>
#include <apr_pools.h>

#include "base/memory.h"

#define VISIBLE __attribute__((visibility("default")))

/* Allocations are counted in the thread that asked for it. */
static __thread struct {
    int is_on;
    unsigned at;    /* the one that fails, counted from 1 */
    unsigned times; /* how many from there on */
    unsigned seen;
    int is_by_page; /* what comes from a pool is counted where the pool asks for memory itself */
    int is_jansson; /* it was libjansson that got nothing */
} memory;

static inline int memory_fails(void)
{
    if (!memory.is_on) {
        return 0;
    }
    memory.seen++;
    if (memory.seen < memory.at || memory.seen - memory.at >= memory.times) {
        return 0;
    }
    errno = ENOMEM;
    return 1;
}

typedef void *(*malloc_fn)(size_t);
typedef void *(*calloc_fn)(size_t, size_t);
typedef void *(*realloc_fn)(void *, size_t);
typedef void *(*palloc_fn)(apr_pool_t *, apr_size_t);
typedef void *(*mmap_fn)(void *, size_t, int, int, int, off_t);

#define MEMORY_REAL(type, name)                   \
    static type real;                             \
    if (!real) {                                  \
        *(void **)&real = dlsym(RTLD_NEXT, name); \
    }

/* Remembers who got nothing: libjansson's reader does not see that the buffer of a string could not
 * grow (its lex_save), and what it gives then lacks a part of that string. */
static inline void *memory_refuse(void *caller)
{
    Dl_info object;

    memory.is_jansson |= dladdr(caller, &object) && object.dli_fname
                         && strstr(object.dli_fname, "libjansson") != NULL;
    return NULL;
}

VISIBLE void *malloc(size_t size)
{
    MEMORY_REAL(malloc_fn, "malloc")
    return memory_fails() ? memory_refuse(__builtin_return_address(0)) : real(size);
}

VISIBLE void *calloc(size_t count, size_t size)
{
    MEMORY_REAL(calloc_fn, "calloc")
    return memory_fails() ? NULL : real(count, size);
}

VISIBLE void *realloc(void *old, size_t size)
{
    MEMORY_REAL(realloc_fn, "realloc")
    return memory_fails() ? NULL : real(old, size);
}

/* Some builds of APR take the memory of pools from here. */
VISIBLE void *mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
    MEMORY_REAL(mmap_fn, "mmap")
    return (flags & MAP_ANONYMOUS) && memory_fails()
               ? MAP_FAILED
               : real(at, size, protection, flags, fd, offset);
}

static inline void memory_set(unsigned at, unsigned times)
{
    memory.at = at;
    memory.times = times;
    memory.seen = 0;
    memory.is_jansson = 0;
    memory.is_on = 1;
}

static inline void memory_clear(void)
{
    memory.is_on = 0;
}

/* ---- pools, which do not fail: as httpd's they end the process (ap_abort_on_oom) ---- */

enum { MEMORY_DIED = 77 };

static int memory_die(int rv)
{
    (void)rv;
    _exit(MEMORY_DIED);
}

/* Instead of base/memory.c, which is not linked: the library's own pools. */
int wa_memory_abort(int rv)
{
    return memory_die(rv);
}

/* A pool as httpd's are. */
static inline apr_pool_t *memory_pool(void)
{
    apr_allocator_t *allocator;
    apr_pool_t *p;

    assert_int_equal(apr_allocator_create(&allocator), APR_SUCCESS);
    assert_int_equal(apr_pool_create_ex(&p, NULL, memory_die, allocator), APR_SUCCESS);
    apr_allocator_owner_set(allocator, p);
    return p;
}

/* A pool asks for memory by the page only: so that its death is met at each place, each allocation
 * from one counts. */
VISIBLE void *apr_palloc(apr_pool_t *p, apr_size_t size)
{
    MEMORY_REAL(palloc_fn, "apr_palloc")
    if (!memory.is_by_page && memory_fails()) {
        memory_die(APR_ENOMEM);
    }
    return real(p, size);
}

/* Libraries below ours that use what malloc gave them unseen: sdbm of APR-util, and Berkeley DB. */
static const char *const memory_careless[] = {"libaprutil", "libdb-", NULL};

static inline void *memory_fault_at(void *context)
{
    const ucontext_t *now = context;

#if defined(__x86_64__)
    return (void *)now->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
    return (void *)now->uc_mcontext.pc;
#else
    (void)now;
    return NULL;
#endif
}

/* A process that such a library ends has ended like by a pool. One that we end so has not. */
static void memory_fault(int number, siginfo_t *info, void *context)
{
    Dl_info object;
    int i;

    (void)info;
    if (dladdr(memory_fault_at(context), &object) && object.dli_fname) {
        for (i = 0; memory_careless[i]; i++) {
            if (strstr(object.dli_fname, memory_careless[i])) {
                _exit(MEMORY_DIED);
            }
        }
    }
    signal(number, SIG_DFL);
}

/* How an allocation that fails ends: `work` runs in a child, which gives no pool's death but its
 * own where it comes to its end.
 * @return 1 when a pool ended the child; any other end than that and exit 0 fails the test */
static inline int memory_child(void (*work)(void *baton), void *baton, const char *what,
                               unsigned at)
{
    int status;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (!pid) {
        struct sigaction action = {.sa_sigaction = memory_fault, .sa_flags = SA_SIGINFO};

        sigaction(SIGSEGV, &action, NULL);
        signal(SIGBUS, SIG_DFL);
        setenv("CMOCKA_TEST_ABORT", "1",
               1); /* a check that fails in here must not go on as the parent */
        work(baton);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFSIGNALED(status)) {
        fail_msg("%s: with allocation %u failing it was killed by signal %d", what, at,
                 WTERMSIG(status));
    }
    if (WEXITSTATUS(status) != 0 && WEXITSTATUS(status) != MEMORY_DIED) {
        fail_msg("%s: with allocation %u failing it ended with %d", what, at, WEXITSTATUS(status));
    }
    return WEXITSTATUS(status) == MEMORY_DIED;
}

/* What libraries lose while their memory is out is not ours to find; LeakSanitizer asks this,
 * nothing else does. */
VISIBLE int __lsan_is_turned_off(void);
VISIBLE int __lsan_is_turned_off(void)
{
    return 1;
}

/* Memory that a child and its parent share. */
static inline void *memory_shared(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    assert_true(p != MAP_FAILED);
    return p;
}

#endif
