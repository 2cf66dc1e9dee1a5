/* SPDX-License-Identifier: Apache-2.0 */
/* How the delivery of a sent message is stored, and read back. */
#include "messaging/delivery/state.h"

#include "base/id.h"
#include "base/tlv.h"

/*
 * Fields of base/tlv.h; numbers are the machine's, as all of a store's are. The tags are stored:
 * never renumber.
 *
 *   PART    one byte where it is, one byte Twilio's word, 4 bytes error code, its sid with a NUL
 *           where it is known
 *   TIME    of the part before it: one byte the word, 8 bytes when it was first told
 *   SAID    of the part before it: a string
 *   DIGEST  a string
 *   ANSWER  one byte
 *   REASON  a string
 */
enum { TAG_PART = 1, TAG_TIME = 2, TAG_DIGEST = 3, TAG_ANSWER = 4, TAG_REASON = 5, TAG_SAID = 6 };

#define PART_BYTES (2 + sizeof(apr_int32_t))
#define TIME_BYTES (1 + sizeof(apr_int64_t))

/* ---- reading ---- */

static wa_delivery_e word_check(char byte)
{
    return byte > WA_DELIVERY_UNKNOWN && byte < WA_DELIVERY_COUNT ? (wa_delivery_e)byte
                                                                  : WA_DELIVERY_UNKNOWN;
}

static void part_read(wa_delivery_t *d, wa_slice_t value)
{
    wa_part_t *part;
    apr_int32_t code;

    if (value.len < PART_BYTES || d->part_count == WA_PARTS_MAX) {
        return;
    }
    part = &d->parts[d->part_count++];
    if (d->part_count > 1) {
        memset(part, 0, sizeof(*part));
    }
    part->is = value.ptr[0] >= WA_PART_WAITING && value.ptr[0] < WA_PART_COUNT
                   ? (wa_part_e)value.ptr[0]
                   : WA_PART_UNKNOWN;
    part->word = word_check(value.ptr[1]);
    memcpy(&code, value.ptr + 2, sizeof(code));
    part->error_code = code;
    part->sid = wa_tlv_string(wa_slice_make(value.ptr + PART_BYTES, value.len - PART_BYTES));
    if (part->sid && !wa_id_is_sid(part->sid, "SM,MM")) {
        part->sid = NULL;
    }
}

static void time_read(wa_part_t *part, wa_slice_t value)
{
    const wa_delivery_e word =
        value.len == TIME_BYTES ? word_check(value.ptr[0]) : WA_DELIVERY_UNKNOWN;

    if (word != WA_DELIVERY_UNKNOWN) {
        memcpy(&part->since_ms[word], value.ptr + 1, sizeof(part->since_ms[word]));
    }
}

/* The part that was read last; what stands before the first is the first's. */
static wa_part_t *part_last(wa_delivery_t *d)
{
    return &d->parts[d->part_count > 0 ? d->part_count - 1 : 0];
}

static wa_answer_e answer_read(wa_slice_t value)
{
    return value.len == 1
                   && (value.ptr[0] == WA_ANSWER_ACCEPTED || value.ptr[0] == WA_ANSWER_NOT_ACCEPTED)
               ? (wa_answer_e)value.ptr[0]
               : WA_ANSWER_NONE;
}

void wa_delivery_read(wa_delivery_t *d, const wa_message_t *message, apr_pool_t *p)
{
    wa_slice_t rest = message->delivery;
    wa_tlv_t field;

    /* A page reads very many, and nearly all have one part: the others are cleared as they come. */
    d->part_count = 0;
    d->reason = d->digest = NULL;
    d->answer = WA_ANSWER_NONE;
    memset(&d->parts[0], 0, sizeof(d->parts[0]));
    while (wa_tlv_next(&rest, &field)) {
        switch (field.tag) {
        case TAG_PART:
            part_read(d, field.value);
            break;
        case TAG_TIME:
            time_read(part_last(d), field.value);
            break;
        case TAG_SAID:
            part_last(d)->said = wa_tlv_string(field.value);
            break;
        case TAG_DIGEST:
            d->digest = wa_tlv_string(field.value);
            break;
        case TAG_ANSWER:
            d->answer = answer_read(field.value);
            break;
        case TAG_REASON:
            d->reason = wa_tlv_string(field.value);
            break;
        default:
            break; /* of a later version */
        }
    }
    if (d->part_count == 0) {
        d->part_count = 1;
        d->parts[0].is = wa_part_of_status(message->status, NULL);
    }
    if (d->part_count == 1 && !d->parts[0].sid && message->sid.len > 0) {
        d->parts[0].sid = wa_slice_string(message->sid, p);
    }
}

/* ---- writing ---- */

static void part_add(wa_buffer_t *b, const wa_part_t *part)
{
    const apr_int32_t code = part->error_code;
    char bytes[PART_BYTES] = {(char)part->is, (char)part->word};

    memcpy(bytes + 2, &code, sizeof(code));
    wa_tlv_add_pair(b, TAG_PART, wa_slice_make(bytes, sizeof(bytes)),
                    wa_slice_make(part->sid, part->sid ? strlen(part->sid) + 1 : 0));
}

static void times_add(wa_buffer_t *b, const wa_part_t *part)
{
    int word;

    for (word = 0; word < WA_DELIVERY_COUNT; word++) {
        if (part->since_ms[word] != 0) {
            char bytes[TIME_BYTES] = {(char)word};

            memcpy(bytes + 1, &part->since_ms[word], sizeof(part->since_ms[word]));
            wa_tlv_add(b, TAG_TIME, wa_slice_make(bytes, sizeof(bytes)));
        }
    }
}

apr_status_t wa_delivery_write(const wa_delivery_t *d, const char *sid, wa_message_state_t *stored,
                               apr_pool_t *p)
{
    wa_delivery_summary_t summary;
    wa_buffer_t b;
    apr_size_t i;

    memset(stored, 0, sizeof(*stored));
    wa_delivery_summarize(d, &summary, p);
    stored->status = summary.status;
    stored->sid = sid;
    wa_buffer_init(&b, 128);
    for (i = 0; i < d->part_count; i++) {
        part_add(&b, &d->parts[i]);
        times_add(&b, &d->parts[i]);
        if (d->parts[i].said) {
            wa_tlv_add_string(&b, TAG_SAID, d->parts[i].said);
        }
    }
    if (d->digest) {
        wa_tlv_add_string(&b, TAG_DIGEST, d->digest);
    }
    if (d->answer != WA_ANSWER_NONE) {
        const char answer = (char)d->answer;

        wa_tlv_add(&b, TAG_ANSWER, wa_slice_make(&answer, 1));
    }
    if (d->reason) {
        wa_tlv_add_string(&b, TAG_REASON, d->reason);
    }
    return wa_buffer_slice(&b, &stored->delivery, p);
}
