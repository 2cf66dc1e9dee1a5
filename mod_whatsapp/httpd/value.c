/* SPDX-License-Identifier: Apache-2.0 */
/* Recognizes values that were meant for another place, and what of a value may be shown. */
#include "base/slice.h"
#include "httpd/value.h"

#include <string.h>
#include <sys/stat.h>

#include <apr_lib.h>
#include <apr_strings.h>
#include <httpd.h>
#include <http_config.h>

#define TWILIO_TOKEN "Twilio's are 32 hexadecimal digits"
#define TWILIO_TOKEN_LEN 32
#define TOKEN_MIN \
    5 /* simulators and the examples of Twilio's libraries have short ones, such as 12345 */

/* A word so long may be a token or a key. */
#define SECRET_MIN 32

/* What begins an SID, and how many hexadecimal digits follow; so many are enough to see that one
 * was meant. */
static const char *const sid_kinds[] = {"AC", "SK", "SM", "MM", "PN", "MG", "XE", "CA", NULL};
#define SID_DIGITS 32
#define SID_DIGITS_MEANT 20

static int is_word(char c)
{
    return apr_isalnum(c) || c == '_' || c == '-';
}

static apr_size_t hex_span(const char *text, apr_size_t len)
{
    apr_size_t i;

    for (i = 0; i < len && apr_isxdigit(text[i]); i++)
        ;
    return i;
}

static int is_sid(const char *text, apr_size_t len, apr_size_t digits)
{
    int i;

    for (i = 0; sid_kinds[i]; i++) {
        if (len >= 2 + digits && strncmp(text, sid_kinds[i], 2) == 0) {
            return hex_span(text + 2, len - 2) >= digits;
        }
    }
    return 0;
}

const char *wa_value_shown(const char *value, apr_pool_t *p)
{
    const char *host = strstr(value, "://");
    const char *at = host ? strrchr(host, '@') : NULL;
    const char *shown = "";

    if (at) {
        shown =
            apr_pstrcat(p, wa_slice_string(wa_slice_make(value, (apr_size_t)(host + 3 - value)), p),
                        "...", NULL);
        value = at;
    }
    while (*value) {
        apr_size_t len = 0;

        while (is_word(value[len])) {
            len++;
        }
        if (len >= SECRET_MIN && !is_sid(value, len, SID_DIGITS_MEANT)) {
            shown = apr_pstrcat(p, shown, "...", NULL);
        } else {
            shown = apr_pstrcat(p, shown, wa_slice_string(wa_slice_make(value, len), p), NULL);
        }
        value += len;
        for (len = 0; value[len] && !is_word(value[len]); len++)
            ;
        shown = apr_pstrcat(p, shown, wa_slice_string(wa_slice_make(value, len), p), NULL);
        value += len;
    }
    return shown;
}

/* ---- tokens ---- */

/* What a literal says about where the token really is. */
static const char *literal_flaw(const char *literal, apr_pool_t *p)
{
    const char *path = ap_server_root_relative(p, literal);
    struct stat info;

    if ((strncasecmp(literal, "file", 4) == 0 || strncasecmp(literal, "exec", 4) == 0)
        && (literal[4] == ':' || literal[4] == '=' || literal[4] == '/')) {
        return "is read from a file or a command when it begins with file: or exec:, in small "
               "letters and with a colon";
    }
    if (strpbrk(literal, "/\\") || literal[0] == '~' || literal[0] == '.') {
        return "looks like a path: write file: before it, such as file:whatsapp.token";
    }
    if (path && stat(path, &info) == 0) {
        return "is the name of a file in the ServerRoot: write file: before it";
    }
    return NULL;
}

const char *wa_value_token_flaw(const wa_secret_t *token, const char *literal, apr_pool_t *p)
{
    const char *flaw = literal ? literal_flaw(literal, p) : NULL;
    apr_size_t hex = hex_span(token->bytes, token->len);
    int digits = 0;
    apr_size_t i;

    if (flaw) {
        return flaw;
    }
    if (hex == TWILIO_TOKEN_LEN && token->len == TWILIO_TOKEN_LEN) {
        return NULL;
    }
    if (token->len == 2 + SID_DIGITS && is_sid(token->bytes, token->len, SID_DIGITS)) {
        return "is an SID: the auth token is another value, beside the account's SID in Twilio's "
               "console";
    }
    if (hex == token->len && hex > TWILIO_TOKEN_LEN - 8 && hex < TWILIO_TOKEN_LEN + 5) {
        return apr_psprintf(p, "is %d hexadecimal digits: " TWILIO_TOKEN ", is it whole?",
                            (int)token->len);
    }
    if (token->len < TOKEN_MIN) {
        return "is too short: " TWILIO_TOKEN "; write the token, file:PATH or exec:COMMAND";
    }
    for (i = 0; i < token->len; i++) {
        if (!is_word(token->bytes[i])) {
            return "has characters that no token has: " TWILIO_TOKEN
                   "; write the token, file:PATH or exec:COMMAND";
        }
        digits += apr_isdigit(token->bytes[i]) != 0;
    }
    return digits ? NULL
                  : "is no token: " TWILIO_TOKEN "; write the token, file:PATH or exec:COMMAND";
}

/* ---- stores ---- */

const char *wa_value_store_flaw(const char *value, apr_pool_t *p)
{
    const char *location = strncmp(value, "dbm:", 4) == 0 ? value + 4 : NULL;
    const char *colon = strchr(value, ':');

    if (!location && (value[0] == '/' || value[0] == '.' || !colon)) {
        return apr_psprintf(p, "a store is dbm: and its directory: write dbm:%s",
                            strchr(value, '/') ? value : wa_value_shown(value, p));
    }
    if (!location
        && (strncasecmp(value, "dbm:", 4) == 0 || strncasecmp(value, "file:", 5) == 0
            || strncasecmp(value, "exec:", 5) == 0)) {
        return apr_psprintf(p, "a store is dbm: and its directory: write dbm:%s", colon + 1);
    }
    if (!location) {
        return NULL;
    }
    if (location[0] == '~') {
        return "~ is not known here: write the directory's whole path";
    }
    if (strncmp(location, "dbm:", 4) == 0 || strncmp(location, "file:", 5) == 0
        || strncmp(location, "//", 2) == 0) {
        return "after dbm: stands the directory's path and nothing else, such as "
               "dbm:/var/lib/apache2/whatsapp";
    }
    if (strcmp(location, "/") == 0) {
        return "the root directory is no place for a store";
    }
    return NULL;
}

/* ---- URLs ---- */

static int ends_with(const char *text, const char *end)
{
    apr_size_t len = strlen(text);
    apr_size_t end_len = strlen(end);

    return len >= end_len && strcasecmp(text + len - end_len, end) == 0;
}

static int is_twilio(const char *host)
{
    return host && (strcasecmp(host, "twilio.com") == 0 || ends_with(host, ".twilio.com"));
}

const char *wa_value_public_url_flaw(const wa_url_t *url, apr_pool_t *p)
{
    if (is_twilio(url->host)) {
        return apr_psprintf(p, "%s is Twilio's; it must be this server as Twilio calls it",
                            url->host);
    }
    return NULL;
}

/* 1 when these are whole parts of the path. */
static int has_part(const char *path, const char *part)
{
    const apr_size_t len = strlen(part);
    const char *at;

    for (at = strstr(path, part); at; at = strstr(at + 1, part)) {
        if (at[len] == '/' || at[len] == '\0') {
            return 1;
        }
    }
    return 0;
}

const char *wa_value_twilio_url_flaw(const wa_url_t *url, apr_pool_t *p)
{
    if (has_part(url->path, "/2010-04-01") || has_part(url->path, "/Accounts")
        || has_part(url->path, "/Messages") || ends_with(url->path, "/Messages.json")
        || ends_with(url->path, "/webhook")) {
        return apr_psprintf(p,
                            "it must be what stands before the API's path, such as "
                            "https://api.twilio.com: leave out %s",
                            wa_value_shown(url->path, p));
    }
    return NULL;
}

/* Decoded, in small letters, without doubled slashes and without one at the end; places[i] is where
 * byte i came from. */
static char *path_plain(const char *path, int *places, apr_pool_t *tmp)
{
    char *plain = apr_palloc(tmp, strlen(path) + 1);
    int n = 0;
    int i;

    for (i = 0; path[i]; i++) {
        char c = path[i];
        int from = i;

        if (c == '%' && apr_isxdigit(path[i + 1]) && apr_isxdigit(path[i + 2])) {
            char digits[3] = {path[i + 1], path[i + 2], '\0'};

            c = (char)apr_strtoi64(digits, NULL, 16);
            i += 2;
        }
        if (c == '/' && n > 0 && plain[n - 1] == '/') {
            continue;
        }
        places[n] = from;
        plain[n++] = (char)apr_tolower(c);
    }
    while (n > 0 && plain[n - 1] == '/') {
        n--;
    }
    plain[n] = '\0';
    return plain;
}

/* 1 for what an address of the API has behind its base path. */
static int is_endpoint(const char *path)
{
    static const char *const endpoints[] = {"/send",     "/messages",       "/threads",
                                            "/contacts", "/messages-since", NULL};
    int i;

    for (i = 0; endpoints[i]; i++) {
        if (strcmp(path, endpoints[i]) == 0) {
            return 1;
        }
    }
    return 0;
}

/* The last place of `base` as whole parts of the path, -1 when it is not there; the empty one is
 * nowhere. */
static int base_find(const char *plain, const char *base)
{
    const apr_size_t len = strlen(base);
    const char *at;
    int found = -1;

    for (at = len > 0 ? strstr(plain, base) : NULL; at; at = strstr(at + 1, base)) {
        if (at[len] == '/' || at[len] == '\0') {
            found = (int)(at - plain);
        }
    }
    return found;
}

int wa_value_own_path(const char *path, const char *base_path, int *pis_certain, apr_pool_t *tmp)
{
    static const char webhook[] = "/webhook";
    int *places = apr_pcalloc(tmp, sizeof(*places) * (strlen(path) + 1));
    int *ignored = apr_pcalloc(tmp, sizeof(*ignored) * (strlen(base_path) + 1));
    const char *plain = path_plain(path, places, tmp);
    const char *base = path_plain(base_path, ignored, tmp);
    const int at = base_find(plain, base);
    const char *after = at < 0 ? "" : plain + at + strlen(base);

    /* A proxy's own path may well be one word that the API has too, but hardly both of these. */
    *pis_certain = at < 0
                       ? (*base == '\0' && strcmp(plain, webhook) == 0)
                       : strcmp(after, webhook) == 0
                             || (strchr(base + 1, '/') && (*after == '\0' || is_endpoint(after)));
    if (at >= 0) {
        return places[at];
    }
    if (ends_with(plain, webhook)) {
        return places[strlen(plain) - strlen(webhook)];
    }
    return -1;
}
