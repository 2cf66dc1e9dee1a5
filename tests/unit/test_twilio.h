/* SPDX-License-Identifier: Apache-2.0 */
/* What the Twilio client's test programs share: a running simulator, a scripted server, a log. */
#ifndef WA_TEST_TWILIO_H
#define WA_TEST_TWILIO_H

#include "test_base.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <apr_strings.h>
#include <apr_thread_proc.h>
#include <curl/curl.h>
#include <jansson.h>

#include "base/buffer.h"
#include "twilio/client.h"

#define SIMULATOR "tests/support/twilio_simulator.py"
#define ACCOUNT "AC00000000000000000000000000000001"
#define TOKEN "0123456789abcdef0123456789abcdef"
#define OUR_NUMBER "+14155238886"
#define THEIR_NUMBER "+15551230001"

/* ---- The simulator, as a process of its own ---- */

typedef struct simulator_t {
    pid_t pid;
    char url[128];
} simulator_t;

/* Starts it and waits until it listens. `cert` and `key` may be NULL; `option` is one more, or
 * NULL. It dies with this program. */
static inline void simulator_start(simulator_t *at, const char *cert, const char *key,
                                   const char *option)
{
    const char *python = getenv("WA_TEST_PYTHON");
    char line[256] = "";
    int ends[2];
    FILE *out;

    assert_int_equal(pipe(ends), 0);
    at->pid = fork();
    assert_true(at->pid >= 0);
    if (at->pid == 0) {
        const char *arguments[16] = {python ? python : "/usr/bin/python3",
                                     "-B",
                                     SIMULATOR,
                                     "--port",
                                     "0",
                                     "--account-sid",
                                     ACCOUNT,
                                     "--auth-token",
                                     TOKEN};
        int count = 9;

        if (cert) {
            arguments[count++] = "--cert";
            arguments[count++] = cert;
            arguments[count++] = "--key";
            arguments[count++] = key;
        }
        arguments[count] = option;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(ends[1], 1);
        close(ends[0]);
        close(ends[1]);
        execv(arguments[0], (char *const *)arguments);
        _exit(127);
    }
    close(ends[1]);
    out = fdopen(ends[0], "r");
    assert_non_null(out);
    assert_non_null(fgets(line, sizeof(line), out));
    fclose(out);
    assert_int_equal(sscanf(line, "listening on %127s", at->url), 1);
}

static inline void simulator_stop(simulator_t *at)
{
    kill(at->pid, SIGKILL);
    waitpid(at->pid, NULL, 0);
}

static inline size_t control_receive(char *bytes, size_t size, size_t count, void *baton)
{
    wa_buffer_add(baton, bytes, size * count);
    return size * count;
}

/* One control call: GET without `body`, else POST. The caller drops the result. */
static inline json_t *control(simulator_t *at, const char *name, const char *body)
{
    CURL *curl = curl_easy_init();
    wa_buffer_t answer;
    char url[256];
    json_t *json;

    wa_buffer_init(&answer, 0);
    snprintf(url, sizeof(url), "%s/_simulator/%s", at->url, name);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
    if (body) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
    }
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, control_receive);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer);
    assert_int_equal(curl_easy_perform(curl), CURLE_OK);
    curl_easy_cleanup(curl);
    json = json_loadb(answer.data, answer.len, 0, NULL);
    if (!json || json_object_get(json, "error")) {
        fail_msg("%s: %.*s", name, (int)answer.len, answer.data);
    }
    wa_buffer_release(&answer);
    return json;
}

static inline void control_do(simulator_t *at, const char *name, const char *body)
{
    json_decref(control(at, name, body));
}

/* A count of the simulator's: "requests", "created", "resets". */
static inline int stat_of(simulator_t *at, const char *name)
{
    json_t *stats = control(at, "stats", NULL);
    int value = (int)json_integer_value(json_object_get(stats, name));

    json_decref(stats);
    return value;
}

/* ---- The simulator of a test program: one for all its tests ---- */

static simulator_t simulator;
static const char *simulator_option = "--callbacks=off"; /* main may say another */

static inline int simulator_setup(void **state)
{
    (void)state;
    apr_initialize();
    curl_global_init(CURL_GLOBAL_DEFAULT);
    simulator_start(&simulator, NULL, NULL, simulator_option);
    return 0;
}

static inline int simulator_teardown(void **state)
{
    (void)state;
    simulator_stop(&simulator);
    apr_terminate();
    return 0;
}

/* Each test meets a simulator that knows nothing. */
static inline int test_setup(void **state)
{
    control_do(&simulator, "reset", "{}");
    return pool_setup(state);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, test_setup, pool_teardown)

/* ---- A server that answers bytes from a script ---- */

typedef struct script_t {
    const char *const *answers; /* one for each request; NULL at the end */
    int listener;
    int port;
    int requests; /* read to their end */
    apr_thread_t *thread;
    char last[4096]; /* the last request */
} script_t;

/* Reads one request to its end. 0 when the client closed before. */
static inline int script_read(script_t *script, int fd)
{
    size_t len = 0;
    char *end = NULL;
    char *length;

    for (;;) {
        ssize_t got = read(fd, script->last + len, sizeof(script->last) - 1 - len);

        if (got <= 0) {
            return 0;
        }
        len += (size_t)got;
        script->last[len] = '\0';
        end = strstr(script->last, "\r\n\r\n");
        length = strstr(script->last, "Content-Length: ");
        if (end
            && len >= (size_t)(end + 4 - script->last)
                          + (length ? strtoul(length + 16, NULL, 10) : 0)) {
            return 1;
        }
    }
}

static inline void *APR_THREAD_FUNC script_run(apr_thread_t *thread, void *data)
{
    script_t *script = data;
    int at = 0;
    int fd;

    (void)thread;
    while (script->answers[at] && (fd = accept(script->listener, NULL, NULL)) >= 0) {
        if (script_read(script, fd)) {
            __atomic_add_fetch(&script->requests, 1, __ATOMIC_SEQ_CST);
            (void)!write(fd, script->answers[at], strlen(script->answers[at]));
            at++;
        }
        close(fd);
    }
    return NULL;
}

/* Listens on a free port, and answers when `answers` is not NULL: one connection for each answer,
 * closed after it. */
static inline void script_start(script_t *script, const char *const *answers, apr_pool_t *p)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof(address);

    memset(script, 0, sizeof(*script));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    script->answers = answers;
    script->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(script->listener, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(script->listener, 16), 0);
    assert_int_equal(getsockname(script->listener, (struct sockaddr *)&address, &len), 0);
    script->port = ntohs(address.sin_port);
    if (answers) {
        assert_int_equal(apr_thread_create(&script->thread, NULL, script_run, script, p),
                         APR_SUCCESS);
    }
}

static inline void script_stop(script_t *script)
{
    apr_status_t rv;

    shutdown(script->listener, SHUT_RDWR);
    close(script->listener);
    if (script->thread) {
        apr_thread_join(&rv, script->thread);
    }
}

/* ---- A log that is kept ---- */

typedef struct kept_log_t {
    wa_log_t log;
    char text[32768];
    size_t len;
} kept_log_t;

static inline int kept_is_on(void *baton, wa_log_level_e level)
{
    (void)baton;
    (void)level;
    return 1;
}

static inline void kept_write(void *baton, wa_log_level_e level, const char *tag, apr_status_t rv,
                              const char *text)
{
    kept_log_t *kept = baton;
    size_t room = sizeof(kept->text) - kept->len;
    int len =
        snprintf(kept->text + kept->len, room, "[%d] %s (%d) %s\n", (int)level, tag, rv, text);

    kept->len += len > 0 && (size_t)len < room ? (size_t)len : 0;
}

static inline void kept_log_init(kept_log_t *kept)
{
    memset(kept, 0, sizeof(*kept));
    kept->log.is_on = kept_is_on;
    kept->log.write = kept_write;
    kept->log.baton = kept;
}

static inline int count_of(const char *text, const char *part)
{
    int count = 0;

    for (text = strstr(text, part); text; text = strstr(text + 1, part)) {
        count++;
    }
    return count;
}

/* ---- Clients ---- */

/* A client of `url` that waits 5 s in all, and so long that no slow machine matters. */
static inline wa_twilio_client_t *client_of(const char *url, const wa_log_t *log, apr_pool_t *p)
{
    wa_twilio_options_t options = {.base_url = url,
                                   .connect_timeout = apr_time_from_sec(20),
                                   .total_timeout = apr_time_from_sec(20),
                                   .log = log};
    wa_twilio_client_t *client;

    assert_int_equal(wa_twilio_client_create(&client, &options, p), APR_SUCCESS);
    return client;
}

static inline wa_twilio_client_t *client_of_port(int port, apr_pool_t *p)
{
    return client_of(apr_psprintf(p, "http://127.0.0.1:%d", port), NULL, p);
}

static const wa_twilio_account_t account = {.sid = ACCOUNT, .secret = {TOKEN, sizeof(TOKEN) - 1}};

/* Sends a short text. */
static inline wa_twilio_result_t send_text(wa_twilio_client_t *client, const char *body,
                                           apr_pool_t *p)
{
    wa_twilio_message_request_t request = {
        .account = &account, .to = THEIR_NUMBER, .from = OUR_NUMBER, .body = wa_slice_of(body)};
    wa_twilio_result_t result;

    assert_int_equal(wa_twilio_message_create(client, &request, &result, p), APR_SUCCESS);
    assert_true((result.error == NULL) == (result.outcome == WA_TWILIO_ACCEPTED));
    assert_true((result.sid != NULL) == (result.outcome == WA_TWILIO_ACCEPTED));
    return result;
}

#endif
