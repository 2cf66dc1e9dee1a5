/* SPDX-License-Identifier: Apache-2.0 */
/* What belongs to a message beside its text: written, read, and not believed where it is
 * damaged. */
#include "test_messaging.h"

static const wa_media_t media[] = {{"https://x.test/a", "image/png", 0},
                                   {"https://x.test/b", "", 7}};

static wa_slice_t attributes_of(int is_at_twilio, apr_pool_t *p)
{
    const wa_form_field_t fields[] = {
        {WA_SLICE_LITERAL("ProfileName"), WA_SLICE_LITERAL("Ana\xff")},
        {WA_SLICE_LITERAL("a\0b=&"), WA_SLICE_LITERAL("")},
        {WA_SLICE_LITERAL("ProfileName"), WA_SLICE_LITERAL("second")},
        {WA_SLICE_LITERAL(""), WA_SLICE_LITERAL("x")}};
    const wa_attributes_t attributes = {.media = media,
                                        .media_count = COUNT(media),
                                        .media_is_at_twilio = is_at_twilio,
                                        .content_sid = "HX1",
                                        .fields = fields,
                                        .field_count = COUNT(fields)};
    wa_slice_t bytes;

    assert_int_equal(wa_attributes_write(&attributes, &bytes, p), APR_SUCCESS);
    return bytes;
}

static void test_what_is_written_is_read(void **state)
{
    wa_slice_t bytes = attributes_of(1, *state), value;
    wa_attribute_t one;

    assert_int_equal(wa_attributes_media(bytes, 0, &one), WA_ATTRIBUTE_MEDIA);
    assert_string_equal(text_of(one.url, *state), "https://x.test/a");
    assert_string_equal(text_of(one.content_type, *state), "image/png");
    assert_int_equal(wa_attributes_media(bytes, 1, &one), WA_ATTRIBUTE_MEDIA);
    assert_string_equal(text_of(one.url, *state), "https://x.test/b");
    assert_int_equal(one.content_type.len, 0);
    assert_int_equal(wa_attributes_media(bytes, 2, &one), WA_ATTRIBUTE_NONE);
    assert_int_equal(wa_attributes_media(attributes_of(0, *state), 1, &one), WA_ATTRIBUTE_LINK);
    assert_string_equal(text_of(wa_attributes_content_sid(bytes), *state), "HX1");
    assert_int_equal(wa_attributes_field(bytes, "ProfileName", &value), 1);
    assert_true(wa_slice_is_equal(value, WA_SLICE_LITERAL("Ana\xff")));
    assert_int_equal(wa_attributes_field(bytes, "", &value), 1);
    assert_int_equal(wa_attributes_field(bytes, "Profile", &value), 0);
    assert_int_equal(value.len, 0);
}

static void test_fields_keep_their_order_and_bytes(void **state)
{
    wa_slice_t rest = attributes_of(1, *state), form;
    wa_attribute_t one;
    wa_attribute_e kind;
    wa_buffer_t b;

    wa_buffer_init(&b, 0);
    while ((kind = wa_attributes_next(&rest, &one)) != WA_ATTRIBUTE_NONE) {
        if (kind == WA_ATTRIBUTE_FIELD) {
            wa_form_add(&b, one.field.name, one.field.value);
        }
    }
    assert_int_equal(wa_buffer_slice(&b, &form, *state), APR_SUCCESS);
    assert_string_equal(text_of(form, *state),
                        "ProfileName=Ana%FF&a%00b%3D%26=&ProfileName=second&=x");
}

static void test_nothing_takes_no_room(void **state)
{
    const wa_attributes_t none = {0};
    wa_slice_t bytes;

    assert_int_equal(wa_attributes_write(&none, &bytes, *state), APR_SUCCESS);
    assert_int_equal(bytes.len, 0);
    assert_int_equal(wa_attributes_content_sid(bytes).len, 0);
}

/* Cut at every byte, and every byte changed: nothing outside is read, and walking ends. */
static void test_damage(void **state)
{
    const wa_slice_t whole = attributes_of(1, *state);
    size_t len, i;

    for (len = 0; len <= whole.len; len++) {
        for (i = 0; i <= len; i++) {
            char *copy = exact_copy(whole.ptr, len);
            wa_slice_t rest = wa_slice_make(copy, len);
            wa_attribute_t one;

            if (i < len) {
                copy[i] ^= (char)0xff;
            }
            while (wa_attributes_next(&rest, &one) != WA_ATTRIBUTE_NONE) {
            }
            assert_int_equal(rest.len, 0);
            free(copy);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_TEST(test_what_is_written_is_read),
        POOL_TEST(test_fields_keep_their_order_and_bytes),
        POOL_TEST(test_nothing_takes_no_room),
        POOL_TEST(test_damage),
    };

    return cmocka_run_group_tests(tests, apr_setup, apr_teardown);
}
