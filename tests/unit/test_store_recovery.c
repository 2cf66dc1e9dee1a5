/* SPDX-License-Identifier: Apache-2.0 */
/* Tests what a store makes of a journal that a stop or a bad disk left. */
#include "recovery_support.h"

#include "store_quick.h"
#include "test_shard.h"

static void recovery_damaged_check(recovery_t *b, apr_uint64_t at, const char *bytes,
                                   apr_size_t len, const char *what)
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

static const char *recovery_killed_journal(recovery_t *b, char **pbytes, apr_size_t *psize)
{
    *pbytes = snapshot_file(b->killed, "journal", psize);
    return *pbytes;
}

static void what_a_kill_leaves_is_whole(void **state)
{
    recovery_t *b = *state;

    snapshot_restore(b->killed, b->f);
    recovery_check(b, b->model->count, NULL, NULL, "killed");
    snapshot_restore(b->half, b->f);
    recovery_check(b, b->model->count, NULL, "WA0433", "killed after a checkpoint");
    snapshot_restore(b->closed, b->f);
    recovery_check(b, b->model->count, NULL, NULL, "closed");
}

static void a_store_that_was_repaired_takes_messages(void **state)
{
    recovery_t *b = *state;

    snapshot_restore(b->killed, b->f);
    fixture_open(b->f);
    recovery_write_check(b, "new-1");
    fixture_close(b->f);
}

/* ---- the journal's end ---- */

/* How many whole records are before `end`. */
static int records_before(const recovery_t *b, apr_uint64_t end)
{
    int n = 0;

    while (n < b->model->count && b->model->records[n].end <= end) {
        n++;
    }
    return n;
}

static void the_journal_may_be_cut_at_every_byte_of_its_last_records(void **state)
{
    recovery_t *b = *state;
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
        recovery_check(b, whole, NULL,
                       at > end ? "WA0432"
                       : at % 2 ? NULL
                                : "WA043",
                       apr_psprintf(b->f->p, "cut at %d", (int)at));
    }
}

static void a_last_record_may_be_torn_at_every_byte(void **state)
{
    recovery_t *b = *state;
    int last = b->model->count - 1;
    apr_uint64_t begin = b->model->records[last].begin, end = b->model->records[last].end, at;
    apr_size_t size;
    char *bytes, *copy;

    recovery_killed_journal(b, &bytes, &size);
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
        recovery_image_check(b, last + is_whole, NULL, apr_psprintf(b->p, "torn at %d", (int)at));
        if (!is_whole && content > begin) {
            assert_non_null(strstr(fixture_log(), "WA0432"));
            recovery_damaged_check(b, begin, bytes + begin, (apr_size_t)(content - begin), "torn");
        }
        fixture_close(b->f);
        memcpy(bytes + at, copy + at, (apr_size_t)(end - at));
        apr_pool_clear(b->p);
    }
}

static void garbage_after_the_end_is_cut_and_kept(void **state)
{
    recovery_t *b = *state;
    apr_uint64_t end = b->model->records[b->model->count - 1].end;
    const model_record_t *old = &b->model->records[2];
    apr_size_t size, len = 3000, n;
    char *bytes, *garbage = apr_palloc(b->f->p, len);
    int turn, i;

    recovery_killed_journal(b, &bytes, &size);
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
        recovery_damaged_check(b, end, garbage, len, "garbage");
        recovery_image_check(b, b->model->count, NULL, "garbage");
        fixture_close(b->f);
        memset(bytes + end, 0, len);
    }
}

/* ---- damage ---- */

/* What becomes of record `n` when its byte `at` is not what was written. */
static void flip_check(recovery_t *b, const snapshot_t *s, int n, apr_uint64_t at)
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
        recovery_damaged_check(b, r->begin, bytes + r->begin, len, what);
    }
    fixture_close(b->f);
    snapshot_restore(s, b->f);
    bytes[at] ^= (char)(1 << (at % 8));
    recovery_check(b, b->model->count, lost, is_padding ? NULL : "WA043", what);
}

static void a_flipped_byte_takes_its_record_and_no_other(void **state)
{
    recovery_t *b = *state;
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
    recovery_t *b = *state;
    int n;

    for (n = b->model->count / 2; n < b->model->count; n++) {
        const model_record_t *r = &b->model->records[n];
        char *bytes = snapshot_file(b->half, "journal", NULL);
        char lost[MODEL_RECORDS] = {0};

        lost[n] = 1;
        bytes[r->begin + sizeof(wa_record_t) + 1] ^= 4;
        snapshot_restore(b->half, b->f);
        bytes[r->begin + sizeof(wa_record_t) + 1] ^= 4;
        recovery_check(b, b->model->count, lost, "WA043",
                       apr_psprintf(b->f->p, "record %d after the checkpoint", n));
    }
}

/* The index knows what the journal has lost: rows point to records that were cut or set aside. */
static void an_index_ahead_of_the_journal_is_made_again(void **state)
{
    recovery_t *b = *state;
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
    recovery_check(b, b->model->count, NULL, "WA0433", "index of a kill");
    for (n = b->model->count / 2; n < b->model->count; n++) {
        snapshot_restore(mixed, b->f);
        assert_int_equal(truncate(apr_pstrcat(b->p, b->f->directory, "/store/journal", NULL),
                                  (off_t)b->model->records[n].begin),
                         0);
        recovery_check(b, n, NULL, n > b->model->count / 2 ? "WA043" : "",
                       apr_psprintf(b->f->p, "cut before record %d", n));
    }
}

static void zeroed_pages_take_only_what_was_in_them(void **state)
{
    recovery_t *b = *state;
    apr_uint64_t end = b->model->records[b->model->count - 1].end, page;
    apr_size_t size;
    char *bytes, saved[4096];

    recovery_killed_journal(b, &bytes, &size);
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
        recovery_check(b, b->model->count, lost, page + 4096 >= end ? "" : "WA0431",
                       apr_psprintf(b->f->p, "page at %d", (int)page));
    }
}

/* Damage in what the checkpoint holds is found when it is read, never served, and gone after the
 * next start. */
static void damage_before_the_checkpoint_is_found_by_reading_and_healed_by_a_start(void **state)
{
    recovery_t *b = *state;
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
        recovery_image_check(b, b->model->count, lost, apr_psprintf(b->p, "record %d", n));
        if (n + 1 < b->model->count) {
            assert_non_null(strstr(fixture_log(), "WA0431"));
        }
        fixture_close(b->f);
        apr_pool_clear(b->p);
    }
    assert_true(found_late > 0);
}

static int is_divided(const struct CMUnitTest *test)
{
    return test->test_func == the_journal_may_be_cut_at_every_byte_of_its_last_records
           || test->test_func == a_last_record_may_be_torn_at_every_byte
           || test->test_func == a_flipped_byte_takes_its_record_and_no_other;
}

int main(void)
{
    struct CMUnitTest tests[] = {
        ALL_TYPES(what_a_kill_leaves_is_whole),
        ALL_TYPES(a_store_that_was_repaired_takes_messages),
        TEST(the_journal_may_be_cut_at_every_byte_of_its_last_records, "db"),
        TEST(a_last_record_may_be_torn_at_every_byte, "gdbm"),
        TEST(garbage_after_the_end_is_cut_and_kept, "sdbm"),
        TEST(a_flipped_byte_takes_its_record_and_no_other, "db"),
        TEST(a_record_damaged_after_the_checkpoint_leaves_the_index_sound, "gdbm"),
        TEST(an_index_ahead_of_the_journal_is_made_again, "sdbm"),
        TEST(zeroed_pages_take_only_what_was_in_them, "db"),
        TEST(damage_before_the_checkpoint_is_found_by_reading_and_healed_by_a_start, "gdbm"),
    };

    return recovery_run("recovery", tests, sizeof(tests) / sizeof(tests[0]), is_divided);
}
