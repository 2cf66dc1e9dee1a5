/* SPDX-License-Identifier: Apache-2.0 */
/* The model of a store: what was done to it, record by record. */
#include "store_model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "store/dbm/dbm.h"

/* So many small messages come first, so that there is a mark (one in 64 records). */
enum { OLD = 40 };

model_t *model_create(apr_pool_t *p)
{
    model_t *m = apr_pcalloc(p, sizeof(*m));

    m->p = p;
    return m;
}

const model_record_t *model_message_find(const model_t *m, const char *id)
{
    int i;

    for (i = 0; i < m->count; i++) {
        if (m->records[i].op.type <= OP_OUT && strcmp(m->records[i].op.a, id) == 0) {
            return &m->records[i];
        }
    }
    return NULL;
}

static const char *sid_now(const model_t *m, const char *id)
{
    const char *sid = "";
    int i;

    for (i = 0; i < m->count; i++) {
        const model_record_t *r = &m->records[i];

        if (strcmp(r->op.a, id) != 0) {
            continue;
        }
        if (r->op.type == OP_IN) {
            sid = r->op.b;
        } else if (r->op.type == OP_STATE) {
            sid = r->value;
        }
    }
    return sid;
}

static apr_uint64_t journal_end(const fixture_t *f)
{
    return wa_shared_tail(WA_DBM_STORE(f->store)->shared).offset;
}

static apr_status_t state_merge(void *baton, const wa_message_t *now, wa_message_state_t *next,
                                apr_pool_t *p)
{
    const op_t *op = baton;

    (void)now;
    (void)p;
    next->status = WA_STATUS_SUCCESS;
    next->sid = op->b;
    next->delivery = wa_slice_of(op->c);
    return APR_SUCCESS;
}

int model_is_word(const op_t *op, const char *word)
{
    return op->type == OP_IN && op->d && strcmp(op->d, word) == 0;
}

static apr_status_t op_message(fixture_t *f, const op_t *op, apr_pool_t *p)
{
    int is_in = op->type == OP_IN;
    wa_message_new_t n =
        message_new(op->a, is_in ? op->b : NULL, op->c,
                    is_in ? WA_DIRECTION_RECEIVED : WA_DIRECTION_SENT, is_in ? NULL : op->b);
    wa_message_t stored;

    n.preview = wa_slice_of(op->a);
    n.body = wa_slice_of(op->d ? op->d : op->a);
    n.flags_set = model_is_word(op, WORD_STOP) ? WA_THREAD_OPTED_OUT : 0;
    n.flags_clear = model_is_word(op, WORD_START) ? WA_THREAD_OPTED_OUT : 0;
    return wa_store_message_add(f->store, &n, &stored, p);
}

static apr_status_t op_do(fixture_t *f, const op_t *op, apr_pool_t *p)
{
    wa_message_t message;
    wa_contact_t contact;
    apr_status_t rv;

    switch (op->type) {
    case OP_IN:
    case OP_OUT:
        return op_message(f, op, p);
    case OP_STATE:
        return wa_store_message_update(f->store, UPDATE_OF(op->a, state_merge, (void *)op),
                                       &message, p);
    case OP_READ:
        return wa_store_thread_mark_read(f->store, op->a, p);
    case OP_FLAGS:
        return wa_store_thread_flags_set(f->store, op->a, WA_THREAD_BLOCKED, 0, p);
    case OP_NAME:
        rv = wa_store_contact_rename(f->store, op->a, wa_slice_of(op->c), &contact, p);
        return APR_STATUS_IS_NOTFOUND(rv) ? contact_add(f, op->a, op->b, op->c, &contact) : rv;
    case OP_FORGET:
        return wa_store_contact_delete(f->store, op->a, p);
    case OP_PARK:
        return wa_store_parked_add(f->store, op->a, wa_slice_of(op->b), p);
    }
    return APR_EINVAL;
}

static void record_resolve(model_t *m, model_record_t *r)
{
    const char *before = NULL;
    int i;

    switch (r->op.type) {
    case OP_IN:
    case OP_OUT:
        r->row = ++m->rows;
        break;
    case OP_STATE:
        r->counterpart = model_message_find(m, r->op.a)->op.c;
        r->value = r->op.b ? r->op.b : sid_now(m, r->op.a);
        break;
    case OP_READ:
        for (i = 0; i < m->count; i++) {
            if (m->records[i].op.type <= OP_OUT && strcmp(m->records[i].op.c, r->op.a) == 0) {
                r->row = m->records[i].row;
            }
        }
        break;
    case OP_PARK:
        for (i = 0; i < m->count; i++) {
            if (m->records[i].op.type == OP_PARK && strcmp(m->records[i].op.a, r->op.a) == 0) {
                before = m->records[i].value;
            }
        }
        r->value = before ? apr_pstrcat(m->p, before, "\n", r->op.b, NULL) : r->op.b;
        break;
    default:
        break;
    }
}

void model_note(model_t *m, const op_t *op, apr_uint64_t begin, apr_uint64_t end)
{
    model_record_t *r = &m->records[m->count];

    assert_true(m->count < MODEL_RECORDS);
    memset(r, 0, sizeof(*r));
    r->op = *op;
    r->begin = begin;
    r->end = end;
    record_resolve(m, r);
    m->count++;
}

static apr_status_t run(model_t *m, fixture_t *f, const op_t *op, int is_whatever_it_said)
{
    apr_uint64_t begin = journal_end(f), end;
    apr_pool_t *p;
    apr_status_t rv;

    assert_int_equal(apr_pool_create(&p, m->p), APR_SUCCESS);
    rv = op_do(f, op, p);
    end = journal_end(f);
    if ((rv == APR_SUCCESS || is_whatever_it_said) && end > begin) {
        model_note(m, op, begin, end);
    }
    apr_pool_destroy(p);
    return rv;
}

apr_status_t model_run(model_t *m, fixture_t *f, const op_t *op)
{
    return run(m, f, op, 0);
}

apr_status_t model_run_all(model_t *m, fixture_t *f, const op_t *op)
{
    return run(m, f, op, 1);
}

const op_t *model_ops(int *count)
{
    static char big[9000], names[OLD][3][24];
    static const op_t ops[] = {
        {OP_IN, "in-1", "SMin1", "+15551230001", NULL},
        {OP_OUT, "out-1", "key-1", "+15551230001", NULL},
        {OP_STATE, "out-1", "SMout1", "\"status\":\"success\",\"n\":1", NULL},
        {OP_NAME, "c-1", "+15551230001", "Ana", NULL},
        {OP_IN, "in-2", "SMin2", "+15551230002", NULL},
        {OP_PARK, "SMpark1", "sent", NULL, NULL},
        {OP_IN, "in-3", "SMin3", "BSUID.44f9a0", NULL},
        {OP_READ, "+15551230001", NULL, NULL, NULL},
        {OP_IN, "in-4", "SMin4", "+15551230001", NULL},
        {OP_OUT, "out-2", NULL, "+15551230003", NULL},
        {OP_FLAGS, "+15551230003", NULL, NULL, NULL},
        {OP_STATE, "out-2", "SMout2", "\"status\":\"success\",\"n\":2", NULL},
        {OP_STATE, "out-1", NULL, "\"status\":\"success\",\"n\":3", NULL},
        {OP_NAME, "c-2", "+15551230002", "Bea", NULL},
        {OP_NAME, "c-1", "+15551230001", "Ana Maria", NULL},
        {OP_PARK, "SMpark1", "read", NULL, NULL},
        {OP_IN, "in-5", "SMin5", "+15551230002", NULL},
        {OP_IN, "in-6", "SMin6", "+15551230001", NULL},
        {OP_FORGET, "c-2", NULL, NULL, NULL},
        {OP_NAME, "c-3", "+15551230002", "Cyd", NULL},
        {OP_OUT, "out-3", "key-3", "+15551230002", NULL},
        {OP_READ, "+15551230002", NULL, NULL, NULL},
        {OP_IN, "in-7", "SMin7", "+15551230002", NULL},
        {OP_STATE, "out-2", NULL, "\"status\":\"failed\",\"n\":4", NULL},
        {OP_IN, "in-8", "SMin8", "+15551230001", big},
        {OP_PARK, "SMpark2", "failed", NULL, NULL},
        {OP_IN, "in-9", "SMin9", "+15551230003", big},
        {OP_STATE, "out-3", "SMout3", "\"status\":\"success\",\"n\":5", NULL},
        {OP_OUT, "out-4", "key-4", "BSUID.44f9a0", NULL},
        {OP_NAME, "c-4", "+15551230003", "Dua", NULL},
        {OP_READ, "+15551230003", NULL, NULL, NULL},
        {OP_IN, "in-10", "SMin10", "+15551230001", NULL},
        {OP_STATE, "out-4", "SMout4", "\"status\":\"success\",\"n\":6", NULL},
        {OP_IN, "in-11", "SMin11", "+15551230003", NULL},
        {OP_STATE, "out-1", NULL, "\"status\":\"success\",\"n\":7", NULL},
        {OP_IN, "in-12", "SMin12", "+15551230003", WORD_STOP},
        {OP_IN, "in-13", "SMin13", "+15551230001", WORD_STOP},
        {OP_IN, "in-14", "SMin14", "+15551230004", WORD_STOP},
        {OP_IN, "in-15", "SMin15", "+15551230001", WORD_START},
    };

    static op_t all[OLD + sizeof(ops) / sizeof(ops[0])];
    int i;

    memset(big, 'x', sizeof(big) - 1);
    for (i = 0; i < OLD; i++) {
        snprintf(names[i][0], sizeof(names[i][0]), "old-%d", i);
        snprintf(names[i][1], sizeof(names[i][1]), "SMold%d", i);
        snprintf(names[i][2], sizeof(names[i][2]), "+1556000000%d", i % 3);
        all[i].type = OP_IN;
        all[i].a = names[i][0];
        all[i].b = names[i][1];
        all[i].c = names[i][2];
    }
    memcpy(all + OLD, ops, sizeof(ops));
    *count = (int)(sizeof(all) / sizeof(all[0]));
    return all;
}
