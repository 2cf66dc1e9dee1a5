/* SPDX-License-Identifier: Apache-2.0 */
/* POST /send */
#include "messaging/send.h"

#include "api/body.h"
#include "api/reply.h"
#include "messaging/message_json.h"

static int request_read(wa_request_t *q, wa_send_request_t *request, int *presult)
{
    json_t *j;

    memset(request, 0, sizeof(*request));
    request->idempotency_key = apr_table_get(q->r->headers_in, "Idempotency-Key");
    if (!wa_body_json(q, &j, presult)
        || !wa_body_string(q, j, "phoneNumber", &request->phone_number, presult)
        || !wa_body_string(q, j, "message", &request->message, presult)) {
        return 0;
    }
    request->has_contact_id = json_object_get(j, "contactId") != NULL;
    return !request->has_contact_id
           || wa_body_string(q, j, "contactId", &request->contact_id, presult);
}

int wa_endpoint_send(wa_request_t *q)
{
    wa_send_request_t request;
    wa_send_result_t sent;
    wa_buffer_t b;
    apr_status_t rv;
    int result;

    if (!request_read(q, &request, &result)) {
        return result;
    }
    rv = wa_send(q->messenger, &request, &sent, q->r->pool);
    if (APR_STATUS_IS_TIMEUP(rv) && sent.sentence) {
        return wa_reply_retry(q, WA_ERROR_UNAVAILABLE, sent.sentence, sent.retry_after_s);
    }
    if (rv == APR_EACCES) {
        return wa_reply_error(q, WA_ERROR_CONFLICT, sent.sentence);
    }
    if (rv != APR_SUCCESS) {
        return wa_reply_status(q, rv, sent.sentence);
    }
    if (!sent.is_accepted) {
        return wa_reply_error_message(
            q, WA_ERROR_TWILIO, sent.sentence ? sent.sentence : "The message could not be sent.",
            &sent.message);
    }
    wa_buffer_init(&b, sent.message.fixed_json.len + 512);
    WA_BUFFER_ADD_LITERAL(&b, "{\"success\":true,\"message\":");
    wa_message_render(&b, &sent.message);
    WA_BUFFER_ADD_LITERAL(&b, "}");
    return wa_reply_json(q, &b);
}
