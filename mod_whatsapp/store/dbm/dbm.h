/* SPDX-License-Identifier: Apache-2.0 */
/* The dbm driver's store: what it consists of. The headers beside this one, each of one .c file,
 * say what is done with it. */
#ifndef WA_STORE_DBM_DBM_H
#define WA_STORE_DBM_DBM_H

#include <sys/types.h>

#include "store/view/checkpoint.h"
#include "store/log/commit.h"
#include "store/log/local.h"
#include "store/view/replica.h"
#include "store/dbm/retained.h"
#include "store/driver.h"

/* What a tool wants of opening a store beside what a server does. */
typedef struct wa_dbm_tool_t {
    /* 1: believe nothing but the journal */
    int is_rebuild;
    /* NULL, or: not 0 once reading shall end, which then gives APR_EINTR */
    const volatile sig_atomic_t *stop;
    /* Told how far the journal is read; anything but APR_SUCCESS ends it, and is what opening
     * gives. NULL for none. */
    apr_status_t (*watch)(void *baton, apr_uint64_t done, apr_uint64_t total);
    void *baton;
} wa_dbm_tool_t;

/* What a store is opened with. */
typedef struct wa_dbm_opening_t {
    const wa_store_uri_t *uri;
    const wa_store_options_t *options;
    const wa_dbm_tool_t *tool; /* NULL: by a server */
} wa_dbm_opening_t;

typedef struct wa_dbm_store_t {
    wa_store_t base;
    apr_pool_t *pool;
    const wa_log_t *log;
    wa_journal_t journal;
    wa_index_t index;
    wa_replica_t replica;
    wa_shared_t *shared;
    wa_log_local_t local;
    wa_log_writer_t writer;
    wa_checkpoint_place_t place;
    /* used when the options give none */
    wa_dbm_retained_t own_retained;
    wa_dbm_retained_t *retained;
    /* NULL for a server */
    const wa_dbm_tool_t *tool;
    /* why opening failed, where its status does not tell; in pool */
    const char *trouble;
    /* only this process closes the store */
    pid_t opened_by;
    /* 1: a view of somebody else's store, or one that was given up: nothing is written to it, and
     * nothing noted of it, in files or in shared memory */
    int is_read_only;
    /* atomic: nobody waits any more in this process */
    int is_wait_over;
    /* what the upkeep of this process told waiters last */
    apr_uint64_t news_told_end;
    /* by wa_clock_steady_us: since when this process has seen changes that are in no checkpoint */
    apr_time_t checked_at;
} wa_dbm_store_t;

#define WA_DBM_STORE(s) ((wa_dbm_store_t *)(void *)(s))

/* How far this process's replica is: what is served ends here. Any thread. */
static inline apr_uint64_t wa_dbm_end(const wa_dbm_store_t *store)
{
    return __atomic_load_n(&store->replica.at.offset, __ATOMIC_ACQUIRE);
}

#endif
