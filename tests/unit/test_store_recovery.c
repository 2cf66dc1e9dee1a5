/* SPDX-License-Identifier: Apache-2.0 */
/* Tests what a store makes of what a stop, a bad disk or a careless hand left in its directory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "store/dbm/dbm.h"
#include "store_image.h"
#include "store_model.h"
#include "store_snapshot.h"
#include "store_quick.h"
#include "test_shard.h"

/* A filled store as it was at one moment, and the model of what it must hold. */
typedef struct bench_t {
    fixture_t *f; /* closed */
    model_t *model;
    snapshot_t *killed; /* everything after a checkpoint that is empty: nobody closed it */
    snapshot_t *half;   /* the same with a checkpoint of the first half */
    snapshot_t *closed; /* closed in order */
    apr_pool_t *p;      /* for one test */
} bench_t;

static bench_t *bench_create(const char *type)
{
    fixture_t *f = fixture_create(type);
    bench_t *b = apr_pcalloc(f->p, sizeof(*b));
    const op_t *ops;
    apr_pool_t *tmp;
    int count, i;

    fixture_close(f);
    f->sync = WA_SYNC_ALWAYS;
    fixture_open(f);
    b->f = f;
    b->model = model_create(f->p);
    ops = model_ops(&count);
    for (i = 0; i < count; i++) {
        assert_int_equal(model_run(b->model, f, &ops[i]), APR_SUCCESS);
    }
    b->killed = snapshot_take(f, f->p);
    for (i = 0; i < b->killed->count; i++) {
        if (strcmp(b->killed->files[i].name, "journal") == 0) {
            /* much less of what is allocated ahead: looking through megabytes of zeros takes most
             * of the time otherwise */
            b->killed->files[i].size = b->killed->files[i].length + (64 << 10);
        }
    }
    fixture_close(f);
    b->closed = snapshot_take(f, f->p);
    /* the same records once more, for a checkpoint in their middle */
    snapshot_restore(b->killed, f);
    {
        apr_size_t size;
        char *journal = snapshot_file(b->killed, "journal", &size),
             *copy = apr_pmemdup(f->p, journal, size);
        apr_uint64_t half = b->model->records[count / 2].begin;

        memset(journal + half, 0, size - half);
        snapshot_restore(b->killed, f);
        memcpy(journal, copy, size);
        fixture_open(f);
        fixture_close(f);
        b->half = snapshot_take(f, f->p);
        assert_int_equal(apr_pool_create(&tmp, f->p), APR_SUCCESS);
        for (i = 0; i < b->half->count; i++) {
            if (strcmp(b->half->files[i].name, "journal") == 0) {
                b->half->files[i].bytes = copy;
                b->half->files[i].size = size;
                b->half->files[i].length = (apr_size_t)b->model->records[count - 1].end;
            }
        }
    }
    assert_int_equal(apr_pool_create(&b->p, f->p), APR_SUCCESS);
    return b;
}

static void image_check(bench_t *b, int count, const char *lost, const char *what)
{
    const char *wanted = model_image(b->model, count, lost, b->p);
    const char *found = store_image(b->model, b->f, b->p);

    if (strcmp(wanted, found) != 0) {
        fail_msg("%s\nwanted:\n%s\nfound:\n%s\nlog:\n%s", what, wanted, found, fixture_log());
    }
}

/* The store must still take a new message, once. */
static void write_check(bench_t *b, const char *id)
{
    wa_message_t m;

    message_add(b->f, id, apr_pstrcat(b->p, "SM", id, NULL), "+19990001", WA_DIRECTION_RECEIVED);
    assert_int_equal(wa_store_message_find(b->f->store, id, &m, b->p), APR_SUCCESS);
    assert_int_equal(thread_get(b->f, "+19990001").message_count, 1);
}

/* Opens what is in the directory: it must hold the first `count` records but for the lost ones, say
 * `tag` (NULL: nothing at warning level), and be sound when it is opened again. */
static void repair_check(bench_t *b, int count, const char *lost, const char *tag, const char *what)
{
    fixture_log_clear();
    assert_int_equal(fixture_open_status(b->f), APR_SUCCESS);
    image_check(b, count, lost, what);
    if (tag ? !strstr(fixture_log(), tag)
            : strstr(fixture_log(), "WA04") && !strstr(fixture_log(), "WA0433")) {
        fail_msg("%s: the log should say %s, it says:\n%s", what, tag ? tag : "nothing",
                 fixture_log());
    }
    fixture_log_clear();
    fixture_reopen(b->f);
    if (*fixture_log()) {
        fail_msg("%s: the second start says:\n%s", what, fixture_log());
    }
    image_check(b, count, lost, what);
    fixture_close(b->f);
    apr_pool_clear(b->p);
}

static void damaged_check(bench_t *b, apr_uint64_t at, const char *bytes, apr_size_t len,
                          const char *what)
{
    const char *path =
        apr_psprintf(b->p, "%s/store/damaged-%" APR_UINT64_T_FMT, b->f->directory, at);
    char *kept = apr_palloc(b->p, len + 1);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat info;

    if (fd < 0) {
        fail_msg("%s: there is no %s", what, path);
    }
    assert_int_equal(fstat(fd, &info), 0);
    assert_int_equal(info.st_size, len);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_int_equal(read(fd, kept, len), len);
    close(fd);
    assert_memory_equal(kept, bytes, len);
}

static const char *killed_journal(bench_t *b, char **pbytes, apr_size_t *psize)
{
    *pbytes = snapshot_file(b->killed, "journal", psize);
    return *pbytes;
}

/* ---- stops ---- */

static void what_a_kill_leaves_is_whole(void **state)
{
    bench_t *b = *state;

    snapshot_restore(b->killed, b->f);
    repair_check(b, b->model->count, NULL, NULL, "killed");
    snapshot_restore(b->half, b->f);
    repair_check(b, b->model->count, NULL, "WA0433", "killed after a checkpoint");
    snapshot_restore(b->closed, b->f);
    repair_check(b, b->model->count, NULL, NULL, "closed");
}

static void a_store_that_was_repaired_takes_messages(void **state)
{
    bench_t *b = *state;

    snapshot_restore(b->killed, b->f);
    fixture_open(b->f);
    write_check(b, "new-1");
    fixture_close(b->f);
}

/* ---- the journal's end ---- */

/* How many whole records are before `end`. */
static int records_before(const bench_t *b, apr_uint64_t end)
{
    int n = 0;

    while (n < b->model->count && b->model->records[n].end <= end) {
        n++;
    }
    return n;
}

static void the_journal_may_be_cut_at_every_byte_of_its_last_records(void **state)
{
    bench_t *b = *state;
    int last = b->model->count;
    apr_uint64_t at;

    for (at = b->model->records[last - 3].begin; at <= b->model->records[last - 1].end;
         at += (apr_uint64_t)test_step()) {
        int whole = records_before(b, at);
        apr_uint64_t end = whole ? b->model->records[whole - 1].end : WA_JOURNAL_START;

        if (!shard_turn()) {
            continue;
        }
        snapshot_restore(at % 2 ? b->killed : b->half, b->f);
        assert_int_equal(
            truncate(apr_pstrcat(b->p, b->f->directory, "/store/journal", NULL), (off_t)at), 0);
        repair_check(b, whole, NULL,
                     at > end ? "WA0432"
                     : at % 2 ? NULL
                              : "WA043",
                     apr_psprintf(b->f->p, "cut at %d", (int)at));
    }
}

static void a_last_record_may_be_torn_at_every_byte(void **state)
{
    bench_t *b = *state;
    int last = b->model->count - 1;
    apr_uint64_t begin = b->model->records[last].begin, end = b->model->records[last].end, at;
    apr_size_t size;
    char *bytes, *copy;

    killed_journal(b, &bytes, &size);
    copy = apr_pmemdup(b->f->p, bytes, size);
    for (at = begin; at < end; at += (apr_uint64_t)test_step()) {
        apr_uint64_t content = at;
        int is_whole = 1;

        if (!shard_turn()) {
            continue;
        }
        memset(bytes + at, 0, (apr_size_t)(end - at));
        is_whole = memcmp(bytes + begin, copy + begin, (apr_size_t)(end - begin)) == 0;
        while (content > begin && !bytes[content - 1]) {
            content--;
        }
        snapshot_restore(b->killed, b->f);
        fixture_log_clear();
        fixture_open(b->f);
        image_check(b, last + is_whole, NULL, apr_psprintf(b->p, "torn at %d", (int)at));
        if (!is_whole && content > begin) {
            assert_non_null(strstr(fixture_log(), "WA0432"));
            damaged_check(b, begin, bytes + begin, (apr_size_t)(content - begin), "torn");
        }
        fixture_close(b->f);
        memcpy(bytes + at, copy + at, (apr_size_t)(end - at));
        apr_pool_clear(b->p);
    }
}

static void garbage_after_the_end_is_cut_and_kept(void **state)
{
    bench_t *b = *state;
    apr_uint64_t end = b->model->records[b->model->count - 1].end;
    const model_record_t *old = &b->model->records[2];
    apr_size_t size, len = 3000, n;
    char *bytes, *garbage = apr_palloc(b->f->p, len);
    int turn, i;

    killed_journal(b, &bytes, &size);
    for (turn = 0; turn < 3; turn++) {
        for (n = 0; n < len; n++) {
            garbage[n] = (char)(rand() % 255 + 1);
        }
        if (turn > 0) {
            /* a record that was good at another place, and the same with its number made right by
             * an ill-willed hand */
            memcpy(garbage, bytes + old->begin, (apr_size_t)(old->end - old->begin));
        }
        if (turn > 1) {
            ((wa_record_t *)(void *)garbage)->number = (apr_uint64_t)b->model->count + 1;
        }
        for (i = 0; i < b->killed->count; i++) {
            if (strcmp(b->killed->files[i].name, "journal") == 0) {
                b->killed->files[i].length = (apr_size_t)end + len;
            }
        }
        memcpy(bytes + end, garbage, len);
        snapshot_restore(b->killed, b->f);
        fixture_log_clear();
        fixture_open(b->f);
        assert_non_null(strstr(fixture_log(), "WA0432"));
        damaged_check(b, end, garbage, len, "garbage");
        image_check(b, b->model->count, NULL, "garbage");
        fixture_close(b->f);
        memset(bytes + end, 0, len);
    }
}

/* ---- damage ---- */

/* What becomes of record `n` when its byte `at` is not what was written. */
static void flip_check(bench_t *b, const snapshot_t *s, int n, apr_uint64_t at)
{
    const model_record_t *r = &b->model->records[n];
    char *bytes = snapshot_file(s, "journal", NULL);
    const wa_record_t *record = (const wa_record_t *)(const void *)(bytes + r->begin);
    apr_uint64_t payload_end = r->begin + sizeof(*record) + record->payload_length;
    int is_last = n == b->model->count - 1, is_padding = at >= payload_end;
    char lost[MODEL_RECORDS] = {0};
    const char *what = apr_psprintf(b->f->p, "byte %d of record %d", (int)(at - r->begin), n);

    if (!shard_turn()) {
        return;
    }
    lost[n] = !is_padding;
    bytes[at] ^= (char)(1 << (at % 8));
    snapshot_restore(s, b->f);
    fixture_log_clear();
    fixture_open(b->f);
    if (!is_padding) {
        apr_size_t len = (apr_size_t)(r->end - r->begin);

        while (is_last && !bytes[r->begin + len - 1]) {
            len--;
        }
        assert_non_null(strstr(fixture_log(), is_last ? "WA0432" : "WA0431"));
        damaged_check(b, r->begin, bytes + r->begin, len, what);
    }
    fixture_close(b->f);
    snapshot_restore(s, b->f);
    bytes[at] ^= (char)(1 << (at % 8));
    repair_check(b, b->model->count, lost, is_padding ? NULL : "WA043", what);
}

static void a_flipped_byte_takes_its_record_and_no_other(void **state)
{
    bench_t *b = *state;
    int n, count = b->model->count;
    apr_uint64_t at;

    for (n = count - 3; n < count; n++) {
        for (at = b->model->records[n].begin; at < b->model->records[n].end;
             at += (apr_uint64_t)test_step()) {
            flip_check(b, b->killed, n, at);
        }
    }
    for (at = b->model->records[51].begin; at < b->model->records[51].end;
         at += (apr_uint64_t)test_step()) {
        flip_check(b, b->killed, 51, at);
    }
    /* every record once, of every type */
    for (n = 0; n < count; n++) {
        flip_check(b, b->killed, n, b->model->records[n].begin + sizeof(wa_record_t) + 1);
    }
}

static void a_record_damaged_after_the_checkpoint_leaves_the_index_sound(void **state)
{
    bench_t *b = *state;
    int n;

    for (n = b->model->count / 2; n < b->model->count; n++) {
        const model_record_t *r = &b->model->records[n];
        char *bytes = snapshot_file(b->half, "journal", NULL);
        char lost[MODEL_RECORDS] = {0};

        lost[n] = 1;
        bytes[r->begin + sizeof(wa_record_t) + 1] ^= 4;
        snapshot_restore(b->half, b->f);
        bytes[r->begin + sizeof(wa_record_t) + 1] ^= 4;
        repair_check(b, b->model->count, lost, "WA043",
                     apr_psprintf(b->f->p, "record %d after the checkpoint", n));
    }
}

/* The index knows what the journal has lost: rows point to records that were cut or set aside. */
static void an_index_ahead_of_the_journal_is_made_again(void **state)
{
    bench_t *b = *state;
    snapshot_t *mixed = apr_pmemdup(b->f->p, b->half, sizeof(*mixed));
    int i, n;

    for (i = 0; i < mixed->count; i++) {
        if (strncmp(mixed->files[i].name, "keys", 4) == 0
            || strcmp(mixed->files[i].name, "rows") == 0
            || strcmp(mixed->files[i].name, "times") == 0) {
            mixed->files[i].bytes =
                snapshot_file(b->killed, mixed->files[i].name, &mixed->files[i].size);
            mixed->files[i].length = mixed->files[i].size;
        }
    }
    snapshot_restore(mixed, b->f);
    repair_check(b, b->model->count, NULL, "WA0433", "index of a kill");
    for (n = b->model->count / 2; n < b->model->count; n++) {
        snapshot_restore(mixed, b->f);
        assert_int_equal(truncate(apr_pstrcat(b->p, b->f->directory, "/store/journal", NULL),
                                  (off_t)b->model->records[n].begin),
                         0);
        repair_check(b, n, NULL, n > b->model->count / 2 ? "WA043" : "",
                     apr_psprintf(b->f->p, "cut before record %d", n));
    }
}

static void zeroed_pages_take_only_what_was_in_them(void **state)
{
    bench_t *b = *state;
    apr_uint64_t end = b->model->records[b->model->count - 1].end, page;
    apr_size_t size;
    char *bytes, saved[4096];

    killed_journal(b, &bytes, &size);
    for (page = WA_JOURNAL_START; page < end; page += 4096) {
        char lost[MODEL_RECORDS] = {0};
        int n, some = 0;

        for (n = 0; n < b->model->count; n++) {
            const model_record_t *r = &b->model->records[n];

            lost[n] = r->begin < page + 4096 && r->end > page;
            some |= lost[n];
        }
        memcpy(saved, bytes + page, 4096);
        memset(bytes + page, 0, 4096);
        snapshot_restore(b->killed, b->f);
        memcpy(bytes + page, saved, 4096);
        assert_true(some);
        repair_check(b, b->model->count, lost, page + 4096 >= end ? "" : "WA0431",
                     apr_psprintf(b->f->p, "page at %d", (int)page));
    }
}

/* Damage in what the checkpoint holds is found when it is read, never served, and gone after the
 * next start. */
static void damage_before_the_checkpoint_is_found_by_reading_and_healed_by_a_start(void **state)
{
    bench_t *b = *state;
    int n, found_late = 0;

    for (n = 0; n < b->model->count; n++) {
        const model_record_t *r = &b->model->records[n];
        char *bytes = snapshot_file(b->closed, "journal", NULL);
        char lost[MODEL_RECORDS] = {0};
        apr_status_t rv;

        lost[n] = 1;
        bytes[r->begin + sizeof(wa_record_t) + 1] ^= 4;
        snapshot_restore(b->closed, b->f);
        bytes[r->begin + sizeof(wa_record_t) + 1] ^= 4;
        fixture_log_clear();
        fixture_open(b->f);
        if (!strstr(fixture_log(), "WA0430")) {
            const char *image = store_image_try(b->model, b->f, &rv, b->p);

            assert_null(image);
            assert_int_equal(rv, APR_EGENERAL);
            assert_non_null(strstr(fixture_log(), "WA0403"));
            assert_non_null(strstr(fixture_log(), "WA0405"));
            found_late++;
            fixture_close(b->f);
            fixture_log_clear();
            fixture_open(b->f);
        }
        image_check(b, b->model->count, lost, apr_psprintf(b->p, "record %d", n));
        if (n + 1 < b->model->count) {
            assert_non_null(strstr(fixture_log(), "WA0431"));
        }
        fixture_close(b->f);
        apr_pool_clear(b->p);
    }
    assert_true(found_late > 0);
}

/* ---- derived files ---- */

typedef enum {
    HURT_DELETE,
    HURT_EMPTY,
    HURT_HALF,
    HURT_ZERO_PAGE,
    HURT_APPEND,
    HURT_FLIP,
    HURT_COUNT
} hurt_e;

static const char *const hurts[] = {"deleted",         "empty",  "half",
                                    "a page of zeros", "longer", "a byte flipped"};

/* Hurts a file in the directory. @return 0 when it has nothing to hurt that way */
static int file_hurt(bench_t *b, const char *name, hurt_e how, int turn)
{
    const char *path = apr_pstrcat(b->p, b->f->directory, "/store/", name, NULL);
    static const char zeros[4096];
    char garbage[100], byte;
    struct stat info;
    off_t at;
    int fd;

    assert_int_equal(stat(path, &info), 0);
    fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    at = info.st_size * (turn * 7 + 1) / 71;
    switch (how) {
    case HURT_DELETE:
        assert_int_equal(unlink(path), 0);
        break;
    case HURT_EMPTY:
        assert_int_equal(ftruncate(fd, 0), 0);
        break;
    case HURT_HALF:
        assert_int_equal(ftruncate(fd, info.st_size / 2), 0);
        break;
    case HURT_ZERO_PAGE:
        assert_true(
            pwrite(fd, zeros,
                   sizeof(zeros) < (size_t)info.st_size ? sizeof(zeros) : (size_t)info.st_size, 0)
            > 0);
        break;
    case HURT_APPEND:
        memset(garbage, 'g', sizeof(garbage));
        assert_int_equal(pwrite(fd, garbage, sizeof(garbage), info.st_size), sizeof(garbage));
        break;
    default:
        assert_int_equal(pread(fd, &byte, 1, at), 1);
        byte = (char)(byte ^ 0x10);
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
        break;
    }
    close(fd);
    return 1;
}

/* Everything must be served, at once or, where the damage shows only in use, after the next start.
 * Never anything wrong in between. */
static void hurt_check(bench_t *b, const snapshot_t *s, const char *name, hurt_e how, int turn)
{
    const char *what = apr_psprintf(b->f->p, "%s: %s (%d)", name, hurts[how], turn);
    /* rows and times are allocated ahead: half of them is still all that is in use */
    hurt_e is_short =
        strcmp(name, "rows") != 0 && strcmp(name, "times") != 0 ? HURT_HALF : HURT_EMPTY;
    const char *wanted, *found;
    apr_status_t rv;

    if (!shard_turn()) {
        return;
    }
    snapshot_restore(s, b->f);
    file_hurt(b, name, how, turn);
    fixture_log_clear();
    assert_int_equal(fixture_open_status(b->f), APR_SUCCESS);
    wanted = model_image(b->model, b->model->count, NULL, b->p);
    found = store_image_try(b->model, b->f, &rv, b->p);
    if (!found) {
        assert_int_equal(rv, APR_EGENERAL);
        assert_non_null(strstr(fixture_log(), "WA0405"));
    } else if (strcmp(wanted, found) != 0) {
        fail_msg("%s\nwanted:\n%s\nfound:\n%s\nlog:\n%s", what, wanted, found, fixture_log());
    }
    if (how <= is_short && !strstr(fixture_log(), "WA04")) {
        fail_msg("%s: nothing in the log", what);
    }
    fixture_reopen(b->f);
    image_check(b, b->model->count, NULL, what);
    write_check(b, "after");
    fixture_log_clear();
    fixture_reopen(b->f);
    assert_string_equal(fixture_log(), "");
    fixture_close(b->f);
    apr_pool_clear(b->p);
}

static void every_derived_file_may_be_hurt_in_every_way(void **state)
{
    bench_t *b = *state;
    const snapshot_t *snapshots[] = {b->closed, b->half};
    int s, i, how, turn;

    for (s = 0; s < 2; s++) {
        for (i = 0; i < snapshots[s]->count; i++) {
            const char *name = snapshots[s]->files[i].name;

            if (strcmp(name, "journal") == 0 || !snapshots[s]->files[i].size) {
                continue;
            }
            for (how = 0; how < HURT_COUNT; how++) {
                for (turn = 0; turn < (how == HURT_FLIP ? 10 : 1); turn++) {
                    hurt_check(b, snapshots[s], name, (hurt_e)how, turn);
                }
            }
        }
    }
}

/* Every byte that the index really uses, one at a time. */
static void every_used_byte_of_the_index_may_flip(void **state)
{
    static const char *const names[] = {"rows", "times", "keys.0", NULL};
    bench_t *b = *state;
    int i;

    for (i = 0; names[i]; i++) {
        apr_size_t size, at, step = 0;
        char *bytes = snapshot_file(b->closed, names[i], &size);

        for (at = 0; at < size; at++) {
            /* every third byte that is in use: all kinds of them */
            if (!bytes[at] || step++ % (3 * (apr_size_t)test_step()) || !shard_turn()) {
                continue;
            }
            bytes[at] ^= 0x21;
            snapshot_restore(b->closed, b->f);
            bytes[at] ^= 0x21;
            fixture_log_clear();
            fixture_open(b->f);
            {
                apr_status_t rv;
                const char *wanted = model_image(b->model, b->model->count, NULL, b->p);
                const char *found = store_image_try(b->model, b->f, &rv, b->p);

                if (found ? strcmp(found, wanted) != 0 : rv != APR_EGENERAL) {
                    fail_msg("byte %d of %s\nwanted:\n%s\nfound:\n%s", (int)at, names[i], wanted,
                             found);
                }
            }
            fixture_reopen(b->f);
            image_check(b, b->model->count, NULL, "after the next start");
            fixture_close(b->f);
            apr_pool_clear(b->p);
        }
    }
}

static apr_status_t change_count(void *baton, const wa_message_t *m, int is_update)
{
    (void)m;
    (void)is_update;
    ++*(unsigned *)baton;
    return APR_SUCCESS;
}

/* A mark with a time that is too early would let a poll begin too late, and messages would be
 * hidden. */
static void a_mark_that_points_too_far_hides_nothing(void **state)
{
    bench_t *b = *state;
    char *bytes = snapshot_file(b->closed, "times", NULL);
    wa_time_entry_t *mark = (wa_time_entry_t *)(void *)bytes + 1, right = *mark;
    wa_changes_t changes;
    unsigned seen = 0;

    assert_true(mark->offset > WA_JOURNAL_START);
    mark->timestamp_ms = 1;
    snapshot_restore(b->closed, b->f);
    *mark = right;
    fixture_log_clear();
    fixture_open(b->f);
    image_check(b, b->model->count, NULL, "a mark with a wrong time");
    assert_int_equal(wa_store_changes_list(b->f->store, CHANGES_AFTER(1, 1, change_count, &seen),
                                           &changes, b->p),
                     APR_SUCCESS);
    assert_true(seen > 0);
    assert_non_null(strstr(fixture_log(), "WA0405"));
    fixture_reopen(b->f);
    fixture_log_clear();
    fixture_reopen(b->f);
    image_check(b, b->model->count, NULL, "after the next start");
    assert_string_equal(fixture_log(), "");
    fixture_close(b->f);
}

static void file_write(bench_t *b, const char *name, const void *bytes, apr_size_t len)
{
    int fd = open(apr_pstrcat(b->p, b->f->directory, "/store/", name, NULL),
                  O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, len), len);
    close(fd);
}

static void leftovers_of_a_checkpoint_are_no_trouble(void **state)
{
    bench_t *b = *state;
    int number;

    for (number = 1; number < 9; number++) {
        snapshot_restore(b->closed, b->f);
        file_write(b, "CURRENT.new", "half of a", 9);
        if (access(apr_psprintf(b->p, "%s/store/state-%d", b->f->directory, number), F_OK)
            && access(apr_psprintf(b->p, "%s/store/state-%d.pag", b->f->directory, number), F_OK)) {
            file_write(b, apr_psprintf(b->p, "state-%d", number), "garbage", 7);
            file_write(b, apr_psprintf(b->p, "state-%d.pag", number), "garbage", 7);
            file_write(b, apr_psprintf(b->p, "state-%d.dir", number), "garbage", 7);
        }
        fixture_log_clear();
        fixture_open(b->f);
        image_check(b, b->model->count, NULL, "leftovers");
        write_check(b, "after");
        fixture_reopen(b->f);
        assert_string_equal(fixture_log(), "");
        assert_int_equal(thread_get(b->f, "+19990001").message_count, 1);
        fixture_close(b->f);
        apr_pool_clear(b->p);
    }
}

static void a_checkpoint_of_another_journal_is_not_believed(void **state)
{
    bench_t *b = *state;
    bench_t *other = bench_create("sdbm");
    snapshot_t *mixed = apr_pmemdup(b->f->p, other->closed, sizeof(*mixed));
    int i;

    for (i = 0; i < mixed->count; i++) {
        if (strcmp(mixed->files[i].name, "journal") == 0) {
            mixed->files[i].bytes = snapshot_file(b->killed, "journal", &mixed->files[i].size);
            mixed->files[i].length = mixed->files[i].size;
        }
    }
    snapshot_restore(mixed, b->f);
    repair_check(b, b->model->count, NULL, "WA0430", "derived files of another store");
    fixture_destroy(other->f);
}

static void a_journal_shorter_than_its_checkpoint_is_said(void **state)
{
    bench_t *b = *state;
    int n = b->model->count - 4;

    snapshot_restore(b->closed, b->f);
    assert_int_equal(truncate(apr_pstrcat(b->p, b->f->directory, "/store/journal", NULL),
                              (off_t)b->model->records[n].begin),
                     0);
    repair_check(b, n, NULL, "WA0435", "shorter than the checkpoint");
}

/* ---- the journal's first block ---- */

static void head_refused(bench_t *b, apr_size_t at, const void *bytes, apr_size_t len,
                         const char *sentence)
{
    snapshot_t *s = apr_pmemdup(b->p, b->closed, sizeof(*s));
    apr_size_t size;
    char *journal = snapshot_file(b->closed, "journal", &size);
    char *changed = apr_pmemdup(b->p, journal, size);
    int i;

    memcpy(changed + at, bytes, len);
    for (i = 0; i < s->count; i++) {
        if (strcmp(s->files[i].name, "journal") == 0) {
            s->files[i].bytes = changed;
        }
    }
    snapshot_restore(s, b->f);
    assert_int_equal(fixture_open_status(b->f), APR_EINVAL);
    assert_non_null(b->f->error);
    if (!strstr(b->f->error, sentence)) {
        fail_msg("the refusal should say '%s', it says '%s'", sentence, b->f->error);
    }
    /* nothing was touched: with the right byte it is as before */
    for (i = 0; i < s->count; i++) {
        if (strcmp(s->files[i].name, "journal") == 0) {
            char *now = apr_palloc(b->p, size);
            int fd = open(apr_pstrcat(b->p, b->f->directory, "/store/journal", NULL),
                          O_RDONLY | O_CLOEXEC);

            assert_int_equal(read(fd, now, size), size);
            close(fd);
            assert_memory_equal(now, changed, size);
        }
    }
}

static void a_foreign_journal_is_refused_and_left_alone(void **state)
{
    static const apr_uint32_t version = 3, zero = 0, swapped = 0x04030201;
    bench_t *b = *state;

    head_refused(b, 0, "MOD", 3, "not a journal of mod_whatsapp");
    head_refused(b, 16, &version, sizeof(version), "format version 3");
    head_refused(b, 16, &zero, sizeof(zero), "format version 0");
    head_refused(b, 20, &swapped, sizeof(swapped), "other byte order");
    head_refused(b, 24, &zero, sizeof(zero), "first block");
    head_refused(b, 34, "X", 1, "first block");
    snapshot_restore(b->closed, b->f);
    repair_check(b, b->model->count, NULL, NULL, "untouched");
}

static void refused_and_untouched(bench_t *b, const char *sentence)
{
    const snapshot_t *before = snapshot_take(b->f, b->p), *after;
    int i;

    assert_int_not_equal(fixture_open_status(b->f), APR_SUCCESS);
    assert_non_null(b->f->error);
    if (!strstr(b->f->error, sentence)) {
        fail_msg("the refusal should say '%s', it says '%s'", sentence, b->f->error);
    }
    after = snapshot_take(b->f, b->p);
    assert_int_equal(after->count, before->count);
    for (i = 0; i < after->count; i++) {
        assert_string_equal(after->files[i].name, before->files[i].name);
        assert_int_equal(after->files[i].size, before->files[i].size);
    }
}

/* A journal has its first block before it has its name: one without it was cut, whatever is or is
 * not beside it. */
static void a_journal_without_its_first_block_is_refused(void **state)
{
    static const char zeros[WA_JOURNAL_START];
    bench_t *b = *state;
    const char *journal = snapshot_file(b->closed, "journal", NULL);
    apr_size_t sizes[] = {0, 1, 8, 16, 100, 2000, WA_JOURNAL_START - 1}, i;
    const snapshot_t *snapshots[] = {NULL, b->closed, b->killed};
    snapshot_t none;
    int with;

    memset(&none, 0, sizeof(none));
    snapshots[0] = &none;
    for (with = 0; with < 3; with++) {
        for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
            snapshot_restore(snapshots[with], b->f);
            file_write(b, "journal", journal, sizes[i]);
            refused_and_untouched(b, sizes[i] ? "was cut to" : "is empty");
            refused_and_untouched(b, "restore a backup"); /* the next start, too */
            file_write(b, "journal", zeros, sizes[i] + 1);
            refused_and_untouched(b, "holds zeros");
            apr_pool_clear(b->p);
        }
    }
    snapshot_restore(b->closed, b->f);
    repair_check(b, b->model->count, NULL, NULL, "restored");
}

/* What a kill may leave of the first creation, at any instant. */
static void a_first_creation_that_was_cut_short_begins_anew(void **state)
{
    static const apr_size_t sizes[] = {0, 1, 100, WA_JOURNAL_START - 1, WA_JOURNAL_START};
    bench_t *b = *state;
    const char *journal = snapshot_file(b->closed, "journal", NULL);
    snapshot_t none;
    apr_size_t i;

    memset(&none, 0, sizeof(none));
    for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        snapshot_restore(&none, b->f);
        file_write(b, "lock", "", 0);
        file_write(b, "journal.new", journal, sizes[i]);
        fixture_open(b->f);
        write_check(b, "first");
        fixture_reopen(b->f);
        assert_int_equal(thread_get(b->f, "+19990001").message_count, 1);
        fixture_close(b->f);
    }
    snapshot_restore(&none, b->f);
    file_write(b, "journal", journal, WA_JOURNAL_START);
    fixture_open(b->f);
    write_check(b, "first");
    fixture_close(b->f);
    snapshot_restore(&none, b->f);
    file_write(b, "journal", "a diary of somebody else", 24);
    assert_int_equal(fixture_open_status(b->f), APR_EINVAL);
}

/* No new one is made beside what was made from the old one. */
static void a_journal_that_is_gone_is_refused(void **state)
{
    static const char *const others[] = {
        "rows", "times", "keys.0", "CURRENT", "journal.before-compact", "journal.before-retime"};
    bench_t *b = *state;
    snapshot_t none;
    apr_size_t i;

    memset(&none, 0, sizeof(none));
    snapshot_restore(b->closed, b->f);
    assert_int_equal(unlink(apr_pstrcat(b->p, b->f->directory, "/store/journal", NULL)), 0);
    refused_and_untouched(b, "is missing");
    for (i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        snapshot_restore(&none, b->f);
        file_write(b, others[i], "x", 1);
        refused_and_untouched(b, others[i]);
    }
}

/* The first block is there and nothing else: the checkpoint, which was written after the journal,
 * knows better. */
static void a_journal_that_was_emptied_is_refused(void **state)
{
    bench_t *b = *state;
    const char *path = apr_pstrcat(b->f->p, b->f->directory, "/store/journal", NULL);
    const snapshot_t *snapshots[] = {b->closed, b->half};
    struct stat info;
    int i, is_zeros;

    for (i = 0; i < 2; i++) {
        for (is_zeros = 0; is_zeros < 2; is_zeros++) {
            snapshot_restore(snapshots[i], b->f);
            assert_int_equal(stat(path, &info), 0);
            assert_int_equal(truncate(path, WA_JOURNAL_START), 0);
            assert_int_equal(is_zeros ? truncate(path, info.st_size) : 0, 0);
            refused_and_untouched(b, "holds nothing of the");
            refused_and_untouched(b, "holds nothing of the");
        }
    }
}

/* Without a checkpoint that knows better what is left is served, and what is not is said. */
static void messages_that_only_the_index_knows_are_said(void **state)
{
    bench_t *b = *state;
    const char *path = apr_pstrcat(b->f->p, b->f->directory, "/store/journal", NULL);
    struct stat info;
    int n, is_zeros;

    for (n = 0; n < b->model->count; n += b->model->count / 3) {
        for (is_zeros = 0; is_zeros < 2; is_zeros++) {
            snapshot_restore(b->killed, b->f);
            assert_int_equal(stat(path, &info), 0);
            assert_int_equal(truncate(path, (off_t)b->model->records[n].begin), 0);
            assert_int_equal(is_zeros ? truncate(path, info.st_size) : 0, 0);
            repair_check(b, n, NULL, "WA0456", "known to the index only");
        }
    }
}

/* The end is zeros, so the journal is as long as it was. */
static void an_end_that_was_zeroed_is_said(void **state)
{
    bench_t *b = *state;
    const char *path = apr_pstrcat(b->p, b->f->directory, "/store/journal", NULL);
    int n = b->model->count - 4;
    struct stat info;

    snapshot_restore(b->closed, b->f);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(truncate(path, (off_t)b->model->records[n].begin), 0);
    assert_int_equal(truncate(path, info.st_size), 0);
    repair_check(b, n, NULL, "WA0456", "zeroed");
}

/* ---- types and modes ---- */

static void the_type_may_change_on_an_existing_store(void **state)
{
    static const char *const types[] = {"db", "gdbm", "sdbm", "db", "sdbm", "gdbm", "db"};
    bench_t *b = *state;
    const char *before = b->f->type;
    apr_size_t i;

    snapshot_restore(b->killed, b->f);
    for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        b->f->type = types[i];
        fixture_log_clear();
        fixture_open(b->f);
        image_check(b, b->model->count, NULL, types[i]);
        message_add(b->f, apr_psprintf(b->p, "type-%d", (int)i), NULL, "+19990002",
                    WA_DIRECTION_RECEIVED);
        /* so that the next type's checkpoint is another one's; the model does not know of it */
        assert_int_equal(thread_get(b->f, "+19990002").message_count, 1);
        fixture_close(b->f);
        assert_string_equal(fixture_log(), "");
        fixture_open(b->f);
        assert_string_equal(fixture_log(), "");
        assert_int_equal(thread_get(b->f, "+19990002").message_count, 1);
        fixture_close(b->f);
        snapshot_restore(b->closed, b->f);
    }
    b->f->type = before;
}

static void all_files_are_for_the_owner_only(void **state)
{
    bench_t *b = *state;
    mode_t mask = umask(0);
    struct stat info;
    snapshot_t *s;
    int i;

    assert_int_equal(stat(apr_pstrcat(b->p, b->f->directory, "/store", NULL), &info), 0);
    assert_int_equal(info.st_mode & 0777, 0700);
    snapshot_restore(b->killed, b->f);
    fixture_open(b->f);
    fixture_close(b->f);
    umask(mask);
    s = snapshot_take(b->f, b->f->p);
    assert_true(s->count >= 6);
    for (i = 0; i < s->count; i++) {
        assert_int_equal(
            stat(apr_pstrcat(b->p, b->f->directory, "/store/", s->files[i].name, NULL), &info), 0);
        if ((info.st_mode & 0777) != 0600) {
            fail_msg("%s has mode %o", s->files[i].name, info.st_mode & 0777);
        }
    }
}

/* ---- the frame ---- */

static int setup(void **state)
{
    *state = bench_create(*state);
    return 0;
}

static int teardown(void **state)
{
    bench_t *b = *state;

    fixture_destroy(b->f);
    return 0;
}

#define TEST(f, type) cmocka_unit_test_prestate_setup_teardown(f, setup, teardown, (void *)(type))
#define ALL_TYPES(f) TEST(f, "db"), TEST(f, "gdbm"), TEST(f, "sdbm")

static int is_divided(const struct CMUnitTest *test)
{
    return test->test_func == every_derived_file_may_be_hurt_in_every_way
           || test->test_func == the_journal_may_be_cut_at_every_byte_of_its_last_records
           || test->test_func == a_last_record_may_be_torn_at_every_byte
           || test->test_func == a_flipped_byte_takes_its_record_and_no_other
           || test->test_func == every_used_byte_of_the_index_may_flip;
}

int main(void)
{
    struct CMUnitTest tests[] = {
        ALL_TYPES(what_a_kill_leaves_is_whole),
        ALL_TYPES(a_store_that_was_repaired_takes_messages),
        ALL_TYPES(every_derived_file_may_be_hurt_in_every_way),
        ALL_TYPES(leftovers_of_a_checkpoint_are_no_trouble),
        ALL_TYPES(the_type_may_change_on_an_existing_store),
        ALL_TYPES(all_files_are_for_the_owner_only),
        TEST(the_journal_may_be_cut_at_every_byte_of_its_last_records, "db"),
        TEST(a_last_record_may_be_torn_at_every_byte, "gdbm"),
        TEST(garbage_after_the_end_is_cut_and_kept, "sdbm"),
        TEST(a_flipped_byte_takes_its_record_and_no_other, "db"),
        TEST(a_record_damaged_after_the_checkpoint_leaves_the_index_sound, "gdbm"),
        TEST(an_index_ahead_of_the_journal_is_made_again, "sdbm"),
        TEST(zeroed_pages_take_only_what_was_in_them, "db"),
        TEST(damage_before_the_checkpoint_is_found_by_reading_and_healed_by_a_start, "gdbm"),
        TEST(every_used_byte_of_the_index_may_flip, "sdbm"),
        TEST(a_mark_that_points_too_far_hides_nothing, "db"),
        TEST(a_checkpoint_of_another_journal_is_not_believed, "gdbm"),
        TEST(a_journal_shorter_than_its_checkpoint_is_said, "sdbm"),
        TEST(a_foreign_journal_is_refused_and_left_alone, "db"),
        TEST(a_journal_without_its_first_block_is_refused, "gdbm"),
        TEST(a_first_creation_that_was_cut_short_begins_anew, "sdbm"),
        TEST(a_journal_that_is_gone_is_refused, "db"),
        TEST(a_journal_that_was_emptied_is_refused, "gdbm"),
        TEST(messages_that_only_the_index_knows_are_said, "sdbm"),
        TEST(an_end_that_was_zeroed_is_said, "db"),
    };
    const size_t count = shard_tests(tests, sizeof(tests) / sizeof(tests[0]), is_divided);
    const char *only = getenv("WA_TEST_ONLY");
    int failed;

    if (only) {
        cmocka_set_test_filter(only);
    }
    apr_initialize();
    failed = _cmocka_run_group_tests("recovery", tests, count, NULL, NULL);
    if (!failed) {
        apr_terminate(); /* a failed test leaves a store open in the middle of something */
    }
    return failed;
}
