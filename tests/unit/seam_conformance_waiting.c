/* SPDX-License-Identifier: Apache-2.0 */
/* What store.h promises of waiting, and of threads that use one store together. */
#include "seam_conformance.h"

#include <pthread.h>

#define LONG apr_time_from_sec(600)

static apr_uint64_t version_get(seam_t *seam)
{
    return wa_store_version(seam->store, WA_VERSION_ALL);
}

static void a_wait_ends_at_once_or_in_time(seam_t *seam)
{
    apr_uint64_t version = version_get(seam);

    assert_int_equal(wa_store_wait(seam->store, version, 0), APR_TIMEUP);
    assert_int_equal(wa_store_wait(seam->store, version, -1), APR_TIMEUP);
    assert_int_equal(wa_store_wait(seam->store, version, 2000), APR_TIMEUP);
    seam_add(seam, "a", NULL, SEAM_ANA, WA_DIRECTION_SENT);
    assert_int_equal(wa_store_wait(seam->store, version, LONG), APR_SUCCESS);
    assert_int_equal(wa_store_wait(seam->store, version, 0), APR_SUCCESS);
    version = version_get(seam);
    assert_int_equal(wa_store_wait(seam->store, version, 0), APR_TIMEUP);
    /* what commits nothing is no news */
    assert_int_equal(wa_store_thread_mark_read(seam->store, SEAM_ANA, seam->p), APR_SUCCESS);
    assert_int_equal(wa_store_wait(seam->store, version, 1000), APR_TIMEUP);
}

/* One of two that answer each other by commits, each asleep until the other one's. */
typedef struct player_t {
    wa_store_t *store;
    int *pturn; /* atomic: whose turn it is */
    int number;
    int rounds;
} player_t;

static void *player_main(void *data)
{
    player_t *player = data;
    apr_pool_t *p;
    int i;

    apr_pool_create(&p, NULL);
    for (i = 0; i < player->rounds; i++) {
        for (;;) {
            const apr_uint64_t version = wa_store_version(player->store, WA_VERSION_ALL);

            if (__atomic_load_n(player->pturn, __ATOMIC_SEQ_CST) % 2 == player->number) {
                break;
            }
            if (wa_store_wait(player->store, version, LONG) != APR_SUCCESS) {
                return player; /* waited in vain */
            }
        }
        apr_pool_clear(p);
        __atomic_add_fetch(player->pturn, 1, __ATOMIC_SEQ_CST);
        if (wa_store_parked_add(player->store, apr_psprintf(p, "%d.%d", player->number, i),
                                wa_slice_of("v"), p)
            != APR_SUCCESS) {
            return player; /* could not commit */
        }
    }
    apr_pool_destroy(p);
    return NULL;
}

/* None of many hundred commits is slept through: else this would not end. */
static void threads_wake_each_other(seam_t *seam)
{
    int turn = 0;
    player_t players[2] = {{seam->store, &turn, 0, 500}, {seam->store, &turn, 1, 500}};
    pthread_t other;
    void *trouble;

    assert_int_equal(pthread_create(&other, NULL, player_main, &players[1]), 0);
    assert_null(player_main(&players[0]));
    assert_int_equal(pthread_join(other, &trouble), 0);
    assert_null(trouble);
    assert_int_equal(turn, 1000);
}

typedef struct sleeper_t {
    wa_store_t *store;
    apr_uint64_t version;
    apr_status_t rv;
} sleeper_t;

static void *sleeper_main(void *data)
{
    sleeper_t *sleeper = data;

    sleeper->rv = wa_store_wait(sleeper->store, sleeper->version, LONG);
    return NULL;
}

static void sleepers_run(seam_t *seam, int is_end, apr_status_t expected)
{
    sleeper_t sleepers[20];
    pthread_t threads[20];
    int i;

    for (i = 0; i < 20; i++) {
        sleepers[i] = (sleeper_t){seam->store, version_get(seam), APR_EGENERAL};
        assert_int_equal(pthread_create(&threads[i], NULL, sleeper_main, &sleepers[i]), 0);
    }
    if (is_end) {
        wa_store_wait_end(seam->store);
    } else {
        seam_add(seam, "a", NULL, SEAM_ANA, WA_DIRECTION_SENT);
    }
    for (i = 0; i < 20; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(sleepers[i].rv, expected);
    }
}

static void one_commit_wakes_all(seam_t *seam)
{
    sleepers_run(seam, 0, APR_SUCCESS);
}

static void the_end_wakes_all_for_good(seam_t *seam)
{
    apr_uint64_t version = version_get(seam);

    sleepers_run(seam, 1, APR_EINTR);
    assert_int_equal(wa_store_wait(seam->store, version, LONG), APR_EINTR);
    /* all else goes on */
    seam_add(seam, "a", NULL, SEAM_ANA, WA_DIRECTION_SENT);
    assert_int_equal(wa_store_wait(seam->store, version, LONG), APR_SUCCESS);
}

/* Each adds its own letter to one message, and takes part in the race for one sid. */
typedef struct racer_t {
    wa_store_t *store;
    int number;
    int stored;
    const char *trouble;
} racer_t;

static apr_status_t letter_add(void *baton, const wa_message_t *now, wa_message_state_t *next,
                               apr_pool_t *p)
{
    const racer_t *racer = baton;

    next->delivery = wa_slice_of(
        apr_psprintf(p, "%s%c", wa_slice_string(now->delivery, p), 'a' + racer->number));
    return APR_SUCCESS;
}

static void *racer_main(void *data)
{
    racer_t *racer = data;
    apr_pool_t *p;
    int i;

    apr_pool_create(&p, NULL);
    for (i = 0; i < 100; i++) {
        wa_message_new_t new;
        wa_message_t m;
        apr_status_t rv;

        apr_pool_clear(p);
        new = message_new(apr_psprintf(p, "%d-%d", racer->number, i), apr_psprintf(p, "SM%d", i),
                          SEAM_BEA, WA_DIRECTION_RECEIVED, NULL);
        rv = wa_store_message_add(racer->store, &new, &m, p);
        racer->stored += rv == APR_SUCCESS;
        if (rv != APR_SUCCESS && !APR_STATUS_IS_EEXIST(rv)) {
            racer->trouble = "could not add";
        }
        rv = wa_store_message_update(racer->store, UPDATE_OF("a", letter_add, racer), &m, p);
        if (rv != APR_SUCCESS) {
            racer->trouble = "could not update";
        }
    }
    apr_pool_destroy(p);
    return NULL;
}

static void what_threads_do_at_once_is_each_done_once(seam_t *seam)
{
    racer_t racers[4];
    pthread_t threads[4];
    wa_message_t m;
    int i, stored = 0, letters[4] = {0};

    seam_add(seam, "a", NULL, SEAM_ANA, WA_DIRECTION_SENT);
    seam_state_set(seam, "a", WA_STATUS_PENDING, NULL, "");
    for (i = 0; i < 4; i++) {
        racers[i] = (racer_t){seam->store, i, 0, NULL};
        assert_int_equal(pthread_create(&threads[i], NULL, racer_main, &racers[i]), 0);
    }
    for (i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_null(racers[i].trouble);
        stored += racers[i].stored;
    }
    assert_int_equal(stored, 100);
    assert_int_equal(seam_thread(seam, SEAM_BEA).message_count, 100);
    m = seam_find(seam, "a");
    assert_int_equal(m.delivery.len, 400);
    for (i = 0; i < 400; i++) {
        letters[m.delivery.ptr[i] - 'a']++;
    }
    for (i = 0; i < 4; i++) {
        assert_int_equal(letters[i], 100);
    }
}

const seam_case_t seam_cases_waiting[] = {
    {"a wait ends at once or in time", a_wait_ends_at_once_or_in_time},
    {"threads wake each other", threads_wake_each_other},
    {"one commit wakes all", one_commit_wakes_all},
    {"the end wakes all for good", the_end_wakes_all_for_good},
    {"what threads do at once is each done once", what_threads_do_at_once_is_each_done_once},
    {NULL, NULL},
};
