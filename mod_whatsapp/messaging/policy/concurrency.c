/* SPDX-License-Identifier: Apache-2.0 */
/* How many calls may wait for Twilio at one time, counted over all processes of the server. */
#include "messaging/policy/concurrency.h"

#include <errno.h>
#include <signal.h>
#include <sys/types.h>

/* How often one tries: two that enter at the same instant see each other, and may both step
 * back. */
#define TRIES 16

static int slot_take(wa_concurrency_slot_t *slot, apr_uint32_t from, apr_uint32_t pid)
{
    if (!__atomic_compare_exchange_n(&slot->pid, &from, pid, 0, __ATOMIC_ACQ_REL,
                                     __ATOMIC_RELAXED)) {
        return 0;
    }
    __atomic_store_n(&slot->count, 0, __ATOMIC_RELEASE);
    return 1;
}

static int is_gone(apr_uint32_t pid)
{
    return kill((pid_t)pid, 0) != 0 && errno == ESRCH;
}

static void used_raise(wa_concurrency_shared_t *shared, apr_uint32_t used)
{
    apr_uint32_t now = __atomic_load_n(&shared->used, __ATOMIC_ACQUIRE);

    while (now < used
           && !__atomic_compare_exchange_n(&shared->used, &now, used, 0, __ATOMIC_ACQ_REL,
                                           __ATOMIC_ACQUIRE)) {
    }
}

wa_concurrency_slot_t *wa_concurrency_claim(wa_concurrency_shared_t *shared, apr_uint32_t pid)
{
    apr_uint32_t i;

    wa_concurrency_free(shared, pid); /* another process had the same number before */
    for (i = 0; i < WA_CONCURRENCY_SLOTS; i++) {
        wa_concurrency_slot_t *slot = &shared->slots[i];
        const apr_uint32_t owner = __atomic_load_n(&slot->pid, __ATOMIC_ACQUIRE);

        if ((owner == 0 || is_gone(owner)) && slot_take(slot, owner, pid)) {
            used_raise(shared, i + 1);
            return slot;
        }
    }
    return NULL;
}

void wa_concurrency_free(wa_concurrency_shared_t *shared, apr_uint32_t pid)
{
    const apr_uint32_t used = __atomic_load_n(&shared->used, __ATOMIC_ACQUIRE);
    apr_uint32_t i;

    for (i = 0; i < used; i++) {
        if (__atomic_load_n(&shared->slots[i].pid, __ATOMIC_ACQUIRE) == pid) {
            __atomic_store_n(&shared->slots[i].count, 0, __ATOMIC_RELEASE);
            __atomic_store_n(&shared->slots[i].pid, 0, __ATOMIC_RELEASE);
        }
    }
}

apr_uint32_t wa_concurrency_count(const wa_concurrency_shared_t *shared)
{
    const apr_uint32_t used = __atomic_load_n(&shared->used, __ATOMIC_ACQUIRE);
    apr_uint32_t i, sum = 0;

    for (i = 0; i < used; i++) {
        sum += __atomic_load_n(&shared->slots[i].count, __ATOMIC_SEQ_CST);
    }
    return sum;
}

/* Counts first and looks then: whoever is over the limit sees it. */
static int shared_enter(const wa_concurrency_t *gate, apr_uint32_t max)
{
    int i;

    for (i = 0; i < TRIES; i++) {
        apr_uint32_t own = __atomic_add_fetch(&gate->own->count, 1, __ATOMIC_SEQ_CST);
        const int is_own_full = gate->process_max != 0 && own > gate->process_max;

        if (!is_own_full && (max == 0 || wa_concurrency_count(gate->shared) <= max)) {
            return 1;
        }
        __atomic_sub_fetch(&gate->own->count, 1, __ATOMIC_SEQ_CST);
        if (is_own_full || wa_concurrency_count(gate->shared) >= max) {
            return 0;
        }
    }
    return 0;
}

int wa_concurrency_enter(wa_messenger_t *messenger)
{
    const apr_uint32_t now = __atomic_add_fetch(&messenger->sends_in_flight, 1, __ATOMIC_ACQ_REL);
    const int is_in = messenger->gate ? shared_enter(messenger->gate, messenger->max_sends)
                                      : messenger->max_sends == 0 || now <= messenger->max_sends;

    if (!is_in) {
        __atomic_sub_fetch(&messenger->sends_in_flight, 1, __ATOMIC_ACQ_REL);
    }
    return is_in;
}

void wa_concurrency_leave(wa_messenger_t *messenger)
{
    if (messenger->gate) {
        __atomic_sub_fetch(&messenger->gate->own->count, 1, __ATOMIC_SEQ_CST);
    }
    __atomic_sub_fetch(&messenger->sends_in_flight, 1, __ATOMIC_ACQ_REL);
}
