/* SPDX-License-Identifier: Apache-2.0 */
/* X-Twilio-Signature: every published and recorded vector, and what the vectors leave open. */
#include "test_base.h"

#include <stdio.h>

#include <apr_strings.h>
#include <apr_thread_proc.h>
#include <jansson.h>

#include "twilio/signature.h"

#define VECTORS "tests/signature-vectors.json"
#define LEAST_VECTORS 64
#define TOKEN "12345"

static wa_secret_t secret_of(const char *s)
{
    wa_secret_t secret = {s, strlen(s)};

    return secret;
}

/* Cuts a whole URL into the two halves that a request gives. */
static wa_signature_request_t request_of_url(const char *url, apr_pool_t *p)
{
    wa_signature_request_t request = {.method = "POST",
                                      .content_type = "application/x-www-form-urlencoded"};
    const char *host = strstr(url, "://") + 3;
    const char *path = host + strcspn(host, "/?");

    request.base = apr_pstrmemdup(p, url, (apr_size_t)(path - url));
    request.target = path;
    return request;
}

static const char *text_of(json_t *vector, const char *name)
{
    const char *text = json_string_value(json_object_get(vector, name));

    assert_non_null(text);
    return text;
}

static wa_signature_request_t request_of(json_t *vector, apr_pool_t *p)
{
    wa_signature_request_t request = request_of_url(text_of(vector, "url"), p);

    request.method = text_of(vector, "method");
    request.content_type = text_of(vector, "content_type");
    request.body = wa_slice_of(text_of(vector, "raw_body"));
    request.signature = text_of(vector, "signature");
    return request;
}

static json_t *vectors_load(void)
{
    json_error_t error;
    json_t *vectors = json_load_file(VECTORS, 0, &error);

    assert_non_null(vectors);
    assert_true(json_array_size(vectors) >= LEAST_VECTORS);
    return vectors;
}

static void test_every_vector(void **state)
{
    json_t *vectors = vectors_load();
    json_t *vector;
    size_t i;

    json_array_foreach(vectors, i, vector)
    {
        wa_signature_request_t request = request_of(vector, *state);
        wa_secret_t token = secret_of(text_of(vector, "auth_token"));
        char *body = exact_copy(request.body.ptr, request.body.len);
        apr_status_t rv;

        request.body.ptr = body;
        rv = wa_signature_check(&token, 1, &request, *state);
        if ((rv == APR_SUCCESS) != json_is_true(json_object_get(vector, "valid"))) {
            fail_msg("%s: %d", text_of(vector, "name"), rv);
        }
        free(body);
    }
    json_decref(vectors);
}

/* The caller may hand over the parsed form instead: the same answers. */
static void test_every_form_vector_parsed_before(void **state)
{
    json_t *vectors = vectors_load();
    json_t *vector;
    size_t i;
    int forms = 0;

    json_array_foreach(vectors, i, vector)
    {
        wa_signature_request_t request = request_of(vector, *state);
        wa_secret_t token = secret_of(text_of(vector, "auth_token"));
        wa_form_t *form;
        apr_status_t rv;

        if (!strstr(request.content_type, "form") || strcmp(request.method, "POST") != 0) {
            continue;
        }
        forms++;
        rv = wa_form_parse(&form, request.body.ptr, request.body.len, 1000, *state);
        assert_int_equal(rv, APR_SUCCESS);
        request.form = form;
        request.body = wa_slice_make(NULL, 0);
        rv = wa_signature_check(&token, 1, &request, *state);
        if ((rv == APR_SUCCESS) != json_is_true(json_object_get(vector, "valid"))) {
            fail_msg("%s: %d", text_of(vector, "name"), rv);
        }
    }
    assert_true(forms > 50);
    json_decref(vectors);
}

/* While the token is rotated either one signs; the order does not matter, and a third does not. */
static void test_either_of_two_tokens(void **state)
{
    json_t *vectors = vectors_load();
    json_t *vector;
    size_t i;

    json_array_foreach(vectors, i, vector)
    {
        wa_signature_request_t request = request_of(vector, *state);
        wa_secret_t right = secret_of(text_of(vector, "auth_token"));
        wa_secret_t first[] = {right, secret_of("another")};
        wa_secret_t second[] = {secret_of("another"), right};
        apr_status_t rv = json_is_true(json_object_get(vector, "valid")) ? APR_SUCCESS : APR_EACCES;

        assert_int_equal(wa_signature_check(first, 2, &request, *state), rv);
        assert_int_equal(wa_signature_check(second, 2, &request, *state), rv);
        assert_int_equal(wa_signature_check(second, 1, &request, *state), APR_EACCES);
        assert_int_equal(wa_signature_check(first, 0, &request, *state), APR_EACCES);
    }
    json_decref(vectors);
}

/* HMAC-SHA1 with the empty key of "https://wa.example.com/in" and of the URL with ":443": several
 * of Twilio's own libraries take it. Computed with Python's hmac. */
static void test_empty_token_is_never_right(void **state)
{
    static const char *const signatures[] = {"3p6uJmaMYdgw0ys9Idecctg1BO0=",
                                             "o5uskGw/HtkJ1xU2iJnypFQLliY="};
    wa_secret_t empty = {"", 0};
    wa_secret_t null = {NULL, 0};
    wa_signature_request_t request = request_of_url("https://wa.example.com/in", *state);
    const char *made;
    unsigned i;

    for (i = 0; i < COUNT(signatures); i++) {
        request.signature = signatures[i];
        assert_int_equal(wa_signature_check(&empty, 1, &request, *state), APR_EACCES);
        assert_int_equal(wa_signature_check(&null, 1, &request, *state), APR_EACCES);
    }
    assert_int_equal(wa_signature_make(&made, empty, &request, *state), APR_EINVAL);
    assert_null(made);
}

static void test_no_signature(void **state)
{
    wa_secret_t token = secret_of(TOKEN);
    wa_signature_request_t request = request_of_url("https://wa.example.com/in", *state);

    assert_int_equal(wa_signature_check(&token, 1, &request, *state), APR_EACCES);
    request.signature = "";
    assert_int_equal(wa_signature_check(&token, 1, &request, *state), APR_EACCES);
}

/* What wa_signature_make makes for `signed_url`, wa_signature_check is asked about at `seen_url`.
 */
static apr_status_t seen_as(const char *signed_url, const char *seen_url, apr_pool_t *p)
{
    wa_secret_t token = secret_of(TOKEN);
    wa_signature_request_t made = request_of_url(signed_url, p);
    wa_signature_request_t seen = request_of_url(seen_url, p);

    made.body = seen.body = wa_slice_of("Body=x");
    assert_int_equal(wa_signature_make(&seen.signature, token, &made, p), APR_SUCCESS);
    assert_int_equal(strlen(seen.signature), WA_SIGNATURE_LENGTH);
    return wa_signature_check(&token, 1, &seen, p);
}

/* The URL without a port, and with the given or else the scheme's; nothing else. */
static void test_ports(void **state)
{
    static const struct {
        const char *made;
        const char *seen;
        apr_status_t rv;
    } cases[] = {
        {"https://h.example/in", "https://h.example/in", APR_SUCCESS},
        {"https://h.example:443/in", "https://h.example/in", APR_SUCCESS},
        {"https://h.example/in", "https://h.example:8443/in", APR_SUCCESS},
        {"https://h.example:8443/in", "https://h.example:8443/in", APR_SUCCESS},
        {"http://h.example:80/in", "http://h.example/in", APR_SUCCESS},
        {"https://h.example:80/in", "https://h.example/in", APR_EACCES},
        {"http://h.example:443/in", "http://h.example/in", APR_EACCES},
        {"https://h.example:443/in", "https://h.example:8443/in", APR_EACCES},
        {"https://h.example:8443/in", "https://h.example/in", APR_EACCES},
        {"http://h.example/in", "https://h.example/in", APR_EACCES},
        {"https://[2001:db8::1]/in", "https://[2001:db8::1]:8443/in", APR_SUCCESS},
        {"https://[2001:db8::1]:443/in", "https://[2001:db8::1]/in", APR_SUCCESS},
        {"https://h.example/in", "https://user:pass@h.example/in", APR_SUCCESS},
        {"https://h.example/in", "https://user:pass@h.example:8443/in", APR_SUCCESS},
        {"https://h.example:8443/in", "https://us%40er:p@h.example:8443/in", APR_SUCCESS},
        {"https://h.example/in?a=1", "https://h.example/in?a=1#rc=3", APR_SUCCESS},
        {"https://h.example/in", "https://h.example//in", APR_EACCES},
        {"https://h.example/in", "https://h.example/in?", APR_EACCES},
    };
    unsigned i;

    for (i = 0; i < COUNT(cases); i++) {
        apr_status_t rv = seen_as(cases[i].made, cases[i].seen, *state);

        if (rv != cases[i].rv) {
            fail_msg("%s seen as %s: %d", cases[i].made, cases[i].seen, rv);
        }
    }
}

/* A proxy that strips a path prefix, a base written with a slash or more, a target with scheme and
 * host. */
static void test_base_and_target(void **state)
{
    wa_secret_t token = secret_of(TOKEN);
    wa_signature_request_t made = request_of_url("https://h.example/chat/in?a=%2F", *state);
    wa_signature_request_t seen = made;

    assert_int_equal(wa_signature_make(&seen.signature, token, &made, *state), APR_SUCCESS);
    seen.base = "https://h.example/chat";
    seen.target = "/in?a=%2F";
    assert_int_equal(wa_signature_check(&token, 1, &seen, *state), APR_SUCCESS);
    seen.base = "https://h.example/chat//";
    assert_int_equal(wa_signature_check(&token, 1, &seen, *state), APR_SUCCESS);
    seen.base = "https://h.example/chat?x=1#f";
    assert_int_equal(wa_signature_check(&token, 1, &seen, *state), APR_SUCCESS);
    seen.base = "https://h.example/chat";
    seen.target = "http://inner.example:8080/in?a=%2F";
    assert_int_equal(wa_signature_check(&token, 1, &seen, *state), APR_SUCCESS);
}

static void test_impossible_requests(void **state)
{
    static const char *const bases[] = {
        NULL, "", "h.example", "ftp://h.example", "https://", "https://:443", "https://user@"};
    static const char *const targets[] = {NULL, "", "*", "http://h.example"};
    wa_secret_t token = secret_of(TOKEN);
    wa_signature_request_t request = request_of_url("https://h.example/in", *state);
    const char *made;
    unsigned i;

    assert_int_equal(wa_signature_make(&request.signature, token, &request, *state), APR_SUCCESS);
    for (i = 0; i < COUNT(bases); i++) {
        wa_signature_request_t bad = request;

        bad.base = bases[i];
        assert_int_equal(wa_signature_check(&token, 1, &bad, *state), APR_EINVAL);
        assert_int_equal(wa_signature_make(&made, token, &bad, *state), APR_EINVAL);
    }
    for (i = 0; i < COUNT(targets); i++) {
        wa_signature_request_t bad = request;

        bad.target = targets[i];
        assert_int_equal(wa_signature_check(&token, 1, &bad, *state), APR_EINVAL);
    }
}

/* A signature over the URL alone must not carry a body that it does not cover. */
static void test_body_that_nothing_covers(void **state)
{
    wa_secret_t token = secret_of(TOKEN);
    wa_signature_request_t request = request_of_url("https://h.example/in", *state);

    request.content_type = NULL;
    assert_int_equal(wa_signature_make(&request.signature, token, &request, *state), APR_SUCCESS);
    assert_int_equal(wa_signature_check(&token, 1, &request, *state), APR_SUCCESS);
    request.body = wa_slice_of("Body=forged");
    assert_int_equal(wa_signature_check(&token, 1, &request, *state), APR_EACCES);
    request.content_type = "text/plain";
    assert_int_equal(wa_signature_check(&token, 1, &request, *state), APR_EACCES);
    request.content_type = "application/x-www-form-urlencodedx";
    assert_int_equal(wa_signature_check(&token, 1, &request, *state), APR_EACCES);
    request.method = "GET";
    assert_int_equal(wa_signature_check(&token, 1, &request, *state), APR_EACCES);
    request.body = wa_slice_make(NULL, 0);
    assert_int_equal(wa_signature_check(&token, 1, &request, *state), APR_SUCCESS);
}

/* A JSON request without a body: Twilio's own middleware hashes "{}"; the plain hash of nothing is
 * as good. A form is never covered by bodySHA256. */
static void test_json_corners(void **state)
{
    static const char *const hashes[] = {
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"};
    wa_secret_t token = secret_of(TOKEN);
    unsigned i;

    for (i = 0; i < COUNT(hashes); i++) {
        wa_signature_request_t request = request_of_url(
            apr_pstrcat(*state, "https://h.example/in?bodySHA256=", hashes[i], NULL), *state);

        request.content_type = "application/json";
        assert_int_equal(wa_signature_make(&request.signature, token, &request, *state),
                         APR_SUCCESS);
        assert_int_equal(wa_signature_check(&token, 1, &request, *state), APR_SUCCESS);
        request.body = wa_slice_of("{\"forged\":1}");
        assert_int_equal(wa_signature_check(&token, 1, &request, *state), APR_EACCES);
        request.body = wa_slice_of("Body=x");
        request.content_type = "Application/X-WWW-Form-Urlencoded ;charset=utf-8";
        assert_int_equal(wa_signature_check(&token, 1, &request, *state), APR_EACCES);
    }
}

/* NUL and bytes that are no UTF-8 are signed as they are. */
static void test_bytes_are_kept(void **state)
{
    wa_secret_t token = secret_of(TOKEN);
    wa_signature_request_t encoded = request_of_url("https://h.example/in", *state);
    wa_signature_request_t raw = encoded;

    encoded.body = wa_slice_of("Body=a%00b%FF%zz&%00=1");
    raw.body = WA_SLICE_LITERAL("Body=a\0b\xff%zz&\0=1");
    assert_int_equal(wa_signature_make(&raw.signature, token, &encoded, *state), APR_SUCCESS);
    assert_int_equal(wa_signature_check(&token, 1, &raw, *state), APR_SUCCESS);
    raw.body = WA_SLICE_LITERAL("Body=a\0b\xff%zz&\0=2");
    assert_int_equal(wa_signature_check(&token, 1, &raw, *state), APR_EACCES);
}

/* Names and values are sorted as unsigned bytes: what is not ASCII comes last. The signature was
 * computed with Python. */
static void test_order_is_of_unsigned_bytes(void **state)
{
    wa_secret_t token = secret_of(TOKEN);
    wa_signature_request_t request = request_of_url("https://h.example/in", *state);

    request.body = wa_slice_of("a%00=&prefix-%E9x=&%C3%A9=1&a=%FF&z=2&prefix-zx=4&a=3&a=3");
    request.signature = "QqeDaWyP+LJHSp21D34K518r5f8=";
    assert_int_equal(wa_signature_check(&token, 1, &request, *state), APR_SUCCESS);
}

/* More fields than the insertion sort takes, given in two orders: one signature. And more than are
 * allowed at all. */
static void test_many_fields(void **state)
{
    wa_secret_t token = secret_of(TOKEN);
    wa_signature_request_t forward = request_of_url("https://h.example/in", *state);
    wa_signature_request_t backward = forward;
    char up[16 * (WA_SIGNATURE_MAX_FIELDS + 1) + 1];
    char down[sizeof(up)];
    int counts[] = {63, 64, 65, 300, WA_SIGNATURE_MAX_FIELDS};
    unsigned i;
    int k, len;

    for (i = 0; i < COUNT(counts); i++) {
        for (k = len = 0; k < counts[i]; k++) {
            len += snprintf(up + len, sizeof(up) - (size_t)len, "prefixed%d=%d&", k / 2, k % 2);
        }
        forward.body = wa_slice_make(up, (apr_size_t)len);
        for (k = counts[i] - 1, len = 0; k >= 0; k--) {
            len += snprintf(down + len, sizeof(down) - (size_t)len, "prefixed%d=%d&", k / 2, k % 2);
        }
        backward.body = wa_slice_make(down, (apr_size_t)len);
        assert_int_equal(wa_signature_make(&backward.signature, token, &forward, *state),
                         APR_SUCCESS);
        assert_int_equal(wa_signature_check(&token, 1, &backward, *state), APR_SUCCESS);
    }
    len += snprintf(down + len, sizeof(down) - (size_t)len, "more=1");
    backward.body.len = (apr_size_t)len;
    assert_int_equal(wa_signature_check(&token, 1, &backward, *state), APR_EINVAL);
}

typedef struct worker_t {
    json_t *vectors;
    int wrong;
} worker_t;

static void *APR_THREAD_FUNC worker_run(apr_thread_t *thread, void *data)
{
    worker_t *worker = data;
    apr_pool_t *pool;
    json_t *vector;
    size_t i;
    int round;

    (void)thread;
    apr_pool_create_unmanaged_ex(&pool, NULL, NULL);
    for (round = 0; round < 20; round++) {
        json_array_foreach(worker->vectors, i, vector)
        {
            wa_signature_request_t request = request_of(vector, pool);
            wa_secret_t token = secret_of(text_of(vector, "auth_token"));
            int is_valid = json_is_true(json_object_get(vector, "valid"));

            if ((wa_signature_check(&token, 1, &request, pool) == APR_SUCCESS) != is_valid) {
                worker->wrong++;
            }
        }
        apr_pool_clear(pool);
    }
    apr_pool_destroy(pool);
    return NULL;
}

static void test_many_threads(void **state)
{
    worker_t workers[8];
    apr_thread_t *threads[COUNT(workers)];
    json_t *vectors = vectors_load();
    apr_status_t rv;
    unsigned i;

    for (i = 0; i < COUNT(workers); i++) {
        workers[i].vectors = vectors;
        workers[i].wrong = 0;
        assert_int_equal(apr_thread_create(&threads[i], NULL, worker_run, &workers[i], *state),
                         APR_SUCCESS);
    }
    for (i = 0; i < COUNT(workers); i++) {
        apr_thread_join(&rv, threads[i]);
        assert_int_equal(workers[i].wrong, 0);
    }
    json_decref(vectors);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_TEST(test_every_vector),
        POOL_TEST(test_every_form_vector_parsed_before),
        POOL_TEST(test_either_of_two_tokens),
        POOL_TEST(test_empty_token_is_never_right),
        POOL_TEST(test_no_signature),
        POOL_TEST(test_ports),
        POOL_TEST(test_base_and_target),
        POOL_TEST(test_impossible_requests),
        POOL_TEST(test_body_that_nothing_covers),
        POOL_TEST(test_json_corners),
        POOL_TEST(test_bytes_are_kept),
        POOL_TEST(test_order_is_of_unsigned_bytes),
        POOL_TEST(test_many_fields),
        POOL_TEST(test_many_threads),
    };

    return cmocka_run_group_tests(tests, apr_setup, apr_teardown);
}
