/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the URL reader: RFC 3986's parts, hostile addresses, and that libcurl goes where it
 * says. */
#include "test_base.h"

#include <strings.h>

#include <apr_strings.h>
#include <curl/curl.h>

#include "base/url.h"

static int read_text(wa_url_t *url, const char *text, apr_pool_t *p)
{
    const size_t len = strlen(text);
    char *copy = exact_copy(text, len);
    const apr_status_t rv = wa_url_read(url, wa_slice_make(copy, len), p);

    free(copy);
    assert_true(rv == APR_SUCCESS || rv == APR_EINVAL);
    return rv == APR_SUCCESS;
}

typedef struct good_t {
    const char *text, *host;
    int is_https, port;
    const char *path, *query, *fragment, *front, *port_text;
} good_t;

static const good_t good[] = {
    {"http://h", "h", 0, 80, "", NULL, NULL, "http://h", ""},
    {"https://h.example", "h.example", 1, 443, "", NULL, NULL, "https://h.example", ""},
    {"HTTPS://API.Twilio.COM/Path", "api.twilio.com", 1, 443, "/Path", NULL, NULL,
     "HTTPS://API.Twilio.COM", ""},
    {"http://h.example:8042/over/there?name=ferret#nose", "h.example", 0, 8042, "/over/there",
     "name=ferret", "nose", "http://h.example", ":8042"}, /* RFC 3986, 3 */
    {"https://h.example:443", "h.example", 1, 443, "", NULL, NULL, "https://h.example", ":443"},
    {"https://h:1/", "h", 1, 1, "/", NULL, NULL, "https://h", ":1"},
    {"https://h:65535", "h", 1, 65535, "", NULL, NULL, "https://h", ":65535"},
    {"https://h:00080/", "h", 1, 80, "/", NULL, NULL, "https://h", ":00080"},
    {"https://h?a:/@b", "h", 1, 443, "", "a:/@b", NULL, "https://h", ""},
    {"https://h#a?b/@", "h", 1, 443, "", NULL, "a?b/@", "https://h", ""},
    {"https://h/?", "h", 1, 443, "/", "", NULL, "https://h", ""},
    {"https://h/#", "h", 1, 443, "/", NULL, "", "https://h", ""},
    {"https://h//a/../b;c=1,2/!$&'()*+", "h", 1, 443, "//a/../b;c=1,2/!$&'()*+", NULL, NULL,
     "https://h", ""},
    {"https://h/a%2Fb%20%00?q[1]=[2]", "h", 1, 443, "/a%2Fb%20%00", "q[1]=[2]", NULL, "https://h",
     ""},
    {"https://h/@evil:8/", "h", 1, 443, "/@evil:8/", NULL, NULL, "https://h", ""},
    {"https://xn--mnchen-3ya.example./", "xn--mnchen-3ya.example.", 1, 443, "/", NULL, NULL,
     "https://xn--mnchen-3ya.example.", ""},
    {"https://my_files.example/", "my_files.example", 1, 443, "/", NULL, NULL,
     "https://my_files.example", ""},
    {"http://192.0.2.16:80/", "192.0.2.16", 0, 80, "/", NULL, NULL, "http://192.0.2.16", ":80"},
    {"https://3com.example/", "3com.example", 1, 443, "/", NULL, NULL, "https://3com.example", ""},
    {"http://[2001:DB8::7]/c=GB?one", "2001:db8::7", 0, 80, "/c=GB", "one", NULL,
     "http://[2001:DB8::7]", ""}, /* RFC 3986, 1.1.2 */
    {"https://[::ffff:192.0.2.1]:8443", "::ffff:192.0.2.1", 1, 8443, "", NULL, NULL,
     "https://[::ffff:192.0.2.1]", ":8443"},
    {"https://ana:secret@h.example:9/x", "h.example", 1, 9, "/x", NULL, NULL, "https://h.example",
     ":9"},
    {"https://@h.example/", "h.example", 1, 443, "/", NULL, NULL, "https://h.example", ""},
};

static void assert_text(const char *got, const char *wanted)
{
    if (wanted) {
        assert_non_null(got);
        assert_string_equal(got, wanted);
    } else {
        assert_null(got);
    }
}

static void test_parts(void **state)
{
    size_t i;

    for (i = 0; i < COUNT(good); i++) {
        wa_url_t url;

        if (!read_text(&url, good[i].text, *state)) {
            fail_msg("%s is refused", good[i].text);
        }
        assert_string_equal(url.host, good[i].host);
        assert_int_equal(url.is_https, good[i].is_https);
        assert_int_equal(url.is_ipv6, strchr(good[i].host, ':') != NULL);
        assert_int_equal(url.port, good[i].port);
        assert_int_equal(url.has_user, strstr(good[i].text, "@h.example") != NULL);
        assert_string_equal(url.path, good[i].path);
        assert_text(url.query, good[i].query);
        assert_text(url.fragment, good[i].fragment);
        assert_string_equal(url.front, good[i].front);
        assert_string_equal(url.port_text, good[i].port_text);
    }
}

static void test_what_is_refused(void **state)
{
    static const char *const bad[] = {
        "", "/", "h", "h.example/x", "//h.example/", "relative", "https", "https:", "https:/",
        "https://", "https:///x", "https:h", "https:/h", "https://?", "https://#", "ftp://h",
        "javascript://h", "file:///etc/passwd", "httpss://h", "xhttp://h", " https://h",
        "https ://h",
        /* ports */
        "https://h:", "https://h:/", "https://:443", "https://h:0", "https://h:00000",
        "https://h:65536", "https://h:99999", "https://h:000080", "https://h:-1", "https://h:+1",
        "https://h:8a", "https://h:0x50", "https://h:80:80", "https://h:4294967376",
        "https://h:18446744073709551696", "https://h:%38",
        /* users */
        "https://@", "https://user@", "https://u@:80", "https://a@b@h", "https://a@h@",
        "https://u:p@/",
        /* what readers take for different things */
        "https://good.example\\@evil.example", "https:\\\\h", "https://h\\evil", "https://h\t",
        "https://h\n/", "https://h\r\nX: y", "https://h /", "https://h/a b", "https://h/\x01",
        "https://h/\x7f", "https://h/\xC3\xA9", "https://m\xC3\xBCnchen.example/",
        "https://\xEF\xBD\x88/", "https://h/\"", "https://h/<", "https://h/>", "https://h/^",
        "https://h/`", "https://h/{", "https://h/|", "https://h/}",
        /* escapes */
        "https://h/%", "https://h/%4", "https://h/%zz", "https://h/%%41", "https://h/%u0041",
        "https://h/%0", "https://%68/", "https://h%2eexample/", "https://h%00.example/",
        "https://h%2f@evil.example:1:2/",
        /* names */
        "https://.h/", "https://h../", "https://a..b/", "https://./", "https://-h/",
        "https://a.-b/", "https://h,b/", "https://a!b/", "https://a*b/", "https://h;b/",
        "https://h=b/",
        "https://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example/",
        /* numbers that are addresses to some */
        "https://127.1/", "https://2130706433/", "https://0x7f000001/", "https://0x7f.0.0.1/x",
        "https://0177.0.0.1/", "https://127.0.0.256/", "https://127.0.0.1./", "https://1.2.3.4.5/",
        "https://h.0x1/", "https://h.7/",
        /* IPv6 */
        "https://[", "https://[]/", "https://[::1", "https://::1/", "https://[::1]x/",
        "https://[::1]x:80/", "https://[:::1]/", "https://[::g]/", "https://[1::2::3]/",
        "https://[fe80::1%25eth0]/", "https://[v1.a]/", "https://[127.0.0.1]/", "https://[h]/",
        "https://[::1]:0/", "https://[::1]:65536/", "https://[::1]:/", "https://[::1]@h:b/",
        "https://x[::1]/", "https://[[::1]]/"};
    size_t i;

    for (i = 0; i < COUNT(bad); i++) {
        static const wa_url_t nothing;
        wa_url_t url;

        if (read_text(&url, bad[i], *state)) {
            fail_msg("%s is taken, for host %s", bad[i], url.host);
        }
        assert_memory_equal(&url, &nothing, sizeof(url));
    }
}

static void test_nul_and_lengths(void **state)
{
    const char with_nul[] = "https://h\0.evil.example/";
    char *label = apr_pstrcat(*state, "https://", NULL), *name;
    wa_url_t url;
    size_t i;

    assert_int_equal(wa_url_read(&url, wa_slice_make(with_nul, sizeof(with_nul) - 1), *state),
                     APR_EINVAL);
    assert_int_equal(wa_url_read(&url, wa_slice_make(NULL, 0), *state), APR_EINVAL);
    for (i = 0; i < 63; i++) {
        label = apr_pstrcat(*state, label, "a", NULL);
    }
    assert_true(read_text(&url, label, *state));
    assert_false(read_text(&url, apr_pstrcat(*state, label, "a", NULL), *state));
    name = apr_pstrcat(*state, label, ".", label + 8, ".", label + 8, ".", NULL);
    name = apr_pstrcat(*state, name, apr_pstrndup(*state, label + 8, 61), NULL);
    assert_int_equal(strlen(name), 8 + 253);
    assert_true(read_text(&url, name, *state));
    assert_true(read_text(&url, apr_pstrcat(*state, name, ".", NULL), *state));
    assert_false(read_text(&url, apr_pstrcat(*state, name, "a", NULL), *state));
}

static char *curl_part(CURLU *parsed, CURLUPart part, unsigned flags)
{
    char *text = NULL;

    return curl_url_get(parsed, part, &text, flags) == CURLUE_OK ? text : NULL;
}

/* What is decided about the parts would be worth nothing if libcurl connected to others. */
static void assert_libcurl_agrees(const wa_url_t *url, const char *text)
{
    CURLU *parsed = curl_url();
    char *scheme, *host, *port, *user, *bare;

    assert_non_null(parsed);
    if (curl_url_set(parsed, CURLUPART_URL, text, 0) != CURLUE_OK) {
        curl_url_cleanup(parsed); /* refused: it goes nowhere */
        return;
    }
    scheme = curl_part(parsed, CURLUPART_SCHEME, 0);
    host = curl_part(parsed, CURLUPART_HOST, 0);
    port = curl_part(parsed, CURLUPART_PORT, CURLU_DEFAULT_PORT);
    user = curl_part(parsed, CURLUPART_USER, 0);
    bare = *host == '[' ? strndup(host + 1, strlen(host) - 2) : strdup(host);
    if (strcasecmp(scheme, url->is_https ? "https" : "http") != 0 || atoi(port) != url->port
        || (user != NULL && !url->has_user)
        || (url->is_ipv6 ? *host != '[' : strcasecmp(bare, url->host) != 0)) {
        fail_msg("%s: host %s port %d to us, %s %s to libcurl", text, url->host, url->port, host,
                 port);
    }
    curl_free(scheme);
    curl_free(host);
    curl_free(port);
    curl_free(user);
    free(bare);
    curl_url_cleanup(parsed);
}

/* Addresses put together of pieces that readers have been at odds about. */
static void test_libcurl_goes_where_it_says(void **state)
{
    static const char *const pieces[] = {"https://",
                                         "http://",
                                         "http:",
                                         "//",
                                         "/",
                                         "\\",
                                         "@",
                                         ":",
                                         ":80",
                                         ":0",
                                         ":443",
                                         "?",
                                         "#",
                                         "[",
                                         "]",
                                         "[::1]",
                                         "%",
                                         "%40",
                                         "%2F",
                                         "%00",
                                         "good.example",
                                         "evil.example",
                                         "127.0.0.1",
                                         "0x7f",
                                         "1",
                                         ".",
                                         "..",
                                         "-",
                                         "_",
                                         "a:b",
                                         " ",
                                         "\t",
                                         "&",
                                         ";",
                                         "\xC3\xA9",
                                         "2130706433"};
    uint64_t seed = 7;
    size_t round, taken = 0;
    apr_pool_t *p;

    assert_int_equal(apr_pool_create(&p, *state), APR_SUCCESS);
    for (round = 0; round < COUNT(good); round++) {
        wa_url_t url;

        assert_true(read_text(&url, good[round].text, p));
        assert_libcurl_agrees(&url, good[round].text);
    }
    for (round = 0; round < 60000; round++) {
        size_t count = 1 + next_random(&seed) % 6;
        char text[128] = "";
        wa_url_t url;

        strcat(text, next_random(&seed) % 8 ? pieces[next_random(&seed) % 2] : "");
        while (count-- > 0) {
            strcat(text, pieces[next_random(&seed) % COUNT(pieces)]);
        }
        if (read_text(&url, text, p)) {
            assert_libcurl_agrees(&url, text);
            taken++;
        }
        apr_pool_clear(p);
    }
    assert_in_range(taken, 1000, 59000);
}

static void test_same_origin(void **state)
{
    static const struct {
        const char *a, *b;
        int is_same;
    } cases[] = {{"https://h/a", "HTTPS://H:443?x", 1}, {"http://h", "http://h:80/", 1},
                 {"http://h", "https://h", 0},          {"http://h:443", "https://h:443", 0},
                 {"https://h", "https://h:444", 0},     {"https://h", "https://g", 0},
                 {"https://h", "https://h.", 0},        {"https://[::1]", "https://[::1]:443/", 1}};
    wa_url_t a, b;
    size_t i;

    for (i = 0; i < COUNT(cases); i++) {
        assert_true(read_text(&a, cases[i].a, *state) && read_text(&b, cases[i].b, *state));
        assert_int_equal(wa_url_is_same_origin(&a, &b), cases[i].is_same);
    }
}

static void test_mending(void **state)
{
    static const char *const cases[][2] = {
        {"https://h/a b?c|d", "https://h/a%20b?c%7Cd"},
        {"https://h/%zz%41%", "https://h/%25zz%41%25"},
        {"https://h/\xC3\xA9\xFF\r\n\\", "https://h/%C3%A9%FF%0D%0A%5C"},
        {"https://h:80/a%2Fb?[x]#y~", "https://h:80/a%2Fb?[x]#y~"},
        {"https://good.example\\@h.example/", "https://good.example%5C@h.example/"},
        {"", ""}};
    const char nul[] = "https://h/\0x";
    wa_url_t url;
    size_t i;

    for (i = 0; i < COUNT(cases); i++) {
        const char *mended = wa_url_mend(wa_slice_of(cases[i][0]), *state);

        assert_string_equal(mended, cases[i][1]);
        assert_int_equal(read_text(&url, mended, *state), *mended != '\0');
        assert_string_equal(wa_url_mend(wa_slice_of(mended), *state), mended);
    }
    assert_string_equal(wa_url_mend(wa_slice_make(nul, sizeof(nul) - 1), *state), "https://h/%00x");
    /* a host is not mended into another one */
    assert_false(read_text(
        &url, wa_url_mend(WA_SLICE_LITERAL("https://m\xC3\xBCn.example/"), *state), *state));
}

static void test_bases(void **state)
{
    static const char *const cases[][2] = {{"https://h", "https://h"},
                                           {"https://h/", "https://h"},
                                           {"https://h/a/b//", "https://h/a/b"},
                                           {"http://[::1]:8/", "http://[::1]:8"},
                                           {"https://u@h.example", NULL},
                                           {"https://@h", NULL},
                                           {"https://h?", NULL},
                                           {"https://h/#", NULL},
                                           {"https://", NULL},
                                           {"", NULL}};
    size_t i;

    for (i = 0; i < COUNT(cases); i++) {
        wa_url_t url;

        assert_text(wa_url_base_read(&url, cases[i][0], *state), cases[i][1]);
        assert_int_equal(url.host != NULL, cases[i][1] != NULL);
    }
}

static void test_plain_paths(void **state)
{
    static const char *const yes[] = {
        "", "/", "/a/b", "/a..b", "/...", "/a//b", "/.well-known/x", "/%41", "/a%2E", "/%2e%2e%2e"};
    static const char *const no[] = {"..",     "/..",       "/../",      "/a/../b",
                                     "/.",     "/./a",      "/%2e%2E/x", "/.%2e/",
                                     "/a%2Fb", "/a/%2e%2e", "/%2e",      "/a%2f..%2fb"};
    size_t i;

    for (i = 0; i < COUNT(yes); i++) {
        assert_true(wa_url_path_is_plain(yes[i], *state));
    }
    for (i = 0; i < COUNT(no); i++) {
        assert_false(wa_url_path_is_plain(no[i], *state));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_TEST(test_parts),           POOL_TEST(test_what_is_refused),
        POOL_TEST(test_nul_and_lengths), POOL_TEST(test_libcurl_goes_where_it_says),
        POOL_TEST(test_same_origin),     POOL_TEST(test_mending),
        POOL_TEST(test_bases),           POOL_TEST(test_plain_paths),
    };

    return cmocka_run_group_tests(tests, apr_setup, apr_teardown);
}
