/* SPDX-License-Identifier: Apache-2.0 */
/* Tells the hooks of Twilio's other products from those of messages. */
#include "twilio/hook.h"

#include <string.h>

#include <apr_lib.h>

#include "base/id.h"

#define SID_LENGTH 34

#define CONVERSATIONS                                                                   \
    {                                                                                   \
        "Conversations",                                                                \
            "Conversations > Manage > Webhooks, or the webhook of the one conversation" \
    }
#define OTHER                                        \
    {                                                \
        "another product", "that product's settings" \
    }

/* A field that only this product's hooks have. The first one that is there counts. */
static const struct {
    const char *field;
    wa_hook_t hook;
} products[] = {
    {"ConversationSid", CONVERSATIONS},
    {"ChatServiceSid", CONVERSATIONS},
    {"ChannelSid", {"Programmable Chat", "the chat service's webhooks"}},
    {"FlowSid", {"Studio", "the flow's widget that calls it"}},
    {"ExecutionSid", {"Studio", "the flow's widget that calls it"}},
    {"TaskSid", {"TaskRouter", "the workspace's event callback"}},
    {"WorkspaceSid", {"TaskRouter", "the workspace's event callback"}},
    {"VerificationSid", {"Verify", "Verify > the service > Webhooks"}},
    {"FactorSid", {"Verify", "Verify > the service > Webhooks"}},
    {"ChallengeSid", {"Verify", "Verify > the service > Webhooks"}},
    {"RoomSid", {"Video", "the room's status callback"}},
    {"FaxSid", {"Fax", "the number's fax settings"}},
    {"CallSid", {"Voice", "the number's settings for calls, or the call's status callback"}},
    {"RecordingSid", {"Voice", "the recording's status callback"}},
    {"ConferenceSid", {"Voice", "the conference's status callback"}},
    {"PayloadType", {"the Debugger", "Monitor > Errors > Webhook"}},
    {"DocumentSid", {"Sync", "the Sync service's webhook"}},
    {"InteractionSid", {"Proxy", "the Proxy service's callbacks"}},
    {"BundleSid", {"Regulatory Compliance", "the bundle's status callback"}},
    {"SimSid", {"Wireless", "the SIM's callbacks"}},
    {"sms_sid", {"Link Shortening", "the Messaging Service's link shortening"}},
};

static int is_message_sid(wa_slice_t value)
{
    char sid[SID_LENGTH + 1];

    if (value.len != SID_LENGTH) {
        return 0;
    }
    memcpy(sid, value.ptr, SID_LENGTH);
    sid[SID_LENGTH] = '\0';
    return wa_id_is_sid(sid, "SM,MM");
}

/* What happens to a conversation is named "onMessageAdded" and the like; a message's receipts have
 * the same field, with "READ" in it. */
static int is_event_of_conversation(const wa_form_t *form)
{
    wa_slice_t event;

    return wa_form_get(form, "EventType", &event) && event.len > 2
           && memcmp(event.ptr, "on", 2) == 0 && apr_isupper(event.ptr[2]);
}

int wa_hook_form_is_other(const wa_form_t *form, wa_hook_t *hook)
{
    static const wa_hook_t conversations = CONVERSATIONS, other = OTHER;
    const int is_event = is_event_of_conversation(form);
    wa_slice_t sid;
    apr_size_t i;

    *hook = is_event ? conversations : other;
    if (!(is_event && wa_form_has(form, "ConversationSid"))
        && ((wa_form_get(form, "MessageSid", &sid) && is_message_sid(sid))
            || (wa_form_get(form, "SmsSid", &sid) && is_message_sid(sid)))) {
        return 0;
    }
    for (i = 0; i < sizeof(products) / sizeof(products[0]); i++) {
        if (wa_form_has(form, products[i].field)) {
            *hook = products[i].hook;
            break;
        }
    }
    return 1;
}

static int holds(wa_slice_t body, const char *word)
{
    return body.len > 0 && memmem(body.ptr, body.len, word, strlen(word)) != NULL;
}

void wa_hook_body_read(const char *content_type, wa_slice_t body, wa_hook_t *hook)
{
    static const wa_hook_t streams = {"Event Streams",
                                      "Event Streams > Manage > the sink's destination"};
    static const wa_hook_t verify = {"Verify", "Verify > the service > Webhooks"};
    static const wa_hook_t conversations = CONVERSATIONS, other = OTHER;

    /* Each event has these two, in CloudEvents' own writing. */
    if ((content_type && strstr(content_type, "cloudevents")) || holds(body, "\"specversion\"")) {
        *hook = streams;
    } else if (holds(body, "\"factor_sid\"") || holds(body, "\"challenge_sid\"")
               || holds(body, "\"verification_sid\"")) {
        *hook = verify;
    } else if (holds(body, "\"ConversationSid\"")) {
        *hook = conversations;
    } else {
        *hook = other;
    }
}
