/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the log seam. */
#include "test_base.h"

#include "base/log.h"

/* Keeps what the last line was and how many there were. */
typedef struct sink_t {
    wa_log_level_e threshold;
    int lines;
    wa_log_level_e level;
    char tag[16];
    apr_status_t rv;
    char text[2048];
} sink_t;

static int sink_is_on(void *baton, wa_log_level_e level)
{
    return level <= ((sink_t *)baton)->threshold;
}

static void sink_write(void *baton, wa_log_level_e level, const char *tag, apr_status_t rv,
                       const char *text)
{
    sink_t *sink = baton;

    sink->lines++;
    sink->level = level;
    sink->rv = rv;
    strncpy(sink->tag, tag, sizeof(sink->tag) - 1);
    assert_true(strlen(text) < sizeof(sink->text));
    strcpy(sink->text, text);
}

static void test_a_line_arrives_whole(void **state)
{
    sink_t sink = {.threshold = WA_LOG_INFO};
    wa_log_t log = {sink_is_on, sink_write, &sink};

    (void)state;
    WA_LOG(&log, WA_LOG_WARNING, "WA0312", APR_TIMEUP, "sid=%s http=%d", "SM1", 429);
    assert_int_equal(sink.lines, 1);
    assert_int_equal(sink.level, WA_LOG_WARNING);
    assert_string_equal(sink.tag, "WA0312");
    assert_int_equal(sink.rv, APR_TIMEUP);
    assert_string_equal(sink.text, "sid=SM1 http=429");
}

static void test_a_line_that_is_off_costs_nothing(void **state)
{
    sink_t sink = {.threshold = WA_LOG_INFO};
    wa_log_t log = {sink_is_on, sink_write, &sink};
    int evaluated = 0;

    (void)state;
    assert_true(wa_log_is_on(&log, WA_LOG_INFO));
    assert_false(wa_log_is_on(&log, WA_LOG_DEBUG));
    WA_LOG(&log, WA_LOG_DEBUG, "WA0101", APR_SUCCESS, "%d", ++evaluated);
    assert_int_equal(evaluated, 0);
    assert_int_equal(sink.lines, 0);
    WA_LOG(&log, WA_LOG_INFO, "WA0101", APR_SUCCESS, "%d", ++evaluated);
    assert_int_equal(evaluated, 1);
    assert_int_equal(sink.lines, 1);
}

static void test_no_log_is_fine(void **state)
{
    const wa_log_t *none = NULL;

    (void)state;
    assert_false(wa_log_is_on(none, WA_LOG_ERR));
    WA_LOG(none, WA_LOG_ERR, "WA0101", APR_EGENERAL, "%s", "nobody listens");
    wa_log_write(none, WA_LOG_ERR, "WA0101", APR_EGENERAL, "%s", "nobody listens");
}

static void test_a_long_line_is_cut(void **state)
{
    sink_t sink = {.threshold = WA_LOG_DEBUG};
    wa_log_t log = {sink_is_on, sink_write, &sink};
    char text[1501];

    (void)state;
    memset(text, 'x', 1500);
    text[1500] = '\0';
    WA_LOG(&log, WA_LOG_ERR, "WA0101", APR_SUCCESS, "%s", text);
    assert_int_equal(strlen(sink.text), 1000);
    text[1000] = '\0';
    assert_string_equal(sink.text, text);
}

static void test_a_value_makes_no_second_line(void **state)
{
    sink_t sink = {.threshold = WA_LOG_DEBUG};
    wa_log_t log = {sink_is_on, sink_write, &sink};

    (void)state;
    WA_LOG(&log, WA_LOG_ERR, "WA0101", APR_SUCCESS, "from=%s",
           "a\r\n[error] b\x1b[2J\x7f \xc3\xa4");
    assert_string_equal(sink.text, "from=a??[error] b?[2J? \xc3\xa4");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_line_arrives_whole),
        cmocka_unit_test(test_a_line_that_is_off_costs_nothing),
        cmocka_unit_test(test_no_log_is_fine),
        cmocka_unit_test(test_a_long_line_is_cut),
        cmocka_unit_test(test_a_value_makes_no_second_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
