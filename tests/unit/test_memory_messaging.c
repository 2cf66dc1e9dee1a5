/* SPDX-License-Identifier: Apache-2.0 */
/* Tests sending, receiving and reconciliation with a heap that is full at each of their
 * allocations: who asks again ends with each message once. */
#include "memory_faults.h"

#include <stdio.h>

#include "fixed_clock.h"
#include "store_snapshot.h"
#include "store_quick.h"
#include "test_messaging.h"

#include "base/clock.h"
#include "messaging/delivery/receipts.h"
#include "messaging/receive/receive.h"
#include "messaging/reconcile/reconcile.h"
#include "messaging/send/send.h"
#include "twilio/client.h"

#define ANA "+15551230001"
#define TAKEN "a text that Twilio takes"
#define REFUSED "a text that Twilio does not take"
#define SID_WEBHOOK "SM00000000000000000000000000000021"
#define SID_MISSED "SM00000000000000000000000000000022"
#define MINUTE ((apr_int64_t)60000)

/* Twilio, and what a child says of its life: in memory that both share. */
typedef struct shared_t {
    apr_int64_t began_ms;
    int taken, refused; /* calls */
    apr_int64_t taken_ms;
    unsigned seen; /* allocations */
    int is_done;
} shared_t;

static shared_t *shared;

/* ---- stands in for twilio/, which is not linked ---- */

apr_status_t wa_twilio_message_create(wa_twilio_client_t *client,
                                      const wa_twilio_message_request_t *request,
                                      wa_twilio_result_t *result, apr_pool_t *p)
{
    (void)client, (void)p;
    memset(result, 0, sizeof(*result));
    if (wa_slice_is_equal(request->body, WA_SLICE_LITERAL(REFUSED))) {
        shared->refused++;
        result->outcome = WA_TWILIO_REFUSED;
        result->http_status = 400;
        result->error_code = 21211;
        result->error = "It is no number.";
        return APR_SUCCESS;
    }
    assert_true(wa_slice_is_equal(request->body, WA_SLICE_LITERAL(TAKEN)));
    shared->taken++;
    shared->taken_ms = wa_clock_now_ms();
    result->outcome = WA_TWILIO_ACCEPTED;
    result->http_status = 201;
    result->sid = SID_1;
    result->status = "queued";
    return APR_SUCCESS;
}

static apr_status_t list_give(const wa_twilio_query_t *query, const wa_twilio_message_t *m,
                              const wa_twilio_message_visitor_t *visitor, apr_pool_t *tmp)
{
    const char *prefix = "whatsapp:";

    if ((query->from && strcmp(m->from + strlen(prefix), query->from) != 0)
        || (query->to && strcmp(m->to + strlen(prefix), query->to) != 0)
        || (query->date_sent_from && m->date_sent < query->date_sent_from)
        || (query->date_sent_to && m->date_sent > query->date_sent_to)) {
        return APR_SUCCESS;
    }
    return visitor->fn(visitor->baton, m, tmp);
}

apr_status_t wa_twilio_messages_fetch(wa_twilio_client_t *client, const wa_twilio_query_t *query,
                                      const wa_twilio_message_visitor_t *visitor,
                                      wa_twilio_result_t *result, apr_pool_t *tmp)
{
    const wa_twilio_message_t sent = {.sid = SID_1,
                                      .from = "whatsapp:" OUR_NUMBER,
                                      .to = "whatsapp:" ANA,
                                      .body = TAKEN,
                                      .direction = "outbound-api",
                                      .status = "sent",
                                      .date_created = apr_time_from_msec(shared->taken_ms),
                                      .date_sent = apr_time_from_msec(shared->taken_ms)};
    const apr_time_t missed_at = apr_time_from_msec(shared->began_ms - 30 * MINUTE);
    const wa_twilio_message_t missed = {.sid = SID_MISSED,
                                        .from = "whatsapp:" ANA,
                                        .to = "whatsapp:" OUR_NUMBER,
                                        .body = "missed",
                                        .direction = "inbound",
                                        .status = "received",
                                        .media_count = 1,
                                        .date_created = missed_at,
                                        .date_sent = missed_at};
    apr_status_t rv = APR_SUCCESS;

    (void)client;
    memset(result, 0, sizeof(*result));
    result->outcome = WA_TWILIO_ACCEPTED;
    if (shared->taken > 0) {
        rv = list_give(query, &sent, visitor, tmp);
    }
    return rv == APR_SUCCESS ? list_give(query, &missed, visitor, tmp) : rv;
}

apr_status_t wa_twilio_media_list(wa_twilio_client_t *client, const wa_twilio_media_query_t *query,
                                  const wa_twilio_media_visitor_t *visitor,
                                  wa_twilio_result_t *result, apr_pool_t *tmp)
{
    const wa_twilio_media_t media = {"https://api.twilio.com/ME1", "image/png"};

    (void)client, (void)query;
    memset(result, 0, sizeof(*result));
    result->outcome = WA_TWILIO_ACCEPTED;
    return visitor->fn(visitor->baton, &media, tmp);
}

apr_status_t wa_twilio_media_fetch(wa_twilio_client_t *client,
                                   const wa_twilio_media_request_t *request,
                                   const wa_twilio_sink_t *sink, apr_pool_t *tmp)
{
    (void)client, (void)request, (void)sink, (void)tmp;
    return APR_EGENERAL;
}

/* ---- a conversation ---- */

static const char *const stops[] = {"STOP", NULL};
static const char *const starts[] = {"START", NULL};

typedef struct talk_t {
    wa_messenger_t messenger;
    wa_reconcile_memory_t memory;
    apr_pool_t *p;
} talk_t;

static void talk_init(talk_t *talk, wa_store_t *store, apr_pool_t *p)
{
    memset(talk, 0, sizeof(*talk));
    talk->p = p;
    talk->messenger.store = store;
    talk->messenger.account_sid = OUR_SID;
    talk->messenger.tokens[0] = wa_secret_make(OUR_TOKEN, strlen(OUR_TOKEN), p);
    talk->messenger.token_count = 1;
    talk->messenger.number = OUR_NUMBER;
    talk->messenger.public_url = "https://chat.example.org";
    talk->messenger.base_path = "/api/whatsapp-messenger";
    talk->messenger.stop_words = stops;
    talk->messenger.start_words = starts;
}

static apr_status_t form_parse(wa_form_t **pform, const char *body, apr_pool_t *p)
{
    return wa_form_parse(pform, apr_pstrdup(p, body), strlen(body), 100, p);
}

static apr_status_t say_inbound(talk_t *talk)
{
    const char *body = "MessageSid=" SID_WEBHOOK
                       "&From=whatsapp%3A%2B15551230001&NumMedia=0&ProfileName=Ana&Body=hello";
    wa_sentence_t sentence;
    wa_form_t *form;
    apr_status_t rv = form_parse(&form, body, talk->p);

    return rv == APR_SUCCESS ? wa_receive(&talk->messenger, form, &sentence, talk->p) : rv;
}

static apr_status_t say_send(talk_t *talk, const char *text, const char *key)
{
    const wa_send_request_t request = {
        .phone_number = wa_slice_of(ANA), .message = wa_slice_of(text), .idempotency_key = key};
    wa_send_result_t result;

    return wa_send(&talk->messenger, &request, &result, talk->p);
}

static apr_status_t say_taken(talk_t *talk)
{
    return say_send(talk, TAKEN, "key-taken");
}

static apr_status_t say_refused(talk_t *talk)
{
    return say_send(talk, REFUSED, "key-refused");
}

static apr_status_t say_receipt(talk_t *talk)
{
    wa_sentence_t sentence;
    wa_form_t *form;
    apr_status_t rv = form_parse(&form, "MessageSid=" SID_1 "&MessageStatus=delivered", talk->p);

    return rv == APR_SUCCESS ? wa_receipt_receive(&talk->messenger, form, NULL, &sentence, talk->p)
                             : rv;
}

static apr_status_t say_reconcile(talk_t *talk)
{
    const wa_reconcile_options_t options = {.now_ms = wa_clock_now_ms(),
                                            .look_back = apr_time_from_sec(24 * 3600)};
    wa_reconcile_result_t result;

    return wa_reconcile(&talk->messenger, &talk->memory, &options, &result, talk->p);
}

static apr_status_t (*const talk_steps[])(talk_t *talk) = {say_inbound, say_taken, say_receipt,
                                                           say_refused, say_reconcile};

/* What a caller may take for "ask again later": nothing that says that what it asked for was
 * wrong. */
static int status_is_clean(apr_status_t rv)
{
    return rv == APR_SUCCESS || rv == APR_ENOMEM || rv == APR_EGENERAL || APR_STATUS_IS_TIMEUP(rv)
           || APR_STATUS_IS_ENOSPC(rv);
}

typedef struct case_t {
    fixture_t *f;
    snapshot_t *empty;
    apr_pool_t *p;
    unsigned at, times;
} case_t;

static void talk(void *baton)
{
    case_t *c = baton;
    apr_pool_t *p = memory_pool();
    talk_t t;
    size_t i;

    c->f->p = memory_pool();
    assert_int_equal(fixture_open_in(c->f, memory_pool()), APR_SUCCESS);
    talk_init(&t, c->f->store, memory_pool());
    memory_set(c->at, c->times);
    for (i = 0; i < COUNT(talk_steps); i++) {
        apr_status_t rv;

        t.p = p;
        rv = talk_steps[i](&t);
        if (!status_is_clean(rv)) {
            memory_clear();
            fprintf(stderr, "step %d gave status %d\n", (int)i, rv);
            _exit(3);
        }
        apr_pool_clear(p);
    }
    memory_clear();
    shared->seen = memory.seen;
    shared->is_done = 1;
    apr_pool_destroy(c->f->store_pool);
}

static apr_status_t messages_count(void *baton, const wa_thread_t *t)
{
    *(apr_uint64_t *)baton += t->message_count;
    return APR_SUCCESS;
}

/* Everybody asks again, a while later and with memory: then all is there, once. */
static void again_check(case_t *c, const char *what)
{
    apr_uint64_t count = 0;
    const char *taken, *refused;
    wa_message_t m;
    talk_t t;
    size_t i;

    clock_shift_ms = 20 * MINUTE;
    fixture_log_clear();
    fixture_open(c->f);
    assert_null(strstr(fixture_log(), "WA0431"));
    talk_init(&t, c->f->store, c->p);
    for (i = 0; i < COUNT(talk_steps); i++) {
        assert_int_equal(talk_steps[i](&t), APR_SUCCESS);
    }
    clock_shift_ms += 20 * MINUTE;
    assert_int_equal(say_reconcile(&t), APR_SUCCESS);
    assert_int_equal(wa_store_message_find(c->f->store, SID_WEBHOOK, &m, c->p), APR_SUCCESS);
    assert_int_equal(wa_store_message_find(c->f->store, SID_MISSED, &m, c->p), APR_SUCCESS);
    assert_int_equal(wa_store_message_find(c->f->store, WA_KEY_IDEMPOTENCY "key-taken", &m, c->p),
                     APR_SUCCESS);
    taken = json_of(&m, c->p);
    assert_int_equal(wa_store_message_find(c->f->store, WA_KEY_IDEMPOTENCY "key-refused", &m, c->p),
                     APR_SUCCESS);
    refused = json_of(&m, c->p);
    assert_int_equal(wa_store_threads_list(c->f->store, 0, messages_count, &count), APR_SUCCESS);
    if (count != 4 || shared->taken > 1 || shared->refused > 1
        || !strstr(taken, shared->taken ? "\"status\":\"success\"" : "\"status\":\"failed\"")
        || !strstr(refused, "\"status\":\"failed\"")
        || (shared->taken && !strstr(taken, "\"deliveryStatus\":\"delivered\""))) {
        fail_msg("%s: %d messages, Twilio was asked %d and %d times\n%s\n%s", what, (int)count,
                 shared->taken, shared->refused, taken, refused);
    }
    fixture_close(c->f);
    clock_shift_ms = 0;
}

static void any_allocation_may_fail(void **state)
{
    case_t *c = *state;
    unsigned died = 0;
    int is_over = 0;

    for (c->at = 1; !is_over; c->at += (unsigned)test_step()) {
        int has_died;

        snapshot_restore(c->empty, c->f);
        memset(shared, 0, sizeof(*shared));
        shared->began_ms = wa_clock_now_ms();
        has_died = memory_child(talk, c, "a conversation", c->at);
        died += has_died != 0;
        is_over = !has_died && shared->seen < c->at;
        again_check(c, apr_psprintf(c->p, "allocation %u failed, the process %s", c->at,
                                    has_died ? "ended" : "went on"));
        apr_pool_clear(c->p);
    }
    if (getenv("WA_TEST_VERBOSE")) {
        fprintf(stderr, "%u allocations, %u deaths\n", c->at, died);
    }
    assert_true(test_step() > 1 || (c->at > 20 && died > 0));
}

static void all_allocations_may_fail_from_one_on(void **state)
{
    case_t *c = *state;

    c->times = UINT32_MAX;
    any_allocation_may_fail(state);
}

static int setup(void **state)
{
    fixture_t *f = fixture_create("sdbm");
    case_t *c = apr_pcalloc(f->p, sizeof(*c));

    fixture_close(f);
    c->f = f;
    c->empty = snapshot_take(f, f->p);
    c->times = 1;
    assert_int_equal(apr_pool_create(&c->p, f->p), APR_SUCCESS);
    shared = memory_shared(sizeof(*shared));
    *state = c;
    return 0;
}

static int teardown(void **state)
{
    case_t *c = *state;

    clock_shift_ms = 0;
    munmap(shared, sizeof(*shared));
    fixture_destroy(c->f);
    return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(any_allocation_may_fail),
        TEST(all_allocations_may_fail_from_one_on),
    };

    return cmocka_run_group_tests(tests, apr_setup, apr_teardown);
}
