/* SPDX-License-Identifier: Apache-2.0 */
/* Any typed number: a normal form that is E.164 and stays, and a mask that is safe in a log. */
#include "fuzz.h"

#include "base/phone.h"

static void check_number(const char *number, apr_pool_t *p)
{
    size_t digits = strspn(number + 1, "0123456789");

    FUZZ_CHECK(number[0] == '+' && number[1] != '0');
    FUZZ_CHECK(digits >= 2 && digits <= 15 && number[1 + digits] == '\0');
    FUZZ_CHECK(strcmp(wa_phone_normalize(number, p), number) == 0);
}

static void check_mask(const char *mask, const char *typed)
{
    size_t len = strlen(typed);
    const char *at;

    FUZZ_CHECK(strstr(mask, "***") != NULL && strlen(mask) <= 12);
    for (at = mask; *at; at++) {
        FUZZ_CHECK(*at >= 0x20 && *at < 0x7f);
    }
    FUZZ_CHECK(strlen(mask) - 3 < len || len == 0 || strcmp(mask, "***") == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t len = size > 0 && memchr(data, 0, size) ? strlen((const char *)data) : size;
    char *typed = malloc(len + 1);
    apr_pool_t *p = fuzz_pool();
    const char *number;

    FUZZ_CHECK(typed != NULL);
    if (len > 0) {
        memcpy(typed, data, len);
    }
    typed[len] = '\0';
    number = wa_phone_normalize(typed, p);
    if (number != NULL) {
        check_number(number, p);
    }
    check_mask(wa_phone_mask(typed, p), typed);
    apr_pool_destroy(p);
    free(typed);
    return 0;
}
