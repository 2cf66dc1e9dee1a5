/* SPDX-License-Identifier: Apache-2.0 */
/* The journal's records: their layout on disk, how one is made, and how one is read without
 * trusting it. */
#ifndef WA_STORE_LOG_RECORD_H
#define WA_STORE_LOG_RECORD_H

#include <apr_errno.h>
#include <apr_pools.h>

#include "base/types.h"

/* "WAR1" on little-endian machines; one of the other byte order reads something else and refuses
 * the store. */
#define WA_RECORD_MAGIC 0x31524157u
#define WA_RECORD_MAX (1024u * 1024u)
#define WA_RECORD_CONFLICTS 3

/* Records begin at this offset of a journal. */
#define WA_RECORDS_START ((apr_uint64_t)4096)

/* The shortest record, and the shortest of a message (its lengths, an id and a counterpart of one
 * byte). Numbers and rows are bounded by how many of these fit before a record: what a journal says
 * of itself is believed no further than its length allows. */
#define WA_RECORD_MIN ((apr_uint64_t)sizeof(wa_record_t))
#define WA_RECORD_MESSAGE_MIN ((apr_uint64_t)128)

/* The latest time of a record, in the year 287396: every integer up to it is one in JavaScript too,
 * and microseconds of it are no overflow. */
#define WA_RECORD_TIME_MAX ((apr_int64_t)1 << 53)

/* Stored on disk: never renumber. */
typedef enum {
    WA_RECORD_FILLER = 1,  /* stands where damaged bytes were cut out */
    WA_RECORD_MESSAGE = 2, /* a new message; header.row is its number */
    WA_RECORD_STATE = 3,   /* the whole new state of message header.row */
    WA_RECORD_READ = 4,    /* a thread was read up to message header.row */
    WA_RECORD_FLAGS = 5,   /* the whole new flags of a thread */
    WA_RECORD_CONTACT = 6, /* a contact as it is from now on */
    WA_RECORD_CONTACT_DELETE = 7,
    WA_RECORD_PARKED = 8 /* the whole value parked under a key */
} wa_record_type_e;

/* On disk at an offset that is a multiple of 8, followed by the payload and zeros up to `length`.
 * header_crc covers everything after it in the header and the offset and the store's salt, so that
 * a record is valid only where it was written and cannot be forged by message text. prev_crc names
 * the header of the record before it. `conflicts` are the hashes of what the record's validity
 * depends on (see order.h). */
typedef struct wa_record_t {
    apr_uint32_t magic;
    apr_uint32_t header_crc;
    apr_uint32_t length; /* header, payload, padding */
    apr_uint32_t payload_length;
    apr_uint32_t payload_crc;
    apr_uint32_t prev_crc;
    apr_byte_t type;
    apr_byte_t reserved[3];
    apr_uint32_t date_s; /* what the clock said at the commit, unix seconds; 0: not known */
    apr_int64_t timestamp_ms;
    apr_uint64_t number; /* 1 for the first record of the store, then counting */
    apr_uint64_t row;
    apr_uint64_t conflicts[WA_RECORD_CONFLICTS]; /* 0 for unused */
} wa_record_t;

/* How many records, and how many messages, can stand before `offset` at most. Any thread. */
static inline apr_uint64_t wa_records_before(apr_uint64_t offset)
{
    return offset > WA_RECORDS_START ? (offset - WA_RECORDS_START) / WA_RECORD_MIN : 0;
}

static inline apr_uint64_t wa_rows_before(apr_uint64_t offset)
{
    return offset > WA_RECORDS_START ? (offset - WA_RECORDS_START) / WA_RECORD_MESSAGE_MIN : 0;
}

/* 1 for a time that a record may have. Any thread. */
static inline int wa_record_time_is_valid(apr_int64_t ms)
{
    return ms >= 0 && ms <= WA_RECORD_TIME_MAX;
}

/* The parts of the payloads; slices point into the record. */
typedef struct wa_record_message_t {
    wa_slice_t id, sid, counterpart, phone_number, idempotency_key, preview, body, attributes,
        delivery, profile_name;
    wa_direction_e direction;
    wa_status_e status;
    apr_int64_t written_ms; /* by Twilio's date, 0: not told */
    /* what it changes in the flags of its thread */
    apr_uint32_t flags_set, flags_clear;
} wa_record_message_t;

typedef struct wa_record_state_t {
    wa_slice_t sid, delivery;
    wa_status_e status;
    int sid_is_new;        /* 1: this record makes the sid findable */
    apr_uint64_t previous; /* offset of the state before, 0 when that is the message's own */
} wa_record_state_t;

typedef struct wa_record_thread_t { /* READ and FLAGS */
    wa_slice_t counterpart;
    apr_uint32_t flags;
} wa_record_thread_t;

typedef struct wa_record_contact_t { /* CONTACT and CONTACT_DELETE */
    wa_slice_t id, phone_number, display_name;
    apr_int64_t created_ms; /* 0: the record's own timestamp */
} wa_record_contact_t;

typedef struct wa_record_parked_t {
    wa_slice_t key, value;
} wa_record_parked_t;

/* Each makes a record in p, complete but for what the commit gives (magic, crc, times, numbers).
 * @return APR_SUCCESS | APR_EINVAL a part is too long for the format. Any thread. */
apr_status_t wa_record_message_make(wa_record_t **pr, const wa_message_new_t *m, apr_pool_t *p);
apr_status_t wa_record_state_make(wa_record_t **pr, const wa_record_state_t *s, apr_uint64_t row,
                                  apr_pool_t *p);
apr_status_t wa_record_thread_make(wa_record_t **pr, wa_record_type_e type,
                                   const wa_record_thread_t *t, apr_uint64_t row, apr_pool_t *p);
apr_status_t wa_record_contact_make(wa_record_t **pr, wa_record_type_e type,
                                    const wa_record_contact_t *c, apr_pool_t *p);
apr_status_t wa_record_parked_make(wa_record_t **pr, const wa_record_parked_t *k, apr_pool_t *p);

/* Each reads the payload of a record of its type whose checksums hold.
 * @return APR_SUCCESS | APR_EGENERAL its lengths do not fit, or it says what no record that was
 *     made here says. Any thread. */
apr_status_t wa_record_message_read(const wa_record_t *r, wa_record_message_t *m);
apr_status_t wa_record_state_read(const wa_record_t *r, wa_record_state_t *s);
apr_status_t wa_record_thread_read(const wa_record_t *r, wa_record_thread_t *t);
apr_status_t wa_record_contact_read(const wa_record_t *r, wa_record_contact_t *c);
apr_status_t wa_record_parked_read(const wa_record_t *r, wa_record_parked_t *k);

/* What a name that a record has to do with means. */
typedef enum {
    /* two records that have it are never written without their writers seeing each other */
    WA_KEY_GUARDED,
    /* the same, and from this record on its message is found by the name */
    WA_KEY_MADE,
    /* its message is found by the name since an earlier record */
    WA_KEY_REPEATED
} wa_key_use_e;

typedef struct wa_record_key_t {
    /* "id", "sid", "idem": of messages; "state", "thread", "contact", "number", "park"; NULL:
     * none */
    const char *kind;
    /* in the record */
    wa_slice_t name;
    wa_key_use_e use;
} wa_record_key_t;

/* The key at place n is what conflicts[n] is the hash of; one without a kind is none. */
typedef struct wa_record_keys_t {
    wa_record_key_t key[WA_RECORD_CONFLICTS];
    unsigned made; /* how many of them are WA_KEY_MADE */
} wa_record_keys_t;

/* Which names a record has to do with, from its type, its row and its payload: the conflict keys of
 * making one, the count of keys in its commit, what the index gets, and what is looked for when the
 * index is checked all follow from this.
 * @return APR_SUCCESS | APR_EGENERAL the payload is not a readable one: there are none. Any
 * thread. */
apr_status_t wa_record_keys_read(const wa_record_t *r, wa_record_keys_t *keys);

/* The same for who has read a message already. Any thread. */
void wa_record_message_keys(const wa_record_message_t *m, wa_record_keys_t *keys);

/* When a record was made by the clock of then, which its timestamp may be ahead of: unix
 * milliseconds, to the second where the two differ. A clock that was never set (before 2010) counts
 * as not known, and then it is the timestamp. Any thread. */
apr_int64_t wa_record_date_ms(const wa_record_t *r);

/* Sets it. Any thread. */
void wa_record_date_set(wa_record_t *r, apr_int64_t date_ms);

/* The header checksum of a record at `offset` of a store with `salt`. Any thread. */
apr_uint32_t wa_record_header_crc(const wa_record_t *r, apr_uint64_t offset, apr_uint64_t salt);

/* 1 when `available` bytes at `r` hold a whole record whose header is right for `offset`: its
 * checksum, and every number of it within what can be there. The payload is not looked at. Any
 * thread. */
int wa_record_header_is_valid(const wa_record_t *r, apr_uint64_t available, apr_uint64_t offset,
                              apr_uint64_t salt);

/* 1 when the payload is what was written. Call after wa_record_header_is_valid. Any thread. */
int wa_record_payload_is_valid(const wa_record_t *r);

/* 1 when the payload is what was written and can be read, or the type is of a later version. For
 * whoever takes a journal in, record by record: what it refuses is damage. Call after
 * wa_record_header_is_valid. Any thread. */
int wa_record_is_sound(const wa_record_t *r);

/* What the record before says of the one that comes after it. */
typedef struct wa_record_chain_t {
    /* of the last record */
    apr_uint64_t number;
    /* how many messages there are: rows may be missing where damage was cut out, but never come
     * back */
    apr_uint64_t rows;
    /* the last record's header_crc */
    apr_uint32_t crc;
    /* 1: damage or a filler stands between */
    int is_broken;
} wa_record_chain_t;

/* 1 when a sound record is the one that was written next, or a filler. Any thread. */
int wa_record_is_next(const wa_record_chain_t *chain, const wa_record_t *r);

/* Whoever finds two names with one conflict key gains that one of their writers tries a second
 * time: so it needs no key. The hash that stands in `conflicts` for a key: its kind and its name.
 * Never 0. Any thread. */
apr_uint64_t wa_record_conflict(const char *kind, const void *name, apr_size_t len);

/* A filler record header for `length` bytes of cut-out damage. Any thread. */
void wa_record_filler_make(wa_record_t *r, apr_uint32_t length);

#endif
