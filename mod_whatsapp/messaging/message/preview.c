/* SPDX-License-Identifier: Apache-2.0 */
/* What the thread list shows of a message. */
#include "messaging/message/preview.h"

#include <apr_strings.h>

#include "base/text.h"
#include "messaging/message/details.h"

wa_slice_t wa_preview_make(wa_slice_t body, const char *content_type)
{
    static const struct {
        wa_slice_t type;
        wa_slice_t shown;
    } kinds[] = {{WA_SLICE_LITERAL("image/"), WA_SLICE_LITERAL("[image]")},
                 {WA_SLICE_LITERAL("audio/"), WA_SLICE_LITERAL("[audio]")},
                 {WA_SLICE_LITERAL("video/"), WA_SLICE_LITERAL("[video]")},
                 {WA_SLICE_LITERAL("text/vcard"), WA_SLICE_LITERAL("[contacts]")},
                 {WA_SLICE_LITERAL("text/x-vcard"), WA_SLICE_LITERAL("[contacts]")}};
    apr_size_t i;

    if (body.len > 0 || !content_type) {
        body.len = wa_text_prefix(body.ptr, body.len, WA_PREVIEW_CHARACTERS);
        return body;
    }
    if (*content_type == '\0') {
        return WA_SLICE_LITERAL("[attachment]");
    }
    for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strncmp(content_type, kinds[i].type.ptr, kinds[i].type.len) == 0) {
            return kinds[i].shown;
        }
    }
    return WA_SLICE_LITERAL("[document]");
}

wa_slice_t wa_preview_received(wa_slice_t body, wa_slice_t type, const char *content_type,
                               apr_pool_t *p)
{
    type = wa_details_type(type, p);
    if (body.len > 0 || type.len == 0 || wa_slice_is_equal(type, WA_SLICE_LITERAL("text"))) {
        return wa_preview_make(body, content_type);
    }
    return wa_slice_of(apr_psprintf(p, "[%.*s]", (int)type.len, type.ptr));
}
