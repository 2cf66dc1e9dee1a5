/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as text: the functions agree with each other, and escaping always gives valid JSON. */
#include "fuzz.h"

#include <jansson.h>

#include "base/json_write.h"
#include "base/text.h"

/* Walks character by character. @return 1 when all were valid and none NUL */
static int walk(const char *s, size_t len, size_t *pcharacters)
{
    int is_valid = 1;
    size_t at = 0, used = 0;

    *pcharacters = 0;
    while (at < len) {
        is_valid &= wa_text_char(s + at, len - at, &used) && s[at] != '\0';
        FUZZ_CHECK(used >= 1 && used <= 4 && used <= len - at);
        at += used;
        ++*pcharacters;
    }
    return is_valid;
}

static void check_trim(const char *s, size_t len)
{
    wa_slice_t trimmed = wa_text_trim(wa_slice_make(s, len));
    wa_slice_t again = wa_text_trim(trimmed);

    FUZZ_CHECK(trimmed.len <= len && again.len == trimmed.len);
    FUZZ_CHECK((trimmed.len == 0) == wa_text_is_blank(s, len));
    if (trimmed.len > 0) {
        FUZZ_CHECK(trimmed.ptr >= s && trimmed.ptr + trimmed.len <= s + len);
        FUZZ_CHECK(wa_text_is_blank(s, (size_t)(trimmed.ptr - s)));
    }
}

static void check_escape(const char *s, size_t len, int is_valid)
{
    wa_buffer_t b;
    json_t *j;

    wa_buffer_init(&b, 0);
    wa_buffer_add_json_string(&b, wa_slice_make(s, len));
    FUZZ_CHECK(wa_text_is_utf8(b.data, b.len));
    j = json_loadb(b.data, b.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    FUZZ_CHECK(json_is_string(j));
    if (is_valid) {
        FUZZ_CHECK(json_string_length(j) == len);
        FUZZ_CHECK(len == 0 || memcmp(json_string_value(j), s, len) == 0);
    }
    json_decref(j);
    wa_buffer_release(&b);
}

static void check_counts(const char *s, size_t len, size_t characters)
{
    size_t units = wa_text_utf16_length(s, len);
    size_t half = wa_text_prefix(s, len, characters / 2);

    FUZZ_CHECK(units >= characters && units <= 2 * characters);
    FUZZ_CHECK(wa_text_prefix(s, len, characters) == len);
    FUZZ_CHECK(wa_text_is_utf8(s, half) && wa_text_is_utf8(s + half, len - half));
    FUZZ_CHECK(wa_text_utf16_length(s, half) + wa_text_utf16_length(s + half, len - half) == units);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *s = fuzz_copy(data, size);
    apr_pool_t *p = fuzz_pool();
    size_t characters;
    int is_valid = walk(s, size, &characters);

    FUZZ_CHECK(wa_text_is_utf8(s, size) == is_valid);
    FUZZ_CHECK(wa_text_utf16_length(s, size) <= 2 * size);
    FUZZ_CHECK(wa_text_prefix(s, size, size / 2) <= size);
    if (is_valid && size > 0) {
        check_counts(s, size, characters);
    }
    check_trim(s, size);
    check_escape(s, size, is_valid);
    apr_pool_destroy(p);
    free(s);
    return 0;
}
