/* SPDX-License-Identifier: Apache-2.0 */
/* Phone numbers: from what people type to E.164, and from a number to what may stand in a log. */
#include "base/phone.h"

#include <string.h>

#include <apr_strings.h>

#include "base/slice.h"

#define SCHEME "whatsapp:"
#define SCHEME_LEN (sizeof(SCHEME) - 1)

/* E.164: at most 15 digits, of which the first is not 0; here at least 2. */
#define DIGITS_MIN 2
#define DIGITS_MAX 15

static int is_separator(char c)
{
    return c == ' ' || c == '-' || c == '.' || c == '(' || c == ')';
}

static const char *skip_separators(const char *s)
{
    while (is_separator(*s)) {
        s++;
    }
    return s;
}

const char *wa_phone_normalize(const char *typed, apr_pool_t *p)
{
    char number[1 + DIGITS_MAX];
    apr_size_t digits = 0;

    if (typed == NULL) {
        return NULL;
    }
    typed = skip_separators(typed);
    if (strncmp(typed, SCHEME, SCHEME_LEN) == 0) {
        typed = skip_separators(typed + SCHEME_LEN);
    }
    if (*typed != '+') {
        return NULL;
    }
    number[0] = '+';
    for (typed++; *typed; typed++) {
        if (is_separator(*typed)) {
            continue;
        }
        if (*typed < '0' || *typed > '9' || digits == DIGITS_MAX) {
            return NULL;
        }
        number[1 + digits++] = *typed;
    }
    if (digits < DIGITS_MIN || number[1] == '0') {
        return NULL;
    }
    return wa_slice_string(wa_slice_make(number, 1 + digits), p);
}

/* Copies what may be shown; the rest of the address may hold anything. */
static char *put_visible(char *to, const char *from, apr_size_t len)
{
    apr_size_t i;

    for (i = 0; i < len; i++) {
        *to++ = from[i] >= 0x20 && from[i] < 0x7f ? from[i] : '?';
    }
    return to;
}

const char *wa_phone_mask(const char *number, apr_pool_t *p)
{
    char text[5 + 3 + 4 + 1];
    char *end = text;
    apr_size_t len, first = 0, last = 0;

    if (number == NULL) {
        number = "";
    }
    if (strncmp(number, SCHEME, SCHEME_LEN) == 0) {
        number += SCHEME_LEN;
    }
    len = strlen(number);
    if (len >= 12) {
        first = 5;
        last = 4;
    } else if (len >= 8) {
        first = 3;
        last = 2;
    }
    end = put_visible(end, number, first);
    memcpy(end, "***", 3);
    end = put_visible(end + 3, number + len - last, last);
    return wa_slice_string(wa_slice_make(text, (apr_size_t)(end - text)), p);
}
