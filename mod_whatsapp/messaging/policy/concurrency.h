/* SPDX-License-Identifier: Apache-2.0 */
/* How many calls may wait for Twilio at one time, counted over all processes of the server. */
#ifndef WA_MESSAGING_POLICY_CONCURRENCY_H
#define WA_MESSAGING_POLICY_CONCURRENCY_H

#include <apr.h>

#include "messaging/messenger.h"

/* The most processes that are counted at one time. */
#define WA_CONCURRENCY_SLOTS 4096

/* One process's part. Only that process counts in it; it is void once the process is gone. */
typedef struct wa_concurrency_slot_t {
    apr_uint32_t pid; /* 0: free */
    apr_uint32_t count;
} wa_concurrency_slot_t;

/* In memory that all processes share, all zero at first. There is no lock that a killed process
 * could leave behind, and no sum that it could leave wrong: the sum is taken anew each time. */
typedef struct wa_concurrency_shared_t {
    apr_uint32_t used; /* slots from here on were never taken */
    wa_concurrency_slot_t slots[WA_CONCURRENCY_SLOTS];
} wa_concurrency_shared_t;

/* The gate as one process sees it; shared by all messengers there. */
typedef struct wa_concurrency_t {
    wa_concurrency_shared_t *shared;
    wa_concurrency_slot_t *own;
    apr_uint32_t process_max; /* calls of this process at one time; 0: no limit of its own */
} wa_concurrency_t;

/* Takes a slot for this process, also that of a process that is gone. To be called once in each
 * child.
 * @return the slot with count 0 | NULL all are taken by living processes. Any thread. */
wa_concurrency_slot_t *wa_concurrency_claim(wa_concurrency_shared_t *shared, apr_uint32_t pid);

/* Gives back the slot of a process that has ended, however. To be called by whoever learns of it.
 * Any thread. */
void wa_concurrency_free(wa_concurrency_shared_t *shared, apr_uint32_t pid);

/* How many calls wait for Twilio in all processes. Any thread. */
apr_uint32_t wa_concurrency_count(const wa_concurrency_shared_t *shared);

/* Asks to be one of those that wait for Twilio: at most messenger->max_sends in all processes, and
 * the gate's process_max in this one. Without a gate (messenger->gate is NULL) max_sends counts in
 * this process.
 * @return 1 and wa_concurrency_leave has to follow | 0 too many do already. Never waits. Any
 *     thread. */
int wa_concurrency_enter(wa_messenger_t *messenger);
void wa_concurrency_leave(wa_messenger_t *messenger);

#endif
