/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a request's body: bounded, of the right type, as JSON where it has to be. */
#ifndef WA_API_BODY_H
#define WA_API_BODY_H

#include <jansson.h>

#include "api/request.h"

/* The functions here give 1 when all is well. With 0 they have answered the request with the error,
 * and *presult is what the endpoint returns. The request's own thread. */

/* 1 when the request's Content-Type is `type`, whatever its parameters, else 0. Answers nothing. */
int wa_body_is_type(request_rec *r, const char *type);

/* Reads the whole body, whatever its coding, counted as the input filters give it, so that a
 * compressed one counts as large as it becomes. One that says itself that it is too large is not
 * read at all. It takes memory once, and gives it back to the system with r->pool.
 * @param max    the most bytes (else PAYLOAD_TOO_LARGE, and the connection is closed rather than
 *               read to the end)
 * @param pbody  out: lives as long as r->pool */
int wa_body_read(wa_request_t *q, apr_size_t max, wa_slice_t *pbody, int *presult);

/* To be called before a request is answered whose body is not read: the connection closes, and
 * httpd does not read it either.
 * @return 1 */
int wa_body_leave(wa_request_t *q);

/* Reads a body of at most WhatsAppMaxBody that must be an application/json object, within the
 * bounds of wa_json_parse_bounded.
 * @param pj  out: freed with r->pool */
int wa_body_json(wa_request_t *q, json_t **pj, int *presult);

/* Gives a string member. @param pvalue  out: UTF-8, as long as the document */
int wa_body_string(wa_request_t *q, const json_t *j, const char *name, wa_slice_t *pvalue,
                   int *presult);

#endif
