/* SPDX-License-Identifier: Apache-2.0 */
/* Tests what a store makes of derived files that are hurt, left over or of another type. */
#include "recovery_support.h"

#include "store_quick.h"
#include "test_shard.h"

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
static int file_hurt(recovery_t *b, const char *name, hurt_e how, int turn)
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
static void hurt_check(recovery_t *b, const snapshot_t *s, const char *name, hurt_e how, int turn)
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
    recovery_image_check(b, b->model->count, NULL, what);
    recovery_write_check(b, "after");
    fixture_log_clear();
    fixture_reopen(b->f);
    assert_string_equal(fixture_log(), "");
    fixture_close(b->f);
    apr_pool_clear(b->p);
}

static void every_derived_file_may_be_hurt_in_every_way(void **state)
{
    recovery_t *b = *state;
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
    recovery_t *b = *state;
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
            recovery_image_check(b, b->model->count, NULL, "after the next start");
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
    recovery_t *b = *state;
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
    recovery_image_check(b, b->model->count, NULL, "a mark with a wrong time");
    assert_int_equal(wa_store_changes_list(b->f->store, CHANGES_AFTER(1, 1, change_count, &seen),
                                           &changes, b->p),
                     APR_SUCCESS);
    assert_true(seen > 0);
    assert_non_null(strstr(fixture_log(), "WA0405"));
    fixture_reopen(b->f);
    fixture_log_clear();
    fixture_reopen(b->f);
    recovery_image_check(b, b->model->count, NULL, "after the next start");
    assert_string_equal(fixture_log(), "");
    fixture_close(b->f);
}

static void leftovers_of_a_checkpoint_are_no_trouble(void **state)
{
    recovery_t *b = *state;
    int number;

    for (number = 1; number < 9; number++) {
        snapshot_restore(b->closed, b->f);
        recovery_file_write(b, "CURRENT.new", "half of a", 9);
        if (access(apr_psprintf(b->p, "%s/store/state-%d", b->f->directory, number), F_OK)
            && access(apr_psprintf(b->p, "%s/store/state-%d.pag", b->f->directory, number), F_OK)) {
            recovery_file_write(b, apr_psprintf(b->p, "state-%d", number), "garbage", 7);
            recovery_file_write(b, apr_psprintf(b->p, "state-%d.pag", number), "garbage", 7);
            recovery_file_write(b, apr_psprintf(b->p, "state-%d.dir", number), "garbage", 7);
        }
        fixture_log_clear();
        fixture_open(b->f);
        recovery_image_check(b, b->model->count, NULL, "leftovers");
        recovery_write_check(b, "after");
        fixture_reopen(b->f);
        assert_string_equal(fixture_log(), "");
        assert_int_equal(thread_get(b->f, "+19990001").message_count, 1);
        fixture_close(b->f);
        apr_pool_clear(b->p);
    }
}

static void a_checkpoint_of_another_journal_is_not_believed(void **state)
{
    recovery_t *b = *state;
    recovery_t *other = recovery_create("sdbm");
    snapshot_t *mixed = apr_pmemdup(b->f->p, other->closed, sizeof(*mixed));
    int i;

    for (i = 0; i < mixed->count; i++) {
        if (strcmp(mixed->files[i].name, "journal") == 0) {
            mixed->files[i].bytes = snapshot_file(b->killed, "journal", &mixed->files[i].size);
            mixed->files[i].length = mixed->files[i].size;
        }
    }
    snapshot_restore(mixed, b->f);
    recovery_check(b, b->model->count, NULL, "WA0430", "derived files of another store");
    fixture_destroy(other->f);
}

static void a_journal_shorter_than_its_checkpoint_is_said(void **state)
{
    recovery_t *b = *state;
    int n = b->model->count - 4;

    snapshot_restore(b->closed, b->f);
    assert_int_equal(truncate(apr_pstrcat(b->p, b->f->directory, "/store/journal", NULL),
                              (off_t)b->model->records[n].begin),
                     0);
    recovery_check(b, n, NULL, "WA0435", "shorter than the checkpoint");
}

/* ---- types and modes ---- */

static void the_type_may_change_on_an_existing_store(void **state)
{
    static const char *const types[] = {"db", "gdbm", "sdbm", "db", "sdbm", "gdbm", "db"};
    recovery_t *b = *state;
    const char *before = b->f->type;
    apr_size_t i;

    snapshot_restore(b->killed, b->f);
    for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        b->f->type = types[i];
        fixture_log_clear();
        fixture_open(b->f);
        recovery_image_check(b, b->model->count, NULL, types[i]);
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
    recovery_t *b = *state;
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

static int is_divided(const struct CMUnitTest *test)
{
    return test->test_func == every_derived_file_may_be_hurt_in_every_way
           || test->test_func == every_used_byte_of_the_index_may_flip;
}

int main(void)
{
    struct CMUnitTest tests[] = {
        ALL_TYPES(every_derived_file_may_be_hurt_in_every_way),
        ALL_TYPES(leftovers_of_a_checkpoint_are_no_trouble),
        ALL_TYPES(the_type_may_change_on_an_existing_store),
        ALL_TYPES(all_files_are_for_the_owner_only),
        TEST(every_used_byte_of_the_index_may_flip, "sdbm"),
        TEST(a_mark_that_points_too_far_hides_nothing, "db"),
        TEST(a_checkpoint_of_another_journal_is_not_believed, "gdbm"),
        TEST(a_journal_shorter_than_its_checkpoint_is_said, "sdbm"),
    };

    return recovery_run("derived", tests, sizeof(tests) / sizeof(tests[0]), is_divided);
}
