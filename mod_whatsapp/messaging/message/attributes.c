/* SPDX-License-Identifier: Apache-2.0 */
/* What belongs to a message beside its text and never changes: attachments, template, and what else
 * a webhook said. */
#include "messaging/message/attributes.h"

#include "base/tlv.h"

/*
 * Each attribute is a field of base/tlv.h with its kind as the tag:
 *
 *   MEDIA, LINK   <content type> NUL <address>
 *   CONTENT_SID   <sid>
 *   FIELD         <length of the name, 4 bytes> <name> <value>: a name may hold any byte
 */

static void media_add(wa_buffer_t *b, wa_attribute_e kind, const wa_media_t *media)
{
    const wa_slice_t type =
        wa_slice_make(media->content_type, strlen(media->content_type) + 1); /* with its NUL */

    wa_tlv_add_pair(b, (apr_byte_t)kind, type, wa_slice_of(media->url));
}

static void field_add(wa_buffer_t *b, const wa_form_field_t *field, apr_pool_t *p)
{
    const apr_uint32_t len = (apr_uint32_t)field->name.len;
    char *name = apr_palloc(p, sizeof(len) + field->name.len);

    memcpy(name, &len, sizeof(len));
    if (len > 0) {
        memcpy(name + sizeof(len), field->name.ptr, len);
    }
    wa_tlv_add_pair(b, WA_ATTRIBUTE_FIELD, wa_slice_make(name, sizeof(len) + len), field->value);
}

apr_status_t wa_attributes_write(const wa_attributes_t *attributes, wa_slice_t *pbytes,
                                 apr_pool_t *p)
{
    const wa_attribute_e kind =
        attributes->media_is_at_twilio ? WA_ATTRIBUTE_MEDIA : WA_ATTRIBUTE_LINK;
    wa_buffer_t b;
    apr_size_t i;

    wa_buffer_init(&b, 0);
    for (i = 0; i < attributes->media_count; i++) {
        media_add(&b, kind, &attributes->media[i]);
    }
    if (attributes->content_sid) {
        wa_tlv_add(&b, WA_ATTRIBUTE_CONTENT_SID, wa_slice_of(attributes->content_sid));
    }
    for (i = 0; i < attributes->field_count; i++) {
        field_add(&b, &attributes->fields[i], p);
    }
    return wa_buffer_slice(&b, pbytes, p);
}

static int media_read(wa_slice_t value, wa_attribute_t *media)
{
    const char *end = value.len > 0 ? memchr(value.ptr, '\0', value.len) : NULL;

    if (!end) {
        return 0;
    }
    media->content_type = wa_slice_make(value.ptr, (apr_size_t)(end - value.ptr));
    media->url = wa_slice_make(end + 1, (apr_size_t)(value.ptr + value.len - end - 1));
    return 1;
}

static int field_read(wa_slice_t value, wa_form_field_t *field)
{
    apr_uint32_t len;

    if (value.len < sizeof(len)) {
        return 0;
    }
    memcpy(&len, value.ptr, sizeof(len));
    if (len > value.len - sizeof(len)) {
        return 0;
    }
    field->name = wa_slice_make(value.ptr + sizeof(len), len);
    field->value = wa_slice_make(value.ptr + sizeof(len) + len, value.len - sizeof(len) - len);
    return 1;
}

wa_attribute_e wa_attributes_next(wa_slice_t *rest, wa_attribute_t *attribute)
{
    wa_tlv_t one;

    while (wa_tlv_next(rest, &one)) {
        switch (one.tag) {
        case WA_ATTRIBUTE_MEDIA:
        case WA_ATTRIBUTE_LINK:
            if (media_read(one.value, attribute)) {
                return (wa_attribute_e)one.tag;
            }
            break;
        case WA_ATTRIBUTE_CONTENT_SID:
            attribute->content_sid = one.value;
            return WA_ATTRIBUTE_CONTENT_SID;
        case WA_ATTRIBUTE_FIELD:
            if (field_read(one.value, &attribute->field)) {
                return WA_ATTRIBUTE_FIELD;
            }
            break;
        default:
            break;
        }
    }
    return WA_ATTRIBUTE_NONE;
}

int wa_attributes_field(wa_slice_t attributes, const char *name, wa_slice_t *pvalue)
{
    const wa_slice_t wanted = wa_slice_of(name);
    wa_attribute_t one;
    wa_attribute_e kind;

    *pvalue = wa_slice_make(NULL, 0);
    while ((kind = wa_attributes_next(&attributes, &one)) != WA_ATTRIBUTE_NONE) {
        if (kind == WA_ATTRIBUTE_FIELD && wa_slice_is_equal(one.field.name, wanted)) {
            *pvalue = one.field.value;
            return 1;
        }
    }
    return 0;
}

wa_slice_t wa_attributes_content_sid(wa_slice_t attributes)
{
    wa_attribute_t one;
    wa_attribute_e kind;

    while ((kind = wa_attributes_next(&attributes, &one)) != WA_ATTRIBUTE_NONE) {
        if (kind == WA_ATTRIBUTE_CONTENT_SID) {
            return one.content_sid;
        }
    }
    return wa_slice_make(NULL, 0);
}

wa_attribute_e wa_attributes_media(wa_slice_t attributes, apr_size_t n, wa_attribute_t *media)
{
    wa_attribute_e kind;

    while ((kind = wa_attributes_next(&attributes, media)) != WA_ATTRIBUTE_NONE) {
        if ((kind == WA_ATTRIBUTE_MEDIA || kind == WA_ATTRIBUTE_LINK) && n-- == 0) {
            return kind;
        }
    }
    return WA_ATTRIBUTE_NONE;
}
