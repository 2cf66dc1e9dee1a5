/* SPDX-License-Identifier: Apache-2.0 */
/* Takes WhatsAppStore apart as this driver means it: "dbm:/directory type=db|gdbm|sdbm|default". */
#ifndef WA_STORE_DBM_LIFECYCLE_URI_H
#define WA_STORE_DBM_LIFECYCLE_URI_H

#include "store/driver.h"

/* The type of apr_dbm that the arguments ask for, the default where they are empty.
 * @param perror  out: a sentence in p when it fails
 * @return APR_SUCCESS | APR_EINVAL not known, or not available here. Any thread. */
apr_status_t wa_dbm_uri_type(const wa_store_uri_t *uri, const char **ptype, const char **perror,
                             apr_pool_t *p);

/* The store's directory: absolute, without / at its end, in p.
 * @param perror  out: a sentence in p when it fails
 * @return APR_SUCCESS | APR_EINVAL it is relative or too long. Any thread. */
apr_status_t wa_dbm_uri_directory(const wa_store_uri_t *uri, const char **pdirectory,
                                  const char **perror, apr_pool_t *p);

/* The operation `check`: both of them. Any thread. */
apr_status_t wa_dbm_check(const wa_store_uri_t *uri, const char **perror, const char **pkey,
                          apr_pool_t *p);

#endif
