/* SPDX-License-Identifier: Apache-2.0 */
/* Makes JSON readable in which single characters of texts are none. */
#include "base/json_mend.h"

#include "base/buffer.h"
#include "base/hex.h"
#include "base/text.h"

#define REPLACEMENT WA_SLICE_LITERAL("\xEF\xBF\xBD")

/* The code unit of the \uXXXX at `i`, -1 when there is none. */
static long unit_at(wa_slice_t json, apr_size_t i)
{
    apr_uint64_t unit;

    if (json.len < 6 || i > json.len - 6 || json.ptr[i] != '\\' || json.ptr[i + 1] != 'u'
        || !wa_hex_read(json.ptr + i + 2, 4, &unit)) {
        return -1;
    }
    return (long)unit;
}

/* How many bytes the escape at `i` has. @param pis_good  out: 0 for one that no text can hold */
static apr_size_t escape_len(wa_slice_t json, apr_size_t i, int *pis_good)
{
    const long unit = unit_at(json, i);
    const int is_first = unit >= 0xd800 && unit <= 0xdbff;
    long second;

    *pis_good = unit != 0 && (unit < 0xd800 || unit > 0xdfff);
    if (unit < 0) {
        return json.len - i < 2 ? 1 : 2;
    }
    second = is_first ? unit_at(json, i + 6) : -1;
    if (second >= 0xdc00 && second <= 0xdfff) {
        *pis_good = 1;
        return 12;
    }
    return 6;
}

/* How many bytes the character at `i` of a string has. */
static apr_size_t character_len(wa_slice_t json, apr_size_t i, int *pis_good)
{
    apr_size_t used;

    if (json.ptr[i] == '\\') {
        return escape_len(json, i, pis_good);
    }
    *pis_good =
        wa_text_char(json.ptr + i, json.len - i, &used) != 0 && (unsigned char)json.ptr[i] >= 0x20;
    return used;
}

apr_status_t wa_json_mend(wa_slice_t json, wa_slice_t *pjson, apr_pool_t *p)
{
    apr_size_t i = 0, copied = 0;
    int is_inside = 0, is_good;
    wa_buffer_t b;

    *pjson = json;
    wa_buffer_init(&b, 0);
    while (i < json.len) {
        const char c = json.ptr[i];
        apr_size_t len = 1;

        is_good = 1;
        if (c == '"') {
            is_inside = !is_inside;
        } else if (is_inside) {
            len = character_len(json, i, &is_good);
        }
        if (!is_good) {
            wa_buffer_add(&b, json.ptr + copied, i - copied);
            wa_buffer_add_slice(&b, REPLACEMENT);
            copied = i + len;
        }
        i += len;
    }
    if (copied == 0) {
        return APR_SUCCESS;
    }
    wa_buffer_add(&b, json.ptr + copied, json.len - copied);
    return wa_buffer_slice(&b, pjson, p);
}
