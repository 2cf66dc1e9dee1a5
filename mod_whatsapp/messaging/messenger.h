/* SPDX-License-Identifier: Apache-2.0 */
/* The messenger of one virtual host: its account, its store and its way to Twilio, as every use
 * case gets it. */
#ifndef WA_MESSAGING_MESSENGER_H
#define WA_MESSAGING_MESSENGER_H

#include <apr.h>
#include <apr_pools.h>
#include <apr_time.h>

#include "base/log.h"
#include "base/secret.h"
#include "store/store.h"

struct wa_twilio_client_t;
struct wa_concurrency_t;

/* The most auth tokens that count at one time: the current one and, while rotating, the old one. */
#define WA_MESSENGER_TOKENS_MAX 2

/*
 * Made by httpd/, one for each virtual host that is configured; use cases only read it (but for the
 * counter at the end).
 *
 * Set in the parent, before the children are forked; the strings live as long as the struct:
 *   store, account_sid, tokens, token_count, number, public_url, base_path, max_sends,
 *   send_timeout, enforce_window, stop_words, start_words, log
 * Set in each child, in child_init and before the first request, from the child's pool:
 *   twilio, gate
 * Zero at start, changed atomically by messaging/ afterwards:
 *   sends_in_flight
 *
 * Start from all zero bytes (apr_pcalloc), so that members added later are off until they are set.
 */
typedef struct wa_messenger_t {
    /* open; wa_store_child_init was called in this process */
    wa_store_t *store;
    /* this process's client */
    struct wa_twilio_client_t *twilio;
    /* of this process; NULL: max_sends counts in this process */
    struct wa_concurrency_t *gate;
    /* "AC" and 32 hex digits; a webhook for another account is refused */
    const char *account_sid;
    /* auth tokens, the first is the one to send with; all check signatures */
    wa_secret_t tokens[WA_MESSENGER_TOKENS_MAX];
    /* 1 or 2; with 0 every webhook is refused */
    apr_size_t token_count;
    /* our number, "+14155238886", without "whatsapp:" */
    const char *number;
    /* "https://chat.example.org[:port][/prefix]" without user info, query, fragment or a slash at
     * the end; NULL when not configured: no receipts are asked for then */
    const char *public_url;
    /* "/api/whatsapp-messenger", without a slash at the end */
    const char *base_path;
    /* calls that may wait for Twilio at one time in all processes of the server; 0: no limit */
    apr_uint32_t max_sends;
    /* 1: only templates are sent to those who have not written in 24 hours */
    int enforce_window;
    /* that opt out, and in again; a NULL ends each list */
    const char *const *stop_words;
    /* NULL: none */
    const char *const *start_words;
    /* how long one call to Twilio may take; 0: 30 s */
    apr_interval_time_t send_timeout;
    /* NULL: nothing is logged */
    const wa_log_t *log;
    /* atomic */
    apr_uint32_t sends_in_flight;
} wa_messenger_t;

/* The fields of a use case's refusal: which input was wrong and what is allowed, as a sentence for
 * a person. Set before APR_EINVAL is returned, otherwise NULL. The sentence never holds what was
 * typed. */
typedef const char *wa_sentence_t;

#endif
