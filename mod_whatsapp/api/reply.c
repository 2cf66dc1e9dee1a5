/* SPDX-License-Identifier: Apache-2.0 */
/* Every answer of the API leaves through here: status, headers, body. */
#include "api/reply.h"

#include <stdlib.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include <http_protocol.h>
#include <util_filter.h>

#include "messaging/list/render.h"

/* When to try again where nothing better is known. */
#define RETRY_S 2

static const struct {
    int status;
    const char *code;
} errors[] = {
    [WA_ERROR_INVALID_INPUT] = {HTTP_BAD_REQUEST, "INVALID_INPUT"},
    [WA_ERROR_UNAUTHORIZED] = {HTTP_FORBIDDEN, "UNAUTHORIZED"},
    [WA_ERROR_NOT_FOUND] = {HTTP_NOT_FOUND, "NOT_FOUND"},
    [WA_ERROR_METHOD_NOT_ALLOWED] = {HTTP_METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED"},
    [WA_ERROR_CONFLICT] = {HTTP_CONFLICT, "CONFLICT"},
    [WA_ERROR_PAYLOAD_TOO_LARGE] = {HTTP_REQUEST_ENTITY_TOO_LARGE, "PAYLOAD_TOO_LARGE"},
    [WA_ERROR_UNSUPPORTED_MEDIA_TYPE] = {HTTP_UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE"},
    [WA_ERROR_RATE_LIMITED] = {HTTP_TOO_MANY_REQUESTS, "RATE_LIMITED"},
    [WA_ERROR_INTERNAL] = {HTTP_INTERNAL_SERVER_ERROR, "INTERNAL_ERROR"},
    [WA_ERROR_TWILIO] = {HTTP_BAD_GATEWAY, "TWILIO_ERROR"},
    [WA_ERROR_UNAVAILABLE] = {HTTP_SERVICE_UNAVAILABLE, "UNAVAILABLE"},
};

/* Sends one bucket of `len` bytes as the whole answer. */
static int bucket_send(request_rec *r, int status, const char *content_type, apr_bucket *body,
                       apr_size_t len)
{
    apr_bucket_alloc_t *list = r->connection->bucket_alloc;
    apr_bucket_brigade *bb = apr_brigade_create(r->pool, list);

    r->status = status;
    ap_set_content_type(r, content_type);
    ap_set_content_length(r, (apr_off_t)len);
    apr_table_setn(r->headers_out, "Cache-Control", "no-store");
    apr_table_setn(r->headers_out, "X-Content-Type-Options", "nosniff");
    /* Answers are made anew each time: parts of them mean nothing. */
    apr_table_unset(r->headers_in, "Range");
    APR_BRIGADE_INSERT_TAIL(bb, body);
    APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_eos_create(list));
    (void)ap_pass_brigade(r->output_filters, bb);
    return OK;
}

/* Sends the buffer's own memory; it is freed with the bucket. */
static int buffer_send(wa_request_t *q, int status, wa_buffer_t *b)
{
    apr_bucket_alloc_t *list = q->r->connection->bucket_alloc;
    apr_size_t len;
    char *bytes;

    if (b->failed || b->len == 0) {
        static const char fallback[] =
            "{\"success\":false,\"error\":\"The server is out of memory; "
            "try again later.\",\"code\":\"INTERNAL_ERROR\"}";

        wa_buffer_release(b);
        WA_LOG(q->log, WA_LOG_ERR, "WA0202", APR_ENOMEM, "no memory for an answer");
        return bucket_send(q->r, HTTP_INTERNAL_SERVER_ERROR, "application/json",
                           apr_bucket_immortal_create(fallback, sizeof(fallback) - 1, list),
                           sizeof(fallback) - 1);
    }
    bytes = wa_buffer_take(b, &len);
    return bucket_send(q->r, status, "application/json",
                       apr_bucket_heap_create(bytes, len, free, list), len);
}

void wa_reply_begin(wa_reply_t *reply, wa_request_t *q, apr_size_t room)
{
    reply->q = q;
    wa_buffer_init(&reply->b, room);
    reply->w = WA_JSON_WRITER(&reply->b);
    reply->list = (wa_list_t){q->messenger, q->server->base_path, &reply->w, q->r->pool};
    wa_json_object_begin(&reply->w);
    WA_JSON_BOOL(&reply->w, "success", 1);
}

void wa_reply_close(wa_reply_t *reply)
{
    wa_json_object_end(&reply->w);
}

int wa_reply_end(wa_reply_t *reply, apr_status_t rv, const char *sentence)
{
    if (rv != APR_SUCCESS) {
        wa_buffer_release(&reply->b);
        return wa_reply_status(reply->q, rv, sentence);
    }
    wa_reply_close(reply);
    return buffer_send(reply->q, HTTP_OK, &reply->b);
}

int wa_reply_entry(wa_request_t *q, wa_cache_entry_t *entry)
{
    apr_size_t len;

    if (!entry) {
        return wa_reply_status(q, APR_ENOMEM, NULL);
    }
    len = wa_cache_entry_bytes(entry).len;
    return bucket_send(q->r, HTTP_OK, "application/json",
                       wa_cache_bucket_create(entry, q->r->connection->bucket_alloc), len);
}

int wa_reply_constant(wa_request_t *q, const char *content_type, wa_slice_t body)
{
    return bucket_send(
        q->r, HTTP_OK, content_type,
        apr_bucket_immortal_create(body.ptr, body.len, q->r->connection->bucket_alloc), body.len);
}

int wa_reply_error_message(wa_request_t *q, wa_error_e error, const char *sentence,
                           const wa_message_t *message)
{
    const apr_size_t len = strlen(sentence);
    const char *end = len > 0 && !apr_ispunct(sentence[len - 1]) ? "." : "";
    wa_buffer_t b;
    wa_json_writer_t w = WA_JSON_WRITER(&b);

    wa_buffer_init(&b, 512);
    wa_json_object_begin(&w);
    WA_JSON_BOOL(&w, "success", 0);
    WA_JSON_STRING(&w, "error", wa_slice_of(apr_pstrcat(q->r->pool, sentence, end, NULL)));
    WA_JSON_STRING(&w, "code", wa_slice_of(errors[error].code));
    if (message) {
        WA_JSON_NAME(&w, "message");
        wa_message_render(&w, message, q->messenger->store, q->server->base_path, q->r->pool);
    }
    wa_json_object_end(&w);
    return buffer_send(q, errors[error].status, &b);
}

int wa_reply_error(wa_request_t *q, wa_error_e error, const char *sentence)
{
    return wa_reply_error_message(q, error, sentence, NULL);
}

int wa_reply_retry(wa_request_t *q, wa_error_e error, const char *sentence, int retry_after_s)
{
    apr_table_setn(q->r->headers_out, "Retry-After", apr_itoa(q->r->pool, retry_after_s));
    return wa_reply_error(q, error, sentence);
}

int wa_reply_status(wa_request_t *q, apr_status_t rv, const char *sentence)
{
    if (APR_STATUS_IS_EINVAL(rv) || APR_STATUS_IS_EEXIST(rv)) {
        return wa_reply_error(q, WA_ERROR_INVALID_INPUT,
                              sentence ? sentence : "The request is not valid.");
    }
    if (APR_STATUS_IS_NOTFOUND(rv)) {
        return wa_reply_error(q, WA_ERROR_NOT_FOUND,
                              sentence ? sentence : "What was asked for is not there.");
    }
    if (APR_STATUS_IS_TIMEUP(rv)) {
        return wa_reply_retry(q, WA_ERROR_UNAVAILABLE,
                              "The message store is busy; nothing was stored or sent, try again in "
                              "a moment.",
                              RETRY_S);
    }
    if (APR_STATUS_IS_ENOSPC(rv)) {
        return wa_reply_retry(q, WA_ERROR_UNAVAILABLE,
                              "The message store cannot be written to; nothing was stored or sent, "
                              "try again later.",
                              RETRY_S);
    }
    /* What the store gives as APR_EGENERAL it has logged itself, with more to say than we have. */
    WA_LOG(q->log, rv == APR_EGENERAL ? WA_LOG_INFO : WA_LOG_ERR, "WA0201", rv, "%s failed",
           q->pattern);
    return wa_reply_error(q, WA_ERROR_INTERNAL,
                          "Something failed in this server; its error log says what.");
}
