/* SPDX-License-Identifier: Apache-2.0 */
/* Tests which keys a record makes, and that conflict keys, the commit's count and the index agree
 * on it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "store/dbm/operation/read.h"
#include "store_model.h"

#define NUMBER "+15551230001"

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

/* What is expected at a place: a kind (NULL for none), the name and its use. */
typedef struct expected_t {
    const char *kind, *name;
    wa_key_use_e use;
} expected_t;

static void keys_are(const wa_record_t *r, const expected_t expected[WA_RECORD_CONFLICTS])
{
    wa_record_keys_t keys;
    unsigned made = 0;
    int i;

    assert_int_equal(wa_record_keys_read(r, &keys), APR_SUCCESS);
    for (i = 0; i < WA_RECORD_CONFLICTS; i++) {
        const expected_t *e = &expected[i];
        apr_uint64_t conflict = 0;

        if (!e->kind) {
            assert_null(keys.key[i].kind);
            assert_true(r->conflicts[i] == 0);
            continue;
        }
        assert_string_equal(keys.key[i].kind, e->kind);
        assert_int_equal(keys.key[i].use, e->use);
        if (e->name) {
            assert_slice(keys.key[i].name, e->name);
        } else {
            assert_int_equal(keys.key[i].name.len, sizeof(r->row));
            assert_memory_equal(keys.key[i].name.ptr, &r->row, sizeof(r->row));
        }
        if (e->use != WA_KEY_REPEATED) {
            conflict = e->name ? wa_record_conflict(e->kind, e->name, strlen(e->name))
                               : wa_record_conflict(e->kind, &r->row, sizeof(r->row));
        }
        assert_true(r->conflicts[i] == conflict);
        made += e->use == WA_KEY_MADE;
    }
    assert_int_equal(keys.made, made);
}

static void each_type_of_record_has_its_keys_at_their_places(void **state)
{
    fixture_t *f = *state;
    wa_message_new_t m = message_new("id-1", NULL, NUMBER, WA_DIRECTION_SENT, "key-1");
    wa_record_state_t s = {.sid = WA_SLICE_LITERAL("SM1"), .status = WA_STATUS_SUCCESS};
    wa_record_thread_t t = {WA_SLICE_LITERAL(NUMBER), 1};
    wa_record_contact_t c = {WA_SLICE_LITERAL("c-1"), WA_SLICE_LITERAL(NUMBER),
                             WA_SLICE_LITERAL("Ana"), 0};
    wa_record_parked_t k = {WA_SLICE_LITERAL("SM2"), WA_SLICE_LITERAL("x")};
    wa_record_keys_t keys;
    wa_record_t *r;

    assert_int_equal(wa_record_message_make(&r, &m, f->p), APR_SUCCESS);
    keys_are(r, (expected_t[]){{"id", "id-1", WA_KEY_MADE}, {0}, {"idem", "key-1", WA_KEY_MADE}});
    m.sid = "SM1";
    m.idempotency_key = "";
    assert_int_equal(wa_record_message_make(&r, &m, f->p), APR_SUCCESS);
    keys_are(r, (expected_t[]){{"id", "id-1", WA_KEY_MADE}, {"sid", "SM1", WA_KEY_MADE}, {0}});
    m.sid = "";
    assert_int_equal(wa_record_message_make(&r, &m, f->p), APR_SUCCESS);
    keys_are(r, (expected_t[]){{"id", "id-1", WA_KEY_MADE}, {0}, {0}});
    assert_int_equal(wa_record_state_make(&r, &s, 7, f->p), APR_SUCCESS);
    keys_are(r,
             (expected_t[]){{"state", NULL, WA_KEY_GUARDED}, {"sid", "SM1", WA_KEY_REPEATED}, {0}});
    s.sid_is_new = 1;
    assert_int_equal(wa_record_state_make(&r, &s, 7, f->p), APR_SUCCESS);
    keys_are(r, (expected_t[]){{"state", NULL, WA_KEY_GUARDED}, {"sid", "SM1", WA_KEY_MADE}, {0}});
    assert_int_equal(wa_record_thread_make(&r, WA_RECORD_READ, &t, 7, f->p), APR_SUCCESS);
    keys_are(r, (expected_t[]){{"thread", NUMBER, WA_KEY_GUARDED}, {0}, {0}});
    assert_int_equal(wa_record_thread_make(&r, WA_RECORD_FLAGS, &t, 7, f->p), APR_SUCCESS);
    keys_are(r, (expected_t[]){{"thread", NUMBER, WA_KEY_GUARDED}, {0}, {0}});
    assert_int_equal(wa_record_contact_make(&r, WA_RECORD_CONTACT, &c, f->p), APR_SUCCESS);
    keys_are(r, (expected_t[]){
                    {"contact", "c-1", WA_KEY_GUARDED}, {"number", NUMBER, WA_KEY_GUARDED}, {0}});
    assert_int_equal(wa_record_contact_make(&r, WA_RECORD_CONTACT_DELETE, &c, f->p), APR_SUCCESS);
    keys_are(r, (expected_t[]){
                    {"contact", "c-1", WA_KEY_GUARDED}, {"number", NUMBER, WA_KEY_GUARDED}, {0}});
    assert_int_equal(wa_record_parked_make(&r, &k, f->p), APR_SUCCESS);
    keys_are(r, (expected_t[]){{"park", "SM2", WA_KEY_GUARDED}, {0}, {0}});
    /* One whose lengths do not fit has none. */
    r->payload_length -= 1;
    assert_int_equal(wa_record_keys_read(r, &keys), APR_EGENERAL);
    assert_int_equal(keys.made, 0);
    assert_null(keys.key[0].kind);
}

/* Walks a journal of every kind of record: each name leads to its message, and all counts are
 * one. */
static void the_index_has_what_the_records_make(void **state)
{
    fixture_t *f = *state;
    model_t *model = model_create(f->p);
    wa_dbm_store_t *store;
    apr_uint64_t offset, made = 0, records = 0;
    const op_t *ops;
    int count, i;

    ops = model_ops(&count);
    for (i = 0; i < count; i++) {
        assert_int_equal(model_run(model, f, &ops[i]), APR_SUCCESS);
    }
    store = WA_DBM_STORE(f->store);
    assert_int_equal(wa_replica_catch_up(&store->replica, store->shared), APR_SUCCESS);
    for (offset = WA_JOURNAL_START; offset < wa_dbm_end(store);) {
        const wa_record_t *r =
            wa_journal_record_checked(&store->journal, offset, wa_dbm_end(store));
        wa_record_keys_t keys;

        assert_non_null(r);
        assert_int_equal(wa_record_keys_read(r, &keys), APR_SUCCESS);
        for (i = 0; i < WA_RECORD_CONFLICTS; i++) {
            const wa_record_key_t *key = &keys.key[i];
            apr_uint64_t row;

            if (key->kind && key->use != WA_KEY_GUARDED) {
                assert_int_equal(wa_dbm_key_find(store, key->kind, key->name, &row), APR_SUCCESS);
                assert_true(row == r->row);
            }
        }
        made += keys.made;
        records++;
        offset += r->length;
    }
    assert_true(records > 40 && made > records / 2);
    assert_true(store->replica.at.keys == made);
    assert_true(wa_shared_tail(store->shared).keys == made);
    fixture_reopen(f); /* by way of a checkpoint, whose keys are looked for */
    assert_string_equal(fixture_log(), "");
    assert_true(WA_DBM_STORE(f->store)->replica.at.keys == made);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_type_of_record_has_its_keys_at_their_places, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(the_index_has_what_the_records_make, setup, teardown),
    };

    apr_initialize();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
