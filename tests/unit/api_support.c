/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of api/ share: a request made by hand, its answer, what api/ calls of httpd. */
#include "api_support.h"

#include <http_protocol.h>
#include <util_filter.h>

#include <apr_lib.h>
#include <jansson.h>

#include "api/cache.h"

/* ---- httpd, as far as api/ calls it ---- */

/* What was passed down the output filters. It has its room before: passing takes no memory. */
typedef struct output_t {
    char bytes[65536];
    apr_size_t len;
    int ends; /* end-of-stream buckets */
} output_t;

/* What the input filters have still to give. */
typedef struct input_t {
    const char *left;
    apr_status_t rv;
    int is_over;
} input_t;

void ap_set_content_type(request_rec *r, const char *ct)
{
    r->content_type = ct;
}

void ap_set_content_length(request_rec *r, apr_off_t length)
{
    r->clength = length;
    apr_table_setn(r->headers_out, "Content-Length", apr_off_t_toa(r->pool, length));
}

const char *ap_run_http_scheme(const request_rec *r)
{
    const char *scheme = apr_table_get(r->notes, "scheme");

    return scheme ? scheme : "http";
}

int ap_parse_strict_length(apr_off_t *len, const char *str)
{
    char *end;

    *len = 0;
    return apr_isdigit(*str) && apr_strtoff(len, str, &end, 10) == APR_SUCCESS && *end == '\0';
}

apr_status_t ap_pass_brigade(ap_filter_t *filter, apr_bucket_brigade *bb)
{
    output_t *out = filter->ctx;
    apr_bucket *b;

    for (b = APR_BRIGADE_FIRST(bb); b != APR_BRIGADE_SENTINEL(bb); b = APR_BUCKET_NEXT(b)) {
        const char *bytes;
        apr_size_t len;

        assert_int_equal(out->ends, 0);
        if (APR_BUCKET_IS_EOS(b)) {
            out->ends++;
            continue;
        }
        assert_int_equal(apr_bucket_read(b, &bytes, &len, APR_BLOCK_READ), APR_SUCCESS);
        assert_true(len <= sizeof(out->bytes) - out->len);
        memcpy(out->bytes + out->len, bytes, len);
        out->len += len;
    }
    apr_brigade_cleanup(bb);
    return APR_SUCCESS;
}

/* Bodies come in pieces of seven bytes, whatever is asked for. */
apr_status_t ap_get_brigade(ap_filter_t *filter, apr_bucket_brigade *bb, ap_input_mode_t mode,
                            apr_read_type_e block, apr_off_t readbytes)
{
    input_t *in = filter->ctx;
    apr_size_t len = strlen(in->left);

    assert_true(APR_BRIGADE_EMPTY(bb));
    assert_int_equal(mode, AP_MODE_READBYTES);
    assert_int_equal(block, APR_BLOCK_READ);
    assert_true(readbytes > 0);
    assert_false(in->is_over);
    len = len > 7 ? 7 : len;
    if (len > 0) {
        APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_transient_create(in->left, len, bb->bucket_alloc));
        in->left += len;
        return APR_SUCCESS;
    }
    in->is_over = 1;
    if (in->rv == APR_SUCCESS) {
        APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_eos_create(bb->bucket_alloc));
    }
    return in->rv;
}

/* ---- the virtual host ---- */

void api_init(api_t *api, apr_pool_t *p)
{
    memset(api, 0, sizeof(*api));
    world_init(&api->world, p);
    api->store = canned_store_create(p);
    api->world.messenger.store = &api->store->base;
    api->server.messenger = &api->world.messenger;
    api->server.base_path = BASE;
    api->server.max_body = 65536;
    assert_int_equal(wa_cache_create(&api->server.cache, 256, 1 << 20, p), APR_SUCCESS);
}

/* ---- the request ---- */

static const char *path_decode(const char *path, apr_pool_t *p)
{
    char *decoded = apr_palloc(p, strlen(path) + 1), *to = decoded;

    while (*path) {
        if (*path == '%') {
            const char digits[] = {path[1], path[1] ? path[2] : '\0', '\0'};

            assert_int_equal(strspn(digits, "0123456789abcdefABCDEF"), 2);
            *to++ = (char)strtol(digits, NULL, 16);
            path += 3;
        } else {
            *to++ = *path++;
        }
    }
    *to = '\0';
    return decoded;
}

static int method_number(const char *method)
{
    static const struct {
        const char *name;
        int number;
    } known[] = {
        {"GET", M_GET},           {"HEAD", M_GET},    {"POST", M_POST},
        {"PUT", M_PUT},           {"PATCH", M_PATCH}, {"DELETE", M_DELETE},
        {"OPTIONS", M_OPTIONS},   {"TRACE", M_TRACE}, {"CONNECT", M_CONNECT},
        {"PROPFIND", M_PROPFIND},
    };
    apr_size_t i;

    for (i = 0; i < COUNT(known); i++) {
        if (strcmp(known[i].name, method) == 0) {
            return known[i].number;
        }
    }
    return M_INVALID;
}

static ap_filter_t *filter_of(request_rec *r, void *context)
{
    ap_filter_t *filter = apr_pcalloc(r->pool, sizeof(*filter));

    filter->ctx = context;
    filter->r = r;
    filter->c = r->connection;
    return filter;
}

static void target_set(request_rec *r, const char *target)
{
    const char *question = strchr(target, '?');
    const apr_size_t len = question ? (apr_size_t)(question - target) : strlen(target);

    r->unparsed_uri = apr_pstrdup(r->pool, target);
    r->uri = (char *)(apr_uintptr_t)path_decode(apr_pstrmemdup(r->pool, target, len), r->pool);
    r->args = question ? apr_pstrdup(r->pool, question + 1) : NULL;
}

request_rec *api_request_begin(api_t *api, const api_ask_t *ask)
{
    const char *method = ask->method ? ask->method : "GET";
    request_rec *r;
    input_t *in;
    apr_pool_t *p;
    apr_size_t i;

    assert_int_equal(apr_pool_create(&p, api->world.p), APR_SUCCESS);
    r = apr_pcalloc(p, sizeof(*r));
    r->pool = p;
    r->connection = apr_pcalloc(p, sizeof(*r->connection));
    r->connection->pool = p;
    r->connection->bucket_alloc = apr_bucket_alloc_create(p);
    r->connection->keepalive = AP_CONN_KEEPALIVE;
    r->headers_in = apr_table_make(p, 8);
    r->headers_out = apr_table_make(p, 8);
    r->notes = apr_table_make(p, 2);
    r->method = method;
    r->method_number = method_number(method);
    r->header_only = strcmp(method, "HEAD") == 0;
    r->status = HTTP_OK;
    target_set(r, ask->target);
    for (i = 0; i + 1 < COUNT(ask->headers) && ask->headers[i]; i += 2) {
        apr_table_add(r->headers_in, ask->headers[i], ask->headers[i + 1]);
    }
    apr_table_setn(r->headers_in, "Range", "bytes=0-1");
    r->output_filters = filter_of(r, apr_pcalloc(p, sizeof(output_t)));
    in = apr_pcalloc(p, sizeof(*in));
    in->left = ask->body ? ask->body : "";
    in->rv = ask->body_rv;
    r->input_filters = filter_of(r, in);
    return r;
}

static int table_copy(void *to, const char *name, const char *value)
{
    apr_table_add(to, name, value);
    return 1;
}

static void json_check(const api_answer_t *answer)
{
    json_t *j = json_loadb(answer->body, answer->len, JSON_REJECT_DUPLICATES, NULL);

    assert_non_null(j);
    assert_true(json_is_boolean(json_object_get(j, "success")));
    assert_int_equal(json_is_true(json_object_get(j, "success")), answer->status == HTTP_OK);
    assert_int_equal(json_is_string(json_object_get(j, "error")), answer->status != HTTP_OK);
    assert_int_equal(json_is_string(json_object_get(j, "code")), answer->status != HTTP_OK);
    json_decref(j);
}

api_answer_t api_request_end(api_t *api, request_rec *r, int result)
{
    output_t *out = r->output_filters->ctx;
    api_answer_t answer = {.status = r->status, .len = out->len};

    assert_int_equal(result, OK);
    assert_int_equal(out->ends, 1);
    assert_true(out->len > 0);
    assert_int_equal(r->clength, out->len);
    assert_null(apr_table_get(r->headers_in, "Range"));
    answer.type = apr_pstrdup(api->world.p, r->content_type);
    answer.body = apr_pstrmemdup(api->world.p, out->bytes, out->len);
    answer.headers = apr_table_make(api->world.p, 8);
    answer.is_last = r->connection->keepalive == AP_CONN_CLOSE;
    apr_table_do(table_copy, answer.headers, r->headers_out, NULL);
    apr_pool_destroy(r->pool);
    assert_string_equal(api_header(&answer, "Cache-Control"), "no-store");
    assert_string_equal(api_header(&answer, "X-Content-Type-Options"), "nosniff");
    if (strcmp(answer.type, "application/json") == 0) {
        json_check(&answer);
    } else {
        assert_string_equal(answer.type, "text/xml");
    }
    return answer;
}

wa_request_t api_request_of(api_t *api, request_rec *r)
{
    const wa_request_t q = {.r = r,
                            .server = &api->server,
                            .messenger = api->server.messenger,
                            .log = &api->world.log,
                            .pattern = "/pattern"};

    return q;
}

api_answer_t api_endpoint_ask(api_t *api, wa_endpoint_fn endpoint, const char *argument,
                              const api_ask_t *ask)
{
    request_rec *r = api_request_begin(api, ask);
    wa_request_t q = api_request_of(api, r);

    q.argument = wa_slice_of(argument);
    return api_request_end(api, r, endpoint(&q));
}

api_answer_t api_get(api_t *api, wa_endpoint_fn endpoint, const char *target)
{
    const api_ask_t ask = {.target = target};

    return api_endpoint_ask(api, endpoint, NULL, &ask);
}

/* ---- the answer ---- */

const char *api_header(const api_answer_t *answer, const char *name)
{
    const char *value = apr_table_get(answer->headers, name);

    return value ? value : "";
}

void assert_error(const api_answer_t *answer, int status, const char *code, const char *sentence)
{
    json_t *j = json_loadb(answer->body, answer->len, 0, NULL);
    const char *error = json_string_value(json_object_get(j, "error"));

    if (answer->status != status) {
        fail_msg("%d instead of %d: %s", answer->status, status, answer->body);
    }
    assert_string_equal(json_string_value(json_object_get(j, "code")), code);
    if (sentence && strncmp(error, sentence, strlen(sentence)) != 0) {
        fail_msg("the sentence is: %s", error);
    }
    json_decref(j);
}

void assert_answer(const api_answer_t *answer, const char *body)
{
    assert_string_equal(answer->body, body);
    assert_int_equal(answer->status, HTTP_OK);
}

void assert_calls(api_t *api, const char *calls)
{
    assert_string_equal(canned_calls_take(api->store), calls);
}
