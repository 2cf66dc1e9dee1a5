/* SPDX-License-Identifier: Apache-2.0 */
/* What Unicode says of characters, and texts made such that what means the same is the same. */
#include "base/unicode.h"

#include <utf8proc.h>

#include "base/buffer.h"
#include "base/text.h"

#define REPLACEMENT 0xfffd
#define DOT_ABOVE 0x0307
#define BRAILLE_BLANK 0x2800
#define NULL_NOTEHEAD 0x1d159

/* The longest decomposition of one character has 18 (U+FDFA). */
#define PIECES_MAX 32

/* UAX #15, section 13. */
#define MARKS_MAX 30

apr_uint32_t wa_unicode_read(const char *s, apr_size_t len, apr_size_t *pused)
{
    utf8proc_int32_t c;

    if (!wa_text_char(s, len, pused)) {
        return REPLACEMENT;
    }
    (void)utf8proc_iterate((const utf8proc_uint8_t *)s, (utf8proc_ssize_t)*pused, &c);
    return (apr_uint32_t)c;
}

static const utf8proc_property_t *property_of(apr_uint32_t c)
{
    return utf8proc_get_property((utf8proc_int32_t)c);
}

wa_unicode_class_e wa_unicode_class(apr_uint32_t c)
{
    switch (property_of(c)->category) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
        return WA_UNICODE_LETTER;
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
        return WA_UNICODE_MARK;
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
        return WA_UNICODE_NUMBER;
    default:
        return WA_UNICODE_OTHER;
    }
}

int wa_unicode_is_invisible(apr_uint32_t c)
{
    const utf8proc_property_t *property = property_of(c);

    if (property->category == UTF8PROC_CATEGORY_CF) {
        return property->boundclass != UTF8PROC_BOUNDCLASS_PREPEND;
    }
    /* utf8proc has no properties of what is not assigned; what is kept for such characters stays
     * so. */
    return property->ignorable || (c >= 0xe0000 && c <= 0xe0fff) || (c >= 0xfff0 && c <= 0xfff8)
           || c == 0x2065 || c == 0x180f;
}

int wa_unicode_is_space(apr_uint32_t c)
{
    return property_of(c)->category == UTF8PROC_CATEGORY_ZS;
}

int wa_unicode_is_dash(apr_uint32_t c)
{
    return property_of(c)->category == UTF8PROC_CATEGORY_PD;
}

int wa_unicode_is_unseen(apr_uint32_t c)
{
    switch (property_of(c)->category) {
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
        return 1;
    default:
        return c == BRAILLE_BLANK || c == NULL_NOTEHEAD || wa_unicode_is_invisible(c);
    }
}

int wa_text_is_unseen(const char *s, apr_size_t len)
{
    apr_size_t at, used;

    for (at = 0; at < len; at += used) {
        if (!wa_unicode_is_unseen(wa_unicode_read(s + at, len - at, &used))) {
            return 0;
        }
    }
    return 1;
}

static int is_digit(apr_uint32_t c)
{
    return property_of(c)->category == UTF8PROC_CATEGORY_ND;
}

/* The ten digits of a script follow each other, and where several sets do, each has ten. */
int wa_unicode_digit(apr_uint32_t c)
{
    apr_uint32_t before = 0;

    if (!is_digit(c)) {
        return -1;
    }
    while (before < c && is_digit(c - before - 1)) {
        before++;
    }
    return (int)(before % 10);
}

int wa_unicode_is_control(apr_uint32_t c)
{
    switch (property_of(c)->category) {
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
        return 1;
    default:
        return 0;
    }
}

/* ---- folding ---- */

/* A text being folded. Its characters stay as numbers until their marks are in order. */
typedef struct folding_t {
    wa_fold_e how;
    wa_buffer_t chars; /* utf8proc_int32_t each */
    apr_size_t bytes, bytes_max;
    apr_size_t marks; /* at the end of chars: in the order of their combining classes */
} folding_t;

/* 1 for a mark without which a reader still sees the letter. Unicode has no property that says so;
 * the combining class comes nearest: signs of vowels have 0, or one of their own script's. */
static int is_accent(apr_uint32_t c)
{
    const utf8proc_property_t *property = property_of(c);
    const int place = property->combining_class;

    return property->category == UTF8PROC_CATEGORY_ME
           || (wa_unicode_class(c) == WA_UNICODE_MARK
               && (place == 1                      /* through the letter */
                   || place == 7                   /* nukta */
                   || (place >= 10 && place <= 36) /* Hebrew, Arabic, Syriac */
                   || place >= 200));              /* around the letter */
}

static int is_dropped(const folding_t *f, apr_uint32_t c)
{
    return wa_unicode_is_invisible(c) || (f->how == WA_FOLD_MARKS_STRIPPED && is_accent(c));
}

static apr_status_t char_add(folding_t *f, utf8proc_int32_t c)
{
    const utf8proc_propval_t place = utf8proc_get_property(c)->combining_class;
    apr_size_t count = f->chars.len / sizeof(c), sorted;
    utf8proc_int32_t *chars = (utf8proc_int32_t *)(void *)f->chars.data;
    utf8proc_uint8_t text[4];

    /* The dot of a Turkish capital is the one that every small i has. */
    if (c == DOT_ABOVE && count > 0 && chars[count - 1] == 'i') {
        return APR_SUCCESS;
    }
    f->marks = place == 0 ? 0 : f->marks + 1;
    if (f->marks > MARKS_MAX) {
        f->marks = MARKS_MAX;
        return APR_SUCCESS;
    }
    f->bytes += (apr_size_t)utf8proc_encode_char(c, text);
    if (f->bytes > f->bytes_max) {
        return APR_ENOSPC;
    }
    wa_buffer_add(&f->chars, &c, sizeof(c));
    if (f->chars.failed) {
        return APR_ENOMEM;
    }
    chars = (utf8proc_int32_t *)(void *)f->chars.data;
    for (sorted = 1;
         sorted < f->marks && utf8proc_get_property(chars[count - 1])->combining_class > place;
         sorted++, count--) {
        chars[count] = chars[count - 1];
        chars[count - 1] = c;
    }
    return APR_SUCCESS;
}

/* Marks go before the case is folded, which makes a letter of the Greek iota below. */
static apr_status_t char_fold(folding_t *f, apr_uint32_t c)
{
    const utf8proc_option_t decompose = UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT;
    utf8proc_int32_t pieces[PIECES_MAX], folded[PIECES_MAX];
    utf8proc_ssize_t count, folded_count, i, k;
    int boundclass = 0;
    apr_status_t rv = APR_SUCCESS;

    if (c < 0x80) {
        return char_add(f, c >= 'A' && c <= 'Z' ? (utf8proc_int32_t)(c - 'A' + 'a')
                                                : (utf8proc_int32_t)c);
    }
    count =
        utf8proc_decompose_char((utf8proc_int32_t)c, pieces, PIECES_MAX, decompose, &boundclass);
    if (count < 0 || count > PIECES_MAX) {
        return APR_EGENERAL;
    }
    for (i = 0; i < count && rv == APR_SUCCESS; i++) {
        if (is_dropped(f, (apr_uint32_t)pieces[i])) {
            continue;
        }
        folded_count = utf8proc_decompose_char(pieces[i], folded, PIECES_MAX,
                                               decompose | UTF8PROC_CASEFOLD, &boundclass);
        if (folded_count < 0 || folded_count > PIECES_MAX) {
            return APR_EGENERAL;
        }
        for (k = 0; k < folded_count && rv == APR_SUCCESS; k++) {
            if (!is_dropped(f, (apr_uint32_t)folded[k])) {
                rv = char_add(f, folded[k]);
            }
        }
    }
    return rv;
}

static wa_slice_t text_of(const wa_buffer_t *chars, apr_size_t bytes, apr_pool_t *p)
{
    const utf8proc_int32_t *c = (const utf8proc_int32_t *)(const void *)chars->data;
    apr_size_t count = chars->len / sizeof(*c);
    char *text = apr_palloc(p, bytes + 1);
    char *end = text;

    for (; count > 0; count--, c++) {
        end += utf8proc_encode_char(*c, (utf8proc_uint8_t *)end);
    }
    *end = '\0';
    return wa_slice_make(text, bytes);
}

apr_status_t wa_text_fold(wa_slice_t text, wa_fold_e how, apr_size_t bytes_max, wa_slice_t *pfolded,
                          apr_pool_t *p)
{
    folding_t f = {.how = how, .bytes_max = bytes_max};
    apr_size_t at = 0, used;
    apr_status_t rv = APR_SUCCESS;

    *pfolded = wa_slice_make(NULL, 0);
    if (!wa_text_is_utf8(text.ptr, text.len)) {
        return APR_EINVAL;
    }
    wa_buffer_init(&f.chars, 0);
    while (at < text.len && rv == APR_SUCCESS) {
        rv = char_fold(&f, wa_unicode_read(text.ptr + at, text.len - at, &used));
        at += used;
    }
    if (rv == APR_SUCCESS) {
        *pfolded = text_of(&f.chars, f.bytes, p);
    }
    wa_buffer_release(&f.chars);
    return rv;
}
