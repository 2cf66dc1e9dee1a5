/* SPDX-License-Identifier: Apache-2.0 */
/* Lists what came or changed after a time, by a scan forward through the journal. */
#ifndef WA_STORE_DBM_OPERATION_CHANGES_H
#define WA_STORE_DBM_OPERATION_CHANGES_H

#include "store/dbm/dbm.h"

/* The operation `changes_list`. */
apr_status_t wa_dbm_changes_list(wa_store_t *self, const wa_changes_query_t *query,
                                 wa_changes_t *changes, apr_pool_t *p);

#endif
