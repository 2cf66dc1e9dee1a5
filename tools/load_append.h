/* SPDX-License-Identifier: Apache-2.0 */
/* The second reading of what is to be loaded: stores it, by time. */
#ifndef WA_TOOLS_LOAD_APPEND_H
#define WA_TOOLS_LOAD_APPEND_H

#include "load.h"

/* Stores the messages and contacts of l->entries. @return CTL_DONE | CTL_FAILED, said */
int load_entries_append(load_t *l);

/* After that: marks threads as read and flags them, as l->threads has it.
 * @return CTL_DONE | CTL_FAILED, said */
int load_threads_finish(load_t *l);

#endif
