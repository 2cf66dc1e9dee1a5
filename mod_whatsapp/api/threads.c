/* SPDX-License-Identifier: Apache-2.0 */
/* GET /threads and POST /threads/{counterpart}/read, block, unblock */
#include "api/threads.h"

#include "api/body.h"
#include "api/query.h"
#include "api/reply.h"
#include "messaging/message_json.h"

#define ANSWER_HEAD "{\"success\":true,"
#define ANSWER_TAIL "}"

static apr_status_t thread_add(void *baton, const wa_thread_t *thread)
{
    wa_buffer_t *b = baton;

    if (b->data[b->len - 1] == '}') {
        WA_BUFFER_ADD_LITERAL(b, ",");
    }
    wa_thread_render(b, thread);
    return b->failed ? APR_ENOMEM : APR_SUCCESS;
}

apr_status_t wa_threads_render(wa_request_t *q, apr_int64_t since_ms, wa_buffer_t *b)
{
    apr_status_t rv;

    WA_BUFFER_ADD_LITERAL(b, "\"threads\":[");
    if (b->failed) {
        return APR_ENOMEM;
    }
    rv = wa_store_threads_list(q->messenger->store, since_ms, thread_add, b);
    WA_BUFFER_ADD_LITERAL(b, "]");
    if (rv == APR_SUCCESS && b->failed) {
        rv = APR_ENOMEM;
    }
    return rv;
}

apr_status_t wa_threads_entry(wa_request_t *q, wa_cache_entry_t **pentry)
{
    static const wa_cache_key_t key = {WA_CACHE_THREADS, {NULL, 0}, 0};
    const apr_uint64_t version = wa_store_version(q->messenger->store, WA_VERSION_THREADS);
    wa_buffer_t b;
    apr_status_t rv;

    *pentry = wa_cache_get(q->server->cache, &key, version);
    if (*pentry) {
        return APR_SUCCESS;
    }
    wa_buffer_init(&b, 16384);
    WA_BUFFER_ADD_LITERAL(&b, ANSWER_HEAD);
    rv = wa_threads_render(q, 0, &b);
    if (rv != APR_SUCCESS) {
        wa_buffer_release(&b);
        return rv;
    }
    WA_BUFFER_ADD_LITERAL(&b, ANSWER_TAIL);
    *pentry = wa_cache_put(q->server->cache, &key, version, 0, &b);
    return *pentry ? APR_SUCCESS : APR_ENOMEM;
}

wa_slice_t wa_threads_member(const wa_cache_entry_t *entry)
{
    wa_slice_t bytes = wa_cache_entry_bytes(entry);

    return wa_slice_make(bytes.ptr + sizeof(ANSWER_HEAD) - 1,
                         bytes.len - (sizeof(ANSWER_HEAD) - 1) - (sizeof(ANSWER_TAIL) - 1));
}

int wa_endpoint_threads(wa_request_t *q)
{
    wa_cache_entry_t *entry;
    apr_status_t rv = wa_threads_entry(q, &entry);

    return rv == APR_SUCCESS ? wa_reply_entry(q, entry) : wa_reply_status(q, rv, NULL);
}

static apr_status_t thread_only(void *baton, const wa_thread_t *thread)
{
    wa_thread_render(baton, thread);
    return APR_SUCCESS;
}

/* What a POST to a thread does to it. */
typedef enum { THREAD_READ, THREAD_BLOCK, THREAD_UNBLOCK } change_e;

static apr_status_t thread_change(wa_request_t *q, const char *counterpart, change_e change)
{
    wa_store_t *store = q->messenger->store;

    if (change == THREAD_READ) {
        return wa_store_thread_mark_read(store, counterpart, q->r->pool);
    }
    return wa_store_thread_flags_set(store, counterpart,
                                     change == THREAD_BLOCK ? WA_THREAD_BLOCKED : 0,
                                     change == THREAD_BLOCK ? 0 : WA_THREAD_BLOCKED, q->r->pool);
}

/* Changes the thread and answers with it as it is then. */
static int thread_post(wa_request_t *q, change_e change)
{
    const char *counterpart;
    wa_slice_t ignored;
    wa_buffer_t b;
    apr_status_t rv;
    int result;

    /* No body is needed. One that is no JSON is refused, so that no cross-site form can do this. */
    if (apr_table_get(q->r->headers_in, "Content-Type")
        && !wa_body_is_type(q->r, "application/json")) {
        return wa_reply_error(q, WA_ERROR_UNSUPPORTED_MEDIA_TYPE,
                              "The request needs no body; one with another Content-Type than "
                              "application/json is not taken.");
    }
    if (!wa_body_read(q, (apr_size_t)q->server->max_body, &ignored, &result)
        || !wa_query_counterpart(q, q->argument, &counterpart, &result)) {
        return result;
    }
    rv = thread_change(q, counterpart, change);
    if (rv != APR_SUCCESS) {
        return wa_reply_status(q, rv, "There is no thread with this counterpart.");
    }
    wa_buffer_init(&b, 1024);
    WA_BUFFER_ADD_LITERAL(&b, "{\"success\":true,\"thread\":");
    rv = wa_store_thread_visit(q->messenger->store, counterpart, thread_only, &b);
    if (rv != APR_SUCCESS) {
        wa_buffer_release(&b);
        return wa_reply_status(q, rv, "There is no thread with this counterpart.");
    }
    WA_BUFFER_ADD_LITERAL(&b, "}");
    return wa_reply_json(q, &b);
}

int wa_endpoint_thread_read(wa_request_t *q)
{
    return thread_post(q, THREAD_READ);
}

int wa_endpoint_thread_block(wa_request_t *q)
{
    return thread_post(q, THREAD_BLOCK);
}

int wa_endpoint_thread_unblock(wa_request_t *q)
{
    return thread_post(q, THREAD_UNBLOCK);
}
