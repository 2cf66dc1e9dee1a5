/* SPDX-License-Identifier: Apache-2.0 */
/* GET /messages-since */
#include "api/cache.h"
#include "api/query.h"
#include "api/reply.h"
#include "api/threads.h"

/* The largest number that JavaScript has exactly. */
#define SINCE_MAX INT64_C(9007199254740991)

/* What was asked for. */
typedef struct poll_t {
    apr_int64_t since;
    int is_changed_only; /* threads=changed */
} poll_t;

static int poll_read(wa_request_t *q, poll_t *poll, int *presult)
{
    static const wa_query_range_t range = {.min = 0, .max = SINCE_MAX, .is_needed = 1};
    wa_query_t query;
    wa_slice_t threads;
    int is_given;

    if (!wa_query_read(&query, q) || !wa_query_number(&query, "since", &range, &poll->since)
        || !wa_query_text(&query, "threads", &threads, &is_given)) {
        *presult = query.result;
        return 0;
    }
    if (!is_given || wa_slice_is_equal(threads, WA_SLICE_LITERAL("all"))) {
        poll->is_changed_only = 0;
    } else if (wa_slice_is_equal(threads, WA_SLICE_LITERAL("changed"))) {
        poll->is_changed_only = 1;
    } else {
        *presult = wa_reply_error(q, WA_ERROR_INVALID_INPUT, "threads must be all or changed");
        return 0;
    }
    return 1;
}

static apr_status_t threads_write(wa_reply_t *reply, const poll_t *poll, apr_int64_t timestamp_ms)
{
    wa_cache_entry_t *entry;
    apr_status_t rv;

    if (poll->is_changed_only && wa_list_threads_may_be_few(poll->since, timestamp_ms)) {
        return wa_list_threads(&reply->list, poll->since);
    }
    rv = wa_threads_entry(reply->q, &entry);
    if (rv == APR_SUCCESS) {
        wa_json_raw(&reply->w, wa_threads_member(entry));
        wa_cache_entry_release(entry);
    }
    return rv;
}

static apr_status_t poll_write(wa_reply_t *reply, const poll_t *poll, wa_changes_t *changes)
{
    apr_status_t rv = wa_list_changes(&reply->list, poll->since, changes);

    if (rv == APR_SUCCESS) {
        rv = threads_write(reply, poll, changes->timestamp_ms);
    }
    if (rv == APR_SUCCESS) {
        WA_JSON_INT(&reply->w, "timestamp", changes->timestamp_ms);
        WA_JSON_BOOL(&reply->w, "hasMore", changes->has_more);
    }
    return rv;
}

/* The kept answer to a poll since which nothing happened; NULL when there is none of this
 * version. */
static wa_cache_entry_t *idle_entry(wa_request_t *q, const poll_t *poll, const wa_cache_key_t *key,
                                    apr_uint64_t version)
{
    wa_cache_entry_t *entry = wa_cache_get(q->server->cache, key, version);

    if (entry && poll->since != wa_cache_entry_stamp(entry)) {
        wa_cache_entry_release(entry);
        entry = NULL;
    }
    return entry;
}

int wa_endpoint_messages_since(wa_request_t *q)
{
    poll_t poll = {0};
    wa_cache_key_t key = {WA_CACHE_SINCE, {NULL, 0}, 0};
    wa_changes_t changes = {0, 0, 0};
    wa_reply_t reply;
    wa_cache_entry_t *entry;
    apr_uint64_t version;
    apr_status_t rv;
    int result;

    if (!poll_read(q, &poll, &result)) {
        return result;
    }
    key.number = poll.is_changed_only;
    version = wa_store_version(q->messenger->store, WA_VERSION_ALL);
    entry = idle_entry(q, &poll, &key, version);
    if (entry) {
        return wa_reply_entry(q, entry);
    }
    wa_reply_begin(&reply, q, 16384);
    rv = poll_write(&reply, &poll, &changes);
    if (rv != APR_SUCCESS || poll.since != changes.timestamp_ms || changes.has_more
        || changes.is_held_back) {
        return wa_reply_end(&reply, rv, NULL);
    }
    wa_reply_close(&reply);
    return wa_reply_entry(
        q, wa_cache_put(q->server->cache, &key, version, changes.timestamp_ms, &reply.b));
}
