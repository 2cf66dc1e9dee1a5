/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON of messages, threads and contacts, made of their fields when they are read. */
#ifndef WA_MESSAGING_LIST_RENDER_H
#define WA_MESSAGING_LIST_RENDER_H

#include <apr_pools.h>

#include "base/json_write.h"
#include "base/types.h"
#include "messaging/delivery/state.h"
#include "store/store.h"

/* Writes a Message object.
 * @param store      where the message that this one answers is looked up; NULL: it is not. Nothing
 *                   of the store may be held (a visitor of messages holds nothing)
 * @param base_path  where the API is now, without a slash at the end: the attachments of a received
 *                   message lead there. "" for what is looked at outside of a server
 * @param tmp        takes little: what is said of a failure, a message that is answered, what has
 *                   to be made clean
 * Any thread that may use tmp. */
void wa_message_render(wa_json_writer_t *w, const wa_message_t *message, wa_store_t *store,
                       const char *base_path, apr_pool_t *tmp);

/* Writes the members "receipts", what became of a message and when, and, where it went out in
 * several parts, "parts", each with its own. Any thread that may use tmp. */
void wa_receipts_render(wa_json_writer_t *w, const wa_message_t *message, apr_pool_t *tmp);

/* Writes a ThreadSummary object.
 * @param our_number  the one whose window is told; NULL: the one that is open for longest
 * Any thread. */
void wa_thread_render(wa_json_writer_t *w, const wa_thread_t *thread, const char *our_number);

/* Writes a Contact object. Any thread. */
void wa_contact_render(wa_json_writer_t *w, const wa_contact_t *contact);

#endif
