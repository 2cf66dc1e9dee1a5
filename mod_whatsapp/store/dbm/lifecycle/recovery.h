/* SPDX-License-Identifier: Apache-2.0 */
/* Brings an exclusively owned store to a sound state after any stop: checkpoint, then the
 * journal's records after it, then a clean end. */
#ifndef WA_STORE_DBM_LIFECYCLE_RECOVERY_H
#define WA_STORE_DBM_LIFECYCLE_RECOVERY_H

#include "store/dbm/dbm.h"

/* Brings the store's replica, index and journal to the state of a sound, exclusively owned
 * store: loads the checkpoint or begins anew, applies what came after it, cuts a torn tail, sets
 * damaged bytes aside. Says in the log what it repaired.
 * @param is_rebuild  1: ignore checkpoint and index files, read the journal from its beginning
 * @return APR_SUCCESS | driver status (logged). One thread. */
apr_status_t wa_dbm_recover(wa_dbm_store_t *store, int is_rebuild, apr_pool_t *tmp);

#endif
