/* SPDX-License-Identifier: Apache-2.0 */
/* How far the store's time is ahead of the clock, and saying so. */
#ifndef WA_STORE_DBM_LIFECYCLE_AHEAD_H
#define WA_STORE_DBM_LIFECYCLE_AHEAD_H

#include "base/clock.h"
#include "store/dbm/dbm.h"

/* How far ahead is worth a word: bursts of more than 1,000 commits a second stay far below. */
#define WA_AHEAD_MS WA_CLOCK_SKEW_MS

/* By how much `timestamp_ms` is ahead of the clock, 0 up to WA_AHEAD_MS. Any thread. */
apr_int64_t wa_ahead_of(apr_int64_t timestamp_ms, apr_int64_t now_ms);

/* "400 days", "3 hours" or "12 minutes", in p. Any thread that may use p. */
const char *wa_ahead_text(apr_int64_t ahead_ms, apr_pool_t *p);

/* Logs it (WA0455), at a start, and then at most once an hour over all processes.
 * @param is_start  1: whatever was logged before. Any thread. */
void wa_dbm_ahead_log(wa_dbm_store_t *store, int is_start, apr_pool_t *tmp);

#endif
