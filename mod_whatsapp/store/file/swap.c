/* SPDX-License-Identifier: Apache-2.0 */
/* Swaps the files of a store for those of another one, each step synced before the next. */
#include "store/file/swap.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <apr_strings.h>
#include <apr_tables.h>

#include "store/file/mapping.h"

static int is_state(const char *name)
{
    return strncmp(name, "state-", 6) == 0;
}

static int is_index(const char *name)
{
    return strcmp(name, "rows") == 0 || strcmp(name, "times") == 0
           || strncmp(name, "keys.", 5) == 0;
}

/* Visits the names in a directory. */
typedef struct names_visit_t {
    int fd; /* the directory that the names are in, which no rename of it changes */
    const char *directory, *to;
    apr_pool_t *tmp;
} names_visit_t;

typedef apr_status_t (*name_fn)(const names_visit_t *at, const char *name);

static apr_status_t names_visit(const char *directory, name_fn visit, const char *to,
                                apr_pool_t *tmp)
{
    apr_array_header_t *names = apr_array_make(tmp, 32, sizeof(const char *));
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), i;
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    apr_status_t rv = dir ? APR_SUCCESS : APR_FROM_OS_ERROR(errno);
    const struct dirent *entry;

    while (dir && (entry = readdir(dir)) != NULL) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            APR_ARRAY_PUSH(names, const char *) = apr_pstrdup(tmp, entry->d_name);
        }
    }
    for (i = 0; rv == APR_SUCCESS && i < names->nelts; i++) {
        rv = visit(&(names_visit_t){fd, directory, to, tmp}, APR_ARRAY_IDX(names, i, const char *));
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

static apr_status_t file_remove(const char *directory, const char *name, apr_pool_t *tmp)
{
    const char *path = apr_pstrcat(tmp, directory, "/", name, NULL);

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

static apr_status_t file_move(const char *directory, const char *name, const char *to,
                              apr_pool_t *tmp)
{
    apr_status_t rv = APR_SUCCESS;

    if (rename(apr_pstrcat(tmp, directory, "/", name, NULL),
               apr_pstrcat(tmp, to, "/", name, NULL))) {
        rv = APR_FROM_OS_ERROR(errno);
    }
    return rv == APR_SUCCESS ? wa_directory_sync(to) : rv;
}

/* Keeps the old journal under another name; the new one is then renamed over it. */
static apr_status_t journal_keep(const char *directory, const char *keep, apr_pool_t *tmp)
{
    const char *path = apr_pstrcat(tmp, directory, "/", keep, NULL);

    if (unlink(path) && errno != ENOENT) {
        return APR_FROM_OS_ERROR(errno);
    }
    return link(apr_pstrcat(tmp, directory, "/journal", NULL), path) ? APR_FROM_OS_ERROR(errno)
                                                                     : APR_SUCCESS;
}

apr_status_t wa_directory_swap(const char *directory, const char *from, const char *keep,
                               apr_pool_t *tmp)
{
    apr_status_t rv = keep ? journal_keep(directory, keep, tmp) : APR_SUCCESS;

    /* Without CURRENT a start believes the journal only. It comes last again. */
    if (rv == APR_SUCCESS) {
        rv = file_remove(directory, "CURRENT", tmp);
    }
    if (rv == APR_SUCCESS) {
        rv = wa_directory_sync(directory);
    }
    if (rv == APR_SUCCESS) {
        rv = file_move(from, "journal", directory, tmp);
    }
    if (rv == APR_SUCCESS) {
        rv = names_visit(directory, derived_remove, NULL, tmp);
    }
    if (rv == APR_SUCCESS) {
        rv = names_visit(from, derived_move, directory, tmp);
    }
    if (rv == APR_SUCCESS) {
        rv = wa_directory_sync(directory);
    }
    if (rv == APR_SUCCESS) {
        rv = file_move(from, "CURRENT", directory, tmp);
    }
    return rv == APR_SUCCESS ? wa_directory_remove(from, tmp) : rv;
}

apr_status_t wa_directory_clear(const char *directory, apr_pool_t *tmp)
{
    return names_visit(directory, entry_remove, NULL, tmp);
}

apr_status_t wa_directory_remove(const char *directory, apr_pool_t *tmp)
{
    apr_status_t rv = wa_directory_clear(directory, tmp);

    if (rv == APR_SUCCESS && rmdir(directory)) {
        rv = APR_FROM_OS_ERROR(errno);
    }
    return rv;
}
