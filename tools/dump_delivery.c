/* SPDX-License-Identifier: Apache-2.0 */
/* What a dump says of the delivery of a sent message beside the API's members. */
#include "dump_delivery.h"

#include <string.h>

#include "base/id.h"
#include "twilio/errors.h"

static const char *const places[] = {[WA_PART_WAITING] = "waiting",
                                     [WA_PART_TAKEN] = "taken",
                                     [WA_PART_FAILED] = "failed",
                                     [WA_PART_UNKNOWN] = "unknown",
                                     [WA_PART_STOPPED] = "stopped"};

static const char *const answers[] = {[WA_ANSWER_NONE] = NULL,
                                      [WA_ANSWER_ACCEPTED] = "accepted",
                                      [WA_ANSWER_NOT_ACCEPTED] = "refused"};

#define ANSWERS (sizeof(answers) / sizeof(answers[0]))

/* ---- writing ---- */

static void times_write(wa_json_writer_t *w, const wa_part_t *part)
{
    int word;

    WA_JSON_NAME(w, "times");
    wa_json_object_begin(w);
    for (word = WA_DELIVERY_UNKNOWN + 1; word < WA_DELIVERY_COUNT; word++) {
        if (part->since_ms[word]) {
            wa_json_name(w, wa_delivery_name((wa_delivery_e)word));
            wa_json_int(w, part->since_ms[word]);
        }
    }
    wa_json_object_end(w);
}

static void part_write(wa_json_writer_t *w, const wa_part_t *part)
{
    static const apr_int64_t never[WA_DELIVERY_COUNT];
    const char *word = wa_delivery_name(part->word);

    wa_json_object_begin(w);
    WA_JSON_STRING(w, "place", wa_slice_of(places[part->is]));
    if (word) {
        WA_JSON_STRING(w, "status", wa_slice_of(word));
    }
    if (part->error_code) {
        WA_JSON_INT(w, "errorCode", part->error_code);
    }
    if (part->sid) {
        WA_JSON_STRING(w, "sid", wa_slice_of(part->sid));
    }
    if (part->said) {
        WA_JSON_STRING(w, "said", wa_slice_of(part->said));
    }
    if (memcmp(part->since_ms, never, sizeof(never)) != 0) {
        times_write(w, part);
    }
    wa_json_object_end(w);
}

void dump_delivery_write(wa_json_writer_t *w, const wa_delivery_t *delivery)
{
    apr_size_t i;

    wa_json_object_begin(w);
    WA_JSON_NAME(w, "parts");
    wa_json_array_begin(w);
    for (i = 0; i < delivery->part_count; i++) {
        part_write(w, &delivery->parts[i]);
    }
    wa_json_array_end(w);
    if (delivery->digest) {
        WA_JSON_STRING(w, "digest", wa_slice_of(delivery->digest));
    }
    if (delivery->answer != WA_ANSWER_NONE) {
        WA_JSON_STRING(w, "answer", wa_slice_of(answers[delivery->answer]));
    }
    if (delivery->reason) {
        WA_JSON_STRING(w, "reason", wa_slice_of(delivery->reason));
    }
    wa_json_object_end(w);
}

/* ---- reading ---- */

/* The index of a string among the names. @return -1 for none of them */
static int name_find(const json_t *value, const char *const *names, int count)
{
    const char *text = json_string_value(value);
    int i;

    for (i = 0; text && i < count; i++) {
        if (names[i] && strcmp(names[i], text) == 0) {
            return i;
        }
    }
    return -1;
}

static const char *times_read(wa_part_t *part, const json_t *times)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)(apr_uintptr_t)times, name, value)
    {
        const wa_delivery_e word = wa_delivery_parse(name);

        if (word == WA_DELIVERY_UNKNOWN || !json_is_integer(value)
            || json_integer_value(value) < 0) {
            return "store.delivery: times must have Twilio's words with milliseconds since 1970";
        }
        part->since_ms[word] = json_integer_value(value);
    }
    return NULL;
}

static const char *part_read(wa_part_t *part, const json_t *object, apr_pool_t *p)
{
    const json_t *said = json_object_get(object, "said");
    const json_t *status = json_object_get(object, "status");
    const json_t *code = json_object_get(object, "errorCode");
    const json_t *sid = json_object_get(object, "sid");
    const int is = name_find(json_object_get(object, "place"), places, WA_PART_COUNT);

    if (is < 0) {
        return "store.delivery: a part's place must be waiting, taken, failed, unknown or stopped";
    }
    part->is = (wa_part_e)is;
    part->word = wa_delivery_parse(json_string_value(status));
    if (status && wa_delivery_rank(part->word) < 0) {
        return "store.delivery: a part's status must be one of Twilio's words for sent messages";
    }
    if (code
        && (!json_is_integer(code) || json_integer_value(code) < 0
            || json_integer_value(code) > 999999)) {
        return "store.delivery: a part's errorCode must be one of Twilio's codes";
    }
    part->error_code = (int)json_integer_value(code);
    part->sid = json_string_value(sid);
    if (sid && !wa_id_is_sid(part->sid, "SM,MM")) {
        return "store.delivery: a part's sid must be the sid of a message";
    }
    if (said && !json_is_string(said)) {
        return "store.delivery: what is said of a part must be a string";
    }
    part->said = wa_twilio_words(wa_slice_of(json_string_value(said)), p);
    return times_read(part, json_object_get(object, "times"));
}

static const char *request_read(wa_delivery_t *delivery, const json_t *object)
{
    const json_t *answer = json_object_get(object, "answer");
    const json_t *digest = json_object_get(object, "digest");
    const json_t *reason = json_object_get(object, "reason");
    const int is = name_find(answer, answers, ANSWERS);

    if (answer && is < 0) {
        return "store.delivery: answer must be accepted or refused";
    }
    if ((digest && !json_is_string(digest)) || (reason && !json_is_string(reason))) {
        return "store.delivery: digest and reason must be strings";
    }
    delivery->answer = is < 0 ? WA_ANSWER_NONE : (wa_answer_e)is;
    delivery->digest = json_string_value(digest);
    delivery->reason = json_string_value(reason);
    return NULL;
}

const char *dump_delivery_read(wa_delivery_t *delivery, const json_t *object, apr_pool_t *p)
{
    const json_t *parts = json_object_get(object, "parts");
    const char *wrong = NULL;
    apr_size_t i;

    memset(delivery, 0, sizeof(*delivery));
    if (json_array_size(parts) < 1 || json_array_size(parts) > WA_PARTS_MAX) {
        return "store.delivery: parts must be a list of 1 to 18 objects";
    }
    for (i = 0; i < json_array_size(parts) && !wrong; i++) {
        wrong = part_read(&delivery->parts[i], json_array_get(parts, i), p);
    }
    delivery->part_count = json_array_size(parts);
    if (!wrong) { /* where older dumps have them */
        wrong = times_read(&delivery->parts[0], json_object_get(object, "times"));
    }
    return wrong ? wrong : request_read(delivery, object);
}
