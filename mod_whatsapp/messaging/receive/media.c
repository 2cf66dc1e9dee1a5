/* SPDX-License-Identifier: Apache-2.0 */
/* The attachments of received messages: where Twilio keeps them, and fetching one on demand. */
#include "messaging/receive/media.h"

#include <apr_strings.h>

#include "base/url.h"
#include "messaging/message/details.h"
#include "messaging/message/file_name.h"
#include "messaging/message/late_media.h"
#include "messaging/message/validate.h"
#include "messaging/policy/concurrency.h"
#include "messaging/receive/inbound_text.h"

/* The longest address of an attachment and its longest type. */
#define URL_BYTES_MAX 4096
#define TYPE_BYTES_MAX 255

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

/* ---- finding and fetching ---- */

apr_status_t wa_media_find(wa_messenger_t *messenger, const char *message_id, apr_size_t n,
                           wa_media_place_t *place, apr_pool_t *p)
{
    wa_late_medium_t media;
    wa_details_t details;
    wa_message_t message;
    apr_status_t rv;

    memset(place, 0, sizeof(*place));
    if (!wa_validate_is_message_id(wa_slice_of(message_id)) || n >= WA_MEDIA_MAX) {
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
    wa_details_read(&details, message.attributes);
    place->name = wa_file_name(message.body, details.type, media.content_type, p);
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
