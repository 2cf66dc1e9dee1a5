/* SPDX-License-Identifier: Apache-2.0 */
/* Lists what came or changed after a time, by a scan forward through the journal. */
#include "store/dbm/operation/changes.h"

#include "store/dbm/operation/damage.h"
#include "store/dbm/operation/read.h"

/* A scan looks at no more records than this, whatever they are: the rest comes with the next
 * call. */
#define CHANGES_RECORDS 20000
#define CHANGES_UPDATES 4096 /* slots for rows that changed, a power of two */
#define CHANGES_MAX \
    512 /* with what shares the last one's millisecond they fit into half of the slots */

/* A scan over the journal after a time: the rows of older messages that changed, each once. */
typedef struct changes_walk_t {
    apr_uint64_t rows[CHANGES_UPDATES]; /* open addressing, 0 is empty */
    apr_uint64_t order[CHANGES_UPDATES / 2];
    apr_size_t count;
    apr_int64_t since_ms;
    apr_uint64_t last_row; /* the newest that is visible */
} changes_walk_t;

static int walk_put(changes_walk_t *w, apr_uint64_t row)
{
    apr_size_t at = (apr_size_t)(row * 0x9E3779B97F4A7C15u >> 52) & (CHANGES_UPDATES - 1);

    for (; w->rows[at]; at = (at + 1) & (CHANGES_UPDATES - 1)) {
        if (w->rows[at] == row) {
            return 0;
        }
    }
    w->rows[at] = row;
    w->order[w->count++] = row;
    return 1;
}

/* Looks at one record: gives a new message in *m (its id is empty otherwise), notes an older one
 * that changed. */
static apr_status_t change_take(wa_dbm_store_t *store, const wa_record_t *r, changes_walk_t *w,
                                wa_message_t *m)
{
    const wa_row_t *entry;
    const wa_record_t *message;

    m->id.len = 0;
    if (r->type == WA_RECORD_MESSAGE) {
        apr_status_t rv = wa_dbm_message_get(store, r->row, m);

        if (APR_STATUS_IS_NOTFOUND(rv)) {
            wa_dbm_damage_note(store); /* the record is here, so the row must be */
            rv = APR_EGENERAL;
        }
        return rv;
    }
    if (r->type == WA_RECORD_STATE && r->row <= w->last_row) {
        entry = wa_index_row(&store->index, r->row);
        message =
            entry ? wa_journal_record(&store->journal, entry->offset, wa_dbm_end(store)) : NULL;
        if (message && message->timestamp_ms <= w->since_ms && w->count < CHANGES_UPDATES / 2) {
            walk_put(w, r->row);
        }
    }
    return APR_SUCCESS;
}

static apr_status_t updates_visit(wa_dbm_store_t *store, const changes_walk_t *w,
                                  const wa_changes_query_t *query)
{
    apr_status_t rv = APR_SUCCESS;
    wa_message_t m;
    apr_size_t i;

    for (i = 0; rv == APR_SUCCESS && i < w->count; i++) {
        rv = wa_dbm_message_get(store, w->order[i], &m);
        if (rv == APR_SUCCESS) {
            rv = query->visit(query->baton, &m, 1);
        }
    }
    return rv;
}

/* Where to begin looking for what came after `since_ms`. A mark is believed only where its record
 * agrees: one that pointed too far would hide messages. */
static apr_uint64_t changes_start(wa_dbm_store_t *store, const wa_tail_t *at, apr_int64_t since_ms)
{
    apr_uint64_t offset = wa_index_mark_find(&store->index, at->records, since_ms);
    const wa_record_t *r;

    if (!offset) {
        return WA_JOURNAL_START;
    }
    r = wa_journal_record(&store->journal, offset, at->offset);
    if (!r || r->timestamp_ms > since_ms) {
        wa_dbm_damage_note(store);
        return WA_JOURNAL_START;
    }
    return offset;
}

/* Where the replica is, and the newest time up to which it has everything that there will ever be.
 * That is the last record's time, unless another record of the same millisecond is written and not
 * yet visible: then what has this time is left to the next call. */
static apr_status_t end_closed_get(wa_dbm_store_t *store, wa_tail_t *at, apr_int64_t *pclosed_ms)
{
    const wa_record_t *next;
    apr_uint64_t end;
    apr_status_t rv;

    wa_dbm_end_get(store, at);
    *pclosed_ms = at->timestamp_ms;
    rv = wa_order_time_close(&store->writer, at->timestamp_ms, &end);
    /* After a failed sync nothing more becomes visible. */
    if (rv == APR_SUCCESS && end > at->offset
        && !__atomic_load_n(&store->shared->failed, __ATOMIC_SEQ_CST)) {
        next = wa_journal_record(&store->journal, at->offset, end);
        *pclosed_ms -= !next || next->timestamp_ms <= at->timestamp_ms;
    }
    return rv;
}

apr_status_t wa_dbm_changes_list(wa_store_t *self, const wa_changes_query_t *query,
                                 wa_changes_t *changes, apr_pool_t *p)
{
    wa_dbm_store_t *store = WA_DBM_STORE(self);
    const apr_size_t max = query->max < CHANGES_MAX ? query->max : CHANGES_MAX;
    apr_size_t visits = 0, records = 0;
    changes_walk_t *w;
    apr_uint64_t offset;
    wa_message_t m;
    apr_int64_t closed_ms;
    wa_tail_t at;
    apr_status_t rv = wa_replica_catch_up(&store->replica, store->shared);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = end_closed_get(store, &at, &closed_ms);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    changes->timestamp_ms = closed_ms;
    changes->is_held_back = closed_ms < at.timestamp_ms;
    if (query->since_ms >= closed_ms) {
        return APR_SUCCESS;
    }
    w = apr_pcalloc(p, sizeof(*w));
    w->since_ms = query->since_ms;
    w->last_row = at.rows;
    offset = changes_start(store, &at, query->since_ms);
    changes->timestamp_ms = query->since_ms;
    while (offset < at.offset) {
        const wa_record_t *r = wa_journal_record_checked(&store->journal, offset, at.offset);

        if (!r) {
            wa_dbm_damage_note(store);
            return APR_EGENERAL;
        }
        offset += r->length;
        if (r->type == WA_RECORD_FILLER || r->timestamp_ms <= query->since_ms) {
            continue;
        }
        if (r->timestamp_ms > closed_ms) {
            break;
        }
        if ((visits + w->count >= max || records >= CHANGES_RECORDS)
            && r->timestamp_ms > changes->timestamp_ms) {
            changes->has_more = 1;
            break;
        }
        rv = change_take(store, r, w, &m);
        if (rv == APR_SUCCESS && m.id.len) {
            visits++;
            rv = query->visit(query->baton, &m, 0);
        }
        if (rv != APR_SUCCESS) {
            return rv;
        }
        records++;
        changes->timestamp_ms = r->timestamp_ms;
    }
    return updates_visit(store, w, query);
}
