/* SPDX-License-Identifier: Apache-2.0 */
/* Whether the paths in the configuration meet: Location, WhatsAppBasePath and WhatsAppPublicURL. */
#include "base/slice.h"
#include "httpd/check_paths.h"

#include <apr_fnmatch.h>
#include <apr_strings.h>
#include <apr_tables.h>
#include <apr_uri.h>
#include <http_config.h>
#include <http_core.h>

#include "httpd/check_report.h"
#include "httpd/config.h"
#include "httpd/lifecycle.h"
#include "httpd/shape.h"

/* One place of the configuration that sets the handler. */
typedef struct place_t {
    const ap_directive_t *node;
    const ap_directive_t
        *location;     /* the section around it that says for which paths; NULL: for any */
    server_rec *vhost; /* NULL: for all servers */
    int is_used;       /* it serves some server's API */
} place_t;

/* The server that a <VirtualHost> section made, or NULL. */
static server_rec *server_of_section(server_rec *main_server, const ap_directive_t *section)
{
    server_rec *s;

    for (s = main_server->next; s; s = s->next) {
        if (s->defn_name && strcmp(s->defn_name, section->filename) == 0
            && (int)s->defn_line_number == section->line_num)
            return s;
    }
    return NULL;
}

/* Whether the directive makes requests come to our handler: also a RewriteRule's flag H= does. */
static int is_handler_set(const ap_directive_t *node)
{
    return (ap_cstr_casecmp(node->directive, "SetHandler") == 0
            || ap_cstr_casecmp(node->directive, "AddHandler") == 0
            || ap_cstr_casecmp(node->directive, "RewriteRule") == 0)
           && node->args && strstr(node->args, WA_HANDLER_NAME) != NULL;
}

static int is_location(const ap_directive_t *node)
{
    return ap_cstr_casecmp(node->directive, "<Location") == 0
           || ap_cstr_casecmp(node->directive, "<LocationMatch") == 0;
}

static void places_find(server_rec *main_server, const ap_directive_t *node, place_t around,
                        apr_array_header_t *places)
{
    for (; node; node = node->next) {
        place_t inside = around;

        if (ap_cstr_casecmp(node->directive, "<VirtualHost") == 0)
            inside.vhost = server_of_section(main_server, node);
        if (is_location(node))
            inside.location = node;
        if (is_handler_set(node)) {
            around.node = node;
            APR_ARRAY_PUSH(places, place_t) = around;
            if (ap_cstr_casecmp(node->directive, "RewriteRule") == 0)
                APR_ARRAY_IDX(places, places->nelts - 1, place_t).location = NULL;
        }
        if (node->first_child)
            places_find(main_server, node->first_child, inside, places);
    }
}

/* ---- a Location and an API ---- */

/* What a section's line names: "<Location "/a">" gives /a; *pis_regex for LocationMatch and ~. */
static const char *location_path(const ap_directive_t *location, int *pis_regex, apr_pool_t *tmp)
{
    const char *args = apr_pstrdup(tmp, location->args);
    char *end = strrchr(args, '>');
    const char *word;

    if (end)
        *end = '\0';
    *pis_regex = ap_cstr_casecmp(location->directive, "<LocationMatch") == 0;
    word = ap_getword_conf(tmp, &args);
    if (strcmp(word, "~") == 0) {
        *pis_regex = 1;
        word = ap_getword_conf(tmp, &args);
    }
    return word;
}

static int is_below(const char *path, const char *base)
{
    apr_size_t len = strlen(base);

    if (strncmp(path, base, len) != 0)
        return 0;
    return len == 0 || base[len - 1] == '/' || path[len] == '/' || path[len] == '\0';
}

/* 1 when a path of the API below `base` is in the section. */
static int location_serves(const ap_directive_t *location, const char *base, apr_pool_t *tmp)
{
    static const char *const below[] = {"/webhook",  "/send",
                                        "/messages", "/messages-since",
                                        "/threads",  "/threads/a/read",
                                        "/contacts", "/contacts/a",
                                        "",          NULL};
    int is_regex = 0;
    const char *path = location_path(location, &is_regex, tmp);
    ap_regex_t *regex = is_regex ? ap_pregcomp(tmp, path, AP_REG_EXTENDED) : NULL;
    int i;

    if (is_regex && !regex)
        return 1; /* httpd itself refuses it */
    for (i = 0; below[i]; i++) {
        const char *asked = apr_pstrcat(tmp, base, below[i], NULL);

        if (regex                    ? ap_regexec(regex, asked, 0, NULL, 0) == 0
            : apr_fnmatch_test(path) ? apr_fnmatch(path, asked, APR_FNM_PATHNAME) == APR_SUCCESS
                                     : is_below(asked, path))
            return 1;
    }
    /* A part of the API is enough: /base/messages/ and the like. */
    return !regex && !apr_fnmatch_test(path) && is_below(path, base);
}

static int place_serves(const place_t *place, const server_rec *s, apr_pool_t *tmp)
{
    if (place->vhost && place->vhost != s)
        return 0;
    return !place->location
           || location_serves(place->location, wa_config_base_path(wa_config_get(s)), tmp);
}

/* ---- the checks ---- */

static int has_account(server_rec *main_server, const server_rec *vhost)
{
    const server_rec *s;

    if (vhost)
        return wa_config_is_complete(wa_config_get(vhost));
    for (s = main_server; s; s = s->next) {
        if (wa_config_is_complete(wa_config_get(s)))
            return 1;
    }
    return 0;
}

static const char *shown_path(const char *base)
{
    return *base ? base : "/";
}

/* A handler for nobody, or where the API is not. */
static int place_check(server_rec *main_server, const place_t *place, apr_pool_t *tmp)
{
    server_rec *s = place->vhost ? place->vhost : main_server;
    int is_regex;
    const char *path;

    if (!has_account(main_server, place->vhost)) {
        wa_check_complain(main_server, "WA0114",
                          apr_psprintf(tmp,
                                       "%s:%d sets the handler " WA_HANDLER_NAME
                                       ", but %s has no account: set WhatsAppAccountSID, "
                                       "WhatsAppAuthToken and WhatsAppNumber",
                                       place->node->filename, place->node->line_num,
                                       wa_check_server_name(s, tmp)));
        return 0;
    }
    if (place->is_used || !place->location)
        return 1;
    path = location_path(place->location, &is_regex, tmp);
    wa_check_complain(
        main_server, "WA0143",
        apr_psprintf(
            tmp,
            "%s:%d sets the handler " WA_HANDLER_NAME
            " for %s, but the API of %s is at %s and would not be found: %s",
            place->node->filename, place->node->line_num, path, wa_check_server_name(s, tmp),
            shown_path(wa_config_base_path(wa_config_get(s))),
            is_regex ? "let the expression match that, or set WhatsAppBasePath"
                     : apr_psprintf(tmp, "set WhatsAppBasePath %s, or change the Location", path)));
    return 0;
}

/* 1 when some server that has this one's base path is served; a virtual host that takes all from the main server is not asked by itself. */
static int is_served(server_rec *main_server, const server_rec *s, const apr_array_header_t *places,
                     apr_pool_t *tmp)
{
    const wa_config_t *config = wa_config_get(s);
    const server_rec *other;
    int i;

    for (other = main_server; other; other = other->next) {
        const wa_config_t *theirs = wa_config_get(other);

        if (other != s
            && (theirs->account_sid != config->account_sid
                || theirs->base_path != config->base_path))
            continue;
        for (i = 0; i < places->nelts; i++) {
            if (place_serves(&APR_ARRAY_IDX(places, i, place_t), other, tmp))
                return 1;
        }
    }
    return 0;
}

static int served_check(server_rec *main_server, server_rec *s, const apr_array_header_t *places,
                        apr_pool_t *tmp)
{
    const wa_config_t *config = wa_config_get(s);
    const wa_config_t *inherited = wa_config_get(main_server);

    if (!wa_config_is_complete(config))
        return 1;
    if (s != main_server && config->account_sid == inherited->account_sid
        && config->base_path == inherited->base_path)
        return 1;
    if (is_served(main_server, s, places, tmp))
        return 1;
    wa_check_complain(
        s, "WA0144",
        apr_psprintf(tmp,
                     "the API of %s is at %s, but no Location there sets the handler: "
                     "<Location \"%s\"> with SetHandler " WA_HANDLER_NAME " belongs to it",
                     wa_check_server_name(s, tmp), shown_path(wa_config_base_path(config)),
                     shown_path(wa_config_base_path(config))));
    return 0;
}

static int public_url_check(server_rec *main_server, server_rec *s, apr_pool_t *tmp)
{
    const wa_config_t *config = wa_config_get(s);
    const wa_config_t *inherited = wa_config_get(main_server);
    const char *base = wa_config_base_path(config);
    apr_uri_t uri;
    int before;

    if (!config->public_url
        || (s != main_server && config->public_url == inherited->public_url
            && config->base_path == inherited->base_path)
        || apr_uri_parse(tmp, config->public_url, &uri) != APR_SUCCESS || !uri.path)
        return 1;
    before = wa_shape_own_path(uri.path, base, tmp);
    if (before < 0)
        return 1;
    uri.path = wa_slice_string(wa_slice_make(uri.path, (apr_size_t)before), tmp);
    wa_check_complain(
        s, "WA0145",
        apr_psprintf(tmp,
                     "WhatsAppPublicURL '%s' of %s holds a path of the API itself: it "
                     "must be what stands before that, %s; the webhook is then %s%s"
                     "/webhook",
                     config->public_url, wa_check_server_name(s, tmp),
                     apr_uri_unparse(tmp, &uri, 0), apr_uri_unparse(tmp, &uri, 0), base));
    return 0;
}

int wa_check_paths(server_rec *main_server, apr_pool_t *tmp)
{
    apr_array_header_t *places = apr_array_make(tmp, 4, sizeof(place_t));
    place_t anywhere = {NULL, NULL, NULL, 0};
    int is_fine = 1;
    server_rec *s;
    int i;

    places_find(main_server, ap_conftree, anywhere, places);
    for (i = 0; i < places->nelts; i++) {
        place_t *place = &APR_ARRAY_IDX(places, i, place_t);

        for (s = main_server; s && !place->is_used; s = s->next)
            place->is_used = wa_config_is_complete(wa_config_get(s)) && place_serves(place, s, tmp);
        if (!place_check(main_server, place, tmp))
            is_fine = 0;
    }
    for (s = main_server; s; s = s->next) {
        /* Where a Location has gone astray, that line says all. */
        if (!public_url_check(main_server, s, tmp)
            || (is_fine && !served_check(main_server, s, places, tmp)))
            is_fine = 0;
    }
    return is_fine;
}
