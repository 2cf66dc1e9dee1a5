/* SPDX-License-Identifier: Apache-2.0 */
/* What store.h promises of threads, contacts, parked facts, pending messages and versions. */
#include "seam_conformance.h"

#include "base/clock.h"

/* ---- threads ---- */

typedef struct row_t {
    seam_t *seam;
    wa_thread_t row;
    char counterparts[512];
} row_t;

static apr_status_t row_keep(void *baton, const wa_thread_t *t)
{
    row_t *r = baton;
    apr_pool_t *p = r->seam->p;

    r->row = *t;
    r->row.counterpart = wa_slice_of(wa_slice_string(t->counterpart, p));
    r->row.inbound = apr_pmemdup(p, t->inbound, t->inbound_count * sizeof(*t->inbound));
    r->row.preview = wa_slice_of(wa_slice_string(t->preview, p));
    r->row.profile_name = wa_slice_of(wa_slice_string(t->profile_name, p));
    r->row.contact_id = wa_slice_of(wa_slice_string(t->contact_id, p));
    r->row.contact_name = wa_slice_of(wa_slice_string(t->contact_name, p));
    sprintf(r->counterparts + strlen(r->counterparts), "%s%.*s", *r->counterparts ? " " : "",
            (int)t->counterpart.len, t->counterpart.ptr);
    return APR_SUCCESS;
}

wa_thread_t seam_thread(seam_t *seam, const char *counterpart)
{
    row_t row = {.seam = seam};

    assert_int_equal(wa_store_thread_visit(seam->store, counterpart, row_keep, &row), APR_SUCCESS);
    return row.row;
}

static void threads_assert(seam_t *seam, apr_int64_t since_ms, const char *counterparts)
{
    row_t row = {.seam = seam};

    assert_int_equal(wa_store_threads_list(seam->store, since_ms, row_keep, &row), APR_SUCCESS);
    assert_string_equal(row.counterparts, counterparts);
}

static void a_thread_sums_up_its_messages(seam_t *seam)
{
    wa_message_new_t new = message_new("b", NULL, SEAM_ANA, WA_DIRECTION_SENT, NULL);
    wa_message_t a, b;
    wa_thread_t t;

    a = seam_add(seam, "a", NULL, SEAM_ANA, WA_DIRECTION_RECEIVED);
    t = seam_thread(seam, SEAM_ANA);
    assert_slice(t.counterpart, SEAM_ANA);
    assert_slice(t.preview, "hello");
    assert_int_equal(t.message_count, 1);
    assert_int_equal(t.unread_count, 1);
    assert_int_equal(t.flags, 0);
    assert_int_equal(t.last_direction, WA_DIRECTION_RECEIVED);
    assert_int_equal(t.last_inbound_ms, a.timestamp_ms);
    assert_int_equal(t.inbound[0].date_ms, a.date_ms);
    assert_int_equal(t.inbound[0].before_ms, 0);
    new.preview = wa_slice_of("");
    assert_int_equal(wa_store_message_add(seam->store, &new, &b, seam->p), APR_SUCCESS);
    seam->reopen(seam);
    t = seam_thread(seam, SEAM_ANA);
    assert_int_equal(t.preview.len, 0);
    assert_int_equal(t.message_count, 2);
    assert_int_equal(t.unread_count, 1);
    assert_int_equal(t.last_direction, WA_DIRECTION_SENT);
    assert_int_equal(t.last_timestamp_ms, b.timestamp_ms);
    assert_int_equal(t.changed_ms, b.timestamp_ms);
    assert_int_equal(t.last_inbound_ms, a.timestamp_ms);
}

static void named(seam_t *seam, wa_direction_e direction, const char *name, const char *expected)
{
    static int count;
    wa_message_new_t new =
        message_new(apr_psprintf(seam->p, "n%d", count++), NULL, SEAM_ANA, direction, NULL);
    wa_message_t m;

    new.profile_name = wa_slice_of(name);
    assert_int_equal(wa_store_message_add(seam->store, &new, &m, seam->p), APR_SUCCESS);
    assert_slice(seam_thread(seam, SEAM_ANA).profile_name, expected);
    seam->reopen(seam);
    assert_slice(seam_thread(seam, SEAM_ANA).profile_name, expected);
}

static void a_thread_has_the_newest_name_that_was_told(seam_t *seam)
{
    named(seam, WA_DIRECTION_SENT, "", "");
    named(seam, WA_DIRECTION_RECEIVED, "Ana", "Ana");
    named(seam, WA_DIRECTION_RECEIVED, "", "Ana");
    named(seam, WA_DIRECTION_SENT, "", "Ana");
    named(seam, WA_DIRECTION_RECEIVED, "Ana Gómez 👋", "Ana Gómez 👋");
    named(seam, WA_DIRECTION_RECEIVED, "", "Ana Gómez 👋");
    seam_add(seam, "b", NULL, SEAM_BEA, WA_DIRECTION_RECEIVED);
    assert_int_equal(seam_thread(seam, SEAM_BEA).profile_name.len, 0);
}

static void threads_are_listed_latest_first_and_by_change(seam_t *seam)
{
    apr_int64_t since;

    threads_assert(seam, 0, "");
    seam_add(seam, "a", NULL, SEAM_ANA, WA_DIRECTION_SENT);
    seam_add(seam, "b", NULL, SEAM_BEA, WA_DIRECTION_RECEIVED);
    seam_add(seam, "c", NULL, "c", WA_DIRECTION_SENT);
    threads_assert(seam, 0, "c " SEAM_BEA " " SEAM_ANA);
    seam_add(seam, "d", NULL, SEAM_ANA, WA_DIRECTION_SENT);
    threads_assert(seam, 0, SEAM_ANA " c " SEAM_BEA);
    since = seam_time(seam);
    threads_assert(seam, since, "");
    /* whatever changes a row lists it, but moves it nowhere */
    assert_int_equal(wa_store_thread_mark_read(seam->store, SEAM_BEA, seam->p), APR_SUCCESS);
    threads_assert(seam, since, SEAM_BEA);
    seam_contact(seam, "1", "c", "Cleo");
    threads_assert(seam, since, "c " SEAM_BEA);
    seam_state_set(seam, "a", WA_STATUS_FAILED, NULL, "d");
    threads_assert(seam, since, "c " SEAM_BEA);
    threads_assert(seam, seam_time(seam), "");
    seam->reopen(seam);
    threads_assert(seam, 0, SEAM_ANA " c " SEAM_BEA);
    threads_assert(seam, since, "c " SEAM_BEA);
}

static void reading_a_thread_clears_what_was_unread(seam_t *seam)
{
    apr_uint64_t version;

    seam_add(seam, "a", NULL, SEAM_ANA, WA_DIRECTION_RECEIVED);
    seam_add(seam, "b", NULL, SEAM_ANA, WA_DIRECTION_RECEIVED);
    seam_add(seam, "x", NULL, SEAM_BEA, WA_DIRECTION_RECEIVED);
    assert_int_equal(seam_thread(seam, SEAM_ANA).unread_count, 2);
    assert_int_equal(wa_store_thread_mark_read(seam->store, SEAM_ANA, seam->p), APR_SUCCESS);
    seam_add(seam, "c", NULL, SEAM_ANA, WA_DIRECTION_RECEIVED);
    seam->reopen(seam);
    assert_int_equal(seam_thread(seam, SEAM_ANA).unread_count, 1);
    assert_int_equal(seam_thread(seam, SEAM_BEA).unread_count, 1);
    assert_int_equal(seam_find(seam, "b").unread, 0);
    assert_int_equal(seam_find(seam, "c").unread, 1);
    assert_int_equal(wa_store_thread_mark_read(seam->store, SEAM_ANA, seam->p), APR_SUCCESS);
    version = wa_store_version(seam->store, WA_VERSION_ALL);
    assert_int_equal(wa_store_thread_mark_read(seam->store, SEAM_ANA, seam->p), APR_SUCCESS);
    assert_int_equal(wa_store_thread_mark_read(seam->store, "nobody", seam->p), APR_NOTFOUND);
    assert_int_equal(wa_store_version(seam->store, WA_VERSION_ALL), version);
}

static void flags_are_set_and_cleared(seam_t *seam)
{
    apr_uint64_t version;

    assert_int_equal(wa_store_thread_flags_set(seam->store, SEAM_ANA, 1, 0, seam->p), APR_NOTFOUND);
    assert_int_equal(wa_store_thread_visit(seam->store, SEAM_ANA, row_keep, NULL), APR_NOTFOUND);
    seam_add(seam, "a", NULL, SEAM_ANA, WA_DIRECTION_RECEIVED);
    assert_int_equal(wa_store_thread_flags_set(seam->store, SEAM_ANA,
                                               WA_THREAD_BLOCKED | WA_THREAD_OPTED_OUT, 0, seam->p),
                     APR_SUCCESS);
    assert_int_equal(
        wa_store_thread_flags_set(seam->store, SEAM_ANA, 0, WA_THREAD_BLOCKED, seam->p),
        APR_SUCCESS);
    seam->reopen(seam);
    assert_int_equal(seam_thread(seam, SEAM_ANA).flags, WA_THREAD_OPTED_OUT);
    version = wa_store_version(seam->store, WA_VERSION_ALL);
    assert_int_equal(wa_store_thread_flags_set(seam->store, SEAM_ANA, WA_THREAD_OPTED_OUT,
                                               WA_THREAD_BLOCKED, seam->p),
                     APR_SUCCESS);
    assert_int_equal(wa_store_version(seam->store, WA_VERSION_ALL), version);
    seam_add(seam, "b", NULL, SEAM_ANA, WA_DIRECTION_RECEIVED);
    assert_int_equal(seam_thread(seam, SEAM_ANA).flags, WA_THREAD_OPTED_OUT);
}

/* In one commit: who sees the message sees what it changed. */
static void a_message_changes_flags_with_itself(seam_t *seam)
{
    wa_message_new_t new = message_new("a", "SMa", SEAM_ANA, WA_DIRECTION_RECEIVED, NULL);
    wa_message_t m;

    new.flags_set = WA_THREAD_OPTED_OUT;
    assert_int_equal(wa_store_message_add(seam->store, &new, NULL, seam->p), APR_SUCCESS);
    assert_int_equal(seam_thread(seam, SEAM_ANA).flags, WA_THREAD_OPTED_OUT);
    assert_int_equal(
        wa_store_thread_flags_set(seam->store, SEAM_ANA, WA_THREAD_BLOCKED, 0, seam->p),
        APR_SUCCESS);
    seam_add(seam, "b", NULL, SEAM_ANA, WA_DIRECTION_RECEIVED);
    seam->reopen(seam);
    assert_int_equal(seam_thread(seam, SEAM_ANA).flags, WA_THREAD_OPTED_OUT | WA_THREAD_BLOCKED);
    new.id = "c";
    new.sid = "SMc";
    new.flags_set = 0;
    new.flags_clear = WA_THREAD_OPTED_OUT;
    assert_int_equal(wa_store_message_add(seam->store, &new, NULL, seam->p), APR_SUCCESS);
    assert_int_equal(seam_thread(seam, SEAM_ANA).flags, WA_THREAD_BLOCKED);
    /* one that is there already changes nothing */
    new.flags_set = WA_THREAD_OPTED_OUT;
    new.flags_clear = 0;
    assert_int_equal(wa_store_message_add(seam->store, &new, &m, seam->p), APR_EEXIST);
    new.id = "d";
    new.sid = NULL;
    new.idempotency_key = "key";
    assert_int_equal(wa_store_message_add(seam->store, &new, NULL, seam->p), APR_EINVAL);
    new.idempotency_key = NULL;
    new.flags_set = 0x100;
    assert_int_equal(wa_store_message_add(seam->store, &new, NULL, seam->p), APR_EINVAL);
    seam->reopen(seam);
    assert_int_equal(seam_thread(seam, SEAM_ANA).flags, WA_THREAD_BLOCKED);
}

/* What a thread knows of a number of ours; 0 for nothing. */
static apr_int64_t written_to(seam_t *seam, const char *number)
{
    const wa_thread_t t = seam_thread(seam, SEAM_ANA);
    apr_size_t i;

    for (i = 0; i < t.inbound_count; i++) {
        if (wa_slice_is_equal(t.inbound[i].phone_number, wa_slice_of(number))) {
            return t.inbound[i].date_ms;
        }
    }
    return 0;
}

static void each_number_of_ours_has_its_date(seam_t *seam)
{
    wa_message_new_t new = message_new("a", NULL, SEAM_ANA, WA_DIRECTION_RECEIVED, NULL);
    const apr_int64_t now = wa_clock_now_ms();
    const char *number;
    unsigned i;

    for (i = 0; i < 2 * WA_STORE_NUMBERS_MAX; i++) {
        new.id = apr_psprintf(seam->p, "m%u", i);
        new.phone_number = number = apr_psprintf(seam->p, "+1415523%04u", i);
        new.date_ms = now - 3600000 + i * 1000;
        assert_int_equal(wa_store_message_add(seam->store, &new, NULL, seam->p), APR_SUCCESS);
        assert_true(written_to(seam, number) == new.date_ms);
        assert_int_equal(seam_thread(seam, SEAM_ANA).inbound_count,
                         i < WA_STORE_NUMBERS_MAX ? i + 1 : WA_STORE_NUMBERS_MAX);
    }
    seam->reopen(seam);
    assert_true(written_to(seam, number) == new.date_ms);
    /* those that were written to longest ago are forgotten, and what is older comes not back */
    assert_true(written_to(seam, "+14155230000") == 0);
    new.id = "older";
    new.phone_number = "+14155230000";
    new.date_ms = now - 7200000;
    assert_int_equal(wa_store_message_add(seam->store, &new, NULL, seam->p), APR_SUCCESS);
    assert_true(written_to(seam, "+14155230000") == 0);
    /* what we send tells nothing */
    new = message_new("sent", NULL, SEAM_ANA, WA_DIRECTION_SENT, NULL);
    new.phone_number = "+14155230000";
    assert_int_equal(wa_store_message_add(seam->store, &new, NULL, seam->p), APR_SUCCESS);
    assert_true(written_to(seam, "+14155230000") == 0);
    new = message_new("now", NULL, SEAM_ANA, WA_DIRECTION_RECEIVED, NULL);
    new.phone_number = "+14155230000";
    assert_int_equal(wa_store_message_add(seam->store, &new, NULL, seam->p), APR_SUCCESS);
    assert_true(written_to(seam, "+14155230000") >= now);
    assert_true(written_to(seam, number) > 0);
}

/* ---- contacts ---- */

static apr_status_t contact_give(seam_t *seam, const char *id, const char *number, const char *name,
                                 wa_contact_t *pc)
{
    const wa_contact_t c = {.id = wa_slice_of(id),
                            .phone_number = wa_slice_of(number),
                            .display_name = wa_slice_of(name)};

    return wa_store_contact_add(seam->store, &c, pc, seam->p);
}

void seam_contact(seam_t *seam, const char *id, const char *number, const char *name)
{
    wa_contact_t c;

    assert_int_equal(contact_give(seam, id, number, name, &c), APR_SUCCESS);
    assert_slice(c.id, id);
    assert_slice(c.phone_number, number);
    assert_slice(c.display_name, name);
}

static apr_status_t contact_note(void *baton, const wa_contact_t *c)
{
    char *all = baton;

    sprintf(all + strlen(all), "%s%.*s", *all ? " " : "", (int)c->id.len, c->id.ptr);
    return APR_SUCCESS;
}

static void contacts_assert(seam_t *seam, const char *ids)
{
    char all[256] = "";

    assert_int_equal(wa_store_contacts_list(seam->store, contact_note, all), APR_SUCCESS);
    assert_string_equal(all, ids);
}

static void contacts_are_unique_by_number_and_id(seam_t *seam)
{
    apr_uint64_t version;
    wa_contact_t c;

    seam_contact(seam, "1", SEAM_ANA, "Ana");
    version = wa_store_version(seam->store, WA_VERSION_ALL);
    assert_int_equal(contact_give(seam, "2", SEAM_ANA, "Other", &c), APR_EEXIST);
    assert_slice(c.id, "1");
    assert_slice(c.display_name, "Ana");
    assert_int_equal(contact_give(seam, "1", SEAM_BEA, "Other", &c), APR_EEXIST);
    assert_slice(c.phone_number, SEAM_ANA);
    assert_int_equal(contact_give(seam, "", SEAM_BEA, "Other", &c), APR_EINVAL);
    assert_int_equal(contact_give(seam, "2", "", "Other", &c), APR_EINVAL);
    assert_int_equal(wa_store_contact_delete(seam->store, "2", seam->p), APR_NOTFOUND);
    assert_int_equal(wa_store_contact_rename(seam->store, SEAM_ANA, wa_slice_of("x"), &c, seam->p),
                     APR_NOTFOUND);
    assert_int_equal(wa_store_contact_find(seam->store, SEAM_BEA, &c, seam->p), APR_NOTFOUND);
    assert_int_equal(wa_store_version(seam->store, WA_VERSION_ALL), version);
    assert_int_equal(wa_store_contact_delete(seam->store, "1", seam->p), APR_SUCCESS);
    assert_int_equal(wa_store_contact_find(seam->store, "1", &c, seam->p), APR_NOTFOUND);
    /* both are free again */
    seam_contact(seam, "1", SEAM_BEA, "Bea");
    seam_contact(seam, "2", SEAM_ANA, "");
    seam->reopen(seam);
    assert_int_equal(wa_store_contact_find(seam->store, SEAM_BEA, &c, seam->p), APR_SUCCESS);
    assert_slice(c.id, "1");
    assert_int_equal(wa_store_contact_find(seam->store, "2", &c, seam->p), APR_SUCCESS);
    assert_int_equal(c.display_name.len, 0);
}

static void contacts_are_listed_by_name(seam_t *seam)
{
    wa_contact_t c;

    seam_contact(seam, "1", "+3", "bea");
    seam_contact(seam, "2", "+2", "Ana");
    seam_contact(seam, "3", "+4", "ANA");
    seam_contact(seam, "4", "+1", "ana");
    seam_contact(seam, "5", "+5", "an");
    seam_contact(seam, "6", "+6", "\xc3\x81na");
    seam_contact(seam, "7", "+7", "Zoe");
    contacts_assert(seam, "5 4 2 3 1 7 6");
    assert_int_equal(wa_store_contact_rename(seam->store, "7", wa_slice_of("aa"), &c, seam->p),
                     APR_SUCCESS);
    assert_slice(c.display_name, "aa");
    assert_int_equal(wa_store_contact_delete(seam->store, "2", seam->p), APR_SUCCESS);
    contacts_assert(seam, "7 5 4 3 1 6");
    seam->reopen(seam);
    contacts_assert(seam, "7 5 4 3 1 6");
}

static void a_contacts_times_are_its_commits(seam_t *seam)
{
    const apr_int64_t before = wa_clock_now_ms() - 1000;
    wa_contact_t given = {.id = wa_slice_of("2"),
                          .phone_number = wa_slice_of("+2"),
                          .display_name = wa_slice_of("Loaded"),
                          .created_ms = 1234};
    wa_contact_t c;

    seam_contact(seam, "1", SEAM_ANA, "Ana");
    assert_int_equal(wa_store_contact_find(seam->store, "1", &c, seam->p), APR_SUCCESS);
    assert_in_range(c.created_ms, before, wa_clock_now_ms());
    assert_int_equal(c.updated_ms, c.created_ms);
    given.created_ms = c.created_ms;
    assert_int_equal(wa_store_contact_rename(seam->store, "1", wa_slice_of("Anna"), &c, seam->p),
                     APR_SUCCESS);
    assert_int_equal(c.created_ms, given.created_ms);
    assert_in_range(c.updated_ms, c.created_ms, wa_clock_now_ms());
    given.created_ms = 1234;
    assert_int_equal(wa_store_contact_add(seam->store, &given, &c, seam->p), APR_SUCCESS);
    assert_int_equal(c.created_ms, 1234);
    assert_in_range(c.updated_ms, before, wa_clock_now_ms());
}

static void a_contact_is_joined_to_its_thread_and_messages(seam_t *seam)
{
    seam_add(seam, "a", NULL, SEAM_ANA, WA_DIRECTION_RECEIVED);
    assert_int_equal(seam_find(seam, "a").contact_id.len, 0);
    seam_contact(seam, "1", SEAM_ANA, "Ana");
    seam_contact(seam, "2", SEAM_BEA, "Bea");
    seam_add(seam, "b", NULL, SEAM_BEA, WA_DIRECTION_RECEIVED);
    seam->reopen(seam);
    assert_slice(seam_find(seam, "a").contact_id, "1");
    assert_slice(seam_find(seam, "b").contact_id, "2");
    assert_slice(seam_thread(seam, SEAM_ANA).contact_name, "Ana");
    assert_slice(seam_thread(seam, SEAM_BEA).contact_id, "2");
    assert_int_equal(wa_store_contact_delete(seam->store, "1", seam->p), APR_SUCCESS);
    assert_int_equal(seam_find(seam, "a").contact_id.len, 0);
    assert_int_equal(seam_thread(seam, SEAM_ANA).contact_name.len, 0);
    assert_int_equal(seam_thread(seam, SEAM_ANA).message_count, 1);
}

static void names_have_a_limit(seam_t *seam)
{
    char *longer = apr_pcalloc(seam->p, WA_STORE_TEXT_MAX + 2);
    wa_contact_t c;

    memset(longer, 'n', WA_STORE_TEXT_MAX + 1);
    assert_int_equal(contact_give(seam, "1", "+1", longer, &c), APR_EINVAL);
    longer[WA_STORE_TEXT_MAX] = '\0';
    seam_contact(seam, "1", "+1", longer);
    longer[WA_STORE_TEXT_MAX] = 'n';
    assert_int_equal(wa_store_contact_rename(seam->store, "1", wa_slice_of(longer), &c, seam->p),
                     APR_EINVAL);
    longer[WA_STORE_NAME_MAX + 1] = '\0';
    assert_int_equal(contact_give(seam, "2", longer, "x", &c), APR_EINVAL);
    longer[WA_STORE_ID_MAX + 1] = '\0';
    assert_int_equal(contact_give(seam, longer, "+2", "x", &c), APR_EINVAL);
    contacts_assert(seam, "1");
}

/* ---- parked facts ---- */

static void parked_assert(seam_t *seam, const char *key, wa_slice_t value)
{
    wa_slice_t given;

    assert_int_equal(wa_store_parked_get(seam->store, key, &given, seam->p), APR_SUCCESS);
    assert_int_equal(given.len, value.len);
    assert_memory_equal(given.ptr, value.ptr, value.len);
}

static void parked_facts_are_joined_and_bounded(seam_t *seam)
{
    char *longest = apr_pcalloc(seam->p, WA_STORE_TEXT_MAX + 1);
    wa_slice_t given;

    assert_int_equal(wa_store_parked_get(seam->store, "SMa", &given, seam->p), APR_NOTFOUND);
    assert_int_equal(wa_store_parked_add(seam->store, "SMa", wa_slice_of("one"), seam->p),
                     APR_SUCCESS);
    assert_int_equal(wa_store_parked_add(seam->store, "SMb", wa_slice_make("\0b\0", 3), seam->p),
                     APR_SUCCESS);
    assert_int_equal(wa_store_parked_add(seam->store, "SMa", wa_slice_of("two"), seam->p),
                     APR_SUCCESS);
    seam->reopen(seam);
    parked_assert(seam, "SMa", WA_SLICE_LITERAL("one\ntwo"));
    parked_assert(seam, "SMb", wa_slice_make("\0b\0", 3));
    memset(longest, 'v', WA_STORE_TEXT_MAX);
    assert_int_equal(wa_store_parked_add(seam->store, "SMa", wa_slice_of(longest + 7), seam->p),
                     APR_ENOSPC);
    parked_assert(seam, "SMa", WA_SLICE_LITERAL("one\ntwo"));
    assert_int_equal(wa_store_parked_add(seam->store, "SMa", wa_slice_of(longest + 8), seam->p),
                     APR_SUCCESS);
    assert_int_equal(wa_store_parked_get(seam->store, "SMa", &given, seam->p), APR_SUCCESS);
    assert_int_equal(given.len, WA_STORE_TEXT_MAX);
    longest[WA_STORE_NAME_MAX + 1] = '\0';
    assert_int_equal(wa_store_parked_add(seam->store, longest, wa_slice_of("x"), seam->p),
                     APR_ENOSPC);
    assert_int_equal(wa_store_parked_add(seam->store, "", wa_slice_of("x"), seam->p), APR_EINVAL);
}

static void the_newest_parked_facts_stay(seam_t *seam)
{
    apr_pool_t *tmp;
    unsigned i;
    wa_slice_t given;

    assert_int_equal(apr_pool_create(&tmp, seam->p), APR_SUCCESS);
    for (i = 0; i < WA_STORE_OPEN_MIN + 100; i++) {
        char key[16];

        sprintf(key, "SM%u", i);
        assert_int_equal(wa_store_parked_add(seam->store, key, wa_slice_of(key), tmp), APR_SUCCESS);
        apr_pool_clear(tmp);
    }
    seam->reopen(seam);
    for (i = 100; i < WA_STORE_OPEN_MIN + 100; i++) {
        char key[16];

        sprintf(key, "SM%u", i);
        assert_int_equal(wa_store_parked_get(seam->store, key, &given, tmp), APR_SUCCESS);
        assert_int_equal(given.len, strlen(key));
        apr_pool_clear(tmp);
    }
}

/* ---- pending messages ---- */

static void pending_assert(seam_t *seam, apr_int64_t before_ms, apr_int64_t ahead_ms,
                           apr_size_t max, const char *ids)
{
    seam_list_t *list = seam_list_create(seam);

    assert_int_equal(
        wa_store_pending_list(seam->store,
                              PENDING_OF(before_ms, ahead_ms, max, seam_list_visit, list), seam->p),
        APR_SUCCESS);
    seam_list_assert(list, ids);
}

static void what_is_pending_is_listed(seam_t *seam)
{
    const apr_int64_t now = wa_clock_now_ms(), none = APR_INT64_MAX;
    wa_message_new_t new;
    wa_message_t m;
    int i;

    seam_add(seam, "in", NULL, SEAM_ANA, WA_DIRECTION_RECEIVED);
    for (i = 0; i < 5; i++) {
        new = message_new(apr_psprintf(seam->p, "%d", i), NULL, i % 2 ? SEAM_ANA : SEAM_BEA,
                          WA_DIRECTION_SENT, NULL);
        new.date_ms = now + (i - 2) * 1000;
        new.status = i == 3 ? WA_STATUS_SUCCESS : WA_STATUS_PENDING;
        assert_int_equal(wa_store_message_add(seam->store, &new, &m, seam->p), APR_SUCCESS);
    }
    pending_assert(seam, none, none, 9, "0 1 2 4");
    seam_state_set(seam, "in", WA_STATUS_PENDING, NULL, "d");
    pending_assert(seam, none, none, 9, "in 0 1 2 4");
    seam_state_set(seam, "in", WA_STATUS_NONE, NULL, "");
    new = message_new("late", NULL, SEAM_BEA, WA_DIRECTION_RECEIVED, NULL);
    new.date_ms = now;
    new.status = WA_STATUS_PENDING;
    assert_int_equal(wa_store_message_add(seam->store, &new, &m, seam->p), APR_SUCCESS);
    pending_assert(seam, none, none, 9, "0 1 2 4 late");
    seam_state_set(seam, "late", WA_STATUS_NONE, NULL, "");
    pending_assert(seam, none, none, 3, "0 1 2");
    pending_assert(seam, none, none, 0, "");
    pending_assert(seam, now - 2000, none, 9, "0");
    pending_assert(seam, now - 2001, none, 9, "");
    pending_assert(seam, now - 1000, now + 2000, 9, "0 1");
    pending_assert(seam, now - 1000, now + 1999, 9, "0 1 4");
    seam_state_set(seam, "1", WA_STATUS_SUCCESS, NULL, "d");
    seam_state_set(seam, "2", WA_STATUS_FAILED, NULL, "d");
    seam_state_set(seam, "3", WA_STATUS_PENDING, NULL, "d");
    seam_state_set(seam, "4", WA_STATUS_PENDING, NULL, "d");
    pending_assert(seam, none, none, 9, "0 3 4");
    seam->reopen(seam);
    pending_assert(seam, none, none, 9, "0 3 4");
}

/* ---- versions ---- */

typedef struct versions_t {
    apr_uint64_t all, threads, contacts, ana, bea;
} versions_t;

static versions_t versions_get(seam_t *seam)
{
    return (versions_t){wa_store_version(seam->store, WA_VERSION_ALL),
                        wa_store_version(seam->store, WA_VERSION_THREADS),
                        wa_store_version(seam->store, WA_VERSION_CONTACTS),
                        wa_store_thread_version(seam->store, SEAM_ANA),
                        wa_store_thread_version(seam->store, SEAM_BEA)};
}

/* Exactly the versions whose letter is in `changed` are others than before: All, Threads, Contacts,
 * the messages of ana (1) and of bea (2). */
static void changed_assert(seam_t *seam, versions_t *before, const char *changed)
{
    const versions_t now = versions_get(seam);
    char found[8] = "";

    sprintf(found, "%s%s%s%s%s", now.all != before->all ? "A" : "",
            now.threads != before->threads ? "T" : "", now.contacts != before->contacts ? "C" : "",
            now.ana != before->ana ? "1" : "", now.bea != before->bea ? "2" : "");
    assert_string_equal(found, changed);
    assert_true(now.all >= before->all && now.threads >= before->threads
                && now.contacts >= before->contacts && now.ana >= before->ana
                && now.bea >= before->bea);
    *before = now;
}

static void versions_change_with_what_is_seen(seam_t *seam)
{
    versions_t v = versions_get(seam);
    wa_contact_t c;

    assert_int_equal(v.ana, 0);
    seam_add(seam, "a", NULL, SEAM_ANA, WA_DIRECTION_RECEIVED);
    changed_assert(seam, &v, "AT1");
    seam_add(seam, "b", NULL, SEAM_BEA, WA_DIRECTION_SENT);
    changed_assert(seam, &v, "AT2");
    seam_state_set(seam, "b", WA_STATUS_SUCCESS, NULL, "d");
    changed_assert(seam, &v, "A2");
    assert_int_equal(wa_store_thread_mark_read(seam->store, SEAM_ANA, seam->p), APR_SUCCESS);
    changed_assert(seam, &v, "AT1");
    assert_int_equal(wa_store_thread_mark_read(seam->store, SEAM_ANA, seam->p), APR_SUCCESS);
    changed_assert(seam, &v, "");
    assert_int_equal(
        wa_store_thread_flags_set(seam->store, SEAM_BEA, WA_THREAD_BLOCKED, 0, seam->p),
        APR_SUCCESS);
    changed_assert(seam, &v, "AT2");
    seam_contact(seam, "1", SEAM_ANA, "Ana");
    changed_assert(seam, &v, "ATC1");
    seam_contact(seam, "2", "+2", "Nobody yet");
    changed_assert(seam, &v, "AC");
    assert_int_equal(wa_store_contact_rename(seam->store, "1", wa_slice_of("Anna"), &c, seam->p),
                     APR_SUCCESS);
    changed_assert(seam, &v, "ATC1");
    assert_int_equal(wa_store_contact_delete(seam->store, "1", seam->p), APR_SUCCESS);
    changed_assert(seam, &v, "ATC1");
    assert_int_equal(wa_store_parked_add(seam->store, "SMx", wa_slice_of("v"), seam->p),
                     APR_SUCCESS);
    changed_assert(seam, &v, "A");
    /* reading is no change */
    seam_time(seam);
    seam_find(seam, "a");
    contacts_assert(seam, "2");
    threads_assert(seam, 0, SEAM_BEA " " SEAM_ANA);
    changed_assert(seam, &v, "");
}

const seam_case_t seam_cases_rows[] = {
    {"a thread sums up its messages", a_thread_sums_up_its_messages},
    {"a thread has the newest name that was told", a_thread_has_the_newest_name_that_was_told},
    {"threads are listed latest first and by change",
     threads_are_listed_latest_first_and_by_change},
    {"reading a thread clears what was unread", reading_a_thread_clears_what_was_unread},
    {"flags are set and cleared", flags_are_set_and_cleared},
    {"a message changes flags with itself", a_message_changes_flags_with_itself},
    {"each number of ours has its date", each_number_of_ours_has_its_date},
    {"contacts are unique by number and id", contacts_are_unique_by_number_and_id},
    {"contacts are listed by name", contacts_are_listed_by_name},
    {"a contact's times are its commits'", a_contacts_times_are_its_commits},
    {"a contact is joined to its thread and messages",
     a_contact_is_joined_to_its_thread_and_messages},
    {"names have a limit", names_have_a_limit},
    {"parked facts are joined and bounded", parked_facts_are_joined_and_bounded},
    {"the newest parked facts stay", the_newest_parked_facts_stay},
    {"what is pending is listed", what_is_pending_is_listed},
    {"versions change with what is seen", versions_change_with_what_is_seen},
    {NULL, NULL},
};
