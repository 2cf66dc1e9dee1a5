/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON of messages, threads and contacts: made once when stored, copied in slices when read. */
#ifndef WA_MESSAGING_MESSAGE_JSON_H
#define WA_MESSAGING_MESSAGE_JSON_H

#include <apr_pools.h>

#include "base/buffer.h"
#include "base/types.h"

/* How many characters (code points) of a body the thread list shows. */
#define WA_PREVIEW_CHARACTERS 100

/* One attachment of an inbound message; UTF-8, NUL-terminated, borrowed. */
typedef struct wa_media_t {
    const char *url;
    const char *content_type;
} wa_media_t;

/* What never changes in a message. Strings are valid UTF-8, borrowed for the time of the call. */
typedef struct wa_message_draft_t {
    const char *id;
    const char
        *sid; /* of an inbound message; NULL for a sent one, whose sid comes with its state */
    wa_direction_e direction;
    const char *phone_number; /* ours */
    const char *counterpart;
    wa_slice_t body;
    const wa_media_t *media;
    apr_size_t media_count;
    const char *content_sid; /* of the template that a sent message was made with; NULL for none */
} wa_message_draft_t;

/* Makes wa_message_t.fixed_json. @return the JSON members in p; empty when memory ran out. Any
 * thread that may use p. */
wa_slice_t wa_message_fixed_json(const wa_message_draft_t *draft, apr_pool_t *p);

/* Makes the preview of a body: its first WA_PREVIEW_CHARACTERS characters, escaped, in p. Any
 * thread that may use p. */
wa_slice_t wa_message_preview_json(wa_slice_t body, apr_pool_t *p);

/* Appends a Message object. Allocates nothing but the buffer's growth.
 * @param base_path  where the API is now, without a slash at the end or anything to escape: the links
 *                   to attachments of a received message lead there, wherever it was when they were
 *                   stored. NULL: as stored.
 * Any thread. */
void wa_message_render(wa_buffer_t *b, const wa_message_t *message, const char *base_path);

/* Appends a ThreadSummary object. Any thread. */
void wa_thread_render(wa_buffer_t *b, const wa_thread_t *thread);

/* Appends a Contact object. Any thread. */
void wa_contact_render(wa_buffer_t *b, const wa_contact_t *contact);

#endif
