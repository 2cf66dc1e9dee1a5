/* SPDX-License-Identifier: Apache-2.0 */
/* Makes, renames and deletes contacts. */
#ifndef WA_MESSAGING_THREAD_CONTACTS_H
#define WA_MESSAGING_THREAD_CONTACTS_H

#include <apr_errno.h>
#include <apr_pools.h>

#include "messaging/messenger.h"

/* Makes a contact.
 * @param phone_number, display_name  as typed
 * @param pc  out: the contact as stored; slices in p
 * @param psentence  out: with APR_EINVAL and APR_EEXIST what is wrong
 * @return APR_SUCCESS | APR_EINVAL | APR_EEXIST there is one with this number | the store's.
 * Any thread. */
apr_status_t wa_contact_create(wa_messenger_t *messenger, wa_slice_t phone_number,
                               wa_slice_t display_name, wa_contact_t *pc, wa_sentence_t *psentence,
                               apr_pool_t *p);

/* Renames a contact. Otherwise like wa_contact_create.
 * @return APR_SUCCESS | APR_EINVAL | APR_NOTFOUND | the store's. Any thread. */
apr_status_t wa_contact_rename(wa_messenger_t *messenger, const char *id, wa_slice_t display_name,
                               wa_contact_t *pc, wa_sentence_t *psentence, apr_pool_t *p);

/* Deletes a contact; its messages and its thread stay. @return APR_SUCCESS | APR_NOTFOUND | the store's. Any thread. */
apr_status_t wa_contact_delete(wa_messenger_t *messenger, const char *id, apr_pool_t *tmp);

#endif
