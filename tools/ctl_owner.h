/* SPDX-License-Identifier: Apache-2.0 */
/* Who does the work: root only opens what it alone may, then a process of the store's owner goes
 * on. */
#ifndef WA_TOOLS_CTL_OWNER_H
#define WA_TOOLS_CTL_OWNER_H

#include "ctl.h"

/* When root runs the program and the store's directory is another's: goes on in a process that is
 * the owner for good; root waits for it, finishes what is outside of the directory and ends with
 * its exit code. What only root may open has to be open before. Finds out uid and gid. Where the
 * owner cannot follow the store's path, the process stands in the directory and ctl->directory is
 * ".".
 * @return CTL_DONE in the process that is to go on | CTL_FAILED, said */
int ctl_owner_become(ctl_t *ctl);

/* Makes the file `path`.part, 0600, which gets its name when the program ends well or with CTL_BAD,
 * and is removed otherwise.
 * @return CTL_DONE | CTL_FAILED, said */
int ctl_outside_file(ctl_t *ctl, const char *path, int *pfd);

/* Makes a directory of the store's owner (ctl->uid), or takes one that is there; one that was made
 * is removed unless the program ends well. What is in it is the caller's to remove.
 * @param has_to_be_empty  1: refuse one that is not, and take an empty one of root's over
 * @return CTL_DONE | CTL_FAILED, said */
int ctl_outside_directory(ctl_t *ctl, const char *directory, int has_to_be_empty, int *pfd);

/* What was made goes, however well the program ends. */
void ctl_outside_is_trial(void);

/* At the program's end, after all else is closed. @return the exit code */
int ctl_outside_end(int rc);

#endif
