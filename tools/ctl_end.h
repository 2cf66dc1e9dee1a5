/* SPDX-License-Identifier: Apache-2.0 */
/* Being interrupted, and what is removed then. */
#ifndef WA_TOOLS_CTL_END_H
#define WA_TOOLS_CTL_END_H

#include <signal.h>

#include <apr_errno.h>
#include <apr_pools.h>

/* From here on SIGINT, SIGTERM, SIGHUP and SIGQUIT do not end the program but are noted. */
void ctl_signals_note(void);

/* 1 once somebody wants the program to end. */
int ctl_is_interrupted(void);

/* APR_EINTR then, else APR_SUCCESS: for loops that end by a status. */
apr_status_t ctl_go_on(void);

/* Not 0 once somebody wants the program to end: what searches in the store's files look at. */
const volatile sig_atomic_t *ctl_stop(void);

/* What is removed when the program ends before ctl_leftover_keep: a file, a directory with its
 * files, or (with a / at the end) only the files in a directory. Absolute, at most 4; the newest is
 * removed first. */
void ctl_leftover(const char *path);

/* From here on nothing of it is removed. */
void ctl_leftover_keep(void);

/* Removes what is left over; at the program's end. */
void ctl_leftovers_remove(apr_pool_t *p);

#endif
