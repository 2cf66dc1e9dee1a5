/* SPDX-License-Identifier: Apache-2.0 */
/* Reads Twilio's answers: what is certain about a request, and what to tell the user. */
#include "twilio/client_private.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "base/id.h"
#include "base/json.h"
#include "twilio/errors.h"
#include "twilio/status.h"

#define CODE_CREDENTIALS 20003
#define CODE_BUSY 20429

const char *wa_twilio_json_string(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

int wa_twilio_json_int(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    json_int_t number = json_is_integer(value) ? json_integer_value(value) : 0;

    if (json_is_string(value)) {
        number = strtoll(json_string_value(value), NULL, 10);
    }
    return number > 0 && number <= 0x7fffffff ? (int)number : 0;
}

/* A 2xx with a message in it: Twilio has it. */
static void accepted_read(const json_t *json, wa_twilio_result_t *result, apr_pool_t *p)
{
    const char *sid = wa_twilio_json_string(json, "sid");
    const char *status = wa_twilio_json_string(json, "status");

    if (!wa_id_is_sid(sid, "SM,MM")) {
        return;
    }
    result->outcome = WA_TWILIO_ACCEPTED;
    result->sid = apr_pstrdup(p, sid);
    result->status = status ? apr_pstrdup(p, status) : NULL;
    result->error_code = wa_twilio_json_int(json, "error_code");
    if (wa_delivery_is_failure(wa_delivery_parse(status))) {
        result->said =
            wa_twilio_words(wa_slice_of(wa_twilio_json_string(json, "error_message")), p);
        result->error = wa_twilio_error_told(result->error_code, result->said, p);
    }
}

static const char *refused_sentence(const wa_twilio_result_t *result, apr_pool_t *p)
{
    if (result->error_code > 0) {
        return wa_twilio_error_told(result->error_code, result->said, p);
    }
    if (result->http_status < 400) {
        return "Twilio's address answered with a redirect, so the message was not sent. The "
               "administrator has to check the Twilio URL.";
    }
    if (result->http_status == 401 || result->http_status == 403) {
        return wa_twilio_error_sentence(CODE_CREDENTIALS, p);
    }
    if (result->said) {
        return apr_psprintf(p, "Twilio refused the message (HTTP status %d). It says: %s",
                            result->http_status, result->said);
    }
    return apr_psprintf(p, "Twilio refused the message (HTTP status %d) and did not say why.",
                        result->http_status);
}

/* What a status line alone makes certain (docs/TWILIO.md section 1.4). 302 and 303 may follow a
 * request that was acted on, 408 comes from something in between, 5xx may come after the message
 * was made: all unknown. */
static wa_twilio_outcome_e outcome_of_status(int status)
{
    if (status == 429) {
        return WA_TWILIO_RATE_LIMITED;
    }
    if (status == 301 || status == 307 || status == 308
        || (status >= 400 && status < 500 && status != 408)) {
        return WA_TWILIO_REFUSED;
    }
    return WA_TWILIO_UNKNOWN;
}

/* Twilio's form of an error, else RFC 9457's (docs/TWILIO.md section 1.4). */
static const char *refusal_words(const json_t *json)
{
    static const char *const names[] = {"message", "detail", "title"};
    const char *words = NULL;
    apr_size_t i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]) && (!words || !*words); i++) {
        words = wa_twilio_json_string(json, names[i]);
    }
    return words;
}

void wa_twilio_answer_read(const wa_http_answer_t *answer, wa_twilio_result_t *result,
                           json_t **pjson, apr_pool_t *p)
{
    *pjson = NULL;
    memset(result, 0, sizeof(*result));
    result->http_status = answer->status;
    result->request_id = answer->request_id;
    result->retry_after = answer->retry_after;
    if (answer->is_untouched) {
        result->outcome = WA_TWILIO_NOT_REACHED;
        result->error =
            "Twilio could not be reached, so the message was not sent. Try again later.";
        return;
    }
    if (answer->is_complete
        && wa_json_parse(pjson, answer->body.ptr, answer->body.len, NULL, p) != APR_SUCCESS) {
        *pjson = NULL;
    }
    result->outcome = outcome_of_status(answer->status);
    if (*pjson && answer->status >= 200 && answer->status < 300) {
        accepted_read(*pjson, result, p);
    } else if (*pjson && answer->status >= 400) {
        result->error_code = wa_twilio_json_int(*pjson, "code");
        result->said = wa_twilio_words(wa_slice_of(refusal_words(*pjson)), p);
    }
    if (result->outcome == WA_TWILIO_REFUSED) {
        result->error = refused_sentence(result, p);
    } else if (result->outcome == WA_TWILIO_RATE_LIMITED) {
        result->error = wa_twilio_error_sentence(CODE_BUSY, p);
    } else if (result->outcome == WA_TWILIO_UNKNOWN) {
        result->error = "Twilio did not confirm the message. It may have been sent: check before "
                        "you send it again.";
    }
}

wa_twilio_verdict_e wa_twilio_verdict(const wa_twilio_result_t *result)
{
    const int status = result->http_status;

    if (result->outcome == WA_TWILIO_ACCEPTED) {
        return WA_TWILIO_GIVEN;
    }
    if (status == 0 || status == 401) {
        return WA_TWILIO_SILENT;
    }
    /* 408 and 425 come from something in between. */
    if (status < 300 || status >= 500 || status == 408 || status == 425 || status == 429) {
        return WA_TWILIO_TROUBLE;
    }
    return WA_TWILIO_DENIED;
}
