/* SPDX-License-Identifier: Apache-2.0 */
/* One {"key":...,"value":...} of a dump or an export: read, checked, and made into what the store
 * takes. */
#ifndef WA_TOOLS_LOAD_ITEM_H
#define WA_TOOLS_LOAD_ITEM_H

#include <apr_pools.h>
#include <jansson.h>

#include "base/types.h"
#include "store/log/record.h"

typedef enum {
    LOAD_MESSAGE = 0,
    LOAD_THREAD = 1,
    LOAD_CONTACT = 2,
    LOAD_OTHER = 3,  /* a key that is none of ours */
    LOAD_NOTHING = 4 /* a key whose value is null: it was deleted, or has expired */
} load_kind_e;

typedef struct load_item_t {
    load_kind_e kind;
    /* a message's timestamp, a contact's updatedAt */
    apr_int64_t time_ms;
    /* half characters that were replaced */
    unsigned repaired;
    /* members that are not known and left out */
    unsigned unknown;
    /* a message */
    /* its sid is the first of all, when it has several */
    wa_message_new_t message;
    /* the sids after the first, oldest first, ended by NULL; the last is the current one */
    const char *const *sids;
    int is_unread;
    /* a thread */
    const char *counterpart;
    apr_uint64_t unread_count;
    apr_uint32_t flags;
    /* clean; "" for none */
    const char *profile_name;
    /* a contact */
    wa_record_contact_t contact;
} load_item_t;

/* Reads one object. "key" may be called "name"; the value may be a string that holds it, and may
 * lie in an object with what Cloudflare keeps beside it, {"value":..., "metadata":...}.
 * @param text  changed in place
 * @param now_ms  times more than a day after it are refused
 * @return NULL, *item filled, everything in p | what is wrong, in p */
const char *load_item_read(load_item_t *item, char *text, apr_size_t len, apr_int64_t now_ms,
                           apr_pool_t *p);

/* Replaces escaped halves of surrogate pairs (\ud83d without its other half), which cut texts have,
 * by \ufffd.
 * @return how many */
unsigned load_surrogates_repair(char *text, apr_size_t len);

#endif
