/* SPDX-License-Identifier: Apache-2.0 */
/* One HTTP request over a pooled libcurl handle, with what is certain about its fate. Private to
 * twilio/. */
#ifndef WA_TWILIO_HTTP_H
#define WA_TWILIO_HTTP_H

#include <apr_errno.h>
#include <apr_pools.h>
#include <apr_time.h>

#include "base/secret.h"
#include "base/slice.h"

/* The idle handles of one process, each with its kept connection. */
typedef struct wa_http_t wa_http_t;

/* Where the bytes of an answer go, if not into wa_http_answer_t.body: see wa_twilio_sink_t. Only a
 * 200 is given to it. */
typedef struct wa_http_sink_t {
    apr_status_t (*begin)(void *baton, const char *content_type, apr_int64_t length);
    apr_status_t (*data)(void *baton, const char *bytes, apr_size_t len);
    void *baton;
} wa_http_sink_t;

/* What to ask. Borrowed for the time of the call. */
typedef struct wa_http_request_t {
    const char *url;
    /* NULL: no credentials are sent */
    const char *user;
    wa_secret_t secret;
    int is_post;
    /* of a POST, encoded */
    wa_slice_t form;
    apr_interval_time_t connect_timeout;
    apr_interval_time_t total_timeout;
    /* 0, or: give up when nothing arrives for so long (whole seconds) */
    apr_interval_time_t stall_timeout;
    /* of the answer's body; the rest is not read */
    apr_int64_t max_bytes;
    /* 1: connect to no private, loopback, link-local or special address */
    int is_public_only;
    /* NULL: into body */
    const wa_http_sink_t *sink;
} wa_http_request_t;

/* What came. Strings live in the call's pool or are static. */
typedef struct wa_http_answer_t {
    int is_complete;  /* 1: a whole answer was read */
    int is_untouched; /* 1: certainly no byte of the request was written */
    int is_hopeless;  /* 1: another try would fail the same way (certificate, URL) */
    int is_timeout;
    int is_too_long;      /* 1: the body went over max_bytes and was cut */
    int is_forbidden;     /* 1: the address is not public, nothing was sent */
    apr_status_t sink_rv; /* what the sink refused with, else APR_SUCCESS */
    int status; /* 0 when no status line came; trustworthy even when the answer is not complete */
    wa_slice_t body;
    const char *request_id;          /* Twilio-Request-Id, made safe for a log; NULL when absent */
    const char *redirect_url;        /* absolute; NULL when the answer is no redirect */
    apr_interval_time_t retry_after; /* 0 when absent */
    const char *problem; /* libcurl's words when not complete, safe for a log; NULL when complete */
} wa_http_answer_t;

/* Prepares libcurl and makes an empty pool of handles.
 * @param ca_file   NULL: the system's bundle.
 * @param max_idle  most handles that are kept.
 * @return APR_SUCCESS | APR_EGENERAL libcurl cannot be initialised. The thread that owns p. */
apr_status_t wa_http_create(wa_http_t **phttp, const char *ca_file, int max_idle, apr_pool_t *p);

/* Asks once. Redirects are not followed, nothing is sent twice, proxies are not used, certificates
 * are always checked.
 * @param answer out: always filled on APR_SUCCESS.
 * @return APR_SUCCESS whatever happened on the way | APR_ENOMEM nothing was tried. Any thread. */
apr_status_t wa_http_perform(wa_http_t *http, const wa_http_request_t *request,
                             wa_http_answer_t *answer, apr_pool_t *p);

#endif
