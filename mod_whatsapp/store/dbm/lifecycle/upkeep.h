/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps an open store up: syncs that are due, and checkpoints when enough has changed. */
#ifndef WA_STORE_DBM_LIFECYCLE_UPKEEP_H
#define WA_STORE_DBM_LIFECYCLE_UPKEEP_H

#include "store/dbm/dbm.h"

/* Writes a checkpoint now, unless another process is at it, or the store is read-only or
 * damaged.
 * @return APR_SUCCESS | APR_EBUSY | driver status (logged). Any thread that does not hold the
 *     replica's lock. */
apr_status_t wa_dbm_checkpoint(wa_dbm_store_t *store, apr_pool_t *tmp);

/* The operation `maintain`. */
apr_status_t wa_dbm_maintain(wa_store_t *self, apr_pool_t *tmp);

#endif
