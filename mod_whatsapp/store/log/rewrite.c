/* SPDX-License-Identifier: Apache-2.0 */
/* Writes whole journals in order. */
#include "store/log/rewrite.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_strings.h>

#define PENDING_BYTES ((apr_size_t)1 << 20)

static apr_status_t absent_check(const char *path, const char **perror, apr_pool_t *p)
{
    struct stat info;

    *perror = NULL;
    if (lstat(path, &info) == 0) {
        *perror = apr_psprintf(p, "%s exists already", path);
        return APR_EEXIST;
    }
    return APR_SUCCESS;
}

apr_status_t wa_rewrite_create(wa_rewrite_t *w, const wa_journal_options_t *options,
                               const char **perror, apr_pool_t *p)
{
    apr_status_t rv = absent_check(options->path, perror, p);

    memset(w, 0, sizeof(*w));
    w->journal.map.fd = -1;
    if (rv == APR_SUCCESS) {
        rv = wa_journal_open(&w->journal, options, perror, p);
    }
    w->at.offset = WA_JOURNAL_START;
    wa_buffer_init(&w->pending, 0);
    return rv;
}

apr_status_t wa_rewrite_create_copy(wa_rewrite_t *w, wa_journal_t *from,
                                    const wa_journal_options_t *options, const char **perror,
                                    apr_pool_t *p)
{
    const void *block = wa_mapping_at(&from->map, 0, WA_JOURNAL_START);
    apr_status_t rv = absent_check(options->path, perror, p);
    int fd = -1;

    memset(w, 0, sizeof(*w));
    w->journal.map.fd = -1;
    if (rv == APR_SUCCESS) {
        rv = wa_file_open(&fd, options->path, O_RDWR | O_CREAT, options->uid, options->gid);
    }
    if (rv == APR_SUCCESS) {
        rv = block ? wa_file_write(fd, block, WA_JOURNAL_START, 0) : APR_ENOMEM;
        close(fd);
    }
    if (rv == APR_SUCCESS) {
        rv = wa_journal_open(&w->journal, options, perror, p);
    }
    w->at.offset = WA_JOURNAL_START;
    wa_buffer_init(&w->pending, 0);
    return rv;
}

static apr_status_t pending_write(wa_rewrite_t *w)
{
    apr_status_t rv = wa_file_write(w->journal.map.fd, w->pending.data, w->pending.len,
                                    w->at.offset - w->pending.len);

    w->pending.len = 0;
    return rv;
}

static apr_status_t pending_add(wa_rewrite_t *w, const wa_record_t *header, const char *payload)
{
    wa_buffer_add(&w->pending, header, sizeof(*header));
    wa_buffer_add(&w->pending, payload, header->length - sizeof(*header));
    if (w->pending.failed) {
        return APR_ENOMEM;
    }
    w->at.offset += header->length;
    return w->pending.len < PENDING_BYTES ? APR_SUCCESS : pending_write(w);
}

apr_status_t wa_rewrite_put(wa_rewrite_t *w, const wa_record_t *header, const char *payload,
                            apr_uint64_t *poffset)
{
    wa_record_t put = *header;

    *poffset = w->at.offset;
    put.magic = WA_RECORD_MAGIC;
    put.prev_crc = w->at.crc;
    put.number = ++w->at.records;
    put.header_crc = wa_record_header_crc(&put, w->at.offset, w->journal.salt);
    w->at.crc = put.header_crc;
    w->at.timestamp_ms = put.timestamp_ms;
    return pending_add(w, &put, payload);
}

apr_status_t wa_rewrite_put_same(wa_rewrite_t *w, const wa_record_t *record)
{
    return pending_add(w, record, (const char *)record + sizeof(*record));
}

apr_status_t wa_rewrite_finish(wa_rewrite_t *w)
{
    apr_status_t rv = pending_write(w);

    if (rv == APR_SUCCESS && fsync(w->journal.map.fd)) {
        rv = APR_FROM_OS_ERROR(errno);
    }
    return rv;
}

void wa_rewrite_release(wa_rewrite_t *w)
{
    wa_journal_release(&w->journal);
    wa_buffer_release(&w->pending);
}
