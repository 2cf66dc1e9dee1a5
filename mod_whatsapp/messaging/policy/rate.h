/* SPDX-License-Identifier: Apache-2.0 */
/* How often somebody may do something: token buckets that all processes share. */
#ifndef WA_MESSAGING_POLICY_RATE_H
#define WA_MESSAGING_POLICY_RATE_H

#include <apr.h>
#include <apr_time.h>

#define WA_RATE_SETS 2048
#define WA_RATE_WAYS 8

/* In memory that all processes share. Each bucket is one number that says whose it is and when it
 * will be full again, changed by one atomic step: a killed process leaves nothing held or half
 * done. A bucket that is full is as good as none, so its place is free: nothing has to be cleaned
 * up. Where all places of a set are taken the one that is fullest gives way. */
typedef struct wa_rate_table_t {
    apr_uint64_t key[2]; /* set once, at random: nobody can choose names that fall together */
    apr_uint64_t buckets[WA_RATE_SETS][WA_RATE_WAYS];
} wa_rate_table_t;

/* `count` times in `period`, all of them at once if need be. */
typedef struct wa_rate_t {
    apr_uint32_t count; /* 0: no limit */
    apr_interval_time_t period;
} wa_rate_t;

/* Takes a token out of a name's bucket.
 * @param now   of a clock that all processes share and that never goes back; over 0
 * @return 0 it was there | else how long until it will be. Any thread. */
apr_interval_time_t wa_rate_take(wa_rate_table_t *table, const wa_rate_t *rate, const char *name,
                                 apr_time_t now);

/* Puts one back, after it was taken in vain. Any thread. */
void wa_rate_give_back(wa_rate_table_t *table, const wa_rate_t *rate, const char *name,
                       apr_time_t now);

#endif
