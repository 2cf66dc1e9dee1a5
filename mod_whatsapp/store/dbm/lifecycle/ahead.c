/* SPDX-License-Identifier: Apache-2.0 */
/* How far the store's time is ahead of the clock, and saying so. */
#include "store/dbm/lifecycle/ahead.h"

#include <apr_strings.h>

#define LOG_EVERY apr_time_from_sec(3600)
#define MINUTE_MS ((apr_int64_t)60000)

apr_int64_t wa_ahead_of(apr_int64_t timestamp_ms, apr_int64_t now_ms)
{
    return timestamp_ms - now_ms > WA_AHEAD_MS ? timestamp_ms - now_ms : 0;
}

const char *wa_ahead_text(apr_int64_t ahead_ms, apr_pool_t *p)
{
    const apr_int64_t minutes = ahead_ms / MINUTE_MS;

    if (minutes >= 2 * 1440) {
        return apr_psprintf(p, "%" APR_INT64_T_FMT " days", minutes / 1440);
    }
    return minutes >= 120 ? apr_psprintf(p, "%" APR_INT64_T_FMT " hours", minutes / 60)
                          : apr_psprintf(p, "%" APR_INT64_T_FMT " minutes", minutes);
}

void wa_dbm_ahead_log(wa_dbm_store_t *store, int is_start, apr_pool_t *tmp)
{
    const apr_int64_t ahead_ms =
        wa_ahead_of(wa_shared_tail(store->shared).timestamp_ms, wa_clock_now_ms());
    const apr_time_t now_us = wa_clock_steady_us();
    apr_time_t logged_us = __atomic_load_n(&store->shared->ahead_logged_us, __ATOMIC_RELAXED);

    if (ahead_ms == 0 || store->tool
        || (!is_start && logged_us != 0 && now_us - logged_us < LOG_EVERY)
        || !__atomic_compare_exchange_n(&store->shared->ahead_logged_us, &logged_us, now_us, 0,
                                        __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
        return;
    }
    WA_LOG(
        store->log, WA_LOG_WARNING, "WA0455", APR_SUCCESS,
        "%s: the store's time is %s ahead of the clock, and new messages are dated after it: the "
        "clock was ahead once, or is behind now. When it is right, stop the server and run "
        "whatsappctl retime",
        store->place.directory, wa_ahead_text(ahead_ms, tmp));
}
