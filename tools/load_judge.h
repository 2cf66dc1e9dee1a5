/* SPDX-License-Identifier: Apache-2.0 */
/* The first reading of what is to be loaded: is every line right, and what is to be stored when? */
#ifndef WA_TOOLS_LOAD_JUDGE_H
#define WA_TOOLS_LOAD_JUDGE_H

#include "load.h"
#include "load_item.h"

/* Judges the whole input: fills l->entries and l->threads, stores nothing.
 * @return CTL_DONE | CTL_BAD lines cannot be loaded, all said | CTL_FAILED, said */
int load_judge(load_t *l);

/* 1 when the store has the message already, under its id or one of its sids. */
int load_message_is_there(load_t *l, const load_item_t *item);

/* What is known of a thread, an empty one for a counterpart that was not met yet. */
load_thread_t *load_thread_get(load_t *l, const char *counterpart);

#endif
