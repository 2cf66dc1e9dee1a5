/* SPDX-License-Identifier: Apache-2.0 */
/* The wall clock in the unit that the API speaks. */
#include "base/clock.h"

#include <apr_time.h>

apr_int64_t wa_clock_now_ms(void)
{
    return apr_time_as_msec(apr_time_now());
}
