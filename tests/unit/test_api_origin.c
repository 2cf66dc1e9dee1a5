/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of what a browser says of the page that asks: the table in origin.h, and odd origins. */
#include "api_support.h"

#include "api/origin.h"

#define PUBLIC "https://chat.example.org"

static int is_foreign(api_t *api, const char *host, const char *site, const char *origin,
                      const char *public_url)
{
    const api_ask_t ask = {.method = "POST", .target = "/"};
    request_rec *r = api_request_begin(api, &ask);
    int result;

    if (host) {
        apr_table_add(r->headers_in, "Host", host);
    }
    if (site) {
        apr_table_add(r->headers_in, "Sec-Fetch-Site", site);
    }
    if (origin) {
        apr_table_add(r->headers_in, "Origin", origin);
    }
    result = wa_origin_is_foreign(r, public_url);
    apr_pool_destroy(r->pool);
    return result;
}

static void test_each_row_of_the_table(void **state)
{
    static const char ours[] = "http://chat.lan", other[] = "https://evil.example";
    static const struct {
        const char *site, *origin;
        int is_foreign;
    } rows[] = {
        {NULL, NULL, 0},
        {"same-origin", NULL, 0},
        {"same-origin", ours, 0},
        {"same-origin", other, 0}, /* the browser compared; Host may be a proxy's */
        {"same-origin", "null", 1},
        {"same-origin", "", 1},
        {"none", NULL, 0},
        {"none", ours, 0},
        {"none", other, 1},
        {"none", "null", 1},
        {"same-site", NULL, 1},
        {"same-site", ours, 0},
        {"same-site", other, 1},
        {NULL, ours, 0},
        {NULL, other, 1},
        {NULL, "null", 1},
        {NULL, "", 1},
        {"cross-site", NULL, 1},
        {"cross-site", ours, 1},
        {"cross-site", PUBLIC, 1},
        {"", NULL, 1},
        {"", ours, 1},
        {"Same-Origin", NULL, 1},
        {"same-origin ", NULL, 1},
        {"same-origin, same-origin", NULL, 1}, /* a header twice, as httpd joins it */
        {"same-origin, cross-site", NULL, 1},
        {"something-new", ours, 1},
    };
    api_t api;
    size_t i;

    api_init(&api, *state);
    for (i = 0; i < COUNT(rows); i++) {
        if (is_foreign(&api, "chat.lan", rows[i].site, rows[i].origin, PUBLIC)
            != rows[i].is_foreign) {
            fail_msg("%s, %s", rows[i].site, rows[i].origin);
        }
    }
}

static void test_what_is_the_same_place(void **state)
{
    static const struct {
        const char *host, *origin, *public_url;
        int is_ours;
    } cases[] = {
        {"chat.lan", "http://chat.lan", NULL, 1},
        {"chat.lan", "https://chat.lan", NULL, 1}, /* a proxy may end TLS */
        {"CHAT.lan", "HTTP://chat.LAN", NULL, 1},
        {"chat.lan:80", "http://chat.lan", NULL, 1},
        {"chat.lan", "http://chat.lan:80", NULL, 1},
        {"chat.lan:443", "https://chat.lan", NULL, 1},
        {"chat.lan", "https://chat.lan:443", NULL, 1},
        {"chat.lan:8080", "http://chat.lan:8080", NULL, 1},
        {"chat.lan:65535", "http://chat.lan:65535", NULL, 1},
        {"[::1]:8080", "http://[::1]:8080", NULL, 1},
        {"[fe80::1]", "http://[FE80::1]", NULL, 1},
        {"my_host", "http://my_host", NULL, 1},
        {"chat.lan:80", "https://chat.lan", NULL, 0},
        {"chat.lan:443", "http://chat.lan", NULL, 0},
        {"chat.lan:8080", "http://chat.lan", NULL, 0},
        {"chat.lan", "http://chat.lan:8080", NULL, 0},
        {"chat.lan", "http://chat.lan.evil.example", NULL, 0},
        {"chat.lan", "http://xchat.lan", NULL, 0},
        {"chat.lan", "http://hat.lan", NULL, 0},
        {"chat.lan", "http://chat.la", NULL, 0},
        {"chat.lan", "http://chat.lan/", NULL, 0},
        {"chat.lan", "http://chat.lan?", NULL, 0},
        {"chat.lan", "http://chat.lan#", NULL, 0},
        {"chat.lan", "http://me@chat.lan", NULL, 0},
        {"chat.lan", "http://chat.lan http://chat.lan", NULL, 0},
        {"chat.lan", "http://chat.lan, http://chat.lan", NULL, 0}, /* a header twice */
        {"chat.lan", " http://chat.lan", NULL, 0},
        {"chat.lan", "ftp://chat.lan", NULL, 0},
        {"chat.lan", "//chat.lan", NULL, 0},
        {"chat.lan", "chat.lan", NULL, 0},
        {"chat.lan", "http://", NULL, 0},
        {"", "http://", NULL, 0},
        {"chat.lan:", "http://chat.lan:", NULL, 0},
        {"chat.lan:0", "http://chat.lan:0", NULL, 0},
        {"chat.lan:65536", "http://chat.lan:65536", NULL, 0},
        {"chat.lan:000080", "http://chat.lan:000080", NULL, 0},
        {"chat.lan:+80", "http://chat.lan:+80", NULL, 0},
        {"[::1", "http://[::1", NULL, 0},
        {"[]", "http://[]", NULL, 0},
        {"[::1]x", "http://[::1]x", NULL, 0},
        {"[x::1]", "http://[x::1]", NULL, 0},
        {NULL, "http://chat.lan", NULL, 0},
        {"", "http://chat.lan", NULL, 0},
        {"chat.lan, chat.lan", "http://chat.lan", NULL, 0},
        /* WhatsAppPublicURL: with its scheme */
        {"inside", "https://chat.example.org", PUBLIC, 1},
        {"inside", "https://CHAT.example.org:443", PUBLIC, 1},
        {NULL, "https://chat.example.org", PUBLIC, 1},
        {"inside", "https://chat.example.org", PUBLIC "/prefix", 1},
        {"inside", "https://chat.example.org:8443", PUBLIC ":8443/prefix", 1},
        {"inside", "http://chat.example.org:443", PUBLIC, 0},
        {"inside", "http://chat.example.org", PUBLIC, 0},
        {"inside", "https://chat.example.org:8443", PUBLIC, 0},
        {"inside", "https://chat.example.org", PUBLIC ":8443", 0},
        {"inside", "https://chat.example.com", PUBLIC, 0},
        {"inside", "https://chat.example.org", "chat.example.org", 0},
    };
    api_t api;
    size_t i;

    api_init(&api, *state);
    for (i = 0; i < COUNT(cases); i++) {
        if (is_foreign(&api, cases[i].host, NULL, cases[i].origin, cases[i].public_url)
            == cases[i].is_ours) {
            fail_msg("%s at %s, %s", cases[i].origin, cases[i].host, cases[i].public_url);
        }
    }
}

/* Over TLS a page that came without it is another one; what came with TLS is never less ours. */
static void test_a_page_without_tls_is_another_one_for_a_host_with_it(void **state)
{
    const api_ask_t ask = {.target = "/"};
    api_t api;
    request_rec *r;

    api_init(&api, *state);
    r = api_request_begin(&api, &ask);
    apr_table_setn(r->notes, "scheme", "https");
    apr_table_setn(r->headers_in, "Host", "chat.lan:80");
    apr_table_setn(r->headers_in, "Origin", "http://chat.lan");
    assert_true(wa_origin_is_foreign(r, NULL));
    apr_table_setn(r->headers_in, "Host", "chat.lan");
    apr_table_setn(r->headers_in, "Origin", "https://chat.lan");
    assert_false(wa_origin_is_foreign(r, NULL));
    apr_pool_destroy(r->pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_TEST(test_each_row_of_the_table),
        POOL_TEST(test_what_is_the_same_place),
        POOL_TEST(test_a_page_without_tls_is_another_one_for_a_host_with_it),
    };

    return cmocka_run_group_tests(tests, apr_setup, apr_teardown);
}
