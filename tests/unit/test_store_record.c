/* SPDX-License-Identifier: Apache-2.0 */
/* What a record says of its own lengths is believed no further than its payload reaches. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <apr_general.h>

#include "store/log/record.h"

/* docs/STORE.md: where a message's lengths are behind the header. */
#define PREVIEW_AT (sizeof(wa_record_t) + 30)
#define FLAG_AT (sizeof(wa_record_t) + 34)
#define LENGTHS_BYTES 40

static wa_record_t *message_make(const char *body, const char *preview, apr_pool_t *p)
{
    const wa_message_new_t m = {.id = "id",
                                .counterpart = "+15551230001",
                                .direction = WA_DIRECTION_RECEIVED,
                                .body = wa_slice_of(body),
                                .preview = wa_slice_of(preview),
                                .attributes = WA_SLICE_LITERAL("what is not shown")};
    wa_record_t *r;

    assert_int_equal(wa_record_message_make(&r, &m, p), APR_SUCCESS);
    return r;
}

/* A copy that ends where the record does, so that a reader who goes on is caught. */
static wa_record_t *exact(const wa_record_t *r)
{
    wa_record_t *copy = malloc(r->length);

    assert_non_null(copy);
    memcpy(copy, r, r->length);
    return copy;
}

static void a_preview_ends_with_its_body(void **state)
{
    apr_pool_t *p = *state;
    wa_record_t *r = exact(message_make("hello", "hello", p));
    wa_record_message_t m;
    unsigned len;

    assert_int_equal(((char *)r)[FLAG_AT], 1);
    for (len = 0; len <= UINT16_MAX; len++) {
        const apr_uint16_t claimed = (apr_uint16_t)len;

        memcpy((char *)r + PREVIEW_AT, &claimed, sizeof(claimed));
        assert_int_equal(wa_record_message_read(r, &m), len <= 5 ? APR_SUCCESS : APR_EGENERAL);
        assert_int_equal(m.preview.len, len <= 5 ? len : 0);
    }
    free(r);
}

/* Every byte of the lengths set to every value: read as it is or refused, and nothing beyond it. */
static void no_length_leads_out(void **state)
{
    apr_pool_t *p = *state;
    const wa_record_t *good = message_make("a body", "[image]", p);
    int at, value;

    assert_int_equal(((const char *)good)[FLAG_AT], 0);
    for (at = 0; at < LENGTHS_BYTES; at++) {
        for (value = 0; value < 256; value++) {
            wa_record_t *r = exact(good);
            const char *end = (const char *)r + r->length;
            wa_record_message_t m;

            ((unsigned char *)r)[sizeof(*r) + (size_t)at] = (unsigned char)value;
            if (wa_record_message_read(r, &m) == APR_SUCCESS) {
                assert_true(m.body.len == 0 || m.body.ptr + m.body.len <= end);
                assert_true(m.preview.len == 0 || m.preview.ptr + m.preview.len <= end);
                assert_true(m.delivery.len == 0 || m.delivery.ptr + m.delivery.len <= end);
            }
            free(r);
        }
    }
}

static int setup(void **state)
{
    apr_pool_t *p;

    assert_int_equal(apr_pool_create(&p, NULL), APR_SUCCESS);
    *state = p;
    return 0;
}

static int teardown(void **state)
{
    apr_pool_destroy(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_preview_ends_with_its_body, setup, teardown),
        cmocka_unit_test_setup_teardown(no_length_leads_out, setup, teardown),
    };

    apr_initialize();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
