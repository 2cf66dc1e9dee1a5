/* SPDX-License-Identifier: Apache-2.0 */
/* Turns what an inbound webhook says into text that a person can read. */
#include "messaging/receive/inbound_text.h"

#include <apr_strings.h>

#include "base/buffer.h"
#include "base/text.h"

#define REPLACEMENT "\xEF\xBF\xBD"

/* What is kept of one text and of all other fields: far over what WhatsApp allows, and such that
 * the store takes the message. */
#define TEXT_BYTES_MAX 65536
#define REST_BYTES_MAX 131072
#define FIELD_BYTES 16 /* what a field takes beside its name and value, at most */
#define PLACE_CHARACTERS_MAX 1000

static wa_slice_t buffer_slice(wa_buffer_t *b, apr_pool_t *p)
{
    wa_slice_t slice;

    (void)wa_buffer_slice(b, &slice, p); /* empty when memory ran out */
    return slice;
}

wa_slice_t wa_inbound_text_clean(wa_slice_t raw, apr_pool_t *p)
{
    wa_buffer_t b;
    apr_size_t i = 0;

    if (wa_text_is_utf8(raw.ptr, raw.len)) {
        return raw;
    }
    wa_buffer_init(&b, raw.len + 16);
    while (i < raw.len) {
        apr_size_t used;

        if (wa_text_char(raw.ptr + i, raw.len - i, &used) && raw.ptr[i] != '\0') {
            wa_buffer_add(&b, raw.ptr + i, used);
        } else {
            WA_BUFFER_ADD_LITERAL(&b, REPLACEMENT);
        }
        i += used;
    }
    return buffer_slice(&b, p);
}

static wa_slice_t field_get(const wa_form_t *form, const char *name, apr_pool_t *p)
{
    wa_slice_t value;

    if (!wa_form_get(form, name, &value)) {
        return value;
    }
    return wa_inbound_text_clean(value, p);
}

static void location_part_add(wa_buffer_t *b, wa_slice_t part)
{
    part.len = wa_text_prefix(part.ptr, part.len, PLACE_CHARACTERS_MAX);
    if (wa_text_is_blank(part.ptr, part.len)) {
        return;
    }
    if (b->len > 0) {
        WA_BUFFER_ADD_LITERAL(b, ", ");
    }
    wa_buffer_add_slice(b, wa_text_trim(part));
}

/* "Location: The Harrow Club, 187 Freston Road (51.513, -0.219)"; empty when it is no location. */
static wa_slice_t location_text(const wa_form_t *form, apr_pool_t *p)
{
    wa_slice_t latitude = field_get(form, "Latitude", p);
    wa_slice_t longitude = field_get(form, "Longitude", p);
    wa_slice_t where = {NULL, 0};
    wa_buffer_t b;

    if (latitude.len == 0 || longitude.len == 0) {
        return where;
    }
    latitude.len = wa_text_prefix(latitude.ptr, latitude.len, PLACE_CHARACTERS_MAX);
    longitude.len = wa_text_prefix(longitude.ptr, longitude.len, PLACE_CHARACTERS_MAX);
    wa_buffer_init(&b, 256);
    location_part_add(&b, field_get(form, "Label", p));
    location_part_add(&b, field_get(form, "Address", p));
    where = buffer_slice(&b, p);
    wa_buffer_init(&b, 256);
    WA_BUFFER_ADD_LITERAL(&b, "Location: ");
    if (where.len > 0) {
        wa_buffer_add_slice(&b, where);
        WA_BUFFER_ADD_LITERAL(&b, " ");
    }
    WA_BUFFER_ADD_LITERAL(&b, "(");
    wa_buffer_add_slice(&b, latitude);
    WA_BUFFER_ADD_LITERAL(&b, ", ");
    wa_buffer_add_slice(&b, longitude);
    WA_BUFFER_ADD_LITERAL(&b, ")");
    return buffer_slice(&b, p);
}

/* A clean text that is not too long, cut between characters. */
static wa_slice_t text_bound(wa_slice_t text)
{
    if (text.len > TEXT_BYTES_MAX) {
        text.len = TEXT_BYTES_MAX;
        while (text.len > 0 && ((unsigned char)text.ptr[text.len] & 0xC0) == 0x80) {
            text.len--;
        }
    }
    return text;
}

/* The first field with text in it: what was written, else what was pressed or chosen. */
static wa_slice_t written_text(const wa_form_t *form, apr_pool_t *p)
{
    static const char *const names[] = {"Body", "ButtonText", "ListTitle", "ButtonPayload",
                                        "ListId"};
    wa_slice_t text = {NULL, 0};
    apr_size_t i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        text = field_get(form, names[i], p);
        if (!wa_text_is_blank(text.ptr, text.len)) {
            return text_bound(text);
        }
    }
    return (wa_slice_t){NULL, 0};
}

wa_slice_t wa_inbound_text_body(const wa_form_t *form, apr_size_t media_count, apr_pool_t *p)
{
    wa_slice_t text = written_text(form, p);
    wa_slice_t location = location_text(form, p);
    wa_slice_t kind;
    wa_buffer_t b;

    if (location.len == 0 && (text.len > 0 || media_count > 0)) {
        return text;
    }
    wa_buffer_init(&b, text.len + location.len + 64);
    if (location.len > 0) {
        if (text.len > 0) {
            wa_buffer_add_slice(&b, text);
            WA_BUFFER_ADD_LITERAL(&b, "\n");
        }
        wa_buffer_add_slice(&b, location);
        return buffer_slice(&b, p);
    }
    kind = field_get(form, "MessageType", p);
    kind.len = wa_text_prefix(kind.ptr, kind.len, 40);
    if (wa_text_is_blank(kind.ptr, kind.len) || wa_slice_is_equal(kind, WA_SLICE_LITERAL("text"))) {
        kind = WA_SLICE_LITERAL("empty message");
    }
    WA_BUFFER_ADD_LITERAL(&b, "[");
    wa_buffer_add_slice(&b, kind);
    WA_BUFFER_ADD_LITERAL(&b, "]");
    return buffer_slice(&b, p);
}

/* 1 for a field whose content the message has elsewhere, or that says nothing. */
static int field_is_said(const wa_form_field_t *field)
{
    static const wa_slice_t names[] = {
        WA_SLICE_LITERAL("MessageSid"), WA_SLICE_LITERAL("SmsMessageSid"),
        WA_SLICE_LITERAL("SmsSid"),     WA_SLICE_LITERAL("AccountSid"),
        WA_SLICE_LITERAL("Body"),       WA_SLICE_LITERAL("NumMedia"),
        WA_SLICE_LITERAL("SmsStatus"),  WA_SLICE_LITERAL("ApiVersion"),
        WA_SLICE_LITERAL("To"),         WA_SLICE_LITERAL("From"),
        WA_SLICE_LITERAL("NumSegments")};
    apr_size_t i;

    if (field->value.len == 0
        || (wa_slice_is_equal(field->name, WA_SLICE_LITERAL("ReferralNumMedia"))
            && wa_slice_is_equal(field->value, WA_SLICE_LITERAL("0")))) {
        return 1;
    }
    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (wa_slice_is_equal(field->name, names[i])) {
            return 1;
        }
    }
    return 0;
}

/* 1 for an attachment's address or type, which the message has. */
static int field_is_media(const wa_form_field_t *field, const wa_media_t *media, apr_size_t count,
                          apr_pool_t *p)
{
    const wa_slice_t prefix = WA_SLICE_LITERAL("Media");
    apr_size_t i;

    if (field->name.len < prefix.len || memcmp(field->name.ptr, prefix.ptr, prefix.len) != 0) {
        return 0;
    }
    for (i = 0; i < count; i++) {
        const char *url = apr_psprintf(p, "MediaUrl%" APR_SIZE_T_FMT, media[i].number);
        const char *type = apr_psprintf(p, "MediaContentType%" APR_SIZE_T_FMT, media[i].number);

        if (wa_slice_is_equal(field->name, wa_slice_of(url))
            || wa_slice_is_equal(field->name, wa_slice_of(type))) {
            return 1;
        }
    }
    return 0;
}

apr_size_t wa_inbound_text_rest(const wa_form_t *form, const wa_media_t *media, apr_size_t count,
                                wa_form_field_t *fields, apr_pool_t *p)
{
    apr_size_t i, kept = 0, bytes = 0;

    for (i = 0; i < form->count; i++) {
        const wa_form_field_t *field = &form->fields[i];
        const apr_size_t size = field->name.len + field->value.len + FIELD_BYTES;

        if (field_is_said(field) || field_is_media(field, media, count, p)
            || size > REST_BYTES_MAX - bytes) {
            continue;
        }
        fields[kept++] = *field;
        bytes += size;
    }
    return kept;
}
