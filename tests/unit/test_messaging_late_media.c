/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of attachments that come later: stored, read, not believed where damaged, filled once. */
#include "test_messaging.h"

#include "base/clock.h"
#include "messaging/message/late_media.h"
#include "messaging/receive/late.h"
#include "messaging/receive/receive.h"

#define HEAD            \
    "MessageSid=" SID_1 \
    "&From=whatsapp%3A%2B15551230001&To=whatsapp%3A%2B14155238886&DateSent=x&Body=x"
#define URL(n) \
    "https://api.twilio.com/2010-04-01/Accounts/" OUR_SID "/Messages/" SID_1 "/Media/ME" n

static wa_message_t stored_of(world_t *world)
{
    wa_message_t m;

    assert_int_equal(wa_store_message_find(world->messenger.store, SID_1, &m, world->p),
                     APR_SUCCESS);
    return m;
}

static void receive(world_t *world, const char *form)
{
    wa_sentence_t sentence;

    assert_int_equal(wa_receive(&world->messenger, form_of(form, world->p), &sentence, world->p),
                     APR_SUCCESS);
}

static int fill(world_t *world, const wa_media_t *media, apr_size_t count, int is_final)
{
    const wa_late_news_t news = {media, count, is_final};
    int is_changed;

    assert_int_equal(wa_late_fill(&world->messenger, SID_1, &news, &is_changed, world->p),
                     APR_SUCCESS);
    return is_changed;
}

/* What is there, one letter each: a those of the webhook, l those that came later, ? awaited, -
 * missing. */
static const char *places_of(world_t *world)
{
    const wa_message_t m = stored_of(world);
    wa_late_media_t late;
    wa_late_medium_t one;
    wa_attribute_t attribute;
    const char *places = "";
    apr_size_t n;

    wa_late_media_read(&late, &m);
    for (n = 0; wa_late_media_get(&m, n, &one); n++) {
        places = apr_pstrcat(
            world->p, places,
            wa_attributes_media(m.attributes, n, &attribute) == WA_ATTRIBUTE_NONE ? "l" : "a",
            NULL);
    }
    for (n = 0; n < late.awaited + late.missing; n++) {
        places = apr_pstrcat(world->p, places, n < late.awaited ? "?" : "-", NULL);
    }
    assert_int_equal(m.status, late.awaited > 0 ? WA_STATUS_PENDING : WA_STATUS_NONE);
    return places;
}

static void test_what_comes_fills_what_lacks_once(void **state)
{
    static const wa_media_t media[] = {{URL("0"), "image/png", 0},
                                       {URL("1"), "text/vcard", 1},
                                       {"http://other.test/Media/ME1", "x/y", 2},
                                       {URL("2"), "image/png", 3},
                                       {URL("3"), "image/png", 4}};
    world_t world;

    world_init(&world, *state);
    receive(&world, HEAD "&NumMedia=3&MediaUrl0=" URL("0"));
    assert_string_equal(places_of(&world), "a??");
    assert_int_equal(fill(&world, media, 1, 0), 0); /* it is there */
    assert_int_equal(fill(&world, media, 3, 0), 1); /* the third is the second from elsewhere */
    assert_string_equal(places_of(&world), "al?");
    assert_int_equal(fill(&world, media, 3, 0), 0);
    assert_int_equal(fill(&world, NULL, 0, 1), 1);
    assert_string_equal(places_of(&world), "al-");
    assert_int_equal(fill(&world, NULL, 0, 1), 0);
    assert_int_equal(fill(&world, media, 5, 0), 1); /* it came after all; there is no fourth */
    assert_string_equal(places_of(&world), "all");
    assert_int_equal(fill(&world, media, 5, 1), 0);
}

static void test_a_webhook_that_comes_again_brings_what_lacks(void **state)
{
    world_t world;

    world_init(&world, *state);
    receive(&world, HEAD "&NumMedia=1");
    receive(&world, HEAD "&NumMedia=1");
    assert_string_equal(places_of(&world), "?");
    receive(&world, HEAD "&NumMedia=1&MediaUrl0=" URL("0") "&MediaContentType0=image%2Fpng");
    assert_string_equal(places_of(&world), "l");
    assert_int_equal(fake_store_count(world.fake), 1);
    receive(&world, HEAD "&NumMedia=1&MediaUrl0=" URL("9"));
    assert_string_equal(places_of(&world), "l");
}

static void test_what_is_damaged_is_not_believed(void **state)
{
    static const wa_late_media_t all = {
        .found = {{WA_SLICE_LITERAL("image/png"), WA_SLICE_LITERAL(URL("0"))}},
        .found_count = 1,
        .awaited = 2,
        .missing = 3,
        .since_ms = 7};
    wa_message_state_t written;
    wa_message_t m = {.direction = WA_DIRECTION_RECEIVED};
    wa_late_media_t late;
    apr_size_t i, byte;

    assert_int_equal(wa_late_media_write(&all, &written, *state), APR_SUCCESS);
    m.delivery = written.delivery;
    wa_late_media_read(&late, &m);
    assert_int_equal(late.found_count, 1);
    assert_int_equal(late.awaited, 2);
    assert_int_equal(late.missing, 3);
    assert_int_equal(late.since_ms, 7);
    m.direction = WA_DIRECTION_SENT;
    wa_late_media_read(&late, &m);
    assert_int_equal(late.found_count + late.awaited + late.missing, 0);
    m.direction = WA_DIRECTION_RECEIVED;
    for (i = 0; i < written.delivery.len; i++) {
        char *bytes = exact_copy(written.delivery.ptr, written.delivery.len);

        for (byte = 0; byte < 256; byte += 5) {
            bytes[i] = (char)byte;
            m.delivery = wa_slice_make(bytes, written.delivery.len);
            wa_late_media_read(&late, &m);
            assert_true(late.found_count <= WA_LATE_MEDIA_MAX);
            assert_true(late.awaited <= WA_LATE_MEDIA_MAX && late.missing <= WA_LATE_MEDIA_MAX);
            (void)json_of(&m, *state);
        }
        m.delivery.len = i; /* cut short */
        wa_late_media_read(&late, &m);
        free(bytes);
    }
}

static void test_since_when_is_set_anew(void **state)
{
    wa_late_media_t late;
    wa_message_t m;
    world_t world;

    world_init(&world, *state);
    receive(&world, HEAD "&NumMedia=1");
    assert_int_equal(wa_late_restart(&world.messenger, SID_1, 42, world.p), APR_SUCCESS);
    m = stored_of(&world);
    wa_late_media_read(&late, &m);
    assert_int_equal(late.since_ms, 42);
    assert_string_equal(places_of(&world), "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_TEST(test_what_comes_fills_what_lacks_once),
        POOL_TEST(test_a_webhook_that_comes_again_brings_what_lacks),
        POOL_TEST(test_what_is_damaged_is_not_believed),
        POOL_TEST(test_since_when_is_set_anew),
    };

    return cmocka_run_group_tests(tests, apr_setup, apr_teardown);
}
