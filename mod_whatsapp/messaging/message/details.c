/* SPDX-License-Identifier: Apache-2.0 */
/* What a received message's webhook said that clients are told beside text and attachments. */
#include "messaging/message/details.h"

#include <stddef.h>

#include "base/line.h"
#include "messaging/message/attributes.h"

#define AT(member) offsetof(wa_details_t, member)
#define AT_REFERRAL(which) (offsetof(wa_details_t, referral) + (which) * sizeof(wa_slice_t))
#define NAME(s) WA_SLICE_LITERAL(s)

/* Twilio's fields, and where they go. */
static const struct {
    wa_slice_t name;
    apr_size_t offset;
} fields[] = {
    {NAME("MessageType"), AT(type)},
    {NAME("OriginalRepliedMessageSid"), AT(reply_sid)},
    {NAME("OriginalRepliedMessageSender"), AT(reply_sender)},
    {NAME("ReferralSourceType"), AT_REFERRAL(WA_REFERRAL_SOURCE_TYPE)},
    {NAME("ReferralSourceId"), AT_REFERRAL(WA_REFERRAL_SOURCE_ID)},
    {NAME("ReferralSourceUrl"), AT_REFERRAL(WA_REFERRAL_SOURCE_URL)},
    {NAME("ReferralHeadline"), AT_REFERRAL(WA_REFERRAL_HEADLINE)},
    {NAME("ReferralBody"), AT_REFERRAL(WA_REFERRAL_BODY)},
    {NAME("ReferralMediaUrl"), AT_REFERRAL(WA_REFERRAL_MEDIA_URL)},
    {NAME("ReferralMediaContentType"), AT_REFERRAL(WA_REFERRAL_MEDIA_TYPE)},
    {NAME("ReferralMediaId"), AT_REFERRAL(WA_REFERRAL_MEDIA_ID)},
    {NAME("ReferralCtwaClid"), AT_REFERRAL(WA_REFERRAL_CLICK_ID)},
    {NAME("CtwaClid"), AT_REFERRAL(WA_REFERRAL_CLICK_ID)},
};

static void field_take(wa_details_t *details, const wa_form_field_t *field)
{
    apr_size_t i;

    if (field->name.len == 0 || field->value.len == 0 || !strchr("MORC", field->name.ptr[0])) {
        return; /* most fields end here: a page reads very many */
    }
    for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        wa_slice_t *place = (wa_slice_t *)(void *)((char *)details + fields[i].offset);

        if (wa_slice_is_equal(field->name, fields[i].name)) {
            *place = place->len > 0 ? *place : field->value;
            details->has_referral |= fields[i].offset >= offsetof(wa_details_t, referral);
            return;
        }
    }
}

void wa_details_read(wa_details_t *details, wa_slice_t attributes)
{
    wa_attribute_t one;
    wa_attribute_e kind;

    memset(details, 0, sizeof(*details));
    while ((kind = wa_attributes_next(&attributes, &one)) != WA_ATTRIBUTE_NONE) {
        if (kind == WA_ATTRIBUTE_FIELD) {
            field_take(details, &one.field);
        }
    }
}

const char *wa_referral_member(wa_referral_e which)
{
    static const char *const members[] = {[WA_REFERRAL_SOURCE_TYPE] = "sourceType",
                                          [WA_REFERRAL_SOURCE_ID] = "sourceId",
                                          [WA_REFERRAL_SOURCE_URL] = "sourceUrl",
                                          [WA_REFERRAL_HEADLINE] = "headline",
                                          [WA_REFERRAL_BODY] = "body",
                                          [WA_REFERRAL_MEDIA_URL] = "mediaUrl",
                                          [WA_REFERRAL_MEDIA_TYPE] = "mediaContentType",
                                          [WA_REFERRAL_MEDIA_ID] = "mediaId",
                                          [WA_REFERRAL_CLICK_ID] = "ctwaClid"};

    return members[which];
}

const char *wa_referral_field(wa_referral_e which)
{
    apr_size_t i = 0;

    while (fields[i].offset != AT_REFERRAL(which)) {
        i++;
    }
    return fields[i].name.ptr;
}

/* What a browser may be led to. */
static int is_web_address(wa_slice_t text)
{
    static const wa_slice_t schemes[] = {NAME("https://"), NAME("http://")};
    apr_size_t i;

    for (i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        if (text.len > schemes[i].len
            && strncasecmp(text.ptr, schemes[i].ptr, schemes[i].len) == 0) {
            return 1;
        }
    }
    return 0;
}

wa_slice_t wa_referral_text(const wa_details_t *details, wa_referral_e which, apr_pool_t *p)
{
    const int is_address = which == WA_REFERRAL_SOURCE_URL || which == WA_REFERRAL_MEDIA_URL;
    wa_slice_t text = wa_line_clean(details->referral[which], WA_DETAIL_REFERRAL_CHARACTERS, p);

    if (is_address
        && (!is_web_address(text) || !wa_slice_is_equal(text, details->referral[which]))) {
        text.len = 0; /* one that was cut or changed leads elsewhere */
    }
    return text;
}

wa_slice_t wa_details_type(wa_slice_t type, apr_pool_t *p)
{
    return wa_line_clean(type, WA_DETAIL_TYPE_CHARACTERS, p);
}

wa_slice_t wa_details_name(wa_slice_t name, apr_pool_t *p)
{
    return wa_line_clean(name, WA_DETAIL_NAME_CHARACTERS, p);
}
