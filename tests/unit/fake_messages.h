/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of the store in memory, one by one: the operations of that name. */
#ifndef WA_TEST_FAKE_MESSAGES_H
#define WA_TEST_FAKE_MESSAGES_H

#include "fake_state.h"

/* What a reader gets: copies, and the contact joined; nothing when it takes none. */
void fake_message_give(const fake_store_t *fake, const fake_message_t *stored, wa_message_t *pm,
                       apr_pool_t *p);

apr_status_t fake_message_add(wa_store_t *self, const wa_message_new_t *message, wa_message_t *pm,
                              apr_pool_t *p);
apr_status_t fake_message_update(wa_store_t *self, const wa_message_update_t *update,
                                 wa_message_t *pm, apr_pool_t *p);
apr_status_t fake_message_find(wa_store_t *self, const char *key, wa_message_t *pm, apr_pool_t *p);

#endif
