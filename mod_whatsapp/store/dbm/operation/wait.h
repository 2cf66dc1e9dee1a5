/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting for something new in the store, asleep on a word of the shared memory. */
#ifndef WA_STORE_DBM_OPERATION_WAIT_H
#define WA_STORE_DBM_OPERATION_WAIT_H

#include "store/dbm/dbm.h"

/* The operations `wait` and `wait_end`. */
apr_status_t wa_dbm_wait(wa_store_t *self, apr_uint64_t version, apr_interval_time_t timeout);
void wa_dbm_wait_end(wa_store_t *self);

#endif
