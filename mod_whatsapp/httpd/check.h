/* SPDX-License-Identifier: Apache-2.0 */
/* What can only be checked when the whole configuration is read. */
#ifndef WA_HTTPD_CHECK_H
#define WA_HTTPD_CHECK_H

#include <apr_pools.h>
#include <httpd.h>

/* Of the line that says why a store cannot be opened, at a start and in configtest. */
#define WA_TAG_STORE "WA0121"

/* The check_config hook, which `apachectl configtest` runs too. Refuses: an account that is not
 * complete; virtual hosts that share a store but not the account or the sync mode; paths that do
 * not meet (check_paths.h); in configtest also a store that could not be opened. Each with one line
 * naming the place. In a reload it only says so: a server that runs does not end for this module's
 * sake.
 * @return OK | HTTP_INTERNAL_SERVER_ERROR */
int wa_check_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s);

/* 1 when the parts of an account that are set for `s` are there to be completed by virtual hosts,
 * and some are: the token of several numbers in the main server, say. It has no messenger then.
 * When the whole configuration is read. */
int wa_check_is_lent(const server_rec *main_server, const server_rec *s);

/* Warns of what is likely wrong but may be meant: secret files that everybody may read, paths that
 * may not meet (check_paths.h), doors that a later section changes (check_access.h). When the whole
 * configuration is read. */
void wa_check_warn(server_rec *main_server, apr_pool_t *tmp);

#endif
