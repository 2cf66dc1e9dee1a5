/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the clock's unit. */
#include "test_base.h"

#include <time.h>

#include "base/clock.h"

static int64_t system_ms(void)
{
    struct timespec now;

    assert_int_equal(clock_gettime(CLOCK_REALTIME, &now), 0);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Between two looks at the system's clock; once more when somebody set it back in between. */
static void test_it_is_the_systems_time_in_milliseconds(void **state)
{
    int64_t before, now, after;

    (void)state;
    do {
        before = system_ms();
        now = wa_clock_now_ms();
        after = system_ms();
    } while (after < before);
    assert_true(before <= now && now <= after);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_is_the_systems_time_in_milliseconds),
    };

    return cmocka_run_group_tests(tests, apr_setup, apr_teardown);
}
