/* SPDX-License-Identifier: Apache-2.0 */
/* Fields as a tag, a length and a value, one after the other: how the store keeps what it need not
 * understand. */
#ifndef WA_BASE_TLV_H
#define WA_BASE_TLV_H

#include <apr.h>

#include "base/buffer.h"
#include "base/slice.h"

/*
 * A field is one byte of tag, the length as LEB128 (seven bits a byte, the low ones first, the last
 * byte without its high bit) and the value. A reader passes over tags that it does not know, so
 * that fields can be added without a new format.
 */
typedef struct wa_tlv_t {
    apr_byte_t tag;
    wa_slice_t value;
} wa_tlv_t;

/* Appends a field. A failure is remembered in b->failed. Any thread. */
void wa_tlv_add(wa_buffer_t *b, apr_byte_t tag, wa_slice_t value);

/* The same for a value of two parts. Any thread. */
void wa_tlv_add_pair(wa_buffer_t *b, apr_byte_t tag, wa_slice_t first, wa_slice_t second);

/* The same for a text, which is stored with a NUL at its end, so that it can be read without a
 * copy. Any thread. */
void wa_tlv_add_string(wa_buffer_t *b, apr_byte_t tag, const char *text);

/* Takes the next field off the front of `rest`. Nothing is believed: what is cut short ends the
 * list.
 * @param field  out: its value points into `rest`'s bytes
 * @return 1 | 0 at the end, or where no whole field stands; `rest` is empty then. Any thread. */
int wa_tlv_next(wa_slice_t *rest, wa_tlv_t *field);

/* A value that wa_tlv_add_string made.
 * @return the text, where it stands | NULL when no NUL, or more than one, is in it. Any thread. */
const char *wa_tlv_string(wa_slice_t value);

#endif
