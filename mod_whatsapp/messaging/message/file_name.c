/* SPDX-License-Identifier: Apache-2.0 */
/* What a document that somebody sent is called. */
#include "messaging/message/file_name.h"

#include <apr_lib.h>

#include "base/buffer.h"
#include "base/text.h"
#include "base/unicode.h"

/* The longest name of a file. */
#define NAME_CHARACTERS_MAX 150

/* The longest end of one. */
#define END_CHARACTERS_MAX 10

/* 1 for a character that may stand in the name of a file anywhere: none that means something to a
 * file system or a header, none that turns the direction of writing or is not seen. */
static int may_be_in_name(apr_uint32_t c)
{
    return !(c < 0x80 && strchr("\"*/:<>?\\|%;", (int)c)) && !wa_unicode_is_control(c);
}

/* A name made safe; empty when nothing is left of it. */
static const char *name_clean(wa_slice_t raw, apr_pool_t *p)
{
    wa_buffer_t b;
    apr_size_t i = 0;
    const char *name;

    raw.len = wa_text_prefix(raw.ptr, raw.len, NAME_CHARACTERS_MAX);
    raw = wa_text_trim(raw);
    wa_buffer_init(&b, raw.len + 1);
    while (i < raw.len) {
        apr_size_t used;
        const apr_uint32_t c = wa_unicode_read(raw.ptr + i, raw.len - i, &used);

        if (!may_be_in_name(c)) {
            WA_BUFFER_ADD_LITERAL(&b, "_");
        } else if (b.len > 0 || raw.ptr[i] != '.') { /* nobody finds a hidden file */
            wa_buffer_add(&b, raw.ptr + i, used);
        }
        i += used;
    }
    name = b.failed ? "" : wa_slice_string(wa_slice_make(b.data, b.len), p);
    wa_buffer_release(&b);
    return name;
}

static int type_is(wa_slice_t type, const char *top)
{
    return type.len >= strlen(top) && strncasecmp(type.ptr, top, strlen(top)) == 0;
}

const char *wa_file_name(wa_slice_t body, wa_slice_t type, wa_slice_t content_type, apr_pool_t *p)
{
    if (wa_slice_is_equal(type, WA_SLICE_LITERAL("contacts")) || type_is(content_type, "text/vcard")
        || type_is(content_type, "text/x-vcard") || type_is(content_type, "image/")
        || type_is(content_type, "audio/") || type_is(content_type, "video/") || body.len == 0
        || memchr(body.ptr, '\r', body.len) || memchr(body.ptr, '\n', body.len)) {
        return "";
    }
    return name_clean(body, p);
}

int wa_file_name_has_end(const char *name)
{
    const char *dot = strrchr(name, '.');
    apr_size_t len = 0;

    while (dot && apr_isascii(dot[1 + len]) && apr_isalnum(dot[1 + len])) {
        len++;
    }
    return dot && dot > name && len > 0 && len <= END_CHARACTERS_MAX && dot[1 + len] == '\0';
}
