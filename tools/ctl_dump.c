/* SPDX-License-Identifier: Apache-2.0 */
/* whatsappctl dump: every message, thread and contact as a JSON line that load can read. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_strings.h>

#include "base/form.h"
#include "base/text.h"
#include "commands.h"
#include "ctl_end.h"
#include "ctl_owner.h"
#include "ctl_say.h"
#include "ctl_store.h"
#include "dump_delivery.h"
#include "messaging/list/render.h"
#include "messaging/message/attributes.h"
#include "messaging/message/late_media.h"
#include "messaging/message/preview.h"
#include "store/dbm/operation/read.h"

/* A date that is so near to the timestamp is not told. */
#define DATE_DIFFERS_MS ((apr_int64_t)60000)

typedef struct dump_t {
    ctl_t *ctl;
    wa_snapshot_t *snapshot;
    FILE *out;
    wa_buffer_t line;
    apr_pool_t *tmp; /* of one message */
    apr_uint64_t messages, threads, contacts;
    apr_uint64_t garbled; /* values that are no text and cannot be in JSON */
} dump_t;

/* Writes the line that was made. */
static apr_status_t line_write(dump_t *d)
{
    WA_BUFFER_ADD_LITERAL(&d->line, "\n");
    if (d->line.failed) {
        return APR_ENOMEM;
    }
    if (fwrite(d->line.data, 1, d->line.len, d->out) != d->line.len) {
        return APR_FROM_OS_ERROR(errno);
    }
    d->line.len = 0;
    return APR_SUCCESS;
}

/* Begins {"key":..., "value":... */
static wa_json_writer_t line_begin(dump_t *d, const char *key)
{
    wa_json_writer_t w = WA_JSON_WRITER(&d->line);

    wa_json_object_begin(&w);
    WA_JSON_STRING(&w, "key", wa_slice_of(key));
    WA_JSON_NAME(&w, "value");
    return w;
}

static apr_status_t line_end(dump_t *d, wa_json_writer_t *w)
{
    wa_json_object_end(w);
    return line_write(d);
}

/* The members of "store", what the API's object does not have. */
typedef struct extras_t {
    dump_t *dump;
    wa_json_writer_t *w;
    int count;
} extras_t;

/* Begins a member; before the first one the API's object is opened again. */
static wa_json_writer_t *extra_begin(extras_t *e, const char *name)
{
    if (e->count++ == 0) {
        wa_json_object_reopen(e->w);
        WA_JSON_NAME(e->w, "store");
        wa_json_object_begin(e->w);
    }
    wa_json_name(e->w, name);
    return e->w;
}

static void extras_end(extras_t *e)
{
    if (e->count > 0) {
        wa_json_object_end(e->w);
        wa_json_object_end(e->w);
    }
}

static void extra_text(extras_t *e, const char *name, wa_slice_t text)
{
    if (text.len == 0) {
        return;
    }
    if (!wa_text_is_utf8(text.ptr, text.len)) {
        e->dump->garbled++;
        return;
    }
    wa_json_string(extra_begin(e, name), text);
}

/* What a webhook said beside the message's own fields, and where its attachments are, as a form:
 * its values may be any bytes. */
static wa_slice_t form_make(const wa_message_t *m, apr_pool_t *p)
{
    wa_slice_t rest = m->attributes, form;
    wa_late_medium_t medium;
    wa_attribute_t one;
    wa_attribute_e kind;
    wa_buffer_t b;
    apr_size_t n;

    wa_buffer_init(&b, 0);
    for (n = 0; wa_late_media_get(m, n, &medium); n++) {
        wa_form_add(&b, wa_slice_of(apr_psprintf(p, "MediaUrl%" APR_SIZE_T_FMT, n)), medium.url);
        wa_form_add(&b, wa_slice_of(apr_psprintf(p, "MediaContentType%" APR_SIZE_T_FMT, n)),
                    medium.content_type);
    }
    while ((kind = wa_attributes_next(&rest, &one)) != WA_ATTRIBUTE_NONE) {
        if (kind == WA_ATTRIBUTE_FIELD) {
            wa_form_add(&b, one.field.name, one.field.value);
        }
    }
    (void)wa_buffer_slice(&b, &form, p);
    return form;
}

/* All sids by which a message is found, the oldest first and the current one last, where that is
 * not just the one that the API shows: a message sent in parts has several. */
static void sids_add(extras_t *e, const wa_message_t *m, const wa_record_message_t *fixed,
                     apr_uint64_t row, wa_slice_t shown)
{
    wa_dbm_store_t *store = &e->dump->snapshot->store;
    apr_uint64_t end = store->replica.at.offset;
    const wa_row_t *entry = wa_index_row(&store->index, row);
    apr_uint64_t state = entry ? entry->state : 0;
    apr_array_header_t *sids = apr_array_make(e->dump->tmp, 4, sizeof(wa_slice_t));
    int i;

    if (m->sid.len) {
        APR_ARRAY_PUSH(sids, wa_slice_t) = m->sid;
    }
    while (state && !ctl_is_interrupted()) {
        const wa_record_t *r = wa_journal_record(&store->journal, state, end);
        wa_record_state_t s;

        if (!r || r->type != WA_RECORD_STATE || r->row != row
            || wa_record_state_read(r, &s) != APR_SUCCESS) {
            break;
        }
        if (s.sid_is_new && !wa_slice_is_equal(s.sid, m->sid)) {
            APR_ARRAY_PUSH(sids, wa_slice_t) = s.sid;
        }
        state = s.previous < state ? s.previous : 0;
    }
    if (fixed->sid.len && !wa_slice_is_equal(fixed->sid, m->sid)) {
        APR_ARRAY_PUSH(sids, wa_slice_t) = fixed->sid;
    }
    if (sids->nelts == 0 || (sids->nelts == 1 && wa_slice_is_equal(m->sid, shown))) {
        return;
    }
    wa_json_array_begin(extra_begin(e, "sids"));
    for (i = sids->nelts - 1; i >= 0; i--) {
        wa_json_string(e->w, APR_ARRAY_IDX(sids, i, wa_slice_t));
    }
    wa_json_array_end(e->w);
}

/* Of a sent message what is known of its delivery, of a received one what its webhook said.
 * @return the sid that the API shows */
static wa_slice_t facts_add(extras_t *e, const wa_message_t *m)
{
    wa_delivery_t delivery;
    wa_delivery_summary_t summary;

    if (m->direction == WA_DIRECTION_RECEIVED) {
        extra_text(e, "form", form_make(m, e->dump->tmp));
        return m->sid;
    }
    wa_delivery_read(&delivery, m, e->dump->tmp);
    wa_delivery_summarize(&delivery, &summary, e->dump->tmp);
    if (m->delivery.len > 0) {
        dump_delivery_write(extra_begin(e, "delivery"), &delivery);
    }
    return wa_slice_of(summary.sid);
}

static const char *first_type(const wa_message_t *m, apr_pool_t *p)
{
    wa_attribute_t media;

    return wa_attributes_media(m->attributes, 0, &media) == WA_ATTRIBUTE_NONE
               ? NULL
               : wa_slice_string(media.content_type, p);
}

static void message_write(extras_t *e, const wa_message_t *m, const wa_record_message_t *fixed,
                          apr_uint64_t row)
{
    wa_slice_t shown;

    wa_message_render(e->w, m, NULL, "", e->dump->tmp);
    if (!wa_slice_is_equal(wa_preview_make(m->body, first_type(m, e->dump->tmp)), fixed->preview)) {
        wa_json_string(extra_begin(e, "preview"), fixed->preview);
    }
    shown = facts_add(e, m);
    if (fixed->written_ms != 0 || m->date_ms < m->timestamp_ms - DATE_DIFFERS_MS
        || m->date_ms > m->timestamp_ms + DATE_DIFFERS_MS) {
        wa_json_int(extra_begin(e, "date"), m->date_ms);
    }
    extra_text(e, "idempotencyKey", fixed->idempotency_key);
    sids_add(e, m, fixed, row, shown);
    extras_end(e);
}

static apr_status_t message_dump(void *baton, wa_snapshot_t *snapshot, const wa_scan_step_t *step)
{
    dump_t *d = baton;
    wa_record_message_t fixed;
    wa_message_t m;
    wa_json_writer_t w;
    extras_t extras = {d, &w, 0};
    apr_status_t rv;

    if (!step->record || step->record->type != WA_RECORD_MESSAGE) {
        return APR_SUCCESS;
    }
    apr_pool_clear(d->tmp);
    rv = wa_record_message_read(step->record, &fixed);
    if (rv == APR_SUCCESS) {
        rv = wa_dbm_message_get(&snapshot->store, step->record->row, &m);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    w = line_begin(d, apr_psprintf(d->tmp, "msg:%s:%" APR_INT64_T_FMT ":%s",
                                   wa_slice_string(m.counterpart, d->tmp), m.timestamp_ms,
                                   wa_slice_string(m.id, d->tmp)));
    message_write(&extras, &m, &fixed, step->record->row);
    d->messages++;
    return line_end(d, &w);
}

static apr_status_t thread_dump(void *baton, const wa_thread_t *thread)
{
    dump_t *d = baton;
    wa_json_writer_t w;
    extras_t extras = {d, &w, 0};

    apr_pool_clear(d->tmp);
    w = line_begin(
        d, apr_pstrcat(d->tmp, "thread:", wa_slice_string(thread->counterpart, d->tmp), NULL));
    wa_thread_render(&w, thread, NULL);
    if (thread->flags) {
        wa_json_int(extra_begin(&extras, "flags"), thread->flags);
        extras_end(&extras);
    }
    d->threads++;
    return ctl_is_interrupted() ? APR_EINTR : line_end(d, &w);
}

static apr_status_t contact_dump(void *baton, const wa_contact_t *contact)
{
    dump_t *d = baton;
    wa_json_writer_t w;

    apr_pool_clear(d->tmp);
    w = line_begin(d, apr_pstrcat(d->tmp, "contact:", wa_slice_string(contact->id, d->tmp), NULL));
    wa_contact_render(&w, contact);
    d->contacts++;
    return ctl_is_interrupted() ? APR_EINTR : line_end(d, &w);
}

static int all_dump(dump_t *d)
{
    apr_status_t rv;
    int rc = ctl_snapshot_again(d->ctl, d->snapshot, "dumping", message_dump, d);

    if (rc != CTL_DONE) {
        return rc;
    }
    rv = wa_store_threads_list(&d->snapshot->store.base, 0, thread_dump, d);
    if (rv == APR_SUCCESS) {
        rv = wa_store_contacts_list(&d->snapshot->store.base, contact_dump, d);
    }
    if (rv == APR_SUCCESS && fflush(d->out)) {
        rv = APR_FROM_OS_ERROR(errno);
    }
    return rv == APR_SUCCESS ? CTL_DONE : ctl_error_status(rv, "the dump cannot be written");
}

/* Opens where the dump goes. What is no regular file (a pipe, /dev/null) is written to as it is.
 * @param pis_file  out: 1 when it gets its name at the end */
static int out_open(dump_t *d, const char *path, int *pis_file)
{
    struct stat info;
    int fd;

    *pis_file = 0;
    if (!path) {
        d->out = stdout;
        return CTL_DONE;
    }
    if (stat(path, &info) || S_ISREG(info.st_mode)) {
        int rc = ctl_outside_file(d->ctl, path, &fd);

        if (rc != CTL_DONE) {
            return rc;
        }
        *pis_file = 1;
    } else {
        fd = open(path, O_WRONLY | O_CLOEXEC);
        if (fd >= 0 && (fstat(fd, &info) || S_ISREG(info.st_mode))) {
            close(fd);
            return ctl_error("%s was a pipe or device and is a file now: somebody changes it",
                             path);
        }
    }
    d->out = fd < 0 ? NULL : fdopen(fd, "w");
    return d->out ? CTL_DONE
                  : ctl_error_status(APR_FROM_OS_ERROR(errno), "%s cannot be written", path);
}

static int out_close(dump_t *d, const char *path, int is_file)
{
    if (!path) {
        return CTL_DONE;
    }
    if ((is_file && fsync(fileno(d->out))) || fclose(d->out)) {
        return ctl_error_status(APR_FROM_OS_ERROR(errno), "%s cannot be written", path);
    }
    return CTL_DONE;
}

int ctl_dump(ctl_t *ctl, ctl_arguments_t arguments)
{
    const char *path = NULL;
    const ctl_option_t options[] = {{"--output", &path, NULL}, {NULL, NULL, NULL}};
    dump_t d;
    int rc, is_file;

    memset(&d, 0, sizeof(d));
    d.ctl = ctl;
    if (!ctl_arguments_read(arguments, options, NULL)) {
        return CTL_FAILED;
    }
    /* Before the store's owner is taken on: where it goes is for who runs this to write. */
    rc = out_open(&d, path, &is_file);
    if (rc == CTL_DONE) {
        rc = ctl_snapshot_read(ctl, 0, NULL, NULL, &d.snapshot);
    }
    if (rc != CTL_DONE) {
        return rc;
    }
    wa_buffer_init(&d.line, 8192);
    apr_pool_create(&d.tmp, ctl->pool);
    rc = all_dump(&d);
    wa_buffer_release(&d.line);
    if (rc == CTL_DONE) {
        rc = out_close(&d, path, is_file);
    }
    if (rc != CTL_DONE) {
        return rc;
    }
    ctl_note(ctl,
             "%" APR_UINT64_T_FMT " messages, %" APR_UINT64_T_FMT " threads, %" APR_UINT64_T_FMT
             " contacts",
             d.messages, d.threads, d.contacts);
    if (d.garbled) {
        ctl_error("%" APR_UINT64_T_FMT " values that are no text were left out", d.garbled);
    }
    if (d.snapshot->damaged) {
        ctl_error("%" APR_UINT64_T_FMT
                  " bytes of the journal are damaged: what stood there is not in the dump",
                  d.snapshot->damaged);
    }
    return d.garbled || d.snapshot->damaged ? CTL_BAD : CTL_DONE;
}
