/* SPDX-License-Identifier: Apache-2.0 */
/* A store in memory for unit tests of the layers above it: a driver behind the real seam. */
#include "fake_store.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_hash.h>
#include <apr_strings.h>
#include <apr_tables.h>

#include "base/clock.h"
#include "store/driver.h"

typedef struct fake_thread_t {
    wa_thread_t row;              /* without the contact */
    apr_array_header_t *messages; /* of fake_message_t *, the oldest first */
    apr_uint64_t read_number;     /* received messages after this one are unread */
    apr_uint64_t version;
} fake_thread_t;

typedef struct fake_parked_t {
    struct fake_parked_t *next; /* by age, the oldest first */
    const char *key;
    wa_slice_t value;
} fake_parked_t;

/* One commit, for who asks what came after a time. */
typedef struct fake_commit_t {
    apr_int64_t timestamp_ms;
    fake_message_t *message; /* NULL: it was about something else */
    int is_new;              /* 1: the message came, 0: its state changed */
} fake_commit_t;

struct fake_store_t {
    wa_store_t base;
    apr_pool_t *p;
    pthread_mutex_t lock; /* of all that follows; an error for who has it already */
    pthread_cond_t news;
    int is_wait_over;
    fake_message_t *messages;      /* the newest first */
    apr_array_header_t *by_number; /* of fake_message_t * */
    apr_hash_t *ids, *sids, *keys; /* fake_message_t * */
    apr_hash_t *threads;           /* fake_thread_t * by counterpart */
    apr_array_header_t *contacts;  /* of wa_contact_t */
    apr_hash_t *parked;
    fake_parked_t *parked_first, *parked_last;
    apr_array_header_t *commits; /* of fake_commit_t; their number is the version */
    apr_uint64_t threads_version, contacts_version;
    apr_int64_t now_ms;    /* of the last commit */
    apr_int64_t closed_ms; /* nothing gets this time, or an earlier one, any more */
    int is_clock_followed;
    apr_int64_t date_shift_ms; /* of the clock, against the times of the store */
    apr_status_t failures[FAKE_OPS];
    void (*hooks[FAKE_OPS])(void *baton);
    void *batons[FAKE_OPS];
};

static fake_store_t *enter(wa_store_t *self)
{
    fake_store_t *fake = (fake_store_t *)self;

    if (pthread_mutex_lock(&fake->lock)) {
        fprintf(stderr, "a visitor of threads or contacts called the store\n");
        abort();
    }
    return fake;
}

static void leave(fake_store_t *fake)
{
    pthread_mutex_unlock(&fake->lock);
}

static apr_status_t failure_take(fake_store_t *fake, fake_op_e op)
{
    apr_status_t rv = fake->failures[op];

    fake->failures[op] = APR_SUCCESS;
    return rv;
}

/* Without the lock: what another process does. */
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

static void *by_slice(apr_hash_t *hash, wa_slice_t key)
{
    return key.len > 0 ? apr_hash_get(hash, key.ptr, (apr_ssize_t)key.len) : NULL;
}

/* ---- time ---- */

static apr_int64_t clock_get(const fake_store_t *fake)
{
    return fake->is_clock_followed ? wa_clock_now_ms() : fake->now_ms + fake->date_shift_ms;
}

/* The commit's time. */
static apr_int64_t time_next(fake_store_t *fake)
{
    if (!fake->is_clock_followed) {
        return ++fake->now_ms;
    }
    if (wa_clock_now_ms() > fake->now_ms) {
        fake->now_ms = wa_clock_now_ms();
    }
    if (fake->now_ms <= fake->closed_ms) {
        fake->now_ms = fake->closed_ms + 1;
    }
    return fake->now_ms;
}

/* The clock went back behind what people wrote: they wrote before this. */
static void clock_note(fake_store_t *fake, apr_int64_t clock_ms)
{
    apr_hash_index_t *i;

    for (i = apr_hash_first(fake->p, fake->threads); i; i = apr_hash_next(i)) {
        fake_thread_t *t = apr_hash_this_val(i);

        if (!t->row.inbound_before_ms && t->row.inbound_date_ms > clock_ms + WA_CLOCK_SKEW_MS) {
            t->row.inbound_before_ms = clock_ms;
        }
    }
}

/* Every change ends here. @return its time */
static apr_int64_t commit(fake_store_t *fake, apr_int64_t given_ms, fake_message_t *message,
                          int is_new)
{
    const apr_int64_t timestamp_ms = given_ms ? (fake->now_ms = given_ms) : time_next(fake);

    APR_ARRAY_PUSH(fake->commits, fake_commit_t) = (fake_commit_t){timestamp_ms, message, is_new};
    clock_note(fake, given_ms ? given_ms : clock_get(fake));
    pthread_cond_broadcast(&fake->news);
    return timestamp_ms;
}

static apr_uint64_t version_get(const fake_store_t *fake)
{
    return (apr_uint64_t)fake->commits->nelts;
}

/* A thread's row changed by the last commit. */
static void thread_changed(fake_store_t *fake, fake_thread_t *t)
{
    t->row.changed_ms = fake->now_ms;
    t->version = fake->threads_version = version_get(fake);
}

/* ---- messages ---- */

static wa_contact_t *contact_find(const fake_store_t *fake, wa_slice_t id, wa_slice_t number)
{
    int i;

    for (i = 0; i < fake->contacts->nelts; i++) {
        wa_contact_t *c = &APR_ARRAY_IDX(fake->contacts, i, wa_contact_t);

        if ((id.len && wa_slice_is_equal(c->id, id))
            || (number.len && wa_slice_is_equal(c->phone_number, number))) {
            return c;
        }
    }
    return NULL;
}

/* What a reader gets: copies, and the contact joined; nothing when it takes none. */
static void message_give(const fake_store_t *fake, const fake_message_t *stored, wa_message_t *pm,
                         apr_pool_t *p)
{
    const wa_contact_t *contact;

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
    pm->unread = stored->m.direction == WA_DIRECTION_RECEIVED
                 && stored->number > stored->thread->read_number;
    contact = contact_find(fake, (wa_slice_t){NULL, 0}, stored->m.counterpart);
    if (contact) {
        pm->contact_id = slice_dup(contact->id, p);
    }
}

static fake_message_t *key_find(const fake_store_t *fake, const char *key)
{
    fake_message_t *m = by_slice(fake->keys, wa_slice_of(key));

    return m && wa_store_idempotency_counts(m->m.date_ms) ? m : NULL;
}

static fake_message_t *message_find(const fake_store_t *fake, const char *key)
{
    const apr_size_t prefix = sizeof(WA_KEY_IDEMPOTENCY) - 1;
    fake_message_t *m;

    if (strncmp(key, WA_KEY_IDEMPOTENCY, prefix) == 0) {
        return key_find(fake, key + prefix);
    }
    m = by_slice(fake->ids, wa_slice_of(key));
    return m ? m : by_slice(fake->sids, wa_slice_of(key));
}

/* A sid finds its message for good; where several had it, the newest of them. */
static void sid_keep(fake_store_t *fake, fake_message_t *m)
{
    const fake_message_t *other = by_slice(fake->sids, m->m.sid);

    if (m->m.sid.len && (!other || other->number < m->number)) {
        apr_hash_set(fake->sids, m->m.sid.ptr, (apr_ssize_t)m->m.sid.len, m);
    }
}

static int is_over(const char *text, apr_size_t max)
{
    return text && strlen(text) > max;
}

static int message_fits(const wa_message_new_t *m)
{
    const apr_size_t sum =
        m->body.len + m->attributes.len + m->delivery.len + m->preview.len + m->profile_name.len;

    return !is_over(m->id, WA_STORE_ID_MAX) && !is_over(m->sid, WA_STORE_ID_MAX)
           && !is_over(m->counterpart, WA_STORE_NAME_MAX)
           && !is_over(m->phone_number, WA_STORE_NAME_MAX)
           && !is_over(m->idempotency_key, WA_STORE_NAME_MAX) && m->preview.len <= WA_STORE_TEXT_MAX
           && m->profile_name.len <= WA_STORE_TEXT_MAX && sum <= WA_STORE_MESSAGE_MAX;
}

static fake_thread_t *thread_get(fake_store_t *fake, wa_slice_t counterpart)
{
    fake_thread_t *t = by_slice(fake->threads, counterpart);

    if (!t) {
        t = apr_pcalloc(fake->p, sizeof(*t));
        t->row.counterpart = counterpart;
        t->messages = apr_array_make(fake->p, 8, sizeof(fake_message_t *));
        apr_hash_set(fake->threads, counterpart.ptr, (apr_ssize_t)counterpart.len, t);
    }
    return t;
}

static void inbound_note(wa_thread_t *row, const fake_message_t *m, int is_fetched)
{
    row->last_inbound_ms = m->m.timestamp_ms;
    row->unread_count++;
    if (is_fetched && row->inbound_date_ms
        && m->m.date_ms
               <= (row->inbound_before_ms ? row->inbound_before_ms : row->inbound_date_ms)) {
        return;
    }
    row->inbound_date_ms = m->m.date_ms;
    row->inbound_before_ms = 0;
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
        inbound_note(&t->row, m, is_fetched);
        t->row.profile_name = m->profile_name.len > 0 ? m->profile_name : t->row.profile_name;
    }
    thread_changed(fake, t);
}

static void message_put(fake_store_t *fake, const wa_message_new_t *new, fake_message_t *m)
{
    m->m.id = string_dup(new->id, fake->p);
    m->m.sid = string_dup(new->sid, fake->p);
    m->m.counterpart = string_dup(new->counterpart, fake->p);
    m->m.direction = new->direction;
    m->m.status = new->status;
    m->m.phone_number = string_dup(new->phone_number, fake->p);
    m->m.body = slice_dup(new->body, fake->p);
    m->m.attributes = slice_dup(new->attributes, fake->p);
    m->m.delivery = slice_dup(new->delivery, fake->p);
    m->preview = wa_slice_string(new->preview, fake->p);
    m->profile_name = slice_dup(new->profile_name, fake->p);
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
    m->m.timestamp_ms = m->m.changed_ms = commit(fake, new->timestamp_ms, m, 1);
    m->m.date_ms = new->date_ms        ? new->date_ms
                   : new->timestamp_ms ? new->timestamp_ms
                                       : clock_get(fake);
    m->m.unread = new->direction == WA_DIRECTION_RECEIVED;
    thread_put(fake, m, new->date_ms != 0);
}

static apr_status_t message_add(fake_store_t *fake, const wa_message_new_t *new,
                                const fake_message_t **pstored)
{
    fake_message_t *m = by_slice(fake->ids, wa_slice_of(new->id));

    if (!message_fits(new)) {
        return APR_EINVAL;
    }
    m = m ? m : by_slice(fake->sids, wa_slice_of(new->sid));
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

static apr_status_t fake_message_add(wa_store_t *self, const wa_message_new_t *message,
                                     wa_message_t *pm, apr_pool_t *p)
{
    fake_store_t *fake = enter(self);
    const fake_message_t *stored = NULL;
    apr_status_t rv = failure_take(fake, FAKE_ADD);

    if (rv == APR_SUCCESS) {
        rv = message_add(fake, message, &stored);
    }
    if (stored) {
        message_give(fake, stored, pm, p);
    }
    leave(fake);
    return rv;
}

static void state_set(fake_store_t *fake, fake_message_t *m, const wa_message_state_t *next)
{
    m->m.status = next->status;
    if (next->sid) {
        m->m.sid = string_dup(next->sid, fake->p);
        sid_keep(fake, m);
    }
    m->m.delivery = slice_dup(next->delivery, fake->p);
    m->m.changed_ms = commit(fake, 0, m, 0);
    m->thread->version = version_get(fake);
    m->updates++;
}

/* One try. @return APR_EAGAIN another process was faster | what the update gives */
static apr_status_t update_try(fake_store_t *fake, fake_message_t *m, wa_message_merge_fn merge,
                               void *baton, apr_pool_t *p)
{
    wa_message_state_t next;
    const apr_uint32_t seen = m->updates;
    wa_message_t now;
    apr_status_t rv;

    message_give(fake, m, &now, p);
    leave(fake);
    next = (wa_message_state_t){.status = now.status};
    merge(baton, &now, &next, p);
    next = (wa_message_state_t){.status = now.status};
    rv = merge(baton, &now, &next, p);
    hook_run(fake, FAKE_UPDATE);
    enter(&fake->base);
    if (m->updates != seen) {
        return APR_EAGAIN;
    }
    if (rv != APR_SUCCESS) {
        return rv == APR_EEXIST ? APR_SUCCESS : rv;
    }
    if (is_over(next.sid, WA_STORE_ID_MAX) || next.delivery.len > WA_STORE_MESSAGE_MAX) {
        return APR_EINVAL;
    }
    state_set(fake, m, &next);
    return APR_SUCCESS;
}

static apr_status_t fake_message_update(wa_store_t *self, const char *key,
                                        wa_message_merge_fn merge, void *baton, wa_message_t *pm,
                                        apr_pool_t *p)
{
    fake_store_t *fake = enter(self);
    fake_message_t *m = message_find(fake, key);
    apr_status_t rv = failure_take(fake, FAKE_UPDATE);

    if (rv == APR_SUCCESS && (!m || strncmp(key, WA_KEY_IDEMPOTENCY, 5) == 0)) {
        rv = APR_NOTFOUND;
    }
    if (rv == APR_SUCCESS) {
        do {
            rv = update_try(fake, m, merge, baton, p);
        } while (rv == APR_EAGAIN);
        message_give(fake, m, pm, p);
    }
    leave(fake);
    return rv;
}

static apr_status_t fake_message_find(wa_store_t *self, const char *key, wa_message_t *pm,
                                      apr_pool_t *p)
{
    fake_store_t *fake = enter(self);
    const fake_message_t *stored = message_find(fake, key);

    if (stored) {
        message_give(fake, stored, pm, p);
    }
    leave(fake);
    hook_run(fake, FAKE_FIND);
    return stored ? APR_SUCCESS : APR_NOTFOUND;
}

/* ---- walks over messages: collected with the lock, visited without ---- */

typedef struct given_t {
    wa_message_t m;
    int is_update;
} given_t;

static void given_put(const fake_store_t *fake, apr_array_header_t *all, const fake_message_t *m,
                      int is_update, apr_pool_t *p)
{
    given_t *given = &APR_ARRAY_PUSH(all, given_t);

    memset(given, 0, sizeof(*given));
    message_give(fake, m, &given->m, p);
    given->is_update = is_update;
}

static apr_status_t given_visit(const apr_array_header_t *all, wa_message_visit_fn visit,
                                void *baton, apr_size_t *pcount)
{
    apr_status_t rv = APR_SUCCESS;
    int i;

    for (i = 0; rv == APR_SUCCESS && i < all->nelts; i++) {
        const given_t *given = &APR_ARRAY_IDX(all, i, given_t);

        rv = visit(baton, &given->m, given->is_update);
        if (pcount) {
            *pcount += rv == APR_SUCCESS;
        }
    }
    return rv;
}

static const char *cursor_make(const fake_message_t *m, apr_pool_t *p)
{
    return apr_psprintf(p, "fake-%" APR_UINT64_T_FMT, m->number);
}

/* How many of the thread's messages come after a page of this cursor.
 * @return APR_SUCCESS | APR_EINVAL */
static apr_status_t cursor_find(const fake_thread_t *t, const char *cursor, int *pleft,
                                apr_pool_t *p)
{
    int i;

    for (i = 0; t && i < t->messages->nelts; i++) {
        if (strcmp(cursor, cursor_make(APR_ARRAY_IDX(t->messages, i, fake_message_t *), p)) == 0) {
            *pleft = i;
            return APR_SUCCESS;
        }
    }
    return APR_EINVAL;
}

static apr_status_t fake_messages_list(wa_store_t *self, const char *counterpart,
                                       const char *cursor, apr_size_t limit,
                                       wa_message_visit_fn visit, void *baton, wa_page_t *page,
                                       apr_pool_t *p)
{
    fake_store_t *fake = enter(self);
    const fake_thread_t *t = by_slice(fake->threads, wa_slice_of(counterpart));
    apr_array_header_t *all = apr_array_make(p, 8, sizeof(given_t));
    const fake_message_t *last = NULL;
    int left = t ? t->messages->nelts : 0;
    apr_status_t rv = cursor ? cursor_find(t, cursor, &left, p) : APR_SUCCESS;

    while (rv == APR_SUCCESS && left > 0 && (apr_size_t)all->nelts < limit) {
        last = APR_ARRAY_IDX(t->messages, --left, fake_message_t *);
        given_put(fake, all, last, 0, p);
    }
    leave(fake);
    if (rv == APR_SUCCESS) {
        rv = given_visit(all, visit, baton, &page->count);
    }
    if (rv == APR_SUCCESS && left > 0 && last) {
        page->next_cursor = cursor_make(last, p);
    }
    return rv;
}

static apr_status_t fake_pending_list(wa_store_t *self, apr_int64_t before_ms, apr_int64_t ahead_ms,
                                      apr_size_t max, wa_message_visit_fn visit, void *baton,
                                      apr_pool_t *p)
{
    fake_store_t *fake = enter(self);
    apr_array_header_t *all = apr_array_make(p, 8, sizeof(given_t));
    int i;

    for (i = 0; i < fake->by_number->nelts && (apr_size_t)all->nelts < max; i++) {
        const fake_message_t *m = APR_ARRAY_IDX(fake->by_number, i, fake_message_t *);

        if (m->m.direction == WA_DIRECTION_SENT && m->m.status == WA_STATUS_PENDING
            && (m->m.date_ms <= before_ms || m->m.date_ms > ahead_ms)) {
            given_put(fake, all, m, 0, p);
        }
    }
    leave(fake);
    return given_visit(all, visit, baton, NULL);
}

/* Notes an older message that changed, once. */
static void update_put(const fake_store_t *fake, apr_array_header_t *updates,
                       const fake_message_t *m, apr_pool_t *p)
{
    int i;

    for (i = 0; i < updates->nelts; i++) {
        if (wa_slice_is_equal(APR_ARRAY_IDX(updates, i, given_t).m.id, m->m.id)) {
            return;
        }
    }
    given_put(fake, updates, m, 1, p);
}

static apr_status_t fake_changes_list(wa_store_t *self, apr_int64_t since_ms, apr_size_t max,
                                      wa_message_visit_fn visit, void *baton, wa_changes_t *changes,
                                      apr_pool_t *p)
{
    fake_store_t *fake = enter(self);
    apr_array_header_t *all = apr_array_make(p, 8, sizeof(given_t));
    apr_array_header_t *updates = apr_array_make(p, 8, sizeof(given_t));
    apr_status_t rv;
    int i;

    fake->closed_ms = fake->commits->nelts > 0 ? fake->now_ms : 0;
    changes->timestamp_ms = since_ms < fake->closed_ms ? since_ms : fake->closed_ms;
    for (i = 0; i < fake->commits->nelts; i++) {
        const fake_commit_t *c = &APR_ARRAY_IDX(fake->commits, i, fake_commit_t);

        if (c->timestamp_ms <= since_ms) {
            continue;
        }
        if ((apr_size_t)(all->nelts + updates->nelts) >= max
            && c->timestamp_ms > changes->timestamp_ms) {
            changes->has_more = 1;
            break;
        }
        if (c->is_new) {
            given_put(fake, all, c->message, 0, p);
        } else if (c->message && c->message->m.timestamp_ms <= since_ms) {
            update_put(fake, updates, c->message, p);
        }
        changes->timestamp_ms = c->timestamp_ms;
    }
    leave(fake);
    rv = given_visit(all, visit, baton, NULL);
    return rv == APR_SUCCESS ? given_visit(updates, visit, baton, NULL) : rv;
}

/* ---- versions and waiting ---- */

static apr_uint64_t fake_version(wa_store_t *self, wa_version_e part)
{
    fake_store_t *fake = enter(self);
    const apr_uint64_t version = part == WA_VERSION_THREADS    ? fake->threads_version
                                 : part == WA_VERSION_CONTACTS ? fake->contacts_version
                                                               : version_get(fake);

    leave(fake);
    return version;
}

static apr_uint64_t fake_thread_version(wa_store_t *self, const char *counterpart)
{
    fake_store_t *fake = enter(self);
    const fake_thread_t *t = by_slice(fake->threads, wa_slice_of(counterpart));
    const apr_uint64_t version = t ? t->version : 0;

    leave(fake);
    return version;
}

static apr_status_t fake_wait(wa_store_t *self, apr_uint64_t version, apr_interval_time_t timeout)
{
    fake_store_t *fake = (fake_store_t *)self;
    struct timespec until;
    int rc = 0;
    apr_status_t rv = failure_take(fake, FAKE_WAIT);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    hook_run(fake, FAKE_WAIT);
    timeout = timeout > 0 ? timeout : 0;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += (long)apr_time_usec(timeout) * 1000;
    until.tv_sec += (time_t)apr_time_sec(timeout) + until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    enter(self);
    while (!rc && version_get(fake) == version && !fake->is_wait_over) {
        rc = pthread_cond_timedwait(&fake->news, &fake->lock, &until);
    }
    rv = version_get(fake) != version ? APR_SUCCESS : fake->is_wait_over ? APR_EINTR : APR_TIMEUP;
    leave(fake);
    return rv;
}

static void fake_wait_end(wa_store_t *self)
{
    fake_store_t *fake = enter(self);

    fake->is_wait_over = 1;
    pthread_cond_broadcast(&fake->news);
    leave(fake);
}

/* ---- threads ---- */

static apr_status_t thread_give(const fake_store_t *fake, const fake_thread_t *t,
                                wa_thread_visit_fn visit, void *baton)
{
    const wa_contact_t *contact = contact_find(fake, (wa_slice_t){NULL, 0}, t->row.counterpart);
    wa_thread_t row = t->row;

    if (contact) {
        row.contact_id = contact->id;
        row.contact_name = contact->display_name;
    }
    return visit(baton, &row);
}

static apr_status_t fake_threads_list(wa_store_t *self, apr_int64_t since_ms,
                                      wa_thread_visit_fn visit, void *baton)
{
    fake_store_t *fake = enter(self);
    const fake_message_t *m;
    apr_status_t rv = APR_SUCCESS;

    for (m = fake->messages; rv == APR_SUCCESS && m; m = m->next) {
        const fake_thread_t *t = m->thread;

        if (APR_ARRAY_IDX(t->messages, t->messages->nelts - 1, fake_message_t *) == m
            && t->row.changed_ms > since_ms) {
            rv = thread_give(fake, t, visit, baton);
        }
    }
    leave(fake);
    return rv;
}

static apr_status_t fake_thread_visit(wa_store_t *self, const char *counterpart,
                                      wa_thread_visit_fn visit, void *baton)
{
    fake_store_t *fake = enter(self);
    const fake_thread_t *t = by_slice(fake->threads, wa_slice_of(counterpart));
    const apr_status_t rv = t ? thread_give(fake, t, visit, baton) : APR_NOTFOUND;

    leave(fake);
    return rv;
}

static apr_status_t fake_thread_mark_read(wa_store_t *self, const char *counterpart,
                                          apr_pool_t *tmp)
{
    fake_store_t *fake = enter(self);
    fake_thread_t *t = by_slice(fake->threads, wa_slice_of(counterpart));

    (void)tmp;
    if (t && t->row.unread_count > 0) {
        t->row.unread_count = 0;
        t->read_number =
            APR_ARRAY_IDX(t->messages, t->messages->nelts - 1, fake_message_t *)->number;
        commit(fake, 0, NULL, 0);
        thread_changed(fake, t);
    }
    leave(fake);
    return t ? APR_SUCCESS : APR_NOTFOUND;
}

static apr_status_t fake_thread_flags_set(wa_store_t *self, const char *counterpart,
                                          apr_uint32_t set, apr_uint32_t clear, apr_pool_t *tmp)
{
    fake_store_t *fake = enter(self);
    fake_thread_t *t = by_slice(fake->threads, wa_slice_of(counterpart));
    apr_status_t rv = failure_take(fake, FAKE_FLAGS);

    (void)tmp;
    if (rv == APR_SUCCESS && !t) {
        rv = APR_NOTFOUND;
    }
    if (rv == APR_SUCCESS && ((t->row.flags | set) & ~clear) != t->row.flags) {
        t->row.flags = (t->row.flags | set) & ~clear;
        commit(fake, 0, NULL, 0);
        thread_changed(fake, t);
    }
    leave(fake);
    return rv;
}

/* ---- contacts ---- */

static int folded(char c)
{
    const int byte = (unsigned char)c;

    return byte >= 'A' && byte <= 'Z' ? byte + ('a' - 'A') : byte;
}

static int contact_compare(const void *one, const void *two)
{
    const wa_contact_t *a = one, *b = two;
    apr_size_t i;

    for (i = 0; i < a->display_name.len && i < b->display_name.len; i++) {
        if (folded(a->display_name.ptr[i]) != folded(b->display_name.ptr[i])) {
            return folded(a->display_name.ptr[i]) - folded(b->display_name.ptr[i]);
        }
    }
    if (a->display_name.len != b->display_name.len) {
        return a->display_name.len < b->display_name.len ? -1 : 1;
    }
    return strcmp(a->phone_number.ptr, b->phone_number.ptr);
}

static void contact_give(const wa_contact_t *stored, wa_contact_t *pc, apr_pool_t *p)
{
    *pc = *stored;
    pc->id = slice_dup(stored->id, p);
    pc->phone_number = slice_dup(stored->phone_number, p);
    pc->display_name = slice_dup(stored->display_name, p);
}

/* Contacts changed by the last commit, and with them the row of the one's thread. */
static void contacts_changed(fake_store_t *fake, wa_slice_t number)
{
    fake_thread_t *t = by_slice(fake->threads, number);

    fake->contacts_version = version_get(fake);
    qsort(fake->contacts->elts, (size_t)fake->contacts->nelts, sizeof(wa_contact_t),
          contact_compare);
    if (t) {
        thread_changed(fake, t);
    }
}

static apr_status_t contact_add(fake_store_t *fake, const wa_contact_t *contact, wa_contact_t *pc,
                                apr_pool_t *p)
{
    const wa_contact_t *other = contact_find(fake, contact->id, contact->phone_number);
    wa_contact_t stored;

    if (other) {
        contact_give(other, pc, p);
        return APR_EEXIST;
    }
    if (!contact->id.len || contact->id.len > WA_STORE_ID_MAX || !contact->phone_number.len
        || contact->phone_number.len > WA_STORE_NAME_MAX
        || contact->display_name.len > WA_STORE_TEXT_MAX) {
        return APR_EINVAL;
    }
    contact_give(contact, &stored, fake->p);
    commit(fake, 0, NULL, 0);
    stored.updated_ms = clock_get(fake);
    stored.created_ms = contact->created_ms ? contact->created_ms : stored.updated_ms;
    APR_ARRAY_PUSH(fake->contacts, wa_contact_t) = stored;
    contacts_changed(fake, stored.phone_number);
    contact_give(&stored, pc, p);
    return APR_SUCCESS;
}

static apr_status_t fake_contact_add(wa_store_t *self, const wa_contact_t *contact,
                                     wa_contact_t *pc, apr_pool_t *p)
{
    fake_store_t *fake = enter(self);
    apr_status_t rv = failure_take(fake, FAKE_CONTACT);

    if (rv == APR_SUCCESS) {
        rv = contact_add(fake, contact, pc, p);
    }
    leave(fake);
    return rv;
}

static apr_status_t fake_contact_rename(wa_store_t *self, const char *id, wa_slice_t display_name,
                                        wa_contact_t *pc, apr_pool_t *p)
{
    fake_store_t *fake = enter(self);
    wa_contact_t *stored = contact_find(fake, wa_slice_of(id), (wa_slice_t){NULL, 0});
    apr_status_t rv = stored ? APR_SUCCESS : APR_NOTFOUND;

    if (rv == APR_SUCCESS && display_name.len > WA_STORE_TEXT_MAX) {
        rv = APR_EINVAL;
    }
    if (rv == APR_SUCCESS) {
        commit(fake, 0, NULL, 0);
        stored->display_name = slice_dup(display_name, fake->p);
        stored->updated_ms = clock_get(fake);
        contact_give(stored, pc, p);
        contacts_changed(fake, pc->phone_number);
    }
    leave(fake);
    return rv;
}

static apr_status_t fake_contact_delete(wa_store_t *self, const char *id, apr_pool_t *tmp)
{
    fake_store_t *fake = enter(self);
    wa_contact_t *stored = contact_find(fake, wa_slice_of(id), (wa_slice_t){NULL, 0});
    wa_slice_t number;

    (void)tmp;
    if (stored) {
        number = stored->phone_number;
        *stored = APR_ARRAY_IDX(fake->contacts, --fake->contacts->nelts, wa_contact_t);
        commit(fake, 0, NULL, 0);
        contacts_changed(fake, number);
    }
    leave(fake);
    return stored ? APR_SUCCESS : APR_NOTFOUND;
}

static apr_status_t fake_contact_find(wa_store_t *self, const char *key, wa_contact_t *pc,
                                      apr_pool_t *p)
{
    fake_store_t *fake = enter(self);
    const wa_slice_t none = {NULL, 0};
    const wa_contact_t *stored = *key == '+' ? contact_find(fake, none, wa_slice_of(key))
                                             : contact_find(fake, wa_slice_of(key), none);
    apr_status_t rv = failure_take(fake, FAKE_CONTACT);

    if (rv == APR_SUCCESS && !stored) {
        rv = APR_NOTFOUND;
    }
    if (rv == APR_SUCCESS) {
        contact_give(stored, pc, p);
    }
    leave(fake);
    return rv;
}

static apr_status_t fake_contacts_list(wa_store_t *self, wa_contact_visit_fn visit, void *baton)
{
    fake_store_t *fake = enter(self);
    apr_status_t rv = APR_SUCCESS;
    int i;

    for (i = 0; rv == APR_SUCCESS && i < fake->contacts->nelts; i++) {
        const wa_contact_t given = APR_ARRAY_IDX(fake->contacts, i, wa_contact_t);

        rv = visit(baton, &given);
    }
    leave(fake);
    return rv;
}

/* ---- parked facts ---- */

static fake_parked_t *parked_create(fake_store_t *fake, const char *key)
{
    fake_parked_t *parked = apr_pcalloc(fake->p, sizeof(*parked));

    if (apr_hash_count(fake->parked) >= WA_STORE_OPEN_MIN) {
        apr_hash_set(fake->parked, fake->parked_first->key, APR_HASH_KEY_STRING, NULL);
        fake->parked_first = fake->parked_first->next;
    }
    parked->key = apr_pstrdup(fake->p, key);
    apr_hash_set(fake->parked, parked->key, APR_HASH_KEY_STRING, parked);
    if (fake->parked_last) {
        fake->parked_last->next = parked;
    } else {
        fake->parked_first = parked;
    }
    fake->parked_last = parked;
    return parked;
}

static apr_status_t parked_add(fake_store_t *fake, const char *key, wa_slice_t value)
{
    fake_parked_t *parked = by_slice(fake->parked, wa_slice_of(key));
    const apr_size_t before = parked ? parked->value.len + 1 : 0;
    char *joined = apr_palloc(fake->p, before + value.len + 1);

    if (!*key) {
        return APR_EINVAL;
    }
    if (before + value.len > WA_STORE_TEXT_MAX || is_over(key, WA_STORE_NAME_MAX)) {
        return APR_ENOSPC;
    }
    if (parked) {
        if (parked->value.len) {
            memcpy(joined, parked->value.ptr, parked->value.len);
        }
        joined[before - 1] = '\n';
    } else {
        parked = parked_create(fake, key);
    }
    if (value.len) {
        memcpy(joined + before, value.ptr, value.len);
    }
    parked->value = wa_slice_make(joined, before + value.len);
    commit(fake, 0, NULL, 0);
    return APR_SUCCESS;
}

static apr_status_t fake_parked_add(wa_store_t *self, const char *key, wa_slice_t value,
                                    apr_pool_t *tmp)
{
    fake_store_t *fake = (fake_store_t *)self;
    apr_status_t rv = failure_take(fake, FAKE_PARK);

    (void)tmp;
    if (rv != APR_SUCCESS) {
        return rv;
    }
    hook_run(fake, FAKE_PARK);
    enter(self);
    rv = parked_add(fake, key, value);
    leave(fake);
    return rv;
}

static apr_status_t fake_parked_get(wa_store_t *self, const char *key, wa_slice_t *pvalue,
                                    apr_pool_t *p)
{
    fake_store_t *fake = enter(self);
    const fake_parked_t *parked = by_slice(fake->parked, wa_slice_of(key));
    apr_status_t rv = failure_take(fake, FAKE_UNPARK);

    if (rv == APR_SUCCESS && parked) {
        *pvalue = slice_dup(parked->value, p);
    }
    leave(fake);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    hook_run(fake, FAKE_UNPARK);
    return parked ? APR_SUCCESS : APR_NOTFOUND;
}

/* ---- the store ---- */

static const wa_store_ops_t fake_ops = {
    .name = "fake",
    .version = fake_version,
    .thread_version = fake_thread_version,
    .wait = fake_wait,
    .wait_end = fake_wait_end,
    .message_add = fake_message_add,
    .message_update = fake_message_update,
    .message_find = fake_message_find,
    .messages_list = fake_messages_list,
    .pending_list = fake_pending_list,
    .changes_list = fake_changes_list,
    .threads_list = fake_threads_list,
    .thread_visit = fake_thread_visit,
    .thread_mark_read = fake_thread_mark_read,
    .thread_flags_set = fake_thread_flags_set,
    .contacts_list = fake_contacts_list,
    .contact_add = fake_contact_add,
    .contact_rename = fake_contact_rename,
    .contact_delete = fake_contact_delete,
    .contact_find = fake_contact_find,
    .parked_add = fake_parked_add,
    .parked_get = fake_parked_get,
};

static void locks_init(fake_store_t *fake)
{
    pthread_mutexattr_t checked;
    pthread_condattr_t steady;

    pthread_mutexattr_init(&checked);
    pthread_mutexattr_settype(&checked, PTHREAD_MUTEX_ERRORCHECK);
    pthread_mutex_init(&fake->lock, &checked);
    pthread_condattr_init(&steady);
    pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
    pthread_cond_init(&fake->news, &steady);
}

fake_store_t *fake_store_create(apr_pool_t *p)
{
    fake_store_t *fake = apr_pcalloc(p, sizeof(*fake));

    fake->base.ops = &fake_ops;
    fake->p = p;
    locks_init(fake);
    fake->by_number = apr_array_make(p, 16, sizeof(fake_message_t *));
    fake->ids = apr_hash_make(p);
    fake->sids = apr_hash_make(p);
    fake->keys = apr_hash_make(p);
    fake->threads = apr_hash_make(p);
    fake->contacts = apr_array_make(p, 4, sizeof(wa_contact_t));
    fake->parked = apr_hash_make(p);
    fake->commits = apr_array_make(p, 16, sizeof(fake_commit_t));
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
    return (apr_size_t)fake->by_number->nelts;
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

void fake_store_follow_clock(fake_store_t *fake)
{
    fake->is_clock_followed = 1;
    fake->now_ms = 0;
}
