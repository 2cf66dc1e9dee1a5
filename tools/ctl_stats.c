/* SPDX-License-Identifier: Apache-2.0 */
/* whatsappctl stats: what is in a store, from its newest checkpoint and the journal after it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <apr_file_info.h>
#include <apr_strings.h>
#include <jansson.h>

#include "base/clock.h"
#include "commands.h"
#include "ctl_end.h"
#include "ctl_say.h"
#include "ctl_store.h"
#include "store/dbm/lifecycle/ahead.h"

typedef struct stats_t {
    wa_snapshot_t *snapshot;
    apr_uint64_t threads, unread, parked, contacts;
    apr_uint64_t messages; /* that threads have: those lost to damage are not counted */
    apr_int64_t oldest_ms, newest_ms;
    apr_uint64_t journal_allocated, journal_used;
    apr_uint64_t after_checkpoint;
    apr_uint64_t index_bytes, state_bytes;
    apr_uint64_t damaged_files;
    int has_before_compact, has_before_retime;
    apr_int64_t ahead_ms; /* of the last change, before the clock */
} stats_t;

static apr_status_t thread_count(void *baton, const wa_thread_t *t)
{
    stats_t *s = baton;

    s->threads++;
    s->messages += t->message_count;
    s->unread += t->unread_count;
    if (t->last_timestamp_ms > s->newest_ms) {
        s->newest_ms = t->last_timestamp_ms;
    }
    return ctl_go_on();
}

static apr_status_t contact_count(void *baton, const wa_contact_t *contact)
{
    stats_t *s = baton;

    (void)contact;
    s->contacts++;
    return ctl_go_on();
}

/* @return APR_SUCCESS | APR_EINTR | the store's */
static apr_status_t contents_count(stats_t *s)
{
    apr_status_t rv = wa_store_threads_list(&s->snapshot->store.base, 0, thread_count, s);

    if (rv == APR_SUCCESS) {
        rv = wa_store_contacts_list(&s->snapshot->store.base, contact_count, s);
    }
    /* The seam reads these one by one; how many there are only the driver tells. */
    s->parked = apr_hash_count(s->snapshot->store.replica.parked);
    return rv;
}

/* The time of the first message: it is among the first records, whatever comes later. */
static void oldest_find(stats_t *s)
{
    wa_scan_step_t step;
    wa_scan_t scan;
    apr_status_t rv = wa_scan_init(&scan, &s->snapshot->store.journal, NULL);

    while (rv == APR_SUCCESS && !s->oldest_ms && !ctl_is_interrupted()) {
        rv = wa_scan_next(&scan, &step);
        if (rv == APR_SUCCESS && step.record && step.record->type == WA_RECORD_MESSAGE) {
            s->oldest_ms = step.record->timestamp_ms;
        }
    }
}

static void files_measure(stats_t *s, const ctl_t *ctl)
{
    apr_finfo_t info;
    apr_dir_t *dir;

    if (apr_dir_open(&dir, ctl->directory, ctl->pool) != APR_SUCCESS) {
        return;
    }
    while (apr_dir_read(&info, APR_FINFO_NAME, dir) == APR_SUCCESS) {
        const char *path = apr_pstrcat(ctl->pool, ctl->directory, "/", info.name, NULL);
        struct stat st;
        apr_uint64_t bytes = lstat(path, &st) ? 0 : (apr_uint64_t)st.st_blocks * 512;

        if (strcmp(info.name, "journal") == 0) {
            s->journal_allocated = bytes ? (apr_uint64_t)st.st_size : 0;
        } else if (strcmp(info.name, "rows") == 0 || strcmp(info.name, "times") == 0
                   || strncmp(info.name, "keys.", 5) == 0) {
            s->index_bytes += bytes;
        } else if (strncmp(info.name, "state-", 6) == 0) {
            s->state_bytes += bytes;
        } else if (strncmp(info.name, "damaged-", 8) == 0) {
            s->damaged_files++;
        } else if (strcmp(info.name, "journal.before-compact") == 0) {
            s->has_before_compact = 1;
        } else if (strcmp(info.name, "journal.before-retime") == 0) {
            s->has_before_retime = 1;
        }
    }
    apr_dir_close(dir);
}

/* How many of a level's slots are taken, when there are `keys` in all. */
static apr_uint64_t level_taken(int level, apr_uint64_t *keys)
{
    apr_uint64_t room = wa_index_level_keys(level), taken = *keys < room ? *keys : room;

    *keys -= taken;
    return taken;
}

static int is_level_used(int level, apr_uint64_t keys)
{
    return level < WA_KEYS_LEVELS && (keys > 0 || level == 0);
}

static void text_print(const stats_t *s, const ctl_t *ctl)
{
    const wa_tail_t *at = &s->snapshot->store.replica.at;
    const wa_checkpoint_t *c = &s->snapshot->checkpoint;
    apr_uint64_t keys = at->keys;
    apr_pool_t *p = ctl->pool;
    int level;

    printf("store        %s\n", ctl->shown);
    printf("account      %s\n", s->snapshot->store.journal.account_sid);
    printf("in use       %s\n", s->snapshot->is_owned ? "yes: a server or a tool owns it" : "no");
    printf("messages     %" APR_UINT64_T_FMT " in %" APR_UINT64_T_FMT " threads, %" APR_UINT64_T_FMT
           " unread\n",
           s->messages, s->threads, s->unread);
    printf("pending      %d messages whose outcome or attachments are not known\n",
           s->snapshot->store.replica.pending->nelts);
    printf("contacts     %" APR_UINT64_T_FMT "\n", s->contacts);
    printf("parked       %" APR_UINT64_T_FMT " receipts of messages that are not known\n",
           s->parked);
    printf("oldest       %s\n", ctl_time(s->oldest_ms, p));
    printf("newest       %s (last change %s)\n", ctl_time(s->newest_ms, p),
           ctl_time(at->timestamp_ms, p));
    if (s->ahead_ms) {
        printf(
            "AHEAD        the last change is dated %s after now: see whatsappctl retime --help\n",
            wa_ahead_text(s->ahead_ms, p));
    }
    printf("journal      %s used, %s allocated, %" APR_UINT64_T_FMT " records\n",
           ctl_bytes(s->journal_used, p), ctl_bytes(s->journal_allocated, p), at->records);
    if (s->snapshot->is_from_checkpoint) {
        printf("checkpoint   number %" APR_UINT64_T_FMT " (type %s), %s of journal after it\n",
               c->number, c->type, ctl_bytes(s->after_checkpoint, p));
    } else {
        printf("checkpoint   none that can be used: the next start reads the whole journal\n");
    }
    printf("index        %s; checkpoint files %s\n", ctl_bytes(s->index_bytes, p),
           ctl_bytes(s->state_bytes, p));
    for (level = 0; is_level_used(level, keys); level++) {
        apr_uint64_t slots = wa_index_level_slots(level), taken = level_taken(level, &keys);

        printf("keys.%-2d      %" APR_UINT64_T_FMT " of %" APR_UINT64_T_FMT
               " slots taken (%.1f%%; 62.5%% is full)\n",
               level, taken, slots, 100.0 * (double)taken / (double)slots);
    }
    if (s->snapshot->damaged) {
        printf("DAMAGE       %s of the journal after the checkpoint: run whatsappctl verify\n",
               ctl_bytes(s->snapshot->damaged, p));
    }
    if (s->damaged_files) {
        printf("set aside    %" APR_UINT64_T_FMT " files damaged-N\n", s->damaged_files);
    }
    if (s->has_before_compact) {
        printf("kept         journal.before-compact\n");
    }
    if (s->has_before_retime) {
        printf("kept         journal.before-retime\n");
    }
}

static json_t *levels_json(apr_uint64_t keys)
{
    json_t *levels = json_array();
    int level;

    for (level = 0; is_level_used(level, keys); level++) {
        apr_uint64_t slots = wa_index_level_slots(level), taken = level_taken(level, &keys);

        json_array_append_new(
            levels, json_pack("{s:I,s:I}", "slots", (json_int_t)slots, "taken", (json_int_t)taken));
    }
    return levels;
}

static int json_print(const stats_t *s, const ctl_t *ctl)
{
    const wa_tail_t *at = &s->snapshot->store.replica.at;
    const wa_checkpoint_t *c = &s->snapshot->checkpoint;
    json_t *j = json_pack(
        "{s:s,s:s,s:b,s:I,s:I,s:I,s:i,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:o,s:I,s:I,s:b,s:I,"
        "s:b}",
        "store", ctl->shown, "accountSid", s->snapshot->store.journal.account_sid, "inUse",
        s->snapshot->is_owned, "messages", (json_int_t)s->messages, "threads",
        (json_int_t)s->threads, "unread", (json_int_t)s->unread, "pending",
        s->snapshot->store.replica.pending->nelts, "contacts", (json_int_t)s->contacts, "parked",
        (json_int_t)s->parked, "oldestTimestamp", (json_int_t)s->oldest_ms, "newestTimestamp",
        (json_int_t)s->newest_ms, "lastChange", (json_int_t)at->timestamp_ms, "records",
        (json_int_t)at->records, "journalBytes", (json_int_t)s->journal_used,
        "journalAllocatedBytes", (json_int_t)s->journal_allocated, "indexBytes",
        (json_int_t)s->index_bytes, "checkpointFileBytes", (json_int_t)s->state_bytes, "keyLevels",
        levels_json(at->keys), "damagedBytes", (json_int_t)s->snapshot->damaged, "damagedFiles",
        (json_int_t)s->damaged_files, "hasJournalBeforeCompact", s->has_before_compact, "aheadMs",
        (json_int_t)s->ahead_ms, "hasJournalBeforeRetime", s->has_before_retime);
    char *text;

    if (j && s->snapshot->is_from_checkpoint) {
        json_object_set_new(j, "checkpoint",
                            json_pack("{s:I,s:s,s:I}", "number", (json_int_t)c->number, "type",
                                      c->type, "journalBytesAfter",
                                      (json_int_t)s->after_checkpoint));
    }
    text = j ? json_dumps(j, JSON_INDENT(2)) : NULL;
    json_decref(j);
    if (!text) {
        return ctl_error("out of memory");
    }
    puts(text);
    free(text);
    return CTL_DONE;
}

int ctl_stats(ctl_t *ctl, ctl_arguments_t arguments)
{
    stats_t s;
    int is_json = 0, rc;
    apr_status_t rv;
    const ctl_option_t options[] = {{"--json", NULL, &is_json}, {NULL, NULL, NULL}};

    memset(&s, 0, sizeof(s));
    if (!ctl_arguments_read(arguments, options, NULL)) {
        return CTL_FAILED;
    }
    rc = ctl_snapshot_read(ctl, 1, NULL, NULL, &s.snapshot);
    if (rc != CTL_DONE) {
        return rc;
    }
    s.journal_used = s.snapshot->store.replica.at.offset;
    if (s.snapshot->is_from_checkpoint) {
        s.after_checkpoint = s.journal_used - s.snapshot->checkpoint.at.offset;
    }
    s.ahead_ms = wa_ahead_of(s.snapshot->store.replica.at.timestamp_ms, wa_clock_now_ms());
    rv = contents_count(&s);
    if (rv != APR_SUCCESS) {
        return ctl_error_status(rv, "the threads and contacts cannot be counted");
    }
    oldest_find(&s);
    files_measure(&s, ctl);
    if (ctl_is_interrupted()) {
        return CTL_INTERRUPTED;
    }
    if (is_json) {
        return json_print(&s, ctl);
    }
    text_print(&s, ctl);
    return CTL_DONE;
}
