/* SPDX-License-Identifier: Apache-2.0 */
/* Copies a store's journal, checking every record. */
#include "ctl_copy.h"

#include <errno.h>
#include <unistd.h>

#include <apr_strings.h>

#include "ctl_end.h"
#include "ctl_say.h"
#include "progress.h"
#include "store/log/rewrite.h"
#include "store/log/scan.h"

/* Copies the records that the scan gives. */
static int records_copy(ctl_t *ctl, wa_scan_t *scan, wa_rewrite_t *w)
{
    progress_t progress;
    wa_scan_step_t step;
    apr_status_t rv = APR_SUCCESS;

    progress_begin(&progress, "copying", ctl->is_quiet);
    for (;;) {
        rv = wa_scan_next(scan, &step);
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
        progress_update(&progress, step.offset, scan->size);
    }
    progress_end(&progress);
    if (rv == APR_SUCCESS) {
        ctl_error("%s is damaged at byte %" APR_UINT64_T_FMT " (%" APR_UINT64_T_FMT
                  " bytes): stop httpd and run whatsappctl rebuild, which sets that aside; then "
                  "make the backup",
                  scan->journal->path, step.offset, step.length);
        return CTL_BAD;
    }
    if (rv == APR_EOF) {
        rv = wa_rewrite_finish(w);
    }
    return rv == APR_SUCCESS ? CTL_DONE : ctl_error_status(rv, "the copy cannot be written");
}

int ctl_journal_copy(ctl_t *ctl, int directory, const char *name)
{
    const char *path = directory < 0 ? name : apr_pstrcat(ctl->pool, "./", name, NULL);
    wa_journal_options_t from = {NULL, NULL, 0, 0, &ctl->log, 1};
    wa_journal_options_t to = {path, NULL, ctl->uid, ctl->gid, &ctl->log, 0};
    const char *error = NULL;
    wa_journal_t journal;
    wa_rewrite_t w;
    wa_scan_t scan;
    apr_status_t rv;
    int rc;

    from.path = apr_pstrcat(ctl->pool, ctl->directory, "/journal", NULL);
    rv = wa_journal_open(&journal, &from, &error, ctl->pool);
    if (rv != APR_SUCCESS) {
        return ctl_error_status(rv, "%s", error ? error : "the journal cannot be opened");
    }
    journal.stop = ctl_stop();
    rv = wa_scan_init(&scan, &journal, NULL);
    if (rv == APR_SUCCESS && directory >= 0) {
        rv = fchdir(directory) ? APR_FROM_OS_ERROR(errno) : APR_SUCCESS;
        ctl_leftover("./");
    }
    if (rv == APR_SUCCESS) {
        rv = wa_rewrite_create_copy(&w, &journal, &to, &error, ctl->pool);
    }
    if (rv != APR_SUCCESS) {
        wa_journal_release(&journal);
        return ctl_error_status(rv, "%s", error ? error : "the copy cannot be made");
    }
    rc = records_copy(ctl, &scan, &w);
    wa_rewrite_release(&w);
    wa_journal_release(&journal);
    return rc;
}
