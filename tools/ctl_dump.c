/* SPDX-License-Identifier: Apache-2.0 */
/* whatsappctl dump: every message, thread and contact as a JSON line that load can read. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_strings.h>

#include "base/json.h"
#include "base/text.h"
#include "commands.h"
#include "ctl_end.h"
#include "ctl_owner.h"
#include "ctl_say.h"
#include "ctl_store.h"
#include "load_item.h"
#include "messaging/message_json.h"
#include "store/dbm/read.h"

/* A date that is so near to the timestamp is not told. */
#define DATE_DIFFERS_MS ((apr_int64_t)60000)

typedef struct dump_t {
    ctl_t *ctl;
    wa_view_t *view;
    FILE *out;
    wa_buffer_t line;
    apr_pool_t *tmp; /* of one message */
    apr_uint64_t messages, threads, contacts;
    apr_uint64_t garbled; /* values that are no text and cannot be in JSON */
} dump_t;

static void text_add(wa_buffer_t *b, wa_slice_t text)
{
    WA_BUFFER_ADD_LITERAL(b, "\"");
    wa_buffer_add_json(b, text.ptr, text.len);
    WA_BUFFER_ADD_LITERAL(b, "\"");
}

static apr_status_t line_write(dump_t *d)
{
    WA_BUFFER_ADD_LITERAL(&d->line, "}\n");
    if (d->line.failed) {
        return APR_ENOMEM;
    }
    if (fwrite(d->line.data, 1, d->line.len, d->out) != d->line.len) {
        return APR_FROM_OS_ERROR(errno);
    }
    d->line.len = 0;
    return APR_SUCCESS;
}

/* The members of "store", what the API's object does not have; each is preceded by a comma but the first. */
static void extra_begin(wa_buffer_t *b, int *pcount, const char *name)
{
    if (*pcount == 0) {
        b->len--; /* the } of the API's object */
        WA_BUFFER_ADD_LITERAL(b, ",\"store\":{");
    } else {
        WA_BUFFER_ADD_LITERAL(b, ",");
    }
    (*pcount)++;
    WA_BUFFER_ADD_LITERAL(b, "\"");
    wa_buffer_add(b, name, strlen(name));
    WA_BUFFER_ADD_LITERAL(b, "\":");
}

static void extra_end(wa_buffer_t *b, int count)
{
    if (count > 0) {
        WA_BUFFER_ADD_LITERAL(b, "}}");
    }
}

static void extra_text(dump_t *d, int *pcount, const char *name, wa_slice_t text)
{
    if (text.len == 0) {
        return;
    }
    if (!wa_text_is_utf8(text.ptr, text.len)) {
        d->garbled++;
        return;
    }
    extra_begin(&d->line, pcount, name);
    text_add(&d->line, text);
}

/* The sid that the API shows. A quote within a string is escaped, so what is looked for is nowhere else. */
static wa_slice_t shown_sid(const wa_message_t *m)
{
    static const char name[] = "\"sid\":\"";
    const wa_slice_t json = m->direction == WA_DIRECTION_SENT ? m->state_json : m->fixed_json;
    const char *start = json.len ? memmem(json.ptr, json.len, name, sizeof(name) - 1) : NULL;
    const char *end;

    if (!start) {
        return wa_slice_make(NULL, 0);
    }
    start += sizeof(name) - 1;
    end = memchr(start, '"', (apr_size_t)(json.ptr + json.len - start));
    return wa_slice_make(start, end ? (apr_size_t)(end - start) : 0);
}

/* All sids by which a message is found, the oldest first and the current one last, where that is not just the one that the API shows: a message
 * sent in parts has several. */
static void sids_add(dump_t *d, int *pcount, const wa_message_t *m,
                     const wa_record_message_t *fixed, apr_uint64_t row)
{
    wa_journal_t *journal = &d->view->store.journal;
    apr_uint64_t end = d->view->store.replica.at.offset;
    const wa_row_t *entry = wa_index_row(&d->view->store.index, row);
    apr_uint64_t state = entry ? entry->state : 0;
    apr_array_header_t *sids = apr_array_make(d->tmp, 4, sizeof(wa_slice_t));
    int i;

    if (m->sid.len) {
        APR_ARRAY_PUSH(sids, wa_slice_t) = m->sid;
    }
    while (state && !ctl_is_interrupted()) {
        const wa_record_t *r = wa_journal_record(journal, state, end);
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
    if (sids->nelts == 0 || (sids->nelts == 1 && wa_slice_is_equal(m->sid, shown_sid(m)))) {
        return;
    }
    extra_begin(&d->line, pcount, "sids");
    for (i = sids->nelts - 1; i >= 0; i--) {
        wa_buffer_add(&d->line, i == sids->nelts - 1 ? "[" : ",", 1);
        text_add(&d->line, APR_ARRAY_IDX(sids, i, wa_slice_t));
    }
    WA_BUFFER_ADD_LITERAL(&d->line, "]");
}

static apr_status_t message_dump(void *baton, wa_view_t *view, const wa_walk_step_t *step)
{
    dump_t *d = baton;
    wa_record_message_t fixed;
    wa_message_t m;
    wa_slice_t preview;
    apr_status_t rv;
    int extras = 0;

    if (!step->record || step->record->type != WA_RECORD_MESSAGE) {
        return APR_SUCCESS;
    }
    apr_pool_clear(d->tmp);
    rv = wa_record_message_read(step->record, &fixed);
    if (rv == APR_SUCCESS) {
        rv = wa_dbm_message_get(&view->store, step->record->row, &m);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    WA_BUFFER_ADD_LITERAL(&d->line, "{\"key\":\"msg:");
    wa_buffer_add_json(&d->line, m.counterpart.ptr, m.counterpart.len);
    WA_BUFFER_ADD_LITERAL(&d->line, ":");
    wa_buffer_add_int(&d->line, m.timestamp_ms);
    WA_BUFFER_ADD_LITERAL(&d->line, ":");
    wa_buffer_add_json(&d->line, m.id.ptr, m.id.len);
    WA_BUFFER_ADD_LITERAL(&d->line, "\",\"value\":");
    wa_message_render(&d->line, &m, NULL);
    preview = load_preview_guess(m.fixed_json, d->tmp);
    if (!wa_slice_is_equal(preview, fixed.preview_json) && !d->line.failed) {
        extra_begin(&d->line, &extras, "preview");
        WA_BUFFER_ADD_LITERAL(&d->line, "\"");
        wa_buffer_add_slice(&d->line, fixed.preview_json);
        WA_BUFFER_ADD_LITERAL(&d->line, "\"");
    }
    if (m.state_private.len == 0 && m.direction == WA_DIRECTION_SENT && !d->line.failed) {
        extra_begin(&d->line, &extras, "private"); /* without it load would make one */
        WA_BUFFER_ADD_LITERAL(&d->line, "\"\"");
    }
    extra_text(d, &extras, "private", m.state_private);
    if (m.date_ms < m.timestamp_ms - DATE_DIFFERS_MS
        || m.date_ms > m.timestamp_ms + DATE_DIFFERS_MS) {
        extra_begin(&d->line, &extras, "date");
        wa_buffer_add_int(&d->line, m.date_ms);
    }
    extra_text(d, &extras, "idempotencyKey", fixed.idempotency_key);
    sids_add(d, &extras, &m, &fixed, step->record->row);
    extra_end(&d->line, extras);
    d->messages++;
    return line_write(d);
}

static apr_status_t thread_dump(void *baton, const wa_thread_t *thread)
{
    dump_t *d = baton;
    int extras = 0;

    WA_BUFFER_ADD_LITERAL(&d->line, "{\"key\":\"thread:");
    wa_buffer_add_json(&d->line, thread->counterpart.ptr, thread->counterpart.len);
    WA_BUFFER_ADD_LITERAL(&d->line, "\",\"value\":");
    wa_thread_render(&d->line, thread);
    if (thread->flags && !d->line.failed) {
        extra_begin(&d->line, &extras, "flags");
        wa_buffer_add_int(&d->line, thread->flags);
        extra_end(&d->line, extras);
    }
    d->threads++;
    return ctl_is_interrupted() ? APR_EINTR : line_write(d);
}

static apr_status_t contact_dump(void *baton, const wa_contact_t *contact)
{
    dump_t *d = baton;

    WA_BUFFER_ADD_LITERAL(&d->line, "{\"key\":\"contact:");
    wa_buffer_add_slice(&d->line, contact->id);
    WA_BUFFER_ADD_LITERAL(&d->line, "\",\"value\":");
    wa_contact_render(&d->line, contact);
    d->contacts++;
    return ctl_is_interrupted() ? APR_EINTR : line_write(d);
}

static int all_dump(dump_t *d)
{
    apr_status_t rv;
    int rc = ctl_view_again(d->ctl, d->view, "dumping", message_dump, d);

    if (rc != CTL_DONE) {
        return rc;
    }
    rv = wa_store_threads_list(&d->view->store.base, 0, thread_dump, d);
    if (rv == APR_SUCCESS) {
        rv = wa_store_contacts_list(&d->view->store.base, contact_dump, d);
    }
    if (rv == APR_SUCCESS && fflush(d->out)) {
        rv = APR_FROM_OS_ERROR(errno);
    }
    return rv == APR_SUCCESS ? CTL_DONE : ctl_error_status(rv, "the dump cannot be written");
}

/* Opens where the dump goes. What is no regular file (a pipe, /dev/null) is written to as it is. @param pis_file  out: 1 when it gets its name at the end */
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
        rc = ctl_view_read(ctl, 0, NULL, NULL, &d.view);
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
    if (d.view->damaged) {
        ctl_error("%" APR_UINT64_T_FMT
                  " bytes of the journal are damaged: what stood there is not in the dump",
                  d.view->damaged);
    }
    return d.garbled || d.view->damaged ? CTL_BAD : CTL_DONE;
}
