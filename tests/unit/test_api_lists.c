/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of messages, threads and contacts: their JSON, cursors, which questions reach the store. */
#include "api_support.h"

#define ANA "+15551230001"
#define BEN "+15551230002"
#define ID "1b4e28ba-2fa1-41d2-883f-0016d3cca427"
#define EMPTY_PAGE "{\"success\":true,\"messages\":[],\"listComplete\":true}"

static const wa_message_t messages[] = {{.id = WA_SLICE_LITERAL("m2"),
                                         .sid = WA_SLICE_LITERAL(SID_1),
                                         .counterpart = WA_SLICE_LITERAL(ANA),
                                         .phone_number = WA_SLICE_LITERAL(OUR_NUMBER),
                                         .body = WA_SLICE_LITERAL("a\n\xe2\x82\xac"),
                                         .direction = WA_DIRECTION_RECEIVED,
                                         .timestamp_ms = 1700000000002},
                                        {.id = WA_SLICE_LITERAL("m1"),
                                         .counterpart = WA_SLICE_LITERAL(ANA),
                                         .phone_number = WA_SLICE_LITERAL(OUR_NUMBER),
                                         .direction = WA_DIRECTION_SENT,
                                         .status = WA_STATUS_PENDING,
                                         .timestamp_ms = 1700000000001}};
#define MESSAGES                                                                             \
    "{\"id\":\"m2\",\"direction\":\"received\",\"phoneNumber\":\"" OUR_NUMBER                \
    "\",\"counterpart\":\"" ANA "\",\"body\":\"a\\n\xe2\x82\xac\",\"sid\":\"" SID_1          \
    "\",\"timestamp\":1700000000002},{\"id\":\"m1\",\"direction\":\"sent\",\"phoneNumber\":" \
    "\"" OUR_NUMBER "\",\"counterpart\":\"" ANA "\",\"body\":\"\",\"status\":\"pending\","   \
    "\"timestamp\":1700000000001}"

static const wa_inbound_t inbound = {WA_SLICE_LITERAL(OUR_NUMBER), 1700000000000, 0};
static const wa_thread_t threads[] = {{.counterpart = WA_SLICE_LITERAL(ANA),
                                       .preview = WA_SLICE_LITERAL("a"),
                                       .last_timestamp_ms = 1700000000002,
                                       .changed_ms = 1700000000002,
                                       .last_inbound_ms = 1700000000002,
                                       .inbound = &inbound,
                                       .inbound_count = 1,
                                       .last_direction = WA_DIRECTION_RECEIVED,
                                       .message_count = 2,
                                       .flags = WA_THREAD_OPTED_OUT | WA_THREAD_BLOCKED},
                                      {.counterpart = WA_SLICE_LITERAL(BEN),
                                       .last_direction = WA_DIRECTION_SENT,
                                       .changed_ms = 1,
                                       .message_count = 1}};
#define THREAD_ANA                                                           \
    "{\"counterpart\":\"" ANA "\",\"lastMessagePreview\":\"a\","             \
    "\"lastMessageTimestamp\":1700000000002,\"lastDirection\":\"received\"," \
    "\"messageCount\":2,\"unreadCount\":0,\"windowClosesAt\":1700086400000," \
    "\"optedOut\":true,\"blocked\":true}"
#define THREAD_BEN                                                                         \
    "{\"counterpart\":\"" BEN "\",\"lastMessagePreview\":\"\",\"lastMessageTimestamp\":0," \
    "\"lastDirection\":\"sent\",\"messageCount\":1,\"unreadCount\":0}"

static const wa_contact_t contacts[] = {{.id = WA_SLICE_LITERAL(ID),
                                         .phone_number = WA_SLICE_LITERAL(ANA),
                                         .display_name = WA_SLICE_LITERAL("Ana \"\\\""),
                                         .created_ms = 1700000000001,
                                         .updated_ms = 1700000000002}};
#define CONTACT                                                                            \
    "{\"id\":\"" ID "\",\"phoneNumber\":\"" ANA "\",\"displayName\":\"Ana \\\"\\\\\\\"\"," \
    "\"createdAt\":1700000000001,\"updatedAt\":1700000000002}"

/* The cases of what the store fails with. */
static const struct {
    apr_status_t rv;
    int status;
    const char *code;
} failures[] = {{APR_TIMEUP, HTTP_SERVICE_UNAVAILABLE, "UNAVAILABLE"},
                {APR_ENOSPC, HTTP_SERVICE_UNAVAILABLE, "UNAVAILABLE"},
                {APR_EGENERAL, HTTP_INTERNAL_SERVER_ERROR, "INTERNAL_ERROR"},
                {APR_ENOMEM, HTTP_INTERNAL_SERVER_ERROR, "INTERNAL_ERROR"}};

static void commit(canned_store_t *store)
{
    store->versions[WA_VERSION_THREADS]++;
    store->versions[WA_VERSION_CONTACTS]++;
    store->thread_version++;
}

/* ---- GET /messages ---- */

static api_answer_t page(api_t *api, const char *query)
{
    return api_get(api, wa_endpoint_messages, apr_pstrcat(api->world.p, "/messages?", query, NULL));
}

/* Asks, and must get this by these calls. */
static void page_is(api_t *api, const char *query, const char *body, const char *calls)
{
    const api_answer_t answer = page(api, query);

    assert_answer(&answer, body);
    assert_calls(api, calls);
}

static void pages_init(api_t *api, apr_pool_t *p)
{
    api_init(api, p);
    api->store->thread_version = 4;
}

static void test_a_page(void **state)
{
    api_t api;

    pages_init(&api, *state);
    page_is(&api, "counterpart=%2B15551230002", EMPTY_PAGE,
            "thread_version(" BEN ") messages(" BEN ",newest,50)");
    api.store->messages = messages;
    api.store->message_count = COUNT(messages);
    page_is(&api, "counterpart=%2B15551230001",
            "{\"success\":true,\"messages\":[" MESSAGES "],\"listComplete\":true}",
            "thread_version(" ANA ") messages(" ANA ",newest,50)");
    api.store->next_cursor = "next \"1\"";
    page_is(&api, "counterpart=%2B15551230001&limit=2",
            "{\"success\":true,\"messages\":[" MESSAGES
            "],\"cursor\":\"next \\\"1\\\"\",\"listComplete\":false}",
            "thread_version(" ANA ") messages(" ANA ",newest,2)");
}

static void test_the_limit_of_a_page(void **state)
{
    static const struct {
        const char *query;
        int limit;
    } taken[] = {{"", 50},
                 {"&limit=1", 1},
                 {"&limit=199", 199},
                 {"&limit=200", 200},
                 {"&limit=201", 200},
                 {"&limit=99999999999999999999", 200}};
    static const char *const refused[] = {"&limit=0",  "&limit=",     "&limit=-1",
                                          "&limit=1x", "&limit=%201", "&limit"};
    api_t api;
    size_t i;

    pages_init(&api, *state);
    for (i = 0; i < COUNT(taken); i++) {
        api.store->thread_version++;
        page_is(&api, apr_pstrcat(*state, "counterpart=+15551230001", taken[i].query, NULL),
                EMPTY_PAGE,
                apr_psprintf(*state, "thread_version(" ANA ") messages(" ANA ",newest,%d)",
                             taken[i].limit));
    }
    for (i = 0; i < COUNT(refused); i++) {
        const api_answer_t answer =
            page(&api, apr_pstrcat(*state, "counterpart=+15551230001", refused[i], NULL));

        assert_error(&answer, HTTP_BAD_REQUEST, "INVALID_INPUT",
                     "limit must be a whole number from 1 to 200.");
        assert_calls(&api, "");
    }
}

static void test_what_is_no_page(void **state)
{
    static const struct {
        const char *query, *sentence;
    } cases[] = {
        {"", "counterpart must be a phone number"},
        {"counterpart=", "counterpart must be a phone number"},
        {"counterpart=1", "counterpart must be a phone number"},
        {"counterpart=+15551230001%00", "counterpart must be a phone number"},
        {"counterpart=+15551230001&counterpart=+15551230001", "counterpart is given twice."},
        {"counterpart=+15551230001&limit=1&limit=1", "limit is given twice."},
        {"counterpart=+15551230001&cursor=a&cursor=a", "cursor is given twice."},
        {"counterpart=+15551230001&cursor=", "cursor must be the cursor of an earlier answer"},
        {"counterpart=+15551230001&cursor", "cursor must be the cursor of an earlier answer"},
        {"counterpart=+15551230001&cursor=a%00", "cursor must be the cursor of an earlier answer"},
        {"counterpart=+15551230001&cursor=%00", "cursor must be the cursor of an earlier answer"},
    };
    api_t api;
    size_t i;

    api_init(&api, *state);
    for (i = 0; i < COUNT(cases); i++) {
        const api_answer_t answer = page(&api, cases[i].query);

        assert_error(&answer, HTTP_BAD_REQUEST, "INVALID_INPUT", cases[i].sentence);
        assert_null(strstr(canned_calls_take(api.store), "messages("));
    }
}

static void test_the_newest_page_is_given_again(void **state)
{
    api_t api;
    int i;

    pages_init(&api, *state);
    page_is(&api, "counterpart=+15551230001", EMPTY_PAGE,
            "thread_version(" ANA ") messages(" ANA ",newest,50)");
    for (i = 0; i < 3; i++) {
        page_is(&api, "counterpart=+15551230001", EMPTY_PAGE, "thread_version(" ANA ")");
        page_is(&api, "limit=50&counterpart=whatsapp:%2B1-555-123-0001", EMPTY_PAGE,
                "thread_version(" ANA ")");
    }
    page_is(&api, "counterpart=+15551230001&limit=51", EMPTY_PAGE,
            "thread_version(" ANA ") messages(" ANA ",newest,51)");
    page_is(&api, "counterpart=+15551230002", EMPTY_PAGE,
            "thread_version(" BEN ") messages(" BEN ",newest,50)");
    page_is(&api, "counterpart=+15551230001", EMPTY_PAGE, "thread_version(" ANA ")");
    api.store->thread_version++;
    page_is(&api, "counterpart=+15551230001", EMPTY_PAGE,
            "thread_version(" ANA ") messages(" ANA ",newest,50)");
    /* what was committed while it was made may be missing from it */
    api.store->thread_version++;
    api.store->meanwhile = commit;
    page_is(&api, "counterpart=+15551230001", EMPTY_PAGE,
            "thread_version(" ANA ") messages(" ANA ",newest,50)");
    page_is(&api, "counterpart=+15551230001", EMPTY_PAGE,
            "thread_version(" ANA ") messages(" ANA ",newest,50)");
}

/* All that have none are of version 0: it says nothing of one of them. */
static void test_a_page_of_no_thread_is_never_kept(void **state)
{
    api_t api;
    int i;

    api_init(&api, *state);
    for (i = 0; i < 3; i++) {
        page_is(&api, "counterpart=+15551230001", EMPTY_PAGE,
                "thread_version(" ANA ") messages(" ANA ",newest,50)");
    }
}

/* Whoever asks for many that there are not does not push out what others ask for. */
static void test_pages_of_no_thread_take_no_room(void **state)
{
    api_t api;
    int i;

    pages_init(&api, *state);
    page_is(&api, "counterpart=+15551230001", EMPTY_PAGE,
            "thread_version(" ANA ") messages(" ANA ",newest,50)");
    api.store->thread_version = 0;
    for (i = 0; i < 1000; i++) {
        const api_answer_t answer = page(&api, apr_psprintf(*state, "counterpart=+1555124%04d", i));

        assert_answer(&answer, EMPTY_PAGE);
    }
    api.store->thread_version = 4;
    canned_calls_take(api.store);
    page_is(&api, "counterpart=+15551230001", EMPTY_PAGE, "thread_version(" ANA ")");
}

static void test_a_page_at_a_cursor_is_never_kept(void **state)
{
    api_t api;
    int i;

    pages_init(&api, *state);
    page_is(&api, "counterpart=+15551230001", EMPTY_PAGE,
            "thread_version(" ANA ") messages(" ANA ",newest,50)");
    for (i = 0; i < 3; i++) {
        page_is(&api, "counterpart=+15551230001&cursor=a%2Bb+c", EMPTY_PAGE,
                "messages(" ANA ",a+b c,50)");
    }
    api.store->rv = APR_EINVAL;
    for (i = 0; i < 2; i++) {
        const api_answer_t answer = page(&api, "counterpart=+15551230001&cursor=other");

        assert_error(&answer, HTTP_BAD_REQUEST, "INVALID_INPUT",
                     "cursor must be the cursor of an earlier answer for the same counterpart.");
        assert_calls(&api, "messages(" ANA ",other,50)");
    }
}

static void test_pages_that_fail(void **state)
{
    static const char *const queries[] = {"counterpart=+15551230001",
                                          "counterpart=+15551230001&cursor=x"};
    api_t api;
    size_t i, k;

    pages_init(&api, *state);
    api.store->messages = messages;
    api.store->message_count = COUNT(messages);
    for (i = 0; i < COUNT(failures); i++) {
        api.store->rv = failures[i].rv;
        for (k = 0; k < COUNT(queries); k++) {
            const api_answer_t answer = page(&api, queries[k]);

            assert_error(&answer, failures[i].status, failures[i].code, NULL);
        }
    }
    api.store->rv = APR_SUCCESS;
    canned_calls_take(api.store);
    page_is(&api, "counterpart=+15551230001",
            "{\"success\":true,\"messages\":[" MESSAGES "],\"listComplete\":true}",
            "thread_version(" ANA ") messages(" ANA ",newest,50)");
}

/* ---- GET /threads and /contacts ---- */

static void list_is(api_t *api, wa_endpoint_fn endpoint, const char *body, const char *calls)
{
    const api_answer_t answer = api_get(api, endpoint, "/list?counterpart=ignored");

    assert_answer(&answer, body);
    assert_calls(api, calls);
}

#define NO_THREADS "{\"success\":true,\"threads\":[]}"
#define NO_CONTACTS "{\"success\":true,\"contacts\":[]}"

static void test_the_lists(void **state)
{
    api_t api;

    api_init(&api, *state);
    list_is(&api, wa_endpoint_threads, NO_THREADS, "version(threads) threads(0)");
    list_is(&api, wa_endpoint_contacts, NO_CONTACTS, "version(contacts) contacts()");
    commit(api.store);
    api.store->threads = threads;
    api.store->thread_count = COUNT(threads);
    api.store->contacts = contacts;
    api.store->contact_count = COUNT(contacts);
    list_is(&api, wa_endpoint_threads,
            "{\"success\":true,\"threads\":[" THREAD_ANA "," THREAD_BEN "]}",
            "version(threads) threads(0)");
    list_is(&api, wa_endpoint_contacts, "{\"success\":true,\"contacts\":[" CONTACT "]}",
            "version(contacts) contacts()");
}

static void test_the_lists_are_given_again(void **state)
{
    api_t api;
    int i;

    api_init(&api, *state);
    list_is(&api, wa_endpoint_threads, NO_THREADS, "version(threads) threads(0)");
    list_is(&api, wa_endpoint_contacts, NO_CONTACTS, "version(contacts) contacts()");
    for (i = 0; i < 3; i++) {
        api.store->versions[WA_VERSION_ALL]++; /* none of theirs */
        list_is(&api, wa_endpoint_threads, NO_THREADS, "version(threads)");
        list_is(&api, wa_endpoint_contacts, NO_CONTACTS, "version(contacts)");
    }
    api.store->versions[WA_VERSION_THREADS]++;
    list_is(&api, wa_endpoint_contacts, NO_CONTACTS, "version(contacts)");
    list_is(&api, wa_endpoint_threads, NO_THREADS, "version(threads) threads(0)");
    api.store->versions[WA_VERSION_CONTACTS]++;
    list_is(&api, wa_endpoint_threads, NO_THREADS, "version(threads)");
    list_is(&api, wa_endpoint_contacts, NO_CONTACTS, "version(contacts) contacts()");
}

static void test_a_commit_while_a_list_is_made(void **state)
{
    api_t api;

    api_init(&api, *state);
    api.store->meanwhile = commit;
    list_is(&api, wa_endpoint_threads, NO_THREADS, "version(threads) threads(0)");
    list_is(&api, wa_endpoint_threads, NO_THREADS, "version(threads) threads(0)");
    list_is(&api, wa_endpoint_threads, NO_THREADS, "version(threads)");
    api.store->meanwhile = commit;
    list_is(&api, wa_endpoint_contacts, NO_CONTACTS, "version(contacts) contacts()");
    list_is(&api, wa_endpoint_contacts, NO_CONTACTS, "version(contacts) contacts()");
    list_is(&api, wa_endpoint_contacts, NO_CONTACTS, "version(contacts)");
}

static void test_lists_that_fail(void **state)
{
    const wa_endpoint_fn endpoints[] = {wa_endpoint_threads, wa_endpoint_contacts};
    api_t api;
    size_t i, k;

    api_init(&api, *state);
    for (i = 0; i < COUNT(failures); i++) {
        for (k = 0; k < COUNT(endpoints); k++) {
            api_answer_t answer;

            api.store->rv = failures[i].rv;
            answer = api_get(&api, endpoints[k], "/list");
            assert_error(&answer, failures[i].status, failures[i].code, NULL);
        }
    }
    api.store->rv = APR_SUCCESS;
    canned_calls_take(api.store);
    list_is(&api, wa_endpoint_threads, NO_THREADS, "version(threads) threads(0)");
    list_is(&api, wa_endpoint_contacts, NO_CONTACTS, "version(contacts) contacts()");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_TEST(test_a_page),
        POOL_TEST(test_the_limit_of_a_page),
        POOL_TEST(test_what_is_no_page),
        POOL_TEST(test_the_newest_page_is_given_again),
        POOL_TEST(test_a_page_of_no_thread_is_never_kept),
        POOL_TEST(test_pages_of_no_thread_take_no_room),
        POOL_TEST(test_a_page_at_a_cursor_is_never_kept),
        POOL_TEST(test_pages_that_fail),
        POOL_TEST(test_the_lists),
        POOL_TEST(test_the_lists_are_given_again),
        POOL_TEST(test_a_commit_while_a_list_is_made),
        POOL_TEST(test_lists_that_fail),
    };

    return cmocka_run_group_tests(tests, apr_setup, apr_teardown);
}
