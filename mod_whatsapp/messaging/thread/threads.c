/* SPDX-License-Identifier: Apache-2.0 */
/* What an agent does to a thread: reads it, blocks and unblocks its counterpart. */
#include "messaging/thread/threads.h"

apr_status_t wa_thread_mark_read(wa_messenger_t *messenger, const char *counterpart,
                                 apr_pool_t *tmp)
{
    return wa_store_thread_mark_read(messenger->store, counterpart, tmp);
}

apr_status_t wa_thread_block(wa_messenger_t *messenger, const char *counterpart, apr_pool_t *tmp)
{
    return wa_store_thread_flags_set(messenger->store, counterpart, WA_THREAD_BLOCKED, 0, tmp);
}

apr_status_t wa_thread_unblock(wa_messenger_t *messenger, const char *counterpart, apr_pool_t *tmp)
{
    return wa_store_thread_flags_set(messenger->store, counterpart, 0, WA_THREAD_BLOCKED, tmp);
}
