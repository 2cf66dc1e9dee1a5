/* SPDX-License-Identifier: Apache-2.0 */
/* Fills an empty replica from what a checkpoint holds, believing nothing that the journal does not
 * say too. */
#include "store/view/replica_load.h"

#include <stdlib.h>

#include "store/view/replica_parts.h"

/* A record that a checkpoint or the index points to. Where it is not right the journal is read
 * again and shows what is damaged, so nothing is logged. */
static const wa_record_t *record_load(wa_replica_t *replica, apr_uint64_t offset, apr_uint64_t end)
{
    const wa_record_t *r = wa_journal_record(replica->journal, offset, end);

    return r && wa_record_payload_is_valid(r) ? r : NULL;
}

/* The name that the thread's counterpart gave themself in a message of theirs. */
static apr_status_t name_load(wa_replica_t *replica, wa_replica_thread_t *t, apr_uint64_t name_row,
                              const wa_tail_t *at)
{
    const wa_row_t *row =
        name_row <= at->rows && name_row > 0 ? wa_index_row(replica->index, name_row) : NULL;
    const wa_record_t *r = row ? record_load(replica, row->offset, at->offset) : NULL;
    wa_record_message_t m;

    if (name_row == 0) {
        return APR_SUCCESS;
    }
    if (!r || r->type != WA_RECORD_MESSAGE || r->row != name_row
        || wa_record_message_read(r, &m) != APR_SUCCESS || m.profile_name.len == 0
        || !wa_slice_is_equal(m.counterpart, t->counterpart)) {
        return APR_EGENERAL;
    }
    t->profile_name = m.profile_name;
    t->name_row = name_row;
    return APR_SUCCESS;
}

static int thread_is_possible(const wa_replica_thread_t *t, const wa_tail_t *at)
{
    return t->last_row > 0 && t->last_row <= at->rows && t->read_row <= at->rows
           && t->message_count > 0 && t->message_count <= at->rows
           && t->unread_count <= t->message_count && wa_record_time_is_valid(t->changed_ms)
           && wa_record_time_is_valid(t->last_inbound_ms);
}

/* When they wrote to each of our numbers: which number, the message itself says. */
static apr_status_t inbound_load(wa_replica_t *replica, wa_replica_thread_t *t,
                                 const wa_replica_thread_t *thread, const wa_tail_t *at)
{
    apr_uint32_t i;

    for (i = 0; i < thread->inbound_count; i++) {
        wa_replica_inbound_t inbound = thread->inbound[i];
        const wa_row_t *row = inbound.row > 0 && inbound.row <= at->rows
                                  ? wa_index_row(replica->index, inbound.row)
                                  : NULL;
        const wa_record_t *r = row ? record_load(replica, row->offset, at->offset) : NULL;
        wa_record_message_t m;

        if (!r || r->type != WA_RECORD_MESSAGE || r->row != inbound.row
            || wa_record_message_read(r, &m) != APR_SUCCESS || m.direction != WA_DIRECTION_RECEIVED
            || !wa_slice_is_equal(m.counterpart, t->counterpart)
            || wa_replica_thread_inbound_find(t, m.phone_number)) {
            return APR_EGENERAL;
        }
        inbound.last.phone_number = m.phone_number;
        wa_replica_thread_inbound_add(replica, t, &inbound);
    }
    return APR_SUCCESS;
}

apr_status_t wa_replica_thread_load(wa_replica_t *replica, const wa_replica_thread_t *thread,
                                    const wa_tail_t *at)
{
    const wa_row_t *row =
        thread_is_possible(thread, at) ? wa_index_row(replica->index, thread->last_row) : NULL;
    const wa_record_t *r = row ? record_load(replica, row->offset, at->offset) : NULL;
    wa_replica_thread_t *t;
    wa_record_message_t m;

    if (!r || r->type != WA_RECORD_MESSAGE || r->row != thread->last_row
        || wa_record_message_read(r, &m) != APR_SUCCESS
        || !wa_slice_is_equal(m.counterpart, thread->counterpart)
        || wa_replica_thread_find(replica, m.counterpart)) {
        return APR_EGENERAL;
    }
    t = wa_replica_thread_create(replica, m.counterpart);
    t->preview = m.preview;
    t->last_direction = m.direction;
    t->last_timestamp_ms = r->timestamp_ms;
    t->version = at->offset;
    t->last_row = thread->last_row;
    t->read_row = thread->read_row;
    t->message_count = thread->message_count;
    t->unread_count = thread->unread_count;
    t->changed_ms = thread->changed_ms;
    t->last_inbound_ms = thread->last_inbound_ms;
    t->flags = thread->flags;
    if (t->changed_ms > replica->threads_changed_ms) {
        replica->threads_changed_ms = t->changed_ms;
    }
    if (name_load(replica, t, thread->name_row, at) != APR_SUCCESS) {
        return APR_EGENERAL;
    }
    return inbound_load(replica, t, thread, at);
}

apr_status_t wa_replica_contact_load(wa_replica_t *replica, apr_uint64_t offset, apr_uint64_t end)
{
    const wa_record_t *r = record_load(replica, offset, end);
    wa_record_contact_t c;

    if (!r || r->type != WA_RECORD_CONTACT || wa_record_contact_read(r, &c) != APR_SUCCESS) {
        return APR_EGENERAL;
    }
    wa_replica_contact_put(replica, r, offset, &c);
    return APR_SUCCESS;
}

apr_status_t wa_replica_parked_load(wa_replica_t *replica, apr_uint64_t offset, apr_uint64_t end)
{
    const wa_record_t *r = record_load(replica, offset, end);
    wa_record_parked_t k;

    if (!r || r->type != WA_RECORD_PARKED || wa_record_parked_read(r, &k) != APR_SUCCESS) {
        return APR_EGENERAL;
    }
    wa_replica_parked_put(replica, offset, &k);
    return APR_SUCCESS;
}

apr_status_t wa_replica_pending_load(wa_replica_t *replica, apr_uint64_t row, const wa_tail_t *at)
{
    const wa_row_t *entry = row <= at->rows ? wa_index_row(replica->index, row) : NULL;
    const wa_record_t *r = entry ? record_load(replica, entry->offset, at->offset) : NULL;

    if (!r || r->type != WA_RECORD_MESSAGE || r->row != row) {
        return APR_EGENERAL;
    }
    wa_replica_pending_set(replica, row, 1);
    return APR_SUCCESS;
}

/* 1 when the journal's last record before the checkpoint is the one that the checkpoint was made
 * at. Where another course of the same store was put back, everything after would look like damage,
 * be it a whole record or the middle of one. */
static int journal_is_the_same(wa_replica_t *replica, const wa_tail_t *at)
{
    apr_uint64_t offset = wa_index_mark_find(replica->index, at->records, APR_INT64_MAX);
    apr_uint32_t crc = 0;

    offset = offset ? offset : WA_JOURNAL_START;
    while (offset < at->offset) {
        const wa_record_t *r = wa_journal_record(replica->journal, offset, at->offset);

        if (!r) {
            return 0;
        }
        crc = r->type != WA_RECORD_FILLER ? r->header_crc : crc;
        offset += r->length;
    }
    return offset == at->offset && crc == at->crc;
}

static int newest_last(const void *a, const void *b)
{
    const wa_replica_thread_t *x = *(wa_replica_thread_t *const *)a,
                              *y = *(wa_replica_thread_t *const *)b;

    if (x->last_row == y->last_row) {
        return 0;
    }
    return x->last_row < y->last_row ? -1 : 1;
}

apr_status_t wa_replica_load_end(wa_replica_t *replica, const wa_tail_t *at)
{
    apr_size_t count = apr_hash_count(replica->threads), n = 0, i;
    wa_replica_thread_t **all;
    apr_uint64_t messages = 0;
    apr_hash_index_t *hi;

    if (!journal_is_the_same(replica, at)) {
        return APR_EGENERAL;
    }
    all = malloc((count + 1) * sizeof(*all));
    if (!all) {
        return APR_ENOMEM;
    }
    for (hi = apr_hash_first(NULL, replica->threads); hi; hi = apr_hash_next(hi)) {
        all[n++] = apr_hash_this_val(hi);
    }
    qsort(all, n, sizeof(*all), newest_last);
    for (i = 0; i < n; i++) {
        wa_replica_thread_t *t = all[i];

        messages += t->message_count; /* each is at->rows at most, so this is no overflow */
        if (messages > at->rows) {
            break;
        }
        wa_replica_thread_lead(replica, t);
        t->contact = apr_hash_get(replica->contacts_by_number, t->counterpart.ptr,
                                  (apr_ssize_t)t->counterpart.len);
    }
    free(all);
    if (messages > at->rows) {
        return APR_EGENERAL;
    }
    replica->at = *at;
    replica->threads_version = replica->contacts_version = at->offset;
    return APR_SUCCESS;
}
