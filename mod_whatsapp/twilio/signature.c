/* SPDX-License-Identifier: Apache-2.0 */
/* Makes and checks X-Twilio-Signature: base64(HMAC-SHA1(AuthToken, URL + sorted form fields)). */
#include "twilio/signature.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>
#include <apr_tables.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/sha.h>
#include <pthread.h>

#define MAC_LENGTH 20

/* A field with the first bytes of its name as a number, so that most comparisons while sorting are
 * one subtraction. */
typedef struct sort_field_t {
    apr_uint64_t prefix;
    const wa_form_field_t *field;
} sort_field_t;

/* The parts of the URL that the port is put between. */
typedef struct url_parts_t {
    wa_slice_t front; /* "https://host" */
    wa_slice_t port;  /* ":8443" or empty */
    wa_slice_t path;  /* "/prefix" or empty */
    int is_https;
} url_parts_t;

/* ---- HMAC-SHA1 ---- */

static pthread_once_t template_once = PTHREAD_ONCE_INIT;
static EVP_MAC_CTX *template_ctx;

/* Looking an algorithm up costs more than the HMAC itself, so it is done once; calls copy this
 * context and key the copy. */
static void template_make(void)
{
    char digest[] = "SHA1";
    OSSL_PARAM params[2];
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *ctx = mac ? EVP_MAC_CTX_new(mac) : NULL;

    EVP_MAC_free(mac);
    params[0] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0);
    params[1] = OSSL_PARAM_construct_end();
    if (ctx && EVP_MAC_CTX_set_params(ctx, params) == 1) {
        template_ctx = ctx;
    } else {
        EVP_MAC_CTX_free(ctx);
    }
}

/* The signature's text of `url` and then `fields`, with the key that ctx has or, when token is not
 * NULL, is given now. `text` has room for WA_SIGNATURE_LENGTH and a NUL. 1 when made. */
static int mac_text(EVP_MAC_CTX *ctx, const wa_secret_t *token, wa_slice_t url, wa_slice_t fields,
                    char *text)
{
    unsigned char mac[MAC_LENGTH];
    size_t len = 0;
    const unsigned char *key = token ? (const unsigned char *)token->bytes : NULL;

    if (EVP_MAC_init(ctx, key, token ? token->len : 0, NULL) != 1
        || EVP_MAC_update(ctx, (const unsigned char *)url.ptr, url.len) != 1
        || (fields.len > 0
            && EVP_MAC_update(ctx, (const unsigned char *)fields.ptr, fields.len) != 1)
        || EVP_MAC_final(ctx, mac, &len, sizeof(mac)) != 1 || len != sizeof(mac)) {
        return 0;
    }
    return EVP_EncodeBlock((unsigned char *)text, mac, MAC_LENGTH) == WA_SIGNATURE_LENGTH;
}

/* ---- The form ---- */

static apr_uint64_t name_prefix(wa_slice_t name)
{
    unsigned char bytes[8] = {0};
    apr_uint64_t prefix = 0;
    int i;

    if (name.len > 0) {
        memcpy(bytes, name.ptr, name.len < 8 ? name.len : 8);
    }
    for (i = 0; i < 8; i++) {
        prefix = (prefix << 8) | bytes[i];
    }
    return prefix;
}

static int slice_compare(wa_slice_t a, wa_slice_t b)
{
    apr_size_t len = a.len < b.len ? a.len : b.len;
    int order = len > 0 ? memcmp(a.ptr, b.ptr, len) : 0;

    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

/* By the bytes of the name, then of the value. */
static int field_compare(const void *left, const void *right)
{
    const sort_field_t *a = left;
    const sort_field_t *b = right;
    int order;

    if (a->prefix != b->prefix) {
        return a->prefix < b->prefix ? -1 : 1;
    }
    order = slice_compare(a->field->name, b->field->name);
    return order != 0 ? order : slice_compare(a->field->value, b->field->value);
}

/* Insertion for what Twilio sends (some 30 fields, where qsort's calls cost more), qsort for what
 * an attacker may. */
static void fields_sort(sort_field_t *sorted, apr_size_t count)
{
    apr_size_t i, j;

    if (count > 64) {
        qsort(sorted, count, sizeof(*sorted), field_compare);
        return;
    }
    for (i = 1; i < count; i++) {
        sort_field_t moving = sorted[i];

        for (j = i; j > 0 && field_compare(&sorted[j - 1], &moving) > 0; j--) {
            sorted[j] = sorted[j - 1];
        }
        sorted[j] = moving;
    }
}

static char *slice_append(char *end, wa_slice_t s)
{
    if (s.len > 0) {
        memcpy(end, s.ptr, s.len);
    }
    return end + s.len;
}

/* Names and values as they are signed: sorted, each pair once, without delimiters. */
static wa_slice_t fields_join(const wa_form_t *form, apr_pool_t *tmp)
{
    sort_field_t *sorted = apr_palloc(tmp, (form->count + 1) * sizeof(*sorted));
    apr_size_t total = 0;
    apr_size_t i;
    char *text;
    char *end;

    for (i = 0; i < form->count; i++) {
        sorted[i].field = &form->fields[i];
        sorted[i].prefix = name_prefix(form->fields[i].name);
        total += form->fields[i].name.len + form->fields[i].value.len;
    }
    fields_sort(sorted, form->count);
    text = end = apr_palloc(tmp, total + 1);
    for (i = 0; i < form->count; i++) {
        if (i > 0 && field_compare(&sorted[i - 1], &sorted[i]) == 0) {
            continue;
        }
        end = slice_append(end, sorted[i].field->name);
        end = slice_append(end, sorted[i].field->value);
    }
    return wa_slice_make(text, (apr_size_t)(end - text));
}

/* ---- The URL ---- */

/* Where the port of an authority begins: its end when it has none. */
static const char *port_find(const char *host, const char *end)
{
    const char *p;

    if (host < end && *host == '[') {
        p = memchr(host, ']', (size_t)(end - host));
        return p && p + 1 < end && p[1] == ':' ? p + 1 : end;
    }
    p = memchr(host, ':', (size_t)(end - host));
    return p ? p : end;
}

/* Splits the public base; user information, query, fragment and trailing slashes do not get in. */
static apr_status_t base_split(url_parts_t *parts, const char *base, apr_pool_t *tmp)
{
    const char *host, *end, *at, *port, *path_end;
    apr_size_t scheme_len;

    if (base && strncasecmp(base, "https://", 8) == 0) {
        scheme_len = 8;
    } else if (base && strncasecmp(base, "http://", 7) == 0) {
        scheme_len = 7;
    } else {
        return APR_EINVAL;
    }
    parts->is_https = scheme_len == 8;
    host = base + scheme_len;
    end = host + strcspn(host, "/?#");
    path_end = end + strcspn(end, "?#");
    while (path_end > end && path_end[-1] == '/') {
        path_end--;
    }
    for (at = end; at > host && at[-1] != '@'; at--) {
    }
    port = port_find(at, end);
    if (port == at) {
        return APR_EINVAL;
    }
    parts->front.len = scheme_len + (apr_size_t)(port - at);
    parts->front.ptr =
        at == host
            ? base
            : apr_pstrcat(tmp, wa_slice_string(wa_slice_make(base, scheme_len), tmp),
                          wa_slice_string(wa_slice_make(at, (apr_size_t)(port - at)), tmp), NULL);
    parts->port = wa_slice_make(port, (apr_size_t)(end - port));
    parts->path = wa_slice_make(end, (apr_size_t)(path_end - end));
    return APR_SUCCESS;
}

/* The request target from its path on: a client may have sent it with scheme and host (RFC 9112
 * section 3.2.2). */
static const char *target_path(const char *target)
{
    const char *scheme_end;

    if (!target || target[0] == '/') {
        return target;
    }
    scheme_end = strstr(target, "://");
    return scheme_end ? strchr(scheme_end + 3, '/') : NULL;
}

static wa_slice_t url_make(const url_parts_t *parts, wa_slice_t port, wa_slice_t target,
                           apr_pool_t *tmp)
{
    char *text = apr_palloc(tmp, parts->front.len + port.len + parts->path.len + target.len + 1);
    char *end = slice_append(text, parts->front);

    end = slice_append(end, port);
    end = slice_append(end, parts->path);
    end = slice_append(end, target);
    return wa_slice_make(text, (apr_size_t)(end - text));
}

/* The URLs that Twilio may have signed: as configured, and with the port taken out or the scheme's
 * default put in. */
static apr_status_t urls_make(wa_slice_t urls[2], const wa_signature_request_t *request,
                              apr_pool_t *tmp)
{
    static const wa_slice_t none = {NULL, 0};
    url_parts_t parts;
    wa_slice_t target = wa_slice_of(target_path(request->target));
    wa_slice_t other;
    const char *fragment;
    apr_status_t rv = base_split(&parts, request->base, tmp);

    if (rv != APR_SUCCESS || target.len == 0) {
        return APR_EINVAL;
    }
    fragment = memchr(target.ptr, '#', target.len);
    if (fragment) {
        target.len = (apr_size_t)(fragment - target.ptr);
    }
    other = parts.port.len > 0 ? none
            : parts.is_https   ? WA_SLICE_LITERAL(":443")
                               : WA_SLICE_LITERAL(":80");
    urls[0] = url_make(&parts, parts.port, target, tmp);
    urls[1] = url_make(&parts, other, target, tmp);
    return APR_SUCCESS;
}

/* ---- The body ---- */

static int type_is_form(const char *content_type)
{
    static const char form[] = "application/x-www-form-urlencoded";
    const char *end;

    if (!content_type || strncasecmp(content_type, form, sizeof(form) - 1) != 0) {
        return 0;
    }
    end = content_type + sizeof(form) - 1;
    return *end == '\0' || *end == ';' || *end == ' ' || *end == '\t' || *end == ',';
}

static int hash_is_equal(wa_slice_t hex, wa_slice_t body)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char hash[SHA256_DIGEST_LENGTH];
    char text[SHA256_DIGEST_LENGTH * 2];
    size_t i;

    if (hex.len != sizeof(text)
        || EVP_Digest(body.len > 0 ? body.ptr : "", body.len, hash, NULL, EVP_sha256(), NULL)
               != 1) {
        return 0;
    }
    for (i = 0; i < sizeof(hash); i++) {
        text[2 * i] = digits[hash[i] >> 4];
        text[2 * i + 1] = digits[hash[i] & 15];
    }
    return CRYPTO_memcmp(text, hex.ptr, sizeof(text)) == 0;
}

/* 1 when the URL's bodySHA256 is the hash of the body. For an empty body Twilio's own middleware
 * hashes "{}". */
static int body_is_hashed(const char *target, wa_slice_t body)
{
    static const char name[] = "bodySHA256=";
    const char *p = target ? strchr(target, '?') : NULL;

    while (p) {
        p++;
        if (strncmp(p, name, sizeof(name) - 1) == 0) {
            wa_slice_t hex =
                wa_slice_make(p + sizeof(name) - 1, strcspn(p + sizeof(name) - 1, "&#"));

            return hash_is_equal(hex, body)
                   || (body.len == 0 && hash_is_equal(hex, WA_SLICE_LITERAL("{}")));
        }
        p = strchr(p, '&');
    }
    return 0;
}

/* What is signed beside the URL. Fails closed: a body that neither the fields nor bodySHA256 cover
 * is APR_EACCES. */
static apr_status_t fields_make(wa_slice_t *pfields, const wa_signature_request_t *request,
                                apr_pool_t *tmp)
{
    int is_read = request->method
                  && (strcmp(request->method, "GET") == 0 || strcmp(request->method, "HEAD") == 0);
    const wa_form_t *form = request->form;
    wa_form_t *parsed;

    *pfields = wa_slice_make(NULL, 0);
    if (is_read || !type_is_form(request->content_type)) {
        if (request->body.len == 0 && (is_read || !strstr(request->target, "bodySHA256="))) {
            return APR_SUCCESS;
        }
        return !is_read && body_is_hashed(request->target, request->body) ? APR_SUCCESS
                                                                          : APR_EACCES;
    }
    if (!form) {
        if (wa_form_parse(&parsed, request->body.ptr, request->body.len, WA_SIGNATURE_MAX_FIELDS,
                          tmp)
            != APR_SUCCESS) {
            return APR_EINVAL;
        }
        form = parsed;
    }
    if (form->count > WA_SIGNATURE_MAX_FIELDS) {
        return APR_EINVAL;
    }
    *pfields = fields_join(form, tmp);
    return APR_SUCCESS;
}

/* ---- Public ---- */

/* APR_SUCCESS when one of the tokens made the signature for one of the URLs. */
static apr_status_t tokens_try(const wa_secret_t *tokens, int token_count, const wa_slice_t urls[2],
                               wa_slice_t fields, const char *signature)
{
    EVP_MAC_CTX *ctx = EVP_MAC_CTX_dup(template_ctx);
    char text[WA_SIGNATURE_LENGTH + 1];
    apr_status_t rv = ctx ? APR_EACCES : APR_ENOMEM;
    int i, k;

    for (i = 0; i < token_count && rv == APR_EACCES; i++) {
        for (k = 0; k < 2 && tokens[i].len > 0 && rv == APR_EACCES; k++) {
            if (!mac_text(ctx, k == 0 ? &tokens[i] : NULL, urls[k], fields, text)) {
                rv = APR_EGENERAL;
            } else if (CRYPTO_memcmp(text, signature, WA_SIGNATURE_LENGTH) == 0) {
                rv = APR_SUCCESS;
            }
        }
    }
    EVP_MAC_CTX_free(ctx);
    return rv;
}

apr_status_t wa_signature_check(const wa_secret_t *tokens, int token_count,
                                const wa_signature_request_t *request, apr_pool_t *tmp)
{
    wa_slice_t urls[2];
    wa_slice_t fields;
    apr_status_t rv;

    pthread_once(&template_once, template_make);
    if (!template_ctx) {
        return APR_EGENERAL;
    }
    rv = urls_make(urls, request, tmp);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (!request->signature || strlen(request->signature) != WA_SIGNATURE_LENGTH) {
        return APR_EACCES;
    }
    rv = fields_make(&fields, request, tmp);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    return tokens_try(tokens, token_count, urls, fields, request->signature);
}

apr_status_t wa_signature_make(const char **psignature, wa_secret_t token,
                               const wa_signature_request_t *request, apr_pool_t *p)
{
    wa_slice_t urls[2];
    wa_slice_t fields;
    char *text = apr_palloc(p, WA_SIGNATURE_LENGTH + 1);
    EVP_MAC_CTX *ctx;
    apr_status_t rv;

    *psignature = NULL;
    pthread_once(&template_once, template_make);
    if (!template_ctx) {
        return APR_EGENERAL;
    }
    rv = urls_make(urls, request, p);
    if (rv != APR_SUCCESS || token.len == 0) {
        return APR_EINVAL;
    }
    rv = fields_make(&fields, request, p);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    ctx = EVP_MAC_CTX_dup(template_ctx);
    rv = ctx && mac_text(ctx, &token, urls[0], fields, text) ? APR_SUCCESS : APR_EGENERAL;
    EVP_MAC_CTX_free(ctx);
    if (rv == APR_SUCCESS) {
        *psignature = text;
    }
    return rv;
}
