/* SPDX-License-Identifier: Apache-2.0 */
/* Makes a stored message of an inbound webhook. */
#include "messaging/receive/receive.h"

#include <apr_date.h>
#include <apr_lib.h>
#include <apr_strings.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/id.h"
#include "base/phone.h"
#include "base/text.h"
#include "messaging/receive/inbound_text.h"
#include "messaging/receive/media.h"
#include "messaging/message/attributes.h"
#include "messaging/message/details.h"
#include "messaging/message/preview.h"
#include "messaging/policy/policy.h"
#include "messaging/message/validate.h"

/* The counterpart of a webhook that names nobody. */
#define COUNTERPART_UNKNOWN "unknown"

#define CHANNEL_PREFIX "whatsapp:"

static wa_slice_t prefix_drop(wa_slice_t address)
{
    const apr_size_t len = sizeof(CHANNEL_PREFIX) - 1;

    if (address.len >= len && strncasecmp(address.ptr, CHANNEL_PREFIX, len) == 0) {
        address.ptr += len;
        address.len -= len;
    }
    return wa_text_trim(address);
}

/* An id that is no phone number, as the store can keep it: cut where it is too long, with a hash
 * that keeps two of them apart. */
static const char *id_bounded(wa_slice_t id, apr_pool_t *p)
{
    apr_size_t len = 0;

    if (id.len <= WA_COUNTERPART_BYTES_MAX) {
        return wa_slice_string(id, p);
    }
    while (len < 100) {
        apr_size_t used;

        wa_text_char(id.ptr + len, id.len - len, &used);
        len += used;
    }
    return apr_psprintf(p, "%.*s~%016" APR_UINT64_T_HEX_FMT, (int)len, id.ptr,
                        wa_hash64(0, id.ptr, id.len));
}

/* Who sent it: a phone number where it is one, else the id that Twilio gave. */
static const char *counterpart_of(const wa_form_t *form, apr_pool_t *p)
{
    static const char *const names[] = {"From", "ExternalUserId", "WaId"};
    apr_size_t i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        wa_slice_t raw, id;
        const char *bounded, *number;

        if (!wa_form_get(form, names[i], &raw)) {
            continue;
        }
        id = prefix_drop(wa_inbound_text_clean(raw, p));
        if (id.len == 0) {
            continue;
        }
        bounded = id_bounded(id, p);
        number = wa_phone_normalize(bounded, p);
        return number ? number : bounded;
    }
    return COUNTERPART_UNKNOWN;
}

/* Which of our numbers it was sent to. */
static const char *our_number_of(const wa_messenger_t *messenger, const wa_form_t *form,
                                 apr_pool_t *p)
{
    const char *to = wa_form_string(form, "To", p);
    const char *number = wa_phone_normalize(to, p);

    return number ? number : messenger->number;
}

/* Twilio's date of one that was fetched; 0 for what its webhook brings. */
static apr_int64_t date_of(const wa_form_t *form, apr_pool_t *p)
{
    const char *text = wa_form_string(form, "DateSent", p);
    const apr_time_t date = text ? apr_date_parse_rfc(text) : 0;

    return date > 0 ? apr_time_as_msec(date) : 0;
}

/* Makes the message of what the form says.
 * @return APR_SUCCESS | APR_EINVAL | APR_EGENERAL no randomness | APR_ENOMEM */
static apr_status_t message_make(const wa_messenger_t *messenger, const wa_form_t *form,
                                 wa_message_new_t *message, wa_attributes_t *attributes,
                                 apr_pool_t *p)
{
    wa_media_t *media = apr_palloc(p, WA_MEDIA_MAX * sizeof(*media));
    wa_form_field_t *fields = apr_palloc(p, (form->count + 1) * sizeof(*fields));
    wa_slice_t name, type;

    message->direction = WA_DIRECTION_RECEIVED;
    message->sid = wa_form_string(form, "MessageSid", p);
    if (!wa_id_is_sid(message->sid, "SM,MM")) {
        return APR_EINVAL;
    }
    message->id = wa_id_uuid4(p);
    if (!message->id) {
        return APR_EGENERAL;
    }
    message->counterpart = counterpart_of(form, p);
    message->phone_number = our_number_of(messenger, form, p);
    message->date_ms = date_of(form, p);
    attributes->media = media;
    attributes->media_count = wa_media_read(form, media, p);
    attributes->media_is_at_twilio = 1;
    attributes->fields = fields;
    attributes->field_count = wa_inbound_text_rest(form, media, attributes->media_count, fields, p);
    message->body = wa_inbound_text_body(form, attributes->media_count, p);
    wa_form_get(form, "ProfileName", &name);
    message->profile_name = wa_details_name(name, p);
    wa_form_get(form, "MessageType", &type);
    message->preview = wa_preview_received(
        message->body, type, attributes->media_count > 0 ? media[0].content_type : NULL, p);
    return wa_attributes_write(attributes, &message->attributes, p);
}

apr_status_t wa_receive(wa_messenger_t *messenger, const wa_form_t *form, wa_sentence_t *psentence,
                        apr_pool_t *p)
{
    apr_time_t started = wa_clock_steady_us();
    wa_message_new_t message = {0};
    wa_attributes_t attributes = {0};
    wa_policy_word_e word;
    wa_slice_t opt_out_type;
    wa_message_t stored;
    apr_status_t rv = message_make(messenger, form, &message, &attributes, p);

    *psentence = APR_STATUS_IS_EINVAL(rv) ? "MessageSid must be the sid of a message" : NULL;
    if (rv != APR_SUCCESS) {
        return rv;
    }
    wa_form_get(form, "OptOutType", &opt_out_type);
    word = wa_policy_word(messenger, message.body, opt_out_type, p);
    rv = wa_store_message_add(messenger->store, &message,
                              word == WA_POLICY_NO_WORD ? NULL : &stored, p);
    /* Who saw a signed webhook can send it again and again: what that logs has a tag of its own. */
    WA_LOG(messenger->log, WA_LOG_INFO, rv == APR_SUCCESS ? "WA0511" : "WA0512",
           APR_STATUS_IS_EEXIST(rv) ? APR_SUCCESS : rv,
           "inbound: sid=%s from=%s length=%" APR_SIZE_T_FMT " media=%" APR_SIZE_T_FMT
           " status=%s duration=%" APR_INT64_T_FMT "ms",
           message.sid, wa_phone_mask(message.counterpart, p),
           wa_text_utf16_length(message.body.ptr, message.body.len), attributes.media_count,
           rv == APR_SUCCESS          ? "stored"
           : APR_STATUS_IS_EEXIST(rv) ? "duplicate"
                                      : "not stored",
           apr_time_as_msec(wa_clock_steady_us() - started));
    if (rv != APR_SUCCESS && !APR_STATUS_IS_EEXIST(rv)) {
        return rv;
    }
    return word == WA_POLICY_NO_WORD
               ? APR_SUCCESS
               : wa_policy_inbound(messenger, &stored, rv == APR_SUCCESS, word, p);
}
