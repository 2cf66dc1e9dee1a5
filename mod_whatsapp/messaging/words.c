/* SPDX-License-Identifier: Apache-2.0 */
/* Tells whether a message is one of some words and nothing else, as people write it. */
#include "messaging/words.h"

#include <apr.h>

#include "base/text.h"

/* What is longer is no word, whatever stands around it. */
#define TEXT_BYTES_MAX 1024

typedef struct range_t {
    apr_uint32_t first, last;
} range_t;

/* What may stand around a word: spaces, punctuation, symbols, emoji, and what is not seen. In order. */
static const range_t
    around[] = {{0x0000, 0x002F}, /* to / */
                {0x003A, 0x003E}, /* : ; < = > */
                {0x0040, 0x0040}, /* @ */
                {0x005B, 0x0060}, /* [ \ ] ^ _ ` */
                {0x007B, 0x00A9}, /* { | } ~, Latin-1's controls and signs */
                {0x00AB, 0x00B1}, {0x00B4, 0x00B4},   {0x00B6, 0x00B8},
                {0x00BB, 0x00BB}, {0x00D7, 0x00D7},   {0x00F7, 0x00F7},
                {0x060C, 0x060D}, {0x061B, 0x061C},   {0x06D4, 0x06D4}, /* Arabic */
                {0x1680, 0x1680}, {0x2000, 0x203B},   {0x203D, 0x2046},
                {0x204A, 0x206F},                   /* spaces, quotes, marks of direction */
                {0x20A0, 0x20CF}, {0x2190, 0x2BFF}, /* money, arrows, shapes, emoji */
                {0x2E00, 0x2E7F}, {0x3000, 0x3004},   {0x3008, 0x3020},
                {0x3030, 0x3030}, {0xFE00, 0xFE55},   {0xFE57, 0xFE6F},
                {0xFEFF, 0xFEFF}, {0xFF01, 0xFF0F},   {0xFF1A, 0xFF1E},
                {0xFF20, 0xFF20}, {0xFF3B, 0xFF40},   {0xFF5B, 0xFF65},
                {0xFFF9, 0xFFFF}, {0x1F000, 0x1FAFF}, {0xE0000, 0xE0FFF}};

/* Where small letters follow the capitals: all of a range by `step`; 1: one by one, each capital with an even
 * number (or odd, as the first one). In order. */
static const struct {
    range_t capitals;
    apr_int32_t step;
} cases[] = {
    {{0x0041, 0x005A}, 32}, {{0x00C0, 0x00D6}, 32}, {{0x00D8, 0x00DE}, 32}, {{0x0100, 0x012F}, 1},
    {{0x0132, 0x0137}, 1},  {{0x0139, 0x0148}, 1},  {{0x014A, 0x0177}, 1},  {{0x0179, 0x017E}, 1},
    {{0x01A0, 0x01A5}, 1},  {{0x01AF, 0x01B0}, 1},  {{0x01CD, 0x01DC}, 1},  {{0x01DE, 0x01EF}, 1},
    {{0x01F8, 0x021F}, 1},  {{0x0386, 0x0386}, 38}, {{0x0388, 0x038A}, 37}, {{0x038C, 0x038C}, 64},
    {{0x038E, 0x038F}, 63}, {{0x0391, 0x03A1}, 32}, {{0x03A3, 0x03AB}, 32}, {{0x0400, 0x040F}, 80},
    {{0x0410, 0x042F}, 32}, {{0x0460, 0x0481}, 1},  {{0x048A, 0x04BF}, 1},  {{0x04C1, 0x04CE}, 1},
    {{0x04D0, 0x052F}, 1},  {{0x0531, 0x0556}, 48}, {{0x1E00, 0x1E95}, 1},  {{0x1EA0, 0x1EFF}, 1}};

/* Takes the first character off a valid text that is not empty. */
static apr_uint32_t char_take(wa_slice_t *text)
{
    static const unsigned char masks[] = {0x7F, 0x7F, 0x1F, 0x0F, 0x07};
    apr_uint32_t c;
    apr_size_t used, i;

    (void)wa_text_char(text->ptr, text->len, &used);
    c = (unsigned char)text->ptr[0] & masks[used];
    for (i = 1; i < used; i++) {
        c = c << 6 | ((unsigned char)text->ptr[i] & 0x3F);
    }
    text->ptr += used;
    text->len -= used;
    return c;
}

static int is_around(apr_uint32_t c)
{
    apr_size_t i;

    for (i = 0; i < sizeof(around) / sizeof(around[0]) && c >= around[i].first; i++) {
        if (c <= around[i].last) {
            return 1;
        }
    }
    return 0;
}

static apr_uint32_t fold(apr_uint32_t c)
{
    apr_size_t i;

    if (c >= 0xFF21 && c <= 0xFF5A) { /* full-width letters are the plain ones */
        c -= 0xFF21 - 'A';
    }
    switch (c) {
    case 0x0130: /* I with a dot */
        return 'i';
    case 0x0178:
        return 0x00FF;
    case 0x03C2: /* the sigma at the end of a word */
        return 0x03C3;
    default:
        break;
    }
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]) && c >= cases[i].capitals.first; i++) {
        if (c <= cases[i].capitals.last) {
            const int is_pair = cases[i].step == 1;

            return is_pair && (c - cases[i].capitals.first) % 2 != 0
                       ? c
                       : c + (apr_uint32_t)cases[i].step;
        }
    }
    return c;
}

/* The text without what stands around it. */
static wa_slice_t word_of(wa_slice_t text)
{
    wa_slice_t rest = text, word = {text.ptr, 0};
    int is_begun = 0;

    while (rest.len > 0) {
        const char *at = rest.ptr;

        if (!is_around(char_take(&rest))) {
            word.ptr = is_begun ? word.ptr : at;
            word.len = (apr_size_t)(rest.ptr - word.ptr);
            is_begun = 1;
        }
    }
    return word;
}

static int is_same(wa_slice_t a, wa_slice_t b)
{
    while (a.len > 0 && b.len > 0) {
        if (fold(char_take(&a)) != fold(char_take(&b))) {
            return 0;
        }
    }
    return a.len == 0 && b.len == 0;
}

int wa_words_has(const char *const *words, wa_slice_t text)
{
    const wa_slice_t bare = wa_text_trim(text);
    wa_slice_t word;

    if (bare.len > TEXT_BYTES_MAX) {
        return 0;
    }
    word = word_of(bare);
    for (; words && *words; words++) {
        const wa_slice_t wanted = wa_slice_of(*words);

        if (is_same(bare, wa_text_trim(wanted))
            || (word.len > 0 && is_same(word, word_of(wanted)))) {
            return 1;
        }
    }
    return 0;
}
