/* SPDX-License-Identifier: Apache-2.0 */
/* What can only be checked when the whole configuration is read. */
#ifndef WA_HTTPD_CHECK_H
#define WA_HTTPD_CHECK_H

#include <apr_pools.h>
#include <httpd.h>

/* The check_config hook, which `apachectl configtest` runs too. Refuses: an account that is not complete; the handler where no account is configured;
 * virtual hosts that share a store but not the account or the sync mode. Each with one line naming the place.
 * @return OK | HTTP_INTERNAL_SERVER_ERROR */
int wa_check_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s);

/* Warns of secret files that everybody may read. */
void wa_check_warn(server_rec *s);

#endif
