/* SPDX-License-Identifier: Apache-2.0 */
/* Looks in what is derived for what the journal should have. */
#include "store/dbm/lifecycle/loss.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_strings.h>

/* A name in the directory that is only made after the journal is there, for good; NULL for none. */
static const char *witness_find(int dir)
{
    static const char *const later[] = {
        "rows", "times", "keys.0", "CURRENT", "journal.before-compact", "journal.before-retime",
        NULL};
    struct stat info;
    int i;

    for (i = 0; later[i]; i++) {
        if (!fstatat(dir, later[i], &info, AT_SYMLINK_NOFOLLOW)) {
            return later[i];
        }
    }
    return NULL;
}

apr_status_t wa_loss_check_missing(const char *directory, const char **perror, apr_pool_t *p)
{
    int dir = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const char *witness = NULL;
    struct stat info;

    if (dir < 0) {
        return APR_SUCCESS; /* whoever opens it will say so */
    }
    if (fstatat(dir, "journal", &info, AT_SYMLINK_NOFOLLOW)) {
        witness = witness_find(dir);
    }
    close(dir);
    if (!witness) {
        return APR_SUCCESS;
    }
    *perror = apr_psprintf(p,
                           "%s/journal is missing: %s beside it was made after it, so there was "
                           "one. " WA_JOURNAL_LOST_HINT,
                           directory, witness);
    return APR_ENOENT;
}

apr_status_t wa_loss_check_emptied(const wa_checkpoint_place_t *place, wa_journal_t *journal,
                                   const char **perror, apr_pool_t *p)
{
    apr_uint64_t size, found = 0;
    wa_checkpoint_t c;
    apr_status_t rv;

    if (wa_checkpoint_find(&c, place, p) != APR_SUCCESS || c.at.records == 0) {
        return APR_SUCCESS;
    }
    rv = wa_journal_size(journal, &size);
    if (rv == APR_SUCCESS) {
        rv = wa_journal_resync(journal, WA_JOURNAL_START, size, &found);
    }
    if (rv != APR_SUCCESS || found < size) {
        return rv;
    }
    *perror = apr_psprintf(p,
                           "%s holds nothing of the %" APR_UINT64_T_FMT
                           " records that its checkpoint says it had. " WA_JOURNAL_LOST_HINT,
                           journal->path, c.at.records);
    return APR_EINVAL;
}

apr_uint64_t wa_loss_rows_known(wa_index_t *index)
{
    apr_uint64_t row = index->rows_end / sizeof(wa_row_t), previous;
    const wa_row_t *entry;

    /* Row 0 is none. What was only allocated is zero. */
    while (row > 1) {
        entry = wa_index_row(index, --row);
        if (entry && entry->offset
            && wa_index_previous(index, row, entry, &previous) == APR_SUCCESS) {
            return row;
        }
    }
    return 0;
}
