/* SPDX-License-Identifier: Apache-2.0 */
/* One call of whatsappctl load: what its steps share. */
#ifndef WA_TOOLS_LOAD_H
#define WA_TOOLS_LOAD_H

#include <apr_hash.h>
#include <apr_pools.h>

#include "ctl.h"
#include "load_input.h"
#include "store/dbm/dbm.h"

#define LOAD_TIME_LAST INT64_MAX

/* What is remembered of each line until all are sorted: 24 bytes. */
typedef struct load_entry_t {
    apr_int64_t time_ms; /* LOAD_TIME_LAST: at the end, with the time of the load */
    apr_uint64_t offset;
    apr_uint32_t length; /* below 2^25 (LOAD_PIECE_MAX); the highest bit: a contact */
    apr_uint32_t line;
} load_entry_t;

#define LOAD_ENTRY_CONTACT 0x80000000u

/* What the input says of a thread. */
typedef struct load_thread_t {
    const char *counterpart;
    apr_uint64_t unread; /* by its line, else by its messages */
    apr_uint32_t flags;
    int has_line;
    const char *profile_name; /* by its line, for messages that do not tell it; NULL for none */
} load_thread_t;

typedef struct load_t {
    ctl_t *ctl;
    wa_dbm_store_t *store;
    load_input_t in;
    apr_pool_t *pool; /* of the threads */
    apr_pool_t *tmp;  /* of one line */
    apr_int64_t now_ms;
    apr_int64_t newest_ms; /* of what is in the store already */
    int is_new;            /* nothing is in the store yet */
    int ignore_other;
    load_entry_t *entries;
    apr_size_t count, room;
    int is_sorted;
    apr_hash_t *threads;
    apr_uint64_t bad, duplicates, others, repaired, unknown, threads_unused, empty, prose;
    apr_uint64_t messages, contacts;
} load_t;

#endif
