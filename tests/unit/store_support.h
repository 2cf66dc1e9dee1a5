/* SPDX-License-Identifier: Apache-2.0 */
/* A store in a temporary directory, and short ways to put things into it, for the store's unit
 * tests. */
#ifndef WA_TESTS_STORE_SUPPORT_H
#define WA_TESTS_STORE_SUPPORT_H

#include <apr_pools.h>

#include "base/buffer.h"
#include "store/store.h"
#include "store_queries.h"

typedef struct fixture_t {
    apr_pool_t *p;
    apr_pool_t *store_pool; /* the open store lives here */
    wa_store_t *store;
    const char *type;
    const char *directory;
    const char *account_sid;
    const char *error;
    wa_sync_e sync;
    wa_store_retained_t *retained; /* NULL: the store has its own */
} fixture_t;

/* What a visitor was given. */
typedef struct visited_t {
    wa_message_t messages[1024];
    int is_update[1024];
    apr_size_t count;
} visited_t;

fixture_t *fixture_create(const char *type); /* an open, empty store */
void fixture_destroy(fixture_t *f);          /* closes it and removes the directory */
void fixture_open(fixture_t *f);
apr_status_t fixture_open_status(fixture_t *f); /* leaves the sentence in f->error */
apr_status_t fixture_open_in(fixture_t *f,
                             apr_pool_t *p); /* the same in this pool, which the store then owns */
apr_status_t fixture_open_second(fixture_t *f, wa_store_t **pstore, const char **perror);
void fixture_close(fixture_t *f);
void fixture_reopen(fixture_t *f);

/* How far loops over bytes and calls go at once: 1, more where a tool (valgrind) makes everything
 * slow. */
int test_step(void);

/* What all stores of this process logged at notice level or above since the last clear: "TAG text"
 * lines. */
void fixture_log_clear(void);
const char *fixture_log(void);

wa_message_new_t message_new(const char *id, const char *sid, const char *counterpart,
                             wa_direction_e direction, const char *idempotency_key);
wa_message_t message_add(fixture_t *f, const char *id, const char *sid, const char *counterpart,
                         wa_direction_e direction);
/* A sent one with an idempotency key. */
wa_message_t message_keyed_add(fixture_t *f, const char *id, const char *sid,
                               const char *counterpart, const char *idempotency_key);
wa_thread_t thread_get(fixture_t *f, const char *counterpart);
apr_status_t contact_add(fixture_t *f, const char *id, const char *number, const char *name,
                         wa_contact_t *pc);

/* Fails the test unless the slice holds `text`. */
void assert_slice(wa_slice_t slice, const char *text);

/* The newest time up to which the store has everything: the T of a poll by a client that is
 * ahead. */
apr_int64_t store_time(fixture_t *f);

#endif
