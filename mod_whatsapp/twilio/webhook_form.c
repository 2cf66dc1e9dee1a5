/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a signed form is cut between names and values as Twilio cut it. */
#include "twilio/webhook_form.h"

#include <apr_lib.h>
#include <apr_strings.h>

#include "twilio/webhook_cut.h"

/* ---- rule 1 ---- */

/* At the end of a longer name: what is behind it is whole, so that the next field begins where
 * Twilio had it begin; with a name, then, that sorts before that of the field it should follow. */
static int is_end_of_other(const wa_cut_t *cut, const wa_known_t *known, wa_slice_t name)
{
    const apr_size_t i = wa_cut_field_at(cut, name.ptr);
    const wa_form_field_t *field = &cut->fields[i];

    return field->name.ptr < name.ptr && wa_slice_end(field->name) == wa_slice_end(name)
           && wa_kind_is_whole(known->kind, field->value)
           && (wa_slice_compare(field->name, name) < 0
               || wa_slice_compare(field->name, wa_slice_of(known->other)) > 0);
}

/* Whether a name with the beginning of its value means that the form's own field of that name is
 * not it. */
static int is_rival(const wa_cut_t *cut, const wa_known_t *known, wa_slice_t name,
                    wa_slice_t behind)
{
    const apr_size_t own = wa_cut_find(cut, name);
    const int has_own = own != WA_CUT_NONE && wa_kind_is_begun(known->kind, cut->fields[own].value);
    const wa_form_field_t *here = &cut->fields[wa_cut_field_at(cut, name.ptr)];

    if (own != WA_CUT_NONE && cut->fields[own].name.ptr == name.ptr) {
        return !wa_kind_is_begun(known->kind, cut->fields[own].value); /* "To" and "whatsapp:+1" */
    }
    if (!has_own && wa_slice_end(here->name) == wa_slice_end(name) && wa_known_find(here->name)) {
        return 0; /* SmsMessageSid */
    }
    if (known->use == WA_USE_SAID) {
        return !has_own && (!known->other || wa_cut_value(cut, known->other).len == 0);
    }
    if (has_own && known->kind == WA_KIND_ADDRESS
        && wa_slice_starts(cut->fields[own].value, WA_CUT_CHANNEL)
        && !wa_slice_starts(behind, WA_CUT_CHANNEL)) {
        return 0;
    }
    return !has_own || !is_end_of_other(cut, known, name);
}

/* Whether a field of that name can have begun at that place: on the right side of those fields that
 * stand nowhere else. */
static int is_in_order(const wa_cut_t *cut, const char *at, wa_slice_t name)
{
    apr_size_t i;

    for (i = 0; i < cut->count; i++) {
        const wa_form_field_t *field = &cut->fields[i];
        const wa_known_t *known = cut->knowns[i];
        int order;

        if (!known || known->use != WA_USE_WHO || !wa_kind_is_begun(known->kind, field->value)) {
            continue;
        }
        order = wa_slice_compare(field->name, name);
        if ((order < 0 && at < field->name.ptr) || (order > 0 && at > field->name.ptr)) {
            return 0;
        }
    }
    return 1;
}

static int has_rival(const wa_cut_t *cut)
{
    apr_size_t at, i;

    for (at = 0; at < cut->text.len; at++) {
        const wa_slice_t here = wa_slice_rest(cut->text, at);

        if (!wa_char_is_upper(*here.ptr)) {
            continue;
        }
        for (i = wa_known_first(*here.ptr); wa_known_begins(i, *here.ptr); i++) {
            const wa_known_t *known = &wa_knowns[i];
            const apr_size_t len = wa_known_length(known, here);

            if (len > 0
                && (known->use == WA_USE_WHO
                    || (known->use == WA_USE_SAID
                        && is_in_order(cut, here.ptr, wa_slice_make(here.ptr, len))))
                && wa_kind_is_begun(known->kind, wa_slice_rest(here, len))
                && is_rival(cut, known, wa_slice_make(here.ptr, len), wa_slice_rest(here, len))) {
                return 1;
            }
        }
    }
    return 0;
}

/* ---- rule 2 ---- */

/* 1 when a field that sorts between this one and the next could begin in this one's
 * value. */
static int could_hold_another(const wa_cut_t *cut, apr_size_t i)
{
    const wa_form_field_t *field = &cut->fields[i];
    const wa_slice_t next = wa_cut_next_known(cut, i, field->name);
    const char *at;

    for (at = field->value.ptr; at < wa_slice_end(field->value); at++) {
        apr_size_t len = 1;

        while (at + len < wa_slice_end(cut->text) && len <= field->name.len
               && wa_slice_compare(wa_slice_make(at, len), field->name) <= 0) {
            len++;
        }
        if (apr_isalnum(*at) && wa_slice_compare(wa_slice_make(at, len), field->name) > 0
            && (next.len == 0 || wa_slice_compare(wa_slice_make(at, len), next) < 0)) {
            return 1;
        }
    }
    return 0;
}

static int is_value_right(const wa_cut_t *cut, apr_size_t i)
{
    const wa_known_t *known = cut->knowns[i];
    const wa_slice_t value = cut->fields[i].value;

    if (!known || (known->use != WA_USE_WHO && known->use != WA_USE_SAID)) {
        return 1;
    }
    if (known->use == WA_USE_SAID
        && (!wa_kind_is_begun(known->kind, value)
            || (known->other && wa_cut_value(cut, known->other).len > 0))) {
        return 1; /* none that another was added to, or of no use */
    }
    if (strcmp(known->name, "From") == 0 && !wa_kind_is_number(value)) {
        /* An id that is no number has no end of its own; it is there twice, and nothing else can
         * be. */
        if (wa_slice_is_equal(value, wa_cut_value(cut, "ExternalUserId"))) {
            return 1;
        }
        if (i + 1 < cut->count && !cut->knowns[i + 1]) {
            return 0;
        }
    }
    if (strcmp(known->name, "To") == 0 && wa_address_is_other(value)) {
        return 1; /* "rcs:acme_agent" has no end of its own, and nothing depends on it */
    }
    return wa_kind_is_whole(known->kind, value) || !could_hold_another(cut, i);
}

/* ---- rule 3 ---- */

/* 1 when a name of a text could stand at that place, which is in the field `i`. */
static int fits_there(const wa_cut_t *cut, apr_size_t i, const char *at, wa_slice_t name)
{
    const wa_form_field_t *field = &cut->fields[i];
    const wa_slice_t next = wa_cut_next_known(cut, i, name);
    apr_size_t before = i;

    while (before > 0 && !cut->knowns[before - 1]) {
        before--;
    }
    return (before == 0 || wa_slice_compare(name, cut->fields[before - 1].name) > 0)
           && (at == field->name.ptr
               || wa_slice_compare(name, at < wa_slice_end(field->name)
                                             ? wa_slice_between(field->name.ptr, at)
                                             : field->name)
                      > 0)
           && (next.len == 0 || wa_slice_compare(name, next) < 0);
}

/* Where a text's name stands in a field that is nothing we show, before its own field or without
 * one. */
static const char *hidden_name(const wa_cut_t *cut, wa_slice_t name, apr_size_t own)
{
    apr_size_t i;

    for (i = 0; i < cut->count && i < own; i++) {
        const wa_form_field_t *field = &cut->fields[i];
        const wa_known_t *known = cut->knowns[i];
        const char *at = known ? field->value.ptr : field->name.ptr;

        if (known && (known->use != WA_USE_NONE || wa_kind_is_whole(known->kind, field->value))) {
            continue;
        }
        for (; at + name.len <= wa_slice_end(field->value); at++) {
            if (memcmp(at, name.ptr, name.len) == 0 && fits_there(cut, i, at, name)
                && (own == WA_CUT_NONE || at == field->name.ptr || at >= field->value.ptr)) {
                return at;
            }
        }
    }
    return NULL;
}

/* Whether a word may begin behind that text: behind nothing, a space, a bracket, a quote. */
static int may_begin_word(wa_slice_t text)
{
    const unsigned char *end = (const unsigned char *)wa_slice_end(text);

    if (text.len == 0 || end[-1] < 0x80) {
        return text.len == 0 || !(apr_isalnum(end[-1]) || strchr(".!?)]}%", end[-1]));
    }
    return (text.len >= 2 && end[-2] == 0xC2) /* what Latin-1 has of signs */
           || (text.len >= 3 && end[-3] == 0xE2 && (end[-2] == 0x80 || end[-2] == 0x81));
}

static int has_space(wa_slice_t s)
{
    apr_size_t i = 0;

    while (i < s.len && !wa_char_is_space(s.ptr[i])) {
        i++;
    }
    return i < s.len;
}

/* "ContactName" */
static int is_two_words(wa_slice_t name)
{
    apr_size_t i;

    for (i = 1; i < name.len; i++) {
        if (wa_char_is_upper(name.ptr[i]) && !wa_char_is_upper(name.ptr[i - 1])) {
            return 1;
        }
    }
    return 0;
}

/* Whether the name of a text that is missing could stand at that place in the field `i`. */
static int text_name_at(const wa_cut_t *cut, apr_size_t i, const char *at)
{
    const wa_slice_t here = wa_slice_between(at, wa_slice_end(cut->text));
    apr_size_t k;

    for (k = wa_char_is_upper(*at) ? wa_known_first(*at) : WA_KNOWNS; wa_known_begins(k, *at);
         k++) {
        const wa_slice_t name = wa_slice_of(wa_knowns[k].name);

        if (wa_knowns[k].use == WA_USE_TEXT && wa_known_length(&wa_knowns[k], here) > 0
            && fits_there(cut, i, at, name) && wa_cut_find(cut, name) == WA_CUT_NONE) {
            return 1;
        }
    }
    return 0;
}

/* Whether a field behind a text, which has grown already or not, could be that text's end. */
static int is_end_of_text(const wa_cut_t *cut, wa_slice_t text, int is_grown, apr_size_t i)
{
    const wa_slice_t name = cut->fields[i].name, value = cut->fields[i].value;
    const wa_known_t *known = cut->knowns[i];
    const char first = value.len > 0 ? value.ptr[0] : '\0';
    const char last = text.len > 0 ? text.ptr[text.len - 1] : '\0';

    if (known && value.len > 0
        && (known->use == WA_USE_WHO || known->use == WA_USE_SAID
            || wa_kind_is_whole(known->kind, value))) {
        return 0;
    }
    if (known && known->use == WA_USE_TEXT && is_grown) {
        return 1; /* this text is shown instead of that one */
    }
    if (known && (known->kind == WA_KIND_ANY || value.len == 0)) {
        return text.len > 0 ? wa_char_is_space(last)
                            : !apr_isalnum(first) && wa_char_is_ascii(first) && first != '{';
    }
    if (wa_char_is_space(first) || wa_slice_span(name, '0', 'z', "-.") < name.len) {
        return 1;
    }
    if (text.len == 0) {
        return !is_two_words(name) || has_space(value) || text_name_at(cut, i, name.ptr)
               || wa_slice_is_equal(wa_cut_value(cut, "MessageType"), WA_SLICE_LITERAL("text"));
    }
    if (may_begin_word(text)
        || (wa_char_is_upper(last) && wa_char_is_upper(name.ptr[0])
            && !(name.len > 1 && wa_char_is_lower(name.ptr[1])))) {
        return 1;
    }
    return has_space(value) && wa_char_is_ascii(first) && !wa_char_is_upper(first)
           && !strchr("0123456789{[+-", first);
}

/* Makes one text whole. `own` is its field, or WA_CUT_NONE.
 * @param pwhole  out: what it is
 * @return 1 | 0 there is none | -1 it was cut anew */
static int text_find(const wa_cut_t *cut, wa_slice_t name, apr_size_t own, wa_slice_t *pwhole)
{
    const char *hidden =
        wa_known_find(name)->use == WA_USE_TEXT ? hidden_name(cut, name, own) : NULL;
    apr_size_t next, i;
    int is_grown;

    if (!hidden && own == WA_CUT_NONE) {
        return 0;
    }
    next = own != WA_CUT_NONE ? own : wa_cut_field_at(cut, hidden);
    /* Every message has its own Body. */
    if (hidden && wa_slice_is_equal(name, WA_SLICE_LITERAL("Body"))
        && (own == WA_CUT_NONE || hidden == cut->fields[wa_cut_field_at(cut, hidden)].name.ptr)) {
        return -1;
    }
    *pwhole = wa_slice_between(hidden ? hidden + name.len : cut->fields[own].value.ptr,
                               wa_slice_end(cut->fields[next].value));
    is_grown = 0;
    for (i = 0; own != WA_CUT_NONE && !is_grown && i < cut->fields[own].value.len; i++) {
        is_grown = text_name_at(cut, own, cut->fields[own].value.ptr + i);
    }
    for (i = next + 1; i < cut->count && is_end_of_text(cut, *pwhole, is_grown, i); i++) {
        is_grown = 1;
        *pwhole = wa_slice_between(pwhole->ptr, wa_slice_end(cut->fields[i].value));
    }
    return 1;
}

/* Sender and receiver are of one channel: where a number wrote an SMS to one, nobody else's
 * WhatsApp address is its sender. */
static int is_of_two_channels(const wa_cut_t *cut)
{
    const wa_slice_t to = wa_cut_value(cut, "To");

    return wa_slice_starts(wa_cut_value(cut, "From"), WA_CUT_CHANNEL)
           && !wa_slice_starts(to, WA_CUT_CHANNEL) && wa_kind_is_begun(WA_KIND_ADDRESS, to);
}

static int is_receipt(const wa_cut_t *cut)
{
    const wa_slice_t status = wa_cut_value(cut, "SmsStatus");

    return wa_cut_find(cut, WA_SLICE_LITERAL("NumMedia")) == WA_CUT_NONE
           && (wa_cut_value(cut, "MessageStatus").len > 0
               || (status.len > 0 && !wa_slice_starts(status, "receiv")));
}

/* A copy of the form with room for each text, made when it is needed first. */
static void text_put(wa_form_t **pmended, const wa_form_t *form, wa_slice_t name, wa_slice_t value,
                     apr_pool_t *p)
{
    wa_form_field_t *fields;
    apr_size_t i, found = 0;

    if (!*pmended) {
        *pmended = apr_pmemdup(p, form, sizeof(*form));
        fields = apr_palloc(p, (form->count + WA_KNOWNS) * sizeof(*fields));
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
static apr_status_t texts_mend(wa_form_t **pmended, const wa_cut_t *cut, const wa_form_t *form,
                               apr_pool_t *p)
{
    apr_size_t i;

    for (i = 0; i < WA_KNOWNS + cut->count; i++) {
        const int is_own = i >= WA_KNOWNS;
        const wa_known_t *known = is_own ? cut->knowns[i - WA_KNOWNS] : &wa_knowns[i];
        wa_slice_t name, whole;
        apr_size_t own;
        int found;

        if (!known || is_own != (known->kind == WA_KIND_URL)) {
            continue;
        }
        name = is_own ? cut->fields[i - WA_KNOWNS].name : wa_slice_of(known->name);
        own = wa_cut_find(cut, name);
        if (is_own ? wa_kind_is_whole(known->kind, cut->fields[own].value)
                   : known->use != WA_USE_TEXT) {
            continue;
        }
        found = text_find(cut, name, own, &whole);
        if (found < 0) {
            return APR_EINVAL;
        }
        if (found > 0 && (own == WA_CUT_NONE || cut->fields[own].value.len != whole.len)) {
            text_put(pmended, form, name, whole, p);
        }
    }
    return APR_SUCCESS;
}

apr_status_t wa_webhook_form_check(const wa_form_t **ptaken, const wa_form_t *form,
                                   const char **pwhy, apr_pool_t *p)
{
    wa_form_t *mended = NULL;
    wa_cut_t cut;
    apr_size_t i;

    *ptaken = NULL;
    *pwhy = NULL;
    if (wa_cut_make(&cut, form, p) != APR_SUCCESS) {
        *pwhy = "a field has no name, or two values;";
    } else if (is_of_two_channels(&cut)) {
        *pwhy = "its sender and its receiver are of different channels;";
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
