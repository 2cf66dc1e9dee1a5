/* SPDX-License-Identifier: Apache-2.0 */
/* Tests the Twilio client with a heap that is full at each of its allocations: what it says of a
 * send is never better or worse than what Twilio knows of it. */
#include "memory_faults.h"

#include "store_support.h"
#include "test_twilio.h"

#define TAKEN                                                     \
    "{\"sid\":\"SM00000000000000000000000000000001\",\"status\":" \
    "\"queued\",\"error_code\":null,\"error_message\":null}"
#define LISTED                                                                             \
    "{\"messages\":[{\"sid\":\"SM00000000000000000000000000000001\",\"from\":"             \
    "\"whatsapp:+15551230001\",\"to\":\"whatsapp:+14155238886\",\"body\":\"hello\","       \
    "\"direction\":\"inbound\",\"status\":\"received\",\"error_code\":null,\"num_media\":" \
    "\"0\",\"date_created\":\"Wed, 18 Nov 2026 10:00:00 +0000\",\"date_sent\":"            \
    "\"Wed, 18 Nov 2026 10:00:00 +0000\",\"date_updated\":null}],\"next_page_uri\":null}"
#define PICTURE "0123456789"

/* What the child and its Twilio tell each other. */
typedef struct shared_t {
    /* requests that were read to their end, and have been answered since */
    int asked;
    unsigned seen; /* allocations */
    int is_done;
} shared_t;

static shared_t *shared;
static int server_port;
static pid_t server;

/* ---- Twilio, in a process of its own: it has memory ---- */

static void request_answer(int fd, const char *request)
{
    char answer[2048];
    const int is_send = strncmp(request, "POST ", 5) == 0;
    const int is_media = strstr(request, "/Media/") != NULL;
    const char *body = is_send ? TAKEN : is_media ? PICTURE : LISTED;

    snprintf(answer, sizeof(answer),
             "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s",
             is_send ? "201 Created" : "200 OK", is_media ? "image/png" : "application/json",
             (int)strlen(body), body);
    (void)!write(fd, answer, strlen(answer));
}

static void server_run(int listener)
{
    static script_t script;
    int fd;

    while ((fd = accept(listener, NULL, NULL)) >= 0) {
        if (script_read(&script, fd)) {
            __atomic_add_fetch(&shared->asked, 1, __ATOMIC_SEQ_CST);
            request_answer(fd, script.last);
        }
        close(fd);
    }
}

static void server_start(apr_pool_t *p)
{
    script_t script;

    script_start(&script, NULL, p);
    server_port = script.port;
    server = fork();
    assert_true(server >= 0);
    if (!server) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        server_run(script.listener);
        _exit(0);
    }
    close(script.listener);
}

/* ---- what is done with memory that ends ---- */

typedef struct case_t {
    apr_pool_t *p;
    /* 1 when it was told what is not so; NULL: making the client is all */
    int (*work)(wa_twilio_client_t *client, apr_pool_t *p);
    unsigned at, times;
} case_t;

/* What was not asked for was not taken, and what was asked for may have been. */
static int is_true(const wa_twilio_result_t *result)
{
    const int asked = __atomic_load_n(&shared->asked, __ATOMIC_SEQ_CST);

    if (asked > 1) {
        return 0;
    }
    return asked == 1
               ? result->outcome == WA_TWILIO_ACCEPTED || result->outcome == WA_TWILIO_UNKNOWN
               : result->outcome != WA_TWILIO_ACCEPTED && result->outcome != WA_TWILIO_REFUSED;
}

static int message_send(wa_twilio_client_t *client, apr_pool_t *p)
{
    const wa_twilio_message_request_t request = {.account = &account,
                                                 .to = THEIR_NUMBER,
                                                 .from = OUR_NUMBER,
                                                 .body = wa_slice_of("hello"),
                                                 .status_callback = "https://example.org/webhook"};
    wa_twilio_result_t result;
    apr_status_t rv = wa_twilio_message_create(client, &request, &result, p);

    if (rv != APR_SUCCESS) {
        return rv != APR_ENOMEM || shared->asked != 0;
    }
    return !is_true(&result)
           || (result.outcome == WA_TWILIO_ACCEPTED
               && strcmp(result.sid, "SM00000000000000000000000000000001") != 0);
}

static apr_status_t message_note(void *baton, const wa_twilio_message_t *m, apr_pool_t *tmp)
{
    (void)tmp;
    *(int *)baton += m->sid && m->body && strcmp(m->body, "hello") == 0 ? 1 : 100;
    return APR_SUCCESS;
}

/* A list that says that it was read was read. */
static int messages_list(wa_twilio_client_t *client, apr_pool_t *p)
{
    int count = 0;
    const wa_twilio_query_t query = {.account = &account};
    const wa_twilio_message_visitor_t visitor = {message_note, &count};
    wa_twilio_result_t result;
    apr_status_t rv = wa_twilio_messages_fetch(client, &query, &visitor, &result, p);

    if (rv == APR_SUCCESS) {
        return count != 1 && !memory.is_jansson;
    }
    return (rv != APR_EGENERAL && rv != APR_ENOMEM) || count > 1;
}

static apr_status_t media_begin(void *baton, const char *content_type, apr_int64_t length)
{
    (void)baton;
    return strcmp(content_type, "image/png") == 0 && length == (apr_int64_t)strlen(PICTURE)
               ? APR_SUCCESS
               : APR_BADARG;
}

static apr_status_t media_data(void *baton, const char *bytes, apr_size_t len)
{
    (void)bytes;
    *(apr_size_t *)baton += len;
    return APR_SUCCESS;
}

static int media_fetch(wa_twilio_client_t *client, apr_pool_t *p)
{
    apr_size_t len = 0;
    const wa_twilio_sink_t sink = {media_begin, media_data, &len};
    const wa_twilio_media_request_t request = {
        .account = &account,
        .url = apr_psprintf(p,
                            "http://127.0.0.1:%d/2010-04-01/Accounts/" ACCOUNT
                            "/Messages/MM00000000000000000000000000000001/Media/"
                            "ME00000000000000000000000000000001",
                            server_port),
        .max_bytes = 1000};
    apr_status_t rv = wa_twilio_media_fetch(client, &request, &sink, p);

    return rv == APR_SUCCESS ? len != strlen(PICTURE) : rv != APR_EGENERAL && rv != APR_ENOMEM;
}

static void client_life(void *baton)
{
    case_t *c = baton;
    apr_pool_t *p = memory_pool();
    wa_twilio_options_t options = {.base_url = apr_psprintf(p, "http://127.0.0.1:%d", server_port),
                                   .max_tries = 1};
    wa_twilio_client_t *client = NULL;
    apr_status_t rv;
    int is_wrong = 0;

    if (!c->work) {
        memory_set(c->at, c->times);
    }
    rv = wa_twilio_client_create(&client, &options, p);
    if (c->work) {
        assert_int_equal(rv, APR_SUCCESS);
        memory_set(c->at, c->times);
        is_wrong = c->work(client, p);
    } else {
        is_wrong = rv == APR_SUCCESS ? !client : client || (rv != APR_ENOMEM && rv != APR_EGENERAL);
    }
    memory_clear();
    shared->seen = memory.seen;
    shared->is_done = 1;
    if (is_wrong) {
        _exit(3);
    }
    apr_pool_destroy(p);
}

static void each_allocation_fails(case_t *c, unsigned times)
{
    int is_over = 0;
    unsigned died = 0;

    for (c->at = 1, c->times = times; !is_over; c->at += (unsigned)test_step()) {
        int has_died;

        memset(shared, 0, sizeof(*shared));
        has_died = memory_child(client_life, c, "a call of Twilio", c->at);
        died += has_died != 0;
        is_over = !has_died && shared->seen < c->at;
    }
    assert_int_equal(shared->asked, c->work != NULL); /* the last one had all the memory there is */
    assert_true(test_step() > 1 || (c->at > 5 && died > 0));
}

static void a_client_is_made_or_not(void **state)
{
    case_t c = {*state, NULL, 0, 0};

    each_allocation_fails(&c, 1);
    each_allocation_fails(&c, UINT32_MAX);
}

static void a_send_says_what_twilio_knows(void **state)
{
    case_t c = {*state, message_send, 0, 0};

    each_allocation_fails(&c, 1);
    each_allocation_fails(&c, UINT32_MAX);
}

static void a_list_that_was_read_is_whole(void **state)
{
    case_t c = {*state, messages_list, 0, 0};

    each_allocation_fails(&c, 1);
    each_allocation_fails(&c, UINT32_MAX);
}

static void a_file_that_was_fetched_is_whole(void **state)
{
    case_t c = {*state, media_fetch, 0, 0};

    each_allocation_fails(&c, 1);
    each_allocation_fails(&c, UINT32_MAX);
}

static int server_setup(void **state)
{
    pool_setup(state);
    curl_global_init(CURL_GLOBAL_DEFAULT); /* TLS and what it reads are not ours to break */
    shared = memory_shared(sizeof(*shared));
    server_start(*state);
    return 0;
}

static int server_teardown(void **state)
{
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
    munmap(shared, sizeof(*shared));
    return pool_teardown(state);
}

#undef TEST
#define TEST(f) cmocka_unit_test_setup_teardown(f, server_setup, server_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_client_is_made_or_not),
        TEST(a_send_says_what_twilio_knows),
        TEST(a_list_that_was_read_is_whole),
        TEST(a_file_that_was_fetched_is_whole),
    };

    return cmocka_run_group_tests(tests, apr_setup, apr_teardown);
}
