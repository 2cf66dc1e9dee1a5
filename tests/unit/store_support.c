/* SPDX-License-Identifier: Apache-2.0 */
/* A store in a temporary directory for the store's unit tests. */
#include "store_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <apr_strings.h>

static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;
static char log_text[16384];
static size_t log_len;

static int log_is_on(void *baton, wa_log_level_e level)
{
    (void)baton;
    return level <= WA_LOG_NOTICE;
}

static void log_write(void *baton, wa_log_level_e level, const char *tag, apr_status_t rv,
                      const char *text)
{
    int n;

    (void)baton;
    if (getenv("WA_TEST_LOG")) {
        fprintf(stderr, "[%d %s %d] %s\n", (int)level, tag, (int)rv, text);
    }
    pthread_mutex_lock(&log_lock);
    n = snprintf(log_text + log_len, sizeof(log_text) - log_len, "%s %s\n", tag, text);
    log_len += n > 0 && (size_t)n < sizeof(log_text) - log_len ? (size_t)n : 0;
    pthread_mutex_unlock(&log_lock);
}

int test_step(void)
{
    const char *preload = getenv("LD_PRELOAD");

    return preload && strstr(preload, "vgpreload") ? 37 : 1;
}

void fixture_log_clear(void)
{
    log_len = 0;
    log_text[0] = '\0';
}

const char *fixture_log(void)
{
    return log_text;
}

static const wa_log_t test_log = {log_is_on, log_write, NULL};

static wa_store_options_t options_get(fixture_t *f)
{
    wa_store_options_t options;

    memset(&options, 0, sizeof(options));
    options.uri = apr_psprintf(f->p, "dbm:%s/store type=%s", f->directory, f->type);
    options.account_sid = f->account_sid;
    options.sync = f->sync;
    options.sync_interval = apr_time_from_sec(1);
    options.server.owner = geteuid();
    options.server.owner_group = getegid();
    options.log = &test_log;
    options.server.retained = f->retained;
    return options;
}

fixture_t *fixture_create(const char *type)
{
    char template[] = "/tmp/wa-store-XXXXXX";
    apr_pool_t *p;
    fixture_t *f;

    assert_int_equal(apr_pool_create(&p, NULL), APR_SUCCESS);
    f = apr_pcalloc(p, sizeof(*f));
    f->p = p;
    f->type = type;
    assert_non_null(mkdtemp(template));
    f->directory = apr_pstrdup(p, template);
    f->account_sid = "AC00000000000000000000000000000001";
    f->sync = WA_SYNC_OFF;
    fixture_open(f);
    return f;
}

apr_status_t fixture_open_in(fixture_t *f, apr_pool_t *p)
{
    wa_store_options_t options = options_get(f);
    apr_status_t rv;

    f->store_pool = p;
    rv = wa_store_open(&f->store, &options, &f->error, f->store_pool);
    f->error = f->error ? apr_pstrdup(f->p, f->error) : NULL;
    if (rv != APR_SUCCESS) {
        fixture_close(f);
    }
    return rv;
}

apr_status_t fixture_open_status(fixture_t *f)
{
    apr_pool_t *p;

    assert_int_equal(apr_pool_create(&p, NULL), APR_SUCCESS);
    return fixture_open_in(f, p);
}

void fixture_open(fixture_t *f)
{
    assert_int_equal(fixture_open_status(f), APR_SUCCESS);
}

apr_status_t fixture_open_second(fixture_t *f, wa_store_t **pstore, const char **perror)
{
    wa_store_options_t options = options_get(f);

    return wa_store_open(pstore, &options, perror, f->p);
}

void fixture_close(fixture_t *f)
{
    if (f->store_pool) {
        apr_pool_destroy(f->store_pool);
        f->store_pool = NULL;
        f->store = NULL;
    }
}

void fixture_reopen(fixture_t *f)
{
    fixture_close(f);
    fixture_open(f);
}

static void directory_remove(const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *entry;

    while (dir && (entry = readdir(dir)) != NULL) {
        char name[4096];

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) {
            continue;
        }
        snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
        if (unlink(name)) {
            directory_remove(name);
        }
    }
    if (dir) {
        closedir(dir);
    }
    rmdir(path);
}

void fixture_destroy(fixture_t *f)
{
    fixture_close(f);
    directory_remove(f->directory);
    apr_pool_destroy(f->p);
}

wa_message_new_t message_new(const char *id, const char *sid, const char *counterpart,
                             wa_direction_e direction, const char *idempotency_key)
{
    wa_message_new_t n;

    memset(&n, 0, sizeof(n));
    n.id = id;
    n.sid = sid;
    n.counterpart = counterpart;
    n.direction = direction;
    n.status = direction == WA_DIRECTION_SENT ? WA_STATUS_PENDING : WA_STATUS_NONE;
    n.idempotency_key = idempotency_key;
    n.phone_number = "+14155238886";
    n.preview = WA_SLICE_LITERAL("hello");
    n.body = WA_SLICE_LITERAL("hello, how are you?");
    n.attributes = WA_SLICE_LITERAL("any bytes");
    if (direction == WA_DIRECTION_SENT) {
        n.delivery = WA_SLICE_LITERAL("pending");
    }
    return n;
}

static wa_message_t new_add(fixture_t *f, wa_message_new_t n)
{
    wa_message_t m;

    assert_int_equal(wa_store_message_add(f->store, &n, &m, f->p), APR_SUCCESS);
    return m;
}

wa_message_t message_add(fixture_t *f, const char *id, const char *sid, const char *counterpart,
                         wa_direction_e direction)
{
    return new_add(f, message_new(id, sid, counterpart, direction, NULL));
}

wa_message_t message_keyed_add(fixture_t *f, const char *id, const char *sid,
                               const char *counterpart, const char *idempotency_key)
{
    return new_add(f, message_new(id, sid, counterpart, WA_DIRECTION_SENT, idempotency_key));
}

/* A row that outlives its visit. */
typedef struct kept_t {
    wa_thread_t row;
    apr_pool_t *p;
} kept_t;

static apr_status_t thread_keep(void *baton, const wa_thread_t *t)
{
    kept_t *kept = baton;

    kept->row = *t;
    kept->row.inbound = apr_pmemdup(kept->p, t->inbound, t->inbound_count * sizeof(*t->inbound));
    return APR_SUCCESS;
}

wa_thread_t thread_get(fixture_t *f, const char *counterpart)
{
    kept_t kept = {.p = f->p};

    assert_int_equal(wa_store_thread_visit(f->store, counterpart, thread_keep, &kept), APR_SUCCESS);
    return kept.row;
}

apr_status_t contact_add(fixture_t *f, const char *id, const char *number, const char *name,
                         wa_contact_t *pc)
{
    wa_contact_t c;

    memset(&c, 0, sizeof(c));
    c.id = wa_slice_of(id);
    c.phone_number = wa_slice_of(number);
    c.display_name = wa_slice_of(name);
    return wa_store_contact_add(f->store, &c, pc, f->p);
}

void assert_slice(wa_slice_t slice, const char *text)
{
    assert_int_equal(slice.len, strlen(text));
    assert_memory_equal(slice.ptr, text, slice.len);
}

static apr_status_t none_visit(void *baton, const wa_message_t *m, int is_update)
{
    (void)baton;
    (void)m;
    (void)is_update;
    fail();
    return APR_EGENERAL;
}

apr_int64_t store_time(fixture_t *f)
{
    wa_changes_t changes;

    do {
        memset(&changes, 0, sizeof(changes));
        assert_int_equal(wa_store_changes_list(f->store,
                                               CHANGES_AFTER(APR_INT64_MAX, 1, none_visit, NULL),
                                               &changes, f->p),
                         APR_SUCCESS);
    } while (changes.is_held_back);
    return changes.timestamp_ms;
}
