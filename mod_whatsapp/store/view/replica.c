/* SPDX-License-Identifier: Apache-2.0 */
/* Applies journal records to the replica and to the mapped index, one function for each type of
 * record. */
#include "store/view/replica.h"

#include <string.h>

#include "base/hash.h"
#include "base/memory.h"
#include "store/view/replica_parts.h"

apr_status_t wa_replica_init(wa_replica_t *replica, wa_journal_t *journal, wa_index_t *index)
{
    pthread_rwlockattr_t attr;
    apr_allocator_t *allocator;
    apr_status_t rv;
    int rc;

    memset(replica, 0, sizeof(*replica));
    rv = apr_allocator_create(&allocator);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = apr_pool_create_ex(&replica->pool, NULL, wa_memory_abort, allocator);
    if (rv != APR_SUCCESS) {
        apr_allocator_destroy(allocator);
        return rv;
    }
    apr_allocator_owner_set(allocator, replica->pool);
    rc = pthread_rwlockattr_init(&attr);
    if (!rc) {
        pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
        rc = pthread_rwlock_init(&replica->lock, &attr);
        pthread_rwlockattr_destroy(&attr);
    }
    if (rc) {
        apr_pool_destroy(replica->pool);
        replica->pool = NULL;
        return APR_ENOMEM;
    }
    replica->journal = journal;
    replica->index = index;
    replica->at.offset = WA_JOURNAL_START;
    replica->threads = wa_table_make(replica->pool);
    replica->contacts_by_id = wa_table_make(replica->pool);
    replica->contacts_by_number = wa_table_make(replica->pool);
    replica->contacts = apr_array_make(replica->pool, 64, sizeof(wa_replica_contact_t *));
    replica->parked = wa_table_make(replica->pool);
    replica->pending = apr_array_make(replica->pool, 64, sizeof(apr_uint64_t));
    return APR_SUCCESS;
}

void wa_replica_release(wa_replica_t *replica)
{
    if (replica->pool) {
        pthread_rwlock_destroy(&replica->lock);
        apr_pool_destroy(replica->pool);
        memset(replica, 0, sizeof(*replica));
    }
}

/* ---- one function for each type of record ---- */

static void thread_changed(wa_replica_t *replica, wa_replica_thread_t *t, const wa_record_t *r,
                           apr_uint64_t end)
{
    t->version = end;
    t->changed_ms = r->timestamp_ms;
    replica->threads_changed_ms = r->timestamp_ms;
    __atomic_store_n(&replica->threads_version, end, __ATOMIC_RELEASE);
}

/* Has the row be found by the keys that its record makes, or leaves the count of keys as it was.
 * @param are_repeated_too  1: by those that an earlier record made as well */
static apr_status_t keys_put(wa_replica_t *replica, const wa_record_keys_t *keys, apr_uint64_t row,
                             int are_repeated_too)
{
    apr_uint64_t count = replica->at.keys;
    apr_status_t rv = APR_SUCCESS;
    int i;

    for (i = 0; rv == APR_SUCCESS && i < WA_RECORD_CONFLICTS; i++) {
        const wa_record_key_t *key = &keys->key[i];

        if (key->use == WA_KEY_MADE || (are_repeated_too && key->use == WA_KEY_REPEATED)) {
            rv = wa_index_key_put(
                replica->index, count,
                wa_index_hash(replica->index, key->kind, key->name.ptr, key->name.len), row);
            count += rv == APR_SUCCESS;
        }
    }
    if (rv == APR_SUCCESS) {
        __atomic_store_n(&replica->at.keys, count, __ATOMIC_RELEASE);
    }
    return rv;
}

static apr_status_t apply_message(wa_replica_t *replica, const wa_record_t *r, apr_uint64_t offset)
{
    wa_replica_thread_t *t;
    wa_record_message_t m;
    wa_record_keys_t keys;
    apr_uint64_t skip;
    wa_row_t *row;
    apr_status_t rv = wa_record_message_read(r, &m);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (r->row <= replica->at.rows) {
        return APR_EGENERAL; /* what writes and reads journals sees to it that rows only grow */
    }
    row = wa_index_row(replica->index, r->row);
    if (!row) {
        return APR_ENOMEM;
    }
    /* All that can fail comes first: a record that is applied again must not be counted again. */
    wa_record_message_keys(&m, &keys);
    rv = keys_put(replica, &keys, r->row, 0);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    t = wa_replica_thread_find(replica, m.counterpart);
    if (!t) {
        t = wa_replica_thread_create(replica, m.counterpart);
    }
    skip = wa_replica_thread_row_put(replica, t, r->row);
    /* `state` is not touched: a new row's is 0, and another process may have applied the message's
     * first change already. */
    if (row->offset != offset) {
        row->previous = wa_index_previous_make(replica->index, r->row, t->last_row);
        row->skip = skip;
        __atomic_store_n(&row->offset, offset, __ATOMIC_RELEASE);
    }
    t->last_row = r->row;
    t->preview = m.preview;
    t->last_timestamp_ms = r->timestamp_ms;
    t->last_direction = m.direction;
    t->message_count++;
    if (m.direction == WA_DIRECTION_RECEIVED) {
        t->unread_count++;
        t->last_inbound_ms = r->timestamp_ms;
        wa_replica_thread_date(replica, t, r, &m);
        if (m.profile_name.len > 0) {
            t->profile_name = m.profile_name;
            t->name_row = r->row;
        }
    }
    t->flags = (t->flags | m.flags_set) & ~m.flags_clear;
    if (m.status == WA_STATUS_PENDING) {
        wa_replica_pending_set(replica, r->row, 1);
    }
    wa_replica_thread_lead(replica, t);
    thread_changed(replica, t, r, offset + r->length);
    __atomic_store_n(&replica->at.rows, r->row, __ATOMIC_RELEASE);
    return APR_SUCCESS;
}

/* 1 when the record that made the sid findable may be among those that damage took: the state
 * before is not there. */
static int is_sid_lost(wa_replica_t *replica, const wa_record_t *r, const wa_record_state_t *s,
                       apr_uint64_t offset)
{
    const wa_record_t *before;

    if (!s->sid.len || !s->previous) {
        return 0;
    }
    before = wa_journal_record(replica->journal, s->previous, offset);
    return !before || before->type != WA_RECORD_STATE || before->row != r->row;
}

static apr_status_t apply_state(wa_replica_t *replica, const wa_record_t *r, apr_uint64_t offset)
{
    const wa_record_t *message;
    apr_uint64_t now;
    wa_row_t *row;
    wa_record_message_t m;
    wa_record_state_t s;
    wa_record_keys_t keys;
    wa_replica_thread_t *t;
    apr_status_t rv = wa_record_state_read(r, &s);

    if (rv != APR_SUCCESS || r->row == 0 || r->row > replica->at.rows) {
        return rv; /* a message lost to damage has no state to change */
    }
    row = wa_index_row(replica->index, r->row);
    if (!row) {
        return APR_ENOMEM;
    }
    now = __atomic_load_n(&row->state, __ATOMIC_ACQUIRE);
    while (now < offset
           && !__atomic_compare_exchange_n(&row->state, &now, offset, 0, __ATOMIC_ACQ_REL,
                                           __ATOMIC_ACQUIRE)) {
        continue;
    }
    message = wa_journal_record(replica->journal, row->offset, offset);
    if (message && message->type == WA_RECORD_MESSAGE
        && wa_record_message_read(message, &m) == APR_SUCCESS) {
        t = wa_replica_thread_find(replica, m.counterpart);
        if (t) {
            t->version = offset + r->length;
        }
        wa_replica_pending_set(replica, r->row, s.status == WA_STATUS_PENDING);
    }
    rv = wa_record_keys_read(r, &keys);
    return rv == APR_SUCCESS ? keys_put(replica, &keys, r->row, is_sid_lost(replica, r, &s, offset))
                             : rv;
}

/* How many received messages of the thread come after `row`. Costs as many steps as there are
 * messages after it. */
static apr_uint64_t unread_after(wa_replica_t *replica, const wa_replica_thread_t *t,
                                 apr_uint64_t row, apr_uint64_t end)
{
    apr_uint64_t at = t->last_row, unread = 0;

    while (at > row) {
        const wa_row_t *entry = wa_index_row(replica->index, at);
        const wa_record_t *r =
            entry ? wa_journal_record(replica->journal, entry->offset, end) : NULL;
        wa_record_message_t m;

        if (!r) {
            break;
        }
        if (r->type == WA_RECORD_MESSAGE && wa_record_message_read(r, &m) == APR_SUCCESS
            && m.direction == WA_DIRECTION_RECEIVED) {
            unread++;
        }
        if (wa_index_previous(replica->index, at, entry, &at) != APR_SUCCESS) {
            break;
        }
    }
    return unread;
}

static apr_status_t apply_thread(wa_replica_t *replica, const wa_record_t *r, apr_uint64_t offset)
{
    apr_uint64_t end = offset + r->length;
    wa_replica_thread_t *t;
    wa_record_thread_t n;
    apr_uint64_t row;
    apr_status_t rv = wa_record_thread_read(r, &n);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    t = wa_replica_thread_find(replica, n.counterpart);
    if (!t) {
        return APR_SUCCESS;
    }
    /* A row that is lost to damage may be given to a later message, which nobody has read. */
    row = r->row < replica->at.rows ? r->row : replica->at.rows;
    if (r->type == WA_RECORD_FLAGS) {
        t->flags = n.flags;
    } else if (row > t->read_row) {
        t->read_row = row;
        t->unread_count = unread_after(replica, t, row, end);
    }
    thread_changed(replica, t, r, end);
    return APR_SUCCESS;
}

static apr_status_t apply_contact(wa_replica_t *replica, const wa_record_t *r, apr_uint64_t offset)
{
    wa_replica_contact_t *contact;
    wa_replica_thread_t *t;
    wa_record_contact_t c;
    apr_status_t rv = wa_record_contact_read(r, &c);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    contact = apr_hash_get(replica->contacts_by_id, c.id.ptr, (apr_ssize_t)c.id.len);
    t = wa_replica_thread_find(replica, c.phone_number);
    if (r->type == WA_RECORD_CONTACT) {
        contact = wa_replica_contact_put(replica, r, offset, &c);
        if (t) {
            t->contact = contact;
        }
    } else if (contact) {
        wa_replica_contact_forget(replica, contact);
        if (t) {
            t->contact = NULL;
        }
    }
    if (t) {
        thread_changed(replica, t, r, offset + r->length);
    }
    __atomic_store_n(&replica->contacts_version, offset + r->length, __ATOMIC_RELEASE);
    return APR_SUCCESS;
}

static apr_status_t apply_parked(wa_replica_t *replica, const wa_record_t *r, apr_uint64_t offset)
{
    wa_record_parked_t k;
    apr_status_t rv = wa_record_parked_read(r, &k);

    if (rv == APR_SUCCESS) {
        wa_replica_parked_put(replica, offset, &k);
    }
    return rv;
}

static apr_status_t apply_record(wa_replica_t *replica, const wa_record_t *r, apr_uint64_t offset)
{
    switch (r->type) {
    case WA_RECORD_MESSAGE:
        return apply_message(replica, r, offset);
    case WA_RECORD_STATE:
        return apply_state(replica, r, offset);
    case WA_RECORD_READ:
    case WA_RECORD_FLAGS:
        return apply_thread(replica, r, offset);
    case WA_RECORD_CONTACT:
    case WA_RECORD_CONTACT_DELETE:
        return apply_contact(replica, r, offset);
    case WA_RECORD_PARKED:
        return apply_parked(replica, r, offset);
    default:
        return APR_SUCCESS;
    }
}

apr_status_t wa_replica_apply(wa_replica_t *replica, apr_uint64_t end)
{
    while (replica->at.offset < end) {
        apr_uint64_t offset = replica->at.offset;
        const wa_record_t *r = wa_journal_record(replica->journal, offset, end);
        apr_status_t rv = APR_EGENERAL;

        if (r) {
            wa_replica_clock_note(replica, r);
            rv = apply_record(replica, r, offset);
        }
        if (rv != APR_SUCCESS) {
            WA_LOG(replica->journal->log, WA_LOG_ERR, "WA0404", rv,
                   "%s: the record at byte %" APR_UINT64_T_FMT " cannot be applied",
                   replica->journal->path, offset);
            return rv;
        }
        if (r->type != WA_RECORD_FILLER) {
            wa_index_mark_put(replica->index, replica->at.records, r->number, r->timestamp_ms,
                              offset);
            replica->at.records = r->number;
            replica->at.timestamp_ms = r->timestamp_ms;
            replica->at.crc = r->header_crc;
        }
        __atomic_store_n(&replica->at.offset, offset + r->length, __ATOMIC_RELEASE);
    }
    return APR_SUCCESS;
}

/* An append reads what a try leaves out, under the lock that all writers share: about 500
 * messages. */
#define TRY_BYTES_MAX ((apr_uint64_t)256 << 10)

/* Waits for another thread that is at it only when more than `spare` bytes of the journal are
 * missing. */
static apr_status_t catch_up(wa_replica_t *replica, const wa_shared_t *shared, apr_uint64_t spare)
{
    apr_uint64_t visible = __atomic_load_n(&shared->visible, __ATOMIC_ACQUIRE);
    apr_uint64_t at = __atomic_load_n(&replica->at.offset, __ATOMIC_ACQUIRE);
    apr_status_t rv = APR_SUCCESS;

    if (at >= visible) {
        return APR_SUCCESS;
    }
    if (visible - at > spare) {
        pthread_rwlock_wrlock(&replica->lock);
    } else if (pthread_rwlock_trywrlock(&replica->lock)) {
        return APR_SUCCESS;
    }
    if (replica->at.offset < visible) {
        rv = wa_replica_apply(replica, visible);
    }
    pthread_rwlock_unlock(&replica->lock);
    return rv;
}

apr_status_t wa_replica_catch_up(wa_replica_t *replica, const wa_shared_t *shared)
{
    return catch_up(replica, shared, 0);
}

apr_status_t wa_replica_catch_up_try(wa_replica_t *replica, const wa_shared_t *shared)
{
    return catch_up(replica, shared, TRY_BYTES_MAX);
}
