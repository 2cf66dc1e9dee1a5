/* SPDX-License-Identifier: Apache-2.0 */
/* whatsappctl backup: a checked copy of a store, also of one that a server writes to. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_file_info.h>
#include <apr_strings.h>

#include "commands.h"
#include "ctl_copy.h"
#include "ctl_end.h"
#include "ctl_owner.h"
#include "ctl_say.h"
#include "ctl_store.h"
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

/* Makes what is derived in the copy, so that a server starts on it at once. */
static int copy_complete(ctl_t *ctl, const char *directory, apr_uint64_t *prows)
{
    wa_dbm_store_t *store;
    apr_pool_t *p;
    int rc;

    apr_pool_create(&p, ctl->pool);
    rc = ctl_store_open(ctl, directory, NULL, &store, p);
    if (rc != CTL_DONE) {
        return rc;
    }
    *prows = store->replica.at.rows;
    return ctl_store_close(store, p);
}

/* Makes the copy's directory, as whoever runs this, then goes on as the store's owner. */
static int target_begin(ctl_t *ctl, const char *directory, int *ptarget)
{
    struct stat info;
    int rc;

    if (stat(apr_pstrcat(ctl->pool, ctl->directory, "/journal", NULL), &info)
        || stat(ctl->directory, &info)) {
        return ctl_store_find(ctl); /* says what is the matter */
    }
    ctl->uid = info.st_uid;
    ctl->gid = info.st_gid;
    rc = ctl_outside_directory(ctl, directory, 1, ptarget);
    return rc == CTL_DONE ? ctl_store_find(ctl) : rc;
}

int ctl_backup(ctl_t *ctl, ctl_arguments_t arguments)
{
    const ctl_option_t options[] = {{NULL, NULL, NULL}};
    const char *typed, *directory;
    apr_uint64_t rows = 0;
    int rc, target = -1;

    if (!ctl_arguments_read(arguments, options, &typed)) {
        return CTL_FAILED;
    }
    directory = typed ? target_path(typed, ctl->pool) : NULL;
    if (!directory) {
        return ctl_error("backup needs the directory to copy to; see --help");
    }
    rc = target_begin(ctl, directory, &target);
    if (rc != CTL_DONE) {
        return rc;
    }
    ctl->type = ctl_store_type(ctl, ctl->pool);
    rc = ctl_journal_copy(ctl, target, "journal.new");
    if (rc != CTL_DONE) {
        return rc;
    }
    if (renameat(target, "journal.new", target, "journal")) {
        return ctl_error_status(APR_FROM_OS_ERROR(errno), "%s/journal.new cannot be renamed",
                                directory);
    }
    rc = copy_complete(ctl, ".", &rows);
    if (rc == CTL_DONE && fsync(target)) {
        rc = ctl_error_status(APR_FROM_OS_ERROR(errno), "%s cannot be synced to the disk",
                              directory);
    }
    if (rc != CTL_DONE) {
        return rc;
    }
    ctl_leftover_keep();
    ctl_note(ctl, "backup of %" APR_UINT64_T_FMT " messages in %s", rows, directory);
    return CTL_DONE;
}
