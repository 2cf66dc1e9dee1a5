/* SPDX-License-Identifier: Apache-2.0 */
/* Walks over messages of the store in memory: the operations of that name. */
#ifndef WA_TEST_FAKE_WALKS_H
#define WA_TEST_FAKE_WALKS_H

#include "fake_state.h"

apr_status_t fake_messages_list(wa_store_t *self, const wa_messages_query_t *query, wa_page_t *page,
                                apr_pool_t *p);
apr_status_t fake_pending_list(wa_store_t *self, const wa_pending_query_t *query, apr_pool_t *p);
apr_status_t fake_changes_list(wa_store_t *self, const wa_changes_query_t *query,
                               wa_changes_t *changes, apr_pool_t *p);

#endif
