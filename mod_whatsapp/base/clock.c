/* SPDX-License-Identifier: Apache-2.0 */
/* The wall clock in the unit that the API speaks, and one that never jumps. */
#include "base/clock.h"

#include <time.h>

apr_int64_t wa_clock_now_ms(void)
{
    return apr_time_as_msec(apr_time_now());
}

apr_time_t wa_clock_steady_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (apr_time_t)now.tv_sec * APR_USEC_PER_SEC + now.tv_nsec / 1000;
}
