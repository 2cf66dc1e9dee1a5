/* SPDX-License-Identifier: Apache-2.0 */
/* JSON: parsing tied to a pool, within bounds, and writing strings. */
#include "base/json.h"

#include <stdint.h>
#include <string.h>

#include <apr_strings.h>

#include "base/hex.h"
#include "base/text.h"

/* ---- parsing ---- */

/* What is looked for before jansson sees the body. Syntax is jansson's; up to its first error
 * both see the same strings and brackets. */
typedef struct scan_t {
    const char *at;
    const char *end;
    const char *problem; /* NULL: none so far */
    int is_bounded;      /* 1: the document's items count */
    apr_size_t items;    /* so far */
} scan_t;

/* Counts a name or value that begins at `start`, when the document is bounded. */
static void scan_item(scan_t *scan, const char *start)
{
    if (scan->is_bounded && ++scan->items > WA_JSON_ITEMS_MAX) {
        scan->at = start;
        scan->problem =
            "it has more than " APR_STRINGIFY(WA_JSON_ITEMS_MAX) " names and values in all";
    } else if (scan->is_bounded && scan->at - start > WA_JSON_ITEM_BYTES_MAX) {
        scan->at = start;
        scan->problem = "a name or value in it is longer than 256 KiB";
    }
}

/* 1 for a byte that ends a number or a word. */
static int is_between_items(char c)
{
    switch (c) {
    case ' ':
    case '\t':
    case '\r':
    case '\n':
    case ',':
    case ':':
    case '[':
    case ']':
    case '{':
    case '}':
    case '"':
        return 1;
    default:
        return 0;
    }
}

/* The code unit of the \uXXXX at `s`, -1 when there is none. */
static long unit_at(const char *s, const char *end)
{
    apr_uint64_t unit;

    if (end - s < 6 || s[0] != '\\' || s[1] != 'u' || !wa_hex_read(s + 2, 4, &unit)) {
        return -1;
    }
    return (long)unit;
}

static int is_between(long unit, long low, long high)
{
    return unit >= low && unit <= high;
}

/* Steps over one escape in a string; a surrogate must be the first half of a pair, and is
 * stepped over with the second. */
static void scan_escape(scan_t *scan)
{
    long unit = unit_at(scan->at, scan->end);

    if (is_between(unit, 0xd800, 0xdbff)
        && is_between(unit_at(scan->at + 6, scan->end), 0xdc00, 0xdfff)) {
        scan->at += 12;
    } else if (is_between(unit, 0xd800, 0xdfff)) {
        scan->problem = "a \\u escape is half of a surrogate pair";
    } else if (unit == 0) {
        scan->problem = "\\u0000 is not allowed";
    } else {
        scan->at += scan->end - scan->at < 2 ? 1 : 2;
    }
}

/* Steps over a string, from its opening quote. */
static void scan_string(scan_t *scan)
{
    const char *start = scan->at++;

    while (scan->at < scan->end && *scan->at != '"' && !scan->problem) {
        if (*scan->at == '\\') {
            scan_escape(scan);
        } else {
            scan->at++;
        }
    }
    if (!scan->problem && scan->at < scan->end) {
        scan->at++;
    }
    if (!scan->problem) {
        scan_item(scan, start);
    }
}

/* Steps over a number, a word, or what is none. */
static void scan_word(scan_t *scan)
{
    const char *start = scan->at;

    while (scan->at < scan->end && !is_between_items(*scan->at)) {
        scan->at++;
    }
    scan_item(scan, start);
}

static void scan_body(scan_t *scan)
{
    int depth = 0;

    while (scan->at < scan->end && !scan->problem) {
        char c = *scan->at;

        if (c == '"') {
            scan_string(scan);
            continue;
        }
        if (!is_between_items(c)) {
            scan_word(scan);
            continue;
        }
        if (c == '[' || c == '{') {
            depth++;
            if (depth > WA_JSON_DEPTH_MAX) {
                scan->problem = "it nests deeper than " APR_STRINGIFY(WA_JSON_DEPTH_MAX) " levels";
                return;
            }
            scan_item(scan, scan->at);
            if (scan->problem) {
                return;
            }
        } else if (c == ']' || c == '}') {
            depth--;
        }
        scan->at++;
    }
}

/* jansson's own text may quote the body, which is not for logs. */
static const char *problem_of(const json_error_t *error)
{
    switch (json_error_code(error)) {
    case json_error_premature_end_of_input:
        return "it ends too early";
    case json_error_end_of_input_expected:
        return "something follows its end";
    case json_error_invalid_utf8:
        return "it is not valid UTF-8";
    case json_error_null_character:
    case json_error_null_byte_in_key:
        return "\\u0000 is not allowed";
    case json_error_duplicate_key:
        return "a name is there twice in one object";
    case json_error_numeric_overflow:
        return "a number is too large";
    default:
        return "syntax error";
    }
}

/* Writes the sentence, with the place where it says something. */
static void explain(const char **perror, const char *problem, const char *body, const char *place,
                    apr_pool_t *p)
{
    int line = 1;
    const char *line_start = body;
    const char *at;

    if (perror == NULL) {
        return;
    }
    for (at = body; at < place; at++) {
        if (*at == '\n') {
            line++;
            line_start = at + 1;
        }
    }
    *perror = apr_psprintf(p, "The body is not valid JSON: %s (line %d, byte %" APR_SIZE_T_FMT ")",
                           problem, line, (apr_size_t)(place - line_start) + 1);
}

static apr_status_t drop_reference(void *data)
{
    json_decref(data);
    return APR_SUCCESS;
}

void wa_json_own(json_t *j, apr_pool_t *p)
{
    if (j != NULL) {
        apr_pool_cleanup_register(p, j, drop_reference, apr_pool_cleanup_null);
    }
}

static apr_status_t parse(json_t **pj, wa_slice_t document, int is_bounded, const char **perror,
                          apr_pool_t *p)
{
    const char *body = document.ptr;
    const apr_size_t len = document.len;
    scan_t scan = {body, NULL, NULL, is_bounded, 0};
    json_error_t error;
    json_t *j;

    *pj = NULL;
    if (perror != NULL) {
        *perror = NULL;
    }
    if (len == 0) {
        if (perror != NULL) {
            *perror = "The body is not valid JSON: it is empty";
        }
        return APR_EINVAL;
    }
    scan.end = body + len;
    scan_body(&scan);
    if (scan.problem) {
        explain(perror, scan.problem, body, scan.at, p);
        return APR_EINVAL;
    }
    j = json_loadb(body, len, JSON_REJECT_DUPLICATES, &error);
    if (j == NULL && json_error_code(&error) == json_error_out_of_memory) {
        return APR_ENOMEM;
    }
    if (j == NULL) {
        apr_size_t place = error.position > 0 ? (apr_size_t)error.position : 0;

        explain(perror, problem_of(&error), body, body + (place < len ? place : len), p);
        return APR_EINVAL;
    }
    wa_json_own(j, p);
    *pj = j;
    return APR_SUCCESS;
}

apr_status_t wa_json_members_parse(json_t **pj, wa_slice_t members, apr_pool_t *p)
{
    char *object = apr_palloc(p, members.len + 2);

    object[0] = '{';
    if (members.len > 0) {
        memcpy(object + 1, members.ptr, members.len);
    }
    object[members.len + 1] = '}';
    return wa_json_parse(pj, object, members.len + 2, NULL, p);
}

apr_status_t wa_json_parse(json_t **pj, const char *body, apr_size_t len, const char **perror,
                           apr_pool_t *p)
{
    return parse(pj, wa_slice_make(body, len), 0, perror, p);
}

apr_status_t wa_json_parse_bounded(json_t **pj, const char *body, apr_size_t len,
                                   const char **perror, apr_pool_t *p)
{
    return parse(pj, wa_slice_make(body, len), 1, perror, p);
}

/* ---- writing ---- */

#define ONES 0x0101010101010101ULL
#define HIGHS 0x8080808080808080ULL

/* U+FFFD */
static const char replacement[] = "\xef\xbf\xbd";

/* Not zero when one of the 8 bytes is a control character, a quote, a backslash, or above 0x7f. */
static uint64_t not_plain(const char *s)
{
    uint64_t word;

    memcpy(&word, s, sizeof(word));
    return (word | (word - 0x20 * ONES) | ((word ^ '"' * ONES) - ONES)
            | ((word ^ '\\' * ONES) - ONES))
           & HIGHS;
}

static int is_escaped(unsigned char c)
{
    return c < 0x20 || c == '"' || c == '\\';
}

/* The letter of the short escape, 0 where only \u00XX will do. */
static char short_escape(unsigned char c)
{
    switch (c) {
    case '"':
    case '\\':
        return (char)c;
    case '\b':
        return 'b';
    case '\f':
        return 'f';
    case '\n':
        return 'n';
    case '\r':
        return 'r';
    case '\t':
        return 't';
    default:
        return 0;
    }
}

static void add_escape(wa_buffer_t *b, unsigned char c)
{
    char text[6] = {'\\', short_escape(c)};
    apr_size_t len = 2;

    if (text[1] == 0) {
        memcpy(text + 1, "u00", 3);
        wa_hex_write(text + 4, &c, 1);
        len = 6;
    }
    wa_buffer_add(b, text, len);
}

void wa_buffer_add_json(wa_buffer_t *b, const char *s, apr_size_t len)
{
    apr_size_t at = 0, run = 0, used;

    while (at < len) {
        unsigned char c;

        if (len - at >= 8 && !not_plain(s + at)) {
            at += 8;
            continue;
        }
        c = (unsigned char)s[at];
        if (c < 0x80 ? !is_escaped(c) : wa_text_char(s + at, len - at, &used)) {
            at += c < 0x80 ? 1 : used;
            continue;
        }
        wa_buffer_add(b, s + run, at - run);
        if (c < 0x80) {
            add_escape(b, c);
            at++;
        } else {
            wa_buffer_add(b, replacement, sizeof(replacement) - 1);
            at += used;
        }
        run = at;
    }
    if (at > run) {
        wa_buffer_add(b, s + run, at - run);
    }
}

/* At most how many bytes escaping gives; exact for text that is valid. */
static apr_size_t escaped_bound(wa_slice_t s)
{
    apr_size_t replaced = wa_text_is_utf8(s.ptr, s.len) ? 1 : sizeof(replacement) - 1;
    apr_size_t i, bound = 0;

    for (i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];

        if (c >= 0x80) {
            bound += replaced;
        } else {
            bound += !is_escaped(c) ? 1 : short_escape(c) ? 2 : 6;
        }
    }
    return bound;
}

wa_slice_t wa_json_escape(wa_slice_t s, apr_pool_t *p)
{
    apr_size_t bound = escaped_bound(s);
    wa_buffer_t b = {apr_palloc(p, bound + 1), 0, bound, 0};

    wa_buffer_add_json(&b, s.ptr, s.len); /* fits, so that it never grows what is the pool's */
    b.data[b.len] = '\0';
    return wa_slice_make(b.data, b.len);
}
