/* SPDX-License-Identifier: Apache-2.0 */
/* What the delivery of the parts makes of the whole message, and what a person is told of it. */
#include "messaging/delivery/state.h"

#include <apr_strings.h>

#include "twilio/errors.h"

apr_size_t wa_delivery_part_find(const wa_delivery_t *d, const char *sid)
{
    apr_size_t i;

    for (i = 0; i < d->part_count; i++) {
        if (d->parts[i].sid && strcmp(d->parts[i].sid, sid) == 0) {
            return i + 1;
        }
    }
    return 0;
}

apr_int64_t wa_delivery_since_ms(const wa_delivery_t *d, wa_delivery_e word)
{
    apr_int64_t first = 0;
    apr_size_t i;

    for (i = 0; i < d->part_count; i++) {
        const apr_int64_t since = d->parts[i].since_ms[word];

        first = since != 0 && (first == 0 || since < first) ? since : first;
    }
    return first;
}

int wa_part_is_open(const wa_part_t *part)
{
    return part->is == WA_PART_WAITING || part->is == WA_PART_UNKNOWN;
}

wa_part_e wa_part_of_status(wa_status_e status, const char *error)
{
    switch (status) {
    case WA_STATUS_SUCCESS:
        return WA_PART_TAKEN;
    case WA_STATUS_FAILED:
        return WA_PART_FAILED;
    case WA_STATUS_PENDING:
    case WA_STATUS_NONE:
        break;
    }
    return error ? WA_PART_UNKNOWN : WA_PART_WAITING;
}

wa_status_e wa_status_of_part(wa_part_e is)
{
    switch (is) {
    case WA_PART_TAKEN:
        return WA_STATUS_SUCCESS;
    case WA_PART_FAILED:
    case WA_PART_STOPPED:
        return WA_STATUS_FAILED;
    case WA_PART_WAITING:
    case WA_PART_UNKNOWN:
        break;
    }
    return WA_STATUS_PENDING;
}

/* Of each place the first part that is there. */
typedef struct places_t {
    apr_size_t first[WA_PART_COUNT]; /* 0 and up; part_count for none */
} places_t;

static places_t places_of(const wa_delivery_t *d)
{
    places_t places;
    apr_size_t i;
    int is;

    for (is = 0; is < WA_PART_COUNT; is++) {
        places.first[is] = d->part_count;
    }
    for (i = d->part_count; i > 0; i--) {
        places.first[d->parts[i - 1].is] = i - 1;
    }
    return places;
}

static wa_delivery_e word_of(const wa_delivery_t *d)
{
    wa_delivery_e least = d->parts[0].word;
    apr_size_t i;

    for (i = 0; i < d->part_count; i++) {
        const wa_delivery_e word = d->parts[i].word;

        if (wa_delivery_is_failure(word)) {
            return word;
        }
        if (wa_delivery_is_newer(word, least)) {
            least = word;
        }
    }
    return least;
}

/* "None of the parts was" or "Only the first 2 of 3 parts were", which "sent" follows. */
static const char *so_far(const wa_delivery_t *d, apr_size_t sent, apr_pool_t *p)
{
    const int count = (int)d->part_count;

    if (sent == 0) {
        return apr_psprintf(p, "None of the %d parts of this message was", count);
    }
    if (sent == 1) {
        return apr_psprintf(p, "Only the first of the %d parts of this message was", count);
    }
    return apr_psprintf(p, "Only the first %d of the %d parts of this message were", (int)sent,
                        count);
}

/* Of a message in one part. */
static const char *whole_sentence(const wa_delivery_t *d, apr_pool_t *p)
{
    const wa_part_t *part = &d->parts[0];

    if (part->is == WA_PART_UNKNOWN) {
        return d->reason;
    }
    if (part->is != WA_PART_FAILED) {
        return NULL;
    }
    return d->reason ? d->reason : wa_twilio_error_told(part->error_code, part->said, p);
}

/* Of a message in several. */
static const char *parts_sentence(const wa_delivery_t *d, const places_t *places, apr_pool_t *p)
{
    const apr_size_t failed = places->first[WA_PART_FAILED];
    const apr_size_t unknown = places->first[WA_PART_UNKNOWN];
    const apr_size_t stopped = places->first[WA_PART_STOPPED];
    const int count = (int)d->part_count, is_stopped = stopped < d->part_count;
    const char *reason = d->reason ? d->reason : "";

    if (failed < d->part_count && d->parts[failed].word == WA_DELIVERY_UNKNOWN) {
        return apr_pstrcat(p, so_far(d, failed, p), " sent: ", reason, NULL);
    }
    if (failed < d->part_count) {
        return apr_psprintf(
            p, "Part %d of %d was not delivered: %s%s", (int)failed + 1, count,
            wa_twilio_error_told(d->parts[failed].error_code, d->parts[failed].said, p),
            is_stopped ? " The last parts were not sent." : "");
    }
    if (unknown < d->part_count) {
        return apr_psprintf(p, "Nobody can know whether part %d of %d was sent%s: %s",
                            (int)unknown + 1, count, is_stopped ? "; those after it were not" : "",
                            reason);
    }
    return is_stopped ? apr_pstrcat(p, so_far(d, stopped, p), " sent.", NULL) : NULL;
}

const char *wa_delivery_part_error(const wa_delivery_t *d, apr_size_t part, apr_pool_t *p)
{
    const wa_part_t *one = &d->parts[part];

    switch (one->is) {
    case WA_PART_FAILED:
        return one->word == WA_DELIVERY_UNKNOWN && d->reason
                   ? d->reason
                   : wa_twilio_error_told(one->error_code, one->said, p);
    case WA_PART_UNKNOWN:
        return d->reason;
    case WA_PART_STOPPED:
        return "It was not sent, because a part before it was not.";
    case WA_PART_WAITING:
    case WA_PART_TAKEN:
        break;
    }
    return NULL;
}

void wa_delivery_summarize(const wa_delivery_t *d, wa_delivery_summary_t *summary, apr_pool_t *p)
{
    /* The worst first. */
    static const struct {
        wa_part_e is;
        wa_status_e status;
    } rules[] = {{WA_PART_FAILED, WA_STATUS_FAILED},
                 {WA_PART_UNKNOWN, WA_STATUS_PENDING},
                 {WA_PART_WAITING, WA_STATUS_PENDING},
                 {WA_PART_STOPPED, WA_STATUS_FAILED},
                 {WA_PART_TAKEN, WA_STATUS_SUCCESS}};
    const places_t places = places_of(d);
    const apr_size_t worst = places.first[WA_PART_FAILED] < d->part_count
                                 ? places.first[WA_PART_FAILED]
                                 : places.first[WA_PART_UNKNOWN];
    apr_size_t i = 0;

    while (places.first[rules[i].is] == d->part_count) {
        i++;
    }
    summary->status = rules[i].status;
    summary->word = word_of(d);
    summary->sid = d->parts[0].sid;
    summary->error_code = worst < d->part_count ? d->parts[worst].error_code : 0;
    summary->error = d->part_count == 1 ? whole_sentence(d, p) : parts_sentence(d, &places, p);
}
