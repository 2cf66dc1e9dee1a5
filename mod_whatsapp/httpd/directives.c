/* SPDX-License-Identifier: Apache-2.0 */
/* The directives: each value checked when it is read, refused with the directive's name, the value
 * and what is allowed. */
#include <arpa/inet.h>

#include <apr_lib.h>
#include <apr_strings.h>
#include <httpd.h>
#include <http_config.h>
#include <http_core.h>

#include "base/id.h"
#include "base/phone.h"
#include "base/url.h"
#include "httpd/check_report.h"
#include "httpd/config.h"
#include "httpd/directives_policy.h"
#include "httpd/access.h"
#include "httpd/secrets.h"
#include "httpd/value.h"

#define URL_BYTES_MAX 2048

static const char *refuse(const cmd_parms *cmd, const char *value, const char *allowed)
{
    return apr_psprintf(cmd->pool, "%s must be %s, not '%s'", cmd->cmd->name, allowed,
                        wa_value_shown(value, cmd->pool));
}

/* httpd passes the text of a variable that is not defined on as it is. */
static const char *refuse_unexpanded(const cmd_parms *cmd, const char *value)
{
    if (!strstr(value, "${")) {
        return NULL;
    }
    return apr_psprintf(
        cmd->pool,
        "%s: a variable in its value (${...}) is not defined: Define it before, or set it in the "
        "environment that httpd is started from",
        cmd->cmd->name);
}

static const char *set_account_sid(cmd_parms *cmd, void *dir, const char *value)
{
    const char *wrong = refuse_unexpanded(cmd, value);

    (void)dir;
    if (wrong) {
        return wrong;
    }
    if (!wa_id_is_sid(value, "AC")) {
        return refuse(cmd, value, "an account SID: AC and 32 hexadecimal digits");
    }
    wa_config_get(cmd->server)->account_sid = value;
    return NULL;
}

/* What mod_info may show of a token: where it comes from, never what it is. */
static const char *token_shown(const char *value, apr_pool_t *p)
{
    if (strncmp(value, "file:", 5) == 0) {
        return value;
    }
    if (strncmp(value, "exec:", 5) == 0) {
        return apr_pstrcat(p, apr_pstrndup(p, value, strcspn(value, " \t")), " ...", NULL);
    }
    return "(not shown)";
}

static int is_outside(const char *value)
{
    return strncmp(value, "file:", 5) == 0 || strncmp(value, "exec:", 5) == 0;
}

static const char *token_flaw(const char *value, const wa_secret_t *token, apr_pool_t *p)
{
    const char *flaw = wa_value_token_flaw(token, is_outside(value) ? NULL : value, p);

    if (!flaw || !is_outside(value)) {
        return flaw;
    }
    return apr_psprintf(p, "'%s': what it gives %s", token_shown(value, p), flaw);
}

/* What is wrong with a file or command is not the configuration's fault: a start is refused for it,
 * in post_config, but a reload must not end the server, nor must a command that stops it find
 * itself refused. */
static const char *set_auth_token(cmd_parms *cmd, void *dir, const char *value,
                                  const char *old_value)
{
    wa_config_t *config = wa_config_get(cmd->server);
    const char *values[WA_MESSENGER_TOKENS_MAX] = {value, old_value};
    wa_secret_t tokens[WA_MESSENGER_TOKENS_MAX] = {{NULL, 0}, {NULL, 0}};
    apr_size_t count = 0;

    (void)dir;
    /* The directive's text stays in httpd's memory for mod_info. */
    cmd->directive->args = token_shown(value, cmd->pool);
    if (old_value) {
        cmd->directive->args = apr_pstrcat(cmd->pool, cmd->directive->args, " ",
                                           token_shown(old_value, cmd->pool), NULL);
    }
    config->open_file = NULL;
    config->token_wrong = NULL;
    while (count < WA_MESSENGER_TOKENS_MAX && values[count]) {
        const char *open_file = NULL;
        const char *wrong = refuse_unexpanded(cmd, values[count]);

        if (wrong) {
            return wrong;
        }
        wrong = wa_secret_read(values[count], &tokens[count], &open_file, cmd->pool);
        if (!wrong) {
            wrong = token_flaw(values[count], &tokens[count], cmd->pool);
        }
        if (wrong) {
            wrong = apr_psprintf(cmd->pool, "%s: the %s token %s", cmd->cmd->name,
                                 count == 0 ? "first" : "second", wrong);
            if (!is_outside(values[count])
                || ap_state_query(AP_SQ_RUN_MODE) == AP_SQ_RM_CONFIG_TEST) {
                return wrong;
            }
            config->token_wrong = apr_psprintf(cmd->pool, "%s:%d: %s", cmd->directive->filename,
                                               cmd->directive->line_num, wrong);
            break;
        }
        if (open_file) {
            config->open_file = open_file;
        }
        count++;
    }
    memcpy(config->tokens, tokens, sizeof(tokens));
    config->token_count = count;
    return NULL;
}

static const char *set_number(cmd_parms *cmd, void *dir, const char *value)
{
    const char *wrong = refuse_unexpanded(cmd, value);
    const char *number;

    (void)dir;
    if (wrong) {
        return wrong;
    }
    number = wa_phone_normalize(value, cmd->pool);
    if (!number) {
        return refuse(cmd, value, "a number with its country code, such as whatsapp:+14155238886");
    }
    wa_config_get(cmd->server)->number = number;
    return NULL;
}

/* @return the URL without slashes at its end | NULL it is none of a server. */
static const char *base_url_read(const char *value, wa_url_t *url, apr_pool_t *p)
{
    const char *base = strlen(value) <= URL_BYTES_MAX ? wa_url_base_read(url, value, p) : NULL;

    /* An underscore is for records about a host, not for its name (RFC 8553): not every client goes
     * there. */
    return base && !strchr(url->host, '_') ? base : NULL;
}

static const char *set_public_url(cmd_parms *cmd, void *dir, const char *value)
{
    const char *wrong = refuse_unexpanded(cmd, value);
    const char *url;
    wa_url_t parts;

    (void)dir;
    if (wrong) {
        return wrong;
    }
    url = base_url_read(value, &parts, cmd->pool);
    if (!url) {
        return refuse(cmd, value,
                      "what Twilio calls this server: http:// or https://, a host name without "
                      "underscore, perhaps a port and a path; "
                      "no user, query or fragment");
    }
    wrong = wa_value_public_url_flaw(&parts, cmd->pool);
    if (wrong) {
        return apr_psprintf(cmd->pool, "%s '%s': %s", cmd->cmd->name,
                            wa_value_shown(value, cmd->pool), wrong);
    }
    wa_config_get(cmd->server)->public_url = url;
    return NULL;
}

static int is_this_machine(const char *host)
{
    struct in_addr v4;

    return strcmp(host, "localhost") == 0 || strcmp(host, "::1") == 0
           || (strncmp(host, "127.", 4) == 0 && inet_pton(AF_INET, host, &v4) == 1);
}

static const char *set_twilio_url(cmd_parms *cmd, void *dir, const char *value)
{
    const char *wrong = refuse_unexpanded(cmd, value);
    const char *url;
    wa_url_t parts;

    (void)dir;
    if (wrong) {
        return wrong;
    }
    url = base_url_read(value, &parts, cmd->pool);
    if (!url || (!parts.is_https && !is_this_machine(parts.host))) {
        return refuse(cmd, value,
                      "an https:// URL without user, query or fragment (http:// only for "
                      "127.0.0.1, ::1 and localhost)");
    }
    wrong = wa_value_twilio_url_flaw(&parts, cmd->pool);
    if (wrong) {
        return apr_psprintf(cmd->pool, "%s '%s': %s", cmd->cmd->name,
                            wa_value_shown(value, cmd->pool), wrong);
    }
    wa_config_get(cmd->server)->twilio_url = url;
    return NULL;
}

/* Makes the path of "dbm:path" absolute: relative to the ServerRoot, like every path in httpd's
 * configuration. */
static const char *store_uri_make(const char *value, apr_pool_t *p)
{
    const char *path;

    if (strncmp(value, "dbm:", 4) != 0 || value[4] == '/' || value[4] == '\0') {
        return value;
    }
    path = ap_server_root_relative(p, value + 4);
    return path ? apr_pstrcat(p, "dbm:", path, NULL) : value;
}

static const char *set_store(cmd_parms *cmd, void *dir, int argc, char *const argv[])
{
    const char *wrong;
    const char *key;
    const char *uri;
    const char *reason = NULL;
    int i;

    (void)dir;
    if (argc < 1) {
        return apr_psprintf(cmd->pool, "%s needs a store, such as dbm:/var/lib/apache2/whatsapp",
                            cmd->cmd->name);
    }
    reason = wa_value_store_flaw(argv[0], cmd->pool);
    if (reason && !strstr(argv[0], "${")) {
        return apr_psprintf(cmd->pool, "%s: '%s': %s", cmd->cmd->name,
                            wa_value_shown(argv[0], cmd->pool), reason);
    }
    uri = store_uri_make(argv[0], cmd->pool);
    for (i = 1; i < argc; i++) {
        uri = apr_pstrcat(cmd->pool, uri, " ", argv[i], NULL);
    }
    wrong = refuse_unexpanded(cmd, uri);
    if (wrong) {
        return wrong;
    }
    /* A type may be gone with its package: a reload finds that out when it opens the store. */
    if (wa_store_check(uri, &reason, &key, cmd->pool) != APR_SUCCESS && !wa_check_is_reload()) {
        return apr_psprintf(cmd->pool, "%s: '%s': %s", cmd->cmd->name, uri,
                            reason ? reason : "no such store");
    }
    wa_config_get(cmd->server)->store_uri = uri;
    return NULL;
}

static const char *set_sync(cmd_parms *cmd, void *dir, const char *value)
{
    wa_config_t *config = wa_config_get(cmd->server);
    const char *wrong = refuse_unexpanded(cmd, value);
    apr_interval_time_t interval = 0;

    (void)dir;
    if (wrong) {
        return wrong;
    }
    if (strcmp(value, "always") == 0) {
        config->sync = WA_SYNC_ALWAYS;
    } else if (strcmp(value, "off") == 0) {
        config->sync = WA_SYNC_OFF;
    } else if (strncmp(value, "interval=", 9) == 0
               && ap_timeout_parameter_parse(value + 9, &interval, "s") == APR_SUCCESS
               && interval >= apr_time_from_msec(10) && interval <= apr_time_from_sec(3600)) {
        config->sync = WA_SYNC_INTERVAL;
    } else {
        return refuse(cmd, value,
                      "always, off, or interval= and a time from 10ms to 1h, such as interval=1s");
    }
    config->sync_interval = interval;
    return NULL;
}

static const char *time_set(const cmd_parms *cmd, const char *value, apr_interval_time_t max,
                            apr_interval_time_t *ptime)
{
    const char *wrong = refuse_unexpanded(cmd, value);

    if (wrong) {
        return wrong;
    }
    if (ap_timeout_parameter_parse(value, ptime, "s") != APR_SUCCESS
        || *ptime < apr_time_from_msec(10) || *ptime > max) {
        return refuse(cmd, value,
                      apr_psprintf(cmd->pool,
                                   "a time from 10ms to %" APR_TIME_T_FMT "s, such as 5s or 500ms",
                                   apr_time_sec(max)));
    }
    return NULL;
}

static const char *set_twilio_timeout(cmd_parms *cmd, void *dir, const char *connect,
                                      const char *total)
{
    wa_config_t *config = wa_config_get(cmd->server);
    apr_interval_time_t connect_time = 0;
    apr_interval_time_t total_time = 0;
    const char *wrong = time_set(cmd, connect, apr_time_from_sec(60), &connect_time);

    (void)dir;
    if (!wrong) {
        wrong = time_set(cmd, total, apr_time_from_sec(300), &total_time);
    }
    if (wrong) {
        return wrong;
    }
    if (connect_time > total_time) {
        return apr_psprintf(cmd->pool,
                            "%s: the time to connect, '%s', must not be longer than the time of "
                            "the whole call, '%s'",
                            cmd->cmd->name, connect, total);
    }
    config->connect_timeout = connect_time;
    config->total_timeout = total_time;
    return NULL;
}

#define RECONCILE_ALLOWED                                                           \
    "on or off, perhaps followed by interval= and a time from 100ms to 24h and by " \
    "lookback= and a time from 100ms to 720h, such as on interval=60s lookback=24h"

/* Takes "name=TIME" with a time within limits. @return NULL when it was that. */
static const char *named_time(const cmd_parms *cmd, const char *value, const char *name,
                              apr_interval_time_t max, apr_interval_time_t *ptime)
{
    const apr_size_t len = strlen(name);
    apr_interval_time_t time = 0;

    if (strncmp(value, name, len) != 0 || value[len] != '='
        || ap_timeout_parameter_parse(value + len + 1, &time, "s") != APR_SUCCESS
        || time < apr_time_from_msec(100) || time > max) {
        return refuse(cmd, value, RECONCILE_ALLOWED);
    }
    *ptime = time;
    return NULL;
}

static const char *set_reconcile(cmd_parms *cmd, void *dir, int argc, char *const argv[])
{
    wa_config_t *config = wa_config_get(cmd->server);
    apr_interval_time_t interval = WA_CONFIG_UNSET, look_back = WA_CONFIG_UNSET;
    const char *wrong;
    int i;

    (void)dir;
    wrong = argc < 1 ? NULL : refuse_unexpanded(cmd, argv[0]);
    if (wrong) {
        return wrong;
    }
    if (argc < 1 || (strcmp(argv[0], "on") != 0 && strcmp(argv[0], "off") != 0)) {
        return refuse(cmd, argc < 1 ? "" : argv[0], RECONCILE_ALLOWED);
    }
    for (i = 1; i < argc; i++) {
        wrong = refuse_unexpanded(cmd, argv[i]);
        if (!wrong && strncmp(argv[i], "lookback", 8) == 0) {
            wrong = named_time(cmd, argv[i], "lookback", apr_time_from_sec(720 * 3600), &look_back);
        } else if (!wrong) {
            wrong = named_time(cmd, argv[i], "interval", apr_time_from_sec(24 * 3600), &interval);
        }
        if (wrong) {
            return wrong;
        }
    }
    config->reconcile = strcmp(argv[0], "on") == 0;
    config->reconcile_interval = interval;
    config->reconcile_look_back = look_back;
    return NULL;
}

static const char *set_max_body(cmd_parms *cmd, void *dir, const char *value)
{
    const char *wrong = refuse_unexpanded(cmd, value);
    apr_off_t size = 0;
    char *end = NULL;

    (void)dir;
    if (wrong) {
        return wrong;
    }
    if (apr_isdigit(*value) && apr_strtoff(&size, value, &end, 10) == APR_SUCCESS
        && size <= 64 * 1024 * 1024) {
        if (apr_toupper(*end) == 'K') {
            size *= 1024;
            end++;
        } else if (apr_toupper(*end) == 'M') {
            size *= 1024 * 1024;
            end++;
        }
    }
    if (!end || *end != '\0' || size < 1024 || size > 64 * 1024 * 1024) {
        return refuse(cmd, value, "a number of bytes from 1K to 64M, such as 64K");
    }
    wa_config_get(cmd->server)->max_body = size;
    return NULL;
}

static const char *set_max_sends(cmd_parms *cmd, void *dir, const char *value)
{
    const char *wrong = refuse_unexpanded(cmd, value);
    char *end = NULL;
    apr_int64_t count;

    (void)dir;
    if (wrong) {
        return wrong;
    }
    count = apr_strtoi64(value, &end, 10);
    if (!apr_isdigit(*value) || *end != '\0' || count < 1 || count > 65536) {
        return refuse(cmd, value, "a number from 1 to 65536");
    }
    wa_config_get(cmd->server)->max_sends = (int)count;
    return NULL;
}

static const char *set_base_path(cmd_parms *cmd, void *dir, const char *value)
{
    const char *wrong = refuse_unexpanded(cmd, value);
    apr_size_t len = strlen(value);
    const char *c;

    (void)dir;
    if (wrong) {
        return wrong;
    }
    for (c = value; *c && (apr_isalnum(*c) || strchr("-._~/", *c)); c++)
        ;
    if (*value != '/' || *c != '\0' || strstr(value, "//") || strstr(value, "/.")) {
        return refuse(
            cmd, value,
            "the path of the API: it begins with / and has letters, digits, - _ . ~ and / only");
    }
    while (len > 0 && value[len - 1] == '/') {
        len--;
    }
    wa_config_get(cmd->server)->base_path = apr_pstrndup(cmd->pool, value, len);
    return NULL;
}

/* Each description names the default. conf/whatsapp-reference.conf lists the same directives; `make
 * lint` compares them. */
/* clang-format off */
const command_rec wa_config_commands[] = {
    AP_INIT_TAKE1("WhatsAppAccountSID", set_account_sid, NULL, RSRC_CONF,
                  "the Twilio account: AC and 32 hexadecimal digits; required"),
    AP_INIT_TAKE12("WhatsAppAuthToken", set_auth_token, NULL, RSRC_CONF,
                   "the account's auth token, file:PATH or exec:COMMAND; a second one is accepted "
                   "in signatures too; required"),
    AP_INIT_TAKE1("WhatsAppNumber", set_number, NULL, RSRC_CONF,
                  "our WhatsApp number, such as whatsapp:+14155238886; required"),
    AP_INIT_TAKE1("WhatsAppPublicURL", set_public_url, NULL, RSRC_CONF,
                  "the scheme and host that Twilio calls, such as https://chat.example.org; no "
                  "receipts without it"),
    AP_INIT_TAKE_ARGV("WhatsAppStore", set_store, NULL, RSRC_CONF,
                      "where messages are kept: dbm:DIRECTORY [type=db|gdbm|sdbm|default]; httpd's "
                      "state directory"),
    AP_INIT_TAKE1("WhatsAppSync", set_sync, NULL, RSRC_CONF,
                  "when what is acknowledged is on the disk: always, interval=TIME or off; always"),
    AP_INIT_TAKE1("WhatsAppTwilioURL", set_twilio_url, NULL, RSRC_CONF,
                  "where Twilio's REST API is; https://api.twilio.com"),
    AP_INIT_TAKE2("WhatsAppTwilioTimeout", set_twilio_timeout, NULL, RSRC_CONF,
                  "the time to connect to Twilio and the time of a whole call; 10s 30s"),
    AP_INIT_TAKE_ARGV("WhatsAppReconcile", set_reconcile, NULL, RSRC_CONF,
                      "asking Twilio for what was missed: on or off [interval=TIME] "
                      "[lookback=TIME]; on interval=60s lookback=24h"),
    AP_INIT_TAKE1("WhatsAppMaxBody", set_max_body, NULL, RSRC_CONF,
                  "the largest request body; 64K"),
    AP_INIT_TAKE1("WhatsAppMaxSends", set_max_sends, NULL, RSRC_CONF,
                  "the sends that may wait for Twilio at one time in the whole server; three "
                  "quarters of its threads"),
    AP_INIT_TAKE1("WhatsAppSendRate", wa_directive_send_rate, NULL, RSRC_CONF,
                  "how many messages one client address, and one user, may send: N/second, "
                  "N/minute, N/hour or off; off"),
    AP_INIT_FLAG("WhatsAppEnforceWindow", wa_directive_enforce_window, NULL, RSRC_CONF,
                 "on: only templates are sent to who has not written in the last 24 hours; off"),
    AP_INIT_TAKE_ARGV("WhatsAppStopWords", wa_directive_stop_words, NULL, RSRC_CONF,
                      "messages that opt their sender out, or none; STOP STOPALL UNSUBSCRIBE "
                      "CANCEL END QUIT OPTOUT REVOKE"),
    AP_INIT_TAKE_ARGV("WhatsAppStartWords", wa_directive_start_words, NULL, RSRC_CONF,
                      "messages that opt their sender in again, or none; START YES UNSTOP"),
    AP_INIT_TAKE1("WhatsAppBasePath", set_base_path, NULL, RSRC_CONF,
                  "where the API is, when its Location is another; /api/whatsapp-messenger"),
    AP_INIT_FLAG("WhatsAppRequireUser", wa_directive_require_user, NULL, RSRC_CONF | ACCESS_CONF,
                 "on: the API, but for its webhook, answers only who logged in, whatever a later "
                 "section says of Require; off"),
    {NULL}
};
/* clang-format on */
