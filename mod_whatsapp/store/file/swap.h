/* SPDX-License-Identifier: Apache-2.0 */
/* Putting a store that was made in a directory of its own in the place of another one. */
#ifndef WA_STORE_FILE_SWAP_H
#define WA_STORE_FILE_SWAP_H

#include <apr_errno.h>
#include <apr_pools.h>

/* Puts the closed store in the directory `from` (on the same file system) in the place of the one
 * in `directory`, whose lock the caller holds. The journal is replaced by one rename: whatever
 * happens there is the old store or the new one, and at worst the next start reads the journal from
 * its beginning. `from` is removed.
 * @param keep  NULL, or the name under which the old journal stays in the directory
 * @return APR_SUCCESS | the operating system's status. One thread. */
apr_status_t wa_directory_swap(const char *directory, const char *from, const char *keep,
                               apr_pool_t *tmp);

/* Removes the files in a directory.
 * @return APR_SUCCESS | the operating system's status. One thread. */
apr_status_t wa_directory_clear(const char *directory, apr_pool_t *tmp);

/* Removes a directory and the files in it.
 * @return APR_SUCCESS | the operating system's status. One thread. */
apr_status_t wa_directory_remove(const char *directory, apr_pool_t *tmp);

#endif
