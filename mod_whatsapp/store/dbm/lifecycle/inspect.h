/* SPDX-License-Identifier: Apache-2.0 */
/* Looks at a store's directory and says what would keep it from being opened; changes nothing,
 * follows no link in it, waits for nothing. */
#ifndef WA_STORE_DBM_LIFECYCLE_INSPECT_H
#define WA_STORE_DBM_LIFECYCLE_INSPECT_H

#include "store/dbm/dbm.h"

/* The operation `inspect`. */
apr_status_t wa_dbm_inspect(const wa_store_uri_t *uri, const wa_store_options_t *options,
                            const char **pidentity, const char **perror, apr_pool_t *p);

/* 1 when what is kept over restarts belongs to other files than those that are in the directory
 * now: it, or all of them, was replaced. 0 also where only some were, or where nothing can be
 * told. One thread. */
int wa_dbm_retained_is_of_another(const wa_dbm_retained_t *retained, const char *directory);

/* 1 when the store's path still leads to the directory that was locked when it was opened. Any
 * thread. */
int wa_dbm_directory_is_ours(const wa_dbm_store_t *store);

/* 1 when the open files still are as long as what this server wrote to them: nobody cut them
 * meanwhile. Reading a mapping beyond that would be the end of the process. One thread. */
int wa_dbm_files_are_whole(const wa_dbm_store_t *store);

#endif
