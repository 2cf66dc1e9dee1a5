/* SPDX-License-Identifier: Apache-2.0 */
/* Tests what is left when the power goes: of every page that was not synced, the new or the old
 * content, at random. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "store/dbm/lifecycle/upkeep.h"
#include "store_image.h"
#include "store_model.h"
#include "store_snapshot.h"

#define VISIBLE __attribute__((visibility("default")))

enum { PAGE = 4096, FILES = 64, READ_MAX = 1 << 20 };

/* What of each file is on the disk for certain. */
static struct {
    char name[64];
    char *bytes;
    apr_size_t len;
    int is_there; /* its name is on the disk too */
} disk[FILES];
static int disk_count;
static const char *disk_directory; /* NULL: nobody keeps account */

static int disk_find(const char *name)
{
    int i;

    for (i = 0; i < disk_count; i++) {
        if (strcmp(disk[i].name, name) == 0) {
            return i;
        }
    }
    assert_true(disk_count < FILES);
    memset(&disk[disk_count], 0, sizeof(disk[0]));
    snprintf(disk[disk_count].name, sizeof(disk[0].name), "%s", name);
    return disk_count++;
}

static void disk_forget(void)
{
    while (disk_count > 0) {
        free(disk[--disk_count].bytes);
    }
}

static char *file_read(int fd, apr_size_t *plen)
{
    struct stat info;
    char *bytes;

    assert_int_equal(fstat(fd, &info), 0);
    *plen = info.st_size < READ_MAX ? (apr_size_t)info.st_size : READ_MAX;
    bytes = calloc(1, *plen + 1);
    assert_non_null(bytes);
    assert_int_equal(pread(fd, bytes, *plen, 0), *plen);
    return bytes;
}

/* What was synced under another name is what a file has that was renamed since. */
static void renamed_note(int to, const char *from)
{
    const int n = disk_find(from);

    if (disk[n].bytes) {
        free(disk[to].bytes);
        disk[to].len = disk[n].len;
        disk[to].bytes = disk[n].bytes;
        disk[n].bytes = NULL;
        disk[n].len = 0;
    }
}

/* The names that a directory has now are on the disk, and those it has not are gone. */
static void directory_note(void)
{
    int i;

    for (i = 0; i < disk_count; i++) {
        char path[512];

        snprintf(path, sizeof(path), "%.256s/%.63s", disk_directory, disk[i].name);
        disk[i].is_there = !access(path, F_OK);
        if (disk[i].is_there && strcmp(disk[i].name, "CURRENT") == 0) {
            renamed_note(i, "CURRENT.new");
        }
        if (disk[i].is_there && strcmp(disk[i].name, "journal") == 0) {
            renamed_note(i, "journal.new");
        }
    }
}

static int sync_note(int fd)
{
    char link[64], path[512];
    const char *name;
    ssize_t n;
    int i;

    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    n = readlink(link, path, sizeof(path) - 1);
    path[n > 0 ? n : 0] = '\0';
    if (!disk_directory || strncmp(path, disk_directory, strlen(disk_directory)) != 0) {
        return 0;
    }
    name = path + strlen(disk_directory);
    if (!*name) {
        disk_find("CURRENT");
        disk_find("journal");
        directory_note();
        return 0;
    }
    i = disk_find(name + 1);
    free(disk[i].bytes);
    disk[i].bytes = file_read(fd, &disk[i].len);
    return 0;
}

VISIBLE int fsync(int fd)
{
    return sync_note(fd);
}

VISIBLE int fdatasync(int fd)
{
    return sync_note(fd);
}

/* ---- the clocks, which go on by hand ---- */

static int64_t clock_shift_us;

VISIBLE int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    static int (*real)(struct timeval *, void *);
    int rc;

    if (!real) {
        *(void **)&real = dlsym(RTLD_NEXT, "gettimeofday");
    }
    rc = real(now, zone);
    now->tv_sec += clock_shift_us / 1000000;
    return rc;
}

VISIBLE int clock_gettime(clockid_t id, struct timespec *now)
{
    static int (*real)(clockid_t, struct timespec *);
    int rc;

    if (!real) {
        *(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
    }
    rc = real(id, now);
    now->tv_sec += clock_shift_us / 1000000;
    return rc;
}

/* What is on the disk when the power goes now. With `is_in_order` the journal was written from its
 * beginning on, up to some page. */
static snapshot_t *power_cut(const fixture_t *f, int is_in_order, apr_pool_t *p)
{
    snapshot_t *s = snapshot_take(f, p);
    int i, kept = 0;
    apr_size_t whole = (apr_size_t)rand() % 40 * PAGE
                       / 2; /* with is_in_order: the journal up to here was written */

    for (i = 0; i < s->count; i++) {
        int d = disk_find(s->files[i].name);
        apr_size_t size = s->files[i].size < READ_MAX ? s->files[i].size : READ_MAX, at;
        int is_whole = strncmp(s->files[i].name, "CURRENT", 7) != 0;

        /* A file whose name was never synced may be missing, but not the journal, which was. */
        if (!disk[d].is_there && rand() % 2 && strcmp(s->files[i].name, "journal") != 0) {
            continue;
        }
        /* A small file that is replaced is there as it was or as it is. */
        if (!is_whole && disk[d].bytes && rand() % 2) {
            s->files[i].bytes = apr_pmemdup(p, disk[d].bytes, disk[d].len);
            size = s->files[i].size = disk[d].len;
        }
        for (at = 0; is_whole && at < size; at += PAGE) {
            apr_size_t n = size - at < PAGE ? size - at : PAGE;

            int is_old =
                is_in_order && strcmp(s->files[i].name, "journal") == 0 ? at >= whole : rand() % 2;

            if (is_old) {
                memset(s->files[i].bytes + at, 0, n);
                if (disk[d].bytes && at < disk[d].len) {
                    memcpy(s->files[i].bytes + at, disk[d].bytes + at,
                           disk[d].len - at < n ? disk[d].len - at : n);
                }
            }
        }
        s->files[i].length = size;
        s->files[kept++] = s->files[i];
    }
    s->count = kept;
    return s;
}

typedef struct bench_t {
    fixture_t *f, *after; /* the store at work, and where the power came back */
    model_t *model;
    const op_t *ops;
    int op_count;
} bench_t;

static bench_t *bench_create(const char *type, wa_sync_e sync)
{
    fixture_t *f = fixture_create(type), *after = fixture_create(type);
    bench_t *b = apr_pcalloc(f->p, sizeof(*b));

    fixture_close(after);
    fixture_close(f);
    b->f = f;
    b->after = after;
    b->model = model_create(f->p);
    b->ops = model_ops(&b->op_count);
    disk_forget();
    disk_directory = apr_pstrcat(f->p, f->directory, "/store", NULL);
    {
        static const snapshot_t none;

        snapshot_restore(&none, f); /* begin with a directory in which nothing was ever synced */
    }
    f->sync = sync;
    fixture_open(f);
    return b;
}

static void bench_destroy(bench_t *b)
{
    disk_directory = NULL;
    fixture_destroy(b->after);
    fixture_destroy(b->f);
}

/* How many records the store has that was opened after the power came back: it must be those, as
 * they were. With `is_any` any of them may be missing, and only what the store says must be in
 * agreement with itself. */
static int records_after(bench_t *b, int is_in_order, int is_any, apr_pool_t *p)
{
    const char *directory = disk_directory, *found;
    snapshot_t *s = power_cut(b->f, is_in_order, p);
    int count;

    disk_directory = NULL;
    snapshot_restore(s, b->after);
    if (fixture_open_status(b->after) != APR_SUCCESS) {
        fail_msg("does not open: %s", b->after->error);
    }
    found = store_image(b->model, b->after, p);
    count = b->model->count;
    while (!is_any && count >= 0 && strcmp(found, model_image(b->model, count, NULL, p)) != 0) {
        count--;
    }
    if (count < 0) {
        fail_msg(
            "after %d records this is no state that the store ever had:\n%s\nwanted:\n%s\nlog:\n%s",
            b->model->count, found, model_image(b->model, b->model->count, NULL, p), fixture_log());
    }
    message_add(b->after, "after-the-cut", NULL, "+19990001", WA_DIRECTION_RECEIVED);
    fixture_reopen(b->after);
    assert_int_equal(thread_get(b->after, "+19990001").message_count, 1);
    fixture_close(b->after);
    disk_directory = directory;
    return count;
}

static void run(const char *type, wa_sync_e sync)
{
    bench_t *b = bench_create(type, sync);
    int is_all_wanted = sync == WA_SYNC_ALWAYS;
    int i, cut, lost = 0, kept = 0;

    for (i = 0; i < b->op_count; i++) {
        apr_pool_t *p;

        assert_int_equal(apr_pool_create(&p, b->f->p), APR_SUCCESS);
        assert_int_equal(model_run(b->model, b->f, &b->ops[i]), APR_SUCCESS);
        if (i % 11 == 10 && sync != WA_SYNC_INTERVAL) {
            assert_int_equal(wa_dbm_checkpoint(WA_DBM_STORE(b->f->store), p), APR_SUCCESS);
        }
        if (i % 7 == 6 && sync == WA_SYNC_INTERVAL) {
            clock_shift_us += 2000000; /* the interval is a second */
            assert_int_equal(wa_store_maintain(b->f->store, p), APR_SUCCESS);
            kept = i + 1;
        }
        kept = is_all_wanted ? i + 1 : kept;
        for (cut = 0; cut < 2 - is_all_wanted && i % test_step() == 0; cut++) {
            int there;

            fixture_log_clear();
            there = records_after(b, !is_all_wanted, cut, p);
            if (there < kept) {
                fail_msg("%d records had to be on the disk, %d are there after the power came "
                         "back; log:\n%s",
                         kept, there, fixture_log());
            }
            lost += there < i + 1;
            apr_pool_clear(p);
        }
        apr_pool_destroy(p);
    }
    if (!is_all_wanted && test_step() == 1) {
        assert_true(lost > 0); /* else this has not cut anything */
    }
    bench_destroy(b);
}

static void what_was_answered_survives_a_loss_of_power(void **state)
{
    (void)state;
    run("db", WA_SYNC_ALWAYS);
    run("gdbm", WA_SYNC_ALWAYS);
    run("sdbm", WA_SYNC_ALWAYS);
}

static void an_interval_is_all_that_a_loss_of_power_takes(void **state)
{
    (void)state;
    run("sdbm", WA_SYNC_INTERVAL);
}

static void without_syncs_the_end_may_be_lost_but_nothing_is_wrong(void **state)
{
    (void)state;
    run("db", WA_SYNC_OFF);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_answered_survives_a_loss_of_power),
        cmocka_unit_test(an_interval_is_all_that_a_loss_of_power_takes),
        cmocka_unit_test(without_syncs_the_end_may_be_lost_but_nothing_is_wrong),
    };
    const char *seed = getenv("WA_TEST_SEED");
    unsigned chosen = seed ? (unsigned)atoi(seed) : (unsigned)getpid();
    int failed;

    printf("seed %u\n", chosen);
    srand(chosen);
    apr_initialize();
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    if (!failed) {
        apr_terminate(); /* a failed test leaves a store open in the middle of something */
    }
    return failed;
}
