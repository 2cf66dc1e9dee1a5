/* SPDX-License-Identifier: Apache-2.0 */
/* Makes a stored message of an inbound webhook. */
#include "messaging/receive/receive.h"

#include <apr_date.h>
#include <apr_strings.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/phone.h"
#include "base/text.h"
#include "messaging/receive/inbound_text.h"
#include "messaging/receive/late.h"
#include "messaging/receive/media.h"
#include "messaging/message/attributes.h"
#include "messaging/message/channel.h"
#include "messaging/message/details.h"
#include "messaging/message/preview.h"
#include "messaging/policy/policy.h"

/* The counterpart of a webhook that names nobody. */
#define COUNTERPART_UNKNOWN "unknown"

/* The channel of an SMS, which Twilio does not write before its addresses. */
#define CHANNEL_SMS WA_SLICE_LITERAL("sms")

/* The channel that an address is of which has none before it: that of the other end, else SMS.
 * Where one of them is missing, what only WhatsApp says is of WhatsApp. Empty for WhatsApp. */
static wa_slice_t channel_default(const wa_form_t *form)
{
    static const char *const names[] = {"From", "To"};
    wa_slice_t address = {NULL, 0}, channel;
    apr_size_t i;
    int given = 0;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        given += wa_form_get(form, names[i], &address) && address.len > 0;
        channel = wa_channel_prefix(wa_text_trim(address));
        if (channel.len > 0) {
            return wa_channel_is_whatsapp(channel) ? wa_slice_make(NULL, 0) : channel;
        }
    }
    return given == 2
                   || (given == 1 && !wa_form_has(form, "WaId")
                       && !wa_form_has(form, "ExternalUserId"))
               ? CHANNEL_SMS
               : wa_slice_make(NULL, 0);
}

/* Who sent it, by which channel: a phone number where it is one, else the id that Twilio gave. */
static const char *counterpart_of(const wa_form_t *form, apr_pool_t *p)
{
    static const char *const names[] = {"From", "ExternalUserId", "WaId"};
    const wa_slice_t channel = channel_default(form);
    apr_size_t i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *kept;
        wa_slice_t raw;

        if (!wa_form_get(form, names[i], &raw)) {
            continue;
        }
        kept = wa_channel_keep(wa_inbound_text_clean(raw, p),
                               i == 0 ? channel : wa_slice_make(NULL, 0), p);
        if (kept) {
            return kept;
        }
    }
    return wa_channel_keep(WA_SLICE_LITERAL(COUNTERPART_UNKNOWN), channel, p);
}

/* Which of our numbers it was sent to, or another address of ours with its channel. */
static const char *our_number_of(const wa_messenger_t *messenger, const wa_form_t *form,
                                 apr_pool_t *p)
{
    const wa_slice_t channel = channel_default(form);
    const char *number, *kept;
    wa_slice_t to;

    if (!wa_form_get(form, "To", &to)) {
        return messenger->number;
    }
    to = wa_inbound_text_clean(to, p);
    number = wa_phone_normalize(wa_slice_string(to, p), p);
    kept = number ? number : wa_channel_keep(to, channel, p);
    if (!kept) {
        return messenger->number;
    }
    return number || wa_channel_prefix(wa_slice_of(kept)).len > 0
               ? kept
               : apr_pstrcat(p, "whatsapp:", kept, NULL);
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
    apr_size_t awaited;
    apr_status_t rv;
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
    rv = wa_late_begin(form, attributes->media_count, message, &awaited, p);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    message->body = wa_inbound_text_body(form, attributes->media_count + awaited, p);
    wa_form_get(form, "ProfileName", &name);
    message->profile_name = wa_details_name(name, p);
    wa_form_get(form, "MessageType", &type);
    message->preview = wa_preview_received(message->body, type,
                                           attributes->media_count > 0 ? media[0].content_type
                                           : awaited > 0               ? ""
                                                                       : NULL,
                                           p);
    return wa_attributes_write(attributes, &message->attributes, p);
}

apr_status_t wa_receive(wa_messenger_t *messenger, const wa_form_t *form, wa_sentence_t *psentence,
                        apr_pool_t *p)
{
    apr_time_t started = wa_clock_steady_us();
    wa_message_new_t message = {0};
    wa_attributes_t attributes = {0};
    wa_policy_change_t change;
    wa_message_t stored;
    apr_status_t rv = message_make(messenger, form, &message, &attributes, p);

    *psentence = APR_STATUS_IS_EINVAL(rv) ? "MessageSid must be the sid of a message" : NULL;
    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = wa_policy_prepare(messenger, &message, &change, p);
    if (rv == APR_SUCCESS) {
        rv = wa_store_message_add(messenger->store, &message,
                                  change.word == WA_POLICY_NO_WORD ? NULL : &stored, p);
    }
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
    if (APR_STATUS_IS_EEXIST(rv) && attributes.media_count > 0) {
        const wa_late_news_t news = {attributes.media, attributes.media_count, 0};
        int is_changed;
        apr_status_t filled = wa_late_fill(messenger, message.sid, &news, &is_changed, p);

        rv = filled == APR_SUCCESS ? rv : filled;
    }
    if (APR_STATUS_IS_EEXIST(rv)) {
        return change.word == WA_POLICY_NO_WORD
                   ? APR_SUCCESS
                   : wa_policy_repeated(messenger, &stored, change.word, p);
    }
    return rv == APR_SUCCESS ? wa_policy_stored(messenger, &message, &change, p) : rv;
}
