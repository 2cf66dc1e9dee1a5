/* SPDX-License-Identifier: Apache-2.0 */
/* Phone numbers: from what people type to E.164, and from a number to what may stand in a log. */
#include "base/phone.h"

#include <string.h>
#include <strings.h>

#include <apr_strings.h>

#include "base/unicode.h"

#define SCHEME "whatsapp:"
#define SCHEME_LEN (sizeof(SCHEME) - 1)

/* E.164: at most 15 digits, of which the first is not 0; here at least 2. */
#define DIGITS_MIN 2
#define DIGITS_MAX 15

/* A number being read. */
typedef struct reading_t {
    wa_slice_t rest;
    char number[1 + DIGITS_MAX];
    apr_size_t digits;
    apr_uint32_t line_end; /* that was read after the +; 0: none */
} reading_t;

static apr_uint32_t first_of(wa_slice_t text, apr_size_t *pused)
{
    *pused = 0;
    return text.len > 0 ? wa_unicode_read(text.ptr, text.len, pused) : 0;
}

static wa_slice_t after(wa_slice_t text, apr_size_t bytes)
{
    return wa_slice_make(text.ptr + bytes, text.len - bytes);
}

static int is_plus(apr_uint32_t c)
{
    return c == '+' || c == 0xff0b || c == 0xfe62;
}

static int is_opening(apr_uint32_t c)
{
    return c == '(' || c == '[' || c == 0xff08 || c == 0xff3b;
}

static int is_closing(apr_uint32_t c)
{
    return c == ')' || c == ']' || c == 0xff09 || c == 0xff3d;
}

/* Tabs and ends of lines, which part one number from the next. */
static int is_line_end(apr_uint32_t c)
{
    return (c >= '\t' && c <= '\r') || c == 0x85 || c == 0x2028 || c == 0x2029;
}

/* What people put between digits, and what comes along unseen. */
static int is_separator(apr_uint32_t c)
{
    static const apr_uint32_t others[] = {'.',    0x00b7, 0x2022, 0x2024,
                                          0x2027, 0x2219, 0x22c5, 0xff0e, /* dots */
                                          '/',    0x2044, 0x2215, 0xff0f, /* slashes */
                                          0x02d7, 0x2043, 0x2212,         /* other strokes: minus */
                                          0x2800};                        /* Braille without dots */
    const int is_range = c == 0x301c || c == 0x3030;
    apr_size_t i;

    for (i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        if (c == others[i]) {
            return 1;
        }
    }
    return wa_unicode_is_space(c) || (wa_unicode_is_dash(c) && !is_range)
           || wa_unicode_is_invisible(c);
}

static wa_slice_t skip_separators(wa_slice_t text)
{
    apr_size_t used;
    apr_uint32_t c = first_of(text, &used);

    while (used > 0 && is_separator(c)) {
        text = after(text, used);
        c = first_of(text, &used);
    }
    return text;
}

/* All that may stand before the + and before the scheme. */
static wa_slice_t skip_margin(wa_slice_t text)
{
    apr_size_t used;
    apr_uint32_t c = first_of(text, &used);

    while (used > 0 && (is_separator(c) || is_line_end(c) || is_opening(c) || is_closing(c))) {
        text = after(text, used);
        c = first_of(text, &used);
    }
    return text;
}

static wa_slice_t skip_beginning(wa_slice_t text)
{
    static const wa_slice_t schemes[] = {WA_SLICE_LITERAL(SCHEME), WA_SLICE_LITERAL("tel:")};
    apr_size_t i;

    text = skip_margin(text);
    for (i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        if (text.len >= schemes[i].len
            && strncasecmp(text.ptr, schemes[i].ptr, schemes[i].len) == 0) {
            return skip_margin(after(text, schemes[i].len));
        }
    }
    return text;
}

/* ---- a 0 that is dialled within the country only ---- */

/* 1 when the digits are a whole country code (ITU-T E.164, list of assigned codes: those of one and
 * of two digits; all others have three). */
static int is_country_code(const char *digits, apr_size_t count)
{
    static const char two[] = "20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 "
                              "55 56 57 58 60 61 62 63 64 65 66 81 82 84 86 90 91 92 93 94 95 98 ";
    char begin[] = {digits[0], digits[1], ' ', '\0'};

    if (count == 0 || digits[0] == '1' || digits[0] == '7') {
        return count == 1;
    }
    return count >= 2 && count == (strstr(two, begin) ? 2 : 3);
}

/* 1 for the countries whose numbers begin with 0 wherever they are dialled from. */
static int has_zero_for_all(const char *digits, apr_size_t count)
{
    static const char *const countries[] = {"39",   /* Italy, and Vatican City with it */
                                            "225",  /* Ivory Coast */
                                            "229",  /* Benin */
                                            "242",  /* Congo */
                                            "378"}; /* San Marino */
    apr_size_t i;

    for (i = 0; i < sizeof(countries) / sizeof(countries[0]); i++) {
        if (strlen(countries[i]) == count && memcmp(countries[i], digits, count) == 0) {
            return 1;
        }
    }
    return 0;
}

/* Reads what a bracket opens, as far as a 0 in it needs another look than all digits get. */
static wa_phone_fault_e bracket_read(reading_t *r)
{
    const char *digits = r->number + 1;
    wa_slice_t rest = skip_separators(r->rest);
    apr_size_t used;

    if (wa_unicode_digit(first_of(rest, &used)) != 0) {
        return WA_PHONE_IS_FINE;
    }
    rest = after(rest, used);
    if (is_country_code(digits, r->digits)) {
        if (!has_zero_for_all(digits, r->digits)) {
            r->rest = rest;
        }
        return WA_PHONE_IS_FINE;
    }
    return is_closing(first_of(skip_separators(rest), &used)) ? WA_PHONE_ZERO_ELSEWHERE
                                                              : WA_PHONE_IS_FINE;
}

/* ---- the whole ---- */

static wa_phone_fault_e digit_add(reading_t *r, int digit, apr_uint32_t *pcharacter)
{
    if (r->line_end != 0) {
        *pcharacter = r->line_end;
        return WA_PHONE_CHARACTER;
    }
    if (r->digits == DIGITS_MAX) {
        return WA_PHONE_MANY_DIGITS;
    }
    if (r->digits == 0 && digit == 0) {
        return WA_PHONE_ZERO_FIRST;
    }
    r->number[1 + r->digits++] = (char)('0' + digit);
    return WA_PHONE_IS_FINE;
}

static wa_phone_fault_e next_read(reading_t *r, apr_uint32_t *pcharacter)
{
    apr_size_t used;
    const apr_uint32_t c = first_of(r->rest, &used);
    const int digit = wa_unicode_digit(c);

    r->rest = after(r->rest, used);
    if (digit >= 0) {
        return digit_add(r, digit, pcharacter);
    }
    if (is_opening(c)) {
        return bracket_read(r);
    }
    if (is_line_end(c)) {
        r->line_end = c;
        return WA_PHONE_IS_FINE;
    }
    *pcharacter = c;
    return is_closing(c) || is_separator(c) ? WA_PHONE_IS_FINE : WA_PHONE_CHARACTER;
}

/* What is wrong where no + stands. */
static wa_phone_fault_e beginning_judge(wa_slice_t rest, apr_uint32_t *pcharacter)
{
    apr_size_t used;
    const int digit = wa_unicode_digit(*pcharacter = first_of(rest, &used));

    if (used == 0) {
        return WA_PHONE_FEW_DIGITS;
    }
    if (digit < 0) {
        return WA_PHONE_CHARACTER;
    }
    rest = skip_separators(after(rest, used));
    return digit == 0 && wa_unicode_digit(first_of(rest, &used)) == 0 ? WA_PHONE_DOUBLE_ZERO
                                                                      : WA_PHONE_NO_PLUS;
}

const char *wa_phone_read(wa_slice_t typed, wa_phone_fault_t *pfault, apr_pool_t *p)
{
    reading_t r = {.rest = skip_beginning(typed), .number = "+"};
    wa_phone_fault_t fault = {WA_PHONE_IS_FINE, 0, 0};
    apr_size_t used;

    if (is_plus(first_of(r.rest, &used))) {
        fault.has_plus = 1;
        r.rest = after(r.rest, used);
        while (fault.what == WA_PHONE_IS_FINE && r.rest.len > 0) {
            fault.what = next_read(&r, &fault.character);
        }
        if (fault.what == WA_PHONE_IS_FINE && r.digits < DIGITS_MIN) {
            fault.what = WA_PHONE_FEW_DIGITS;
        }
    } else {
        fault.what = beginning_judge(r.rest, &fault.character);
    }
    if (pfault) {
        *pfault = fault;
    }
    return fault.what == WA_PHONE_IS_FINE
               ? wa_slice_string(wa_slice_make(r.number, 1 + r.digits), p)
               : NULL;
}

const char *wa_phone_normalize(const char *typed, apr_pool_t *p)
{
    return typed ? wa_phone_read(wa_slice_of(typed), NULL, p) : NULL;
}

const char *wa_phone_fault_say(const wa_phone_fault_t *fault, apr_pool_t *p)
{
    switch (fault->what) {
    case WA_PHONE_NO_PLUS:
        return "it has no + in front";
    case WA_PHONE_DOUBLE_ZERO:
        return "it begins with 00, for which + has to stand";
    case WA_PHONE_CHARACTER:
        if (fault->character > ' ' && fault->character < 0x7f) {
            return apr_psprintf(p, "the character '%c' (U+%04X) stands in none",
                                (char)fault->character, (unsigned)fault->character);
        }
        return apr_psprintf(p, "the character U+%04X stands in none", (unsigned)fault->character);
    case WA_PHONE_ZERO_FIRST:
        return "no country code begins with 0";
    case WA_PHONE_ZERO_ELSEWHERE:
        return "a (0) can only follow the country code";
    case WA_PHONE_FEW_DIGITS:
        return "it has fewer than 2 digits";
    case WA_PHONE_MANY_DIGITS:
        return "it has more than 15 digits";
    case WA_PHONE_IS_FINE:
        break;
    }
    return "nothing";
}

wa_slice_t wa_phone_plus_restore(wa_slice_t text, apr_pool_t *p)
{
    const wa_slice_t rest = skip_beginning(text);
    const char *at = rest.ptr;
    apr_size_t used;
    const apr_uint32_t c = first_of(rest, &used);
    char *restored;

    if (text.len == 0 || is_plus(c)) {
        return text;
    }
    if (wa_unicode_digit(c) < 0) {
        at = text.ptr;
    }
    while (at > text.ptr && *--at != ' ') {
    }
    if (*at != ' ') {
        return text;
    }
    restored = wa_slice_string(text, p);
    restored[at - text.ptr] = '+';
    return wa_slice_make(restored, text.len);
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
