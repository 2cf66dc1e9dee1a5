/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps the files of a store's directory in memory, and brings them back. */
#include "store_snapshot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_strings.h>

snapshot_t *snapshot_take(const fixture_t *f, apr_pool_t *p)
{
    snapshot_t *s = apr_pcalloc(p, sizeof(*s));
    const char *directory = apr_pstrcat(p, f->directory, "/store", NULL);
    DIR *dir = opendir(directory);
    struct dirent *entry;

    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL) {
        struct stat info;
        int fd, n = s->count;

        if (entry->d_name[0] == '.' || strcmp(entry->d_name, "lock") == 0) {
            continue;
        }
        assert_true(n < 64);
        fd = open(apr_pstrcat(p, directory, "/", entry->d_name, NULL), O_RDONLY | O_CLOEXEC);
        assert_true(fd >= 0);
        assert_int_equal(fstat(fd, &info), 0);
        s->files[n].name = apr_pstrdup(p, entry->d_name);
        s->files[n].size = (apr_size_t)info.st_size;
        s->files[n].bytes = apr_palloc(p, s->files[n].size + 1);
        assert_int_equal(read(fd, s->files[n].bytes, s->files[n].size), info.st_size);
        close(fd);
        s->files[n].length = s->files[n].size;
        while (s->files[n].length && !s->files[n].bytes[s->files[n].length - 1]) {
            s->files[n].length--;
        }
        s->count++;
    }
    closedir(dir);
    return s;
}

/* Writes the blocks that are not all zero; the others are holes. */
static void blocks_write(int fd, const char *bytes, apr_size_t len)
{
    static const char zeros[4096];
    apr_size_t at;

    for (at = 0; at < len; at += sizeof(zeros)) {
        apr_size_t n = len - at < sizeof(zeros) ? len - at : sizeof(zeros);

        if (memcmp(bytes + at, zeros, n) != 0) {
            assert_int_equal(pwrite(fd, bytes + at, n, (off_t)at), n);
        }
    }
}

void snapshot_restore(const snapshot_t *s, const fixture_t *f)
{
    char path[512];
    struct dirent *entry;
    DIR *dir;
    int i;

    snprintf(path, sizeof(path), "%s/store", f->directory);
    mkdir(path, 0700);
    dir = opendir(path);
    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL) {
        snprintf(path, sizeof(path), "%s/store/%.200s", f->directory, entry->d_name);
        unlink(path);
    }
    closedir(dir);
    for (i = 0; i < s->count; i++) {
        int fd;

        snprintf(path, sizeof(path), "%s/store/%s", f->directory, s->files[i].name);
        fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        assert_true(fd >= 0);
        blocks_write(fd, s->files[i].bytes, s->files[i].length);
        assert_int_equal(ftruncate(fd, (off_t)s->files[i].size), 0);
        close(fd);
    }
}

char *snapshot_file(const snapshot_t *s, const char *name, apr_size_t *psize)
{
    int i;

    for (i = 0; i < s->count; i++) {
        if (strcmp(s->files[i].name, name) == 0) {
            if (psize) {
                *psize = s->files[i].size;
            }
            return s->files[i].bytes;
        }
    }
    fail_msg("there is no file %s", name);
    return NULL;
}
