/* SPDX-License-Identifier: Apache-2.0 */
/* The lists and tables that a replica is made of: threads by their last message, contacts by name,
 * parked facts by age, pending rows. */
#include "store/view/replica_parts.h"

#include <string.h>

#include "base/clock.h"

/* apr_pools give no failure but abort; allocation sizes here are small and bounded by what the
 * journal holds. */

/* ---- threads ---- */

wa_replica_thread_t *wa_replica_thread_find(const wa_replica_t *replica, wa_slice_t counterpart)
{
    return apr_hash_get(replica->threads, counterpart.ptr, (apr_ssize_t)counterpart.len);
}

static void list_remove(wa_replica_t *replica, wa_replica_thread_t *t)
{
    if (t->newer) {
        t->newer->older = t->older;
    } else if (replica->newest == t) {
        replica->newest = t->older;
    }
    if (t->older) {
        t->older->newer = t->newer;
    } else if (replica->oldest == t) {
        replica->oldest = t->newer;
    }
    t->newer = t->older = NULL;
}

void wa_replica_thread_lead(wa_replica_t *replica, wa_replica_thread_t *t)
{
    list_remove(replica, t);
    t->older = replica->newest;
    if (replica->newest) {
        replica->newest->newer = t;
    } else {
        replica->oldest = t;
    }
    replica->newest = t;
}

wa_replica_thread_t *wa_replica_thread_create(wa_replica_t *replica, wa_slice_t counterpart)
{
    wa_replica_thread_t *t = apr_pcalloc(replica->pool, sizeof(*t));

    t->counterpart = counterpart;
    t->contact =
        apr_hash_get(replica->contacts_by_number, counterpart.ptr, (apr_ssize_t)counterpart.len);
    apr_hash_set(replica->threads, t->counterpart.ptr, (apr_ssize_t)t->counterpart.len, t);
    return t;
}

/* Fills the ring of a thread from its chain: a thread that came from a checkpoint has none. */
static void recent_load(wa_replica_t *replica, wa_replica_thread_t *t)
{
    apr_uint64_t row = t->last_row;
    apr_uint32_t i = WA_ROW_SKIP;

    t->recent = apr_pcalloc(replica->pool, WA_ROW_SKIP * sizeof(*t->recent));
    while (row && i > 0) {
        const wa_row_t *entry = wa_index_row(replica->index, row);

        t->recent[--i] = row;
        if (!entry || wa_index_previous(replica->index, row, entry, &row) != APR_SUCCESS) {
            break;
        }
    }
}

apr_uint64_t wa_replica_thread_row_put(wa_replica_t *replica, wa_replica_thread_t *t,
                                       apr_uint64_t row)
{
    apr_uint64_t skip;

    if (!t->recent) {
        recent_load(replica, t);
    }
    skip = t->recent[t->recent_at];
    t->recent[t->recent_at] = row;
    t->recent_at = (t->recent_at + 1) % WA_ROW_SKIP;
    return skip;
}

/* ---- contacts ---- */

static int contact_compare(const wa_replica_contact_t *a, const wa_replica_contact_t *b)
{
    apr_size_t i,
        n = a->display_name.len < b->display_name.len ? a->display_name.len : b->display_name.len;

    for (i = 0; i < n; i++) {
        int x = (unsigned char)a->display_name.ptr[i], y = (unsigned char)b->display_name.ptr[i];

        x = x >= 'A' && x <= 'Z' ? x + 32 : x;
        y = y >= 'A' && y <= 'Z' ? y + 32 : y;
        if (x != y) {
            return x - y;
        }
    }
    if (a->display_name.len != b->display_name.len) {
        return a->display_name.len < b->display_name.len ? -1 : 1;
    }
    n = a->phone_number.len < b->phone_number.len ? a->phone_number.len : b->phone_number.len;
    return memcmp(a->phone_number.ptr, b->phone_number.ptr, n);
}

static void contact_unlist(wa_replica_t *replica, const wa_replica_contact_t *contact)
{
    wa_replica_contact_t **all = (wa_replica_contact_t **)replica->contacts->elts;
    int i;

    for (i = 0; i < replica->contacts->nelts; i++) {
        if (all[i] == contact) {
            memmove(all + i, all + i + 1,
                    (apr_size_t)(replica->contacts->nelts - i - 1) * sizeof(*all));
            replica->contacts->nelts--;
            return;
        }
    }
}

static void contact_list(wa_replica_t *replica, wa_replica_contact_t *contact)
{
    wa_replica_contact_t **all;
    int low = 0, high;

    apr_array_push(replica->contacts);
    all = (wa_replica_contact_t **)replica->contacts->elts;
    high = replica->contacts->nelts - 1;
    while (low < high) {
        int middle = low + (high - low) / 2;

        if (contact_compare(all[middle], contact) <= 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    memmove(all + low + 1, all + low,
            (apr_size_t)(replica->contacts->nelts - 1 - low) * sizeof(*all));
    all[low] = contact;
}

static wa_replica_contact_t *contact_create(wa_replica_t *replica)
{
    wa_replica_contact_t *contact = replica->free_contacts;

    if (contact) {
        replica->free_contacts = contact->next_free;
        memset(contact, 0, sizeof(*contact));
        return contact;
    }
    return apr_pcalloc(replica->pool, sizeof(*contact));
}

void wa_replica_contact_forget(wa_replica_t *replica, wa_replica_contact_t *contact)
{
    contact_unlist(replica, contact);
    apr_hash_set(replica->contacts_by_id, contact->id.ptr, (apr_ssize_t)contact->id.len, NULL);
    apr_hash_set(replica->contacts_by_number, contact->phone_number.ptr,
                 (apr_ssize_t)contact->phone_number.len, NULL);
    contact->next_free = replica->free_contacts;
    replica->free_contacts = contact;
}

wa_replica_contact_t *wa_replica_contact_put(wa_replica_t *replica, const wa_record_t *r,
                                             apr_uint64_t offset, const wa_record_contact_t *c)
{
    wa_replica_contact_t *contact =
        apr_hash_get(replica->contacts_by_id, c->id.ptr, (apr_ssize_t)c->id.len);

    if (contact) {
        contact_unlist(replica, contact);
    } else {
        /* Only where damage took the deletion of another contact: no two may have one number. */
        wa_replica_contact_t *other = apr_hash_get(replica->contacts_by_number, c->phone_number.ptr,
                                                   (apr_ssize_t)c->phone_number.len);

        if (other) {
            wa_replica_contact_forget(replica, other);
        }
        contact = contact_create(replica);
        contact->id = c->id;
        contact->phone_number = c->phone_number;
        apr_hash_set(replica->contacts_by_id, contact->id.ptr, (apr_ssize_t)contact->id.len,
                     contact);
        apr_hash_set(replica->contacts_by_number, contact->phone_number.ptr,
                     (apr_ssize_t)contact->phone_number.len, contact);
    }
    contact->display_name = c->display_name;
    contact->created_ms = c->created_ms ? c->created_ms : wa_record_date_ms(r);
    contact->updated_ms = wa_record_date_ms(r);
    contact->offset = offset;
    contact_list(replica, contact);
    return contact;
}

/* ---- dates ---- */

wa_replica_inbound_t *wa_replica_thread_inbound_find(const wa_replica_thread_t *t,
                                                     wa_slice_t phone_number)
{
    apr_uint32_t i;

    for (i = 0; i < t->inbound_count; i++) {
        if (wa_slice_is_equal(t->inbound[i].last.phone_number, phone_number)) {
            return &t->inbound[i];
        }
    }
    return NULL;
}

/* When they wrote at the latest. */
static apr_int64_t latest_ms(const wa_inbound_t *last)
{
    return last->before_ms ? last->before_ms : last->date_ms;
}

static wa_replica_inbound_t *inbound_oldest(const wa_replica_thread_t *t)
{
    wa_replica_inbound_t *oldest = &t->inbound[0];
    apr_uint32_t i;

    for (i = 1; i < t->inbound_count; i++) {
        if (latest_ms(&t->inbound[i].last) < latest_ms(&oldest->last)) {
            oldest = &t->inbound[i];
        }
    }
    return oldest;
}

void wa_replica_thread_inbound_add(wa_replica_t *replica, wa_replica_thread_t *t,
                                   const wa_replica_inbound_t *inbound)
{
    wa_replica_inbound_t *place;

    if (t->inbound_count < 2) { /* most threads have one */
        const apr_size_t room = t->inbound_count == 0 ? 1 : WA_STORE_NUMBERS_MAX;

        place = apr_palloc(replica->pool, room * sizeof(*place));
        if (t->inbound_count > 0) {
            *place = t->inbound[0];
        }
        t->inbound = place;
    }
    if (t->inbound_count < WA_STORE_NUMBERS_MAX) {
        place = &t->inbound[t->inbound_count++];
    } else {
        place = inbound_oldest(t);
        if (latest_ms(&inbound->last) < latest_ms(&place->last)) {
            return;
        }
    }
    *place = *inbound;
    if (!inbound->last.before_ms && inbound->last.date_ms > replica->inbound_date_max_ms) {
        replica->inbound_date_max_ms = inbound->last.date_ms;
    }
}

void wa_replica_thread_date(wa_replica_t *replica, wa_replica_thread_t *t, const wa_record_t *r,
                            const wa_record_message_t *m)
{
    wa_replica_inbound_t *known = wa_replica_thread_inbound_find(t, m->phone_number);
    const wa_replica_inbound_t inbound = {
        {m->phone_number, m->written_ms ? m->written_ms : wa_record_date_ms(r), 0}, r->row};

    if (!known) {
        wa_replica_thread_inbound_add(replica, t, &inbound);
        return;
    }
    /* What is fetched late may have been written before what came meanwhile. */
    if (m->written_ms && inbound.last.date_ms <= latest_ms(&known->last)) {
        return;
    }
    *known = inbound;
    if (inbound.last.date_ms > replica->inbound_date_max_ms) {
        replica->inbound_date_max_ms = inbound.last.date_ms;
    }
}

static void clock_note(wa_replica_t *replica, wa_inbound_t *last, apr_int64_t clock_ms)
{
    if (last->before_ms) {
        return;
    }
    if (last->date_ms > clock_ms + WA_CLOCK_SKEW_MS) {
        last->before_ms = clock_ms;
    } else if (last->date_ms > replica->inbound_date_max_ms) {
        replica->inbound_date_max_ms = last->date_ms;
    }
}

void wa_replica_clock_note(wa_replica_t *replica, const wa_record_t *r)
{
    const apr_int64_t clock_ms = (apr_int64_t)r->date_s * 1000;
    wa_replica_thread_t *t;
    apr_uint32_t i;

    if (r->date_s < WA_CLOCK_SET_S || clock_ms >= replica->inbound_date_max_ms - WA_CLOCK_SKEW_MS) {
        return;
    }
    replica->inbound_date_max_ms = 0;
    for (t = replica->newest; t; t = t->older) {
        for (i = 0; i < t->inbound_count; i++) {
            clock_note(replica, &t->inbound[i].last, clock_ms);
        }
    }
}

/* ---- parked ---- */

void wa_replica_parked_put(wa_replica_t *replica, apr_uint64_t offset, const wa_record_parked_t *k)
{
    wa_replica_parked_t *parked =
        apr_hash_get(replica->parked, k->key.ptr, (apr_ssize_t)k->key.len);

    if (!parked) {
        if (apr_hash_count(replica->parked) >= WA_PARKED_MAX) {
            parked = replica->parked_first;
            replica->parked_first = parked->next;
            apr_hash_set(replica->parked, parked->key.ptr, (apr_ssize_t)parked->key.len, NULL);
        } else {
            parked = apr_pcalloc(replica->pool, sizeof(*parked));
        }
        parked->key = k->key;
        parked->next = NULL;
        if (replica->parked_first) {
            replica->parked_last->next = parked;
        } else {
            replica->parked_first = parked;
        }
        replica->parked_last = parked;
        apr_hash_set(replica->parked, parked->key.ptr, (apr_ssize_t)parked->key.len, parked);
    }
    parked->value = k->value;
    parked->offset = offset;
}

/* ---- pending messages ---- */

int wa_replica_pending_place(const wa_replica_t *replica, apr_uint64_t row)
{
    const apr_uint64_t *rows = (const apr_uint64_t *)(const void *)replica->pending->elts;
    int low = 0, high = replica->pending->nelts;

    while (low < high) {
        int middle = low + (high - low) / 2;

        if (rows[middle] < row) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

void wa_replica_pending_set(wa_replica_t *replica, apr_uint64_t row, int is_pending)
{
    apr_array_header_t *list = replica->pending;
    int at = wa_replica_pending_place(replica, row);
    int is_there = at < list->nelts && APR_ARRAY_IDX(list, at, apr_uint64_t) == row;
    apr_uint64_t *rows;

    if (is_there == is_pending) {
        return;
    }
    if (is_pending && list->nelts >= (int)WA_PENDING_MAX) {
        if (at == 0) {
            return;
        }
        rows = (apr_uint64_t *)(void *)list->elts;
        memmove(rows, rows + 1, (apr_size_t)(list->nelts - 1) * sizeof(*rows));
        list->nelts--;
        at--;
    }
    if (is_pending) {
        apr_array_push(list);
        rows = (apr_uint64_t *)(void *)list->elts;
        memmove(rows + at + 1, rows + at, (apr_size_t)(list->nelts - 1 - at) * sizeof(*rows));
        rows[at] = row;
    } else {
        rows = (apr_uint64_t *)(void *)list->elts;
        memmove(rows + at, rows + at + 1, (apr_size_t)(list->nelts - 1 - at) * sizeof(*rows));
        list->nelts--;
    }
}
