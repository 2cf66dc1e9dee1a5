/* SPDX-License-Identifier: Apache-2.0 */
/* Opening, owning and closing a dbm store. */
#ifndef WA_STORE_DBM_LIFECYCLE_OPEN_H
#define WA_STORE_DBM_LIFECYCLE_OPEN_H

#include "store/dbm/dbm.h"

/* Opens a store as wa_store_open says. It has no table of operations yet: driver.c gives it one.
 * @param pstore  out: set with APR_SUCCESS only
 * @return like wa_store_open | what the tool's watch returned. One process and thread. */
apr_status_t wa_dbm_store_open(wa_dbm_store_t **pstore, const wa_dbm_opening_t *opening,
                               const char **perror, apr_pool_t *p);

/* From here on nothing is written to the store, nor when it is closed. For who ends in the
 * middle of it. Its only process and thread. */
void wa_dbm_store_abandon(wa_dbm_store_t *store);

/* The operation `child_init`. */
apr_status_t wa_dbm_child_init(wa_store_t *self, apr_pool_t *p);

#endif
