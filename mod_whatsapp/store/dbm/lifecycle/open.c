/* SPDX-License-Identifier: Apache-2.0 */
/* Opening, owning and closing a dbm store. */
#include "store/dbm/lifecycle/open.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_strings.h>

#include "base/identity.h"
#include "base/memory.h"
#include "store/dbm/lifecycle/ahead.h"
#include "store/file/directory.h"
#include "store/dbm/lifecycle/inspect.h"
#include "store/file/lock.h"
#include "store/dbm/lifecycle/loss.h"
#include "store/dbm/lifecycle/recovery.h"
#include "store/dbm/lifecycle/upkeep.h"
#include "store/dbm/lifecycle/uri.h"

/* A child that is further behind than this begins with the newest checkpoint. */
#define CHILD_BEHIND ((apr_uint64_t)1 << 20)

/* Whose the directory has to be: a server that is not root's is its own user. */
static apr_uid_t owner_get(const wa_dbm_store_t *store)
{
    return geteuid() == 0 ? store->place.uid : geteuid();
}

/* Locks the directory for this server, or finds that it has it already. *pis_live is 1 then: other
 * processes of this server use the store now. */
static apr_status_t own(wa_dbm_store_t *store, int *pis_live, const char **perror, apr_pool_t *p)
{
    wa_dbm_retained_t *retained = store->retained;
    apr_status_t rv;
    int fd;

    *pis_live = 0;
    if (retained->layout == WA_SHARED_LAYOUT
        && wa_dbm_retained_is_of_another(retained, store->place.directory)) {
        /* Another directory is here now: the one before stays with those that still use it. */
        close(retained->shared_fd);
        close(retained->lock_fd);
        retained->layout = 0;
    }
    if (retained->layout == WA_SHARED_LAYOUT) {
        *pis_live = 1;
        return APR_SUCCESS;
    }
    if (retained->layout) {
        *perror = apr_psprintf(p,
                               "%s is in use by another version of the module; stop the server and "
                               "start it again, a restart is not enough",
                               store->place.directory);
        return APR_EINVAL;
    }
    rv = wa_lock_take(&fd, store->place.directory, store->place.uid, store->place.gid);
    if (APR_STATUS_IS_EEXIST(rv)) {
        *perror = apr_psprintf(p,
                               "%s is in use by another server or a tool; one server owns a "
                               "store's directory",
                               store->place.directory);
        return rv;
    }
    if (rv != APR_SUCCESS) {
        char why[120];

        *perror = apr_psprintf(p, "%s/lock cannot be opened: %s", store->place.directory,
                               apr_strerror(rv, why, sizeof(why)));
        return rv;
    }
    rv = wa_directory_heal(store->place.directory);
    if (rv != APR_SUCCESS) {
        close(fd);
        return rv;
    }
    retained->lock_fd = fd;
    retained->shared_fd = memfd_create("mod_whatsapp", MFD_CLOEXEC);
    if (retained->shared_fd < 0 || ftruncate(retained->shared_fd, (off_t)sizeof(wa_shared_t))) {
        rv = APR_FROM_OS_ERROR(errno);
        if (retained->shared_fd >= 0) {
            close(retained->shared_fd);
        }
        close(fd);
        return rv;
    }
    return APR_SUCCESS;
}

static apr_status_t shared_map(wa_dbm_store_t *store)
{
    void *base = mmap(NULL, sizeof(wa_shared_t), PROT_READ | PROT_WRITE, MAP_SHARED,
                      store->retained->shared_fd, 0);

    if (base == MAP_FAILED) {
        return APR_FROM_OS_ERROR(errno);
    }
    store->shared = base;
    store->writer.shared = base;
    wa_log_local_init(&store->local, &store->journal, base, store->writer.sync);
    return APR_SUCCESS;
}

/* The store is new to this server: recovers it and sets up the shared state. */
static apr_status_t start(wa_dbm_store_t *store, apr_pool_t *tmp)
{
    apr_uint64_t number, offset;
    apr_status_t rv = wa_dbm_recover(store, store->tool && store->tool->is_rebuild, tmp);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    number = store->shared->checkpoint_number;
    offset = store->shared->checkpoint_offset;
    rv = wa_shared_init(store->shared, &store->replica.at);
    store->shared->checkpoint_number = number;
    store->shared->checkpoint_offset = offset;
    if (rv == APR_SUCCESS && store->replica.at.offset > offset) {
        wa_dbm_checkpoint(store, tmp); /* logged if it fails; nothing depends on it */
    }
    return rv;
}

/* Brings this process's replica up to date, by way of the newest checkpoint where that is the
 * shorter one. */
static apr_status_t replica_refresh(wa_dbm_store_t *store, apr_pool_t *tmp)
{
    apr_status_t rv = APR_SUCCESS;
    int tries;

    /* More than once: another process may replace the checkpoint while it is read. */
    for (tries = 0; rv == APR_SUCCESS && tries < 3; tries++) {
        wa_checkpoint_t c;

        if (wa_checkpoint_find(&c, &store->place, tmp) != APR_SUCCESS
            || c.at.offset > __atomic_load_n(&store->shared->visible, __ATOMIC_ACQUIRE)
            || c.at.offset <= store->replica.at.offset) {
            break;
        }
        wa_replica_release(&store->replica);
        rv = wa_replica_init(&store->replica, &store->journal, &store->index);
        if (rv == APR_SUCCESS
            && wa_checkpoint_load(&c, &store->place, &store->replica, tmp) != APR_SUCCESS) {
            wa_replica_release(&store->replica);
            rv = wa_replica_init(&store->replica, &store->journal, &store->index);
        }
    }
    return rv == APR_SUCCESS ? wa_replica_catch_up(&store->replica, store->shared) : rv;
}

/* The store is in use by this server's older children: joins them. */
static apr_status_t join(wa_dbm_store_t *store, apr_pool_t *tmp)
{
    if (__atomic_load_n(&store->shared->failed, __ATOMIC_SEQ_CST)) {
        WA_LOG(store->log, WA_LOG_WARNING, "WA0440", APR_SUCCESS,
               "%s stays read-only after its failed sync; stop the server and start it again",
               store->place.directory);
    }
    return replica_refresh(store, tmp);
}

static void release(wa_dbm_store_t *store)
{
    wa_replica_release(&store->replica);
    wa_index_release(&store->index);
    wa_journal_release(&store->journal);
    if (store->shared) {
        munmap(store->shared, sizeof(wa_shared_t));
        store->shared = NULL;
    }
    if (store->retained == &store->own_retained && store->own_retained.layout) {
        close(store->own_retained.shared_fd);
        close(store->own_retained.lock_fd);
        store->own_retained.layout = 0;
    }
}

/* What a store is left with in order. The caller is its owner. */
static void settle(wa_dbm_store_t *store, apr_pool_t *tmp)
{
    if (!__atomic_load_n(&store->shared->failed, __ATOMIC_SEQ_CST)
        && __atomic_load_n(&store->shared->visible, __ATOMIC_ACQUIRE)
               > __atomic_load_n(&store->shared->checkpoint_offset, __ATOMIC_ACQUIRE)
        && replica_refresh(store, tmp) == APR_SUCCESS) {
        wa_dbm_checkpoint(store, tmp);
    }
    wa_order_trim(&store->writer,
                  __atomic_load_n(&store->shared->checkpoint_offset, __ATOMIC_ACQUIRE));
}

static apr_status_t close_cleanup(void *data)
{
    wa_dbm_store_t *store = data;
    wa_identity_t before;
    apr_pool_t *tmp;
    apr_status_t rv;

    if (store->opened_by != getpid()) {
        return APR_SUCCESS;
    }
    if (store->is_read_only) {
        release(store);
        return APR_SUCCESS;
    }
    if (!wa_dbm_files_are_whole(store)) {
        WA_LOG(store->log, WA_LOG_ERR, "WA0441", APR_EGENERAL,
               "%s: a file was cut while the server used it; it is left as it is",
               store->place.directory);
        release(store);
        return APR_SUCCESS;
    }
    rv = apr_pool_create_ex(&tmp, NULL, wa_memory_abort, NULL);
    if (rv == APR_SUCCESS) {
        rv = wa_identity_enter(&before, store->place.uid, store->place.gid, tmp);
        if (rv == APR_SUCCESS) {
            settle(store, tmp);
            wa_identity_leave(&before);
        }
        apr_pool_destroy(tmp);
    }
    if (rv != APR_SUCCESS) {
        WA_LOG(store->log, WA_LOG_ERR, "WA0445", rv,
               "%s: the store's user cannot be taken on to write a checkpoint; nothing is lost, "
               "the next start reads more of the journal",
               store->place.directory);
    }
    release(store);
    return APR_SUCCESS;
}

static apr_status_t index_reserve(void *view, const wa_tail_t *tail)
{
    return wa_index_reserve(view, tail->rows, tail->records, tail->keys);
}

static void store_init(wa_dbm_store_t *store, const wa_store_options_t *options, apr_pool_t *p)
{
    store->pool = p;
    store->log = options->log;
    store->retained =
        options->server.retained ? wa_dbm_retained(options->server.retained) : &store->own_retained;
    store->opened_by = getpid();
    store->place.uid = options->server.owner;
    store->place.gid = options->server.owner_group;
    store->place.log = options->log;
    store->journal.map.fd = -1;
    store->writer.backend = &store->local.base;
    store->writer.journal = &store->journal;
    store->writer.reserve = index_reserve;
    store->writer.view = &store->index;
    store->writer.sync = options->sync;
    store->writer.sync_interval = options->sync_interval;
    store->writer.log = options->log;
}

static apr_status_t files_open(wa_dbm_store_t *store, const wa_store_options_t *options,
                               const char **perror, apr_pool_t *p)
{
    wa_journal_options_t journal = {NULL,
                                    options->account_sid,
                                    options->server.owner,
                                    options->server.owner_group,
                                    options->log,
                                    0};
    apr_status_t rv;

    journal.path = apr_pstrcat(p, store->place.directory, "/journal", NULL);
    rv = wa_loss_check_missing(store->place.directory, perror, p);
    if (rv == APR_SUCCESS) {
        rv = wa_journal_open(&store->journal, &journal, perror, p);
    }
    if (rv == APR_SUCCESS) {
        store->place.salt = store->journal.salt;
        store->journal.stop = store->tool ? store->tool->stop : NULL;
        rv = wa_loss_check_emptied(&store->place, &store->journal, perror, p);
    }
    if (rv == APR_SUCCESS) {
        const wa_index_place_t at = {store->place.directory, store->journal.salt,
                                     options->server.owner, options->server.owner_group};

        rv = wa_index_open(&store->index, &at, perror, p);
    }
    if (rv == APR_SUCCESS) {
        rv = wa_replica_init(&store->replica, &store->journal, &store->index);
    }
    return rv;
}

static void retained_note(wa_dbm_store_t *store)
{
    struct stat info;

    if (fstat(store->journal.map.fd, &info) == 0) {
        store->retained->journal_dev = (apr_uint64_t)info.st_dev;
        store->retained->journal_ino = (apr_uint64_t)info.st_ino;
    }
    store->retained->layout = WA_SHARED_LAYOUT;
}

/* All that opening does in the directory. The caller is its owner. */
static apr_status_t directory_open(wa_dbm_store_t *store, const wa_store_options_t *options,
                                   const char **perror, apr_pool_t *p)
{
    apr_pool_t *tmp = NULL;
    int is_live = 0;
    apr_status_t rv = wa_directory_inspect(store->place.directory, owner_get(store), perror, p);

    if (rv == APR_SUCCESS) {
        rv = own(store, &is_live, perror, p);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = apr_pool_create(&tmp, p);
    if (rv == APR_SUCCESS) {
        rv = shared_map(store);
    }
    if (rv == APR_SUCCESS) {
        rv = files_open(store, options, perror, p);
    }
    if (rv == APR_SUCCESS) {
        rv = is_live ? join(store, tmp) : start(store, tmp);
    }
    if (rv == APR_SUCCESS) {
        wa_dbm_ahead_log(store, !is_live, tmp);
    }
    if (tmp) {
        apr_pool_destroy(tmp);
    }
    if (rv == APR_SUCCESS) {
        return rv;
    }
    if (!is_live) {
        close(store->retained->shared_fd);
        close(store->retained->lock_fd);
    }
    release(store);
    return rv;
}

apr_status_t wa_dbm_store_open(wa_dbm_store_t **pstore, const wa_dbm_opening_t *opening,
                               const char **perror, apr_pool_t *p)
{
    const wa_store_uri_t *uri = opening->uri;
    const wa_store_options_t *options = opening->options;
    wa_dbm_store_t *store = apr_pcalloc(p, sizeof(*store));
    wa_identity_t before;
    apr_status_t rv;

    store_init(store, options, p);
    store->tool = opening->tool;
    /* A tool may stand in the directory, or in the one above it: its path may lead where the owner
     * cannot go. */
    store->place.directory = uri->location;
    rv = store->tool && uri->location[0] == '.'
             ? APR_SUCCESS
             : wa_dbm_uri_directory(uri, &store->place.directory, perror, p);
    if (rv == APR_SUCCESS) {
        rv = wa_dbm_uri_type(uri, &store->place.type, perror, p);
    }
    if (rv == APR_SUCCESS) {
        rv = wa_directory_make(store->place.directory, options->server.owner,
                               options->server.owner_group, perror, p);
    }
    if (rv != APR_SUCCESS && rv != APR_EEXIST) {
        return rv;
    }
    rv = wa_identity_enter(&before, options->server.owner, options->server.owner_group, p);
    if (rv != APR_SUCCESS) {
        *perror = apr_psprintf(p, WA_DIRECTORY_NO_USER, (unsigned long)options->server.owner,
                               store->place.directory);
        return rv;
    }
    rv = directory_open(store, options, perror, p);
    wa_identity_leave(&before);
    if (rv != APR_SUCCESS && !*perror) {
        *perror = store->trouble ? store->trouble
                                 : apr_psprintf(p, "%s cannot be opened", store->place.directory);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    retained_note(store);
    apr_pool_cleanup_register(p, store, close_cleanup, apr_pool_cleanup_null);
    *pstore = store;
    return APR_SUCCESS;
}

void wa_dbm_store_abandon(wa_dbm_store_t *store)
{
    store->is_read_only = 1;
}

apr_status_t wa_dbm_child_init(wa_store_t *self, apr_pool_t *p)
{
    wa_dbm_store_t *store = WA_DBM_STORE(self);

    /* A child may be forked long after the store was opened, from a parent that did not follow. */
    if (__atomic_load_n(&store->shared->visible, __ATOMIC_ACQUIRE) - store->replica.at.offset
        > CHILD_BEHIND) {
        return replica_refresh(store, p);
    }
    return wa_replica_catch_up(&store->replica, store->shared);
}
