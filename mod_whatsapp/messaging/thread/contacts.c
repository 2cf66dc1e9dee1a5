/* SPDX-License-Identifier: Apache-2.0 */
/* Makes, renames and deletes contacts. */
#include "messaging/thread/contacts.h"

#include "base/id.h"
#include "messaging/message/validate.h"

apr_status_t wa_contact_create(wa_messenger_t *messenger, const wa_contact_request_t *request,
                               wa_contact_t *pc, wa_sentence_t *psentence, apr_pool_t *p)
{
    const char *number, *id;
    wa_slice_t name;
    wa_contact_t contact;
    apr_status_t rv;

    memset(pc, 0, sizeof(*pc));
    rv = wa_validate_phone(request->phone_number, &number, psentence, p);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = wa_validate_display_name(request->display_name, &name, psentence);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    id = wa_id_uuid4(p);
    if (!id) {
        return APR_EGENERAL;
    }
    memset(&contact, 0, sizeof(contact));
    contact.id = wa_slice_of(id);
    contact.phone_number = wa_slice_of(number);
    contact.display_name = name;
    rv = wa_store_contact_add(messenger->store, &contact, pc, p);
    if (APR_STATUS_IS_EEXIST(rv)) {
        *psentence = "phoneNumber is already the number of another contact";
    }
    return rv;
}

apr_status_t wa_contact_rename(wa_messenger_t *messenger, const wa_contact_request_t *request,
                               wa_contact_t *pc, wa_sentence_t *psentence, apr_pool_t *p)
{
    wa_slice_t name;
    apr_status_t rv;

    memset(pc, 0, sizeof(*pc));
    rv = wa_validate_display_name(request->display_name, &name, psentence);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    return wa_store_contact_rename(messenger->store, request->id, name, pc, p);
}

apr_status_t wa_contact_delete(wa_messenger_t *messenger, const char *id, apr_pool_t *tmp)
{
    return wa_store_contact_delete(messenger->store, id, tmp);
}
