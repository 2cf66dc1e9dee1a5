/* SPDX-License-Identifier: Apache-2.0 */
/* GET and POST /contacts, PATCH and DELETE /contacts/{id} */
#include "messaging/contacts.h"

#include "api/body.h"
#include "api/cache.h"
#include "api/reply.h"
#include "messaging/message_json.h"
#include "messaging/validate.h"

#define NO_CONTACT "There is no contact with this id."

static apr_status_t contact_add(void *baton, const wa_contact_t *contact)
{
    wa_buffer_t *b = baton;

    if (b->data[b->len - 1] == '}') {
        WA_BUFFER_ADD_LITERAL(b, ",");
    }
    wa_contact_render(b, contact);
    return b->failed ? APR_ENOMEM : APR_SUCCESS;
}

static apr_status_t contacts_render(wa_request_t *q, wa_buffer_t *b)
{
    apr_status_t rv;

    wa_buffer_init(b, 16384);
    WA_BUFFER_ADD_LITERAL(b, "{\"success\":true,\"contacts\":[");
    if (b->failed) {
        return APR_ENOMEM;
    }
    rv = wa_store_contacts_list(q->messenger->store, contact_add, b);
    WA_BUFFER_ADD_LITERAL(b, "]}");
    if (rv != APR_SUCCESS) {
        wa_buffer_release(b);
    }
    return rv;
}

int wa_endpoint_contacts(wa_request_t *q)
{
    static const wa_cache_key_t key = {WA_CACHE_CONTACTS, {NULL, 0}, 0};
    const apr_uint64_t version = wa_store_version(q->messenger->store, WA_VERSION_CONTACTS);
    wa_cache_entry_t *entry = wa_cache_get(q->server->cache, &key, version);
    wa_buffer_t b;

    if (!entry) {
        apr_status_t rv = contacts_render(q, &b);

        if (rv != APR_SUCCESS) {
            return wa_reply_status(q, rv, NULL);
        }
        entry = wa_cache_put(q->server->cache, &key, version, 0, &b);
    }
    return wa_reply_entry(q, entry);
}

static int contact_reply(wa_request_t *q, const wa_contact_t *contact)
{
    wa_buffer_t b;

    wa_buffer_init(&b, 512);
    WA_BUFFER_ADD_LITERAL(&b, "{\"success\":true,\"contact\":");
    wa_contact_render(&b, contact);
    WA_BUFFER_ADD_LITERAL(&b, "}");
    return wa_reply_json(q, &b);
}

int wa_endpoint_contact_create(wa_request_t *q)
{
    json_t *j;
    wa_slice_t number, name;
    wa_contact_t contact;
    wa_sentence_t sentence = NULL;
    apr_status_t rv;
    int result;

    if (!wa_body_json(q, &j, &result) || !wa_body_string(q, j, "phoneNumber", &number, &result)
        || !wa_body_string(q, j, "displayName", &name, &result)) {
        return result;
    }
    rv = wa_contact_create(q->messenger, number, name, &contact, &sentence, q->r->pool);
    return rv == APR_SUCCESS ? contact_reply(q, &contact) : wa_reply_status(q, rv, sentence);
}

int wa_endpoint_contact_rename(wa_request_t *q)
{
    json_t *j;
    wa_slice_t name;
    wa_contact_t contact;
    const char *id;
    wa_sentence_t sentence = NULL;
    apr_status_t rv;
    int result;

    if (!wa_body_json(q, &j, &result) || !wa_body_string(q, j, "displayName", &name, &result)) {
        return result;
    }
    rv = wa_validate_contact_id("id", q->argument, &id, &sentence, q->r->pool);
    if (rv == APR_SUCCESS) {
        rv = wa_contact_rename(q->messenger, id, name, &contact, &sentence, q->r->pool);
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
    wa_buffer_t b;
    apr_status_t rv;

    rv = wa_validate_contact_id("id", q->argument, &id, &sentence, q->r->pool);
    if (rv == APR_SUCCESS) {
        rv = wa_store_contact_delete(q->messenger->store, id, q->r->pool);
    }
    if (rv != APR_SUCCESS) {
        return wa_reply_status(q, rv, APR_STATUS_IS_NOTFOUND(rv) ? NO_CONTACT : sentence);
    }
    wa_buffer_init(&b, 32);
    WA_BUFFER_ADD_LITERAL(&b, "{\"success\":true}");
    return wa_reply_json(q, &b);
}
