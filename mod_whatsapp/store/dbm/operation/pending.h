/* SPDX-License-Identifier: Apache-2.0 */
/* Lists the messages that are pending, from the replica's list of their rows. */
#ifndef WA_STORE_DBM_OPERATION_PENDING_H
#define WA_STORE_DBM_OPERATION_PENDING_H

#include "store/dbm/dbm.h"

/* The operation `pending_list`. */
apr_status_t wa_dbm_pending_list(wa_store_t *self, apr_int64_t before_ms, apr_int64_t ahead_ms,
                                 apr_size_t max, wa_message_visit_fn visit, void *baton,
                                 apr_pool_t *p);

#endif
