/* SPDX-License-Identifier: Apache-2.0 */
/* What the store in memory is made of, and what all of its operations share. */
#ifndef WA_TEST_FAKE_STATE_H
#define WA_TEST_FAKE_STATE_H

#include <pthread.h>

#include <apr_hash.h>
#include <apr_tables.h>

#include "fake_store.h"
#include "store/driver.h"

typedef struct fake_thread_t {
    wa_thread_t row;              /* without the contact */
    apr_array_header_t *messages; /* of fake_message_t *, the oldest first */
    apr_uint64_t read_number;     /* received messages after this one are unread */
    apr_uint64_t version;
    wa_inbound_t inbound[WA_STORE_NUMBERS_MAX];
} fake_thread_t;

typedef struct fake_parked_t {
    struct fake_parked_t *next; /* by age, the oldest first */
    const char *key;
    wa_slice_t value;
} fake_parked_t;

/* One commit, for who asks what came after a time. */
typedef struct fake_commit_t {
    apr_int64_t timestamp_ms;
    fake_message_t *message; /* NULL: it was about something else */
    int is_new;              /* 1: the message came, 0: its state changed */
} fake_commit_t;

struct fake_store_t {
    wa_store_t base;
    apr_pool_t *p;
    pthread_mutex_t lock; /* of all that follows; an error for who has it already */
    pthread_cond_t news;
    int is_wait_over;
    fake_message_t *messages;      /* the newest first */
    apr_array_header_t *by_number; /* of fake_message_t * */
    apr_hash_t *ids, *sids, *keys; /* fake_message_t * */
    apr_hash_t *threads;           /* fake_thread_t * by counterpart */
    apr_array_header_t *contacts;  /* of wa_contact_t */
    apr_hash_t *parked;
    fake_parked_t *parked_first, *parked_last;
    apr_array_header_t *commits; /* of fake_commit_t; their number is the version */
    apr_uint64_t threads_version, contacts_version;
    apr_int64_t now_ms;    /* of the last commit */
    apr_int64_t closed_ms; /* nothing gets this time, or an earlier one, any more */
    int is_clock_followed;
    apr_int64_t date_shift_ms; /* of the clock, against the times of the store */
    apr_status_t failures[FAKE_OPS];
    void (*hooks[FAKE_OPS])(void *baton);
    void *batons[FAKE_OPS];
};

/* Takes the lock; a thread that has it already ends the program. */
fake_store_t *fake_enter(wa_store_t *self);
void fake_leave(fake_store_t *fake);

/* What the next call of this kind fails with, once; APR_SUCCESS for not at all. */
apr_status_t fake_failure_take(fake_store_t *fake, fake_op_e op);

/* Without the lock: does what another process does. */
void fake_hook_run(fake_store_t *fake, fake_op_e op);

wa_slice_t fake_slice_dup(wa_slice_t s, apr_pool_t *p);
void *fake_by_slice(apr_hash_t *hash, wa_slice_t key);
int fake_is_over(const char *text, apr_size_t max);

/* The contact with this id or this number; NULL for none. */
wa_contact_t *fake_contact_by(const fake_store_t *fake, wa_slice_t id, wa_slice_t number);

apr_int64_t fake_clock_get(const fake_store_t *fake);

/* Every change ends here, with the lock. @return its time */
apr_int64_t fake_commit(fake_store_t *fake, apr_int64_t given_ms, fake_message_t *message,
                        int is_new);

apr_uint64_t fake_version_get(const fake_store_t *fake);

/* A thread's row changed by the last commit. */
void fake_thread_changed(fake_store_t *fake, fake_thread_t *t);

#endif
