/* SPDX-License-Identifier: Apache-2.0 */
/* The one place where something that happened to a sent message changes what is known of it. */
#include "messaging/delivery/reducer.h"

#include <string.h>

#define NEVER_TAKEN "Twilio never took this message: it was not sent, and sending it anew is safe."
#define NONE_TAKEN "Twilio never took it, and sending it anew is safe."
#define REST_NOT_TAKEN "Twilio never took the next one."

/* What happens to a part without a word of Twilio's. */
typedef enum { REFUSED, UNANSWERED, STOPPED, PROVEN, HAPPENING_COUNT } happening_e;

/* Where that leads to. Positive proof stays; what was not sent is not sent later. */
static const wa_part_e leads_to[HAPPENING_COUNT][WA_PART_COUNT] = {
    [REFUSED] = {[WA_PART_WAITING] = WA_PART_FAILED,
                 [WA_PART_TAKEN] = WA_PART_TAKEN,
                 [WA_PART_FAILED] = WA_PART_FAILED,
                 [WA_PART_UNKNOWN] = WA_PART_FAILED,
                 [WA_PART_STOPPED] = WA_PART_STOPPED},
    [UNANSWERED] = {[WA_PART_WAITING] = WA_PART_UNKNOWN,
                    [WA_PART_TAKEN] = WA_PART_TAKEN,
                    [WA_PART_FAILED] = WA_PART_FAILED,
                    [WA_PART_UNKNOWN] = WA_PART_UNKNOWN,
                    [WA_PART_STOPPED] = WA_PART_STOPPED},
    [STOPPED] = {[WA_PART_WAITING] = WA_PART_STOPPED,
                 [WA_PART_TAKEN] = WA_PART_TAKEN,
                 [WA_PART_FAILED] = WA_PART_FAILED,
                 [WA_PART_UNKNOWN] = WA_PART_STOPPED,
                 [WA_PART_STOPPED] = WA_PART_STOPPED},
    [PROVEN] = {[WA_PART_WAITING] = WA_PART_TAKEN,
                [WA_PART_TAKEN] = WA_PART_TAKEN,
                [WA_PART_FAILED] = WA_PART_FAILED,
                [WA_PART_UNKNOWN] = WA_PART_TAKEN,
                [WA_PART_STOPPED] = WA_PART_STOPPED},
};

/* @return 1 when that is news */
static int part_lead(wa_part_t *part, happening_e happening)
{
    const wa_part_e now = leads_to[happening][part->is];
    const int is_news = now != part->is;

    part->is = now;
    return is_news;
}

/* ---- words ---- */

/* Keeps when a word was first told, also of one that came late. @return 1 when that is news */
static int time_note(wa_part_t *part, wa_delivery_e word, apr_int64_t at_ms)
{
    apr_int64_t *since = &part->since_ms[word];

    if (at_ms <= 0 || (*since != 0 && *since <= at_ms)) {
        return 0;
    }
    *since = at_ms;
    return 1;
}

static int sid_note(wa_part_t *part, const char *sid)
{
    if (part->sid || !sid) {
        return 0;
    }
    part->sid = sid;
    return 1;
}

/* 1 when the words say more than those that are known. Any order will do, as long as it is one: the
 * longer, of one length the greater. */
static int said_is_more(const char *known, const char *said)
{
    const apr_size_t known_len = known ? strlen(known) : 0, len = said ? strlen(said) : 0;

    return len > known_len || (len == known_len && len > 0 && strcmp(said, known) > 0);
}

/* 1 when the part does not know the word, or the higher code of a failure or what is said of it,
 * yet. */
static int word_is_news(const wa_part_t *part, const wa_delivery_event_t *event)
{
    if (!wa_delivery_is_failure(event->word) || event->word != part->word) {
        return wa_delivery_is_newer(part->word, event->word);
    }
    return event->error_code > part->error_code
           || (event->error_code == part->error_code && said_is_more(part->said, event->said));
}

/* @return 1 when anything of it is news */
static int word_apply(wa_delivery_t *d, wa_part_t *part, const wa_delivery_event_t *event)
{
    const int is_failure = wa_delivery_is_failure(event->word);
    int is_news = sid_note(part, event->sid);

    if (wa_delivery_rank(event->word) < 0) {
        return is_news;
    }
    /* A list is read again and again: another time of a word that is known must not be stored each
     * time. */
    if (event->kind != WA_EVENT_LISTED || is_news || word_is_news(part, event)) {
        is_news |= time_note(part, event->word, event->at_ms);
    }
    if (!word_is_news(part, event)) {
        return is_news;
    }
    if (d->part_count == 1) {
        d->reason = NULL;
    }
    part->word = event->word;
    part->is = is_failure ? WA_PART_FAILED : WA_PART_TAKEN;
    part->error_code = is_failure ? event->error_code : 0;
    part->said = is_failure ? event->said : NULL;
    return 1;
}

/* The same for words that say no more than that Twilio has the message: one that we do not know
 * counts as the least. */
static int acceptance_apply(wa_delivery_t *d, wa_part_t *part, const wa_delivery_event_t *event)
{
    wa_delivery_event_t least = *event;

    if (wa_delivery_rank(least.word) < 0) {
        least.word = WA_DELIVERY_ACCEPTED;
    }
    return word_apply(d, part, &least);
}

/* ---- one function an event ---- */

static apr_status_t news(int is_news)
{
    return is_news ? APR_SUCCESS : APR_EEXIST;
}

static apr_status_t answer_apply(wa_delivery_t *d, wa_part_t *part,
                                 const wa_delivery_event_t *event)
{
    const happening_e happening = event->outcome == WA_OUTCOME_REFUSED ? REFUSED : UNANSWERED;
    wa_part_t *rest;
    int is_news;

    if (event->outcome == WA_OUTCOME_ACCEPTED) {
        return news(acceptance_apply(d, part, event));
    }
    is_news = part_lead(part, happening);
    if (is_news) {
        part->error_code = event->error_code;
        d->reason = event->sentence;
    }
    for (rest = part + 1; rest < d->parts + d->part_count; rest++) {
        is_news |= part_lead(rest, STOPPED);
    }
    return news(is_news);
}

static apr_status_t receipt_apply(wa_delivery_t *d, wa_part_t *part,
                                  const wa_delivery_event_t *event)
{
    return news(word_apply(d, part, event));
}

static apr_status_t listed_apply(wa_delivery_t *d, wa_part_t *part,
                                 const wa_delivery_event_t *event)
{
    if (!part->sid && !wa_part_is_open(part)) {
        return APR_EEXIST; /* it was settled meanwhile, by other news than this sid's */
    }
    return news(acceptance_apply(d, part, event));
}

static int part_is_taken(const wa_part_t *part)
{
    return part->is == WA_PART_TAKEN || part->word != WA_DELIVERY_UNKNOWN || part->sid;
}

static apr_status_t give_up_apply(wa_delivery_t *d, wa_part_t *part,
                                  const wa_delivery_event_t *event)
{
    happening_e happening = PROVEN;
    apr_size_t taken = d->part_count, i;
    int is_news = 0;

    (void)part;
    (void)event;
    while (taken > 0 && !part_is_taken(&d->parts[taken - 1])) {
        taken--;
    }
    for (i = 0; i < d->part_count; i++) {
        if (!wa_part_is_open(&d->parts[i]) || d->parts[i].sid) {
            continue;
        }
        if (i >= taken) {
            happening = happening == PROVEN ? REFUSED : STOPPED;
        }
        is_news |= part_lead(&d->parts[i], happening);
        d->parts[i].error_code = 0;
        if (happening == REFUSED) {
            d->reason = d->part_count == 1 ? NEVER_TAKEN : i == 0 ? NONE_TAKEN : REST_NOT_TAKEN;
        }
    }
    return news(is_news);
}

/* ---- the table of events ---- */

/* Which part an event is about. @return APR_SUCCESS | APR_NOTFOUND it is about another message */
typedef apr_status_t (*target_fn)(wa_delivery_t *d, const wa_delivery_event_t *event,
                                  wa_part_t **ppart);

static apr_status_t target_asked(wa_delivery_t *d, const wa_delivery_event_t *event,
                                 wa_part_t **ppart)
{
    const apr_size_t part = event->part > 0 ? event->part : 1;

    if (part > d->part_count) {
        return APR_NOTFOUND;
    }
    *ppart = &d->parts[part - 1];
    return APR_SUCCESS;
}

/* By its sid, else the part that is named, unless that one has another sid. */
static apr_status_t target_named(wa_delivery_t *d, const wa_delivery_event_t *event,
                                 wa_part_t **ppart)
{
    const apr_size_t known = event->sid ? wa_delivery_part_find(d, event->sid) : 0;
    apr_status_t rv = APR_SUCCESS;

    if (known > 0) {
        *ppart = &d->parts[known - 1];
        return APR_SUCCESS;
    }
    if (event->part == 0 && d->part_count > 1) {
        return APR_NOTFOUND;
    }
    rv = target_asked(d, event, ppart);
    return rv == APR_SUCCESS && (*ppart)->sid && event->sid ? APR_NOTFOUND : rv;
}

static apr_status_t target_all(wa_delivery_t *d, const wa_delivery_event_t *event,
                               wa_part_t **ppart)
{
    (void)event;
    *ppart = d->parts;
    return APR_SUCCESS;
}

static const struct {
    target_fn target;
    apr_status_t (*apply)(wa_delivery_t *d, wa_part_t *part, const wa_delivery_event_t *event);
} events[] = {
    [WA_EVENT_ANSWER] = {target_asked, answer_apply},
    [WA_EVENT_RECEIPT] = {target_named, receipt_apply},
    [WA_EVENT_PARKED] = {target_named, receipt_apply},
    [WA_EVENT_LISTED] = {target_named, listed_apply},
    [WA_EVENT_GIVE_UP] = {target_all, give_up_apply},
};

apr_status_t wa_delivery_apply(wa_delivery_t *d, const wa_delivery_event_t *event)
{
    wa_part_t *part = NULL;
    apr_status_t rv = events[event->kind].target(d, event, &part);

    return rv == APR_SUCCESS ? events[event->kind].apply(d, part, event) : rv;
}
