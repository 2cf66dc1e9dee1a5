/* SPDX-License-Identifier: Apache-2.0 */
/* What keeps the journal's records safe: the lower end of a commit, of which the local file is one
 * kind. */
#ifndef WA_STORE_LOG_BACKEND_H
#define WA_STORE_LOG_BACKEND_H

#include <apr_errno.h>

#include "base/types.h"

/*
 * Who may append, in which order and at which time, who waits for whom, what readers see and what
 * becomes of it all when a process dies: that stands once, above this (order.h, commit.h). A
 * backend is told where the records go that were put in order, and then to make them durable; every
 * backend has this host's journal file, which all reading is done from, so one that is shared by
 * several hosts keeps it beside what they share.
 *
 * All processes of the host call, any thread, and each may be killed at any instruction: the next
 * call, by whoever makes it, finds out what the dead one left.
 */
typedef struct wa_log_backend_t wa_log_backend_t;

typedef struct wa_log_backend_ops_t {
    const char *name;

    /* 1: others, that know nothing of this host's shared memory, append to the same log. Then
     * nothing is visible before it is durable whatever WhatsAppSync says, and no two batches share
     * a millisecond: others may commit between them, and one that is known to somebody is closed
     * for all. 0: `harden` says APR_SUCCESS or fails for good, and `follow` is NULL. */
    int has_others;

    /* Puts a batch of whole records into the host's journal at `offset`, its end. The caller holds
     * the lock `append`.
     * @return APR_SUCCESS they are there, and may be lost until they are hardened | APR_ENOSPC,
     *     APR_EGENERAL refused (logged): nothing of them is there */
    apr_status_t (*append)(wa_log_backend_t *self, wa_slice_t records, apr_uint64_t offset);

    /* Makes what was appended durable, from `from`, up to where it is, to `end`, both ends of
     * records. The caller holds the lock `sync`: there is one at a time, while others append behind
     * `end`. A part of it, or all, may have been asked for before by somebody who died or was told
     * APR_INCOMPLETE: what is there already is not done again.
     * @return APR_SUCCESS durable | APR_EAGAIN others came first, somewhere in it, so that the rest
     *     never will be: `follow` gives what stands there | APR_TIMEUP nothing of it is durable,
     *     and nothing will be: the log did not take it in time | APR_INCOMPLETE nobody can know
     *     yet: the next call finds out | anything else: what is on the disk cannot be known any
     *     more, nothing is appended from now on */
    apr_status_t (*harden)(wa_log_backend_t *self, apr_uint64_t from, apr_uint64_t end);

    /* Wipes the host's journal from `from` to `end`: none of these bytes was ever durable, and none
     * may be taken for a record later. The caller holds the lock `append`.
     * @return APR_SUCCESS | the operating system's status: it is called again */
    apr_status_t (*wipe)(wa_log_backend_t *self, apr_uint64_t from, apr_uint64_t end);

    /* Has the host's journal end at `end`, with nothing allocated behind it. The caller holds the
     * lock `append`.
     * @return APR_SUCCESS | the operating system's status */
    apr_status_t (*cut)(wa_log_backend_t *self, apr_uint64_t end);

    /* What others appended from `from`, up to where the host's journal is durable. The caller holds
     * the lock `sync`.
     * @param precords  out: whole records as they stand there, good until the next call; of no
     *     length: nothing (yet)
     * @return APR_SUCCESS | APR_TIMEUP the log did not answer | APR_EGENERAL (logged) */
    apr_status_t (*follow)(wa_log_backend_t *self, apr_uint64_t from, wa_slice_t *precords);
} wa_log_backend_ops_t;

/* The first member of every backend's struct. */
struct wa_log_backend_t {
    const wa_log_backend_ops_t *ops;
};

#endif
