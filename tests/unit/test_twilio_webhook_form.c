/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the check of a form's cut: what Twilio sends passes, cut anew it does not, or means the
 * same. */
#include "test_base.h"

#include <stdlib.h>

#include <apr_strings.h>

#include "base/form.h"
#include "base/id.h"
#include "messaging/receive/inbound_text.h"
#include "messaging/delivery/receipts.h"
#include "messaging/receive/media.h"
#include "twilio/webhook_cut.h"
#include "twilio/webhook_form.h"

#define AC "AC00000000000000000000000000000001"
#define SM "SM00000000000000000000000000000011"
#define MM "MM00000000000000000000000000000012"

/* As captured (docs/TWILIO.md section 2.3), with texts that are made of words that could be
 * names. */
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
    /* other channels */
    "ToCountry=US&SmsMessageSid=" SM "&NumMedia=0&FromZip=94105&SmsSid=" SM
    "&FromState=CA&SmsStatus=received&FromCity=SAN+FRANCISCO&Body=Come+Back+Before+Dinner"
    "&FromCountry=US&To=%2B14155238886&MessagingServiceSid=MG00000000000000000000000000000001"
    "&NumSegments=1&MessageSid=" SM "&AccountSid=" AC "&From=%2B15551230001&ApiVersion=2010-04-01",
    "SmsMessageSid=" SM "&NumMedia=0&SmsSid=" SM "&SmsStatus=received&Body=Dear+Friend%2C+Can+Do"
    "&To=messenger%3A10170&NumSegments=1&MessageSid=" SM "&AccountSid=" AC
    "&From=messenger%3A2025550100&ApiVersion=2010-04-01",
    "SmsMessageSid=" SM "&NumMedia=0&SmsSid=" SM "&SmsStatus=received&Body=Dear+Friend%2C+Can+Do"
    "&To=rcs%3Aacme_agent&NumSegments=1&MessageSid=" SM "&AccountSid=" AC
    "&From=rcs%3A%2B15551230001&ApiVersion=2010-04-01",
};

static wa_form_t *form_of(const char *body, apr_pool_t *p)
{
    wa_form_t *form;

    assert_int_equal(wa_form_parse(&form, body, strlen(body), 1000, p), APR_SUCCESS);
    return form;
}

/* The form as it is taken, NULL when it is refused. */
static const wa_form_t *taken_of(const wa_form_t *form, apr_pool_t *p)
{
    const wa_form_t *taken;
    const char *why;
    const apr_status_t rv = wa_webhook_form_check(&taken, form, &why, p);

    assert_int_equal(rv != APR_SUCCESS, why != NULL);
    assert_int_equal(rv == APR_SUCCESS, taken != NULL);
    return taken;
}

static const wa_form_t *text_taken_of(const char *body, apr_pool_t *p)
{
    return taken_of(form_of(body, p), p);
}

/* Who sends by another channel, and writes what would be a WhatsApp sender if it were cut anew. */
static void test_a_sender_of_another_channel_is_nobody_of_whatsapp(void **state)
{
    static const struct {
        const char *from, *to;
    } channels[] = {{"%2B15551230001", "%2B14155238886"},
                    {"messenger%3A2025550100", "messenger%3A10170"},
                    {"rcs%3A%2B15551230001", "rcs%3Aacme_agent"}};
    size_t i;

    for (i = 0; i < COUNT(channels); i++) {
        /* sent: "Body=x Fromwhatsapp:+15559999999Gone" and From */
        const char *cut = apr_psprintf(
            *state,
            "AccountSid=" AC "&ApiVersion=2010-04-01&Body=x+&From=whatsapp%%3A%%2B15559999999"
            "&Gone=From%s&MessageSid=" SM "&NumMedia=0&NumSegments=1&SmsMessageSid=" SM
            "&SmsSid=" SM "&SmsStatus=received&To=%s",
            channels[i].from, channels[i].to);

        assert_null(text_taken_of(cut, *state));
    }
}

/* Who, whose, which and what of it: all that a message or receipt takes from its form but texts and
 * the private part. */
static const char *identity_of(const wa_form_t *form, apr_pool_t *p)
{
    static const char *const names[] = {"AccountSid", "MessageSid", "From",       "To",
                                        "SmsStatus",  "NumMedia",   "OptOutType", "MessageType"};
    wa_media_t media[WA_MEDIA_MAX];
    const apr_size_t count = wa_media_read(form, media, p);
    const int is_receipt = wa_receipt_is(form);
    const char *identity = is_receipt ? "receipt" : "message";
    apr_size_t i;

    for (i = 0; i < count; i++) {
        identity = apr_pstrcat(p, identity, "|", media[i].url, " ", media[i].content_type, NULL);
    }
    for (i = 0; i < COUNT(names); i++) {
        const char *value = wa_form_string(form, names[i], p);

        /* which of our addresses there is shown, and no more */
        if (strcmp(names[i], "To") == 0 && wa_address_is_other(wa_slice_of(value))) {
            value = wa_slice_string(wa_slice_make(value, strcspn(value, ":")), p);
        }
        identity = apr_pstrcat(p, identity, "|", value ? value : "-", NULL);
    }
    if (is_receipt) {
        const char *status = wa_form_string(form, "MessageStatus", p);
        const char *code = wa_form_string(form, "ErrorCode", p);

        identity =
            apr_pstrcat(p, identity, "|", status ? status : "-", "|", code ? code : "-", NULL);
    }
    return identity;
}

/* What clients are shown of a message. */
static const char *shown_of(const wa_form_t *form, apr_pool_t *p)
{
    wa_media_t media[WA_MEDIA_MAX];
    const wa_slice_t text = wa_inbound_text_body(form, wa_media_read(form, media, p), p);

    return wa_slice_string(text, p);
}

/* 1 when nothing that is shown of `as_sent` is not shown of `form`. */
static int shows_all_of(const wa_form_t *form, const wa_form_t *as_sent, apr_pool_t *p)
{
    static const char *const names[] = {"Body",     "ButtonText", "ListTitle", "Label",
                                        "Latitude", "Longitude",  "Address"};
    const char *shown = shown_of(form, p), *all = shown_of(as_sent, p);
    size_t i;

    for (i = 0; i < COUNT(names); i++) {
        const char *value = wa_form_string(as_sent, names[i], p);

        /* a choice is not shown where something was written */
        if (value && strstr(all, value) && !strstr(shown, value)) {
            return 0;
        }
    }
    return 1;
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

static void cut_of(cut_t *cut, const wa_form_t *form, apr_pool_t *p)
{
    wa_form_field_t *fields = apr_pmemdup(p, form->fields, form->count * sizeof(*fields));
    apr_size_t i, len = 0;

    qsort(fields, form->count, sizeof(*fields), name_compare);
    for (i = 0; i < form->count; i++) {
        len += form->fields[i].name.len + form->fields[i].value.len;
    }
    cut->text = apr_palloc(p, len + 1);
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
static int look(const cut_t *cut, const wa_form_t *as_sent, apr_pool_t *p)
{
    wa_form_field_t fields[80];
    const wa_form_t form = {fields, cut->count};
    const wa_form_t *taken;
    const char *account;
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
    if (cut->count == 0 || cut->names[0] != 0) {
        return 0;
    }
    taken = taken_of(&form, p);
    account = wa_form_string(&form, "AccountSid", p);
    if (!taken || !account || strcmp(account, AC) != 0) {
        return 0;
    }
    if (strcmp(identity_of(taken, p), identity_of(as_sent, p)) != 0
        || (!wa_receipt_is(as_sent) && !shows_all_of(taken, as_sent, p))) {
        for (i = 0; i < cut->count; i++) {
            print_message("%.*s=%.*s\n", (int)fields[i].name.len, fields[i].name.ptr,
                          (int)fields[i].value.len, fields[i].value.ptr);
        }
        fail_msg("was taken for %s\nnot %s", shown_of(taken, p), shown_of(as_sent, p));
    }
    return 1;
}

static void test_what_twilio_sends_is_taken_as_it_is(void **state)
{
    size_t i;

    for (i = 0; i < COUNT(genuine); i++) {
        const wa_form_t *form = form_of(genuine[i], *state);

        assert_ptr_equal(taken_of(form, *state), form);
    }
}

/* Every boundary moved to every place, every field joined to the one before, and every field cut in
 * two at every pair of places. */
static size_t cuts_all(const wa_form_t *form, apr_pool_t *p)
{
    apr_pool_t *each;
    cut_t cut, changed;
    apr_size_t i, at, to;
    size_t taken = 0;

    apr_pool_create(&each, p);
    cut_of(&cut, form, p);
    for (i = 0; i < cut.count; i++) {
        const apr_size_t bytes = (cut.count - i - 1) * sizeof(at);

        for (at = 0; at <= cut.len; at++, apr_pool_clear(each)) {
            changed = cut;
            changed.values[i] = at;
            taken += look(&changed, form, each);
            changed = cut;
            changed.names[i] = at;
            taken += look(&changed, form, each);
        }
        changed = cut;
        changed.count--;
        memmove(changed.names + i, cut.names + i + 1, bytes);
        memmove(changed.values + i, cut.values + i + 1, bytes);
        taken += look(&changed, form, each);
        for (at = cut.values[i]; at < (i + 1 < cut.count ? cut.names[i + 1] : cut.len); at++) {
            for (to = at; to <= at + 24 && to <= cut.len; to++, apr_pool_clear(each)) {
                changed = cut;
                changed.count++;
                memmove(changed.names + i + 2, cut.names + i + 1, bytes);
                memmove(changed.values + i + 2, cut.values + i + 1, bytes);
                changed.names[i + 1] = at;
                changed.values[i + 1] = to;
                taken += look(&changed, form, each);
            }
        }
    }
    apr_pool_destroy(each);
    return taken;
}

static void test_every_single_new_cut(void **state)
{
    size_t g;

    for (g = 0; g < COUNT(genuine); g++) {
        /* at least the cut that is Twilio's */
        assert_true(cuts_all(form_of(genuine[g], *state), *state) > 0);
    }
}

/* Texts as people write them, in whatever kind of message: no new cut takes a word away. */
static void test_every_single_new_cut_of_texts(void **state)
{
    static const char *const texts[] = {"",
                                        "Catalog",
                                        "Dear friend",
                                        "Dear Friend, Come to Dinner. Do Bring FooBar now",
                                        "SEE FooBar now",
                                        "Body To From",
                                        "CAN EVERYBODY CALL DAVE",
                                        "Das Buch des Enkels: Er liest Bücher",
                                        "¿Cómo estás? «Claro» “Done”",
                                        "(Call me) \"Dear\" 'Even' *Bold* #Fun @Ben /Dir",
                                        "ButtonText.pdf",
                                        "Press ButtonText now",
                                        "Please see Forwarded mail",
                                        "Call\nDave\tEven",
                                        "https://example.com/Deals/Even?x=Call&y=Dave"};
    static const char *const kinds[] = {
        "MessageType=text&NumMedia=0",
        "MessageType=document&NumMedia=1&MediaContentType0=application%2Fpdf&MediaUrl0=https%3A%2F%"
        "2Fapi.twilio.com%2F2010-04-01%2FAccounts%2F" AC "%2FMessages%2F" MM
        "%2FMedia%2FME00000000000000000000000000000012",
        "MessageType=button&NumMedia=0&ButtonText=Yes&ButtonPayload=confirm%3A42",
        "MessageType=location&NumMedia=0&Latitude=1.5&Longitude=-2&Label=The+Body+Shop&"
        "Address=Label+Lane+1",
        "MessageType=text&NumMedia=0&EditedAt=now&ChannelMetadata=%7B%22a%22%3A1%7D&Zone=&lang=en"};
    apr_pool_t *each;
    size_t i;

    apr_pool_create(&each, *state);
    for (i = 0; i < COUNT(texts) * COUNT(kinds); i++, apr_pool_clear(each)) {
        const wa_form_t *rest = form_of(
            apr_pstrcat(each, kinds[i % COUNT(kinds)],
                        "&AccountSid=" AC "&ApiVersion=2010-04-01&From=whatsapp%3A%2B15551230001"
                        "&MessageSid=" SM "&NumSegments=1&ProfileName=Ana&ReferralNumMedia=0"
                        "&SmsMessageSid=" SM "&SmsSid=" SM "&SmsStatus=received"
                        "&To=whatsapp%3A%2B14155238886&WaId=15551230001",
                        NULL),
            each);
        wa_form_field_t *fields = apr_palloc(each, (rest->count + 1) * sizeof(*fields));
        const wa_form_t form = {fields, rest->count + 1};

        memcpy(fields, rest->fields, rest->count * sizeof(*fields));
        fields[rest->count] =
            (wa_form_field_t){WA_SLICE_LITERAL("Body"), wa_slice_of(texts[i / COUNT(kinds)])};
        if (taken_of(&form, each) != &form) {
            fail_msg("%s: %s", texts[i / COUNT(kinds)], kinds[i % COUNT(kinds)]);
        }
        assert_true(cuts_all(&form, each) > 0);
    }
}

/* Many boundaries at once: each field stays, is joined, or is cut anew somewhere. */
static void cuts_try(const wa_form_t *form, int rounds, uint64_t *seed, apr_pool_t *p)
{
    apr_pool_t *each;
    cut_t cut, changed;
    apr_size_t i;
    int round;

    apr_pool_create(&each, p);
    cut_of(&cut, form, p);
    for (round = 0; round < rounds; round++, apr_pool_clear(each)) {
        changed = cut;
        changed.count = 0;
        for (i = 0; i < cut.count; i++) {
            const apr_size_t end = i + 1 < cut.count ? cut.names[i + 1] : cut.len;
            const uint64_t way = next_random(seed) % 12;
            apr_size_t name = cut.names[i], value = cut.values[i];

            if (way == 0 && i > 0) {
                continue;
            }
            if (way == 1) {
                value = name + 1 + next_random(seed) % (end - name);
            } else if (way == 2) {
                name += next_random(seed) % (value - name);
            }
            changed.names[changed.count] = name;
            changed.values[changed.count++] = value;
            if (way == 3 && end > value) {
                name = value + next_random(seed) % (end - value);
                changed.names[changed.count] = name;
                changed.values[changed.count++] = name + next_random(seed) % (end - name + 1);
            }
        }
        (void)look(&changed, form, each);
    }
}

/* More of everything: WA_TEST_ROUNDS=100 takes some minutes. */
static int rounds_of(int rounds)
{
    const char *times = getenv("WA_TEST_ROUNDS");

    return times ? rounds * atoi(times) : rounds;
}

static void test_many_new_cuts_at_once(void **state)
{
    uint64_t seed = 20261128;
    size_t g;

    for (g = 0; g < COUNT(genuine); g++) {
        cuts_try(form_of(genuine[g], *state), rounds_of(60000), &seed, *state);
    }
}

static const char *one_of(const char *const *words, apr_size_t count, uint64_t *seed)
{
    return words[next_random(seed) % count];
}

/* A name that nobody knows: of words, in some style, or a known one with something behind it. */
static const char *unknown_name(uint64_t *seed, apr_pool_t *p)
{
    static const char *const firsts[] = {
        "Campaign", "Category",   "Catalog", "Edited",   "Contact", "Entry", "Group",   "Lang",
        "Zone",     "x",          "AAA",     "Button",   "Flow",    "Kind",  "Label",   "From",
        "To",       "Body",       "Message", "Address",  "Event",   "Media", "Profile", "ErrorCode",
        "List",     "ButtonText", "WaId",    "Username", "Bo",      "Fro",   "Context", "2fa"};
    static const char *const seconds[] = {"",     "s",   "Name", "Index", "Type", "Color",  "-Id",
                                          ".key", "[0]", "_at",  "Token", "V2",   "Format", "3"};
    const char *name;

    do {
        name = apr_pstrcat(
            p, one_of(firsts, COUNT(firsts), seed), one_of(seconds, COUNT(seconds), seed),
            next_random(seed) % 4 ? "" : one_of(seconds, COUNT(seconds), seed), NULL);
    } while (strstr(name, "MessageType") == name || strcmp(name, "ButtonText") == 0
             || strcmp(name, "ButtonType") == 0 || strcmp(name, "EventType") == 0
             || strcmp(name, "ProfileName") == 0 || strcmp(name, "From") == 0
             || strcmp(name, "To") == 0 || strcmp(name, "Body") == 0 || strcmp(name, "WaId") == 0
             || strcmp(name, "Label") == 0 || strcmp(name, "Address") == 0
             || strcmp(name, "ErrorCode") == 0 || strcmp(name, "Username") == 0);
    return name;
}

static const char *unknown_value(uint64_t *seed)
{
    static const char *const values[] = {"",
                                         "sale",
                                         "true",
                                         "Sale",
                                         "Ünï cödé",
                                         "Two Words",
                                         "a whole sentence, To and From you.",
                                         "42",
                                         "-1.5",
                                         "{\"a\":[1,2]}",
                                         "https://example.com/Media/x?y=z",
                                         "+15",
                                         "BackTo+5",
                                         "ButtonText.pdf",
                                         "Bodybuilder",
                                         "2026-11-28T07:53:15Z",
                                         "SM1",
                                         "whatsapp",
                                         "é",
                                         "\xF0\x9F\x91\x8B"};

    return one_of(values, COUNT(values), seed);
}

/* Whatever Twilio may add: it is taken, means the same, and can be cut anew no better than
 * others. */
static void test_forms_with_fields_that_nobody_knows(void **state)
{
    uint64_t seed = 7;
    apr_pool_t *each;
    size_t g;
    int round;

    apr_pool_create(&each, *state);
    for (g = 0; g < COUNT(genuine); g++) {
        for (round = 0; round < rounds_of(1000); round++, apr_pool_clear(each)) {
            const wa_form_t *form = form_of(genuine[g], each), *taken;
            wa_form_field_t *fields = apr_palloc(each, (form->count + 4) * sizeof(*fields));
            wa_form_t more = {fields, form->count};
            apr_size_t left = 1 + next_random(&seed) % 3;

            memcpy(fields, form->fields, form->count * sizeof(*fields));
            while (left-- > 0) {
                fields[more.count++] = (wa_form_field_t){wa_slice_of(unknown_name(&seed, each)),
                                                         wa_slice_of(unknown_value(&seed))};
            }
            taken = taken_of(&more, each);
            if (!taken || strcmp(identity_of(taken, each), identity_of(form, each)) != 0
                || !shows_all_of(taken, form, each)) {
                apr_size_t i;

                for (i = form->count; i < more.count; i++) {
                    print_message("%s=%s\n", more.fields[i].name.ptr, more.fields[i].value.ptr);
                }
                fail_msg("%s: %s", taken ? shown_of(taken, each) : "refused", genuine[g]);
            }
            cuts_try(&more, 100, &seed, each);
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
        "Body=x&=y&From=whatsapp%3A%2B15551230001" REST,
    };
    size_t i;

    for (i = 0; i < COUNT(forms); i++) {
        if (text_taken_of(forms[i], *state)) {
            fail_msg("taken: %s", forms[i]);
        }
    }
}

#define RECEIPT                                                        \
    "&From=whatsapp%3A%2B14155238886&MessageSid=" SM "&AccountSid=" AC \
    "&MessageStatus=delivered&ApiVersion=2010-04-01"

/* An id begins with a country's letters, after which the rest can be made the next field, when the
 * order of names allows it. */
static void test_an_id_is_not_cut_behind_its_channel(void **state)
{
    static const char *const countries[] = {"GB", "IN", "IT", "JP", "MX"};
    static const char *const more[] = {"", "&ExternalUserId=whatsapp%3A"};
    size_t i, j, taken = 0;

    for (i = 0; i < COUNT(countries); i++) {
        for (j = 0; j < COUNT(more); j++) {
            const char *country = countries[i];
            const char *own = *more[j] ? apr_pstrcat(*state, more[j], country, ".1349", NULL) : "";
            const char *rest = apr_pstrcat(*state, own,
                                           "&To=whatsapp%3A%2B14155238886&MessageSid=" SM
                                           "&AccountSid=" AC "&Body=hello&ApiVersion=2010-04-01",
                                           NULL);

            taken +=
                text_taken_of(apr_pstrcat(*state, "From=whatsapp%3A", country, ".1349", rest, NULL),
                              *state)
                != NULL;
            assert_null(text_taken_of(
                apr_pstrcat(*state, "From=whatsapp%3A&", country, "=.1349", rest, NULL), *state));
        }
    }
    assert_int_equal(taken, COUNT(countries) * COUNT(more));
    /* The same of a receipt, which says in To whom it is about. */
    assert_non_null(text_taken_of("To=whatsapp%3AUS.1349" RECEIPT, *state));
    assert_null(text_taken_of("To=whatsapp%3A&US=.1349" RECEIPT, *state));
}

/* Names that end like a known one stand where that one cannot have begun: names are sorted. */
static void test_fields_of_the_future_that_end_like_a_known_one(void **state)
{
    static const char *const inbound[] = {"ReferralMediaUrl0=https%3A%2F%2Fx.test%2Fa",
                                          "ReferralMediaContentType0=image%2Fpng",
                                          "StickerMediaUrl0=https%3A%2F%2Fx.test%2Fa",
                                          "VenueLatitude=51.5",
                                          "VenueLongitude=-0.2",
                                          "ChannelMessageStatus=received",
                                          "ContextOptOutType=STOP"};
    size_t i;

    for (i = 0; i < COUNT(inbound); i++) {
        const char *body = apr_pstrcat(*state, genuine[0], "&", inbound[i], NULL);

        if (!text_taken_of(body, *state)) {
            fail_msg("refused: %s", inbound[i]);
        }
    }
}

static void test_a_form_that_names_nobody(void **state)
{
    assert_non_null(text_taken_of("Body=x" REST, *state));
    assert_non_null(text_taken_of("Body=From+Berlin%3A+whatsapp" REST, *state));
    assert_non_null(text_taken_of("Body=x&From=" REST, *state));
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

        if (!text_taken_of(body, *state)) {
            fail_msg("refused: %s", fields[i]);
        }
    }
}

/* Where the text, or its beginning, would go into a field that holds no text: the same signed
 * bytes. */
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

        assert_int_equal(text_taken_of(body, *state) != NULL, i % 2 == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_TEST(test_what_twilio_sends_is_taken_as_it_is),
        POOL_TEST(test_every_single_new_cut),
        POOL_TEST(test_every_single_new_cut_of_texts),
        POOL_TEST(test_many_new_cuts_at_once),
        POOL_TEST(test_forms_with_fields_that_nobody_knows),
        POOL_TEST(test_cuts_that_hide_or_move_the_sender),
        POOL_TEST(test_an_id_is_not_cut_behind_its_channel),
        POOL_TEST(test_fields_of_the_future_that_end_like_a_known_one),
        POOL_TEST(test_a_form_that_names_nobody),
        POOL_TEST(test_a_sender_of_another_channel_is_nobody_of_whatsapp),
        POOL_TEST(test_a_text_does_not_vanish_into_a_field_that_holds_none),
        POOL_TEST(test_fields_of_the_future_are_taken),
    };

    return cmocka_run_group_tests(tests, apr_setup, apr_teardown);
}
