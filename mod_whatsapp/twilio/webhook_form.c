/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a signed form is cut between names and values as Twilio cut it. */
#include "twilio/webhook_form.h"

#include <stdlib.h>

#include <apr_lib.h>

#include "base/hex.h"

#define CHANNEL "whatsapp:"

/* Where a value ends by itself: no name can be mistaken for its continuation. */
typedef enum {
    END_NONE = 0, /* a text: anything may be a part of it */
    END_DIGITS,   /* digits and what stands between them in dates and coordinates */
    END_WORD,     /* lower case */
    END_SID,      /* two letters, 32 hex digits */
    END_ADDRESS,  /* a phone number, with its channel */
    END_JSON,     /* to its last bracket */
    END_TYPE      /* a media type in lower case */
} end_e;

/* A name that Twilio is known to use (TWILIO.md sections 2.2 and 3). */
typedef struct known_t {
    const char *name;
    end_e end;
    char is_shown;    /* its value decides what clients are shown */
    char is_numbered; /* a number follows it: MediaUrl0 */
} known_t;

static const known_t knowns[] = {
    {"AccountSid", END_SID, 0, 0},
    {"AddOns", END_JSON, 0, 0},
    {"Address", END_NONE, 1, 0},
    {"ApiVersion", END_DIGITS, 0, 0},
    {"Body", END_NONE, 1, 0},
    {"ButtonPayload", END_NONE, 1, 0},
    {"ButtonText", END_NONE, 1, 0},
    {"ButtonType", END_NONE, 1, 0},
    {"ChannelInstallSid", END_SID, 0, 0},
    {"ChannelMetadata", END_JSON, 0, 0},
    {"ChannelPrefix", END_WORD, 0, 0},
    {"ChannelStatusMessage", END_NONE, 0, 0},
    {"ChannelToAddress", END_NONE, 0, 0},
    {"ErrorCode", END_DIGITS, 1, 0},
    {"ErrorMessage", END_NONE, 0, 0},
    {"EventType", END_NONE, 0, 0},
    {"ExternalUserId", END_ADDRESS, 1, 0},
    {"FlowData", END_JSON, 0, 0},
    {"Forwarded", END_WORD, 0, 0},
    {"FrequentlyForwarded", END_WORD, 0, 0},
    {"From", END_ADDRESS, 1, 0},
    {"FromCity", END_NONE, 0, 0},
    {"FromCountry", END_NONE, 0, 0},
    {"FromState", END_NONE, 0, 0},
    {"FromZip", END_NONE, 0, 0},
    {"InteractiveData", END_JSON, 0, 0},
    {"Label", END_NONE, 1, 0},
    {"Latitude", END_DIGITS, 1, 0},
    {"ListId", END_NONE, 1, 0},
    {"ListTitle", END_NONE, 1, 0},
    {"Longitude", END_DIGITS, 1, 0},
    {"MediaContentType", END_TYPE, 1, 1},
    {"MediaUrl", END_NONE, 1, 1},
    {"MessageSid", END_SID, 1, 0},
    {"MessageStatus", END_WORD, 1, 0},
    {"MessageType", END_WORD, 1, 0},
    {"MessagingServiceSid", END_SID, 0, 0},
    {"NumMedia", END_DIGITS, 0, 0},
    {"NumSegments", END_DIGITS, 0, 0},
    {"OptOutType", END_NONE, 1, 0},
    {"OriginalRepliedMessageSender", END_ADDRESS, 0, 0},
    {"OriginalRepliedMessageSid", END_SID, 0, 0},
    {"ProfileName", END_NONE, 0, 0},
    {"RawDlrDoneDate", END_DIGITS, 0, 0},
    {"ReferralBody", END_NONE, 0, 0},
    {"ReferralCtwaClid", END_NONE, 0, 0},
    {"ReferralHeadline", END_NONE, 0, 0},
    {"ReferralMediaContentType", END_TYPE, 0, 0},
    {"ReferralMediaId", END_NONE, 0, 0},
    {"ReferralMediaUrl", END_NONE, 0, 0},
    {"ReferralNumMedia", END_DIGITS, 0, 0},
    {"ReferralSourceId", END_NONE, 0, 0},
    {"ReferralSourceType", END_WORD, 0, 0},
    {"ReferralSourceUrl", END_NONE, 0, 0},
    {"SmsMessageSid", END_SID, 0, 0},
    {"SmsSid", END_SID, 1, 0},
    {"SmsStatus", END_WORD, 1, 0},
    {"StructuredMessage", END_WORD, 0, 0},
    {"To", END_ADDRESS, 1, 0},
    {"ToCity", END_NONE, 0, 0},
    {"ToCountry", END_NONE, 0, 0},
    {"ToState", END_NONE, 0, 0},
    {"ToZip", END_NONE, 0, 0},
    {"Username", END_NONE, 0, 0},
    {"WaId", END_DIGITS, 1, 0},
};
#define KNOWNS (sizeof(knowns) / sizeof(knowns[0]))

/* The fields in the order that they are signed in, each once, and what is signed of them. */
typedef struct cut_t {
    wa_form_field_t *fields;
    apr_size_t count;
    wa_slice_t text;
} cut_t;

/* ---- names ---- */

/* How long the known name at the beginning of `s` is, with its number; 0 when it does not stand there. */
static apr_size_t known_len(const known_t *known, wa_slice_t s)
{
    apr_size_t len = strlen(known->name);

    if (s.len < len || memcmp(s.ptr, known->name, len) != 0) {
        return 0;
    }
    if (known->is_numbered) {
        const apr_size_t digits_at = len;

        while (len < s.len && apr_isdigit(s.ptr[len])) {
            len++;
        }
        return len > digits_at ? len : 0;
    }
    return len;
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

static int is_name(wa_slice_t s)
{
    apr_size_t i;

    for (i = 0; i < s.len; i++) {
        const char c = s.ptr[i];

        if (!(c >= 'A' && c <= 'Z')
            && (i == 0 || !((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'))) {
            return 0;
        }
    }
    return s.len > 0;
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

static int has_field(const cut_t *cut, wa_slice_t name)
{
    apr_size_t i;

    for (i = 0; i < cut->count; i++) {
        if (wa_slice_is_equal(cut->fields[i].name, name)) {
            return 1;
        }
    }
    return 0;
}

/* ---- values ---- */

static int starts_with(wa_slice_t s, const char *text)
{
    const apr_size_t len = strlen(text);

    return s.len >= len && memcmp(s.ptr, text, len) == 0;
}

/* 1 when all of it is digits, or one of `more`. */
static int is_of(wa_slice_t s, char first, char last, const char *more)
{
    apr_size_t i;

    for (i = 0; i < s.len; i++) {
        const char c = s.ptr[i];

        if (!(c >= first && c <= last) && (c == '\0' || !strchr(more, c))) {
            return 0;
        }
    }
    return 1;
}

static int is_sid(wa_slice_t s)
{
    apr_size_t i;

    for (i = 2; i < s.len && i < 34; i++) {
        if (wa_hex_value(s.ptr[i]) < 0) {
            return 0;
        }
    }
    return i == 34 && s.ptr[0] >= 'A' && s.ptr[0] <= 'Z' && s.ptr[1] >= 'A' && s.ptr[1] <= 'Z';
}

/* A value is empty where the field that follows shows it: that end is none of its own, but there is
 * nothing in it either that could be another field. */
static int ends_by_itself(end_e end, wa_slice_t value)
{
    const char last = value.len > 0 ? value.ptr[value.len - 1] : '\0';

    switch (end) {
    case END_DIGITS:
        return is_of(value, '0', '9', "+-.");
    case END_WORD:
        return is_of(value, 'a', 'z', "_-");
    case END_SID:
        return value.len == 34 && is_sid(value);
    case END_ADDRESS:
        if (starts_with(value, CHANNEL)) {
            value.ptr += sizeof(CHANNEL) - 1;
            value.len -= sizeof(CHANNEL) - 1;
        }
        return is_of(value, '0', '9', "+");
    case END_JSON:
        return (starts_with(value, "{") && last == '}') || (starts_with(value, "[") && last == ']');
    case END_TYPE:
        return value.len > 0 && is_of(value, 'a', 'z', "0123456789/+-.;= ");
    default:
        return 0;
    }
}

/* 1 when a value of that kind may begin like `s`. */
static int may_begin(end_e end, wa_slice_t s)
{
    const char c = s.len > 0 ? s.ptr[0] : '\0';

    switch (end) {
    case END_DIGITS:
        return apr_isdigit(c) || c == '-' || c == '+';
    case END_WORD:
        return c >= 'a' && c <= 'z';
    case END_SID:
        return is_sid(s);
    case END_ADDRESS:
        return starts_with(s, CHANNEL) || (c == '+' && s.len > 1 && apr_isdigit(s.ptr[1]));
    case END_JSON:
        return c == '{' || c == '[';
    case END_TYPE:
        return c >= 'a' && c <= 'z';
    default:
        return 1;
    }
}

static wa_slice_t rest_of(wa_slice_t s, apr_size_t from)
{
    return wa_slice_make(s.ptr + from, s.len - from);
}

/* ---- the rules ---- */

static apr_status_t cut_make(cut_t *cut, const wa_form_t *form, apr_pool_t *tmp)
{
    apr_size_t i, len = 0, count = 0;
    char *text;

    cut->fields = apr_palloc(tmp, (form->count + 1) * sizeof(*cut->fields));
    for (i = 0; i < form->count; i++) {
        cut->fields[i] = form->fields[i];
        len += form->fields[i].name.len + form->fields[i].value.len;
    }
    qsort(cut->fields, form->count, sizeof(*cut->fields), field_compare);
    text = apr_palloc(tmp, len + 1);
    len = 0;
    for (i = 0; i < form->count; i++) {
        wa_form_field_t *field = &cut->fields[i];

        if (count > 0 && field_compare(field, &cut->fields[count - 1]) == 0) {
            continue; /* signed once */
        }
        if (!is_name(field->name)
            || (count > 0 && wa_slice_is_equal(field->name, cut->fields[count - 1].name)
                && known_find(field->name))) {
            return APR_EINVAL;
        }
        memcpy(text + len, field->name.ptr, field->name.len);
        field->name.ptr = text + len;
        len += field->name.len;
        if (field->value.len > 0) {
            memcpy(text + len, field->value.ptr, field->value.len);
        }
        field->value.ptr = text + len;
        len += field->value.len;
        cut->fields[count++] = *field;
    }
    cut->count = count;
    cut->text = wa_slice_make(text, len);
    return APR_SUCCESS;
}

/* Rule 2. */
static int begins_as_known(const cut_t *cut, const wa_form_field_t *field, int is_known)
{
    const wa_slice_t all = wa_slice_make(field->name.ptr, field->name.len + field->value.len);
    apr_size_t i;

    for (i = 0; i < KNOWNS; i++) {
        const apr_size_t len = known_len(&knowns[i], all);

        if (len == 0 || len == field->name.len
            || (len < field->name.len
                && (is_known || !may_begin(knowns[i].end, rest_of(all, len))))) {
            continue;
        }
        if (len > field->name.len || !has_field(cut, wa_slice_make(all.ptr, len))) {
            return 1;
        }
    }
    return 0;
}

/* 1 when the name is missing and could stand at that place of the text, which is in the field `n`: between
 * what is before it and the next field that begins behind it. */
static int fits_there(const cut_t *cut, apr_size_t n, wa_slice_t name)
{
    const char *end = name.ptr + name.len;
    apr_size_t before = name.ptr >= cut->fields[n].value.ptr ? n + 1 : n;
    apr_size_t next = n + 1;

    /* A field that is not known may be whoever cut this anew's: it says nothing of what can stand there. */
    while (before > 0 && !known_find(cut->fields[before - 1].name)) {
        before--;
    }
    if (before > 0 && compare(name, cut->fields[before - 1].name) <= 0) {
        return 0;
    }
    while (next < cut->count
           && (cut->fields[next].name.ptr < end || !known_find(cut->fields[next].name))) {
        next++;
    }
    return (next == cut->count || compare(name, cut->fields[next].name) < 0)
           && !has_field(cut, name);
}

/* Rule 3, also for names that end in the name of the next field, or begin in that of this one. What looks
 * like nothing but a name, and is of no use to us, may stand in a text: people write about such things. */
static int holds_known(const cut_t *cut, apr_size_t n)
{
    const wa_form_field_t *field = &cut->fields[n];
    const known_t *holder = known_find(field->name);
    const int is_shown = holder && holder->is_shown;
    const int is_text = !holder || holder->end == END_NONE;
    const char *at = holder ? field->value.ptr : field->name.ptr + 1;
    apr_size_t i;

    for (; at < field->value.ptr + field->value.len; at++) {
        const wa_slice_t here = rest_of(cut->text, (apr_size_t)(at - cut->text.ptr));

        for (i = 0; *at >= 'A' && *at <= 'Z' && i < KNOWNS; i++) {
            const known_t *known = &knowns[i];
            const apr_size_t len = known_len(known, here);

            if (len > 0 && (!is_text || known->is_shown || (is_shown && known->end != END_NONE))
                && may_begin(known->end, rest_of(here, len))
                && (!is_text || fits_there(cut, n, wa_slice_make(at, len)))) {
                return 1;
            }
        }
    }
    return 0;
}

/* 1 when the name at that place of the text is a field's, or the end of a known one's. */
static int is_in_its_place(const cut_t *cut, const char *at, apr_size_t len)
{
    apr_size_t i;

    for (i = 0; i < cut->count && cut->fields[i].name.ptr <= at; i++) {
        const wa_slice_t name = cut->fields[i].name;

        if (name.ptr + name.len == at + len) {
            return name.ptr == at || known_find(name) != NULL;
        }
    }
    return 0;
}

/* Rule 4. */
static int stands_elsewhere(const cut_t *cut)
{
    static const char *const names[] = {"From", "MessageSid", "To"};
    apr_size_t at, i;

    for (at = 0; at < cut->text.len; at++) {
        const wa_slice_t here = rest_of(cut->text, at);

        for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
            const apr_size_t len = strlen(names[i]);

            if (starts_with(here, names[i])
                && may_begin(i == 1 ? END_SID : END_ADDRESS, rest_of(here, len))
                && !is_in_its_place(cut, here.ptr, len)) {
                return 1;
            }
        }
    }
    return 0;
}

/* Rule 5: whether a field that is not known could be one all the same, and not the end of a text. */
static int looks_like_a_field(const wa_form_field_t *field)
{
    const char first = field->value.len > 0 ? field->value.ptr[0] : ' ';
    apr_size_t i;

    for (i = 1; i < field->name.len; i++) {
        if (apr_isupper(field->name.ptr[i]) && !apr_isupper(field->name.ptr[i - 1])) {
            return (first >= '0' && first <= '9') || (first >= 'A' && first <= 'Z')
                   || (first >= 'a' && first <= 'z') || first == '{' || first == '['
                   || first == '+';
        }
    }
    return 0;
}

static const char *field_check(const cut_t *cut, apr_size_t n)
{
    const wa_form_field_t *field = &cut->fields[n];
    const known_t *known = known_find(field->name);
    const wa_slice_t next = n + 1 < cut->count ? field[1].name : (wa_slice_t){NULL, 0};

    if (begins_as_known(cut, field, known != NULL)) {
        return "a field begins as another that is missing does;";
    }
    if (known && ends_by_itself(known->end, field->value)) {
        return NULL;
    }
    if (holds_known(cut, n)) {
        return "a value holds what could be another field;";
    }
    if (known && known->is_shown && next.len > 0 && !known_find(next)
        && !looks_like_a_field(field + 1)) {
        return "behind a text is a field that is not known: it could be the text's end;";
    }
    return NULL;
}

apr_status_t wa_webhook_form_check(const wa_form_t *form, const char **pwhy, apr_pool_t *tmp)
{
    cut_t cut;
    apr_size_t i;

    *pwhy = NULL;
    if (cut_make(&cut, form, tmp) != APR_SUCCESS) {
        *pwhy = "a name is none that Twilio uses, or is there with two values;";
        return APR_EINVAL;
    }
    if (stands_elsewhere(&cut)) {
        *pwhy = "a sender, a receiver or a sid stands where none belongs;";
        return APR_EINVAL;
    }
    for (i = 0; i < cut.count && !*pwhy; i++) {
        *pwhy = field_check(&cut, i);
    }
    return *pwhy ? APR_EINVAL : APR_SUCCESS;
}
