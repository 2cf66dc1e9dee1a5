/* SPDX-License-Identifier: Apache-2.0 */
/* Walks a journal and tells damage from its end. */
#include "store/log/scan.h"

#include <string.h>

apr_status_t wa_scan_init(wa_scan_t *w, wa_journal_t *journal, const wa_tail_t *at)
{
    memset(w, 0, sizeof(*w));
    w->journal = journal;
    w->offset = WA_JOURNAL_START;
    if (at) {
        w->offset = at->offset;
        w->chain.number = at->records;
        w->chain.rows = at->rows;
        w->chain.crc = at->crc;
    }
    return wa_journal_size(journal, &w->size);
}

/* The next record if it is whole and the one that was written after the last. After damage the
 * chain is broken once. */
static const wa_record_t *record_take(wa_scan_t *w)
{
    const wa_record_t *r = wa_journal_record(w->journal, w->offset, w->size);

    if (!r || !wa_record_is_sound(r) || !wa_record_is_next(&w->chain, r)) {
        return NULL;
    }
    w->chain.is_broken = r->type == WA_RECORD_FILLER;
    if (r->type != WA_RECORD_FILLER) {
        w->chain.number = r->number;
        w->chain.crc = r->header_crc;
    }
    if (r->type == WA_RECORD_MESSAGE) {
        w->chain.rows = r->row;
    }
    return r;
}

apr_status_t wa_scan_next(wa_scan_t *w, wa_scan_step_t *step)
{
    apr_uint64_t next = 0;

    memset(step, 0, sizeof(*step));
    if (w->is_over) {
        return APR_EOF;
    }
    step->offset = w->offset;
    step->record = record_take(w);
    if (!step->record) {
        /* The next one stands no nearer than the shortest record is long. */
        apr_status_t rv = wa_journal_resync(w->journal, w->offset + WA_RECORD_MIN, w->size, &next);

        if (rv != APR_SUCCESS) {
            return rv;
        }
        if (next >= w->size) {
            w->is_over = 1;
            return APR_EOF;
        }
        /* Writers come one after the other: now that a later record is whole, this one was given
         * its time. */
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        step->record = record_take(w);
    }
    step->length = step->record ? step->record->length : next - w->offset;
    w->chain.is_broken |= step->record == NULL;
    w->offset += step->length;
    return APR_SUCCESS;
}

apr_status_t wa_scan_rest(wa_scan_t *w, apr_uint64_t *prest)
{
    apr_uint64_t size, end;
    apr_status_t rv;

    *prest = 0;
    if (wa_journal_size(w->journal, &size) != APR_SUCCESS || size > w->size) {
        size = w->size;
    }
    if (size <= w->offset) {
        return APR_SUCCESS;
    }
    rv = wa_journal_content_end(w->journal, w->offset, size, &end);
    if (rv == APR_SUCCESS) {
        *prest = end - w->offset;
    }
    return rv;
}
