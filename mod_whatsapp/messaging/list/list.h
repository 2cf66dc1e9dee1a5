/* SPDX-License-Identifier: Apache-2.0 */
/* The lists that clients read, written as members of the JSON object that answers them. */
#ifndef WA_MESSAGING_LIST_LIST_H
#define WA_MESSAGING_LIST_LIST_H

#include <apr_errno.h>
#include <apr_pools.h>

#include "base/json_write.h"
#include "messaging/messenger.h"

/* The most messages and updates of one answer to a poll. */
#define WA_LIST_CHANGES_MAX 500

/* Whose lists are written, and where to. */
typedef struct wa_list_t {
    wa_messenger_t *messenger;
    const char *base_path; /* where the API is, see wa_message_render */
    wa_json_writer_t *w;   /* within an object */
    apr_pool_t *p;
} wa_list_t;

/* Each writes members of its own and returns APR_SUCCESS, APR_ENOMEM when the buffer failed, or the
 * store's status; what was written is of no use then. Any thread that may use list->p. */

/* "messages", "cursor" when there are more, "listComplete": one page of a thread, the newest first.
 * @param cursor  NULL: the newest page
 * @return also APR_EINVAL: the cursor is not one of this thread's */
apr_status_t wa_list_messages(const wa_list_t *list, const char *counterpart, const char *cursor,
                              apr_size_t limit);

/* "message", "receipts" and, of a message in several, "parts" (wa_receipts_render). */
apr_status_t wa_list_message(const wa_list_t *list, const wa_message_t *message);

/* "messages", the oldest first, and "updates": what was committed after `since_ms`, at most
 * WA_LIST_CHANGES_MAX.
 * @param changes  out: where to go on */
apr_status_t wa_list_changes(const wa_list_t *list, apr_int64_t since_ms, wa_changes_t *changes);

/* 1 when "threads" of an answer up to T holds only what changed: a client whose clock was ahead
 * cannot know what it missed, and gets all. */
int wa_list_threads_may_be_few(apr_int64_t since_ms, apr_int64_t timestamp_ms);

/* "threads", the latest first: those whose row changed after `since_ms`, 0 for all. To be called
 * after wa_list_changes: what is committed in between is then given twice, not never. */
apr_status_t wa_list_threads(const wa_list_t *list, apr_int64_t since_ms);

/* "thread". @return also APR_NOTFOUND */
apr_status_t wa_list_thread(const wa_list_t *list, const char *counterpart);

/* "contacts", by name. */
apr_status_t wa_list_contacts(const wa_list_t *list);

#endif
