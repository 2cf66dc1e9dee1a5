/* SPDX-License-Identifier: Apache-2.0 */
/* Tests the store with an operating system that fails, or kills the process, at every single call. */
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

#include "store/dbm/dbm.h"
#include "store_model.h"

/* ---- the faults: calls of libc that this program puts itself in front of, for the library and for APR alike ---- */

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

static void fault_set(fault_e kind, const char *call, int at, int error)
{
    memset(&fault, 0, sizeof(fault));
    fault.call = call;
    fault.at = at;
    fault.times = 1;
    fault.error = error;
    fault.kind = kind;
}

static void fault_clear(void)
{
    fault.kind = FAULT_NONE;
}

static int path_is_ours(const char *path)
{
    return strstr(path, "wa-store-") && (!fault.path || strstr(path, fault.path));
}

static fault_e fault_of_path(const char *call, const char *path)
{
    if (fault.kind == FAULT_NONE || (fault.call && strcmp(fault.call, call))
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

static fault_e fault_of(const char *call, int fd)
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

static void fault_after(fault_e kind)
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
static int sync_fake(const char *call, int fd)
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

static bench_t *bench_create(const char *type, int some)
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

static int setup(void **state)
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

static int teardown(void **state)
{
    bench_t *b = *state;

    fault_clear();
    alarm(0);
    munmap(b->acknowledged, sizeof(int));
    fixture_destroy(b->f);
    return 0;
}

static void image_check(bench_t *b, int count, const char *what)
{
    const char *wanted = model_image(b->model, count, NULL, b->p);
    const char *found = store_image(b->model, b->f, b->p);

    if (strcmp(wanted, found)) {
        fail_msg("%s\nwanted:\n%s\nfound:\n%s\nlog:\n%s", what, wanted, found, fixture_log());
    }
    apr_pool_clear(b->p);
}

static void sound_check(bench_t *b, const char *what)
{
    image_check(b, b->model->count, what);
    fixture_reopen(b->f);
    image_check(b, b->model->count, what);
}

static wa_shared_t *shared(bench_t *b)
{
    return WA_DBM_STORE(b->f->store)->shared;
}

static apr_status_t in_message(bench_t *b, const char *id)
{
    op_t op = {OP_IN, id, apr_pstrcat(b->f->p, "SM", id, NULL), "+15551230001", NULL};

    return model_run(b->model, b->f, &op);
}

/* ---- errors ---- */

static void a_failed_sync_stops_writing_but_not_reading(void **state)
{
    bench_t *b = *state;

    fault_set(FAULT_ERROR, "fdatasync", 1, EIO);
    assert_int_equal(in_message(b, "lost"), APR_TIMEUP);
    assert_int_equal(fault.seen, 1);
    assert_non_null(strstr(fixture_log(), "WA0411"));
    fixture_log_clear();
    /* the kernel would let the next sync succeed: nobody may be told so */
    assert_int_equal(wa_commit_sync(&WA_DBM_STORE(b->f->store)->writer, 1), APR_TIMEUP);
    assert_int_equal(
        wa_commit_wait(&WA_DBM_STORE(b->f->store)->writer, wa_shared_tail(shared(b)).offset),
        APR_TIMEUP);
    assert_int_equal(in_message(b, "lost-2"), APR_TIMEUP);
    assert_int_equal(wa_store_maintain(b->f->store, b->p), APR_SUCCESS);
    assert_string_equal(fixture_log(), "");
    image_check(b, b->model->count, "after the failed sync");
    fixture_reopen(b->f);
    image_check(b, b->model->count, "after the next start");
    assert_int_equal(in_message(b, "kept"), APR_SUCCESS);
    sound_check(b, "writing again");
}

/* Two writers wait for the same sync: it fails for one, and the other must not be told that its record is stored. */
static void a_sync_that_failed_for_one_failed_for_all(void **state)
{
    bench_t *b = *state;
    wa_dbm_store_t *store = WA_DBM_STORE(b->f->store);
    wa_message_new_t n = message_new("other", NULL, "+15551230001", WA_DIRECTION_RECEIVED, NULL);
    wa_record_t *record;
    wa_commit_t commit;

    memset(&commit, 0, sizeof(commit));
    assert_int_equal(wa_record_message_make(&record, &n, b->p), APR_SUCCESS);
    commit.base = store->replica.at.offset;
    commit.keys = 1;
    assert_int_equal(wa_commit_append(&store->writer, record, &commit), APR_SUCCESS);
    fault_set(FAULT_ERROR, "fdatasync", 1, EIO);
    assert_int_equal(in_message(b, "lost"), APR_TIMEUP);
    assert_int_equal(wa_commit_wait(&store->writer, commit.end), APR_TIMEUP);
    image_check(b, b->model->count, "two waited");
    fixture_reopen(b->f);
    image_check(b, b->model->count, "after the next start");
}

static void a_write_that_fails_stores_nothing(void **state)
{
    static const int errors[] = {EIO, ENOSPC, EDQUOT, EROFS};
    bench_t *b = *state;
    apr_size_t i;
    int half;

    for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        for (half = 0; half < 2; half++) {
            fault_set(half ? FAULT_HALF : FAULT_ERROR, "pwrite", 1, errors[i]);
            assert_int_equal(in_message(b, "lost"), APR_ENOSPC);
            fault_clear();
            image_check(b, b->model->count, "failed write");
            assert_int_equal(in_message(b, apr_psprintf(b->f->p, "kept-%d-%d", (int)i, half)),
                             APR_SUCCESS);
        }
    }
    assert_non_null(strstr(fixture_log(), "WA0412"));
    sound_check(b, "after failed writes");
}

/* No room in the journal or in a file of the index: refused, and taken again when there is some. */
static void a_full_disk_refuses_and_recovers(void **state)
{
    bench_t *b = *state;
    wa_dbm_store_t *store = WA_DBM_STORE(b->f->store);

    shared(b)->reserved_end =
        wa_shared_tail(shared(b)).offset; /* as if all that was allocated ahead is used */
    fault_set(FAULT_ERROR, "posix_fallocate", 1, ENOSPC);
    fault.times = 1000;
    assert_int_equal(in_message(b, "lost"), APR_ENOSPC);
    assert_true(fault.seen >= 4); /* it tried smaller steps */
    image_check(b, b->model->count, "no room in the journal");
    fault_clear();
    assert_int_equal(in_message(b, "kept-1"), APR_SUCCESS);
    assert_int_equal(
        ftruncate(store->index.rows.fd, (off_t)((b->model->rows + 1) * sizeof(wa_row_t))), 0);
    store->index.rows_end = (b->model->rows + 1) * sizeof(wa_row_t);
    fault_set(FAULT_ERROR, "posix_fallocate", 1, ENOSPC);
    fault.path = "/rows";
    fault.times = 1000;
    assert_int_equal(in_message(b, "lost"), APR_ENOSPC);
    assert_true(fault.seen > 0);
    fault_clear();
    image_check(b, b->model->count, "no room in the index");
    assert_int_equal(in_message(b, "kept-2"), APR_SUCCESS);
    sound_check(b, "after a full disk");
}

/* Each call of a whole life fails once: what was answered with success is there, what was not is not. */
static void every_single_call_may_fail(void **state)
{
    static const int errors[] = {EIO, ENOSPC};
    bench_t *b = *state;
    const char *type = b->f->type;
    int at, is_over = 0;

    for (at = 1; !is_over; at += test_step()) {
        fixture_t *f;
        bench_t *one;
        int i, opened;

        one = bench_create(type, 45);
        f = one->f;
        fixture_close(f);
        fault_set(at % 3 ? FAULT_ERROR : FAULT_HALF, NULL, at, errors[at % 2]);
        opened = fixture_open_status(f) == APR_SUCCESS;
        for (i = one->done; opened && i < one->op_count; i++) {
            apr_status_t rv = model_run(one->model, f, &one->ops[i]);

            if (rv != APR_SUCCESS && !APR_STATUS_IS_ENOSPC(rv) && !APR_STATUS_IS_TIMEUP(rv)
                && rv != APR_EGENERAL && !APR_STATUS_IS_NOTFOUND(rv) && !APR_STATUS_IS_EEXIST(rv)) {
                fail_msg("call %d failed: operation %d gave status %d", at, i, rv);
            }
        }
        if (opened) {
            if (i == one->op_count) {
                image_check(one, one->model->count,
                            apr_psprintf(one->p, "call %d failed, still open", at));
            }
            fixture_close(f);
        } else {
            assert_non_null(f->error);
        }
        is_over = fault.seen < at;
        fault_clear();
        fixture_open(f);
        image_check(one, one->model->count,
                    apr_psprintf(one->p, "call %d failed, opened again", at));
        assert_int_equal(in_message(one, "new"), APR_SUCCESS);
        sound_check(one, "one more");
        munmap(one->acknowledged, sizeof(int));
        fixture_destroy(f);
    }
    assert_true(at > 60);
}

/* ---- kills ---- */

/* Runs `work` in a child with a fault and waits for it. @return 1 when it was killed, 0 when it came to its end */
static int child_run(bench_t *b, void (*work)(bench_t *b))
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

static void whole_life(bench_t *b)
{
    int i;

    if (fixture_open_status(b->f) != APR_SUCCESS) {
        _exit(3);
    }
    for (i = b->done; i < b->op_count; i++) {
        if (model_run(b->model, b->f, &b->ops[i]) != APR_SUCCESS) {
            _exit(4);
        }
        *b->acknowledged = i + 1;
    }
    fixture_close(b->f);
}

/* A server that is killed at its n-th call, for every n: what it answered is there, at most one more, and nothing else. */
static void every_single_call_may_be_the_last(void **state)
{
    static const fault_e kinds[] = {FAULT_KILL, FAULT_KILL_HALF, FAULT_KILL_AFTER};
    bench_t *b = *state;
    apr_size_t k;

    for (k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
        int at, killed = 1;

        /* the steps differ from kind to kind, so that all are met in some run */
        for (at = 1; killed; at += (k == 0 ? 1 : 2) * test_step()) {
            bench_t *one = bench_create(b->f->type, 50);
            const char *found, *wanted, *more;
            int i, count;

            for (i = one->done; i < one->op_count; i++) {
                model_note(one->model, &one->ops[i], 0, 0);
            }
            if (at % 2) {
                fixture_close(one->f);
            } else {
                /* an unclean stop before, so that recovery is killed too */
                snapshot_t *s = snapshot_take(one->f, one->f->p);

                fixture_close(one->f);
                snapshot_restore(s, one->f);
            }
            *one->acknowledged = one->done;
            fault_set(kinds[k], NULL, at, EIO);
            killed = child_run(one, whole_life);
            fault_clear();
            fixture_open(one->f);
            count = *one->acknowledged;
            found = store_image(one->model, one->f, one->p);
            wanted = model_image(one->model, count, NULL, one->p);
            more = model_image(one->model, count < one->op_count ? count + 1 : count, NULL, one->p);
            if (strcmp(found, wanted) && strcmp(found, more)) {
                fail_msg("killed at call %d, %d answered\nwanted:\n%s\nfound:\n%s", at, count,
                         wanted, found);
            }
            fixture_reopen(one->f);
            assert_string_equal(store_image(one->model, one->f, one->p), found);
            munmap(one->acknowledged, sizeof(int));
            fixture_destroy(one->f);
        }
        assert_true(at > 60);
    }
}

static void child_message(bench_t *b)
{
    wa_store_child_init(b->f->store, b->f->p);
    in_message(b, "of-the-dead");
}

/* One of several processes dies at each call of a commit: the others go on at once and see its message or do not, but nothing else. */
static void a_writer_may_die_at_every_call_among_others(void **state)
{
    static const fault_e kinds[] = {FAULT_KILL, FAULT_KILL_HALF, FAULT_KILL_AFTER};
    bench_t *b = *state;
    int at, killed = 1, turn = 0, wiped = 0;
    apr_size_t k;

    for (k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
        for (at = 1, killed = 1; killed; at++) {
            op_t op = {OP_IN, NULL, NULL, "+15551230001", NULL};
            const char *image;
            wa_message_t m;
            bench_t *one = bench_create(b->f->type, 45);

            fault_set(kinds[k], NULL, at, EIO);
            killed = child_run(one, child_message);
            fault_clear();
            fixture_log_clear();
            op.a = apr_psprintf(b->f->p, "next-%d", turn++);
            op.b = apr_psprintf(b->f->p, "SMnext-%d", turn);
            {
                apr_status_t before =
                    wa_store_message_find(one->f->store, "of-the-dead", &m, one->p);
                apr_status_t after;
                op_t dead = {OP_IN, "of-the-dead", "SMof-the-dead", "+15551230001", NULL};
                wa_message_new_t n = message_new(op.a, op.b, op.c, WA_DIRECTION_RECEIVED, NULL);

                assert_true(killed || before == APR_SUCCESS);
                n.preview_json = wa_slice_of(op.a);
                assert_int_equal(wa_store_message_add(one->f->store, &n, &m, one->p), APR_SUCCESS);
                after = wa_store_message_find(one->f->store, "of-the-dead", &m, one->p);
                if (after == APR_SUCCESS) {
                    model_note(one->model, &dead, 0, 0);
                } else {
                    assert_true(before != APR_SUCCESS);
                }
                model_note(one->model, &op, 0, 0);
            }
            wiped += strstr(fixture_log(), "WA0410") != NULL;
            image = store_image(one->model, one->f, one->p);
            assert_string_equal(image, model_image(one->model, one->model->count, NULL, one->p));
            sound_check(one, "after the death of a writer");
            munmap(one->acknowledged, sizeof(int));
            fixture_destroy(one->f);
        }
        assert_true(at > 3);
    }
    assert_true(wiped > 0);
}

/* ---- locks ---- */

static void die_with_append(bench_t *b)
{
    pthread_mutex_lock(&shared(b)->append);
    kill(getpid(), SIGKILL);
}

static void die_with_sync(bench_t *b)
{
    pthread_mutex_lock(&shared(b)->sync);
    kill(getpid(), SIGKILL);
}

static void die_with_upkeep(bench_t *b)
{
    pthread_mutex_lock(&shared(b)->upkeep);
    kill(getpid(), SIGKILL);
}

typedef void (*death_fn)(bench_t *b);

static void who_dies_with_a_lock_blocks_nobody(void **state)
{
    static const death_fn deaths[] = {die_with_append, die_with_sync, die_with_upkeep};
    bench_t *b = *state;
    apr_size_t i, turn;

    for (turn = 0; turn < 4; turn++) {
        for (i = 0; i < sizeof(deaths) / sizeof(deaths[0]); i++) {
            assert_int_equal(child_run(b, deaths[i]), 1);
            assert_int_equal(in_message(b, apr_psprintf(b->f->p, "after-%d-%d", (int)i, (int)turn)),
                             APR_SUCCESS);
            assert_int_equal(wa_dbm_checkpoint(WA_DBM_STORE(b->f->store), b->p), APR_SUCCESS);
        }
    }
    sound_check(b, "after deaths with locks");
}

/* Who synced died before it could say what readers may see: the next one says it instead of waiting for ever. */
static void a_death_between_synced_and_visible_is_made_good(void **state)
{
    bench_t *b = *state;
    wa_dbm_store_t *store = WA_DBM_STORE(b->f->store);
    wa_message_new_t n =
        message_new("synced", "SMsynced", "+15551230001", WA_DIRECTION_RECEIVED, NULL);
    op_t op = {OP_IN, "synced", "SMsynced", "+15551230001", NULL};
    wa_record_t *record;
    wa_commit_t commit;

    memset(&commit, 0, sizeof(commit));
    n.preview_json = WA_SLICE_LITERAL("synced");
    assert_int_equal(wa_record_message_make(&record, &n, b->p), APR_SUCCESS);
    commit.base = store->replica.at.offset;
    commit.keys = 2;
    assert_int_equal(wa_commit_append(&store->writer, record, &commit), APR_SUCCESS);
    shared(b)->synced = commit.end;
    assert_true(shared(b)->visible < commit.end);
    assert_int_equal(wa_commit_wait(&store->writer, commit.end), APR_SUCCESS);
    model_note(b->model, &op, 0, 0);
    sound_check(b, "synced by the dead");
}

/* ---- a process that is behind another ---- */

static apr_status_t merge_state(void *baton, const wa_message_t *now, wa_message_state_t *next,
                                apr_pool_t *p)
{
    (void)now;
    (void)p;
    next->status = WA_STATUS_FAILED;
    next->sid = baton;
    next->state_json = WA_SLICE_LITERAL("\"status\":\"failed\",\"n\":99");
    return APR_SUCCESS;
}

static void child_update(bench_t *b)
{
    wa_message_t m;

    wa_store_child_init(b->f->store, b->f->p);
    if (wa_store_message_update(b->f->store, "out-1", merge_state, (void *)"SMnewer", &m, b->f->p)
        != APR_SUCCESS) {
        _exit(5);
    }
}

/* Another process has noted a state that this one has not come to: it goes on with the one it knows. */
static void a_state_from_ahead_is_no_damage(void **state)
{
    bench_t *b = *state;
    wa_dbm_store_t *store = WA_DBM_STORE(b->f->store);
    wa_message_t before, now;
    apr_uint64_t row, found;

    assert_int_equal(wa_store_message_find(b->f->store, "out-1", &before, b->p), APR_SUCCESS);
    assert_int_equal(wa_dbm_key_find(store, "id", "out-1", &row), APR_SUCCESS);
    assert_int_equal(child_run(b, child_update), 0);
    /* no catching up in these two */
    assert_int_equal(wa_dbm_message_get(store, row, &now), APR_SUCCESS);
    assert_int_equal(now.status, before.status);
    assert_int_equal(wa_dbm_key_find(store, "sid", "SMout1", &found), APR_SUCCESS);
    assert_int_equal(found, row);
    assert_string_equal(fixture_log(), "");
    assert_int_equal(wa_store_message_find(b->f->store, "out-1", &now, b->p), APR_SUCCESS);
    assert_int_equal(now.status, WA_STATUS_FAILED);
    assert_int_equal(wa_store_message_find(b->f->store, "SMnewer", &now, b->p), APR_SUCCESS);
}

/* A slow process applies a message's record when another has applied its change already: the change stays. */
static void a_late_apply_takes_no_state_away(void **state)
{
    bench_t *b = *state;
    wa_dbm_store_t *store = WA_DBM_STORE(b->f->store);
    wa_replica_t late;
    wa_row_t *entry;
    wa_message_t m;
    apr_uint64_t row, offset;

    assert_int_equal(wa_dbm_key_find(store, "id", "out-1", &row), APR_SUCCESS);
    entry = wa_index_row(&store->index, row);
    assert_true(entry->state > 0);
    /* it looked before the row was there */
    offset = entry->offset;
    entry->offset = 0;
    assert_int_equal(wa_replica_init(&late, &store->journal, &store->index), APR_SUCCESS);
    assert_int_equal(
        wa_replica_apply(
            &late,
            offset + wa_journal_record(&store->journal, offset, store->replica.at.offset)->length),
        APR_SUCCESS);
    assert_int_equal(entry->offset, offset);
    wa_replica_release(&late);
    assert_int_equal(wa_store_message_find(b->f->store, "out-1", &m, b->p), APR_SUCCESS);
    assert_int_equal(m.status, WA_STATUS_SUCCESS);
    image_check(b, b->model->count, "after a late apply");
}

/* ---- checkpoints ---- */

static void a_checkpoint_that_cannot_be_finished_leaves_the_one_before(void **state)
{
    static const char *const calls[] = {"rename", "fsync", "open", "fdatasync", "unlink", NULL};
    bench_t *b = *state;
    wa_dbm_store_t *store = WA_DBM_STORE(b->f->store);
    int i, at, failed = 0;

    for (i = 0; calls[i]; i++) {
        for (at = 1; at < 8; at++) {
            apr_status_t rv;

            assert_int_equal(in_message(b, apr_psprintf(b->f->p, "%s-%d", calls[i], at)),
                             APR_SUCCESS);
            fault_set(FAULT_ERROR, calls[i], at, ENOSPC);
            fault.path = strcmp(calls[i], "fdatasync") ? NULL : "/rows";
            fixture_log_clear();
            rv = wa_dbm_checkpoint(store, b->p);
            fault_clear();
            failed += rv != APR_SUCCESS;
            assert_true(rv == APR_SUCCESS || strstr(fixture_log(), "WA0420"));
            image_check(b, b->model->count, "after a failed checkpoint");
        }
    }
    assert_true(failed >= 4);
    fixture_log_clear();
    sound_check(b, "after failed checkpoints");
    assert_string_equal(fixture_log(), "");
}

/* apr_dbm does not tell when its writes fail: what it wrote is read back before it is believed. */
static void a_checkpoint_on_a_full_disk_is_not_believed(void **state)
{
    bench_t *b = *state;
    struct rlimit old, small;
    apr_status_t rv;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    signal(SIGXFSZ, SIG_IGN);
    small = old;
    small.rlim_cur = 600;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    rv = wa_dbm_checkpoint(WA_DBM_STORE(b->f->store), b->p);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_not_equal(rv, APR_SUCCESS);
    assert_non_null(strstr(fixture_log(), "WA0420"));
    image_check(b, b->model->count, "after a checkpoint on a full disk");
    assert_int_equal(in_message(b, "later"), APR_SUCCESS);
    assert_int_equal(wa_dbm_checkpoint(WA_DBM_STORE(b->f->store), b->p), APR_SUCCESS);
    fixture_log_clear();
    sound_check(b, "after a full disk");
    assert_string_equal(fixture_log(), "");
}

static void child_checkpoint(bench_t *b)
{
    wa_dbm_checkpoint(WA_DBM_STORE(b->f->store), b->f->p);
}

/* Whoever makes a checkpoint dies at every call of it; the next one is made over what it left, and a start believes only a whole one. */
static void who_makes_a_checkpoint_may_die_at_every_call(void **state)
{
    bench_t *b = *state;
    static const fault_e kinds[] = {FAULT_KILL, FAULT_KILL_HALF, FAULT_KILL_AFTER};
    int at, killed = 1;

    for (at = 1; killed; at++) {
        snapshot_t *s;
        apr_pool_t *p;

        assert_int_equal(apr_pool_create(&p, b->f->p), APR_SUCCESS);
        assert_int_equal(in_message(b, apr_psprintf(b->f->p, "message-%d", at)), APR_SUCCESS);
        fault_set(kinds[at % 3], NULL, at, EIO);
        killed = child_run(b, child_checkpoint);
        fault_clear();
        s = snapshot_take(b->f, p);
        fixture_log_clear();
        fixture_close(b->f);
        snapshot_restore(s, b->f);
        fixture_open(b->f); /* everything was killed right then */
        assert_null(strstr(fixture_log(), "WA0430"));
        image_check(b, b->model->count,
                    apr_psprintf(b->p, "killed at call %d of a checkpoint", at));
        assert_int_equal(in_message(b, apr_psprintf(b->f->p, "more-%d", at)), APR_SUCCESS);
        fault_set(kinds[(at + 1) % 3], NULL, at, EIO);
        child_run(b, child_checkpoint);
        fault_clear();
        assert_int_equal(wa_dbm_checkpoint(WA_DBM_STORE(b->f->store), b->p),
                         APR_SUCCESS); /* goes on over what it left */
        s = snapshot_take(b->f, p);
        fixture_close(b->f);
        snapshot_restore(s, b->f);
        fixture_log_clear();
        fixture_open(b->f);
        assert_string_equal(fixture_log(), "");
        image_check(b, b->model->count, "the checkpoint after");
        apr_pool_destroy(p);
    }
    assert_true(at > 10);
}

/* The file that CURRENT names must be there at every instant. */
static void current_check(bench_t *b, int at)
{
    wa_checkpoint_t c;
    const char *path;

    assert_int_equal(wa_checkpoint_find(&c, &WA_DBM_STORE(b->f->store)->place, b->p), APR_SUCCESS);
    path = apr_psprintf(b->p, "%s/store/state-%" APR_UINT64_T_FMT, b->f->folder, c.number);
    if (access(path, F_OK) && access(apr_pstrcat(b->p, path, ".pag", NULL), F_OK)) {
        fail_msg("killed at call %d: CURRENT names %s, which is not there", at, path);
    }
}

/* Who made the newest checkpoint died before it could say so: the next one must not be made in its place. */
static void the_newest_checkpoint_stays_while_the_next_is_made(void **state)
{
    bench_t *b = *state;
    int at, killed = 1;

    assert_int_equal(in_message(b, "first"), APR_SUCCESS);
    fault_set(FAULT_KILL_AFTER, "rename", 1, EIO);
    fault.path = "CURRENT";
    assert_int_equal(child_run(b, child_checkpoint), 1);
    for (at = 1; killed; at++) {
        assert_int_equal(in_message(b, apr_psprintf(b->f->p, "message-%d", at)), APR_SUCCESS);
        fault_set(FAULT_KILL, NULL, at, EIO);
        killed = child_run(b, child_checkpoint);
        fault_clear();
        current_check(b, at);
    }
    assert_true(at > 10);
    sound_check(b, "after all these deaths");
}

/* ---- owning ---- */

static void a_failed_open_gives_the_folder_back(void **state)
{
    bench_t *b = *state;
    int at, fd, next;

    fixture_close(b->f);
    fd = open("/dev/null", O_RDONLY);
    for (at = 1; at < 12; at++) {
        fault_set(FAULT_ERROR, "open", at, EMFILE);
        if (fixture_open_status(b->f) == APR_SUCCESS) {
            fixture_close(b->f);
        }
        fault_clear();
        fixture_open(b->f); /* the lock is free */
        fixture_close(b->f);
    }
    next = open("/dev/null", O_RDONLY);
    assert_int_equal(next,
                     fd + 1); /* no file was left open, and none closed that is not the store's */
    close(next);
    close(fd);
    assert_true(fcntl(0, F_GETFD) >= 0);
    fixture_open(b->f);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define ALL_TYPES(f) TEST(f), TEST(f), TEST(f)

/* Berkeley DB keeps memory of a file that it could not write: its leak, provoked here on purpose. LeakSanitizer asks this; nothing else does. */
__attribute__((visibility("default"))) int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
    return 1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_failed_sync_stops_writing_but_not_reading),
        TEST(a_sync_that_failed_for_one_failed_for_all),
        TEST(a_write_that_fails_stores_nothing),
        TEST(a_full_disk_refuses_and_recovers),
        TEST(who_dies_with_a_lock_blocks_nobody),
        TEST(a_death_between_synced_and_visible_is_made_good),
        TEST(a_state_from_ahead_is_no_damage),
        TEST(a_late_apply_takes_no_state_away),
        TEST(a_failed_open_gives_the_folder_back),
        ALL_TYPES(a_checkpoint_that_cannot_be_finished_leaves_the_one_before),
        ALL_TYPES(a_checkpoint_on_a_full_disk_is_not_believed),
        ALL_TYPES(who_makes_a_checkpoint_may_die_at_every_call),
        ALL_TYPES(the_newest_checkpoint_stays_while_the_next_is_made),
        TEST(a_writer_may_die_at_every_call_among_others),
        ALL_TYPES(every_single_call_may_fail),
        TEST(every_single_call_may_be_the_last),
    };
    const char *only = getenv("WA_TEST_ONLY");
    int failed;

    if (only) {
        cmocka_set_test_filter(only);
    }
    apr_initialize();
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    if (!failed) {
        apr_terminate(); /* a failed test leaves a store open in the middle of something */
    }
    return failed;
}
