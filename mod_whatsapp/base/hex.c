/* SPDX-License-Identifier: Apache-2.0 */
/* Hexadecimal digits: the one place that reads and writes them. */
#include "base/hex.h"

char *wa_hex_write(char *to, const void *bytes, apr_size_t len)
{
    const unsigned char *byte = bytes;
    apr_size_t i;

    for (i = 0; i < len; i++) {
        *to++ = wa_hex_digit(byte[i] >> 4);
        *to++ = wa_hex_digit(byte[i]);
    }
    return to;
}

int wa_hex_read(const char *s, apr_size_t digits, apr_uint64_t *pvalue)
{
    apr_uint64_t value = 0;
    apr_size_t i;

    *pvalue = 0;
    for (i = 0; i < digits; i++) {
        const int digit = wa_hex_value(s[i]);

        if (digit < 0) {
            return 0;
        }
        value = value << 4 | (apr_uint64_t)digit;
    }
    *pvalue = value;
    return 1;
}
