/* SPDX-License-Identifier: Apache-2.0 */
/* The wall clock in the unit that the API speaks. */
#ifndef WA_BASE_CLOCK_H
#define WA_BASE_CLOCK_H

#include <apr.h>

/* Unix time in milliseconds, as the system says: it may jump. Any thread. */
apr_int64_t wa_clock_now_ms(void);

#endif
