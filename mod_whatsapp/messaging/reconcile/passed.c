/* SPDX-License-Identifier: Apache-2.0 */
/* What reconciliation passes over, so that one thing that cannot be had holds up nothing else. */
#include "messaging/reconcile/passed.h"

#include <apr_strings.h>

#include "base/clock.h"
#include "base/hash.h"

#define DENIED_PAUSE apr_time_from_sec(600)
#define DENIED_DOUBLINGS_MAX 12u
#define DELAY_DOUBLINGS_MAX 3u

apr_uint64_t wa_passed_key(const char *kind, const char *name)
{
    return wa_hash_process(wa_hash64(0, kind, strlen(kind)), name, strlen(name));
}

static wa_reconcile_passed_t *entry_find(wa_reconcile_memory_t *memory, apr_uint64_t key)
{
    int i;

    for (i = 0; i < WA_RECONCILE_PASSED_MAX; i++) {
        if (memory->passed[i].times > 0 && memory->passed[i].key == key) {
            return &memory->passed[i];
        }
    }
    return NULL;
}

/* The thing's entry, made in the place of the oldest where there is none. */
static wa_reconcile_passed_t *entry_get(wa_reconcile_memory_t *memory, apr_uint64_t key)
{
    wa_reconcile_passed_t *entry = entry_find(memory, key);

    if (!entry) {
        entry = &memory->passed[memory->passed_next++ % WA_RECONCILE_PASSED_MAX];
        memset(entry, 0, sizeof(*entry));
        entry->key = key;
    }
    return entry;
}

static int entry_is_due(const wa_reconcile_run_t *run, const wa_reconcile_passed_t *entry)
{
    return wa_clock_steady_us() >= entry->due_us && run->memory->runs >= entry->due_run;
}

int wa_passed_is_due(const wa_reconcile_run_t *run, apr_uint64_t key)
{
    const wa_reconcile_passed_t *entry = entry_find(run->memory, key);

    return !entry || entry_is_due(run, entry);
}

static unsigned doublings(const wa_reconcile_passed_t *entry, unsigned max)
{
    return entry->times < max ? entry->times : max;
}

int wa_passed_deny(const wa_reconcile_run_t *run, apr_uint64_t key)
{
    wa_reconcile_passed_t *entry = entry_get(run->memory, key);

    if (entry->times > 0 && !entry_is_due(run, entry)) {
        return 0;
    }
    entry->due_us = wa_clock_steady_us() + (DENIED_PAUSE << doublings(entry, DENIED_DOUBLINGS_MAX));
    entry->times++;
    return 1;
}

void wa_passed_delay(const wa_reconcile_run_t *run, apr_uint64_t key)
{
    wa_reconcile_passed_t *entry = entry_get(run->memory, key);

    entry->due_run = run->memory->runs + (1u << doublings(entry, DELAY_DOUBLINGS_MAX));
    entry->times++;
}

void wa_passed_forget(const wa_reconcile_run_t *run, apr_uint64_t key)
{
    wa_reconcile_passed_t *entry = entry_find(run->memory, key);

    if (entry) {
        entry->times = 0;
    }
}

apr_status_t wa_passed_judge(const wa_reconcile_run_t *run, apr_status_t rv, apr_uint64_t key)
{
    if (rv != APR_EINVAL && rv != APR_EGENERAL && !APR_STATUS_IS_NOTFOUND(rv)) {
        return rv;
    }
    (void)wa_passed_deny(run, key);
    return APR_SUCCESS;
}

void wa_passed_note(const wa_reconcile_run_t *run, apr_size_t *count, const char *sid,
                    const wa_twilio_result_t *result)
{
    wa_reconcile_notice_t *passed = &run->progress->passed;

    (*count)++;
    if (!passed->sid) {
        passed->sid = apr_pstrdup(run->p, sid);
        passed->http_status = result ? result->http_status : 0;
        passed->error_code = result ? result->error_code : 0;
    }
}

void wa_passed_log(const wa_reconcile_run_t *run)
{
    const wa_reconcile_notice_t *passed = &run->progress->passed;

    if (!passed->sid) {
        return;
    }
    WA_LOG(run->messenger->log, WA_LOG_WARNING, "WA0550", APR_SUCCESS,
           "reconciliation passed over what cannot be had: attachments=%" APR_SIZE_T_FMT
           " messages=%" APR_SIZE_T_FMT " lists=%" APR_SIZE_T_FMT
           " first: %s http=%d error=%d; all else goes on",
           passed->attachments, passed->messages, passed->lists, passed->sid, passed->http_status,
           passed->error_code);
}
