/* SPDX-License-Identifier: Apache-2.0 */
/* Walks a journal and tells damage from its end. */
#include "store/dbm/walk.h"

#include <string.h>

apr_status_t wa_walk_init(wa_walk_t *w, wa_journal_t *journal, const wa_tail_t *at)
{
    memset(w, 0, sizeof(*w));
    w->journal = journal;
    w->offset = WA_JOURNAL_START;
    if (at) {
        w->offset = at->offset;
        w->number = at->records;
        w->crc = at->crc;
    }
    return wa_journal_size(journal, &w->size);
}

/* The next record if it is whole and the one that was written after the last. After damage the chain is broken once. */
static const wa_record_t *record_take(wa_walk_t *w)
{
    const wa_record_t *r = wa_journal_record(w->journal, w->offset, w->size);

    if (!r || !wa_record_payload_is_valid(r)) {
        return NULL;
    }
    if (r->type == WA_RECORD_FILLER) {
        w->after_damage = 1;
        return r;
    }
    if (w->after_damage ? r->number <= w->number
                        : r->number != w->number + 1 || r->prev_crc != w->crc) {
        return NULL;
    }
    w->after_damage = 0;
    w->number = r->number;
    w->crc = r->header_crc;
    return r;
}

apr_status_t wa_walk_next(wa_walk_t *w, wa_walk_step_t *step)
{
    apr_uint64_t next = 0;

    memset(step, 0, sizeof(*step));
    if (w->is_over) {
        return APR_EOF;
    }
    step->offset = w->offset;
    step->record = record_take(w);
    if (!step->record) {
        next = wa_journal_resync(w->journal, w->offset + 8, w->size);
        if (next >= w->size) {
            w->is_over = 1;
            return APR_EOF;
        }
        /* Writers come one after the other: now that a later record is whole, this one was given its time. */
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        step->record = record_take(w);
    }
    step->length = step->record ? step->record->length : next - w->offset;
    w->after_damage |= step->record == NULL;
    w->offset += step->length;
    return APR_SUCCESS;
}

apr_uint64_t wa_walk_rest(wa_walk_t *w)
{
    apr_uint64_t size, end;
    const char *bytes;

    if (wa_journal_size(w->journal, &size) != APR_SUCCESS || size > w->size) {
        size = w->size;
    }
    bytes = size > w->offset ? wa_mapping_at(&w->journal->map, w->offset, size - w->offset) : NULL;
    for (end = size; bytes && end > w->offset && !bytes[end - w->offset - 1]; end--) {
        continue;
    }
    return bytes ? end - w->offset : 0;
}
