/* SPDX-License-Identifier: Apache-2.0 */
/* Makes signed Twilio webhooks as ready HTTP requests in a file, so that the load tool only has to
 * send them. */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#define SENTENCES 16
#define ACCOUNT "AC00000000000000000000000000000001"

typedef struct field_t {
    const char *name;
    char value[400];
} field_t;

static char sentences[SENTENCES][160];

static int sentences_read(const char *path)
{
    FILE *f = fopen(path, "r");
    int n = 0;

    while (f && n < SENTENCES && fgets(sentences[n], sizeof sentences[n], f)) {
        sentences[n][strcspn(sentences[n], "\n")] = '\0';
        n++;
    }
    if (f) {
        fclose(f);
    }
    return n == SENTENCES ? 0 : -1;
}

/* Appends `s` as a form component. @return the new end */
static char *escape(char *out, const char *s)
{
    static const char safe[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.*";

    for (; *s; s++) {
        if (strchr(safe, *s)) {
            *out++ = *s;
        } else if (*s == ' ') {
            *out++ = '+';
        } else {
            out += sprintf(out, "%%%02X", (unsigned char)*s);
        }
    }
    *out = '\0';
    return out;
}

static int fields_compare(const void *a, const void *b)
{
    return strcmp(((const field_t *)a)->name, ((const field_t *)b)->name);
}

/* base64(HMAC-SHA1(token, url + sorted names and values)); sorts the fields. */
static int sign(char *out, EVP_MAC_CTX *keyed, const char *url, field_t *fields, size_t count)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    EVP_MAC_CTX *mac = EVP_MAC_CTX_dup(keyed);
    size_t len = 0;
    int ok = mac && EVP_MAC_update(mac, (const unsigned char *)url, strlen(url));

    qsort(fields, count, sizeof *fields, fields_compare);
    for (size_t i = 0; ok && i < count; i++) {
        ok =
            EVP_MAC_update(mac, (const unsigned char *)fields[i].name, strlen(fields[i].name))
            && EVP_MAC_update(mac, (const unsigned char *)fields[i].value, strlen(fields[i].value));
    }
    ok = ok && EVP_MAC_final(mac, digest, &len, sizeof digest);
    EVP_MAC_CTX_free(mac);
    if (ok) {
        EVP_EncodeBlock((unsigned char *)out, digest, (int)len);
    }
    return ok ? 0 : -1;
}

/* One inbound text in the field order of a real one. */
static size_t fields_make(field_t *fields, uint64_t number, uint64_t thread)
{
    size_t n = 0;
    uint32_t mixed = ((uint32_t)number * 2654435761u) >> 8;

#define FIELD(field, ...)   \
    fields[n].name = field; \
    snprintf(fields[n++].value, sizeof fields[0].value, __VA_ARGS__)
    FIELD("SmsMessageSid", "SM%032" PRIx64, number);
    FIELD("NumMedia", "0");
    FIELD("ProfileName", "Ana Gómez");
    FIELD("MessageType", "text");
    FIELD("SmsSid", "SM%032" PRIx64, number);
    FIELD("WaId", "1555%07" PRIu64, thread);
    FIELD("SmsStatus", "received");
    FIELD("Body", "%s", sentences[mixed % SENTENCES]);
    FIELD("To", "whatsapp:+14155238886");
    FIELD("NumSegments", "1");
    FIELD("ReferralNumMedia", "0");
    FIELD("MessageSid", "SM%032" PRIx64, number);
    FIELD("AccountSid", ACCOUNT);
    FIELD("ChannelMetadata",
          "{\"type\":\"whatsapp\",\"data\":{\"context\":{\"ProfileName\":\"Ana "
          "Gómez\",\"WaId\":\"1555%07" PRIu64 "\"}}}",
          thread);
    FIELD("From", "whatsapp:+1555%07" PRIu64, thread);
    FIELD("ApiVersion", "2010-04-01");
#undef FIELD
    return n;
}

static int write_all(FILE *out, EVP_MAC_CTX *keyed, char **args)
{
    uint64_t count = strtoull(args[0], NULL, 10), start = strtoull(args[1], NULL, 10);
    uint64_t threads = strtoull(args[2], NULL, 10);
    const char *origin = args[3], *path = args[4];
    char url[500], body[8000], request[10000], signature[64];
    field_t fields[20];

    snprintf(url, sizeof url, "%s%s", origin, path);
    for (uint64_t i = start; i < start + count; i++) {
        size_t fields_count = fields_make(fields, i, i % threads);
        char *at = body;
        int len;

        for (size_t f = 0; f < fields_count; f++) {
            at += sprintf(at, "%s%s=", f ? "&" : "", fields[f].name);
            at = escape(at, fields[f].value);
        }
        if (sign(signature, keyed, url, fields, fields_count) != 0) {
            return -1;
        }
        len =
            snprintf(request, sizeof request,
                     "POST %s HTTP/1.1\r\nHost: bench.example.org\r\nUser-Agent: "
                     "TwilioProxy/1.1\r\nAccept: */*\r\n"
                     "Content-Type: application/x-www-form-urlencoded\r\nX-Twilio-Signature: %s\r\n"
                     "Content-Length: %zu\r\n\r\n%s",
                     path, signature, (size_t)(at - body), body);
        if (fprintf(out, "%06d", len) != 6 || fwrite(request, 1, (size_t)len, out) != (size_t)len) {
            return -1;
        }
    }
    return 0;
}

int main(int argc, char **argv)
{
    char digest[] = "SHA1";
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                           OSSL_PARAM_construct_end()};
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *keyed = hmac ? EVP_MAC_CTX_new(hmac) : NULL;
    FILE *out;
    int rc;

    if (argc != 9 || strtoull(argv[5], NULL, 10) == 0) {
        fprintf(stderr,
                "usage: webhooks OUT SENTENCES COUNT FIRST THREADS PUBLIC-ORIGIN PATH TOKEN\n"
                "OUT gets each request as six digits with its length and the request itself.\n");
        return 2;
    }
    if (sentences_read(argv[2]) != 0) {
        fprintf(stderr, "webhooks: %s must have %d lines\n", argv[2], SENTENCES);
        return 1;
    }
    if (!keyed || !EVP_MAC_init(keyed, (const unsigned char *)argv[8], strlen(argv[8]), params)) {
        fprintf(stderr, "webhooks: HMAC-SHA1 is not available\n");
        return 1;
    }
    out = fopen(argv[1], "w");
    rc = out ? write_all(out, keyed, argv + 3) : -1;
    if (out && fclose(out) != 0) {
        rc = -1;
    }
    if (rc != 0) {
        perror(argv[1]);
    }
    EVP_MAC_CTX_free(keyed);
    EVP_MAC_free(hmac);
    return rc == 0 ? 0 : 1;
}
