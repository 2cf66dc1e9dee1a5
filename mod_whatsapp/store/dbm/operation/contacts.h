/* SPDX-License-Identifier: Apache-2.0 */
/* The operations on contacts. */
#ifndef WA_STORE_DBM_OPERATION_CONTACTS_H
#define WA_STORE_DBM_OPERATION_CONTACTS_H

#include "store/dbm/dbm.h"

/* The operations `contacts_list`, `contact_add`, `contact_rename`, `contact_delete` and
 * `contact_find`. */
apr_status_t wa_dbm_contacts_list(wa_store_t *self, wa_contact_visit_fn visit, void *baton);
apr_status_t wa_dbm_contact_add(wa_store_t *self, const wa_contact_t *contact, wa_contact_t *pc,
                                apr_pool_t *p);
apr_status_t wa_dbm_contact_rename(wa_store_t *self, const char *id, wa_slice_t display_name,
                                   wa_contact_t *pc, apr_pool_t *p);
apr_status_t wa_dbm_contact_delete(wa_store_t *self, const char *id, apr_pool_t *tmp);
apr_status_t wa_dbm_contact_find(wa_store_t *self, const char *key, wa_contact_t *pc,
                                 apr_pool_t *p);

#endif
