/* SPDX-License-Identifier: Apache-2.0 */
/* What the API says of a received message beside text and attachments, as the fields of the webhook
 * that said it. */
#include "load_details.h"

#include "messaging/message/details.h"

#define FIELDS_MAX (WA_REFERRAL_COUNT + 3)

typedef struct fields_t {
    wa_form_field_t *fields;
    apr_size_t count;
    int is_wrong;
} fields_t;

static void field_add(fields_t *f, const char *name, const json_t *value)
{
    if (!value || json_is_null(value)) {
        return;
    }
    if (!json_is_string(value)) {
        f->is_wrong = 1;
        return;
    }
    f->fields[f->count++] = (wa_form_field_t){
        wa_slice_of(name), wa_slice_make(json_string_value(value), json_string_length(value))};
}

const char *load_details_read(const json_t *message, wa_attributes_t *attributes, apr_pool_t *p)
{
    const json_t *reply = json_object_get(message, "replyTo");
    const json_t *referral = json_object_get(message, "referral");
    fields_t f = {.fields = apr_palloc(p, FIELDS_MAX * sizeof(*f.fields))};
    int which;

    f.is_wrong = (reply && !json_is_object(reply) && !json_is_null(reply))
                 || (referral && !json_is_object(referral) && !json_is_null(referral));
    field_add(&f, "MessageType", json_object_get(message, "type"));
    field_add(&f, "OriginalRepliedMessageSid", json_object_get(reply, "sid"));
    field_add(&f, "OriginalRepliedMessageSender", json_object_get(reply, "sender"));
    for (which = 0; which < WA_REFERRAL_COUNT; which++) {
        field_add(&f, wa_referral_field((wa_referral_e)which),
                  json_object_get(referral, wa_referral_member((wa_referral_e)which)));
    }
    attributes->fields = f.fields;
    attributes->field_count = f.count;
    return f.is_wrong ? "type must be a string, replyTo and referral objects that hold strings"
                      : NULL;
}
