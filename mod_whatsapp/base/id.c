/* SPDX-License-Identifier: Apache-2.0 */
/* Identifiers: ours (UUID v4) and the shape of Twilio's (SIDs). */
#include "base/id.h"

#include <string.h>
#include <unistd.h>

#include <openssl/rand.h>

#include "base/hex.h"

#define UUID_LEN 36
#define RANDOM_LEN 16
#define SID_DIGITS 32

/* The places of the dashes in 8-4-4-4-12. */
static int is_dash_place(apr_size_t at)
{
    return at == 8 || at == 13 || at == 18 || at == 23;
}

/* A thread's random bytes, made for many ids at once: a call of OpenSSL's costs more than all else
 * here. */
typedef struct {
    pid_t pid; /* a forked process must not go on with its parent's */
    apr_size_t left;
    unsigned char bytes[RANDOM_LEN * 32];
} random_stock_t;

/* @return 0 when OpenSSL has no randomness to give */
static int random_take(unsigned char *random)
{
    static __thread random_stock_t stock;
    pid_t pid = getpid();

    if (stock.left == 0 || stock.pid != pid) {
        stock.left = 0;
        if (RAND_bytes(stock.bytes, (int)sizeof(stock.bytes)) != 1) {
            return 0;
        }
        stock.pid = pid;
        stock.left = sizeof(stock.bytes);
    }
    stock.left -= RANDOM_LEN;
    memcpy(random, stock.bytes + stock.left, RANDOM_LEN);
    return 1;
}

const char *wa_id_uuid4(apr_pool_t *p)
{
    unsigned char random[RANDOM_LEN];
    char *id, *end;
    apr_size_t at;

    if (!random_take(random)) {
        return NULL;
    }
    random[6] = (unsigned char)((random[6] & 0x0f) | 0x40); /* version 4 */
    random[8] = (unsigned char)((random[8] & 0x3f) | 0x80); /* the variant of RFC 9562 */
    id = end = apr_palloc(p, UUID_LEN + 1);
    for (at = 0; at < RANDOM_LEN; at++) {
        if (is_dash_place((apr_size_t)(end - id))) {
            *end++ = '-';
        }
        end = wa_hex_write(end, random + at, 1);
    }
    *end = '\0';
    return id;
}

int wa_id_is_uuid(const char *s)
{
    apr_size_t at;

    if (s == NULL) {
        return 0;
    }
    for (at = 0; at < UUID_LEN; at++) { /* stops at the NUL of a shorter one */
        if (is_dash_place(at) ? s[at] != '-' : wa_hex_value(s[at]) < 0) {
            return 0;
        }
    }
    return s[UUID_LEN] == '\0';
}

int wa_id_is_sid(const char *s, const char *prefixes)
{
    while (s != NULL && *prefixes != '\0') {
        apr_size_t len = strcspn(prefixes, ",");
        apr_size_t digits = 0;

        if (len > 0 && strncmp(s, prefixes, len) == 0) {
            while (digits < SID_DIGITS && wa_hex_value(s[len + digits]) >= 0) {
                digits++;
            }
            if (digits == SID_DIGITS && s[len + digits] == '\0') {
                return 1;
            }
        }
        prefixes += len + (prefixes[len] == ',');
    }
    return 0;
}
