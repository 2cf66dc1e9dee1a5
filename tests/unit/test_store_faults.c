/* SPDX-License-Identifier: Apache-2.0 */
/* Tests the store with an operating system whose calls fail: each of them, and all together. */
#include "store_faults.h"
#include "store_snapshot.h"

/* ---- errors ---- */

static void a_failed_sync_stops_writing_but_not_reading(void **state)
{
    bench_t *b = *state;
    wa_commit_t all;

    fault_set(FAULT_ERROR, "fdatasync", 1, EIO);
    assert_int_equal(in_message(b, "lost"), APR_TIMEUP);
    assert_int_equal(fault.seen, 1);
    assert_non_null(strstr(fixture_log(), "WA0411"));
    fixture_log_clear();
    /* the kernel would let the next sync succeed: nobody may be told so */
    assert_int_equal(wa_commit_sync(&WA_DBM_STORE(b->f->store)->writer, 1), APR_TIMEUP);
    memset(&all, 0, sizeof(all));
    all.end = wa_shared_tail(shared(b)).offset;
    assert_int_equal(wa_commit_wait(&WA_DBM_STORE(b->f->store)->writer, &all), APR_TIMEUP);
    assert_int_equal(in_message(b, "lost-2"), APR_TIMEUP);
    assert_int_equal(wa_store_maintain(b->f->store, b->p), APR_SUCCESS);
    assert_string_equal(fixture_log(), "");
    image_check(b, b->model->count, "after the failed sync");
    fixture_reopen(b->f);
    image_check(b, b->model->count, "after the next start");
    assert_int_equal(in_message(b, "kept"), APR_SUCCESS);
    sound_check(b, "writing again");
}

/* Two writers wait for the same sync: it fails for one, and the other must not be told that its
 * record is stored. */
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
    assert_int_equal(wa_order_append(&store->writer, record, &commit), APR_SUCCESS);
    fault_set(FAULT_ERROR, "fdatasync", 1, EIO);
    assert_int_equal(in_message(b, "lost"), APR_TIMEUP);
    assert_int_equal(wa_commit_wait(&store->writer, &commit), APR_TIMEUP);
    image_check(b, b->model->count, "two waited");
    fixture_reopen(b->f);
    image_check(b, b->model->count, "after the next start");
}

/* After WhatsAppSync was changed and the server restarted gracefully, generations that sync and
 * that do not write at once: what the one that always syncs answers is on the disk, though the
 * other shows it at once. */
static void always_means_always_beside_others_that_do_not(void **state)
{
    bench_t *b = *state;
    wa_dbm_store_t *store = WA_DBM_STORE(b->f->store);
    wa_log_writer_t other = store->writer;
    wa_message_new_t n = message_new("always", NULL, "+15551230001", WA_DIRECTION_RECEIVED, NULL);
    wa_message_new_t m = message_new("off", NULL, "+15551230002", WA_DIRECTION_RECEIVED, NULL);
    wa_record_t *record;
    wa_commit_t mine, theirs;

    memset(&mine, 0, sizeof(mine));
    assert_int_equal(wa_record_message_make(&record, &n, b->p), APR_SUCCESS);
    mine.base = store->replica.at.offset;
    theirs = mine;
    assert_int_equal(wa_order_append(&store->writer, record, &mine), APR_SUCCESS);
    other.sync = WA_SYNC_OFF;
    assert_int_equal(wa_record_message_make(&record, &m, b->p), APR_SUCCESS);
    theirs.base = mine.end;
    assert_int_equal(wa_order_append(&other, record, &theirs), APR_SUCCESS);
    assert_int_equal(wa_commit_wait(&other, &theirs), APR_SUCCESS);
    assert_true(shared(b)->visible >= mine.end);
    fault_set(FAULT_ERROR, "fdatasync", 1, EIO);
    assert_int_equal(wa_commit_wait(&store->writer, &mine), APR_TIMEUP);
    assert_int_equal(fault.seen, 1);
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

    /* As if all that was allocated ahead is used. */
    shared(b)->reserved_end = wa_shared_tail(shared(b)).offset;
    assert_int_equal(ftruncate(store->journal.map.fd, (off_t)shared(b)->reserved_end), 0);
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

/* Each call of a whole life fails once: what was answered with success is there, what was not is
 * not. */
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

/* ---- a process that is behind another ---- */

static apr_status_t merge_state(void *baton, const wa_message_t *now, wa_message_state_t *next,
                                apr_pool_t *p)
{
    (void)now;
    (void)p;
    next->status = WA_STATUS_FAILED;
    next->sid = baton;
    next->delivery = WA_SLICE_LITERAL("failed 99");
    return APR_SUCCESS;
}

static void child_update(bench_t *b)
{
    wa_message_t m;

    wa_store_child_init(b->f->store, b->f->p);
    if (wa_store_message_update(b->f->store, UPDATE_OF("out-1", merge_state, (void *)"SMnewer"), &m,
                                b->f->p)
        != APR_SUCCESS) {
        _exit(5);
    }
}

/* Another process has noted a state that this one has not come to: it goes on with the one it
 * knows. */
static void a_state_from_ahead_is_no_damage(void **state)
{
    bench_t *b = *state;
    wa_dbm_store_t *store = WA_DBM_STORE(b->f->store);
    wa_message_t before, now;
    apr_uint64_t row, found;

    assert_int_equal(wa_store_message_find(b->f->store, "out-1", &before, b->p), APR_SUCCESS);
    assert_int_equal(wa_dbm_key_find(store, "id", wa_slice_of("out-1"), &row), APR_SUCCESS);
    assert_int_equal(child_run(b, child_update), 0);
    /* no catching up in these two */
    assert_int_equal(wa_dbm_message_get(store, row, &now), APR_SUCCESS);
    assert_int_equal(now.status, before.status);
    assert_int_equal(wa_dbm_key_find(store, "sid", wa_slice_of("SMout1"), &found), APR_SUCCESS);
    assert_int_equal(found, row);
    assert_string_equal(fixture_log(), "");
    assert_int_equal(wa_store_message_find(b->f->store, "out-1", &now, b->p), APR_SUCCESS);
    assert_int_equal(now.status, WA_STATUS_FAILED);
    assert_int_equal(wa_store_message_find(b->f->store, "SMnewer", &now, b->p), APR_SUCCESS);
}

/* A slow process applies a message's record when another has applied its change already: the change
 * stays. */
static void a_late_apply_takes_no_state_away(void **state)
{
    bench_t *b = *state;
    wa_dbm_store_t *store = WA_DBM_STORE(b->f->store);
    wa_replica_t late;
    wa_row_t *entry;
    wa_message_t m;
    apr_uint64_t row, offset;

    assert_int_equal(wa_dbm_key_find(store, "id", wa_slice_of("out-1"), &row), APR_SUCCESS);
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
            fault.path = strcmp(calls[i], "fdatasync") == 0 ? "/rows" : NULL;
            fixture_log_clear();
            rv = wa_dbm_checkpoint(store, b->p);
            fault_clear();
            failed += rv != APR_SUCCESS;
            assert_true(rv == APR_SUCCESS || strstr(fixture_log(), "WA0420")
                        || strstr(fixture_log(), "WA0442"));
            image_check(b, b->model->count, "after a failed checkpoint");
        }
    }
    assert_true(failed >= 4);
    fixture_log_clear();
    sound_check(b, "after failed checkpoints");
    assert_string_equal(fixture_log(), "");
}

/* apr_dbm does not tell when its writes fail: what it wrote is read back before it is believed,
 * wherever the disk was full. */
static void a_checkpoint_on_a_full_disk_is_not_believed(void **state)
{
    bench_t *b = *state;
    struct rlimit old, small;
    apr_status_t rv = APR_EGENERAL;
    int failed = 0, first_free, fd;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    signal(SIGXFSZ, SIG_IGN);
    small = old;
    first_free = dup(0);
    close(first_free);
    for (small.rlim_cur = 0; rv != APR_SUCCESS; small.rlim_cur += (rlim_t)(200 * test_step())) {
        fixture_log_clear();
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
        rv = wa_dbm_checkpoint(WA_DBM_STORE(b->f->store), b->p);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
        fd = dup(0);
        assert_int_equal(fd, first_free); /* no file was left open: it may be tried for days */
        close(fd);
        failed += rv != APR_SUCCESS;
        assert_true((rv == APR_SUCCESS) == (strstr(fixture_log(), "WA0420") == NULL));
        image_check(b, b->model->count, "after a checkpoint on a full disk");
        if (rv != APR_SUCCESS && failed % 16 == 1) {
            snapshot_t *s = snapshot_take(b->f, b->f->p);

            fixture_close(b->f);
            snapshot_restore(s, b->f); /* everything was killed right then */
            fixture_open(b->f);
            assert_null(strstr(fixture_log(), "WA0430"));
            assert_int_equal(in_message(b, apr_psprintf(b->f->p, "later-%d", failed)), APR_SUCCESS);
            first_free = dup(0);
            close(first_free);
        }
    }
    assert_true(failed > 0);
    fixture_log_clear();
    sound_check(b, "after a full disk");
    assert_string_equal(fixture_log(), "");
}

/* ---- owning ---- */

static void a_failed_open_gives_the_directory_back(void **state)
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_failed_sync_stops_writing_but_not_reading),
        TEST(a_sync_that_failed_for_one_failed_for_all),
        TEST(always_means_always_beside_others_that_do_not),
        TEST(a_write_that_fails_stores_nothing),
        TEST(a_full_disk_refuses_and_recovers),
        TEST(a_state_from_ahead_is_no_damage),
        TEST(a_late_apply_takes_no_state_away),
        TEST(a_failed_open_gives_the_directory_back),
        ALL_TYPES(a_checkpoint_that_cannot_be_finished_leaves_the_one_before),
        ALL_TYPES(a_checkpoint_on_a_full_disk_is_not_believed),
        ALL_TYPES(every_single_call_may_fail),
    };

    return RUN(tests);
}
