/* SPDX-License-Identifier: Apache-2.0 */
/* The second reading of what is to be loaded: stores messages and contacts by time, then what the
 * input says of their threads. */
#include "load_append.h"

#include <stdlib.h>
#include <string.h>

#include "ctl_end.h"
#include "ctl_say.h"
#include "load_item.h"
#include "load_judge.h"
#include "progress.h"
#include "store/log/order.h"

static int entry_compare(const void *a, const void *b)
{
    const load_entry_t *x = a, *y = b;

    if (x->time_ms != y->time_ms) {
        return x->time_ms < y->time_ms ? -1 : 1;
    }
    return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* Appends a record and applies it. @param time_ms  0: the time of the load */
static apr_status_t record_append(load_t *l, wa_record_t *record, apr_int64_t time_ms)
{
    wa_commit_t commit;
    apr_status_t rv;

    memset(&commit, 0, sizeof(commit));
    commit.base = l->store->replica.at.offset;
    commit.timestamp_ms = time_ms;
    rv = wa_order_append(&l->store->writer, record, &commit);
    return rv == APR_SUCCESS ? wa_replica_catch_up(&l->store->replica, l->store->shared) : rv;
}

/* A message that had several sids gets a state for each after the first. */
static apr_status_t sids_append(load_t *l, const load_item_t *item)
{
    apr_uint64_t row = l->store->replica.at.rows;
    const char *const *sid;
    apr_status_t rv = APR_SUCCESS;

    for (sid = item->sids; rv == APR_SUCCESS && sid && *sid; sid++) {
        wa_record_state_t state = {.sid = wa_slice_of(*sid),
                                   .delivery = item->message.delivery,
                                   .status = item->message.status,
                                   .sid_is_new = 1};
        const wa_row_t *entry = wa_index_row(&l->store->index, row);
        wa_record_t *record;

        state.previous = entry ? entry->state : 0;
        rv = wa_record_state_make(&record, &state, row, l->tmp);
        if (rv == APR_SUCCESS) {
            rv = record_append(l, record, item->time_ms);
        }
    }
    return rv;
}

static apr_status_t message_append(load_t *l, const load_item_t *item)
{
    const load_thread_t *t = load_thread_get(l, item->message.counterpart);
    wa_message_new_t m = item->message;
    wa_record_t *record;
    apr_status_t rv;

    if (load_message_is_there(l, item)) {
        l->duplicates++;
        return APR_SUCCESS;
    }
    if (m.direction == WA_DIRECTION_RECEIVED && m.profile_name.len == 0) {
        m.profile_name = wa_slice_of(t->profile_name);
    }
    rv = wa_record_message_make(&record, &m, l->tmp);
    if (rv == APR_SUCCESS) {
        rv = record_append(l, record, item->time_ms);
    }
    l->messages += rv == APR_SUCCESS;
    return rv == APR_SUCCESS ? sids_append(l, item) : rv;
}

static apr_status_t contact_append(load_t *l, const load_item_t *item, const load_entry_t *e)
{
    const wa_record_contact_t *c = &item->contact;
    wa_record_t *record;
    apr_status_t rv;

    if (apr_hash_get(l->store->replica.contacts_by_id, c->id.ptr, (apr_ssize_t)c->id.len)
        || apr_hash_get(l->store->replica.contacts_by_number, c->phone_number.ptr,
                        (apr_ssize_t)c->phone_number.len)) {
        l->duplicates++;
        return APR_SUCCESS;
    }
    rv = wa_record_contact_make(&record, WA_RECORD_CONTACT, c, l->tmp);
    if (rv == APR_SUCCESS) {
        rv = record_append(l, record, e->time_ms == LOAD_TIME_LAST ? 0 : e->time_ms);
    }
    l->contacts += rv == APR_SUCCESS;
    return rv;
}

static apr_status_t entry_append(load_t *l, const load_entry_t *e)
{
    load_piece_t piece = {
        .size = e->length & ~LOAD_ENTRY_CONTACT, .offset = e->offset, .line = e->line};
    load_item_t item;
    apr_status_t rv = load_input_again(&l->in, &piece);

    apr_pool_clear(l->tmp);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (load_item_read(&item, piece.text, piece.len, l->now_ms, l->tmp)
        || item.kind != (e->length & LOAD_ENTRY_CONTACT ? LOAD_CONTACT : LOAD_MESSAGE)
        || (e->time_ms != LOAD_TIME_LAST && item.time_ms != e->time_ms)) {
        return APR_EGENERAL; /* it was right before: somebody writes to it */
    }
    return item.kind == LOAD_CONTACT ? contact_append(l, &item, e) : message_append(l, &item);
}

int load_entries_append(load_t *l)
{
    progress_t progress;
    apr_status_t rv = APR_SUCCESS;
    apr_size_t i;

    if (!l->is_sorted) {
        qsort(l->entries, l->count, sizeof(*l->entries), entry_compare);
    }
    progress_begin(&progress, "loading", l->ctl->is_quiet);
    for (i = 0; rv == APR_SUCCESS && i < l->count; i++) {
        rv = ctl_is_interrupted() ? APR_EINTR : entry_append(l, &l->entries[i]);
        progress_update(&progress, i, l->count);
    }
    progress_end(&progress);
    return rv == APR_SUCCESS ? CTL_DONE
                             : ctl_error_status(rv,
                                                "%s:%u: cannot be stored, or was changed "
                                                "meanwhile; nothing was changed in the store",
                                                l->in.name, l->entries[i - 1].line);
}

/* ---- threads: read marks and flags ---- */

/* The row up to which a thread is read when its last `unread` received messages are not.
 * @return APR_SUCCESS | APR_EGENERAL */
static apr_status_t read_row_find(load_t *l, const wa_replica_thread_t *t, apr_uint64_t unread,
                                  apr_uint64_t *prow)
{
    apr_uint64_t row = t->last_row, end = l->store->replica.at.offset;
    apr_status_t rv = APR_SUCCESS;

    while (rv == APR_SUCCESS && row && unread) {
        const wa_row_t *entry = wa_index_row(&l->store->index, row);
        const wa_record_t *r =
            entry ? wa_journal_record(&l->store->journal, entry->offset, end) : NULL;
        wa_record_message_t m;

        rv = r ? wa_record_message_read(r, &m) : APR_EGENERAL;
        if (rv == APR_SUCCESS) {
            unread -= m.direction == WA_DIRECTION_RECEIVED;
            rv = wa_index_previous(&l->store->index, row, entry, &row);
        }
        if (rv == APR_SUCCESS) {
            rv = ctl_go_on();
        }
    }
    *prow = row;
    return rv;
}

static apr_status_t thread_finish(load_t *l, const load_thread_t *said)
{
    const wa_replica_thread_t *t =
        wa_replica_thread_find(&l->store->replica, wa_slice_of(said->counterpart));
    wa_record_thread_t change = {.flags = 0};
    apr_int64_t time_ms = l->is_new ? l->store->replica.at.timestamp_ms : 0;
    apr_uint64_t row;
    wa_record_t *record;
    apr_status_t rv;

    if (!t) {
        l->threads_unused++;
        return APR_SUCCESS;
    }
    change.counterpart = t->counterpart;
    rv = read_row_find(l, t, said->unread, &row);
    if (rv == APR_SUCCESS && row > t->read_row && t->unread_count > said->unread) {
        rv = wa_record_thread_make(&record, WA_RECORD_READ, &change, row, l->tmp);
        if (rv == APR_SUCCESS) {
            rv = record_append(l, record, time_ms);
        }
    }
    if (rv == APR_SUCCESS && (said->flags | t->flags) != t->flags) {
        change.flags = said->flags | t->flags;
        rv = wa_record_thread_make(&record, WA_RECORD_FLAGS, &change, 0, l->tmp);
        if (rv == APR_SUCCESS) {
            rv = record_append(l, record, time_ms);
        }
    }
    return rv;
}

int load_threads_finish(load_t *l)
{
    apr_hash_index_t *hi;
    apr_status_t rv = APR_SUCCESS;

    for (hi = apr_hash_first(l->pool, l->threads); rv == APR_SUCCESS && hi;
         hi = apr_hash_next(hi)) {
        apr_pool_clear(l->tmp);
        rv = ctl_is_interrupted() ? APR_EINTR : thread_finish(l, apr_hash_this_val(hi));
    }
    return rv == APR_SUCCESS ? CTL_DONE : ctl_error_status(rv, "the threads cannot be stored");
}
