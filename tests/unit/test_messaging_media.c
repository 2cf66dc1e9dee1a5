/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of attachments: which message has which, what a copy is called, and where they are
 * fetched. */
#include "test_messaging.h"

#include "messaging/receive/media.h"
#include "messaging/receive/receive.h"

#define HEAD                                   \
    "MessageSid=" SID_1 "&AccountSid=" OUR_SID \
    "&From=whatsapp%3A%2B15551230001&To=whatsapp%3A%2B14155238886"
#define URL "https%3A%2F%2Fapi.twilio.com%2FME1"

/* Stands in for twilio/media.c, which is not linked. */
static struct {
    int calls;
    const char *url;
    apr_int64_t max_bytes;
    apr_status_t rv;
} twilio;

apr_status_t wa_twilio_media_fetch(wa_twilio_client_t *client,
                                   const wa_twilio_media_request_t *request,
                                   const wa_twilio_sink_t *sink, apr_pool_t *tmp)
{
    (void)client;
    (void)sink;
    (void)tmp;
    assert_string_equal(request->account->sid, OUR_SID);
    assert_true(wa_secret_is_equal(request->account->secret, OUR_TOKEN, strlen(OUR_TOKEN)));
    twilio.calls++;
    twilio.url = request->url;
    twilio.max_bytes = request->max_bytes;
    return twilio.rv;
}

/* Receives a message and gives its id. */
static const char *received(world_t *world, const char *fields)
{
    wa_sentence_t sentence;

    assert_int_equal(wa_receive(&world->messenger,
                                form_of(apr_pstrcat(world->p, HEAD, fields, NULL), world->p),
                                &sentence, world->p),
                     APR_SUCCESS);
    return text_of(fake_store_newest(world->fake)->m.id, world->p);
}

static void test_each_attachment_is_found_by_its_number(void **state)
{
    world_t world;
    wa_media_place_t place;
    const char *id;

    world_init(&world, *state);
    id =
        received(&world, "&MediaUrl0=https%3A%2F%2Fx.test%2Fa%3Fb%3Dc&MediaContentType0=image%2Fpng"
                         "&MediaUrl1=javascript%3Ax&MediaUrl2=https%3A%2F%2Fx.test%2Fb");
    assert_int_equal(wa_media_find(&world.messenger, id, 0, &place, world.p), APR_SUCCESS);
    assert_string_equal(place.url, "https://x.test/a?b=c");
    assert_string_equal(place.name, apr_psprintf(world.p, "whatsapp-%.8s-0", id));
    assert_int_equal(place.is_named, 0);
    assert_int_equal(wa_media_find(&world.messenger, id, 1, &place, world.p), APR_SUCCESS);
    assert_string_equal(place.url, "https://x.test/b");
    assert_int_equal(wa_media_find(&world.messenger, id, 2, &place, world.p), APR_NOTFOUND);
    assert_int_equal(wa_media_find(&world.messenger, id, 99, &place, world.p), APR_NOTFOUND);
}

static void test_other_messages_have_none(void **state)
{
    static const char *const ids[] = {
        "",          "..",
        "idem:x",    "no-such-id",
        SID_1,       "a/b",
        "x\xC3\xA9", "12345678901234567890123456789012345678901234567890123456789012345"};
    static const wa_media_t link = {URL, "image/png", 0};
    const wa_attributes_t attributes = {.media = &link, .media_count = 1};
    wa_message_new_t sent = {
        .id = "sent-1", .counterpart = "+15551230001", .direction = WA_DIRECTION_SENT};
    wa_media_place_t place;
    wa_message_t stored;
    world_t world;
    size_t i;

    world_init(&world, *state);
    received(&world, "&MediaUrl0=" URL);
    for (i = 0; i < COUNT(ids); i++) {
        assert_int_equal(wa_media_find(&world.messenger, ids[i], 0, &place, world.p), APR_NOTFOUND);
    }
    assert_int_equal(wa_attributes_write(&attributes, &sent.attributes, world.p), APR_SUCCESS);
    assert_int_equal(wa_store_message_add(world.messenger.store, &sent, &stored, world.p),
                     APR_SUCCESS);
    assert_int_equal(wa_media_find(&world.messenger, "sent-1", 0, &place, world.p), APR_NOTFOUND);
}

static void test_a_document_is_called_as_it_was_sent(void **state)
{
    static const struct {
        const char *type, *body, *name;
    } cases[] = {
        {"application%2Fpdf", "Offer+2026.pdf", "Offer 2026.pdf"},
        {"application%2Fpdf", "..%2F..%2Fetc%2Fpasswd", "_.._etc_passwd"},
        {"application%2Fpdf", "..hidden", "hidden"},
        {"application%2Fpdf", "a%22%3B+x%3D%5Cb%09%7F.pdf", "a__ x=_b__.pdf"},
        {"application%2Fpdf", "M%C3%BCller+%F0%9F%91%8B.pdf", "M\xC3\xBCller \xF0\x9F\x91\x8B.pdf"},
        {"application%2Fpdf", "a%E2%80%AEfdp.exe", "a_fdp.exe"},
        {"application%2Fpdf", "a%C2%85%E2%81%A6b%EF%BB%BF", "a__b_"},
        {"application%2Fpdf", "%FF.pdf", "\xEF\xBF\xBD.pdf"},
        {"application%2Fpdf", "a%C2%ADb%E1%A0%8Ec%F3%A0%81%81.pdf", "a_b_c_.pdf"},
        {"application%2Fpdf", "%E2%9D%A4%EF%B8%8F.pdf", "\xE2\x9D\xA4\xEF\xB8\x8F.pdf"},
        {"application%2Fpdf", "two%0Alines", NULL},
        {"application%2Fpdf", "", NULL},
        {"application%2Fpdf", "...", NULL},
        {"image%2Fpng", "a+caption", NULL},
        {"VIDEO%2Fmp4", "a+caption", NULL},
    };
    size_t i;

    for (i = 0; i < COUNT(cases); i++) {
        wa_media_place_t place;
        world_t world;
        const char *id;

        world_init(&world, *state);
        id = received(&world, apr_pstrcat(world.p, "&MediaUrl0=" URL "&MediaContentType0=",
                                          cases[i].type, "&Body=", cases[i].body, NULL));
        assert_int_equal(wa_media_find(&world.messenger, id, 0, &place, world.p), APR_SUCCESS);
        assert_int_equal(place.is_named, cases[i].name != NULL);
        assert_string_equal(place.name, cases[i].name
                                            ? cases[i].name
                                            : apr_psprintf(world.p, "whatsapp-%.8s-0", id));
    }
}

static void test_it_is_fetched_with_the_account_within_the_limits(void **state)
{
    const wa_media_place_t place = {.url = "https://api.twilio.com/ME1", .name = "x"};
    const wa_twilio_sink_t sink = {NULL, NULL, NULL};
    world_t world;
    int is_busy;

    world_init(&world, *state);
    memset(&twilio, 0, sizeof(twilio));
    twilio.rv = APR_EACCES;
    world.messenger.max_sends = 1;
    assert_int_equal(wa_media_fetch(&world.messenger, &place, &sink, &is_busy, world.p),
                     APR_EACCES);
    assert_int_equal(is_busy, 0);
    assert_string_equal(twilio.url, place.url);
    assert_int_equal(twilio.max_bytes, 32 * 1024 * 1024);
    assert_int_equal(world.messenger.sends_in_flight, 0);
    world.messenger.sends_in_flight = 1;
    assert_int_equal(wa_media_fetch(&world.messenger, &place, &sink, &is_busy, world.p),
                     APR_TIMEUP);
    assert_int_equal(is_busy, 1);
    assert_int_equal(twilio.calls, 1);
    assert_int_equal(world.messenger.sends_in_flight, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_TEST(test_each_attachment_is_found_by_its_number),
        POOL_TEST(test_other_messages_have_none),
        POOL_TEST(test_a_document_is_called_as_it_was_sent),
        POOL_TEST(test_it_is_fetched_with_the_account_within_the_limits),
    };

    return cmocka_run_group_tests(tests, apr_setup, apr_teardown);
}
