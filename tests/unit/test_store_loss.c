/* SPDX-License-Identifier: Apache-2.0 */
/* Tests what a store makes of a journal without its beginning or its end, or of none at all. */
#include "recovery_support.h"

#include "store_quick.h"

/* ---- the journal's first block ---- */

static void head_refused(recovery_t *b, apr_size_t at, const void *bytes, apr_size_t len,
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
    recovery_t *b = *state;

    head_refused(b, 0, "MOD", 3, "not a journal of mod_whatsapp");
    head_refused(b, 16, &version, sizeof(version), "format version 3");
    head_refused(b, 16, &zero, sizeof(zero), "format version 0");
    head_refused(b, 20, &swapped, sizeof(swapped), "other byte order");
    head_refused(b, 24, &zero, sizeof(zero), "first block");
    head_refused(b, 34, "X", 1, "first block");
    snapshot_restore(b->closed, b->f);
    recovery_check(b, b->model->count, NULL, NULL, "untouched");
}

static void refused_and_untouched(recovery_t *b, const char *sentence)
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
    recovery_t *b = *state;
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
            recovery_file_write(b, "journal", journal, sizes[i]);
            refused_and_untouched(b, sizes[i] ? "was cut to" : "is empty");
            refused_and_untouched(b, "restore a backup"); /* the next start, too */
            recovery_file_write(b, "journal", zeros, sizes[i] + 1);
            refused_and_untouched(b, "holds zeros");
            apr_pool_clear(b->p);
        }
    }
    snapshot_restore(b->closed, b->f);
    recovery_check(b, b->model->count, NULL, NULL, "restored");
}

/* What a kill may leave of the first creation, at any instant. */
static void a_first_creation_that_was_cut_short_begins_anew(void **state)
{
    static const apr_size_t sizes[] = {0, 1, 100, WA_JOURNAL_START - 1, WA_JOURNAL_START};
    recovery_t *b = *state;
    const char *journal = snapshot_file(b->closed, "journal", NULL);
    snapshot_t none;
    apr_size_t i;

    memset(&none, 0, sizeof(none));
    for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        snapshot_restore(&none, b->f);
        recovery_file_write(b, "lock", "", 0);
        recovery_file_write(b, "journal.new", journal, sizes[i]);
        fixture_open(b->f);
        recovery_write_check(b, "first");
        fixture_reopen(b->f);
        assert_int_equal(thread_get(b->f, "+19990001").message_count, 1);
        fixture_close(b->f);
    }
    snapshot_restore(&none, b->f);
    recovery_file_write(b, "journal", journal, WA_JOURNAL_START);
    fixture_open(b->f);
    recovery_write_check(b, "first");
    fixture_close(b->f);
    snapshot_restore(&none, b->f);
    recovery_file_write(b, "journal", "a diary of somebody else", 24);
    assert_int_equal(fixture_open_status(b->f), APR_EINVAL);
}

/* No new one is made beside what was made from the old one. */
static void a_journal_that_is_gone_is_refused(void **state)
{
    static const char *const others[] = {
        "rows", "times", "keys.0", "CURRENT", "journal.before-compact", "journal.before-retime"};
    recovery_t *b = *state;
    snapshot_t none;
    apr_size_t i;

    memset(&none, 0, sizeof(none));
    snapshot_restore(b->closed, b->f);
    assert_int_equal(unlink(apr_pstrcat(b->p, b->f->directory, "/store/journal", NULL)), 0);
    refused_and_untouched(b, "is missing");
    for (i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        snapshot_restore(&none, b->f);
        recovery_file_write(b, others[i], "x", 1);
        refused_and_untouched(b, others[i]);
    }
}

/* The first block is there and nothing else: the checkpoint, which was written after the journal,
 * knows better. */
static void a_journal_that_was_emptied_is_refused(void **state)
{
    recovery_t *b = *state;
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
    recovery_t *b = *state;
    const char *path = apr_pstrcat(b->f->p, b->f->directory, "/store/journal", NULL);
    struct stat info;
    int n, is_zeros;

    for (n = 0; n < b->model->count; n += b->model->count / 3) {
        for (is_zeros = 0; is_zeros < 2; is_zeros++) {
            snapshot_restore(b->killed, b->f);
            assert_int_equal(stat(path, &info), 0);
            assert_int_equal(truncate(path, (off_t)b->model->records[n].begin), 0);
            assert_int_equal(is_zeros ? truncate(path, info.st_size) : 0, 0);
            recovery_check(b, n, NULL, "WA0456", "known to the index only");
        }
    }
}

/* The end is zeros, so the journal is as long as it was. */
static void an_end_that_was_zeroed_is_said(void **state)
{
    recovery_t *b = *state;
    const char *path = apr_pstrcat(b->p, b->f->directory, "/store/journal", NULL);
    int n = b->model->count - 4;
    struct stat info;

    snapshot_restore(b->closed, b->f);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(truncate(path, (off_t)b->model->records[n].begin), 0);
    assert_int_equal(truncate(path, info.st_size), 0);
    recovery_check(b, n, NULL, "WA0456", "zeroed");
}

int main(void)
{
    struct CMUnitTest tests[] = {
        TEST(a_foreign_journal_is_refused_and_left_alone, "db"),
        TEST(a_journal_without_its_first_block_is_refused, "gdbm"),
        TEST(a_first_creation_that_was_cut_short_begins_anew, "sdbm"),
        TEST(a_journal_that_is_gone_is_refused, "db"),
        TEST(a_journal_that_was_emptied_is_refused, "gdbm"),
        TEST(messages_that_only_the_index_knows_are_said, "sdbm"),
        TEST(an_end_that_was_zeroed_is_said, "db"),
    };

    return recovery_run("loss", tests, sizeof(tests) / sizeof(tests[0]), NULL);
}
