/* SPDX-License-Identifier: Apache-2.0 */
/* The attachments of received messages: where Twilio keeps them, and fetching one on demand. */
#include "messaging/receive/media.h"

#include <apr_strings.h>

#include "base/buffer.h"
#include "base/text.h"
#include "base/unicode.h"
#include "base/url.h"
#include "messaging/message/late_media.h"
#include "messaging/policy/concurrency.h"
#include "messaging/receive/inbound_text.h"

/* The longest address of an attachment, its longest type, and the longest name of a file. */
#define URL_BYTES_MAX 4096
#define TYPE_BYTES_MAX 255
#define NAME_CHARACTERS_MAX 150

/* How many addresses of attachments there are. */
static apr_size_t urls_count(const wa_form_t *form)
{
    const wa_slice_t prefix = WA_SLICE_LITERAL("MediaUrl");
    apr_size_t i, count = 0;

    for (i = 0; i < form->count; i++) {
        const wa_slice_t *name = &form->fields[i].name;

        count += name->len > prefix.len && memcmp(name->ptr, prefix.ptr, prefix.len) == 0;
    }
    return count;
}

apr_size_t wa_media_read(const wa_form_t *form, wa_media_t *media, apr_pool_t *p)
{
    apr_size_t i, count = 0, left = urls_count(form);

    for (i = 0; i < WA_MEDIA_MAX && left > 0; i++) {
        wa_slice_t url, type;
        const char *text;
        wa_url_t parts;

        if (!wa_form_get(form, apr_psprintf(p, "MediaUrl%" APR_SIZE_T_FMT, i), &url)) {
            continue;
        }
        left--;
        text = wa_url_mend(url, p);
        if (url.len > URL_BYTES_MAX || wa_url_read(&parts, wa_slice_of(text), p) != APR_SUCCESS) {
            continue;
        }
        wa_form_get(form, apr_psprintf(p, "MediaContentType%" APR_SIZE_T_FMT, i), &type);
        type = wa_inbound_text_clean(type, p);
        media[count].url = text;
        media[count].number = i;
        media[count].content_type = type.len > 0 && type.len <= TYPE_BYTES_MAX
                                        ? wa_slice_string(type, p)
                                        : "application/octet-stream";
        count++;
    }
    return count;
}

/* ---- names of files ---- */

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

/* What a document is called stands in its message's text. */
static const char *document_name(const wa_message_t *message, wa_slice_t type, apr_pool_t *p)
{
    const wa_slice_t body = message->body;

    if (type_is(type, "image/") || type_is(type, "audio/") || type_is(type, "video/")
        || body.len == 0 || memchr(body.ptr, '\r', body.len) || memchr(body.ptr, '\n', body.len)) {
        return "";
    }
    return name_clean(body, p);
}

/* ---- finding and fetching ---- */

static int is_id(const char *s)
{
    const apr_size_t len = strlen(s);

    return len > 0 && len <= 64
           && strspn(s, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_-") == len;
}

apr_status_t wa_media_find(wa_messenger_t *messenger, const char *message_id, apr_size_t n,
                           wa_media_place_t *place, apr_pool_t *p)
{
    wa_late_medium_t media;
    wa_message_t message;
    apr_status_t rv;

    memset(place, 0, sizeof(*place));
    if (!is_id(message_id) || n >= WA_MEDIA_MAX) {
        return APR_NOTFOUND;
    }
    rv = wa_store_message_find(messenger->store, message_id, &message, p);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (message.direction != WA_DIRECTION_RECEIVED
        || !wa_slice_is_equal(message.id, wa_slice_of(message_id))
        || !wa_late_media_get(&message, n, &media)) {
        return APR_NOTFOUND;
    }
    place->url = wa_slice_string(media.url, p);
    place->name = document_name(&message, media.content_type, p);
    place->is_named = *place->name != '\0';
    if (!place->is_named) {
        place->name = apr_psprintf(p, "whatsapp-%.8s-%" APR_SIZE_T_FMT, message_id, n);
    }
    return APR_SUCCESS;
}

apr_status_t wa_media_fetch(wa_messenger_t *messenger, const wa_media_place_t *place,
                            const wa_twilio_sink_t *sink, int *pis_busy, apr_pool_t *tmp)
{
    const wa_twilio_account_t account = {.sid = messenger->account_sid,
                                         .secret = messenger->tokens[0]};
    const wa_twilio_media_request_t request = {
        .account = &account, .url = place->url, .max_bytes = WA_MEDIA_BYTES_MAX};
    apr_status_t rv = APR_TIMEUP;

    *pis_busy = !wa_concurrency_enter(messenger);
    if (!*pis_busy) {
        rv = wa_twilio_media_fetch(messenger->twilio, &request, sink, tmp);
        wa_concurrency_leave(messenger);
    }
    return rv;
}
