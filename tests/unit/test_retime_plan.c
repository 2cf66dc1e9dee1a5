/* SPDX-License-Identifier: Apache-2.0 */
/* Tests which times retime gives: growing, known dates kept, the others between them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../tools/retime_plan.c"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define END     \
    {           \
        0, 0, 0 \
    }

/* was, date, expected; before 100, now 1000 */
typedef struct case_t {
    retime_entry_t entries[6];
} case_t;

static void times_are_growing_and_fit(void **state)
{
    static const case_t cases[] = {
        {{{5000, 500, 500}, {5001, 600, 600}, END}},              /* known */
        {{{5000, 0, 981}, {5010, 0, 991}, {5019, 0, 1000}, END}}, /* as late as may be */
        {{{5000, 0, 549}, {5050, 0, 599}, {5051, 600, 600}, END}},
        {{{5000, 300, 300}, {5010, 0, 699}, {5011, 700, 700}, END}},
        {{{5000, 800, 600}, {5001, 600, 601}, {5002, 900, 900}, END}}, /* the clock went back */
        {{{5000, 600, 600}, {5001, 600, 601}, {5002, 600, 602}, END}},
        {{{5000, 50, 101}, {5001, 60, 102}, END}},                 /* before what is not ahead */
        {{{5000, 0, 101}, {9000, 0, 103}, {9001, 104, 104}, END}}, /* drawn together */
        {{{5000, 0, 101},
          {5000, 0, 102},
          {5000, 101, 103},
          END}}, /* no room: one after the other */
        {{{5000, 0, 999}, {5000, 0, 1000}, END}},
    };
    size_t i, k;

    (void)state;
    for (i = 0; i < COUNT(cases); i++) {
        retime_entry_t entries[6];
        size_t count = 0;

        memcpy(entries, cases[i].entries, sizeof(entries));
        while (entries[count].was_ms) {
            entries[count++].ms = -1;
        }
        retime_plan(entries, count, 100, 1000);
        for (k = 0; k < count; k++) {
            assert_true(entries[k].ms > (k ? entries[k - 1].ms : 100));
            assert_int_equal(entries[k].ms, cases[i].entries[k].ms);
        }
        assert_true(entries[count - 1].ms <= 1000);
    }
}

static void a_store_that_began_ahead_keeps_its_distances(void **state)
{
    retime_entry_t entries[] = {{5000, 0, 0}, {5700, 0, 0}, {6200, 0, 0}};

    (void)state;
    retime_plan(entries, COUNT(entries), 0, 10000);
    assert_int_equal(entries[2].ms, 10000);
    assert_int_equal(entries[1].ms, 9500);
    assert_int_equal(entries[0].ms, 8800);
}

static void many_are_in_order_wherever_they_fit(void **state)
{
    static retime_entry_t entries[20000];
    const size_t counts[] = {1, 2, 50, 899, 900, 901, 20000};
    unsigned seed = 1;
    size_t i, k;

    (void)state;
    for (i = 0; i < COUNT(counts) * 3; i++) {
        const size_t count = counts[i / 3];
        int64_t was = 50000;

        for (k = 0; k < count; k++) {
            seed = seed * 1103515245 + 12345;
            was += seed >> 16 & (i % 3 ? 1023 : 1);
            entries[k].was_ms = was;
            entries[k].date_ms = i % 3 == 2 && seed >> 20 & 1 ? 100 + (seed >> 8) % 900 : 0;
            entries[k].ms = -1;
        }
        retime_plan(entries, count, 100, 1000);
        for (k = 0; k < count; k++) {
            assert_true(entries[k].ms > (k ? entries[k - 1].ms : 100));
            assert_true(k == 0 || retime_map(entries, count, entries[k].was_ms) <= entries[k].ms);
        }
        assert_true(count > 900 || i % 3 == 2 || entries[count - 1].ms <= 1000);
        assert_true(entries[count - 1].ms <= 1000 + (int64_t)count);
    }
    assert_int_equal(retime_map(entries, 20000, INT64_MAX), entries[19999].ms);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_are_growing_and_fit),
        cmocka_unit_test(a_store_that_began_ahead_keeps_its_distances),
        cmocka_unit_test(many_are_in_order_wherever_they_fit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
