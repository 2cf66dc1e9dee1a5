/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of addresses of attachments: which are taken, what becomes of them, and what is said of the
 * others. */
#include "test_base.h"

#include <apr_strings.h>

#include "messaging/message/media_type.h"
#include "messaging/message/media_url.h"

static const char *taken(const char *typed, apr_pool_t *p)
{
    const char *text, *flaw;
    wa_url_t url;

    if (wa_media_url_check(wa_slice_of(typed), &text, &url, &flaw, p) != APR_SUCCESS) {
        assert_null(text);
        return flaw;
    }
    assert_null(flaw);
    return text;
}

static void test_what_is_taken(void **state)
{
    static const char *const cases[][2] = {
        {"https://my_files.s3.example.org/a_b.jpg", NULL},
        {"https://_dmarc.x.test/a", NULL},
        {"https://a_/b", NULL},
        {"HTTPS://X.test:8443/a?b=c%20d&e=%2F+f#g", NULL},
        {"https://[2001:db8::1]/a.png", NULL},
        {"https://192.0.2.1/a.png", NULL},
        {"https://x.test./a", NULL},
        {"https://x.test", NULL},
        {"https://x.test/[a](b)!$&'*,;=:@~", NULL},
        {"https://x.test/my file.pdf", "https://x.test/my%20file.pdf"},
        {"https://x.test/a?b=c d#e f", "https://x.test/a?b=c%20d#e%20f"},
        {"https://x.test/caf\xC3\xA9.jpg", "https://x.test/caf%C3%A9.jpg"},
        {"https://x.test/cafe\xCC\x81.jpg", "https://x.test/cafe%CC%81.jpg"},
        {"https://x.test/3.04\xE2\x80\xAFPM.png", "https://x.test/3.04%E2%80%AFPM.png"},
        {"https://x.test/\xF0\x9F\x91\xA9\xE2\x80\x8D\xF0\x9F\x9A\x80",
         "https://x.test/%F0%9F%91%A9%E2%80%8D%F0%9F%9A%80"},
        {"https://x.test/\xE2\x9D\xA4\xEF\xB8\x8F", "https://x.test/%E2%9D%A4%EF%B8%8F"},
    };
    size_t i;

    for (i = 0; i < COUNT(cases); i++) {
        assert_string_equal(taken(cases[i][0], *state), cases[i][1] ? cases[i][1] : cases[i][0]);
    }
}

static void test_what_is_said_of_the_others(void **state)
{
    static const char *const cases[][2] = {
        {"", " must be an address that begins with https://"},
        {"http://x.test/a", " must be an address that begins with https://"},
        {" https://x.test/a", " must be an address that begins with https://"},
        {"x.test/a", " must be an address that begins with https://"},
        {"https:/x.test/a", " must be an address that begins with https://"},
        {"https://x.test/a ", " must not end with white space"},
        {"https://x.test/a\n", " must not end with white space"},
        {"https://x.test/a\xC2\xA0", " must not end with white space"},
        {"https://x.test/\xFF", " must be valid text without NUL characters"},
        {"https://u@x.test/a", " must have no user name or password"},
        {"https://u:p@x.test/a", " must have no user name or password"},
        {"https://u@v@x.test/a", " must have no user name or password"},
        {"https://", ": the host name is missing"},
        {"https:///a", ": the host name is missing"},
        {"https://?a", ": the host name is missing"},
        {"https://:443/", ": the host name is missing"},
        {"https://x.test:/a", ": the port must be a number from 1 to 65535"},
        {"https://x.test:0/a", ": the port must be a number from 1 to 65535"},
        {"https://x.test:70000/a", ": the port must be a number from 1 to 65535"},
        {"https://x.test:4x/a", ": the port must be a number from 1 to 65535"},
        {"https://[::1/a", ": what stands in [] must be an IPv6 address, and only a port may stand"
                           " behind it"},
        {"https://x!y.test/", ": character 10, U+0021 (!), may not stand in a host name"},
        {"https://x y.test/", ": character 10, U+0020 (a space), may not stand in a host name"},
        {"https://x.test\\@evil.test/",
         ": character 15, U+005C (\\), may not stand in a host name"},
        {"https://x%41.test/", ": character 10, U+0025 (%), may not stand in a host name"},
        {"https://m\xC3\xBCn.test/",
         ": character 10, U+00FC, may not stand in a host name; write the name in its ASCII form,"
         " which begins with xn--"},
        {"https://x.test/\xC3\xA9\"", ": character 17, U+0022 (\"), may not stand in an address"},
        {"https://x.test/a|b", ": character 17, U+007C (|), may not stand in an address"},
        {"https://x.test/a\tb", ": character 17, U+0009, may not stand in an address"},
        {"https://x.test/a\xE2\x80\x8B"
         "b",
         ": character 17, U+200B, may not stand in an address"},
        {"https://x.test/a\xE2\x80\xAA"
         "b",
         ": character 17, U+202A, may not stand in an address"},
        {"https://x.test/a\xEF\xBB\xBF"
         "b",
         ": character 17, U+FEFF, may not stand in an address"},
        {"https://x.test/a\xC2\x85"
         "b",
         ": character 17, U+0085, may not stand in an address"},
        {"https://x.test/%zz", ": behind the % at character 16 two hexadecimal digits are missing"},
        {"https://x.test/50%", ": behind the % at character 18 two hexadecimal digits are missing"},
    };
    static const char *const hosts[] = {"https://2130706433/", "https://x..test/", "https://-x/",
                                        "https://.test/", "https://1.2.3.4.5/"};
    size_t i;

    for (i = 0; i < COUNT(cases); i++) {
        assert_string_equal(taken(cases[i][0], *state), cases[i][1]);
    }
    for (i = 0; i < COUNT(hosts); i++) {
        assert_memory_equal(taken(hosts[i], *state), ": the host must be a name", 25);
    }
}

static void test_length(void **state)
{
    char text[WA_MEDIA_URL_BYTES_MAX + 2];

    memset(text, 'a', sizeof(text));
    memcpy(text, "https://x.test/", 15);
    text[WA_MEDIA_URL_BYTES_MAX] = '\0';
    assert_string_equal(taken(text, *state), text);
    text[WA_MEDIA_URL_BYTES_MAX] = 'a';
    text[WA_MEDIA_URL_BYTES_MAX + 1] = '\0';
    assert_memory_equal(taken(text, *state), " must have at most 4000 characters", 34);
    /* as Twilio gets it */
    text[WA_MEDIA_URL_BYTES_MAX - 1] = '\0';
    text[20] = ' ';
    assert_memory_equal(taken(text, *state), " must have at most 4000 characters", 34);
}

static void test_types(void **state)
{
    static const char *const cases[][2] = {
        {"/a.jpg", "image/jpeg"},
        {"/a.b.JPEG", "image/jpeg"},
        {"/a%2epng", "image/png"},
        {"/a.png%3Fx", "application/octet-stream"},
        {"/a.%6Fpus", "audio/ogg"},
        {"/a.docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
        {"/a.xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
        {"/a.pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"},
        {"/a.vcf", "text/vcard"},
        {"/a.txt", "text/plain"},
        {"/jpg", "application/octet-stream"},
        {"/a.jpg/", "application/octet-stream"},
        {"/a.exe", "application/octet-stream"},
        {"", "application/octet-stream"},
    };
    size_t i;

    for (i = 0; i < COUNT(cases); i++) {
        assert_string_equal(wa_media_type_of_path(cases[i][0], *state), cases[i][1]);
    }
    assert_true(wa_media_type_has_caption(WA_SLICE_LITERAL("video/mp4")));
    assert_false(wa_media_type_has_caption(WA_SLICE_LITERAL("image/webp")));
    assert_false(wa_media_type_has_caption(WA_SLICE_LITERAL("image/heic")));
    assert_false(wa_media_type_has_caption(wa_slice_make(NULL, 0)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_TEST(test_what_is_taken),
        POOL_TEST(test_what_is_said_of_the_others),
        POOL_TEST(test_length),
        POOL_TEST(test_types),
    };

    return cmocka_run_group_tests(tests, apr_setup, apr_teardown);
}
