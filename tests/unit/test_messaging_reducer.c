/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the reducer alone: events in any order, of whole messages and of parts, end in one
 * state. */
#include "test_messaging.h"

#include "base/hex.h"
#include "messaging/delivery/parked.h"
#include "messaging/delivery/reducer.h"

#define SID(n) "SM0000000000000000000000000000002" #n

static wa_delivery_t waiting(apr_size_t parts)
{
    return (wa_delivery_t){.part_count = parts};
}

static wa_delivery_event_t word_event(wa_event_e kind, wa_delivery_e word, int code,
                                      apr_int64_t at_ms)
{
    return (wa_delivery_event_t){
        .kind = kind, .word = word, .error_code = code, .at_ms = at_ms, .sid = SID(1), .part = 1};
}

static wa_delivery_event_t answer_event(apr_size_t part, wa_outcome_e outcome, const char *sid)
{
    return (wa_delivery_event_t){.kind = WA_EVENT_ANSWER,
                                 .word = sid ? WA_DELIVERY_QUEUED : WA_DELIVERY_UNKNOWN,
                                 .sid = sid,
                                 .part = part,
                                 .outcome = outcome,
                                 .sentence = sid ? NULL : "Said no."};
}

static wa_delivery_summary_t summary_of(const wa_delivery_t *d, apr_pool_t *p)
{
    wa_delivery_summary_t summary;

    wa_delivery_summarize(d, &summary, p);
    return summary;
}

/* All that is stored of a delivery. */
static const char *stored_of(const wa_delivery_t *d, apr_pool_t *p)
{
    wa_message_state_t stored;
    char *hex;

    assert_int_equal(wa_delivery_write(d, NULL, &stored, p), APR_SUCCESS);
    hex = apr_pcalloc(p, stored.delivery.len * 2 + 1);
    wa_hex_write(hex, stored.delivery.ptr, stored.delivery.len);
    return apr_pstrcat(p, state_text_of(&stored, p), " ", hex, NULL);
}

/* Applies `count` events in the order that `code` stands for, each of them twice. */
static const char *stored_after(wa_delivery_t d, const wa_delivery_event_t *told, size_t count,
                                size_t code, apr_pool_t *p)
{
    size_t rest[8], left = count, i;

    for (i = 0; i < count; i++) {
        rest[i] = i;
    }
    for (; left > 0; left--) {
        const size_t pick = code % left;
        wa_delivery_event_t again = told[rest[pick]];

        wa_delivery_apply(&d, &again);
        again.at_ms += again.at_ms ? 5000 : 0;
        assert_int_equal(wa_delivery_apply(&d, &again), APR_EEXIST);
        rest[pick] = rest[left - 1];
        code /= left;
    }
    return stored_of(&d, p);
}

static void orders_agree(const wa_delivery_t *from, const wa_delivery_event_t *told, size_t count,
                         const char *expected, apr_pool_t *parent)
{
    size_t orders = 1, code, i;
    apr_pool_t *p;

    for (i = 1; i <= count; i++) {
        orders *= i;
    }
    assert_int_equal(apr_pool_create(&p, parent), APR_SUCCESS);
    for (code = 0; code < orders; code++) {
        assert_string_equal(stored_after(*from, told, count, code, p), expected);
        apr_pool_clear(p);
    }
    apr_pool_destroy(p);
}

/* 720 orders, times included, for each way that a word can come. */
static void test_every_order_of_six_words(void **state)
{
    static const wa_event_e kinds[] = {WA_EVENT_RECEIPT, WA_EVENT_PARKED};
    const wa_delivery_t all = {.part_count = 1,
                               .parts = {{.is = WA_PART_TAKEN,
                                          .word = WA_DELIVERY_READ,
                                          .sid = SID(1),
                                          .since_ms = {[WA_DELIVERY_QUEUED] = 1001,
                                                       [WA_DELIVERY_SENDING] = 1002,
                                                       [WA_DELIVERY_SENT] = 1003,
                                                       [WA_DELIVERY_FAILED] = 1004,
                                                       [WA_DELIVERY_DELIVERED] = 1005,
                                                       [WA_DELIVERY_READ] = 1006}}}};
    const char *expected = stored_of(&all, *state);
    const wa_delivery_t from = waiting(1);
    size_t i;

    for (i = 0; i < COUNT(kinds); i++) {
        const wa_delivery_event_t told[] = {
            word_event(kinds[i], WA_DELIVERY_QUEUED, 0, 1001),
            word_event(kinds[i], WA_DELIVERY_SENDING, 0, 1002),
            word_event(kinds[i], WA_DELIVERY_SENT, 0, 1003),
            word_event(kinds[i], WA_DELIVERY_FAILED, 63016, 1004),
            word_event(kinds[i], WA_DELIVERY_DELIVERED, 0, 1005),
            word_event(kinds[i], WA_DELIVERY_READ, 0, 1006),
        };

        orders_agree(&from, told, COUNT(told), expected, *state);
    }
}

/* What a list says again is no news, whatever its time, so that reading it again stores nothing. */
static void test_a_list_that_is_read_again(void **state)
{
    const wa_delivery_event_t sent = word_event(WA_EVENT_RECEIPT, WA_DELIVERY_SENT, 0, 2000);
    const wa_delivery_event_t told[] = {
        word_event(WA_EVENT_LISTED, WA_DELIVERY_SENT, 0, 1000),
        word_event(WA_EVENT_LISTED, WA_DELIVERY_QUEUED, 0, 500),
        word_event(WA_EVENT_LISTED, WA_DELIVERY_SENT, 63016, 0),
    };
    const wa_delivery_event_t read = word_event(WA_EVENT_LISTED, WA_DELIVERY_READ, 0, 3000);
    wa_delivery_t d = waiting(1);
    size_t i;

    (void)state;
    assert_int_equal(wa_delivery_apply(&d, &sent), APR_SUCCESS);
    for (i = 0; i < COUNT(told); i++) {
        assert_int_equal(wa_delivery_apply(&d, &told[i]), APR_EEXIST);
    }
    assert_int_equal(d.parts[0].since_ms[WA_DELIVERY_SENT], 2000);
    assert_int_equal(wa_delivery_apply(&d, &read), APR_SUCCESS);
    assert_int_equal(d.parts[0].since_ms[WA_DELIVERY_READ], 3000);
    assert_int_equal(wa_delivery_apply(&d, &read), APR_EEXIST);
}

/* The answer to our request is one more event among receipts, a lost one too. */
static void test_every_order_with_the_answer(void **state)
{
    static const wa_outcome_e outcomes[] = {WA_OUTCOME_ACCEPTED, WA_OUTCOME_UNKNOWN};
    const wa_delivery_t from = waiting(1);
    size_t i;

    for (i = 0; i < COUNT(outcomes); i++) {
        const wa_delivery_event_t told[] = {
            answer_event(1, outcomes[i], outcomes[i] == WA_OUTCOME_ACCEPTED ? SID(1) : NULL),
            word_event(WA_EVENT_RECEIPT, WA_DELIVERY_SENT, 0, 1003),
            word_event(WA_EVENT_LISTED, WA_DELIVERY_UNDELIVERED, 63016, 1004),
            word_event(WA_EVENT_PARKED, WA_DELIVERY_UNDELIVERED, 63024, 1004),
            word_event(WA_EVENT_RECEIPT, WA_DELIVERY_QUEUED, 0, 1001),
        };
        wa_delivery_t last = from;
        size_t k;

        for (k = 0; k < COUNT(told); k++) {
            wa_delivery_apply(&last, &told[k]);
        }
        assert_int_equal(summary_of(&last, *state).status, WA_STATUS_FAILED);
        assert_int_equal(summary_of(&last, *state).error_code, 63024);
        assert_null(last.reason);
        orders_agree(&from, told, COUNT(told), stored_of(&last, *state), *state);
    }
}

/* Receipts of three parts in every order. */
static void test_every_order_over_parts(void **state)
{
    wa_delivery_t from = waiting(3), last;
    wa_delivery_event_t told[6];
    static const struct {
        const char *sid;
        wa_delivery_e word;
        int code;
    } words[] = {{SID(1), WA_DELIVERY_DELIVERED, 0}, {SID(2), WA_DELIVERY_FAILED, 63024},
                 {SID(3), WA_DELIVERY_READ, 0},      {SID(1), WA_DELIVERY_SENT, 0},
                 {SID(3), WA_DELIVERY_DELIVERED, 0}, {SID(2), WA_DELIVERY_FAILED, 63016}};
    size_t i;

    for (i = 0; i < 3; i++) {
        const wa_delivery_event_t answer = answer_event(i + 1, WA_OUTCOME_ACCEPTED, words[i].sid);

        assert_int_equal(wa_delivery_apply(&from, &answer), APR_SUCCESS);
    }
    last = from;
    for (i = 0; i < COUNT(told); i++) {
        told[i] = (wa_delivery_event_t){.kind = WA_EVENT_RECEIPT,
                                        .word = words[i].word,
                                        .error_code = words[i].code,
                                        .at_ms = 1000 + words[i].word,
                                        .sid = words[i].sid};
        wa_delivery_apply(&last, &told[i]);
    }
    assert_int_equal(summary_of(&last, *state).status, WA_STATUS_FAILED);
    assert_int_equal(summary_of(&last, *state).error_code, 63024);
    orders_agree(&from, told, COUNT(told), stored_of(&last, *state), *state);
}

static wa_delivery_event_t said_event(wa_delivery_e word, int code, const char *said,
                                      apr_int64_t at_ms)
{
    wa_delivery_event_t event = word_event(WA_EVENT_RECEIPT, word, code, at_ms);

    event.said = said;
    return event;
}

/* What Twilio says of one failure in different words ends the same in 720 orders, and goes when it
 * was delivered after all. */
static void test_every_order_of_what_is_said(void **state)
{
    static const wa_delivery_e last[] = {WA_DELIVERY_QUEUED, WA_DELIVERY_READ};
    const wa_delivery_t from = waiting(1);
    size_t i, k;

    for (i = 0; i < COUNT(last); i++) {
        const wa_delivery_event_t told[] = {
            said_event(WA_DELIVERY_FAILED, 63999, "short", 1001),
            said_event(WA_DELIVERY_FAILED, 63999, "the longest words", 1002),
            said_event(WA_DELIVERY_FAILED, 63999, "the longest wordS", 1003),
            said_event(WA_DELIVERY_FAILED, 63998, "a lower code, in many more words", 1004),
            said_event(WA_DELIVERY_FAILED, 63999, NULL, 1005),
            said_event(last[i], 0, "nothing", 1006),
        };
        wa_delivery_t d = from;

        for (k = 0; k < COUNT(told); k++) {
            wa_delivery_apply(&d, &told[k]);
        }
        if (last[i] == WA_DELIVERY_READ) {
            assert_null(d.parts[0].said);
        } else {
            assert_string_equal(d.parts[0].said, "the longest words");
            assert_non_null(strstr(summary_of(&d, *state).error, "It says: the longest words"));
        }
        assert_int_equal(d.parts[0].since_ms[WA_DELIVERY_FAILED], 1001);
        orders_agree(&from, told, COUNT(told), stored_of(&d, *state), *state);
    }
}

/* Each part has times and words of its own. */
static void test_the_times_of_parts(void **state)
{
    wa_delivery_t d = waiting(2), again;
    wa_message_state_t stored;
    wa_message_t message;
    size_t i;

    for (i = 0; i < 2; i++) {
        wa_delivery_event_t event =
            said_event(WA_DELIVERY_FAILED, 63999, i ? "two" : "one", 2000 - (apr_int64_t)i);

        event.sid = i ? SID(2) : SID(1);
        event.part = i + 1;
        assert_int_equal(wa_delivery_apply(&d, &event), APR_SUCCESS);
    }
    assert_int_equal(wa_delivery_write(&d, NULL, &stored, *state), APR_SUCCESS);
    memset(&message, 0, sizeof(message));
    message.status = stored.status;
    message.delivery = stored.delivery;
    wa_delivery_read(&again, &message, *state);
    assert_int_equal(again.parts[0].since_ms[WA_DELIVERY_FAILED], 2000);
    assert_int_equal(again.parts[1].since_ms[WA_DELIVERY_FAILED], 1999);
    assert_int_equal(wa_delivery_since_ms(&again, WA_DELIVERY_FAILED), 1999);
    assert_int_equal(wa_delivery_since_ms(&again, WA_DELIVERY_READ), 0);
    assert_string_equal(again.parts[0].said, "one");
    assert_string_equal(again.parts[1].said, "two");
    assert_non_null(strstr(wa_delivery_part_error(&again, 1, *state), "It says: two"));
}

static void test_what_an_answer_leads_to(void **state)
{
    static const struct {
        wa_part_e from;
        wa_outcome_e outcome;
        wa_part_e to;
        wa_status_e status;
    } cases[] = {
        {WA_PART_WAITING, WA_OUTCOME_ACCEPTED, WA_PART_TAKEN, WA_STATUS_SUCCESS},
        {WA_PART_WAITING, WA_OUTCOME_REFUSED, WA_PART_FAILED, WA_STATUS_FAILED},
        {WA_PART_WAITING, WA_OUTCOME_UNKNOWN, WA_PART_UNKNOWN, WA_STATUS_PENDING},
        {WA_PART_UNKNOWN, WA_OUTCOME_REFUSED, WA_PART_FAILED, WA_STATUS_FAILED},
        {WA_PART_TAKEN, WA_OUTCOME_REFUSED, WA_PART_TAKEN, WA_STATUS_SUCCESS},
        {WA_PART_TAKEN, WA_OUTCOME_UNKNOWN, WA_PART_TAKEN, WA_STATUS_SUCCESS},
        {WA_PART_FAILED, WA_OUTCOME_UNKNOWN, WA_PART_FAILED, WA_STATUS_FAILED},
    };
    size_t i;

    for (i = 0; i < COUNT(cases); i++) {
        const wa_delivery_event_t event = answer_event(
            1, cases[i].outcome, cases[i].outcome == WA_OUTCOME_ACCEPTED ? SID(1) : NULL);
        wa_delivery_t d = waiting(1);
        const int is_news = cases[i].from != cases[i].to;

        d.parts[0].is = cases[i].from;
        assert_int_equal(wa_delivery_apply(&d, &event), is_news ? APR_SUCCESS : APR_EEXIST);
        assert_int_equal(d.parts[0].is, cases[i].to);
        assert_int_equal(summary_of(&d, *state).status, cases[i].status);
    }
}

/* Of whom an event is, and what is told of another message. */
static void test_whose_an_event_is(void **state)
{
    static const struct {
        apr_size_t parts;
        const char *known; /* the first part's sid */
        wa_event_e kind;
        const char *sid;
        apr_size_t part;
        apr_status_t rv;
    } cases[] = {
        {1, NULL, WA_EVENT_RECEIPT, SID(1), 0, APR_SUCCESS},
        {1, SID(1), WA_EVENT_RECEIPT, SID(1), 0, APR_SUCCESS},
        {1, SID(1), WA_EVENT_RECEIPT, SID(2), 0, APR_NOTFOUND},
        {1, SID(1), WA_EVENT_LISTED, SID(2), 0, APR_NOTFOUND},
        {1, SID(1), WA_EVENT_RECEIPT, SID(2), 1, APR_NOTFOUND},
        {1, NULL, WA_EVENT_RECEIPT, SID(1), 2, APR_NOTFOUND},
        {3, NULL, WA_EVENT_RECEIPT, SID(1), 0, APR_NOTFOUND},
        {3, NULL, WA_EVENT_RECEIPT, SID(1), 3, APR_SUCCESS},
        {3, NULL, WA_EVENT_RECEIPT, SID(1), 4, APR_NOTFOUND},
        {3, SID(1), WA_EVENT_RECEIPT, SID(1), 3, APR_SUCCESS}, /* the sid decides */
        {3, SID(1), WA_EVENT_PARKED, SID(2), 1, APR_NOTFOUND},
        {3, NULL, WA_EVENT_ANSWER, SID(1), 4, APR_NOTFOUND},
    };
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(cases); i++) {
        const wa_delivery_event_t event = {.kind = cases[i].kind,
                                           .word = WA_DELIVERY_SENT,
                                           .at_ms = 1,
                                           .sid = cases[i].sid,
                                           .part = cases[i].part};
        wa_delivery_t d = waiting(cases[i].parts), before;

        d.parts[0].sid = cases[i].known;
        before = d;
        assert_int_equal(wa_delivery_apply(&d, &event), cases[i].rv);
        if (cases[i].rv != APR_SUCCESS) {
            assert_memory_equal(&d, &before, sizeof(d));
        }
        if (cases[i].parts == 3 && cases[i].known && cases[i].rv == APR_SUCCESS) {
            assert_int_equal(d.parts[0].word, WA_DELIVERY_SENT);
        }
    }
}

/* What was refused, or not sent, is not claimed by whatever Twilio lists. */
static void test_a_listed_message_is_claimed_by_an_open_part_only(void **state)
{
    int is;

    (void)state;
    for (is = 0; is < WA_PART_COUNT; is++) {
        const wa_delivery_event_t event = word_event(WA_EVENT_LISTED, WA_DELIVERY_UNKNOWN, 0, 1);
        const int is_open = is == WA_PART_WAITING || is == WA_PART_UNKNOWN;
        wa_delivery_t d = waiting(1);

        d.parts[0].is = (wa_part_e)is;
        assert_int_equal(wa_delivery_apply(&d, &event), is_open ? APR_SUCCESS : APR_EEXIST);
        assert_int_equal(d.parts[0].is, is_open ? WA_PART_TAKEN : is);
        assert_int_equal(d.parts[0].word, is_open ? WA_DELIVERY_ACCEPTED : WA_DELIVERY_UNKNOWN);
    }
}

/* w(aiting), t(aken), f(ailed), u(nknown), s(topped) */
static const char *places_of(const wa_delivery_t *d, apr_pool_t *p)
{
    char *places = apr_pcalloc(p, WA_PARTS_MAX + 1);
    apr_size_t i;

    for (i = 0; i < d->part_count; i++) {
        places[i] = "wtfus"[d->parts[i].is];
    }
    return places;
}

static void test_giving_up(void **state)
{
    static const struct {
        const char *from, *to;
        wa_status_e status;
        const char *sentence;
    } cases[] = {
        {"w", "f", WA_STATUS_FAILED,
         "Twilio never took this message: it was not sent, and sending it anew is safe."},
        {"u", "f", WA_STATUS_FAILED,
         "Twilio never took this message: it was not sent, and sending it anew is safe."},
        {"t", "t", WA_STATUS_SUCCESS, NULL},
        {"f", "f", WA_STATUS_FAILED, NULL},
        {"www", "fss", WA_STATUS_FAILED, NULL},
        {"tww", "tfs", WA_STATUS_FAILED, NULL},
        {"wtw", "ttf", WA_STATUS_FAILED, NULL},
        {"uut", "ttt", WA_STATUS_SUCCESS, NULL},
        {"tus", "tfs", WA_STATUS_FAILED, NULL},
    };
    const wa_delivery_event_t event = {.kind = WA_EVENT_GIVE_UP};
    size_t i, k;

    for (i = 0; i < COUNT(cases); i++) {
        wa_delivery_t d = waiting(strlen(cases[i].from));

        for (k = 0; k < d.part_count; k++) {
            d.parts[k].is = (wa_part_e)(strchr("wtfus", cases[i].from[k]) - "wtfus");
        }
        assert_int_equal(wa_delivery_apply(&d, &event),
                         strcmp(cases[i].from, cases[i].to) == 0 ? APR_EEXIST : APR_SUCCESS);
        assert_string_equal(places_of(&d, *state), cases[i].to);
        assert_int_equal(summary_of(&d, *state).status, cases[i].status);
        if (cases[i].sentence) {
            assert_string_equal(summary_of(&d, *state).error, cases[i].sentence);
        }
        assert_int_equal(wa_delivery_apply(&d, &event), APR_EEXIST);
    }
}

/* Every delivery that 4 random events make reads back as it was written. */
static void test_what_is_written_reads_back(void **state)
{
    static const char *const sids[] = {SID(1), SID(2), SID(3), NULL};
    unsigned seed = 7, round, i;

    for (round = 0; round < 5000; round++) {
        wa_delivery_t d = waiting(1 + round % 3), again;
        wa_message_state_t stored;
        wa_message_t message;
        apr_pool_t *p;

        assert_int_equal(apr_pool_create(&p, *state), APR_SUCCESS);
        for (i = 0; i < 4; i++) {
            wa_delivery_event_t event;

            seed = seed * 1103515245u + 12345u;
            event = (wa_delivery_event_t){.kind = (wa_event_e)((seed >> 16) % 5),
                                          .word = (wa_delivery_e)((seed >> 8) % WA_DELIVERY_COUNT),
                                          .error_code = (int)(seed >> 20) % 3,
                                          .at_ms = (seed >> 4) % 1000,
                                          .sid = sids[(seed >> 12) % 4],
                                          .part = (seed >> 24) % 4,
                                          .outcome = (wa_outcome_e)((seed >> 14) % 3),
                                          .sentence = "No; not = this, one."};
            wa_delivery_apply(&d, &event);
        }
        assert_int_equal(wa_delivery_write(&d, NULL, &stored, p), APR_SUCCESS);
        memset(&message, 0, sizeof(message));
        message.status = stored.status;
        message.delivery = stored.delivery;
        wa_delivery_read(&again, &message, p);
        assert_string_equal(stored_of(&again, p), stored_of(&d, p));
        apr_pool_destroy(p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_TEST(test_every_order_of_six_words),
        POOL_TEST(test_a_list_that_is_read_again),
        POOL_TEST(test_every_order_with_the_answer),
        POOL_TEST(test_every_order_over_parts),
        POOL_TEST(test_every_order_of_what_is_said),
        POOL_TEST(test_the_times_of_parts),
        POOL_TEST(test_what_an_answer_leads_to),
        POOL_TEST(test_whose_an_event_is),
        POOL_TEST(test_a_listed_message_is_claimed_by_an_open_part_only),
        POOL_TEST(test_giving_up),
        POOL_TEST(test_what_is_written_reads_back),
    };

    return cmocka_run_group_tests(tests, apr_setup, apr_teardown);
}
