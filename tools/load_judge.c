/* SPDX-License-Identifier: Apache-2.0 */
/* The first reading of what is to be loaded: judges every line, remembers what is to be stored. */
#include "load_judge.h"

#include <stdio.h>
#include <stdlib.h>

#include <apr_strings.h>

#include "ctl_end.h"
#include "ctl_say.h"
#include "progress.h"
#include "store/dbm/operation/read.h"

static void line_refuse(load_t *l, unsigned line, const char *what)
{
    fprintf(stderr, "%s:%u: %s\n", l->in.name, line, what);
    l->bad++;
}

static apr_status_t entry_add(load_t *l, const load_piece_t *piece, apr_int64_t time_ms,
                              int is_contact)
{
    load_entry_t *e;

    if (l->count == l->room) {
        apr_size_t room = l->room ? l->room * 2 : 4096;
        load_entry_t *more = realloc(l->entries, room * sizeof(*more));

        if (!more) {
            return APR_ENOMEM;
        }
        l->entries = more;
        l->room = room;
    }
    e = &l->entries[l->count++];
    e->time_ms = time_ms;
    e->offset = piece->offset;
    e->length = (apr_uint32_t)piece->size | (is_contact ? LOAD_ENTRY_CONTACT : 0);
    e->line = piece->line;
    l->is_sorted &= l->count < 2 || e[-1].time_ms <= time_ms;
    return APR_SUCCESS;
}

load_thread_t *load_thread_get(load_t *l, const char *counterpart)
{
    load_thread_t *t = apr_hash_get(l->threads, counterpart, APR_HASH_KEY_STRING);

    if (!t) {
        t = apr_pcalloc(l->pool, sizeof(*t));
        t->counterpart = apr_pstrdup(l->pool, counterpart);
        apr_hash_set(l->threads, t->counterpart, APR_HASH_KEY_STRING, t);
    }
    return t;
}

static int key_is_there(load_t *l, const char *kind, const char *key)
{
    apr_uint64_t row;

    return key && wa_dbm_key_find(l->store, kind, wa_slice_of(key), &row) == APR_SUCCESS;
}

int load_message_is_there(load_t *l, const load_item_t *item)
{
    const char *const *sid;

    if (key_is_there(l, "id", item->message.id) || key_is_there(l, "sid", item->message.sid)) {
        return 1;
    }
    for (sid = item->sids; sid && *sid; sid++) {
        if (key_is_there(l, "sid", *sid)) {
            return 1;
        }
    }
    return 0;
}

static apr_status_t message_judge(load_t *l, const load_piece_t *piece, const load_item_t *item)
{
    load_thread_t *t = load_thread_get(l, item->message.counterpart);
    wa_record_t *record;

    t->unread += item->is_unread && !t->has_line;
    if (wa_record_message_make(&record, &item->message, l->tmp) != APR_SUCCESS) {
        line_refuse(l, piece->line, "the message is too long for the store (1 MB)");
        return APR_SUCCESS;
    }
    if (!l->is_new) {
        if (load_message_is_there(l, item)) {
            l->duplicates++;
            return APR_SUCCESS;
        }
        if (item->time_ms <= l->newest_ms) {
            line_refuse(l, piece->line,
                        "is not newer than everything in the store; to bring in older messages "
                        "dump the store, and load "
                        "that dump and this file together (cat) into a new directory");
            return APR_SUCCESS;
        }
    }
    return entry_add(l, piece, item->time_ms, 0);
}

static void thread_judge(load_t *l, const load_item_t *item)
{
    load_thread_t *t = load_thread_get(l, item->counterpart);

    t->has_line = 1;
    t->unread = item->unread_count;
    t->flags |= item->flags;
    t->profile_name =
        *item->profile_name ? apr_pstrdup(l->pool, item->profile_name) : t->profile_name;
}

static apr_status_t piece_judge(load_t *l, load_piece_t *piece)
{
    load_item_t item;
    const char *what;

    apr_pool_clear(l->tmp);
    what = load_item_read(&item, piece->text, piece->len, l->now_ms, l->tmp);
    l->repaired += item.repaired;
    l->unknown += item.unknown;
    if (what) {
        line_refuse(l, piece->line, what);
        return APR_SUCCESS;
    }
    switch (item.kind) {
    case LOAD_MESSAGE:
        return message_judge(l, piece, &item);
    case LOAD_CONTACT:
        return entry_add(l, piece, item.time_ms > l->newest_ms ? item.time_ms : LOAD_TIME_LAST, 1);
    case LOAD_THREAD:
        thread_judge(l, &item);
        return APR_SUCCESS;
    case LOAD_NOTHING:
        l->empty++;
        return APR_SUCCESS;
    case LOAD_OTHER:
        break;
    }
    l->others++;
    if (!l->ignore_other) {
        line_refuse(l, piece->line,
                    "key is none of msg:, thread: and contact:; --ignore-other-keys passes over "
                    "such lines");
    }
    return APR_SUCCESS;
}

int load_judge(load_t *l)
{
    progress_t progress;
    load_piece_t piece;
    const char *what;
    apr_status_t rv;

    l->is_sorted = 1;
    progress_begin(&progress, "reading the input", l->ctl->is_quiet);
    for (;;) {
        rv = load_input_next(&l->in, &piece, &what);
        if (rv == APR_SUCCESS) {
            rv = ctl_is_interrupted() ? APR_EINTR : piece_judge(l, &piece);
        }
        if (rv != APR_SUCCESS) {
            break;
        }
        progress_update(&progress, l->in.read, l->in.size);
    }
    progress_end(&progress);
    l->prose = l->in.prose;
    if (what) {
        line_refuse(l, piece.line, what);
    } else if (rv != APR_EOF) {
        return ctl_error_status(rv, "%s cannot be read", l->in.name);
    }
    if (l->bad) {
        ctl_error("%" APR_UINT64_T_FMT " lines cannot be loaded: nothing was changed", l->bad);
        return CTL_BAD;
    }
    return CTL_DONE;
}
