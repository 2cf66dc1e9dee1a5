/* SPDX-License-Identifier: Apache-2.0 */
/* A store that gives what a test laid out and writes down what it was asked: for who asks it. */
#ifndef WA_TEST_CANNED_STORE_H
#define WA_TEST_CANNED_STORE_H

#include "store/driver.h"

/* All that is public may be set at any time; what is all zero bytes is empty and works. */
typedef struct canned_store_t {
    wa_store_t base;
    apr_pool_t *p;

    /* by wa_version_e */
    apr_uint64_t versions[3];
    /* of every counterpart */
    apr_uint64_t thread_version;

    /* given by messages_list and changes_list, the last `update_count` as updates */
    const wa_message_t *messages;
    apr_size_t message_count, update_count;
    /* of every page */
    const char *next_cursor;
    wa_changes_t changes;
    /* those with a changed_ms after `since` are given */
    const wa_thread_t *threads;
    apr_size_t thread_count;
    const wa_contact_t *contacts;
    apr_size_t contact_count;

    /* what each call but that for a version gives when all is visited; with `failing` only the call
     * of that name */
    apr_status_t rv;
    const char *failing;
    /* called once, by the next list, when all was visited: what another process does meanwhile */
    void (*meanwhile)(struct canned_store_t *store);

    /* what was called, "changes(5,500) version(threads)"; canned_calls_take empties it */
    char *calls;
} canned_store_t;

/* Makes an empty one. */
canned_store_t *canned_store_create(apr_pool_t *p);

/* What was called since it was last taken. */
const char *canned_calls_take(canned_store_t *store);

#endif
