/* SPDX-License-Identifier: Apache-2.0 */
/* One send for each Idempotency-Key, however often and by how many processes it is asked for. */
#include "messaging/idempotency.h"

#include <apr_strings.h>
#include <openssl/evp.h>

#include "base/clock.h"

#define KEY_MAX 255
#define DIGEST_BYTES 16

/* How long a look at the store's version is from the next. */
#define LOOK_EVERY apr_time_from_msec(5)

/* What a send takes beside Twilio: two commits, on a machine that has much to do. */
#define STORE_MS 2000

#define DEFAULT_SEND_TIMEOUT apr_time_from_sec(30)

apr_status_t wa_idempotency_check(const char *key, wa_sentence_t *psentence)
{
    const apr_size_t len = strlen(key);
    apr_size_t i;

    *psentence = NULL;
    for (i = 0; i < len && key[i] >= ' ' && key[i] <= '~'; i++) {
    }
    if (len == 0 || len > KEY_MAX || i < len) {
        *psentence = "Idempotency-Key must be 1 to 255 printable ASCII characters";
        return APR_EINVAL;
    }
    return APR_SUCCESS;
}

const char *wa_idempotency_digest(const wa_slice_t *fields, apr_size_t count, apr_pool_t *p)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char digest[EVP_MAX_MD_SIZE];
    char *hex = apr_pcalloc(p, DIGEST_BYTES * 2 + 1);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    int is_fine = context && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1;
    apr_size_t i;

    /* Each field's length stands before it, so that no two lists of fields give the same bytes. */
    for (i = 0; i < count && is_fine; i++) {
        const apr_uint64_t len = fields[i].len;

        is_fine = EVP_DigestUpdate(context, &len, sizeof(len)) == 1
                  && (len == 0 || EVP_DigestUpdate(context, fields[i].ptr, fields[i].len) == 1);
    }
    is_fine = is_fine && EVP_DigestFinal_ex(context, digest, NULL) == 1;
    EVP_MD_CTX_free(context);
    if (!is_fine) {
        return NULL;
    }
    for (i = 0; i < DIGEST_BYTES; i++) {
        hex[2 * i] = digits[digest[i] >> 4];
        hex[2 * i + 1] = digits[digest[i] & 15];
    }
    return hex;
}

apr_status_t wa_idempotency_find(wa_messenger_t *messenger, const char *key, wa_message_t *message,
                                 apr_pool_t *p)
{
    apr_status_t rv = wa_store_message_find(
        messenger->store, apr_pstrcat(p, WA_KEY_IDEMPOTENCY, key, NULL), message, p);

    if (rv == APR_SUCCESS && wa_clock_now_ms() - message->timestamp_ms > WA_IDEMPOTENCY_MS) {
        return APR_NOTFOUND;
    }
    return rv;
}

int wa_idempotency_is_done(const wa_state_t *state)
{
    if (state->part_count > 0) {
        return state->answer != WA_ANSWER_NONE;
    }
    return state->answer != WA_ANSWER_NONE || state->status != WA_STATUS_PENDING
           || state->error != NULL;
}

/* When whoever sends this message has given up on Twilio, or has died. */
static apr_int64_t deadline_of(const wa_messenger_t *messenger, const wa_message_t *message,
                               apr_size_t calls)
{
    const apr_interval_time_t limit =
        messenger->send_timeout > 0 ? messenger->send_timeout : DEFAULT_SEND_TIMEOUT;

    return message->timestamp_ms + (apr_time_as_msec(limit) + STORE_MS) * (apr_int64_t)calls;
}

apr_status_t wa_idempotency_wait(wa_messenger_t *messenger, wa_message_t *message,
                                 wa_state_t *state, apr_pool_t *p)
{
    const char *id = wa_slice_string(message->id, p);
    const apr_int64_t deadline =
        deadline_of(messenger, message, state->part_count > 0 ? state->part_count : 1);
    apr_uint64_t seen = wa_store_version(messenger->store, WA_VERSION_ALL);
    apr_pool_t *tmp;
    apr_status_t rv = apr_pool_create(&tmp, p);

    /* The version was read before the message is: nothing can slip between them. */
    while (rv == APR_SUCCESS) {
        rv = wa_store_message_find(messenger->store, id, message, tmp);
        if (rv != APR_SUCCESS) {
            break;
        }
        wa_state_read(state, message, tmp);
        if (wa_idempotency_is_done(state) || wa_clock_now_ms() >= deadline) {
            break;
        }
        while (wa_store_version(messenger->store, WA_VERSION_ALL) == seen
               && wa_clock_now_ms() < deadline) {
            apr_sleep(LOOK_EVERY);
        }
        seen = wa_store_version(messenger->store, WA_VERSION_ALL);
        apr_pool_clear(tmp);
    }
    if (rv == APR_SUCCESS) {
        rv = wa_store_message_find(messenger->store, id, message, p);
        wa_state_read(state, message, p);
    }
    return rv;
}
