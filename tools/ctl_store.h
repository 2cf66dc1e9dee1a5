/* SPDX-License-Identifier: Apache-2.0 */
/* Finding, viewing, locking and opening stores, for all commands. */
#ifndef WA_TOOLS_CTL_STORE_H
#define WA_TOOLS_CTL_STORE_H

#include "ctl.h"
#include "store/log/rewrite.h"
#include "store/dbm/lifecycle/snapshot.h"

/* Finds the store, takes on its owner (ctl_owner_become) and refuses a directory in which something
 * is planted.
 * @return CTL_DONE | CTL_FAILED, said */
int ctl_store_find(ctl_t *ctl);

/* Refuses a directory in which something is planted. @return CTL_DONE | CTL_FAILED, said */
int ctl_store_inspect(ctl_t *ctl);

/* Called with each step of reading a snapshot, after it was applied.
 * @return APR_SUCCESS | what ends the reading */
typedef apr_status_t (*ctl_step_fn)(void *baton, wa_snapshot_t *snapshot,
                                    const wa_scan_step_t *step);

/* Opens a snapshot of the store, reads it to its end and settles it.
 * @param is_quick  as in wa_snapshot_options_t
 * @param visit  may be NULL
 * @return CTL_DONE | another exit code, said */
int ctl_snapshot_read(ctl_t *ctl, int is_quick, ctl_step_fn visit, void *baton,
                      wa_snapshot_t **psnapshot);

/* Reads the journal of a snapshot again, up to the snapshot's end.
 * @return CTL_DONE | another exit code, said */
int ctl_snapshot_again(ctl_t *ctl, wa_snapshot_t *snapshot, const char *label, ctl_step_fn visit,
                       void *baton);

/* Opens the store in `directory` as its only owner, makes what is derived, in the pool p.
 * @param account_sid  NULL: whatever is in the journal, which must exist
 * @return CTL_DONE | another exit code, said */
int ctl_store_open(ctl_t *ctl, const char *directory, const char *account_sid,
                   wa_dbm_store_t **pstore, apr_pool_t *p);

/* The type of apr_dbm for new checkpoints: what was asked for, else the store's own, else the
 * default. */
const char *ctl_store_type(const ctl_t *ctl, apr_pool_t *p);

/* Writes a checkpoint that holds everything and closes the store by destroying p.
 * @return CTL_DONE | CTL_FAILED, said */
int ctl_store_close(wa_dbm_store_t *store, apr_pool_t *p);

/* Before the end of a program that failed: what is open is closed without a checkpoint. */
void ctl_stores_abandon(void);

/* Takes the store's lock until the program ends. @return CTL_DONE | CTL_FAILED, said */
int ctl_store_lock(ctl_t *ctl);

/* Makes an empty directory `name` in the store's directory, which is removed if the program ends
 * early. One that a killed call left is removed before.
 * @param is_trial  1: what is left of another call stays, and is refused
 * @return CTL_DONE | CTL_FAILED, said */
int ctl_work_directory(ctl_t *ctl, const char *name, int is_trial, const char **pdirectory);

/* Begins a new journal of the snapshot's account in the directory `work`; the caller releases *out.
 * @return CTL_DONE | CTL_FAILED, said */
int ctl_journal_create(ctl_t *ctl, const wa_snapshot_t *snapshot, const char *work,
                       wa_rewrite_t *out);

#endif
