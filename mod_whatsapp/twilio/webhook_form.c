/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a signed form is cut between names and values as Twilio cut it. */
#include "twilio/webhook_form.h"

#include <stdlib.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "base/hex.h"

#define CHANNEL "whatsapp:"

/* What a value looks like. */
typedef enum {
    KIND_ANY = 0,
    KIND_ADDRESS, /* a phone number or another id, with its channel */
    KIND_CODE,    /* five digits */
    KIND_DATE,    /* 2010-04-01 */
    KIND_JSON,
    KIND_MIME,
    KIND_NUMBER,
    KIND_SID, /* two letters, 32 hex digits */
    KIND_URL,
    KIND_WORD /* one of `words`, or another in the same case */
} kind_e;

/* What a field is for. */
typedef enum {
    USE_NONE = 0,
    USE_WHO,  /* rule 1: nowhere else */
    USE_SAID, /* rule 1: not missing */
    USE_TEXT  /* rule 3 */
} use_e;

/* A name that Twilio is known to use (TWILIO.md sections 2.2 and 3). */
typedef struct known_t {
    const char *name;
    kind_e kind;
    use_e use;
    /* USE_WHO: a field that is in each form and sorts behind this one, or just behind it anyway. USE_SAID:
     * where there is a field of that name with a value, this one decides nothing. */
    const char *other;
    char is_numbered; /* a number follows it: MediaUrl0 */
} known_t;

static const known_t knowns[] = {
    {"AccountSid", KIND_SID, USE_WHO, "ApiVersion", 0},
    {"AddOns", KIND_JSON, USE_NONE, NULL, 0},
    {"Address", KIND_ANY, USE_TEXT, NULL, 0},
    {"ApiVersion", KIND_DATE, USE_SAID, NULL, 0},
    {"Body", KIND_ANY, USE_TEXT, NULL, 0},
    {"ButtonPayload", KIND_ANY, USE_TEXT, NULL, 0},
    {"ButtonText", KIND_ANY, USE_TEXT, NULL, 0},
    {"ButtonType", KIND_WORD, USE_NONE, NULL, 0},
    {"ChannelInstallSid", KIND_SID, USE_NONE, NULL, 0},
    {"ChannelMetadata", KIND_JSON, USE_SAID, NULL, 0},
    {"ChannelPrefix", KIND_WORD, USE_NONE, NULL, 0},
    {"ChannelStatusMessage", KIND_ANY, USE_NONE, NULL, 0},
    {"ChannelToAddress", KIND_ANY, USE_NONE, NULL, 0},
    {"ErrorCode", KIND_CODE, USE_SAID, "NumMedia", 0},
    {"ErrorMessage", KIND_ANY, USE_NONE, NULL, 0},
    {"EventType", KIND_WORD, USE_NONE, NULL, 0},
    {"ExternalUserId", KIND_ADDRESS, USE_SAID, "From", 0},
    {"FlowData", KIND_JSON, USE_NONE, NULL, 0},
    {"Forwarded", KIND_WORD, USE_NONE, NULL, 0},
    {"FrequentlyForwarded", KIND_WORD, USE_NONE, NULL, 0},
    {"From", KIND_ADDRESS, USE_WHO, "MessageSid", 0},
    {"FromCity", KIND_ANY, USE_NONE, NULL, 0},
    {"FromCountry", KIND_ANY, USE_NONE, NULL, 0},
    {"FromState", KIND_ANY, USE_NONE, NULL, 0},
    {"FromZip", KIND_ANY, USE_NONE, NULL, 0},
    {"InteractiveData", KIND_JSON, USE_NONE, NULL, 0},
    {"Label", KIND_ANY, USE_TEXT, NULL, 0},
    {"Latitude", KIND_NUMBER, USE_SAID, NULL, 0},
    {"ListId", KIND_ANY, USE_TEXT, NULL, 0},
    {"ListTitle", KIND_ANY, USE_TEXT, NULL, 0},
    {"Longitude", KIND_NUMBER, USE_SAID, NULL, 0},
    {"MediaContentType", KIND_MIME, USE_SAID, NULL, 1},
    {"MediaUrl", KIND_URL, USE_SAID, NULL, 1},
    {"MessageSid", KIND_SID, USE_WHO, "NumMedia", 0},
    {"MessageStatus", KIND_WORD, USE_SAID, NULL, 0},
    {"MessageType", KIND_WORD, USE_SAID, NULL, 0},
    {"MessagingServiceSid", KIND_SID, USE_NONE, NULL, 0},
    {"NumMedia", KIND_NUMBER, USE_SAID, NULL, 0},
    {"NumSegments", KIND_NUMBER, USE_NONE, NULL, 0},
    {"OptOutType", KIND_WORD, USE_SAID, NULL, 0},
    {"OriginalRepliedMessageSender", KIND_ADDRESS, USE_NONE, NULL, 0},
    {"OriginalRepliedMessageSid", KIND_SID, USE_NONE, NULL, 0},
    {"ProfileName", KIND_ANY, USE_NONE, NULL, 0},
    {"ReferralNumMedia", KIND_NUMBER, USE_NONE, NULL, 0},
    {"SmsMessageSid", KIND_SID, USE_NONE, NULL, 0},
    {"SmsSid", KIND_SID, USE_SAID, "MessageSid", 0},
    {"SmsStatus", KIND_WORD, USE_SAID, NULL, 0},
    {"StructuredMessage", KIND_WORD, USE_NONE, NULL, 0},
    {"To", KIND_ADDRESS, USE_WHO, "To", 0},
    {"WaId", KIND_NUMBER, USE_SAID, "From", 0},
};
#define KNOWNS (sizeof(knowns) / sizeof(knowns[0]))

static const char *const words[] = {
    "ACTION",   "HELP",    "REPLY",       "START",       "STOP",      "accepted",
    "audio",    "button",  "canceled",    "contacts",    "delivered", "document",
    "failed",   "image",   "interactive", "location",    "order",     "queued",
    "reaction", "read",    "received",    "receiving",   "scheduled", "sending",
    "sent",     "sticker", "text",        "undelivered", "video"};

/* The fields in the order that they are signed in, each once, and what is signed of them: all of them lie
 * in `text`, one behind the other. */
typedef struct cut_t {
    wa_form_field_t *fields;
    const known_t **knowns; /* of each field, NULL where nobody knows it */
    apr_size_t count;
    wa_slice_t text;
} cut_t;

#define NONE ((apr_size_t)-1)

/* ---- names and values ---- */

static int is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static int is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static int is_ascii(char c)
{
    return (unsigned char)c < 0x80;
}

static int is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static wa_slice_t between(const char *from, const char *to)
{
    return wa_slice_make(from, (apr_size_t)(to - from));
}

static const char *end_of(wa_slice_t s)
{
    return s.ptr + s.len;
}

static int compare(wa_slice_t a, wa_slice_t b)
{
    const apr_size_t len = a.len < b.len ? a.len : b.len;
    const int order = len > 0 ? memcmp(a.ptr, b.ptr, len) : 0;

    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static int field_compare(const void *a, const void *b)
{
    const wa_form_field_t *x = a, *y = b;
    const int order = compare(x->name, y->name);

    return order != 0 ? order : compare(x->value, y->value);
}

static int starts_with(wa_slice_t s, const char *text)
{
    const apr_size_t len = strlen(text);

    return s.len >= len && memcmp(s.ptr, text, len) == 0;
}

/* How many bytes at the beginning of `s` are from `first` to `last`, or one of `more`. */
static apr_size_t span(wa_slice_t s, char first, char last, const char *more)
{
    apr_size_t i = 0;

    while (i < s.len
           && ((s.ptr[i] >= first && s.ptr[i] <= last) || (s.ptr[i] && strchr(more, s.ptr[i])))) {
        i++;
    }
    return i;
}

static apr_size_t digits(wa_slice_t s)
{
    return span(s, '0', '9', "");
}

static wa_slice_t rest_of(wa_slice_t s, apr_size_t from)
{
    return wa_slice_make(s.ptr + from, s.len - from);
}

/* How long the known name at the beginning of `s` is, with its number; 0 when it does not stand there. */
static apr_size_t known_len(const known_t *known, wa_slice_t s)
{
    const apr_size_t len = strlen(known->name);
    apr_size_t number;

    if (!starts_with(s, known->name)) {
        return 0;
    }
    number = known->is_numbered ? digits(rest_of(s, len)) : 0;
    return known->is_numbered && number == 0 ? 0 : len + number;
}

static const known_t *known_find(wa_slice_t name)
{
    apr_size_t i;

    for (i = 0; i < KNOWNS; i++) {
        if (known_len(&knowns[i], name) == name.len) {
            return &knowns[i];
        }
    }
    return NULL;
}

static apr_size_t field_find(const cut_t *cut, wa_slice_t name)
{
    apr_size_t i;

    for (i = 0; i < cut->count; i++) {
        if (wa_slice_is_equal(cut->fields[i].name, name)) {
            return i;
        }
    }
    return NONE;
}

/* The value of that field, empty when there is none. */
static wa_slice_t value_of(const cut_t *cut, const char *name)
{
    const apr_size_t i = field_find(cut, wa_slice_of(name));

    return i == NONE ? (wa_slice_t){NULL, 0} : cut->fields[i].value;
}

static int is_sid(wa_slice_t s)
{
    apr_size_t i;

    for (i = 2; i < s.len && i < 34; i++) {
        if (wa_hex_value(s.ptr[i]) < 0) {
            return 0;
        }
    }
    return i == 34 && is_upper(s.ptr[0]) && is_upper(s.ptr[1]);
}

/* 1 when `s` begins with what such a value begins with, and is not likely to be anything else. */
static int is_begun(kind_e kind, wa_slice_t s)
{
    apr_size_t i;

    switch (kind) {
    case KIND_ADDRESS:
        return starts_with(s, CHANNEL) || (starts_with(s, "+") && digits(rest_of(s, 1)) >= 7);
    case KIND_CODE:
        return digits(s) == 5;
    case KIND_DATE:
        return digits(s) == 4 && span(s, '0', '9', "-") >= 10;
    case KIND_JSON:
        return starts_with(s, "{") || starts_with(s, "[");
    case KIND_MIME:
        i = span(s, 'a', 'z', "");
        return i > 0 && i < s.len && s.ptr[i] == '/';
    case KIND_NUMBER:
        return digits(s) > 0 || (starts_with(s, "-") && digits(rest_of(s, 1)) > 0);
    case KIND_SID:
        return is_sid(s);
    case KIND_URL:
        return starts_with(s, "http");
    case KIND_WORD:
        for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
            if (starts_with(s, words[i])) {
                return 1;
            }
        }
        return 0;
    default:
        return 0;
    }
}

static int is_number(wa_slice_t address)
{
    if (starts_with(address, CHANNEL)) {
        address = rest_of(address, sizeof(CHANNEL) - 1);
    }
    return span(address, '0', '9', "+") == address.len;
}

/* 1 when all of it is such a value and no other field can be in it. */
static int is_whole(kind_e kind, wa_slice_t value)
{
    const char last = value.len > 0 ? value.ptr[value.len - 1] : '\0';

    switch (kind) {
    case KIND_ADDRESS:
        return is_number(value)
               || (starts_with(value, CHANNEL) && value.len > 12 && value.ptr[11] == '.'
                   && digits(rest_of(value, 12)) == value.len - 12);
    case KIND_JSON:
        return (starts_with(value, "{") && last == '}') || (starts_with(value, "[") && last == ']');
    case KIND_MIME:
        return span(value, 'a', 'z', "0123456789/+-.;= ") == value.len;
    case KIND_CODE:
    case KIND_DATE:
    case KIND_NUMBER:
        return span(value, '0', '9', "+-.") == value.len;
    case KIND_SID:
        return value.len == 34 && is_sid(value);
    case KIND_URL: /* Twilio's own: .../Media/ME<hex digits> */
        while (value.len > 0 && !starts_with(value, "/Media/ME")) {
            value = rest_of(value, 1);
        }
        return value.len > 9 && span(rest_of(value, 9), 'a', 'f', "0123456789") == value.len - 9;
    case KIND_WORD:
        return span(value, 'a', 'z', "_-") == value.len || span(value, 'A', 'Z', "_-") == value.len;
    default:
        return 0;
    }
}

/* ---- the cut ---- */

static apr_status_t cut_make(cut_t *cut, const wa_form_t *form, apr_pool_t *p)
{
    apr_size_t i, len = 0;
    char *text;

    cut->fields = apr_palloc(p, (form->count + 1) * sizeof(*cut->fields));
    cut->knowns = apr_palloc(p, (form->count + 1) * sizeof(*cut->knowns));
    cut->count = 0;
    for (i = 0; i < form->count; i++) {
        cut->fields[i] = form->fields[i];
        len += form->fields[i].name.len + form->fields[i].value.len;
    }
    qsort(cut->fields, form->count, sizeof(*cut->fields), field_compare);
    cut->text = wa_slice_make(text = apr_palloc(p, len + 1), len);
    for (i = 0; i < form->count; i++) {
        const wa_form_field_t field = cut->fields[i];
        wa_form_field_t *to = &cut->fields[cut->count];
        const known_t *known = known_find(field.name);

        if (cut->count > 0 && field_compare(&field, to - 1) == 0) {
            continue; /* signed once */
        }
        if (field.name.len == 0
            || (known && cut->count > 0 && compare(field.name, to[-1].name) == 0)) {
            return APR_EINVAL;
        }
        to->name = wa_slice_make(text, field.name.len);
        memcpy(text, field.name.ptr, field.name.len);
        to->value = wa_slice_make(text + field.name.len, field.value.len);
        if (field.value.len > 0) {
            memcpy(text + field.name.len, field.value.ptr, field.value.len);
        }
        text += field.name.len + field.value.len;
        cut->knowns[cut->count++] = known;
    }
    cut->text.len = (apr_size_t)(text - cut->text.ptr);
    return APR_SUCCESS;
}

/* The field that byte is in. */
static apr_size_t field_at(const cut_t *cut, const char *at)
{
    apr_size_t low = 0, high = cut->count;

    while (high - low > 1) {
        const apr_size_t middle = low + (high - low) / 2;

        if (cut->fields[middle].name.ptr <= at) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

/* The name of the next field behind `i` that is known: one that is not may be whoever cut this anew's. */
static wa_slice_t next_known(const cut_t *cut, apr_size_t i, wa_slice_t but)
{
    for (i++; i < cut->count; i++) {
        if (cut->knowns[i] && compare(cut->fields[i].name, but) != 0) {
            return cut->fields[i].name;
        }
    }
    return (wa_slice_t){NULL, 0};
}

/* ---- rule 1 ---- */

/* At the end of a longer name: what is behind it is whole, so that the next field begins where Twilio had it
 * begin; with a name, then, that sorts before that of the field it should follow. */
static int is_end_of_other(const cut_t *cut, const known_t *known, wa_slice_t name)
{
    const apr_size_t i = field_at(cut, name.ptr);
    const wa_form_field_t *field = &cut->fields[i];

    return field->name.ptr < name.ptr && end_of(field->name) == end_of(name)
           && is_whole(known->kind, field->value)
           && (compare(field->name, name) < 0
               || compare(field->name, wa_slice_of(known->other)) > 0);
}

/* Whether a name with the beginning of its value means that the form's own field of that name is not it. */
static int is_rival(const cut_t *cut, const known_t *known, wa_slice_t name, wa_slice_t behind)
{
    const apr_size_t own = field_find(cut, name);
    const int has_own = own != NONE && is_begun(known->kind, cut->fields[own].value);
    const wa_form_field_t *here = &cut->fields[field_at(cut, name.ptr)];

    if (own != NONE && cut->fields[own].name.ptr == name.ptr) {
        return !is_begun(known->kind, cut->fields[own].value); /* "To" and "whatsapp:+1" */
    }
    if (!has_own && end_of(here->name) == end_of(name) && known_find(here->name)) {
        return 0; /* SmsMessageSid */
    }
    if (known->use == USE_SAID) {
        return !has_own && (!known->other || value_of(cut, known->other).len == 0);
    }
    if (has_own && known->kind == KIND_ADDRESS && starts_with(cut->fields[own].value, CHANNEL)
        && !starts_with(behind, CHANNEL)) {
        return 0;
    }
    return !has_own || !is_end_of_other(cut, known, name);
}

static int has_rival(const cut_t *cut)
{
    apr_size_t at, i;

    for (at = 0; at < cut->text.len; at++) {
        const wa_slice_t here = rest_of(cut->text, at);

        for (i = 0; is_upper(*here.ptr) && i < KNOWNS; i++) {
            const known_t *known = &knowns[i];
            const apr_size_t len = known_len(known, here);

            if (len > 0 && (known->use == USE_WHO || known->use == USE_SAID)
                && is_begun(known->kind, rest_of(here, len))
                && is_rival(cut, known, wa_slice_make(here.ptr, len), rest_of(here, len))) {
                return 1;
            }
        }
    }
    return 0;
}

/* ---- rule 2 ---- */

/* 1 when a field that sorts between this one and the next could begin in this one's value. */
static int could_hold_another(const cut_t *cut, apr_size_t i)
{
    const wa_form_field_t *field = &cut->fields[i];
    const wa_slice_t next = next_known(cut, i, field->name);
    const char *at;

    for (at = field->value.ptr; at < end_of(field->value); at++) {
        apr_size_t len = 1;

        while (at + len < end_of(cut->text) && len <= field->name.len
               && compare(wa_slice_make(at, len), field->name) <= 0) {
            len++;
        }
        if (apr_isalnum(*at) && compare(wa_slice_make(at, len), field->name) > 0
            && (next.len == 0 || compare(wa_slice_make(at, len), next) < 0)) {
            return 1;
        }
    }
    return 0;
}

static int is_value_right(const cut_t *cut, apr_size_t i)
{
    const known_t *known = cut->knowns[i];
    const wa_slice_t value = cut->fields[i].value;

    if (!known || (known->use != USE_WHO && known->use != USE_SAID)) {
        return 1;
    }
    if (known->use == USE_SAID
        && (!is_begun(known->kind, value)
            || (known->other && value_of(cut, known->other).len > 0))) {
        return 1; /* none that another was added to, or of no use */
    }
    if (strcmp(known->name, "From") == 0 && !is_number(value)) {
        /* An id that is no number has no end of its own; it is there twice, and nothing else can be. */
        if (wa_slice_is_equal(value, value_of(cut, "ExternalUserId"))) {
            return 1;
        }
        if (i + 1 < cut->count && !cut->knowns[i + 1]) {
            return 0;
        }
    }
    return is_whole(known->kind, value) || !could_hold_another(cut, i);
}

/* ---- rule 3 ---- */

/* 1 when a name of a text could stand at that place, which is in the field `i`. */
static int fits_there(const cut_t *cut, apr_size_t i, const char *at, wa_slice_t name)
{
    const wa_form_field_t *field = &cut->fields[i];
    const wa_slice_t next = next_known(cut, i, name);
    apr_size_t before = i;

    while (before > 0 && !cut->knowns[before - 1]) {
        before--;
    }
    return (before == 0 || compare(name, cut->fields[before - 1].name) > 0)
           && (at == field->name.ptr
               || compare(name,
                          at < end_of(field->name) ? between(field->name.ptr, at) : field->name)
                      > 0)
           && (next.len == 0 || compare(name, next) < 0);
}

/* Where a text's name stands in a field that is nothing we show, before its own field or without one. */
static const char *hidden_name(const cut_t *cut, wa_slice_t name, apr_size_t own)
{
    apr_size_t i;

    for (i = 0; i < cut->count && i < own; i++) {
        const wa_form_field_t *field = &cut->fields[i];
        const known_t *known = cut->knowns[i];
        const char *at = known ? field->value.ptr : field->name.ptr;

        if (known && (known->use != USE_NONE || is_whole(known->kind, field->value))) {
            continue;
        }
        for (; at + name.len <= end_of(field->value); at++) {
            if (memcmp(at, name.ptr, name.len) == 0 && fits_there(cut, i, at, name)
                && (own == NONE || at == field->name.ptr || at >= field->value.ptr)) {
                return at;
            }
        }
    }
    return NULL;
}

/* Whether a word may begin behind that text: behind nothing, a space, a bracket, a quote. */
static int may_begin_word(wa_slice_t text)
{
    const unsigned char *end = (const unsigned char *)end_of(text);

    if (text.len == 0 || end[-1] < 0x80) {
        return text.len == 0 || !(apr_isalnum(end[-1]) || strchr(".!?)]}%", end[-1]));
    }
    return (text.len >= 2 && end[-2] == 0xC2) /* what Latin-1 has of signs */
           || (text.len >= 3 && end[-3] == 0xE2 && (end[-2] == 0x80 || end[-2] == 0x81));
}

static int has_space(wa_slice_t s)
{
    apr_size_t i = 0;

    while (i < s.len && !is_space(s.ptr[i])) {
        i++;
    }
    return i < s.len;
}

/* "ContactName" */
static int is_two_words(wa_slice_t name)
{
    apr_size_t i;

    for (i = 1; i < name.len; i++) {
        if (is_upper(name.ptr[i]) && !is_upper(name.ptr[i - 1])) {
            return 1;
        }
    }
    return 0;
}

/* Whether the name of a text that is missing could stand at that place in the field `i`. */
static int text_name_at(const cut_t *cut, apr_size_t i, const char *at)
{
    const wa_slice_t here = between(at, end_of(cut->text));
    apr_size_t k;

    for (k = 0; is_upper(*at) && k < KNOWNS; k++) {
        const wa_slice_t name = wa_slice_of(knowns[k].name);

        if (knowns[k].use == USE_TEXT && known_len(&knowns[k], here) > 0
            && fits_there(cut, i, at, name) && field_find(cut, name) == NONE) {
            return 1;
        }
    }
    return 0;
}

/* Whether a field behind a text, which has grown already or not, could be that text's end. */
static int is_end_of_text(const cut_t *cut, wa_slice_t text, int is_grown, apr_size_t i)
{
    const wa_slice_t name = cut->fields[i].name, value = cut->fields[i].value;
    const known_t *known = cut->knowns[i];
    const char first = value.len > 0 ? value.ptr[0] : '\0';
    const char last = text.len > 0 ? text.ptr[text.len - 1] : '\0';

    if (known && value.len > 0
        && (known->use == USE_WHO || known->use == USE_SAID || is_whole(known->kind, value))) {
        return 0;
    }
    if (known && known->use == USE_TEXT && is_grown) {
        return 1; /* this text is shown instead of that one */
    }
    if (known && (known->kind == KIND_ANY || value.len == 0)) {
        return text.len > 0 ? is_space(last)
                            : !apr_isalnum(first) && is_ascii(first) && first != '{';
    }
    if (is_space(first) || span(name, '0', 'z', "-.") < name.len) {
        return 1;
    }
    if (text.len == 0) {
        return !is_two_words(name) || has_space(value) || text_name_at(cut, i, name.ptr)
               || wa_slice_is_equal(value_of(cut, "MessageType"), WA_SLICE_LITERAL("text"));
    }
    if (may_begin_word(text)
        || (is_upper(last) && is_upper(name.ptr[0]) && !(name.len > 1 && is_lower(name.ptr[1])))) {
        return 1;
    }
    return has_space(value) && is_ascii(first) && !is_upper(first)
           && !strchr("0123456789{[+-", first);
}

/* Makes one text whole. `own` is its field, or NONE.
 * @param pwhole  out: what it is
 * @return 1 | 0 there is none | -1 it was cut anew */
static int text_find(const cut_t *cut, wa_slice_t name, apr_size_t own, wa_slice_t *pwhole)
{
    const char *hidden = known_find(name)->use == USE_TEXT ? hidden_name(cut, name, own) : NULL;
    apr_size_t next, i;
    int is_grown;

    if (!hidden && own == NONE) {
        return 0;
    }
    next = own != NONE ? own : field_at(cut, hidden);
    /* Every message has its own Body. */
    if (hidden && wa_slice_is_equal(name, WA_SLICE_LITERAL("Body"))
        && (own == NONE || hidden == cut->fields[field_at(cut, hidden)].name.ptr)) {
        return -1;
    }
    *pwhole = between(hidden ? hidden + name.len : cut->fields[own].value.ptr,
                      end_of(cut->fields[next].value));
    is_grown = 0;
    for (i = 0; own != NONE && !is_grown && i < cut->fields[own].value.len; i++) {
        is_grown = text_name_at(cut, own, cut->fields[own].value.ptr + i);
    }
    for (i = next + 1; i < cut->count && is_end_of_text(cut, *pwhole, is_grown, i); i++) {
        is_grown = 1;
        *pwhole = between(pwhole->ptr, end_of(cut->fields[i].value));
    }
    return 1;
}

static int is_receipt(const cut_t *cut)
{
    const wa_slice_t status = value_of(cut, "SmsStatus");

    return field_find(cut, WA_SLICE_LITERAL("NumMedia")) == NONE
           && (value_of(cut, "MessageStatus").len > 0
               || (status.len > 0 && !starts_with(status, "receiv")));
}

/* A copy of the form with room for each text, made when it is needed first. */
static void text_put(wa_form_t **pmended, const wa_form_t *form, wa_slice_t name, wa_slice_t value,
                     apr_pool_t *p)
{
    wa_form_field_t *fields;
    apr_size_t i, found = 0;

    if (!*pmended) {
        *pmended = apr_pmemdup(p, form, sizeof(*form));
        fields = apr_palloc(p, (form->count + KNOWNS) * sizeof(*fields));
        memcpy(fields, form->fields, form->count * sizeof(*fields));
        (*pmended)->fields = fields;
    }
    fields = (wa_form_field_t *)(*pmended)->fields;
    for (i = 0; i < form->count; i++) {
        if (wa_slice_is_equal(fields[i].name, name)) {
            fields[i].value = value;
            found = 1;
        }
    }
    if (!found) {
        fields[(*pmended)->count++] = (wa_form_field_t){name, value};
    }
}

/* Rule 3 for all texts, and for addresses of attachments, which have no end of their own either. */
static apr_status_t texts_mend(wa_form_t **pmended, const cut_t *cut, const wa_form_t *form,
                               apr_pool_t *p)
{
    apr_size_t i;

    for (i = 0; i < KNOWNS + cut->count; i++) {
        const int is_own = i >= KNOWNS;
        const known_t *known = is_own ? cut->knowns[i - KNOWNS] : &knowns[i];
        const wa_slice_t name = is_own ? cut->fields[i - KNOWNS].name : wa_slice_of(known->name);
        const apr_size_t own = field_find(cut, name);
        wa_slice_t whole;
        int found;

        if (!known || (is_own != (known->kind == KIND_URL))
            || (is_own ? is_whole(known->kind, cut->fields[own].value) : known->use != USE_TEXT)) {
            continue;
        }
        found = text_find(cut, name, own, &whole);
        if (found < 0) {
            return APR_EINVAL;
        }
        if (found > 0 && (own == NONE || cut->fields[own].value.len != whole.len)) {
            text_put(pmended, form, name, whole, p);
        }
    }
    return APR_SUCCESS;
}

apr_status_t wa_webhook_form_check(const wa_form_t **ptaken, const wa_form_t *form,
                                   const char **pwhy, apr_pool_t *p)
{
    wa_form_t *mended = NULL;
    cut_t cut;
    apr_size_t i;

    *ptaken = NULL;
    *pwhy = NULL;
    if (cut_make(&cut, form, p) != APR_SUCCESS) {
        *pwhy = "a field has no name, or two values;";
    } else if (has_rival(&cut)) {
        *pwhy = "a sender, a receiver, a sid or another value stands where none belongs;";
    }
    for (i = 0; !*pwhy && i < cut.count; i++) {
        if (!is_value_right(&cut, i)) {
            *pwhy = "a value holds what could be another field;";
        }
    }
    if (!*pwhy && !is_receipt(&cut) && texts_mend(&mended, &cut, form, p) != APR_SUCCESS) {
        *pwhy = "its text stands in a field that is none;";
    }
    if (*pwhy) {
        return APR_EINVAL;
    }
    *ptaken = mended ? mended : form;
    return APR_SUCCESS;
}
