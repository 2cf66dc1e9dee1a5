/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of inbound messages: every kind becomes a message that can be read, none is lost. */
#include "test_messaging.h"

#include "base/text.h"
#include "messaging/receive/inbound_text.h"
#include "messaging/message/preview.h"
#include "messaging/receive/receive.h"
#include "messaging/message/validate.h"

#define FROM "&From=whatsapp%3A%2B15551230001&To=whatsapp%3A%2B14155238886"
#define PLACE "/api/whatsapp-messenger/messages/"
#define HEAD "MessageSid=" SID_1 "&AccountSid=" OUR_SID FROM

static apr_status_t receive(world_t *world, const char *body)
{
    wa_sentence_t sentence;
    apr_status_t rv = wa_receive(&world->messenger, form_of(body, world->p), &sentence, world->p);

    assert_int_equal(sentence != NULL, rv == APR_EINVAL);
    return rv;
}

/* The members of the one message that this webhook makes, after its id, which is "ID" elsewhere. */
static const char *members_of(apr_pool_t *p, const char *body)
{
    world_t world;
    const char *json, *id;
    char *found;

    world_init(&world, p);
    assert_int_equal(receive(&world, body), APR_SUCCESS);
    assert_int_equal(fake_store_count(world.fake), 1);
    json = json_of(&fake_store_newest(world.fake)->m, p);
    assert_memory_equal(json, "{\"id\":\"", 7);
    id = apr_pstrndup(p, json + 7, 36);
    json = apr_pstrndup(p, json + 7 + 36 + 2,
                        strlen(json) - (7 + 36 + 2) - strlen(strstr(json, ",\"timestamp\":")));
    while ((found = strstr(json, id)) != NULL) {
        *found = '\0';
        json = apr_pstrcat(p, json, "ID", found + 36, NULL);
    }
    return json;
}

/* The fields of its webhook that are kept, as a form. */
static const char *fields_of(const wa_message_t *m, apr_pool_t *p)
{
    wa_slice_t rest = m->attributes, form;
    wa_attribute_t one;
    wa_attribute_e kind;
    wa_buffer_t b;

    wa_buffer_init(&b, 0);
    while ((kind = wa_attributes_next(&rest, &one)) != WA_ATTRIBUTE_NONE) {
        if (kind == WA_ATTRIBUTE_FIELD) {
            wa_form_add(&b, one.field.name, one.field.value);
        }
    }
    assert_int_equal(wa_buffer_slice(&b, &form, p), APR_SUCCESS);
    return text_of(form, p);
}

static const char *body_of(apr_pool_t *p, const char *fields)
{
    const char *json = members_of(p, apr_pstrcat(p, HEAD, fields, NULL));
    const char *body = strstr(json, "\"body\":\"");
    const char *end;

    assert_non_null(body);
    body += 8;
    end = strstr(body, "\",\"sid\":");
    assert_non_null(end);
    return apr_pstrmemdup(p, body, (apr_size_t)(end - body));
}

static void test_a_text(void **state)
{
    world_t world;
    const fake_message_t *stored;

    world_init(&world, *state);
    assert_int_equal(receive(&world,
                             "Body=Hola+%F0%9F%91%8B+1%2B1%0A%22x%22&SmsStatus=received&" HEAD
                             "&ProfileName=Ana+G%C3%B3mez&NumMedia=0&ReferralNumMedia=0"),
                     APR_SUCCESS);
    stored = fake_store_newest(world.fake);
    assert_string_equal(
        json_of(&stored->m, world.p),
        apr_pstrcat(world.p, "{\"id\":\"", text_of(stored->m.id, world.p),
                    "\",\"direction\":\"received\",\"phoneNumber\":\"" OUR_NUMBER
                    "\",\"counterpart\":\"+15551230001\","
                    "\"body\":\"Hola \xF0\x9F\x91\x8B 1+1\\n\\\"x\\\"\",\"sid\":\"" SID_1
                    "\",\"timestamp\":1700000000001,\"unread\":true}",
                    NULL));
    assert_string_equal(stored->preview, "Hola \xF0\x9F\x91\x8B 1+1\n\"x\"");
    assert_string_equal(fields_of(&stored->m, world.p), "ProfileName=Ana%20G%C3%B3mez");
    assert_string_equal(text_of(stored->m.sid, world.p), SID_1);
    assert_int_equal(stored->m.status, WA_STATUS_NONE);
}

static void test_media(void **state)
{
    assert_string_equal(
        members_of(*state,
                   HEAD "&Body=caption&NumMedia=2&MediaUrl0=https%3A%2F%2Fx.test%2Fa"
                        "&MediaContentType0=image%2Fjpeg&MediaUrl1=https%3A%2F%2Fx.test%2Fb"),
        "\"direction\":\"received\",\"phoneNumber\":\"" OUR_NUMBER
        "\",\"counterpart\":\"+15551230001\",\"body\":\"caption\",\"sid\":\"" SID_1
        "\",\"media\":[{\"url\":\"" PLACE "ID/media/0\",\"contentType\":\"image/jpeg\"},"
        "{\"url\":\"" PLACE "ID/media/1\",\"contentType\":\"application/octet-stream\"}]");
}

static void test_media_addresses_that_are_none(void **state)
{
    static const struct {
        const char *form, *media, *preview;
    } announced[] = {
        {"&Body=x&NumMedia=2",
         "\"media\":[{\"missing\":true,\"awaited\":true},"
         "{\"missing\":true,\"awaited\":true}]",
         "x"},
        {"&Body=&NumMedia=1",
         "\"body\":\"\",\"sid\":\"" SID_1 "\",\"media\":[{\"missing\":true,"
         "\"awaited\":true}]",
         "[attachment]"},
        {"&Body=x&NumMedia=1&MediaUrl0=https%3A%2F%2Fx.test%2Fa",
         "\"media\":[{\"url\":\"" PLACE "ID/media/0\",\"contentType\":"
         "\"application/octet-stream\"}]",
         "x"},
    };
    static const char *const none[] = {"&NumMedia=0", "&NumMedia=-1", "&NumMedia=x", "&NumMedia="};
    size_t i;
    const char *json = members_of(*state, HEAD "&Body=x&MediaUrl0=javascript%3Aalert(1)"
                                               "&MediaUrl1=HTTPS%3A%2F%2Fx.test%2F%FF"
                                               "&MediaContentType1=image%2Fpng");

    assert_non_null(strstr(json, "\"media\":[{\"url\":\"" PLACE "ID/media/0\","
                                 "\"contentType\":\"image/png\"}]"));
    for (i = 0; i < COUNT(announced); i++) {
        const char *form = apr_pstrcat(*state, HEAD "&DateSent=x", announced[i].form, NULL);
        world_t world;

        assert_non_null(strstr(members_of(*state, form), announced[i].media));
        world_init(&world, *state);
        assert_int_equal(receive(&world, form), APR_SUCCESS);
        assert_string_equal(fake_store_newest(world.fake)->preview, announced[i].preview);
    }
    assert_null(strstr(members_of(*state, HEAD "&Body=x&NumMedia=3"), "media"));
    for (i = 0; i < COUNT(none); i++) {
        const char *form = apr_pstrcat(*state, HEAD "&DateSent=x&Body=x", none[i], NULL);

        assert_null(strstr(members_of(*state, form), "media"));
    }
    json = members_of(*state, HEAD "&DateSent=x&Body=x&NumMedia=2147483647");
    for (i = 0; (json = strstr(json, "\"missing\"")) != NULL; i++) {
        json++;
    }
    assert_int_equal(i, 10);
}

static void test_very_many_media(void **state)
{
    const char *body = HEAD "&Body=x";
    const char *json;
    int i;

    for (i = 0; i < 100; i++) {
        body = apr_psprintf(*state, "%s&MediaUrl%d=https%%3A%%2F%%2Fx.test%%2F%d", body, i, i);
    }
    json = members_of(*state, body);
    assert_non_null(strstr(json, "/media/31\""));
    assert_null(strstr(json, "/media/32\""));
    assert_null(strstr(json, "x.test")); /* Twilio's addresses are for no client */
}

static void test_previews_of_media_without_a_caption(void **state)
{
    static const struct {
        const char *type, *preview;
    } cases[] = {{"image/png", "[image]"},     {"audio/ogg", "[audio]"},
                 {"video/mp4", "[video]"},     {"application/pdf", "[document]"},
                 {"imagery", "[document]"},    {"\"<script>", "[document]"},
                 {"text/vcard", "[contacts]"}, {"text/x-vcard", "[contacts]"},
                 {"text/plain", "[document]"}};
    size_t i;

    for (i = 0; i < COUNT(cases); i++) {
        wa_slice_t preview = wa_preview_make(wa_slice_of(""), cases[i].type);

        assert_string_equal(text_of(preview, *state), cases[i].preview);
    }
}

static void test_bodies(void **state)
{
    static const struct {
        const char *fields, *body;
    } cases[] = {
        {"&Body=+two+lines%0D%0A+&x=1", " two lines\\r\\n "},
        {"&Body=", "[empty message]"},
        {"", "[empty message]"},
        {"&Body=&MessageType=text", "[empty message]"},
        {"&Body=&MessageType=reaction", "[reaction]"},
        {"&Body=%20&MessageType=contacts", "[contacts]"},
        {"&Body=&MessageType=image&MediaUrl0=https%3A%2F%2Fx.test%2Fa", ""},
        {"&Body=Yes&ButtonText=Yes&ButtonPayload=confirm%3A42&MessageType=button", "Yes"},
        {"&Body=&ButtonText=S%C3%AD&ButtonPayload=confirm", "S\xC3\xAD"},
        {"&Body=&ButtonPayload=confirm", "confirm"},
        {"&ListTitle=Second&ListId=2", "Second"},
        {"&Body=&Latitude=51.5&Longitude=-0.2&Address=187+Freston+Road&Label=The+Harrow+Club",
         "Location: The Harrow Club, 187 Freston Road (51.5, -0.2)"},
        {"&Latitude=51.5&Longitude=-0.2", "Location: (51.5, -0.2)"},
        {"&Latitude=51.5&Longitude=-0.2&Address=+", "Location: (51.5, -0.2)"},
        {"&Latitude=51.5&Longitude=-0.2&Body=Meet+here", "Meet here\\nLocation: (51.5, -0.2)"},
        {"&Latitude=51.5&Body=", "[empty message]"},
        {"&Body=bad%FFbyte", "bad\xEF\xBF\xBD"
                             "byte"},
        {"&Body=nul%00byte", "nul\xEF\xBF\xBD"
                             "byte"},
        {"&Body=half%E2%82", "half\xEF\xBF\xBD"},
    };
    size_t i;

    for (i = 0; i < COUNT(cases); i++) {
        assert_string_equal(body_of(*state, cases[i].fields), cases[i].body);
    }
}

static void test_senders(void **state)
{
    static const struct {
        const char *fields, *counterpart;
    } cases[] = {
        {"&From=whatsapp%3A%2B15551230001", "+15551230001"},
        {"&From=WhatsApp%3A%2B15551230001", "+15551230001"},
        {"&From=%2B1+555-123-0001&To=whatsapp%3A%2B14155238886", "+15551230001"},
        {"&From=%2B1+555-123-0001&WaId=15551230001", "+15551230001"},
        {"&From=whatsapp%3AUS.13491208655302741918", "US.13491208655302741918"},
        {"&From=whatsapp%3A+id+", "id"},
        {"&From=", "unknown"},
        {"&From=whatsapp%3A&ExternalUserId=whatsapp%3AUS.1", "US.1"},
        {"&WaId=15551230001", "15551230001"},
        {"", "unknown"},
        {"&From=whatsapp%3Aa%00b%FF", "a\xEF\xBF\xBD"
                                      "b\xEF\xBF\xBD"},
        /* other channels */
        {"&From=%2B1+555-123-0001&To=%2B14155238886", "sms:+15551230001"},
        {"&From=%2B15551230001", "sms:+15551230001"},
        {"&From=12345&To=%2B14155238886&FromCountry=US", "sms:12345"},
        {"&From=Acme&To=%2B14155238886", "sms:Acme"},
        {"&From=sms%3A%2B15551230001", "sms:+15551230001"},
        {"&From=&To=%2B14155238886", "sms:unknown"},
        {"&From=rcs%3A%2B15551230001&To=rcs%3Aacme_agent", "rcs:+15551230001"},
        {"&From=Messenger%3A1017&To=messenger%3A99", "messenger:1017"},
        {"&From=1017&To=messenger%3A99", "messenger:1017"},
        {"&From=+whatsapp%3A+%2B15551230001", "+15551230001"},
        /* what only looks like another channel's is not taken for it */
        {"&From=whatsapp%3Asms%3A%2B15551230001", "whatsapp:sms:+15551230001"},
        {"&From=whatsapp%3AMessenger%3A1017", "whatsapp:Messenger:1017"},
        {"&From=%3A%2B15551230001&To=whatsapp%3A%2B14155238886", ":+15551230001"},
    };
    size_t i;

    for (i = 0; i < COUNT(cases); i++) {
        world_t world;

        world_init(&world, *state);
        assert_int_equal(receive(&world, apr_pstrcat(world.p, "MessageSid=" SID_1 "&Body=x",
                                                     cases[i].fields, NULL)),
                         APR_SUCCESS);
        assert_string_equal(text_of(fake_store_newest(world.fake)->m.counterpart, world.p),
                            cases[i].counterpart);
    }
}

static void test_long_senders_are_kept_apart(void **state)
{
    const char *counterparts[2];
    int i;

    for (i = 0; i < 2; i++) {
        world_t world;
        char id[1001];
        int c;

        world_init(&world, *state);
        for (c = 0; c + 1 < 1000; c += 2) {
            memcpy(id + c, "\xC3\xA9", 2);
        }
        id[1000] = '\0';
        id[0] = 'x'; /* the cut falls inside a character unless it is looked for */
        id[1] = 'y';
        id[2] = 'z';
        memmove(id + 3, id + 4, 997);
        assert_int_equal(
            receive(&world, apr_psprintf(world.p, "MessageSid=" SID_1 "&From=%s%d", id, i)),
            APR_SUCCESS);
        counterparts[i] = text_of(fake_store_newest(world.fake)->m.counterpart, world.p);
        assert_true(strlen(counterparts[i]) <= WA_COUNTERPART_BYTES_MAX);
        assert_true(wa_text_is_utf8(counterparts[i], strlen(counterparts[i])));
    }
    assert_string_not_equal(counterparts[0], counterparts[1]);
    assert_memory_equal(counterparts[0], counterparts[1], 99);
}

static void test_our_number(void **state)
{
    const char *json = members_of(*state, "MessageSid=" SID_1 "&From=%2B15551230001&Body=x"
                                          "&To=whatsapp%3A%2B4912345678");

    assert_non_null(strstr(json, "\"phoneNumber\":\"+4912345678\""));
    json = members_of(*state, "MessageSid=" SID_1 "&From=whatsapp%3A%2B15551230001&Body=x");
    assert_non_null(strstr(json, "\"phoneNumber\":\"" OUR_NUMBER "\""));
    /* one that is not ours opens no window of ours */
    json =
        members_of(*state, "MessageSid=" SID_1 "&From=%2B15551230001&Body=x&To=whatsapp%3Anobody");
    assert_non_null(strstr(json, "\"phoneNumber\":\"whatsapp:nobody\""));
    json = members_of(*state, "MessageSid=" SID_1 "&From=%2B15551230001&Body=x&To=%2B14155550000");
    assert_non_null(strstr(json, "\"phoneNumber\":\"+14155550000\""));
    json = members_of(*state, "MessageSid=" SID_1 "&From=12345&Body=x&To=72345");
    assert_non_null(strstr(json, "\"phoneNumber\":\"sms:72345\""));
}

static void test_a_duplicate_stores_nothing(void **state)
{
    world_t world;

    world_init(&world, *state);
    assert_int_equal(receive(&world, HEAD "&Body=first"), APR_SUCCESS);
    assert_int_equal(receive(&world, HEAD "&Body=second"), APR_SUCCESS);
    assert_int_equal(fake_store_count(world.fake), 1);
    assert_non_null(strstr(json_of(&fake_store_newest(world.fake)->m, world.p), "first"));
    assert_non_null(strstr(world.lines, "status=stored"));
    assert_non_null(strstr(world.lines, "status=duplicate"));
}

static void test_what_is_refused(void **state)
{
    static const char *const sids[] = {"", "MessageSid=&", "MessageSid=SM1&",
                                       "MessageSid=AC00000000000000000000000000000011&",
                                       "SmsSid=" SID_1 "&"};
    world_t world;
    size_t i;

    world_init(&world, *state);
    for (i = 0; i < COUNT(sids); i++) {
        assert_int_equal(receive(&world, apr_pstrcat(world.p, sids[i], "Body=x" FROM, NULL)),
                         APR_EINVAL);
    }
    fake_store_fail(world.fake, FAKE_ADD, APR_TIMEUP);
    assert_int_equal(receive(&world, HEAD "&Body=x"), APR_TIMEUP);
    assert_int_equal(fake_store_count(world.fake), 0);
    assert_non_null(strstr(world.lines, "status=not stored"));
}

static void test_what_is_logged(void **state)
{
    world_t world;

    world_init(&world, *state);
    assert_int_equal(receive(&world, HEAD "&Body=planted+text&ProfileName=planted"), APR_SUCCESS);
    assert_non_null(strstr(world.lines, "6 WA0511 inbound: sid=" SID_1));
    assert_non_null(strstr(world.lines, "from=+1555***0001"));
    assert_non_null(strstr(world.lines, "length=12 "));
    assert_null(strstr(world.lines, "planted"));
    assert_null(strstr(world.lines, "+15551230001"));
}

static void test_every_other_field_is_kept(void **state)
{
    world_t world;

    world_init(&world, *state);
    assert_int_equal(receive(&world, HEAD "&Body=x&New%26Field=a%3Db%FF&Empty=&MessageType=text"),
                     APR_SUCCESS);
    assert_string_equal(fields_of(&fake_store_newest(world.fake)->m, world.p),
                        "New%26Field=a%3Db%FF&MessageType=text");
}

static char *repeated(apr_pool_t *p, const char *piece, size_t times)
{
    const size_t len = strlen(piece);
    char *text = apr_palloc(p, len * times + 1);
    size_t i;

    for (i = 0; i < times; i++) {
        memcpy(text + i * len, piece, len);
    }
    text[len * times] = '\0';
    return text;
}

/* The store takes records up to 1 MB: whatever Twilio sends has to fit. */
static void test_giants_fit_the_store(void **state)
{
    const char *controls = repeated(*state, "%01", 200000),
               *euros = repeated(*state, "%E2%82%AC", 30000);
    const char *media = "";
    wa_attribute_t media_of;
    world_t world;
    const fake_message_t *stored;
    int i;

    world_init(&world, *state);
    for (i = 0; i < 32; i++) {
        media = apr_psprintf(world.p, "%s&MediaUrl%d=https://x.test/%s", media, i,
                             repeated(world.p, "a", i == 0 ? 5000 : 4000));
    }
    assert_int_equal(receive(&world, apr_pstrcat(world.p, HEAD "&Body=", controls, media,
                                                 "&Other=", controls, "&Last=x", NULL)),
                     APR_SUCCESS);
    stored = fake_store_newest(world.fake);
    assert_int_equal(stored->m.body.len, 65536);
    assert_true(stored->m.attributes.len > 31 * 4000);
    assert_true(stored->m.body.len + stored->m.attributes.len < 1000 * 1000);
    assert_non_null(strstr(fields_of(&stored->m, world.p), "Last=x"));
    assert_int_equal(wa_attributes_media(stored->m.attributes, 30, &media_of), WA_ATTRIBUTE_MEDIA);
    assert_int_equal(wa_attributes_media(stored->m.attributes, 31, &media_of), WA_ATTRIBUTE_NONE);
    world_init(&world, *state);
    assert_int_equal(receive(&world, apr_pstrcat(world.p, HEAD "&Latitude=1&Longitude=2&Label=",
                                                 euros, "&Body=x", euros, NULL)),
                     APR_SUCCESS);
    stored = fake_store_newest(world.fake);
    assert_true(wa_text_is_utf8(stored->m.body.ptr, stored->m.body.len));
    assert_null(strstr(text_of(stored->m.body, world.p), "\xEF\xBF\xBD"));
    assert_true(stored->m.body.len < 80000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_TEST(test_a_text),
        POOL_TEST(test_media),
        POOL_TEST(test_media_addresses_that_are_none),
        POOL_TEST(test_very_many_media),
        POOL_TEST(test_previews_of_media_without_a_caption),
        POOL_TEST(test_bodies),
        POOL_TEST(test_senders),
        POOL_TEST(test_long_senders_are_kept_apart),
        POOL_TEST(test_our_number),
        POOL_TEST(test_a_duplicate_stores_nothing),
        POOL_TEST(test_what_is_refused),
        POOL_TEST(test_what_is_logged),
        POOL_TEST(test_every_other_field_is_kept),
        POOL_TEST(test_giants_fit_the_store),
    };

    return cmocka_run_group_tests(tests, apr_setup, apr_teardown);
}
