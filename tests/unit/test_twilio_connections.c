/* SPDX-License-Identifier: Apache-2.0 */
/* The client's connections: kept, never used to send twice, only to whom the certificate names;
 * many threads at once. */
#include "test_twilio.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

/* ---- Not reached ---- */

/* Nobody listens: certainly not sent, and tried as often as allowed. */
static void test_nobody_listens(void **state)
{
    wa_twilio_client_t *client;
    wa_twilio_result_t result;
    kept_log_t log;
    script_t closed;

    script_start(&closed, NULL, *state);
    script_stop(&closed);
    kept_log_init(&log);
    client = client_of(apr_psprintf(*state, "http://127.0.0.1:%d", closed.port), &log.log, *state);
    result = send_text(client, "x", *state);
    assert_int_equal(result.outcome, WA_TWILIO_NOT_REACHED);
    assert_int_equal(result.http_status, 0);
    assert_int_equal(result.tries, 3);
    assert_int_equal(count_of(log.text, "[4] WA0301"), 1);
    assert_non_null(strstr(log.text, "not reached"));
}

/* Somebody listens and never speaks TLS: the connection never stood, so nothing was sent. */
static void test_handshake_that_never_ends(void **state)
{
    script_t silent;
    /* under valgrind the first try alone reads the CAs for ten seconds */
    wa_twilio_options_t options = {.connect_timeout = apr_time_from_msec(100),
                                   .total_timeout = apr_time_from_sec(600)};
    wa_twilio_client_t *client;
    wa_twilio_result_t result;

    script_start(&silent, NULL, *state);
    options.base_url = apr_psprintf(*state, "https://127.0.0.1:%d", silent.port);
    assert_int_equal(wa_twilio_client_create(&client, &options, *state), APR_SUCCESS);
    result = send_text(client, "x", *state);
    assert_int_equal(result.outcome, WA_TWILIO_NOT_REACHED);
    assert_int_equal(result.tries, 3);
    script_stop(&silent);
}

/* ---- Connections ---- */

static void test_connections_are_kept(void **state)
{
    wa_twilio_client_t *client = client_of(simulator.url, NULL, *state);
    json_t *all, *list;
    size_t i;

    for (i = 0; i < 20; i++) {
        assert_int_equal(send_text(client, "x", *state).outcome, WA_TWILIO_ACCEPTED);
    }
    all = control(&simulator, "requests", NULL);
    list = json_object_get(all, "requests");
    assert_int_equal(json_array_size(list), 20);
    for (i = 0; i < 20; i++) {
        json_t *number = json_object_get(json_array_get(list, i), "number_on_connection");

        assert_int_equal(json_integer_value(number), i + 1);
    }
    json_decref(all);
}

/* A kept connection that is closed instead of an answer: libcurl alone would silently send the
 * message again. */
static void test_nothing_is_sent_again_by_itself(void **state)
{
    wa_twilio_client_t *client = client_of(simulator.url, NULL, *state);
    wa_twilio_result_t result;
    int i;

    for (i = 0; i < 5; i++) {
        control_do(&simulator, "reset", "{}");
        assert_int_equal(send_text(client, "first", *state).outcome, WA_TWILIO_ACCEPTED);
        control_do(&simulator, "mode", "{\"mode\":\"close-reused\"}");
        result = send_text(client, "once only", *state);
        assert_int_equal(result.outcome, WA_TWILIO_UNKNOWN);
        assert_int_equal(result.tries, 1);
        assert_int_equal(stat_of(&simulator, "requests"), 2);
        assert_int_equal(stat_of(&simulator, "created"), 2);
    }
}

/* A kept connection that was closed while nobody looked is not used. */
static void test_closed_connection_is_not_used(void **state)
{
    wa_twilio_client_t *client = client_of(simulator.url, NULL, *state);
    int i;

    for (i = 0; i < 5; i++) {
        control_do(&simulator, "mode", "{\"mode\":\"close-after\"}");
        assert_int_equal(send_text(client, "x", *state).outcome, WA_TWILIO_ACCEPTED);
    }
    assert_int_equal(stat_of(&simulator, "created"), 5);
}

static void test_environment_has_no_say(void **state)
{
    static const char *const names[] = {"http_proxy", "https_proxy", "all_proxy", "ALL_PROXY"};
    wa_twilio_client_t *client = client_of(simulator.url, NULL, *state);
    unsigned i;

    for (i = 0; i < COUNT(names); i++) {
        setenv(names[i], "http://127.0.0.1:1", 1);
    }
    assert_int_equal(send_text(client, "x", *state).outcome, WA_TWILIO_ACCEPTED);
    for (i = 0; i < COUNT(names); i++) {
        unsetenv(names[i]);
    }
}

/* ---- Threads ---- */

typedef struct sender_t {
    wa_twilio_client_t *client;
    int accepted;
} sender_t;

static void *APR_THREAD_FUNC sender_run(apr_thread_t *thread, void *data)
{
    wa_twilio_message_request_t request = {
        .account = &account, .to = THEIR_NUMBER, .from = OUR_NUMBER, .body = {"x", 1}};
    sender_t *sender = data;
    wa_twilio_result_t result;
    apr_pool_t *pool;
    int i;

    (void)thread;
    apr_pool_create_unmanaged_ex(&pool, NULL, NULL);
    for (i = 0; i < 25; i++) {
        if (wa_twilio_message_create(sender->client, &request, &result, pool) == APR_SUCCESS
            && result.outcome == WA_TWILIO_ACCEPTED) {
            sender->accepted++;
        }
    }
    apr_pool_destroy(pool);
    return NULL;
}

/* More threads than idle handles are kept. */
static void test_many_threads(void **state)
{
    wa_twilio_options_t options = {.base_url = simulator.url, .max_idle_handles = 3};
    sender_t senders[8];
    apr_thread_t *threads[COUNT(senders)];
    wa_twilio_client_t *client;
    apr_status_t rv;
    unsigned i;

    assert_int_equal(wa_twilio_client_create(&client, &options, *state), APR_SUCCESS);
    for (i = 0; i < COUNT(senders); i++) {
        senders[i].client = client;
        senders[i].accepted = 0;
        assert_int_equal(apr_thread_create(&threads[i], NULL, sender_run, &senders[i], *state),
                         APR_SUCCESS);
    }
    for (i = 0; i < COUNT(senders); i++) {
        apr_thread_join(&rv, threads[i]);
        assert_int_equal(senders[i].accepted, 25);
    }
    assert_int_equal(stat_of(&simulator, "created"), 25 * COUNT(senders));
}

/* ---- TLS ---- */

/* Writes a key and a certificate that is its own authority, for one IP address. */
static void certificate_write(const char *cert_path, const char *key_path, const char *address)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    X509_NAME *name = X509_get_subject_name(cert);
    X509_EXTENSION *extension;
    char value[64];
    FILE *file;

    assert_non_null(key);
    X509_set_version(cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
    X509_gmtime_adj(X509_getm_notAfter(cert), 86400);
    X509_set_pubkey(cert, key);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"simulator", -1, -1,
                               0);
    X509_set_issuer_name(cert, name);
    snprintf(value, sizeof(value), "IP:%s", address);
    extension = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, value);
    assert_non_null(extension);
    X509_add_ext(cert, extension, -1);
    X509_EXTENSION_free(extension);
    extension = X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints, "critical,CA:TRUE");
    X509_add_ext(cert, extension, -1);
    X509_EXTENSION_free(extension);
    assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
    file = fopen(cert_path, "w");
    assert_non_null(file);
    assert_int_equal(PEM_write_X509(file, cert), 1);
    fclose(file);
    file = fopen(key_path, "w");
    assert_non_null(file);
    assert_int_equal(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL), 1);
    fclose(file);
    X509_free(cert);
    EVP_PKEY_free(key);
}

static void test_tls(void **state)
{
    static const char *const names[] = {"good.pem", "good.key", "other.pem", "other.key"};
    char directory[] = "/tmp/wa-test-XXXXXX";
    const char *paths[COUNT(names)];
    simulator_t tls;
    unsigned i;

    assert_non_null(mkdtemp(directory));
    for (i = 0; i < COUNT(names); i++) {
        paths[i] = apr_pstrcat(*state, directory, "/", names[i], NULL);
    }
    certificate_write(paths[0], paths[1], "127.0.0.1");
    certificate_write(paths[2], paths[3], "127.0.0.1");
    simulator_start(&tls, paths[0], paths[1], NULL);
    for (i = 0; i < 4; i++) {
        /* The right authority; another one; the system's; the right one and another name of the
         * server. */
        const char *ca_files[] = {paths[0], paths[2], NULL, paths[0]};
        wa_twilio_options_t options = {.base_url = tls.url, .ca_file = ca_files[i]};
        wa_twilio_client_t *client;
        wa_twilio_result_t result;

        if (i == 3) {
            options.base_url =
                apr_pstrcat(*state, "https://localhost", strrchr(tls.url, ':'), NULL);
        }
        assert_int_equal(wa_twilio_client_create(&client, &options, *state), APR_SUCCESS);
        result = send_text(client, "x", *state);
        assert_int_equal(result.outcome, i == 0 ? WA_TWILIO_ACCEPTED : WA_TWILIO_NOT_REACHED);
        assert_int_equal(result.tries, 1);
        assert_int_equal(stat_of(&tls, "requests"), 1);
        if (i == 0) {
            assert_int_equal(send_text(client, "x", *state).outcome, WA_TWILIO_ACCEPTED);
            control_do(&tls, "reset", "{}");
            /* The second one on the kept connection is closed without an answer, also under TLS. */
            control_do(&tls, "mode", "{\"mode\":\"close-reused\"}");
            assert_int_equal(send_text(client, "x", *state).outcome, WA_TWILIO_UNKNOWN);
        }
    }
    simulator_stop(&tls);
    for (i = 0; i < COUNT(names); i++) {
        unlink(paths[i]);
    }
    rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_nobody_listens),
        TEST(test_handshake_that_never_ends),
        TEST(test_connections_are_kept),
        TEST(test_nothing_is_sent_again_by_itself),
        TEST(test_closed_connection_is_not_used),
        TEST(test_environment_has_no_say),
        TEST(test_many_threads),
        TEST(test_tls),
    };

    return cmocka_run_group_tests(tests, simulator_setup, simulator_teardown);
}
