/* SPDX-License-Identifier: Apache-2.0 */
/* Copies a store's journal, checking every record. */
#ifndef WA_TOOLS_CTL_COPY_H
#define WA_TOOLS_CTL_COPY_H

#include "ctl.h"

/* Copies the store's journal up to its last whole record to a new file, checking all of it, and
 * syncs it.
 * @param directory  open directory in which the file `name` is made: the process stands in it
 *     afterwards, and what is in it is removed if the program ends early. -1: name is a path
 * @return CTL_DONE | another exit code, said */
int ctl_journal_copy(ctl_t *ctl, int directory, const char *name);

#endif
