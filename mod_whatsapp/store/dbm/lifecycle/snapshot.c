/* SPDX-License-Identifier: Apache-2.0 */
/* Builds a snapshot of a store from its journal, and from its checkpoint where that is believed. */
#include "store/dbm/lifecycle/snapshot.h"

#include <string.h>

#include <apr_strings.h>

#include "store/file/lock.h"

/* A live server may replace the checkpoint while it is read. */
#define CHECKPOINT_TRIES 5

/* A journal of `size` bytes cannot hold more of each than this gives. */
static wa_index_room_t room_for(apr_uint64_t size)
{
    wa_index_room_t room = {wa_rows_before(size) + 1, wa_records_before(size) + 1, 0};

    return room;
}

static apr_status_t snapshot_release(void *data)
{
    wa_snapshot_t *snapshot = data;

    wa_replica_release(&snapshot->store.replica);
    wa_index_release(&snapshot->store.index);
    wa_journal_release(&snapshot->store.journal);
    return APR_SUCCESS;
}

static apr_status_t journal_open(wa_snapshot_t *snapshot, const char **perror, apr_pool_t *p)
{
    wa_journal_options_t options = {NULL, NULL, 0, 0, snapshot->store.log, 1};
    apr_status_t rv;

    options.path = apr_pstrcat(p, snapshot->store.place.directory, "/journal", NULL);
    rv = wa_journal_open(&snapshot->store.journal, &options, perror, p);
    if (APR_STATUS_IS_ENOENT(rv)) {
        *perror = apr_psprintf(p, "there is no store in %s", snapshot->store.place.directory);
    }
    return rv;
}

/* Opens the index and an empty replica.
 * @param at  how far the index's files are to be believed; NULL: not at all */
static apr_status_t parts_open(wa_snapshot_t *snapshot, const wa_tail_t *at)
{
    const wa_index_room_t room = room_for(snapshot->scan.size);
    apr_status_t rv =
        wa_index_open_copy(&snapshot->store.index, at ? snapshot->store.place.directory : NULL,
                           snapshot->store.journal.salt, &room);

    return rv == APR_SUCCESS ? wa_replica_init(&snapshot->store.replica, &snapshot->store.journal,
                                               &snapshot->store.index)
                             : rv;
}

static void parts_release(wa_snapshot_t *snapshot)
{
    wa_replica_release(&snapshot->store.replica);
    wa_index_release(&snapshot->store.index);
}

/* Begins with the newest checkpoint. @return APR_SUCCESS | anything else: begin with the journal */
static apr_status_t checkpoint_begin(wa_snapshot_t *snapshot, apr_pool_t *p)
{
    apr_status_t rv = APR_EGENERAL;
    int i;

    for (i = 0; rv != APR_SUCCESS && i < CHECKPOINT_TRIES; i++) {
        apr_uint64_t before = snapshot->checkpoint.number;

        rv = wa_checkpoint_find(&snapshot->checkpoint, &snapshot->store.place, p);
        if (rv != APR_SUCCESS || (i > 0 && snapshot->checkpoint.number == before)) {
            return rv == APR_SUCCESS ? APR_EGENERAL : rv;
        }
        rv = wa_journal_size(&snapshot->store.journal, &snapshot->scan.size);
        if (rv == APR_SUCCESS && snapshot->checkpoint.at.offset > snapshot->scan.size) {
            rv = APR_EGENERAL;
        }
        if (rv == APR_SUCCESS) {
            rv = parts_open(snapshot, &snapshot->checkpoint.at);
        }
        if (rv == APR_SUCCESS) {
            rv = wa_checkpoint_load(&snapshot->checkpoint, &snapshot->store.place,
                                    &snapshot->store.replica, p);
        }
        if (rv != APR_SUCCESS) {
            parts_release(snapshot);
        }
    }
    return rv;
}

apr_status_t wa_snapshot_open(wa_snapshot_t **psnapshot, const wa_snapshot_options_t *options,
                              const char **perror, apr_pool_t *p)
{
    wa_snapshot_t *snapshot = apr_pcalloc(p, sizeof(*snapshot));
    apr_uint64_t size;
    apr_status_t rv;

    *psnapshot = NULL;
    *perror = NULL;
    snapshot->store.base.ops = options->ops;
    snapshot->store.is_read_only = 1;
    snapshot->store.log = options->log;
    snapshot->store.shared = snapshot->store.writer.shared = &snapshot->shared;
    snapshot->store.place.directory = apr_pstrdup(p, options->directory);
    snapshot->store.place.log = options->log;
    snapshot->store.journal.map.fd = -1;
    rv = journal_open(snapshot, perror, p);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    apr_pool_cleanup_register(p, snapshot, snapshot_release, apr_pool_cleanup_null);
    snapshot->store.place.salt = snapshot->store.journal.salt;
    snapshot->store.journal.stop = options->stop;
    snapshot->is_owned = wa_lock_is_taken(snapshot->store.place.directory);
    rv = wa_scan_init(&snapshot->scan, &snapshot->store.journal, NULL);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (options->is_quick) {
        snapshot->checkpoint_rv = checkpoint_begin(snapshot, p);
        snapshot->is_from_checkpoint = snapshot->checkpoint_rv == APR_SUCCESS;
    } else {
        snapshot->checkpoint_rv =
            wa_checkpoint_find(&snapshot->checkpoint, &snapshot->store.place, p);
    }
    if (!snapshot->is_from_checkpoint) {
        rv = parts_open(snapshot, NULL);
    }
    size = snapshot->scan.size; /* what there is room for */
    if (rv == APR_SUCCESS) {
        rv = wa_scan_init(&snapshot->scan, &snapshot->store.journal,
                          snapshot->is_from_checkpoint ? &snapshot->checkpoint.at : NULL);
    }
    if (snapshot->scan.size > size) {
        snapshot->scan.size = size;
    }
    *psnapshot = snapshot;
    return rv;
}

apr_status_t wa_snapshot_next(wa_snapshot_t *snapshot, wa_scan_step_t *step)
{
    wa_replica_t *replica = &snapshot->store.replica;
    apr_status_t rv = wa_scan_next(&snapshot->scan, step);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (!step->record) {
        snapshot->damaged += step->length;
        __atomic_store_n(&replica->at.offset, step->offset + step->length, __ATOMIC_RELEASE);
        return APR_SUCCESS;
    }
    return wa_replica_apply(replica, step->offset + step->length);
}

void wa_snapshot_settle(wa_snapshot_t *snapshot)
{
    wa_shared_init(&snapshot->shared, &snapshot->store.replica.at);
}

/* ---- the checkpoint for itself ---- */

typedef struct loaded_t {
    wa_index_t index;
    wa_replica_t replica;
} loaded_t;

static apr_status_t loaded_release(void *data)
{
    loaded_t *loaded = data;

    wa_replica_release(&loaded->replica);
    wa_index_release(&loaded->index);
    return APR_SUCCESS;
}

static apr_status_t loaded_load(wa_snapshot_t *snapshot, loaded_t *loaded, const wa_checkpoint_t *c,
                                apr_pool_t *p)
{
    const wa_index_room_t room = {c->at.rows, c->at.records, 0};
    apr_uint64_t size;
    apr_status_t rv = wa_journal_size(&snapshot->store.journal, &size);

    if (rv == APR_SUCCESS && c->at.offset > size) {
        rv = APR_EGENERAL;
    }
    if (rv == APR_SUCCESS) {
        rv = wa_index_open_copy(&loaded->index, snapshot->store.place.directory,
                                snapshot->store.journal.salt, &room);
    }
    if (rv == APR_SUCCESS) {
        rv = wa_replica_init(&loaded->replica, &snapshot->store.journal, &loaded->index);
    }
    return rv == APR_SUCCESS ? wa_checkpoint_load(c, &snapshot->store.place, &loaded->replica, p)
                             : rv;
}

apr_status_t wa_snapshot_checkpoint_load(wa_snapshot_t *snapshot, wa_checkpoint_t *c,
                                         wa_replica_t **preplica, apr_pool_t *p)
{
    loaded_t *loaded = apr_pcalloc(p, sizeof(*loaded));
    apr_uint64_t before = 0;
    apr_status_t rv = APR_EGENERAL;
    int i;

    *preplica = NULL;
    memset(c, 0, sizeof(*c));
    apr_pool_cleanup_register(p, loaded, loaded_release, apr_pool_cleanup_null);
    for (i = 0; rv != APR_SUCCESS && i < CHECKPOINT_TRIES; i++) {
        apr_status_t failed = rv;

        rv = wa_checkpoint_find(c, &snapshot->store.place, p);
        if (rv != APR_SUCCESS) {
            return rv;
        }
        if (i > 0 && c->number == before) {
            return failed;
        }
        before = c->number;
        loaded_release(loaded);
        rv = loaded_load(snapshot, loaded, c, p);
    }
    *preplica = rv == APR_SUCCESS ? &loaded->replica : NULL;
    return rv;
}
