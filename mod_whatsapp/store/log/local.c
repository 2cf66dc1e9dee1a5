/* SPDX-License-Identifier: Apache-2.0 */
/* The journal's file as what keeps records safe: room ahead, writes, wipes, fdatasync. */
#include "store/log/local.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* The journal's file grows by these steps; the smaller ones are for a disk that is nearly full. */
static const apr_uint64_t reserve_steps[] = {(apr_uint64_t)16 << 20, (apr_uint64_t)1 << 20,
                                             (apr_uint64_t)64 << 10, 0};

/* What is allocated is written with zeros by portions of this size. */
#define PREPARE_STEP ((apr_uint64_t)1 << 20)

#define LOCAL(self) ((wa_log_local_t *)(void *)(self))

static apr_status_t zeros_write(int fd, apr_uint64_t offset, apr_uint64_t end)
{
    static const char zeros[65536];
    apr_status_t rv = APR_SUCCESS;

    while (rv == APR_SUCCESS && offset < end) {
        apr_size_t n = end - offset < sizeof(zeros) ? (apr_size_t)(end - offset) : sizeof(zeros);

        rv = wa_file_write(fd, zeros, n, offset);
        offset += n;
    }
    return rv;
}

/* Allocates the journal's file up to `end` or further. */
static apr_status_t journal_allocate(const wa_log_local_t *l, apr_uint64_t end, apr_uint64_t *psize)
{
    apr_status_t rv = wa_journal_size(l->journal, psize);
    apr_size_t i;

    for (i = 0; end > *psize && i < sizeof(reserve_steps) / sizeof(reserve_steps[0]); i++) {
        apr_uint64_t to = end + reserve_steps[i];

        rv = wa_file_allocate(l->journal->map.fd, l->shared->reserved_end, to);
        if (rv == APR_SUCCESS) {
            *psize = to;
        }
    }
    return rv;
}

/* Makes room up to `end`. A block that was only allocated costs its first sync a second write, of
 * the file system's own notes that it holds data now; zeros that are on the disk already spare
 * that, a portion at a time: a third of a sync's time. */
static apr_status_t journal_reserve(const wa_log_local_t *l, apr_uint64_t end)
{
    wa_shared_t *s = l->shared;
    int fd = l->journal->map.fd;
    apr_uint64_t size, to;
    apr_status_t rv;

    if (end <= s->reserved_end) {
        return APR_SUCCESS;
    }
    rv = journal_allocate(l, end, &size);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    to = size;
    if (l->sync == WA_SYNC_ALWAYS) {
        to = end + PREPARE_STEP < size ? end + PREPARE_STEP : size;
        rv = zeros_write(fd, s->reserved_end, to);
        /* Whether it succeeds is of no interest: what these blocks will hold is synced when it is
         * there. */
        (void)sync_file_range(fd, (off_t)s->reserved_end, (off_t)(to - s->reserved_end),
                              SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
    }
    if (rv == APR_SUCCESS) {
        s->reserved_end = to;
    }
    return rv;
}

static apr_status_t local_wipe(wa_log_backend_t *self, apr_uint64_t from, apr_uint64_t end)
{
    const wa_log_local_t *l = LOCAL(self);
    const apr_uint64_t reserved = l->shared->reserved_end;

    return zeros_write(l->journal->map.fd, from, end < reserved ? end : reserved);
}

static apr_status_t local_append(wa_log_backend_t *self, wa_slice_t records, apr_uint64_t offset)
{
    const wa_log_local_t *l = LOCAL(self);
    apr_status_t rv = journal_reserve(l, offset + records.len);

    if (rv != APR_SUCCESS) {
        return wa_journal_refuse(l->journal, rv);
    }
    rv = wa_file_write(l->journal->map.fd, records.ptr, records.len, offset);
    if (rv != APR_SUCCESS) {
        (void)wa_journal_refuse(l->journal, rv);
        (void)local_wipe(self, offset, offset + records.len);
        return APR_ENOSPC;
    }
    return APR_SUCCESS;
}

static apr_status_t local_harden(wa_log_backend_t *self, apr_uint64_t from, apr_uint64_t end)
{
    (void)from;
    (void)end;
    if (fdatasync(LOCAL(self)->journal->map.fd)) {
        return errno == EAGAIN ? APR_EGENERAL : APR_FROM_OS_ERROR(errno);
    }
    return APR_SUCCESS;
}

static apr_status_t local_cut(wa_log_backend_t *self, apr_uint64_t end)
{
    const wa_log_local_t *l = LOCAL(self);
    apr_status_t rv = wa_journal_cut(l->journal, end);

    if (rv == APR_SUCCESS) {
        l->shared->reserved_end = end;
    }
    return rv;
}

static const wa_log_backend_ops_t local_ops = {
    .name = "local",
    .append = local_append,
    .harden = local_harden,
    .wipe = local_wipe,
    .cut = local_cut,
};

void wa_log_local_init(wa_log_local_t *local, wa_journal_t *journal, wa_shared_t *shared,
                       wa_sync_e sync)
{
    local->base.ops = &local_ops;
    local->journal = journal;
    local->shared = shared;
    local->sync = sync;
}
