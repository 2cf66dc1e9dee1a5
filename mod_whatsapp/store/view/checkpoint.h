/* SPDX-License-Identifier: Apache-2.0 */
/* Checkpoints: threads, contacts and parked facts written whole into a new apr_dbm file, and the
 * file CURRENT that names it. */
#ifndef WA_STORE_VIEW_CHECKPOINT_H
#define WA_STORE_VIEW_CHECKPOINT_H

#include "store/view/replica.h"

/* The named checkpoint: what CURRENT says. */
typedef struct wa_checkpoint_t {
    apr_uint64_t number;  /* of the checkpoint, in its files' names */
    const char *type;     /* apr_dbm type of its files */
    wa_tail_t at;         /* the journal up to here is in it */
    apr_uint64_t entries; /* pairs in the dbm */
    apr_uint64_t digest;  /* of all pairs, in any order */
} wa_checkpoint_t;

typedef struct wa_checkpoint_place_t {
    const char *directory;
    const char *type; /* for new files: "db", "gdbm" or "sdbm" */
    apr_uid_t uid;
    apr_gid_t gid;
    apr_uint64_t salt; /* of the journal that the checkpoint is of */
    const wa_log_t *log;
} wa_checkpoint_place_t;

/* Reads CURRENT.
 * @return APR_SUCCESS | APR_NOTFOUND there is none | APR_EGENERAL it is damaged or another
 *     journal's
 *         | APR_EINVAL another version of the module wrote it, and the index beside it | the
 *         operating system's status */
apr_status_t wa_checkpoint_find(wa_checkpoint_t *c, const wa_checkpoint_place_t *place,
                                apr_pool_t *p);

/* Loads a checkpoint into an empty replica.
 * @return APR_SUCCESS | anything else: the replica is to be thrown away and the journal read from
 *     its beginning */
apr_status_t wa_checkpoint_load(const wa_checkpoint_t *c, const wa_checkpoint_place_t *place,
                                wa_replica_t *replica, apr_pool_t *tmp);

/* Writes a checkpoint of the replica as it is now, after making the index durable, and names it in
 * CURRENT; older files are removed. Readers of the replica wait only while its rows are copied.
 * @param c  in: number; out: what was written
 * @return APR_SUCCESS | APR_ENOSPC or another status (logged): the checkpoint before stays. One
 *     caller at a time in all processes. */
apr_status_t wa_checkpoint_write(wa_checkpoint_t *c, const wa_checkpoint_place_t *place,
                                 wa_replica_t *replica, apr_pool_t *tmp);

/* Removes CURRENT, so that the next start reads the whole journal. */
void wa_checkpoint_forget(const wa_checkpoint_place_t *place);

/* Removes every checkpoint file but those of `keep` (0: all, CURRENT too). */
void wa_checkpoint_clean(const wa_checkpoint_place_t *place, apr_uint64_t keep, apr_pool_t *tmp);

/* 1 when apr_dbm can open this type here. */
int wa_checkpoint_type_is_available(const char *type, apr_pool_t *tmp);

#endif
