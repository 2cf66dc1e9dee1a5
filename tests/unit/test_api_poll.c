/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of GET /messages-since: its JSON, where a client goes on, and which polls ask the store. */
#include "api_support.h"

#include "messaging/list/list.h"

#define ANA "+15551230001"
#define BEN "+15551230002"
#define T 1700000000100
#define IDLE                                                                                       \
    "{\"success\":true,\"messages\":[],\"updates\":[],\"threads\":[],\"timestamp\":1700000000100," \
    "\"hasMore\":false}"

static const wa_message_t received = {.id = WA_SLICE_LITERAL("m1"),
                                      .sid = WA_SLICE_LITERAL(SID_1),
                                      .counterpart = WA_SLICE_LITERAL(ANA),
                                      .phone_number = WA_SLICE_LITERAL(OUR_NUMBER),
                                      .body = WA_SLICE_LITERAL("Hi \"you\""),
                                      .direction = WA_DIRECTION_RECEIVED,
                                      .timestamp_ms = T - 20,
                                      .unread = 1,
                                      .contact_id = WA_SLICE_LITERAL("c1")};
static const wa_message_t sent = {.id = WA_SLICE_LITERAL("m2"),
                                  .counterpart = WA_SLICE_LITERAL(BEN),
                                  .phone_number = WA_SLICE_LITERAL(OUR_NUMBER),
                                  .body = WA_SLICE_LITERAL("Ho"),
                                  .direction = WA_DIRECTION_SENT,
                                  .status = WA_STATUS_PENDING,
                                  .timestamp_ms = T - 10};
#define RECEIVED                                                                  \
    "{\"id\":\"m1\",\"direction\":\"received\",\"phoneNumber\":\"" OUR_NUMBER     \
    "\",\"counterpart\":\"" ANA "\",\"body\":\"Hi \\\"you\\\"\",\"sid\":\"" SID_1 \
    "\",\"timestamp\":1700000000080,\"contactId\":\"c1\",\"unread\":true}"
#define SENT                                                                 \
    "{\"id\":\"m2\",\"direction\":\"sent\",\"phoneNumber\":\"" OUR_NUMBER    \
    "\",\"counterpart\":\"" BEN "\",\"body\":\"Ho\",\"status\":\"pending\"," \
    "\"timestamp\":1700000000090}"

static const wa_thread_t threads[] = {{.counterpart = WA_SLICE_LITERAL(BEN),
                                       .preview = WA_SLICE_LITERAL("Ho"),
                                       .last_timestamp_ms = T - 10,
                                       .changed_ms = T - 10,
                                       .last_direction = WA_DIRECTION_SENT,
                                       .message_count = 1},
                                      {.counterpart = WA_SLICE_LITERAL(ANA),
                                       .preview = WA_SLICE_LITERAL("Hi"),
                                       .last_timestamp_ms = T - 20,
                                       .changed_ms = T - 20,
                                       .last_direction = WA_DIRECTION_RECEIVED,
                                       .message_count = 2,
                                       .unread_count = 1,
                                       .flags = WA_THREAD_BLOCKED,
                                       .contact_id = WA_SLICE_LITERAL("c1"),
                                       .contact_name = WA_SLICE_LITERAL("Ana")}};
#define THREAD_BEN                                                                          \
    "{\"counterpart\":\"" BEN "\",\"lastMessagePreview\":\"Ho\","                           \
    "\"lastMessageTimestamp\":1700000000090,\"lastDirection\":\"sent\",\"messageCount\":1," \
    "\"unreadCount\":0}"
#define THREAD_ANA                                                                              \
    "{\"counterpart\":\"" ANA "\",\"lastMessagePreview\":\"Hi\","                               \
    "\"lastMessageTimestamp\":1700000000080,\"lastDirection\":\"received\",\"messageCount\":2," \
    "\"unreadCount\":1,\"blocked\":true,\"contactId\":\"c1\",\"contactName\":\"Ana\"}"

/* A host at T with nothing in it. */
static void poll_init(api_t *api, apr_pool_t *p)
{
    api_init(api, p);
    api->store->versions[WA_VERSION_ALL] = 10;
    api->store->versions[WA_VERSION_THREADS] = 5;
    api->store->changes.timestamp_ms = T;
}

static void threads_lay(api_t *api)
{
    api->store->threads = threads;
    api->store->thread_count = COUNT(threads);
}

static api_answer_t poll(api_t *api, const char *query)
{
    return api_get(api, wa_endpoint_messages_since,
                   apr_pstrcat(api->world.p, "/messages-since?", query, NULL));
}

/* Polls, and must get this by these calls. */
static void poll_is(api_t *api, const char *query, const char *body, const char *calls)
{
    const api_answer_t answer = poll(api, query);

    assert_answer(&answer, body);
    assert_calls(api, calls);
}

/* A poll that came up to T and gets nothing but that. */
#define UP_TO_DATE "since=1700000000100"
#define ALL_CALLS "version(all) changes(1700000000100,500) version(threads)"

/* ---- the question ---- */

static void test_what_is_no_poll(void **state)
{
    static const struct {
        const char *query, *sentence;
    } cases[] = {
        {"", "since must be a whole number from 0 to 9007199254740991."},
        {"since=", "since must be a whole number"},
        {"since=-1", "since must be a whole number"},
        {"since=+1", "since must be a whole number"},
        {"since=1.5", "since must be a whole number"},
        {"since=9007199254740992", "since must be a whole number"},
        {"since=1%00", "since must be a whole number"},
        {"Since=1", "since must be a whole number"},
        {"since=1&since=1", "since is given twice."},
        {"since=1&threads=", "threads must be all or changed."},
        {"since=1&threads", "threads must be all or changed."},
        {"since=1&threads=ALL", "threads must be all or changed."},
        {"since=1&threads=none", "threads must be all or changed."},
        {"since=1&threads=all%00", "threads must be all or changed."},
        {"since=1&threads=changed+", "threads must be all or changed."},
        {"since=1&threads=all&threads=all", "threads is given twice."},
    };
    api_t api;
    size_t i;

    poll_init(&api, *state);
    for (i = 0; i < COUNT(cases); i++) {
        const api_answer_t answer = poll(&api, cases[i].query);

        assert_error(&answer, HTTP_BAD_REQUEST, "INVALID_INPUT", cases[i].sentence);
        assert_calls(&api, "");
    }
}

static void test_since_reaches_the_store_as_it_is(void **state)
{
    api_t api;

    poll_init(&api, *state);
    poll_is(&api, "since=0", IDLE, "version(all) changes(0,500) version(threads) threads(0)");
    poll_is(&api, "since=9007199254740991&threads=all", IDLE,
            "version(all) changes(9007199254740991,500) version(threads)");
    poll_is(&api, "threads=all&x=1&since=0001", IDLE,
            "version(all) changes(1,500) version(threads)");
}

/* ---- the answer ---- */

static void test_messages_updates_and_threads(void **state)
{
    const wa_message_t both[] = {received, sent};
    api_t api;

    poll_init(&api, *state);
    threads_lay(&api);
    api.store->messages = both;
    api.store->message_count = 2;
    poll_is(&api, "since=5",
            "{\"success\":true,\"messages\":[" RECEIVED "," SENT
            "],\"updates\":[],\"threads\":[" THREAD_BEN "," THREAD_ANA
            "],\"timestamp\":1700000000100,\"hasMore\":false}",
            "version(all) changes(5,500) version(threads) threads(0)");
    api.store->update_count = 1;
    poll_is(&api, "since=5",
            "{\"success\":true,\"messages\":[" RECEIVED "],\"updates\":[" SENT
            "],\"threads\":[" THREAD_BEN "," THREAD_ANA
            "],\"timestamp\":1700000000100,\"hasMore\":false}",
            "version(all) changes(5,500) version(threads)");
    api.store->update_count = 2;
    api.store->changes.has_more = 1;
    api.store->changes.timestamp_ms = 7;
    poll_is(&api, "since=5",
            "{\"success\":true,\"messages\":[],\"updates\":[" RECEIVED "," SENT
            "],\"threads\":[" THREAD_BEN "," THREAD_ANA "],\"timestamp\":7,\"hasMore\":true}",
            "version(all) changes(5,500) version(threads)");
}

static void test_changed_threads_only(void **state)
{
    api_t api;

    poll_init(&api, *state);
    threads_lay(&api);
    poll_is(&api, "since=1700000000080&threads=changed",
            "{\"success\":true,\"messages\":[],\"updates\":[],\"threads\":[" THREAD_BEN
            "],\"timestamp\":1700000000100,\"hasMore\":false}",
            "version(all) changes(1700000000080,500) threads(1700000000080)");
    poll_is(&api, "since=1700000000099&threads=changed", IDLE,
            "version(all) changes(1700000000099,500) threads(1700000000099)");
    poll_is(&api, UP_TO_DATE "&threads=changed", IDLE,
            "version(all) changes(1700000000100,500) threads(1700000000100)");
}

/* Who was told a time that this store never had cannot know what it missed: it gets all threads. */
static void test_since_in_the_future_gets_all_threads(void **state)
{
    api_t api;

    poll_init(&api, *state);
    threads_lay(&api);
    poll_is(&api, "since=1700000000101&threads=changed",
            "{\"success\":true,\"messages\":[],\"updates\":[],\"threads\":[" THREAD_BEN
            "," THREAD_ANA "],\"timestamp\":1700000000100,\"hasMore\":false}",
            "version(all) changes(1700000000101,500) version(threads) threads(0)");
    /* and the next one what it is then up to: never as an idle poll */
    poll_is(&api, UP_TO_DATE "&threads=changed", IDLE,
            "version(all) changes(1700000000100,500) threads(1700000000100)");
    poll_is(&api, "since=9007199254740991&threads=changed",
            "{\"success\":true,\"messages\":[],\"updates\":[],\"threads\":[" THREAD_BEN
            "," THREAD_ANA "],\"timestamp\":1700000000100,\"hasMore\":false}",
            "version(all) changes(9007199254740991,500) version(threads)");
}

/* ---- what is given again ---- */

static void test_an_idle_poll_asks_for_the_version_only(void **state)
{
    static const char *const queries[] = {UP_TO_DATE, UP_TO_DATE "&threads=all",
                                          "since=01700000000100", UP_TO_DATE "&unknown=1"};
    api_t api;
    size_t i;

    poll_init(&api, *state);
    poll_is(&api, UP_TO_DATE, IDLE, ALL_CALLS " threads(0)");
    for (i = 0; i < COUNT(queries); i++) {
        poll_is(&api, queries[i], IDLE, "version(all)");
    }
}

static void test_an_idle_poll_is_one_for_its_own_since(void **state)
{
    api_t api;

    poll_init(&api, *state);
    poll_is(&api, UP_TO_DATE, IDLE, ALL_CALLS " threads(0)");
    poll_is(&api, "since=1700000000099", IDLE,
            "version(all) changes(1700000000099,500) version(threads)");
    poll_is(&api, "since=1700000000101", IDLE,
            "version(all) changes(1700000000101,500) version(threads)");
    poll_is(&api, "since=0", IDLE, "version(all) changes(0,500) version(threads)");
    /* those took its place from it no more than they got it */
    poll_is(&api, UP_TO_DATE, IDLE, "version(all)");
}

static void test_all_and_changed_threads_are_two_answers(void **state)
{
    static const char all[] =
        "{\"success\":true,\"messages\":[],\"updates\":[],\"threads\":[" THREAD_BEN "," THREAD_ANA
        "],\"timestamp\":1700000000100,\"hasMore\":false}";
    api_t api;
    int i;

    poll_init(&api, *state);
    threads_lay(&api);
    poll_is(&api, UP_TO_DATE "&threads=changed", IDLE,
            "version(all) changes(1700000000100,500) threads(1700000000100)");
    poll_is(&api, UP_TO_DATE, all, ALL_CALLS " threads(0)");
    for (i = 0; i < 3; i++) {
        poll_is(&api, UP_TO_DATE "&threads=changed", IDLE, "version(all)");
        poll_is(&api, UP_TO_DATE, all, "version(all)");
    }
}

static void test_any_commit_ends_an_idle_poll(void **state)
{
    api_t api;
    int i;

    poll_init(&api, *state);
    poll_is(&api, UP_TO_DATE, IDLE, ALL_CALLS " threads(0)");
    for (i = 0; i < 3; i++) {
        api.store->versions[WA_VERSION_ALL]++;
        poll_is(&api, UP_TO_DATE, IDLE, ALL_CALLS); /* the threads are still the same */
        poll_is(&api, UP_TO_DATE, IDLE, "version(all)");
    }
    api.store->versions[WA_VERSION_ALL]++;
    api.store->versions[WA_VERSION_THREADS]++;
    poll_is(&api, UP_TO_DATE, IDLE, ALL_CALLS " threads(0)");
    /* another process's version may be lower, too */
    api.store->versions[WA_VERSION_ALL] = 3;
    poll_is(&api, UP_TO_DATE, IDLE, ALL_CALLS);
}

static void commit(canned_store_t *store)
{
    store->versions[WA_VERSION_ALL]++;
    store->versions[WA_VERSION_THREADS]++;
}

/* What was made while something was committed counts as made before it. */
static void test_a_commit_while_an_answer_is_made(void **state)
{
    api_t api;

    poll_init(&api, *state);
    api.store->meanwhile = commit; /* by changes */
    poll_is(&api, UP_TO_DATE, IDLE, ALL_CALLS " threads(0)");
    poll_is(&api, UP_TO_DATE, IDLE, ALL_CALLS);
    poll_is(&api, UP_TO_DATE, IDLE, "version(all)");
}

/* Something is there that is not given yet, and no version will tell when it is. */
static void test_what_is_held_back_is_never_kept(void **state)
{
    api_t api;
    int i;

    poll_init(&api, *state);
    api.store->changes.is_held_back = 1;
    poll_is(&api, UP_TO_DATE, IDLE, ALL_CALLS " threads(0)");
    for (i = 0; i < 3; i++) {
        poll_is(&api, UP_TO_DATE, IDLE, ALL_CALLS);
        poll_is(&api, UP_TO_DATE "&threads=changed", IDLE,
                "version(all) changes(1700000000100,500) threads(1700000000100)");
    }
    api.store->changes.is_held_back = 0;
    poll_is(&api, UP_TO_DATE, IDLE, ALL_CALLS);
    poll_is(&api, UP_TO_DATE, IDLE, "version(all)");
}

static void test_an_answer_with_more_behind_it_is_never_kept(void **state)
{
    static const char more[] = "{\"success\":true,\"messages\":[],\"updates\":[],\"threads\":[],"
                               "\"timestamp\":1700000000100,\"hasMore\":true}";
    api_t api;

    poll_init(&api, *state);
    api.store->changes.has_more = 1;
    poll_is(&api, UP_TO_DATE, more, ALL_CALLS " threads(0)");
    poll_is(&api, UP_TO_DATE, more, ALL_CALLS);
}

/* ---- failures ---- */

static void test_what_the_store_fails_with(void **state)
{
    static const char *const calls[] = {"changes", "threads"};
    static const struct {
        apr_status_t rv;
        int status;
        const char *code;
    } cases[] = {{APR_TIMEUP, HTTP_SERVICE_UNAVAILABLE, "UNAVAILABLE"},
                 {APR_ENOSPC, HTTP_SERVICE_UNAVAILABLE, "UNAVAILABLE"},
                 {APR_EGENERAL, HTTP_INTERNAL_SERVER_ERROR, "INTERNAL_ERROR"},
                 {APR_ENOMEM, HTTP_INTERNAL_SERVER_ERROR, "INTERNAL_ERROR"}};
    static const char *const queries[] = {UP_TO_DATE, UP_TO_DATE "&threads=changed"};
    api_t api;
    size_t i, k, n;

    poll_init(&api, *state);
    for (i = 0; i < COUNT(cases); i++) {
        for (k = 0; k < COUNT(calls); k++) {
            for (n = 0; n < COUNT(queries); n++) {
                api_answer_t answer;

                api.store->rv = cases[i].rv;
                api.store->failing = calls[k];
                answer = poll(&api, queries[n]);
                assert_error(&answer, cases[i].status, cases[i].code, NULL);
                api.store->rv = APR_SUCCESS;
            }
        }
    }
    /* of all that nothing is kept */
    canned_calls_take(api.store);
    poll_is(&api, UP_TO_DATE, IDLE, ALL_CALLS " threads(0)");
    poll_is(&api, UP_TO_DATE "&threads=changed", IDLE,
            "version(all) changes(1700000000100,500) threads(1700000000100)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_TEST(test_what_is_no_poll),
        POOL_TEST(test_since_reaches_the_store_as_it_is),
        POOL_TEST(test_messages_updates_and_threads),
        POOL_TEST(test_changed_threads_only),
        POOL_TEST(test_since_in_the_future_gets_all_threads),
        POOL_TEST(test_an_idle_poll_asks_for_the_version_only),
        POOL_TEST(test_an_idle_poll_is_one_for_its_own_since),
        POOL_TEST(test_all_and_changed_threads_are_two_answers),
        POOL_TEST(test_any_commit_ends_an_idle_poll),
        POOL_TEST(test_a_commit_while_an_answer_is_made),
        POOL_TEST(test_what_is_held_back_is_never_kept),
        POOL_TEST(test_an_answer_with_more_behind_it_is_never_kept),
        POOL_TEST(test_what_the_store_fails_with),
    };

    return cmocka_run_group_tests(tests, apr_setup, apr_teardown);
}
