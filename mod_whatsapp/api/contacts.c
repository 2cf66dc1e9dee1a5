/* SPDX-License-Identifier: Apache-2.0 */
/* GET and POST /contacts, PATCH and DELETE /contacts/{id} */
#include "messaging/thread/contacts.h"

#include "api/body.h"
#include "api/cache.h"
#include "api/reply.h"
#include "messaging/list/render.h"
#include "messaging/message/validate.h"

#define NO_CONTACT "There is no contact with this id."

int wa_endpoint_contacts(wa_request_t *q)
{
    static const wa_cache_key_t key = {WA_CACHE_CONTACTS, {NULL, 0}, 0};
    const apr_uint64_t version = wa_store_version(q->messenger->store, WA_VERSION_CONTACTS);
    wa_cache_entry_t *entry = wa_cache_get(q->server->cache, &key, version);
    wa_reply_t reply;

    if (!entry) {
        apr_status_t rv;

        wa_reply_begin(&reply, q, 16384);
        rv = wa_list_contacts(&reply.list);
        if (rv != APR_SUCCESS) {
            return wa_reply_end(&reply, rv, NULL);
        }
        wa_reply_close(&reply);
        entry = wa_cache_put(q->server->cache, &key, version, 0, &reply.b);
    }
    return wa_reply_entry(q, entry);
}

static int contact_reply(wa_request_t *q, const wa_contact_t *contact)
{
    wa_reply_t reply;

    wa_reply_begin(&reply, q, 512);
    WA_JSON_NAME(&reply.w, "contact");
    wa_contact_render(&reply.w, contact);
    return wa_reply_end(&reply, APR_SUCCESS, NULL);
}

int wa_endpoint_contact_create(wa_request_t *q)
{
    json_t *j;
    wa_contact_request_t request = {NULL, {NULL, 0}, {NULL, 0}};
    wa_contact_t contact;
    wa_sentence_t sentence = NULL;
    apr_status_t rv;
    int result;

    if (!wa_body_json(q, &j, &result)
        || !wa_body_string(q, j, "phoneNumber", &request.phone_number, &result)
        || !wa_body_string(q, j, "displayName", &request.display_name, &result)) {
        return result;
    }
    rv = wa_contact_create(q->messenger, &request, &contact, &sentence, q->r->pool);
    return rv == APR_SUCCESS ? contact_reply(q, &contact) : wa_reply_status(q, rv, sentence);
}

int wa_endpoint_contact_rename(wa_request_t *q)
{
    json_t *j;
    wa_contact_request_t request = {NULL, {NULL, 0}, {NULL, 0}};
    wa_contact_t contact;
    wa_sentence_t sentence = NULL;
    apr_status_t rv;
    int result;

    if (!wa_body_json(q, &j, &result)
        || !wa_body_string(q, j, "displayName", &request.display_name, &result)) {
        return result;
    }
    rv = wa_validate_contact_id("id", q->argument, &request.id, &sentence, q->r->pool);
    if (rv == APR_SUCCESS) {
        rv = wa_contact_rename(q->messenger, &request, &contact, &sentence, q->r->pool);
    }
    if (APR_STATUS_IS_NOTFOUND(rv)) {
        sentence = NO_CONTACT;
    }
    return rv == APR_SUCCESS ? contact_reply(q, &contact) : wa_reply_status(q, rv, sentence);
}

int wa_endpoint_contact_delete(wa_request_t *q)
{
    const char *id;
    wa_sentence_t sentence = NULL;
    wa_reply_t reply;
    apr_status_t rv;

    rv = wa_validate_contact_id("id", q->argument, &id, &sentence, q->r->pool);
    if (rv == APR_SUCCESS) {
        rv = wa_contact_delete(q->messenger, id, q->r->pool);
    }
    wa_reply_begin(&reply, q, 32);
    return wa_reply_end(&reply, rv, APR_STATUS_IS_NOTFOUND(rv) ? NO_CONTACT : sentence);
}
