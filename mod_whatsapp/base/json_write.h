/* SPDX-License-Identifier: Apache-2.0 */
/* Writes JSON into a buffer, value by value; the commas come by themselves. */
#ifndef WA_BASE_JSON_WRITE_H
#define WA_BASE_JSON_WRITE_H

#include <apr.h>

#include "base/buffer.h"
#include "base/slice.h"

/*
 * A writer appends to a buffer, which remembers a failure (b->failed), so that callers check once
 * at the end. It keeps no stack: whoever begins an object or array ends it. Start with
 * WA_JSON_WRITER(b) where the first value goes. Any thread.
 */
typedef struct wa_json_writer_t {
    wa_buffer_t *b;
    int has_before; /* 1: the next value or name needs a comma before it */
} wa_json_writer_t;

#define WA_JSON_WRITER(buffer) ((wa_json_writer_t){.b = (buffer)})

/* Appends a JSON string (RFC 8259 section 7) with its quotes: quote, backslash and control
 * characters escaped, all else as it is (U+2028 too). Bytes that are not valid UTF-8 become U+FFFD,
 * so that what is appended is always valid. Any thread. */
void wa_buffer_add_json_string(wa_buffer_t *b, wa_slice_t s);

/* The same without the quotes: for a string that is put together of several texts. Any thread. */
void wa_buffer_add_json(wa_buffer_t *b, const char *s, apr_size_t len);

static inline void wa_json_separate(wa_json_writer_t *w)
{
    if (w->has_before) {
        WA_BUFFER_ADD_LITERAL(w->b, ",");
    }
    w->has_before = 1;
}

static inline void wa_json_object_begin(wa_json_writer_t *w)
{
    wa_json_separate(w);
    WA_BUFFER_ADD_LITERAL(w->b, "{");
    w->has_before = 0;
}

static inline void wa_json_object_end(wa_json_writer_t *w)
{
    WA_BUFFER_ADD_LITERAL(w->b, "}");
    w->has_before = 1;
}

/* Takes the end of the object back that was written last, which has members: more can follow. */
static inline void wa_json_object_reopen(wa_json_writer_t *w)
{
    if (!w->b->failed) {
        w->b->len--;
    }
    w->has_before = 1;
}

static inline void wa_json_array_begin(wa_json_writer_t *w)
{
    wa_json_separate(w);
    WA_BUFFER_ADD_LITERAL(w->b, "[");
    w->has_before = 0;
}

static inline void wa_json_array_end(wa_json_writer_t *w)
{
    WA_BUFFER_ADD_LITERAL(w->b, "]");
    w->has_before = 1;
}

static inline void wa_json_string(wa_json_writer_t *w, wa_slice_t s)
{
    wa_json_separate(w);
    wa_buffer_add_json_string(w->b, s);
}

static inline void wa_json_int(wa_json_writer_t *w, apr_int64_t value)
{
    wa_json_separate(w);
    wa_buffer_add_int(w->b, value);
}

static inline void wa_json_bool(wa_json_writer_t *w, int value)
{
    wa_json_separate(w);
    if (value) {
        WA_BUFFER_ADD_LITERAL(w->b, "true");
    } else {
        WA_BUFFER_ADD_LITERAL(w->b, "false");
    }
}

/* What is JSON already: one value, or whole members. Nothing is checked. */
static inline void wa_json_raw(wa_json_writer_t *w, wa_slice_t json)
{
    wa_json_separate(w);
    wa_buffer_add_slice(w->b, json);
}

/* The name of a member that is no literal; its value has to follow. */
static inline void wa_json_name(wa_json_writer_t *w, const char *name)
{
    wa_json_string(w, wa_slice_of(name));
    WA_BUFFER_ADD_LITERAL(w->b, ":");
    w->has_before = 0;
}

/* For WA_JSON_NAME. */
static inline void wa_json_name_add(wa_json_writer_t *w, const char *text, apr_size_t len)
{
    wa_json_separate(w);
    wa_buffer_add(w->b, text, len);
    w->has_before = 0;
}

/* The name of a member, a literal with nothing to escape; its value has to follow. */
#define WA_JSON_NAME(w, name) wa_json_name_add((w), "\"" name "\":", sizeof("\"" name "\":") - 1)

/* Whole members. */
#define WA_JSON_STRING(w, name, s) (WA_JSON_NAME(w, name), wa_json_string((w), (s)))
#define WA_JSON_INT(w, name, value) (WA_JSON_NAME(w, name), wa_json_int((w), (value)))
#define WA_JSON_BOOL(w, name, value) (WA_JSON_NAME(w, name), wa_json_bool((w), (value)))

#endif
