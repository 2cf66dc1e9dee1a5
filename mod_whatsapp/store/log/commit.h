/* SPDX-License-Identifier: Apache-2.0 */
/* When what is appended is durable: one sync for all who wait, and what they are told where the log
 * did not take it. */
#ifndef WA_STORE_LOG_COMMIT_H
#define WA_STORE_LOG_COMMIT_H

#include "store/log/order.h"

/* Waits until readers see what `commit` appended, or what was in its way: one sync serves all who
 * wait.
 * @param commit  as wa_order_append left it; only `end` set (and no `record`): waits for the
 *     journal up to there
 * @return APR_SUCCESS | APR_EAGAIN it is not stored, others came first: check and try again |
 *     APR_TIMEUP it is not stored: writing has stopped, or the log did not answer in time |
 *     APR_INCOMPLETE nobody can know yet whether it is stored. Any thread. */
apr_status_t wa_commit_wait(wa_log_writer_t *w, const wa_commit_t *commit);

/* Syncs what is due under WA_SYNC_INTERVAL, or all of it with `now` 1.
 * @return APR_SUCCESS nothing is left that is not durable | APR_TIMEUP | APR_INCOMPLETE. Any
 *     thread. */
apr_status_t wa_commit_sync(wa_log_writer_t *w, int now);

/* Takes what others appended to the log, where it has others.
 * @return APR_SUCCESS | APR_TIMEUP | what wa_order_adopt says. Any thread. */
apr_status_t wa_commit_follow(wa_log_writer_t *w);

#endif
