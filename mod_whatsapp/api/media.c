/* SPDX-License-Identifier: Apache-2.0 */
/* GET /messages/{id}/media/{n} */
#include "messaging/receive/media.h"

#include <httpd.h>
#include <http_connection.h>
#include <http_protocol.h>
#include <util_filter.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "api/reply.h"
#include "base/percent.h"

/* How soon to try again when all capacity is waiting for Twilio. */
#define BUSY_RETRY_S 2

/* An answer on its way from Twilio to the client, piece by piece. */
typedef struct passage_t {
    wa_request_t *q;
    const wa_media_place_t *place;
    const char *content_type; /* as Twilio declared them; NULL before that */
    apr_int64_t length;
    int is_begun; /* 1: the headers are set, there is no way back to an error in JSON */
} passage_t;

/* Types that a browser may show itself: they hold no script. What is not listed is only saved, as
 * bytes without a type. */
static const struct {
    const char *type;
    const char *ending;
} shown[] = {
    {"image/jpeg", ".jpg"},      {"image/png", ".png"},   {"image/gif", ".gif"},
    {"image/webp", ".webp"},     {"audio/ogg", ".ogg"},   {"audio/mpeg", ".mp3"},
    {"audio/mp4", ".m4a"},       {"audio/aac", ".aac"},   {"audio/amr", ".amr"},
    {"audio/wav", ".wav"},       {"audio/webm", ".weba"}, {"video/mp4", ".mp4"},
    {"video/3gpp", ".3gp"},      {"video/webm", ".webm"}, {"video/quicktime", ".mov"},
    {"application/pdf", ".pdf"},
};
#define SHOWN (sizeof(shown) / sizeof(shown[0]))

/* The place in the table, SHOWN when it is not there; parameters of the type do not count. */
static apr_size_t shown_find(const char *content_type)
{
    const apr_size_t len = strcspn(content_type, "; \t");
    apr_size_t i = 0;

    while (
        i < SHOWN
        && (strlen(shown[i].type) != len || strncasecmp(shown[i].type, content_type, len) != 0)) {
        i++;
    }
    return i;
}

/* RFC 6266: the name in ASCII for old clients, and whole for all others. */
static const char *disposition(const char *kind, const char *name, apr_pool_t *p)
{
    char *plain = apr_pstrdup(p, name);
    char *c;

    for (c = plain; *c; c++) {
        if ((unsigned char)*c >= 0x80) {
            *c = '_';
        }
    }
    return apr_pstrcat(p, kind, "; filename=\"", plain, "\"; filename*=UTF-8''",
                       wa_percent_encode(wa_slice_of(name), p), NULL);
}

static void headers_set(passage_t *passage)
{
    request_rec *r = passage->q->r;
    const wa_media_place_t *place = passage->place;
    const apr_size_t at = shown_find(passage->content_type);
    const int is_shown = at < SHOWN;
    const int is_pdf = is_shown && strcmp(shown[at].type, "application/pdf") == 0;
    const char *name = place->name;

    if (is_shown && !place->is_named) {
        name = apr_pstrcat(r->pool, name, shown[at].ending, NULL);
    }
    passage->is_begun = 1;
    r->status = HTTP_OK;
    ap_set_content_type(r, is_shown ? passage->content_type : "application/octet-stream");
    if (passage->length >= 0) {
        ap_set_content_length(r, (apr_off_t)passage->length);
    }
    apr_table_setn(r->headers_out, "Content-Disposition",
                   disposition(is_shown ? "inline" : "attachment", name, r->pool));
    apr_table_setn(r->headers_out, "X-Content-Type-Options", "nosniff");
    /* Browsers show no PDF in a sandbox; their viewers run none of its script in our name. */
    apr_table_setn(r->headers_out, "Content-Security-Policy",
                   is_pdf ? "default-src 'none'; object-src 'self'; style-src 'unsafe-inline'; "
                            "frame-ancestors 'self'"
                          : "default-src 'none'; frame-ancestors 'self'; sandbox");
    apr_table_setn(r->headers_out, "Referrer-Policy", "no-referrer");
    /* What was sent never changes. */
    apr_table_setn(r->headers_out, "Cache-Control", "private, max-age=86400, immutable");
    apr_table_setn(r->headers_out, "Accept-Ranges", "none");
    apr_table_unset(r->headers_in, "Range");
}

static apr_status_t passage_begin(void *baton, const char *content_type, apr_int64_t length)
{
    passage_t *passage = baton;

    passage->content_type = apr_pstrdup(passage->q->r->pool, content_type);
    passage->length = length;
    return passage->q->r->header_only ? APR_EOF : APR_SUCCESS;
}

static apr_status_t passage_data(void *baton, const char *bytes, apr_size_t len)
{
    passage_t *passage = baton;
    request_rec *r = passage->q->r;
    apr_bucket_alloc_t *list = r->connection->bucket_alloc;
    apr_bucket_brigade *bb;
    apr_status_t rv;

    if (!passage->is_begun) {
        headers_set(passage);
    }
    bb = apr_brigade_create(r->pool, list);
    APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_transient_create(bytes, len, list));
    rv = ap_pass_brigade(r->output_filters, bb);
    apr_brigade_destroy(bb);
    return r->connection->aborted ? APR_ECONNABORTED : rv;
}

/* Ends an answer that is cut short so that the client sees it: the connection closes. */
static int passage_break(passage_t *passage)
{
    request_rec *r = passage->q->r;
    apr_bucket_alloc_t *list = r->connection->bucket_alloc;
    apr_bucket_brigade *bb = apr_brigade_create(r->pool, list);

    r->connection->keepalive = AP_CONN_CLOSE;
    APR_BRIGADE_INSERT_TAIL(bb, ap_bucket_error_create(HTTP_BAD_GATEWAY, NULL, r->pool, list));
    APR_BRIGADE_INSERT_TAIL(bb, ap_bucket_eoc_create(list));
    (void)ap_pass_brigade(r->output_filters, bb);
    return OK;
}

static int passage_refuse(wa_request_t *q, apr_status_t rv, int is_busy)
{
    if (is_busy) {
        return wa_reply_retry(q, WA_ERROR_UNAVAILABLE,
                              "Too much is waiting for Twilio right now; try again in a moment.",
                              BUSY_RETRY_S);
    }
    if (APR_STATUS_IS_NOTFOUND(rv)) {
        return wa_reply_error(q, WA_ERROR_NOT_FOUND, "Twilio does not have this file any more.");
    }
    if (APR_STATUS_IS_ENOSPC(rv)) {
        return wa_reply_error(q, WA_ERROR_TWILIO, "The file is larger than this server passes on.");
    }
    if (APR_STATUS_IS_EINVAL(rv)) {
        return wa_reply_error(q, WA_ERROR_TWILIO,
                              "The file is not kept at Twilio, so this server does not fetch it.");
    }
    return wa_reply_error(q, WA_ERROR_TWILIO, "Twilio did not give the file; try again later.");
}

/* The number of an attachment; -1 for what is none. */
static apr_int64_t number_read(wa_slice_t text)
{
    apr_int64_t n = 0;
    apr_size_t i;

    for (i = 0; i < text.len && i < 3 && apr_isdigit(text.ptr[i]); i++) {
        n = 10 * n + (text.ptr[i] - '0');
    }
    return i > 0 && i == text.len && (text.ptr[0] != '0' || text.len == 1) ? n : -1;
}

int wa_endpoint_media(wa_request_t *q)
{
    static const char absent[] = "There is no such message, or it has no such file.";
    const char *id = wa_slice_string(q->argument, q->r->pool);
    const apr_int64_t n = number_read(q->argument_2);
    wa_media_place_t place;
    passage_t passage = {.q = q, .place = &place, .length = -1};
    const wa_twilio_sink_t sink = {passage_begin, passage_data, &passage};
    int is_busy;
    apr_status_t rv =
        n < 0 ? APR_NOTFOUND : wa_media_find(q->messenger, id, (apr_size_t)n, &place, q->r->pool);

    if (rv != APR_SUCCESS) {
        return wa_reply_status(q, rv, absent);
    }
    rv = wa_media_fetch(q->messenger, &place, &sink, &is_busy, q->r->pool);
    if (rv == APR_SUCCESS || (rv == APR_EOF && passage.content_type)) {
        if (!passage.is_begun) { /* HEAD, or an empty file */
            headers_set(&passage);
        }
        return OK;
    }
    return passage.is_begun ? passage_break(&passage) : passage_refuse(q, rv, is_busy);
}
