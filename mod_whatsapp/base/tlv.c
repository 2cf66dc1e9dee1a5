/* SPDX-License-Identifier: Apache-2.0 */
/* Fields as a tag, a length and a value, one after the other: how the store keeps what it need not
 * understand. */
#include "base/tlv.h"

/* The longest length: five times seven bits. */
#define LENGTH_BYTES_MAX 5

static void head_add(wa_buffer_t *b, apr_byte_t tag, apr_size_t len)
{
    apr_byte_t head[1 + LENGTH_BYTES_MAX] = {tag};
    apr_size_t used = 1;

    if (len > APR_UINT32_MAX) {
        b->failed = 1;
        return;
    }
    while (len >= 0x80) {
        head[used++] = (apr_byte_t)(0x80 | (len & 0x7f));
        len >>= 7;
    }
    head[used++] = (apr_byte_t)len;
    wa_buffer_add(b, head, used);
}

void wa_tlv_add(wa_buffer_t *b, apr_byte_t tag, wa_slice_t value)
{
    head_add(b, tag, value.len);
    wa_buffer_add_slice(b, value);
}

void wa_tlv_add_pair(wa_buffer_t *b, apr_byte_t tag, wa_slice_t first, wa_slice_t second)
{
    head_add(b, tag, first.len + second.len);
    wa_buffer_add_slice(b, first);
    wa_buffer_add_slice(b, second);
}

void wa_tlv_add_string(wa_buffer_t *b, apr_byte_t tag, const char *text)
{
    wa_tlv_add(b, tag, wa_slice_make(text, strlen(text) + 1));
}

int wa_tlv_next(wa_slice_t *rest, wa_tlv_t *field)
{
    const unsigned char *bytes = (const unsigned char *)rest->ptr;
    apr_uint64_t len = 0;
    apr_size_t at = 1;

    while (at < rest->len && at < LENGTH_BYTES_MAX && (bytes[at] & 0x80)) {
        len |= (apr_uint64_t)(bytes[at] & 0x7f) << (7 * (at - 1));
        at++;
    }
    if (at >= rest->len || (bytes[at] & 0x80)) {
        *rest = wa_slice_make(NULL, 0);
        return 0;
    }
    len |= (apr_uint64_t)bytes[at] << (7 * (at - 1));
    at++;
    if (len > rest->len - at) {
        *rest = wa_slice_make(NULL, 0);
        return 0;
    }
    field->tag = bytes[0];
    field->value = wa_slice_make(rest->ptr + at, (apr_size_t)len);
    *rest = wa_slice_make(rest->ptr + at + len, rest->len - at - (apr_size_t)len);
    return 1;
}

const char *wa_tlv_string(wa_slice_t value)
{
    return value.len > 0 && memchr(value.ptr, '\0', value.len) == value.ptr + value.len - 1
               ? value.ptr
               : NULL;
}
