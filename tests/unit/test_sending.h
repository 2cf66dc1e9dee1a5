/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of sending share: a Twilio that answers as told. */
#ifndef WA_TEST_SENDING_H
#define WA_TEST_SENDING_H

#include "test_messaging.h"

#include "messaging/send/send.h"
#include "messaging/delivery/receipts.h"
#include "twilio/client.h"

#define NUMBER "+15551230001"
#define TEXT "planted text, 1+1 & \"more\" \xF0\x9F\x91\x8B"

/* Stands in for twilio/client.c, which is not linked: what it was asked, and what it answers. */
static struct {
    wa_twilio_result_t answer;
    apr_status_t rv;
    int calls;
    wa_twilio_message_request_t request;
    wa_twilio_message_request_t requests[32]; /* the first of them, strings in the callers' pool */
    wa_secret_t secret;
    void (*meanwhile)(world_t *world); /* before the answer */
    world_t *world;
} twilio;

apr_status_t wa_twilio_message_create(wa_twilio_client_t *client,
                                      const wa_twilio_message_request_t *request,
                                      wa_twilio_result_t *result, apr_pool_t *p)
{
    (void)client;
    (void)p;
    twilio.calls++;
    twilio.request = *request;
    if (twilio.calls <= 32) {
        twilio.requests[twilio.calls - 1] = *request;
    }
    twilio.secret = request->account->secret;
    assert_string_equal(request->account->sid, OUR_SID);
    if (twilio.meanwhile) {
        twilio.meanwhile(twilio.world);
    }
    *result = twilio.answer;
    return twilio.rv;
}

static inline void begin(world_t *world, apr_pool_t *p)
{
    world_init(world, p);
    memset(&twilio, 0, sizeof(twilio));
    twilio.world = world;
    twilio.answer.outcome = WA_TWILIO_ACCEPTED;
    twilio.answer.http_status = 201;
    twilio.answer.sid = SID_1;
    twilio.answer.status = "queued";
}

static inline apr_status_t send_text(world_t *world, const char *number, const char *text,
                                     wa_send_result_t *result)
{
    wa_send_request_t request = {.phone_number = wa_slice_of(number), .message = wa_slice_of(text)};

    return wa_send(&world->messenger, &request, result, world->p);
}

static inline void receipt(world_t *world, const char *status, const char *more, const char *id)
{
    const char *body =
        apr_psprintf(world->p, "MessageSid=" SID_1 "&MessageStatus=%s%s", status, more);
    wa_sentence_t sentence;

    assert_int_equal(
        wa_receipt_receive(&world->messenger, form_of(body, world->p), id, &sentence, world->p),
        APR_SUCCESS);
}

#endif
