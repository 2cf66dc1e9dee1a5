/* SPDX-License-Identifier: Apache-2.0 */
/* How often somebody may do something: token buckets that all processes share. */
#include "messaging/policy/rate.h"

#include <string.h>

#include "base/hash.h"

/*
 * A bucket: 22 bits of the name's hash, then 42 bits for the time at which it is full again, in
 * steps of 100 microseconds (enough for 13 years of uptime). Each token taken moves that time on by
 * period / count; no more may be taken than bring it to now + period. 0 is a bucket that nobody has
 * used.
 */
#define TIME_BITS 42
#define TIME_MASK ((((apr_uint64_t)1) << TIME_BITS) - 1)
#define STEP 100

typedef struct place_t {
    apr_uint64_t *set;
    apr_uint64_t tag; /* in its place in the word */
} place_t;

static place_t place_of(wa_rate_table_t *table, const char *name)
{
    const apr_uint64_t hash = wa_hash_keyed(table->key, name, strlen(name));
    place_t place = {table->buckets[hash % WA_RATE_SETS], (hash >> TIME_BITS) << TIME_BITS};

    return place;
}

/* The name's bucket, or the place where it can be: a full one, else the fullest. */
static apr_uint64_t *bucket_of(const place_t *place, apr_uint64_t now, apr_uint64_t *pword)
{
    apr_uint64_t *best = NULL;
    int i;

    for (i = 0; i < WA_RATE_WAYS; i++) {
        const apr_uint64_t word = __atomic_load_n(&place->set[i], __ATOMIC_ACQUIRE);

        if ((word & ~TIME_MASK) == place->tag && (word & TIME_MASK) > now) {
            *pword = word;
            return &place->set[i];
        }
        if (!best || (word & TIME_MASK) < (*pword & TIME_MASK)) {
            best = &place->set[i];
            *pword = word;
        }
    }
    return best;
}

/* How far one token moves the time: rounded up, so that no more than allowed go. */
static apr_uint64_t cost_of(const wa_rate_t *rate)
{
    const apr_uint64_t steps = (apr_uint64_t)rate->period / STEP;

    return (steps + rate->count - 1) / rate->count;
}

apr_interval_time_t wa_rate_take(wa_rate_table_t *table, const wa_rate_t *rate, const char *name,
                                 apr_time_t now)
{
    const place_t place = place_of(table, name);
    const apr_uint64_t at = (apr_uint64_t)now / STEP, cost = cost_of(rate);
    const apr_uint64_t latest = at + cost * rate->count;

    for (;;) {
        apr_uint64_t word, full;
        apr_uint64_t *bucket = bucket_of(&place, at, &word);
        const int is_ours = (word & ~TIME_MASK) == place.tag && (word & TIME_MASK) > at;

        full = (is_ours ? word & TIME_MASK : at) + cost;
        if (full > latest) {
            return (apr_interval_time_t)((full - latest) * STEP);
        }
        if (__atomic_compare_exchange_n(bucket, &word, place.tag | (full & TIME_MASK), 0,
                                        __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
            return 0;
        }
    }
}

void wa_rate_give_back(wa_rate_table_t *table, const wa_rate_t *rate, const char *name,
                       apr_time_t now)
{
    const place_t place = place_of(table, name);
    const apr_uint64_t at = (apr_uint64_t)now / STEP, cost = cost_of(rate);

    for (;;) {
        apr_uint64_t word;
        apr_uint64_t *bucket = bucket_of(&place, at, &word);

        if ((word & ~TIME_MASK) != place.tag || (word & TIME_MASK) <= at
            || (word & TIME_MASK) < cost) {
            return;
        }
        if (__atomic_compare_exchange_n(bucket, &word, word - cost, 0, __ATOMIC_ACQ_REL,
                                        __ATOMIC_ACQUIRE)) {
            return;
        }
    }
}
