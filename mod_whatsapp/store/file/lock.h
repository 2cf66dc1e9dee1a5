/* SPDX-License-Identifier: Apache-2.0 */
/* The lock of a store's directory, which one server or tool holds as long as it has the store. */
#ifndef WA_STORE_FILE_LOCK_H
#define WA_STORE_FILE_LOCK_H

#include <apr_errno.h>
#include <apr_user.h>

/* Takes the lock, and keeps it until *pfd and what was forked with it are closed. Its file is
 * made, as uid's, where there is none.
 * @return APR_SUCCESS | APR_EEXIST a server or another tool has it | the operating system's
 *     status. One thread. */
apr_status_t wa_lock_take(int *pfd, const char *directory, apr_uid_t uid, apr_gid_t gid);

/* 1 while somebody has the lock. Makes nothing. Any thread. */
int wa_lock_is_taken(const char *directory);

#endif
