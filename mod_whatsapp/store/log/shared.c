/* SPDX-License-Identifier: Apache-2.0 */
/* Robust process-shared locks, the two-slot tail and futex waits over the shared state. */
#include "store/log/shared.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int lock_init(pthread_mutex_t *lock)
{
    pthread_mutexattr_t attr;
    int rc = pthread_mutexattr_init(&attr);

    if (rc) {
        return rc;
    }
    rc = pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
    if (!rc) {
        rc = pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
    }
    if (!rc) {
        rc = pthread_mutex_init(lock, &attr);
    }
    pthread_mutexattr_destroy(&attr);
    return rc;
}

apr_status_t wa_shared_init(wa_shared_t *s, const wa_tail_t *tail)
{
    memset(s, 0, sizeof(*s));
    if (lock_init(&s->append) || lock_init(&s->sync) || lock_init(&s->upkeep)) {
        return APR_EGENERAL;
    }
    s->tails[0] = *tail;
    s->durables[0] = *tail;
    s->reserved_end = tail->offset;
    s->visible = tail->offset;
    s->news_told = tail->offset;
    s->synced = tail->offset;
    s->closed_ms = tail->timestamp_ms;
    s->layout = WA_SHARED_LAYOUT;
    return APR_SUCCESS;
}

apr_status_t wa_shared_lock(pthread_mutex_t *lock, int *pholder_died)
{
    int rc = pthread_mutex_lock(lock);

    if (pholder_died) {
        *pholder_died = rc == EOWNERDEAD;
    }
    if (rc == EOWNERDEAD) {
        rc = pthread_mutex_consistent(lock);
    }
    return rc ? APR_EGENERAL : APR_SUCCESS;
}

apr_status_t wa_shared_trylock(pthread_mutex_t *lock)
{
    int rc = pthread_mutex_trylock(lock);

    if (rc == EOWNERDEAD) {
        rc = pthread_mutex_consistent(lock);
    }
    if (rc == EBUSY) {
        return APR_EBUSY;
    }
    return rc ? APR_EGENERAL : APR_SUCCESS;
}

void wa_shared_unlock(pthread_mutex_t *lock)
{
    pthread_mutex_unlock(lock);
}

/* Two slots, of which the lowest bit of `current` says which holds. */
static wa_tail_t slot_read(const apr_uint32_t *current, const wa_tail_t slots[2])
{
    wa_tail_t tail;
    apr_uint32_t before;

    do {
        before = __atomic_load_n(current, __ATOMIC_ACQUIRE);
        tail = slots[before & 1];
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
    } while (before != __atomic_load_n(current, __ATOMIC_RELAXED));
    return tail;
}

static void slot_write(apr_uint32_t *current, wa_tail_t slots[2], const wa_tail_t *tail)
{
    apr_uint32_t next = *current + 1;

    slots[next & 1] = *tail;
    __atomic_store_n(current, next, __ATOMIC_RELEASE);
}

wa_tail_t wa_shared_tail(const wa_shared_t *s)
{
    return slot_read(&s->tail_current, s->tails);
}

void wa_shared_tail_set(wa_shared_t *s, const wa_tail_t *tail)
{
    slot_write(&s->tail_current, s->tails, tail);
}

wa_tail_t wa_shared_durable(const wa_shared_t *s)
{
    return slot_read(&s->durable_current, s->durables);
}

void wa_shared_durable_set(wa_shared_t *s, const wa_tail_t *tail)
{
    slot_write(&s->durable_current, s->durables, tail);
}

void wa_shared_wait(const apr_uint32_t *word, apr_uint32_t value)
{
    static const struct timespec limit = {0, 20 * 1000 * 1000};

    syscall(SYS_futex, word, FUTEX_WAIT, value, &limit, NULL, 0);
}

void wa_shared_wake(apr_uint32_t *word, int count)
{
    __atomic_add_fetch(word, 1, __ATOMIC_SEQ_CST);
    syscall(SYS_futex, word, FUTEX_WAKE, count, NULL, NULL, 0);
}

/* Makes *number at least `value`. */
static void number_raise(apr_uint64_t *number, apr_uint64_t value)
{
    apr_uint64_t now = __atomic_load_n(number, __ATOMIC_SEQ_CST);

    while (now < value
           && !__atomic_compare_exchange_n(number, &now, value, 0, __ATOMIC_SEQ_CST,
                                           __ATOMIC_SEQ_CST)) {
        continue;
    }
}

/* Whoever sleeps at `visible` V has raised `news_waited` to V at least and then found `visible` at
 * V. `news_told` is raised only after all were woken, and only to what `visible` was before that:
 * so while somebody sleeps at V it is at most V, and everybody who tells wakes. */
void wa_shared_news_tell(wa_shared_t *s)
{
    apr_uint64_t visible;

    if (__atomic_load_n(&s->news_waited, __ATOMIC_SEQ_CST)
        < __atomic_load_n(&s->news_told, __ATOMIC_SEQ_CST)) {
        return;
    }
    visible = __atomic_load_n(&s->visible, __ATOMIC_SEQ_CST);
    wa_shared_wake(&s->news, INT_MAX);
    number_raise(&s->news_told, visible);
}

void wa_shared_news_wait(wa_shared_t *s, apr_uint32_t news, apr_uint64_t seen,
                         apr_interval_time_t limit)
{
    struct timespec time = {apr_time_sec(limit), apr_time_usec(limit) * 1000};

    number_raise(&s->news_waited, seen);
    /* Who made it grow before that did not know of us. */
    if (__atomic_load_n(&s->visible, __ATOMIC_SEQ_CST) == seen) {
        syscall(SYS_futex, &s->news, FUTEX_WAIT, news, &time, NULL, 0);
    }
}
