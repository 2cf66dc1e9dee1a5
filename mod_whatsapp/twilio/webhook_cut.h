/* SPDX-License-Identifier: Apache-2.0 */
/* A signed form as the text that was signed, and what Twilio's names and values look like. */
#ifndef WA_TWILIO_WEBHOOK_CUT_H
#define WA_TWILIO_WEBHOOK_CUT_H

#include <string.h>

#include <apr_errno.h>
#include <apr_pools.h>

#include "base/form.h"

/* What is here may be called by any thread; nothing is kept. */

#define WA_CUT_CHANNEL "whatsapp:"

/* What a value looks like. */
typedef enum {
    WA_KIND_ANY = 0,
    WA_KIND_ADDRESS, /* a phone number or another id, with its channel */
    WA_KIND_CODE,    /* five digits */
    WA_KIND_DATE,    /* 2010-04-01 */
    WA_KIND_JSON,
    WA_KIND_MIME,
    WA_KIND_NUMBER,
    WA_KIND_SID, /* two letters, 32 hex digits */
    WA_KIND_URL,
    WA_KIND_WORD /* one of `words`, or another in the same case */
} wa_kind_e;

/* What a field is for. */
typedef enum {
    WA_USE_NONE = 0,
    WA_USE_WHO,  /* stands nowhere else */
    WA_USE_SAID, /* is not missing where it stands elsewhere */
    WA_USE_TEXT  /* is shown, and has no end of its own */
} wa_use_e;

/* A name that Twilio is known to use (docs/TWILIO.md sections 2.2 and 3). */
typedef struct wa_known_t {
    const char *name;
    wa_kind_e kind;
    wa_use_e use;
    /* WA_USE_WHO: a field that is in each form and sorts behind this one, or just behind it anyway.
     * WA_USE_SAID: where there is a field of that name with a value, this one decides nothing. */
    const char *other;
    /* a number follows it: MediaUrl0 */
    char is_numbered;
} wa_known_t;

#define WA_KNOWNS 50

/* In the order of their names. */
extern const wa_known_t wa_knowns[WA_KNOWNS];

/* Where those begin whose name begins with that character, or would: WA_KNOWNS for behind all of
 * them. Any thread. */
apr_size_t wa_known_first(char first);

/* 1 while the known of that number begins with it. Any thread. */
static inline int wa_known_begins(apr_size_t i, char first)
{
    return i < WA_KNOWNS && wa_knowns[i].name[0] == first;
}

/* The fields in the order that they are signed in, each once, and what is signed of them: all of
 * them lie in `text`, one behind the other. */
typedef struct wa_cut_t {
    wa_form_field_t *fields;
    const wa_known_t **knowns; /* of each field, NULL where nobody knows it */
    apr_size_t count;
    wa_slice_t text;
} wa_cut_t;

/* No field. */
#define WA_CUT_NONE ((apr_size_t)-1)

static inline int wa_char_is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static inline int wa_char_is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static inline int wa_char_is_ascii(char c)
{
    return (unsigned char)c < 0x80;
}

static inline int wa_char_is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static inline wa_slice_t wa_slice_between(const char *from, const char *to)
{
    return wa_slice_make(from, (apr_size_t)(to - from));
}

static inline wa_slice_t wa_slice_rest(wa_slice_t s, apr_size_t from)
{
    return wa_slice_make(s.ptr + from, s.len - from);
}

static inline const char *wa_slice_end(wa_slice_t s)
{
    return s.ptr + s.len;
}

static inline int wa_slice_compare(wa_slice_t a, wa_slice_t b)
{
    const apr_size_t len = a.len < b.len ? a.len : b.len;
    const int order = len > 0 ? memcmp(a.ptr, b.ptr, len) : 0;

    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static inline int wa_slice_starts(wa_slice_t s, const char *text)
{
    const apr_size_t len = strlen(text);

    return s.len >= len && memcmp(s.ptr, text, len) == 0;
}

/* How many bytes at the beginning of `s` are from `first` to `last`, or one of `more`. */
apr_size_t wa_slice_span(wa_slice_t s, char first, char last, const char *more);

/* How long the known name at the beginning of `s` is, with its number; 0 when it does not stand
 * there. */
apr_size_t wa_known_length(const wa_known_t *known, wa_slice_t s);

/* @return what is known of a name | NULL nothing */
const wa_known_t *wa_known_find(wa_slice_t name);

/* 1 when `s` begins with what such a value begins with, and is not likely to be anything else, else
 * 0. */
int wa_kind_is_begun(wa_kind_e kind, wa_slice_t s);

/* 1 when all of it is such a value and no other field can be in it, else 0. An empty one is whole
 * where it is of characters of one sort. */
int wa_kind_is_whole(wa_kind_e kind, wa_slice_t value);

/* 1 for a phone number, with a known channel or without, and for nothing at all. */
int wa_kind_is_number(wa_slice_t address);

/* 1 for an address of a known channel that is not WhatsApp. */
int wa_address_is_other(wa_slice_t address);

/* Sorts a form as it is signed.
 * @param cut  out: all of it lives in p
 * @return APR_SUCCESS | APR_EINVAL a field has no name, or a known one two values */
apr_status_t wa_cut_make(wa_cut_t *cut, const wa_form_t *form, apr_pool_t *p);

/* @return the field of that name | WA_CUT_NONE */
apr_size_t wa_cut_find(const wa_cut_t *cut, wa_slice_t name);

/* The value of that field, empty when there is none. */
wa_slice_t wa_cut_value(const wa_cut_t *cut, const char *name);

/* The field that a byte of the text is in. */
apr_size_t wa_cut_field_at(const wa_cut_t *cut, const char *at);

/* The name of the next field behind `i` that is known and not `but`, empty when there is none: one
 * that is not known may be whoever cut this anew's. */
wa_slice_t wa_cut_next_known(const wa_cut_t *cut, apr_size_t i, wa_slice_t but);

#endif
