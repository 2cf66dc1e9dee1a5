/* SPDX-License-Identifier: Apache-2.0 */
/* Fills a store directory with messages, threads and contacts through the store's own code, for
 * measuring at a size. */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <apr_general.h>
#include <apr_strings.h>
#include <apr_time.h>

#include "base/id.h"
#include "messaging/delivery/state.h"
#include "messaging/message/preview.h"
#include "store/store.h"

#define SENTENCES 16
#define ACCOUNT "AC00000000000000000000000000000001"
#define NUMBER "+14155238886"
#define BAR_WIDTH 40

typedef struct fill_t {
    wa_store_t *store;
    char sentences[SENTENCES][160];
    apr_uint64_t messages, threads, contacts;
    apr_int64_t start_ms;
    int is_terminal;
} fill_t;

static int log_is_on(void *baton, wa_log_level_e level)
{
    (void)baton;
    return level <= WA_LOG_WARNING;
}

static void log_write(void *baton, wa_log_level_e level, const char *tag, apr_status_t rv,
                      const char *text)
{
    (void)baton;
    fprintf(stderr, "%s(%d) %s: %s\n", level <= WA_LOG_ERR ? "error" : "warning", rv, tag, text);
}

static int sentences_read(fill_t *fill, const char *path)
{
    FILE *f = fopen(path, "r");
    int n = 0;

    while (f && n < SENTENCES && fgets(fill->sentences[n], sizeof fill->sentences[n], f)) {
        fill->sentences[n][strcspn(fill->sentences[n], "\n")] = '\0';
        n++;
    }
    if (f) {
        fclose(f);
    }
    return n == SENTENCES ? 0 : -1;
}

static void progress(const fill_t *fill, apr_uint64_t done, apr_time_t since)
{
    double seconds = (double)(apr_time_now() - since) / 1e6;
    int filled = fill->messages ? (int)(done * BAR_WIDTH / fill->messages) : BAR_WIDTH;

    if (fill->is_terminal) {
        fprintf(stderr, "\r[%.*s%*s] %" APR_UINT64_T_FMT " messages, %.0f/s ", filled,
                "########################################", BAR_WIDTH - filled, "", done,
                seconds > 0 ? (double)done / seconds : 0.0);
    }
}

static const char *counterpart_name(apr_uint64_t number, apr_pool_t *p)
{
    return apr_psprintf(p, "+1555%07" APR_UINT64_T_FMT, number);
}

/* The i-th message: an inbound one and the reply to it in turn, through the threads one after the
 * other, one a second. */
static apr_status_t message_add(const fill_t *fill, apr_uint64_t i, apr_pool_t *p)
{
    apr_uint32_t mixed = ((apr_uint32_t)i * 2654435761u) >> 8;
    int is_received = i % 2 == 0;
    wa_message_new_t message = {.direction =
                                    is_received ? WA_DIRECTION_RECEIVED : WA_DIRECTION_SENT};
    wa_message_state_t stored = {0};
    wa_delivery_t delivery = {.part_count = 1};
    wa_message_t result;

    message.id = wa_id_uuid4(p);
    if (!message.id) {
        return APR_EGENERAL;
    }
    message.sid = apr_psprintf(p, "SM%032" APR_UINT64_T_HEX_FMT, i);
    message.phone_number = NUMBER;
    message.counterpart = counterpart_name(i / 2 % fill->threads, p);
    message.body = wa_slice_of(fill->sentences[mixed % SENTENCES]);
    message.preview = wa_preview_make(message.body, NULL);
    message.timestamp_ms = fill->start_ms + (apr_int64_t)i * 1000;
    if (!is_received) {
        delivery.parts[0] =
            (wa_part_t){.is = WA_PART_TAKEN, .word = WA_DELIVERY_DELIVERED, .sid = message.sid};
        delivery.parts[0].since_ms[WA_DELIVERY_DELIVERED] = message.timestamp_ms;
        if (wa_delivery_write(&delivery, message.sid, &stored, p) != APR_SUCCESS) {
            return APR_ENOMEM;
        }
        message.status = stored.status;
        message.delivery = stored.delivery;
    }
    return wa_store_message_add(fill->store, &message, &result, p);
}

static apr_status_t messages_add(const fill_t *fill, apr_pool_t *tmp)
{
    apr_time_t since = apr_time_now(), shown = since, maintained = since;
    apr_status_t rv = APR_SUCCESS;
    apr_uint64_t i;

    for (i = 0; i < fill->messages && rv == APR_SUCCESS; i++) {
        apr_pool_clear(tmp);
        rv = message_add(fill, i, tmp);
        if (i % 1000 == 0) {
            apr_time_t now = apr_time_now();

            if (now - maintained > apr_time_from_sec(1)) {
                maintained = now;
                rv = rv == APR_SUCCESS ? wa_store_maintain(fill->store, tmp) : rv;
            }
            if (now - shown > apr_time_from_msec(200)) {
                shown = now;
                progress(fill, i, since);
            }
        }
    }
    progress(fill, i, since);
    if (fill->is_terminal) {
        fputc('\n', stderr);
    }
    return rv;
}

/* A quarter of the contacts are of threads, the others of numbers that never wrote. */
static apr_status_t contacts_add(const fill_t *fill, apr_pool_t *tmp)
{
    apr_status_t rv = APR_SUCCESS;

    for (apr_uint64_t i = 0; i < fill->contacts && rv == APR_SUCCESS; i++) {
        wa_contact_t contact = {0}, stored;

        apr_pool_clear(tmp);
        contact.id = wa_slice_of(wa_id_uuid4(tmp));
        contact.phone_number = wa_slice_of(counterpart_name(i * 4, tmp));
        contact.display_name = wa_slice_of(
            apr_psprintf(tmp, "Customer %04" APR_UINT64_T_FMT, i * 37 % fill->contacts));
        rv = wa_store_contact_add(fill->store, &contact, &stored, tmp);
    }
    return rv;
}

/* One thread in ten keeps its unread messages. */
static apr_status_t threads_read(const fill_t *fill, apr_pool_t *tmp)
{
    apr_status_t rv = APR_SUCCESS;

    for (apr_uint64_t i = 0; i < fill->threads && i * 2 < fill->messages && rv == APR_SUCCESS;
         i++) {
        apr_pool_clear(tmp);
        if (i % 10 != 0) {
            rv = wa_store_thread_mark_read(fill->store, counterpart_name(i, tmp), tmp);
        }
    }
    return rv;
}

static int fail(const char *what, apr_status_t rv)
{
    char text[200];

    fprintf(stderr, "wa-fill: %s: %s\n", what, apr_strerror(rv, text, sizeof text));
    return 1;
}

static int run(fill_t *fill, const char *uri, const char *user, apr_pool_t *p)
{
    static const wa_log_t log = {log_is_on, log_write, NULL};
    wa_store_options_t options = {
        .uri = uri, .account_sid = ACCOUNT, .sync = WA_SYNC_OFF, .log = &log};
    const struct passwd *owner = user ? getpwnam(user) : NULL;
    const char *error = NULL;
    apr_pool_t *tmp;
    apr_status_t rv;

    if (user && !owner) {
        fprintf(stderr, "wa-fill: there is no user '%s'\n", user);
        return 1;
    }
    options.server.owner = owner ? owner->pw_uid : geteuid();
    options.server.owner_group = owner ? owner->pw_gid : getegid();
    rv = wa_store_open(&fill->store, &options, &error, p);
    if (rv != APR_SUCCESS) {
        return fail(error ? error : "cannot open the store", rv);
    }
    /* As a child of httpd's does: what is written from here on is the owner's, not root's. */
    if (owner && geteuid() != owner->pw_uid
        && (initgroups(owner->pw_name, owner->pw_gid) != 0 || setgid(owner->pw_gid) != 0
            || setuid(owner->pw_uid) != 0)) {
        return fail("cannot become the owner", APR_FROM_OS_ERROR(errno));
    }
    rv = wa_store_child_init(fill->store, p);
    if (rv != APR_SUCCESS) {
        return fail("cannot use the store", rv);
    }
    apr_pool_create(&tmp, p);
    rv = messages_add(fill, tmp);
    if (rv != APR_SUCCESS) {
        return fail("cannot add a message", rv);
    }
    rv = contacts_add(fill, tmp);
    if (rv != APR_SUCCESS) {
        return fail("cannot add a contact", rv);
    }
    rv = threads_read(fill, tmp);
    return rv == APR_SUCCESS ? 0 : fail("cannot mark a thread as read", rv);
}

int main(int argc, char **argv)
{
    static fill_t fill;
    apr_pool_t *p;
    int rc;

    if (argc < 6 || argc > 7 || strtoull(argv[4], NULL, 10) == 0) {
        fprintf(stderr,
                "usage: wa-fill STORE SENTENCES MESSAGES THREADS CONTACTS [USER]\n"
                "STORE is as in WhatsAppStore, e.g. dbm:/tmp/store; USER shall own its files.\n");
        return 2;
    }
    if (sentences_read(&fill, argv[2]) != 0) {
        fprintf(stderr, "wa-fill: %s must have %d lines\n", argv[2], SENTENCES);
        return 1;
    }
    fill.messages = strtoull(argv[3], NULL, 10);
    fill.threads = strtoull(argv[4], NULL, 10);
    fill.contacts = strtoull(argv[5], NULL, 10);
    fill.is_terminal = isatty(STDERR_FILENO);
    fill.start_ms = apr_time_as_msec(apr_time_now()) - (apr_int64_t)(fill.messages + 60) * 1000;
    apr_initialize();
    apr_pool_create(&p, NULL);
    rc = run(&fill, argv[1], argc > 6 ? argv[6] : NULL, p);
    apr_pool_destroy(p); /* closes the store with a checkpoint */
    apr_terminate();
    return rc;
}
