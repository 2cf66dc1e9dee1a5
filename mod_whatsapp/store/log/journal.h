/* SPDX-License-Identifier: Apache-2.0 */
/* The journal file: its first block, its records in the mapping, and writing, cutting and syncing
 * it. */
#ifndef WA_STORE_LOG_JOURNAL_H
#define WA_STORE_LOG_JOURNAL_H

#include <signal.h>

#include "base/log.h"
#include "store/file/mapping.h"
#include "store/log/record.h"

/* Records begin here; the block before says whose journal this is. */
#define WA_JOURNAL_START WA_RECORDS_START
#define WA_JOURNAL_VERSION 2u

/* What the admin of a journal that lost everything is told. */
#define WA_JOURNAL_LOST_HINT                                                                      \
    "Nothing was touched: restore a backup, or move the store's directory away to begin with an " \
    "empty store"

typedef struct wa_journal_t {
    wa_mapping_t map;
    apr_uint64_t salt; /* random for each store; in every checksum and cursor */
    const char *path;
    const char *account_sid;
    const wa_log_t *log;
    const volatile sig_atomic_t *stop; /* NULL, or: not 0 once a long search shall end */
} wa_journal_t;

/* Who may own the files and for which account they are. */
typedef struct wa_journal_options_t {
    const char *path;
    const char *account_sid;
    apr_uid_t uid;
    apr_gid_t gid;
    const wa_log_t *log;
    int is_read_only; /* 1: a tool that only looks */
} wa_journal_options_t;

/* Opens the journal. Creates an empty one where there is none, so that a kill at any instant leaves
 * none or a whole one: one that is shorter than its first block was cut, and is refused.
 * @param perror  out: NULL or a sentence in p
 * @return APR_SUCCESS | APR_EINVAL not a journal of this format, byte order or account | the
 *     operating system's status. One thread. */
apr_status_t wa_journal_open(wa_journal_t *j, const wa_journal_options_t *options,
                             const char **perror, apr_pool_t *p);

/* Whether wa_journal_open would take the file `fd`, of which it only reads the first block.
 * @return like wa_journal_open. One thread. */
apr_status_t wa_journal_inspect(int fd, const wa_journal_options_t *options, const char **perror,
                                apr_pool_t *p);

/* Unmaps and closes it. One thread. */
void wa_journal_release(wa_journal_t *j);

/* The record at `offset`, which ends at or before `end` and whose header is valid; NULL otherwise.
 * The payload is not checked. Any thread. */
const wa_record_t *wa_journal_record(wa_journal_t *j, apr_uint64_t offset, apr_uint64_t end);

/* The same with its payload checked. What is not valid is logged (WA0403). Any thread. */
const wa_record_t *wa_journal_record_checked(wa_journal_t *j, apr_uint64_t offset,
                                             apr_uint64_t end);

/* Finds the first sound record at or after `offset` and before `end`.
 * @param poffset  out: where it is, `end` when there is none
 * @return APR_SUCCESS | APR_EINTR the journal's `stop` is set: nothing is known. Any thread. */
apr_status_t wa_journal_resync(wa_journal_t *j, apr_uint64_t offset, apr_uint64_t end,
                               apr_uint64_t *poffset);

/* Finds the end of what is not zero in [from, to), which must be in the file.
 * @param pend  out: `from` when all is zero
 * @return APR_SUCCESS | APR_EINTR like above | APR_ENOMEM. Any thread. */
apr_status_t wa_journal_content_end(wa_journal_t *j, apr_uint64_t from, apr_uint64_t to,
                                    apr_uint64_t *pend);

/* The size of the file. @return APR_SUCCESS | the operating system's status */
apr_status_t wa_journal_size(wa_journal_t *j, apr_uint64_t *psize);

/* Says, once a second at most, why the journal or what goes with it cannot grow (WA0412).
 * @return what the writer is told: APR_ENOSPC no room, or not writable | APR_EGENERAL. Any
 * thread. */
apr_status_t wa_journal_refuse(const wa_journal_t *j, apr_status_t why);

/* Cuts everything from `offset` on.
 * @return APR_SUCCESS | the operating system's status. The caller keeps all writers out. */
apr_status_t wa_journal_cut(wa_journal_t *j, apr_uint64_t offset);

#endif
