/* SPDX-License-Identifier: Apache-2.0 */
/* whatsappctl retime: writes the journal again with right times where a clock that was ahead has
 * dated it ahead. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <apr_strings.h>

#include "base/clock.h"
#include "commands.h"
#include "ctl_end.h"
#include "ctl_say.h"
#include "ctl_store.h"
#include "messaging/delivery/state.h"
#include "retime_plan.h"
#include "store/dbm/lifecycle/ahead.h"
#include "store/file/swap.h"

#define KEPT_NAME "journal.before-retime"

/* Of a text of times, as messaging/ keeps them: at least 2001. */
#define TIME_DIGITS 13

typedef struct retime_t {
    ctl_t *ctl;
    wa_snapshot_t *snapshot;
    wa_rewrite_t out;
    apr_pool_t *tmp;
    apr_int64_t now_ms, before_ms;
    retime_entry_t *entries; /* all records that are dated after now */
    apr_size_t count, room, next;
    apr_uint64_t *states; /* the offset of the newest state written, for each row */
    apr_uint64_t dated;
} retime_t;

/* ---- what is ahead ---- */

static apr_status_t entry_note(void *baton, wa_snapshot_t *snapshot, const wa_scan_step_t *step)
{
    retime_t *c = baton;
    const wa_record_t *r = step->record;
    retime_entry_t *e;

    (void)snapshot;
    if (!r || r->type == WA_RECORD_FILLER) {
        return APR_SUCCESS;
    }
    if (r->timestamp_ms <= c->now_ms) {
        c->before_ms = r->timestamp_ms;
        return APR_SUCCESS;
    }
    if (c->count == c->room) {
        const apr_size_t room = c->room ? c->room * 2 : 4096;
        retime_entry_t *more = realloc(c->entries, room * sizeof(*more));

        if (!more) {
            return APR_ENOMEM;
        }
        c->entries = more;
        c->room = room;
    }
    e = &c->entries[c->count++];
    e->was_ms = r->timestamp_ms;
    e->date_ms = wa_record_date_ms(r) <= c->now_ms ? wa_record_date_ms(r) : 0;
    c->dated += e->date_ms > 0;
    return APR_SUCCESS;
}

/* ---- writing ---- */

static apr_int64_t time_of(const retime_t *c, apr_int64_t ms)
{
    return ms > c->now_ms && c->count > 0 ? retime_map(c->entries, c->count, ms) : ms;
}

/* The text with all times in it that are after now made right. @return 1 when there were any */
static int times_mend(const retime_t *c, wa_slice_t text, wa_slice_t *pout)
{
    char *copy = text.len > 0 ? wa_slice_string(text, c->tmp) : NULL;
    apr_size_t i, digits;
    int is_changed = 0;

    for (i = 0; i + TIME_DIGITS <= text.len; i += digits > 0 ? digits : 1) {
        for (digits = 0;
             i + digits < text.len && copy[i + digits] >= '0' && copy[i + digits] <= '9';
             digits++) {
        }
        if (digits == TIME_DIGITS) {
            const apr_int64_t was =
                apr_strtoi64(wa_slice_string(wa_slice_make(copy + i, digits), c->tmp), NULL, 10);
            const char *is =
                apr_psprintf(c->tmp, "%0*" APR_INT64_T_FMT, TIME_DIGITS, time_of(c, was));

            is_changed |= memcmp(copy + i, is, TIME_DIGITS) != 0;
            memcpy(copy + i, is, TIME_DIGITS);
            digits = strcspn(copy + i, "\n"); /* behind a line's time are words */
        }
    }
    *pout = is_changed ? wa_slice_make(copy, text.len) : text;
    return is_changed;
}

static int part_mend(const retime_t *c, wa_part_t *part)
{
    int word, is_changed = 0;

    for (word = 0; word < WA_DELIVERY_COUNT; word++) {
        const apr_int64_t was = part->since_ms[word];

        part->since_ms[word] = time_of(c, was);
        is_changed |= part->since_ms[word] != was;
    }
    return is_changed;
}

/* The delivery of a sent message with all times in it that are after now made right.
 * @return 1 when there were any */
static int delivery_mend(const retime_t *c, wa_status_e status, wa_slice_t *pdelivery)
{
    const wa_message_t message = {.status = status, .delivery = *pdelivery};
    wa_message_state_t stored;
    wa_delivery_t delivery;
    apr_size_t part;
    int is_changed = 0;

    wa_delivery_read(&delivery, &message, c->tmp);
    for (part = 0; part < delivery.part_count; part++) {
        is_changed |= part_mend(c, &delivery.parts[part]);
    }
    if (!is_changed || wa_delivery_write(&delivery, NULL, &stored, c->tmp) != APR_SUCCESS) {
        return 0;
    }
    *pdelivery = stored.delivery;
    return 1;
}

static const char *string_of(wa_slice_t s, apr_pool_t *p)
{
    return s.len > 0 ? wa_slice_string(s, p) : NULL;
}

static apr_status_t message_mend(retime_t *c, const wa_record_t *r, wa_record_t **pmade)
{
    wa_message_new_t n;
    wa_record_message_t m;
    apr_status_t rv = wa_record_message_read(r, &m);

    if (rv != APR_SUCCESS || m.direction != WA_DIRECTION_SENT
        || !delivery_mend(c, m.status, &m.delivery)) {
        return rv;
    }
    memset(&n, 0, sizeof(n));
    n.id = string_of(m.id, c->tmp);
    n.sid = string_of(m.sid, c->tmp);
    n.counterpart = string_of(m.counterpart, c->tmp);
    n.idempotency_key = string_of(m.idempotency_key, c->tmp);
    n.direction = m.direction;
    n.status = m.status;
    n.date_ms = m.written_ms;
    n.flags_set = m.flags_set;
    n.flags_clear = m.flags_clear;
    n.phone_number = string_of(m.phone_number, c->tmp);
    n.preview = m.preview;
    n.profile_name = m.profile_name;
    n.body = m.body;
    n.attributes = m.attributes;
    n.delivery = m.delivery;
    return wa_record_message_make(pmade, &n, c->tmp);
}

static apr_status_t state_mend(retime_t *c, const wa_record_t *r, wa_record_t **pmade)
{
    wa_record_state_t s;
    apr_status_t rv = wa_record_state_read(r, &s);

    if (rv != APR_SUCCESS || r->row == 0 || r->row > c->snapshot->store.replica.at.rows) {
        return rv; /* its message is lost */
    }
    /* Where the state before is lost, this one has to make the sid findable. */
    s.sid_is_new |= s.sid.len > 0 && s.previous != 0 && c->states[r->row] == 0;
    s.previous = c->states[r->row];
    (void)delivery_mend(c, s.status, &s.delivery);
    c->states[r->row] = c->out.at.offset;
    return wa_record_state_make(pmade, &s, r->row, c->tmp);
}

static apr_status_t contact_mend(retime_t *c, const wa_record_t *r, wa_record_t **pmade)
{
    wa_record_contact_t n;
    apr_status_t rv = wa_record_contact_read(r, &n);

    if (rv != APR_SUCCESS || n.created_ms <= c->now_ms) {
        return rv;
    }
    n.created_ms = time_of(c, n.created_ms);
    return wa_record_contact_make(pmade, r->type, &n, c->tmp);
}

static apr_status_t parked_mend(retime_t *c, const wa_record_t *r, wa_record_t **pmade)
{
    wa_record_parked_t k;
    apr_status_t rv = wa_record_parked_read(r, &k);

    if (rv != APR_SUCCESS || !times_mend(c, k.value, &k.value)) {
        return rv;
    }
    return wa_record_parked_make(pmade, &k, c->tmp);
}

/* What stands in the payload: times, and where the state before is.
 * @param pmade  out: NULL when nothing is to be changed */
static apr_status_t payload_mend(retime_t *c, const wa_record_t *r, wa_record_t **pmade)
{
    *pmade = NULL;
    switch (r->type) {
    case WA_RECORD_MESSAGE:
        return message_mend(c, r, pmade);
    case WA_RECORD_STATE:
        return state_mend(c, r, pmade);
    case WA_RECORD_CONTACT:
        return contact_mend(c, r, pmade);
    case WA_RECORD_PARKED:
        return parked_mend(c, r, pmade);
    default:
        return APR_SUCCESS;
    }
}

static apr_status_t step_put(void *baton, wa_snapshot_t *snapshot, const wa_scan_step_t *step)
{
    retime_t *c = baton;
    const wa_record_t *r = step->record;
    apr_uint64_t offset;
    wa_record_t *made, header;
    apr_status_t rv;

    (void)snapshot;
    if (!r || r->type == WA_RECORD_FILLER) {
        return r ? APR_SUCCESS : APR_EGENERAL;
    }
    apr_pool_clear(c->tmp);
    rv = payload_mend(c, r, &made);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    header = made ? *made : *r;
    header.row = r->row;
    memcpy(header.conflicts, r->conflicts, sizeof(header.conflicts));
    header.timestamp_ms = r->timestamp_ms;
    header.date_s = r->date_s;
    if (r->timestamp_ms > c->now_ms) {
        const retime_entry_t *e = &c->entries[c->next++];

        header.timestamp_ms = e->ms;
        if (e->date_ms == 0) {
            wa_record_date_set(&header, e->ms);
        }
    }
    return wa_rewrite_put(&c->out, &header, (const char *)(made ? made : r) + sizeof(*r), &offset);
}

/* ---- judging what was written ---- */

static int is_same_but_for_times(const wa_replica_t *a, const wa_replica_t *b)
{
    const wa_replica_thread_t *x = a->newest, *y = b->newest;

    for (; x && y; x = x->older, y = y->older) {
        if (!wa_slice_is_equal(x->counterpart, y->counterpart)
            || !wa_slice_is_equal(x->preview, y->preview)
            || !wa_slice_is_equal(x->profile_name, y->profile_name) || x->last_row != y->last_row
            || x->read_row != y->read_row || x->message_count != y->message_count
            || x->unread_count != y->unread_count || x->flags != y->flags) {
            return 0;
        }
    }
    return !x && !y && a->contacts->nelts == b->contacts->nelts
           && a->pending->nelts == b->pending->nelts && a->at.rows == b->at.rows
           && apr_hash_count(a->parked) == apr_hash_count(b->parked);
}

/* Opens what was written, which makes what is derived, and compares it with what it was made
 * from. */
static int result_check(retime_t *c, const char *work)
{
    const apr_int64_t last_ms = c->entries[c->count - 1].ms;
    wa_dbm_store_t *store;
    apr_pool_t *p;
    int rc;

    apr_pool_create(&p, c->ctl->pool);
    rc = ctl_store_open(c->ctl, work, NULL, &store, p);
    if (rc != CTL_DONE) {
        return rc;
    }
    if (store->replica.at.records != c->out.at.records || store->replica.at.timestamp_ms != last_ms
        || !is_same_but_for_times(&store->replica, &c->snapshot->store.replica)) {
        return ctl_error("the new journal does not say what the old one says; nothing was changed. "
                         "This is a mistake in whatsappctl: please report it");
    }
    return ctl_store_close(store, p);
}

/* ---- the whole ---- */

static int journal_write(retime_t *c, const char *work)
{
    const apr_size_t rows = (apr_size_t)c->snapshot->store.replica.at.rows + 1;
    apr_status_t rv;
    int rc;

    c->states = calloc(rows, sizeof(*c->states));
    if (!c->states) {
        return ctl_error("out of memory: %" APR_SIZE_T_FMT " MB are needed", rows * 8 / 1000000);
    }
    rc = ctl_journal_create(c->ctl, c->snapshot, work, &c->out);
    if (rc != CTL_DONE) {
        return rc;
    }
    rc = ctl_snapshot_again(c->ctl, c->snapshot, "retiming", step_put, c);
    if (rc == CTL_DONE) {
        rv = wa_rewrite_finish(&c->out);
        rc = rv == APR_SUCCESS ? CTL_DONE
                               : ctl_error_status(rv, "the new journal cannot be written");
    }
    return rc;
}

static int view_judge(const retime_t *c)
{
    apr_uint64_t rest;
    const apr_status_t rv = wa_scan_rest(&c->snapshot->scan, &rest);

    if (rv != APR_SUCCESS) {
        return ctl_error_status(rv, "the journal's end cannot be looked at");
    }
    if (c->snapshot->damaged || rest) {
        ctl_error("%s/journal is damaged or has an unfinished end: run whatsappctl rebuild, which "
                  "sets that aside, then retime",
                  c->ctl->directory);
        return CTL_BAD;
    }
    return CTL_DONE;
}

static void plan_tell(const retime_t *c, int is_dry)
{
    apr_pool_t *p = c->ctl->pool;

    ctl_note(
        c->ctl,
        "%" APR_SIZE_T_FMT " records were dated %s to %s, which is up to %s after now; %s %s to "
        "%s. Of %" APR_UINT64_T_FMT " the time was known, the others %s between",
        c->count, ctl_time(c->entries[0].was_ms, p), ctl_time(c->entries[c->count - 1].was_ms, p),
        wa_ahead_text(c->entries[c->count - 1].was_ms - c->now_ms, p),
        is_dry ? "they would be dated" : "they are dated", ctl_time(c->entries[0].ms, p),
        ctl_time(c->entries[c->count - 1].ms, p), c->dated, is_dry ? "would be put" : "are put");
}

static int retime(retime_t *c, int is_dry, int is_delete)
{
    ctl_t *ctl = c->ctl;
    const char *work = NULL;
    apr_status_t rv;
    int rc = ctl_snapshot_read(ctl, 0, entry_note, c, &c->snapshot);

    if (rc == CTL_DONE) {
        rc = view_judge(c);
    }
    if (rc != CTL_DONE) {
        return rc;
    }
    if (!wa_ahead_of(c->snapshot->store.replica.at.timestamp_ms, c->now_ms)) {
        if (!is_dry) {
            /* one that was killed after its work was done may have left this */
            (void)wa_directory_remove(apr_pstrcat(ctl->pool, ctl->directory, "/retime.new", NULL),
                                      ctl->pool);
        }
        ctl_note(ctl, "nothing is dated after now: the journal stays as it is");
        return CTL_DONE;
    }
    retime_plan(c->entries, c->count, c->before_ms, c->now_ms);
    if (is_dry) {
        plan_tell(c, 1);
        return CTL_DONE;
    }
    rc = ctl_work_directory(ctl, "retime.new", 0, &work);
    if (rc == CTL_DONE) {
        rc = journal_write(c, work);
    }
    wa_rewrite_release(&c->out);
    if (rc == CTL_DONE) {
        rc = result_check(c, work);
    }
    if (rc != CTL_DONE) {
        return rc;
    }
    rv = wa_directory_swap(ctl->directory, work, is_delete ? NULL : KEPT_NAME, ctl->pool);
    if (rv != APR_SUCCESS) {
        return ctl_error_status(rv, "the new journal cannot be put in place");
    }
    ctl_leftover_keep();
    plan_tell(c, 0);
    return CTL_DONE;
}

int ctl_retime(ctl_t *ctl, ctl_arguments_t arguments)
{
    int is_dry = 0, is_delete = 0, rc;
    const ctl_option_t options[] = {
        {"--dry-run", NULL, &is_dry}, {"--delete", NULL, &is_delete}, {NULL, NULL, NULL}};
    retime_t c;

    memset(&c, 0, sizeof(c));
    c.ctl = ctl;
    c.out.journal.map.fd = -1;
    c.now_ms = wa_clock_now_ms();
    if (!ctl_arguments_read(arguments, options, NULL)) {
        return CTL_FAILED;
    }
    if (c.now_ms < (apr_int64_t)WA_CLOCK_SET_S * 1000) {
        return ctl_error("this machine's clock says %s: set it first",
                         ctl_time(c.now_ms, ctl->pool));
    }
    apr_pool_create(&c.tmp, ctl->pool);
    rc = ctl_store_find(ctl);
    if (rc == CTL_DONE && !is_dry) {
        rc = ctl_store_lock(ctl);
    }
    if (rc == CTL_DONE) {
        rc = retime(&c, is_dry, is_delete);
    }
    if (rc == CTL_DONE && is_delete && !is_dry) {
        unlink(apr_pstrcat(ctl->pool, ctl->directory, "/" KEPT_NAME, NULL));
    }
    free(c.entries);
    free(c.states);
    return rc;
}
