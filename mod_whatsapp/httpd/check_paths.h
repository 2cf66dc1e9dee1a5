/* SPDX-License-Identifier: Apache-2.0 */
/* Whether the paths in the configuration meet: Location, WhatsAppBasePath and WhatsAppPublicURL. */
#ifndef WA_HTTPD_CHECK_PATHS_H
#define WA_HTTPD_CHECK_PATHS_H

#include <apr_pools.h>
#include <httpd.h>

/* Refuses what is certainly wrong: a public URL that ends with the webhook's path, a Location with
 * the handler where no API is, and a base path that nothing serves. Each with one line (WA0114,
 * WA0143, WA0144, WA0145), once for all servers that inherit it.
 * @return 1 all is well | 0. When the whole configuration is read. */
int wa_check_paths(server_rec *main_server, apr_pool_t *tmp);

/* Warns, with the same lines, of what is likely wrong but may be meant: an expression, a path in
 * front of the API that looks like one of its own, and a base path that only what the configuration
 * does not show (.htaccess, Lua, a variable) could serve. When the whole configuration is read. */
void wa_check_paths_warn(server_rec *main_server, apr_pool_t *tmp);

#endif
