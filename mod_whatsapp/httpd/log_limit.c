/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps lines that somebody outside can provoke from filling the error log. */
#include "httpd/log_limit.h"

#include <stdlib.h>

#include <apr_shm.h>
#include <http_config.h>
#include <http_log.h>

#include "base/clock.h"
#include "httpd/config.h"

APLOG_USE_MODULE(whatsapp);

/* More tags than a request can have a line of; beyond, they share the last place. */
#define SLOTS 64

#define LINE_US (APR_USEC_PER_SEC / WA_FLOOD_LINES)
#define SAY_US APR_USEC_PER_SEC

/* One tag. Every member is changed by itself and atomically, so that a process that is killed
 * between two steps leaves nothing to repair: at worst one number is never said. */
typedef struct slot_t {
    apr_int64_t due_us;    /* when what was written will be made up for, LINE_US a line */
    apr_int64_t said_us;   /* when somebody was last told */
    apr_uint64_t left_out; /* lines that nobody was told of yet */
    apr_uint32_t tag;      /* its digits; 0 for a free place */
    apr_uint32_t level;    /* of the last line left out */
    apr_uint32_t server;   /* whose it was: its place in the list of servers */
} slot_t;

static slot_t *slots;
static const server_rec *first_server;

static apr_status_t flood_forget(void *data)
{
    if (slots == data) {
        slots = NULL;
    }
    return APR_SUCCESS;
}

apr_status_t wa_log_limit_create(server_rec *main_server, apr_pool_t *pconf)
{
    apr_shm_t *shm;
    apr_status_t rv = apr_shm_create(&shm, SLOTS * sizeof(slot_t), NULL, pconf);

    if (rv != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_EMERG | APLOG_STARTUP, rv, main_server,
                     "WA0151: no shared memory for the log's limits");
        return rv;
    }
    slots = apr_shm_baseaddr_get(shm);
    memset(slots, 0, SLOTS * sizeof(slot_t));
    first_server = main_server;
    apr_pool_cleanup_register(pconf, slots, flood_forget, apr_pool_cleanup_null);
    return APR_SUCCESS;
}

/* The place of a tag, taken when it has none yet. */
static slot_t *slot_find(const char *tag)
{
    const apr_uint32_t number = (apr_uint32_t)strtoul(tag + 2, NULL, 10) + 1;
    int i;

    for (i = 0; i < SLOTS - 1; i++) {
        apr_uint32_t taken = 0;

        if (__atomic_compare_exchange_n(&slots[i].tag, &taken, number, 0, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED)
            || taken == number) {
            break;
        }
    }
    return &slots[i];
}

static apr_uint32_t server_place(const server_rec *s)
{
    const server_rec *each = first_server;
    apr_uint32_t place = 0;

    for (; each && each != s; each = each->next) {
        place++;
    }
    return each ? place : 0;
}

static const server_rec *server_at(apr_uint32_t place)
{
    const server_rec *s = first_server;

    for (; place > 0 && s->next; place--) {
        s = s->next;
    }
    return s;
}

/* Says what was left out, unless that was done within the last `pause_us`. */
static void slot_report(slot_t *slot, apr_int64_t pause_us)
{
    const apr_int64_t now = wa_clock_steady_us();
    apr_int64_t said = __atomic_load_n(&slot->said_us, __ATOMIC_RELAXED);
    apr_uint64_t count;

    if (__atomic_load_n(&slot->left_out, __ATOMIC_RELAXED) == 0 || now - said < pause_us
        || !__atomic_compare_exchange_n(&slot->said_us, &said, now, 0, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED)) {
        return;
    }
    count = __atomic_exchange_n(&slot->left_out, 0, __ATOMIC_RELAXED);
    if (count > 0) {
        ap_log_error(APLOG_MARK, (int)slot->level, 0, server_at(slot->server),
                     "WA0150: %" APR_UINT64_T_FMT " more lines of WA%04u were left out: over %d a "
                     "second, of all virtual hosts together",
                     count, slot->tag - 1, WA_FLOOD_LINES);
    }
}

int wa_log_limit_pass(const server_rec *s, int level, const char *tag)
{
    const apr_int64_t now = wa_clock_steady_us();
    apr_int64_t due, next;
    slot_t *slot;

    if (!slots) {
        return 1;
    }
    slot = slot_find(tag);
    due = __atomic_load_n(&slot->due_us, __ATOMIC_RELAXED);
    do {
        next = (due > now ? due : now) + LINE_US;
        if (next - now > WA_FLOOD_BURST * LINE_US) {
            __atomic_store_n(&slot->level, (apr_uint32_t)level, __ATOMIC_RELAXED);
            __atomic_store_n(&slot->server, server_place(s), __ATOMIC_RELAXED);
            __atomic_add_fetch(&slot->left_out, 1, __ATOMIC_RELAXED);
            return 0;
        }
    } while (!__atomic_compare_exchange_n(&slot->due_us, &due, next, 0, __ATOMIC_RELAXED,
                                          __ATOMIC_RELAXED));
    slot_report(slot, SAY_US);
    return 1;
}

void wa_log_limit_report(void)
{
    int i;

    for (i = 0; slots && i < SLOTS; i++) {
        slot_report(&slots[i], SAY_US);
    }
}

static apr_status_t child_end(void *data)
{
    int i;

    (void)data;
    for (i = 0; slots && i < SLOTS; i++) {
        slot_report(&slots[i], 0);
    }
    return APR_SUCCESS;
}

void wa_log_limit_child(apr_pool_t *pchild)
{
    apr_pool_cleanup_register(pchild, NULL, child_end, apr_pool_cleanup_null);
}
