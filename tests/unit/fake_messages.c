/* SPDX-License-Identifier: Apache-2.0 */
/* The messages of the store in memory: adding, updating and finding one. */
#include "fake_messages.h"

#include <string.h>

#include <apr_strings.h>

void fake_message_give(const fake_store_t *fake, const fake_message_t *stored, wa_message_t *pm,
                       apr_pool_t *p)
{
    const wa_contact_t *contact;

    if (!pm) {
        return;
    }
    *pm = stored->m;
    pm->id = fake_slice_dup(stored->m.id, p);
    pm->sid = fake_slice_dup(stored->m.sid, p);
    pm->counterpart = fake_slice_dup(stored->m.counterpart, p);
    pm->phone_number = fake_slice_dup(stored->m.phone_number, p);
    pm->body = fake_slice_dup(stored->m.body, p);
    pm->attributes = fake_slice_dup(stored->m.attributes, p);
    pm->delivery = fake_slice_dup(stored->m.delivery, p);
    pm->unread = stored->m.direction == WA_DIRECTION_RECEIVED
                 && stored->number > stored->thread->read_number;
    contact = fake_contact_by(fake, (wa_slice_t){NULL, 0}, stored->m.counterpart);
    if (contact) {
        pm->contact_id = fake_slice_dup(contact->id, p);
    }
}

static wa_slice_t string_dup(const char *s, apr_pool_t *p)
{
    return fake_slice_dup(wa_slice_of(s), p);
}

static fake_message_t *key_find(const fake_store_t *fake, const char *key)
{
    fake_message_t *m = fake_by_slice(fake->keys, wa_slice_of(key));

    return m && wa_store_idempotency_counts(m->m.date_ms) ? m : NULL;
}

static fake_message_t *message_find(const fake_store_t *fake, const char *key)
{
    const apr_size_t prefix = sizeof(WA_KEY_IDEMPOTENCY) - 1;
    fake_message_t *m;

    if (strncmp(key, WA_KEY_IDEMPOTENCY, prefix) == 0) {
        return key_find(fake, key + prefix);
    }
    m = fake_by_slice(fake->ids, wa_slice_of(key));
    return m ? m : fake_by_slice(fake->sids, wa_slice_of(key));
}

/* A sid finds its message for good; where several had it, the newest of them. */
static void sid_keep(fake_store_t *fake, fake_message_t *m)
{
    const fake_message_t *other = fake_by_slice(fake->sids, m->m.sid);

    if (m->m.sid.len && (!other || other->number < m->number)) {
        apr_hash_set(fake->sids, m->m.sid.ptr, (apr_ssize_t)m->m.sid.len, m);
    }
}

static int message_fits(const wa_message_new_t *m)
{
    const apr_size_t sum =
        m->body.len + m->attributes.len + m->delivery.len + m->preview.len + m->profile_name.len;

    return !fake_is_over(m->id, WA_STORE_ID_MAX) && !fake_is_over(m->sid, WA_STORE_ID_MAX)
           && !fake_is_over(m->counterpart, WA_STORE_NAME_MAX)
           && !fake_is_over(m->phone_number, WA_STORE_NAME_MAX)
           && !fake_is_over(m->idempotency_key, WA_STORE_NAME_MAX)
           && (m->flags_set | m->flags_clear) <= 0xFF
           && (!m->idempotency_key || !*m->idempotency_key || !(m->flags_set | m->flags_clear))
           && m->preview.len <= WA_STORE_TEXT_MAX && m->profile_name.len <= WA_STORE_TEXT_MAX
           && sum <= WA_STORE_MESSAGE_MAX;
}

static fake_thread_t *thread_get(fake_store_t *fake, wa_slice_t counterpart)
{
    fake_thread_t *t = fake_by_slice(fake->threads, counterpart);

    if (!t) {
        t = apr_pcalloc(fake->p, sizeof(*t));
        t->row.counterpart = counterpart;
        t->row.inbound = t->inbound;
        t->messages = apr_array_make(fake->p, 8, sizeof(fake_message_t *));
        apr_hash_set(fake->threads, counterpart.ptr, (apr_ssize_t)counterpart.len, t);
    }
    return t;
}

static apr_int64_t latest_ms(const wa_inbound_t *last)
{
    return last->before_ms ? last->before_ms : last->date_ms;
}

/* Where the thread keeps when they wrote to this number of ours; NULL when there is no room. */
static wa_inbound_t *inbound_place(fake_thread_t *t, const wa_inbound_t *new)
{
    wa_inbound_t *oldest = t->inbound;
    apr_size_t i;

    for (i = 0; i < t->row.inbound_count; i++) {
        if (wa_slice_is_equal(t->inbound[i].phone_number, new->phone_number)) {
            return &t->inbound[i];
        }
        oldest = latest_ms(&t->inbound[i]) < latest_ms(oldest) ? &t->inbound[i] : oldest;
    }
    if (i < WA_STORE_NUMBERS_MAX) {
        t->row.inbound_count++;
        t->inbound[i] = (wa_inbound_t){new->phone_number, 0, 0};
        return &t->inbound[i];
    }
    if (new->date_ms < latest_ms(oldest)) {
        return NULL;
    }
    *oldest = (wa_inbound_t){new->phone_number, 0, 0};
    return oldest;
}

static void inbound_note(fake_thread_t *t, const fake_message_t *m, int is_fetched)
{
    const wa_inbound_t new = {m->m.phone_number, m->m.date_ms, 0};
    wa_inbound_t *last = inbound_place(t, &new);

    t->row.last_inbound_ms = m->m.timestamp_ms;
    t->row.unread_count++;
    if (last && !(is_fetched && last->date_ms && new.date_ms <= latest_ms(last))) {
        *last = new;
    }
}

static void thread_put(fake_store_t *fake, fake_message_t *m, int is_fetched)
{
    fake_thread_t *t = thread_get(fake, m->m.counterpart);

    m->thread = t;
    APR_ARRAY_PUSH(t->messages, fake_message_t *) = m;
    t->row.preview = wa_slice_of(m->preview);
    t->row.last_timestamp_ms = m->m.timestamp_ms;
    t->row.last_direction = m->m.direction;
    t->row.message_count++;
    if (m->m.direction == WA_DIRECTION_RECEIVED) {
        inbound_note(t, m, is_fetched);
        t->row.profile_name = m->profile_name.len > 0 ? m->profile_name : t->row.profile_name;
    }
    fake_thread_changed(fake, t);
}

static void message_put(fake_store_t *fake, const wa_message_new_t *new, fake_message_t *m)
{
    m->m.id = string_dup(new->id, fake->p);
    m->m.sid = string_dup(new->sid, fake->p);
    m->m.counterpart = string_dup(new->counterpart, fake->p);
    m->m.direction = new->direction;
    m->m.status = new->status;
    m->m.phone_number = string_dup(new->phone_number, fake->p);
    m->m.body = fake_slice_dup(new->body, fake->p);
    m->m.attributes = fake_slice_dup(new->attributes, fake->p);
    m->m.delivery = fake_slice_dup(new->delivery, fake->p);
    m->preview = wa_slice_string(new->preview, fake->p);
    m->profile_name = fake_slice_dup(new->profile_name, fake->p);
    m->number = (apr_uint64_t)fake->by_number->nelts + 1;
    m->next = fake->messages;
    fake->messages = m;
    APR_ARRAY_PUSH(fake->by_number, fake_message_t *) = m;
    apr_hash_set(fake->ids, m->m.id.ptr, (apr_ssize_t)m->m.id.len, m);
    sid_keep(fake, m);
    if (new->idempotency_key &&*new->idempotency_key) {
        m->idempotency_key = apr_pstrdup(fake->p, new->idempotency_key);
        apr_hash_set(fake->keys, m->idempotency_key, APR_HASH_KEY_STRING, m);
    }
    m->m.timestamp_ms = m->m.changed_ms = fake_commit(fake, new->timestamp_ms, m, 1);
    m->m.date_ms = new->date_ms        ? new->date_ms
                   : new->timestamp_ms ? new->timestamp_ms
                                       : fake_clock_get(fake);
    m->m.unread = new->direction == WA_DIRECTION_RECEIVED;
    thread_put(fake, m, new->date_ms != 0);
    m->thread->row.flags = (m->thread->row.flags | new->flags_set) & ~new->flags_clear;
}

static apr_status_t message_add(fake_store_t *fake, const wa_message_new_t *new,
                                const fake_message_t **pstored)
{
    fake_message_t *m = fake_by_slice(fake->ids, wa_slice_of(new->id));

    if (!message_fits(new)) {
        return APR_EINVAL;
    }
    m = m ? m : fake_by_slice(fake->sids, wa_slice_of(new->sid));
    m = m ? m : new->idempotency_key ? key_find(fake, new->idempotency_key) : NULL;
    *pstored = m;
    if (m) {
        return APR_EEXIST;
    }
    if (new->timestamp_ms
        && (new->timestamp_ms < fake->now_ms || new->timestamp_ms <= fake->closed_ms)
        && fake->commits->nelts > 0) {
        return APR_EINVAL;
    }
    m = apr_pcalloc(fake->p, sizeof(*m));
    message_put(fake, new, m);
    *pstored = m;
    return APR_SUCCESS;
}

apr_status_t fake_message_add(wa_store_t *self, const wa_message_new_t *message, wa_message_t *pm,
                              apr_pool_t *p)
{
    fake_store_t *fake = fake_enter(self);
    const fake_message_t *stored = NULL;
    apr_status_t rv = fake_failure_take(fake, FAKE_ADD);

    if (rv == APR_SUCCESS) {
        rv = message_add(fake, message, &stored);
    }
    if (stored) {
        fake_message_give(fake, stored, pm, p);
    }
    fake_leave(fake);
    return rv;
}

static void state_set(fake_store_t *fake, fake_message_t *m, const wa_message_state_t *next)
{
    m->m.status = next->status;
    if (next->sid) {
        m->m.sid = string_dup(next->sid, fake->p);
        sid_keep(fake, m);
    }
    m->m.delivery = fake_slice_dup(next->delivery, fake->p);
    m->m.changed_ms = fake_commit(fake, 0, m, 0);
    m->thread->version = fake_version_get(fake);
    m->updates++;
}

/* One try. @return APR_EAGAIN another process was faster | what the update gives */
static apr_status_t update_try(fake_store_t *fake, fake_message_t *m,
                               const wa_message_update_t *update, apr_pool_t *p)
{
    wa_message_state_t next;
    const apr_uint32_t seen = m->updates;
    wa_message_t now;
    apr_status_t rv;

    fake_message_give(fake, m, &now, p);
    fake_leave(fake);
    next = (wa_message_state_t){.status = now.status};
    update->merge(update->baton, &now, &next, p);
    next = (wa_message_state_t){.status = now.status};
    rv = update->merge(update->baton, &now, &next, p);
    fake_hook_run(fake, FAKE_UPDATE);
    fake_enter(&fake->base);
    if (m->updates != seen) {
        return APR_EAGAIN;
    }
    if (rv != APR_SUCCESS) {
        return rv == APR_EEXIST ? APR_SUCCESS : rv;
    }
    if (fake_is_over(next.sid, WA_STORE_ID_MAX) || next.delivery.len > WA_STORE_MESSAGE_MAX) {
        return APR_EINVAL;
    }
    state_set(fake, m, &next);
    return APR_SUCCESS;
}

apr_status_t fake_message_update(wa_store_t *self, const wa_message_update_t *update,
                                 wa_message_t *pm, apr_pool_t *p)
{
    fake_store_t *fake = fake_enter(self);
    fake_message_t *m = message_find(fake, update->key);
    apr_status_t rv = fake_failure_take(fake, FAKE_UPDATE);

    if (rv == APR_SUCCESS && (!m || strncmp(update->key, WA_KEY_IDEMPOTENCY, 5) == 0)) {
        rv = APR_NOTFOUND;
    }
    if (rv == APR_SUCCESS) {
        do {
            rv = update_try(fake, m, update, p);
        } while (rv == APR_EAGAIN);
        fake_message_give(fake, m, pm, p);
    }
    fake_leave(fake);
    return rv;
}

apr_status_t fake_message_find(wa_store_t *self, const char *key, wa_message_t *pm, apr_pool_t *p)
{
    fake_store_t *fake = fake_enter(self);
    const fake_message_t *stored = message_find(fake, key);

    if (stored) {
        fake_message_give(fake, stored, pm, p);
    }
    fake_leave(fake);
    fake_hook_run(fake, FAKE_FIND);
    return stored ? APR_SUCCESS : APR_NOTFOUND;
}
