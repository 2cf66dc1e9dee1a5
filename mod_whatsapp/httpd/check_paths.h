/* SPDX-License-Identifier: Apache-2.0 */
/* Whether the paths in the configuration meet: Location, WhatsAppBasePath and WhatsAppPublicURL. */
#ifndef WA_HTTPD_CHECK_PATHS_H
#define WA_HTTPD_CHECK_PATHS_H

#include <apr_pools.h>
#include <httpd.h>

/* Refuses a public URL that holds the API's own path, a Location with the handler where no API is, and a base path that no Location serves.
 * Each with one line (WA0114, WA0143, WA0144, WA0145), once for all servers that inherit it. @return 1 all is well | 0. When the whole configuration is read. */
int wa_check_paths(server_rec *main_server, apr_pool_t *tmp);

#endif
