/* SPDX-License-Identifier: Apache-2.0 */
/* whatsappctl verify: reads the journal and compares everything that is derived with what it
 * says. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <apr_strings.h>

#include "base/clock.h"
#include "commands.h"
#include "ctl_end.h"
#include "ctl_say.h"
#include "ctl_store.h"
#include "store/dbm/lifecycle/ahead.h"

#define SHOWN_MAX 100

/* What a difference is in; for counting. */
typedef enum { IN_JOURNAL, IN_ROWS, IN_MARKS, IN_KEYS, IN_CHECKPOINT, IN_COUNT } place_e;

static const char *const place_names[IN_COUNT] = {"journal", "rows", "times", "keys", "checkpoint"};

typedef struct verify_t {
    ctl_t *ctl;
    wa_snapshot_t *snapshot;
    int is_all;
    apr_uint64_t found[IN_COUNT];
    int is_uncertain;
    /* the checkpoint as CURRENT had it when this began */
    int is_begun, has_checkpoint, is_other_version;
    wa_checkpoint_t checkpoint;
    wa_replica_t *loaded;
    int is_compared;
    /* of the last record, for the order of times */
    apr_int64_t time_ms;
    /* how many messages have come, while keys are checked */
    apr_uint64_t rows;
    /* the files as they are */
    wa_index_t index;
} verify_t;

static void differ(verify_t *v, place_e place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void differ(verify_t *v, place_e place, const char *format, ...)
{
    va_list arguments;

    if (v->found[place]++ >= SHOWN_MAX && !v->is_all) {
        return;
    }
    printf("%s: ", place_names[place]);
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
}

static void uncertain(verify_t *v, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void uncertain(verify_t *v, const char *format, ...)
{
    va_list arguments;

    v->is_uncertain = 1;
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
}

/* ---- the checkpoint ---- */

static void checkpoint_begin(verify_t *v)
{
    apr_status_t rv;

    v->is_begun = 1;
    rv = wa_snapshot_checkpoint_load(v->snapshot, &v->checkpoint, &v->loaded, v->ctl->pool);
    if (APR_STATUS_IS_NOTFOUND(rv)) {
        return;
    }
    if (!v->checkpoint.type && rv == APR_EINVAL) {
        v->is_other_version = 1;
        return;
    }
    if (!v->checkpoint.type) {
        differ(v, IN_CHECKPOINT, "CURRENT is damaged, or belongs to another journal");
        return;
    }
    v->has_checkpoint = 1;
    if (rv == APR_ENOTIMPL) {
        uncertain(v, "checkpoint: its type %s is not available here: it cannot be read",
                  v->checkpoint.type);
    } else if (rv != APR_SUCCESS) {
        differ(v, IN_CHECKPOINT,
               "state-%" APR_UINT64_T_FMT " is damaged, or does not fit the journal and the rows",
               v->checkpoint.number);
    }
}

#define COMPARE(field)                                                                         \
    if (x->field != y->field) {                                                                \
        differ(v, IN_CHECKPOINT,                                                               \
               "thread:%.*s: " #field " is %" APR_INT64_T_FMT ", should be %" APR_INT64_T_FMT, \
               (int)x->counterpart.len, x->counterpart.ptr, (apr_int64_t)x->field,             \
               (apr_int64_t)y->field);                                                         \
    }

/* Those that both know of; what one lacks, their count tells. */
static void inbound_compare(verify_t *v, const wa_replica_thread_t *x, const wa_replica_thread_t *y)
{
    apr_uint32_t i;

    for (i = 0; i < x->inbound_count; i++) {
        const wa_replica_inbound_t *is = &x->inbound[i];
        const wa_replica_inbound_t *should =
            wa_replica_thread_inbound_find(y, is->last.phone_number);

        if (!should || is->last.date_ms != should->last.date_ms
            || is->last.before_ms != should->last.before_ms) {
            differ(v, IN_CHECKPOINT,
                   "thread:%.*s: when they wrote to %.*s is not what the journal says",
                   (int)x->counterpart.len, x->counterpart.ptr, (int)is->last.phone_number.len,
                   is->last.phone_number.ptr);
        }
    }
}

static void thread_compare(verify_t *v, const wa_replica_thread_t *x, const wa_replica_thread_t *y)
{
    COMPARE(last_row)
    COMPARE(read_row)
    COMPARE(message_count)
    COMPARE(unread_count)
    COMPARE(changed_ms)
    COMPARE(last_inbound_ms)
    COMPARE(inbound_count)
    COMPARE(name_row)
    COMPARE(flags)
    inbound_compare(v, x, y);
}

static void threads_compare(verify_t *v, const wa_replica_t *is, const wa_replica_t *should)
{
    const wa_replica_thread_t *t, *other;

    for (t = is->newest; t && !ctl_is_interrupted(); t = t->older) {
        other = wa_replica_thread_find(should, t->counterpart);
        if (other) {
            thread_compare(v, t, other);
        } else {
            differ(v, IN_CHECKPOINT, "thread:%.*s: the journal knows of no such thread",
                   (int)t->counterpart.len, t->counterpart.ptr);
        }
    }
    for (t = should->newest; t && !ctl_is_interrupted(); t = t->older) {
        if (!wa_replica_thread_find(is, t->counterpart)) {
            differ(v, IN_CHECKPOINT, "thread:%.*s: is missing", (int)t->counterpart.len,
                   t->counterpart.ptr);
        }
    }
}

static void contacts_compare(verify_t *v, const wa_replica_t *is, const wa_replica_t *should)
{
    apr_hash_index_t *hi;

    for (hi = apr_hash_first(v->ctl->pool, is->contacts_by_id); hi && !ctl_is_interrupted();
         hi = apr_hash_next(hi)) {
        const wa_replica_contact_t *x = apr_hash_this_val(hi);
        const wa_replica_contact_t *y =
            apr_hash_get(should->contacts_by_id, x->id.ptr, (apr_ssize_t)x->id.len);

        if (!y || y->offset != x->offset) {
            differ(v, IN_CHECKPOINT,
                   "contact:%.*s: is the one at byte %" APR_UINT64_T_FMT
                   ", should be %s%" APR_UINT64_T_FMT,
                   (int)x->id.len, x->id.ptr, x->offset,
                   y ? "the one at byte " : "none: ", y ? y->offset : 0);
        }
    }
    if (is->contacts->nelts != should->contacts->nelts) {
        differ(v, IN_CHECKPOINT, "has %d contacts, should have %d", is->contacts->nelts,
               should->contacts->nelts);
    }
}

static void parked_compare(verify_t *v, const wa_replica_t *is, const wa_replica_t *should)
{
    const wa_replica_parked_t *x = is->parked_first, *y;
    unsigned a = apr_hash_count(is->parked), b = apr_hash_count(should->parked);

    for (; x && !ctl_is_interrupted(); x = x->next) {
        y = apr_hash_get(should->parked, x->key.ptr, (apr_ssize_t)x->key.len);
        if (!y || y->offset != x->offset) {
            differ(v, IN_CHECKPOINT, "parked:%.*s: is not what the journal says", (int)x->key.len,
                   x->key.ptr);
        }
    }
    if (a != b) {
        differ(v, IN_CHECKPOINT, "has %u parked receipts, should have %u", a, b);
    }
}

static void pending_compare(verify_t *v, const wa_replica_t *is, const wa_replica_t *should)
{
    int a = is->pending->nelts, b = should->pending->nelts;

    if (a != b
        || memcmp(is->pending->elts, should->pending->elts, (apr_size_t)a * sizeof(apr_uint64_t))
               != 0) {
        differ(v, IN_CHECKPOINT, "has %d pending messages, should have %d, or others", a, b);
    }
}

/* Called when the journal is read up to where the checkpoint was made. */
static void checkpoint_compare(verify_t *v)
{
    const wa_replica_t *should = &v->snapshot->store.replica;
    const wa_tail_t *a = &v->checkpoint.at, *b = &should->at;

    v->is_compared = 1;
    if (v->snapshot->damaged || !v->loaded) {
        return;
    }
    if (a->records != b->records || a->rows != b->rows || a->keys != b->keys || a->crc != b->crc
        || a->timestamp_ms != b->timestamp_ms) {
        differ(v, IN_CHECKPOINT,
               "CURRENT counts %" APR_UINT64_T_FMT " records, %" APR_UINT64_T_FMT
               " rows, %" APR_UINT64_T_FMT " keys, should be %" APR_UINT64_T_FMT
               ", %" APR_UINT64_T_FMT ", %" APR_UINT64_T_FMT,
               a->records, a->rows, a->keys, b->records, b->rows, b->keys);
    }
    threads_compare(v, v->loaded, should);
    contacts_compare(v, v->loaded, should);
    parked_compare(v, v->loaded, should);
    pending_compare(v, v->loaded, should);
}

/* ---- the journal ---- */

static apr_status_t record_check(void *baton, wa_snapshot_t *snapshot, const wa_scan_step_t *step)
{
    verify_t *v = baton;
    const wa_record_t *r = step->record;

    v->snapshot = snapshot;
    if (!v->is_begun) {
        checkpoint_begin(v);
    }
    if (!r) {
        differ(v, IN_JOURNAL,
               "%" APR_UINT64_T_FMT " bytes at byte %" APR_UINT64_T_FMT " are damaged",
               step->length, step->offset);
    } else if (r->type != WA_RECORD_FILLER) {
        if (r->type < WA_RECORD_FILLER || r->type > WA_RECORD_PARKED) {
            differ(v, IN_JOURNAL, "the record at byte %" APR_UINT64_T_FMT " has no known type (%d)",
                   step->offset, r->type);
        }
        if (r->timestamp_ms < v->time_ms) {
            differ(v, IN_JOURNAL,
                   "the record at byte %" APR_UINT64_T_FMT " is older than the one before it",
                   step->offset);
        }
        v->time_ms = r->timestamp_ms;
    }
    if (v->has_checkpoint && !v->is_compared
        && step->offset + step->length >= v->checkpoint.at.offset) {
        if (step->offset + step->length > v->checkpoint.at.offset && !snapshot->damaged) {
            differ(v, IN_CHECKPOINT,
                   "CURRENT names byte %" APR_UINT64_T_FMT ", where no record ends",
                   v->checkpoint.at.offset);
        }
        checkpoint_compare(v);
    }
    return APR_SUCCESS;
}

/* What stands behind the last whole record. */
static apr_status_t end_check(verify_t *v)
{
    wa_scan_t *scan = &v->snapshot->scan;
    apr_uint64_t rest;
    apr_status_t rv = wa_scan_rest(scan, &rest);

    if (v->has_checkpoint && scan->offset < v->checkpoint.at.offset) {
        differ(v, IN_JOURNAL,
               "ends at byte %" APR_UINT64_T_FMT
               ", but the checkpoint has seen it up to byte %" APR_UINT64_T_FMT
               ": what stood there is damaged or cut off",
               scan->offset, v->checkpoint.at.offset);
    } else if (rest && !v->snapshot->is_owned) {
        uncertain(
            v,
            "journal: %" APR_UINT64_T_FMT " bytes at its end (byte %" APR_UINT64_T_FMT
            ") are no whole record: after a crash that is a record which was never finished, and "
            "nobody was told that it "
            "is stored; without one it is damage. The next start cuts it off and keeps a copy",
            rest, scan->offset);
    }
    return rv;
}

/* ---- the index ---- */

static void row_check(verify_t *v, apr_uint64_t row)
{
    const wa_row_t *is = wa_index_row(&v->index, row),
                   *should = wa_index_row(&v->snapshot->store.index, row);
    apr_uint64_t state, end = v->snapshot->store.replica.at.offset;
    int is_old;

    if (!is || !should) {
        differ(v, IN_ROWS, "row %" APR_UINT64_T_FMT " is not there", row);
        return;
    }
    state = is->state;
    is_old = should->offset < v->checkpoint.at.offset;
    if (!is->offset && !is_old) {
        return; /* after the checkpoint: nobody had to write it yet */
    }
    if (is->offset != should->offset || (should->offset && is->previous != should->previous)) {
        differ(v, IN_ROWS,
               "row %" APR_UINT64_T_FMT " (byte %" APR_UINT64_T_FMT
               ") names byte %" APR_UINT64_T_FMT ", should be %" APR_UINT64_T_FMT "%s",
               row, row * (apr_uint64_t)sizeof(*is), is->offset, should->offset,
               is->offset == should->offset ? "; the row before it is wrong" : "");
        return;
    }
    /* Others may be ahead of what was read here: then the states lead back to the one that is
     * expected. */
    while (state >= end && state != should->state && v->snapshot->is_owned
           && !ctl_is_interrupted()) {
        const wa_record_t *r =
            wa_journal_record(&v->snapshot->store.journal, state, v->snapshot->scan.size);
        wa_record_state_t s;

        if (!r) {
            state = should->state; /* written after this began: not to be judged */
            break;
        }
        if (r->type != WA_RECORD_STATE || r->row != row
            || wa_record_state_read(r, &s) != APR_SUCCESS || s.previous >= state) {
            break;
        }
        state = s.previous;
    }
    if (state != should->state && (state != 0 || should->state < v->checkpoint.at.offset)
        && !(state < should->state && should->state >= v->checkpoint.at.offset)) {
        differ(v, IN_ROWS,
               "row %" APR_UINT64_T_FMT " (byte %" APR_UINT64_T_FMT
               ") has its state at byte %" APR_UINT64_T_FMT ", should be %" APR_UINT64_T_FMT,
               row, row * (apr_uint64_t)sizeof(*is), is->state, should->state);
    }
}

static void times_check(verify_t *v)
{
    apr_uint64_t entries = v->snapshot->store.replica.at.records / WA_TIME_EVERY, m;
    const wa_time_entry_t *is = wa_mapping_at(&v->index.times, 0, (entries + 1) * sizeof(*is));
    const wa_time_entry_t *should =
        wa_mapping_at(&v->snapshot->store.index.times, 0, (entries + 1) * sizeof(*is));

    for (m = 1; is && should && m <= entries && !ctl_is_interrupted(); m++) {
        if (!is[m].offset && should[m].offset >= v->checkpoint.at.offset) {
            continue;
        }
        if (is[m].offset != should[m].offset || is[m].timestamp_ms != should[m].timestamp_ms) {
            differ(v, IN_MARKS,
                   "entry %" APR_UINT64_T_FMT " (byte %" APR_UINT64_T_FMT
                   ") names byte %" APR_UINT64_T_FMT ", should be %" APR_UINT64_T_FMT,
                   m, m * (apr_uint64_t)sizeof(*is), is[m].offset, should[m].offset);
        }
    }
}

typedef struct candidate_t {
    apr_uint64_t row;
    int is_found;
} candidate_t;

static apr_status_t candidate_visit(void *baton, apr_uint64_t row)
{
    candidate_t *c = baton;

    c->is_found |= row == c->row;
    return c->is_found ? APR_EOF : APR_SUCCESS;
}

static void key_check(verify_t *v, const wa_record_key_t *key, const wa_scan_step_t *step)
{
    candidate_t c = {step->record->row, 0};

    wa_index_key_find(&v->index, v->checkpoint.at.keys,
                      wa_index_hash(&v->index, key->kind, key->name.ptr, key->name.len),
                      candidate_visit, &c);
    if (!c.is_found) {
        differ(v, IN_KEYS,
               "the %s %.*s of row %" APR_UINT64_T_FMT " (journal byte %" APR_UINT64_T_FMT
               ") is not found",
               key->kind, (int)key->name.len, key->name.ptr, step->record->row, step->offset);
    }
}

static apr_status_t keys_check(void *baton, wa_snapshot_t *snapshot, const wa_scan_step_t *step)
{
    verify_t *v = baton;
    wa_record_keys_t keys;
    int i;

    (void)snapshot;
    if (!step->record || wa_record_keys_read(step->record, &keys) != APR_SUCCESS) {
        return APR_SUCCESS;
    }
    if (step->record->type == WA_RECORD_MESSAGE) {
        v->rows = step->record->row;
    }
    /* As when it was applied: later rows were not there yet. */
    if (!step->record->row || step->record->row > v->rows
        || step->offset >= v->checkpoint.at.offset) {
        return APR_SUCCESS;
    }
    for (i = 0; i < WA_RECORD_CONFLICTS; i++) {
        if (keys.key[i].use == WA_KEY_MADE) {
            key_check(v, &keys.key[i], step);
        }
    }
    return APR_SUCCESS;
}

/* Says which files are missing or too short. @return 1 when the others can be looked into */
static int files_check(verify_t *v)
{
    const wa_tail_t *at = &v->checkpoint.at;
    int level;

    if (at->rows && v->index.rows_end < (at->rows + 1) * sizeof(wa_row_t)) {
        differ(v, IN_ROWS, "the file is missing or too short (%" APR_UINT64_T_FMT " bytes)",
               v->index.rows_end);
    }
    if (at->records
        && v->index.times_end < (at->records / WA_TIME_EVERY + 1) * sizeof(wa_time_entry_t)) {
        differ(v, IN_MARKS, "the file is missing or too short (%" APR_UINT64_T_FMT " bytes)",
               v->index.times_end);
    }
    for (level = 0; level < WA_KEYS_LEVELS; level++) {
        if ((v->index.levels_made & 1u << level)
            && (level == 0 || (wa_index_level_slots(level) - WA_KEYS_FIRST) / 8 * 5 < at->keys)) {
            differ(v, IN_KEYS, "keys.%d is missing or too short", level);
        }
    }
    return !v->found[IN_ROWS] && !v->found[IN_MARKS] && !v->found[IN_KEYS];
}

static int index_check(verify_t *v)
{
    const wa_tail_t *end = &v->snapshot->store.replica.at;
    const wa_index_room_t room = {end->rows, end->records, v->checkpoint.at.keys};
    apr_uint64_t row;
    apr_status_t rv =
        wa_index_open_copy(&v->index, v->ctl->directory, v->snapshot->store.journal.salt, &room);
    int rc = CTL_DONE;

    if (rv != APR_SUCCESS) {
        return ctl_error_status(rv, "the index files cannot be read");
    }
    if (files_check(v)) {
        for (row = 1; row <= end->rows && !ctl_is_interrupted(); row++) {
            row_check(v, row);
        }
        times_check(v);
        if (v->checkpoint.at.keys) {
            rc = ctl_snapshot_again(v->ctl, v->snapshot, "checking keys", keys_check, v);
        }
    }
    wa_index_release(&v->index);
    return rc;
}

/* ---- the whole ---- */

static int result_print(const verify_t *v)
{
    const wa_tail_t *at = &v->snapshot->store.replica.at;
    const apr_int64_t ahead_ms = wa_ahead_of(at->timestamp_ms, wa_clock_now_ms());
    apr_uint64_t differences = 0;
    int place;

    for (place = 0; place < IN_COUNT; place++) {
        differences += v->found[place];
        if (v->found[place] > SHOWN_MAX && !v->is_all) {
            printf("%s: %" APR_UINT64_T_FMT " more; --all shows them\n", place_names[place],
                   v->found[place] - SHOWN_MAX);
        }
    }
    printf("%" APR_UINT64_T_FMT " records, %" APR_UINT64_T_FMT " messages, %s of journal%s\n",
           at->records, at->rows, ctl_bytes(at->offset, v->ctl->pool),
           v->snapshot->is_owned
               ? " (a server or a tool owns the store; what it wrote meanwhile was not looked at)"
               : "");
    if (ahead_ms) {
        printf("AHEAD: the last record is dated %s after now; nothing is damaged by that. See "
               "whatsappctl retime --help\n",
               wa_ahead_text(ahead_ms, v->ctl->pool));
    }
    if (v->found[IN_JOURNAL]) {
        printf("DAMAGED: the journal. Stop httpd and run whatsappctl rebuild: it sets the damaged "
               "bytes aside and keeps all else. "
               "What is lost only a backup has\n");
        return CTL_BAD;
    }
    if (differences) {
        printf("DAMAGED: what is derived from the journal; the journal is sound, so nothing is "
               "lost. Stop httpd and run "
               "whatsappctl rebuild\n");
        return CTL_BAD;
    }
    if (v->is_uncertain) {
        printf("NOT CERTAIN: see above; all else is sound\n");
        return CTL_FAILED;
    }
    printf("sound\n");
    return CTL_DONE;
}

int ctl_verify(ctl_t *ctl, ctl_arguments_t arguments)
{
    verify_t v;
    const ctl_option_t options[] = {{"--all", NULL, &v.is_all}, {NULL, NULL, NULL}};
    apr_status_t rv;
    int rc;

    memset(&v, 0, sizeof(v));
    v.ctl = ctl;
    if (!ctl_arguments_read(arguments, options, NULL)) {
        return CTL_FAILED;
    }
    rc = ctl_snapshot_read(ctl, 0, record_check, &v, &v.snapshot);
    if (rc != CTL_DONE) {
        return rc;
    }
    if (!v.is_begun) {
        checkpoint_begin(&v);
    }
    if (v.has_checkpoint && !v.is_compared
        && v.checkpoint.at.offset == v.snapshot->store.replica.at.offset) {
        checkpoint_compare(&v);
    }
    rv = end_check(&v);
    if (rv != APR_SUCCESS) {
        return ctl_error_status(rv, "the journal's end cannot be read");
    }
    if (!v.has_checkpoint && !v.found[IN_CHECKPOINT]) {
        printf("checkpoint: %s: the next start makes everything that is derived from the journal\n",
               v.is_other_version ? "another version of the module wrote it" : "there is none");
    } else if (v.found[IN_JOURNAL]) {
        printf("rows, times, keys: not compared, because they cannot fit a damaged journal\n");
    } else if (v.has_checkpoint) {
        rc = index_check(&v);
    }
    if (rc == CTL_DONE && ctl_is_interrupted()) {
        rc = CTL_INTERRUPTED;
    }
    return rc == CTL_DONE ? result_print(&v) : rc;
}
