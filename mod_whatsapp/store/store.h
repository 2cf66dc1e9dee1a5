/* SPDX-License-Identifier: Apache-2.0 */
/* The store seam: what every driver promises, in the messenger's own terms. */
#ifndef WA_STORE_STORE_H
#define WA_STORE_STORE_H

#include <apr_errno.h>
#include <apr_pools.h>
#include <apr_time.h>
#include <apr_user.h>

#include "base/log.h"
#include "base/types.h"

/*
 * The contract, for every driver:
 *
 * Atomic    A write commits whole or not at all.
 * Durable   When a write returns APR_SUCCESS it survives the death of every process and, with
 *           WA_SYNC_ALWAYS, loss of power. Readers see a write only once it is that durable.
 * Ordered   Every commit has a timestamp in unix milliseconds that is not less than that of any
 *           commit before it, in all processes. Commits of one millisecond may share it, so that
 *           times are the clock's at any rate, until somebody was told that the millisecond is
 *           closed (wa_changes_t). A clock that is set back is not followed.
 * Bounded   No call costs more as history grows; lists cost what they give.
 * Honest    Statuses common to all calls, beside those named at each:
 *             APR_TIMEUP    the store is busy or fail-stopped for writing; nothing was stored; try
 *                           again later (503)
 *             APR_ENOSPC    no space or not writable; nothing was stored (503); logged by the
 *                           driver
 *             APR_EGENERAL  stored data is damaged or the operating system failed; logged by the
 *                           driver (500)
 *
 * Any thread of any process may call anything here after wa_store_child_init, unless its comment
 * says otherwise.
 *
 * Visitors  A visitor stops the walk by returning anything but APR_SUCCESS, which the walk then
 *           returns. One of messages (messages, changes, pending) is called with nothing of the
 *           store held: it may take its time and call anything here; what it is given is as it was
 *           when the driver came to it, and its slices stay valid as long as the pool `p` of the
 *           walk. One of threads or contacts is called from inside of the store, so that the list
 *           is of one moment without a copy of it: it must be quick and must not call the store (it
 *           would wait for itself), and what it is given is valid only during the visit.
 *
 * tests/unit/seam_conformance.h has all this as test cases, which every driver has to pass.
 */
typedef struct wa_store_t wa_store_t;

/* How much of what was acknowledged a loss of power, or a crash of the system, may take. The death
 * of processes takes nothing. */
typedef enum {
    /* nothing (default) */
    WA_SYNC_ALWAYS = 0,
    /* what was acknowledged in the last sync_interval before it */
    WA_SYNC_INTERVAL,
    /* whatever the system had not yet brought into safety on its own */
    WA_SYNC_OFF
} wa_sync_e;

/* Memory of the server that outlives every restart of it, all zero at first. What is in it is the
 * driver's alone; it holds no pointer into the module, which may be reloaded in between. */
typedef struct wa_store_retained_t {
    apr_uint64_t words[8];
} wa_store_retained_t;

/* What a driver may have to know of the server that it works for. All zero is an answer. */
typedef struct wa_store_server_t {
    /* Whose everything is that the store makes on this machine, where the caller is root; else
     * ignored */
    apr_uid_t owner;
    apr_gid_t owner_group;
    /* 1: nobody named a place, the uri is the server's own; it makes what has to be there before
     * the store can be */
    int is_default_place;
    /* 1: this server has had this store open, so that none there is no reason to make one */
    int had_store;
    /* Of this store alone; NULL: what must not be opened twice is given up when the store is
     * closed */
    wa_store_retained_t *retained;
} wa_store_server_t;

typedef struct wa_store_options_t {
    /* WhatsAppStore as configured, e.g. "dbm:/var/lib/apache2/whatsapp type=db" */
    const char *uri;
    /* whose messages these are; kept in the store, another one is refused */
    const char *account_sid;
    wa_sync_e sync;
    apr_interval_time_t sync_interval; /* of WA_SYNC_INTERVAL */
    const wa_log_t *log;
    wa_store_server_t server;
} wa_store_options_t;

/* The longest that fields may be, in bytes; what is longer is refused with APR_EINVAL. */
#define WA_STORE_ID_MAX 64u     /* ids and sids */
#define WA_STORE_NAME_MAX 255u  /* counterparts, numbers, idempotency keys, keys of parked facts */
#define WA_STORE_TEXT_MAX 4096u /* previews, names of people, what is parked under one key */
/* All fields of a message together: so many every driver takes, and not a tenth more. */
#define WA_STORE_MESSAGE_MAX 1000000u

/* Of what is open without a bound (pending messages, parked facts) a driver may let the oldest go,
 * but never one of the newest so many. */
#define WA_STORE_OPEN_MIN 65536u

/* Of so many of our numbers a thread keeps when its counterpart wrote to them last; beyond, the one
 * that they have not written to for longest is forgotten. */
#define WA_STORE_NUMBERS_MAX 16u

/* An idempotency key finds its message, and takes the key, until the message's date is longer ago
 * than this. */
#define WA_STORE_IDEMPOTENCY_MS (24 * 3600 * (apr_int64_t)1000)

/* Says whether `uri` can be a store here: a driver that is known, and what that one takes.
 * @param perror  out: NULL, or a sentence in p that names what is wrong and what is allowed
 * @param pkey    out: what is the same for two uris that are written for the same store, in p
 * @return APR_SUCCESS | APR_EINVAL. Configuration time only; touches nothing. */
apr_status_t wa_store_check(const char *uri, const char **perror, const char **pkey, apr_pool_t *p);

/* Looks, without writing, creating, locking or waiting for anything, whether wa_store_open would
 * get this store. Safe as root where somebody else may change what is looked at. That nobody else
 * has the store only wa_store_open finds out.
 * @param options  like wa_store_open's. With `retained` memory that is in use also whether what is
 *                 there still is what this server uses
 * @param pidentity  out: the same for two uris of one store, whatever names lead to it; for one
 *                   that is not there yet what is known of its place. Never NULL; in p
 * @param perror  out: NULL or a sentence for the admin, in p
 * @return APR_SUCCESS | why it could not be opened, like wa_store_open. Configuration time only. */
apr_status_t wa_store_inspect(const wa_store_options_t *options, const char **pidentity,
                              const char **perror, apr_pool_t *p);

/* Opens the store, creates it when it is new, repairs what an unclean stop left. Called once for
 * each start or restart, before the children are forked.
 * @param pstore  out: NULL unless APR_SUCCESS; lives in p, whose cleanup closes it
 * @param perror  out: NULL or a sentence for the admin, in p
 * @return APR_SUCCESS | APR_EEXIST another server owns it | APR_EINVAL not ours: other account,
 *         newer version | other driver status. Parent process only. */
apr_status_t wa_store_open(wa_store_t **pstore, const wa_store_options_t *options,
                           const char **perror, apr_pool_t *p);

/* Prepares the inherited store in a child process, before any other call there.
 * @return APR_SUCCESS | APR_EGENERAL */
apr_status_t wa_store_child_init(wa_store_t *store, apr_pool_t *p);

/* The regular housekeeping: what is due after a while. Call it about once a second from one thread
 * of any number of processes; those that find another at it return at once.
 * @return APR_SUCCESS | common statuses */
apr_status_t wa_store_maintain(wa_store_t *store, apr_pool_t *tmp);

/* ---- versions: one atomic read says whether what was rendered still holds ---- */

typedef enum { WA_VERSION_ALL = 0, WA_VERSION_THREADS = 1, WA_VERSION_CONTACTS = 2 } wa_version_e;

/* A number that grows with every visible change of that part (ALL: any commit; THREADS: any thread
 * row, contact names included; CONTACTS: any contact), and with nothing else. Never fails, and is
 * one read of memory when nothing changed. Different processes and restarts give different numbers:
 * compare only within one process. */
apr_uint64_t wa_store_version(wa_store_t *store, wa_version_e part);

/* The same for what wa_store_messages_list gives of one counterpart, and for its row; 0 when there
 * is no such thread. */
apr_uint64_t wa_store_thread_version(wa_store_t *store, const char *counterpart);

/* Waits until wa_store_version(WA_VERSION_ALL) is another number than `version`, which the caller
 * had from it in this process: what was committed in between is never slept through. Sleeps without
 * looking again and again, and costs writers nothing while nobody waits. Whoever does the commit
 * may be killed at any moment of it: then the news come with the next commit of anybody or the next
 * housekeeping (wa_store_maintain), and not later than `timeout`.
 * @return APR_SUCCESS it is another | APR_TIMEUP `timeout` is over | APR_EINTR wa_store_wait_end
 *         was called. Any thread, as many as there are. */
apr_status_t wa_store_wait(wa_store_t *store, apr_uint64_t version, apr_interval_time_t timeout);

/* This process is to stop: ends all waiting in it, and whoever begins to wait does not. Any thread,
 * and a signal handler. */
void wa_store_wait_end(wa_store_t *store);

/* ---- messages ---- */

/* Commits one message with its thread's row and flags, and all keys that find it.
 * @param pm  out: the message as stored; with APR_EEXIST the one that was there before (same id,
 *            sid or idempotency key that counts). Slices live in p. NULL when only the outcome
 *            matters, which is quicker.
 * @return APR_SUCCESS | APR_EEXIST nothing stored, no flag changed | APR_EINVAL a field is over
 *         its limit, or it has flags and an idempotency key */
apr_status_t wa_store_message_add(wa_store_t *store, const wa_message_new_t *message,
                                  wa_message_t *pm, apr_pool_t *p);

/* Computes a message's next state from its current one. Must be pure: it may be called more than
 * once for one update. Called like a visitor of messages, with nothing of the store held.
 * @param next  out: the next state; strings in p
 * @return APR_SUCCESS commit it | APR_EEXIST nothing to change (the update then succeeds without a
 *         commit) | other: the update fails with it */
typedef apr_status_t (*wa_message_merge_fn)(void *baton, const wa_message_t *now,
                                            wa_message_state_t *next, apr_pool_t *p);

/* Which message to update, and how. */
typedef struct wa_message_update_t {
    const char *key; /* its id or any sid that it ever had */
    wa_message_merge_fn merge;
    void *baton; /* merge's */
} wa_message_update_t;

/* Replaces a message's state by what update->merge makes of it, atomically against all other
 * updates of it.
 * @param pm  out: the message after the update
 * @return APR_SUCCESS | APR_NOTFOUND | APR_EINVAL the new state is over a limit | what merge
 *         returned, but never APR_EEXIST */
apr_status_t wa_store_message_update(wa_store_t *store, const wa_message_update_t *update,
                                     wa_message_t *pm, apr_pool_t *p);

/* Finds a message by its id, any sid that it ever had or, with the prefix WA_KEY_IDEMPOTENCY, its
 * idempotency key while that counts (WA_STORE_IDEMPOTENCY_MS).
 * @return APR_SUCCESS | APR_NOTFOUND */
apr_status_t wa_store_message_find(wa_store_t *store, const char *key, wa_message_t *pm,
                                   apr_pool_t *p);
#define WA_KEY_IDEMPOTENCY "idem:"

typedef apr_status_t (*wa_message_visit_fn)(void *baton, const wa_message_t *message,
                                            int is_update);

/* Which messages of one thread to visit. */
typedef struct wa_messages_query_t {
    const char *counterpart;
    /* NULL, or the next_cursor of an earlier page: goes on right after it, whatever arrived
     * since */
    const char *cursor;
    /* at most so many */
    apr_size_t limit;
    wa_message_visit_fn visit;
    /* visit's */
    void *baton;
} wa_messages_query_t;

typedef struct wa_page_t {
    const char *next_cursor; /* in p; NULL when the list is complete */
    apr_size_t count;
} wa_page_t;

/* Visits a thread's messages, newest first. A counterpart without messages gives an empty,
 * complete page.
 * @return APR_SUCCESS | APR_EINVAL the cursor is not one of this thread's | what the visitor
 *         returned */
apr_status_t wa_store_messages_list(wa_store_t *store, const wa_messages_query_t *query,
                                    wa_page_t *page, apr_pool_t *p);

/* Which pending messages to visit: those whose date_ms is at or before `before_ms` or after
 * `ahead_ms` (a clock was wrong, and the caller judges). */
typedef struct wa_pending_query_t {
    apr_int64_t before_ms, ahead_ms;
    apr_size_t max; /* at most so many */
    wa_message_visit_fn visit;
    void *baton; /* visit's */
} wa_pending_query_t;

/* Visits messages that are pending, sent and received ones, the oldest first; is_update is 0. Costs
 * what is pending, however long the history is. One that is damaged is passed over. See
 * WA_STORE_OPEN_MIN.
 * @return APR_SUCCESS | what the visitor returned */
apr_status_t wa_store_pending_list(wa_store_t *store, const wa_pending_query_t *query,
                                   apr_pool_t *p);

/* Which changes to visit: those after `since_ms`. */
typedef struct wa_changes_query_t {
    apr_int64_t since_ms;
    apr_size_t max; /* so many visits, more only where equal timestamps (imported) force it */
    wa_message_visit_fn visit;
    void *baton; /* visit's */
} wa_changes_query_t;

typedef struct wa_changes_t {
    /* T: everything visited is <= T, nothing committed later is; go on from here */
    apr_int64_t timestamp_ms;
    int has_more;
    /* 1: there is something newer than T that others may still join; the version says nothing of
     * when it is given */
    int is_held_back;
} wa_changes_t;

/* Visits what was committed after a time: new messages in commit order with is_update 0, and, with
 * is_update 1, messages with timestamp_ms <= since_ms whose state changed (each once, in no order
 * of its own, all after the new ones).
 * @return APR_SUCCESS | what the visitor returned */
apr_status_t wa_store_changes_list(wa_store_t *store, const wa_changes_query_t *query,
                                   wa_changes_t *changes, apr_pool_t *p);

/* ---- threads ---- */

typedef apr_status_t (*wa_thread_visit_fn)(void *baton, const wa_thread_t *thread);

/* Visits the threads whose row changed after `since_ms` (0: all), the latest message first.
 * @return APR_SUCCESS | the visitor's */
apr_status_t wa_store_threads_list(wa_store_t *store, apr_int64_t since_ms,
                                   wa_thread_visit_fn visit, void *baton);

/* Visits one thread. @return APR_SUCCESS | APR_NOTFOUND | the visitor's */
apr_status_t wa_store_thread_visit(wa_store_t *store, const char *counterpart,
                                   wa_thread_visit_fn visit, void *baton);

/* Marks every message that is visible now in the thread as read. Commits nothing when none is
 * unread.
 * @return APR_SUCCESS | APR_NOTFOUND */
apr_status_t wa_store_thread_mark_read(wa_store_t *store, const char *counterpart, apr_pool_t *tmp);

/* Sets and clears flags (WA_THREAD_*) of a thread. @return APR_SUCCESS | APR_NOTFOUND */
apr_status_t wa_store_thread_flags_set(wa_store_t *store, const char *counterpart, apr_uint32_t set,
                                       apr_uint32_t clear, apr_pool_t *tmp);

/* ---- contacts ---- */

typedef apr_status_t (*wa_contact_visit_fn)(void *baton, const wa_contact_t *contact);

/* Visits all contacts by name (by the bytes of the name, case folded for ASCII; equal names by
 * number).
 * @return APR_SUCCESS | the visitor's */
apr_status_t wa_store_contacts_list(wa_store_t *store, wa_contact_visit_fn visit, void *baton);

/* Adds a contact. `contact` gives id, phone_number and display_name; the commit gives the times,
 * but keeps a created_ms that is not 0 (load only).
 * @param pc  out: the contact as stored, slices in p
 * @return APR_SUCCESS | APR_EEXIST there is one with this number (or id); *pc is that one |
 *         APR_EINVAL a field is empty or over its limit */
apr_status_t wa_store_contact_add(wa_store_t *store, const wa_contact_t *contact, wa_contact_t *pc,
                                  apr_pool_t *p);

/* Renames a contact.
 * @return APR_SUCCESS, *pc as stored | APR_NOTFOUND | APR_EINVAL over its limit */
apr_status_t wa_store_contact_rename(wa_store_t *store, const char *id, wa_slice_t display_name,
                                     wa_contact_t *pc, apr_pool_t *p);

/* Deletes a contact; its messages and thread stay. @return APR_SUCCESS | APR_NOTFOUND */
apr_status_t wa_store_contact_delete(wa_store_t *store, const char *id, apr_pool_t *tmp);

/* Finds a contact by its id or, where the key begins with '+', by its number.
 * @return APR_SUCCESS, slices in p | APR_NOTFOUND */
apr_status_t wa_store_contact_find(wa_store_t *store, const char *key, wa_contact_t *pc,
                                   apr_pool_t *p);

/* ---- parked facts: receipts that came before their message was known (or never will be) ---- */

/* Keeps `value` under `key` (a sid) for good, or until it is among the oldest of very many
 * (WA_STORE_OPEN_MIN); a later one under the same key joins the values in order, separated by a
 * newline.
 * @return APR_SUCCESS | APR_EINVAL an empty key |
 *         APR_ENOSPC the key, or what would be under it, is over its limit; what was there stays */
apr_status_t wa_store_parked_add(wa_store_t *store, const char *key, wa_slice_t value,
                                 apr_pool_t *tmp);

/* Reads what is parked under `key`. @return APR_SUCCESS, *pvalue in p | APR_NOTFOUND */
apr_status_t wa_store_parked_get(wa_store_t *store, const char *key, wa_slice_t *pvalue,
                                 apr_pool_t *p);

#endif
