/* SPDX-License-Identifier: Apache-2.0 */
/* The bare handler that the module is measured against: the same bytes from memory, the same signed
 * form checked, the same hook of connections. */
#include <stdlib.h>
#include <string.h>

#include <apr_base64.h>
#include <apr_file_io.h>
#include <apr_strings.h>
#include <httpd.h>
#include <http_config.h>
#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>
#include <http_request.h>
#include <util_filter.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "httpd/keepalive.h"
#include "httpd/lifecycle.h"

module AP_MODULE_DECLARE_DATA bare_module;
APLOG_USE_MODULE(bare);

#define BARE_MAX_BODY (64 * 1024)
#define BARE_TWIML "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response></Response>"

typedef struct bare_file_t {
    const char *bytes;
    apr_size_t len;
} bare_file_t;

/* Filled while the configuration is read, only read afterwards. */
typedef struct bare_config_t {
    apr_hash_t *files;      /* last path segment -> bare_file_t */
    const char *public_url; /* scheme://host[:port] that the signatures are made over */
    EVP_MAC_CTX *mac;       /* keyed once; each check works on a dup */
} bare_config_t;

static void *config_create(apr_pool_t *p, server_rec *s)
{
    bare_config_t *config = apr_pcalloc(p, sizeof *config);

    (void)s;
    config->files = apr_hash_make(p);
    return config;
}

static const char *set_file(cmd_parms *cmd, void *dir, const char *name, const char *path)
{
    bare_config_t *config = ap_get_module_config(cmd->server->module_config, &bare_module);
    bare_file_t *file = apr_pcalloc(cmd->pool, sizeof *file);
    apr_finfo_t info;
    apr_file_t *f;
    char *bytes;
    apr_status_t rv;

    (void)dir;
    rv = apr_file_open(&f, path, APR_FOPEN_READ, APR_FPROT_OS_DEFAULT, cmd->temp_pool);
    if (rv != APR_SUCCESS) {
        return apr_psprintf(cmd->pool, "BareFile: cannot open '%s'", path);
    }
    rv = apr_file_info_get(&info, APR_FINFO_SIZE, f);
    if (rv == APR_SUCCESS) {
        bytes = apr_palloc(cmd->pool, (apr_size_t)info.size + 1);
        rv = apr_file_read_full(f, bytes, (apr_size_t)info.size, &file->len);
        file->bytes = bytes;
    }
    apr_file_close(f);
    if (rv != APR_SUCCESS) {
        return apr_psprintf(cmd->pool, "BareFile: cannot read '%s'", path);
    }
    apr_hash_set(config->files, apr_pstrdup(cmd->pool, name), APR_HASH_KEY_STRING, file);
    return NULL;
}

static apr_status_t mac_free(void *mac)
{
    EVP_MAC_CTX_free(mac);
    return APR_SUCCESS;
}

static const char *set_webhook(cmd_parms *cmd, void *dir, const char *url, const char *token)
{
    bare_config_t *config = ap_get_module_config(cmd->server->module_config, &bare_module);
    char digest[] = "SHA1";
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                           OSSL_PARAM_construct_end()};
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);

    (void)dir;
    config->public_url = apr_pstrdup(cmd->pool, url);
    config->mac = hmac ? EVP_MAC_CTX_new(hmac) : NULL;
    EVP_MAC_free(hmac);
    if (!config->mac
        || !EVP_MAC_init(config->mac, (const unsigned char *)token, strlen(token), params)) {
        return "BareWebhook: HMAC-SHA1 is not available";
    }
    apr_pool_cleanup_register(cmd->pool, config->mac, mac_free, apr_pool_cleanup_null);
    return NULL;
}

static int pair_compare(const void *a, const void *b)
{
    return strcmp(((const ap_form_pair_t *)a)->name, ((const ap_form_pair_t *)b)->name);
}

/* 1 when the signature header fits the URL and the sorted fields. */
static int is_signed(request_rec *r, const bare_config_t *config, apr_array_header_t *pairs)
{
    const char *given = apr_table_get(r->headers_in, "X-Twilio-Signature");
    unsigned char digest[EVP_MAX_MD_SIZE];
    char expected[64];
    size_t digest_len = 0;
    EVP_MAC_CTX *mac = EVP_MAC_CTX_dup(config->mac);
    int ok = mac && given;

    ok = ok
         && EVP_MAC_update(mac, (const unsigned char *)config->public_url,
                           strlen(config->public_url))
         && EVP_MAC_update(mac, (const unsigned char *)r->unparsed_uri, strlen(r->unparsed_uri));
    qsort(pairs->elts, (size_t)pairs->nelts, sizeof(ap_form_pair_t), pair_compare);
    for (int i = 0; ok && i < pairs->nelts; i++) {
        const ap_form_pair_t *pair = &APR_ARRAY_IDX(pairs, i, ap_form_pair_t);
        char *value;
        apr_size_t len;
        apr_off_t total;

        apr_brigade_length(pair->value, 1, &total);
        len = (apr_size_t)total;
        value = apr_palloc(r->pool, len + 1);
        apr_brigade_flatten(pair->value, value, &len);
        ok = EVP_MAC_update(mac, (const unsigned char *)pair->name, strlen(pair->name))
             && EVP_MAC_update(mac, (const unsigned char *)value, len);
    }
    ok = ok && EVP_MAC_final(mac, digest, &digest_len, sizeof digest);
    EVP_MAC_CTX_free(mac);
    if (!ok) {
        return 0;
    }
    apr_base64_encode_binary(expected, digest, (int)digest_len);
    return strlen(given) == strlen(expected)
           && CRYPTO_memcmp(given, expected, strlen(expected)) == 0;
}

static int answer(request_rec *r, const char *type, const char *bytes, apr_size_t len)
{
    apr_bucket_brigade *bb = apr_brigade_create(r->pool, r->connection->bucket_alloc);

    ap_set_content_type(r, type);
    ap_set_content_length(r, (apr_off_t)len);
    apr_table_setn(r->headers_out, "Cache-Control", "no-store");
    apr_table_setn(r->headers_out, "X-Content-Type-Options", "nosniff");
    APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_immortal_create(bytes, len, bb->bucket_alloc));
    APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_eos_create(bb->bucket_alloc));
    return ap_pass_brigade(r->output_filters, bb) == APR_SUCCESS ? OK : HTTP_INTERNAL_SERVER_ERROR;
}

static int handler(request_rec *r)
{
    const bare_config_t *config;
    const bare_file_t *file;
    apr_array_header_t *pairs = NULL;
    const char *name;
    int rc;

    if (!r->handler || strcmp(r->handler, WA_HANDLER_NAME) != 0) {
        return DECLINED;
    }
    config = ap_get_module_config(r->server->module_config, &bare_module);
    name = strrchr(r->uri, '/') + 1;
    if (r->method_number == M_GET) {
        file = apr_hash_get(config->files, name, APR_HASH_KEY_STRING);
        return file ? answer(r, "application/json", file->bytes, file->len) : HTTP_NOT_FOUND;
    }
    if (r->method_number != M_POST || strcmp(name, "webhook") != 0 || !config->mac) {
        return HTTP_METHOD_NOT_ALLOWED;
    }
    rc = ap_parse_form_data(r, NULL, &pairs, 256, BARE_MAX_BODY);
    if (rc != OK) {
        return rc;
    }
    if (!pairs || !is_signed(r, config, pairs)) {
        return HTTP_FORBIDDEN;
    }
    return answer(r, "text/xml", BARE_TWIML, sizeof BARE_TWIML - 1);
}

static const command_rec commands[] = {
    AP_INIT_TAKE2("BareFile", set_file, NULL, RSRC_CONF,
                  "name and file whose bytes answer GET .../name"),
    AP_INIT_TAKE2("BareWebhook", set_webhook, NULL, RSRC_CONF,
                  "public URL and token that webhooks are signed with"),
    {NULL, {NULL}, NULL, 0, RAW_ARGS, NULL}};

static void register_hooks(apr_pool_t *p)
{
    (void)p;
    ap_hook_handler(handler, NULL, NULL, APR_HOOK_MIDDLE);
    /* The module's own, from its own source: what it does between two requests is the limit's
     * too. */
    ap_hook_log_transaction(wa_keepalive_yield, NULL, NULL, APR_HOOK_REALLY_LAST);
}

module AP_MODULE_DECLARE_DATA bare_module = {
    STANDARD20_MODULE_STUFF, NULL, NULL, config_create, NULL, commands, register_hooks,
    AP_MODULE_FLAG_NONE};
