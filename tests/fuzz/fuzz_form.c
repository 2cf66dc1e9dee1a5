/* SPDX-License-Identifier: Apache-2.0 */
/* Any form body: fields within bounds, and the same fields again from what they encode to. */
#include "fuzz.h"

#include "base/buffer.h"
#include "base/form.h"

#define FIELDS_MAX 64

/* Encodes every byte, so that a second parse must give the first one's fields. */
static void add_encoded(wa_buffer_t *b, wa_slice_t s)
{
    apr_size_t i;

    for (i = 0; i < s.len; i++) {
        char text[4];

        (void)snprintf(text, sizeof(text), "%%%02x", (unsigned char)s.ptr[i]);
        wa_buffer_add(b, text, 3);
    }
}

static void check_again(const wa_form_t *form, apr_pool_t *p)
{
    wa_form_t *again = NULL;
    wa_buffer_t b;
    apr_size_t i;

    wa_buffer_init(&b, 0);
    for (i = 0; i < form->count; i++) {
        add_encoded(&b, form->fields[i].name);
        WA_BUFFER_ADD_LITERAL(&b, "=");
        add_encoded(&b, form->fields[i].value);
        WA_BUFFER_ADD_LITERAL(&b, "&");
    }
    FUZZ_CHECK(!b.failed);
    FUZZ_CHECK(wa_form_parse(&again, b.data, b.len, FIELDS_MAX, p) == APR_SUCCESS);
    FUZZ_CHECK(again->count == form->count);
    for (i = 0; i < form->count; i++) {
        FUZZ_CHECK(wa_slice_is_equal(again->fields[i].name, form->fields[i].name));
        FUZZ_CHECK(wa_slice_is_equal(again->fields[i].value, form->fields[i].value));
    }
    wa_buffer_release(&b);
}

static void check_form(const wa_form_t *form, size_t size, apr_pool_t *p)
{
    apr_size_t i, total = 0;
    wa_slice_t value;

    FUZZ_CHECK(form->count <= FIELDS_MAX);
    for (i = 0; i < form->count; i++) {
        total += form->fields[i].name.len + form->fields[i].value.len;
    }
    FUZZ_CHECK(total <= size);
    if (wa_form_get(form, "Body", &value)) {
        const char *text = wa_form_string(form, "Body", p);

        FUZZ_CHECK((text == NULL) == (value.len > 0 && memchr(value.ptr, 0, value.len) != NULL));
        FUZZ_CHECK(text == NULL || strlen(text) == value.len);
    } else {
        FUZZ_CHECK(wa_form_string(form, "Body", p) == NULL);
    }
    check_again(form, p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *body = fuzz_copy(data, size);
    apr_pool_t *p = fuzz_pool();
    wa_form_t *form = NULL;
    apr_status_t rv = wa_form_parse(&form, body, size, FIELDS_MAX, p);

    FUZZ_CHECK(rv == APR_SUCCESS || rv == APR_ENOSPC);
    FUZZ_CHECK((form != NULL) == (rv == APR_SUCCESS));
    if (form != NULL) {
        check_form(form, size, p);
    }
    apr_pool_destroy(p);
    free(body);
    return 0;
}
