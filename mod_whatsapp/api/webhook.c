/* SPDX-License-Identifier: Apache-2.0 */
/* POST /webhook: what Twilio sends, once it is sure that it is from Twilio */

/* The form is read by base/form.h and not by httpd's ap_parse_form_data: see there for the
 * signature vectors that it cannot do. */
#include <http_protocol.h>
#include <http_request.h>

#include <apr_strings.h>

#include "api/body.h"
#include "api/reply.h"
#include "base/clock.h"
#include "base/form.h"
#include "messaging/receive/receive.h"
#include "messaging/delivery/receipts.h"
#include "twilio/hook.h"
#include "twilio/signature.h"
#include "twilio/webhook_form.h"

/* The most bytes of a webhook, whatever WhatsAppMaxBody says: anybody may send one. WhatsApp's
 * longest text has 4,096 characters, which are 48 KiB when each is an emoji of four percent-encoded
 * bytes; all else that Twilio sends of a message is about 2 KiB. */
#define WEBHOOK_BYTES_MAX 65536

#define FORM_TYPE "application/x-www-form-urlencoded"
#define TWIML "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response></Response>"

/* The request as the client sent it, before anything in this server rewrote it. */
static const request_rec *initial_request(const request_rec *r)
{
    while (r->prev || r->main) {
        r = r->prev ? r->prev : r->main;
    }
    return r;
}

/* The raw request target from its first slash on: also when a client sent a whole URL. */
static const char *target_of(const request_rec *r)
{
    const char *target = initial_request(r)->unparsed_uri;
    const char *authority;

    if (!target || *target == '/') {
        return target;
    }
    authority = strstr(target, "://");
    return authority ? strchr(authority + 3, '/') : target;
}

/* What Twilio knows this server by: as configured, else as this request says. */
static const char *base_of(const wa_request_t *q)
{
    const char *host = apr_table_get(q->r->headers_in, "Host");

    if (q->messenger->public_url) {
        return q->messenger->public_url;
    }
    return host ? apr_pstrcat(q->r->pool, ap_http_scheme(q->r), "://", host, NULL) : NULL;
}

static apr_status_t signature_check(const wa_request_t *q, wa_slice_t body, const wa_form_t *form)
{
    wa_signature_request_t request = {
        .base = base_of(q),
        .target = target_of(q->r),
        .method = q->r->method,
        .content_type = apr_table_get(q->r->headers_in, "Content-Type"),
        .body = body,
        .form = form,
        .signature = apr_table_get(q->r->headers_in, "X-Twilio-Signature")};

    if (!request.base || !request.target) {
        return APR_EINVAL;
    }
    return wa_signature_check(q->messenger->tokens, (int)q->messenger->token_count, &request,
                              q->r->pool);
}

/* Whose webhook a form says that it is. */
typedef enum { ACCOUNT_NONE = 0, ACCOUNT_OURS, ACCOUNT_OTHER } account_e;

/* Names and values are signed without delimiters, so the account is looked at by itself; in every
 * field of that name, so that nobody can put a second one beside it. */
static account_e account_of(const wa_request_t *q, const wa_form_t *form)
{
    const wa_slice_t name = WA_SLICE_LITERAL("AccountSid");
    const wa_slice_t ours = wa_slice_of(q->messenger->account_sid);
    apr_size_t i, count = 0;

    for (i = 0; i < form->count; i++) {
        if (wa_slice_is_equal(form->fields[i].name, name)) {
            if (!wa_slice_is_equal(form->fields[i].value, ours)) {
                return ACCOUNT_OTHER;
            }
            count++;
        }
    }
    return count > 0 ? ACCOUNT_OURS : ACCOUNT_NONE;
}

static int refuse(wa_request_t *q, const char *why, apr_size_t len, apr_time_t started)
{
    WA_LOG(q->log, WA_LOG_WARNING, "WA0231", APR_SUCCESS,
           "webhook: status=refused: %s length=%" APR_SIZE_T_FMT " duration=%" APR_INT64_T_FMT "ms",
           why, len, apr_time_as_msec(wa_clock_steady_us() - started));
    return wa_reply_error(q, WA_ERROR_UNAUTHORIZED,
                          "The webhook is not signed by the Twilio account of this server.");
}

/* 1 when there is something that could be a signature: without one nothing of the body is read. */
static int may_be_signed(const wa_request_t *q)
{
    const char *signature = apr_table_get(q->r->headers_in, "X-Twilio-Signature");

    return signature && strlen(signature) == WA_SIGNATURE_LENGTH;
}

static int refuse_form(wa_request_t *q, const char *why, apr_size_t len, apr_time_t started)
{
    WA_LOG(q->log, WA_LOG_WARNING, "WA0237", APR_SUCCESS,
           "webhook: status=refused: it is signed, but its form is none that Twilio sends: %s "
           "length=%" APR_SIZE_T_FMT " duration=%" APR_INT64_T_FMT "ms",
           why, len, apr_time_as_msec(wa_clock_steady_us() - started));
    return wa_reply_error(q, WA_ERROR_INVALID_INPUT,
                          "The webhook's form is none that Twilio sends; the error log says why.");
}

/* Refuses what is signed, and none of a message. */
static int refuse_hook(wa_request_t *q, const wa_hook_t *hook, apr_size_t len, wa_error_e error)
{
    WA_LOG(q->log, WA_LOG_WARNING, "WA0290", APR_SUCCESS,
           "webhook: status=refused: it is signed, and a hook of %s, not of a message: only the "
           "WhatsApp sender, or its Messaging Service, is to call this address; set another one at "
           "Twilio in: %s; length=%" APR_SIZE_T_FMT,
           hook->product, hook->setting, len);
    return wa_reply_error(q, error,
                          apr_pstrcat(q->r->pool, "This is a hook of ", hook->product,
                                      ", not of a message: only the WhatsApp sender, or its"
                                      " Messaging Service, is to call this address.",
                                      NULL));
}

/* Our message's id in the callback's query, NULL for none. */
static const char *message_id_of(const wa_request_t *q)
{
    const char *args = q->r->args ? q->r->args : "";
    wa_form_t *query;

    if (wa_form_parse(&query, args, strlen(args), WA_SIGNATURE_MAX_FIELDS, q->r->pool)
        != APR_SUCCESS) {
        return NULL;
    }
    return wa_form_string(query, "message", q->r->pool);
}

static int form_take(wa_request_t *q, const wa_form_t *form)
{
    wa_sentence_t sentence = NULL;
    apr_status_t rv;

    if (wa_receipt_is(form)) {
        rv = wa_receipt_receive(q->messenger, form, message_id_of(q), &sentence, q->r->pool);
    } else {
        rv = wa_receive(q->messenger, form, &sentence, q->r->pool);
    }
    if (rv != APR_SUCCESS) {
        return wa_reply_status(q, rv, sentence);
    }
    return wa_reply_constant(q, "text/xml", WA_SLICE_LITERAL(TWIML));
}

int wa_endpoint_webhook(wa_request_t *q)
{
    const apr_time_t started = wa_clock_steady_us();
    const int is_form = wa_body_is_type(q->r, FORM_TYPE);
    wa_form_t *form = NULL;
    const wa_form_t *taken;
    account_e account;
    wa_hook_t hook;
    wa_slice_t body;
    apr_status_t rv = APR_SUCCESS;
    const char *why;
    int result;

    if (!may_be_signed(q)) {
        wa_body_leave(q);
        return refuse(q, "it has no signature that could be one", 0, started);
    }
    if (!wa_body_read(q, WEBHOOK_BYTES_MAX, &body, &result)) {
        if (q->r->status == HTTP_REQUEST_ENTITY_TOO_LARGE) {
            WA_LOG(q->log, WA_LOG_WARNING, "WA0236", APR_SUCCESS,
                   "webhook: status=refused: it is larger than %d bytes", WEBHOOK_BYTES_MAX);
        }
        return result;
    }
    if (is_form) {
        rv = wa_form_parse(&form, body.ptr, body.len, WA_SIGNATURE_MAX_FIELDS, q->r->pool);
    }
    if (rv == APR_SUCCESS) {
        rv = signature_check(q, body, form);
    }
    if (rv == APR_EACCES || APR_STATUS_IS_EINVAL(rv) || APR_STATUS_IS_ENOSPC(rv)) {
        return refuse(q,
                      "its signature is missing or wrong; is WhatsAppPublicURL what Twilio calls,"
                      " and is it this account's token?",
                      body.len, started);
    }
    if (rv != APR_SUCCESS) {
        return wa_reply_status(q, rv, NULL);
    }
    if (!form) {
        wa_hook_body_read(apr_table_get(q->r->headers_in, "Content-Type"), body, &hook);
        return refuse_hook(q, &hook, body.len, WA_ERROR_UNSUPPORTED_MEDIA_TYPE);
    }
    account = account_of(q, form);
    if (account != ACCOUNT_OTHER && wa_hook_form_is_other(form, &hook)) {
        return refuse_hook(q, &hook, body.len, WA_ERROR_INVALID_INPUT);
    }
    if (account != ACCOUNT_OURS) {
        return refuse(q, "it is for another account", body.len, started);
    }
    if (wa_webhook_form_check(&taken, form, &why, q->r->pool) != APR_SUCCESS) {
        return refuse_form(q, why, body.len, started);
    }
    if (taken != form) {
        WA_LOG(q->log, WA_LOG_INFO, "WA0260", APR_SUCCESS,
               "webhook: behind a text stands what may be its end: it is kept in the text, length="
               "%" APR_SIZE_T_FMT,
               body.len);
    }
    return form_take(q, taken);
}
