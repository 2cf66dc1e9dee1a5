/* SPDX-License-Identifier: Apache-2.0 */
/* Contacts of the store in memory: the operations of that name. */
#ifndef WA_TEST_FAKE_CONTACTS_H
#define WA_TEST_FAKE_CONTACTS_H

#include "fake_state.h"

apr_status_t fake_contacts_list(wa_store_t *self, wa_contact_visit_fn visit, void *baton);
apr_status_t fake_contact_add(wa_store_t *self, const wa_contact_t *contact, wa_contact_t *pc,
                              apr_pool_t *p);
apr_status_t fake_contact_rename(wa_store_t *self, const char *id, wa_slice_t display_name,
                                 wa_contact_t *pc, apr_pool_t *p);
apr_status_t fake_contact_delete(wa_store_t *self, const char *id, apr_pool_t *tmp);
apr_status_t fake_contact_find(wa_store_t *self, const char *key, wa_contact_t *pc, apr_pool_t *p);

#endif
