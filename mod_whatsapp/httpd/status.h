/* SPDX-License-Identifier: Apache-2.0 */
/* What the module did since the server started, counted over all processes, for mod_status. */
#ifndef WA_HTTPD_STATUS_H
#define WA_HTTPD_STATUS_H

#include <apr_errno.h>
#include <httpd.h>

/* Makes the counters, or finds those of before a restart. Parent process.
 * @return APR_SUCCESS | a status of apr_shm_create, logged */
apr_status_t wa_status_create(server_rec *s);

/* Counts one answered request. Any thread. */
void wa_status_count(const request_rec *r);

/* The status_hook of mod_status: a table, or lines for ?auto. @return OK */
int wa_status_show(request_rec *r, int flags);

#endif
