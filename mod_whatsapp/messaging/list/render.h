/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON of messages, threads and contacts, made of their fields when they are read. */
#ifndef WA_MESSAGING_LIST_RENDER_H
#define WA_MESSAGING_LIST_RENDER_H

#include <apr_pools.h>

#include "base/json_write.h"
#include "base/types.h"

/* Writes a Message object.
 * @param base_path  where the API is now, without a slash at the end: the attachments of a received
 *                   message lead there. "" for what is looked at outside of a server
 * @param tmp        only what is said of a failed message takes memory of it
 * Any thread that may use tmp. */
void wa_message_render(wa_json_writer_t *w, const wa_message_t *message, const char *base_path,
                       apr_pool_t *tmp);

/* Writes a ThreadSummary object.
 * @param our_number  the one whose window is told; NULL: the one that is open for longest
 * Any thread. */
void wa_thread_render(wa_json_writer_t *w, const wa_thread_t *thread, const char *our_number);

/* Writes a Contact object. Any thread. */
void wa_contact_render(wa_json_writer_t *w, const wa_contact_t *contact);

#endif
