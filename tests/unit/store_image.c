/* SPDX-License-Identifier: Apache-2.0 */
/* What a model says that a store holds, and what a store says when it is read, as texts. */
#include "store_image.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_hash.h>
#include <apr_strings.h>
#include <apr_tables.h>

enum { PAGE = 20, CHANGES = 25, THREADS = 16, CONTACTS = 16, PARKED = 16 };

static const char *const park_keys[] = {"SMpark1", "SMpark2", NULL};

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
        if (strcmp(x->threads[i].counterpart, counterpart) == 0) {
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
    if (model_is_word(&r->op, WORD_STOP)) {
        x->threads[t].flags |= WA_THREAD_OPTED_OUT;
    } else if (model_is_word(&r->op, WORD_START)) {
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
        if (strcmp(x->contacts[i].id, r->op.a) == 0
            || strcmp(x->contacts[i].number, r->op.b) == 0) {
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
        if (strcmp(x->contacts[i].id, id) == 0) {
            x->contacts[i] = x->contacts[--x->contact_count];
            return;
        }
    }
}

static void image_park(image_t *x, const model_record_t *r)
{
    int i;

    for (i = 0; i < x->parked_count && strcmp(x->parked[i].key, r->op.a) != 0; i++) {
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
            if (strcmp(x->messages[i].record->op.a, r->op.a) == 0) {
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
        if (strcmp(x->contacts[i].number, number) == 0) {
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

        if (strcmp(m->record->op.c, x->threads[t].counterpart) != 0) {
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
        if (strcmp(x->parked[i].key, key) == 0) {
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
    const model_record_t *record = model_message_find(r->model, text_of(r, m->id));

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
        apr_status_t rv = wa_store_messages_list(
            r->f->store, MESSAGES_OF(counterpart, cursor, PAGE, read_page, r), &page, r->p);

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
        apr_status_t rv = wa_store_changes_list(
            r->f->store, CHANGES_AFTER(since, CHANGES, read_change, r), &changes, r->p);

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
