/* SPDX-License-Identifier: Apache-2.0 */
/* GET /messages-since */
#include "api/cache.h"
#include "api/query.h"
#include "api/reply.h"
#include "api/threads.h"
#include "messaging/message_json.h"

/* The most messages and updates of one answer. */
#define CHANGES_MAX 500

/* The largest number that JavaScript has exactly. */
#define SINCE_MAX INT64_C(9007199254740991)

/* A poll on its way. */
typedef struct poll_t {
    apr_int64_t since;
    const char *base_path;
    int is_changed_only; /* threads=changed */
    wa_buffer_t b;       /* the answer so far; it has a "messages" array that is open */
    int is_in_updates;   /* "messages" is closed, "updates" is open */
} poll_t;

static int poll_read(wa_request_t *q, poll_t *poll, int *presult)
{
    static const wa_query_range_t range = {.min = 0, .max = SINCE_MAX, .is_needed = 1};
    wa_form_t *form;
    wa_slice_t threads;
    int is_given;

    if (!wa_query_read(q, &form, presult)
        || !wa_query_number(q, form, "since", &range, &poll->since, presult)
        || !wa_query_text(q, form, "threads", &threads, &is_given, presult)) {
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

static void updates_open(poll_t *poll)
{
    poll->is_in_updates = 1;
    WA_BUFFER_ADD_LITERAL(&poll->b, "],\"updates\":[");
}

static apr_status_t change_add(void *baton, const wa_message_t *message, int is_update)
{
    poll_t *poll = baton;

    if (is_update && !poll->is_in_updates) {
        updates_open(poll);
    }
    if (poll->b.data[poll->b.len - 1] == '}') {
        WA_BUFFER_ADD_LITERAL(&poll->b, ",");
    }
    wa_message_render(&poll->b, message, poll->base_path);
    return poll->b.failed ? APR_ENOMEM : APR_SUCCESS;
}

/* The threads are looked at after the changes: what is committed in between is given twice, not
 * never. */
static apr_status_t threads_add(wa_request_t *q, poll_t *poll, apr_int64_t timestamp_ms)
{
    wa_cache_entry_t *entry;
    apr_status_t rv;

    /* A client whose clock was ahead cannot know what it missed: it gets all threads. */
    if (poll->is_changed_only && poll->since <= timestamp_ms) {
        return wa_threads_render(q, poll->since, &poll->b);
    }
    rv = wa_threads_entry(q, &entry);
    if (rv == APR_SUCCESS) {
        wa_buffer_add_slice(&poll->b, wa_threads_member(entry));
        wa_cache_entry_release(entry);
    }
    return rv;
}

static apr_status_t poll_render(wa_request_t *q, poll_t *poll, wa_changes_t *changes)
{
    apr_status_t rv;

    wa_buffer_init(&poll->b, 16384);
    WA_BUFFER_ADD_LITERAL(&poll->b, "{\"success\":true,\"messages\":[");
    if (poll->b.failed) {
        return APR_ENOMEM;
    }
    rv = wa_store_changes_list(q->messenger->store, poll->since, CHANGES_MAX, change_add, poll,
                               changes, q->r->pool);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (!poll->is_in_updates) {
        updates_open(poll);
    }
    WA_BUFFER_ADD_LITERAL(&poll->b, "],");
    rv = threads_add(q, poll, changes->timestamp_ms);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    WA_BUFFER_ADD_LITERAL(&poll->b, ",\"timestamp\":");
    wa_buffer_add_int(&poll->b, changes->timestamp_ms);
    if (changes->has_more) {
        WA_BUFFER_ADD_LITERAL(&poll->b, ",\"hasMore\":true}");
    } else {
        WA_BUFFER_ADD_LITERAL(&poll->b, ",\"hasMore\":false}");
    }
    return poll->b.failed ? APR_ENOMEM : APR_SUCCESS;
}

/* The answer to a poll that nothing came since, when it was given before at this version. */
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
    wa_cache_entry_t *entry;
    apr_uint64_t version;
    apr_status_t rv;
    int result;

    poll.base_path = q->server->base_path;
    if (!poll_read(q, &poll, &result)) {
        return result;
    }
    key.number = poll.is_changed_only;
    version = wa_store_version(q->messenger->store, WA_VERSION_ALL);
    entry = idle_entry(q, &poll, &key, version);
    if (entry) {
        return wa_reply_entry(q, entry);
    }
    rv = poll_render(q, &poll, &changes);
    if (rv != APR_SUCCESS) {
        wa_buffer_release(&poll.b);
        return wa_reply_status(q, rv, NULL);
    }
    if (poll.since != changes.timestamp_ms || changes.has_more || changes.is_held_back) {
        return wa_reply_json(q, &poll.b);
    }
    return wa_reply_entry(
        q, wa_cache_put(q->server->cache, &key, version, changes.timestamp_ms, &poll.b));
}
