/* SPDX-License-Identifier: Apache-2.0 */
/* Writing a journal for itself: a copy of another one's sound part, or records put one after the
 * other. */
#ifndef WA_STORE_LOG_REWRITE_H
#define WA_STORE_LOG_REWRITE_H

#include "base/buffer.h"
#include "store/log/journal.h"
#include "store/log/shared.h"

/* A journal that is being written; nobody else knows of it yet. */
typedef struct wa_rewrite_t {
    wa_journal_t journal;
    wa_tail_t at;        /* where it ends */
    wa_buffer_t pending; /* bytes before `at` that are not written yet */
} wa_rewrite_t;

/* Creates a journal at options->path, which must not exist. Its salt is new.
 * @return APR_SUCCESS | APR_EEXIST | the operating system's status. One thread. */
apr_status_t wa_rewrite_create(wa_rewrite_t *w, const wa_journal_options_t *options,
                               const char **perror, apr_pool_t *p);

/* Creates a copy of `from` at `path`, which must not exist, with the first block and nothing else.
 * @return like wa_rewrite_create. One thread. */
apr_status_t wa_rewrite_create_copy(wa_rewrite_t *w, wa_journal_t *from,
                                    const wa_journal_options_t *options, const char **perror,
                                    apr_pool_t *p);

/* Puts a record at the end: gives it number, chain and checksum. All else in the header is the
 * caller's.
 * @param payload  header->length bytes less the header: the payload and its padding
 * @param poffset  out: where it is
 * @return APR_SUCCESS | APR_ENOMEM | the operating system's status. One thread. */
apr_status_t wa_rewrite_put(wa_rewrite_t *w, const wa_record_t *header, const char *payload,
                            apr_uint64_t *poffset);

/* In a copy: puts a record as it is, which must stand at the same place in the original.
 * @return like wa_rewrite_put. One thread. */
apr_status_t wa_rewrite_put_same(wa_rewrite_t *w, const wa_record_t *record);

/* Writes and syncs all that was put.
 * @return APR_SUCCESS | the operating system's status. One thread. */
apr_status_t wa_rewrite_finish(wa_rewrite_t *w);

/* Closes the file and frees the memory; may be called at any time, more than once. One thread. */
void wa_rewrite_release(wa_rewrite_t *w);

#endif
