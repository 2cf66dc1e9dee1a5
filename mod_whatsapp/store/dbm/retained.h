/* SPDX-License-Identifier: Apache-2.0 */
/* What a dbm store leaves in the server's memory for the next opening of it, over every restart. */
#ifndef WA_STORE_DBM_RETAINED_H
#define WA_STORE_DBM_RETAINED_H

#include "store/store.h"

/* How the driver uses a wa_store_retained_t. */
typedef struct __attribute__((may_alias)) wa_dbm_retained_t {
    /* version of this struct and of the shared state (WA_SHARED_LAYOUT), 0 when unused */
    apr_uint32_t layout;
    int lock_fd;
    int shared_fd;
    /* which file the journal is */
    apr_uint64_t journal_dev;
    apr_uint64_t journal_ino;
} wa_dbm_retained_t;

_Static_assert(sizeof(wa_dbm_retained_t) <= sizeof(wa_store_retained_t), "it has to fit");

/* The same memory as this driver sees it. */
static inline wa_dbm_retained_t *wa_dbm_retained(wa_store_retained_t *of)
{
    return (wa_dbm_retained_t *)(void *)of->words;
}

#endif
