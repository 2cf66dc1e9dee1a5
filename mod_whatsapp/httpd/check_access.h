/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a later section changes who may come in where the API is. */
#ifndef WA_HTTPD_CHECK_ACCESS_H
#define WA_HTTPD_CHECK_ACCESS_H

#include <apr_pools.h>
#include <httpd.h>

/* Warns (WA0173) of each section that takes the place of the Require with which a section that sets
 * the handler says who may use the API: httpd merges later sections over earlier ones, those of a
 * virtual host over the main server's, and an <If> over all. Sections that set the handler again
 * are doors of their own. To be called when the whole configuration is read. */
void wa_check_access_warn(server_rec *main_server, apr_pool_t *tmp);

#endif
