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

/* Finds the row of a key of one kind ("id", "sid", "idem"), the newest where there are several.
 * @return APR_SUCCESS | APR_NOTFOUND | APR_EGENERAL */
apr_status_t wa_dbm_key_find(wa_dbm_store_t *store, const char *kind, const char *key,
                             apr_uint64_t *prow);

/* Finds the message of an idempotency key that counts. @return like wa_dbm_key_find. Any thread
 * that does not hold the replica's lock. */
apr_status_t wa_dbm_idempotency_find(wa_dbm_store_t *store, const char *key, apr_uint64_t *prow,
                                     wa_message_t *m);

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
