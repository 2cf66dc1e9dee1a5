/* SPDX-License-Identifier: Apache-2.0 */
/* What store.h promises as test cases, for every driver and for the fake of the unit tests. */
#ifndef WA_TESTS_SEAM_CONFORMANCE_H
#define WA_TESTS_SEAM_CONFORMANCE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <apr_pools.h>
#include <apr_strings.h>
#include <apr_tables.h>

#include "store/store.h"
#include "store_support.h"

/* The store that is tested: open, empty, with `p` for what its calls give. */
typedef struct seam_t {
    wa_store_t *store;
    apr_pool_t *p;
    /* What the wall clock says from now on, unix ms; 0: the truth. */
    void (*clock_set)(apr_int64_t ms);
    /* Closes the store and opens it again, where it outlives that; else nothing. */
    void (*reopen)(struct seam_t *seam);
    void *baton;
} seam_t;

typedef struct seam_case_t {
    const char *name;
    void (*run)(seam_t *seam);
} seam_case_t;

/* Each table ends with a case without a name. */
extern const seam_case_t seam_cases_messages[], seam_cases_changes[], seam_cases_rows[],
    seam_cases_waiting[];

/* What a walk gave. */
typedef struct seam_list_t {
    apr_array_header_t *messages; /* of wa_message_t */
    apr_array_header_t *updates;  /* of int */
    int stop_at;                  /* the visit that returns `stop`, from 1 on; 0: none */
    apr_status_t stop;
} seam_list_t;

seam_list_t *seam_list_create(seam_t *seam);
apr_status_t seam_list_visit(void *baton, const wa_message_t *message, int is_update);
const wa_message_t *seam_list_at(const seam_list_t *list, int i);
void seam_list_assert(const seam_list_t *list, const char *ids); /* "a b c", updates with a ' */

/* Short ways to do things that have to succeed. */
wa_message_t seam_add(seam_t *seam, const char *id, const char *sid, const char *counterpart,
                      wa_direction_e direction);
/* A sent one with an idempotency key. */
wa_message_t seam_keyed_add(seam_t *seam, const char *id, const char *sid, const char *counterpart,
                            const char *key);
wa_message_t seam_find(seam_t *seam, const char *key);
void seam_state_set(seam_t *seam, const char *key, wa_status_e status, const char *sid,
                    const char *delivery);
wa_thread_t seam_thread(seam_t *seam, const char *counterpart); /* slices in seam->p */
void seam_contact(seam_t *seam, const char *id, const char *number, const char *name);
apr_int64_t seam_poll(seam_t *seam, apr_int64_t since_ms, apr_size_t max, seam_list_t *list,
                      wa_changes_t *changes);
/* The first T that holds all that was committed so far. */
apr_int64_t seam_time(seam_t *seam);

#define SEAM_ANA "+15551230001"
#define SEAM_BEA "+15551230002"

#endif
