/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of threads of the store in memory. */
#include "fake_threads.h"

static apr_status_t thread_give(const fake_store_t *fake, const fake_thread_t *t,
                                wa_thread_visit_fn visit, void *baton)
{
    const wa_contact_t *contact = fake_contact_by(fake, (wa_slice_t){NULL, 0}, t->row.counterpart);
    wa_thread_t row = t->row;

    if (contact) {
        row.contact_id = contact->id;
        row.contact_name = contact->display_name;
    }
    return visit(baton, &row);
}

apr_status_t fake_threads_list(wa_store_t *self, apr_int64_t since_ms, wa_thread_visit_fn visit,
                               void *baton)
{
    fake_store_t *fake = fake_enter(self);
    const fake_message_t *m;
    apr_status_t rv = APR_SUCCESS;

    for (m = fake->messages; rv == APR_SUCCESS && m; m = m->next) {
        const fake_thread_t *t = m->thread;

        if (APR_ARRAY_IDX(t->messages, t->messages->nelts - 1, fake_message_t *) == m
            && t->row.changed_ms > since_ms) {
            rv = thread_give(fake, t, visit, baton);
        }
    }
    fake_leave(fake);
    return rv;
}

apr_status_t fake_thread_visit(wa_store_t *self, const char *counterpart, wa_thread_visit_fn visit,
                               void *baton)
{
    fake_store_t *fake = fake_enter(self);
    const fake_thread_t *t = fake_by_slice(fake->threads, wa_slice_of(counterpart));
    const apr_status_t rv = t ? thread_give(fake, t, visit, baton) : APR_NOTFOUND;

    fake_leave(fake);
    return rv;
}

apr_status_t fake_thread_mark_read(wa_store_t *self, const char *counterpart, apr_pool_t *tmp)
{
    fake_store_t *fake = fake_enter(self);
    fake_thread_t *t = fake_by_slice(fake->threads, wa_slice_of(counterpart));

    (void)tmp;
    if (t && t->row.unread_count > 0) {
        t->row.unread_count = 0;
        t->read_number =
            APR_ARRAY_IDX(t->messages, t->messages->nelts - 1, fake_message_t *)->number;
        fake_commit(fake, 0, NULL, 0);
        fake_thread_changed(fake, t);
    }
    fake_leave(fake);
    return t ? APR_SUCCESS : APR_NOTFOUND;
}

apr_status_t fake_thread_flags_set(wa_store_t *self, const char *counterpart, apr_uint32_t set,
                                   apr_uint32_t clear, apr_pool_t *tmp)
{
    fake_store_t *fake = fake_enter(self);
    fake_thread_t *t = fake_by_slice(fake->threads, wa_slice_of(counterpart));
    apr_status_t rv = fake_failure_take(fake, FAKE_FLAGS);

    (void)tmp;
    if (rv == APR_SUCCESS && !t) {
        rv = APR_NOTFOUND;
    }
    if (rv == APR_SUCCESS && ((t->row.flags | set) & ~clear) != t->row.flags) {
        t->row.flags = (t->row.flags | set) & ~clear;
        fake_commit(fake, 0, NULL, 0);
        fake_thread_changed(fake, t);
    }
    fake_leave(fake);
    return rv;
}
