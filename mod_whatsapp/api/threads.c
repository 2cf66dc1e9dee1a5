/* SPDX-License-Identifier: Apache-2.0 */
/* GET /threads and POST /threads/{counterpart}/read, block, unblock */
#include "api/threads.h"

#include "api/body.h"
#include "api/query.h"
#include "api/reply.h"
#include "messaging/thread/threads.h"

/* What stands around the member in the whole answer. */
#define ANSWER_HEAD "{\"success\":true,"
#define ANSWER_TAIL "}"

apr_status_t wa_threads_entry(wa_request_t *q, wa_cache_entry_t **pentry)
{
    static const wa_cache_key_t key = {WA_CACHE_THREADS, {NULL, 0}, 0};
    const apr_uint64_t version = wa_store_version(q->messenger->store, WA_VERSION_THREADS);
    wa_reply_t reply;
    apr_status_t rv;

    *pentry = wa_cache_get(q->server->cache, &key, version);
    if (*pentry) {
        return APR_SUCCESS;
    }
    wa_reply_begin(&reply, q, 16384);
    rv = wa_list_threads(&reply.list, 0);
    if (rv != APR_SUCCESS) {
        wa_buffer_release(&reply.b);
        return rv;
    }
    wa_reply_close(&reply);
    *pentry = wa_cache_put(q->server->cache, &key, version, 0, &reply.b);
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

/* What a POST to a thread does to it. */
typedef apr_status_t (*change_fn)(wa_messenger_t *messenger, const char *counterpart,
                                  apr_pool_t *tmp);

/* Changes the thread and answers with it as it is then. */
static int thread_post(wa_request_t *q, change_fn change)
{
    const char *counterpart;
    wa_slice_t ignored;
    wa_reply_t reply;
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
    wa_reply_begin(&reply, q, 1024);
    rv = change(q->messenger, counterpart, q->r->pool);
    if (rv == APR_SUCCESS) {
        rv = wa_list_thread(&reply.list, counterpart);
    }
    return wa_reply_end(&reply, rv,
                        APR_STATUS_IS_NOTFOUND(rv) ? "There is no thread with this counterpart."
                                                   : NULL);
}

int wa_endpoint_thread_read(wa_request_t *q)
{
    return thread_post(q, wa_thread_mark_read);
}

int wa_endpoint_thread_block(wa_request_t *q)
{
    return thread_post(q, wa_thread_block);
}

int wa_endpoint_thread_unblock(wa_request_t *q)
{
    return thread_post(q, wa_thread_unblock);
}
