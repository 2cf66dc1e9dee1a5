/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting for something new in the store, asleep on a word of the shared memory. */
#include "store/dbm/operation/wait.h"

#include <limits.h>

#include "base/clock.h"
#include "store/dbm/operation/read.h"

/* The longest that the clock can add up; nobody lives to see it. */
#define TIMEOUT_MAX apr_time_from_sec((apr_interval_time_t)365 * 24 * 3600)

apr_status_t wa_dbm_wait(wa_store_t *self, apr_uint64_t version, apr_interval_time_t timeout)
{
    wa_dbm_store_t *store = WA_DBM_STORE(self);
    wa_shared_t *s = store->shared;
    const apr_time_t until = wa_clock_steady_us() + (timeout < TIMEOUT_MAX ? timeout : TIMEOUT_MAX);

    for (;;) {
        /* Both are read before what they say is looked at: what comes in between ends the sleep. */
        const apr_uint32_t news = __atomic_load_n(&s->news, __ATOMIC_SEQ_CST);
        const apr_uint64_t visible = __atomic_load_n(&s->visible, __ATOMIC_SEQ_CST);
        apr_interval_time_t left;

        if (wa_dbm_version(self, WA_VERSION_ALL) != version) {
            return APR_SUCCESS;
        }
        if (__atomic_load_n(&store->is_wait_over, __ATOMIC_SEQ_CST)) {
            return APR_EINTR;
        }
        left = until - wa_clock_steady_us();
        if (left <= 0) {
            return APR_TIMEUP;
        }
        wa_shared_news_wait(s, news, visible, left);
    }
}

void wa_dbm_wait_end(wa_store_t *self)
{
    wa_dbm_store_t *store = WA_DBM_STORE(self);

    __atomic_store_n(&store->is_wait_over, 1, __ATOMIC_SEQ_CST);
    /* Those of other processes look once and sleep again. */
    wa_shared_wake(&store->shared->news, INT_MAX);
}
