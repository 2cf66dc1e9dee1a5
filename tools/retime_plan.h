/* SPDX-License-Identifier: Apache-2.0 */
/* Which times records get that are dated ahead of the clock. */
#ifndef WA_TOOLS_RETIME_PLAN_H
#define WA_TOOLS_RETIME_PLAN_H

#include <apr.h>

/* One record that is dated ahead; all that come after it are, too. */
typedef struct retime_entry_t {
    apr_int64_t was_ms;  /* never less than that of the entry before */
    apr_int64_t date_ms; /* what the clock said at its commit; 0: nothing that can be right */
    apr_int64_t ms;      /* out */
} retime_entry_t;

/* Gives each entry a time: growing from entry to entry, after `before_ms`, and up to `now_ms` as
 * far as that has room for all. One whose date is known gets that. Those between two that are known
 * keep their distances, as late as what follows allows; where that is too little room, they are
 * drawn together.
 * @param before_ms  of the last record that is not ahead, 0 for none */
void retime_plan(retime_entry_t *entries, apr_size_t count, apr_int64_t before_ms,
                 apr_int64_t now_ms);

/* The new time of what was at `ms`: of the first entry that was not before that; the last one's
 * beyond all. */
apr_int64_t retime_map(const retime_entry_t *entries, apr_size_t count, apr_int64_t ms);

#endif
