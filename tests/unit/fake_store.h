/* SPDX-License-Identifier: Apache-2.0 */
/* A store in memory for unit tests of the layers above it: a driver behind the real seam. */
#ifndef WA_TEST_FAKE_STORE_H
#define WA_TEST_FAKE_STORE_H

#include "store/store.h"

/* A message as it lies in the fake; strings NUL-terminated. */
typedef struct fake_message_t {
    struct fake_message_t *next; /* the one before it */
    wa_message_t m;              /* as it came; a reader also gets what became of its thread */
    const char *preview;
    wa_slice_t profile_name;
    const char *idempotency_key; /* NULL for none */
    apr_uint32_t updates;        /* how often its state was replaced */
    apr_uint64_t number;         /* 1 for the first message */
    struct fake_thread_t *thread;
} fake_message_t;

/* What a test sees of the fake and may set. The store is the first member. */
typedef struct fake_store_t fake_store_t;

/* Makes an empty store, which keeps the whole contract of store.h (test_store_seam shows it) but
 * does not outlive its pool. It is stricter than it has to be where that finds faults of who uses
 * it: every merge is called twice for one update, so that one that is not pure is noticed, and a
 * visitor of threads or contacts that calls the store ends the program. Its times are its own, a
 * millisecond for each commit from 1700000000000 on. */
fake_store_t *fake_store_create(apr_pool_t *p);

wa_store_t *fake_store_seam(fake_store_t *fake);

/* The newest message, NULL for none. */
const fake_message_t *fake_store_newest(const fake_store_t *fake);

/* How many messages there are. */
apr_size_t fake_store_count(const fake_store_t *fake);

/* The clock is so far ahead of the store's time from now on. */
void fake_store_dates(fake_store_t *fake, apr_int64_t shift_ms);

/* The commits from now on are after this time. */
void fake_store_clock(fake_store_t *fake, apr_int64_t now_ms);

/* Times and dates are the system's clock's from now on, as a real store's are. */
void fake_store_follow_clock(fake_store_t *fake);

/* The next call of one of these fails with `rv`, once. */
typedef enum {
    FAKE_ADD,
    FAKE_UPDATE,
    FAKE_PARK,
    FAKE_UNPARK,
    FAKE_CONTACT,
    FAKE_FIND,
    FAKE_FLAGS,
    FAKE_WAIT,
    FAKE_OPS
} fake_op_e;
void fake_store_fail(fake_store_t *fake, fake_op_e op, apr_status_t rv);

/* Called once, between the next update's merge and its commit (FAKE_UPDATE), or right after the
 * next parked_get (FAKE_UNPARK) or message_find (FAKE_FIND), or before the next parked_add
 * (FAKE_PARK) or the sleep of the next wait (FAKE_WAIT): what another process does meanwhile. */
void fake_store_meanwhile(fake_store_t *fake, fake_op_e op, void (*hook)(void *baton), void *baton);

#endif
