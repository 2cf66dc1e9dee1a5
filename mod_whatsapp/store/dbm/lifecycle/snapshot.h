/* SPDX-License-Identifier: Apache-2.0 */
/* A store seen without touching it: read beside a live server, or where a start would repair what
 * one wants to look at. */
#ifndef WA_STORE_DBM_LIFECYCLE_SNAPSHOT_H
#define WA_STORE_DBM_LIFECYCLE_SNAPSHOT_H

#include "store/dbm/dbm.h"
#include "store/log/scan.h"

/*
 * A snapshot holds what the journal said up to one of its records: a moment of the store, whatever
 * is written meanwhile. After wa_snapshot_settle the reading operations of the seam work on
 * &snapshot->store.base, but for finding by key. The snapshot's store is read-only: the writing
 * operations give APR_TIMEUP.
 */
typedef struct wa_snapshot_t {
    wa_dbm_store_t store;
    wa_shared_t shared;
    wa_scan_t scan;
    /* what CURRENT says */
    wa_checkpoint_t checkpoint;
    /* of reading CURRENT, and of loading what it names where that was wanted */
    apr_status_t checkpoint_rv;
    /* the replica began with it */
    int is_from_checkpoint;
    /* a server or a tool has the store */
    int is_owned;
    /* bytes of damage that were met so far */
    apr_uint64_t damaged;
} wa_snapshot_t;

typedef struct wa_snapshot_options_t {
    const char *directory;
    const wa_log_t *log;
    /* the driver's, for who reads through the seam; NULL: nobody does */
    const wa_store_ops_t *ops;
    /* NULL, or: not 0 once reading shall end */
    const volatile sig_atomic_t *stop;
    /* 1: believe the newest checkpoint and the index; 0: nothing but the journal, at the price of
     * 32 bytes of memory a message */
    int is_quick;
} wa_snapshot_options_t;

/* Opens a snapshot at the store's beginning or newest checkpoint. What it takes is given back with
 * p.
 * @param perror  out: NULL or a sentence for the admin, in p
 * @return APR_SUCCESS | APR_ENOENT there is no store | APR_EINVAL not a store of this format | the
 *     operating system's status. One thread. */
apr_status_t wa_snapshot_open(wa_snapshot_t **psnapshot, const wa_snapshot_options_t *options,
                              const char **perror, apr_pool_t *p);

/* Goes on by one record or stretch of damage, and applies it.
 * @return APR_SUCCESS | APR_EOF | APR_EGENERAL the record cannot be applied (logged). One
 * thread. */
apr_status_t wa_snapshot_next(wa_snapshot_t *snapshot, wa_scan_step_t *step);

/* After the last step: makes the reading operations see what was applied. One thread. */
void wa_snapshot_settle(wa_snapshot_t *snapshot);

/* Loads the newest checkpoint of a directory into a replica of its own, with the index files as
 * they are on the disk, both in p.
 * @return APR_SUCCESS | APR_NOTFOUND there is none | APR_ENOTIMPL its type is not available here |
 *     APR_EGENERAL it is damaged or does not fit the index. One thread. */
apr_status_t wa_snapshot_checkpoint_load(wa_snapshot_t *snapshot, wa_checkpoint_t *c,
                                         wa_replica_t **preplica, apr_pool_t *p);

#endif
