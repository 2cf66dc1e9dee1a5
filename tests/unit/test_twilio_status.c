/* SPDX-License-Identifier: Apache-2.0 */
/* Twilio's statuses: words, order, meaning, and that the end does not depend on the order of
 * callbacks. */
#include "test_base.h"

#include "twilio/status.h"

#define LAST WA_DELIVERY_RECEIVED

static void test_words(void **state)
{
    static const char *const words[] = {"accepted",  "scheduled", "queued",      "sending",
                                        "sent",      "canceled",  "undelivered", "failed",
                                        "delivered", "read",      "receiving",   "received"};
    unsigned i;

    (void)state;
    assert_int_equal(COUNT(words), LAST);
    for (i = 0; i < COUNT(words); i++) {
        wa_delivery_e delivery = wa_delivery_parse(words[i]);

        assert_int_equal(delivery, i + 1);
        assert_string_equal(wa_delivery_name(delivery), words[i]);
    }
    assert_int_equal(wa_delivery_parse(NULL), WA_DELIVERY_UNKNOWN);
    assert_int_equal(wa_delivery_parse(""), WA_DELIVERY_UNKNOWN);
    assert_int_equal(wa_delivery_parse("Delivered"), WA_DELIVERY_UNKNOWN);
    assert_int_equal(wa_delivery_parse("partially_delivered"), WA_DELIVERY_UNKNOWN);
    assert_int_equal(wa_delivery_parse("sent "), WA_DELIVERY_UNKNOWN);
    assert_null(wa_delivery_name(WA_DELIVERY_UNKNOWN));
    assert_null(wa_delivery_name((wa_delivery_e)99));
    assert_null(wa_delivery_name((wa_delivery_e)-1));
}

static void test_ranks_and_meaning(void **state)
{
    static const struct {
        wa_delivery_e delivery;
        int rank;
        wa_status_e status;
        int is_failure;
    } rows[] = {
        {WA_DELIVERY_UNKNOWN, -1, WA_STATUS_PENDING, 0},
        {WA_DELIVERY_ACCEPTED, 0, WA_STATUS_SUCCESS, 0},
        {WA_DELIVERY_SCHEDULED, 0, WA_STATUS_SUCCESS, 0},
        {WA_DELIVERY_QUEUED, 1, WA_STATUS_SUCCESS, 0},
        {WA_DELIVERY_SENDING, 2, WA_STATUS_SUCCESS, 0},
        {WA_DELIVERY_SENT, 3, WA_STATUS_SUCCESS, 0},
        {WA_DELIVERY_CANCELED, 4, WA_STATUS_FAILED, 1},
        {WA_DELIVERY_UNDELIVERED, 4, WA_STATUS_FAILED, 1},
        {WA_DELIVERY_FAILED, 4, WA_STATUS_FAILED, 1},
        {WA_DELIVERY_DELIVERED, 5, WA_STATUS_SUCCESS, 0},
        {WA_DELIVERY_READ, 6, WA_STATUS_SUCCESS, 0},
        {WA_DELIVERY_RECEIVING, -1, WA_STATUS_NONE, 0},
        {WA_DELIVERY_RECEIVED, -1, WA_STATUS_NONE, 0},
        {(wa_delivery_e)99, -1, WA_STATUS_PENDING, 0},
    };
    unsigned i;

    (void)state;
    for (i = 0; i < COUNT(rows); i++) {
        assert_int_equal(wa_delivery_rank(rows[i].delivery), rows[i].rank);
        assert_int_equal(wa_delivery_status(rows[i].delivery), rows[i].status);
        assert_int_equal(wa_delivery_is_failure(rows[i].delivery), rows[i].is_failure);
    }
}

static void test_what_replaces_what(void **state)
{
    (void)state;
    /* A late receipt undoes nothing. */
    assert_false(wa_delivery_is_newer(WA_DELIVERY_DELIVERED, WA_DELIVERY_SENT));
    assert_false(wa_delivery_is_newer(WA_DELIVERY_READ, WA_DELIVERY_DELIVERED));
    assert_false(wa_delivery_is_newer(WA_DELIVERY_SENT, WA_DELIVERY_QUEUED));
    /* A failure is final against what is not proven. */
    assert_true(wa_delivery_is_newer(WA_DELIVERY_SENT, WA_DELIVERY_UNDELIVERED));
    assert_true(wa_delivery_is_newer(WA_DELIVERY_QUEUED, WA_DELIVERY_FAILED));
    assert_false(wa_delivery_is_newer(WA_DELIVERY_FAILED, WA_DELIVERY_SENT));
    assert_false(wa_delivery_is_newer(WA_DELIVERY_UNDELIVERED, WA_DELIVERY_SENDING));
    /* Positive proof wins, both ways round. */
    assert_true(wa_delivery_is_newer(WA_DELIVERY_FAILED, WA_DELIVERY_DELIVERED));
    assert_true(wa_delivery_is_newer(WA_DELIVERY_UNDELIVERED, WA_DELIVERY_READ));
    assert_false(wa_delivery_is_newer(WA_DELIVERY_DELIVERED, WA_DELIVERY_FAILED));
    /* The unknown changes nothing, and is changed by anything known. */
    assert_false(wa_delivery_is_newer(WA_DELIVERY_UNKNOWN, WA_DELIVERY_UNKNOWN));
    assert_false(wa_delivery_is_newer(WA_DELIVERY_QUEUED, WA_DELIVERY_UNKNOWN));
    assert_false(wa_delivery_is_newer(WA_DELIVERY_UNKNOWN, WA_DELIVERY_RECEIVED));
    assert_true(wa_delivery_is_newer(WA_DELIVERY_UNKNOWN, WA_DELIVERY_ACCEPTED));
    assert_true(wa_delivery_is_newer(WA_DELIVERY_UNKNOWN, WA_DELIVERY_FAILED));
}

static wa_delivery_e merged(wa_delivery_e now, wa_delivery_e incoming)
{
    return wa_delivery_is_newer(now, incoming) ? incoming : now;
}

/* The rule is a maximum: the same again changes nothing, neither the order nor the grouping
 * matters. */
static void test_merging_has_no_order(void **state)
{
    int a, b, c;

    (void)state;
    for (a = 0; a <= LAST; a++) {
        assert_false(wa_delivery_is_newer((wa_delivery_e)a, (wa_delivery_e)a));
        for (b = 0; b <= LAST; b++) {
            assert_false(wa_delivery_is_newer((wa_delivery_e)a, (wa_delivery_e)b)
                         && wa_delivery_is_newer((wa_delivery_e)b, (wa_delivery_e)a));
            for (c = 0; c <= LAST; c++) {
                wa_delivery_e start = WA_DELIVERY_UNKNOWN;
                wa_delivery_e abc = merged(merged(merged(start, a), b), c);
                wa_delivery_e cba = merged(merged(merged(start, c), b), a);
                wa_delivery_e bac = merged(merged(merged(start, b), a), c);

                assert_int_equal(abc, cba);
                assert_int_equal(abc, bac);
            }
        }
    }
}

/* All orders of the callbacks at hand, each of them possibly twice, end in `end`. */
static void all_orders(const wa_delivery_e *left, int count, wa_delivery_e now, wa_delivery_e end)
{
    int i;

    if (count == 0) {
        assert_int_equal(now, end);
    }
    for (i = 0; i < count; i++) {
        wa_delivery_e rest[8];
        int k;
        int n = 0;

        for (k = 0; k < count; k++) {
            if (k != i) {
                rest[n++] = left[k];
            }
        }
        all_orders(rest, n, merged(now, left[i]), end);
    }
}

static void test_every_permutation_with_repeats(void **state)
{
    static const wa_delivery_e success[] = {WA_DELIVERY_QUEUED, WA_DELIVERY_SENT,
                                            WA_DELIVERY_SENT,   WA_DELIVERY_DELIVERED,
                                            WA_DELIVERY_READ,   WA_DELIVERY_READ};
    static const wa_delivery_e failure[] = {WA_DELIVERY_ACCEPTED, WA_DELIVERY_SENDING,
                                            WA_DELIVERY_SENT, WA_DELIVERY_FAILED,
                                            WA_DELIVERY_FAILED};
    static const wa_delivery_e both[] = {WA_DELIVERY_SENT,    WA_DELIVERY_UNDELIVERED,
                                         WA_DELIVERY_FAILED,  WA_DELIVERY_DELIVERED,
                                         WA_DELIVERY_UNKNOWN, WA_DELIVERY_SENT};
    static const wa_delivery_e failures[] = {WA_DELIVERY_UNDELIVERED, WA_DELIVERY_FAILED,
                                             WA_DELIVERY_CANCELED, WA_DELIVERY_SENT};

    (void)state;
    all_orders(success, COUNT(success), WA_DELIVERY_UNKNOWN, WA_DELIVERY_READ);
    all_orders(failure, COUNT(failure), WA_DELIVERY_UNKNOWN, WA_DELIVERY_FAILED);
    all_orders(both, COUNT(both), WA_DELIVERY_UNKNOWN, WA_DELIVERY_DELIVERED);
    all_orders(failures, COUNT(failures), WA_DELIVERY_UNKNOWN, WA_DELIVERY_FAILED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_ranks_and_meaning),
        cmocka_unit_test(test_what_replaces_what),
        cmocka_unit_test(test_merging_has_no_order),
        cmocka_unit_test(test_every_permutation_with_repeats),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
