/* SPDX-License-Identifier: Apache-2.0 */
/* A wall clock that stands where a test wants it, in front of the system's for the library and for
 * APR alike. For one file of a test program. */
#ifndef WA_TESTS_FIXED_CLOCK_H
#define WA_TESTS_FIXED_CLOCK_H

#include <dlfcn.h>
#include <stdint.h>
#include <sys/time.h>

static int64_t fixed_clock_ms;                             /* what it says, 0: the truth */
static int64_t clock_shift_ms __attribute__((__unused__)); /* added to the truth, whole seconds */

__attribute__((visibility("default"))) int gettimeofday(struct timeval *restrict now,
                                                        void *restrict zone)
{
    static int (*real)(struct timeval *, void *);
    int rc;

    if (!real) {
        *(void **)&real = dlsym(RTLD_NEXT, "gettimeofday");
    }
    if (fixed_clock_ms) {
        now->tv_sec = fixed_clock_ms / 1000;
        now->tv_usec = fixed_clock_ms % 1000 * 1000;
        return 0;
    }
    rc = real(now, zone);
    now->tv_sec += clock_shift_ms / 1000;
    return rc;
}

#endif
