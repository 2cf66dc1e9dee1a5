/* SPDX-License-Identifier: Apache-2.0 */
/* GET /messages and /messages/{id} */
#include "api/cache.h"
#include "api/query.h"
#include "api/reply.h"
#include "messaging/message/validate.h"

#define LIMIT_DEFAULT 50
#define LIMIT_MAX 200

/* What a message takes on average; only the first guess of a buffer's size. */
#define MESSAGE_BYTES 320

/* A page that somebody asked for. */
typedef struct page_t {
    const char *counterpart;
    const char *cursor; /* NULL: the newest page */
    apr_int64_t limit;
} page_t;

static int page_read(wa_request_t *q, page_t *page, int *presult)
{
    static const wa_query_range_t range = {.min = 1, .max = LIMIT_MAX, .is_capped = 1};
    wa_query_t query;
    wa_slice_t counterpart, cursor;
    int is_given;

    page->limit = LIMIT_DEFAULT;
    page->cursor = NULL;
    if (!wa_query_read(&query, q) || !wa_query_text(&query, "counterpart", &counterpart, &is_given)
        || !wa_query_counterpart(q, counterpart, &page->counterpart, &query.result)
        || !wa_query_number(&query, "limit", &range, &page->limit)
        || !wa_query_text(&query, "cursor", &cursor, &is_given)) {
        *presult = query.result;
        return 0;
    }
    if (is_given) {
        page->cursor = wa_form_string(query.form, "cursor", q->r->pool);
        if (!page->cursor) {
            page->cursor = ""; /* held a NUL: no cursor of ours, like the empty one */
        }
    }
    return 1;
}

/* Writes a page. @return APR_SUCCESS | why not, and the reply holds nothing */
static apr_status_t page_write(wa_request_t *q, const page_t *page, wa_reply_t *reply)
{
    apr_status_t rv = APR_EINVAL;

    wa_reply_begin(reply, q, (apr_size_t)page->limit * MESSAGE_BYTES + 256);
    if (!page->cursor || *page->cursor) {
        rv = wa_list_messages(&reply->list, page->counterpart, page->cursor,
                              (apr_size_t)page->limit);
    }
    if (rv != APR_SUCCESS) {
        wa_buffer_release(&reply->b);
    }
    return rv;
}

static int page_refuse(wa_request_t *q, const page_t *page, apr_status_t rv)
{
    return wa_reply_status(q, rv,
                           page->cursor ? "cursor must be the cursor of an earlier answer for the "
                                          "same counterpart"
                                        : NULL);
}

/* The newest page is what everybody asks for: it is rendered once for each change of its thread. */
static int newest_page_reply(wa_request_t *q, const page_t *page)
{
    const wa_cache_key_t key = {WA_CACHE_MESSAGES, wa_slice_of(page->counterpart), page->limit};
    const apr_uint64_t version = wa_store_thread_version(q->messenger->store, page->counterpart);
    wa_cache_entry_t *entry = version ? wa_cache_get(q->server->cache, &key, version) : NULL;
    wa_reply_t reply;

    if (!entry) {
        apr_status_t rv = page_write(q, page, &reply);

        if (rv != APR_SUCCESS) {
            return page_refuse(q, page, rv);
        }
        if (version == 0) {
            return wa_reply_end(&reply, APR_SUCCESS, NULL);
        }
        wa_reply_close(&reply);
        entry = wa_cache_put(q->server->cache, &key, version, 0, &reply.b);
    }
    return wa_reply_entry(q, entry);
}

int wa_endpoint_messages(wa_request_t *q)
{
    page_t page;
    wa_reply_t reply;
    apr_status_t rv;
    int result;

    if (!page_read(q, &page, &result)) {
        return result;
    }
    if (!page.cursor) {
        return newest_page_reply(q, &page);
    }
    rv = page_write(q, &page, &reply);
    return rv == APR_SUCCESS ? wa_reply_end(&reply, rv, NULL) : page_refuse(q, &page, rv);
}

int wa_endpoint_message(wa_request_t *q)
{
    wa_message_t message;
    wa_reply_t reply;
    apr_status_t rv = APR_NOTFOUND;

    if (wa_validate_is_message_id(q->argument)) {
        rv = wa_store_message_find(q->messenger->store, wa_slice_string(q->argument, q->r->pool),
                                   &message, q->r->pool);
    }
    wa_reply_begin(&reply, q, 2048);
    if (rv == APR_SUCCESS) {
        rv = wa_list_message(&reply.list, &message);
    }
    return wa_reply_end(
        &reply, rv, APR_STATUS_IS_NOTFOUND(rv) ? "There is no message with this id or sid." : NULL);
}
