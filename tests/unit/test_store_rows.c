/* SPDX-License-Identifier: Apache-2.0 */
/* Tests what the index says of a thread's rows, whoever wrote them: the one before, and the hint
 * eight before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "base/hash.h"
#include "store/dbm/dbm.h"
#include "store_support.h"

enum { THREADS = 3 };

/* A store, and how many rows it has. */
typedef struct bench_t {
    fixture_t *f;
    apr_uint64_t rows;
} bench_t;

static const char *counterpart(bench_t *b, unsigned thread)
{
    return apr_psprintf(b->f->p, "+1555000%04u", thread);
}

/* Threads take turns unevenly: the first has half of all rows. */
static unsigned thread_of(apr_uint64_t row)
{
    return row % 2 ? 0 : 1 + (unsigned)(row / 2 % (THREADS - 1));
}

static void add(bench_t *b, unsigned count)
{
    while (count--) {
        b->rows++;
        message_add(b->f, apr_psprintf(b->f->p, "m%" APR_UINT64_T_FMT, b->rows), NULL,
                    counterpart(b, thread_of(b->rows)), WA_DIRECTION_RECEIVED, NULL);
    }
}

/* The row `count` before `row` in its thread, 0 for none. */
static apr_uint64_t before(apr_uint64_t row, int count)
{
    unsigned thread = thread_of(row);

    while (count > 0 && --row > 0) {
        count -= thread_of(row) == thread;
    }
    return row;
}

static void rows_check(bench_t *b)
{
    wa_index_t *index = &WA_DBM_STORE(b->f->store)->index;
    apr_uint64_t row, previous;

    wa_store_version(b->f->store, WA_VERSION_ALL);
    for (row = 1; row <= b->rows; row++) {
        const wa_row_t *entry = wa_index_row(index, row);

        assert_int_equal(wa_index_previous(index, row, entry, &previous), APR_SUCCESS);
        assert_int_equal(previous, before(row, 1));
        assert_int_equal(entry->skip, before(row, WA_ROW_SKIP));
    }
}

static apr_status_t visit(void *baton, const wa_message_t *m, int is_update)
{
    visited_t *v = baton;

    (void)is_update;
    assert_true(v->count < sizeof(v->messages) / sizeof(v->messages[0]));
    v->messages[v->count++] = *m;
    return APR_SUCCESS;
}

/* Every thread read in pages of ten, which must be all its messages, the newest first. */
static void pages_check(bench_t *b)
{
    unsigned thread;

    for (thread = 0; thread < THREADS; thread++) {
        visited_t *v = apr_pcalloc(b->f->p, sizeof(*v));
        wa_page_t page = {NULL, 0};
        apr_uint64_t row;
        apr_size_t i = 0;

        do {
            const char *cursor = page.next_cursor;

            page.next_cursor = NULL;
            assert_int_equal(wa_store_messages_list(b->f->store, counterpart(b, thread), cursor, 10,
                                                    visit, v, &page, b->f->p),
                             APR_SUCCESS);
        } while (page.next_cursor);
        for (row = b->rows; row > 0; row--) {
            if (thread_of(row) == thread) {
                assert_true(i < v->count);
                assert_slice(v->messages[i++].id,
                             apr_psprintf(b->f->p, "m%" APR_UINT64_T_FMT, row));
            }
        }
        assert_int_equal(i, v->count);
    }
}

static const char *file_path(bench_t *b, const char *name)
{
    return apr_pstrcat(b->f->p, b->f->directory, "/store/", name, NULL);
}

static void each_row_leads_to_the_one_before_and_to_the_eighth(void **state)
{
    bench_t *b = *state;

    add(b, 100);
    rows_check(b);
    pages_check(b);
}

/* After a start the replica comes from a checkpoint, which knows each thread's last row only. */
static void they_go_on_after_a_start(void **state)
{
    bench_t *b = *state;
    int i;

    for (i = 0; i < 12; i++) {
        add(b, 11);
        fixture_reopen(b->f);
        assert_string_equal(fixture_log(), "");
    }
    rows_check(b);
    pages_check(b);
}

static void they_are_the_same_whichever_process_writes(void **state)
{
    bench_t *b = *state;
    int i, status;

    for (i = 0; i < 8; i++) {
        pid_t pid;

        add(b, 7);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            wa_store_child_init(b->f->store, b->f->p);
            add(b, 9);
            _exit(0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        b->rows += 9;
    }
    rows_check(b);
    pages_check(b);
}

static void they_are_made_again_from_the_journal(void **state)
{
    bench_t *b = *state;

    add(b, 120);
    fixture_close(b->f);
    assert_int_equal(unlink(file_path(b, "rows")), 0);
    assert_int_equal(unlink(file_path(b, "CURRENT")), 0);
    fixture_open(b->f);
    add(b, 20);
    rows_check(b);
    pages_check(b);
}

/* The version stands in CURRENT; its rows were shorter. */
static void an_index_of_another_version_is_made_again(void **state)
{
    bench_t *b = *state;
    char text[1024], *check;
    ssize_t len;
    int fd;

    add(b, 120);
    fixture_close(b->f);
    fd = open(file_path(b, "CURRENT"), O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    len = read(fd, text, sizeof(text) - 1);
    assert_true(len > 0);
    text[len] = '\0';
    assert_memory_equal(text, "mod_whatsapp checkpoint 6\n", 26);
    text[24] = '4';
    check = strstr(text, "check ");
    assert_non_null(check);
    len = snprintf(check, sizeof(text) - (apr_size_t)(check - text), "check %u\n",
                   wa_crc32c(0, text, (apr_size_t)(check - text)));
    assert_int_equal(pwrite(fd, text, strlen(text), 0), strlen(text));
    assert_int_equal(ftruncate(fd, (off_t)strlen(text)), 0);
    close(fd);
    fd = open(file_path(b, "rows"), O_WRONLY | O_TRUNC | O_CLOEXEC);
    assert_true(fd >= 0);
    memset(text, 7, sizeof(text));
    assert_int_equal(write(fd, text, sizeof(text)), sizeof(text));
    close(fd);
    fixture_open(b->f);
    assert_non_null(strstr(fixture_log(), "WA0437"));
    assert_null(strstr(fixture_log(), "WA0430"));
    rows_check(b);
    pages_check(b);
    fixture_log_clear();
    fixture_reopen(b->f);
    assert_string_equal(fixture_log(), "");
    rows_check(b);
}

/* After an upgrade and a restart that is not enough: the older children still write their rows. */
static void processes_of_another_version_are_not_joined(void **state)
{
    bench_t *b = *state;
    wa_store_retained_t retained = {{0}};
    wa_dbm_retained_t *of_another = wa_dbm_retained(&retained);

    add(b, 20);
    fixture_close(b->f);
    of_another->layout = WA_SHARED_LAYOUT - 1;
    of_another->lock_fd = of_another->shared_fd = -1;
    b->f->retained = &retained;
    assert_int_equal(fixture_open_status(b->f), APR_EINVAL);
    assert_non_null(strstr(b->f->error, "in use by another version of the module"));
    assert_int_equal(of_another->layout, WA_SHARED_LAYOUT - 1);
    b->f->retained = NULL;
    fixture_open(b->f);
    assert_string_equal(fixture_log(), "");
    rows_check(b);
}

static void a_hint_that_is_wrong_changes_no_answer(void **state)
{
    bench_t *b = *state;
    wa_index_t *index;
    apr_uint64_t row, length;

    add(b, 100);
    index = &WA_DBM_STORE(b->f->store)->index;
    for (row = 1; row <= b->rows; row++) {
        const apr_uint64_t wrong[] = {0, row, row + 1, 1, (apr_uint64_t)-1, (apr_uint64_t)1 << 35};

        wa_index_row(index, row)->skip = wrong[row % 6];
    }
    length = index->rows.length;
    pages_check(b);
    assert_int_equal(index->rows.length, length); /* nothing was mapped for them */
}

static int setup(void **state)
{
    static const char *const types[] = {"db", "gdbm", "sdbm"};
    static int turn;
    fixture_t *f = fixture_create(types[turn++ % 3]);
    bench_t *b = apr_pcalloc(f->p, sizeof(*b));

    b->f = f;
    fixture_log_clear();
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    fixture_destroy(((bench_t *)*state)->f);
    return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_row_leads_to_the_one_before_and_to_the_eighth),
        TEST(they_go_on_after_a_start),
        TEST(they_are_the_same_whichever_process_writes),
        TEST(they_are_made_again_from_the_journal),
        TEST(an_index_of_another_version_is_made_again),
        TEST(processes_of_another_version_are_not_joined),
        TEST(a_hint_that_is_wrong_changes_no_answer),
    };
    int failed;

    apr_initialize();
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    apr_terminate();
    return failed;
}
