/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of what tells the hooks of Twilio's other products from those of messages. */
#include "test_base.h"

#include "base/form.h"
#include "twilio/hook.h"

#define SM "SM00000000000000000000000000000011"
#define CH "CH00000000000000000000000000000011"

static void test_forms(void **state)
{
    static const struct {
        const char *form, *product; /* NULL: a message */
    } cases[] = {
        {"MessageSid=" SM "&Body=x", NULL},
        {"MessageSid=" SM "&EventType=READ&MessageStatus=read", NULL},
        {"SmsSid=" SM "&SmsStatus=delivered", NULL},
        {"MessageSid=MM00000000000000000000000000000011&FlowSid=FW1&CallSid=CA1", NULL},
        {"MessageSid=" SM "&EventType=onward", NULL},
        {"EventType=onMessageAdded&ConversationSid=" CH "&MessageSid=IM1", "Conversations"},
        {"EventType=onDeliveryUpdated&ConversationSid=" CH "&MessageSid=" SM, "Conversations"},
        {"EventType=onUserUpdated", "Conversations"},
        {"CallSid=CA1&CallStatus=ringing", "Voice"},
        {"ExecutionSid=FN1", "Studio"},
        {"EventType=task.created&TaskSid=WT1", "TaskRouter"},
        {"PayloadType=application%2Fjson&Payload=%7B%7D", "the Debugger"},
        {"Body=x", "another product"},
        {"MessageSid=&CallSid=", "another product"},
        {"MessageSid=" SM "1", "another product"},
        {"", "another product"},
    };
    size_t i;

    for (i = 0; i < COUNT(cases); i++) {
        wa_form_t *form;
        wa_hook_t hook;

        assert_int_equal(wa_form_parse(&form, cases[i].form, strlen(cases[i].form), 100, *state),
                         APR_SUCCESS);
        assert_int_equal(wa_hook_form_is_other(form, &hook), cases[i].product != NULL);
        if (cases[i].product) {
            assert_string_equal(hook.product, cases[i].product);
            assert_non_null(hook.setting);
        }
    }
}

static void test_bodies(void **state)
{
    static const struct {
        const char *type, *body, *product;
    } cases[] = {
        {"application/json", "[{\"specversion\":\"1.0\"}]", "Event Streams"},
        {"application/cloudevents-batch+json", "[]", "Event Streams"},
        {"application/json", "{\"factor_sid\":\"YF1\"}", "Verify"},
        {"application/json", "{\"ConversationSid\":\"CH1\"}", "Conversations"},
        {"application/json", "{}", "another product"},
        {"text/plain", "", "another product"},
        {NULL, "\"specversion", "another product"},
    };
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(cases); i++) {
        wa_hook_t hook;

        wa_hook_body_read(cases[i].type, wa_slice_of(cases[i].body), &hook);
        assert_string_equal(hook.product, cases[i].product);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_TEST(test_forms),
        POOL_TEST(test_bodies),
    };

    return cmocka_run_group_tests(tests, apr_setup, apr_teardown);
}
