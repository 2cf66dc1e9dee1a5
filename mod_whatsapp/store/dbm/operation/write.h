/* SPDX-License-Identifier: Apache-2.0 */
/* The writing operations on messages and parked facts: check against what is visible, append,
 * and try again where something came in between. */
#ifndef WA_STORE_DBM_OPERATION_WRITE_H
#define WA_STORE_DBM_OPERATION_WRITE_H

#include "store/dbm/dbm.h"

/* Brings the replica up to date and says in commit->base up to where what the caller checks next
 * holds.
 * @return APR_SUCCESS | APR_EGENERAL (logged). Any thread that does not hold the replica's lock. */
apr_status_t wa_dbm_check_begin(wa_dbm_store_t *store, wa_commit_t *commit);

/* Commits a record whose preconditions hold up to commit->base.
 * @param commit  like wa_order_append
 * @return APR_SUCCESS durable and visible | APR_EAGAIN another record was in the way and is
 *     visible now: check and try again | APR_TIMEUP the store is read-only | what
 *     wa_order_append and wa_commit_wait say. Any thread that does not hold the replica's lock. */
apr_status_t wa_dbm_commit_try(wa_dbm_store_t *store, wa_record_t *record, wa_commit_t *commit);

/* The operations `message_add`, `message_update`, `parked_add` and `parked_get`. */
apr_status_t wa_dbm_message_add(wa_store_t *self, const wa_message_new_t *message, wa_message_t *pm,
                                apr_pool_t *p);
apr_status_t wa_dbm_message_update(wa_store_t *self, const wa_message_update_t *update,
                                   wa_message_t *pm, apr_pool_t *p);
apr_status_t wa_dbm_parked_add(wa_store_t *self, const char *key, wa_slice_t value,
                               apr_pool_t *tmp);
apr_status_t wa_dbm_parked_get(wa_store_t *self, const char *key, wa_slice_t *pvalue,
                               apr_pool_t *p);

#endif
