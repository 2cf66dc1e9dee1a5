/* SPDX-License-Identifier: Apache-2.0 */
/* Acting as another user for a while, in one thread; and which paths only root or a given user can
 * change. */
#ifndef WA_BASE_IDENTITY_H
#define WA_BASE_IDENTITY_H

#include <sys/types.h>

#include <apr_errno.h>
#include <apr_pools.h>
#include <apr_user.h>

/* What the thread was before. Holds nothing that needs a release. */
typedef struct wa_identity_t {
    int is_other; /* 1: wa_identity_leave has something to undo */
    int is_dumpable;
    int group_count;
    gid_t *groups;
    gid_t gid;
} wa_identity_t;

/* Makes the calling thread act as uid:gid with that user's groups and without any capability, until
 * wa_identity_leave. Other threads of the process are not concerned. Does nothing unless the thread
 * is root and uid is not. Real and saved user stay root: the other user can neither signal nor
 * trace the process.
 * @param p  holds the groups until the leaving
 * @return APR_SUCCESS | the operating system's status: the thread is what it was. Any thread. */
apr_status_t wa_identity_enter(wa_identity_t *before, apr_uid_t uid, apr_gid_t gid, apr_pool_t *p);

/* Undoes wa_identity_enter. Ends the process where the kernel refuses: nobody would know as whom it
 * goes on. The same thread. */
void wa_identity_leave(const wa_identity_t *before);

/* The group to act with as `uid` in what belongs to `gid`: that one where the user is in it, else
 * the user's own, so that a directory that root left with its own group gives nobody root's. `gid`
 * where the user is in no list of users. Any thread. */
apr_gid_t wa_identity_group(apr_uid_t uid, apr_gid_t gid, apr_pool_t *tmp);

/* Makes the whole process uid:gid with that user's groups for good. Does nothing unless it is root
 * and uid is not. Ends the process where it could come back.
 * @return APR_SUCCESS | the operating system's status. One thread. */
apr_status_t wa_identity_become(apr_uid_t uid, apr_gid_t gid, apr_pool_t *tmp);

/* 1 when nobody but root and `uid` can make the existing absolute `path` lead elsewhere: all
 * directories and links on the way, and what it leads to, are theirs, and others may write to none
 * of the directories unless it is sticky. Any thread. */
int wa_path_is_safe(const char *path, apr_uid_t uid, apr_pool_t *tmp);

/* Opens the directory that a path leads to, step by step, so that nobody can swap a link in
 * between.
 * @param plinks_of  out: the owner of the links on the way that are not root's, 0 for none; links
 *     of two such owners are ELOOP
 * @return -1 (errno) */
int wa_path_open(const char *path, uid_t *plinks_of, apr_pool_t *tmp);

#endif
