/* SPDX-License-Identifier: Apache-2.0 */
/* The dbm driver's store: how its parts hang together. Private to this folder and to tools that open a store's parts one by one. */
#ifndef WA_STORE_DBM_DBM_H
#define WA_STORE_DBM_DBM_H

#include <sys/types.h>

#include "store/dbm/checkpoint.h"
#include "store/dbm/commit.h"
#include "store/dbm/replica.h"
#include "store/driver.h"

/* What a tool wants of opening a store beside what a server does. */
typedef struct wa_dbm_tool_t {
    int is_rebuild; /* 1: believe nothing but the journal */
    const volatile sig_atomic_t
        *stop; /* NULL, or: not 0 once reading shall end, which then gives APR_EINTR */
    /* Told how far the journal is read; anything but APR_SUCCESS ends it, and is what opening gives. NULL for none. */
    apr_status_t (*watch)(void *baton, apr_uint64_t done, apr_uint64_t total);
    void *baton;
} wa_dbm_tool_t;

typedef struct wa_dbm_store_t {
    wa_store_t base;
    apr_pool_t *pool;
    const wa_log_t *log;
    wa_journal_t journal;
    wa_index_t index;
    wa_replica_t replica;
    wa_shared_t *shared;
    wa_log_writer_t writer;
    wa_checkpoint_place_t place;
    wa_store_keep_t own_keep; /* used when the options give none */
    wa_store_keep_t *keep;
    const wa_dbm_tool_t *tool; /* NULL for a server */
    pid_t opened_by;           /* only this process closes the store */
    apr_time_t
        checked_at; /* by wa_clock_steady_us: since when this process has seen changes that are in no checkpoint */
} wa_dbm_store_t;

#define WA_DBM_STORE(s) ((wa_dbm_store_t *)(void *)(s))

/* wa_dbm_open for a tool. @return like wa_store_open | what the tool's watch returned. One process and thread. */
apr_status_t wa_dbm_open_tool(wa_store_t **pstore, const wa_store_uri_t *uri,
                              const wa_store_options_t *options, const wa_dbm_tool_t *tool,
                              const char **perror, apr_pool_t *p);

/* Brings the store's replica, index and journal to the state of a sound, exclusively owned store: loads the checkpoint or begins anew, applies what
 * came after it, cuts a torn tail, sets damaged bytes aside. Says in the log what it repaired.
 * @param is_rebuild  1: ignore checkpoint and index files, read the journal from its beginning
 * @return APR_SUCCESS | driver status (logged). One thread. */
apr_status_t wa_dbm_recover(wa_dbm_store_t *store, int is_rebuild, apr_pool_t *tmp);

/* Writes a checkpoint now, unless another process is at it. @return APR_SUCCESS | APR_EBUSY | driver status (logged) */
apr_status_t wa_dbm_checkpoint(wa_dbm_store_t *store, apr_pool_t *tmp);

/* Called when stored data was found damaged: logs it once, and makes the next start read everything again from the journal, which sets
 * damaged bytes aside and makes the index anew. Until then what is damaged gives APR_EGENERAL. Any thread. */
void wa_dbm_damage_note(wa_dbm_store_t *store);

/* Fills *m from a row. `p` is where nothing is put today: all slices are in the journal's mapping, which outlives every request.
 * @return APR_SUCCESS | APR_NOTFOUND the row is not there (or lost to damage) | APR_EGENERAL damaged (logged). Any thread that does not hold the replica's lock. */
apr_status_t wa_dbm_message_get(wa_dbm_store_t *store, apr_uint64_t row, wa_message_t *m);

/* Finds the row of a key of one kind ("id", "sid", "idem"), the newest where there are several. @return APR_SUCCESS | APR_NOTFOUND | APR_EGENERAL */
apr_status_t wa_dbm_key_find(wa_dbm_store_t *store, const char *kind, const char *key,
                             apr_uint64_t *prow);

/* How far this process's replica is: what is served ends here. Any thread. */
static inline apr_uint64_t wa_dbm_end(const wa_dbm_store_t *store)
{
    return __atomic_load_n(&store->replica.at.offset, __ATOMIC_ACQUIRE);
}

/* The same with the time, number and counts of the last record. Any thread that does not hold the replica's lock. */
void wa_dbm_end_get(wa_dbm_store_t *store, wa_tail_t *at);

/* Brings the replica up to date and says in commit->base up to where what the caller checks next holds.
 * @return APR_SUCCESS | APR_EGENERAL (logged). Any thread that does not hold the replica's lock. */
apr_status_t wa_dbm_check_begin(wa_dbm_store_t *store, wa_commit_t *commit);

/* Commits a record whose preconditions hold up to commit->base.
 * @param commit  like wa_commit_append
 * @return APR_SUCCESS durable and visible | APR_EAGAIN another record was in the way and is visible now: check and try again |
 *         what wa_commit_append and wa_commit_wait say. Any thread that does not hold the replica's lock. */
apr_status_t wa_dbm_commit_try(wa_dbm_store_t *store, wa_record_t *record, wa_commit_t *commit);

/* 1 when what is kept over restarts belongs to other files than those that are in the folder now: it, or all of them, was replaced. 0 also where
 * only some were, or where nothing can be told. One thread. */
int wa_dbm_keep_is_of_another(const wa_store_keep_t *keep, const char *folder);

/* 1 when the store's path still leads to the folder that was locked when it was opened. Any thread. */
int wa_dbm_folder_is_ours(const wa_dbm_store_t *store);

/* 1 when the open files still are as long as what this server wrote to them: nobody cut them meanwhile. Reading a mapping beyond that would
 * be the end of the process. One thread. */
int wa_dbm_files_are_whole(const wa_dbm_store_t *store);

/* The operations, one file for each group. */
apr_status_t wa_dbm_check(const wa_store_uri_t *uri, const char **perror, const char **pkey,
                          apr_pool_t *p);
apr_status_t wa_dbm_inspect(const wa_store_uri_t *uri, const wa_store_options_t *options,
                            const char **pidentity, const char **perror, apr_pool_t *p);
apr_status_t wa_dbm_open(wa_store_t **pstore, const wa_store_uri_t *uri,
                         const wa_store_options_t *options, const char **perror, apr_pool_t *p);
apr_status_t wa_dbm_child_init(wa_store_t *self, apr_pool_t *p);
apr_status_t wa_dbm_maintain(wa_store_t *self, apr_pool_t *tmp);
apr_uint64_t wa_dbm_version(wa_store_t *self, wa_version_e part);
apr_uint64_t wa_dbm_thread_version(wa_store_t *self, const char *counterpart);
apr_status_t wa_dbm_message_add(wa_store_t *self, const wa_message_new_t *message, wa_message_t *pm,
                                apr_pool_t *p);
apr_status_t wa_dbm_message_update(wa_store_t *self, const char *key, wa_message_merge_fn merge,
                                   void *baton, wa_message_t *pm, apr_pool_t *p);
apr_status_t wa_dbm_message_find(wa_store_t *self, const char *key, wa_message_t *pm,
                                 apr_pool_t *p);
apr_status_t wa_dbm_messages_list(wa_store_t *self, const char *counterpart, const char *cursor,
                                  apr_size_t limit, wa_message_visit_fn visit, void *baton,
                                  wa_page_t *page, apr_pool_t *p);
apr_status_t wa_dbm_pending_list(wa_store_t *self, apr_int64_t before_ms, apr_int64_t ahead_ms,
                                 apr_size_t max, wa_message_visit_fn visit, void *baton,
                                 apr_pool_t *p);
apr_status_t wa_dbm_changes_list(wa_store_t *self, apr_int64_t since_ms, apr_size_t max,
                                 wa_message_visit_fn visit, void *baton, wa_changes_t *changes,
                                 apr_pool_t *p);
apr_status_t wa_dbm_threads_list(wa_store_t *self, apr_int64_t since_ms, wa_thread_visit_fn visit,
                                 void *baton);
apr_status_t wa_dbm_thread_visit(wa_store_t *self, const char *counterpart,
                                 wa_thread_visit_fn visit, void *baton);
apr_status_t wa_dbm_thread_mark_read(wa_store_t *self, const char *counterpart, apr_pool_t *tmp);
apr_status_t wa_dbm_thread_flags_set(wa_store_t *self, const char *counterpart, apr_uint32_t set,
                                     apr_uint32_t clear, apr_pool_t *tmp);
apr_status_t wa_dbm_contacts_list(wa_store_t *self, wa_contact_visit_fn visit, void *baton);
apr_status_t wa_dbm_contact_add(wa_store_t *self, const wa_contact_t *contact, wa_contact_t *pc,
                                apr_pool_t *p);
apr_status_t wa_dbm_contact_rename(wa_store_t *self, const char *id, wa_slice_t display_name,
                                   wa_contact_t *pc, apr_pool_t *p);
apr_status_t wa_dbm_contact_delete(wa_store_t *self, const char *id, apr_pool_t *tmp);
apr_status_t wa_dbm_contact_find(wa_store_t *self, const char *key, wa_contact_t *pc,
                                 apr_pool_t *p);
apr_status_t wa_dbm_parked_add(wa_store_t *self, const char *key, wa_slice_t value,
                               apr_pool_t *tmp);
apr_status_t wa_dbm_parked_get(wa_store_t *self, const char *key, wa_slice_t *pvalue,
                               apr_pool_t *p);

#endif
