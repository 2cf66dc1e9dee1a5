/* SPDX-License-Identifier: Apache-2.0 */
/* whatsappctl compact: writes the journal again without what later records replaced. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <apr_strings.h>

#include "base/hash.h"
#include "commands.h"
#include "ctl_end.h"
#include "ctl_say.h"
#include "ctl_store.h"
#include "store/file/swap.h"

#define KEPT_NAME "journal.before-compact"

/* The newest records of a thread that are about itself. */
typedef struct compact_thread_t {
    apr_uint64_t read_offset, read_row, flags_offset;
} compact_thread_t;

typedef struct compact_t {
    ctl_t *ctl;
    wa_snapshot_t *snapshot;
    wa_rewrite_t out;
    apr_pool_t *tmp;
    apr_hash_t *threads;  /* of compact_thread_t, by counterpart */
    apr_hash_t *known;    /* keys of parked facts whose messages are known */
    apr_uint64_t last;    /* offset of the last record, which keeps the time from going back */
    apr_uint64_t *rows;   /* the new row of each, 0 for lost ones */
    apr_uint64_t *states; /* the offset of the newest state written, for each old row */
    apr_uint64_t states_left, marks_left, contacts_left, parked_left, fillers_left;
} compact_t;

/* ---- what is newest ---- */

static compact_thread_t *thread_get(compact_t *c, wa_slice_t counterpart)
{
    compact_thread_t *t = apr_hash_get(c->threads, counterpart.ptr, (apr_ssize_t)counterpart.len);

    if (!t) {
        t = apr_pcalloc(c->ctl->pool, sizeof(*t));
        apr_hash_set(c->threads, counterpart.ptr, (apr_ssize_t)counterpart.len, t);
    }
    return t;
}

static apr_status_t newest_note(void *baton, wa_snapshot_t *snapshot, const wa_scan_step_t *step)
{
    compact_t *c = baton;
    wa_record_thread_t n;
    compact_thread_t *t;
    apr_status_t rv;

    (void)snapshot;
    if (!step->record || step->record->type == WA_RECORD_FILLER) {
        return APR_SUCCESS;
    }
    c->last = step->offset;
    if (step->record->type != WA_RECORD_READ && step->record->type != WA_RECORD_FLAGS) {
        return APR_SUCCESS;
    }
    rv = wa_record_thread_read(step->record, &n);
    if (rv == APR_SUCCESS) {
        t = thread_get(c, n.counterpart);
        if (step->record->type == WA_RECORD_FLAGS) {
            t->flags_offset = step->offset;
        } else {
            t->read_offset = step->offset;
            t->read_row = step->record->row > t->read_row ? step->record->row : t->read_row;
        }
    }
    return rv;
}

static void sid_note(compact_t *c, wa_slice_t sid)
{
    const wa_replica_parked_t *parked =
        sid.len ? apr_hash_get(c->snapshot->store.replica.parked, sid.ptr, (apr_ssize_t)sid.len)
                : NULL;

    if (parked) {
        apr_hash_set(c->known, parked->key.ptr, (apr_ssize_t)parked->key.len, parked);
    }
}

static apr_status_t sids_note(void *baton, wa_snapshot_t *snapshot, const wa_scan_step_t *step)
{
    wa_record_message_t m;
    wa_record_state_t s;
    apr_status_t rv = APR_SUCCESS;

    (void)snapshot;
    if (step->record && step->record->type == WA_RECORD_MESSAGE) {
        rv = wa_record_message_read(step->record, &m);
        sid_note(baton, m.sid);
    } else if (step->record && step->record->type == WA_RECORD_STATE) {
        rv = wa_record_state_read(step->record, &s);
        sid_note(baton, s.sid);
    }
    return rv;
}

/* ---- writing ---- */

static apr_status_t record_put(compact_t *c, const wa_record_t *record, const wa_record_t *header,
                               apr_uint64_t *poffset)
{
    return wa_rewrite_put(&c->out, header, (const char *)record + sizeof(*record), poffset);
}

static apr_status_t same_put(compact_t *c, const wa_record_t *record)
{
    apr_uint64_t offset;

    return record_put(c, record, record, &offset);
}

static apr_status_t message_put(compact_t *c, const wa_record_t *record)
{
    wa_record_t header = *record;
    apr_uint64_t offset;

    header.row = c->rows[record->row] = ++c->out.at.rows;
    return record_put(c, record, &header, &offset);
}

/* The newest state of a row as it is on the disk, and the sid that the message itself was stored
 * with. */
static apr_status_t row_get(compact_t *c, apr_uint64_t row, wa_record_state_t *newest,
                            wa_record_message_t *m)
{
    const wa_row_t *entry = wa_index_row(&c->snapshot->store.index, row);
    wa_journal_t *journal = &c->snapshot->store.journal;
    apr_uint64_t end = c->snapshot->store.replica.at.offset;
    const wa_record_t *message = entry ? wa_journal_record(journal, entry->offset, end) : NULL;
    const wa_record_t *state = entry ? wa_journal_record(journal, entry->state, end) : NULL;

    if (!message || message->type != WA_RECORD_MESSAGE || !state || state->type != WA_RECORD_STATE
        || wa_record_message_read(message, m) != APR_SUCCESS) {
        return APR_EGENERAL;
    }
    return wa_record_state_read(state, newest);
}

/* Keeps a message's newest state, and earlier ones that made other sids findable. */
static apr_status_t state_put(compact_t *c, const wa_scan_step_t *step)
{
    apr_uint64_t row = step->record->row, offset;
    wa_record_state_t s, newest;
    wa_record_message_t m;
    wa_record_t *made;
    apr_status_t rv;
    int is_newest;

    if (!row || row > c->snapshot->store.replica.at.rows || !c->rows[row]) {
        wa_record_t header = *step->record;

        header.row = 0; /* its message is lost; only its time may count */
        c->states_left += step->offset != c->last;
        return step->offset == c->last ? record_put(c, step->record, &header, &offset)
                                       : APR_SUCCESS;
    }
    rv = wa_record_state_read(step->record, &s);
    if (rv == APR_SUCCESS) {
        rv = row_get(c, row, &newest, &m);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    is_newest = wa_index_row(&c->snapshot->store.index, row)->state == step->offset;
    if (!is_newest && (!s.sid_is_new || wa_slice_is_equal(s.sid, newest.sid))) {
        c->states_left++;
        return APR_SUCCESS;
    }
    s.sid_is_new = s.sid.len && !wa_slice_is_equal(s.sid, m.sid);
    s.previous = c->states[row];
    rv = wa_record_state_make(&made, &s, c->rows[row], c->tmp);
    if (rv == APR_SUCCESS) {
        made->timestamp_ms = step->record->timestamp_ms;
        made->date_s = step->record->date_s;
        rv = record_put(c, made, made, &offset);
        c->states[row] = offset;
    }
    return rv;
}

/* Keeps the newest mark and flags. A mark may be on a row that is lost: then it counts up to the
 * one before. */
static apr_status_t thread_put(compact_t *c, const wa_scan_step_t *step)
{
    wa_record_t header = *step->record;
    const compact_thread_t *t;
    wa_record_thread_t n;
    apr_uint64_t row, offset;
    apr_status_t rv = wa_record_thread_read(step->record, &n);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    t = thread_get(c, n.counterpart);
    if (step->offset != (header.type == WA_RECORD_FLAGS ? t->flags_offset : t->read_offset)) {
        c->marks_left++;
        return APR_SUCCESS;
    }
    if (header.type == WA_RECORD_READ) {
        row = t->read_row < c->snapshot->store.replica.at.rows ? t->read_row
                                                               : c->snapshot->store.replica.at.rows;
        while (row && !c->rows[row] && !ctl_is_interrupted()) {
            row--;
        }
        header.row = row ? c->rows[row] : 0;
    }
    return record_put(c, step->record, &header, &offset);
}

/* Keeps contacts as they are now. A deletion stays where nothing newer tells a client that the
 * thread has changed. */
static apr_status_t contact_put(compact_t *c, const wa_scan_step_t *step)
{
    const wa_replica_t *replica = &c->snapshot->store.replica;
    const wa_replica_contact_t *contact;
    const wa_replica_thread_t *t;
    wa_record_contact_t n;
    int is_kept = step->offset == c->last;
    apr_status_t rv = wa_record_contact_read(step->record, &n);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    contact = apr_hash_get(replica->contacts_by_id, n.id.ptr, (apr_ssize_t)n.id.len);
    t = wa_replica_thread_find(replica, n.phone_number);
    if (step->record->type == WA_RECORD_CONTACT) {
        is_kept |= contact && contact->offset == step->offset;
    } else {
        is_kept |= t && t->changed_ms == step->record->timestamp_ms;
    }
    c->contacts_left += !is_kept;
    return is_kept ? same_put(c, step->record) : APR_SUCCESS;
}

static apr_status_t parked_put(compact_t *c, const wa_scan_step_t *step)
{
    const wa_replica_parked_t *parked;
    wa_record_parked_t k;
    apr_status_t rv = wa_record_parked_read(step->record, &k);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    parked = apr_hash_get(c->snapshot->store.replica.parked, k.key.ptr, (apr_ssize_t)k.key.len);
    if (step->offset != c->last
        && (!parked || parked->offset != step->offset
            || apr_hash_get(c->known, k.key.ptr, (apr_ssize_t)k.key.len))) {
        c->parked_left++;
        return APR_SUCCESS;
    }
    return same_put(c, step->record);
}

static apr_status_t step_put(void *baton, wa_snapshot_t *snapshot, const wa_scan_step_t *step)
{
    compact_t *c = baton;

    (void)snapshot;
    if (!step->record) {
        return APR_EGENERAL;
    }
    apr_pool_clear(c->tmp);
    switch (step->record->type) {
    case WA_RECORD_FILLER:
        c->fillers_left++;
        return APR_SUCCESS;
    case WA_RECORD_MESSAGE:
        return message_put(c, step->record);
    case WA_RECORD_STATE:
        return state_put(c, step);
    case WA_RECORD_READ:
    case WA_RECORD_FLAGS:
        return thread_put(c, step);
    case WA_RECORD_CONTACT:
    case WA_RECORD_CONTACT_DELETE:
        return contact_put(c, step);
    case WA_RECORD_PARKED:
        return parked_put(c, step);
    default:
        return same_put(c, step->record); /* of a later version of this format */
    }
}

/* ---- judging what was written ---- */

static int inbounds_are_equal(const wa_replica_thread_t *x, const wa_replica_thread_t *y)
{
    apr_uint32_t i;

    if (x->inbound_count != y->inbound_count) {
        return 0;
    }
    for (i = 0; i < x->inbound_count; i++) {
        const wa_inbound_t *a = &x->inbound[i].last, *b = &y->inbound[i].last;

        if (!wa_slice_is_equal(a->phone_number, b->phone_number) || a->date_ms != b->date_ms) {
            return 0;
        }
    }
    return 1;
}

static int threads_are_equal(const wa_replica_t *a, const wa_replica_t *b)
{
    const wa_replica_thread_t *x = a->newest, *y = b->newest;

    for (; x && y; x = x->older, y = y->older) {
        if (!wa_slice_is_equal(x->counterpart, y->counterpart)
            || !wa_slice_is_equal(x->preview, y->preview)
            || !wa_slice_is_equal(x->profile_name, y->profile_name)
            || x->message_count != y->message_count || x->unread_count != y->unread_count
            || x->last_timestamp_ms != y->last_timestamp_ms || x->changed_ms != y->changed_ms
            || x->last_inbound_ms != y->last_inbound_ms || !inbounds_are_equal(x, y)
            || x->flags != y->flags) {
            return 0;
        }
    }
    return !x && !y;
}

static int contacts_are_equal(const wa_replica_t *a, const wa_replica_t *b)
{
    int i;

    if (a->contacts->nelts != b->contacts->nelts) {
        return 0;
    }
    for (i = 0; i < a->contacts->nelts; i++) {
        const wa_replica_contact_t *x = APR_ARRAY_IDX(a->contacts, i, wa_replica_contact_t *),
                                   *y = APR_ARRAY_IDX(b->contacts, i, wa_replica_contact_t *);

        if (!wa_slice_is_equal(x->id, y->id) || !wa_slice_is_equal(x->phone_number, y->phone_number)
            || !wa_slice_is_equal(x->display_name, y->display_name)
            || x->created_ms != y->created_ms || x->updated_ms != y->updated_ms) {
            return 0;
        }
    }
    return 1;
}

/* Opens what was written, which makes what is derived, and compares it with what it was made
 * from. */
static int result_check(compact_t *c, const char *work)
{
    wa_dbm_store_t *store;
    apr_pool_t *p;
    int rc;

    apr_pool_create(&p, c->ctl->pool);
    rc = ctl_store_open(c->ctl, work, NULL, &store, p);
    if (rc != CTL_DONE) {
        return rc;
    }
    if (store->replica.at.records != c->out.at.records
        || store->replica.pending->nelts != c->snapshot->store.replica.pending->nelts
        || store->replica.at.timestamp_ms != c->snapshot->store.replica.at.timestamp_ms
        || !threads_are_equal(&store->replica, &c->snapshot->store.replica)
        || !contacts_are_equal(&store->replica, &c->snapshot->store.replica)) {
        return ctl_error(
            "the compacted journal does not say what the old one says; nothing was changed. "
            "This is a mistake in whatsappctl: please report it");
    }
    return ctl_store_close(store, p);
}

/* ---- the whole ---- */

static int journal_write(compact_t *c, const char *work)
{
    const apr_size_t rows = (apr_size_t)c->snapshot->store.replica.at.rows + 1;
    apr_status_t rv;
    int rc;

    c->rows = calloc(rows, sizeof(*c->rows));
    c->states = calloc(rows, sizeof(*c->states));
    if (!c->rows || !c->states) {
        return ctl_error("out of memory: %" APR_SIZE_T_FMT " MB are needed", rows * 40 / 1000000);
    }
    rc = ctl_journal_create(c->ctl, c->snapshot, work, &c->out);
    if (rc != CTL_DONE) {
        return rc;
    }
    rc = ctl_snapshot_again(c->ctl, c->snapshot, "compacting", step_put, c);
    if (rc == CTL_DONE) {
        rv = wa_rewrite_finish(&c->out);
        rc = rv == APR_SUCCESS ? CTL_DONE
                               : ctl_error_status(rv, "the new journal cannot be written");
    }
    return rc;
}

static int view_judge(const compact_t *c)
{
    wa_snapshot_t *snapshot = c->snapshot;
    apr_uint64_t rest;
    apr_status_t rv = wa_scan_rest(&snapshot->scan, &rest);

    if (rv != APR_SUCCESS) {
        return ctl_error_status(rv, "the journal's end cannot be read");
    }
    if (!snapshot->damaged && !rest) {
        return CTL_DONE;
    }
    ctl_error("%s/journal is damaged or has an unfinished end: run whatsappctl rebuild, which sets "
              "that aside, then compact",
              c->ctl->directory);
    return CTL_BAD;
}

static int compact(compact_t *c, int is_delete)
{
    ctl_t *ctl = c->ctl;
    const char *work = NULL;
    apr_uint64_t before;
    apr_status_t rv;
    int rc = ctl_snapshot_read(ctl, 0, newest_note, c, &c->snapshot);

    if (rc == CTL_DONE) {
        rc = view_judge(c);
    }
    if (rc == CTL_DONE && apr_hash_count(c->snapshot->store.replica.parked)) {
        rc = ctl_snapshot_again(ctl, c->snapshot, "looking for sids", sids_note, c);
    }
    if (rc == CTL_DONE) {
        rc = ctl_work_directory(ctl, "compact.new", 0, &work);
    }
    if (rc == CTL_DONE) {
        rc = journal_write(c, work);
    }
    wa_rewrite_release(&c->out);
    if (rc != CTL_DONE) {
        return rc;
    }
    before = c->snapshot->store.replica.at.offset;
    if (c->out.at.offset >= before) {
        ctl_note(ctl, "nothing is superseded: the journal stays as it is (%s)",
                 ctl_bytes(before, ctl->pool));
        return CTL_DONE;
    }
    rc = result_check(c, work);
    if (rc != CTL_DONE) {
        return rc;
    }
    rv = wa_directory_swap(ctl->directory, work, is_delete ? NULL : KEPT_NAME, ctl->pool);
    if (rv != APR_SUCCESS) {
        return ctl_error_status(rv, "the new journal cannot be put in place");
    }
    ctl_leftover_keep();
    ctl_note(ctl,
             "%s -> %s; left out: %" APR_UINT64_T_FMT " states, %" APR_UINT64_T_FMT
             " read marks and flags, %" APR_UINT64_T_FMT " contact records, %" APR_UINT64_T_FMT
             " parked receipts, %" APR_UINT64_T_FMT " fillers",
             ctl_bytes(before, ctl->pool), ctl_bytes(c->out.at.offset, ctl->pool), c->states_left,
             c->marks_left, c->contacts_left, c->parked_left, c->fillers_left);
    return CTL_DONE;
}

int ctl_compact(ctl_t *ctl, ctl_arguments_t arguments)
{
    int is_delete = 0, rc;
    const ctl_option_t options[] = {{"--delete", NULL, &is_delete}, {NULL, NULL, NULL}};
    compact_t c;

    memset(&c, 0, sizeof(c));
    c.ctl = ctl;
    c.out.journal.map.fd = -1;
    if (!ctl_arguments_read(arguments, options, NULL)) {
        return CTL_FAILED;
    }
    c.threads = wa_table_make(ctl->pool);
    c.known = wa_table_make(ctl->pool);
    apr_pool_create(&c.tmp, ctl->pool);
    rc = ctl_store_find(ctl);
    if (rc == CTL_DONE) {
        rc = ctl_store_lock(ctl);
    }
    if (rc == CTL_DONE) {
        rc = compact(&c, is_delete);
    }
    if (rc == CTL_DONE && is_delete) {
        unlink(apr_pstrcat(ctl->pool, ctl->directory, "/" KEPT_NAME, NULL));
    }
    free(c.rows);
    free(c.states);
    return rc;
}
