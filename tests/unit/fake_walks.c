/* SPDX-License-Identifier: Apache-2.0 */
/* Walks over messages of the store in memory: collected with the lock, visited without. */
#include "fake_walks.h"

#include <string.h>

#include <apr_strings.h>

#include "fake_messages.h"

typedef struct given_t {
    wa_message_t m;
    int is_update;
} given_t;

static void given_put(const fake_store_t *fake, apr_array_header_t *all, const fake_message_t *m,
                      int is_update, apr_pool_t *p)
{
    given_t *given = &APR_ARRAY_PUSH(all, given_t);

    memset(given, 0, sizeof(*given));
    fake_message_give(fake, m, &given->m, p);
    given->is_update = is_update;
}

static apr_status_t given_visit(const apr_array_header_t *all, wa_message_visit_fn visit,
                                void *baton, apr_size_t *pcount)
{
    apr_status_t rv = APR_SUCCESS;
    int i;

    for (i = 0; rv == APR_SUCCESS && i < all->nelts; i++) {
        const given_t *given = &APR_ARRAY_IDX(all, i, given_t);

        rv = visit(baton, &given->m, given->is_update);
        if (pcount) {
            *pcount += rv == APR_SUCCESS;
        }
    }
    return rv;
}

static const char *cursor_make(const fake_message_t *m, apr_pool_t *p)
{
    return apr_psprintf(p, "fake-%" APR_UINT64_T_FMT, m->number);
}

/* How many of the thread's messages come after a page of this cursor.
 * @return APR_SUCCESS | APR_EINVAL */
static apr_status_t cursor_find(const fake_thread_t *t, const char *cursor, int *pleft,
                                apr_pool_t *p)
{
    int i;

    for (i = 0; t && i < t->messages->nelts; i++) {
        if (strcmp(cursor, cursor_make(APR_ARRAY_IDX(t->messages, i, fake_message_t *), p)) == 0) {
            *pleft = i;
            return APR_SUCCESS;
        }
    }
    return APR_EINVAL;
}

apr_status_t fake_messages_list(wa_store_t *self, const wa_messages_query_t *query, wa_page_t *page,
                                apr_pool_t *p)
{
    fake_store_t *fake = fake_enter(self);
    const fake_thread_t *t = fake_by_slice(fake->threads, wa_slice_of(query->counterpart));
    apr_array_header_t *all = apr_array_make(p, 8, sizeof(given_t));
    const fake_message_t *last = NULL;
    int left = t ? t->messages->nelts : 0;
    apr_status_t rv = query->cursor ? cursor_find(t, query->cursor, &left, p) : APR_SUCCESS;

    while (rv == APR_SUCCESS && left > 0 && (apr_size_t)all->nelts < query->limit) {
        last = APR_ARRAY_IDX(t->messages, --left, fake_message_t *);
        given_put(fake, all, last, 0, p);
    }
    fake_leave(fake);
    if (rv == APR_SUCCESS) {
        rv = given_visit(all, query->visit, query->baton, &page->count);
    }
    if (rv == APR_SUCCESS && left > 0 && last) {
        page->next_cursor = cursor_make(last, p);
    }
    return rv;
}

apr_status_t fake_pending_list(wa_store_t *self, const wa_pending_query_t *query, apr_pool_t *p)
{
    fake_store_t *fake = fake_enter(self);
    apr_array_header_t *all = apr_array_make(p, 8, sizeof(given_t));
    int i;

    for (i = 0; i < fake->by_number->nelts && (apr_size_t)all->nelts < query->max; i++) {
        const fake_message_t *m = APR_ARRAY_IDX(fake->by_number, i, fake_message_t *);

        if (m->m.status == WA_STATUS_PENDING
            && (m->m.date_ms <= query->before_ms || m->m.date_ms > query->ahead_ms)) {
            given_put(fake, all, m, 0, p);
        }
    }
    fake_leave(fake);
    return given_visit(all, query->visit, query->baton, NULL);
}

/* Notes an older message that changed, once. */
static void update_put(const fake_store_t *fake, apr_array_header_t *updates,
                       const fake_message_t *m, apr_pool_t *p)
{
    int i;

    for (i = 0; i < updates->nelts; i++) {
        if (wa_slice_is_equal(APR_ARRAY_IDX(updates, i, given_t).m.id, m->m.id)) {
            return;
        }
    }
    given_put(fake, updates, m, 1, p);
}

apr_status_t fake_changes_list(wa_store_t *self, const wa_changes_query_t *query,
                               wa_changes_t *changes, apr_pool_t *p)
{
    fake_store_t *fake = fake_enter(self);
    apr_array_header_t *all = apr_array_make(p, 8, sizeof(given_t));
    apr_array_header_t *updates = apr_array_make(p, 8, sizeof(given_t));
    const apr_int64_t since_ms = query->since_ms;
    apr_status_t rv;
    int i;

    fake->closed_ms = fake->commits->nelts > 0 ? fake->now_ms : 0;
    changes->timestamp_ms = since_ms < fake->closed_ms ? since_ms : fake->closed_ms;
    for (i = 0; i < fake->commits->nelts; i++) {
        const fake_commit_t *c = &APR_ARRAY_IDX(fake->commits, i, fake_commit_t);

        if (c->timestamp_ms <= since_ms) {
            continue;
        }
        if ((apr_size_t)(all->nelts + updates->nelts) >= query->max
            && c->timestamp_ms > changes->timestamp_ms) {
            changes->has_more = 1;
            break;
        }
        if (c->is_new) {
            given_put(fake, all, c->message, 0, p);
        } else if (c->message && c->message->m.timestamp_ms <= since_ms) {
            update_put(fake, updates, c->message, p);
        }
        changes->timestamp_ms = c->timestamp_ms;
    }
    fake_leave(fake);
    rv = given_visit(all, query->visit, query->baton, NULL);
    return rv == APR_SUCCESS ? given_visit(updates, query->visit, query->baton, NULL) : rv;
}
