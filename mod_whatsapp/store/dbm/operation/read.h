/* SPDX-License-Identifier: Apache-2.0 */
/* Reading messages: by row, by key and in pages, from the replica, the index and the mapped
 * journal; and the versions of what is read. */
#ifndef WA_STORE_DBM_OPERATION_READ_H
#define WA_STORE_DBM_OPERATION_READ_H

#include "store/dbm/dbm.h"

/* Fills *m from a row. All slices are in the journal's mapping, which outlives every request.
 * @return APR_SUCCESS | APR_NOTFOUND the row is not there (or lost to damage) | APR_EGENERAL
 *     damaged (logged). Any thread that does not hold the replica's lock. */
apr_status_t wa_dbm_message_get(wa_dbm_store_t *store, apr_uint64_t row, wa_message_t *m);

/* Finds the row of a key of one kind that a message's record makes ("id", "sid", "idem"), the
 * newest where there are several.
 * @return APR_SUCCESS | APR_NOTFOUND | APR_EGENERAL */
apr_status_t wa_dbm_key_find(wa_dbm_store_t *store, const char *kind, wa_slice_t name,
                             apr_uint64_t *prow);

/* Finds the row of the message with this id or, where there is none, with this sid among all that
 * it ever had. @return like wa_dbm_key_find */
apr_status_t wa_dbm_id_or_sid_find(wa_dbm_store_t *store, const char *key, apr_uint64_t *prow);

/* Finds the row of a key that is in force: an idempotency key is so while it counts
 * (wa_store_idempotency_counts), all others for good. @return like wa_dbm_key_find. Any thread that
 * does not hold the replica's lock. */
apr_status_t wa_dbm_key_in_force_find(wa_dbm_store_t *store, const char *kind, wa_slice_t name,
                                      apr_uint64_t *prow);

/* How far this process's replica is (wa_dbm_end), with the time, number and counts of the last
 * record. Any thread that does not hold the replica's lock. */
void wa_dbm_end_get(wa_dbm_store_t *store, wa_tail_t *at);

/* The operations `version`, `message_find` and `messages_list`. */
apr_uint64_t wa_dbm_version(wa_store_t *self, wa_version_e part);
apr_status_t wa_dbm_message_find(wa_store_t *self, const char *key, wa_message_t *pm,
                                 apr_pool_t *p);
apr_status_t wa_dbm_messages_list(wa_store_t *self, const wa_messages_query_t *query,
                                  wa_page_t *page, apr_pool_t *p);

#endif
