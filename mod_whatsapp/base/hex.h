/* SPDX-License-Identifier: Apache-2.0 */
/* Hexadecimal digits: the one place that reads and writes them. */
#ifndef WA_BASE_HEX_H
#define WA_BASE_HEX_H

#include <apr.h>

/* The value of a hex digit of either case, 0..15; -1 for any other byte. Any thread. */
static inline int wa_hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The hex digit of a value, 0..15, in lower case. Any thread. */
static inline char wa_hex_digit(unsigned value)
{
    return "0123456789abcdef"[value & 0x0f];
}

/* The same in upper case, which RFC 3986 wants behind a '%'. Any thread. */
static inline char wa_hex_digit_upper(unsigned value)
{
    return "0123456789ABCDEF"[value & 0x0f];
}

/* Writes bytes as two digits each, in lower case and without a NUL.
 * @param to  room for 2 * len
 * @return behind the last digit. Any thread. */
char *wa_hex_write(char *to, const void *bytes, apr_size_t len);

/* Reads a number of exactly so many digits, of either case.
 * @param s       `digits` bytes are read, fewer when one is no digit; no NUL is needed
 * @param digits  1..16
 * @param pvalue  out: 0 unless it was read
 * @return 1 | 0 one of them is no digit. Any thread. */
int wa_hex_read(const char *s, apr_size_t digits, apr_uint64_t *pvalue);

#endif
