/* SPDX-License-Identifier: Apache-2.0 */
/* The directives that say who may send how much, and to whom. */
#include "httpd/directives_policy.h"

#include <apr_lib.h>
#include <apr_strings.h>

#include "base/text.h"
#include "base/unicode.h"
#include "httpd/config.h"
#include "httpd/value.h"

#define WORDS_MAX 64
#define WORD_BYTES_MAX 64
#define RATE_MAX 1000

const char *wa_directive_enforce_window(cmd_parms *cmd, void *dir, int flag)
{
    (void)dir;
    wa_config_get(cmd->server)->enforce_window = flag != 0;
    return NULL;
}

/* Makes the list of words; "none" by itself is the empty one. */
static const char *words_set(cmd_parms *cmd, int argc, char *const argv[],
                             const char *const **pwords)
{
    const char **words = apr_pcalloc(cmd->pool, sizeof(*words) * (apr_size_t)(argc + 1));
    int i;

    if (argc < 1 || argc > WORDS_MAX) {
        return apr_psprintf(cmd->pool, "%s takes 1 to %d words, or none", cmd->cmd->name,
                            WORDS_MAX);
    }
    for (i = 0; i < argc; i++) {
        const apr_size_t len = strlen(argv[i]);

        if (strstr(argv[i], "${")) {
            return apr_psprintf(cmd->pool,
                                "%s: a variable in its value (${...}) is not defined: Define it "
                                "before, or set it in the environment that httpd is started from",
                                cmd->cmd->name);
        }
        if (len > WORD_BYTES_MAX || wa_text_is_unseen(argv[i], len)
            || !wa_text_is_utf8(argv[i], len)) {
            return apr_psprintf(cmd->pool, "%s must be words of up to %d bytes, not '%s'",
                                cmd->cmd->name, WORD_BYTES_MAX, wa_value_shown(argv[i], cmd->pool));
        }
        words[i] = argv[i];
    }
    if (argc == 1 && strcmp(argv[0], "none") == 0) {
        words[0] = NULL;
    }
    *pwords = words;
    return NULL;
}

const char *wa_directive_stop_words(cmd_parms *cmd, void *dir, int argc, char *const argv[])
{
    (void)dir;
    return words_set(cmd, argc, argv, &wa_config_get(cmd->server)->stop_words);
}

const char *wa_directive_start_words(cmd_parms *cmd, void *dir, int argc, char *const argv[])
{
    (void)dir;
    return words_set(cmd, argc, argv, &wa_config_get(cmd->server)->start_words);
}

const char *wa_directive_send_rate(cmd_parms *cmd, void *dir, const char *value)
{
    static const struct {
        const char *name;
        apr_interval_time_t period;
    } units[] = {{"/second", apr_time_from_sec(1)},
                 {"/minute", apr_time_from_sec(60)},
                 {"/hour", apr_time_from_sec(3600)}};
    wa_config_t *config = wa_config_get(cmd->server);
    apr_int64_t count;
    char *end;
    apr_size_t i;

    (void)dir;
    if (strstr(value, "${")) {
        return apr_psprintf(cmd->pool,
                            "%s: a variable in its value (${...}) is not defined: Define it "
                            "before, or set it in the environment that httpd is started from",
                            cmd->cmd->name);
    }
    config->send_rate_set = 1;
    config->send_rate.count = 0;
    if (strcmp(value, "off") == 0) {
        return NULL;
    }
    count = apr_isdigit(*value) ? apr_strtoi64(value, &end, 10) : 0;
    for (i = 0; i < sizeof(units) / sizeof(units[0]) && count >= 1 && count <= RATE_MAX; i++) {
        if (strcmp(end, units[i].name) == 0) {
            config->send_rate.count = (apr_uint32_t)count;
            config->send_rate.period = units[i].period;
            return NULL;
        }
    }
    return apr_psprintf(cmd->pool,
                        "%s must be a number from 1 to %d and /second, /minute or /hour, such as "
                        "30/minute, or off, not '%s'",
                        cmd->cmd->name, RATE_MAX, wa_value_shown(value, cmd->pool));
}
