/* SPDX-License-Identifier: Apache-2.0 */
/* The wall clock in the unit that the API speaks, and one that never jumps. */
#ifndef WA_BASE_CLOCK_H
#define WA_BASE_CLOCK_H

#include <apr.h>
#include <apr_time.h>

/* 2010: a clock that says less was never set. */
#define WA_CLOCK_SET_S 1262304000u

/* How far apart the clocks of two healthy machines may be: a date that lies this far ahead of the
 * clock may still be right. */
#define WA_CLOCK_SKEW_MS ((apr_int64_t)5 * 60 * 1000)

/* Unix time in milliseconds, as the system says: it may jump. Any thread. */
apr_int64_t wa_clock_now_ms(void);

/* Microseconds, over 0, since a moment that is the same for all processes of the machine: for
 * durations, whatever is done to the wall clock. Any thread. */
apr_time_t wa_clock_steady_us(void);

#endif
