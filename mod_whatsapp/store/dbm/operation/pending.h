/* SPDX-License-Identifier: Apache-2.0 */
/* Lists the messages that are pending, from the replica's list of their rows. */
#ifndef WA_STORE_DBM_OPERATION_PENDING_H
#define WA_STORE_DBM_OPERATION_PENDING_H

#include "store/dbm/dbm.h"

/* The operation `pending_list`. */
apr_status_t wa_dbm_pending_list(wa_store_t *self, const wa_pending_query_t *query, apr_pool_t *p);

#endif
