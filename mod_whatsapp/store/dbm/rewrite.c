/* SPDX-License-Identifier: Apache-2.0 */
/* Writes whole journals in order, and swaps a store's files for new ones. */
#include "store/dbm/rewrite.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_strings.h>

#define PENDING_BYTES ((apr_size_t)1 << 20)

/* ---- the journal ---- */

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

/* ---- the folder ---- */

static int is_state(const char *name)
{
    return !strncmp(name, "state-", 6);
}

static int is_index(const char *name)
{
    return !strcmp(name, "rows") || !strcmp(name, "marks") || !strncmp(name, "keys.", 5);
}

/* Visits the names in a folder. */
typedef struct names_visit_t {
    int fd; /* the folder that the names are in, which no rename of it changes */
    const char *folder, *to;
    apr_pool_t *tmp;
} names_visit_t;

typedef apr_status_t (*name_fn)(const names_visit_t *at, const char *name);

static apr_status_t names_visit(const char *folder, name_fn visit, const char *to, apr_pool_t *tmp)
{
    apr_array_header_t *names = apr_array_make(tmp, 32, sizeof(const char *));
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), i;
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    apr_status_t rv = dir ? APR_SUCCESS : APR_FROM_OS_ERROR(errno);
    const struct dirent *entry;

    while (dir && (entry = readdir(dir)) != NULL) {
        if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..")) {
            APR_ARRAY_PUSH(names, const char *) = apr_pstrdup(tmp, entry->d_name);
        }
    }
    for (i = 0; rv == APR_SUCCESS && i < names->nelts; i++) {
        rv = visit(&(names_visit_t){fd, folder, to, tmp}, APR_ARRAY_IDX(names, i, const char *));
    }
    if (dir) {
        closedir(dir);
    } else if (fd >= 0) {
        close(fd);
    }
    return rv;
}

static apr_status_t entry_remove(const names_visit_t *at, const char *name)
{
    return unlinkat(at->fd, name, 0) && errno != ENOENT ? APR_FROM_OS_ERROR(errno) : APR_SUCCESS;
}

static apr_status_t file_remove(const char *folder, const char *name, apr_pool_t *tmp)
{
    const char *path = apr_pstrcat(tmp, folder, "/", name, NULL);

    return unlink(path) && errno != ENOENT ? APR_FROM_OS_ERROR(errno) : APR_SUCCESS;
}

static apr_status_t derived_remove(const names_visit_t *at, const char *name)
{
    return is_state(name) || is_index(name) ? entry_remove(at, name) : APR_SUCCESS;
}

static apr_status_t derived_move(const names_visit_t *at, const char *name)
{
    if (!is_state(name) && !is_index(name)) {
        return APR_SUCCESS;
    }
    return renameat(at->fd, name, AT_FDCWD, apr_pstrcat(at->tmp, at->to, "/", name, NULL))
               ? APR_FROM_OS_ERROR(errno)
               : APR_SUCCESS;
}

static apr_status_t file_move(const char *folder, const char *name, const char *to, apr_pool_t *tmp)
{
    apr_status_t rv = APR_SUCCESS;

    if (rename(apr_pstrcat(tmp, folder, "/", name, NULL), apr_pstrcat(tmp, to, "/", name, NULL))) {
        rv = APR_FROM_OS_ERROR(errno);
    }
    return rv == APR_SUCCESS ? wa_folder_sync(to) : rv;
}

/* Keeps the old journal under another name; the new one is then renamed over it. */
static apr_status_t journal_keep(const char *folder, const char *keep, apr_pool_t *tmp)
{
    const char *path = apr_pstrcat(tmp, folder, "/", keep, NULL);

    if (unlink(path) && errno != ENOENT) {
        return APR_FROM_OS_ERROR(errno);
    }
    return link(apr_pstrcat(tmp, folder, "/journal", NULL), path) ? APR_FROM_OS_ERROR(errno)
                                                                  : APR_SUCCESS;
}

apr_status_t wa_folder_swap(const char *folder, const char *from, const char *keep, apr_pool_t *tmp)
{
    apr_status_t rv = keep ? journal_keep(folder, keep, tmp) : APR_SUCCESS;

    /* Without CURRENT a start believes the journal only. It comes last again. */
    if (rv == APR_SUCCESS) {
        rv = file_remove(folder, "CURRENT", tmp);
    }
    if (rv == APR_SUCCESS) {
        rv = wa_folder_sync(folder);
    }
    if (rv == APR_SUCCESS) {
        rv = file_move(from, "journal", folder, tmp);
    }
    if (rv == APR_SUCCESS) {
        rv = names_visit(folder, derived_remove, NULL, tmp);
    }
    if (rv == APR_SUCCESS) {
        rv = names_visit(from, derived_move, folder, tmp);
    }
    if (rv == APR_SUCCESS) {
        rv = wa_folder_sync(folder);
    }
    if (rv == APR_SUCCESS) {
        rv = file_move(from, "CURRENT", folder, tmp);
    }
    return rv == APR_SUCCESS ? wa_folder_remove(from, tmp) : rv;
}

apr_status_t wa_folder_clear(const char *folder, apr_pool_t *tmp)
{
    return names_visit(folder, entry_remove, NULL, tmp);
}

apr_status_t wa_folder_remove(const char *folder, apr_pool_t *tmp)
{
    apr_status_t rv = wa_folder_clear(folder, tmp);

    if (rv == APR_SUCCESS && rmdir(folder)) {
        rv = APR_FROM_OS_ERROR(errno);
    }
    return rv;
}
