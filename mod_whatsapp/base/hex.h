/* SPDX-License-Identifier: Apache-2.0 */
/* Hexadecimal digits. */
#ifndef WA_BASE_HEX_H
#define WA_BASE_HEX_H

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

#endif
