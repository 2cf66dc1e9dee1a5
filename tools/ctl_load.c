/* SPDX-License-Identifier: Apache-2.0 */
/* whatsappctl load: reads everything, judges everything, then makes a new store beside the old one
 * and swaps the two. */
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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
#include "load_input.h"
#include "load_item.h"
#include "progress.h"
#include "store/dbm/operation/read.h"
#include "store/file/swap.h"

#define TIME_LAST INT64_MAX

/* What is remembered of each line until all are sorted: 24 bytes. */
typedef struct load_entry_t {
    apr_int64_t time_ms; /* TIME_LAST: at the end, with the time of the load */
    apr_uint64_t offset;
    apr_uint32_t length; /* below 2^25 (LOAD_PIECE_MAX); the highest bit: a contact */
    apr_uint32_t line;
} load_entry_t;

#define ENTRY_CONTACT 0x80000000u

/* What the input says of a thread. */
typedef struct load_thread_t {
    const char *counterpart;
    apr_uint64_t unread; /* by its line, else by its messages */
    apr_uint32_t flags;
    int has_line;
    const char *profile_name; /* by its line, for messages that do not tell it; NULL for none */
} load_thread_t;

typedef struct load_t {
    ctl_t *ctl;
    wa_dbm_store_t *store;
    load_input_t in;
    apr_pool_t *pool; /* of the threads */
    apr_pool_t *tmp;  /* of one line */
    apr_int64_t now_ms;
    apr_int64_t newest_ms; /* of what is in the store already */
    int is_new;            /* nothing is in the store yet */
    int ignore_other;
    load_entry_t *entries;
    apr_size_t count, room;
    int is_sorted;
    apr_hash_t *threads;
    apr_uint64_t bad, duplicates, others, repaired, unknown, threads_unused;
    apr_uint64_t messages, contacts;
} load_t;

/* ---- the first reading: judging ---- */

static void line_refuse(load_t *l, unsigned line, const char *what)
{
    fprintf(stderr, "%s:%u: %s\n", l->in.name, line, what);
    l->bad++;
}

static apr_status_t entry_add(load_t *l, const load_piece_t *piece, apr_int64_t time_ms,
                              int is_contact)
{
    load_entry_t *e;

    if (l->count == l->room) {
        apr_size_t room = l->room ? l->room * 2 : 4096;
        load_entry_t *more = realloc(l->entries, room * sizeof(*more));

        if (!more) {
            return APR_ENOMEM;
        }
        l->entries = more;
        l->room = room;
    }
    e = &l->entries[l->count++];
    e->time_ms = time_ms;
    e->offset = piece->offset;
    e->length = (apr_uint32_t)piece->len | (is_contact ? ENTRY_CONTACT : 0);
    e->line = piece->line;
    l->is_sorted &= l->count < 2 || e[-1].time_ms <= time_ms;
    return APR_SUCCESS;
}

static load_thread_t *thread_get(load_t *l, const char *counterpart)
{
    load_thread_t *t = apr_hash_get(l->threads, counterpart, APR_HASH_KEY_STRING);

    if (!t) {
        t = apr_pcalloc(l->pool, sizeof(*t));
        t->counterpart = apr_pstrdup(l->pool, counterpart);
        apr_hash_set(l->threads, t->counterpart, APR_HASH_KEY_STRING, t);
    }
    return t;
}

static int key_is_there(load_t *l, const char *kind, const char *key)
{
    apr_uint64_t row;

    return key && wa_dbm_key_find(l->store, kind, key, &row) == APR_SUCCESS;
}

static int message_is_there(load_t *l, const load_item_t *item)
{
    const char *const *sid;

    if (key_is_there(l, "id", item->message.id) || key_is_there(l, "sid", item->message.sid)) {
        return 1;
    }
    for (sid = item->sids; sid && *sid; sid++) {
        if (key_is_there(l, "sid", *sid)) {
            return 1;
        }
    }
    return 0;
}

static apr_status_t message_judge(load_t *l, const load_piece_t *piece, const load_item_t *item)
{
    load_thread_t *t = thread_get(l, item->message.counterpart);
    wa_record_t *record;

    t->unread += item->is_unread && !t->has_line;
    if (wa_record_message_make(&record, &item->message, l->tmp) != APR_SUCCESS) {
        line_refuse(l, piece->line, "the message is too long for the store (1 MB)");
        return APR_SUCCESS;
    }
    if (!l->is_new) {
        if (message_is_there(l, item)) {
            l->duplicates++;
            return APR_SUCCESS;
        }
        if (item->time_ms <= l->newest_ms) {
            line_refuse(l, piece->line,
                        "is not newer than everything in the store; to bring in older messages "
                        "dump the store, and load "
                        "that dump and this file together (cat) into a new directory");
            return APR_SUCCESS;
        }
    }
    return entry_add(l, piece, item->time_ms, 0);
}

static void thread_judge(load_t *l, const load_item_t *item)
{
    load_thread_t *t = thread_get(l, item->counterpart);

    t->has_line = 1;
    t->unread = item->unread_count;
    t->flags |= item->flags;
    t->profile_name =
        *item->profile_name ? apr_pstrdup(l->pool, item->profile_name) : t->profile_name;
}

static apr_status_t piece_judge(load_t *l, load_piece_t *piece)
{
    load_item_t item;
    const char *what;

    apr_pool_clear(l->tmp);
    what = load_item_read(&item, piece->text, piece->len, l->now_ms, l->tmp);
    l->repaired += item.repaired;
    l->unknown += item.unknown;
    if (what) {
        line_refuse(l, piece->line, what);
        return APR_SUCCESS;
    }
    switch (item.kind) {
    case LOAD_MESSAGE:
        return message_judge(l, piece, &item);
    case LOAD_CONTACT:
        return entry_add(l, piece, item.time_ms > l->newest_ms ? item.time_ms : TIME_LAST, 1);
    case LOAD_THREAD:
        thread_judge(l, &item);
        return APR_SUCCESS;
    case LOAD_OTHER:
        break;
    }
    l->others++;
    if (!l->ignore_other) {
        line_refuse(l, piece->line,
                    "key is none of msg:, thread: and contact:; --ignore-other-keys passes over "
                    "such lines");
    }
    return APR_SUCCESS;
}

static int input_judge(load_t *l)
{
    progress_t progress;
    load_piece_t piece;
    const char *what;
    apr_status_t rv;

    l->is_sorted = 1;
    progress_begin(&progress, "reading the input", l->ctl->is_quiet);
    for (;;) {
        rv = load_input_next(&l->in, &piece, &what);
        if (rv == APR_SUCCESS) {
            rv = ctl_is_interrupted() ? APR_EINTR : piece_judge(l, &piece);
        }
        if (rv != APR_SUCCESS) {
            break;
        }
        progress_update(&progress, l->in.read, l->in.size);
    }
    progress_end(&progress);
    if (what) {
        line_refuse(l, piece.line, what);
    } else if (rv != APR_EOF) {
        return ctl_error_status(rv, "%s cannot be read", l->in.name);
    }
    if (l->bad) {
        ctl_error("%" APR_UINT64_T_FMT " lines cannot be loaded: nothing was changed", l->bad);
        return CTL_BAD;
    }
    return CTL_DONE;
}

/* ---- the second reading: storing, by time ---- */

static int entry_compare(const void *a, const void *b)
{
    const load_entry_t *x = a, *y = b;

    if (x->time_ms != y->time_ms) {
        return x->time_ms < y->time_ms ? -1 : 1;
    }
    return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* Appends a record and applies it. @param time_ms  0: the time of the load */
static apr_status_t record_append(load_t *l, wa_record_t *record, apr_int64_t time_ms)
{
    wa_commit_t commit;
    apr_status_t rv;

    memset(&commit, 0, sizeof(commit));
    commit.base = l->store->replica.at.offset;
    commit.timestamp_ms = time_ms;
    rv = wa_order_append(&l->store->writer, record, &commit);
    return rv == APR_SUCCESS ? wa_replica_catch_up(&l->store->replica, l->store->shared) : rv;
}

/* A message that had several sids gets a state for each after the first. */
static apr_status_t sids_append(load_t *l, const load_item_t *item)
{
    apr_uint64_t row = l->store->replica.at.rows;
    const char *const *sid;
    apr_status_t rv = APR_SUCCESS;

    for (sid = item->sids; rv == APR_SUCCESS && sid && *sid; sid++) {
        wa_record_state_t state = {.sid = wa_slice_of(*sid),
                                   .delivery = item->message.delivery,
                                   .status = item->message.status,
                                   .sid_is_new = 1};
        const wa_row_t *entry = wa_index_row(&l->store->index, row);
        wa_record_t *record;

        state.previous = entry ? entry->state : 0;
        rv = wa_record_state_make(&record, &state, row, l->tmp);
        if (rv == APR_SUCCESS) {
            rv = record_append(l, record, item->time_ms);
        }
    }
    return rv;
}

static apr_status_t message_append(load_t *l, const load_item_t *item)
{
    const load_thread_t *t = thread_get(l, item->message.counterpart);
    wa_message_new_t m = item->message;
    wa_record_t *record;
    apr_status_t rv;

    if (message_is_there(l, item)) {
        l->duplicates++;
        return APR_SUCCESS;
    }
    if (m.direction == WA_DIRECTION_RECEIVED && m.profile_name.len == 0) {
        m.profile_name = wa_slice_of(t->profile_name);
    }
    rv = wa_record_message_make(&record, &m, l->tmp);
    if (rv == APR_SUCCESS) {
        rv = record_append(l, record, item->time_ms);
    }
    l->messages += rv == APR_SUCCESS;
    return rv == APR_SUCCESS ? sids_append(l, item) : rv;
}

static apr_status_t contact_append(load_t *l, const load_item_t *item, const load_entry_t *e)
{
    const wa_record_contact_t *c = &item->contact;
    wa_record_t *record;
    apr_status_t rv;

    if (apr_hash_get(l->store->replica.contacts_by_id, c->id.ptr, (apr_ssize_t)c->id.len)
        || apr_hash_get(l->store->replica.contacts_by_number, c->phone_number.ptr,
                        (apr_ssize_t)c->phone_number.len)) {
        l->duplicates++;
        return APR_SUCCESS;
    }
    rv = wa_record_contact_make(&record, WA_RECORD_CONTACT, c, l->tmp);
    if (rv == APR_SUCCESS) {
        rv = record_append(l, record, e->time_ms == TIME_LAST ? 0 : e->time_ms);
    }
    l->contacts += rv == APR_SUCCESS;
    return rv;
}

static apr_status_t entry_append(load_t *l, const load_entry_t *e)
{
    load_piece_t piece = {NULL, e->length & ~ENTRY_CONTACT, e->offset, e->line};
    load_item_t item;
    apr_status_t rv = load_input_again(&l->in, &piece);

    apr_pool_clear(l->tmp);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (load_item_read(&item, piece.text, piece.len, l->now_ms, l->tmp)
        || item.kind != (e->length & ENTRY_CONTACT ? LOAD_CONTACT : LOAD_MESSAGE)
        || (e->time_ms != TIME_LAST && item.time_ms != e->time_ms)) {
        return APR_EGENERAL; /* it was right before: somebody writes to it */
    }
    return item.kind == LOAD_CONTACT ? contact_append(l, &item, e) : message_append(l, &item);
}

static int entries_append(load_t *l)
{
    progress_t progress;
    apr_status_t rv = APR_SUCCESS;
    apr_size_t i;

    if (!l->is_sorted) {
        qsort(l->entries, l->count, sizeof(*l->entries), entry_compare);
    }
    progress_begin(&progress, "loading", l->ctl->is_quiet);
    for (i = 0; rv == APR_SUCCESS && i < l->count; i++) {
        rv = ctl_is_interrupted() ? APR_EINTR : entry_append(l, &l->entries[i]);
        progress_update(&progress, i, l->count);
    }
    progress_end(&progress);
    return rv == APR_SUCCESS ? CTL_DONE
                             : ctl_error_status(rv,
                                                "%s:%u: cannot be stored, or was changed "
                                                "meanwhile; nothing was changed in the store",
                                                l->in.name, l->entries[i - 1].line);
}

/* ---- threads: read marks and flags ---- */

/* The row up to which a thread is read when its last `unread` received messages are not.
 * @return APR_SUCCESS | APR_EGENERAL */
static apr_status_t read_row_find(load_t *l, const wa_replica_thread_t *t, apr_uint64_t unread,
                                  apr_uint64_t *prow)
{
    apr_uint64_t row = t->last_row, end = l->store->replica.at.offset;
    apr_status_t rv = APR_SUCCESS;

    while (rv == APR_SUCCESS && row && unread) {
        const wa_row_t *entry = wa_index_row(&l->store->index, row);
        const wa_record_t *r =
            entry ? wa_journal_record(&l->store->journal, entry->offset, end) : NULL;
        wa_record_message_t m;

        rv = r ? wa_record_message_read(r, &m) : APR_EGENERAL;
        if (rv == APR_SUCCESS) {
            unread -= m.direction == WA_DIRECTION_RECEIVED;
            rv = wa_index_previous(&l->store->index, row, entry, &row);
        }
        if (rv == APR_SUCCESS) {
            rv = ctl_go_on();
        }
    }
    *prow = row;
    return rv;
}

static apr_status_t thread_finish(load_t *l, const load_thread_t *said)
{
    const wa_replica_thread_t *t =
        wa_replica_thread_find(&l->store->replica, wa_slice_of(said->counterpart));
    wa_record_thread_t change = {.flags = 0};
    apr_int64_t time_ms = l->is_new ? l->store->replica.at.timestamp_ms : 0;
    apr_uint64_t row;
    wa_record_t *record;
    apr_status_t rv;

    if (!t) {
        l->threads_unused++;
        return APR_SUCCESS;
    }
    change.counterpart = t->counterpart;
    rv = read_row_find(l, t, said->unread, &row);
    if (rv == APR_SUCCESS && row > t->read_row && t->unread_count > said->unread) {
        rv = wa_record_thread_make(&record, WA_RECORD_READ, &change, row, l->tmp);
        if (rv == APR_SUCCESS) {
            rv = record_append(l, record, time_ms);
        }
    }
    if (rv == APR_SUCCESS && (said->flags | t->flags) != t->flags) {
        change.flags = said->flags | t->flags;
        rv = wa_record_thread_make(&record, WA_RECORD_FLAGS, &change, 0, l->tmp);
        if (rv == APR_SUCCESS) {
            rv = record_append(l, record, time_ms);
        }
    }
    return rv;
}

static int threads_finish(load_t *l)
{
    apr_hash_index_t *hi;
    apr_status_t rv = APR_SUCCESS;

    for (hi = apr_hash_first(l->pool, l->threads); rv == APR_SUCCESS && hi;
         hi = apr_hash_next(hi)) {
        apr_pool_clear(l->tmp);
        rv = ctl_is_interrupted() ? APR_EINTR : thread_finish(l, apr_hash_this_val(hi));
    }
    return rv == APR_SUCCESS ? CTL_DONE : ctl_error_status(rv, "the threads cannot be stored");
}

/* ---- the whole ---- */

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
    int rc = ctl_store_open(l->ctl, work, account_sid, 1, &l->store, p);

    if (rc != CTL_DONE) {
        return rc;
    }
    l->newest_ms = l->store->replica.at.timestamp_ms;
    l->is_new = l->store->replica.at.records == 0;
    rc = input_judge(l);
    if (rc == CTL_DONE) {
        rc = entries_append(l);
    }
    if (rc == CTL_DONE) {
        rc = threads_finish(l);
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
