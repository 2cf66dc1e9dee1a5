/* SPDX-License-Identifier: Apache-2.0 */
/* Brings an exclusively owned store to a sound state after any stop: checkpoint, then the journal's
 * records after it, then a clean end. */
#include "store/dbm/lifecycle/recovery.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <apr_strings.h>

#include "store/dbm/dbm.h"
#include "store/dbm/lifecycle/loss.h"
#include "store/dbm/operation/read.h"

/* Forgets what is derived and begins at the journal's first record. */
static apr_status_t begin_anew(wa_dbm_store_t *store)
{
    const wa_index_place_t at = {store->place.directory, store->journal.salt, store->place.uid,
                                 store->place.gid};
    apr_status_t rv;

    wa_replica_release(&store->replica);
    wa_index_release(&store->index);
    rv = wa_index_remove(store->place.directory, &store->trouble, store->pool);
    if (rv == APR_SUCCESS) {
        rv = wa_index_open(&store->index, &at, &store->trouble, store->pool);
    }
    if (rv == APR_SUCCESS) {
        rv = wa_replica_init(&store->replica, &store->journal, &store->index);
    }
    return rv;
}

/* ---- may the checkpoint and the index be believed? ---- */

#define SAMPLES 256

typedef struct rows_look_t {
    apr_uint64_t size; /* of the journal */
    apr_uint64_t lost; /* rows whose records were lost to damage before: they have no entry */
    apr_uint64_t lost_seen;
} rows_look_t;

/* 1 when a key leads to a row that is not older (a message that was stored again after damage has
 * the newer row). */
static int key_is_sound(wa_dbm_store_t *store, const wa_record_key_t *key, apr_uint64_t row)
{
    apr_uint64_t found;

    return wa_dbm_key_find(store, key->kind, key->name, &found) == APR_SUCCESS && found >= row;
}

/* 1 when a record can be read and all names lead to its row by which its message is to be found. */
static int keys_are_sound(wa_dbm_store_t *store, const wa_record_t *r)
{
    wa_record_keys_t keys;
    int is_sound = wa_record_keys_read(r, &keys) == APR_SUCCESS, i;

    for (i = 0; is_sound && i < WA_RECORD_CONFLICTS; i++) {
        if (keys.key[i].kind && keys.key[i].use != WA_KEY_GUARDED) {
            is_sound = key_is_sound(store, &keys.key[i], r->row);
        }
    }
    return is_sound;
}

static int state_is_sound(wa_dbm_store_t *store, apr_uint64_t row, apr_uint64_t state)
{
    const wa_record_t *r = wa_journal_record(&store->journal, state, store->replica.at.offset);

    return r && r->type == WA_RECORD_STATE && r->row == row && keys_are_sound(store, r);
}

static int row_is_sound(wa_dbm_store_t *store, apr_uint64_t row, rows_look_t *look)
{
    const wa_row_t *entry = wa_index_row(&store->index, row);
    apr_uint64_t previous;
    const wa_record_t *r;

    if (entry && !entry->offset) {
        return ++look->lost_seen <= look->lost;
    }
    r = entry ? wa_journal_record(&store->journal, entry->offset, store->replica.at.offset) : NULL;
    if (!r || r->type != WA_RECORD_MESSAGE || r->row != row || !wa_record_payload_is_valid(r)) {
        return 0;
    }
    /* A state after the checkpoint is judged when the records there have been applied. */
    return wa_index_previous(&store->index, row, entry, &previous) == APR_SUCCESS
           && keys_are_sound(store, r)
           && (!entry->state
               || (entry->state >= store->replica.at.offset && entry->state < look->size)
               || state_is_sound(store, row, entry->state));
}

/* Looks at rows all over the index and at their keys: a lost or foreign file shows here, a single
 * damaged entry when it is used. */
static int index_is_sound(wa_dbm_store_t *store, apr_uint64_t size)
{
    apr_uint64_t rows = store->replica.at.rows, i;
    const wa_replica_thread_t *t;
    rows_look_t look = {size, rows, 0};

    for (t = store->replica.newest; t; t = t->older) {
        look.lost -= t->message_count < look.lost ? t->message_count : look.lost;
    }
    for (i = 0; i < SAMPLES && i < rows; i++) {
        if (!row_is_sound(store, rows <= SAMPLES ? i + 1 : rows - i * (rows / SAMPLES), &look)) {
            return 0;
        }
    }
    return 1;
}

/* Loads the newest checkpoint. @return APR_SUCCESS | APR_NOTFOUND there is none that can be used */
static apr_status_t checkpoint_use(wa_dbm_store_t *store, apr_uint64_t size, apr_pool_t *tmp)
{
    wa_checkpoint_t c;
    apr_status_t rv = wa_checkpoint_find(&c, &store->place, tmp);

    if (APR_STATUS_IS_NOTFOUND(rv)) {
        if (wa_journal_record(&store->journal, WA_JOURNAL_START, size)) {
            WA_LOG(store->log, WA_LOG_NOTICE, "WA0436", APR_SUCCESS,
                   "%s: there is no checkpoint; everything is read from the journal",
                   store->place.directory);
        }
        return rv;
    }
    if (rv == APR_EINVAL) {
        WA_LOG(store->log, WA_LOG_NOTICE, "WA0437", APR_SUCCESS,
               "%s: the checkpoint and the index were written by another version of the module; "
               "everything is read again from the journal",
               store->place.directory);
        return APR_NOTFOUND;
    }
    if (rv == APR_SUCCESS && c.at.offset > size) {
        rv = APR_EGENERAL;
        WA_LOG(store->log, WA_LOG_ERR, "WA0435", rv,
               "%s: %" APR_UINT64_T_FMT
               " bytes are missing at the end; what was stored there is lost, restore a backup",
               store->journal.path, c.at.offset - size);
    }
    if (rv == APR_SUCCESS
        && !wa_index_is_whole(&store->index, c.at.rows, c.at.records, c.at.keys)) {
        rv = APR_EGENERAL;
    }
    if (rv == APR_SUCCESS) {
        rv = wa_index_reserve(&store->index, c.at.rows, c.at.records, c.at.keys);
    }
    if (rv == APR_SUCCESS) {
        rv = wa_checkpoint_load(&c, &store->place, &store->replica, tmp);
    }
    if (rv == APR_SUCCESS && !index_is_sound(store, size)) {
        rv = APR_EGENERAL;
    }
    if (rv == APR_SUCCESS) {
        store->shared->checkpoint_number = c.number;
        store->shared->checkpoint_offset = c.at.offset;
        return APR_SUCCESS;
    }
    WA_LOG(store->log, WA_LOG_WARNING, "WA0430", rv,
           "%s: the checkpoint or the index cannot be used; everything is read again from the "
           "journal",
           store->place.directory);
    return APR_NOTFOUND;
}

/* After a stop without order: 1 when no row before the checkpoint has a state that the journal (any
 * more) has not. */
static int states_are_there(wa_dbm_store_t *store, apr_uint64_t rows, apr_uint64_t from)
{
    apr_uint64_t row;

    for (row = 1; row <= rows; row++) {
        const wa_row_t *entry = wa_index_row(&store->index, row);
        const wa_record_t *r;

        if (!entry) {
            return 0;
        }
        if (entry->state >= from) {
            r = wa_journal_record(&store->journal, entry->state, store->replica.at.offset);
            if (!r || r->type != WA_RECORD_STATE || r->row != row) {
                return 0;
            }
        }
    }
    return 1;
}

/* ---- damage in the journal ---- */

#define NAMES_MAX 20

/* Keeps a copy of damaged bytes in a file of its own before they are overwritten. Where an admin
 * closed that of an earlier damage it gets another name. */
static apr_status_t damage_keep(wa_dbm_store_t *store, apr_uint64_t from, apr_uint64_t to,
                                const char **ppath, apr_pool_t *tmp)
{
    const void *bytes = wa_mapping_at(&store->journal.map, from, to - from);
    const char *path =
        apr_psprintf(tmp, "%s/damaged-%" APR_UINT64_T_FMT, store->place.directory, from);
    apr_status_t rv;
    int fd, again = 0;

    *ppath = path;
    do {
        rv = wa_file_open(&fd, *ppath, O_WRONLY | O_CREAT | O_TRUNC, store->place.uid,
                          store->place.gid);
        if (APR_STATUS_IS_EACCES(rv) || rv == APR_FROM_OS_ERROR(EPERM)) {
            *ppath = apr_psprintf(tmp, "%s.%d", path, ++again);
        }
    } while ((APR_STATUS_IS_EACCES(rv) || rv == APR_FROM_OS_ERROR(EPERM)) && again < NAMES_MAX);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = bytes ? wa_file_write(fd, bytes, (apr_size_t)(to - from), 0) : APR_ENOMEM;
    if (rv == APR_SUCCESS && fsync(fd)) {
        rv = APR_FROM_OS_ERROR(errno);
    }
    close(fd);
    return rv;
}

/* Puts filler records over [from, to), which is a multiple of 8 and at least a header long. */
static apr_status_t damage_fill(wa_dbm_store_t *store, apr_uint64_t from, apr_uint64_t to)
{
    apr_status_t rv = APR_SUCCESS;

    while (rv == APR_SUCCESS && from < to) {
        apr_uint64_t left = to - from;
        apr_uint32_t length = (apr_uint32_t)(left > WA_RECORD_MAX ? WA_RECORD_MAX / 2 : left);
        wa_record_t r;

        wa_record_filler_make(&r, length);
        r.magic = WA_RECORD_MAGIC;
        r.header_crc = wa_record_header_crc(&r, from, store->journal.salt);
        rv = wa_file_write(store->journal.map.fd, &r, sizeof(r), from);
        from += length;
    }
    if (rv == APR_SUCCESS && fdatasync(store->journal.map.fd)) {
        rv = APR_FROM_OS_ERROR(errno);
    }
    return rv;
}

static apr_status_t damage_set_aside(wa_dbm_store_t *store, apr_uint64_t from, apr_uint64_t to,
                                     apr_pool_t *tmp)
{
    const char *path;
    apr_status_t rv = damage_keep(store, from, to, &path, tmp);

    if (rv == APR_SUCCESS) {
        rv = damage_fill(store, from, to);
    }
    WA_LOG(store->log, WA_LOG_ERR, "WA0431", rv,
           "%s: %" APR_UINT64_T_FMT " bytes at %" APR_UINT64_T_FMT
           " are damaged; they were set aside in %s, everything else is kept",
           store->journal.path, to - from, from, path);
    return rv;
}

static apr_status_t tail_cut(wa_dbm_store_t *store, apr_uint64_t size, apr_pool_t *tmp)
{
    apr_uint64_t end = store->replica.at.offset, content;
    apr_status_t rv;

    if (size == end) {
        return APR_SUCCESS;
    }
    rv = wa_journal_content_end(&store->journal, end, size, &content);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    /* On a full disk what was allocated ahead is the room for the copy. */
    if (content > end && content < size) {
        rv = wa_journal_cut(&store->journal, content);
    }
    if (rv == APR_SUCCESS && content > end) {
        const char *path;

        rv = damage_keep(store, end, content, &path, tmp);
        WA_LOG(store->log, WA_LOG_WARNING, "WA0432", rv,
               "%s: %" APR_UINT64_T_FMT " bytes at %" APR_UINT64_T_FMT
               " are no whole record and were cut off: one that was never finished (nobody was "
               "told that it was stored), or damage; they are in %s",
               store->journal.path, content - end, end, path);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = wa_journal_cut(&store->journal, end);
    if (rv == APR_SUCCESS && fsync(store->journal.map.fd)) {
        rv = APR_FROM_OS_ERROR(errno);
    }
    return rv;
}

/* What is applied so far, for the record that comes next. */
static wa_record_chain_t chain_of(const wa_replica_t *replica, int is_broken)
{
    wa_record_chain_t chain = {replica->at.records, replica->at.rows, replica->at.crc, is_broken};

    return chain;
}

/* Where damage at `offset` ends: at the next record that can come after it. What looks like one and
 * cannot is part of it. */
static apr_status_t damage_end(wa_dbm_store_t *store, apr_uint64_t offset, apr_uint64_t size,
                               apr_uint64_t *pnext)
{
    const wa_record_chain_t chain = chain_of(&store->replica, 1);
    const wa_record_t *r = NULL;
    apr_status_t rv = APR_SUCCESS;

    *pnext = offset;
    while (rv == APR_SUCCESS && *pnext < size && !(r && wa_record_is_next(&chain, r))) {
        /* The next one stands no nearer than the shortest record is long. */
        rv = wa_journal_resync(&store->journal, *pnext + WA_RECORD_MIN, size, pnext);
        r = wa_journal_record(&store->journal, *pnext, size);
    }
    return rv;
}

/* Makes room in the index for a record, and applies it. */
static apr_status_t record_apply(wa_dbm_store_t *store, const wa_record_t *r, apr_uint64_t end)
{
    const wa_tail_t *at = &store->replica.at;
    apr_status_t rv = wa_index_reserve(
        &store->index, r->type == WA_RECORD_MESSAGE && r->row > at->rows ? r->row : at->rows,
        r->number > at->records ? r->number : at->records, at->keys + WA_RECORD_CONFLICTS);

    return rv == APR_SUCCESS ? wa_replica_apply(&store->replica, end) : rv;
}

static apr_status_t journal_replay(wa_dbm_store_t *store, apr_uint64_t size, apr_pool_t *tmp)
{
    wa_replica_t *replica = &store->replica;
    int is_broken = 0;
    apr_status_t rv = APR_SUCCESS;

    while (rv == APR_SUCCESS && replica->at.offset < size) {
        apr_uint64_t offset = replica->at.offset, next;
        const wa_record_chain_t chain = chain_of(replica, is_broken);
        const wa_record_t *r = wa_journal_record(&store->journal, offset, size);

        if (store->tool && store->tool->watch) {
            rv = store->tool->watch(store->tool->baton, offset, size);
            if (rv != APR_SUCCESS) {
                return rv;
            }
        }
        if (r && wa_record_is_sound(r) && wa_record_is_next(&chain, r)) {
            is_broken = r->type == WA_RECORD_FILLER;
            rv = record_apply(store, r, offset + r->length);
            continue;
        }
        rv = damage_end(store, offset, size, &next);
        if (rv == APR_SUCCESS && next >= size) {
            break;
        }
        if (rv == APR_SUCCESS) {
            rv = damage_set_aside(store, offset, next, tmp);
        }
    }
    return rv == APR_SUCCESS ? tail_cut(store, size, tmp) : rv;
}

static apr_status_t recover(wa_dbm_store_t *store, int is_rebuild, apr_pool_t *tmp)
{
    apr_uint64_t size, from, rows;
    apr_status_t rv = wa_journal_size(&store->journal, &size);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = is_rebuild ? APR_NOTFOUND : checkpoint_use(store, size, tmp);
    if (APR_STATUS_IS_NOTFOUND(rv)) {
        rv = begin_anew(store);
        wa_checkpoint_clean(&store->place, 0, tmp);
        store->shared->checkpoint_number = store->shared->checkpoint_offset = 0;
    }
    if (rv == APR_SUCCESS) {
        rv = wa_index_trim(&store->index, store->replica.at.rows, store->replica.at.records);
    }
    from = store->replica.at.offset;
    rows = store->replica.at.rows;
    if (rv == APR_SUCCESS) {
        rv = journal_replay(store, size, tmp);
    }
    if (rv == APR_EGENERAL && from > WA_JOURNAL_START) {
        WA_LOG(store->log, WA_LOG_WARNING, "WA0450", rv,
               "%s: the index does not take what the journal says after the checkpoint; everything "
               "is read again from the journal",
               store->place.directory);
        return recover(store, 1, tmp);
    }
    if (rv == APR_SUCCESS && store->replica.at.offset > from && from > WA_JOURNAL_START) {
        WA_LOG(store->log, WA_LOG_NOTICE, "WA0433", APR_SUCCESS,
               "%s: %" APR_UINT64_T_FMT " bytes after the checkpoint were applied",
               store->journal.path, store->replica.at.offset - from);
    }
    if (rv == APR_SUCCESS && size != from && !states_are_there(store, rows, from)) {
        WA_LOG(store->log, WA_LOG_WARNING, "WA0434", APR_SUCCESS,
               "%s: the index knows of changes that the journal has not; everything is read again "
               "from the journal",
               store->place.directory);
        rv = recover(store, 1, tmp);
    }
    return rv;
}

apr_status_t wa_dbm_recover(wa_dbm_store_t *store, int is_rebuild, apr_pool_t *tmp)
{
    /* Asked before anything is repaired: that would make these agree with a journal that lost its
     * end. */
    const apr_uint64_t known_rows = wa_loss_rows_known(&store->index);
    const wa_tail_t *at = &store->replica.at;
    apr_uint64_t size;
    wa_checkpoint_t c;
    int is_said;
    apr_status_t rv = wa_journal_size(&store->journal, &size);

    if (wa_checkpoint_find(&c, &store->place, tmp) != APR_SUCCESS) {
        memset(&c, 0, sizeof(c));
    }
    is_said = c.at.offset > size && !is_rebuild; /* WA0435 */
    if (rv == APR_SUCCESS) {
        rv = recover(store, is_rebuild, tmp);
    }
    if (rv == APR_SUCCESS && !is_said && (at->rows < known_rows || at->records < c.at.records)) {
        WA_LOG(store->log, WA_LOG_ERR, "WA0456", APR_EGENERAL,
               "%s has %" APR_UINT64_T_FMT " messages and %" APR_UINT64_T_FMT
               " records; the files beside it knew of %" APR_UINT64_T_FMT " and %" APR_UINT64_T_FMT
               ". What is missing is gone from its end: restore a backup",
               store->journal.path, at->rows, at->records,
               known_rows > c.at.rows ? known_rows : c.at.rows,
               c.at.records > known_rows ? c.at.records : known_rows);
    }
    return rv;
}
