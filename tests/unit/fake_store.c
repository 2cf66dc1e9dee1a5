/* SPDX-License-Identifier: Apache-2.0 */
/* A store in memory: the driver behind the real seam, its versions and waiting, what tests set. */
#include "fake_store.h"

#include <time.h>

#include "fake_contacts.h"
#include "fake_messages.h"
#include "fake_parked.h"
#include "fake_state.h"
#include "fake_threads.h"
#include "fake_walks.h"

/* ---- versions and waiting ---- */

static apr_uint64_t fake_version(wa_store_t *self, wa_version_e part)
{
    fake_store_t *fake = fake_enter(self);
    const apr_uint64_t version = part == WA_VERSION_THREADS    ? fake->threads_version
                                 : part == WA_VERSION_CONTACTS ? fake->contacts_version
                                                               : fake_version_get(fake);

    fake_leave(fake);
    return version;
}

static apr_uint64_t fake_thread_version(wa_store_t *self, const char *counterpart)
{
    fake_store_t *fake = fake_enter(self);
    const fake_thread_t *t = fake_by_slice(fake->threads, wa_slice_of(counterpart));
    const apr_uint64_t version = t ? t->version : 0;

    fake_leave(fake);
    return version;
}

static apr_status_t fake_wait(wa_store_t *self, apr_uint64_t version, apr_interval_time_t timeout)
{
    fake_store_t *fake = (fake_store_t *)self;
    struct timespec until;
    int rc = 0;
    apr_status_t rv = fake_failure_take(fake, FAKE_WAIT);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    fake_hook_run(fake, FAKE_WAIT);
    timeout = timeout > 0 ? timeout : 0;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += (long)apr_time_usec(timeout) * 1000;
    until.tv_sec += (time_t)apr_time_sec(timeout) + until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    fake_enter(self);
    while (!rc && fake_version_get(fake) == version && !fake->is_wait_over) {
        rc = pthread_cond_timedwait(&fake->news, &fake->lock, &until);
    }
    rv = fake_version_get(fake) != version ? APR_SUCCESS
         : fake->is_wait_over              ? APR_EINTR
                                           : APR_TIMEUP;
    fake_leave(fake);
    return rv;
}

static void fake_wait_end(wa_store_t *self)
{
    fake_store_t *fake = fake_enter(self);

    fake->is_wait_over = 1;
    pthread_cond_broadcast(&fake->news);
    fake_leave(fake);
}

/* ---- the store ---- */

static const wa_store_ops_t fake_ops = {
    .name = "fake",
    .version = fake_version,
    .thread_version = fake_thread_version,
    .wait = fake_wait,
    .wait_end = fake_wait_end,
    .message_add = fake_message_add,
    .message_update = fake_message_update,
    .message_find = fake_message_find,
    .messages_list = fake_messages_list,
    .pending_list = fake_pending_list,
    .changes_list = fake_changes_list,
    .threads_list = fake_threads_list,
    .thread_visit = fake_thread_visit,
    .thread_mark_read = fake_thread_mark_read,
    .thread_flags_set = fake_thread_flags_set,
    .contacts_list = fake_contacts_list,
    .contact_add = fake_contact_add,
    .contact_rename = fake_contact_rename,
    .contact_delete = fake_contact_delete,
    .contact_find = fake_contact_find,
    .parked_add = fake_parked_add,
    .parked_get = fake_parked_get,
};

static void locks_init(fake_store_t *fake)
{
    pthread_mutexattr_t checked;
    pthread_condattr_t steady;

    pthread_mutexattr_init(&checked);
    pthread_mutexattr_settype(&checked, PTHREAD_MUTEX_ERRORCHECK);
    pthread_mutex_init(&fake->lock, &checked);
    pthread_condattr_init(&steady);
    pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
    pthread_cond_init(&fake->news, &steady);
}

fake_store_t *fake_store_create(apr_pool_t *p)
{
    fake_store_t *fake = apr_pcalloc(p, sizeof(*fake));

    fake->base.ops = &fake_ops;
    fake->p = p;
    locks_init(fake);
    fake->by_number = apr_array_make(p, 16, sizeof(fake_message_t *));
    fake->ids = apr_hash_make(p);
    fake->sids = apr_hash_make(p);
    fake->keys = apr_hash_make(p);
    fake->threads = apr_hash_make(p);
    fake->contacts = apr_array_make(p, 4, sizeof(wa_contact_t));
    fake->parked = apr_hash_make(p);
    fake->commits = apr_array_make(p, 16, sizeof(fake_commit_t));
    fake->now_ms = 1700000000000;
    return fake;
}

wa_store_t *fake_store_seam(fake_store_t *fake)
{
    return &fake->base;
}

const fake_message_t *fake_store_newest(const fake_store_t *fake)
{
    return fake->messages;
}

apr_size_t fake_store_count(const fake_store_t *fake)
{
    return (apr_size_t)fake->by_number->nelts;
}

void fake_store_fail(fake_store_t *fake, fake_op_e op, apr_status_t rv)
{
    fake->failures[op] = rv;
}

void fake_store_meanwhile(fake_store_t *fake, fake_op_e op, void (*hook)(void *baton), void *baton)
{
    fake->hooks[op] = hook;
    fake->batons[op] = baton;
}

void fake_store_dates(fake_store_t *fake, apr_int64_t shift_ms)
{
    fake->date_shift_ms = shift_ms;
}

void fake_store_clock(fake_store_t *fake, apr_int64_t now_ms)
{
    fake->now_ms = now_ms;
}

void fake_store_follow_clock(fake_store_t *fake)
{
    fake->is_clock_followed = 1;
    fake->now_ms = 0;
}
