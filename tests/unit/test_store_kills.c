/* SPDX-License-Identifier: Apache-2.0 */
/* Tests the store with processes that are killed: at every call, at any instruction, with every
 * lock, again and again. */
#include "store_faults.h"
#include "store_image.h"
#include "store_snapshot.h"

#include <limits.h>
#include <sys/ptrace.h>

/* ---- kills ---- */

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

/* A server that is killed at its n-th call, for every n: what it answered is there, at most one
 * more, and nothing else. */
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
            if (strcmp(found, wanted) != 0 && strcmp(found, more) != 0) {
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

/* Nothing of a dead writer's stands after the end, which a start would take for damage. */
static void tail_check(bench_t *b)
{
    wa_dbm_store_t *store = WA_DBM_STORE(b->f->store);
    apr_uint64_t end = wa_shared_tail(shared(b)).offset, left = shared(b)->reserved_end - end, i;
    const char *bytes = wa_mapping_at(&store->journal.map, end, left);

    assert_non_null(bytes);
    for (i = 0; i < left && i < WA_RECORD_MAX; i++) {
        assert_int_equal(bytes[i], 0);
    }
}

static void child_message(bench_t *b)
{
    wa_store_child_init(b->f->store, b->f->p);
    in_message(b, "of-the-dead");
}

/* One of several processes dies at each call of a commit: the others go on at once and see its
 * message or do not, but nothing else. */
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
                n.preview = n.body = wa_slice_of(op.a);
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
            tail_check(one);
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

/* Who synced died before it could say what readers may see: the next one says it instead of waiting
 * for ever. */
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
    n.preview = n.body = WA_SLICE_LITERAL("synced");
    assert_int_equal(wa_record_message_make(&record, &n, b->p), APR_SUCCESS);
    commit.base = store->replica.at.offset;
    assert_int_equal(wa_order_append(&store->writer, record, &commit), APR_SUCCESS);
    shared(b)->synced = commit.end;
    assert_true(shared(b)->visible < commit.end);
    assert_int_equal(wa_commit_wait(&store->writer, &commit), APR_SUCCESS);
    model_note(b->model, &op, 0, 0);
    sound_check(b, "synced by the dead");
}

/* ---- recovery ---- */

/* Opens the store and goes away without a word, as if killed when it was open. */
static void child_open(bench_t *b)
{
    if (fixture_open_status(b->f) != APR_SUCCESS) {
        _exit(3);
    }
}

typedef enum { STOP_UNCLEAN, STOP_NO_CHECKPOINT, STOP_DAMAGED, STOP_KINDS } stop_e;

/* What an unclean stop leaves, with more wrong as it goes on. The store is closed afterwards. */
static snapshot_t *stopped(bench_t *b, stop_e kind, apr_pool_t *p)
{
    snapshot_t *s = snapshot_take(b->f, p);
    const model_record_t *r = b->model->records;
    char *journal = snapshot_file(s, "journal", NULL);
    char *current = snapshot_file(s, "CURRENT", NULL);

    fixture_close(b->f);
    if (kind >= STOP_NO_CHECKPOINT) {
        current[0] ^= 1;
    }
    if (kind >= STOP_DAMAGED) {
        journal[(r[30].begin + r[30].end) / 2] ^= 1;                      /* in the middle */
        journal[r[b->model->count - 1].begin + sizeof(wa_record_t)] ^= 1; /* the last: torn */
    }
    return s;
}

/* A start is killed at its first call, the next one at its second and so on, each over what the one
 * before left: in the end there is what one start that nobody disturbed makes of it. */
static void recovery_may_die_again_and_again(void **state)
{
    static const fault_e kinds[] = {FAULT_KILL, FAULT_KILL_HALF, FAULT_KILL_AFTER};
    bench_t *b = *state;
    int stop, at, killed;
    apr_size_t k;

    for (stop = 0; stop < STOP_KINDS; stop++) {
        for (k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
            bench_t *one = bench_create(b->f->type, b->op_count - 3);
            snapshot_t *s = stopped(one, (stop_e)stop, one->f->p);
            const char *wanted;

            snapshot_restore(s, one->f);
            fixture_log_clear();
            fixture_open(one->f);
            assert_true((stop >= STOP_NO_CHECKPOINT) == (strstr(fixture_log(), "WA0430") != NULL));
            assert_true((stop >= STOP_DAMAGED) == (strstr(fixture_log(), "WA0431") != NULL));
            wanted = store_image(one->model, one->f, one->f->p);
            fixture_close(one->f);
            snapshot_restore(s, one->f);
            for (at = 1, killed = 1; killed; at += test_step()) {
                fault_set(kinds[k], NULL, at, EIO);
                killed = child_run(one, child_open);
                fault_clear();
            }
            assert_true(at > 10);
            fixture_open(one->f);
            assert_string_equal(store_image(one->model, one->f, one->p), wanted);
            assert_int_equal(in_message(one, "new"), APR_SUCCESS);
            fixture_reopen(one->f);
            munmap(one->acknowledged, sizeof(int));
            fixture_destroy(one->f);
        }
    }
}

/* ---- any instruction ---- */

/* Where a commit is killed: after so many instructions, or after one that changed what processes
 * share for the n-th time. */
typedef struct instant_t {
    long instructions; /* LONG_MAX: no end to them */
    int changes;       /* 0: they do not matter */
} instant_t;

/* Commits one message, and stops before and after it for the one who steps through it. */
static void child_stepped(bench_t *b)
{
    wa_dbm_store_t *store = WA_DBM_STORE(b->f->store);
    const char *id = apr_psprintf(b->f->p, "dead-%d", *b->acknowledged);
    wa_message_new_t n = message_new(id, apr_pstrcat(b->f->p, "SM", id, NULL), "+15551230001",
                                     WA_DIRECTION_RECEIVED, NULL);
    wa_record_t *record;
    wa_commit_t commit;

    memset(&commit, 0, sizeof(commit));
    n.preview = n.body = wa_slice_of(id);
    if (wa_record_message_make(&record, &n, b->f->p) != APR_SUCCESS
        || wa_dbm_check_begin(store, &commit) != APR_SUCCESS
        || ptrace(PTRACE_TRACEME, 0, NULL, NULL)) {
        _exit(3);
    }
    raise(SIGSTOP);
    if (wa_dbm_commit_try(store, record, &commit) != APR_SUCCESS
        || wa_replica_catch_up(&store->replica, store->shared) != APR_SUCCESS) {
        _exit(4);
    }
    raise(SIGSTOP);
}

/* What a process sees of another's work: the shared struct and the next message's row. */
typedef struct seen_t {
    wa_shared_t shared;
    wa_row_t row;
} seen_t;

static void see(bench_t *b, apr_uint64_t row, seen_t *seen)
{
    seen->shared = *shared(b);
    seen->row = *wa_index_row(&WA_DBM_STORE(b->f->store)->index, row);
}

/* Kills a commit at an instant.
 * @return how many instructions it made; *pis_over is 1 when it came to its end first */
static long commit_kill(bench_t *b, const instant_t *instant, int *pis_over)
{
    apr_uint64_t row = wa_shared_tail(shared(b)).rows + 1;
    seen_t before, now;
    long steps = 0;
    int status, changes = 0;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (!pid) {
        child_stepped(b);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
    see(b, row, &before);
    while (steps < instant->instructions && (!instant->changes || changes < instant->changes)) {
        assert_int_equal(ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL), 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSTOPPED(status)); /* it did not exit: that would be a failure */
        if (WSTOPSIG(status) == SIGSTOP) {
            break;
        }
        assert_int_equal(WSTOPSIG(status), SIGTRAP);
        steps++;
        see(b, row, &now);
        changes += memcmp(&now, &before, sizeof(now)) != 0;
        before = now;
    }
    *pis_over = WSTOPSIG(status) == SIGSTOP && steps > 0;
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    return steps;
}

/* After the death of a writer: the next message is taken at once. Notes in the model what became of
 * the dead one's.
 * @return 1 when it is there */
static int next_goes_on(bench_t *b, int turn)
{
    op_t dead = {OP_IN, apr_psprintf(b->f->p, "dead-%d", turn),
                 apr_psprintf(b->f->p, "SMdead-%d", turn), "+15551230001", NULL};
    op_t next = {OP_IN, apr_psprintf(b->f->p, "next-%d", turn),
                 apr_psprintf(b->f->p, "SMnext-%d", turn), "+15551230001", NULL};
    wa_message_new_t n = message_new(next.a, next.b, next.c, WA_DIRECTION_RECEIVED, NULL);
    wa_message_t m;
    int was_there = wa_store_message_find(b->f->store, dead.a, &m, b->p) == APR_SUCCESS;
    int is_there;

    n.preview = n.body = wa_slice_of(next.a);
    assert_int_equal(wa_store_message_add(b->f->store, &n, &m, b->p), APR_SUCCESS);
    is_there = wa_store_message_find(b->f->store, dead.a, &m, b->p) == APR_SUCCESS;
    assert_true(is_there >= was_there);
    if (is_there) {
        model_note(b->model, &dead, 0, 0);
    }
    model_note(b->model, &next, 0, 0);
    return is_there;
}

typedef struct deaths_t {
    int all;   /* one was left to come to its end */
    int there; /* whose message is there */
    int wiped; /* after which there was something to wipe */
} deaths_t;

/* Kills one commit after the other, each at the instant that comes next, until one comes to its end
 * before. */
static deaths_t writers_die(bench_t *b, instant_t first, instant_t step, int limit)
{
    bench_t *one = NULL;
    deaths_t deaths = {0, 0, 0};
    int is_over = 0;

    while (deaths.all < limit && !is_over) {
        if (!one) {
            one = bench_create(b->f->type, 20);
        }
        fixture_log_clear();
        *one->acknowledged = deaths.all;
        commit_kill(one, &first, &is_over);
        first.instructions += step.instructions;
        first.changes += step.changes;
        deaths.there += next_goes_on(one, deaths.all++);
        deaths.wiped += strstr(fixture_log(), "WA0410") != NULL;
        image_check(one, one->model->count, apr_psprintf(one->p, "after %d deaths", deaths.all));
        if (deaths.all % 40 == 0 || is_over || deaths.all == limit) {
            sound_check(one, "after many deaths");
            munmap(one->acknowledged, sizeof(int));
            fixture_destroy(one->f);
            one = NULL;
        }
    }
    return deaths;
}

/* A writer dies right after each instruction of a commit that changes what processes share, and at
 * any others: nobody is blocked, and its message is there whole or not at all. */
static void a_writer_may_die_at_any_instruction(void **state)
{
    const int others = 60;
    bench_t *b = *state;
    instant_t at_the_end = {LONG_MAX, 0}, change = {LONG_MAX, 1}, next = {0, 1};
    instant_t any = {0, 0}, step = {0, 0};
    deaths_t deaths;
    int is_over;
    long whole;

    if (test_step() > 1) {
        /* The steps are the tool's, hundreds for each of ours: a few deaths, wherever they come. */
        step.instructions = 20000;
        writers_die(b, any, step, 8);
        return;
    }
    *b->acknowledged = 0;
    whole = commit_kill(b, &at_the_end, &is_over);
    assert_true(is_over && whole > 500);
    assert_int_equal(next_goes_on(b, 0), 1);
    sound_check(b, "stepped to its end");
    deaths = writers_die(b, change, next, 1000);
    assert_true(deaths.all > 10 && deaths.all < 1000);
    assert_true(deaths.there > 0 && deaths.there < deaths.all);
    assert_true(deaths.wiped > 0 && deaths.wiped < deaths.all);
    any.instructions = getpid() % (whole / others);
    step.instructions = whole / others;
    deaths = writers_die(b, any, step, others);
    assert_true(deaths.there > 0 && deaths.wiped > 0);
}

/* ---- checkpoints ---- */

static void child_checkpoint(bench_t *b)
{
    wa_dbm_checkpoint(WA_DBM_STORE(b->f->store), b->f->p);
}

/* Whoever makes a checkpoint dies at every call of it; the next one is made over what it left, and
 * a start believes only a whole one. */
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
    path = apr_psprintf(b->p, "%s/store/state-%" APR_UINT64_T_FMT, b->f->directory, c.number);
    if (access(path, F_OK) && access(apr_pstrcat(b->p, path, ".pag", NULL), F_OK)) {
        fail_msg("killed at call %d: CURRENT names %s, which is not there", at, path);
    }
}

/* Who made the newest checkpoint died before it could say so: the next one must not be made in its
 * place. */
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(who_dies_with_a_lock_blocks_nobody),
        TEST(a_death_between_synced_and_visible_is_made_good),
        ALL_TYPES(who_makes_a_checkpoint_may_die_at_every_call),
        ALL_TYPES(the_newest_checkpoint_stays_while_the_next_is_made),
        TEST(a_writer_may_die_at_every_call_among_others),
        TEST(every_single_call_may_be_the_last),
        ALL_TYPES(recovery_may_die_again_and_again),
        TEST(a_writer_may_die_at_any_instruction),
    };

    return RUN(tests);
}
