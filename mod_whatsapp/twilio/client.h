/* SPDX-License-Identifier: Apache-2.0 */
/* Twilio's REST API over pooled libcurl handles: send a message, list messages, fetch media. */
#ifndef WA_TWILIO_CLIENT_H
#define WA_TWILIO_CLIENT_H

#include <apr_errno.h>
#include <apr_pools.h>
#include <apr_time.h>

#include "base/log.h"
#include "base/secret.h"
#include "base/slice.h"

/* One per child process and Twilio address. Made once, then used by any number of threads. */
typedef struct wa_twilio_client_t wa_twilio_client_t;

/* The most bytes of a JSON answer that are read. */
#define WA_TWILIO_MAX_ANSWER (256 * 1024)

/* The same for one page of a list: 100 messages, of which each has a hundred times the 1600
 * characters that Twilio allows. */
#define WA_TWILIO_MAX_PAGE (16 * 1024 * 1024)

/* How a client behaves. Zero or NULL means the default given here. Strings are copied. */
typedef struct wa_twilio_options_t {
    /* "https://api.twilio.com"; http is for a simulator. A trailing slash is ignored */
    const char *base_url;
    /* PEM file of trusted CAs; the system's bundle */
    const char *ca_file;
    /* 10 s: resolve, connect and TLS of one try */
    apr_interval_time_t connect_timeout;
    /* 30 s: one call with all its tries and pauses */
    apr_interval_time_t total_timeout;
    /* 64: connections kept for re-use; more calls at once are possible */
    int max_idle_handles;
    /* 3: tries in all where Twilio certainly did not act; 1 never tries again */
    int max_tries;
    /* NULL: no log. Must outlive the client */
    const wa_log_t *log;
} wa_twilio_options_t;

/* Whose account; a request without one is APR_EINVAL. Borrowed for the time of the call. */
typedef struct wa_twilio_account_t {
    const char *sid;    /* AC + 32 hex: the account in the URL */
    const char *user;   /* NULL: the sid; or an API key's SK... */
    wa_secret_t secret; /* the AuthToken, or the API key's secret; not empty */
} wa_twilio_account_t;

/* A message to send (docs/TWILIO.md section 1.1). Borrowed for the time of the call; NULL or 0
 * leaves a field out. */
typedef struct wa_twilio_message_request_t {
    const wa_twilio_account_t *account; /* who sends */
    const char *to;                /* "+15551230001"; "whatsapp:" is put before it when missing */
    const char *from;              /* our number, likewise */
    wa_slice_t body;               /* UTF-8 */
    const char *media_url;         /* one: of several WhatsApp gets the first only */
    const char *content_sid;       /* HX...: excludes body and media */
    const char *content_variables; /* a JSON object as text */
    const char *status_callback;
} wa_twilio_message_request_t;

/* What became of a request. The names say what is certain. */
typedef enum wa_twilio_outcome_e {
    /* timeout, reset, 5xx, unreadable 2xx: it may have been sent. Never send it again */
    WA_TWILIO_UNKNOWN = 0,
    /* Twilio has it: `sid` and `status` are set */
    WA_TWILIO_ACCEPTED = 1,
    /* Twilio said no: certainly not sent */
    WA_TWILIO_REFUSED = 2,
    /* resolve, connect or TLS failed before a byte of the request was written: certainly not sent
     */
    WA_TWILIO_NOT_REACHED = 3,
    /* 429 to the last try: certainly not sent */
    WA_TWILIO_RATE_LIMITED = 4
} wa_twilio_outcome_e;

/* The result of one call. Strings are in the call's pool or static. */
typedef struct wa_twilio_result_t {
    wa_twilio_outcome_e outcome;
    /* 0 when there was no answer */
    int http_status;
    /* SM... or MM..., only when ACCEPTED */
    const char *sid;
    /* Twilio's word ("queued"), only when ACCEPTED; NULL when it gave none */
    const char *status;
    /* Twilio's number; 0 when it gave none */
    int error_code;
    /* a sentence for the user; NULL when ACCEPTED, unless `status` is a failure */
    const char *error;
    /* what Twilio says of a failure in words of its own (wa_twilio_words); NULL for none */
    const char *said;
    /* what Twilio asked us to wait; 0 when it did not say */
    apr_interval_time_t retry_after;
    /* of the whole call */
    apr_interval_time_t duration;
    /* how often it was tried */
    int tries;
    /* Twilio-Request-Id, for Twilio's support; NULL when absent */
    const char *request_id;
} wa_twilio_result_t;

/* What the answer to a request for a list means for asking again. */
typedef enum wa_twilio_verdict_e {
    WA_TWILIO_GIVEN = 0,
    /* a definite answer about what was asked for: asking again gives the same */
    WA_TWILIO_DENIED,
    /* 429, 5xx, or what nobody can read: later may work */
    WA_TWILIO_TROUBLE,
    /* no answer, or 401: nothing else will be given now either */
    WA_TWILIO_SILENT
} wa_twilio_verdict_e;

/* Judges the result of a list. A 403 is about what was asked for, whatever its code: Twilio says
 * 20003 ("Permission Denied") and 20403 of both. It is the account where the account's own list is
 * not given either. Any thread. */
wa_twilio_verdict_e wa_twilio_verdict(const wa_twilio_result_t *result);

/* Prepares libcurl for this process and makes a client. Call it in child_init: handles must not
 * cross a fork.
 * @param pclient out: NULL unless APR_SUCCESS; lives in p, its connections are closed when p is
 *     cleared.
 * @return APR_SUCCESS | APR_EINVAL base_url is not http(s)://host... | APR_EGENERAL libcurl cannot
 *     be initialised | APR_ENOMEM. The thread that owns p; no other thread may be running in
 *     libcurl the first time. */
apr_status_t wa_twilio_client_create(wa_twilio_client_t **pclient,
                                     const wa_twilio_options_t *options, apr_pool_t *p);

/* Asks Twilio to send one message, and says what is certain about it. A try that certainly did
 * nothing (not reached, 429) is repeated with growing random pauses, or Twilio's Retry-After, while
 * tries and time last; nothing else is ever repeated. Logs one line at debug (WA0301; at warning
 * when Twilio could not be asked), and one at error (WA0302, at most once a minute) when the
 * credentials are refused.
 * @param result out: always filled when APR_SUCCESS is returned; strings in p.
 * @return APR_SUCCESS whatever Twilio said or did not say: see result->outcome | APR_EINVAL the
 *     request or account has no shape that could be sent (to, from, content or credentials missing,
 *     a line break in a credential): nothing was tried | APR_ENOMEM likewise. Any thread. */
apr_status_t wa_twilio_message_create(wa_twilio_client_t *client,
                                      const wa_twilio_message_request_t *request,
                                      wa_twilio_result_t *result, apr_pool_t *p);

/* Which messages to list. NULL or 0 leaves a filter out. */
typedef struct wa_twilio_query_t {
    const wa_twilio_account_t *account; /* whose messages */
    const char *to;                     /* "+15551230001", prefixed like in a send */
    const char *from;
    apr_time_t date_sent_from; /* only messages sent at or after the second that this is in */
    apr_time_t date_sent_to;   /* only messages sent at or before the second that this is in */
    int page_size;             /* 1..100; 50 */
    int max_messages;          /* stop after so many; 0 for no limit */
} wa_twilio_query_t;

/* One message as Twilio lists it. Valid only in the callback. Strings are NUL-terminated UTF-8,
 * NULL when Twilio gave none. */
typedef struct wa_twilio_message_t {
    const char *sid;
    const char *from; /* as Twilio gives it: "whatsapp:+1..." */
    const char *to;
    const char *body;
    const char *direction; /* "inbound", "outbound-api", ... */
    const char *status;
    int error_code;
    const char *error_message; /* as it came */
    int media_count;
    apr_time_t date_created; /* 0 when unreadable */
    apr_time_t date_sent;    /* 0 when not sent yet or unreadable */
    apr_time_t date_updated; /* 0 when unreadable */
} wa_twilio_message_t;

/* Called for each message, newest first. @return APR_SUCCESS to go on; anything else ends the
 * listing with that status. */
typedef apr_status_t wa_twilio_message_cb(void *baton, const wa_twilio_message_t *message,
                                          apr_pool_t *tmp);

/* Who is shown each message of a list: fn is called with baton. */
typedef struct wa_twilio_message_visitor_t {
    wa_twilio_message_cb *fn;
    void *baton;
} wa_twilio_message_visitor_t;

/* Lists messages (GET Messages.json), following the pages as far as needed; a page link that leads
 * elsewhere is refused. What is no text in one of the messages (half a surrogate pair, U+0000) is
 * U+FFFD; the others of its page are read all the same.
 * @param result out: how the last page's request went: ACCEPTED when it was read.
 * @return APR_SUCCESS the list was read to its end or max_messages | APR_INCOMPLETE it goes on
 *     where nobody can follow: the link to the next page is none, or leads to a refusal |
 *     APR_EGENERAL Twilio did not give it (see wa_twilio_verdict) | APR_EINVAL bad account or query
 *     | APR_ENOMEM | what the visitor returned. Any thread. */
apr_status_t wa_twilio_messages_fetch(wa_twilio_client_t *client, const wa_twilio_query_t *query,
                                      const wa_twilio_message_visitor_t *visitor,
                                      wa_twilio_result_t *result, apr_pool_t *tmp);

/* Which message's media to list. */
typedef struct wa_twilio_media_query_t {
    const wa_twilio_account_t *account; /* whose message */
    const char *message_sid;
} wa_twilio_media_query_t;

/* One media file's URL and content type, as Twilio lists them for a message. Valid only in the
 * callback. */
typedef struct wa_twilio_media_t {
    const char *url; /* absolute, on the client's base URL */
    const char *content_type;
} wa_twilio_media_t;

/* Called for each file. @return as wa_twilio_message_cb. */
typedef apr_status_t wa_twilio_media_cb(void *baton, const wa_twilio_media_t *media,
                                        apr_pool_t *tmp);

/* Who is shown each file of a list: fn is called with baton. */
typedef struct wa_twilio_media_visitor_t {
    wa_twilio_media_cb *fn;
    void *baton;
} wa_twilio_media_visitor_t;

/* Lists the media of one message (GET Messages/{sid}/Media.json). For messages that came while the
 * server was down. Statuses as wa_twilio_messages_fetch; APR_EINVAL when message_sid is none. Any
 * thread. */
apr_status_t wa_twilio_media_list(wa_twilio_client_t *client, const wa_twilio_media_query_t *query,
                                  const wa_twilio_media_visitor_t *visitor,
                                  wa_twilio_result_t *result, apr_pool_t *tmp);

/* Which file to fetch. */
typedef struct wa_twilio_media_request_t {
    const wa_twilio_account_t *account; /* whose file */
    const char *url;                    /* a MediaUrlN, or one that wa_twilio_media_list gave */
    apr_int64_t max_bytes;              /* more than that ends the fetch with APR_ENOSPC */
} wa_twilio_media_request_t;

/* Where fetched media goes. `begin` is called once, before the first byte, with the type and length
 * that the final answer declared (length -1 when it did not; type "application/octet-stream" when
 * it did not or it is no media type); `data` for each piece. Anything but APR_SUCCESS from either
 * ends the fetch with that status. */
typedef struct wa_twilio_sink_t {
    apr_status_t (*begin)(void *baton, const char *content_type, apr_int64_t length);
    apr_status_t (*data)(void *baton, const char *bytes, apr_size_t len);
    void *baton;
} wa_twilio_sink_t;

/* Fetches one media file that Twilio announced in MediaUrlN. Only Twilio's hosts (twilio.com,
 * twiliocdn.com and below) over https, or the client's base URL's own scheme, host and port, are
 * asked first; the credentials go only to the base URL's host and api.twilio.com hosts. At most 3
 * redirects are followed, only over https (or to the base URL's own host), and never to a private,
 * loopback, link-local or otherwise special address unless that is the base URL's host; the address
 * is checked when it is connected to.
 * @return APR_SUCCESS all of it went to the sink | APR_EINVAL the URL (or a redirect) is not
 *     allowed | APR_NOTFOUND Twilio has no such media (404 or 410) | APR_EACCES Twilio refused the
 *     credentials | APR_ENOSPC over max_bytes | APR_TIMEUP | APR_EGENERAL anything else | what the
 *     sink returned. Any thread. */
apr_status_t wa_twilio_media_fetch(wa_twilio_client_t *client,
                                   const wa_twilio_media_request_t *request,
                                   const wa_twilio_sink_t *sink, apr_pool_t *tmp);

#endif
