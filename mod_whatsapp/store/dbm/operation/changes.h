/* SPDX-License-Identifier: Apache-2.0 */
/* Lists what came or changed after a time, by a scan forward through the journal. */
#ifndef WA_STORE_DBM_OPERATION_CHANGES_H
#define WA_STORE_DBM_OPERATION_CHANGES_H

#include "store/dbm/dbm.h"

/* The operation `changes_list`. */
apr_status_t wa_dbm_changes_list(wa_store_t *self, apr_int64_t since_ms, apr_size_t max,
                                 wa_message_visit_fn visit, void *baton, wa_changes_t *changes,
                                 apr_pool_t *p);

#endif
