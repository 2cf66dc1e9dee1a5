/* SPDX-License-Identifier: Apache-2.0 */
/* whatsappctl backup: a checked copy of a store, also of one that a server writes to. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_file_info.h>
#include <apr_strings.h>

#include "ctl.h"
#include "progress.h"

/* An absolute path for the copy. */
static const char *target_path(const char *typed, apr_pool_t *p)
{
    char *path = NULL, *here;

    if (typed[0] == '/') {
        return typed;
    }
    if (apr_filepath_get(&here, 0, p) != APR_SUCCESS
        || apr_filepath_merge(&path, here, typed, 0, p) != APR_SUCCESS) {
        return NULL;
    }
    return path;
}

static int is_empty(const char *folder, apr_pool_t *p)
{
    apr_finfo_t info;
    apr_dir_t *dir;
    int count = 0;

    if (apr_dir_open(&dir, folder, p) != APR_SUCCESS) {
        return 0;
    }
    while (apr_dir_read(&info, APR_FINFO_NAME, dir) == APR_SUCCESS) {
        count += strcmp(info.name, ".") && strcmp(info.name, "..");
    }
    apr_dir_close(dir);
    return count == 0;
}

static int target_make(ctl_t *ctl, const char *folder)
{
    if (mkdir(folder, 0700) == 0) {
        ctl_leftover(folder);
        if (geteuid() == 0 && chown(folder, ctl->uid, ctl->gid)) {
            return ctl_error_status(APR_FROM_OS_ERROR(errno),
                                    "%s cannot be given to the store's owner", folder);
        }
        return CTL_DONE;
    }
    if (errno != EEXIST) {
        return ctl_error_status(APR_FROM_OS_ERROR(errno), "%s cannot be made", folder);
    }
    if (!is_empty(folder, ctl->pool)) {
        return ctl_error(
            "%s is no empty folder: name a new one, so that no older backup is overwritten",
            folder);
    }
    ctl_leftover(apr_pstrcat(ctl->pool, folder, "/", NULL));
    return CTL_DONE;
}

/* Copies the records that the walk gives. */
static int records_copy(ctl_t *ctl, wa_walk_t *walk, wa_rewrite_t *w)
{
    progress_t progress;
    wa_walk_step_t step;
    apr_status_t rv = APR_SUCCESS;

    progress_begin(&progress, "copying", ctl->is_quiet);
    for (;;) {
        rv = wa_walk_next(walk, &step);
        if (rv == APR_SUCCESS && ctl_is_interrupted()) {
            rv = APR_EINTR;
        }
        if (rv != APR_SUCCESS || !step.record) {
            break;
        }
        rv = wa_rewrite_put_same(w, step.record);
        if (rv != APR_SUCCESS) {
            break;
        }
        progress_update(&progress, step.offset, walk->size);
    }
    progress_end(&progress);
    if (rv == APR_SUCCESS) {
        ctl_error("%s is damaged at byte %" APR_UINT64_T_FMT " (%" APR_UINT64_T_FMT
                  " bytes): stop httpd and run whatsappctl rebuild, which sets that aside; then "
                  "make the backup",
                  walk->journal->path, step.offset, step.length);
        return CTL_BAD;
    }
    if (rv == APR_EOF) {
        rv = wa_rewrite_finish(w);
    }
    return rv == APR_SUCCESS ? CTL_DONE : ctl_error_status(rv, "the copy cannot be written");
}

int ctl_journal_copy(ctl_t *ctl, const char *path)
{
    wa_journal_options_t from = {NULL, NULL, 0, 0, &ctl->log, 1};
    wa_journal_options_t to = {path, NULL, ctl->uid, ctl->gid, &ctl->log, 0};
    const char *error = NULL;
    wa_journal_t journal;
    wa_rewrite_t w;
    wa_walk_t walk;
    apr_status_t rv;
    int rc;

    from.path = apr_pstrcat(ctl->pool, ctl->folder, "/journal", NULL);
    rv = wa_journal_open(&journal, &from, &error, ctl->pool);
    if (rv != APR_SUCCESS) {
        return ctl_error_status(rv, "%s", error ? error : "the journal cannot be opened");
    }
    journal.stop = ctl_stop();
    rv = wa_walk_init(&walk, &journal, NULL);
    if (rv == APR_SUCCESS) {
        rv = wa_rewrite_create_copy(&w, &journal, &to, &error, ctl->pool);
    }
    if (rv != APR_SUCCESS) {
        wa_journal_release(&journal);
        return ctl_error_status(rv, "%s", error ? error : "the copy cannot be made");
    }
    rc = records_copy(ctl, &walk, &w);
    wa_rewrite_release(&w);
    wa_journal_release(&journal);
    return rc;
}

/* Makes what is derived in the copy, so that a server starts on it at once. */
static int copy_complete(ctl_t *ctl, const char *folder, apr_uint64_t *prows)
{
    wa_dbm_store_t *store;
    apr_pool_t *p;
    int rc;

    apr_pool_create(&p, ctl->pool);
    rc = ctl_store_open(ctl, folder, NULL, 1, &store, p);
    if (rc != CTL_DONE) {
        return rc;
    }
    *prows = store->replica.at.rows;
    return ctl_store_close(store, p);
}

int ctl_backup(ctl_t *ctl, ctl_arguments_t arguments)
{
    const ctl_option_t options[] = {{NULL, NULL, NULL}};
    const char *typed, *folder, *part;
    apr_uint64_t rows = 0;
    apr_status_t rv;
    int rc;

    if (!ctl_arguments_read(arguments, options, &typed)) {
        return CTL_FAILED;
    }
    folder = typed ? target_path(typed, ctl->pool) : NULL;
    if (!folder) {
        return ctl_error("backup needs the folder to copy to; see --help");
    }
    rc = ctl_store_find(ctl);
    if (rc == CTL_DONE) {
        rc = target_make(ctl, folder);
    }
    if (rc != CTL_DONE) {
        return rc;
    }
    part = apr_pstrcat(ctl->pool, folder, "/journal.new", NULL);
    rc = ctl_journal_copy(ctl, part);
    if (rc != CTL_DONE) {
        return rc;
    }
    if (rename(part, apr_pstrcat(ctl->pool, folder, "/journal", NULL))) {
        return ctl_error_status(APR_FROM_OS_ERROR(errno), "%s cannot be renamed", part);
    }
    rc = copy_complete(ctl, folder, &rows);
    if (rc != CTL_DONE) {
        return rc;
    }
    rv = wa_folder_sync(folder);
    if (rv == APR_SUCCESS) {
        rv = wa_folder_sync(apr_pstrcat(ctl->pool, folder, "/..", NULL));
    }
    if (rv != APR_SUCCESS) {
        return ctl_error_status(rv, "%s cannot be synced to the disk", folder);
    }
    ctl_leftover_keep();
    ctl_note(ctl, "backup of %" APR_UINT64_T_FMT " messages in %s", rows, folder);
    return CTL_DONE;
}
