/* SPDX-License-Identifier: Apache-2.0 */
/* A store's directory before anything in it is opened: making it, and refusing what a stranger may
 * have put there. */
#ifndef WA_STORE_FILE_DIRECTORY_H
#define WA_STORE_FILE_DIRECTORY_H

#include <apr_errno.h>
#include <apr_pools.h>
#include <apr_user.h>

/* Said by who opens a store and by who only looks. */
#define WA_DIRECTORY_UNSAFE                                                                      \
    "%s cannot be created: others than root can change the directories above it, so root makes " \
    "nothing there; make it by hand and give it to the store's user"
#define WA_DIRECTORY_NO_USER "the user %lu of %s cannot be taken on"

/* Makes a directory, 0700, that belongs to uid:gid, unless it is there. Root makes it as that user;
 * where that user may not, as root, but only where nobody but root can change the path.
 * @param perror  out: a sentence in p when it fails
 * @return APR_SUCCESS | APR_EEXIST it was there, no failure | the operating system's status. One
 *         thread. */
apr_status_t wa_directory_make(const char *directory, apr_uid_t uid, apr_gid_t gid,
                               const char **perror, apr_pool_t *p);

/* Looks at everything in the directory whose name a store uses, and at the directory: files have to
 * be regular files with one name, work directories directories, all of `uid`. Opens none of them,
 * changes nothing. A journal may have one of the names journal.before-compact and
 * journal.before-retime beside its own, which a killed whatsappctl leaves.
 * @param perror  out: what is wrong and what to do, in p
 * @return APR_SUCCESS | APR_ENOTDIR | APR_EACCES | the operating system's status. Any thread. */
apr_status_t wa_directory_inspect(const char *directory, apr_uid_t uid, const char **perror,
                                  apr_pool_t *p);

/* Opens one of the files that a start writes to, and makes it where it is missing: like
 * wa_file_open. Any other name is APR_EINVAL, so that nothing is opened that
 * wa_directory_needs_check does not look at.
 * @return like wa_file_open. Any thread. */
apr_status_t wa_directory_file_open(int *pfd, const char *directory, const char *name,
                                    apr_uid_t uid, apr_gid_t gid);

/* Opens each of those files that is there as wa_directory_file_open would, and closes it: makes and
 * changes nothing. The caller acts as the owner, and wa_directory_inspect found nothing planted.
 * @param perror  out: which file and why, in p
 * @return APR_SUCCESS | the operating system's status. Any thread. */
apr_status_t wa_directory_needs_check(const char *directory, const char **perror, apr_pool_t *p);

/* Whether the caller may list the directory, and make, replace and remove entries in it.
 * @param perror  out: why not, in p
 * @return APR_SUCCESS | the operating system's status. Any thread. */
apr_status_t wa_directory_write_check(const char *path, const char **perror, apr_pool_t *p);

/* Leaves each journal one name where killed rewrites (compact, retime) left it several: its own if
 * it has that. The caller holds the directory's lock.
 * @return APR_SUCCESS | the operating system's status. One thread. */
apr_status_t wa_directory_heal(const char *directory);

#endif
