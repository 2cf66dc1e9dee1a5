/* SPDX-License-Identifier: Apache-2.0 */
/* Any JSON body: taken exactly when jansson takes it and it is not too deep. */
#include "fuzz.h"

#include "base/json.h"

/* How deep the value nests; jansson itself bounds the recursion. */
static int depth_of(json_t *j)
{
    int deepest = 0;

    if (json_is_array(j)) {
        size_t i;

        for (i = 0; i < json_array_size(j); i++) {
            int depth = depth_of(json_array_get(j, i));

            deepest = depth > deepest ? depth : deepest;
        }
    } else if (json_is_object(j)) {
        const char *name;
        json_t *value;

        json_object_foreach(j, name, value)
        {
            int depth = depth_of(value);

            deepest = depth > deepest ? depth : deepest;
        }
    } else {
        return 0;
    }
    return deepest + 1;
}

static void check_sentence(const char *error)
{
    FUZZ_CHECK(error != NULL);
    FUZZ_CHECK(strncmp(error, "The body is not valid JSON: ", 28) == 0);
    for (; *error; error++) {
        FUZZ_CHECK(*error >= 0x20 && *error < 0x7f);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *body = fuzz_copy(data, size);
    apr_pool_t *p = fuzz_pool();
    const char *error = NULL;
    json_t *j = NULL;
    json_t *expected = size > 0 ? json_loadb(body, size, JSON_REJECT_DUPLICATES, NULL) : NULL;
    apr_status_t rv = wa_json_parse(&j, body, size, &error, p);

    FUZZ_CHECK(rv == APR_SUCCESS || rv == APR_EINVAL);
    FUZZ_CHECK((j != NULL) == (rv == APR_SUCCESS));
    if (rv == APR_SUCCESS) {
        FUZZ_CHECK(error == NULL);
        FUZZ_CHECK(expected != NULL && json_equal(j, expected));
        FUZZ_CHECK(depth_of(j) <= WA_JSON_DEPTH_MAX);
    } else {
        check_sentence(error);
        FUZZ_CHECK(expected == NULL || depth_of(expected) > WA_JSON_DEPTH_MAX);
    }
    json_decref(expected);
    apr_pool_destroy(p);
    free(body);
    return 0;
}
