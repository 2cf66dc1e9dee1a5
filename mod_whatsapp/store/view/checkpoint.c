/* SPDX-License-Identifier: Apache-2.0 */
/* Writes and loads checkpoints through apr_dbm, checking every one after it was written and before
 * it is believed. */
#include "store/view/checkpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_dbm.h>
#include <apr_file_io.h>
#include <apr_strings.h>

#include "base/hash.h"
#include "store/view/replica_load.h"

#define CURRENT "CURRENT"
#define MAGIC "mod_whatsapp checkpoint "
#define VERSION \
    6 /* of what is derived, the checkpoint and the index: a change there is a new number here */
#define PREFIX "state-"
#define NUMBER_MAX ((apr_uint64_t)1 << 53) /* of a checkpoint: there is a next one */
#define UNFINISHED "__db." PREFIX          /* what Berkeley DB makes first and renames */

/* The value under "thread:{counterpart}". */
typedef struct thread_value_t {
    apr_uint64_t last_row, read_row, name_row, message_count, unread_count;
    apr_int64_t changed_ms, last_inbound_ms, inbound_date_ms, inbound_before_ms;
    apr_uint32_t flags, reserved;
} thread_value_t;

typedef struct snapshot_thread_t {
    wa_slice_t counterpart;
    thread_value_t value;
} snapshot_thread_t;

typedef struct snapshot_place_t {
    wa_slice_t id;
    apr_uint64_t offset;
} snapshot_place_t;

/* What is to be written, copied from the replica under its lock. */
typedef struct snapshot_t {
    snapshot_thread_t *threads;
    snapshot_place_t *contacts, *parked;
    apr_uint64_t *pending; /* rows */
    apr_size_t thread_count, contact_count, parked_count, pending_count;
} snapshot_t;

static const char *state_path(const wa_checkpoint_place_t *place, apr_uint64_t number,
                              apr_pool_t *p)
{
    return apr_psprintf(p, "%s/" PREFIX "%" APR_UINT64_T_FMT, place->directory, number);
}

int wa_checkpoint_type_is_available(const char *type, apr_pool_t *tmp)
{
    const char *one, *two;

    return apr_dbm_get_usednames_ex(tmp, type, "x", &one, &two) == APR_SUCCESS;
}

/* ---- CURRENT ---- */

static apr_uint64_t pair_digest(const apr_datum_t *key, const apr_datum_t *value)
{
    return wa_hash64(wa_hash64(1, key->dptr, key->dsize), value->dptr, value->dsize);
}

static char *current_text(const wa_checkpoint_t *c, apr_uint64_t salt, apr_pool_t *p)
{
    return apr_psprintf(p,
                        MAGIC "%d\njournal %" APR_UINT64_T_FMT "\nnumber %" APR_UINT64_T_FMT
                              "\ntype %s\noffset %" APR_UINT64_T_FMT "\ntimestamp %" APR_INT64_T_FMT
                              "\nrecords %" APR_UINT64_T_FMT "\nrows %" APR_UINT64_T_FMT
                              "\nkeys %" APR_UINT64_T_FMT "\ncrc %u\nentries %" APR_UINT64_T_FMT
                              "\ndigest %" APR_UINT64_T_FMT "\n",
                        VERSION, salt, c->number, c->type, c->at.offset, c->at.timestamp_ms,
                        c->at.records, c->at.rows, c->at.keys, c->at.crc, c->entries, c->digest);
}

static apr_status_t current_write(const wa_checkpoint_t *c, const wa_checkpoint_place_t *place,
                                  apr_pool_t *tmp)
{
    const char *path = apr_pstrcat(tmp, place->directory, "/" CURRENT, NULL);
    const char *temporary = apr_pstrcat(tmp, path, ".new", NULL);
    char *text = current_text(c, place->salt, tmp);
    apr_status_t rv;
    int fd;

    text = apr_psprintf(tmp, "%scheck %u\n", text, wa_crc32c(0, text, strlen(text)));
    rv = wa_file_open(&fd, temporary, O_RDWR | O_CREAT | O_TRUNC, place->uid, place->gid);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = wa_file_write(fd, text, strlen(text), 0);
    if (rv == APR_SUCCESS && fsync(fd)) {
        rv = APR_FROM_OS_ERROR(errno);
    }
    close(fd);
    if (rv == APR_SUCCESS && rename(temporary, path)) {
        rv = APR_FROM_OS_ERROR(errno);
    }
    if (rv == APR_SUCCESS) {
        rv = wa_directory_sync(place->directory);
    } else {
        unlink(temporary);
    }
    return rv;
}

/* 1 when the numbers can be those of a checkpoint of a journal that goes to its offset: nothing is
 * counted, mapped or looked for by others. */
static int is_possible(const wa_checkpoint_t *c)
{
    const wa_tail_t *at = &c->at;

    return c->number > 0 && c->number <= NUMBER_MAX && at->offset >= WA_JOURNAL_START
           && at->offset % 8 == 0 && at->offset <= WA_MAPPING_MAX
           && at->records <= wa_records_before(at->offset) && at->rows <= at->records
           && at->rows <= wa_rows_before(at->offset) && at->keys <= 3 * at->records
           && wa_record_time_is_valid(at->timestamp_ms)
           /* a thread, a contact or a parked fact has a record, and so has what is pending */
           && c->entries <= 2 * at->records
           && (!strcmp(c->type, "db") || !strcmp(c->type, "gdbm") || !strcmp(c->type, "sdbm"));
}

apr_status_t wa_checkpoint_find(wa_checkpoint_t *c, const wa_checkpoint_place_t *place,
                                apr_pool_t *p)
{
    const char *path = apr_pstrcat(p, place->directory, "/" CURRENT, NULL);
    char text[1024], type[16];
    unsigned long long n[9];
    long long timestamp;
    unsigned crc, check;
    int version, found;
    apr_status_t rv;
    ssize_t len;
    char *line;
    int fd;

    memset(c, 0, sizeof(*c));
    rv = wa_file_open(&fd, path, O_RDONLY, 0, 0);
    if (APR_STATUS_IS_ENOENT(rv)) {
        return APR_NOTFOUND;
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    len = pread(fd, text, sizeof(text) - 1, 0);
    close(fd);
    if (len <= 0) {
        return APR_EGENERAL;
    }
    text[len] = '\0';
    line = strstr(text, "check ");
    if (!line || sscanf(line, "check %u", &check) != 1
        || check != wa_crc32c(0, text, (apr_size_t)(line - text))) {
        return APR_EGENERAL;
    }
    found = sscanf(text,
                   MAGIC "%d\njournal %llu\nnumber %llu\ntype %15s\noffset %llu\ntimestamp %lld\n"
                         "records %llu\nrows %llu\nkeys %llu\ncrc %u\nentries %llu\ndigest %llu\n",
                   &version, &n[7], &n[0], type, &n[1], &timestamp, &n[2], &n[3], &n[4], &crc,
                   &n[5], &n[6]);
    if (found >= 1 && version != VERSION) {
        return APR_EINVAL;
    }
    if (found != 12 || n[7] != place->salt) {
        return APR_EGENERAL;
    }
    c->number = n[0];
    c->type = apr_pstrdup(p, type);
    c->at.offset = n[1];
    c->at.timestamp_ms = timestamp;
    c->at.records = n[2];
    c->at.rows = n[3];
    c->at.keys = n[4];
    c->at.crc = crc;
    c->entries = n[5];
    c->digest = n[6];
    if (!is_possible(c)) {
        memset(c, 0, sizeof(*c));
        return APR_EGENERAL;
    }
    return APR_SUCCESS;
}

void wa_checkpoint_forget(const wa_checkpoint_place_t *place)
{
    char path[4096];

    snprintf(path, sizeof(path), "%s/" CURRENT, place->directory);
    unlink(path);
}

void wa_checkpoint_clean(const wa_checkpoint_place_t *place, apr_uint64_t keep, apr_pool_t *tmp)
{
    const char *stay = apr_psprintf(tmp, PREFIX "%" APR_UINT64_T_FMT, keep);
    apr_size_t stay_len = strlen(stay);
    apr_finfo_t info;
    apr_dir_t *dir;

    if (apr_dir_open(&dir, place->directory, tmp) != APR_SUCCESS) {
        return;
    }
    while (apr_dir_read(&info, APR_FINFO_NAME, dir) == APR_SUCCESS) {
        int is_kept = keep && !strncmp(info.name, stay, stay_len)
                      && (info.name[stay_len] == '\0' || info.name[stay_len] == '.');

        if ((!strncmp(info.name, PREFIX, sizeof(PREFIX) - 1) && !is_kept)
            || !strncmp(info.name, UNFINISHED, sizeof(UNFINISHED) - 1)
            || (!keep && !strcmp(info.name, CURRENT))) {
            apr_file_remove(apr_pstrcat(tmp, place->directory, "/", info.name, NULL), tmp);
        }
    }
    apr_dir_close(dir);
}

/* ---- reading ---- */

typedef apr_status_t (*pair_fn)(void *baton, const apr_datum_t *key, const apr_datum_t *value);

/* Visits every pair of a checkpoint's dbm, then checks that these were all and unchanged. */
static apr_status_t state_read(const wa_checkpoint_t *c, const wa_checkpoint_place_t *place,
                               pair_fn visit, void *baton, apr_pool_t *tmp)
{
    apr_uint64_t entries = 0, digest = 0;
    apr_datum_t key, value;
    apr_pool_t *pool;
    apr_dbm_t *dbm;
    apr_status_t rv = apr_pool_create(&pool, tmp);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = apr_dbm_open_ex(&dbm, c->type, state_path(place, c->number, pool), APR_DBM_READONLY, 0,
                         pool);
    if (rv != APR_SUCCESS) {
        apr_pool_destroy(pool);
        return rv;
    }
    rv = apr_dbm_firstkey(dbm, &key);
    while (rv == APR_SUCCESS && key.dptr) {
        rv = apr_dbm_fetch(dbm, key, &value);
        if (rv != APR_SUCCESS || !value.dptr) {
            rv = APR_EGENERAL;
            break;
        }
        digest += pair_digest(&key, &value);
        rv = ++entries > c->entries ? APR_EGENERAL : visit(baton, &key, &value);
        if (rv == APR_SUCCESS) {
            rv = apr_dbm_nextkey(dbm, &key);
        }
    }
    apr_dbm_close(dbm);
    apr_pool_destroy(pool);
    if (APR_STATUS_IS_EOF(rv) || rv == APR_NOTFOUND) {
        rv = APR_SUCCESS; /* some types end a walk so */
    }
    if (rv == APR_SUCCESS && (entries != c->entries || digest != c->digest)) {
        rv = APR_EGENERAL;
    }
    return rv;
}

typedef struct load_baton_t {
    wa_replica_t *replica;
    const wa_checkpoint_t *checkpoint;
    apr_uint64_t *parked, *pending;
    apr_size_t parked_count, pending_count;
} load_baton_t;

static int key_is(const apr_datum_t *key, const char *prefix, wa_slice_t *prest)
{
    apr_size_t len = strlen(prefix);

    if (key->dsize <= len || memcmp(key->dptr, prefix, len)) {
        return 0;
    }
    *prest = wa_slice_make(key->dptr + len, key->dsize - len);
    return 1;
}

static apr_status_t load_pair(void *baton, const apr_datum_t *key, const apr_datum_t *value)
{
    load_baton_t *load = baton;
    wa_replica_thread_t thread;
    thread_value_t v;
    apr_uint64_t offset;
    wa_slice_t name;

    if (key_is(key, "thread:", &name) && value->dsize == sizeof(v)) {
        memcpy(&v, value->dptr, sizeof(v));
        memset(&thread, 0, sizeof(thread));
        thread.counterpart = name;
        thread.last_row = v.last_row;
        thread.read_row = v.read_row;
        thread.name_row = v.name_row;
        thread.message_count = v.message_count;
        thread.unread_count = v.unread_count;
        thread.changed_ms = v.changed_ms;
        thread.last_inbound_ms = v.last_inbound_ms;
        thread.inbound_date_ms = v.inbound_date_ms;
        thread.inbound_before_ms = v.inbound_before_ms;
        thread.flags = v.flags;
        return wa_replica_thread_load(load->replica, &thread, &load->checkpoint->at);
    }
    if (value->dsize != sizeof(offset)) {
        return APR_EGENERAL;
    }
    memcpy(&offset, value->dptr, sizeof(offset));
    if (key_is(key, "contact:", &name)) {
        return wa_replica_contact_load(load->replica, offset, load->checkpoint->at.offset);
    }
    if (key_is(key, "parked:", &name) && load->parked_count < WA_PARKED_MAX) {
        load->parked[load->parked_count++] = offset;
        return APR_SUCCESS;
    }
    if (key_is(key, "pending:", &name) && load->pending_count < WA_PENDING_MAX) {
        load->pending[load->pending_count++] = offset; /* is a row */
        return APR_SUCCESS;
    }
    return APR_EGENERAL;
}

static int offset_compare(const void *a, const void *b)
{
    apr_uint64_t x = *(const apr_uint64_t *)a, y = *(const apr_uint64_t *)b;

    return x < y ? -1 : x > y;
}

apr_status_t wa_checkpoint_load(const wa_checkpoint_t *c, const wa_checkpoint_place_t *place,
                                wa_replica_t *replica, apr_pool_t *tmp)
{
    load_baton_t load = {replica, c, NULL, NULL, 0, 0};
    apr_status_t rv;
    apr_size_t i;

    if (!wa_checkpoint_type_is_available(c->type, tmp)) {
        return APR_ENOTIMPL;
    }
    load.parked = malloc((WA_PARKED_MAX + WA_PENDING_MAX) * sizeof(*load.parked));
    if (!load.parked) {
        return APR_ENOMEM;
    }
    load.pending = load.parked + WA_PARKED_MAX;
    rv = state_read(c, place, load_pair, &load, tmp);
    qsort(load.parked, load.parked_count, sizeof(*load.parked), offset_compare);
    for (i = 0; rv == APR_SUCCESS && i < load.parked_count; i++) {
        rv = wa_replica_parked_load(replica, load.parked[i], c->at.offset);
    }
    qsort(load.pending, load.pending_count, sizeof(*load.pending), offset_compare);
    for (i = 0; rv == APR_SUCCESS && i < load.pending_count; i++) {
        rv = wa_replica_pending_load(replica, load.pending[i], &c->at);
    }
    free(load.parked);
    return rv == APR_SUCCESS ? wa_replica_load_end(replica, &c->at) : rv;
}

/* ---- writing ---- */

static void snapshot_release(snapshot_t *snapshot)
{
    free(snapshot->threads);
    free(snapshot->contacts);
    free(snapshot->parked);
    free(snapshot->pending);
}

/* Copies what the checkpoint holds; the slices are in the journal's mapping and stay. */
static apr_status_t snapshot_take(snapshot_t *snapshot, wa_replica_t *replica, wa_tail_t *at)
{
    const wa_replica_thread_t *t;
    const wa_replica_parked_t *k;
    apr_status_t rv = APR_SUCCESS;
    int i;

    memset(snapshot, 0, sizeof(*snapshot));
    pthread_rwlock_rdlock(&replica->lock);
    *at = replica->at;
    snapshot->threads = malloc((apr_hash_count(replica->threads) + 1) * sizeof(*snapshot->threads));
    snapshot->contacts =
        malloc(((apr_size_t)replica->contacts->nelts + 1) * sizeof(*snapshot->contacts));
    snapshot->parked = malloc((apr_hash_count(replica->parked) + 1) * sizeof(*snapshot->parked));
    snapshot->pending =
        malloc(((apr_size_t)replica->pending->nelts + 1) * sizeof(*snapshot->pending));
    if (!snapshot->threads || !snapshot->contacts || !snapshot->parked || !snapshot->pending) {
        rv = APR_ENOMEM;
        goto out;
    }
    for (t = replica->newest; t; t = t->older) {
        thread_value_t v = {.last_row = t->last_row,
                            .read_row = t->read_row,
                            .name_row = t->name_row,
                            .message_count = t->message_count,
                            .unread_count = t->unread_count,
                            .changed_ms = t->changed_ms,
                            .last_inbound_ms = t->last_inbound_ms,
                            .inbound_date_ms = t->inbound_date_ms,
                            .inbound_before_ms = t->inbound_before_ms,
                            .flags = t->flags};

        snapshot->threads[snapshot->thread_count].counterpart = t->counterpart;
        snapshot->threads[snapshot->thread_count++].value = v;
    }
    for (i = 0; i < replica->contacts->nelts; i++) {
        const wa_replica_contact_t *contact =
            APR_ARRAY_IDX(replica->contacts, i, wa_replica_contact_t *);

        snapshot->contacts[snapshot->contact_count].id = contact->id;
        snapshot->contacts[snapshot->contact_count++].offset = contact->offset;
    }
    for (k = replica->parked_first; k; k = k->next) {
        snapshot->parked[snapshot->parked_count].id = k->key;
        snapshot->parked[snapshot->parked_count++].offset = k->offset;
    }
    snapshot->pending_count = (apr_size_t)replica->pending->nelts;
    memcpy(snapshot->pending, replica->pending->elts,
           snapshot->pending_count * sizeof(*snapshot->pending));
out:
    pthread_rwlock_unlock(&replica->lock);
    return rv;
}

/* apr_dbm has numbers of its own for what went wrong in a library; the operating system's is where
 * that left it. */
static apr_status_t dbm_status(apr_status_t rv)
{
    if (rv < APR_OS_START_USERERR) {
        return rv;
    }
    return errno ? APR_FROM_OS_ERROR(errno) : APR_EGENERAL;
}

typedef struct write_baton_t {
    apr_dbm_t *dbm;
    wa_checkpoint_t *checkpoint;
    apr_status_t rv;
} write_baton_t;

static void pair_write(write_baton_t *w, const char *prefix, wa_slice_t name, void *bytes,
                       apr_size_t len)
{
    char text[512];
    apr_datum_t key, value;

    if (w->rv != APR_SUCCESS) {
        return;
    }
    key.dptr = text;
    key.dsize = strlen(prefix) + name.len;
    if (key.dsize >= sizeof(text)) {
        w->rv = APR_EGENERAL;
        return;
    }
    memcpy(text, prefix, strlen(prefix));
    memcpy(text + strlen(prefix), name.ptr, name.len); /* may hold any byte */
    value.dptr = bytes;
    value.dsize = len;
    errno = 0;
    w->rv = dbm_status(apr_dbm_store(w->dbm, key, value));
    w->checkpoint->entries++;
    w->checkpoint->digest += pair_digest(&key, &value);
}

static apr_status_t file_sync(const char *path, const wa_checkpoint_place_t *place)
{
    int fd;
    apr_status_t rv = wa_file_open(&fd, path, O_RDWR, place->uid, place->gid);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (fsync(fd)) {
        rv = APR_FROM_OS_ERROR(errno);
    }
    close(fd);
    return rv;
}

/* apr_dbm_close tells of no failure: so the files are synced by their names, and read back
 * whole. */
static apr_status_t state_settle(const wa_checkpoint_t *c, const wa_checkpoint_place_t *place,
                                 pair_fn visit, apr_pool_t *tmp)
{
    const char *path = state_path(place, c->number, tmp), *one, *two;
    apr_status_t rv = apr_dbm_get_usednames_ex(tmp, c->type, path, &one, &two);

    if (rv == APR_SUCCESS) {
        rv = file_sync(one, place);
    }
    if (rv == APR_SUCCESS && two) {
        rv = file_sync(two, place);
    }
    return rv == APR_SUCCESS ? state_read(c, place, visit, NULL, tmp) : rv;
}

static apr_status_t pair_skip(void *baton, const apr_datum_t *key, const apr_datum_t *value)
{
    (void)baton;
    (void)key;
    (void)value;
    return APR_SUCCESS;
}

static apr_status_t state_write(wa_checkpoint_t *c, const wa_checkpoint_place_t *place,
                                snapshot_t *snapshot, apr_pool_t *tmp)
{
    write_baton_t w = {NULL, c, APR_SUCCESS};
    struct stat info;
    apr_size_t i;
    apr_status_t rv;
    int why;

    /* Berkeley DB would wait for ever for whoever seems to be making the file. */
    if (!lstat(
            apr_psprintf(tmp, "%s/" UNFINISHED "%" APR_UINT64_T_FMT, place->directory, c->number),
            &info)) {
        return APR_EEXIST;
    }
    errno = 0;
    rv = apr_dbm_open_ex(&w.dbm, c->type, state_path(place, c->number, tmp), APR_DBM_RWCREATE,
                         APR_FPROT_UREAD | APR_FPROT_UWRITE, tmp);
    if (rv != APR_SUCCESS) {
        return dbm_status(rv);
    }
    for (i = 0; i < snapshot->thread_count; i++) {
        pair_write(&w, "thread:", snapshot->threads[i].counterpart, &snapshot->threads[i].value,
                   sizeof(thread_value_t));
    }
    for (i = 0; i < snapshot->contact_count; i++) {
        pair_write(&w, "contact:", snapshot->contacts[i].id, &snapshot->contacts[i].offset,
                   sizeof(apr_uint64_t));
    }
    for (i = 0; i < snapshot->parked_count; i++) {
        pair_write(&w, "parked:", snapshot->parked[i].id, &snapshot->parked[i].offset,
                   sizeof(apr_uint64_t));
    }
    for (i = 0; i < snapshot->pending_count; i++) {
        char name[32];

        snprintf(name, sizeof(name), "%" APR_UINT64_T_FMT, snapshot->pending[i]);
        pair_write(&w, "pending:", wa_slice_of(name), &snapshot->pending[i], sizeof(apr_uint64_t));
    }
    errno = 0;
    apr_dbm_close(w.dbm);
    why = errno;
    rv = w.rv == APR_SUCCESS ? state_settle(c, place, pair_skip, tmp) : w.rv;
    return rv == APR_EGENERAL && why ? APR_FROM_OS_ERROR(why) : rv;
}

apr_status_t wa_checkpoint_write(wa_checkpoint_t *c, const wa_checkpoint_place_t *place,
                                 wa_replica_t *replica, apr_pool_t *tmp)
{
    snapshot_t snapshot;
    apr_status_t rv;

    c->type = place->type;
    c->entries = c->digest = 0;
    wa_checkpoint_clean(place, c->number > 1 ? c->number - 1 : (apr_uint64_t)-1, tmp);
    rv = snapshot_take(&snapshot, replica, &c->at);
    if (rv == APR_SUCCESS) {
        rv = wa_index_sync(replica->index);
    }
    if (rv == APR_SUCCESS) {
        rv = state_write(c, place, &snapshot, tmp);
    }
    if (rv == APR_SUCCESS) {
        rv = current_write(c, place, tmp);
    }
    snapshot_release(&snapshot);
    if (rv == APR_SUCCESS) {
        wa_checkpoint_clean(place, c->number, tmp);
    } else {
        WA_LOG(place->log, WA_LOG_ERR, "WA0420", rv,
               "%s: the checkpoint could not be written; the one before stays and the journal "
               "holds everything",
               place->directory);
    }
    return rv;
}
