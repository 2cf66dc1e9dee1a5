/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the check of a form's cut: what Twilio sends passes, cut anew it does not, or means the same. */
#include "test_base.h"

#include <apr_strings.h>

#include "base/form.h"
#include "base/id.h"
#include "messaging/inbound_text.h"
#include "messaging/media.h"
#include "twilio/webhook_form.h"

#define AC "AC00000000000000000000000000000001"
#define SM "SM00000000000000000000000000000011"
#define MM "MM00000000000000000000000000000012"

/* As captured (TWILIO.md section 2.3), with texts that are made of words that could be names. */
static const char *const genuine[] = {
    "SmsMessageSid=" SM "&NumMedia=0&ProfileName=Ana+G%C3%B3mez&MessageType=text&SmsSid=" SM
    "&WaId=15551230001&SmsStatus=received&Body=Come+Back+Before+Dinner%2C+From+To+Body+Label%3F+1%"
    "2B1"
    "&To=whatsapp%3A%2B14155238886&NumSegments=1&ReferralNumMedia=0&MessageSid=" SM
    "&AccountSid=" AC "&From=whatsapp%3A%2B15551230001&ApiVersion=2010-04-01"
    "&ChannelMetadata=%7B%22type%22%3A%22whatsapp%22%7D",
    "SmsMessageSid=" SM "&NumMedia=0&ProfileName=Ana&MessageType=text&SmsSid=" SM
    "&SmsStatus=received&Body=Dear+Friend%2C+Can+Do&To=whatsapp%3A%2B14155238886&NumSegments=1"
    "&MessageSid=" SM "&AccountSid=" AC "&From=whatsapp%3AUS.13491208655302741918"
    "&ExternalUserId=whatsapp%3AUS.13491208655302741918&ApiVersion=2010-04-01",
    "MediaContentType0=image%2Fjpeg&SmsMessageSid=" MM
    "&NumMedia=1&ProfileName=Ana&MessageType=image"
    "&SmsSid=" MM "&WaId=15551230001&SmsStatus=received&Body=My+Caption"
    "&To=whatsapp%3A%2B14155238886&NumSegments=1&ReferralNumMedia=0&MessageSid=" MM
    "&AccountSid=" AC "&From=whatsapp%3A%2B15551230001&ApiVersion=2010-04-01"
    "&MediaUrl0=https%3A%2F%2Fapi.twilio.com%2F2010-04-01%2FAccounts%2F" AC "%2FMessages%2F" MM
    "%2FMedia%2FME00000000000000000000000000000012",
    "Latitude=51.51322977399644&Longitude=-0.2197976373036567&SmsMessageSid=" SM
    "&NumMedia=0&ProfileName=Ana&MessageType=location&SmsSid=" SM
    "&WaId=15551230001&SmsStatus=received&Body=&Address=187+Freston+Road&Label=The+Harrow+Club"
    "&To=whatsapp%3A%2B14155238886&NumSegments=1&ReferralNumMedia=0&MessageSid=" SM
    "&AccountSid=" AC "&From=whatsapp%3A%2B15551230001&ApiVersion=2010-04-01",
    "OriginalRepliedMessageSender=whatsapp%3A%2B14155238886&SmsMessageSid=" SM
    "&NumMedia=0&ProfileName=Ana&MessageType=button&SmsSid=" SM
    "&WaId=15551230001&SmsStatus=received&Body=Yes&ButtonText=Yes&To=whatsapp%3A%2B14155238886"
    "&ButtonPayload=confirm%3A42&NumSegments=1&ReferralNumMedia=0&MessageSid=" SM "&AccountSid=" AC
    "&OriginalRepliedMessageSid=" MM "&From=whatsapp%3A%2B15551230001&ApiVersion=2010-04-01",
    "EventType=UNDELIVERED&ErrorCode=63016&ChannelStatusMessage=Re-engagement+message&ErrorMessage="
    "&SmsSid=" SM "&SmsStatus=undelivered&MessageStatus=undelivered"
    "&ChannelToAddress=%2B1555123XXXX&To=whatsapp%3A%2B15551230001&ChannelPrefix=whatsapp"
    "&MessageSid=" SM "&AccountSid=" AC "&From=whatsapp%3A%2B14155238886&ApiVersion=2010-04-01"
    "&ChannelInstallSid=XE00000000000000000000000000000003",
};

static wa_form_t *form_of(const char *body, apr_pool_t *p)
{
    wa_form_t *form;

    assert_int_equal(wa_form_parse(&form, body, strlen(body), 1000, p), APR_SUCCESS);
    return form;
}

static int is_taken(const wa_form_t *form, apr_pool_t *p)
{
    const char *why;
    const apr_status_t rv = wa_webhook_form_check(form, &why, p);

    assert_int_equal(rv != APR_SUCCESS, why != NULL);
    return rv == APR_SUCCESS;
}

static int is_text_taken(const char *body, apr_pool_t *p)
{
    return is_taken(form_of(body, p), p);
}

/* All that a message or receipt takes from its form but the private part. */
static const char *meaning_of(const wa_form_t *form, apr_pool_t *p)
{
    static const char *const names[] = {"AccountSid", "MessageSid",     "From",      "To",
                                        "Body",       "MessageStatus",  "WaId",      "SmsStatus",
                                        "ErrorCode",  "ExternalUserId", "OptOutType"};
    wa_media_t media[WA_MEDIA_MAX];
    const apr_size_t count = wa_media_read(form, media, p);
    const wa_slice_t text = wa_inbound_text_body(form, count, p);
    const char *meaning = apr_pstrmemdup(p, text.len > 0 ? text.ptr : "", text.len);
    apr_size_t i;

    for (i = 0; i < count; i++) {
        meaning = apr_pstrcat(p, meaning, "|", media[i].url, " ", media[i].content_type, NULL);
    }
    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *value = wa_form_string(form, names[i], p);

        meaning = apr_pstrcat(p, meaning, "|", value ? value : "-", NULL);
    }
    return meaning;
}

static int name_compare(const void *a, const void *b)
{
    const wa_form_field_t *x = a, *y = b;
    const apr_size_t len = x->name.len < y->name.len ? x->name.len : y->name.len;
    const int order = memcmp(x->name.ptr, y->name.ptr, len);

    return order ? order : (x->name.len > y->name.len) - (x->name.len < y->name.len);
}

/* The cut as Twilio makes it: where each name and each value begins, in what is signed. */
typedef struct cut_t {
    char *text;
    apr_size_t len, count;
    apr_size_t names[80], values[80];
} cut_t;

static void cut_of(cut_t *cut, const char *body, apr_pool_t *p)
{
    wa_form_t *form = form_of(body, p);
    wa_form_field_t *fields = apr_pmemdup(p, form->fields, form->count * sizeof(*fields));
    apr_size_t i;

    qsort(fields, form->count, sizeof(*fields), name_compare);
    cut->text = apr_palloc(p, strlen(body) + 1);
    cut->len = 0;
    cut->count = form->count;
    for (i = 0; i < form->count; i++) {
        cut->names[i] = cut->len;
        memcpy(cut->text + cut->len, fields[i].name.ptr, fields[i].name.len);
        cut->len += fields[i].name.len;
        cut->values[i] = cut->len;
        if (fields[i].value.len > 0) {
            memcpy(cut->text + cut->len, fields[i].value.ptr, fields[i].value.len);
        }
        cut->len += fields[i].value.len;
    }
}

/* Looks at one new cut. Its signature is right when its names are in their order.
 * @return 1 it was signed and taken, and then it means the same */
static int look(const cut_t *cut, const char *meaning, apr_pool_t *p)
{
    wa_form_field_t fields[80];
    const wa_form_t form = {fields, cut->count};
    const char *sid, *account;
    apr_size_t i;

    for (i = 0; i < cut->count; i++) {
        const apr_size_t end = i + 1 < cut->count ? cut->names[i + 1] : cut->len;

        if (cut->values[i] < cut->names[i] || end < cut->values[i]) {
            return 0;
        }
        fields[i].name = wa_slice_make(cut->text + cut->names[i], cut->values[i] - cut->names[i]);
        fields[i].value = wa_slice_make(cut->text + cut->values[i], end - cut->values[i]);
        if (i > 0 && name_compare(&fields[i - 1], &fields[i]) >= 0) {
            return 0;
        }
    }
    if (cut->count == 0 || cut->names[0] != 0 || !is_taken(&form, p)) {
        return 0;
    }
    sid = wa_form_string(&form, "MessageSid", p);
    account = wa_form_string(&form, "AccountSid", p);
    if (!account || strcmp(account, AC) != 0 || !wa_id_is_sid(sid, "SM,MM")) {
        return 0; /* others look at these */
    }
    if (strcmp(meaning_of(&form, p), meaning) != 0) {
        for (i = 0; i < cut->count; i++) {
            print_message("%.*s=%.*s\n", (int)fields[i].name.len, fields[i].name.ptr,
                          (int)fields[i].value.len, fields[i].value.ptr);
        }
        fail_msg("was taken for %s", meaning);
    }
    return 1;
}

static void test_what_twilio_sends_is_taken(void **state)
{
    size_t i;

    for (i = 0; i < COUNT(genuine); i++) {
        assert_true(is_text_taken(genuine[i], *state));
    }
}

/* Every boundary moved to every place, every field joined to the one before, and every field cut in
 * two at every pair of places. */
static void test_every_single_new_cut(void **state)
{
    apr_pool_t *each;
    size_t g, taken = 0;

    apr_pool_create(&each, *state);
    for (g = 0; g < COUNT(genuine); g++) {
        const char *meaning = meaning_of(form_of(genuine[g], *state), *state);
        cut_t cut, changed;
        apr_size_t i, at, to;

        cut_of(&cut, genuine[g], *state);
        for (i = 0; i < cut.count; i++) {
            for (at = 0; at <= cut.len; at++, apr_pool_clear(each)) {
                changed = cut;
                changed.values[i] = at;
                taken += look(&changed, meaning, each);
                changed = cut;
                changed.names[i] = at;
                taken += look(&changed, meaning, each);
            }
            changed = cut;
            changed.count--;
            memmove(changed.names + i, cut.names + i + 1, (cut.count - i - 1) * sizeof(at));
            memmove(changed.values + i, cut.values + i + 1, (cut.count - i - 1) * sizeof(at));
            (void)look(&changed, meaning, each);
            for (at = cut.values[i]; at < (i + 1 < cut.count ? cut.names[i + 1] : cut.len); at++) {
                for (to = at; to <= at + 24 && to <= cut.len; to++, apr_pool_clear(each)) {
                    changed = cut;
                    changed.count++;
                    memmove(changed.names + i + 2, cut.names + i + 1,
                            (cut.count - i - 1) * sizeof(at));
                    memmove(changed.values + i + 2, cut.values + i + 1,
                            (cut.count - i - 1) * sizeof(at));
                    changed.names[i + 1] = at;
                    changed.values[i + 1] = to;
                    taken += look(&changed, meaning, each);
                }
            }
        }
    }
    assert_true(taken > 0); /* at least the cut that is Twilio's */
}

/* Many boundaries at once: each field stays, is joined, or is cut anew somewhere. */
static void test_many_new_cuts_at_once(void **state)
{
    apr_pool_t *each;
    uint64_t seed = 20261128;
    size_t g;
    int round;

    apr_pool_create(&each, *state);
    for (g = 0; g < COUNT(genuine); g++) {
        const char *meaning = meaning_of(form_of(genuine[g], *state), *state);
        cut_t cut, changed;
        apr_size_t i;

        cut_of(&cut, genuine[g], *state);
        for (round = 0; round < 60000; round++, apr_pool_clear(each)) {
            changed = cut;
            changed.count = 0;
            for (i = 0; i < cut.count; i++) {
                const apr_size_t end = i + 1 < cut.count ? cut.names[i + 1] : cut.len;
                const uint64_t way = next_random(&seed) % 12;
                apr_size_t name = cut.names[i], value = cut.values[i];

                if (way == 0 && i > 0) {
                    continue;
                }
                if (way == 1) {
                    value = name + 1 + next_random(&seed) % (end - name);
                } else if (way == 2) {
                    name += next_random(&seed) % (value - name);
                }
                changed.names[changed.count] = name;
                changed.values[changed.count++] = value;
                if (way == 3 && end > value) {
                    name = value + next_random(&seed) % (end - value);
                    changed.names[changed.count] = name;
                    changed.values[changed.count++] = name + next_random(&seed) % (end - name + 1);
                }
            }
            (void)look(&changed, meaning, each);
        }
    }
}

#define REST                                                                       \
    "&MessageSid=" SM "&AccountSid=" AC "&To=whatsapp%3A%2B14155238886&NumMedia=0" \
    "&ApiVersion=2010-04-01&SmsStatus=received"

static void test_cuts_that_hide_or_move_the_sender(void **state)
{
    static const char *const forms[] = {
        "Body=x&Fr=omwhatsapp%3A%2B15551230001" REST,
        "Body=x&F=romwhatsapp%3A%2B15551230001" REST,
        "Body=x&Fromwhatsapp%3A%2B15551230001=" REST,
        "Body=x&Fromw=hatsapp%3A%2B15551230001" REST,
        "Body=xFromwhatsapp%3A%2B15551230001" REST,
        "Body=x&Extra=Fromwhatsapp%3A%2B15551230001" REST,
        "Body=&XFrom=whatsapp%3A%2B15551230001" REST,
        /* what somebody wrote holds another sender, and the real one is hidden behind it */
        "Body=hi&From=whatsapp%3A%2B19995550000&IFrom=whatsapp%3A%2B15551230001" REST,
        "Body=hi&From=whatsapp%3A%2B19995550000&Ga=p+Fromwhatsapp%3A%2B15551230001" REST,
        "Body=hi&From=whatsapp%3A%2B1555&Zz=MessageSidSM00000000000000000000000000000099" REST,
        "B=odyhi&From=whatsapp%3A%2B15551230001" REST,
        "BodyHe=llo&From=whatsapp%3A%2B15551230001" REST,
        "Body=one&Body=two&From=whatsapp%3A%2B15551230001" REST,
        "Body=At+&Central=+now&From=whatsapp%3A%2B15551230001" REST,
        "Body=x&=y&From=whatsapp%3A%2B15551230001" REST,
        "Body=x&c=y&From=whatsapp%3A%2B15551230001" REST,
    };
    size_t i;

    for (i = 0; i < COUNT(forms); i++) {
        if (is_text_taken(forms[i], *state)) {
            fail_msg("taken: %s", forms[i]);
        }
    }
}

static void test_a_form_that_names_nobody(void **state)
{
    assert_true(is_text_taken("Body=x" REST, *state));
    assert_true(is_text_taken("Body=From+Berlin%3A+whatsapp" REST, *state));
    assert_true(is_text_taken("Body=x&From=" REST, *state));
}

static void test_fields_of_the_future_are_taken(void **state)
{
    static const char *const fields[] = {"NewField=x",
                                         "Another_Field=",
                                         "Zzz=1",
                                         "Unknown1=a+b",
                                         "BrandNewParam2027=%7B%7D",
                                         "CampaignName=sale",
                                         "AAA=x",
                                         "FutureThing=",
                                         "QuotedText=Hello",
                                         "ToAll=x"};
    size_t i;

    for (i = 0; i < COUNT(fields); i++) {
        const char *body =
            apr_pstrcat(*state, fields[i], "&Body=hi&From=whatsapp%3A%2B15551230001" REST, NULL);

        if (!is_text_taken(body, *state)) {
            fail_msg("refused: %s", fields[i]);
        }
    }
}

/* Where the text, or its beginning, would go into a field that holds no text: the same signed bytes. */
static void test_a_text_does_not_vanish_into_a_field_that_holds_none(void **state)
{
    static const char *const middle[] = {
        "&ApiVersion=2010-04-01&Body=SEE+FooBar+now", "&ApiVersion=2010-04-01BodySEE+Foo&Bar=+now",
        "&ApiVersion=2010-04-01&Body=Body+To+From", "&ApiVersion=2010-04-01Body&Body=+To+From"};
    size_t i;

    for (i = 0; i < COUNT(middle); i++) {
        const char *body = apr_pstrcat(
            *state, "AccountSid=" AC, middle[i],
            "&From=whatsapp%3A%2B15551230001&MessageSid=" SM
            "&MessageType=text&NumMedia=0&ProfileName=Ana&SmsMessageSid=" SM "&SmsSid=" SM
            "&SmsStatus=received&To=whatsapp%3A%2B14155238886&WaId=15551230001",
            NULL);

        assert_int_equal(is_text_taken(body, *state), i % 2 == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_TEST(test_what_twilio_sends_is_taken),
        POOL_TEST(test_every_single_new_cut),
        POOL_TEST(test_many_new_cuts_at_once),
        POOL_TEST(test_cuts_that_hide_or_move_the_sender),
        POOL_TEST(test_a_form_that_names_nobody),
        POOL_TEST(test_a_text_does_not_vanish_into_a_field_that_holds_none),
        POOL_TEST(test_fields_of_the_future_are_taken),
    };

    return cmocka_run_group_tests(tests, apr_setup, apr_teardown);
}
