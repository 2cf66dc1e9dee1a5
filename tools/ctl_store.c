/* SPDX-License-Identifier: Apache-2.0 */
/* Finding, viewing, locking and opening stores, for all commands. */
#include "ctl_store.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_strings.h>

#include "base/identity.h"
#include "ctl_end.h"
#include "ctl_owner.h"
#include "ctl_say.h"
#include "progress.h"
#include "store/dbm/driver.h"
#include "store/file/directory.h"
#include "store/file/lock.h"
#include "store/dbm/lifecycle/open.h"
#include "store/dbm/lifecycle/upkeep.h"
#include "store/file/swap.h"

/* The store that is open for writing; there is one at a time. */
static wa_dbm_store_t *open_store;

int ctl_store_inspect(ctl_t *ctl)
{
    const char *error = NULL;
    apr_status_t rv = wa_directory_inspect(ctl->directory, ctl->uid, &error, ctl->pool);

    if (rv == APR_SUCCESS) {
        return CTL_DONE;
    }
    return APR_STATUS_IS_EACCES(rv) && error
               ? ctl_error("%s", error)
               : ctl_error_status(rv, "%s", error ? error : "the store's directory cannot be read");
}

int ctl_store_find(ctl_t *ctl)
{
    const char *journal;
    struct stat info;
    int rc;

    if (ctl->is_found) {
        return CTL_DONE;
    }
    if (stat(ctl->directory, &info) || !S_ISDIR(info.st_mode)) {
        return ctl_error_status(APR_FROM_OS_ERROR(errno ? errno : ENOTDIR),
                                "there is no store in %s: name its directory with --store",
                                ctl->directory);
    }
    ctl->uid = info.st_uid;
    ctl->gid = wa_identity_group(info.st_uid, info.st_gid, ctl->pool);
    rc = ctl_owner_become(ctl);
    if (rc == CTL_DONE) {
        rc = ctl_store_inspect(ctl);
    }
    if (rc != CTL_DONE) {
        return rc;
    }
    journal = apr_pstrcat(ctl->pool, ctl->directory, "/journal", NULL);
    if (access(journal, R_OK)) {
        if (errno == EACCES) {
            return ctl_error("%s may not be read: run this as the server's user, or as root",
                             journal);
        }
        return ctl_error(
            "there is no store in %s (no file journal): name its directory with --store",
            ctl->shown);
    }
    ctl->is_found = 1;
    return CTL_DONE;
}

int ctl_snapshot_read(ctl_t *ctl, int is_quick, ctl_step_fn visit, void *baton,
                      wa_snapshot_t **psnapshot)
{
    wa_snapshot_options_t options = {NULL, &ctl->log, &wa_store_dbm_ops, ctl_stop(), is_quick};
    const char *error = NULL;
    progress_t progress;
    wa_scan_step_t step;
    wa_snapshot_t *snapshot;
    apr_status_t rv;
    int rc = ctl_store_find(ctl);

    if (rc != CTL_DONE) {
        return rc;
    }
    options.directory = ctl->directory;
    rv = wa_snapshot_open(&snapshot, &options, &error, ctl->pool);
    if (rv != APR_SUCCESS) {
        return ctl_error_status(rv, "%s", error ? error : "the store cannot be opened");
    }
    *psnapshot = snapshot;
    progress_begin(&progress, "reading", ctl->is_quiet);
    while (rv == APR_SUCCESS) {
        rv = wa_snapshot_next(snapshot, &step);
        if (rv == APR_SUCCESS && visit) {
            rv = visit(baton, snapshot, &step);
        }
        if (rv == APR_SUCCESS && ctl_is_interrupted()) {
            rv = APR_EINTR;
        }
        progress_update(&progress, step.offset, snapshot->scan.size);
    }
    progress_end(&progress);
    if (rv != APR_EOF) {
        return ctl_error_status(rv, "reading stopped at byte %" APR_UINT64_T_FMT " of %s/journal",
                                step.offset, ctl->directory);
    }
    wa_snapshot_settle(snapshot);
    return CTL_DONE;
}

int ctl_snapshot_again(ctl_t *ctl, wa_snapshot_t *snapshot, const char *label, ctl_step_fn visit,
                       void *baton)
{
    apr_uint64_t end = snapshot->store.replica.at.offset;
    progress_t progress;
    wa_scan_step_t step;
    wa_scan_t scan;
    apr_status_t rv = wa_scan_init(&scan, &snapshot->store.journal, NULL);

    scan.size = end < scan.size ? end : scan.size;
    progress_begin(&progress, label, ctl->is_quiet);
    while (rv == APR_SUCCESS) {
        rv = wa_scan_next(&scan, &step);
        if (rv == APR_SUCCESS) {
            rv = visit(baton, snapshot, &step);
        }
        if (rv == APR_SUCCESS && ctl_is_interrupted()) {
            rv = APR_EINTR;
        }
        progress_update(&progress, step.offset, end);
    }
    progress_end(&progress);
    return rv == APR_EOF ? CTL_DONE : ctl_error_status(rv, "%s stopped", label);
}

typedef struct watch_t {
    progress_t progress;
} watch_t;

static apr_status_t watch(void *baton, apr_uint64_t done, apr_uint64_t total)
{
    watch_t *w = baton;

    progress_update(&w->progress, done, total);
    return ctl_is_interrupted() ? APR_EINTR : APR_SUCCESS;
}

const char *ctl_store_type(const ctl_t *ctl, apr_pool_t *p)
{
    wa_checkpoint_place_t place = {.directory = ctl->directory};
    wa_journal_options_t options = {NULL, NULL, 0, 0, NULL, 1};
    const char *error, *type = ctl->type;
    wa_journal_t journal;
    wa_checkpoint_t c;

    options.path = apr_pstrcat(p, ctl->directory, "/journal", NULL);
    if (!type && wa_journal_open(&journal, &options, &error, p) == APR_SUCCESS) {
        place.salt = journal.salt;
        wa_journal_release(&journal);
        if (wa_checkpoint_find(&c, &place, p) == APR_SUCCESS
            && wa_checkpoint_type_is_available(c.type, p)) {
            type = c.type;
        }
    }
    return type ? type : "default";
}

int ctl_store_open(ctl_t *ctl, const char *directory, const char *account_sid,
                   wa_dbm_store_t **pstore, apr_pool_t *p)
{
    wa_store_uri_t uri = {"dbm", directory, NULL};
    wa_store_options_t options = {.account_sid = account_sid,
                                  .sync = WA_SYNC_OFF,
                                  .server = {.owner = ctl->uid, .owner_group = ctl->gid},
                                  .log = &ctl->log};
    watch_t *w = apr_pcalloc(p, sizeof(*w));
    wa_dbm_tool_t *tool = apr_pcalloc(p, sizeof(*tool));
    const wa_dbm_opening_t opening = {.uri = &uri, .options = &options, .tool = tool};
    const char *error = NULL;
    wa_store_t *store = NULL;
    apr_status_t rv;

    uri.arguments = apr_pstrcat(p, "type=", ctl_store_type(ctl, p), NULL);
    tool->is_rebuild = 1;
    tool->stop = ctl_stop();
    tool->watch = watch;
    tool->baton = w;
    progress_begin(&w->progress, "making the index", ctl->is_quiet);
    rv = wa_dbm_open_tool(&store, &opening, &error, p);
    progress_end(&w->progress);
    *pstore = open_store = store ? WA_DBM_STORE(store) : NULL;
    if (APR_STATUS_IS_EEXIST(rv)) {
        return ctl_error("%s is in use by a server or another tool: stop httpd, then try again",
                         directory);
    }
    if (rv != APR_SUCCESS) {
        return ctl_error_status(rv, "%s", error ? error : "the store cannot be opened");
    }
    return CTL_DONE;
}

int ctl_store_close(wa_dbm_store_t *store, apr_pool_t *p)
{
    apr_uint64_t visible = __atomic_load_n(&store->shared->visible, __ATOMIC_ACQUIRE);
    apr_status_t rv = APR_SUCCESS;

    if (visible > store->shared->checkpoint_offset) {
        rv = wa_dbm_checkpoint(store, p);
    }
    open_store = NULL;
    apr_pool_destroy(p);
    return rv == APR_SUCCESS ? CTL_DONE : ctl_error_status(rv, "the checkpoint cannot be written");
}

void ctl_stores_abandon(void)
{
    if (open_store) {
        wa_dbm_store_abandon(open_store);
        open_store = NULL;
    }
}

int ctl_store_lock(ctl_t *ctl)
{
    apr_status_t rv;
    int fd;

    rv = wa_lock_take(&fd, ctl->directory, ctl->uid, ctl->gid);
    if (APR_STATUS_IS_EEXIST(rv)) {
        return ctl_error("%s is in use by a server or another tool: stop httpd, then try again",
                         ctl->directory);
    }
    if (rv != APR_SUCCESS) {
        return ctl_error_status(rv, "%s/lock cannot be opened", ctl->directory);
    }
    /* What a killed compact or retime left would get a third name by the next. */
    rv = wa_directory_heal(ctl->directory);
    return rv == APR_SUCCESS
               ? CTL_DONE
               : ctl_error_status(rv, "%s: what a killed rewrite left cannot be removed",
                                  ctl->directory);
}

int ctl_work_directory(ctl_t *ctl, const char *name, int is_trial, const char **pdirectory)
{
    const char *directory = apr_pstrcat(ctl->pool, ctl->directory, "/", name, NULL);
    struct stat info;

    /* What a killed one left; the lock says that nobody uses it. */
    if (!lstat(directory, &info)
        && (is_trial || !S_ISDIR(info.st_mode)
            || wa_directory_remove(directory, ctl->pool) != APR_SUCCESS)) {
        return ctl_error("%s is in the way%s", directory,
                         is_trial ? " and a dry run removes nothing: load without --dry-run does"
                                  : " and cannot be removed");
    }
    if (mkdir(directory, 0700)) {
        return ctl_error_status(APR_FROM_OS_ERROR(errno), "%s cannot be made", directory);
    }
    ctl_leftover(directory);
    *pdirectory = directory;
    return CTL_DONE;
}

int ctl_journal_create(ctl_t *ctl, const wa_snapshot_t *snapshot, const char *work,
                       wa_rewrite_t *out)
{
    const wa_journal_options_t options = {apr_pstrcat(ctl->pool, work, "/journal", NULL),
                                          snapshot->store.journal.account_sid,
                                          ctl->uid,
                                          ctl->gid,
                                          &ctl->log,
                                          0};
    const char *error = NULL;
    const apr_status_t rv = wa_rewrite_create(out, &options, &error, ctl->pool);

    return rv == APR_SUCCESS
               ? CTL_DONE
               : ctl_error_status(rv, "%s", error ? error : "the new journal cannot be made");
}
