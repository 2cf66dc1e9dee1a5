/* SPDX-License-Identifier: Apache-2.0 */
/* What became of the parts of a long message, and what that makes of the whole. */
#include "messaging/state.h"

#include <stdlib.h>

#include <apr_strings.h>

#include "base/id.h"
#include "twilio/errors.h"

#define NONE_TAKEN "Twilio never took it, and sending it anew is safe."
#define REST_NOT_TAKEN "Twilio never took the next one."

/* Stored as <is>:<delivery>:<error code>:<sid>, with a comma between parts. */
void wa_state_parts_write(const wa_state_t *state, wa_buffer_t *b)
{
    apr_size_t i;

    for (i = 0; i < state->part_count; i++) {
        const wa_part_t *part = &state->parts[i];

        if (i > 0) {
            WA_BUFFER_ADD_LITERAL(b, ",");
        }
        wa_buffer_add_int(b, part->is);
        WA_BUFFER_ADD_LITERAL(b, ":");
        wa_buffer_add_int(b, part->delivery);
        WA_BUFFER_ADD_LITERAL(b, ":");
        wa_buffer_add_int(b, part->error_code);
        WA_BUFFER_ADD_LITERAL(b, ":");
        wa_buffer_add_slice(b, wa_slice_of(part->sid));
    }
}

static long number_read(const char **ps)
{
    char *end;
    const long number = strtol(*ps, &end, 10);

    *ps = *end == ':' ? end + 1 : end;
    return number;
}

void wa_state_parts_read(wa_state_t *state, const char *text, apr_pool_t *p)
{
    state->part_count = 0;
    while (*text && *text != ';' && state->part_count < WA_PARTS_MAX) {
        wa_part_t *part = &state->parts[state->part_count++];
        const long is = number_read(&text);
        const long delivery = number_read(&text);
        const char *sid;

        part->is = is >= WA_PART_WAITING && is <= WA_PART_STOPPED ? (wa_part_e)is : WA_PART_UNKNOWN;
        part->delivery = delivery > WA_DELIVERY_UNKNOWN && delivery < WA_DELIVERY_COUNT
                             ? (wa_delivery_e)delivery
                             : WA_DELIVERY_UNKNOWN;
        part->error_code = (int)number_read(&text);
        sid = apr_pstrndup(p, text, strcspn(text, ",;"));
        part->sid = wa_id_is_sid(sid, "SM,MM") ? sid : NULL;
        text += strcspn(text, ",;");
        text += *text == ',';
    }
}

apr_size_t wa_state_part_find(const wa_state_t *state, const char *sid)
{
    apr_size_t i;

    for (i = 0; i < state->part_count; i++) {
        if (state->parts[i].sid && strcmp(state->parts[i].sid, sid) == 0) {
            return i + 1;
        }
    }
    return 0;
}

/* The first part of a kind, 0 and up; part_count for none. */
static apr_size_t first_of(const wa_state_t *state, wa_part_e is)
{
    apr_size_t i;

    for (i = 0; i < state->part_count && state->parts[i].is != is; i++) {
    }
    return i;
}

int wa_state_part_is_open(const wa_part_t *part)
{
    return part->is == WA_PART_WAITING || part->is == WA_PART_UNKNOWN;
}

/* Twilio's word for the whole: a failure where there is one, else the least that holds for all. */
static wa_delivery_e delivery_of(const wa_state_t *state)
{
    wa_delivery_e least = state->parts[0].delivery;
    apr_size_t i;

    for (i = 0; i < state->part_count; i++) {
        const wa_delivery_e delivery = state->parts[i].delivery;

        if (wa_delivery_is_failure(delivery)) {
            return delivery;
        }
        if (wa_delivery_is_newer(delivery, least)) {
            least = delivery;
        }
    }
    return least;
}

/* "None of the parts was" or "Only the first 2 of 3 parts were", which "sent" follows. */
static const char *so_far(const wa_state_t *state, apr_size_t sent, apr_pool_t *p)
{
    if (sent == 0) {
        return apr_psprintf(p, "None of the %d parts of this message was", (int)state->part_count);
    }
    if (sent == 1) {
        return apr_psprintf(p, "Only the first of the %d parts of this message was",
                            (int)state->part_count);
    }
    return apr_psprintf(p, "Only the first %d of the %d parts of this message were", (int)sent,
                        (int)state->part_count);
}

/* What a person has to know of it; NULL while there is nothing to say. */
static const char *sentence_of(const wa_state_t *state, apr_pool_t *p)
{
    const apr_size_t failed = first_of(state, WA_PART_FAILED);
    const apr_size_t unknown = first_of(state, WA_PART_UNKNOWN);
    const apr_size_t stopped = first_of(state, WA_PART_STOPPED);
    const char *reason = state->reason ? state->reason : "";

    if (failed < state->part_count) {
        const wa_part_t *part = &state->parts[failed];

        if (part->delivery == WA_DELIVERY_UNKNOWN) {
            return apr_pstrcat(p, so_far(state, failed, p), " sent: ", reason, NULL);
        }
        return apr_psprintf(p, "Part %d of %d was not delivered: %s%s", (int)failed + 1,
                            (int)state->part_count, wa_twilio_error_sentence(part->error_code, p),
                            stopped < state->part_count ? " The last parts were not sent." : "");
    }
    if (unknown < state->part_count) {
        return apr_psprintf(p, "Nobody can know whether part %d of %d was sent%s: %s",
                            (int)unknown + 1, (int)state->part_count,
                            stopped < state->part_count ? "; those after it were not" : "", reason);
    }
    if (stopped < state->part_count) {
        return apr_pstrcat(p, so_far(state, stopped, p), " sent.", NULL);
    }
    return NULL;
}

void wa_state_parts_settle(wa_state_t *state, apr_pool_t *p)
{
    const apr_size_t failed = first_of(state, WA_PART_FAILED);
    const int is_waiting = first_of(state, WA_PART_WAITING) < state->part_count
                           || first_of(state, WA_PART_UNKNOWN) < state->part_count;
    const int is_stopped = first_of(state, WA_PART_STOPPED) < state->part_count;

    state->status = failed < state->part_count ? WA_STATUS_FAILED
                    : is_waiting               ? WA_STATUS_PENDING
                    : is_stopped               ? WA_STATUS_FAILED
                                               : WA_STATUS_SUCCESS;
    state->sid = state->parts[0].sid;
    state->delivery = delivery_of(state);
    state->error_code = failed < state->part_count ? state->parts[failed].error_code : 0;
    state->error = sentence_of(state, p);
}

int wa_state_parts_give_up(wa_state_t *state, apr_pool_t *p)
{
    apr_size_t i,
        taken = 0; /* so many are at Twilio's: all up to the last one that is known there */
    int is_changed = 0, is_stopped = 0;

    for (i = 0; i < state->part_count; i++) {
        if (state->parts[i].is == WA_PART_TAKEN
            || state->parts[i].delivery != WA_DELIVERY_UNKNOWN) {
            taken = i + 1;
        }
    }
    for (i = 0; i < state->part_count; i++) {
        wa_part_t *part = &state->parts[i];

        if (!wa_state_part_is_open(part)) {
            continue;
        }
        part->is = i < taken ? WA_PART_TAKEN : is_stopped ? WA_PART_STOPPED : WA_PART_FAILED;
        if (part->is == WA_PART_FAILED) {
            state->reason = i == 0 ? NONE_TAKEN : REST_NOT_TAKEN;
            is_stopped = 1;
        }
        is_changed = 1;
    }
    wa_state_parts_settle(state, p);
    return is_changed;
}
