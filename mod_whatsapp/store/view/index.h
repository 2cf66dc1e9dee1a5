/* SPDX-License-Identifier: Apache-2.0 */
/* The mapped index files beside the journal: rows by number, times by time, keys by hash. All are
 * derived from the journal. */
#ifndef WA_STORE_VIEW_INDEX_H
#define WA_STORE_VIEW_INDEX_H

#include "store/file/mapping.h"
#include "store/log/shared.h"

/*
 * Every process applies the journal's records in order and writes what follows from each into these
 * files; the same record gives the same bytes at the same place whoever applies it and however
 * often. So no lock guards them, and a process killed while writing leaves nothing that the next
 * one would not write again.
 */

/* What is known of message `row`; 0-filled when its record is lost. */
typedef struct wa_row_t {
    /* of its MESSAGE record */
    apr_uint64_t offset;
    /* atomic: offset of its newest STATE record, 0 for none; only grows */
    apr_uint64_t state;
    /* the row before it in the same thread with check bits: wa_index_previous */
    apr_uint64_t previous;
    /* the row WA_ROW_SKIP before it in the same thread, 0 for none: a hint */
    apr_uint64_t skip;
} wa_row_t;

/* How far `skip` leads. Whoever follows a thread's chain from row to row has the CPU fetch the
 * entry that comes so many rows later: each lies in a page of memory of its own, and without that
 * one wait would follow the other. Nothing but speed depends on it. It is on the disk: see VERSION
 * in checkpoint.c. */
#define WA_ROW_SKIP 8

/* One for each WA_TIME_EVERY records: where to begin looking for a time. */
typedef struct wa_time_entry_t {
    apr_int64_t timestamp_ms;
    apr_uint64_t offset;
} wa_time_entry_t;

#define WA_TIME_EVERY 64u

/* Keys are kept in levels: level n has WA_KEYS_FIRST << n slots and takes five eighths of that,
 * then the next level begins. Nothing is ever moved. A slot is a row and 24 bits of the key's hash;
 * the row's records tell whether it really is the key's. */
#define WA_KEYS_LEVELS 24
#define WA_KEYS_FIRST ((apr_uint64_t)1 << 16)
#define WA_KEYS_ROW_BITS 40

/* The last row that keys and chains have bits for. */
#define WA_ROW_MAX (((apr_uint64_t)1 << WA_KEYS_ROW_BITS) - 1)

typedef struct wa_index_t {
    const char *directory;
    apr_uid_t uid;
    apr_gid_t gid;
    apr_uint64_t salt;
    wa_mapping_t rows;
    wa_mapping_t times;
    wa_mapping_t keys[WA_KEYS_LEVELS];
    int levels;               /* atomic: how many levels are open in this process */
    apr_uint32_t levels_made; /* bit n: level n was missing or too short when it was opened */
    apr_uint64_t rows_end;    /* atomic: bytes allocated as far as this process knows */
    apr_uint64_t times_end;   /* atomic */
    char failed[16];          /* the file that was opened last, for who has to say which failed */
    int has_no_keys;          /* a copy that was opened without them */
    pthread_mutex_t grow;
} wa_index_t;

/* Where the files are, of which journal, and whose. */
typedef struct wa_index_place_t {
    const char *directory;
    apr_uint64_t salt;
    apr_uid_t uid;
    apr_gid_t gid;
} wa_index_place_t;

/* Opens the index files of a directory, creates those that are missing.
 * @param perror  out: which file and why, in p, when it fails
 * @return APR_SUCCESS | the operating system's status. One thread. */
apr_status_t wa_index_open(wa_index_t *x, const wa_index_place_t *place, const char **perror,
                           apr_pool_t *p);

/* How much a copy of the index has to hold. */
typedef struct wa_index_room_t {
    apr_uint64_t rows, records;
    apr_uint64_t keys; /* 0: keys are neither put nor found */
} wa_index_room_t;

/* Opens a copy of the index of a directory (NULL: of an empty one): nothing is created or changed
 * on the disk, what is applied stays in this process. Afterwards rows_end and times_end are the
 * files' lengths, and levels_made says which levels are missing or too short there.
 * @return APR_SUCCESS | the operating system's status. One thread. */
apr_status_t wa_index_open_copy(wa_index_t *x, const char *directory, apr_uint64_t salt,
                                const wa_index_room_t *room);

/* How many keys a level takes, and how many slots it has. Any thread. */
apr_uint64_t wa_index_level_slots(int level);
apr_uint64_t wa_index_level_keys(int level);

/* Unmaps and closes the files. One thread. */
void wa_index_release(wa_index_t *x);

/* Allocates room so that applying records up to these counts cannot fail. Called before a commit,
 * by the one who may commit, and by recovery.
 * @return APR_SUCCESS | APR_ENOSPC | the operating system's status */
apr_status_t wa_index_reserve(wa_index_t *x, apr_uint64_t rows, apr_uint64_t records,
                              apr_uint64_t keys);

/* How many bytes the files in the directory `dir` have to grow by on the disk to be opened and
 * reserved up to these counts; NULL: to be opened where there is nothing yet. Any thread. */
apr_uint64_t wa_index_room(int dir, const wa_tail_t *at);

/* Forgets all rows after `rows` and times of records after `records`, before their records are
 * applied again. Recovery only. */
apr_status_t wa_index_trim(wa_index_t *x, apr_uint64_t rows, apr_uint64_t records);

/* Removes all index files of a directory, for a rebuild.
 * @param perror  out: which and why, in p, when it fails
 * @return APR_SUCCESS | the operating system's status */
apr_status_t wa_index_remove(const char *directory, const char **perror, apr_pool_t *p);

/* How long the file of a table has to be for these counts. */
apr_uint64_t wa_index_rows_size(apr_uint64_t rows);
apr_uint64_t wa_index_times_size(apr_uint64_t records);

/* How many levels `keys` keys need, and how long the file of a level is. */
int wa_index_levels(apr_uint64_t keys);
apr_uint64_t wa_index_level_size(int level);

/* Makes everything written so far durable. @return APR_SUCCESS | the operating system's status */
apr_status_t wa_index_sync(wa_index_t *x);

/* The entry of a row (1 is the first), NULL when memory for the mapping ran out or the file ends
 * before it: what names the row is damaged. Writable; written only when a record is applied. Any
 * thread. */
wa_row_t *wa_index_row(wa_index_t *x, apr_uint64_t row);

/* A row's `previous` as it is stored: its upper 24 bits are a check on it, so that a damaged chain
 * is seen and never leads into another thread. Any thread. */
apr_uint64_t wa_index_previous_make(const wa_index_t *x, apr_uint64_t row, apr_uint64_t previous);

/* The row before `row` in its thread, 0 for none.
 * @return APR_SUCCESS | APR_EGENERAL what is stored is damaged. Any thread. */
apr_status_t wa_index_previous(const wa_index_t *x, apr_uint64_t row, const wa_row_t *entry,
                               apr_uint64_t *pprevious);

/* 1 when the files were as long as these counts need when they were opened. Recovery only, before
 * wa_index_reserve. */
int wa_index_is_whole(wa_index_t *x, apr_uint64_t rows, apr_uint64_t records, apr_uint64_t keys);

/* Notes where record `number` stands, in every entry that is due since record `before` (more than
 * one only where damage took records away). Any thread that applies. */
void wa_index_mark_put(wa_index_t *x, apr_uint64_t before, apr_uint64_t number,
                       apr_int64_t timestamp_ms, apr_uint64_t offset);

/* The offset of a marked record that is not after the first record later than `timestamp_ms`, 0
 * when the beginning is.
 * @param records  how many records are visible. Any thread. */
apr_uint64_t wa_index_mark_find(wa_index_t *x, apr_uint64_t records, apr_int64_t timestamp_ms);

/* The hash of a key of this store: a kind ("id", "sid", "idem") and its text. Keyed by the salt, so
 * that clients, whose idempotency keys stand here, cannot choose such that fall together. It is on
 * the disk: see VERSION in checkpoint.c. Any thread. */
apr_uint64_t wa_index_hash(const wa_index_t *x, const char *kind, const void *key, apr_size_t len);

/* Puts key number `ordinal` (0 is the store's first) -> row.
 * @return APR_SUCCESS | APR_ENOMEM | the operating system's status. Any thread that applies. */
apr_status_t wa_index_key_put(wa_index_t *x, apr_uint64_t ordinal, apr_uint64_t hash,
                              apr_uint64_t row);

/* Called with each row that may have the key; says with APR_SUCCESS "go on", with anything else
 * "stop". */
typedef apr_status_t (*wa_index_candidate_fn)(void *baton, apr_uint64_t row);

/* Visits the rows that may have a key, in no order of use.
 * @param keys  how many keys are visible
 * @return APR_SUCCESS after all | what the visitor stopped with. Any thread. */
apr_status_t wa_index_key_find(wa_index_t *x, apr_uint64_t keys, apr_uint64_t hash,
                               wa_index_candidate_fn visit, void *baton);

#endif
