/* SPDX-License-Identifier: Apache-2.0 */
/* What an agent does to a thread: reads it, blocks and unblocks its counterpart. */
#ifndef WA_MESSAGING_THREAD_THREADS_H
#define WA_MESSAGING_THREAD_THREADS_H

#include <apr_errno.h>
#include <apr_pools.h>

#include "messaging/messenger.h"

/* All of these:
 * @return APR_SUCCESS, also when it was so before | APR_NOTFOUND there is no such thread | the
 *     store's. Any thread. */

/* Marks every message that is there now as read. */
apr_status_t wa_thread_mark_read(wa_messenger_t *messenger, const char *counterpart,
                                 apr_pool_t *tmp);

/* Nothing is sent to a counterpart that is blocked (wa_policy_check); what it writes is kept. */
apr_status_t wa_thread_block(wa_messenger_t *messenger, const char *counterpart, apr_pool_t *tmp);
apr_status_t wa_thread_unblock(wa_messenger_t *messenger, const char *counterpart, apr_pool_t *tmp);

#endif
