/* SPDX-License-Identifier: Apache-2.0 */
/* What all operations of the store in memory share: its lock, clock and commits, and what a test
 * laid into it. */
#include "fake_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "base/clock.h"

fake_store_t *fake_enter(wa_store_t *self)
{
    fake_store_t *fake = (fake_store_t *)self;

    if (pthread_mutex_lock(&fake->lock)) {
        fprintf(stderr, "a visitor of threads or contacts called the store\n");
        abort();
    }
    return fake;
}

void fake_leave(fake_store_t *fake)
{
    pthread_mutex_unlock(&fake->lock);
}

apr_status_t fake_failure_take(fake_store_t *fake, fake_op_e op)
{
    apr_status_t rv = fake->failures[op];

    fake->failures[op] = APR_SUCCESS;
    return rv;
}

void fake_hook_run(fake_store_t *fake, fake_op_e op)
{
    void (*hook)(void *) = fake->hooks[op];

    fake->hooks[op] = NULL;
    if (hook) {
        hook(fake->batons[op]);
    }
}

wa_slice_t fake_slice_dup(wa_slice_t s, apr_pool_t *p)
{
    return s.len > 0 ? wa_slice_make(apr_pstrmemdup(p, s.ptr, s.len), s.len)
                     : (wa_slice_t){NULL, 0};
}

void *fake_by_slice(apr_hash_t *hash, wa_slice_t key)
{
    return key.len > 0 ? apr_hash_get(hash, key.ptr, (apr_ssize_t)key.len) : NULL;
}

int fake_is_over(const char *text, apr_size_t max)
{
    return text && strlen(text) > max;
}

wa_contact_t *fake_contact_by(const fake_store_t *fake, wa_slice_t id, wa_slice_t number)
{
    int i;

    for (i = 0; i < fake->contacts->nelts; i++) {
        wa_contact_t *c = &APR_ARRAY_IDX(fake->contacts, i, wa_contact_t);

        if ((id.len && wa_slice_is_equal(c->id, id))
            || (number.len && wa_slice_is_equal(c->phone_number, number))) {
            return c;
        }
    }
    return NULL;
}

apr_int64_t fake_clock_get(const fake_store_t *fake)
{
    return fake->is_clock_followed ? wa_clock_now_ms() : fake->now_ms + fake->date_shift_ms;
}

/* The commit's time. */
static apr_int64_t time_next(fake_store_t *fake)
{
    if (!fake->is_clock_followed) {
        return ++fake->now_ms;
    }
    if (wa_clock_now_ms() > fake->now_ms) {
        fake->now_ms = wa_clock_now_ms();
    }
    if (fake->now_ms <= fake->closed_ms) {
        fake->now_ms = fake->closed_ms + 1;
    }
    return fake->now_ms;
}

/* The clock went back behind what people wrote: they wrote before this. */
static void clock_note(fake_store_t *fake, apr_int64_t clock_ms)
{
    apr_hash_index_t *i;

    for (i = apr_hash_first(fake->p, fake->threads); i; i = apr_hash_next(i)) {
        fake_thread_t *t = apr_hash_this_val(i);
        apr_size_t n;

        for (n = 0; n < t->row.inbound_count; n++) {
            wa_inbound_t *last = &t->inbound[n];

            if (!last->before_ms && last->date_ms > clock_ms + WA_CLOCK_SKEW_MS) {
                last->before_ms = clock_ms;
            }
        }
    }
}

apr_int64_t fake_commit(fake_store_t *fake, apr_int64_t given_ms, fake_message_t *message,
                        int is_new)
{
    const apr_int64_t timestamp_ms = given_ms ? (fake->now_ms = given_ms) : time_next(fake);

    APR_ARRAY_PUSH(fake->commits, fake_commit_t) = (fake_commit_t){timestamp_ms, message, is_new};
    clock_note(fake, given_ms ? given_ms : fake_clock_get(fake));
    pthread_cond_broadcast(&fake->news);
    return timestamp_ms;
}

apr_uint64_t fake_version_get(const fake_store_t *fake)
{
    return (apr_uint64_t)fake->commits->nelts;
}

void fake_thread_changed(fake_store_t *fake, fake_thread_t *t)
{
    t->row.changed_ms = fake->now_ms;
    t->version = fake->threads_version = fake_version_get(fake);
}
