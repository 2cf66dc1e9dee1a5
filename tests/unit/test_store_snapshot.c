/* SPDX-License-Identifier: Apache-2.0 */
/* Tests that a snapshot of a store reads like the store, and that nothing can be written through it
 * or by it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "store/dbm/operation/damage.h"
#include "store/dbm/lifecycle/open.h"
#include "store/dbm/lifecycle/upkeep.h"
#include "store/dbm/lifecycle/snapshot.h"
#include "store_support.h"

#define THEIRS "+15551230001"

static const char *store_directory(const fixture_t *f)
{
    return WA_DBM_STORE(f->store)->place.directory;
}

/* The directory's files with size and time of the last change. Reading a lock's file changes
 * neither. */
static const char *directory_state(const char *directory, apr_pool_t *p)
{
    struct dirent **entries;
    const char *text = "";
    int i, count = scandir(directory, &entries, NULL, alphasort);
    struct stat info;

    assert_true(count > 2);
    for (i = 0; i < count; i++) {
        const char *path = apr_pstrcat(p, directory, "/", entries[i]->d_name, NULL);

        if (entries[i]->d_name[0] != '.' && stat(path, &info) == 0) {
            text = apr_psprintf(p, "%s%s %ld %ld.%09ld\n", text, entries[i]->d_name,
                                (long)info.st_size, (long)info.st_mtim.tv_sec,
                                (long)info.st_mtim.tv_nsec);
        }
        free(entries[i]);
    }
    free(entries);
    return text;
}

static wa_snapshot_t *snapshot_read(fixture_t *f, int is_quick)
{
    wa_snapshot_options_t options = {.directory = store_directory(f),
                                     .log = WA_DBM_STORE(f->store)->log,
                                     .ops = &wa_store_dbm_ops,
                                     .is_quick = is_quick};
    const char *error = NULL;
    wa_scan_step_t step;
    wa_snapshot_t *snapshot;
    apr_status_t rv;

    assert_int_equal(wa_snapshot_open(&snapshot, &options, &error, f->p), APR_SUCCESS);
    do {
        rv = wa_snapshot_next(snapshot, &step);
    } while (rv == APR_SUCCESS);
    assert_int_equal(rv, APR_EOF);
    wa_snapshot_settle(snapshot);
    return snapshot;
}

static apr_status_t thread_take(void *baton, const wa_thread_t *thread)
{
    *(wa_thread_t *)baton = *thread;
    return APR_SUCCESS;
}

static apr_status_t count_take(void *baton, const wa_message_t *message, int is_update)
{
    (void)message;
    (void)is_update;
    ++*(int *)baton;
    return APR_SUCCESS;
}

static void filled(fixture_t *f)
{
    wa_contact_t contact;

    message_add(f, "in-1", "SM1", THEIRS, WA_DIRECTION_RECEIVED);
    message_keyed_add(f, "out-1", "SM2", THEIRS, "key");
    assert_int_equal(contact_add(f, "c1", THEIRS, "Ada", &contact), APR_SUCCESS);
}

static void a_snapshot_reads_like_the_store(void **state)
{
    fixture_t *f = *state;
    wa_changes_t changes = {0};
    wa_page_t page = {0};
    wa_thread_t thread;
    wa_store_t *seen;
    int count = 0, quick;

    filled(f);
    for (quick = 0; quick < 2; quick++) {
        seen = &snapshot_read(f, quick)->store.base;
        assert_int_equal(wa_store_thread_visit(seen, THEIRS, thread_take, &thread), APR_SUCCESS);
        assert_int_equal(thread.message_count, 2);
        assert_int_equal(thread.unread_count, 1);
        assert_slice(thread.contact_id, "c1");
        count = 0;
        assert_int_equal(wa_store_messages_list(
                             seen, MESSAGES_OF(THEIRS, NULL, 10, count_take, &count), &page, f->p),
                         APR_SUCCESS);
        assert_int_equal(count, 2);
        count = 0;
        assert_int_equal(
            wa_store_changes_list(seen, CHANGES_AFTER(0, 10, count_take, &count), &changes, f->p),
            APR_SUCCESS);
        assert_int_equal(count, 2);
    }
}

static void no_operation_writes_through_a_view(void **state)
{
    fixture_t *f = *state;
    wa_message_new_t m = message_new("in-2", "SM3", THEIRS, WA_DIRECTION_RECEIVED, NULL);
    wa_contact_t contact = {.id = WA_SLICE_LITERAL("c2"),
                            .phone_number = WA_SLICE_LITERAL("+15551230002"),
                            .display_name = WA_SLICE_LITERAL("Bo")};
    const char *before;
    wa_contact_t stored;
    wa_store_t *seen;

    filled(f);
    before = directory_state(store_directory(f), f->p);
    seen = &snapshot_read(f, 0)->store.base;
    assert_int_equal(wa_store_parked_add(seen, "SM9", WA_SLICE_LITERAL("sent"), f->p), APR_TIMEUP);
    assert_int_equal(wa_store_thread_mark_read(seen, THEIRS, f->p), APR_TIMEUP);
    assert_int_equal(wa_store_thread_flags_set(seen, THEIRS, WA_THREAD_BLOCKED, 0, f->p),
                     APR_TIMEUP);
    assert_int_equal(wa_store_contact_add(seen, &contact, &stored, f->p), APR_TIMEUP);
    assert_int_equal(wa_store_contact_delete(seen, "c1", f->p), APR_TIMEUP);
    assert_int_equal(wa_store_message_add(seen, &m, NULL, f->p), APR_TIMEUP);
    assert_string_equal(directory_state(store_directory(f), f->p), before);
    /* The store itself goes on. */
    message_add(f, "in-3", "SM4", THEIRS, WA_DIRECTION_RECEIVED);
}

static void a_view_notes_no_damage_and_makes_no_checkpoint(void **state)
{
    fixture_t *f = *state;
    wa_snapshot_t *snapshot;
    const char *before;

    filled(f);
    assert_int_equal(wa_dbm_checkpoint(WA_DBM_STORE(f->store), f->p), APR_SUCCESS);
    message_add(f, "in-2", "SM3", THEIRS, WA_DIRECTION_RECEIVED);
    before = directory_state(store_directory(f), f->p);
    assert_non_null(strstr(before, "CURRENT"));
    snapshot = snapshot_read(f, 0);
    fixture_log_clear();
    wa_dbm_damage_note(&snapshot->store);
    assert_string_equal(fixture_log(), "");
    assert_int_equal(wa_dbm_checkpoint(&snapshot->store, f->p), APR_EBUSY);
    assert_int_equal(wa_store_maintain(&snapshot->store.base, f->p), APR_SUCCESS);
    assert_string_equal(directory_state(store_directory(f), f->p), before);
    /* It is read-only, not broken: what says that a sync failed or damage was found says
     * nothing. */
    assert_int_equal(snapshot->shared.failed, 0);
    assert_int_equal(snapshot->shared.damaged, 0);
}

static void a_store_that_was_given_up_is_closed_as_it_is(void **state)
{
    fixture_t *f = *state;
    const char *before, *directory = apr_pstrdup(f->p, store_directory(f));
    int has_checkpoint;

    filled(f);
    /* Without news closing would only cut the space ahead, with some it would make a checkpoint. */
    for (has_checkpoint = 1; has_checkpoint >= 0; has_checkpoint--) {
        if (has_checkpoint) {
            assert_int_equal(wa_dbm_checkpoint(WA_DBM_STORE(f->store), f->p), APR_SUCCESS);
        } else {
            message_add(f, "in-2", "SM3", THEIRS, WA_DIRECTION_RECEIVED);
        }
        before = directory_state(directory, f->p);
        wa_dbm_store_abandon(WA_DBM_STORE(f->store));
        fixture_close(f);
        assert_string_equal(directory_state(directory, f->p), before);
        fixture_open(f);
    }
    assert_int_equal(thread_get(f, THEIRS).message_count, 3);
}

static int setup(void **state)
{
    *state = fixture_create("sdbm");
    return 0;
}

static int teardown(void **state)
{
    fixture_destroy(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_snapshot_reads_like_the_store, setup, teardown),
        cmocka_unit_test_setup_teardown(no_operation_writes_through_a_view, setup, teardown),
        cmocka_unit_test_setup_teardown(a_view_notes_no_damage_and_makes_no_checkpoint, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_store_that_was_given_up_is_closed_as_it_is, setup,
                                        teardown),
    };

    apr_initialize();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
