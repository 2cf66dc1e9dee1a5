/* SPDX-License-Identifier: Apache-2.0 */
/* Which of Twilio's messages is which of ours. For reconcile_sends.c. */
#ifndef WA_MESSAGING_RECONCILE_RECONCILE_MATCH_H
#define WA_MESSAGING_RECONCILE_RECONCILE_MATCH_H

#include <apr_tables.h>

#include "messaging/reconcile/reconcile_run.h"

/* A pending message of ours, or one part of it. Strings in the run's pool. */
typedef struct wa_reconcile_pending_t {
    const char *id;
    apr_size_t part; /* 1 and up; 0: it is one message at Twilio's too */
    const char *sid; /* NULL while unknown; never of a part */
    const char *counterpart;
    const char *number; /* ours, which it was sent from */
    wa_slice_t body;
    wa_slice_t media_url;     /* of its attachment; empty for none */
    int has_any_body;         /* 1: Twilio makes its content (a template) */
    apr_int64_t timestamp_ms; /* the store's */
    apr_int64_t date_ms;      /* of the intent */
    apr_int64_t from_ms;      /* Twilio's message was not made before */
    apr_int64_t after_ms; /* of a part: when the one before it was made, as far as this run knows */
    apr_int64_t until_ms; /* Twilio's message was made by then */
    apr_int64_t give_up_ms; /* from then on what is not found counts as never sent */
    int is_done;
} wa_reconcile_pending_t;

/* One of Twilio's messages. */
typedef struct wa_reconcile_listed_t {
    const char *sid;
    const char *body;
    const char *status;
    int error_code;
    const char *said; /* of a failure, in Twilio's own words; NULL for none */
    int media_count;
    apr_int64_t created_ms;
    apr_int64_t status_ms; /* since when it has its status at the latest */
    int is_looked_up;      /* is_claimed is known */
    int is_claimed;        /* it is one of ours already */
} wa_reconcile_listed_t;

/* The messages to one counterpart that are settled together. */
typedef struct wa_reconcile_group_t {
    wa_reconcile_pending_t **pending; /* the oldest first; a message's parts in their order */
    int count;
    int rival_count;  /* behind those: to the same, and not to be settled now, as they may be under
                      * way; what Twilio lists may be theirs */
    apr_uint64_t key; /* of this counterpart, our number and the newest of them */
    apr_status_t list_rv;      /* of the last list that was asked for */
    wa_twilio_result_t result; /* the same */
} wa_reconcile_group_t;

/* Finds Twilio's message that is the pending one: by sid, else the oldest that is nobody's and has
 * its text, as many attachments and a time that fits. A template, whose content only Twilio knows,
 * takes what is none of the others'. Attachments of several messages that go with the same text or
 * none are told apart by nothing, and nor is what may be under way from what is like it: unless
 * there is one of Twilio's for each, none is taken, since any of ours may be the one that is
 * missing.
 * @param listed  of wa_reconcile_listed_t, newest first
 * @return NULL for none. Any thread. */
wa_reconcile_listed_t *wa_reconcile_match(const wa_reconcile_run_t *run,
                                          const wa_reconcile_group_t *group,
                                          const wa_reconcile_pending_t *pending,
                                          apr_array_header_t *listed);

/* 1 when there is anything that wa_reconcile_match could find. Any thread. */
int wa_reconcile_has_match(const wa_reconcile_run_t *run, const wa_reconcile_group_t *group,
                           apr_array_header_t *listed);

/* 1 when one of Twilio's messages that are nobody's may be the pending one after all, so that it
 * cannot be said that Twilio never took it: by all but the number of attachments, or another one of
 * ours may be it as well. Once everything that matches is claimed. Any thread. */
int wa_reconcile_is_doubtful(const wa_reconcile_run_t *run, const wa_reconcile_pending_t *pending,
                             apr_array_header_t *listed);

#endif
