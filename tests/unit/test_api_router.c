/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the way from a request to its endpoint, and of all who do not come so far. */
#include "api_support.h"

#include "api/reply.h"

/* ---- endpoints that say that they were asked ---- */

static struct {
    int count;
    const char *name;
    char argument[64], argument_2[64];
    char pattern[64];
    const wa_messenger_t *messenger;
} asked;

static void slice_keep(char *to, size_t size, wa_slice_t s)
{
    assert_true(s.len < size);
    if (s.len > 0) {
        memcpy(to, s.ptr, s.len);
    }
    to[s.len] = '\0';
}

static int endpoint_ask(wa_request_t *q, const char *name)
{
    wa_reply_t reply;

    asked.count++;
    asked.name = name;
    asked.messenger = q->messenger;
    slice_keep(asked.argument, sizeof(asked.argument), q->argument);
    slice_keep(asked.argument_2, sizeof(asked.argument_2), q->argument_2);
    slice_keep(asked.pattern, sizeof(asked.pattern), wa_slice_of(q->pattern));
    wa_reply_begin(&reply, q, 16);
    return wa_reply_end(&reply, APR_SUCCESS, NULL);
}

#define ENDPOINT(name)                      \
    int wa_endpoint_##name(wa_request_t *q) \
    {                                       \
        return endpoint_ask(q, #name);      \
    }
ENDPOINT(send)
ENDPOINT(messages)
ENDPOINT(message)
ENDPOINT(media)
ENDPOINT(messages_since)
ENDPOINT(threads)
ENDPOINT(thread_read)
ENDPOINT(thread_block)
ENDPOINT(thread_unblock)
ENDPOINT(contacts)
ENDPOINT(contact_create)
ENDPOINT(contact_rename)
ENDPOINT(contact_delete)
ENDPOINT(webhook)

/* ---- who may come in ---- */

static struct {
    int count;
    const char *flaw;
} user;

static const char *user_flaw(request_rec *r)
{
    assert_non_null(r);
    user.count++;
    return user.flaw;
}

static int setup(void **state)
{
    memset(&asked, 0, sizeof(asked));
    memset(&user, 0, sizeof(user));
    return pool_setup(state);
}

#define ROUTER_TEST(f) cmocka_unit_test_setup_teardown(f, setup, pool_teardown)

/* ---- asking ---- */

static api_answer_t handle_at(api_t *api, const wa_api_server_t *server, const api_ask_t *ask)
{
    request_rec *r = api_request_begin(api, ask);
    api_answer_t answer;

    asked.count = 0;
    answer = api_request_end(api, r, wa_api_handler(r, server, user_flaw));
    assert_string_equal(api_header(&answer, "Cross-Origin-Resource-Policy"), "same-origin");
    assert_string_equal(api_header(&answer, "Content-Security-Policy"),
                        "default-src 'none'; frame-ancestors 'none'");
    assert_int_equal(asked.count, answer.status == HTTP_OK);
    return answer;
}

static api_answer_t handle(api_t *api, const char *method, const char *target)
{
    const api_ask_t ask = {.method = method, .target = target};

    return handle_at(api, &api->server, &ask);
}

/* ---- the routes ---- */

static const struct {
    const char *path;    /* below the base */
    const char *pattern; /* as logs name it */
    const char *argument, *argument_2;
    const char *allow;
    const struct {
        const char *method, *endpoint;
    } endpoints[3];
} paths[] = {
    {"/messages", "/messages", "", "", "GET, HEAD", {{"GET", "messages"}, {"HEAD", "messages"}}},
    {"/messages/the-id_1",
     "/messages/*",
     "the-id_1",
     "",
     "GET, HEAD",
     {{"GET", "message"}, {"HEAD", "message"}}},
    {"/messages/the-id_1/media/0",
     "/messages/*/media/*",
     "the-id_1",
     "0",
     "GET, HEAD",
     {{"GET", "media"}, {"HEAD", "media"}}},
    {"/messages-since",
     "/messages-since",
     "",
     "",
     "GET, HEAD",
     {{"GET", "messages_since"}, {"HEAD", "messages_since"}}},
    {"/threads", "/threads", "", "", "GET, HEAD", {{"GET", "threads"}, {"HEAD", "threads"}}},
    {"/contacts",
     "/contacts",
     "",
     "",
     "GET, HEAD, POST",
     {{"GET", "contacts"}, {"HEAD", "contacts"}, {"POST", "contact_create"}}},
    {"/webhook", "/webhook", "", "", "POST", {{"POST", "webhook"}}},
    {"/send", "/send", "", "", "POST", {{"POST", "send"}}},
    {"/threads/+15551230001/read",
     "/threads/*/read",
     "+15551230001",
     "",
     "POST",
     {{"POST", "thread_read"}}},
    {"/threads/+15551230001/block",
     "/threads/*/block",
     "+15551230001",
     "",
     "POST",
     {{"POST", "thread_block"}}},
    {"/threads/+15551230001/unblock",
     "/threads/*/unblock",
     "+15551230001",
     "",
     "POST",
     {{"POST", "thread_unblock"}}},
    {"/contacts/an-id",
     "/contacts/*",
     "an-id",
     "",
     "PATCH, DELETE",
     {{"PATCH", "contact_rename"}, {"DELETE", "contact_delete"}}},
};

static const char *const methods[] = {"GET",     "HEAD",  "POST",    "PUT",      "PATCH", "DELETE",
                                      "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "get",   "BREW"};

static const char *endpoint_of(size_t path, const char *method)
{
    size_t i;

    for (i = 0; i < COUNT(paths[path].endpoints) && paths[path].endpoints[i].method; i++) {
        if (strcmp(paths[path].endpoints[i].method, method) == 0) {
            return paths[path].endpoints[i].endpoint;
        }
    }
    return NULL;
}

static void path_try(api_t *api, size_t path, const char *method)
{
    const char *base = api->server.base_path ? api->server.base_path : "";
    const char *target = apr_pstrcat(api->world.p, base, paths[path].path, NULL);
    const char *endpoint = endpoint_of(path, method);
    const api_answer_t answer = handle(api, method, target);

    if (!endpoint) {
        assert_error(&answer, HTTP_METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED",
                     apr_psprintf(api->world.p, "This path takes only %s.", paths[path].allow));
        assert_string_equal(api_header(&answer, "Allow"), paths[path].allow);
        return;
    }
    assert_answer(&answer, "{\"success\":true}");
    assert_string_equal(api_header(&answer, "Allow"), "");
    assert_string_equal(asked.name, endpoint);
    assert_string_equal(asked.pattern, paths[path].pattern);
    assert_string_equal(asked.argument, paths[path].argument);
    assert_string_equal(asked.argument_2, paths[path].argument_2);
    assert_ptr_equal(asked.messenger, &api->world.messenger);
}

static void test_each_path_takes_its_methods(void **state)
{
    static const char *const bases[] = {BASE, "", NULL, "/a", "/a/b/threads"};
    api_t api;
    size_t b, i, k;

    api_init(&api, *state);
    for (b = 0; b < COUNT(bases); b++) {
        api.server.base_path = bases[b];
        for (i = 0; i < COUNT(paths); i++) {
            for (k = 0; k < COUNT(methods); k++) {
                path_try(&api, i, methods[k]);
            }
        }
    }
}

static void test_other_paths_are_not_found(void **state)
{
    static const char *const below[] = {"",
                                        "/",
                                        "//threads",
                                        "/threads/",
                                        "/thread",
                                        "/threadsx",
                                        "/Threads",
                                        "/threads/read",
                                        "/threads//read",
                                        "/threads/x",
                                        "/threads/x/",
                                        "/threads/x/READ",
                                        "/threads/x/read/",
                                        "/threads/x/reads",
                                        "/threads/x/reax",
                                        "/threads/x/xread",
                                        "/threads/xread",
                                        "/threadsx/read",
                                        "/contacts/",
                                        "/contacts//",
                                        "/contacts/a/b",
                                        "/contacts/a%2Fb",
                                        "/contactsx/an-id",
                                        "/messages/",
                                        "/messages/x/",
                                        "/messages/x/y",
                                        "/messages//media/0",
                                        "/messages/x/media/",
                                        "/messages/x/media",
                                        "/messages/media/0",
                                        "/messages/x/medium/0",
                                        "/messagesx/x/media/0",
                                        "/messages-since/",
                                        "/webhook/",
                                        "/webhook/x",
                                        "/webhookx",
                                        "/send/",
                                        "/send%20",
                                        "/threads%2F",
                                        "/%2Fthreads",
                                        "/*",
                                        "/contacts%3Fx"};
    api_t api;
    size_t i, k;

    api_init(&api, *state);
    for (i = 0; i < COUNT(below); i++) {
        for (k = 0; k < COUNT(methods); k++) {
            const api_answer_t answer =
                handle(&api, methods[k], apr_pstrcat(*state, BASE, below[i], NULL));

            assert_error(&answer, HTTP_NOT_FOUND, "NOT_FOUND", "There is no such path");
            assert_string_equal(api_header(&answer, "Allow"), "");
        }
    }
}

static void test_paths_elsewhere_are_not_found(void **state)
{
    static const char *const targets[] = {"",
                                          "/",
                                          "/threads",
                                          "/api/threads",
                                          "/api/whatsapp-messeng",
                                          BASE "x/threads",
                                          BASE "threads",
                                          "/x" BASE "/threads",
                                          "/API/whatsapp-messenger/threads"};
    api_t api;
    size_t i;

    api_init(&api, *state);
    for (i = 0; i < COUNT(targets); i++) {
        const api_answer_t answer = handle(&api, "GET", targets[i]);

        assert_error(&answer, HTTP_NOT_FOUND, "NOT_FOUND", NULL);
    }
}

/* What stands for an open part is what it decodes to, whatever it is; the query is not looked
 * at. */
static void test_the_open_parts_of_a_path(void **state)
{
    static const struct {
        const char *method, *path, *endpoint, *argument, *argument_2;
    } cases[] = {
        {"GET", "/%74hr%65ads", "threads", "", ""},
        {"GET", "/threads?x=/contacts", "threads", "", ""},
        {"GET", "/messages?counterpart=+1", "messages", "", ""},
        {"POST", "/threads/%2B15551230001/read", "thread_read", "+15551230001", ""},
        {"POST", "/threads/%2b1/block", "thread_block", "+1", ""},
        {"POST", "/threads/%2B1%2Fread", "thread_read", "+1", ""},
        {"POST", "/threads/whatsapp:+1/unblock", "thread_unblock", "whatsapp:+1", ""},
        {"POST", "/threads/a%20b/read", "thread_read", "a b", ""},
        {"POST", "/threads/a/b/read", "thread_read", "a/b", ""},
        {"POST", "/threads///read", "thread_read", "/", ""},
        {"POST", "/threads/x/read/read", "thread_read", "x/read", ""},
        {"POST", "/threads/read/read", "thread_read", "read", ""},
        {"POST", "/threads/x/block/unblock", "thread_unblock", "x/block", ""},
        {"POST", "/threads/*/read", "thread_read", "*", ""},
        {"PATCH", "/contacts/%C3%A9", "contact_rename", "\xc3\xa9", ""},
        {"PATCH", "/contacts/%ff%FE", "contact_rename", "\xff\xfe", ""},
        {"PATCH", "/contacts/%2541", "contact_rename", "%41", ""},
        {"GET", "/messages/SM%31", "message", "SM1", ""},
        {"DELETE", "/contacts/x?y", "contact_delete", "x", ""},
        {"GET", "/messages/a/media/1", "media", "a", "1"},
        {"GET", "/messages/a%2Fb/media/1%3F", "media", "a/b", "1?"},
        {"GET", "/messages/a/media/b/media/c", "media", "a/media/b", "c"},
        {"GET", "/messages//media/media/0", "media", "/media", "0"},
    };
    api_t api;
    size_t i;

    api_init(&api, *state);
    for (i = 0; i < COUNT(cases); i++) {
        const api_answer_t answer =
            handle(&api, cases[i].method, apr_pstrcat(*state, BASE, cases[i].path, NULL));

        assert_answer(&answer, "{\"success\":true}");
        assert_string_equal(asked.name, cases[i].endpoint);
        assert_string_equal(asked.argument, cases[i].argument);
        assert_string_equal(asked.argument_2, cases[i].argument_2);
    }
}

/* httpd/ tells an admin by this which paths need a login. */
static void test_the_paths_are_told(void **state)
{
    const char *path;
    size_t i, k, count = 0;
    int is_signed = -1;

    (void)state;
    for (i = 0; (path = wa_api_path(i, &is_signed)) != NULL; i++) {
        assert_int_equal(is_signed, strcmp(path, "/webhook") == 0);
        for (k = 0; k < COUNT(paths) && strcmp(paths[k].pattern, path) != 0; k++) {
        }
        assert_true(k < COUNT(paths));
    }
    for (k = 0; k < COUNT(paths); k++) {
        for (i = 0; i < COUNT(methods); i++) {
            count += endpoint_of(k, methods[i]) && strcmp(methods[i], "HEAD") != 0;
        }
    }
    for (i = 0; wa_api_path(i, &is_signed); i++) {
    }
    assert_int_equal(i, count);
    assert_null(wa_api_path(i + 1, &is_signed));
    assert_null(wa_api_path((apr_size_t)-1, &is_signed));
}

/* ---- a host that cannot answer ---- */

static const char *const anything[][2] = {{"GET", BASE "/threads"}, {"HEAD", BASE "/threads"},
                                          {"POST", BASE "/send"},   {"POST", BASE "/webhook"},
                                          {"GET", BASE "/webhook"}, {"PUT", BASE "/threads"},
                                          {"GET", BASE "/nowhere"}, {"GET", "/elsewhere"},
                                          {"POST", "/webhook"},     {"GET", BASE}};

static void test_without_a_messenger_all_is_500(void **state)
{
    api_t api;
    wa_api_server_t no_messenger, no_cache;
    size_t i, k;

    api_init(&api, *state);
    no_messenger = no_cache = api.server;
    no_messenger.messenger = NULL;
    no_cache.cache = NULL;
    for (i = 0; i < COUNT(anything); i++) {
        const api_ask_t ask = {.method = anything[i][0], .target = anything[i][1]};
        const wa_api_server_t *servers[] = {NULL, &no_messenger, &no_cache};

        for (k = 0; k < COUNT(servers); k++) {
            const api_answer_t answer = handle_at(&api, servers[k], &ask);

            assert_error(&answer, HTTP_INTERNAL_SERVER_ERROR, "INTERNAL_ERROR",
                         "No messenger is configured for this host.");
            assert_string_equal(api_header(&answer, "Retry-After"), "");
        }
    }
}

static void test_an_unavailable_messenger_is_503(void **state)
{
    api_t api;
    size_t i;
    int has_messenger;

    api_init(&api, *state);
    api.server.unavailable = "The store is of a later version.";
    for (has_messenger = 1; has_messenger >= 0; has_messenger--) {
        api.server.messenger = has_messenger ? api.server.messenger : NULL;
        for (i = 0; i < COUNT(anything); i++) {
            const api_answer_t answer = handle(&api, anything[i][0], anything[i][1]);

            assert_error(&answer, HTTP_SERVICE_UNAVAILABLE, "UNAVAILABLE",
                         "The store is of a later version.");
            assert_string_equal(api_header(&answer, "Retry-After"), "30");
        }
    }
}

/* ---- WhatsAppRequireUser ---- */

static void stranger_try(api_t *api, const wa_api_server_t *server, const char *method,
                         const char *target)
{
    const api_ask_t ask = {.method = method, .target = target};
    api_answer_t answer;

    user.count = 0;
    api->world.lines = apr_pstrdup(api->world.p, "");
    answer = handle_at(api, server, &ask);
    assert_error(&answer, HTTP_FORBIDDEN, "UNAUTHORIZED", "This API is for users who logged in.");
    assert_int_equal(user.count, 1);
    assert_string_equal(api_header(&answer, "Allow"), "");
    assert_string_equal(api_header(&answer, "Retry-After"), "");
    assert_string_equal(api->world.lines,
                        server && server->messenger ? "3 WA0273 refused: planted flaw\n" : "");
}

static void test_who_has_to_log_in_learns_nothing_else(void **state)
{
    static const char *const strange[] = {"/webhook/", "/webhookx", "/webhook/x", "/WEBHOOK",
                                          "/nowhere",  "",          "/",          "/x/webhook"};
    api_t api;
    wa_api_server_t unavailable, no_messenger;
    size_t i, k;

    api_init(&api, *state);
    user.flaw = "planted flaw";
    unavailable = no_messenger = api.server;
    unavailable.unavailable = "planted reason";
    no_messenger.messenger = NULL;
    for (k = 0; k < COUNT(methods); k++) {
        for (i = 0; i < COUNT(paths); i++) {
            const char *target = apr_pstrcat(*state, BASE, paths[i].path, NULL);

            if (strcmp(paths[i].path, "/webhook") != 0) {
                stranger_try(&api, &api.server, methods[k], target);
                stranger_try(&api, &unavailable, methods[k], target);
                stranger_try(&api, &no_messenger, methods[k], target);
            }
            stranger_try(&api, NULL, methods[k],
                         target); /* no base path says which is the webhook */
        }
        for (i = 0; i < COUNT(strange); i++) {
            stranger_try(&api, &api.server, methods[k],
                         apr_pstrcat(*state, BASE, strange[i], NULL));
        }
        stranger_try(&api, &api.server, methods[k], "/webhook");
    }
}

static void test_the_webhook_needs_no_login(void **state)
{
    api_t api;
    api_answer_t answer;

    api_init(&api, *state);
    user.flaw = "planted flaw";
    answer = handle(&api, "POST", BASE "/webhook?message=x");
    assert_answer(&answer, "{\"success\":true}");
    assert_string_equal(asked.name, "webhook");
    answer = handle(&api, "GET", BASE "/webhook");
    assert_error(&answer, HTTP_METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", NULL);
    assert_string_equal(api_header(&answer, "Allow"), "POST");
    api.server.base_path = "";
    answer = handle(&api, "POST", "/webhook");
    assert_answer(&answer, "{\"success\":true}");
    api.server.unavailable = "The store is of a later version.";
    answer = handle(&api, "POST", "/webhook");
    assert_error(&answer, HTTP_SERVICE_UNAVAILABLE, "UNAVAILABLE", NULL);
    assert_int_equal(user.count, 0);
}

static void test_who_logged_in_is_asked_for_once(void **state)
{
    api_t api;
    api_answer_t answer;

    api_init(&api, *state);
    answer = handle(&api, "GET", BASE "/threads");
    assert_answer(&answer, "{\"success\":true}");
    assert_int_equal(user.count, 1);
    assert_string_equal(api.world.lines, "");
}

/* ---- pages of other sites ---- */

static void foreign_try(api_t *api, size_t path, const char *method)
{
    const api_ask_t ask = {.method = method,
                           .target = apr_pstrcat(api->world.p, BASE, paths[path].path, NULL),
                           .headers = {"Sec-Fetch-Site", "cross-site"}};
    api_answer_t answer;

    api->world.lines = apr_pstrdup(api->world.p, "");
    answer = handle_at(api, &api->server, &ask);
    if (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0
        || strcmp(paths[path].path, "/webhook") == 0) {
        assert_answer(&answer, "{\"success\":true}");
        return;
    }
    assert_error(&answer, HTTP_FORBIDDEN, "UNAUTHORIZED",
                 "Pages of other sites may change nothing here.");
    assert_string_equal(
        api->world.lines,
        apr_psprintf(api->world.p,
                     "7 WA0240 %s: refused, a browser says that another site asks for it\n",
                     paths[path].pattern));
}

static void test_another_site_changes_nothing(void **state)
{
    api_t api;
    size_t i, k;

    api_init(&api, *state);
    for (i = 0; i < COUNT(paths); i++) {
        for (k = 0; k < COUNT(methods); k++) {
            if (endpoint_of(i, methods[k])) {
                foreign_try(&api, i, methods[k]);
            }
        }
    }
}

static void test_our_own_page_may(void **state)
{
    const api_ask_t ask = {
        .method = "POST",
        .target = BASE "/send",
        .headers = {"Host", "inside.example.net", "Origin", "https://chat.example.org"}};
    api_t api;
    api_answer_t answer;

    api_init(&api, *state);
    answer = handle_at(&api, &api.server, &ask);
    assert_answer(&answer, "{\"success\":true}");
    api.world.messenger.public_url = NULL;
    answer = handle_at(&api, &api.server, &ask);
    assert_error(&answer, HTTP_FORBIDDEN, "UNAUTHORIZED", NULL);
}

/* ---- what a process keeps ---- */

static void test_a_child_has_a_cache_for_each_host(void **state)
{
    api_t api;
    wa_api_server_t one = {.base_path = ""}, other = {.base_path = ""};

    api_init(&api, *state);
    assert_int_equal(wa_api_child_init(&one, *state), APR_SUCCESS);
    assert_int_equal(wa_api_child_init(&other, *state), APR_SUCCESS);
    assert_non_null(one.cache);
    assert_non_null(other.cache);
    assert_ptr_not_equal(one.cache, other.cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROUTER_TEST(test_each_path_takes_its_methods),
        ROUTER_TEST(test_other_paths_are_not_found),
        ROUTER_TEST(test_paths_elsewhere_are_not_found),
        ROUTER_TEST(test_the_open_parts_of_a_path),
        ROUTER_TEST(test_the_paths_are_told),
        ROUTER_TEST(test_without_a_messenger_all_is_500),
        ROUTER_TEST(test_an_unavailable_messenger_is_503),
        ROUTER_TEST(test_who_has_to_log_in_learns_nothing_else),
        ROUTER_TEST(test_the_webhook_needs_no_login),
        ROUTER_TEST(test_who_logged_in_is_asked_for_once),
        ROUTER_TEST(test_another_site_changes_nothing),
        ROUTER_TEST(test_our_own_page_may),
        ROUTER_TEST(test_a_child_has_a_cache_for_each_host),
    };

    return cmocka_run_group_tests(tests, apr_setup, apr_teardown);
}
