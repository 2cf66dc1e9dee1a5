/* SPDX-License-Identifier: Apache-2.0 */
/* What the commands of whatsappctl share: the call, messages to the admin, interruption, opening stores. */
#ifndef WA_TOOLS_CTL_H
#define WA_TOOLS_CTL_H

#include <signal.h>

#include <apr_errno.h>
#include <apr_pools.h>

#include "store/dbm/rewrite.h"
#include "store/dbm/view.h"

#define CTL_VERSION "1.0.0"

/* Exit codes. docs/OPERATIONS.md promises them. */
enum {
    CTL_DONE = 0,         /* done; verify: sound */
    CTL_BAD = 1,          /* what was looked at is not right: damage, lines that cannot be loaded */
    CTL_FAILED = 2,       /* it could not be done, or not be told */
    CTL_INTERRUPTED = 130 /* SIGINT, SIGTERM or SIGHUP: nothing is half done */
};

/* One call of the program. Strings live as long as the pool. */
typedef struct ctl_t {
    apr_pool_t *pool;
    const char
        *folder; /* of the store, absolute, without / at its end; or ".", see ctl_owner_become */
    const char *shown; /* the same for messages, always absolute */
    const char *type;  /* of apr_dbm; NULL when it was not given */
    const char *store; /* as given: what folder and type are read from */
    const char *help;  /* of the command; NULL before it is known */
    int is_quiet;
    int is_told;  /* 1: help or the version was asked for, and is said */
    int is_found; /* ctl_store_find was there */
    wa_log_t log;
    apr_uid_t uid; /* whose the store's files are */
    apr_gid_t gid;
} ctl_t;

/* One option of a command: `value` takes what follows it, or `flag` becomes 1. */
typedef struct ctl_option_t {
    const char *name; /* "--json" */
    const char **value;
    int *flag;
} ctl_option_t;

/* The command's name and the arguments after it. */
typedef struct ctl_arguments_t {
    ctl_t *ctl;
    const char *const *values;
    int count;
} ctl_arguments_t;

/* One for each command: reads its arguments, does its work. @return an exit code */
int ctl_stats(ctl_t *ctl, ctl_arguments_t arguments);
int ctl_verify(ctl_t *ctl, ctl_arguments_t arguments);
int ctl_rebuild(ctl_t *ctl, ctl_arguments_t arguments);
int ctl_dump(ctl_t *ctl, ctl_arguments_t arguments);
int ctl_load(ctl_t *ctl, ctl_arguments_t arguments);
int ctl_backup(ctl_t *ctl, ctl_arguments_t arguments);
int ctl_compact(ctl_t *ctl, ctl_arguments_t arguments);
int ctl_retime(ctl_t *ctl, ctl_arguments_t arguments);

/* Reads a command's options, ended by one whose name is NULL, and its other arguments, and finds the
 * store that they name: a command calls it before all else. "--name value", "--name=value", in any
 * order with other arguments; after "--" nothing is an option.
 * @param poperand  out: the one other argument; NULL when the command takes none
 * @return 1 | 0 it said what is wrong, or all that was asked for */
int ctl_arguments_read(ctl_arguments_t arguments, const ctl_option_t *options,
                       const char **poperand);

/* Says on stderr what is wrong. @return CTL_FAILED */
int ctl_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same with what the system says of a status; CTL_INTERRUPTED without a word where the cause is an interruption. */
int ctl_error_status(apr_status_t rv, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Tells on stderr how it goes, unless --quiet. */
void ctl_note(const ctl_t *ctl, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* 1 once somebody wants the program to end. */
int ctl_is_interrupted(void);

/* APR_EINTR then, else APR_SUCCESS: for loops that end by a status. */
apr_status_t ctl_go_on(void);

/* Not 0 once somebody wants the program to end: what searches in the store's files look at. */
const volatile sig_atomic_t *ctl_stop(void);

/* What is removed when the program ends before ctl_leftover_keep: a file, a folder with its files, or (with a / at the end) only the files
 * in a folder. Absolute, at most 4; the newest is removed first. */
void ctl_leftover(const char *path);

/* From here on nothing of it is removed. */
void ctl_leftover_keep(void);

/* "3.2 MB". */
const char *ctl_bytes(apr_uint64_t bytes, apr_pool_t *p);

/* "2026-03-01 12:00:00.123 UTC". */
const char *ctl_time(apr_int64_t ms, apr_pool_t *p);

/* ---- who does it ---- */

/* When root runs the program and the store's folder is another's: goes on in a process that is the owner for good; root waits for it, finishes what is outside
 * of the folder and ends with its exit code. What only root may open has to be open before. Finds out uid and gid. Where the owner
 * cannot follow the store's path, the process stands in the folder and ctl->folder is ".".
 * @return CTL_DONE in the process that is to go on | CTL_FAILED, said */
int ctl_owner_become(ctl_t *ctl);

/* Makes the file `path`.part, 0600, which gets its name when the program ends well or with CTL_BAD, and is removed otherwise.
 * @return CTL_DONE | CTL_FAILED, said */
int ctl_outside_file(ctl_t *ctl, const char *path, int *pfd);

/* Makes a folder of the store's owner (ctl->uid), or takes one that is there; one that was made is removed unless the program ends well. What is in it is
 * the caller's to remove.
 * @param has_to_be_empty  1: refuse one that is not, and take an empty one of root's over
 * @return CTL_DONE | CTL_FAILED, said */
int ctl_outside_folder(ctl_t *ctl, const char *folder, int has_to_be_empty, int *pfd);

/* What was made goes, however well the program ends. */
void ctl_outside_is_trial(void);

/* At the program's end, after all else is closed. @return the exit code */
int ctl_outside_end(int rc);

/* ---- stores ---- */

/* Finds the store, takes on its owner (ctl_owner_become) and refuses a folder in which something is planted. @return CTL_DONE | CTL_FAILED, said */
int ctl_store_find(ctl_t *ctl);

/* Refuses a folder in which something is planted. @return CTL_DONE | CTL_FAILED, said */
int ctl_store_inspect(ctl_t *ctl);

/* Called with each step of reading a view, after it was applied. @return APR_SUCCESS | what ends the reading */
typedef apr_status_t (*ctl_step_fn)(void *baton, wa_view_t *view, const wa_walk_step_t *step);

/* Opens a view of the store, reads it to its end and settles it.
 * @param is_quick  as in wa_view_options_t
 * @param visit  may be NULL
 * @return CTL_DONE | another exit code, said */
int ctl_view_read(ctl_t *ctl, int is_quick, ctl_step_fn visit, void *baton, wa_view_t **pview);

/* Reads the journal of a view again, up to the view's end. @return CTL_DONE | another exit code, said */
int ctl_view_again(ctl_t *ctl, wa_view_t *view, const char *label, ctl_step_fn visit, void *baton);

/* Opens the store in `folder` as its only owner, makes what is derived, in the pool p.
 * @param account_sid  NULL: whatever is in the journal, which must exist
 * @return CTL_DONE | another exit code, said */
int ctl_store_open(ctl_t *ctl, const char *folder, const char *account_sid, int is_rebuild,
                   wa_dbm_store_t **pstore, apr_pool_t *p);

/* The type of apr_dbm for new checkpoints: what was asked for, else the store's own, else the default. */
const char *ctl_store_type(const ctl_t *ctl, apr_pool_t *p);

/* Writes a checkpoint that holds everything and closes the store by destroying p. @return CTL_DONE | CTL_FAILED, said */
int ctl_store_close(wa_dbm_store_t *store, apr_pool_t *p);

/* Before the end of a program that failed: what is open is closed without a checkpoint. */
void ctl_stores_abandon(void);

/* Takes the store's lock until the program ends. @return CTL_DONE | CTL_FAILED, said */
int ctl_store_lock(ctl_t *ctl);

/* Copies the store's journal up to its last whole record to a new file, checking all of it, and syncs it.
 * @param folder  open folder in which the file `name` is made: the process stands in it afterwards, and what is in it is removed if the program ends early.
 *        -1: name is a path
 * @return CTL_DONE | another exit code, said */
int ctl_journal_copy(ctl_t *ctl, int folder, const char *name);

/* Makes an empty folder `name` in the store's folder, which is removed if the program ends early. One that a killed call left is removed before.
 * @param is_trial  1: what is left of another call stays, and is refused
 * @return CTL_DONE | CTL_FAILED, said */
int ctl_work_folder(ctl_t *ctl, const char *name, int is_trial, const char **pfolder);

/* Begins a new journal of the view's account in the folder `work`; the caller releases *out. @return CTL_DONE | CTL_FAILED, said */
int ctl_journal_create(ctl_t *ctl, const wa_view_t *view, const char *work, wa_rewrite_t *out);

#endif
