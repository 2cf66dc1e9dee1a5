/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a request's body: bounded, of the right type, as JSON where it has to be. */
#include "api/body.h"

#include <stdlib.h>
#include <sys/mman.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include <apr_lib.h>
#include <apr_strings.h>

#include <http_protocol.h>
#include <util_filter.h>

#include "api/reply.h"
#include "base/json.h"

/* What is read at one time, and the most that a body is kept in its request's pool: what is larger
 * gets memory of its own, which goes back to the system with the request. A pool keeps what it once
 * had. */
#define CHUNK 16384
#define CODED_CHUNK 1024
#define POOL_MAX 65536

/* After a JSON body larger than this the C library gives back what its values took. */
#define TRIM_OVER (1024 * 1024)

int wa_body_is_type(request_rec *r, const char *type)
{
    const apr_size_t len = strlen(type);
    const char *given = apr_table_get(r->headers_in, "Content-Type");

    if (!given) {
        return 0;
    }
    while (apr_isspace(*given)) {
        given++;
    }
    if (strncasecmp(given, type, len) != 0) {
        return 0;
    }
    given += len;
    while (apr_isspace(*given)) {
        given++;
    }
    return *given == '\0' || *given == ';';
}

/* A body on its way in; data has room for cap bytes. */
typedef struct body_t {
    char *data;
    apr_size_t len, cap, max;
} body_t;

/* Memory of its own for a large body: as large as the body may become, of which the system gives
 * only what is written to. So it never has to grow, and is never there twice. */
typedef struct mapping_t {
    void *at;
    apr_size_t size;
} mapping_t;

static apr_status_t mapping_release(void *data)
{
    const mapping_t *mapping = data;

    munmap(mapping->at, mapping->size);
    return APR_SUCCESS;
}

static apr_status_t room_map(body_t *body, apr_pool_t *p)
{
    mapping_t *mapping = apr_palloc(p, sizeof(*mapping));

    mapping->size = body->max;
    mapping->at = mmap(NULL, mapping->size, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapping->at == MAP_FAILED) {
        return APR_ENOMEM;
    }
    apr_pool_cleanup_register(p, mapping, mapping_release, apr_pool_cleanup_null);
    if (body->len > 0) {
        memcpy(mapping->at, body->data, body->len);
    }
    body->data = mapping->at;
    body->cap = body->max;
    return APR_SUCCESS;
}

/* Makes room for `len` bytes in all, which is not over the most. */
static apr_status_t room_make(body_t *body, apr_size_t len, apr_pool_t *p)
{
    apr_size_t cap = body->cap * 2 > len ? body->cap * 2 : len;
    char *data;

    if (len <= body->cap) {
        return APR_SUCCESS;
    }
    if (len > POOL_MAX) {
        return room_map(body, p);
    }
    cap = cap < CHUNK ? CHUNK : cap < POOL_MAX ? cap : POOL_MAX;
    data = apr_palloc(p, cap);
    if (body->len > 0) {
        memcpy(data, body->data, body->len);
    }
    body->data = data;
    body->cap = cap;
    return APR_SUCCESS;
}

static apr_status_t body_add(body_t *body, const char *bytes, apr_size_t len, apr_pool_t *p)
{
    apr_status_t rv;

    if (len > body->max - body->len) {
        return APR_ENOSPC;
    }
    rv = room_make(body, body->len + len, p);
    if (rv == APR_SUCCESS && len > 0) {
        memcpy(body->data + body->len, bytes, len);
        body->len += len;
    }
    return rv;
}

/* Adds what a brigade holds and empties it. @param pis_end  out: 1 when that was all */
static apr_status_t brigade_add(body_t *body, apr_bucket_brigade *bb, int *pis_end, apr_pool_t *p)
{
    apr_status_t rv = APR_SUCCESS;

    while (!APR_BRIGADE_EMPTY(bb) && rv == APR_SUCCESS) {
        apr_bucket *b = APR_BRIGADE_FIRST(bb);
        const char *bytes;
        apr_size_t len;

        if (APR_BUCKET_IS_EOS(b)) {
            *pis_end = 1;
        } else if (!APR_BUCKET_IS_METADATA(b)) {
            rv = apr_bucket_read(b, &bytes, &len, APR_BLOCK_READ);
            if (rv == APR_SUCCESS) {
                rv = body_add(body, bytes, len, p);
            }
        }
        apr_bucket_delete(b);
    }
    apr_brigade_cleanup(bb);
    return rv;
}

static apr_status_t body_fill(request_rec *r, body_t *body)
{
    apr_bucket_brigade *bb = apr_brigade_create(r->pool, r->connection->bucket_alloc);
    apr_status_t rv = APR_SUCCESS;
    /* A filter that inflates takes as much as it is asked for, and may make a thousand times that
     * of it. */
    const apr_off_t piece = apr_table_get(r->headers_in, "Content-Encoding") ? CODED_CHUNK : CHUNK;
    int is_end = 0;

    while (!is_end && rv == APR_SUCCESS) {
        rv = ap_get_brigade(r->input_filters, bb, AP_MODE_READBYTES, APR_BLOCK_READ, piece);
        if (rv == APR_SUCCESS) {
            rv = brigade_add(body, bb, &is_end, r->pool);
        }
    }
    apr_brigade_destroy(bb);
    return rv;
}

int wa_body_leave(wa_request_t *q)
{
    q->r->connection->keepalive = AP_CONN_CLOSE;
    return 1;
}

/* Answers a body that could not be read. */
static int body_refuse(wa_request_t *q, apr_status_t rv, apr_size_t max)
{
    wa_body_leave(q);
    if (APR_STATUS_IS_ENOSPC(rv)) {
        const char *sentence = apr_psprintf(q->r->pool,
                                            "The request body is larger than the %" APR_SIZE_T_FMT
                                            " bytes that are allowed here.",
                                            max);

        return wa_reply_error(q, WA_ERROR_PAYLOAD_TOO_LARGE, sentence);
    }
    if (APR_STATUS_IS_ENOMEM(rv)) {
        return wa_reply_status(q, rv, NULL);
    }
    if (APR_STATUS_IS_TIMEUP(rv)) {
        return wa_reply_error(q, WA_ERROR_INVALID_INPUT, "The request body did not come in time.");
    }
    return wa_reply_error(q, WA_ERROR_INVALID_INPUT, "The request body could not be read.");
}

int wa_body_read(wa_request_t *q, apr_size_t max, wa_slice_t *pbody, int *presult)
{
    request_rec *r = q->r;
    const char *declared = apr_table_get(r->headers_in, "Content-Length");
    body_t body = {NULL, 0, 0, max};
    apr_status_t rv = APR_SUCCESS;

    *pbody = (wa_slice_t){NULL, 0};
    if (declared && !apr_table_get(r->headers_in, "Transfer-Encoding")) {
        apr_off_t length;

        if (!ap_parse_strict_length(&length, declared) || length > (apr_off_t)max) {
            rv = APR_ENOSPC;
        } else if (length > POOL_MAX) {
            rv = room_map(&body, r->pool);
        } else if (length > 0) {
            body.cap = (apr_size_t)length;
            body.data = apr_palloc(r->pool, body.cap);
        }
    }
    if (rv == APR_SUCCESS) {
        rv = body_fill(r, &body);
    }
    if (rv != APR_SUCCESS) {
        *presult = body_refuse(q, rv, max);
        return 0;
    }
    *pbody = wa_slice_make(body.data ? body.data : "", body.len);
    return 1;
}

/* The C library may keep what jansson frees; after a large body it is made to give that back. */
static apr_status_t memory_trim(void *data)
{
    (void)data;
#ifdef __GLIBC__
    (void)malloc_trim(0);
#endif
    return APR_SUCCESS;
}

int wa_body_json(wa_request_t *q, json_t **pj, int *presult)
{
    wa_slice_t body;
    const char *sentence = NULL;
    apr_status_t rv;

    *pj = NULL;
    if (!wa_body_is_type(q->r, "application/json")) {
        *presult = wa_reply_error(q, WA_ERROR_UNSUPPORTED_MEDIA_TYPE,
                                  "The request body must have the Content-Type application/json.");
        return 0;
    }
    if (!wa_body_read(q, (apr_size_t)q->server->max_body, &body, presult)) {
        return 0;
    }
    if (body.len > TRIM_OVER) { /* before the values: runs after they are freed */
        apr_pool_cleanup_register(q->r->pool, q, memory_trim, apr_pool_cleanup_null);
    }
    rv = wa_json_parse_bounded(pj, body.ptr, body.len, &sentence, q->r->pool);
    if (rv == APR_SUCCESS && !json_is_object(*pj)) {
        rv = APR_EINVAL;
        sentence = "The request body must be a JSON object";
    }
    if (rv != APR_SUCCESS) {
        *presult = wa_reply_status(q, rv, sentence);
        return 0;
    }
    return 1;
}

int wa_body_string(wa_request_t *q, const json_t *j, const char *name, wa_slice_t *pvalue,
                   int *presult)
{
    const json_t *value = json_object_get(j, name);

    *pvalue = (wa_slice_t){NULL, 0};
    if (!json_is_string(value)) {
        const char *sentence =
            apr_pstrcat(q->r->pool, name,
                        value ? " must be a string" : " is missing; it must be a string", NULL);

        *presult = wa_reply_error(q, WA_ERROR_INVALID_INPUT, sentence);
        return 0;
    }
    *pvalue = wa_slice_make(json_string_value(value), json_string_length(value));
    return 1;
}
