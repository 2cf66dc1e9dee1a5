/* SPDX-License-Identifier: Apache-2.0 */
/* One send for each Idempotency-Key, however often and by how many processes it is asked for. */
#include "messaging/send/idempotency.h"

#include <apr_strings.h>
#include <openssl/evp.h>

#include "base/clock.h"
#include "base/hex.h"

#define KEY_MAX 255
#define DIGEST_BYTES 16

/* A store in which much is committed is not looked at after each commit. */
#define LOOK_PAUSE apr_time_from_msec(1)

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
    wa_hex_write(hex, digest, DIGEST_BYTES);
    return hex;
}

apr_status_t wa_idempotency_find(wa_messenger_t *messenger, const char *key, wa_message_t *message,
                                 apr_pool_t *p)
{
    return wa_store_message_find(messenger->store, apr_pstrcat(p, WA_KEY_IDEMPOTENCY, key, NULL),
                                 message, p);
}

int wa_idempotency_is_done(const wa_delivery_t *delivery)
{
    /* Of several parts the first ones may be taken while the next one is being sent. */
    return delivery->answer != WA_ANSWER_NONE
           || (delivery->part_count == 1 && delivery->parts[0].is != WA_PART_WAITING);
}

/* How long it is until whoever sends this message has given up on Twilio, or has died. */
static apr_interval_time_t patience_of(const wa_messenger_t *messenger, const wa_message_t *message,
                                       apr_size_t calls)
{
    const apr_interval_time_t limit =
        messenger->send_timeout > 0 ? messenger->send_timeout : DEFAULT_SEND_TIMEOUT;
    const apr_int64_t age_ms = wa_clock_now_ms() - message->date_ms;

    return (limit + apr_time_from_msec(STORE_MS)) * (apr_interval_time_t)calls
           - (age_ms > 0 ? apr_time_from_msec(age_ms) : 0);
}

apr_status_t wa_idempotency_wait(wa_messenger_t *messenger, wa_message_t *message,
                                 wa_delivery_t *delivery, apr_pool_t *p)
{
    const char *id = wa_slice_string(message->id, p);
    const apr_time_t until =
        wa_clock_steady_us() + patience_of(messenger, message, delivery->part_count);
    apr_interval_time_t left, pause = 0;
    apr_pool_t *tmp;
    apr_status_t rv = apr_pool_create(&tmp, p);

    while (rv == APR_SUCCESS) {
        /* Read before the message is: nothing can slip between them. */
        const apr_uint64_t seen = wa_store_version(messenger->store, WA_VERSION_ALL);

        rv = wa_store_message_find(messenger->store, id, message, tmp);
        if (rv != APR_SUCCESS) {
            break;
        }
        wa_delivery_read(delivery, message, tmp);
        left = until - wa_clock_steady_us();
        if (wa_idempotency_is_done(delivery) || left <= 0) {
            break;
        }
        apr_sleep(pause);
        pause = LOOK_PAUSE;
        if (wa_store_wait(messenger->store, seen, left) != APR_SUCCESS) {
            break;
        }
        apr_pool_clear(tmp);
    }
    /* However the waiting ended: what is known now, in the caller's pool. */
    if (rv == APR_SUCCESS) {
        rv = wa_store_message_find(messenger->store, id, message, p);
        wa_delivery_read(delivery, message, p);
    }
    return rv;
}
