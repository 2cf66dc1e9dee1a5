/* SPDX-License-Identifier: Apache-2.0 */
/* Makes, renames and deletes contacts. */
#ifndef WA_MESSAGING_THREAD_CONTACTS_H
#define WA_MESSAGING_THREAD_CONTACTS_H

#include <apr_errno.h>
#include <apr_pools.h>

#include "messaging/messenger.h"

/* What somebody wants of a contact. Borrowed for the time of the call. */
typedef struct wa_contact_request_t {
    const char *id;          /* the contact; NULL to make one */
    wa_slice_t phone_number; /* as typed; not looked at to rename */
    wa_slice_t display_name; /* as typed */
} wa_contact_request_t;

/* Makes a contact.
 * @param pc  out: the contact as stored; slices in p
 * @param psentence  out: with APR_EINVAL and APR_EEXIST what is wrong
 * @return APR_SUCCESS | APR_EINVAL | APR_EEXIST there is one with this number | the store's.
 * Any thread. */
apr_status_t wa_contact_create(wa_messenger_t *messenger, const wa_contact_request_t *request,
                               wa_contact_t *pc, wa_sentence_t *psentence, apr_pool_t *p);

/* Renames a contact. Otherwise like wa_contact_create.
 * @return APR_SUCCESS | APR_EINVAL | APR_NOTFOUND | the store's. Any thread. */
apr_status_t wa_contact_rename(wa_messenger_t *messenger, const wa_contact_request_t *request,
                               wa_contact_t *pc, wa_sentence_t *psentence, apr_pool_t *p);

/* Deletes a contact; its messages and its thread stay.
 * @return APR_SUCCESS | APR_NOTFOUND | the store's. Any thread. */
apr_status_t wa_contact_delete(wa_messenger_t *messenger, const char *id, apr_pool_t *tmp);

#endif
