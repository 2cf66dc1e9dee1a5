/* SPDX-License-Identifier: Apache-2.0 */
/* Form bodies, parsed byte for byte as Twilio signs them. */
#ifndef WA_BASE_FORM_H
#define WA_BASE_FORM_H

#include <apr_errno.h>
#include <apr_pools.h>

#include "base/buffer.h"
#include "base/slice.h"

/*
 * This takes the place of httpd's ap_parse_form_data, which cannot do it for the vectors json-utf8,
 * json-hash-not-last-param and sdk-spec-json-only-sha-param of tests/signature-vectors.json: it
 * throws a body of another type away, whose hash the signature needs, and leaves no raw body
 * behind. Tried with 2.4.71: it also drops names without '=', splits a name at an escaped %3D, cuts
 * a name at NUL, and loses a '%' without hex digits, so that genuine signatures over such fields
 * fail.
 */

/* One decoded field. Bytes are kept as they came: not NUL-terminated, may hold NUL and invalid
 * UTF-8. */
typedef struct wa_form_field_t {
    wa_slice_t name;
    wa_slice_t value;
} wa_form_field_t;

/* All fields in the order of the body, names repeated where the body repeats them. */
typedef struct wa_form_t {
    const wa_form_field_t *fields;
    apr_size_t count;
} wa_form_t;

/* Parses an application/x-www-form-urlencoded body as Twilio signs it (docs/TWILIO.md section 4):
 * split on '&', empty segments skipped, split at the first '=', no '=' means an empty value; in
 * names and values '+' becomes a space and %XX its byte, a '%' without two hex digits stays as it
 * is. Also right for a query string.
 * @param pf          out: NULL unless APR_SUCCESS; lives in p. Slices without encoding point
 *                    into `body`, which must live as long
 * @param body        `len` bytes, no NUL needed at the end
 * @param max_fields  most fields that are taken
 * @return APR_SUCCESS | APR_ENOSPC more than max_fields. Linear in `len`. Any thread that may
 *         use p. */
apr_status_t wa_form_parse(wa_form_t **pf, const char *body, apr_size_t len, apr_size_t max_fields,
                           apr_pool_t *p);

/* Appends a field to a form that is being written, both halves encoded. Any thread. */
void wa_form_add(wa_buffer_t *b, wa_slice_t name, wa_slice_t value);

/* Finds the first field of that name (case matters).
 * @param pvalue  out: its value, the empty slice when absent
 * @return 1 present | 0 absent. Any thread. */
int wa_form_get(const wa_form_t *form, const char *name, wa_slice_t *pvalue);

/* 1 when the first field of that name has a value with anything in it. Any thread. */
int wa_form_has(const wa_form_t *form, const char *name);

/* The first value of that name as a NUL-terminated copy in p.
 * @return the value | NULL when absent or when it holds a NUL byte. Any thread that may use p. */
const char *wa_form_string(const wa_form_t *form, const char *name, apr_pool_t *p);

#endif
