/* SPDX-License-Identifier: Apache-2.0 */
/* The attachments of a received message that Twilio had announced and not listed when it was
 * stored: those that came later, those that are looked for, those that are missing. */
#include "messaging/message/late_media.h"

#include <string.h>

#include "base/tlv.h"
#include "messaging/message/attributes.h"

/*
 * Fields of base/tlv.h; numbers are the machine's, as all of a store's are. The tags are stored:
 * never renumber. They go on where those of a sent message's state (messaging/delivery/state.c)
 * end, so that neither is taken for the other.
 *
 *   FOUND    <content type> NUL <address>
 *   AWAITED  one byte how many, 8 bytes since when
 *   MISSING  one byte how many
 */
enum { TAG_FOUND = 16, TAG_AWAITED = 17, TAG_MISSING = 18 };

#define AWAITED_BYTES (1 + sizeof(apr_int64_t))

/* ---- reading ---- */

static void found_read(wa_late_media_t *late, wa_slice_t value)
{
    const char *end = value.len > 0 ? memchr(value.ptr, '\0', value.len) : NULL;
    wa_late_medium_t *one;

    if (!end || late->found_count == WA_LATE_MEDIA_MAX) {
        return;
    }
    one = &late->found[late->found_count++];
    one->content_type = wa_slice_make(value.ptr, (apr_size_t)(end - value.ptr));
    one->url = wa_slice_make(end + 1, (apr_size_t)(value.ptr + value.len - end - 1));
}

static apr_size_t count_read(wa_slice_t value)
{
    const apr_size_t count = value.len > 0 ? (unsigned char)value.ptr[0] : 0;

    return count < WA_LATE_MEDIA_MAX ? count : WA_LATE_MEDIA_MAX;
}

void wa_late_media_read(wa_late_media_t *late, const wa_message_t *message)
{
    wa_slice_t rest = message->delivery;
    wa_tlv_t field;

    late->found_count = late->awaited = late->missing = 0;
    late->since_ms = 0;
    if (message->direction != WA_DIRECTION_RECEIVED) {
        return;
    }
    while (wa_tlv_next(&rest, &field)) {
        switch (field.tag) {
        case TAG_FOUND:
            found_read(late, field.value);
            break;
        case TAG_AWAITED:
            if (field.value.len == AWAITED_BYTES) {
                late->awaited = count_read(field.value);
                memcpy(&late->since_ms, field.value.ptr + 1, sizeof(late->since_ms));
            }
            break;
        case TAG_MISSING:
            late->missing = count_read(field.value);
            break;
        default:
            break; /* of a later version */
        }
    }
}

int wa_late_media_get(const wa_message_t *message, apr_size_t n, wa_late_medium_t *medium)
{
    wa_slice_t rest = message->attributes;
    wa_late_media_t late;
    wa_attribute_t one;
    wa_attribute_e kind;

    while ((kind = wa_attributes_next(&rest, &one)) != WA_ATTRIBUTE_NONE) {
        if (kind != WA_ATTRIBUTE_MEDIA) {
            continue;
        }
        if (n-- == 0) {
            *medium = (wa_late_medium_t){one.content_type, one.url};
            return 1;
        }
    }
    wa_late_media_read(&late, message);
    if (n >= late.found_count) {
        return 0;
    }
    *medium = late.found[n];
    return 1;
}

/* ---- writing ---- */

apr_status_t wa_late_media_write(const wa_late_media_t *late, wa_message_state_t *stored,
                                 apr_pool_t *p)
{
    char bytes[AWAITED_BYTES] = {(char)late->awaited};
    const char missing = (char)late->missing;
    wa_buffer_t b;
    apr_size_t i;

    memset(stored, 0, sizeof(*stored));
    stored->status = late->awaited > 0 ? WA_STATUS_PENDING : WA_STATUS_NONE;
    wa_buffer_init(&b, 0);
    for (i = 0; i < late->found_count; i++) {
        const wa_late_medium_t *one = &late->found[i];
        const char *type = wa_slice_string(one->content_type, p);

        wa_tlv_add_pair(&b, TAG_FOUND, wa_slice_make(type, strlen(type) + 1), one->url);
    }
    if (late->awaited > 0) {
        memcpy(bytes + 1, &late->since_ms, sizeof(late->since_ms));
        wa_tlv_add(&b, TAG_AWAITED, wa_slice_make(bytes, sizeof(bytes)));
    }
    if (late->missing > 0) {
        wa_tlv_add(&b, TAG_MISSING, wa_slice_make(&missing, 1));
    }
    return wa_buffer_slice(&b, &stored->delivery, p);
}
