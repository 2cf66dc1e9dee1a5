/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of what changes threads and contacts: which bodies are taken, what reaches the store. */
#include "api_support.h"

#define ANA "+15551230001"
#define ID "1b4e28ba-2fa1-41d2-883f-0016d3cca427"

static const wa_thread_t thread = {.counterpart = WA_SLICE_LITERAL(ANA),
                                   .preview = WA_SLICE_LITERAL("a"),
                                   .last_timestamp_ms = 1700000000002,
                                   .last_direction = WA_DIRECTION_SENT,
                                   .message_count = 2,
                                   .flags = WA_THREAD_BLOCKED};
#define THREAD                                                                                  \
    "{\"counterpart\":\"" ANA                                                                   \
    "\",\"lastMessagePreview\":\"a\",\"lastMessageTimestamp\":1700000000002,\"lastDirection\":" \
    "\"sent\",\"messageCount\":2,\"unreadCount\":0,\"blocked\":true}"

/* The cases of what the store fails with. */
static const struct {
    apr_status_t rv;
    int status;
    const char *code;
} failures[] = {{APR_TIMEUP, HTTP_SERVICE_UNAVAILABLE, "UNAVAILABLE"},
                {APR_ENOSPC, HTTP_SERVICE_UNAVAILABLE, "UNAVAILABLE"},
                {APR_EGENERAL, HTTP_INTERNAL_SERVER_ERROR, "INTERNAL_ERROR"},
                {APR_ENOMEM, HTTP_INTERNAL_SERVER_ERROR, "INTERNAL_ERROR"}};

/* ---- POST /threads/{counterpart}/read, block, unblock ---- */

static const struct {
    wa_endpoint_fn endpoint;
    const char *name, *call;
} changes[] = {{wa_endpoint_thread_read, "mark_read", "mark_read(" ANA ")"},
               {wa_endpoint_thread_block, "flags", "flags(" ANA ",+1,-0)"},
               {wa_endpoint_thread_unblock, "flags", "flags(" ANA ",+0,-1)"}};

static void test_a_thread_is_changed_and_given(void **state)
{
    static const api_ask_t asks[] = {
        {.method = "POST", .target = "/t"},
        {.method = "POST", .target = "/t", .body = "what nobody reads"},
        {.method = "POST", .target = "/t", .headers = {"Content-Type", "application/json"}},
        {.method = "POST",
         .target = "/t",
         .headers = {"Content-Type", " application/JSON ; charset=utf-8"}},
    };
    api_t api;
    size_t i, k;

    api_init(&api, *state);
    api.store->threads = &thread;
    api.store->thread_count = 1;
    for (i = 0; i < COUNT(changes); i++) {
        for (k = 0; k < COUNT(asks); k++) {
            const api_answer_t answer = api_endpoint_ask(&api, changes[i].endpoint, ANA, &asks[k]);

            assert_answer(&answer, "{\"success\":true,\"thread\":" THREAD "}");
            assert_calls(&api, apr_pstrcat(*state, changes[i].call, " thread(" ANA ")", NULL));
            assert_false(answer.is_last);
        }
    }
}

static void test_what_changes_no_thread(void **state)
{
    static const struct {
        api_ask_t ask;
        const char *argument;
        int status;
        const char *code, *sentence;
        int is_last;
    } cases[] = {
        {{.headers = {"Content-Type", "text/plain"}},
         ANA,
         HTTP_UNSUPPORTED_MEDIA_TYPE,
         "UNSUPPORTED_MEDIA_TYPE",
         "The request needs no body;",
         0},
        {{.headers = {"Content-Type", "application/jsonx"}},
         ANA,
         HTTP_UNSUPPORTED_MEDIA_TYPE,
         "UNSUPPORTED_MEDIA_TYPE",
         NULL,
         0},
        {{.headers = {"Content-Type", ""}},
         ANA,
         HTTP_UNSUPPORTED_MEDIA_TYPE,
         "UNSUPPORTED_MEDIA_TYPE",
         NULL,
         0},
        {{.headers = {"Content-Length", "65"}},
         ANA,
         HTTP_REQUEST_ENTITY_TOO_LARGE,
         "PAYLOAD_TOO_LARGE",
         "The request body is larger than the 64 bytes that are allowed here.",
         1},
        {{.headers = {"Content-Length", "one"}},
         ANA,
         HTTP_REQUEST_ENTITY_TOO_LARGE,
         "PAYLOAD_TOO_LARGE",
         NULL,
         1},
        {{.body = "0123456789012345678901234567890123456789012345678901234567890123x"},
         ANA,
         HTTP_REQUEST_ENTITY_TOO_LARGE,
         "PAYLOAD_TOO_LARGE",
         NULL,
         1},
        {{.body = "x", .body_rv = APR_TIMEUP},
         ANA,
         HTTP_BAD_REQUEST,
         "INVALID_INPUT",
         "The request body did not come in time.",
         1},
        {{.body = "x", .body_rv = APR_ECONNRESET},
         ANA,
         HTTP_BAD_REQUEST,
         "INVALID_INPUT",
         "The request body could not be read.",
         1},
        {{.body = ""}, "nobody", HTTP_BAD_REQUEST, "INVALID_INPUT", "counterpart must be", 0},
    };
    api_t api;
    size_t i, k;

    api_init(&api, *state);
    api.server.max_body = 64;
    for (i = 0; i < COUNT(changes); i++) {
        for (k = 0; k < COUNT(cases); k++) {
            api_ask_t ask = cases[k].ask;
            api_answer_t answer;

            ask.method = "POST";
            ask.target = "/t";
            answer = api_endpoint_ask(&api, changes[i].endpoint, cases[k].argument, &ask);
            assert_error(&answer, cases[k].status, cases[k].code, cases[k].sentence);
            assert_int_equal(answer.is_last, cases[k].is_last);
            assert_calls(&api, strcmp(cases[k].argument, ANA) == 0 ? "" : "thread_version(nobody)");
        }
    }
}

static void test_a_thread_that_there_is_not(void **state)
{
    static const api_ask_t ask = {.method = "POST", .target = "/t"};
    api_t api;
    size_t i, k;

    api_init(&api, *state);
    for (i = 0; i < COUNT(changes); i++) {
        api_answer_t answer;

        api.store->failing = changes[i].name;
        api.store->rv = APR_NOTFOUND;
        answer = api_endpoint_ask(&api, changes[i].endpoint, ANA, &ask);
        assert_error(&answer, HTTP_NOT_FOUND, "NOT_FOUND",
                     "There is no thread with this counterpart.");
        assert_calls(&api, changes[i].call);
        api.store->rv = APR_SUCCESS; /* it went meanwhile */
        answer = api_endpoint_ask(&api, changes[i].endpoint, ANA, &ask);
        assert_error(&answer, HTTP_NOT_FOUND, "NOT_FOUND", NULL);
        canned_calls_take(api.store);
        for (k = 0; k < COUNT(failures); k++) {
            api.store->rv = failures[k].rv;
            answer = api_endpoint_ask(&api, changes[i].endpoint, ANA, &ask);
            assert_error(&answer, failures[k].status, failures[k].code, NULL);
            assert_calls(&api, changes[i].call);
        }
    }
}

/* ---- POST /contacts, PATCH and DELETE /contacts/{id} ---- */

static api_answer_t contact_ask(api_t *api, wa_endpoint_fn endpoint, const char *id,
                                const char *body)
{
    const api_ask_t ask = {.method = "POST",
                           .target = "/c",
                           .headers = {"Content-Type", "application/json"},
                           .body = body};

    return api_endpoint_ask(api, endpoint, id, &ask);
}

static void test_contacts_are_made_renamed_and_deleted(void **state)
{
    api_t api;
    api_answer_t answer;

    api_init(&api, *state);
    answer = contact_ask(&api, wa_endpoint_contact_create, NULL,
                         "{\"phoneNumber\":\"+1 555 123 0001\",\"displayName\":\" Ana \"}");
    assert_int_equal(answer.status, HTTP_OK);
    assert_calls(&api, "contact_add(" ANA ",Ana)");
    assert_non_null(strstr(answer.body,
                           "\"phoneNumber\":\"" ANA "\",\"displayName\":\"Ana\",\"createdAt\":0,"
                           "\"updatedAt\":0}}"));
    assert_ptr_equal(strstr(answer.body, "{\"success\":true,\"contact\":{\"id\":\""), answer.body);
    answer = contact_ask(&api, wa_endpoint_contact_rename, "1B4E28BA-2FA1-41D2-883F-0016D3CCA427",
                         "{\"displayName\":\"Bo\"}");
    assert_answer(&answer, "{\"success\":true,\"contact\":{\"id\":\"" ID
                           "\",\"phoneNumber\":\"\",\"displayName\":\"Bo\",\"createdAt\":0,"
                           "\"updatedAt\":0}}");
    assert_calls(&api, "contact_rename(" ID ",Bo)");
    answer = contact_ask(&api, wa_endpoint_contact_delete, ID, NULL);
    assert_answer(&answer, "{\"success\":true}");
    assert_calls(&api, "contact_delete(" ID ")");
}

static void test_what_is_no_contact(void **state)
{
    static const struct {
        wa_endpoint_fn endpoint;
        const char *id, *body, *sentence;
    } cases[] = {
        {wa_endpoint_contact_create, NULL, "", NULL},
        {wa_endpoint_contact_create, NULL, "[]", "The request body must be a JSON object."},
        {wa_endpoint_contact_create, NULL, "{}", "phoneNumber is missing; it must be a string."},
        {wa_endpoint_contact_create, NULL, "{\"phoneNumber\":1}", "phoneNumber must be a string."},
        {wa_endpoint_contact_create, NULL, "{\"phoneNumber\":\"" ANA "\"}",
         "displayName is missing"},
        {wa_endpoint_contact_create, NULL, "{\"phoneNumber\":\"1\",\"displayName\":\"x\"}",
         "phoneNumber must be a phone number"},
        {wa_endpoint_contact_create, NULL, "{\"phoneNumber\":\"" ANA "\",\"displayName\":\" \"}",
         "displayName must not be empty"},
        {wa_endpoint_contact_rename, ID, "{}", "displayName is missing"},
        {wa_endpoint_contact_rename, ID, "{\"displayName\":null}", "displayName must be a string."},
        {wa_endpoint_contact_rename, "x", "{\"displayName\":\"x\"}",
         "id must be the id of a contact, a UUID."},
        {wa_endpoint_contact_delete, "x", NULL, "id must be the id of a contact, a UUID."},
        {wa_endpoint_contact_delete, ID "0", NULL, "id must be the id of a contact, a UUID."},
    };
    api_t api;
    size_t i;

    api_init(&api, *state);
    for (i = 0; i < COUNT(cases); i++) {
        const api_answer_t answer =
            contact_ask(&api, cases[i].endpoint, cases[i].id, cases[i].body);

        assert_error(&answer, HTTP_BAD_REQUEST, "INVALID_INPUT", cases[i].sentence);
        assert_calls(&api, "");
    }
}

static void test_contacts_that_the_store_refuses(void **state)
{
    static const char create[] = "{\"phoneNumber\":\"" ANA "\",\"displayName\":\"x\"}";
    static const char rename[] = "{\"displayName\":\"x\"}";
    api_t api;
    api_answer_t answer;
    size_t i;

    api_init(&api, *state);
    api.store->rv = APR_EEXIST;
    answer = contact_ask(&api, wa_endpoint_contact_create, NULL, create);
    assert_error(&answer, HTTP_BAD_REQUEST, "INVALID_INPUT",
                 "phoneNumber is already the number of another contact.");
    api.store->rv = APR_NOTFOUND;
    answer = contact_ask(&api, wa_endpoint_contact_rename, ID, rename);
    assert_error(&answer, HTTP_NOT_FOUND, "NOT_FOUND", "There is no contact with this id.");
    answer = contact_ask(&api, wa_endpoint_contact_delete, ID, NULL);
    assert_error(&answer, HTTP_NOT_FOUND, "NOT_FOUND", "There is no contact with this id.");
    for (i = 0; i < COUNT(failures); i++) {
        api.store->rv = failures[i].rv;
        answer = contact_ask(&api, wa_endpoint_contact_create, NULL, create);
        assert_error(&answer, failures[i].status, failures[i].code, NULL);
        answer = contact_ask(&api, wa_endpoint_contact_rename, ID, rename);
        assert_error(&answer, failures[i].status, failures[i].code, NULL);
        answer = contact_ask(&api, wa_endpoint_contact_delete, ID, NULL);
        assert_error(&answer, failures[i].status, failures[i].code, NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_TEST(test_a_thread_is_changed_and_given),
        POOL_TEST(test_what_changes_no_thread),
        POOL_TEST(test_a_thread_that_there_is_not),
        POOL_TEST(test_contacts_are_made_renamed_and_deleted),
        POOL_TEST(test_what_is_no_contact),
        POOL_TEST(test_contacts_that_the_store_refuses),
    };

    return cmocka_run_group_tests(tests, apr_setup, apr_teardown);
}
