/* SPDX-License-Identifier: Apache-2.0 */
/* What store.h promises of time and of visitors: in order, closed once told, each change once. */
#include "seam_conformance.h"

#include "base/clock.h"

apr_int64_t seam_poll(seam_t *seam, apr_int64_t since_ms, apr_size_t max, seam_list_t *list,
                      wa_changes_t *changes)
{
    assert_int_equal(wa_store_changes_list(seam->store,
                                           CHANGES_AFTER(since_ms, max, seam_list_visit, list),
                                           changes, seam->p),
                     APR_SUCCESS);
    return changes->timestamp_ms;
}

apr_int64_t seam_time(seam_t *seam)
{
    seam_list_t *list = seam_list_create(seam);
    wa_changes_t changes;
    apr_int64_t t;

    do {
        t = seam_poll(seam, APR_INT64_MAX, 1, list, &changes);
        assert_false(changes.has_more);
    } while (changes.is_held_back);
    seam_list_assert(list, "");
    return t;
}

/* ---- times ---- */

static void times_grow_and_are_the_clocks(seam_t *seam)
{
    const apr_int64_t before = wa_clock_now_ms();
    apr_int64_t last = 0;
    wa_message_t m;
    int i;

    for (i = 0; i < 600; i++) {
        m = seam_add(seam, apr_psprintf(seam->p, "m%d", i), NULL, SEAM_ANA, WA_DIRECTION_RECEIVED);
        assert_true(m.timestamp_ms >= last);
        assert_in_range(m.date_ms, before - 1000, wa_clock_now_ms());
        last = m.timestamp_ms;
    }
    assert_in_range(last, before, wa_clock_now_ms() + 2);
    assert_int_equal(seam_time(seam), last);
}

static apr_status_t time_add(seam_t *seam, const char *id, apr_int64_t ms, wa_message_t *m)
{
    wa_message_new_t new = message_new(id, NULL, SEAM_ANA, WA_DIRECTION_RECEIVED, NULL);

    new.timestamp_ms = ms;
    return wa_store_message_add(seam->store, &new, m, seam->p);
}

static void a_given_time_is_kept_unless_it_is_over(seam_t *seam)
{
    seam_list_t *list = seam_list_create(seam);
    wa_changes_t changes;
    wa_message_t m;

    assert_int_equal(time_add(seam, "a", 1000, &m), APR_SUCCESS);
    assert_int_equal(m.timestamp_ms, 1000);
    assert_int_equal(time_add(seam, "b", 1000, &m), APR_SUCCESS);
    assert_int_equal(time_add(seam, "c", 999, &m), APR_EINVAL);
    assert_int_equal(seam_time(seam), 1000);
    /* told: nothing comes at that time any more */
    assert_int_equal(time_add(seam, "c", 1000, &m), APR_EINVAL);
    assert_int_equal(time_add(seam, "d", 1001, &m), APR_SUCCESS);
    assert_int_equal(m.timestamp_ms, 1001);
    assert_int_equal(seam_poll(seam, 1000, 9, list, &changes), 1001);
    seam_list_assert(list, "d");
    assert_true(seam_add(seam, "e", NULL, SEAM_ANA, WA_DIRECTION_RECEIVED).timestamp_ms > 1001);
}

static void a_date_of_its_own_is_kept(seam_t *seam)
{
    wa_message_new_t new = message_new("a", NULL, SEAM_ANA, WA_DIRECTION_RECEIVED, NULL);
    const apr_int64_t now = wa_clock_now_ms();
    wa_thread_t row;
    wa_message_t m;

    new.date_ms = now - 86400000;
    assert_int_equal(wa_store_message_add(seam->store, &new, &m, seam->p), APR_SUCCESS);
    assert_int_equal(m.date_ms, new.date_ms);
    assert_true(m.timestamp_ms >= now);
    row = seam_thread(seam, SEAM_ANA);
    assert_int_equal(row.inbound[0].date_ms, new.date_ms);
    assert_int_equal(row.last_inbound_ms, m.timestamp_ms);
    /* what is fetched later and is older is not what they wrote last */
    new.id = "b";
    new.date_ms -= 1000;
    assert_int_equal(wa_store_message_add(seam->store, &new, &m, seam->p), APR_SUCCESS);
    assert_int_equal(seam_thread(seam, SEAM_ANA).inbound[0].date_ms, new.date_ms + 1000);
}

/* ---- changes ---- */

static void what_was_told_is_closed(seam_t *seam)
{
    apr_int64_t t = seam_time(seam);
    int i;

    for (i = 0; i < 50; i++) {
        const char *id = apr_psprintf(seam->p, "m%d", i);
        seam_list_t *list = seam_list_create(seam);
        wa_changes_t changes;
        const wa_message_t m = seam_add(seam, id, NULL, SEAM_ANA, WA_DIRECTION_SENT);

        assert_true(m.timestamp_ms > t);
        seam_time(seam);
        assert_int_equal(seam_poll(seam, t, 10, list, &changes), m.timestamp_ms);
        seam_list_assert(list, id);
        t = m.timestamp_ms;
        seam_state_set(seam, id, WA_STATUS_SUCCESS, NULL, "d");
        assert_true(seam_find(seam, id).changed_ms > t);
        t = seam_time(seam);
    }
}

/* However few are asked for at one time: every message once, in order, in the end nothing left. */
static void chained_polls_give_every_message_once(seam_t *seam)
{
    apr_int64_t t = 0;
    int added = 0, seen = 0, changed = 0, round;

    for (round = 0; added < 300 || seen < 300; round++) {
        seam_list_t *list = seam_list_create(seam);
        wa_changes_t changes;
        apr_int64_t last = t;
        int i, is_update = 0;

        for (i = 0; added < 300 && i < round % 23; i++) {
            seam_add(seam, apr_psprintf(seam->p, "m%d", added++), NULL,
                     round % 2 ? SEAM_ANA : SEAM_BEA, WA_DIRECTION_RECEIVED);
        }
        for (i = 0; added < 300 && i < round % 4 && i < seen; i++) {
            seam_state_set(seam, apr_psprintf(seam->p, "m%d", i), WA_STATUS_SUCCESS, NULL, "d");
        }
        t = seam_poll(seam, t, (apr_size_t)(1 + round % 7), list, &changes);
        assert_true(t >= last);
        for (i = 0; i < list->messages->nelts; i++) {
            const wa_message_t *m = seam_list_at(list, i);

            if (APR_ARRAY_IDX(list->updates, i, int)) {
                is_update = 1;
                changed++;
                assert_true(m->timestamp_ms <= last);
                continue;
            }
            assert_false(is_update); /* all updates after all that is new */
            assert_slice(m->id, apr_psprintf(seam->p, "m%d", seen++));
            assert_in_range(m->timestamp_ms, last + 1, t);
        }
        assert_true(round < 100000);
    }
    assert_true(changed > 0);
    seam_time(seam);
    assert_int_equal(
        seam_poll(seam, t, 100, seam_list_create(seam), &(wa_changes_t){.has_more = 1}),
        seam_time(seam));
}

static void a_change_is_listed_once_and_in_its_newest_state(seam_t *seam)
{
    seam_list_t *list = seam_list_create(seam);
    wa_changes_t changes;
    apr_int64_t since;
    int i;

    seam_add(seam, "a", NULL, SEAM_ANA, WA_DIRECTION_SENT);
    seam_add(seam, "b", NULL, SEAM_ANA, WA_DIRECTION_SENT);
    seam_add(seam, "c", NULL, SEAM_ANA, WA_DIRECTION_RECEIVED);
    since = seam_time(seam);
    for (i = 0; i < 5; i++) {
        seam_state_set(seam, "a", i < 4 ? WA_STATUS_PENDING : WA_STATUS_FAILED, NULL, "d");
    }
    seam_add(seam, "d", NULL, SEAM_BEA, WA_DIRECTION_SENT);
    seam_state_set(seam, "d", WA_STATUS_SUCCESS, "SMd", "of d");
    seam_time(seam);
    assert_int_equal(seam_poll(seam, since, 100, list, &changes), seam_time(seam));
    assert_false(changes.has_more);
    seam_list_assert(list, "d a'");
    assert_int_equal(seam_list_at(list, 0)->status, WA_STATUS_SUCCESS);
    assert_slice(seam_list_at(list, 0)->sid, "SMd");
    assert_int_equal(seam_list_at(list, 1)->status, WA_STATUS_FAILED);
    list = seam_list_create(seam);
    assert_int_equal(seam_poll(seam, changes.timestamp_ms, 100, list, &changes), seam_time(seam));
    seam_list_assert(list, "");
    assert_false(changes.has_more);
}

static void imported_messages_of_one_time_are_not_split(seam_t *seam)
{
    seam_list_t *list = seam_list_create(seam);
    wa_changes_t changes;
    wa_message_t m;
    int i;

    for (i = 0; i < 9; i++) {
        assert_int_equal(time_add(seam, apr_psprintf(seam->p, "%d", i), 1000 + i / 3, &m),
                         APR_SUCCESS);
    }
    assert_int_equal(seam_poll(seam, 0, 1, list, &changes), 1000);
    assert_true(changes.has_more);
    seam_list_assert(list, "0 1 2");
    list = seam_list_create(seam);
    assert_int_equal(seam_poll(seam, 1000, 4, list, &changes), 1002);
    assert_false(changes.has_more);
    seam_list_assert(list, "3 4 5 6 7 8");
}

static void who_is_ahead_is_told_the_time(seam_t *seam)
{
    const apr_int64_t t = (seam_add(seam, "a", NULL, SEAM_ANA, WA_DIRECTION_SENT), seam_time(seam));
    seam_list_t *list = seam_list_create(seam);
    wa_changes_t changes;

    assert_int_equal(seam_poll(seam, t, 9, list, &changes), t);
    assert_int_equal(seam_poll(seam, t + 1, 9, list, &changes), t);
    assert_int_equal(seam_poll(seam, APR_INT64_MAX, 9, list, &changes), t);
    seam_list_assert(list, "");
}

/* ---- visitors ---- */

static apr_status_t row_stop(void *baton, const wa_thread_t *row)
{
    (void)row;
    return --*(int *)baton > 0 ? APR_SUCCESS : APR_ENOTIMPL;
}

static apr_status_t contact_stop(void *baton, const wa_contact_t *contact)
{
    (void)contact;
    return --*(int *)baton > 0 ? APR_SUCCESS : APR_ENOTIMPL;
}

static seam_list_t *stopping(seam_t *seam, int at)
{
    seam_list_t *list = seam_list_create(seam);

    list->stop_at = at;
    list->stop = APR_ENOTIMPL;
    return list;
}

static void a_visitor_ends_its_walk(seam_t *seam)
{
    wa_changes_t changes;
    seam_list_t *list;
    wa_page_t page;
    int left;

    seam_add(seam, "a", NULL, SEAM_ANA, WA_DIRECTION_SENT);
    seam_add(seam, "b", NULL, SEAM_ANA, WA_DIRECTION_SENT);
    seam_add(seam, "c", NULL, SEAM_BEA, WA_DIRECTION_SENT);
    seam_contact(seam, "1", SEAM_ANA, "Ana");
    seam_contact(seam, "2", SEAM_BEA, "Bea");
    list = stopping(seam, 1);
    assert_int_equal(wa_store_messages_list(seam->store,
                                            MESSAGES_OF(SEAM_ANA, NULL, 9, seam_list_visit, list),
                                            &page, seam->p),
                     APR_ENOTIMPL);
    seam_list_assert(list, "b");
    list = stopping(seam, 2);
    assert_int_equal(
        wa_store_pending_list(seam->store,
                              PENDING_OF(APR_INT64_MAX, APR_INT64_MAX, 9, seam_list_visit, list),
                              seam->p),
        APR_ENOTIMPL);
    seam_list_assert(list, "a b");
    seam_time(seam);
    list = stopping(seam, 2);
    assert_int_equal(wa_store_changes_list(seam->store, CHANGES_AFTER(0, 9, seam_list_visit, list),
                                           &changes, seam->p),
                     APR_ENOTIMPL);
    seam_list_assert(list, "a b");
    left = 1;
    assert_int_equal(wa_store_threads_list(seam->store, 0, row_stop, &left), APR_ENOTIMPL);
    assert_int_equal(left, 0);
    left = 1;
    assert_int_equal(wa_store_thread_visit(seam->store, SEAM_ANA, row_stop, &left), APR_ENOTIMPL);
    left = 1;
    assert_int_equal(wa_store_contacts_list(seam->store, contact_stop, &left), APR_ENOTIMPL);
    assert_int_equal(left, 0);
}

/* A visitor of messages that does all there is to do with a store. */
typedef struct busy_t {
    seam_t *seam;
    int visits;
} busy_t;

static apr_status_t busy_visit(void *baton, const wa_message_t *message, int is_update)
{
    busy_t *busy = baton;
    seam_t *seam = busy->seam;
    const char *id = wa_slice_string(message->id, seam->p);
    const char *number = apr_psprintf(seam->p, "+1777%d", busy->visits);
    seam_list_t *list = seam_list_create(seam);
    int many = 99;
    wa_changes_t changes;
    wa_slice_t parked;
    wa_contact_t c;
    wa_page_t page;

    (void)is_update;
    seam_add(seam, apr_psprintf(seam->p, "new-%s-%d", id, busy->visits), NULL, SEAM_BEA,
             WA_DIRECTION_RECEIVED);
    seam_state_set(seam, id, WA_STATUS_FAILED, NULL, "by the visitor");
    assert_slice(seam_find(seam, id).delivery, "by the visitor");
    seam_contact(seam, number, number, "Nobody");
    assert_int_equal(
        wa_store_contact_rename(seam->store, number + 1, wa_slice_of("x"), &c, seam->p),
        APR_NOTFOUND);
    assert_int_equal(wa_store_contact_find(seam->store, number, &c, seam->p), APR_SUCCESS);
    assert_int_equal(wa_store_thread_mark_read(seam->store, SEAM_BEA, seam->p), APR_SUCCESS);
    assert_int_equal(
        wa_store_thread_flags_set(seam->store, SEAM_BEA, WA_THREAD_BLOCKED, 0, seam->p),
        APR_SUCCESS);
    assert_int_equal(wa_store_parked_add(seam->store, id, wa_slice_of("v"), seam->p), APR_SUCCESS);
    assert_int_equal(wa_store_parked_get(seam->store, id, &parked, seam->p), APR_SUCCESS);
    assert_int_equal(wa_store_threads_list(seam->store, 0, row_stop, &many), APR_SUCCESS);
    assert_int_equal(wa_store_contacts_list(seam->store, contact_stop, &many), APR_SUCCESS);
    assert_int_equal(wa_store_messages_list(seam->store,
                                            MESSAGES_OF(SEAM_BEA, NULL, 1, seam_list_visit, list),
                                            &page, seam->p),
                     APR_SUCCESS);
    seam_poll(seam, 0, 1, list, &changes);
    assert_int_equal(
        wa_store_pending_list(seam->store,
                              PENDING_OF(APR_INT64_MAX, APR_INT64_MAX, 1, seam_list_visit, list),
                              seam->p),
        APR_SUCCESS);
    busy->visits++;
    return APR_SUCCESS;
}

static void a_visitor_of_messages_may_call_the_store(seam_t *seam)
{
    busy_t busy = {seam, 0};
    wa_changes_t changes;
    wa_page_t page;

    seam_add(seam, "a", NULL, SEAM_ANA, WA_DIRECTION_SENT);
    seam_add(seam, "b", NULL, SEAM_ANA, WA_DIRECTION_SENT);
    assert_int_equal(
        wa_store_pending_list(
            seam->store, PENDING_OF(APR_INT64_MAX, APR_INT64_MAX, 9, busy_visit, &busy), seam->p),
        APR_SUCCESS);
    assert_int_equal(busy.visits, 2);
    assert_int_equal(wa_store_messages_list(seam->store,
                                            MESSAGES_OF(SEAM_ANA, NULL, 9, busy_visit, &busy),
                                            &page, seam->p),
                     APR_SUCCESS);
    assert_int_equal(busy.visits, 4);
    seam_time(seam);
    assert_int_equal(wa_store_changes_list(seam->store, CHANGES_AFTER(0, 3, busy_visit, &busy),
                                           &changes, seam->p),
                     APR_SUCCESS);
    assert_true(busy.visits >= 7);
}

/* What a visitor kept is as it was, whatever became of it, as long as the walk's pool. */
static void what_a_visitor_kept_stays(seam_t *seam)
{
    seam_list_t *list = seam_list_create(seam);
    wa_page_t page;
    int i;

    seam_contact(seam, "1", SEAM_ANA, "Ana");
    seam_add(seam, "a", "SMa", SEAM_ANA, WA_DIRECTION_SENT);
    assert_int_equal(wa_store_messages_list(seam->store,
                                            MESSAGES_OF(SEAM_ANA, NULL, 9, seam_list_visit, list),
                                            &page, seam->p),
                     APR_SUCCESS);
    for (i = 0; i < 500; i++) {
        seam_add(seam, apr_psprintf(seam->p, "x%d", i), NULL, SEAM_ANA, WA_DIRECTION_SENT);
        seam_state_set(seam, "a", WA_STATUS_FAILED, "SMb", "another");
    }
    assert_int_equal(wa_store_contact_delete(seam->store, "1", seam->p), APR_SUCCESS);
    seam_contact(seam, "2", SEAM_ANA, "Anna");
    assert_slice(seam_list_at(list, 0)->id, "a");
    assert_slice(seam_list_at(list, 0)->sid, "SMa");
    assert_slice(seam_list_at(list, 0)->delivery, "pending");
    assert_slice(seam_list_at(list, 0)->contact_id, "1");
}

const seam_case_t seam_cases_changes[] = {
    {"times grow and are the clock's", times_grow_and_are_the_clocks},
    {"a given time is kept unless it is over", a_given_time_is_kept_unless_it_is_over},
    {"a date of its own is kept", a_date_of_its_own_is_kept},
    {"what was told is closed", what_was_told_is_closed},
    {"chained polls give every message once", chained_polls_give_every_message_once},
    {"a change is listed once and in its newest state",
     a_change_is_listed_once_and_in_its_newest_state},
    {"imported messages of one time are not split", imported_messages_of_one_time_are_not_split},
    {"who is ahead is told the time", who_is_ahead_is_told_the_time},
    {"a visitor ends its walk", a_visitor_ends_its_walk},
    {"a visitor of messages may call the store", a_visitor_of_messages_may_call_the_store},
    {"what a visitor kept stays", what_a_visitor_kept_stays},
    {NULL, NULL},
};
