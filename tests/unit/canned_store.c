/* SPDX-License-Identifier: Apache-2.0 */
/* A store that gives what a test laid out and writes down what it was asked: for who asks it. */
#include "canned_store.h"

#include <string.h>

#include <apr_strings.h>

static canned_store_t *called(wa_store_t *self, const char *call)
{
    canned_store_t *store = (canned_store_t *)self;

    store->calls = apr_pstrcat(store->p, store->calls, *store->calls ? " " : "", call, NULL);
    return store;
}

/* What a call of this name gives that was visited until `rv`. */
static apr_status_t outcome(canned_store_t *store, const char *name, apr_status_t rv)
{
    void (*meanwhile)(canned_store_t *) = store->meanwhile;

    store->meanwhile = NULL;
    if (meanwhile) {
        meanwhile(store);
    }
    if (rv != APR_SUCCESS || (store->failing && strcmp(store->failing, name) != 0)) {
        return rv;
    }
    return store->rv;
}

static apr_uint64_t canned_version(wa_store_t *self, wa_version_e part)
{
    static const char *const calls[] = {"version(all)", "version(threads)", "version(contacts)"};

    return called(self, calls[part])->versions[part];
}

static apr_uint64_t canned_thread_version(wa_store_t *self, const char *counterpart)
{
    const canned_store_t *store = (canned_store_t *)self;

    called(self, apr_psprintf(store->p, "thread_version(%s)", counterpart));
    return store->thread_version;
}

static apr_status_t messages_visit(const canned_store_t *store, wa_message_visit_fn visit,
                                   void *baton)
{
    apr_status_t rv = APR_SUCCESS;
    apr_size_t i;

    for (i = 0; i < store->message_count && rv == APR_SUCCESS; i++) {
        rv = visit(baton, &store->messages[i], i >= store->message_count - store->update_count);
    }
    return rv;
}

static apr_status_t canned_messages_list(wa_store_t *self, const wa_messages_query_t *query,
                                         wa_page_t *page, apr_pool_t *p)
{
    canned_store_t *store = (canned_store_t *)self;

    called(self, apr_psprintf(p, "messages(%s,%s,%d)", query->counterpart,
                              query->cursor ? query->cursor : "newest", (int)query->limit));
    page->next_cursor = store->next_cursor;
    page->count = store->message_count;
    return outcome(store, "messages", messages_visit(store, query->visit, query->baton));
}

static apr_status_t canned_changes_list(wa_store_t *self, const wa_changes_query_t *query,
                                        wa_changes_t *changes, apr_pool_t *p)
{
    canned_store_t *store = (canned_store_t *)self;

    called(self,
           apr_psprintf(p, "changes(%" APR_INT64_T_FMT ",%d)", query->since_ms, (int)query->max));
    *changes = store->changes;
    return outcome(store, "changes", messages_visit(store, query->visit, query->baton));
}

static apr_status_t canned_threads_list(wa_store_t *self, apr_int64_t since_ms,
                                        wa_thread_visit_fn visit, void *baton)
{
    canned_store_t *store = (canned_store_t *)self;
    apr_status_t rv = APR_SUCCESS;
    apr_size_t i;

    called(self, apr_psprintf(store->p, "threads(%" APR_INT64_T_FMT ")", since_ms));
    for (i = 0; i < store->thread_count && rv == APR_SUCCESS; i++) {
        if (store->threads[i].changed_ms > since_ms) {
            rv = visit(baton, &store->threads[i]);
        }
    }
    return outcome(store, "threads", rv);
}

static apr_status_t canned_thread_visit(wa_store_t *self, const char *counterpart,
                                        wa_thread_visit_fn visit, void *baton)
{
    canned_store_t *store = (canned_store_t *)self;
    apr_size_t i;

    called(self, apr_psprintf(store->p, "thread(%s)", counterpart));
    for (i = 0; i < store->thread_count; i++) {
        if (wa_slice_is_equal(store->threads[i].counterpart, wa_slice_of(counterpart))) {
            return outcome(store, "thread", visit(baton, &store->threads[i]));
        }
    }
    return outcome(store, "thread", APR_NOTFOUND);
}

static apr_status_t canned_thread_mark_read(wa_store_t *self, const char *counterpart,
                                            apr_pool_t *tmp)
{
    return outcome(called(self, apr_psprintf(tmp, "mark_read(%s)", counterpart)), "mark_read",
                   APR_SUCCESS);
}

static apr_status_t canned_thread_flags_set(wa_store_t *self, const char *counterpart,
                                            apr_uint32_t set, apr_uint32_t clear, apr_pool_t *tmp)
{
    return outcome(called(self, apr_psprintf(tmp, "flags(%s,+%u,-%u)", counterpart, set, clear)),
                   "flags", APR_SUCCESS);
}

static apr_status_t canned_contacts_list(wa_store_t *self, wa_contact_visit_fn visit, void *baton)
{
    canned_store_t *store = called(self, "contacts()");
    apr_status_t rv = APR_SUCCESS;
    apr_size_t i;

    for (i = 0; i < store->contact_count && rv == APR_SUCCESS; i++) {
        rv = visit(baton, &store->contacts[i]);
    }
    return outcome(store, "contacts", rv);
}

static apr_status_t canned_contact_add(wa_store_t *self, const wa_contact_t *contact,
                                       wa_contact_t *pc, apr_pool_t *p)
{
    const char *number = wa_slice_string(contact->phone_number, p);
    const char *name = wa_slice_string(contact->display_name, p);

    *pc = *contact;
    return outcome(called(self, apr_psprintf(p, "contact_add(%s,%s)", number, name)), "contact_add",
                   APR_SUCCESS);
}

static apr_status_t canned_contact_rename(wa_store_t *self, const char *id, wa_slice_t display_name,
                                          wa_contact_t *pc, apr_pool_t *p)
{
    const char *name = wa_slice_string(display_name, p);

    *pc = (wa_contact_t){.id = wa_slice_of(apr_pstrdup(p, id)), .display_name = wa_slice_of(name)};
    return outcome(called(self, apr_psprintf(p, "contact_rename(%s,%s)", id, name)),
                   "contact_rename", APR_SUCCESS);
}

static apr_status_t canned_contact_delete(wa_store_t *self, const char *id, apr_pool_t *tmp)
{
    return outcome(called(self, apr_psprintf(tmp, "contact_delete(%s)", id)), "contact_delete",
                   APR_SUCCESS);
}

static const wa_store_ops_t canned_ops = {
    .name = "canned",
    .version = canned_version,
    .thread_version = canned_thread_version,
    .messages_list = canned_messages_list,
    .changes_list = canned_changes_list,
    .threads_list = canned_threads_list,
    .thread_visit = canned_thread_visit,
    .thread_mark_read = canned_thread_mark_read,
    .thread_flags_set = canned_thread_flags_set,
    .contacts_list = canned_contacts_list,
    .contact_add = canned_contact_add,
    .contact_rename = canned_contact_rename,
    .contact_delete = canned_contact_delete,
};

canned_store_t *canned_store_create(apr_pool_t *p)
{
    canned_store_t *store = apr_pcalloc(p, sizeof(*store));

    store->base.ops = &canned_ops;
    store->p = p;
    store->calls = apr_pstrdup(p, "");
    return store;
}

const char *canned_calls_take(canned_store_t *store)
{
    const char *calls = store->calls;

    store->calls = apr_pstrdup(store->p, "");
    return calls;
}
