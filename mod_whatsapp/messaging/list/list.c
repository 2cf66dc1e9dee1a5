/* SPDX-License-Identifier: Apache-2.0 */
/* The lists that clients read, written as members of the JSON object that answers them. */
#include "messaging/list/list.h"

#include "messaging/list/render.h"

static apr_status_t written(const wa_list_t *list)
{
    return list->w->b->failed ? APR_ENOMEM : APR_SUCCESS;
}

/* ---- messages ---- */

static apr_status_t message_write(void *baton, const wa_message_t *message, int is_update)
{
    const wa_list_t *list = baton;

    (void)is_update;
    wa_message_render(list->w, message, list->messenger->store, list->base_path, list->p);
    return written(list);
}

apr_status_t wa_list_messages(const wa_list_t *list, const char *counterpart, const char *cursor,
                              apr_size_t limit)
{
    const wa_messages_query_t query = {.counterpart = counterpart,
                                       .cursor = cursor,
                                       .limit = limit,
                                       .visit = message_write,
                                       .baton = (void *)(apr_uintptr_t)list};
    wa_page_t page;
    apr_status_t rv;

    WA_JSON_NAME(list->w, "messages");
    wa_json_array_begin(list->w);
    rv = wa_store_messages_list(list->messenger->store, &query, &page, list->p);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    wa_json_array_end(list->w);
    if (page.next_cursor) {
        WA_JSON_STRING(list->w, "cursor", wa_slice_of(page.next_cursor));
    }
    WA_JSON_BOOL(list->w, "listComplete", page.next_cursor == NULL);
    return written(list);
}

apr_status_t wa_list_message(const wa_list_t *list, const wa_message_t *message)
{
    WA_JSON_NAME(list->w, "message");
    wa_message_render(list->w, message, list->messenger->store, list->base_path, list->p);
    wa_receipts_render(list->w, message, list->p);
    return written(list);
}

/* ---- changes ---- */

typedef struct changes_t {
    const wa_list_t *list;
    int is_in_updates; /* "messages" is closed, "updates" is open */
} changes_t;

static void updates_begin(changes_t *changes)
{
    changes->is_in_updates = 1;
    wa_json_array_end(changes->list->w);
    WA_JSON_NAME(changes->list->w, "updates");
    wa_json_array_begin(changes->list->w);
}

static apr_status_t change_write(void *baton, const wa_message_t *message, int is_update)
{
    changes_t *changes = baton;

    if (is_update && !changes->is_in_updates) {
        updates_begin(changes);
    }
    return message_write((void *)(apr_uintptr_t)changes->list, message, is_update);
}

apr_status_t wa_list_changes(const wa_list_t *list, apr_int64_t since_ms, wa_changes_t *changes)
{
    changes_t writing = {.list = list};
    const wa_changes_query_t query = {
        .since_ms = since_ms, .max = WA_LIST_CHANGES_MAX, .visit = change_write, .baton = &writing};
    apr_status_t rv;

    WA_JSON_NAME(list->w, "messages");
    wa_json_array_begin(list->w);
    rv = wa_store_changes_list(list->messenger->store, &query, changes, list->p);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (!writing.is_in_updates) {
        updates_begin(&writing);
    }
    wa_json_array_end(list->w);
    return written(list);
}

/* ---- threads and contacts ---- */

int wa_list_threads_may_be_few(apr_int64_t since_ms, apr_int64_t timestamp_ms)
{
    return since_ms <= timestamp_ms;
}

static apr_status_t thread_write(void *baton, const wa_thread_t *thread)
{
    const wa_list_t *list = baton;

    wa_thread_render(list->w, thread, list->messenger->number);
    return written(list);
}

apr_status_t wa_list_threads(const wa_list_t *list, apr_int64_t since_ms)
{
    apr_status_t rv;

    WA_JSON_NAME(list->w, "threads");
    wa_json_array_begin(list->w);
    rv = wa_store_threads_list(list->messenger->store, since_ms, thread_write,
                               (void *)(apr_uintptr_t)list);
    wa_json_array_end(list->w);
    return rv == APR_SUCCESS ? written(list) : rv;
}

apr_status_t wa_list_thread(const wa_list_t *list, const char *counterpart)
{
    apr_status_t rv;

    WA_JSON_NAME(list->w, "thread");
    rv = wa_store_thread_visit(list->messenger->store, counterpart, thread_write,
                               (void *)(apr_uintptr_t)list);
    return rv == APR_SUCCESS ? written(list) : rv;
}

static apr_status_t contact_write(void *baton, const wa_contact_t *contact)
{
    const wa_list_t *list = baton;

    wa_contact_render(list->w, contact);
    return written(list);
}

apr_status_t wa_list_contacts(const wa_list_t *list)
{
    apr_status_t rv;

    WA_JSON_NAME(list->w, "contacts");
    wa_json_array_begin(list->w);
    rv = wa_store_contacts_list(list->messenger->store, contact_write, (void *)(apr_uintptr_t)list);
    wa_json_array_end(list->w);
    return rv == APR_SUCCESS ? written(list) : rv;
}
