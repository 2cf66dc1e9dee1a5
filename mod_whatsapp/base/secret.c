/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets: copied, compared and wiped by OpenSSL's own means. */
#include "base/secret.h"

#include <string.h>

#include <openssl/crypto.h>

/* What the pool wipes. It keeps a length of its own, so that nobody can shorten it. */
typedef struct copy_t {
    char *bytes;
    apr_size_t len;
} copy_t;

static apr_status_t copy_wipe(void *data)
{
    copy_t *copy = data;

    wa_secret_wipe(copy->bytes, copy->len);
    return APR_SUCCESS;
}

wa_secret_t wa_secret_make(const char *s, apr_size_t len, apr_pool_t *p)
{
    wa_secret_t secret = {NULL, 0};
    copy_t *copy;

    if (len == 0) {
        return secret;
    }
    copy = apr_palloc(p, sizeof(*copy));
    copy->bytes = apr_palloc(p, len + 1);
    copy->len = len;
    memcpy(copy->bytes, s, len);
    copy->bytes[len] = '\0';
    apr_pool_cleanup_register(p, copy, copy_wipe, apr_pool_cleanup_null);
    secret.bytes = copy->bytes;
    secret.len = len;
    return secret;
}

int wa_secret_is_equal(wa_secret_t secret, const void *bytes, apr_size_t len)
{
    return secret.len > 0 && secret.len == len && CRYPTO_memcmp(secret.bytes, bytes, len) == 0;
}

void wa_secret_wipe(void *bytes, apr_size_t len)
{
    if (len > 0) {
        OPENSSL_cleanse(bytes, len);
    }
}
