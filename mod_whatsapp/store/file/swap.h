/* SPDX-License-Identifier: Apache-2.0 */
/* Putting a store that was made in a folder of its own in the place of another one. */
#ifndef WA_STORE_FILE_SWAP_H
#define WA_STORE_FILE_SWAP_H

#include <apr_errno.h>
#include <apr_pools.h>

/* Puts the closed store in the folder `from` (on the same file system) in the place of the one in
 * `folder`, whose lock the caller holds. The journal is replaced by one rename: whatever happens
 * there is the old store or the new one, and at worst the next start reads the journal from its
 * beginning. `from` is removed.
 * @param keep  NULL, or the name under which the old journal stays in the folder
 * @return APR_SUCCESS | the operating system's status. One thread. */
apr_status_t wa_folder_swap(const char *folder, const char *from, const char *keep,
                            apr_pool_t *tmp);

/* Removes the files in a folder.
 * @return APR_SUCCESS | the operating system's status. One thread. */
apr_status_t wa_folder_clear(const char *folder, apr_pool_t *tmp);

/* Removes a folder and the files in it.
 * @return APR_SUCCESS | the operating system's status. One thread. */
apr_status_t wa_folder_remove(const char *folder, apr_pool_t *tmp);

#endif
