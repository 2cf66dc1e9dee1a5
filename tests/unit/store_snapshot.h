/* SPDX-License-Identifier: Apache-2.0 */
/* Snapshots of the files of a store's directory, to try one state of them again and again. */
#ifndef WA_TESTS_STORE_SNAPSHOT_H
#define WA_TESTS_STORE_SNAPSHOT_H

#include "store_support.h"

/* The files of a store's directory, in memory. */
typedef struct snapshot_t {
    struct {
        const char *name;
        char *bytes;
        apr_size_t length; /* what is not zero at the end */
        apr_size_t size;
    } files[64];
    int count;
} snapshot_t;

snapshot_t *snapshot_take(const fixture_t *f, apr_pool_t *p);

/* Makes the directory what it was; the store must be closed. */
void snapshot_restore(const snapshot_t *s, const fixture_t *f);

/* The bytes of a file of a snapshot that may be changed before it is restored.
 * @param psize  out: may be NULL */
char *snapshot_file(const snapshot_t *s, const char *name, apr_size_t *psize);

#endif
