/* SPDX-License-Identifier: Apache-2.0 */
/* The messenger of one virtual host: its account, its store and its way to Twilio, as every use case gets it. */
#ifndef WA_MESSAGING_MESSENGER_H
#define WA_MESSAGING_MESSENGER_H

#include <apr.h>
#include <apr_pools.h>
#include <apr_time.h>

#include "base/log.h"
#include "base/secret.h"
#include "store/store.h"

struct wa_twilio_client_t;
struct wa_gate_t;

/* The most auth tokens that count at one time: the current one and, while rotating, the old one. */
#define WA_MESSENGER_TOKENS_MAX 2

/*
 * Made by httpd/, one for each virtual host that is configured; use cases only read it (but for the counter at the end).
 *
 * Set in the parent, before the children are forked; the strings live as long as the struct:
 *   store, account_sid, tokens, token_count, number, public_url, base_path, max_sends, send_timeout, enforce_window,
 *   stop_words, start_words, log
 * Set in each child, in child_init and before the first request, from the child's pool:
 *   twilio, gate
 * Zero at start, changed atomically by messaging/ afterwards:
 *   sends_in_flight
 *
 * Start from all zero bytes (apr_pcalloc), so that members added later are off until they are set.
 */
typedef struct wa_messenger_t {
    wa_store_t *store;                 /* open; wa_store_child_init was called in this process */
    struct wa_twilio_client_t *twilio; /* this process's client */
    struct wa_gate_t *gate;            /* of this process; NULL: max_sends counts in this process */
    const char *account_sid; /* "AC" and 32 hex digits; a webhook for another account is refused */
    wa_secret_t tokens
        [WA_MESSENGER_TOKENS_MAX]; /* auth tokens, the first is the one to send with; all check signatures */
    apr_size_t token_count; /* 1 or 2; with 0 every webhook is refused */
    const char *number;     /* our number, "+14155238886", without "whatsapp:" */
    const char *
        public_url; /* "https://chat.example.org[:port][/prefix]" without user info, query, fragment or a
                                           slash at the end; NULL when not configured: no receipts are asked for then */
    const char *base_path; /* "/api/whatsapp-messenger", without a slash at the end */
    apr_uint32_t
        max_sends; /* calls that may wait for Twilio at one time in all processes of the server; 0: no limit */
    int enforce_window; /* 1: nothing but templates is sent to who has not written in 24 hours */
    const char *const *stop_words;    /* that opt out, and in again; a NULL ends each list */
    const char *const *start_words;   /* NULL: none */
    apr_interval_time_t send_timeout; /* how long one call to Twilio may take; 0: 30 s */
    const wa_log_t *log;              /* NULL: nothing is logged */
    apr_uint32_t sends_in_flight;     /* atomic */
} wa_messenger_t;

/* The fields of a use case's refusal: which input was wrong and what is allowed, as a sentence for a person. Set before APR_EINVAL is returned,
 * otherwise NULL. The sentence never holds what was typed. */
typedef const char *wa_sentence_t;

#endif
