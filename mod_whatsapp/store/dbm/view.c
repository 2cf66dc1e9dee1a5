/* SPDX-License-Identifier: Apache-2.0 */
/* Builds a view of a store from its journal, and from its checkpoint where that is believed. */
#include "store/dbm/view.h"

#include <string.h>

#include <apr_strings.h>

#include "store/dbm/driver.h"
#include "store/dbm/lock.h"

/* A live server may replace the checkpoint while it is read. */
#define CHECKPOINT_TRIES 5

/* A journal of `size` bytes cannot hold more of each than this gives. */
static wa_index_room_t room_for(apr_uint64_t size)
{
    wa_index_room_t room = {wa_rows_before(size) + 1, wa_records_before(size) + 1, 0};

    return room;
}

static apr_status_t view_release(void *data)
{
    wa_view_t *view = data;

    wa_replica_release(&view->store.replica);
    wa_index_release(&view->store.index);
    wa_journal_release(&view->store.journal);
    return APR_SUCCESS;
}

static apr_status_t journal_open(wa_view_t *view, const char **perror, apr_pool_t *p)
{
    wa_journal_options_t options = {NULL, NULL, 0, 0, view->store.log, 1};
    apr_status_t rv;

    options.path = apr_pstrcat(p, view->store.place.folder, "/journal", NULL);
    rv = wa_journal_open(&view->store.journal, &options, perror, p);
    if (APR_STATUS_IS_ENOENT(rv)) {
        *perror = apr_psprintf(p, "there is no store in %s", view->store.place.folder);
    }
    return rv;
}

/* Opens the index and an empty replica.
 * @param at  how far the index's files are to be believed; NULL: not at all */
static apr_status_t parts_open(wa_view_t *view, const wa_tail_t *at)
{
    const wa_index_room_t room = room_for(view->walk.size);
    apr_status_t rv = wa_index_open_copy(&view->store.index, at ? view->store.place.folder : NULL,
                                         view->store.journal.salt, &room);

    return rv == APR_SUCCESS
               ? wa_replica_init(&view->store.replica, &view->store.journal, &view->store.index)
               : rv;
}

static void parts_release(wa_view_t *view)
{
    wa_replica_release(&view->store.replica);
    wa_index_release(&view->store.index);
}

/* Begins with the newest checkpoint. @return APR_SUCCESS | anything else: begin with the journal */
static apr_status_t checkpoint_begin(wa_view_t *view, apr_pool_t *p)
{
    apr_status_t rv = APR_EGENERAL;
    int i;

    for (i = 0; rv != APR_SUCCESS && i < CHECKPOINT_TRIES; i++) {
        apr_uint64_t before = view->checkpoint.number;

        rv = wa_checkpoint_find(&view->checkpoint, &view->store.place, p);
        if (rv != APR_SUCCESS || (i > 0 && view->checkpoint.number == before)) {
            return rv == APR_SUCCESS ? APR_EGENERAL : rv;
        }
        rv = wa_journal_size(&view->store.journal, &view->walk.size);
        if (rv == APR_SUCCESS && view->checkpoint.at.offset > view->walk.size) {
            rv = APR_EGENERAL;
        }
        if (rv == APR_SUCCESS) {
            rv = parts_open(view, &view->checkpoint.at);
        }
        if (rv == APR_SUCCESS) {
            rv = wa_checkpoint_load(&view->checkpoint, &view->store.place, &view->store.replica, p);
        }
        if (rv != APR_SUCCESS) {
            parts_release(view);
        }
    }
    return rv;
}

apr_status_t wa_view_open(wa_view_t **pview, const wa_view_options_t *options, const char **perror,
                          apr_pool_t *p)
{
    wa_view_t *view = apr_pcalloc(p, sizeof(*view));
    apr_uint64_t size;
    apr_status_t rv;

    *pview = NULL;
    *perror = NULL;
    view->store.base.ops = options->ops;
    view->store.is_read_only = 1;
    view->store.log = options->log;
    view->store.shared = view->store.writer.shared = &view->shared;
    view->store.place.folder = apr_pstrdup(p, options->folder);
    view->store.place.log = options->log;
    view->store.journal.map.fd = -1;
    rv = journal_open(view, perror, p);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    apr_pool_cleanup_register(p, view, view_release, apr_pool_cleanup_null);
    view->store.place.salt = view->store.journal.salt;
    view->store.journal.stop = options->stop;
    view->is_owned = wa_lock_is_taken(view->store.place.folder);
    rv = wa_walk_init(&view->walk, &view->store.journal, NULL);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (options->is_quick) {
        view->checkpoint_rv = checkpoint_begin(view, p);
        view->is_from_checkpoint = view->checkpoint_rv == APR_SUCCESS;
    } else {
        view->checkpoint_rv = wa_checkpoint_find(&view->checkpoint, &view->store.place, p);
    }
    if (!view->is_from_checkpoint) {
        rv = parts_open(view, NULL);
    }
    size = view->walk.size; /* what there is room for */
    if (rv == APR_SUCCESS) {
        rv = wa_walk_init(&view->walk, &view->store.journal,
                          view->is_from_checkpoint ? &view->checkpoint.at : NULL);
    }
    if (view->walk.size > size) {
        view->walk.size = size;
    }
    *pview = view;
    return rv;
}

apr_status_t wa_view_next(wa_view_t *view, wa_walk_step_t *step)
{
    wa_replica_t *replica = &view->store.replica;
    apr_status_t rv = wa_walk_next(&view->walk, step);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (!step->record) {
        view->damaged += step->length;
        __atomic_store_n(&replica->at.offset, step->offset + step->length, __ATOMIC_RELEASE);
        return APR_SUCCESS;
    }
    return wa_replica_apply(replica, step->offset + step->length);
}

void wa_view_settle(wa_view_t *view)
{
    wa_shared_init(&view->shared, &view->store.replica.at);
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

static apr_status_t loaded_load(wa_view_t *view, loaded_t *loaded, const wa_checkpoint_t *c,
                                apr_pool_t *p)
{
    const wa_index_room_t room = {c->at.rows, c->at.records, 0};
    apr_uint64_t size;
    apr_status_t rv = wa_journal_size(&view->store.journal, &size);

    if (rv == APR_SUCCESS && c->at.offset > size) {
        rv = APR_EGENERAL;
    }
    if (rv == APR_SUCCESS) {
        rv = wa_index_open_copy(&loaded->index, view->store.place.folder, view->store.journal.salt,
                                &room);
    }
    if (rv == APR_SUCCESS) {
        rv = wa_replica_init(&loaded->replica, &view->store.journal, &loaded->index);
    }
    return rv == APR_SUCCESS ? wa_checkpoint_load(c, &view->store.place, &loaded->replica, p) : rv;
}

apr_status_t wa_view_checkpoint_load(wa_view_t *view, wa_checkpoint_t *c, wa_replica_t **preplica,
                                     apr_pool_t *p)
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

        rv = wa_checkpoint_find(c, &view->store.place, p);
        if (rv != APR_SUCCESS) {
            return rv;
        }
        if (i > 0 && c->number == before) {
            return failed;
        }
        before = c->number;
        loaded_release(loaded);
        rv = loaded_load(view, loaded, c, p);
    }
    *preplica = rv == APR_SUCCESS ? &loaded->replica : NULL;
    return rv;
}
