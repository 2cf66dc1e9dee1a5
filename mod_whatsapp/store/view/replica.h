/* SPDX-License-Identifier: Apache-2.0 */
/* A process's own copy of threads, contacts and parked facts, brought up to date by applying the
 * journal's new records. */
#ifndef WA_STORE_VIEW_REPLICA_H
#define WA_STORE_VIEW_REPLICA_H

#include <pthread.h>

#include <apr_hash.h>
#include <apr_tables.h>

#include "store/view/index.h"
#include "store/log/journal.h"
#include "store/log/shared.h"
#include "store/store.h"

/* So many are kept, the newest. */
#define WA_PARKED_MAX WA_STORE_OPEN_MIN
#define WA_PENDING_MAX WA_STORE_OPEN_MIN

typedef struct wa_replica_contact_t {
    wa_slice_t id, phone_number, display_name; /* in the journal's mapping */
    apr_int64_t created_ms, updated_ms;
    apr_uint64_t offset; /* of its newest CONTACT record */
    struct wa_replica_contact_t *next_free;
} wa_replica_contact_t;

/* When the counterpart wrote last to one of our numbers, as in wa_inbound_t. */
typedef struct wa_replica_inbound_t {
    wa_inbound_t last; /* its number is in the journal's mapping */
    apr_uint64_t row;  /* the message that says so */
} wa_replica_inbound_t;

typedef struct wa_replica_thread_t {
    wa_slice_t counterpart, preview, profile_name; /* in the journal's mapping */
    apr_uint64_t name_row; /* the message that told profile_name; 0 for none */
    apr_uint64_t version;  /* offset of the last record that touched it or one of its messages */
    apr_uint64_t last_row;
    apr_uint64_t read_row; /* received messages after this row are unread */
    apr_uint64_t message_count, unread_count;
    apr_int64_t last_timestamp_ms, changed_ms, last_inbound_ms;
    wa_replica_inbound_t *inbound; /* room for WA_STORE_NUMBERS_MAX from the second one on */
    apr_uint32_t inbound_count;
    wa_direction_e last_direction;
    apr_uint32_t flags;
    wa_replica_contact_t *contact;
    apr_uint64_t *recent;   /* its last WA_ROW_SKIP rows in a ring, 0 for none; NULL until needed */
    apr_uint32_t recent_at; /* where its next row goes */
    struct wa_replica_thread_t *newer, *older; /* by last message */
} wa_replica_thread_t;

typedef struct wa_replica_parked_t {
    wa_slice_t key, value;
    apr_uint64_t offset;
    struct wa_replica_parked_t *next; /* by age, the oldest first */
} wa_replica_parked_t;

/* Guarded by `lock`: readers of threads, contacts and parked facts take it shared, applying takes
 * it alone. What is marked atomic may be read without. */
typedef struct wa_replica_t {
    pthread_rwlock_t lock;
    /* its own root pool: threads and contacts live here */
    apr_pool_t *pool;
    wa_journal_t *journal;
    wa_index_t *index;
    /* how far it is; `offset` is atomic */
    wa_tail_t at;
    /* atomic */
    apr_uint64_t threads_version;
    /* atomic */
    apr_uint64_t contacts_version;
    /* newest changed_ms of all threads */
    apr_int64_t threads_changed_ms;
    /* no date of a thread that is without before_ms is newer */
    apr_int64_t inbound_date_max_ms;
    /* by counterpart */
    apr_hash_t *threads;
    wa_replica_thread_t *newest, *oldest;
    apr_hash_t *contacts_by_id;
    apr_hash_t *contacts_by_number;
    /* of wa_replica_contact_t *, by name */
    apr_array_header_t *contacts;
    wa_replica_contact_t *free_contacts;
    apr_hash_t *parked;
    wa_replica_parked_t *parked_first, *parked_last;
    /* of apr_uint64_t, rows of messages that are pending, growing */
    apr_array_header_t *pending;
} wa_replica_t;

/* Makes an empty replica at the journal's beginning.
 * @return APR_SUCCESS | APR_ENOMEM. One thread. */
apr_status_t wa_replica_init(wa_replica_t *replica, wa_journal_t *journal, wa_index_t *index);

/* Frees its memory. One thread. */
void wa_replica_release(wa_replica_t *replica);

/* Applies the journal's records up to `end`, which must be a record's end. The caller holds `lock`
 * alone, or is the only thread.
 * @return APR_SUCCESS | APR_EGENERAL a record is damaged (logged): the replica stays before it */
apr_status_t wa_replica_apply(wa_replica_t *replica, apr_uint64_t end);

/* Brings the replica up to what readers may see. Without news it is one atomic read of shared
 * memory.
 * @return APR_SUCCESS | APR_EGENERAL (logged). Any thread that does not hold `lock`. */
apr_status_t wa_replica_catch_up(wa_replica_t *replica, const wa_shared_t *shared);

/* The same for who can do with a little less: where another thread is at it and little is missing,
 * it returns at once.
 * @return APR_SUCCESS | APR_EGENERAL (logged). Any thread that does not hold `lock`. */
apr_status_t wa_replica_catch_up_try(wa_replica_t *replica, const wa_shared_t *shared);

/* The thread of a counterpart, NULL when there is none. The caller holds `lock`. */
wa_replica_thread_t *wa_replica_thread_find(const wa_replica_t *replica, wa_slice_t counterpart);

/* What the thread has of a number of ours; NULL for nothing. The caller holds `lock`. */
wa_replica_inbound_t *wa_replica_thread_inbound_find(const wa_replica_thread_t *t,
                                                     wa_slice_t phone_number);

/* Where `row` is, or would be, in the list of pending rows. The caller holds `lock`. */
int wa_replica_pending_place(const wa_replica_t *replica, apr_uint64_t row);

#endif
