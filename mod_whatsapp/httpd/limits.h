/* SPDX-License-Identifier: Apache-2.0 */
/* What limits all processes together, in memory that they share and that outlives restarts. */
#ifndef WA_HTTPD_LIMITS_H
#define WA_HTTPD_LIMITS_H

#include <apr_errno.h>
#include <httpd.h>
#include <ap_mpm.h>

#include "messaging/policy/concurrency.h"
#include "messaging/policy/rate.h"

/* Makes the shared memory, or finds that of the start before. Logs its failure. To be called in
 * post_config. @return APR_SUCCESS | a status of apr_shm_create */
apr_status_t wa_limits_create(server_rec *s);

/* Makes this child's view of the gate, without a limit of its own. To be called once in child_init.
 * @return the gate, in pchild | NULL there is no place in it, which is logged: sends are then
 *     counted in this process alone */
wa_concurrency_t *wa_limits_child(server_rec *s, apr_pool_t *pchild);

/* The table of token buckets; NULL before wa_limits_create. Any thread. */
wa_rate_table_t *wa_limits_rates(void);

/* The hook child_status: forgets what a child that has ended was doing. */
void wa_limits_child_status(server_rec *s, pid_t pid, ap_generation_t generation, int slot,
                            mpm_child_status state);

#endif
