/* SPDX-License-Identifier: Apache-2.0 */
/* Reading messages: by row, by key and in pages, from the replica, the index and the mapped
 * journal; and the versions of what is read. */
#include "store/dbm/operation/read.h"

#include <string.h>

#include <apr_strings.h>

#include "base/hash.h"
#include "base/hex.h"
#include "store/dbm/operation/damage.h"

#define PREFETCH_LINES 8 /* of 64 bytes: a usual record */

/* What a message's rendering needs of its thread, copied under the replica's lock. */
typedef struct thread_part_t {
    apr_uint64_t last_row, read_row;
    wa_slice_t contact_id;
} thread_part_t;

static int thread_part_get(wa_dbm_store_t *store, wa_slice_t counterpart, thread_part_t *part)
{
    const wa_replica_thread_t *t;

    memset(part, 0, sizeof(*part));
    pthread_rwlock_rdlock(&store->replica.lock);
    t = wa_replica_thread_find(&store->replica, counterpart);
    if (t) {
        part->last_row = t->last_row;
        part->read_row = t->read_row;
        if (t->contact) {
            part->contact_id = t->contact->id;
        }
    }
    pthread_rwlock_unlock(&store->replica.lock);
    return t != NULL;
}

/* The newest state of a row that this replica has come to, 0 for none: another process may be ahead
 * of it and have noted newer ones. */
static apr_uint64_t state_get(wa_dbm_store_t *store, const wa_row_t *entry, apr_uint64_t row,
                              apr_uint64_t end)
{
    apr_uint64_t visible = __atomic_load_n(&store->shared->visible, __ATOMIC_ACQUIRE);
    apr_uint64_t state = __atomic_load_n(&entry->state, __ATOMIC_ACQUIRE);

    while (state >= end) {
        const wa_record_t *r = wa_journal_record(&store->journal, state, visible);
        wa_record_state_t s;

        if (!r || r->type != WA_RECORD_STATE || r->row != row
            || wa_record_state_read(r, &s) != APR_SUCCESS || s.previous >= state) {
            break; /* the caller finds it damaged */
        }
        state = s.previous;
    }
    return state;
}

static apr_status_t row_take(wa_dbm_store_t *store, apr_uint64_t row, wa_message_t *m)
{
    apr_uint64_t end = wa_dbm_end(store), state;
    const wa_row_t *entry = wa_index_row(&store->index, row);
    const wa_record_t *r;
    wa_record_message_t fixed;
    wa_record_state_t changed;

    memset(m, 0, sizeof(*m));
    if (!entry || !__atomic_load_n(&entry->offset, __ATOMIC_ACQUIRE)) {
        return entry ? APR_NOTFOUND : APR_ENOMEM;
    }
    r = wa_journal_record_checked(&store->journal, entry->offset, end);
    if (!r || r->type != WA_RECORD_MESSAGE || r->row != row
        || wa_record_message_read(r, &fixed) != APR_SUCCESS) {
        return APR_EGENERAL;
    }
    m->id = fixed.id;
    m->sid = fixed.sid;
    m->counterpart = fixed.counterpart;
    m->direction = fixed.direction;
    m->status = fixed.status;
    m->timestamp_ms = m->changed_ms = r->timestamp_ms;
    m->date_ms = fixed.written_ms ? fixed.written_ms : wa_record_date_ms(r);
    m->phone_number = fixed.phone_number;
    m->body = fixed.body;
    m->attributes = fixed.attributes;
    m->delivery = fixed.delivery;
    state = state_get(store, entry, row, end);
    if (state) {
        r = wa_journal_record_checked(&store->journal, state, end);
        if (!r || r->type != WA_RECORD_STATE || r->row != row
            || wa_record_state_read(r, &changed) != APR_SUCCESS) {
            return APR_EGENERAL;
        }
        m->sid = changed.sid.len ? changed.sid : m->sid;
        m->status = changed.status;
        m->changed_ms = r->timestamp_ms;
        m->delivery = changed.delivery;
    }
    return APR_SUCCESS;
}

/* Reads what is stored of a row, without what its thread adds. */
static apr_status_t row_read(wa_dbm_store_t *store, apr_uint64_t row, wa_message_t *m)
{
    apr_status_t rv = row_take(store, row, m);

    if (rv == APR_EGENERAL) {
        wa_dbm_damage_note(store);
    }
    return rv;
}

static void thread_part_join(wa_message_t *m, apr_uint64_t row, const thread_part_t *part)
{
    m->unread = m->direction == WA_DIRECTION_RECEIVED && row > part->read_row;
    m->contact_id = part->contact_id;
}

apr_status_t wa_dbm_message_get(wa_dbm_store_t *store, apr_uint64_t row, wa_message_t *m)
{
    thread_part_t part;
    apr_status_t rv = row_read(store, row, m);

    if (rv == APR_SUCCESS) {
        thread_part_get(store, m->counterpart, &part);
        thread_part_join(m, row, &part);
    }
    return rv;
}

/* ---- versions ---- */

apr_uint64_t wa_dbm_version(wa_store_t *self, wa_version_e part)
{
    wa_replica_t *replica = &WA_DBM_STORE(self)->replica;

    wa_replica_catch_up(replica, WA_DBM_STORE(self)->shared);
    switch (part) {
    case WA_VERSION_THREADS:
        return __atomic_load_n(&replica->threads_version, __ATOMIC_ACQUIRE);
    case WA_VERSION_CONTACTS:
        return __atomic_load_n(&replica->contacts_version, __ATOMIC_ACQUIRE);
    default:
        return __atomic_load_n(&replica->at.offset, __ATOMIC_ACQUIRE);
    }
}

void wa_dbm_end_get(wa_dbm_store_t *store, wa_tail_t *at)
{
    pthread_rwlock_rdlock(&store->replica.lock);
    *at = store->replica.at;
    pthread_rwlock_unlock(&store->replica.lock);
}

/* ---- finding by key ---- */

typedef struct key_baton_t {
    wa_dbm_store_t *store;
    const char *kind;
    wa_slice_t name;
    apr_uint64_t rows; /* how many are visible */
    apr_uint64_t row;  /* the newest that has the key so far */
} key_baton_t;

/* 1 when one of the message's earlier states had this sid (a message sent in parts has several). */
static int had_sid(wa_dbm_store_t *store, const wa_row_t *entry, apr_uint64_t row, wa_slice_t sid)
{
    apr_uint64_t end = wa_dbm_end(store), state = state_get(store, entry, row, end);

    while (state) {
        const wa_record_t *r = wa_journal_record(&store->journal, state, end);
        wa_record_state_t s;

        if (!r || r->type != WA_RECORD_STATE || r->row != row
            || wa_record_state_read(r, &s) != APR_SUCCESS) {
            return 0;
        }
        if (wa_slice_is_equal(s.sid, sid)) {
            return 1;
        }
        state = s.previous < state ? s.previous : 0;
    }
    return 0;
}

/* 1 when the message's record made this key. */
static int has_key(const wa_record_message_t *m, const char *kind, wa_slice_t name)
{
    wa_record_keys_t keys;
    int i;

    wa_record_message_keys(m, &keys);
    for (i = 0; i < WA_RECORD_CONFLICTS; i++) {
        const wa_record_key_t *key = &keys.key[i];

        if (key->kind && strcmp(key->kind, kind) == 0 && wa_slice_is_equal(key->name, name)) {
            return 1;
        }
    }
    return 0;
}

static apr_status_t key_candidate(void *baton, apr_uint64_t row)
{
    key_baton_t *k = baton;
    apr_uint64_t end = wa_dbm_end(k->store), offset;
    const wa_row_t *entry;
    const wa_record_t *r;
    wa_record_message_t m;

    if (row <= k->row || row > k->rows) {
        return APR_SUCCESS;
    }
    entry = wa_index_row(&k->store->index, row);
    offset = entry ? __atomic_load_n(&entry->offset, __ATOMIC_ACQUIRE) : 0;
    if (!offset) {
        return entry ? APR_SUCCESS : APR_ENOMEM;
    }
    if (offset >= end && offset < __atomic_load_n(&k->store->shared->visible, __ATOMIC_ACQUIRE)) {
        return APR_SUCCESS; /* another thread is about to apply it */
    }
    r = wa_journal_record(&k->store->journal, offset, end);
    if (!r || r->type != WA_RECORD_MESSAGE || wa_record_message_read(r, &m) != APR_SUCCESS) {
        return APR_EGENERAL;
    }
    if (has_key(&m, k->kind, k->name)
        || (strcmp(k->kind, "sid") == 0 && had_sid(k->store, entry, row, k->name))) {
        k->row = row;
    }
    return APR_SUCCESS;
}

apr_status_t wa_dbm_key_find(wa_dbm_store_t *store, const char *kind, wa_slice_t name,
                             apr_uint64_t *prow)
{
    key_baton_t k = {store, kind, name, 0, 0};
    apr_uint64_t keys;
    apr_status_t rv;

    *prow = 0;
    /* No lock: what belongs to the end that the caller saw was written before that end; more does
     * no harm. */
    k.rows = __atomic_load_n(&store->replica.at.rows, __ATOMIC_ACQUIRE);
    keys = __atomic_load_n(&store->replica.at.keys, __ATOMIC_ACQUIRE);
    rv = wa_index_key_find(&store->index, keys,
                           wa_index_hash(&store->index, kind, name.ptr, name.len), key_candidate,
                           &k);
    *prow = k.row;
    return rv == APR_SUCCESS && !k.row ? APR_NOTFOUND : rv;
}

apr_status_t wa_dbm_key_in_force_find(wa_dbm_store_t *store, const char *kind, wa_slice_t name,
                                      apr_uint64_t *prow)
{
    apr_status_t rv = wa_dbm_key_find(store, kind, name, prow);
    wa_message_t m;

    if (rv != APR_SUCCESS || strcmp(kind, "idem") != 0) {
        return rv;
    }
    rv = wa_dbm_message_get(store, *prow, &m);
    return rv == APR_SUCCESS && !wa_store_idempotency_counts(m.date_ms) ? APR_NOTFOUND : rv;
}

apr_status_t wa_dbm_id_or_sid_find(wa_dbm_store_t *store, const char *key, apr_uint64_t *prow)
{
    apr_status_t rv = wa_dbm_key_find(store, "id", wa_slice_of(key), prow);

    return APR_STATUS_IS_NOTFOUND(rv) ? wa_dbm_key_find(store, "sid", wa_slice_of(key), prow) : rv;
}

apr_status_t wa_dbm_message_find(wa_store_t *self, const char *key, wa_message_t *pm, apr_pool_t *p)
{
    wa_dbm_store_t *store = WA_DBM_STORE(self);
    apr_size_t prefix = sizeof(WA_KEY_IDEMPOTENCY) - 1;
    apr_uint64_t row;
    apr_status_t rv;

    (void)p;
    rv = wa_replica_catch_up(&store->replica, store->shared);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (strncmp(key, WA_KEY_IDEMPOTENCY, prefix) == 0) {
        rv = wa_dbm_key_in_force_find(store, "idem", wa_slice_of(key + prefix), &row);
    } else {
        rv = wa_dbm_id_or_sid_find(store, key, &row);
    }
    return rv == APR_SUCCESS ? wa_dbm_message_get(store, row, pm) : rv;
}

/* ---- a thread's pages ---- */

static apr_uint32_t cursor_check(wa_dbm_store_t *store, const char *counterpart, apr_uint64_t row)
{
    const apr_uint64_t key[2] = {store->journal.salt, row};
    apr_uint64_t h = wa_hash_keyed(key, counterpart, strlen(counterpart));

    return (apr_uint32_t)(h ^ (h >> 32));
}

#define CURSOR_FORMAT "%016" APR_UINT64_T_HEX_FMT "%08x"
#define CURSOR_LENGTH 24

static const char *cursor_make(wa_dbm_store_t *store, const char *counterpart, apr_uint64_t row,
                               apr_pool_t *p)
{
    return apr_psprintf(p, CURSOR_FORMAT, row, cursor_check(store, counterpart, row));
}

static apr_status_t cursor_read(wa_dbm_store_t *store, const char *counterpart, const char *cursor,
                                apr_uint64_t *prow)
{
    char same[CURSOR_LENGTH + 1];

    if (!wa_hex_read(cursor, 16, prow)) {
        return APR_EINVAL;
    }
    /* Not one character other than it was given. */
    apr_snprintf(same, sizeof(same), CURSOR_FORMAT, *prow, cursor_check(store, counterpart, *prow));
    return strcmp(cursor, same) == 0 ? APR_SUCCESS : APR_EINVAL;
}

/* Asks the CPU for a record's bytes ahead of their use: the records of a page lie far apart, and
 * fetched together they cost little more than one. */
static void record_prefetch(wa_dbm_store_t *store, apr_uint64_t offset)
{
    const char *at = NULL;
    int line;

    if (offset < wa_dbm_end(store)) {
        at = wa_mapping_at(&store->journal.map, offset, sizeof(wa_record_t));
    }
    for (line = 0; at && line < PREFETCH_LINES; line++) {
        __builtin_prefetch(at + line * 64);
    }
}

/* Walks a thread's chain from `row` to older ones.
 * @param rows  in: room for *pcount rows; out: *pcount of them
 * @param pnext  out: the row after them, 0 for none
 * @return APR_SUCCESS | APR_EGENERAL the chain is damaged | APR_ENOMEM */
static apr_status_t chain_collect(wa_dbm_store_t *store, apr_uint64_t row, apr_uint64_t *rows,
                                  apr_size_t *pcount, apr_uint64_t *pnext)
{
    apr_size_t limit = *pcount;
    apr_status_t rv = APR_SUCCESS;

    *pcount = 0;
    while (rv == APR_SUCCESS && row && *pcount < limit) {
        const wa_row_t *entry = wa_index_row(&store->index, row);
        apr_uint64_t state;

        if (!entry) {
            return APR_ENOMEM;
        }
        rows[(*pcount)++] = row;
        if (entry->skip && entry->skip < row) {
            __builtin_prefetch(wa_index_row(&store->index, entry->skip));
        }
        record_prefetch(store, __atomic_load_n(&entry->offset, __ATOMIC_ACQUIRE));
        state = __atomic_load_n(&entry->state, __ATOMIC_ACQUIRE);
        if (state) {
            record_prefetch(store, state);
        }
        rv = wa_index_previous(&store->index, row, entry, &row);
    }
    *pnext = row;
    return rv;
}

/* Where a page begins: after the cursor's row, or at the thread's newest one. */
static apr_status_t page_start(wa_dbm_store_t *store, const wa_messages_query_t *query,
                               const thread_part_t *part, apr_uint64_t *prow)
{
    const wa_row_t *entry;
    apr_status_t rv;

    *prow = part->last_row;
    if (!query->cursor) {
        return APR_SUCCESS;
    }
    rv = cursor_read(store, query->counterpart, query->cursor, prow);
    if (rv != APR_SUCCESS || *prow == 0 || *prow > part->last_row) {
        return APR_EINVAL;
    }
    entry = wa_index_row(&store->index, *prow);
    return entry ? wa_index_previous(&store->index, *prow, entry, prow) : APR_ENOMEM;
}

apr_status_t wa_dbm_messages_list(wa_store_t *self, const wa_messages_query_t *query,
                                  wa_page_t *page, apr_pool_t *p)
{
    wa_dbm_store_t *store = WA_DBM_STORE(self);
    apr_uint64_t row, *rows = apr_palloc(p, query->limit * sizeof(*rows));
    apr_size_t count = query->limit, i;
    thread_part_t part;
    wa_message_t m;
    apr_status_t rv = wa_replica_catch_up(&store->replica, store->shared);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (!thread_part_get(store, wa_slice_of(query->counterpart), &part)) {
        return query->cursor ? APR_EINVAL : APR_SUCCESS;
    }
    rv = page_start(store, query, &part, &row);
    if (rv == APR_SUCCESS) {
        rv = chain_collect(store, row, rows, &count, &row);
    }
    if (rv == APR_EGENERAL) {
        wa_dbm_damage_note(store);
    }
    for (i = 0; rv == APR_SUCCESS && i < count; i++) {
        rv = row_read(store, rows[i], &m);
        if (APR_STATUS_IS_NOTFOUND(rv)) {
            wa_dbm_damage_note(store);
            return APR_EGENERAL;
        }
        if (rv == APR_SUCCESS) {
            thread_part_join(&m, rows[i], &part);
            rv = query->visit(query->baton, &m, 0);
        }
        page->count += rv == APR_SUCCESS;
    }
    if (rv == APR_SUCCESS && row && count) {
        page->next_cursor = cursor_make(store, query->counterpart, rows[count - 1], p);
    }
    return rv;
}
