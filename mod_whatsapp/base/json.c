/* SPDX-License-Identifier: Apache-2.0 */
/* Parses JSON, tied to a pool and within bounds. */
#include "base/json.h"

#include <stdint.h>
#include <string.h>

#include <apr_strings.h>

#include "base/hex.h"
#include "base/text.h"

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
