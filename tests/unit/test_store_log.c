/* SPDX-License-Identifier: Apache-2.0 */
/* Tests what stands above the log with a log of another kind: shared by two hosts, slow, refusing,
 * and at times silent about what it did. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "store/dbm/lifecycle/upkeep.h"
#include "store/dbm/operation/write.h"
#include "store_snapshot.h"

#define NUMBER "+15551230001"

enum { HOSTS = 2, SERVER_BYTES = 4 << 20, TIME_LIMIT = 120 };

/* ---- the log: what a database would hold, in memory that all processes share ---- */

typedef enum {
    DO_TAKE,         /* durable, and said so */
    DO_REFUSE,       /* not taken, and said so */
    DO_TAKE_SILENT,  /* durable, and the answer is lost */
    DO_REFUSE_SILENT /* not taken, and the answer is lost */
} what_e;

typedef struct server_t {
    pthread_mutex_t row;     /* robust: the row lock */
    apr_uint64_t end;        /* of the journal; written last */
    apr_uint32_t next;       /* atomic: a what_e for the next call, which takes it */
    apr_uint32_t is_wild;    /* 1: each call does anything */
    apr_uint32_t is_waiting; /* atomic: 1: calls wait until it is 0 */
    apr_uint32_t entered;    /* atomic: how many calls have begun to wait */
    apr_uint32_t refused;    /* atomic: how often somebody else had come first */
    char bytes[SERVER_BYTES];
} server_t;

typedef struct fake_t {
    wa_log_backend_t base;
    wa_log_backend_t *local;
    wa_journal_t *journal;
    server_t *server;
    char *followed; /* what the last follow gave */
    unsigned seed;
} fake_t;

#define FAKE(self) ((fake_t *)(void *)(self))

static char *server_at(server_t *s, apr_uint64_t offset)
{
    return s->bytes + (offset - WA_JOURNAL_START);
}

static void row_lock(server_t *s)
{
    if (pthread_mutex_lock(&s->row) == EOWNERDEAD) {
        pthread_mutex_consistent(&s->row);
    }
}

static what_e what_next(fake_t *f)
{
    int i;

    if (!f->server->is_wild) {
        return (what_e)__atomic_exchange_n(&f->server->next, DO_TAKE, __ATOMIC_SEQ_CST);
    }
    for (i = rand_r(&f->seed) % 20; i > 0; i--) {
        sched_yield();
    }
    i = rand_r(&f->seed) % 10;
    return i < 6 ? DO_TAKE : i == 6 ? DO_REFUSE : i == 7 ? DO_TAKE_SILENT : DO_REFUSE_SILENT;
}

static apr_status_t fake_append(wa_log_backend_t *self, wa_slice_t records, apr_uint64_t offset)
{
    return FAKE(self)->local->ops->append(FAKE(self)->local, records, offset);
}

static apr_status_t fake_wipe(wa_log_backend_t *self, apr_uint64_t from, apr_uint64_t end)
{
    return FAKE(self)->local->ops->wipe(FAKE(self)->local, from, end);
}

static apr_status_t fake_cut(wa_log_backend_t *self, apr_uint64_t end)
{
    return FAKE(self)->local->ops->cut(FAKE(self)->local, end);
}

/* The caller has the row. */
static apr_status_t take(fake_t *f, apr_uint64_t from, apr_uint64_t end, what_e what)
{
    server_t *s = f->server;
    const char *mine = wa_mapping_at(&f->journal->map, from, end - from);
    const apr_uint64_t both = s->end < end ? s->end : end;

    if (s->end < from || memcmp(server_at(s, from), mine, both - from) != 0) {
        __atomic_add_fetch(&s->refused, 1, __ATOMIC_SEQ_CST);
        return APR_EAGAIN;
    }
    if (what == DO_REFUSE && s->end == from) {
        return APR_TIMEUP;
    }
    if (what != DO_REFUSE_SILENT && s->end < end) {
        memcpy(server_at(s, both), mine + (both - from), end - both);
        __atomic_store_n(&s->end, end, __ATOMIC_SEQ_CST);
    }
    return what == DO_TAKE_SILENT || what == DO_REFUSE_SILENT ? APR_INCOMPLETE : APR_SUCCESS;
}

static apr_status_t fake_harden(wa_log_backend_t *self, apr_uint64_t from, apr_uint64_t end)
{
    fake_t *f = FAKE(self);
    const what_e what = what_next(f);
    apr_status_t rv;

    __atomic_add_fetch(&f->server->entered, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&f->server->is_waiting, __ATOMIC_SEQ_CST)) {
        sched_yield();
    }
    row_lock(f->server);
    rv = take(f, from, end, what);
    pthread_mutex_unlock(&f->server->row);
    return rv;
}

static apr_status_t fake_follow(wa_log_backend_t *self, apr_uint64_t from, wa_slice_t *precords)
{
    fake_t *f = FAKE(self);
    server_t *s = f->server;

    row_lock(s);
    *precords = wa_slice_make(f->followed, (apr_size_t)(s->end > from ? s->end - from : 0));
    memcpy(f->followed, server_at(s, from), precords->len);
    pthread_mutex_unlock(&s->row);
    return APR_SUCCESS;
}

static const wa_log_backend_ops_t fake_ops = {
    .name = "fake",
    .has_others = 1,
    .append = fake_append,
    .harden = fake_harden,
    .wipe = fake_wipe,
    .cut = fake_cut,
    .follow = fake_follow,
};

/* ---- two hosts ---- */

typedef struct hosts_t {
    server_t *server;
    fixture_t *f[HOSTS];
    fake_t fake[HOSTS];
    apr_pool_t *p;
} hosts_t;

static wa_dbm_store_t *store_of(hosts_t *h, int host)
{
    return WA_DBM_STORE(h->f[host]->store);
}

static void log_attach(hosts_t *h, int host)
{
    wa_dbm_store_t *store = store_of(h, host);
    fake_t *f = &h->fake[host];

    f->base.ops = &fake_ops;
    f->local = store->writer.backend;
    f->journal = &store->journal;
    f->server = h->server;
    store->writer.backend = &f->base;
}

static void *shared_alloc(apr_size_t size)
{
    void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    assert_true(at != MAP_FAILED);
    return at;
}

static hosts_t *hosts_create(wa_sync_e sync)
{
    pthread_mutexattr_t attr;
    apr_pool_t *p;
    hosts_t *h;
    int i;

    assert_int_equal(apr_pool_create(&p, NULL), APR_SUCCESS);
    h = apr_pcalloc(p, sizeof(*h));
    h->p = p;
    h->server = shared_alloc(sizeof(*h->server));
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&h->server->row, &attr);
    pthread_mutexattr_destroy(&attr);
    h->server->end = WA_JOURNAL_START;
    for (i = 0; i < HOSTS; i++) {
        h->f[i] = fixture_create("sdbm");
        fixture_close(h->f[i]);
        h->f[i]->sync = sync;
        h->fake[i].followed = malloc(SERVER_BYTES);
        h->fake[i].seed = (unsigned)getpid() + (unsigned)i;
        /* One journal: every host has the first block of the first one's. */
        if (i) {
            snapshot_restore(snapshot_take(h->f[0], p), h->f[i]);
        }
        fixture_open(h->f[i]);
        log_attach(h, i);
    }
    fixture_log_clear();
    return h;
}

static void hosts_destroy(hosts_t *h)
{
    int i;

    for (i = 0; i < HOSTS; i++) {
        fixture_destroy(h->f[i]);
        free(h->fake[i].followed);
    }
    munmap(h->server, sizeof(*h->server));
    apr_pool_destroy(h->p);
}

static int setup(void **state)
{
    alarm(TIME_LIMIT * (unsigned)test_step()); /* who waits for ever is found */
    *state = hosts_create(WA_SYNC_ALWAYS);
    return 0;
}

static int teardown(void **state)
{
    alarm(0);
    hosts_destroy(*state);
    return 0;
}

static apr_status_t add_as(hosts_t *h, int host, const char *id, const char *sid, wa_message_t *pm)
{
    wa_message_new_t n = message_new(id, sid, NUMBER, WA_DIRECTION_RECEIVED, NULL);

    return wa_store_message_add(h->f[host]->store, &n, pm, h->p);
}

static apr_status_t add(hosts_t *h, int host, const char *id)
{
    wa_message_t m;

    return add_as(h, host, id, apr_pstrcat(h->p, "SM", id, NULL), &m);
}

static int is_there(hosts_t *h, int host, const char *id)
{
    wa_message_t m;
    apr_status_t rv = wa_store_message_find(h->f[host]->store, id, &m, h->p);

    assert_true(rv == APR_SUCCESS || rv == APR_NOTFOUND);
    return rv == APR_SUCCESS;
}

static apr_int64_t time_of(hosts_t *h, int host, const char *id)
{
    wa_message_t m;

    assert_int_equal(wa_store_message_find(h->f[host]->store, id, &m, h->p), APR_SUCCESS);
    return m.timestamp_ms;
}

static void follow(hosts_t *h, int host)
{
    assert_int_equal(wa_commit_follow(&store_of(h, host)->writer), APR_SUCCESS);
}

/* How many messages the log has with this id. */
static int count_in_log(hosts_t *h, const char *id)
{
    apr_uint64_t at = WA_JOURNAL_START;
    int count = 0;

    while (at < h->server->end) {
        const wa_record_t *r = (const void *)server_at(h->server, at);
        wa_record_message_t m;

        count += r->type == WA_RECORD_MESSAGE && wa_record_message_read(r, &m) == APR_SUCCESS
                 && wa_slice_is_equal(m.id, wa_slice_of(id));
        at += r->length;
    }
    return count;
}

/* Every host has what the log has, byte for byte, nothing behind it, and complains of nothing. */
static void agree_check(hosts_t *h)
{
    int host;

    for (host = 0; host < HOSTS; host++) {
        wa_dbm_store_t *store = store_of(h, host);
        const apr_uint64_t size = h->server->end - WA_JOURNAL_START;
        apr_uint64_t left;
        wa_tail_t tail, replica;

        follow(h, host);
        assert_int_equal(wa_replica_catch_up(&store->replica, store->shared), APR_SUCCESS);
        tail = wa_shared_tail(store->shared);
        replica = store->replica.at;
        assert_true(tail.offset == h->server->end);
        assert_true(store->shared->visible == tail.offset);
        assert_true(tail.records == replica.records && tail.rows == replica.rows);
        assert_true(tail.keys == replica.keys && tail.crc == replica.crc);
        assert_true(tail.timestamp_ms == replica.timestamp_ms);
        assert_memory_equal(wa_mapping_at(&store->journal.map, WA_JOURNAL_START, size),
                            server_at(h->server, WA_JOURNAL_START), size);
        for (left = tail.offset; left < store->shared->reserved_end; left++) {
            assert_int_equal(*(char *)wa_mapping_at(&store->journal.map, left, 1), 0);
        }
    }
    assert_null(strstr(fixture_log(), "WA0411"));
    assert_null(strstr(fixture_log(), "WA0457"));
}

/* ---- nothing is seen before it is durable ---- */

typedef struct adding_t {
    hosts_t *h;
    const char *id;
    apr_status_t rv;
} adding_t;

static void *adding(void *data)
{
    adding_t *a = data;
    wa_message_new_t n = message_new(a->id, NULL, NUMBER, WA_DIRECTION_RECEIVED, NULL);
    apr_pool_t *p;
    wa_message_t m;

    apr_pool_create_unmanaged_ex(&p, NULL, NULL);
    a->rv = wa_store_message_add(a->h->f[0]->store, &n, &m, p);
    apr_pool_destroy(p);
    return NULL;
}

static apr_status_t visit(void *baton, const wa_message_t *m, int is_update)
{
    (void)m;
    *(int *)baton += !is_update;
    return APR_SUCCESS;
}

/* How many messages a poll gives. @param psince  in: since when; out: up to when */
static int poll_since(hosts_t *h, int host, apr_int64_t *psince)
{
    wa_changes_t changes;
    int count = 0;

    memset(&changes, 0, sizeof(changes));
    assert_int_equal(wa_store_changes_list(h->f[host]->store,
                                           CHANGES_AFTER(*psince, 500, visit, &count), &changes,
                                           h->p),
                     APR_SUCCESS);
    assert_true(changes.timestamp_ms >= *psince);
    *psince = changes.timestamp_ms;
    return count;
}

static void seen_only_when_durable(wa_sync_e sync)
{
    hosts_t *h = hosts_create(sync);
    adding_t a = {h, "slow", APR_EGENERAL};
    wa_shared_t *s = store_of(h, 0)->shared;
    apr_int64_t since = 0;
    pthread_t thread;

    assert_int_equal(add(h, 0, "first"), APR_SUCCESS);
    assert_int_equal(poll_since(h, 0, &since), 1);
    h->server->entered = 0;
    h->server->is_waiting = 1;
    assert_int_equal(pthread_create(&thread, NULL, adding, &a), 0);
    while (!__atomic_load_n(&h->server->entered, __ATOMIC_SEQ_CST)) {
        sched_yield();
    }
    assert_true(wa_shared_tail(s).offset > s->visible);
    assert_false(is_there(h, 0, "slow"));
    assert_int_equal(poll_since(h, 0, &since), 0);
    assert_int_equal(thread_get(h->f[0], NUMBER).message_count, 1);
    __atomic_store_n(&h->server->is_waiting, 0, __ATOMIC_SEQ_CST);
    pthread_join(thread, NULL);
    assert_int_equal(a.rv, APR_SUCCESS);
    assert_true(is_there(h, 0, "slow"));
    assert_int_equal(poll_since(h, 0, &since), 1);
    agree_check(h);
    hosts_destroy(h);
}

static void nothing_is_seen_before_it_is_durable(void **state)
{
    (void)state;
    alarm(TIME_LIMIT * (unsigned)test_step());
    seen_only_when_durable(WA_SYNC_ALWAYS);
    seen_only_when_durable(WA_SYNC_OFF);
    seen_only_when_durable(WA_SYNC_INTERVAL);
    alarm(0);
}

/* ---- refusals ---- */

static void what_is_refused_leaves_nothing(void **state)
{
    hosts_t *h = *state;
    apr_uint64_t end;

    assert_int_equal(add(h, 0, "first"), APR_SUCCESS);
    end = wa_shared_tail(store_of(h, 0)->shared).offset;
    h->server->next = DO_REFUSE;
    assert_int_equal(add(h, 0, "refused"), APR_TIMEUP);
    assert_true(wa_shared_tail(store_of(h, 0)->shared).offset == end);
    assert_false(is_there(h, 0, "refused"));
    agree_check(h);
    assert_int_equal(add(h, 0, "again"), APR_SUCCESS);
    assert_int_equal(add(h, 0, "refused"), APR_SUCCESS);
    agree_check(h);
    fixture_reopen(h->f[0]);
    log_attach(h, 0);
    assert_int_equal(count_in_log(h, "refused"), 1);
    assert_true(is_there(h, 0, "refused"));
    agree_check(h);
}

/* Several wait for one batch: all are told. */
static void all_of_a_refused_batch_are_told(void **state)
{
    enum { WRITERS = 6 };
    hosts_t *h = *state;
    adding_t a[WRITERS];
    pthread_t threads[WRITERS];
    wa_shared_t *s = store_of(h, 0)->shared;
    int i, stored = 0;

    h->server->next = DO_REFUSE;
    h->server->is_waiting = 1;
    for (i = 0; i < WRITERS; i++) {
        a[i] = (adding_t){h, apr_psprintf(h->p, "m-%d", i), APR_EGENERAL};
        assert_int_equal(pthread_create(&threads[i], NULL, adding, &a[i]), 0);
    }
    while (wa_shared_tail(s).records < WRITERS) {
        sched_yield();
    }
    __atomic_store_n(&h->server->is_waiting, 0, __ATOMIC_SEQ_CST);
    for (i = 0; i < WRITERS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(a[i].rv, APR_TIMEUP);
        stored += is_there(h, 0, a[i].id);
    }
    assert_int_equal(stored, 0);
    assert_true(h->server->end == WA_JOURNAL_START);
    agree_check(h);
}

/* ---- others came first ---- */

static void others_that_came_first_stand_first(void **state)
{
    hosts_t *h = *state;
    apr_int64_t since = 0, at_b;

    assert_int_equal(add(h, 1, "b-1"), APR_SUCCESS);
    assert_int_equal(add(h, 1, "b-2"), APR_SUCCESS);
    assert_false(is_there(h, 0, "b-1"));
    assert_int_equal(add(h, 0, "a-1"), APR_SUCCESS);
    assert_true(h->server->refused > 0);
    assert_true(is_there(h, 0, "b-1") && is_there(h, 0, "b-2"));
    at_b = time_of(h, 0, "b-2");
    assert_true(at_b > time_of(h, 0, "b-1") && time_of(h, 0, "a-1") > at_b);
    assert_int_equal(poll_since(h, 0, &since), 3);
    assert_false(is_there(h, 1, "a-1"));
    agree_check(h);
    assert_true(is_there(h, 1, "a-1"));
    /* What was answered up to here is closed for all. */
    assert_int_equal(add(h, 1, "b-3"), APR_SUCCESS);
    assert_true(time_of(h, 1, "b-3") > since);
    follow(h, 0);
    assert_int_equal(poll_since(h, 0, &since), 1);
    agree_check(h);
}

/* What is durable is known to others, who may close its millisecond and commit after it: nothing
 * gets the time of a batch that ended, whichever host writes next, though all of this happens
 * within one. */
static void no_two_batches_share_a_millisecond(void **state)
{
    hosts_t *h = *state;
    wa_shared_t *s = store_of(h, 0)->shared;
    apr_int64_t before = 0;
    int i, k;

    for (i = 0; i < 30; i++) {
        adding_t a[2];
        pthread_t threads[2];

        follow(h, 0);
        h->server->entered = 0;
        h->server->is_waiting = 1;
        for (k = 0; k < 2; k++) {
            const apr_uint64_t records = wa_shared_tail(s).records;

            a[k] = (adding_t){h, apr_psprintf(h->p, "a-%d-%d", i, k), APR_EGENERAL};
            assert_int_equal(pthread_create(&threads[k], NULL, adding, &a[k]), 0);
            /* The first one's batch has ended, the second one is for the next. */
            while (!__atomic_load_n(&h->server->entered, __ATOMIC_SEQ_CST)
                   || wa_shared_tail(s).records == records) {
                sched_yield();
            }
        }
        __atomic_store_n(&h->server->is_waiting, 0, __ATOMIC_SEQ_CST);
        for (k = 0; k < 2; k++) {
            pthread_join(threads[k], NULL);
            assert_int_equal(a[k].rv, APR_SUCCESS);
            assert_true(time_of(h, 0, a[k].id) > before);
            before = time_of(h, 0, a[k].id);
        }
        follow(h, 1);
        assert_int_equal(add(h, 1, apr_psprintf(h->p, "b-%d", i)), APR_SUCCESS);
        assert_true(time_of(h, 1, apr_psprintf(h->p, "b-%d", i)) > before);
        before = time_of(h, 1, apr_psprintf(h->p, "b-%d", i));
    }
    agree_check(h);
}

/* Two hosts, each of which has not heard of the other's: checks hold all the same. */
static void checks_hold_over_hosts(void **state)
{
    hosts_t *h = *state;
    wa_contact_t c;
    wa_message_t m;

    assert_int_equal(add_as(h, 1, "theirs", "SMsame", &m), APR_SUCCESS);
    assert_int_equal(add_as(h, 0, "ours", "SMsame", &m), APR_EEXIST);
    assert_slice(m.id, "theirs");
    assert_int_equal(contact_add(h->f[1], "c-1", "+15559990001", "Ana", &c), APR_SUCCESS);
    assert_int_equal(contact_add(h->f[0], "c-2", "+15559990001", "Bo", &c), APR_EEXIST);
    assert_int_equal(wa_store_thread_mark_read(h->f[1]->store, NUMBER, h->p), APR_SUCCESS);
    assert_int_equal(wa_store_thread_flags_set(h->f[0]->store, NUMBER, WA_THREAD_BLOCKED, 0, h->p),
                     APR_SUCCESS);
    assert_int_equal(thread_get(h->f[0], NUMBER).unread_count, 0);
    agree_check(h);
    assert_int_equal(thread_get(h->f[1], NUMBER).flags, WA_THREAD_BLOCKED);
    assert_int_equal(count_in_log(h, "ours"), 0);
}

/* One that cannot come next is another history: it is not taken, and said. */
static void another_history_is_not_taken(void **state)
{
    hosts_t *h = *state;
    wa_record_t *r;

    assert_int_equal(add(h, 0, "first"), APR_SUCCESS);
    assert_int_equal(add(h, 1, "second"), APR_SUCCESS);
    r = (wa_record_t *)(void *)server_at(h->server, wa_shared_tail(store_of(h, 0)->shared).offset);
    r->prev_crc++;
    r->header_crc = wa_record_header_crc(r, wa_shared_tail(store_of(h, 0)->shared).offset,
                                         store_of(h, 0)->journal.salt);
    assert_int_equal(wa_commit_follow(&store_of(h, 0)->writer), APR_EGENERAL);
    assert_non_null(strstr(fixture_log(), "WA0457"));
    assert_false(is_there(h, 0, "second"));
    assert_true(is_there(h, 0, "first"));
}

/* ---- nobody knows ---- */

static void what_nobody_knows_is_told_as_such(void **state)
{
    static const what_e whats[] = {DO_TAKE_SILENT, DO_REFUSE_SILENT};
    hosts_t *h = *state;
    wa_shared_t *s = store_of(h, 0)->shared;
    int i;

    for (i = 0; i < 2; i++) {
        const char *id = apr_psprintf(h->p, "doubt-%d", i);

        h->server->next = whats[i];
        assert_int_equal(add(h, 0, id), APR_INCOMPLETE);
        assert_false(is_there(h, 0, id));
        assert_true(s->visible < wa_shared_tail(s).offset);
        /* The next commit finds out, and nothing is stored twice. */
        assert_int_equal(add(h, 0, apr_psprintf(h->p, "next-%d", i)), APR_SUCCESS);
        assert_true(is_there(h, 0, id));
        assert_int_equal(count_in_log(h, id), 1);
        agree_check(h);
    }
}

/* The same message comes again, as Twilio does: it waits for the first one's outcome. */
static void what_is_in_doubt_is_no_second_time_stored(void **state)
{
    hosts_t *h = *state;

    h->server->next = DO_TAKE_SILENT;
    assert_int_equal(add(h, 0, "doubt"), APR_INCOMPLETE);
    h->server->next = DO_TAKE_SILENT;
    assert_int_equal(add(h, 0, "doubt"), APR_TIMEUP); /* of this one nothing is stored */
    assert_int_equal(add(h, 0, "doubt"), APR_EEXIST);
    assert_int_equal(count_in_log(h, "doubt"), 1);
    agree_check(h);
}

static void others_may_come_before_what_is_in_doubt(void **state)
{
    hosts_t *h = *state;

    h->server->next = DO_REFUSE_SILENT;
    assert_int_equal(add(h, 0, "doubt"), APR_INCOMPLETE);
    assert_int_equal(add(h, 1, "b-1"), APR_SUCCESS);
    assert_int_equal(add(h, 0, "a-1"), APR_SUCCESS);
    assert_false(is_there(h, 0, "doubt"));
    assert_int_equal(count_in_log(h, "doubt"), 0);
    agree_check(h);
    /* And after it, where it was taken; then following is what finds out. */
    h->server->next = DO_TAKE_SILENT;
    assert_int_equal(add(h, 0, "taken"), APR_INCOMPLETE);
    assert_int_equal(add(h, 1, "b-2"), APR_SUCCESS);
    follow(h, 0);
    assert_true(is_there(h, 0, "taken") && is_there(h, 0, "b-2"));
    assert_int_equal(count_in_log(h, "taken"), 1);
    agree_check(h);
}

/* A checkpoint holds nothing that is in doubt. */
static void upkeep_goes_on_beside_doubt(void **state)
{
    hosts_t *h = *state;

    assert_int_equal(add(h, 0, "first"), APR_SUCCESS);
    h->server->next = DO_REFUSE_SILENT;
    assert_int_equal(add(h, 0, "doubt"), APR_INCOMPLETE);
    h->server->next = DO_REFUSE_SILENT;
    assert_int_equal(wa_dbm_checkpoint(store_of(h, 0), h->p), APR_INCOMPLETE);
    assert_int_equal(add(h, 1, "b-1"), APR_SUCCESS);
    assert_int_equal(wa_dbm_checkpoint(store_of(h, 0), h->p), APR_SUCCESS);
    assert_true(store_of(h, 0)->shared->checkpoint_offset == h->server->end);
    assert_false(is_there(h, 0, "doubt"));
    assert_int_equal(add(h, 1, "b-2"), APR_SUCCESS);
    assert_int_equal(wa_store_maintain(h->f[0]->store, h->p), APR_SUCCESS);
    assert_true(is_there(h, 0, "b-2"));
    agree_check(h);
}

/* ---- all of it at once ---- */

enum { PROCESSES = 2, MESSAGES = 60, ALL = HOSTS * PROCESSES * MESSAGES };

/* Shared with the writers, each of which polls from where its last poll ended, on its own host; the
 * last one changes hosts. */
typedef struct storm_t {
    apr_status_t told[ALL];
    apr_uint32_t seen[HOSTS * PROCESSES + 1][ALL];
    apr_int64_t since[HOSTS * PROCESSES + 1];
} storm_t;

typedef struct chain_t {
    storm_t *storm;
    int number;
} chain_t;

static apr_status_t chain_visit(void *baton, const wa_message_t *m, int is_update)
{
    chain_t *c = baton;

    if (!is_update) {
        char id[16] = "";

        memcpy(id, m->id.ptr, m->id.len < sizeof(id) ? m->id.len : sizeof(id) - 1);
        c->storm->seen[c->number][atoi(id + 2)]++; /* after "m-" */
    }
    return APR_SUCCESS;
}

static int chain_poll(hosts_t *h, int host, storm_t *storm, int number)
{
    chain_t c = {storm, number};
    wa_changes_t changes;
    apr_pool_t *p;
    apr_status_t rv;

    apr_pool_create(&p, h->p);
    memset(&changes, 0, sizeof(changes));
    rv = wa_store_changes_list(
        h->f[host]->store, CHANGES_AFTER(storm->since[number], 500, chain_visit, &c), &changes, p);
    apr_pool_destroy(p);
    if (rv == APR_SUCCESS && changes.timestamp_ms > storm->since[number]) {
        storm->since[number] = changes.timestamp_ms;
        return 1;
    }
    return 0;
}

static void storm_write(hosts_t *h, storm_t *storm, int number)
{
    const int host = number % HOSTS;
    int i;

    h->fake[host].seed = (unsigned)getpid();
    for (i = 0; i < MESSAGES; i++) {
        const int index = number * MESSAGES + i;

        storm->told[index] = add(h, host, apr_psprintf(h->p, "m-%d", index));
        chain_poll(h, host, storm, number);
        if (i % 7 == 0) {
            wa_commit_follow(&store_of(h, host)->writer);
        }
    }
    _exit(strstr(fixture_log(), "WA0457") || strstr(fixture_log(), "WA0411") ? 9 : 0);
}

static void times_check(hosts_t *h)
{
    apr_uint64_t at = WA_JOURNAL_START, number = 0;
    apr_int64_t before = 0;

    while (at < h->server->end) {
        const wa_record_t *r = (const void *)server_at(h->server, at);

        assert_true(r->timestamp_ms >= before);
        assert_true(r->number == ++number);
        before = r->timestamp_ms;
        at += r->length;
    }
}

static void promises_hold_in_a_storm(void **state)
{
    hosts_t *h = *state;
    storm_t *storm = shared_alloc(sizeof(*storm));
    const int moving = HOSTS * PROCESSES;
    int i, k, status, running = HOSTS * PROCESSES, told[3] = {0, 0, 0};

    h->server->is_wild = 1;
    for (i = 0; i < HOSTS * PROCESSES; i++) {
        const pid_t pid = fork();

        assert_true(pid >= 0);
        if (!pid) {
            storm_write(h, storm, i);
        }
    }
    for (i = 0; running; i++) {
        const pid_t pid = waitpid(-1, &status, WNOHANG);

        if (pid > 0) {
            assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
            running--;
        }
        /* A client that changes hosts: the host that it comes to hears of the newest first. */
        wa_commit_follow(&store_of(h, i % HOSTS)->writer);
        chain_poll(h, i % HOSTS, storm, moving);
        sched_yield();
    }
    h->server->is_wild = 0;
    /* A last batch that nobody can know of is still at the end: the next sync settles it. */
    for (i = 0; i < HOSTS; i++) {
        assert_int_equal(wa_commit_sync(&store_of(h, i)->writer, 1), APR_SUCCESS);
    }
    agree_check(h);
    times_check(h);
    for (k = 0; k <= moving; k++) {
        while (chain_poll(h, k % HOSTS, storm, k)) {
            continue;
        }
    }
    for (i = 0; i < ALL; i++) {
        const int count = count_in_log(h, apr_psprintf(h->p, "m-%d", i));

        /* Who had to try again, because a batch was hardened in part, may find its own message. */
        const int is_there = storm->told[i] == APR_SUCCESS || storm->told[i] == APR_EEXIST;

        if (!is_there && storm->told[i] != APR_TIMEUP && storm->told[i] != APR_INCOMPLETE) {
            fail_msg("m-%d was told %d", i, storm->told[i]);
        }
        assert_true(count == is_there || (storm->told[i] == APR_INCOMPLETE && count == 1));
        for (k = 0; k <= moving; k++) {
            if (storm->seen[k][i] != (apr_uint32_t)count) {
                fail_msg("m-%d is %d times in the log, and client %d saw it %u times", i, count, k,
                         storm->seen[k][i]);
            }
        }
        told[0] += storm->told[i] == APR_SUCCESS;
        told[1] += storm->told[i] == APR_TIMEUP;
        told[2] += storm->told[i] == APR_INCOMPLETE;
    }
    assert_true(told[0] > ALL / 4 && told[1] > 0 && told[2] > 0);
    assert_true(h->server->refused > 0);
    munmap(storm, sizeof(*storm));
}

/* ---- deaths ---- */

/* Commits one message that others come before, step by step. */
static void child_stepped(hosts_t *h, const char *id)
{
    const char *sid = apr_pstrcat(h->p, "SM", id, NULL);
    wa_message_t m;

    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL)) {
        _exit(3);
    }
    raise(SIGSTOP);
    if (add_as(h, 0, id, sid, &m) != APR_SUCCESS) {
        _exit(4);
    }
    raise(SIGSTOP);
    _exit(0);
}

/* Kills it right after `changes` changes of what the host's processes share, or `steps`
 * instructions, whichever comes first.
 * @return 1 when it came to its end first */
static int stepped_kill(hosts_t *h, const char *id, int changes, long steps)
{
    const wa_shared_t *s = store_of(h, 0)->shared;
    wa_shared_t before = *s;
    int status, is_over;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (!pid) {
        child_stepped(h, id);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
    do {
        assert_int_equal(ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL), 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSTOPPED(status));
        is_over = WSTOPSIG(status) == SIGSTOP;
        if (memcmp(&before, s, sizeof(before)) != 0) {
            before = *s;
            changes--;
        }
    } while (!is_over && changes > 0 && --steps > 0);
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    return is_over;
}

/* After a death at any place of being refused, wiping, following and trying again: nobody is
 * blocked, the hosts agree, and the message is there on all or on none.
 * @return 1 when it is there */
static int death_check(hosts_t *h, int turn, const char *dead)
{
    int was = is_there(h, 0, dead), is;

    assert_int_equal(add(h, 0, apr_psprintf(h->p, "next-%d", turn)), APR_SUCCESS);
    agree_check(h);
    is = is_there(h, 0, dead);
    assert_true(is >= was);
    assert_int_equal(count_in_log(h, dead), is);
    return is;
}

static void a_writer_that_is_refused_may_die_at_any_instruction(void **state)
{
    hosts_t *h = *state;
    int turn, is_over = 0, there = 0, refused = 0;
    long many = test_step() > 1 ? 400000 : 4000000;

    for (turn = 1; !is_over && turn < (test_step() > 1 ? 4 : 400); turn++) {
        const char *dead = apr_psprintf(h->p, "dead-%d", turn);

        /* Two of its own host are in doubt, the other host comes first: all that there is to do
         * comes at once. */
        h->server->next = DO_REFUSE_SILENT;
        assert_int_equal(add(h, 0, apr_psprintf(h->p, "doubt-%d", turn)), APR_INCOMPLETE);
        assert_int_equal(add(h, 1, apr_psprintf(h->p, "b-%d", turn)), APR_SUCCESS);
        h->server->refused = 0;
        is_over = stepped_kill(h, dead, turn, many);
        refused += h->server->refused > 0;
        there += death_check(h, turn, dead);
        assert_int_equal(count_in_log(h, apr_psprintf(h->p, "b-%d", turn)), 1);
        fixture_log_clear();
    }
    if (test_step() == 1) {
        assert_true(is_over);
        assert_true(turn > 20);
        assert_true(there > 0 && there < turn - 1 && refused > 0 && refused < turn);
    }
}

int main(void)
{
#define HOSTS_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_seen_before_it_is_durable),
        HOSTS_TEST(what_is_refused_leaves_nothing),
        HOSTS_TEST(all_of_a_refused_batch_are_told),
        HOSTS_TEST(others_that_came_first_stand_first),
        HOSTS_TEST(no_two_batches_share_a_millisecond),
        HOSTS_TEST(checks_hold_over_hosts),
        HOSTS_TEST(another_history_is_not_taken),
        HOSTS_TEST(what_nobody_knows_is_told_as_such),
        HOSTS_TEST(what_is_in_doubt_is_no_second_time_stored),
        HOSTS_TEST(others_may_come_before_what_is_in_doubt),
        HOSTS_TEST(upkeep_goes_on_beside_doubt),
        HOSTS_TEST(promises_hold_in_a_storm),
        HOSTS_TEST(a_writer_that_is_refused_may_die_at_any_instruction),
    };

    apr_initialize();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
