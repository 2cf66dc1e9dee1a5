/* SPDX-License-Identifier: Apache-2.0 */
/* whatsappctl load: reads everything, judges everything, then makes a new store beside the old one
 * and swaps the two. */
#include <pwd.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_strings.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/id.h"
#include "commands.h"
#include "ctl_copy.h"
#include "ctl_end.h"
#include "ctl_owner.h"
#include "ctl_say.h"
#include "ctl_store.h"
#include "load.h"
#include "load_append.h"
#include "load_input.h"
#include "load_judge.h"
#include "store/file/swap.h"

typedef struct load_options_t {
    const char *file, *account_sid, *user;
    int is_dry;
} load_options_t;

/* A new store belongs to --user, else to who runs this; an old one to whom it belonged. */
static int owner_find(ctl_t *ctl, const load_options_t *o, int has_directory, int has_store)
{
    const struct passwd *user = o->user ? getpwnam(o->user) : NULL;
    struct stat info;

    ctl->uid = geteuid();
    ctl->gid = getegid();
    if (has_directory && !stat(ctl->directory, &info)) {
        ctl->uid = info.st_uid;
        ctl->gid = info.st_gid;
    }
    if (o->user && !user) {
        return ctl_error("there is no user '%s'", o->user);
    }
    if (user && has_directory && user->pw_uid != ctl->uid) {
        return has_store ? ctl_error("the store in %s does not belong to '%s': leave --user out",
                                     ctl->directory, o->user)
                         : ctl_error("%s does not belong to '%s': change its owner, or name a "
                                     "directory that is not there yet",
                                     ctl->directory, o->user);
    }
    if (user && !has_directory) {
        ctl->uid = user->pw_uid;
        ctl->gid = user->pw_gid;
    }
    return CTL_DONE;
}

/* Makes the directory of a new store, locks it, and makes the directory to work in. */
static int place_make(ctl_t *ctl, const load_options_t *o, load_input_t *in, int *phas_store,
                      const char **pwork)
{
    struct stat info;
    apr_status_t rv;
    int has_directory = access(ctl->directory, F_OK) == 0, fd, rc;

    *phas_store = !lstat(apr_pstrcat(ctl->pool, ctl->directory, "/journal", NULL), &info);
    rc = owner_find(ctl, o, has_directory, *phas_store);
    if (rc != CTL_DONE) {
        return rc;
    }
    if (!*phas_store && !wa_id_is_sid(o->account_sid, "AC")) {
        return ctl_error("there is no store in %s yet: say whose it is with --account-sid AC...",
                         ctl->directory);
    }
    /* All that is for who runs this to open or to make comes before the owner is taken on. */
    rv = load_input_open(in, o->file);
    if (rv != APR_SUCCESS) {
        return ctl_error_status(rv, "%s cannot be read", o->file);
    }
    if (!has_directory) {
        rc = ctl_outside_directory(ctl, ctl->directory, 0, &fd);
        if (o->is_dry) {
            ctl_outside_is_trial();
        }
    }
    if (rc == CTL_DONE) {
        rc = ctl_owner_become(ctl);
    }
    if (rc == CTL_DONE && !has_directory) {
        ctl_leftover(apr_pstrcat(ctl->pool, ctl->directory, "/", NULL));
    }
    if (rc == CTL_DONE) {
        rc = ctl_store_inspect(ctl);
    }
    if (rc == CTL_DONE) {
        rc = ctl_store_lock(ctl);
    }
    return rc == CTL_DONE ? ctl_work_directory(ctl, "load.new", o->is_dry, pwork) : rc;
}

static void summary_print(const load_t *l, int is_dry)
{
    ctl_note(l->ctl,
             "%s%" APR_UINT64_T_FMT " messages and %" APR_UINT64_T_FMT
             " contacts loaded; %" APR_UINT64_T_FMT " skipped that are there already",
             is_dry ? "would be: " : "", l->messages, l->contacts, l->duplicates);
    if (l->others) {
        ctl_note(l->ctl, "%" APR_UINT64_T_FMT " lines with other keys passed over", l->others);
    }
    if (l->empty) {
        ctl_note(l->ctl, "%" APR_UINT64_T_FMT " keys without a value (null) passed over", l->empty);
    }
    if (l->prose) {
        ctl_note(l->ctl, "%" APR_UINT64_T_FMT " lines of text around the JSON passed over",
                 l->prose);
    }
    if (l->threads_unused) {
        ctl_note(l->ctl, "%" APR_UINT64_T_FMT " threads without messages left out",
                 l->threads_unused);
    }
    if (l->unknown) {
        ctl_note(l->ctl, "%" APR_UINT64_T_FMT " members that are not known left out", l->unknown);
    }
    if (l->repaired) {
        ctl_note(l->ctl, "%" APR_UINT64_T_FMT " half characters (cut off emoji) replaced by U+FFFD",
                 l->repaired);
    }
}

/* Fills the store in the directory `work` and closes it. */
static int work_fill(load_t *l, const char *work, const char *account_sid, apr_pool_t *p)
{
    int rc = ctl_store_open(l->ctl, work, account_sid, &l->store, p);

    if (rc != CTL_DONE) {
        return rc;
    }
    l->newest_ms = l->store->replica.at.timestamp_ms;
    l->is_new = l->store->replica.at.records == 0;
    rc = load_judge(l);
    if (rc == CTL_DONE) {
        rc = load_entries_append(l);
    }
    if (rc == CTL_DONE) {
        rc = load_threads_finish(l);
    }
    return rc == CTL_DONE ? ctl_store_close(l->store, p) : rc;
}

static int load(load_t *l, const load_options_t *o)
{
    ctl_t *ctl = l->ctl;
    const char *work = NULL;
    apr_pool_t *p;
    apr_status_t rv;
    int has_store, rc = place_make(ctl, o, &l->in, &has_store, &work);

    if (rc == CTL_DONE && has_store) {
        rc = ctl_journal_copy(ctl, -1, apr_pstrcat(ctl->pool, work, "/journal", NULL));
    }
    if (rc != CTL_DONE) {
        return rc;
    }
    rv = load_input_spool(&l->in, work, ctl->pool);
    if (rv != APR_SUCCESS) {
        return ctl_error_status(rv, "%s cannot be read", o->file);
    }
    apr_pool_create(&p, ctl->pool);
    rc = work_fill(l, work, o->account_sid, p);
    if (rc != CTL_DONE || o->is_dry) {
        return rc;
    }
    rv = wa_directory_swap(ctl->directory, work, NULL, ctl->pool);
    if (rv != APR_SUCCESS) {
        return ctl_error_status(rv, "the loaded store cannot be put in place");
    }
    ctl_leftover_keep();
    return CTL_DONE;
}

int ctl_load(ctl_t *ctl, ctl_arguments_t arguments)
{
    load_options_t o = {NULL, NULL, NULL, 0};
    load_t l = {.ctl = ctl};
    const ctl_option_t options[] = {{"--account-sid", &o.account_sid, NULL},
                                    {"--user", &o.user, NULL},
                                    {"--dry-run", NULL, &o.is_dry},
                                    {"--ignore-other-keys", NULL, &l.ignore_other},
                                    {NULL, NULL, NULL}};
    int rc;

    if (!ctl_arguments_read(arguments, options, &o.file)) {
        return CTL_FAILED;
    }
    if (!o.file) {
        return ctl_error("load needs the file to load, or - for stdin; see --help");
    }
    if (o.account_sid && !wa_id_is_sid(o.account_sid, "AC")) {
        return ctl_error("--account-sid must be AC and 32 hex digits");
    }
    apr_pool_create(&l.pool, ctl->pool);
    apr_pool_create(&l.tmp, ctl->pool);
    l.threads = wa_table_make(l.pool);
    l.now_ms = wa_clock_now_ms();
    rc = load(&l, &o);
    load_input_release(&l.in);
    free(l.entries);
    if (rc == CTL_DONE) {
        summary_print(&l, o.is_dry);
    }
    return rc;
}
