/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps lines that somebody outside can provoke from filling the error log. */
#ifndef WA_HTTPD_LOG_LIMIT_H
#define WA_HTTPD_LOG_LIMIT_H

#include <apr_errno.h>
#include <apr_pools.h>
#include <httpd.h>

/* Of each tag all processes together write this many lines at once, and this many a second from
 * then on. */
#define WA_FLOOD_BURST 50
#define WA_FLOOD_LINES 10

/* Makes the counters, which the children of this start share; they live as long as pconf. Logs its
 * failure. To be called in post_config. @return APR_SUCCESS | a status of apr_shm_create */
apr_status_t wa_log_limit_create(server_rec *main_server, apr_pool_t *pconf);

/* Sees to it that lines left out are told of when this child ends, too. To be called in
 * child_init. */
void wa_log_limit_child(apr_pool_t *pchild);

/* Counts a line. @param s      whose log it goes to: what is left out is said there
 * @param level  APLOG_ level that it has
 * @param tag    "WAnnnn"
 * @return 1 it may be written (always, where no counters were made) | 0 it is one too many. Any
 *     thread. */
int wa_log_limit_pass(const server_rec *s, int level, const char *tag);

/* Says how many lines of each tag were left out (WA0150), at most once a second. To be called about
 * once a second: nothing else has to come for the number to be said. Any thread of any child. */
void wa_log_limit_report(void);

#endif
