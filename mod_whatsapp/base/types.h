/* SPDX-License-Identifier: Apache-2.0 */
/* The messenger's nouns: message, thread, contact, as every layer passes them. */
#ifndef WA_BASE_TYPES_H
#define WA_BASE_TYPES_H

#include <apr.h>

#include "base/slice.h"

typedef enum { WA_DIRECTION_SENT = 0, WA_DIRECTION_RECEIVED = 1 } wa_direction_e;

/* The API's `status` of a sent message; a received one has WA_STATUS_NONE, or WA_STATUS_PENDING
 * while attachments of it are looked for (messaging/message/late_media.h). The values are stored on
 * disk: never renumber. */
typedef enum {
    WA_STATUS_NONE = 0,
    WA_STATUS_PENDING = 1,
    WA_STATUS_SUCCESS = 2,
    WA_STATUS_FAILED = 3
} wa_status_e;

/* One message as read from the store: its fields. All slices are UTF-8 without NUL but for the last
 * two, owned by the store or by the pool of the call. */
typedef struct wa_message_t {
    /* our id, [0-9A-Za-z_-]{1,64} */
    wa_slice_t id;
    /* Twilio's newest MessageSid of it, empty while unknown */
    wa_slice_t sid;
    /* "+15551230001", or another id that Twilio gave as From */
    wa_slice_t counterpart;
    /* ours */
    wa_slice_t phone_number;
    wa_slice_t body;
    wa_direction_e direction;
    wa_status_e status;
    /* given by the store's commit, unix milliseconds */
    apr_int64_t timestamp_ms;
    /* commit time of its newest state, else timestamp_ms */
    apr_int64_t changed_ms;
    /* When it was made: by the clock of then, or by Twilio's date of a received message that was
     * fetched. Unlike timestamp_ms it neither grows from message to message nor follows a store
     * whose time is ahead of the clock: for how long ago. It may be wrong where the clock was. */
    apr_int64_t date_ms;
    /* 1 for a received message that was not marked read */
    int unread;
    /* joined when read; empty when the counterpart is no contact */
    wa_slice_t contact_id;
    /* What else belongs to it and never changes (messaging/message/attributes.h), and what is known
     * of its delivery (messaging/delivery/state.h), of a received one of attachments that were late
     * (messaging/message/late_media.h): fields that the store keeps and does not read; empty for
     * none. */
    wa_slice_t attributes;
    wa_slice_t delivery;
} wa_message_t;

/* A message to be stored. Strings are NUL-terminated UTF-8 owned by the caller for the time of
 * the call. */
typedef struct wa_message_new_t {
    /* unique; the store refuses a second one with APR_EEXIST */
    const char *id;
    /* NULL while unknown; the dedupe key of inbound messages */
    const char *sid;
    const char *counterpart;
    /* ours; NULL for none */
    const char *phone_number;
    wa_slice_t body;
    wa_direction_e direction;
    wa_status_e status;
    /* 0: given by the commit. Otherwise (load only) kept, and refused with APR_EINVAL when older
     * than the newest */
    apr_int64_t timestamp_ms;
    /* Twilio's date of a message that was fetched; 0: the clock's */
    apr_int64_t date_ms;
    /* NULL for none; unique among sent messages while it counts (WA_STORE_IDEMPOTENCY_MS) */
    const char *idempotency_key;
    /* what the thread list shows of it; takes no room where the body begins with it */
    wa_slice_t preview;
    /* flags of its thread (WA_THREAD_*, up to 0xFF) that are set and cleared in the commit of the
     * message; none where it has an idempotency key */
    apr_uint32_t flags_set, flags_clear;
    /* of a received one, how its sender is called by themself: becomes the thread's; empty where
     * that is not told, and then the thread keeps what it has */
    wa_slice_t profile_name;
    /* see wa_message_t */
    wa_slice_t attributes;
    wa_slice_t delivery;
} wa_message_new_t;

/* A new state of a stored message. Owned by the caller for the time of the call. */
typedef struct wa_message_state_t {
    wa_status_e status;
    const char *sid; /* NULL keeps what is known; a new sid becomes findable */
    wa_slice_t delivery;
} wa_message_state_t;

/* When a counterpart wrote last to one of our numbers. */
typedef struct wa_inbound_t {
    /* ours; empty for messages that name none */
    wa_slice_t phone_number;
    /* the latest wa_message_t.date_ms of what they wrote to it */
    apr_int64_t date_ms;
    /* Where the clock went back after that: they wrote before this, whatever the date says; else
     * 0 */
    apr_int64_t before_ms;
} wa_inbound_t;

/* One row of the thread list. */
typedef struct wa_thread_t {
    wa_slice_t counterpart;
    wa_slice_t preview;
    /* the newest name that the counterpart gave themself; empty for none */
    wa_slice_t profile_name;
    apr_int64_t last_timestamp_ms;
    /* commit time of the newest change of anything in this row, contact name included */
    apr_int64_t changed_ms;
    /* 0 when nothing was ever received */
    apr_int64_t last_inbound_ms;
    /* one for each of our numbers that they wrote to (WA_STORE_NUMBERS_MAX), in no order of its
     * own */
    const wa_inbound_t *inbound;
    apr_size_t inbound_count;
    wa_direction_e last_direction;
    apr_uint64_t message_count;
    apr_uint64_t unread_count;
    /* WA_THREAD_* */
    apr_uint32_t flags;
    /* both empty when the counterpart is no contact */
    wa_slice_t contact_id;
    wa_slice_t contact_name;
} wa_thread_t;

/* Flags of a thread, set by messaging/; the store only keeps them. Stored on disk: never
 * renumber. */
enum { WA_THREAD_BLOCKED = 1, WA_THREAD_OPTED_OUT = 2 };

typedef struct wa_contact_t {
    wa_slice_t id;           /* UUID v4 */
    wa_slice_t phone_number; /* E.164 with + */
    wa_slice_t display_name;
    apr_int64_t created_ms;
    apr_int64_t updated_ms;
} wa_contact_t;

#endif
