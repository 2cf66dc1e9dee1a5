/* SPDX-License-Identifier: Apache-2.0 */
/* A store in memory for unit tests of the layers above it: a driver behind the real seam. */
#include "fake_store.h"

#include <string.h>

#include <apr_hash.h>
#include <apr_strings.h>

#include "store/driver.h"

typedef struct fake_contact_t {
    struct fake_contact_t *next;
    wa_contact_t c;
} fake_contact_t;

typedef struct fake_parked_t {
    struct fake_parked_t *next;
    const char *key;
    const char *value;
} fake_parked_t;

struct fake_store_t {
    wa_store_t base;
    apr_pool_t *p;
    fake_message_t *messages;
    fake_contact_t *contacts;
    fake_parked_t *parked;
    apr_hash_t *flags; /* counterpart: apr_uint32_t */
    apr_int64_t now_ms;
    apr_int64_t date_shift_ms; /* of the clock, against the times of the store */
    apr_status_t failures[FAKE_OPS];
    void (*hooks[FAKE_OPS])(void *baton);
    void *batons[FAKE_OPS];
};

static apr_status_t failure_take(fake_store_t *fake, fake_op_e op)
{
    apr_status_t rv = fake->failures[op];

    fake->failures[op] = APR_SUCCESS;
    return rv;
}

static void hook_run(fake_store_t *fake, fake_op_e op)
{
    void (*hook)(void *) = fake->hooks[op];

    fake->hooks[op] = NULL;
    if (hook) {
        hook(fake->batons[op]);
    }
}

static wa_slice_t slice_dup(wa_slice_t s, apr_pool_t *p)
{
    return s.len > 0 ? wa_slice_make(apr_pstrmemdup(p, s.ptr, s.len), s.len)
                     : (wa_slice_t){NULL, 0};
}

static wa_slice_t string_dup(const char *s, apr_pool_t *p)
{
    return slice_dup(wa_slice_of(s), p);
}

/* What a reader gets: copies, and the contact joined; nothing when it takes none. */
static void message_give(const fake_store_t *fake, const fake_message_t *stored, wa_message_t *pm,
                         apr_pool_t *p)
{
    const fake_contact_t *contact;

    if (!pm) {
        return;
    }
    *pm = stored->m;
    pm->id = slice_dup(stored->m.id, p);
    pm->sid = slice_dup(stored->m.sid, p);
    pm->counterpart = slice_dup(stored->m.counterpart, p);
    pm->phone_number = slice_dup(stored->m.phone_number, p);
    pm->body = slice_dup(stored->m.body, p);
    pm->attributes = slice_dup(stored->m.attributes, p);
    pm->delivery = slice_dup(stored->m.delivery, p);
    for (contact = fake->contacts; contact; contact = contact->next) {
        if (wa_slice_is_equal(contact->c.phone_number, stored->m.counterpart)) {
            pm->contact_id = slice_dup(contact->c.id, p);
        }
    }
}

static int sid_is_of(const fake_message_t *m, const char *sid)
{
    int i;

    for (i = 0; i < 16 && m->sids[i]; i++) {
        if (strcmp(m->sids[i], sid) == 0) {
            return 1;
        }
    }
    return 0;
}

static void sid_keep(fake_store_t *fake, fake_message_t *m, const char *sid)
{
    int i;

    for (i = 0; i < 15 && m->sids[i]; i++) {
    }
    if (sid && !sid_is_of(m, sid)) {
        m->sids[i] = apr_pstrdup(fake->p, sid);
    }
}

static fake_message_t *message_find(const fake_store_t *fake, const char *key)
{
    const apr_size_t prefix = sizeof(WA_KEY_IDEMPOTENCY) - 1;
    const wa_slice_t wanted = wa_slice_of(key);
    fake_message_t *m;

    for (m = fake->messages; m; m = m->next) {
        if (key && strncmp(key, WA_KEY_IDEMPOTENCY, prefix) == 0) {
            if (m->idempotency_key && strcmp(m->idempotency_key, key + prefix) == 0) {
                return m;
            }
            continue;
        }
        if (wanted.len > 0 && (wa_slice_is_equal(m->m.id, wanted) || sid_is_of(m, key))) {
            return m;
        }
    }
    return NULL;
}

static apr_status_t fake_message_add(wa_store_t *self, const wa_message_new_t *message,
                                     wa_message_t *pm, apr_pool_t *p)
{
    fake_store_t *fake = (fake_store_t *)self;
    fake_message_t *stored = message_find(fake, message->id);
    apr_status_t rv = failure_take(fake, FAKE_ADD);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (!stored) {
        stored = message_find(fake, message->sid);
    }
    if (!stored && message->idempotency_key) {
        stored =
            message_find(fake, apr_pstrcat(p, WA_KEY_IDEMPOTENCY, message->idempotency_key, NULL));
    }
    if (stored) {
        message_give(fake, stored, pm, p);
        return APR_EEXIST;
    }
    stored = apr_pcalloc(fake->p, sizeof(*stored));
    stored->m.id = string_dup(message->id, fake->p);
    stored->m.sid = string_dup(message->sid, fake->p);
    sid_keep(fake, stored, message->sid);
    stored->m.counterpart = string_dup(message->counterpart, fake->p);
    stored->m.direction = message->direction;
    stored->m.status = message->status;
    stored->m.timestamp_ms = stored->m.changed_ms = ++fake->now_ms;
    stored->m.date_ms =
        message->date_ms ? message->date_ms : stored->m.timestamp_ms + fake->date_shift_ms;
    stored->m.unread = message->direction == WA_DIRECTION_RECEIVED;
    stored->m.phone_number = string_dup(message->phone_number, fake->p);
    stored->m.body = slice_dup(message->body, fake->p);
    stored->m.attributes = slice_dup(message->attributes, fake->p);
    stored->m.delivery = slice_dup(message->delivery, fake->p);
    if (message->idempotency_key) {
        stored->idempotency_key = apr_pstrdup(fake->p, message->idempotency_key);
    }
    stored->preview = wa_slice_string(message->preview, fake->p);
    stored->next = fake->messages;
    fake->messages = stored;
    message_give(fake, stored, pm, p);
    return APR_SUCCESS;
}

static void state_set(fake_store_t *fake, fake_message_t *stored, const wa_message_state_t *next)
{
    stored->m.status = next->status;
    if (next->sid) {
        stored->m.sid = string_dup(next->sid, fake->p);
        sid_keep(fake, stored, next->sid);
    }
    stored->m.delivery = slice_dup(next->delivery, fake->p);
    stored->m.changed_ms = ++fake->now_ms;
    stored->updates++;
}

static apr_status_t fake_message_update(wa_store_t *self, const char *key,
                                        wa_message_merge_fn merge, void *baton, wa_message_t *pm,
                                        apr_pool_t *p)
{
    fake_store_t *fake = (fake_store_t *)self;
    fake_message_t *stored = message_find(fake, key);
    apr_status_t rv = failure_take(fake, FAKE_UPDATE);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (!stored) {
        return APR_NOTFOUND;
    }
    for (;;) {
        wa_message_state_t next = {WA_STATUS_NONE, NULL, {NULL, 0}};
        const apr_int64_t seen = stored->m.changed_ms;
        wa_message_t now;

        message_give(fake, stored, &now, p);
        merge(baton, &now, &next, p);
        memset(&next, 0, sizeof(next));
        rv = merge(baton, &now, &next, p);
        hook_run(fake, FAKE_UPDATE);
        if (stored->m.changed_ms != seen) {
            continue; /* another process was faster */
        }
        if (rv == APR_SUCCESS) {
            state_set(fake, stored, &next);
        } else if (rv != APR_EEXIST) {
            return rv;
        }
        message_give(fake, stored, pm, p);
        return APR_SUCCESS;
    }
}

static apr_status_t fake_message_find(wa_store_t *self, const char *key, wa_message_t *pm,
                                      apr_pool_t *p)
{
    fake_store_t *fake = (fake_store_t *)self;
    const fake_message_t *stored = message_find(fake, key);

    if (stored) {
        message_give(fake, stored, pm, p);
    }
    hook_run(fake, FAKE_FIND);
    return stored ? APR_SUCCESS : APR_NOTFOUND;
}

static apr_uint64_t fake_version(wa_store_t *self, wa_version_e part)
{
    (void)part;
    return (apr_uint64_t)((fake_store_t *)self)->now_ms;
}

static apr_uint64_t fake_thread_version(wa_store_t *self, const char *counterpart)
{
    const fake_message_t *m;

    for (m = ((fake_store_t *)self)->messages; m; m = m->next) {
        if (wa_slice_is_equal(m->m.counterpart, wa_slice_of(counterpart))) {
            return (apr_uint64_t)m->m.changed_ms;
        }
    }
    return 0;
}

static apr_status_t fake_thread_visit(wa_store_t *self, const char *counterpart,
                                      wa_thread_visit_fn visit, void *baton)
{
    fake_store_t *fake = (fake_store_t *)self;
    wa_thread_t thread;
    const fake_message_t *m;

    memset(&thread, 0, sizeof(thread));
    for (m = fake->messages; m; m = m->next) {
        if (!wa_slice_is_equal(m->m.counterpart, wa_slice_of(counterpart))) {
            continue;
        }
        thread.counterpart = m->m.counterpart;
        thread.message_count++;
        if (m->m.direction == WA_DIRECTION_RECEIVED && thread.last_inbound_ms == 0) {
            thread.last_inbound_ms = m->m.timestamp_ms;
            thread.inbound_date_ms = m->m.date_ms;
        }
    }
    thread.flags =
        apr_hash_get(fake->flags, counterpart, APR_HASH_KEY_STRING)
            ? *(apr_uint32_t *)apr_hash_get(fake->flags, counterpart, APR_HASH_KEY_STRING)
            : 0;
    return thread.message_count > 0 ? visit(baton, &thread) : APR_NOTFOUND;
}

static apr_status_t fake_thread_flags_set(wa_store_t *self, const char *counterpart,
                                          apr_uint32_t set, apr_uint32_t clear, apr_pool_t *tmp)
{
    fake_store_t *fake = (fake_store_t *)self;
    apr_uint32_t *flags = apr_hash_get(fake->flags, counterpart, APR_HASH_KEY_STRING);
    apr_status_t rv = failure_take(fake, FAKE_FLAGS);

    (void)tmp;
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (fake_thread_version(self, counterpart) == 0) {
        return APR_NOTFOUND;
    }
    if (!flags) {
        flags = apr_pcalloc(fake->p, sizeof(*flags));
        apr_hash_set(fake->flags, apr_pstrdup(fake->p, counterpart), APR_HASH_KEY_STRING, flags);
    }
    *flags = (*flags | set) & ~clear;
    return APR_SUCCESS;
}

static fake_contact_t *contact_find(const fake_store_t *fake, wa_slice_t key)
{
    fake_contact_t *c;

    for (c = fake->contacts; c; c = c->next) {
        if (wa_slice_is_equal(c->c.id, key) || wa_slice_is_equal(c->c.phone_number, key)) {
            return c;
        }
    }
    return NULL;
}

static void contact_give(const fake_contact_t *stored, wa_contact_t *pc, apr_pool_t *p)
{
    *pc = stored->c;
    pc->id = slice_dup(stored->c.id, p);
    pc->phone_number = slice_dup(stored->c.phone_number, p);
    pc->display_name = slice_dup(stored->c.display_name, p);
}

static apr_status_t fake_contact_add(wa_store_t *self, const wa_contact_t *contact,
                                     wa_contact_t *pc, apr_pool_t *p)
{
    fake_store_t *fake = (fake_store_t *)self;
    fake_contact_t *stored = contact_find(fake, contact->phone_number);
    apr_status_t rv = failure_take(fake, FAKE_CONTACT);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (stored) {
        contact_give(stored, pc, p);
        return APR_EEXIST;
    }
    stored = apr_pcalloc(fake->p, sizeof(*stored));
    contact_give(&(fake_contact_t){NULL, *contact}, &stored->c, fake->p);
    stored->c.created_ms = stored->c.updated_ms = ++fake->now_ms;
    stored->next = fake->contacts;
    fake->contacts = stored;
    contact_give(stored, pc, p);
    return APR_SUCCESS;
}

static apr_status_t fake_contact_rename(wa_store_t *self, const char *id, wa_slice_t display_name,
                                        wa_contact_t *pc, apr_pool_t *p)
{
    fake_store_t *fake = (fake_store_t *)self;
    fake_contact_t *stored = contact_find(fake, wa_slice_of(id));

    if (!stored) {
        return APR_NOTFOUND;
    }
    stored->c.display_name = slice_dup(display_name, fake->p);
    stored->c.updated_ms = ++fake->now_ms;
    contact_give(stored, pc, p);
    return APR_SUCCESS;
}

static apr_status_t fake_contact_find(wa_store_t *self, const char *key, wa_contact_t *pc,
                                      apr_pool_t *p)
{
    fake_store_t *fake = (fake_store_t *)self;
    const fake_contact_t *stored = contact_find(fake, wa_slice_of(key));
    apr_status_t rv = failure_take(fake, FAKE_CONTACT);

    if (rv == APR_SUCCESS && !stored) {
        rv = APR_NOTFOUND;
    }
    if (rv == APR_SUCCESS) {
        contact_give(stored, pc, p);
    }
    return rv;
}

static fake_parked_t *parked_find(const fake_store_t *fake, const char *key)
{
    fake_parked_t *parked;

    for (parked = fake->parked; parked && strcmp(parked->key, key) != 0; parked = parked->next) {
    }
    return parked;
}

static apr_status_t fake_parked_add(wa_store_t *self, const char *key, wa_slice_t value,
                                    apr_pool_t *tmp)
{
    fake_store_t *fake = (fake_store_t *)self;
    const char *text = apr_pstrmemdup(fake->p, value.ptr, value.len);
    apr_status_t rv = failure_take(fake, FAKE_PARK);
    fake_parked_t *parked;

    (void)tmp;
    if (rv != APR_SUCCESS) {
        return rv;
    }
    hook_run(fake, FAKE_PARK);
    parked = parked_find(fake, key);
    if (parked) {
        parked->value = apr_pstrcat(fake->p, parked->value, "\n", text, NULL);
        return APR_SUCCESS;
    }
    parked = apr_pcalloc(fake->p, sizeof(*parked));
    parked->key = apr_pstrdup(fake->p, key);
    parked->value = text;
    parked->next = fake->parked;
    fake->parked = parked;
    return APR_SUCCESS;
}

static apr_status_t fake_parked_get(wa_store_t *self, const char *key, wa_slice_t *pvalue,
                                    apr_pool_t *p)
{
    fake_store_t *fake = (fake_store_t *)self;
    const fake_parked_t *parked = parked_find(fake, key);
    apr_status_t rv = failure_take(fake, FAKE_UNPARK);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (parked) {
        *pvalue = string_dup(parked->value, p);
    }
    hook_run(fake, FAKE_UNPARK);
    return parked ? APR_SUCCESS : APR_NOTFOUND;
}

/* The messages are kept newest first. */
static apr_status_t pending_visit(fake_store_t *fake, const fake_message_t *m,
                                  apr_int64_t before_ms, apr_int64_t ahead_ms, apr_size_t *pleft,
                                  wa_message_visit_fn visit, void *baton, apr_pool_t *p)
{
    wa_message_t given;
    apr_status_t rv =
        m ? pending_visit(fake, m->next, before_ms, ahead_ms, pleft, visit, baton, p) : APR_SUCCESS;

    if (!m || rv != APR_SUCCESS || *pleft == 0 || m->m.status != WA_STATUS_PENDING
        || (m->m.date_ms > before_ms && m->m.date_ms <= ahead_ms)) {
        return rv;
    }
    (*pleft)--;
    message_give(fake, m, &given, p);
    return visit(baton, &given, 0);
}

static apr_status_t fake_pending_list(wa_store_t *self, apr_int64_t before_ms, apr_int64_t ahead_ms,
                                      apr_size_t max, wa_message_visit_fn visit, void *baton,
                                      apr_pool_t *p)
{
    fake_store_t *fake = (fake_store_t *)self;

    return pending_visit(fake, fake->messages, before_ms, ahead_ms, &max, visit, baton, p);
}

/* The newest page: who goes on from a cursor is the store's own tests' business. */
static apr_status_t fake_messages_list(wa_store_t *self, const char *counterpart,
                                       const char *cursor, apr_size_t limit,
                                       wa_message_visit_fn visit, void *baton, wa_page_t *page,
                                       apr_pool_t *p)
{
    fake_store_t *fake = (fake_store_t *)self;
    const fake_message_t *m;
    apr_status_t rv = cursor ? APR_ENOTIMPL : APR_SUCCESS;
    wa_message_t given;

    memset(page, 0, sizeof(*page));
    for (m = fake->messages; m && rv == APR_SUCCESS && limit > 0; m = m->next) {
        if (wa_slice_is_equal(m->m.counterpart, wa_slice_of(counterpart))) {
            message_give(fake, m, &given, p);
            rv = visit(baton, &given, 0);
            limit--;
        }
    }
    return rv;
}

static const wa_store_ops_t fake_ops = {
    .name = "fake",
    .thread_version = fake_thread_version,
    .message_add = fake_message_add,
    .message_update = fake_message_update,
    .message_find = fake_message_find,
    .messages_list = fake_messages_list,
    .pending_list = fake_pending_list,
    .thread_visit = fake_thread_visit,
    .thread_flags_set = fake_thread_flags_set,
    .version = fake_version,
    .contact_add = fake_contact_add,
    .contact_rename = fake_contact_rename,
    .contact_find = fake_contact_find,
    .parked_add = fake_parked_add,
    .parked_get = fake_parked_get,
};

fake_store_t *fake_store_create(apr_pool_t *p)
{
    fake_store_t *fake = apr_pcalloc(p, sizeof(*fake));

    fake->base.ops = &fake_ops;
    fake->p = p;
    fake->flags = apr_hash_make(p);
    fake->now_ms = 1700000000000;
    return fake;
}

wa_store_t *fake_store_seam(fake_store_t *fake)
{
    return &fake->base;
}

const fake_message_t *fake_store_newest(const fake_store_t *fake)
{
    return fake->messages;
}

apr_size_t fake_store_count(const fake_store_t *fake)
{
    const fake_message_t *m;
    apr_size_t count = 0;

    for (m = fake->messages; m; m = m->next) {
        count++;
    }
    return count;
}

void fake_store_fail(fake_store_t *fake, fake_op_e op, apr_status_t rv)
{
    fake->failures[op] = rv;
}

void fake_store_meanwhile(fake_store_t *fake, fake_op_e op, void (*hook)(void *baton), void *baton)
{
    fake->hooks[op] = hook;
    fake->batons[op] = baton;
}

void fake_store_dates(fake_store_t *fake, apr_int64_t shift_ms)
{
    fake->date_shift_ms = shift_ms;
}

void fake_store_clock(fake_store_t *fake, apr_int64_t now_ms)
{
    fake->now_ms = now_ms;
}
