/* SPDX-License-Identifier: Apache-2.0 */
/* Parses JSON, tied to a pool and within bounds. */
#ifndef WA_BASE_JSON_H
#define WA_BASE_JSON_H

#include <apr_errno.h>
#include <apr_pools.h>
#include <jansson.h>

#include "base/slice.h"

/* How deep arrays and objects may nest. */
#define WA_JSON_DEPTH_MAX 32

/* Parses one JSON object or array that fills the whole body (white space around it is fine).
 * Refused beyond RFC 8259: nesting over WA_JSON_DEPTH_MAX, an object with a name twice, U+0000
 * in a string, half a surrogate pair (\ud800), numbers that do not fit 64 bits or a double.
 * @param pj      out: NULL unless APR_SUCCESS; freed with p, do not decref it
 * @param body    `len` bytes of UTF-8, no NUL needed at the end
 * @param perror  out: NULL, or with APR_EINVAL a sentence in p for who sent the body, ASCII,
 *                without any of its text; perror itself may be NULL
 * @return APR_SUCCESS | APR_EINVAL not such JSON | APR_ENOMEM. Any thread. */
apr_status_t wa_json_parse(json_t **pj, const char *body, apr_size_t len, const char **perror,
                           apr_pool_t *p);

/* The most names and values of a document from outside together, and the longest of them in bytes
 * as they stand there: a hundred times what any request needs. */
#define WA_JSON_ITEMS_MAX 1000
#define WA_JSON_ITEM_BYTES_MAX (256 * 1024)

/* wa_json_parse for documents from outside: refuses one with more than WA_JSON_ITEMS_MAX names and
 * values (arrays and objects count too) or with one longer than WA_JSON_ITEM_BYTES_MAX, before
 * anything is made of it. What is made then takes no more memory than the document, and a fixed
 * amount. */
apr_status_t wa_json_parse_bounded(json_t **pj, const char *body, apr_size_t len,
                                   const char **perror, apr_pool_t *p);

/* Gives the caller's reference to p: it is dropped when p is cleared. `j` may be NULL. Any
 * thread that may use p. */
void wa_json_own(json_t *j, apr_pool_t *p);

#endif
