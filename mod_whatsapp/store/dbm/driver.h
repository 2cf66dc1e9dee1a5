/* SPDX-License-Identifier: Apache-2.0 */
/* The dbm driver's entry in the table of drivers, which every store that is opened gets. */
#ifndef WA_STORE_DBM_DRIVER_H
#define WA_STORE_DBM_DRIVER_H

#include "store/dbm/dbm.h"

/* The operation `open`. */
apr_status_t wa_dbm_open(wa_store_t **pstore, const wa_store_uri_t *uri,
                         const wa_store_options_t *options, const char **perror, apr_pool_t *p);

/* The same for a tool. @return like wa_store_open | what the tool's watch returned. One process
 * and thread. */
apr_status_t wa_dbm_open_tool(wa_store_t **pstore, const wa_dbm_opening_t *opening,
                              const char **perror, apr_pool_t *p);

#endif
