/* SPDX-License-Identifier: Apache-2.0 */
/* A signed form as the text that was signed, and what Twilio's names and values look like. */
#include "twilio/webhook_cut.h"

#include <stdlib.h>

#include "base/hex.h"

const wa_known_t wa_knowns[WA_KNOWNS] = {
    {"AccountSid", WA_KIND_SID, WA_USE_WHO, "ApiVersion", 0},
    {"AddOns", WA_KIND_JSON, WA_USE_NONE, NULL, 0},
    {"Address", WA_KIND_ANY, WA_USE_TEXT, NULL, 0},
    {"ApiVersion", WA_KIND_DATE, WA_USE_SAID, NULL, 0},
    {"Body", WA_KIND_ANY, WA_USE_TEXT, NULL, 0},
    {"ButtonPayload", WA_KIND_ANY, WA_USE_TEXT, NULL, 0},
    {"ButtonText", WA_KIND_ANY, WA_USE_TEXT, NULL, 0},
    {"ButtonType", WA_KIND_WORD, WA_USE_NONE, NULL, 0},
    {"ChannelInstallSid", WA_KIND_SID, WA_USE_NONE, NULL, 0},
    {"ChannelMetadata", WA_KIND_JSON, WA_USE_SAID, NULL, 0},
    {"ChannelPrefix", WA_KIND_WORD, WA_USE_NONE, NULL, 0},
    {"ChannelStatusMessage", WA_KIND_ANY, WA_USE_NONE, NULL, 0},
    {"ChannelToAddress", WA_KIND_ANY, WA_USE_NONE, NULL, 0},
    {"ErrorCode", WA_KIND_CODE, WA_USE_SAID, "NumMedia", 0},
    {"ErrorMessage", WA_KIND_ANY, WA_USE_NONE, NULL, 0},
    {"EventType", WA_KIND_WORD, WA_USE_NONE, NULL, 0},
    {"ExternalUserId", WA_KIND_ADDRESS, WA_USE_SAID, "From", 0},
    {"FlowData", WA_KIND_JSON, WA_USE_NONE, NULL, 0},
    {"Forwarded", WA_KIND_WORD, WA_USE_NONE, NULL, 0},
    {"FrequentlyForwarded", WA_KIND_WORD, WA_USE_NONE, NULL, 0},
    {"From", WA_KIND_ADDRESS, WA_USE_WHO, "MessageSid", 0},
    {"FromCity", WA_KIND_ANY, WA_USE_NONE, NULL, 0},
    {"FromCountry", WA_KIND_ANY, WA_USE_NONE, NULL, 0},
    {"FromState", WA_KIND_ANY, WA_USE_NONE, NULL, 0},
    {"FromZip", WA_KIND_ANY, WA_USE_NONE, NULL, 0},
    {"InteractiveData", WA_KIND_JSON, WA_USE_NONE, NULL, 0},
    {"Label", WA_KIND_ANY, WA_USE_TEXT, NULL, 0},
    {"Latitude", WA_KIND_NUMBER, WA_USE_SAID, NULL, 0},
    {"ListId", WA_KIND_ANY, WA_USE_TEXT, NULL, 0},
    {"ListTitle", WA_KIND_ANY, WA_USE_TEXT, NULL, 0},
    {"Longitude", WA_KIND_NUMBER, WA_USE_SAID, NULL, 0},
    {"MediaContentType", WA_KIND_MIME, WA_USE_SAID, NULL, 1},
    {"MediaUrl", WA_KIND_URL, WA_USE_SAID, NULL, 1},
    {"MessageSid", WA_KIND_SID, WA_USE_WHO, "NumMedia", 0},
    {"MessageStatus", WA_KIND_WORD, WA_USE_SAID, NULL, 0},
    {"MessageType", WA_KIND_WORD, WA_USE_SAID, NULL, 0},
    {"MessagingServiceSid", WA_KIND_SID, WA_USE_NONE, NULL, 0},
    {"NumMedia", WA_KIND_NUMBER, WA_USE_SAID, NULL, 0},
    {"NumSegments", WA_KIND_NUMBER, WA_USE_NONE, NULL, 0},
    {"OptOutType", WA_KIND_WORD, WA_USE_SAID, NULL, 0},
    {"OriginalRepliedMessageSender", WA_KIND_ADDRESS, WA_USE_NONE, NULL, 0},
    {"OriginalRepliedMessageSid", WA_KIND_SID, WA_USE_NONE, NULL, 0},
    {"ProfileName", WA_KIND_ANY, WA_USE_NONE, NULL, 0},
    {"ReferralNumMedia", WA_KIND_NUMBER, WA_USE_NONE, NULL, 0},
    {"SmsMessageSid", WA_KIND_SID, WA_USE_NONE, NULL, 0},
    {"SmsSid", WA_KIND_SID, WA_USE_SAID, "MessageSid", 0},
    {"SmsStatus", WA_KIND_WORD, WA_USE_SAID, NULL, 0},
    {"StructuredMessage", WA_KIND_WORD, WA_USE_NONE, NULL, 0},
    {"To", WA_KIND_ADDRESS, WA_USE_WHO, "To", 0},
    {"WaId", WA_KIND_NUMBER, WA_USE_SAID, "From", 0},
};
static const char *const words[] = {
    "ACTION",   "HELP",    "REPLY",       "START",       "STOP",      "accepted",
    "audio",    "button",  "canceled",    "contacts",    "delivered", "document",
    "failed",   "image",   "interactive", "location",    "order",     "queued",
    "reaction", "read",    "received",    "receiving",   "scheduled", "sending",
    "sent",     "sticker", "text",        "undelivered", "video"};

static int field_compare(const void *a, const void *b)
{
    const wa_form_field_t *x = a, *y = b;
    const int order = wa_slice_compare(x->name, y->name);

    return order != 0 ? order : wa_slice_compare(x->value, y->value);
}

apr_size_t wa_slice_span(wa_slice_t s, char first, char last, const char *more)
{
    apr_size_t i = 0;

    while (i < s.len
           && ((s.ptr[i] >= first && s.ptr[i] <= last) || (s.ptr[i] && strchr(more, s.ptr[i])))) {
        i++;
    }
    return i;
}

static apr_size_t digits(wa_slice_t s)
{
    return wa_slice_span(s, '0', '9', "");
}

apr_size_t wa_known_first(char first)
{
    apr_size_t low = 0, high = WA_KNOWNS;

    while (low < high) {
        const apr_size_t middle = (low + high) / 2;

        if (wa_knowns[middle].name[0] < first) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

apr_size_t wa_known_length(const wa_known_t *known, wa_slice_t s)
{
    apr_size_t len, number;

    if (s.len == 0 || s.ptr[0] != known->name[0] || !wa_slice_starts(s, known->name)) {
        return 0;
    }
    len = strlen(known->name);
    number = known->is_numbered ? digits(wa_slice_rest(s, len)) : 0;
    return known->is_numbered && number == 0 ? 0 : len + number;
}

const wa_known_t *wa_known_find(wa_slice_t name)
{
    apr_size_t i;

    if (name.len == 0) {
        return NULL;
    }
    for (i = wa_known_first(name.ptr[0]); wa_known_begins(i, name.ptr[0]); i++) {
        if (wa_known_length(&wa_knowns[i], name) == name.len) {
            return &wa_knowns[i];
        }
    }
    return NULL;
}

apr_size_t wa_cut_find(const wa_cut_t *cut, wa_slice_t name)
{
    apr_size_t i;

    for (i = 0; i < cut->count; i++) {
        if (wa_slice_is_equal(cut->fields[i].name, name)) {
            return i;
        }
    }
    return WA_CUT_NONE;
}

wa_slice_t wa_cut_value(const wa_cut_t *cut, const char *name)
{
    const apr_size_t i = wa_cut_find(cut, wa_slice_of(name));

    return i == WA_CUT_NONE ? (wa_slice_t){NULL, 0} : cut->fields[i].value;
}

static int is_sid(wa_slice_t s)
{
    apr_size_t i;

    for (i = 2; i < s.len && i < 34; i++) {
        if (wa_hex_value(s.ptr[i]) < 0) {
            return 0;
        }
    }
    return i == 34 && wa_char_is_upper(s.ptr[0]) && wa_char_is_upper(s.ptr[1]);
}

/* How long the channel before an address is, with its colon; 0 for none that is known. */
static apr_size_t channel_length(wa_slice_t s)
{
    static const char *const channels[] = {
        WA_CUT_CHANNEL, "messenger:", "instagram:", "rcs:",   "sms:",
        "telegram:",    "viber:",     "line:",      "wechat:"};
    apr_size_t i;

    for (i = 0; i < sizeof(channels) / sizeof(channels[0]); i++) {
        if (wa_slice_starts(s, channels[i])) {
            return strlen(channels[i]);
        }
    }
    return 0;
}

int wa_kind_is_begun(wa_kind_e kind, wa_slice_t s)
{
    apr_size_t i;

    switch (kind) {
    case WA_KIND_ADDRESS:
        return channel_length(s) > 0
               || (wa_slice_starts(s, "+") && digits(wa_slice_rest(s, 1)) >= 7);
    case WA_KIND_CODE:
        return digits(s) == 5;
    case WA_KIND_DATE:
        return digits(s) == 4 && wa_slice_span(s, '0', '9', "-") >= 10;
    case WA_KIND_JSON:
        return wa_slice_starts(s, "{") || wa_slice_starts(s, "[");
    case WA_KIND_MIME:
        i = wa_slice_span(s, 'a', 'z', "");
        return i > 0 && i < s.len && s.ptr[i] == '/';
    case WA_KIND_NUMBER:
        return digits(s) > 0 || (wa_slice_starts(s, "-") && digits(wa_slice_rest(s, 1)) > 0);
    case WA_KIND_SID:
        return is_sid(s);
    case WA_KIND_URL:
        return wa_slice_starts(s, "http");
    case WA_KIND_WORD:
        for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
            if (wa_slice_starts(s, words[i])) {
                return 1;
            }
        }
        return 0;
    default:
        return 0;
    }
}

int wa_kind_is_number(wa_slice_t address)
{
    const apr_size_t channel = channel_length(address);

    if (channel > 0) {
        address = wa_slice_rest(address, channel);
        if (address.len == 0) {
            return 0; /* of an id that begins with a letter the rest may be the next field */
        }
    }
    return wa_slice_span(address, '0', '9', "+") == address.len;
}

int wa_address_is_other(wa_slice_t address)
{
    return channel_length(address) > 0 && !wa_slice_starts(address, WA_CUT_CHANNEL);
}

int wa_kind_is_whole(wa_kind_e kind, wa_slice_t value)
{
    const char last = value.len > 0 ? value.ptr[value.len - 1] : '\0';

    switch (kind) {
    case WA_KIND_ADDRESS:
        return wa_kind_is_number(value)
               || (wa_slice_starts(value, WA_CUT_CHANNEL) && value.len > 12 && value.ptr[11] == '.'
                   && digits(wa_slice_rest(value, 12)) == value.len - 12);
    case WA_KIND_JSON:
        return (wa_slice_starts(value, "{") && last == '}')
               || (wa_slice_starts(value, "[") && last == ']');
    case WA_KIND_MIME:
        return wa_slice_span(value, 'a', 'z', "0123456789/+-.;= ") == value.len;
    case WA_KIND_CODE:
    case WA_KIND_DATE:
    case WA_KIND_NUMBER:
        return wa_slice_span(value, '0', '9', "+-.") == value.len;
    case WA_KIND_SID:
        return value.len == 34 && is_sid(value);
    case WA_KIND_URL: /* Twilio's own: .../Media/ME<hex digits> */
        while (value.len > 0 && !wa_slice_starts(value, "/Media/ME")) {
            value = wa_slice_rest(value, 1);
        }
        return value.len > 9
               && wa_slice_span(wa_slice_rest(value, 9), 'a', 'f', "0123456789") == value.len - 9;
    case WA_KIND_WORD:
        return wa_slice_span(value, 'a', 'z', "_-") == value.len
               || wa_slice_span(value, 'A', 'Z', "_-") == value.len;
    default:
        return 0;
    }
}

/* ---- the cut ---- */

apr_status_t wa_cut_make(wa_cut_t *cut, const wa_form_t *form, apr_pool_t *p)
{
    apr_size_t i, len = 0;
    char *text;

    cut->fields = apr_palloc(p, (form->count + 1) * sizeof(*cut->fields));
    cut->knowns = apr_palloc(p, (form->count + 1) * sizeof(*cut->knowns));
    cut->count = 0;
    for (i = 0; i < form->count; i++) {
        cut->fields[i] = form->fields[i];
        len += form->fields[i].name.len + form->fields[i].value.len;
    }
    qsort(cut->fields, form->count, sizeof(*cut->fields), field_compare);
    cut->text = wa_slice_make(text = apr_palloc(p, len + 1), len);
    for (i = 0; i < form->count; i++) {
        const wa_form_field_t field = cut->fields[i];
        wa_form_field_t *to = &cut->fields[cut->count];
        const wa_known_t *known = wa_known_find(field.name);

        if (cut->count > 0 && field_compare(&field, to - 1) == 0) {
            continue; /* signed once */
        }
        if (field.name.len == 0
            || (known && cut->count > 0 && wa_slice_compare(field.name, to[-1].name) == 0)) {
            return APR_EINVAL;
        }
        to->name = wa_slice_make(text, field.name.len);
        memcpy(text, field.name.ptr, field.name.len);
        to->value = wa_slice_make(text + field.name.len, field.value.len);
        if (field.value.len > 0) {
            memcpy(text + field.name.len, field.value.ptr, field.value.len);
        }
        text += field.name.len + field.value.len;
        cut->knowns[cut->count++] = known;
    }
    cut->text.len = (apr_size_t)(text - cut->text.ptr);
    return APR_SUCCESS;
}

apr_size_t wa_cut_field_at(const wa_cut_t *cut, const char *at)
{
    apr_size_t low = 0, high = cut->count;

    while (high - low > 1) {
        const apr_size_t middle = low + (high - low) / 2;

        if (cut->fields[middle].name.ptr <= at) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

wa_slice_t wa_cut_next_known(const wa_cut_t *cut, apr_size_t i, wa_slice_t but)
{
    for (i++; i < cut->count; i++) {
        if (cut->knowns[i] && wa_slice_compare(cut->fields[i].name, but) != 0) {
            return cut->fields[i].name;
        }
    }
    return (wa_slice_t){NULL, 0};
}
