/* SPDX-License-Identifier: Apache-2.0 */
/* Percent-encoding (RFC 3986 section 2.1): the one place that writes and reads it. */
#ifndef WA_BASE_PERCENT_H
#define WA_BASE_PERCENT_H

#include <apr_pools.h>

#include "base/buffer.h"

/* Appends text such that it may stand anywhere in a URL or form: letters, digits and - . _ ~ as
 * they are ("unreserved", RFC 3986 section 2.3), every other byte, NUL too, as %XX in upper case.
 * Forms need no '+' for a space: %20 means the same. Any thread. */
void wa_percent_add(wa_buffer_t *b, wa_slice_t text);

/* The same as a NUL-terminated string in p. Any thread that may use p. */
const char *wa_percent_encode(wa_slice_t text, apr_pool_t *p);

enum {
    WA_PERCENT_PLUS_IS_PLUS = 0, /* in a URL's path */
    WA_PERCENT_PLUS_IS_SPACE = 1 /* in a form or query */
};

/* Decodes %XX to its byte, whatever byte that is: a caller that wants no NUL and only UTF-8 checks
 * the result. A '%' without two hex digits behind it stays as it is, as in every form parser (URL
 * standard, "percent-decode"). Decoded once: %2541 gives %41.
 * @param to     room for text.len bytes; may be text.ptr
 * @param plus   WA_PERCENT_PLUS_*
 * @return how many bytes it gave, at most text.len. Any thread. */
apr_size_t wa_percent_decode(char *to, wa_slice_t text, int plus);

#endif
