/* SPDX-License-Identifier: Apache-2.0 */
/* Makes and reads the journal's records; the format itself is described in docs/STORE.md. */
#include "store/log/record.h"

#include <stddef.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "store/store.h"

#define PAYLOAD(r) ((const char *)(r) + sizeof(wa_record_t))
/* What is read is bounded as what is written. */
#define ID_MAX WA_STORE_ID_MAX
#define NAME_MAX_BYTES WA_STORE_NAME_MAX
#define TEXT_MAX WA_STORE_TEXT_MAX
#define FLAGS_MAX 0xFFu /* that a message changes */

_Static_assert(WA_STORE_MESSAGE_MAX + 4096 < WA_RECORD_MAX, "the longest message has to fit");

#define ALIGN8(n) (((n) + 7u) & ~(apr_size_t)7u)

typedef struct message_lengths_t {
    apr_int64_t written_ms;
    apr_uint32_t body, attributes, delivery;
    apr_uint16_t id, sid, counterpart, phone_number, idempotency_key, preview;
    apr_byte_t direction, status;
    apr_byte_t preview_is_body; /* 1: the preview is the first `preview` bytes of the body */
    apr_byte_t flags_set;
    apr_uint16_t profile_name;
    apr_byte_t flags_clear, reserved;
} message_lengths_t;

typedef struct state_lengths_t {
    apr_uint64_t previous;
    apr_uint32_t delivery;
    apr_uint16_t sid;
    apr_byte_t status, sid_is_new;
} state_lengths_t;

typedef struct thread_lengths_t {
    apr_uint32_t flags, counterpart;
} thread_lengths_t;

typedef struct contact_lengths_t {
    apr_int64_t created_ms;
    apr_uint16_t id, phone_number, display_name, reserved;
} contact_lengths_t;

typedef struct parked_lengths_t {
    apr_uint32_t key, value;
} parked_lengths_t;

/* Walks the parts of a payload; `failed` is set once a part does not fit. */
typedef struct cursor_t {
    const char *at;
    apr_size_t left;
    int failed;
} cursor_t;

static cursor_t cursor_begin(const wa_record_t *r, void *lengths, apr_size_t size)
{
    cursor_t c = {PAYLOAD(r), r->payload_length, 0};

    if (c.left < size) {
        memset(lengths, 0, size);
        c.failed = 1;
        return c;
    }
    memcpy(lengths, c.at, size);
    c.at += size;
    c.left -= size;
    return c;
}

static wa_slice_t cursor_take(cursor_t *c, apr_size_t len)
{
    wa_slice_t part = {NULL, 0};

    if (c->failed || len > c->left) {
        c->failed = 1;
        return part;
    }
    part = wa_slice_make(c->at, len);
    c->at += len;
    c->left -= len;
    return part;
}

/* The same for a text with bounds of its own: those that making it keeps. */
static wa_slice_t cursor_take_text(cursor_t *c, apr_size_t len, apr_size_t min, apr_size_t max)
{
    c->failed |= len < min || len > max;
    return cursor_take(c, len);
}

static apr_status_t cursor_end(const cursor_t *c)
{
    return c->failed || c->left ? APR_EGENERAL : APR_SUCCESS;
}

static void key_set(wa_record_keys_t *keys, int place, const char *kind, wa_slice_t name,
                    wa_key_use_e use)
{
    if (name.len) {
        keys->key[place] = (wa_record_key_t){kind, name, use};
        keys->made += use == WA_KEY_MADE;
    }
}

/* The places of keys are on the disk, as those of the conflict keys. */
void wa_record_message_keys(const wa_record_message_t *m, wa_record_keys_t *keys)
{
    memset(keys, 0, sizeof(*keys));
    key_set(keys, 0, "id", m->id, WA_KEY_MADE);
    key_set(keys, 1, "sid", m->sid, WA_KEY_MADE);
    key_set(keys, 2, "idem", m->idempotency_key, WA_KEY_MADE);
    if (m->flags_set | m->flags_clear) { /* such a one has no idempotency key */
        key_set(keys, 2, "thread", m->counterpart, WA_KEY_GUARDED);
    }
}

static void conflicts_set(wa_record_t *r, const wa_record_keys_t *keys)
{
    int i;

    for (i = 0; i < WA_RECORD_CONFLICTS; i++) {
        const wa_record_key_t *key = &keys->key[i];

        r->conflicts[i] = key->kind && key->use != WA_KEY_REPEATED
                              ? wa_record_conflict(key->kind, key->name.ptr, key->name.len)
                              : 0;
    }
}

/* What a payload is put together of, in this order. */
typedef struct payload_t {
    const wa_slice_t *parts;
    apr_size_t count;
} payload_t;

#define PAYLOAD_OF(parts) (&(payload_t){parts, sizeof(parts) / sizeof((parts)[0])})

/* @param row  the message that it is about, 0 for none */
static apr_status_t record_make(wa_record_t **pr, wa_record_type_e type, apr_uint64_t row,
                                const payload_t *payload, apr_pool_t *p)
{
    apr_size_t length = 0, i;
    wa_record_t *r;
    char *at;

    *pr = NULL;
    for (i = 0; i < payload->count; i++) {
        if (payload->parts[i].len > WA_RECORD_MAX) {
            return APR_EINVAL;
        }
        length += payload->parts[i].len;
    }
    if (sizeof(*r) + length + 8 > WA_RECORD_MAX) {
        return APR_EINVAL;
    }
    r = apr_palloc(p, ALIGN8(sizeof(*r) + length));
    memset(r, 0, sizeof(*r));
    r->type = (apr_byte_t)type;
    r->row = row;
    r->payload_length = (apr_uint32_t)length;
    r->length = (apr_uint32_t)ALIGN8(sizeof(*r) + length);
    at = (char *)r + sizeof(*r);
    for (i = 0; i < payload->count; i++) {
        const wa_slice_t part = payload->parts[i];

        if (part.len) {
            memcpy(at, part.ptr, part.len);
            at += part.len;
        }
    }
    memset(at, 0, (apr_size_t)((char *)r + r->length - at));
    r->payload_crc = wa_crc32c(0, PAYLOAD(r), length);
    if (type != WA_RECORD_MESSAGE) { /* whose maker has the parts at hand */
        wa_record_keys_t keys;

        if (wa_record_keys_read(r, &keys) != APR_SUCCESS) {
            return APR_EINVAL;
        }
        conflicts_set(r, &keys);
    }
    *pr = r;
    return APR_SUCCESS;
}

static int begins_with(wa_slice_t text, wa_slice_t begin)
{
    return text.len >= begin.len && (begin.len == 0 || memcmp(text.ptr, begin.ptr, begin.len) == 0);
}

static int message_fits(const wa_message_new_t *m, const wa_record_message_t *parts)
{
    return parts->id.len > 0 && parts->id.len <= ID_MAX && parts->sid.len <= ID_MAX
           && parts->counterpart.len > 0 && parts->counterpart.len <= NAME_MAX_BYTES
           && parts->phone_number.len <= NAME_MAX_BYTES
           && parts->idempotency_key.len <= NAME_MAX_BYTES && m->preview.len <= TEXT_MAX
           && m->profile_name.len <= TEXT_MAX && m->body.len <= WA_RECORD_MAX
           && m->attributes.len <= WA_RECORD_MAX && m->delivery.len <= WA_RECORD_MAX
           && m->status <= WA_STATUS_FAILED && (m->flags_set | m->flags_clear) <= FLAGS_MAX
           && (parts->idempotency_key.len == 0 || (m->flags_set | m->flags_clear) == 0);
}

static void message_lengths(message_lengths_t *l, const wa_message_new_t *m,
                            const wa_record_message_t *parts)
{
    memset(l, 0, sizeof(*l));
    l->written_ms = m->date_ms > 0 ? m->date_ms : 0;
    l->body = (apr_uint32_t)m->body.len;
    l->attributes = (apr_uint32_t)m->attributes.len;
    l->delivery = (apr_uint32_t)m->delivery.len;
    l->id = (apr_uint16_t)parts->id.len;
    l->sid = (apr_uint16_t)parts->sid.len;
    l->counterpart = (apr_uint16_t)parts->counterpart.len;
    l->phone_number = (apr_uint16_t)parts->phone_number.len;
    l->idempotency_key = (apr_uint16_t)parts->idempotency_key.len;
    l->preview = (apr_uint16_t)m->preview.len;
    l->profile_name = (apr_uint16_t)m->profile_name.len;
    l->direction = (apr_byte_t)m->direction;
    l->status = (apr_byte_t)m->status;
    l->preview_is_body = (apr_byte_t)begins_with(m->body, m->preview);
    l->flags_set = (apr_byte_t)m->flags_set;
    l->flags_clear = (apr_byte_t)m->flags_clear;
}

apr_status_t wa_record_message_make(wa_record_t **pr, const wa_message_new_t *m, apr_pool_t *p)
{
    const wa_record_message_t named = {.id = wa_slice_of(m->id),
                                       .sid = wa_slice_of(m->sid),
                                       .counterpart = wa_slice_of(m->counterpart),
                                       .phone_number = wa_slice_of(m->phone_number),
                                       .idempotency_key = wa_slice_of(m->idempotency_key),
                                       .flags_set = m->flags_set,
                                       .flags_clear = m->flags_clear};
    message_lengths_t l;
    wa_record_keys_t keys;
    apr_status_t rv;

    *pr = NULL;
    if (!message_fits(m, &named)) {
        return APR_EINVAL;
    }
    message_lengths(&l, m, &named);
    {
        const wa_slice_t parts[] = {wa_slice_make(&l, sizeof(l)),
                                    named.id,
                                    named.sid,
                                    named.counterpart,
                                    named.phone_number,
                                    named.idempotency_key,
                                    l.preview_is_body ? (wa_slice_t){NULL, 0} : m->preview,
                                    m->body,
                                    m->attributes,
                                    m->delivery,
                                    m->profile_name};

        rv = record_make(pr, WA_RECORD_MESSAGE, 0, PAYLOAD_OF(parts), p);
    }
    if (rv == APR_SUCCESS) {
        wa_record_message_keys(&named, &keys);
        conflicts_set(*pr, &keys);
    }
    return rv;
}

apr_status_t wa_record_message_read(const wa_record_t *r, wa_record_message_t *m)
{
    message_lengths_t l;
    cursor_t c = cursor_begin(r, &l, sizeof(l));

    m->id = cursor_take_text(&c, l.id, 1, ID_MAX);
    m->sid = cursor_take_text(&c, l.sid, 0, ID_MAX);
    m->counterpart = cursor_take_text(&c, l.counterpart, 1, NAME_MAX_BYTES);
    m->phone_number = cursor_take_text(&c, l.phone_number, 0, NAME_MAX_BYTES);
    m->idempotency_key = cursor_take_text(&c, l.idempotency_key, 0, NAME_MAX_BYTES);
    m->preview = cursor_take_text(&c, l.preview_is_body ? 0 : l.preview, 0, TEXT_MAX);
    m->body = cursor_take(&c, l.body);
    m->attributes = cursor_take(&c, l.attributes);
    m->delivery = cursor_take(&c, l.delivery);
    m->profile_name = cursor_take_text(&c, l.profile_name, 0, TEXT_MAX);
    if (l.preview_is_body) {
        c.failed |= l.preview > m->body.len || l.preview > TEXT_MAX;
        m->preview = wa_slice_make(m->body.ptr, c.failed ? 0 : l.preview);
    }
    m->written_ms = l.written_ms;
    m->direction = l.direction == WA_DIRECTION_RECEIVED ? WA_DIRECTION_RECEIVED : WA_DIRECTION_SENT;
    m->status = (wa_status_e)l.status;
    m->flags_set = l.flags_set;
    m->flags_clear = l.flags_clear;
    c.failed |= l.status > WA_STATUS_FAILED;
    c.failed |= m->idempotency_key.len > 0 && (m->flags_set | m->flags_clear) != 0;
    return cursor_end(&c);
}

apr_status_t wa_record_state_make(wa_record_t **pr, const wa_record_state_t *s, apr_uint64_t row,
                                  apr_pool_t *p)
{
    state_lengths_t l;
    wa_slice_t parts[3];

    *pr = NULL;
    if (s->sid.len > ID_MAX || s->status > WA_STATUS_FAILED) {
        return APR_EINVAL;
    }
    memset(&l, 0, sizeof(l));
    l.previous = s->previous;
    l.delivery = (apr_uint32_t)s->delivery.len;
    l.sid = (apr_uint16_t)s->sid.len;
    l.status = (apr_byte_t)s->status;
    l.sid_is_new = (apr_byte_t)(s->sid_is_new != 0);
    parts[0] = wa_slice_make(&l, sizeof(l));
    parts[1] = s->sid;
    parts[2] = s->delivery;
    return record_make(pr, WA_RECORD_STATE, row, PAYLOAD_OF(parts), p);
}

apr_status_t wa_record_state_read(const wa_record_t *r, wa_record_state_t *s)
{
    state_lengths_t l;
    cursor_t c = cursor_begin(r, &l, sizeof(l));

    s->sid = cursor_take_text(&c, l.sid, 0, ID_MAX);
    s->delivery = cursor_take(&c, l.delivery);
    s->status = (wa_status_e)l.status;
    s->sid_is_new = l.sid_is_new;
    s->previous = l.previous;
    c.failed |= l.status > WA_STATUS_FAILED;
    return cursor_end(&c);
}

apr_status_t wa_record_thread_make(wa_record_t **pr, wa_record_type_e type,
                                   const wa_record_thread_t *t, apr_uint64_t row, apr_pool_t *p)
{
    thread_lengths_t l = {t->flags, (apr_uint32_t)t->counterpart.len};
    wa_slice_t parts[2];

    *pr = NULL;
    if (!t->counterpart.len || t->counterpart.len > NAME_MAX_BYTES) {
        return APR_EINVAL;
    }
    parts[0] = wa_slice_make(&l, sizeof(l));
    parts[1] = t->counterpart;
    return record_make(pr, type, row, PAYLOAD_OF(parts), p);
}

apr_status_t wa_record_thread_read(const wa_record_t *r, wa_record_thread_t *t)
{
    thread_lengths_t l;
    cursor_t c = cursor_begin(r, &l, sizeof(l));

    t->counterpart = cursor_take_text(&c, l.counterpart, 1, NAME_MAX_BYTES);
    t->flags = l.flags;
    return cursor_end(&c);
}

apr_status_t wa_record_contact_make(wa_record_t **pr, wa_record_type_e type,
                                    const wa_record_contact_t *contact, apr_pool_t *p)
{
    contact_lengths_t l;
    wa_slice_t parts[4];

    *pr = NULL;
    if (!contact->id.len || contact->id.len > ID_MAX || !contact->phone_number.len
        || contact->phone_number.len > NAME_MAX_BYTES || contact->display_name.len > TEXT_MAX
        || !wa_record_time_is_valid(contact->created_ms)) {
        return APR_EINVAL;
    }
    memset(&l, 0, sizeof(l));
    l.created_ms = contact->created_ms;
    l.id = (apr_uint16_t)contact->id.len;
    l.phone_number = (apr_uint16_t)contact->phone_number.len;
    l.display_name = (apr_uint16_t)contact->display_name.len;
    parts[0] = wa_slice_make(&l, sizeof(l));
    parts[1] = contact->id;
    parts[2] = contact->phone_number;
    parts[3] = contact->display_name;
    return record_make(pr, type, 0, PAYLOAD_OF(parts), p);
}

apr_status_t wa_record_contact_read(const wa_record_t *r, wa_record_contact_t *contact)
{
    contact_lengths_t l;
    cursor_t c = cursor_begin(r, &l, sizeof(l));

    contact->id = cursor_take_text(&c, l.id, 1, ID_MAX);
    contact->phone_number = cursor_take_text(&c, l.phone_number, 1, NAME_MAX_BYTES);
    contact->display_name = cursor_take_text(&c, l.display_name, 0, TEXT_MAX);
    contact->created_ms = l.created_ms;
    c.failed |= !wa_record_time_is_valid(l.created_ms);
    return cursor_end(&c);
}

apr_status_t wa_record_parked_make(wa_record_t **pr, const wa_record_parked_t *k, apr_pool_t *p)
{
    parked_lengths_t l = {(apr_uint32_t)k->key.len, (apr_uint32_t)k->value.len};
    wa_slice_t parts[3];

    *pr = NULL;
    if (!k->key.len || k->key.len > NAME_MAX_BYTES || k->value.len > TEXT_MAX) {
        return APR_EINVAL;
    }
    parts[0] = wa_slice_make(&l, sizeof(l));
    parts[1] = k->key;
    parts[2] = k->value;
    return record_make(pr, WA_RECORD_PARKED, 0, PAYLOAD_OF(parts), p);
}

apr_status_t wa_record_parked_read(const wa_record_t *r, wa_record_parked_t *k)
{
    parked_lengths_t l;
    cursor_t c = cursor_begin(r, &l, sizeof(l));

    k->key = cursor_take_text(&c, l.key, 1, NAME_MAX_BYTES);
    k->value = cursor_take_text(&c, l.value, 0, TEXT_MAX);
    return cursor_end(&c);
}

apr_status_t wa_record_keys_read(const wa_record_t *r, wa_record_keys_t *keys)
{
    wa_record_message_t m;
    wa_record_state_t s;
    wa_record_thread_t t;
    wa_record_contact_t c;
    wa_record_parked_t k;
    apr_status_t rv = APR_SUCCESS;

    memset(keys, 0, sizeof(*keys));
    switch (r->type) {
    case WA_RECORD_MESSAGE:
        rv = wa_record_message_read(r, &m);
        wa_record_message_keys(&m, keys);
        break;
    case WA_RECORD_STATE:
        rv = wa_record_state_read(r, &s);
        key_set(keys, 0, "state", wa_slice_make((const char *)&r->row, sizeof(r->row)),
                WA_KEY_GUARDED);
        key_set(keys, 1, "sid", s.sid, s.sid_is_new ? WA_KEY_MADE : WA_KEY_REPEATED);
        break;
    case WA_RECORD_READ:
    case WA_RECORD_FLAGS:
        rv = wa_record_thread_read(r, &t);
        key_set(keys, 0, "thread", t.counterpart, WA_KEY_GUARDED);
        break;
    case WA_RECORD_CONTACT:
    case WA_RECORD_CONTACT_DELETE:
        rv = wa_record_contact_read(r, &c);
        key_set(keys, 0, "contact", c.id, WA_KEY_GUARDED);
        key_set(keys, 1, "number", c.phone_number, WA_KEY_GUARDED);
        break;
    case WA_RECORD_PARKED:
        rv = wa_record_parked_read(r, &k);
        key_set(keys, 0, "park", k.key, WA_KEY_GUARDED);
        break;
    default:
        break;
    }
    if (rv != APR_SUCCESS) {
        memset(keys, 0, sizeof(*keys));
    }
    return rv;
}

apr_int64_t wa_record_date_ms(const wa_record_t *r)
{
    if (r->date_s < WA_CLOCK_SET_S || r->date_s == r->timestamp_ms / 1000) {
        return r->timestamp_ms;
    }
    return (apr_int64_t)r->date_s * 1000;
}

void wa_record_date_set(wa_record_t *r, apr_int64_t date_ms)
{
    const apr_int64_t date_s = date_ms / 1000;

    r->date_s = date_s < 0 ? 0 : date_s > APR_UINT32_MAX ? APR_UINT32_MAX : (apr_uint32_t)date_s;
}

apr_uint32_t wa_record_header_crc(const wa_record_t *r, apr_uint64_t offset, apr_uint64_t salt)
{
    apr_uint64_t place[2] = {salt, offset};

    return wa_crc32c(wa_crc32c(0, place, sizeof(place)), &r->length,
                     sizeof(*r) - offsetof(wa_record_t, length));
}

/* Of a record that is no filler: 1 when number, row and time can be there. */
static int numbers_are_possible(const wa_record_t *r, apr_uint64_t offset)
{
    return r->number > 0 && r->number - 1 <= wa_records_before(offset)
           && r->row <= wa_rows_before(offset) + 1 && (r->row > 0 || r->type != WA_RECORD_MESSAGE)
           && wa_record_time_is_valid(r->timestamp_ms);
}

int wa_record_header_is_valid(const wa_record_t *r, apr_uint64_t available, apr_uint64_t offset,
                              apr_uint64_t salt)
{
    return available >= sizeof(*r) && r->magic == WA_RECORD_MAGIC && r->length <= available
           && r->length <= WA_RECORD_MAX && r->length % 8 == 0 && r->payload_length <= r->length
           && r->length - r->payload_length >= sizeof(*r)
           && (r->type == WA_RECORD_FILLER || numbers_are_possible(r, offset))
           && r->header_crc == wa_record_header_crc(r, offset, salt);
}

int wa_record_payload_is_valid(const wa_record_t *r)
{
    return r->type == WA_RECORD_FILLER
           || r->payload_crc == wa_crc32c(0, PAYLOAD(r), r->payload_length);
}

int wa_record_is_sound(const wa_record_t *r)
{
    wa_record_keys_t keys;

    return wa_record_payload_is_valid(r) && wa_record_keys_read(r, &keys) == APR_SUCCESS;
}

int wa_record_is_next(const wa_record_chain_t *chain, const wa_record_t *r)
{
    if (r->type == WA_RECORD_FILLER) {
        return 1;
    }
    if (r->type == WA_RECORD_MESSAGE && r->row <= chain->rows) {
        return 0;
    }
    return chain->is_broken ? r->number > chain->number
                            : r->number == chain->number + 1 && r->prev_crc == chain->crc;
}

apr_uint64_t wa_record_conflict(const char *kind, const void *name, apr_size_t len)
{
    apr_uint64_t h = wa_hash64(wa_hash64(0, kind, strlen(kind)), name, len);

    return h ? h : 1;
}

void wa_record_filler_make(wa_record_t *r, apr_uint32_t length)
{
    memset(r, 0, sizeof(*r));
    r->type = WA_RECORD_FILLER;
    r->length = length;
    r->payload_length = length - (apr_uint32_t)sizeof(*r);
}
