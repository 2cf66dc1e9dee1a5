/* SPDX-License-Identifier: Apache-2.0 */
/* What a checkpoint holds of a thread: the value under "thread:{counterpart}". */
#include "store/view/thread_value.h"

#include <stddef.h>
#include <string.h>

#include "store/view/replica_load.h"

/* When they wrote to one of our numbers: to which, the message in `row` says. */
typedef struct inbound_value_t {
    apr_int64_t date_ms, before_ms;
    apr_uint64_t row;
} inbound_value_t;

/* As it is on the disk; `inbound` has as many elements as inbound_count says. */
typedef struct thread_value_t {
    apr_uint64_t last_row, read_row, name_row, message_count, unread_count;
    apr_int64_t changed_ms, last_inbound_ms;
    apr_uint32_t flags, inbound_count;
    inbound_value_t inbound[WA_STORE_NUMBERS_MAX];
} thread_value_t;

static apr_size_t size_of(apr_uint32_t inbound_count)
{
    return offsetof(thread_value_t, inbound) + inbound_count * sizeof(inbound_value_t);
}

apr_size_t wa_thread_value_size(const wa_replica_thread_t *t)
{
    return size_of(t->inbound_count);
}

void wa_thread_value_make(void *to, const wa_replica_thread_t *t)
{
    thread_value_t v = {.last_row = t->last_row,
                        .read_row = t->read_row,
                        .name_row = t->name_row,
                        .message_count = t->message_count,
                        .unread_count = t->unread_count,
                        .changed_ms = t->changed_ms,
                        .last_inbound_ms = t->last_inbound_ms,
                        .flags = t->flags,
                        .inbound_count = t->inbound_count};
    apr_uint32_t i;

    for (i = 0; i < t->inbound_count; i++) {
        const wa_replica_inbound_t *inbound = &t->inbound[i];

        v.inbound[i] =
            (inbound_value_t){inbound->last.date_ms, inbound->last.before_ms, inbound->row};
    }
    memcpy(to, &v, size_of(t->inbound_count));
}

apr_status_t wa_thread_value_load(wa_replica_t *replica, wa_slice_t counterpart, wa_slice_t value,
                                  const wa_tail_t *at)
{
    wa_replica_inbound_t inbound[WA_STORE_NUMBERS_MAX];
    wa_replica_thread_t thread = {.counterpart = counterpart, .inbound = inbound};
    thread_value_t v;
    apr_uint32_t i;

    if (value.len < size_of(0) || value.len > sizeof(v)) {
        return APR_EGENERAL;
    }
    memcpy(&v, value.ptr, value.len);
    if (v.inbound_count > WA_STORE_NUMBERS_MAX || value.len != size_of(v.inbound_count)) {
        return APR_EGENERAL;
    }
    thread.last_row = v.last_row;
    thread.read_row = v.read_row;
    thread.name_row = v.name_row;
    thread.message_count = v.message_count;
    thread.unread_count = v.unread_count;
    thread.changed_ms = v.changed_ms;
    thread.last_inbound_ms = v.last_inbound_ms;
    thread.flags = v.flags;
    thread.inbound_count = v.inbound_count;
    for (i = 0; i < v.inbound_count; i++) {
        const inbound_value_t *one = &v.inbound[i];

        inbound[i] = (wa_replica_inbound_t){{{NULL, 0}, one->date_ms, one->before_ms}, one->row};
    }
    return wa_replica_thread_load(replica, &thread, at);
}
