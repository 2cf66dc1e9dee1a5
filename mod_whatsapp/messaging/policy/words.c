/* SPDX-License-Identifier: Apache-2.0 */
/* Tells whether a message is one of some words and nothing else, as people write it. */
#include "messaging/policy/words.h"

#include <apr.h>

#include "base/text.h"
#include "base/unicode.h"

/* What is longer is no word, whatever stands around it. */
#define TEXT_BYTES_MAX 1024

/* 1 for a question mark of any script: to ask is not to tell. Unicode has no property for them. */
static int is_question(apr_uint32_t c)
{
    static const apr_uint32_t marks[] = {'?',    0x00BF, 0x037E,  0x055E, 0x061F, 0x1367, 0x1945,
                                         0x203D, 0x2047, 0x2048,  0x2049, 0x2753, 0x2754, 0x2CFA,
                                         0x2CFB, 0x2E18, 0x2E2E,  0x2E54, 0xA60F, 0xA6F7, 0xFE16,
                                         0xFE56, 0xFF1F, 0x11143, 0x1E95F};
    apr_size_t i;

    for (i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
        if (marks[i] == c) {
            return 1;
        }
    }
    return 0;
}

/* The text without what stands around its letters and digits. A mark is of what it stands on. */
static wa_slice_t word_of(wa_slice_t text)
{
    wa_slice_t word = {text.ptr, 0};
    apr_size_t at = 0, used;
    int is_word = 1, is_begun = 0;

    for (; at < text.len; at += used) {
        const apr_uint32_t c = wa_unicode_read(text.ptr + at, text.len - at, &used);
        const wa_unicode_class_e class = wa_unicode_class(c);

        if (wa_unicode_is_invisible(c)) {
            continue;
        }
        is_word = class == WA_UNICODE_MARK ? is_word : class != WA_UNICODE_OTHER || is_question(c);
        if (is_word) {
            word.ptr = is_begun ? word.ptr : text.ptr + at;
            word.len = (apr_size_t)(text.ptr + at + used - word.ptr);
            is_begun = 1;
        }
    }
    return word;
}

/* The text folded; empty when it is too long. */
static wa_slice_t fold(wa_slice_t text, apr_pool_t *p)
{
    wa_slice_t folded;

    (void)wa_text_fold(text, WA_FOLD_MARKS_KEPT, TEXT_BYTES_MAX, &folded, p);
    return folded;
}

/* @param folded  what was written; empty is no word. @param word  not folded */
static int is_same(wa_slice_t folded, wa_slice_t word, apr_pool_t *p)
{
    apr_size_t i;

    if (folded.len == 0 || word.len == 0) {
        return 0;
    }
    /* Each message is held against every word: most can be told apart without folding the word. */
    for (i = 0; i < word.len && (unsigned char)word.ptr[i] < 0x80; i++) {
        const char c = word.ptr[i];

        if (i == folded.len || folded.ptr[i] != (c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c)) {
            break;
        }
    }
    if (i == word.len) {
        return folded.len == word.len;
    }
    return (unsigned char)word.ptr[i] >= 0x80 && wa_slice_is_equal(folded, fold(word, p));
}

int wa_words_has(const char *const *words, wa_slice_t text, apr_pool_t *tmp)
{
    const wa_slice_t bare = wa_text_trim(text);
    wa_slice_t folded, folded_word;

    if (!words || !*words || bare.len > TEXT_BYTES_MAX) {
        return 0;
    }
    folded = fold(bare, tmp);
    folded_word = fold(word_of(bare), tmp);
    for (; *words; words++) {
        const wa_slice_t wanted = wa_text_trim(wa_slice_of(*words));

        if (is_same(folded, wanted, tmp) || is_same(folded_word, word_of(wanted), tmp)) {
            return 1;
        }
    }
    return 0;
}
