/* SPDX-License-Identifier: Apache-2.0 */
/* Tests the dbm driver through the store seam, with each available apr_dbm type. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "store_support.h"

/* ---- messages and pages ---- */

static apr_status_t page_visit(void *baton, const wa_message_t *m, int is_update)
{
    visited_t *v = baton;

    assert_true(v->count < sizeof(v->messages) / sizeof(v->messages[0]));
    v->messages[v->count] = *m;
    v->is_update[v->count++] = is_update;
    return APR_SUCCESS;
}

static void a_message_is_listed_as_it_was_added(void **state)
{
    fixture_t *f = *state;
    wa_message_t m = message_add(f, "id-1", "SM1", "+15551230001", WA_DIRECTION_RECEIVED);
    visited_t v = {0};
    wa_page_t page;

    assert_true(m.timestamp_ms > 1700000000000);
    assert_int_equal(wa_store_messages_list(f->store,
                                            MESSAGES_OF("+15551230001", NULL, 50, page_visit, &v),
                                            &page, f->p),
                     APR_SUCCESS);
    assert_int_equal(v.count, 1);
    assert_slice(v.messages[0].id, "id-1");
    assert_slice(v.messages[0].sid, "SM1");
    assert_slice(v.messages[0].counterpart, "+15551230001");
    assert_slice(v.messages[0].phone_number, "+14155238886");
    assert_slice(v.messages[0].body, "hello, how are you?");
    assert_slice(v.messages[0].attributes, "any bytes");
    assert_int_equal(v.messages[0].delivery.len, 0);
    assert_int_equal(v.messages[0].unread, 1);
    assert_null(page.next_cursor);
}

static void the_same_sid_or_id_is_stored_once(void **state)
{
    fixture_t *f = *state;
    wa_message_t first = message_add(f, "id-1", "SM1", "+15551230001", WA_DIRECTION_RECEIVED),
                 again;
    wa_message_new_t n = message_new("id-2", "SM1", "+15551230001", WA_DIRECTION_RECEIVED, NULL);

    assert_int_equal(wa_store_message_add(f->store, &n, &again, f->p), APR_EEXIST);
    assert_slice(again.id, "id-1");
    assert_int_equal(again.timestamp_ms, first.timestamp_ms);
    n = message_new("id-1", "SM9", "+15551230001", WA_DIRECTION_RECEIVED, NULL);
    assert_int_equal(wa_store_message_add(f->store, &n, &again, f->p), APR_EEXIST);
    assert_int_equal(thread_get(f, "+15551230001").message_count, 1);
}

static void pages_go_on_where_they_ended_while_messages_arrive(void **state)
{
    fixture_t *f = *state;
    const char *cursor = NULL;
    int seen = 0, round = 0, i;

    for (i = 0; i < 125; i++) {
        message_add(f, apr_psprintf(f->p, "id-%d", i), NULL, i % 3 ? "+1555" : "+1666",
                    WA_DIRECTION_SENT);
    }
    do {
        visited_t v = {0};
        wa_page_t page;
        apr_size_t k;

        assert_int_equal(wa_store_messages_list(f->store,
                                                MESSAGES_OF("+1555", cursor, 10, page_visit, &v),
                                                &page, f->p),
                         APR_SUCCESS);
        for (k = 1; k < v.count; k++) {
            assert_true(v.messages[k].timestamp_ms <= v.messages[k - 1].timestamp_ms);
        }
        seen += (int)v.count;
        cursor = page.next_cursor;
        message_add(f, apr_psprintf(f->p, "new-%d", round++), NULL, "+1555", WA_DIRECTION_SENT);
    } while (cursor);
    assert_int_equal(seen, 83);
}

static void a_cursor_that_is_not_of_the_thread_is_refused(void **state)
{
    fixture_t *f = *state;
    visited_t v = {0};
    wa_page_t page, other;
    int i;

    for (i = 0; i < 4; i++) {
        message_add(f, apr_psprintf(f->p, "id-%d", i), NULL, i % 2 ? "+1555" : "+1666",
                    WA_DIRECTION_SENT);
    }
    assert_int_equal(wa_store_messages_list(f->store, MESSAGES_OF("+1555", NULL, 1, page_visit, &v),
                                            &page, f->p),
                     APR_SUCCESS);
    assert_non_null(page.next_cursor);
    assert_int_equal(
        wa_store_messages_list(f->store, MESSAGES_OF("+1666", page.next_cursor, 1, page_visit, &v),
                               &other, f->p),
        APR_EINVAL);
    assert_int_equal(wa_store_messages_list(f->store, MESSAGES_OF("+1555", "zz", 1, page_visit, &v),
                                            &other, f->p),
                     APR_EINVAL);
    assert_int_equal(
        wa_store_messages_list(f->store, MESSAGES_OF("+1555", "", 1, page_visit, &v), &other, f->p),
        APR_EINVAL);
    assert_int_equal(
        wa_store_messages_list(f->store, MESSAGES_OF("+1777", page.next_cursor, 1, page_visit, &v),
                               &other, f->p),
        APR_EINVAL);
}

/* ---- states ---- */

static apr_status_t merge_success(void *baton, const wa_message_t *now, wa_message_state_t *next,
                                  apr_pool_t *p)
{
    (void)p;
    if (now->status == WA_STATUS_SUCCESS) {
        return APR_EEXIST;
    }
    next->status = WA_STATUS_SUCCESS;
    next->sid = baton;
    next->delivery = WA_SLICE_LITERAL("taken");
    return APR_SUCCESS;
}

static void a_new_state_is_read_and_its_sid_found(void **state)
{
    fixture_t *f = *state;
    wa_message_t m;
    visited_t v = {0};
    wa_changes_t changes;
    apr_int64_t t;

    message_add(f, "id-1", NULL, "+1555", WA_DIRECTION_SENT);
    t = store_time(f);
    assert_int_equal(wa_store_message_find(f->store, "SM7", &m, f->p), APR_NOTFOUND);
    assert_int_equal(wa_store_message_update(
                         f->store, UPDATE_OF("id-1", merge_success, (void *)"SM7"), &m, f->p),
                     APR_SUCCESS);
    assert_int_equal(m.status, WA_STATUS_SUCCESS);
    assert_int_equal(wa_store_message_find(f->store, "SM7", &m, f->p), APR_SUCCESS);
    assert_slice(m.id, "id-1");
    assert_slice(m.delivery, "taken");
    assert_int_equal(
        wa_store_changes_list(f->store, CHANGES_AFTER(t, 500, page_visit, &v), &changes, f->p),
        APR_SUCCESS);
    assert_int_equal(v.count, 1);
    assert_int_equal(v.is_update[0], 1);
    assert_true(changes.timestamp_ms > t);
    assert_int_equal(
        wa_store_message_update(f->store, UPDATE_OF("SM7", merge_success, (void *)"SM7"), &m, f->p),
        APR_SUCCESS);
    assert_int_equal(store_time(f), changes.timestamp_ms);
    assert_int_equal(wa_store_message_update(
                         f->store, UPDATE_OF("none", merge_success, (void *)"SM8"), &m, f->p),
                     APR_NOTFOUND);
}

/* ---- changes ---- */

static void chained_changes_give_every_message_once(void **state)
{
    fixture_t *f = *state;
    apr_int64_t since = 0;
    wa_changes_t changes;
    int i, seen = 0, calls = 0;

    for (i = 0; i < 1300; i++) {
        message_add(f, apr_psprintf(f->p, "id-%d", i), NULL, apr_psprintf(f->p, "+1%d", i % 7),
                    WA_DIRECTION_RECEIVED);
    }
    do {
        visited_t *v = apr_pcalloc(f->p, sizeof(*v));
        apr_size_t k;

        assert_int_equal(wa_store_changes_list(f->store, CHANGES_AFTER(since, 500, page_visit, v),
                                               &changes, f->p),
                         APR_SUCCESS);
        for (k = 0; k < v->count; k++) {
            assert_slice(v->messages[k].id, apr_psprintf(f->p, "id-%d", seen++));
            assert_true(v->messages[k].timestamp_ms > since);
            assert_true(v->messages[k].timestamp_ms <= changes.timestamp_ms);
        }
        since = changes.timestamp_ms;
        calls++;
    } while (changes.has_more);
    assert_int_equal(seen, 1300);
    assert_in_range(calls, 2, 3);
    assert_int_equal(since, store_time(f));
}

static void imported_messages_of_one_time_are_not_split(void **state)
{
    fixture_t *f = *state;
    visited_t *v = apr_pcalloc(f->p, sizeof(*v));
    wa_changes_t changes;
    wa_message_t m;
    int i;

    for (i = 0; i < 20; i++) {
        wa_message_new_t n =
            message_new(apr_psprintf(f->p, "id-%d", i), NULL, "+1555", WA_DIRECTION_RECEIVED, NULL);

        n.timestamp_ms = 1000 + i / 8;
        assert_int_equal(wa_store_message_add(f->store, &n, &m, f->p), APR_SUCCESS);
    }
    assert_int_equal(
        wa_store_changes_list(f->store, CHANGES_AFTER(0, 3, page_visit, v), &changes, f->p),
        APR_SUCCESS);
    assert_int_equal(v->count, 8);
    assert_int_equal(changes.timestamp_ms, 1000);
    assert_int_equal(changes.has_more, 1);
}

/* ---- threads and contacts ---- */

static void reading_a_thread_clears_what_was_unread(void **state)
{
    fixture_t *f = *state;
    apr_int64_t t;
    int i;

    for (i = 0; i < 3; i++) {
        message_add(f, apr_psprintf(f->p, "in-%d", i), NULL, "+1555", WA_DIRECTION_RECEIVED);
    }
    message_add(f, "out", NULL, "+1555", WA_DIRECTION_SENT);
    assert_int_equal(thread_get(f, "+1555").unread_count, 3);
    assert_int_equal(wa_store_thread_mark_read(f->store, "+1555", f->p), APR_SUCCESS);
    assert_int_equal(thread_get(f, "+1555").unread_count, 0);
    t = store_time(f);
    assert_int_equal(wa_store_thread_mark_read(f->store, "+1555", f->p), APR_SUCCESS);
    assert_int_equal(store_time(f), t);
    message_add(f, "in-9", NULL, "+1555", WA_DIRECTION_RECEIVED);
    assert_int_equal(thread_get(f, "+1555").unread_count, 1);
    assert_int_equal(wa_store_thread_mark_read(f->store, "+1999", f->p), APR_NOTFOUND);
}

static apr_status_t count_thread(void *baton, const wa_thread_t *t)
{
    (void)t;
    ++*(int *)baton;
    return APR_SUCCESS;
}

static apr_status_t first_thread(void *baton, const wa_thread_t *t)
{
    *(wa_slice_t *)baton = t->counterpart;
    return APR_EOF;
}

static void threads_are_listed_latest_first_and_by_change(void **state)
{
    fixture_t *f = *state;
    wa_contact_t c;
    wa_slice_t first;
    apr_int64_t t;
    int n = 0;

    message_add(f, "a", NULL, "+1111", WA_DIRECTION_SENT);
    message_add(f, "b", NULL, "+1222", WA_DIRECTION_SENT);
    message_add(f, "c", NULL, "+1111", WA_DIRECTION_SENT);
    assert_int_equal(wa_store_threads_list(f->store, 0, first_thread, &first), APR_EOF);
    assert_slice(first, "+1111");
    t = store_time(f);
    assert_int_equal(wa_store_threads_list(f->store, t, count_thread, &n), APR_SUCCESS);
    assert_int_equal(n, 0);
    contact_add(f, "c-1", "+1222", "Ana", &c);
    assert_int_equal(wa_store_threads_list(f->store, t, count_thread, &n), APR_SUCCESS);
    assert_int_equal(n, 1);
    assert_slice(thread_get(f, "+1222").contact_name, "Ana");
}

static apr_status_t names(void *baton, const wa_contact_t *c)
{
    wa_buffer_t *b = baton;

    wa_buffer_add_slice(b, c->display_name);
    WA_BUFFER_ADD_LITERAL(b, ",");
    return APR_SUCCESS;
}

static void contacts_are_unique_by_number_and_listed_by_name(void **state)
{
    fixture_t *f = *state;
    wa_contact_t c;
    wa_buffer_t b;

    wa_buffer_init(&b, 64);
    assert_int_equal(contact_add(f, "c-1", "+1222", "bea", &c), APR_SUCCESS);
    assert_int_equal(contact_add(f, "c-2", "+1333", "Ana", &c), APR_SUCCESS);
    assert_int_equal(contact_add(f, "c-3", "+1222", "Zoe", &c), APR_EEXIST);
    assert_slice(c.id, "c-1");
    store_time(f); /* what comes now has a later time */
    assert_int_equal(wa_store_contact_rename(f->store, "c-2", WA_SLICE_LITERAL("Cyd"), &c, f->p),
                     APR_SUCCESS);
    assert_true(c.updated_ms > c.created_ms);
    assert_int_equal(wa_store_contacts_list(f->store, names, &b), APR_SUCCESS);
    assert_memory_equal(b.data, "bea,Cyd,", b.len);
    wa_buffer_release(&b);
    assert_int_equal(wa_store_contact_delete(f->store, "c-1", f->p), APR_SUCCESS);
    assert_int_equal(wa_store_contact_delete(f->store, "c-1", f->p), APR_NOTFOUND);
    assert_int_equal(contact_add(f, "c-3", "+1222", "Zoe", &c), APR_SUCCESS);
    assert_int_equal(wa_store_contact_find(f->store, "+1222", &c, f->p), APR_SUCCESS);
    assert_slice(c.id, "c-3");
}

static void parked_facts_join_and_are_found(void **state)
{
    fixture_t *f = *state;
    wa_slice_t value;

    assert_int_equal(wa_store_parked_get(f->store, "SM1", &value, f->p), APR_NOTFOUND);
    assert_int_equal(wa_store_parked_add(f->store, "SM1", WA_SLICE_LITERAL("sent"), f->p),
                     APR_SUCCESS);
    assert_int_equal(wa_store_parked_add(f->store, "SM1", WA_SLICE_LITERAL("read"), f->p),
                     APR_SUCCESS);
    assert_int_equal(wa_store_parked_get(f->store, "SM1", &value, f->p), APR_SUCCESS);
    assert_slice(value, "sent\nread");
}

static void an_idempotency_key_is_taken_once(void **state)
{
    fixture_t *f = *state;
    wa_message_new_t n = message_new("id-2", NULL, "+1555", WA_DIRECTION_SENT, "key-1");
    wa_message_t m;

    message_keyed_add(f, "id-1", NULL, "+1555", "key-1");
    assert_int_equal(wa_store_message_add(f->store, &n, &m, f->p), APR_EEXIST);
    assert_slice(m.id, "id-1");
    assert_int_equal(wa_store_message_find(f->store, WA_KEY_IDEMPOTENCY "key-1", &m, f->p),
                     APR_SUCCESS);
    assert_int_equal(wa_store_message_find(f->store, WA_KEY_IDEMPOTENCY "key-2", &m, f->p),
                     APR_NOTFOUND);
}

/* What is as it is wanted already makes no record: no process renders anything anew for it. */
static void a_change_that_changes_nothing_is_none(void **state)
{
    fixture_t *f = *state;
    apr_uint64_t version;
    wa_contact_t c;

    message_add(f, "id-1", NULL, "+1555", WA_DIRECTION_RECEIVED);
    assert_int_equal(wa_store_thread_flags_set(f->store, "+1555", WA_THREAD_BLOCKED, 0, f->p),
                     APR_SUCCESS);
    assert_int_equal(wa_store_thread_mark_read(f->store, "+1555", f->p), APR_SUCCESS);
    version = wa_store_version(f->store, WA_VERSION_ALL);
    assert_int_equal(wa_store_thread_flags_set(f->store, "+1555", WA_THREAD_BLOCKED, 0, f->p),
                     APR_SUCCESS);
    assert_int_equal(wa_store_thread_flags_set(f->store, "+1555", 0, WA_THREAD_OPTED_OUT, f->p),
                     APR_SUCCESS);
    assert_int_equal(wa_store_thread_mark_read(f->store, "+1555", f->p), APR_SUCCESS);
    assert_true(wa_store_version(f->store, WA_VERSION_ALL) == version);
    assert_int_equal(wa_store_thread_flags_set(f->store, "+1555", 0, WA_THREAD_BLOCKED, f->p),
                     APR_SUCCESS);
    assert_true(wa_store_version(f->store, WA_VERSION_ALL) != version);
    /* an id is a contact's for good, whatever number comes with it */
    assert_int_equal(contact_add(f, "c-1", "+1222", "Ana", &c), APR_SUCCESS);
    assert_int_equal(contact_add(f, "c-1", "+1333", "Bea", &c), APR_EEXIST);
    assert_slice(c.phone_number, "+1222");
}

/* Times that an import gives go on from what is there, and from what somebody was told to be
 * all. */
static void a_given_time_is_never_before_what_was_told(void **state)
{
    fixture_t *f = *state;
    wa_message_new_t n = message_new("id-2", NULL, "+1555", WA_DIRECTION_RECEIVED, NULL);
    const apr_int64_t first =
        message_add(f, "id-1", NULL, "+1555", WA_DIRECTION_RECEIVED).timestamp_ms;
    wa_message_t m;

    n.timestamp_ms = first - 1;
    assert_int_equal(wa_store_message_add(f->store, &n, &m, f->p), APR_EINVAL);
    assert_int_equal(store_time(f), first);
    n.timestamp_ms = first;
    assert_int_equal(wa_store_message_add(f->store, &n, &m, f->p), APR_EINVAL);
    n.timestamp_ms = first + 1;
    assert_int_equal(wa_store_message_add(f->store, &n, &m, f->p), APR_SUCCESS);
    assert_true(m.timestamp_ms == first + 1);
    assert_int_equal(store_time(f), first + 1);
}

static apr_status_t change_count(void *baton, const wa_message_t *m, int is_update)
{
    (void)m;
    (void)is_update;
    ++*(apr_size_t *)baton;
    return APR_SUCCESS;
}

/* An answer is bounded whatever was asked for. */
static void a_poll_for_everything_is_given_in_portions(void **state)
{
    enum { MANY = 2500, AT_ONCE = 1024 };
    fixture_t *f = *state;
    apr_int64_t since = 0, end;
    apr_size_t seen = 0;
    apr_pool_t *p;
    int i;

    assert_int_equal(apr_pool_create(&p, f->p), APR_SUCCESS);
    for (i = 0; i < MANY; i++) {
        wa_message_new_t n =
            message_new(apr_psprintf(p, "id-%d", i), NULL, "+1555", WA_DIRECTION_SENT, NULL);
        wa_message_t m;

        assert_int_equal(wa_store_message_add(f->store, &n, &m, p), APR_SUCCESS);
    }
    end = store_time(f);
    for (i = 0; i < 2; i++) {
        for (since = i * end, seen = 0;;) {
            wa_changes_t changes = {0, 0, 0};
            apr_size_t count = 0;

            assert_int_equal(
                wa_store_changes_list(
                    f->store, CHANGES_AFTER(since, MANY * 10, change_count, &count), &changes, p),
                APR_SUCCESS);
            assert_true(count <= AT_ONCE);
            seen += count;
            since = changes.timestamp_ms;
            if (!changes.has_more) {
                break;
            }
        }
        assert_int_equal(seen, MANY);
        for (seen = 0; i == 0 && seen < MANY; seen++) { /* then all are updates */
            wa_message_t m;

            assert_int_equal(wa_store_message_update(f->store,
                                                     UPDATE_OF(apr_psprintf(p, "id-%d", (int)seen),
                                                               merge_success, NULL),
                                                     &m, p),
                             APR_SUCCESS);
        }
    }
}

/* Nor does a walk over what nobody is given last: no request looks at the journal of a day. */
static void a_poll_looks_at_so_many_records_and_no_more(void **state)
{
    enum { LOOKS = 20000 };
    fixture_t *f = *state;
    wa_changes_t changes = {0, 0, 0};
    apr_size_t count = 0;
    apr_int64_t since;
    apr_pool_t *p;
    int i;

    message_add(f, "id-1", NULL, "+1555", WA_DIRECTION_RECEIVED);
    since = store_time(f);
    assert_int_equal(apr_pool_create(&p, f->p), APR_SUCCESS);
    for (i = 0; i < LOOKS + 600; i++) {
        assert_int_equal(wa_store_thread_flags_set(f->store, "+1555", i % 2 ? 0 : WA_THREAD_BLOCKED,
                                                   i % 2 ? WA_THREAD_BLOCKED : 0, p),
                         APR_SUCCESS);
        apr_pool_clear(p);
    }
    message_add(f, "id-2", NULL, "+1555", WA_DIRECTION_RECEIVED);
    assert_int_equal(wa_store_changes_list(
                         f->store, CHANGES_AFTER(since, 500, change_count, &count), &changes, p),
                     APR_SUCCESS);
    assert_int_equal(count, 0);
    assert_true(changes.has_more && changes.timestamp_ms > since);
    since = changes.timestamp_ms;
    memset(&changes, 0, sizeof(changes));
    assert_int_equal(wa_store_changes_list(
                         f->store, CHANGES_AFTER(since, 500, change_count, &count), &changes, p),
                     APR_SUCCESS);
    assert_int_equal(count, 1);
    assert_false(changes.has_more);
}

/* ---- what stays ---- */

static void everything_is_there_after_a_restart(void **state)
{
    fixture_t *f = *state;
    wa_message_t m;
    wa_contact_t c;
    wa_slice_t value;
    apr_int64_t t;
    int i;

    for (i = 0; i < 200; i++) {
        message_add(f, apr_psprintf(f->p, "id-%d", i), apr_psprintf(f->p, "SM%d", i),
                    apr_psprintf(f->p, "+1%d", i % 5), WA_DIRECTION_RECEIVED);
    }
    contact_add(f, "c-1", "+11", "Ana", &c);
    assert_int_equal(wa_store_thread_mark_read(f->store, "+12", f->p), APR_SUCCESS);
    assert_int_equal(wa_store_thread_flags_set(f->store, "+13", WA_THREAD_BLOCKED, 0, f->p),
                     APR_SUCCESS);
    assert_int_equal(wa_store_parked_add(f->store, "SMx", WA_SLICE_LITERAL("read"), f->p),
                     APR_SUCCESS);
    assert_int_equal(wa_store_message_update(
                         f->store, UPDATE_OF("id-7", merge_success, (void *)"SM7"), &m, f->p),
                     APR_SUCCESS);
    t = store_time(f);
    fixture_reopen(f);
    assert_int_equal(store_time(f), t);
    assert_int_equal(thread_get(f, "+11").message_count, 40);
    assert_slice(thread_get(f, "+11").contact_name, "Ana");
    assert_int_equal(thread_get(f, "+12").unread_count, 0);
    assert_int_equal(thread_get(f, "+13").flags, WA_THREAD_BLOCKED);
    assert_int_equal(wa_store_parked_get(f->store, "SMx", &value, f->p), APR_SUCCESS);
    assert_int_equal(wa_store_message_find(f->store, "SM7", &m, f->p), APR_SUCCESS);
    assert_int_equal(m.status, WA_STATUS_SUCCESS);
    message_add(f, "later", NULL, "+11", WA_DIRECTION_SENT);
    assert_true(store_time(f) > t);
    fixture_reopen(f);
    assert_int_equal(thread_get(f, "+11").message_count, 41);
}

static void a_second_owner_is_refused(void **state)
{
    fixture_t *f = *state;
    wa_store_t *second;
    const char *error;

    assert_int_equal(fixture_open_second(f, &second, &error), APR_EEXIST);
    assert_non_null(strstr(error, "in use by another server"));
}

static void another_account_is_refused(void **state)
{
    fixture_t *f = *state;

    fixture_close(f);
    f->account_sid = "AC00000000000000000000000000000002";
    assert_int_equal(fixture_open_status(f), APR_EINVAL);
    assert_non_null(strstr(f->error, "another Twilio account"));
    f->account_sid = "AC00000000000000000000000000000001";
    fixture_open(f);
}

static const char *const types[] = {"db", "gdbm", "sdbm"};

static int setup(void **state)
{
    static int turn;

    *state = fixture_create(types[turn++ % 3]);
    return 0;
}

static int teardown(void **state)
{
    fixture_destroy(*state);
    return 0;
}

#define ALL_TYPES(f)                                         \
    cmocka_unit_test_setup_teardown(f, setup, teardown),     \
        cmocka_unit_test_setup_teardown(f, setup, teardown), \
        cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ALL_TYPES(a_message_is_listed_as_it_was_added),
        ALL_TYPES(the_same_sid_or_id_is_stored_once),
        ALL_TYPES(pages_go_on_where_they_ended_while_messages_arrive),
        ALL_TYPES(a_cursor_that_is_not_of_the_thread_is_refused),
        ALL_TYPES(a_new_state_is_read_and_its_sid_found),
        ALL_TYPES(chained_changes_give_every_message_once),
        ALL_TYPES(imported_messages_of_one_time_are_not_split),
        ALL_TYPES(reading_a_thread_clears_what_was_unread),
        ALL_TYPES(threads_are_listed_latest_first_and_by_change),
        ALL_TYPES(contacts_are_unique_by_number_and_listed_by_name),
        ALL_TYPES(parked_facts_join_and_are_found),
        ALL_TYPES(an_idempotency_key_is_taken_once),
        ALL_TYPES(a_change_that_changes_nothing_is_none),
        ALL_TYPES(a_given_time_is_never_before_what_was_told),
        ALL_TYPES(a_poll_for_everything_is_given_in_portions),
        ALL_TYPES(everything_is_there_after_a_restart),
        ALL_TYPES(a_second_owner_is_refused),
        ALL_TYPES(another_account_is_refused),
        cmocka_unit_test_setup_teardown(a_poll_looks_at_so_many_records_and_no_more, setup,
                                        teardown),
    };
    int failed;

    apr_initialize();
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    apr_terminate();
    return failed;
}
