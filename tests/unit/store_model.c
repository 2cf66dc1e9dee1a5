/* SPDX-License-Identifier: Apache-2.0 */
/* The model of a store and snapshots of its directory. */
#include "store_model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_hash.h>
#include <apr_strings.h>

#include "store/dbm/dbm.h"

/* OLD: so many small messages come first, so that there is a mark (one in 64 records). */
enum { OLD = 40, PAGE = 20, CHANGES = 25, THREADS = 16, CONTACTS = 16, PARKED = 16 };

static const char *const park_keys[] = {"SMpark1", "SMpark2", NULL};

/* ---- doing ---- */

model_t *model_create(apr_pool_t *p)
{
    model_t *m = apr_pcalloc(p, sizeof(*m));

    m->p = p;
    return m;
}

static const model_record_t *message_find(const model_t *m, const char *id)
{
    int i;

    for (i = 0; i < m->count; i++) {
        if (m->records[i].op.type <= OP_OUT && !strcmp(m->records[i].op.a, id)) {
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

        if (strcmp(r->op.a, id)) {
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

static int is_word(const op_t *op, const char *word)
{
    return op->type == OP_IN && op->d && !strcmp(op->d, word);
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
    n.flags_set = is_word(op, WORD_STOP) ? WA_THREAD_OPTED_OUT : 0;
    n.flags_clear = is_word(op, WORD_START) ? WA_THREAD_OPTED_OUT : 0;
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
        return wa_store_message_update(f->store, op->a, state_merge, (void *)op, &message, p);
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
        r->counterpart = message_find(m, r->op.a)->op.c;
        r->value = r->op.b ? r->op.b : sid_now(m, r->op.a);
        break;
    case OP_READ:
        for (i = 0; i < m->count; i++) {
            if (m->records[i].op.type <= OP_OUT && !strcmp(m->records[i].op.c, r->op.a)) {
                r->row = m->records[i].row;
            }
        }
        break;
    case OP_PARK:
        for (i = 0; i < m->count; i++) {
            if (m->records[i].op.type == OP_PARK && !strcmp(m->records[i].op.a, r->op.a)) {
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

/* ---- the image of a model ---- */

static void add(apr_array_header_t *lines, const char *line)
{
    APR_ARRAY_PUSH(lines, const char *) = line;
}

static const char *join(apr_array_header_t *lines, apr_pool_t *p)
{
    return apr_array_pstrcat(p, lines, 0);
}

typedef struct image_message_t {
    const model_record_t *record;
    const char *sid, *state;
    wa_status_e status;
} image_message_t;

typedef struct image_t {
    image_message_t messages[MODEL_RECORDS];
    int message_count;
    struct {
        const char *counterpart;
        apr_uint64_t read_row, last_row;
        unsigned flags;
    } threads[THREADS];
    int thread_count;
    struct {
        const char *id, *number, *name;
    } contacts[CONTACTS];
    int contact_count;
    struct {
        const char *key, *value;
    } parked[PARKED];
    int parked_count;
} image_t;

static int thread_of(image_t *x, const char *counterpart)
{
    int i;

    for (i = 0; i < x->thread_count; i++) {
        if (!strcmp(x->threads[i].counterpart, counterpart)) {
            return i;
        }
    }
    return -1;
}

static void image_message(image_t *x, const model_record_t *r)
{
    int t = thread_of(x, r->op.c);
    image_message_t *message = &x->messages[x->message_count++];

    if (t < 0) {
        t = x->thread_count++;
        memset(&x->threads[t], 0, sizeof(x->threads[t]));
        x->threads[t].counterpart = r->op.c;
    }
    x->threads[t].last_row = r->row;
    if (is_word(&r->op, WORD_STOP)) {
        x->threads[t].flags |= WA_THREAD_OPTED_OUT;
    } else if (is_word(&r->op, WORD_START)) {
        x->threads[t].flags &= ~(unsigned)WA_THREAD_OPTED_OUT;
    }
    message->record = r;
    message->sid = r->op.type == OP_IN ? r->op.b : "";
    message->state = r->op.type == OP_IN ? "" : "pending";
    message->status = r->op.type == OP_IN ? WA_STATUS_NONE : WA_STATUS_PENDING;
}

static void image_contact(image_t *x, const model_record_t *r)
{
    int i, k = x->contact_count;

    for (i = 0; i < x->contact_count; i++) {
        /* with the deletion lost, a later contact of the number takes its place */
        if (!strcmp(x->contacts[i].id, r->op.a) || !strcmp(x->contacts[i].number, r->op.b)) {
            k = i;
        }
    }
    x->contact_count += k == x->contact_count;
    x->contacts[k].id = r->op.a;
    x->contacts[k].number = r->op.b;
    x->contacts[k].name = r->op.c;
}

static void image_forget(image_t *x, const char *id)
{
    int i;

    for (i = 0; i < x->contact_count; i++) {
        if (!strcmp(x->contacts[i].id, id)) {
            x->contacts[i] = x->contacts[--x->contact_count];
            return;
        }
    }
}

static void image_park(image_t *x, const model_record_t *r)
{
    int i;

    for (i = 0; i < x->parked_count && strcmp(x->parked[i].key, r->op.a); i++) {
        continue;
    }
    x->parked_count += i == x->parked_count;
    x->parked[i].key = r->op.a;
    x->parked[i].value = r->value;
}

static void image_apply(image_t *x, const model_record_t *r)
{
    int i;

    switch (r->op.type) {
    case OP_IN:
    case OP_OUT:
        image_message(x, r);
        break;
    case OP_STATE:
        for (i = 0; i < x->message_count; i++) {
            if (!strcmp(x->messages[i].record->op.a, r->op.a)) {
                x->messages[i].sid = r->value;
                x->messages[i].state = r->op.c;
                x->messages[i].status = WA_STATUS_SUCCESS;
            }
        }
        break;
    case OP_READ:
        i = thread_of(x, r->op.a);
        if (i >= 0) {
            x->threads[i].read_row = r->row;
        }
        break;
    case OP_FLAGS:
        i = thread_of(x, r->op.a);
        if (i >= 0) {
            x->threads[i].flags = WA_THREAD_BLOCKED;
        }
        break;
    case OP_NAME:
        image_contact(x, r);
        break;
    case OP_FORGET:
        image_forget(x, r->op.a);
        break;
    case OP_PARK:
        image_park(x, r);
        break;
    }
}

static int contact_of(const image_t *x, const char *number)
{
    int i;

    for (i = 0; i < x->contact_count; i++) {
        if (!strcmp(x->contacts[i].number, number)) {
            return i;
        }
    }
    return -1;
}

static const char *message_text(const image_t *x, const image_message_t *m, apr_uint64_t read_row,
                                apr_pool_t *p)
{
    const op_t *op = &m->record->op;
    int c = contact_of(x, op->c);

    return apr_psprintf(p, "%s|%s|%s|%d|%d|%d|%s|%s", op->a, m->sid, op->c, op->type == OP_IN,
                        (int)m->status, op->type == OP_IN && m->record->row > read_row, m->state,
                        c >= 0 ? x->contacts[c].id : "");
}

static const char *thread_text(image_t *x, int t, apr_pool_t *p)
{
    apr_array_header_t *lines = apr_array_make(p, 64, sizeof(char *));
    const char *head;
    int i, count = 0, unread = 0, c = contact_of(x, x->threads[t].counterpart);
    const model_record_t *last = NULL;

    for (i = x->message_count - 1; i >= 0; i--) {
        const image_message_t *m = &x->messages[i];

        if (strcmp(m->record->op.c, x->threads[t].counterpart)) {
            continue;
        }
        last = last ? last : m->record;
        count++;
        unread += m->record->op.type == OP_IN && m->record->row > x->threads[t].read_row;
        add(lines, apr_pstrcat(p, "  ", message_text(x, m, x->threads[t].read_row, p), "\n", NULL));
    }
    head = apr_psprintf(p, "thread %s count %d unread %d flags %u preview %s contact %s\n",
                        x->threads[t].counterpart, count, unread, x->threads[t].flags, last->op.a,
                        c >= 0 ? x->contacts[c].name : "");
    return apr_pstrcat(p, head, join(lines, p), NULL);
}

static int thread_newest(image_t *x, const char *done)
{
    int t, newest = -1;

    for (t = 0; t < x->thread_count; t++) {
        if (!done[t] && (newest < 0 || x->threads[t].last_row > x->threads[newest].last_row)) {
            newest = t;
        }
    }
    return newest;
}

static int contact_first(const image_t *x, const char *done)
{
    int i, first = -1;

    for (i = 0; i < x->contact_count; i++) {
        if (!done[i] && (first < 0 || strcmp(x->contacts[i].name, x->contacts[first].name) < 0)) {
            first = i;
        }
    }
    return first;
}

static const char *parked_of(const image_t *x, const char *key)
{
    int i;

    for (i = 0; i < x->parked_count; i++) {
        if (!strcmp(x->parked[i].key, key)) {
            return x->parked[i].value;
        }
    }
    return "";
}

const char *model_image(const model_t *m, int count, const char *lost, apr_pool_t *p)
{
    image_t *x = apr_pcalloc(p, sizeof(*x));
    char done[THREADS + CONTACTS] = {0};
    const char *text = "";
    int i;

    for (i = 0; i < count; i++) {
        if (!lost || !lost[i]) {
            image_apply(x, &m->records[i]);
        }
    }
    while ((i = thread_newest(x, done)) >= 0) {
        done[i] = 1;
        text = apr_pstrcat(p, text, thread_text(x, i, p), NULL);
    }
    memset(done, 0, sizeof(done));
    while ((i = contact_first(x, done)) >= 0) {
        done[i] = 1;
        text = apr_psprintf(p, "%scontact %s %s %s\n", text, x->contacts[i].id,
                            x->contacts[i].number, x->contacts[i].name);
    }
    for (i = 0; park_keys[i]; i++) {
        text = apr_psprintf(p, "%sparked %s %s\n", text, park_keys[i], parked_of(x, park_keys[i]));
    }
    text = apr_pstrcat(p, text, "in order:", NULL);
    for (i = 0; i < x->message_count; i++) {
        text = apr_pstrcat(p, text, " ", x->messages[i].record->op.a, NULL);
    }
    return apr_pstrcat(p, text, "\n", NULL);
}

/* ---- the image of a store ---- */

typedef struct reader_t {
    const model_t *model;
    fixture_t *f;
    apr_pool_t *p;
    apr_array_header_t *lines; /* of the image */
    apr_array_header_t *order; /* ids in commit order */
    const char *threads[THREADS];
    apr_uint64_t counts[THREADS], unread[THREADS];
    int thread_count;
    apr_uint64_t page_count, page_unread;
    apr_hash_t *seen;
} reader_t;

static const char *text_of(reader_t *r, wa_slice_t s)
{
    return apr_pstrmemdup(r->p, s.ptr ? s.ptr : "", s.len);
}

static apr_status_t read_thread(void *baton, const wa_thread_t *t)
{
    reader_t *r = baton;
    int n = r->thread_count++;

    assert_true(n < THREADS);
    r->threads[n] =
        apr_psprintf(r->p, "thread %s count %d unread %d flags %u preview %s contact %s\n",
                     text_of(r, t->counterpart), (int)t->message_count, (int)t->unread_count,
                     t->flags, text_of(r, t->preview), text_of(r, t->contact_name));
    r->counts[n] = t->message_count;
    r->unread[n] = t->unread_count;
    return APR_SUCCESS;
}

/* The bytes that never change must be the ones that were given. */
static void fixed_check(reader_t *r, const wa_message_t *m)
{
    const model_record_t *record = message_find(r->model, text_of(r, m->id));

    assert_non_null(record);
    assert_slice(m->body, record->op.d ? record->op.d : record->op.a);
    assert_slice(m->phone_number, "+14155238886");
    assert_slice(m->attributes, "any bytes");
}

static apr_status_t read_page(void *baton, const wa_message_t *m, int is_update)
{
    reader_t *r = baton;

    assert_int_equal(is_update, 0);
    fixed_check(r, m);
    r->page_count++;
    r->page_unread += m->unread != 0;
    add(r->lines, apr_psprintf(r->p, "  %s|%s|%s|%d|%d|%d|%s|%s\n", text_of(r, m->id),
                               text_of(r, m->sid), text_of(r, m->counterpart),
                               m->direction == WA_DIRECTION_RECEIVED, (int)m->status, m->unread,
                               text_of(r, m->delivery), text_of(r, m->contact_id)));
    return APR_SUCCESS;
}

static apr_status_t read_pages(reader_t *r, const char *counterpart)
{
    const char *cursor = NULL;
    wa_page_t page;

    do {
        apr_status_t rv = wa_store_messages_list(r->f->store, counterpart, cursor, PAGE, read_page,
                                                 r, &page, r->p);

        if (rv != APR_SUCCESS) {
            return rv;
        }
        cursor = page.next_cursor;
    } while (cursor);
    return APR_SUCCESS;
}

static apr_status_t read_contact(void *baton, const wa_contact_t *c)
{
    reader_t *r = baton;

    add(r->lines, apr_psprintf(r->p, "contact %s %s %s\n", text_of(r, c->id),
                               text_of(r, c->phone_number), text_of(r, c->display_name)));
    return APR_SUCCESS;
}

static apr_status_t read_change(void *baton, const wa_message_t *m, int is_update)
{
    reader_t *r = baton;
    const char *id = text_of(r, m->id);

    fixed_check(r, m);
    if (is_update) {
        assert_non_null(apr_hash_get(r->seen, id, APR_HASH_KEY_STRING));
        return APR_SUCCESS;
    }
    assert_null(apr_hash_get(r->seen, id, APR_HASH_KEY_STRING));
    apr_hash_set(r->seen, id, APR_HASH_KEY_STRING, id);
    add(r->order, apr_pstrcat(r->p, " ", id, NULL));
    return APR_SUCCESS;
}

static apr_status_t read_changes(reader_t *r)
{
    apr_int64_t since = 0, end = store_time(r->f);

    while (since < end) {
        wa_changes_t changes;
        apr_status_t rv =
            wa_store_changes_list(r->f->store, since, CHANGES, read_change, r, &changes, r->p);

        if (rv != APR_SUCCESS) {
            return rv;
        }
        assert_true(changes.timestamp_ms > since);
        since = changes.timestamp_ms;
    }
    return APR_SUCCESS;
}

/* Every message that is served must be found by its id, its sid and its idempotency key, and no
 * other one by any. */
static apr_status_t read_keys(reader_t *r)
{
    int i;

    for (i = 0; i < r->model->count; i++) {
        const op_t *op = &r->model->records[i].op;
        wa_message_t m;
        apr_status_t rv;
        int is_there;

        if (op->type > OP_OUT) {
            continue;
        }
        is_there = apr_hash_get(r->seen, op->a, APR_HASH_KEY_STRING) != NULL;
        rv = wa_store_message_find(r->f->store, op->a, &m, r->p);
        if (rv != APR_SUCCESS && !APR_STATUS_IS_NOTFOUND(rv)) {
            return rv;
        }
        assert_int_equal(rv == APR_SUCCESS, is_there);
        if (is_there && m.sid.len) {
            const char *sid = text_of(r, m.sid);

            assert_int_equal(wa_store_message_find(r->f->store, sid, &m, r->p), APR_SUCCESS);
            assert_slice(m.id, op->a);
        }
        if (op->type == OP_OUT && op->b) {
            rv = wa_store_message_find(
                r->f->store, apr_pstrcat(r->p, WA_KEY_IDEMPOTENCY, op->b, NULL), &m, r->p);
            assert_int_equal(rv == APR_SUCCESS, is_there);
        }
    }
    return APR_SUCCESS;
}

const char *store_image_try(const model_t *m, fixture_t *f, apr_status_t *prv, apr_pool_t *p)
{
    reader_t r = {m,
                  f,
                  p,
                  apr_array_make(p, 256, sizeof(char *)),
                  apr_array_make(p, 256, sizeof(char *)),
                  {NULL},
                  {0},
                  {0},
                  0,
                  0,
                  0,
                  apr_hash_make(p)};
    const char *heads[THREADS];
    int i;

    *prv = wa_store_threads_list(f->store, 0, read_thread, &r);
    for (i = 0; *prv == APR_SUCCESS && i < r.thread_count; i++) {
        char *counterpart = apr_pstrdup(p, r.threads[i] + strlen("thread "));

        heads[i] = r.threads[i];
        *strchr(counterpart, ' ') = '\0';
        add(r.lines, heads[i]);
        r.page_count = r.page_unread = 0;
        *prv = read_pages(&r, counterpart);
        if (*prv == APR_SUCCESS) {
            assert_int_equal(r.page_count, r.counts[i]);
            assert_int_equal(r.page_unread, r.unread[i]);
        }
    }
    if (*prv == APR_SUCCESS) {
        *prv = wa_store_contacts_list(f->store, read_contact, &r);
    }
    for (i = 0; *prv == APR_SUCCESS && park_keys[i]; i++) {
        wa_slice_t value;
        apr_status_t rv = wa_store_parked_get(f->store, park_keys[i], &value, p);

        add(r.lines, apr_psprintf(p, "parked %s %s\n", park_keys[i],
                                  rv == APR_SUCCESS ? text_of(&r, value) : ""));
        *prv = APR_STATUS_IS_NOTFOUND(rv) ? APR_SUCCESS : rv;
    }
    if (*prv == APR_SUCCESS) {
        *prv = read_changes(&r);
    }
    if (*prv == APR_SUCCESS) {
        *prv = read_keys(&r);
    }
    return *prv == APR_SUCCESS
               ? apr_pstrcat(p, join(r.lines, p), "in order:", join(r.order, p), "\n", NULL)
               : NULL;
}

const char *store_image(const model_t *m, fixture_t *f, apr_pool_t *p)
{
    apr_status_t rv;
    const char *image = store_image_try(m, f, &rv, p);

    assert_int_equal(rv, APR_SUCCESS);
    return image;
}

/* ---- snapshots ---- */

snapshot_t *snapshot_take(const fixture_t *f, apr_pool_t *p)
{
    snapshot_t *s = apr_pcalloc(p, sizeof(*s));
    const char *directory = apr_pstrcat(p, f->directory, "/store", NULL);
    DIR *dir = opendir(directory);
    struct dirent *entry;

    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL) {
        struct stat info;
        int fd, n = s->count;

        if (entry->d_name[0] == '.' || !strcmp(entry->d_name, "lock")) {
            continue;
        }
        assert_true(n < 64);
        fd = open(apr_pstrcat(p, directory, "/", entry->d_name, NULL), O_RDONLY | O_CLOEXEC);
        assert_true(fd >= 0);
        assert_int_equal(fstat(fd, &info), 0);
        s->files[n].name = apr_pstrdup(p, entry->d_name);
        s->files[n].size = (apr_size_t)info.st_size;
        s->files[n].bytes = apr_palloc(p, s->files[n].size + 1);
        assert_int_equal(read(fd, s->files[n].bytes, s->files[n].size), info.st_size);
        close(fd);
        s->files[n].length = s->files[n].size;
        while (s->files[n].length && !s->files[n].bytes[s->files[n].length - 1]) {
            s->files[n].length--;
        }
        s->count++;
    }
    closedir(dir);
    return s;
}

/* Writes the blocks that are not all zero; the others are holes. */
static void blocks_write(int fd, const char *bytes, apr_size_t len)
{
    static const char zeros[4096];
    apr_size_t at;

    for (at = 0; at < len; at += sizeof(zeros)) {
        apr_size_t n = len - at < sizeof(zeros) ? len - at : sizeof(zeros);

        if (memcmp(bytes + at, zeros, n)) {
            assert_int_equal(pwrite(fd, bytes + at, n, (off_t)at), n);
        }
    }
}

void snapshot_restore(const snapshot_t *s, const fixture_t *f)
{
    char path[512];
    struct dirent *entry;
    DIR *dir;
    int i;

    snprintf(path, sizeof(path), "%s/store", f->directory);
    mkdir(path, 0700);
    dir = opendir(path);
    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL) {
        snprintf(path, sizeof(path), "%s/store/%.200s", f->directory, entry->d_name);
        unlink(path);
    }
    closedir(dir);
    for (i = 0; i < s->count; i++) {
        int fd;

        snprintf(path, sizeof(path), "%s/store/%s", f->directory, s->files[i].name);
        fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        assert_true(fd >= 0);
        blocks_write(fd, s->files[i].bytes, s->files[i].length);
        assert_int_equal(ftruncate(fd, (off_t)s->files[i].size), 0);
        close(fd);
    }
}

char *snapshot_file(const snapshot_t *s, const char *name, apr_size_t *psize)
{
    int i;

    for (i = 0; i < s->count; i++) {
        if (!strcmp(s->files[i].name, name)) {
            if (psize) {
                *psize = s->files[i].size;
            }
            return s->files[i].bytes;
        }
    }
    fail_msg("there is no file %s", name);
    return NULL;
}
