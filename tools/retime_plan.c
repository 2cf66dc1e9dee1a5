/* SPDX-License-Identifier: Apache-2.0 */
/* Which times records get that are dated ahead of the clock. */
#include "retime_plan.h"

/* Gives entries from `first` on times before `limit_ms`, the last one the latest.
 * @param slack_ms  what is shared out between them by their distances; negative: they keep these
 * @return the last one's time, which is too late where there is no room */
static apr_int64_t run_try(retime_entry_t *first, const retime_entry_t *last, apr_int64_t before_ms,
                           apr_int64_t limit_ms, apr_int64_t slack_ms)
{
    const apr_int64_t span = last->was_ms - first->was_ms;
    retime_entry_t *e;

    for (e = first; e <= last; e++) {
        apr_int64_t back = last->was_ms - e->was_ms;

        if (slack_ms >= 0) {
            back = (last - e) + (span > 0 ? (apr_int64_t)((__int128)slack_ms * back / span) : 0);
        }
        e->ms = limit_ms - 1 - back > before_ms ? limit_ms - 1 - back : before_ms + 1;
        before_ms = e->ms;
    }
    return last->ms;
}

/* Entries first … last have no date. They end before `limit_ms`, and are drawn together where they
 * have to. */
static void run_place(retime_entry_t *first, const retime_entry_t *last, apr_int64_t before_ms,
                      apr_int64_t limit_ms)
{
    const apr_int64_t span = last->was_ms - first->was_ms;
    apr_int64_t slack_ms = limit_ms - 1 - before_ms - (last - first + 1);

    if (run_try(first, last, before_ms, limit_ms, -1) < limit_ms
        && (before_ms == 0 || first->ms == limit_ms - 1 - span)) {
        return;
    }
    slack_ms = slack_ms < span ? slack_ms : span;
    run_try(first, last, before_ms, limit_ms, slack_ms > 0 ? slack_ms : 0);
}

void retime_plan(retime_entry_t *entries, apr_size_t count, apr_int64_t before_ms,
                 apr_int64_t now_ms)
{
    apr_int64_t limit_ms = now_ms;
    apr_size_t i, first;

    /* No date can be right that is later than one that comes after it. */
    for (i = count; i > 0; i--) {
        retime_entry_t *e = &entries[i - 1];

        if (e->date_ms > 0) {
            limit_ms = e->date_ms < limit_ms ? e->date_ms : limit_ms;
            e->date_ms = limit_ms;
        }
    }
    for (i = 0; i < count; i++) {
        for (first = i; i < count && entries[i].date_ms <= 0; i++) {
        }
        if (i > first) {
            run_place(&entries[first], &entries[i - 1], before_ms,
                      i < count ? entries[i].date_ms : now_ms + 1);
            before_ms = entries[i - 1].ms;
        }
        if (i < count) {
            entries[i].ms = entries[i].date_ms > before_ms ? entries[i].date_ms : before_ms + 1;
            before_ms = entries[i].ms;
        }
    }
}

apr_int64_t retime_map(const retime_entry_t *entries, apr_size_t count, apr_int64_t ms)
{
    apr_size_t low = 0, high = count;

    while (low < high) {
        const apr_size_t middle = low + (high - low) / 2;

        if (entries[middle].was_ms < ms) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return entries[low < count ? low : count - 1].ms;
}
