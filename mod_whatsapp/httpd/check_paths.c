/* SPDX-License-Identifier: Apache-2.0 */
/* Whether the paths in the configuration meet: Location, WhatsAppBasePath and WhatsAppPublicURL. */
#include "base/slice.h"
#include "httpd/check_paths.h"

#include <apr_strings.h>
#include <apr_tables.h>
#include <apr_uri.h>
#include <http_config.h>
#include <http_core.h>
#include <http_log.h>

#include "httpd/check_report.h"
#include "httpd/config.h"
#include "httpd/lifecycle.h"
#include "httpd/sections.h"
#include "httpd/value.h"

APLOG_USE_MODULE(whatsapp);

/* One look through the configuration, which says either what is certainly wrong or what may be. */
typedef struct look_t {
    server_rec *main_server;
    apr_array_header_t *places; /* of wa_section_t: where the handler is set */
    int is_for_warnings;
    int is_fine; /* out: nothing was said */
    apr_pool_t *tmp;
} look_t;

static void say(look_t *look, server_rec *s, int is_certain, const char *tag, const char *text)
{
    if (is_certain == look->is_for_warnings) {
        return;
    }
    look->is_fine = 0;
    if (is_certain) {
        wa_check_complain(s, tag, text);
    } else {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, s, "%s: %s", tag, text);
    }
}

/* 1 when a handler may be set where the configuration does not show it. */
static int is_elsewhere(const ap_directive_t *node)
{
    if (ap_cstr_casecmp(node->directive, "AllowOverride") == 0
        || ap_cstr_casecmp(node->directive, "AllowOverrideList") == 0) {
        return ap_cstr_casecmp(node->args, "None") != 0;
    }
    if (ap_cstr_casecmp(node->directive, "SetHandler") == 0) {
        return strstr(node->args, "%{") != NULL;
    }
    if (ap_cstr_casecmp(node->directive, "RewriteRule") == 0) {
        return ap_strcasestr(node->args, "H=%{") || ap_strcasestr(node->args, "handler=%{");
    }
    return strncasecmp(node->directive, "LuaHook", 7) == 0
           || strncasecmp(node->directive, "LuaQuickHandler", 15) == 0;
}

/* The first server of a section. */
static server_rec *server_of(const look_t *look, const wa_section_t *place)
{
    server_rec *s = look->main_server;

    if (!place->vhost) {
        return s;
    }
    while (s && !wa_section_is_of(place, s)) {
        s = s->next;
    }
    return s ? s : look->main_server;
}

static wa_covers_e place_serves(const look_t *look, const wa_section_t *place, const server_rec *s)
{
    if (!wa_section_is_of(place, s)) {
        return WA_COVERS_NOT;
    }
    return wa_section_covers(place, wa_config_base_path(wa_config_get(s)), 1, look->tmp);
}

/* ---- the checks ---- */

static int has_account(const look_t *look, const wa_section_t *place)
{
    const server_rec *s;

    for (s = look->main_server; s; s = s->next) {
        if (wa_section_is_of(place, s) && wa_config_is_complete(wa_config_get(s))) {
            return 1;
        }
    }
    return 0;
}

static const char *shown_path(const char *base)
{
    return *base ? base : "/";
}

/* A handler for nobody, or where the API is not. */
static void place_check(look_t *look, const wa_section_t *place)
{
    server_rec *of = server_of(look, place);
    const char *where = wa_check_server_name(of, look->tmp);
    const char *base = shown_path(wa_config_base_path(wa_config_get(of)));
    wa_covers_e covers = WA_COVERS_NOT;
    const server_rec *s;
    const char *path;
    int is_regex;

    if (!has_account(look, place)) {
        say(look, look->main_server, 1, "WA0114",
            apr_psprintf(look->tmp,
                         "%s:%d sets the handler " WA_HANDLER_NAME
                         ", but %s has no account: set WhatsAppAccountSID, "
                         "WhatsAppAuthToken and WhatsAppNumber",
                         place->node->filename, place->node->line_num, where));
        return;
    }
    for (s = look->main_server; s; s = s->next) {
        wa_covers_e one =
            wa_config_is_complete(wa_config_get(s)) ? place_serves(look, place, s) : WA_COVERS_NOT;

        if (one > covers) {
            covers = one;
        }
    }
    if (covers == WA_COVERS || !place->location) {
        return;
    }
    path = wa_section_path(place->location, &is_regex, look->tmp);
    say(look, look->main_server, covers == WA_COVERS_NOT, "WA0143",
        apr_psprintf(
            look->tmp,
            "%s:%d sets the handler " WA_HANDLER_NAME
            " for %s, but the API of %s is at %s and %s: %s",
            place->node->filename, place->node->line_num, path, where, base,
            covers == WA_COVERS_MAYBE ? "nothing of it that was tried fits" : "would not be found",
            is_regex ? "let the expression match that, or set WhatsAppBasePath"
                     : apr_psprintf(look->tmp, "set WhatsAppBasePath %s, or change the Location",
                                    path)));
}

/* 1 when the two have one account, and one base path unless any will do. */
static int is_same_api(const wa_config_t *one, const wa_config_t *two, int is_any_path)
{
    return wa_config_is_complete(two) && strcmp(one->account_sid, two->account_sid) == 0
           && (is_any_path || strcmp(wa_config_base_path(one), wa_config_base_path(two)) == 0);
}

/* 1 when some server that has this one's account and base path is served. One that has the default
 * base path, or hands its own on to virtual hosts, may leave it to those that have a path of their
 * own. */
static int is_served(const look_t *look, const server_rec *s)
{
    const wa_config_t *config = wa_config_get(s);
    const int is_any_path = !s->is_virtual || !config->base_path;
    const server_rec *other;
    int i;

    for (other = look->main_server; other; other = other->next) {
        if (!is_same_api(config, wa_config_get(other), is_any_path)) {
            continue;
        }
        for (i = 0; i < look->places->nelts; i++) {
            if (place_serves(look, &APR_ARRAY_IDX(look->places, i, wa_section_t), other)
                != WA_COVERS_NOT) {
                return 1;
            }
        }
    }
    return 0;
}

static void served_check(look_t *look, server_rec *s, int is_certain)
{
    const wa_config_t *config = wa_config_get(s);
    const wa_config_t *inherited = wa_config_get(look->main_server);
    const char *base = shown_path(wa_config_base_path(config));

    if (!wa_config_is_complete(config)
        || (s != look->main_server && config->account_sid == inherited->account_sid
            && config->base_path == inherited->base_path)
        || is_served(look, s)) {
        return;
    }
    say(look, s, is_certain, "WA0144",
        apr_psprintf(look->tmp,
                     "the API of %s is at %s, but no Location there sets the handler: "
                     "<Location \"%s\"> with SetHandler " WA_HANDLER_NAME " belongs to it",
                     wa_check_server_name(s, look->tmp), base, base));
}

static void public_url_check(look_t *look, server_rec *s)
{
    const wa_config_t *config = wa_config_get(s);
    const wa_config_t *inherited = wa_config_get(look->main_server);
    const char *base = wa_config_base_path(config);
    const char *meant;
    int is_certain = 0;
    apr_uri_t uri;
    int before;

    if (!config->public_url
        || (s != look->main_server && config->public_url == inherited->public_url
            && config->base_path == inherited->base_path)
        || apr_uri_parse(look->tmp, config->public_url, &uri) != APR_SUCCESS || !uri.path) {
        return;
    }
    before = wa_value_own_path(uri.path, base, &is_certain, look->tmp);
    if (before < 0) {
        return;
    }
    uri.path = wa_slice_string(wa_slice_make(uri.path, (apr_size_t)before), look->tmp);
    meant = apr_uri_unparse(look->tmp, &uri, 0);
    say(look, s, is_certain, "WA0145",
        apr_psprintf(look->tmp,
                     "WhatsAppPublicURL '%s' of %s holds a path of the API itself: it "
                     "must be what stands before that, %s; the webhook is then %s%s/webhook%s",
                     config->public_url, wa_check_server_name(s, look->tmp), meant, meant, base,
                     is_certain
                         ? ""
                         : apr_psprintf(look->tmp, ". Unless Twilio really calls %s%s/webhook",
                                        config->public_url, base)));
}

/* @return 1 nothing was said | 0 */
static int look_through(server_rec *main_server, int is_for_warnings, apr_pool_t *tmp)
{
    look_t look = {main_server, NULL, is_for_warnings, 1, tmp};
    const int is_certain = wa_sections_find(is_elsewhere, tmp)->nelts == 0;
    server_rec *s;
    int i;

    look.places = wa_sections_find(wa_section_sets_handler, tmp);
    for (i = 0; i < look.places->nelts; i++) {
        place_check(&look, &APR_ARRAY_IDX(look.places, i, wa_section_t));
    }
    for (s = main_server; s; s = s->next) {
        /* Where a Location has gone astray, that line says all. */
        if (look.is_fine) {
            served_check(&look, s, is_certain);
        }
        public_url_check(&look, s);
    }
    return look.is_fine;
}

int wa_check_paths(server_rec *main_server, apr_pool_t *tmp)
{
    return look_through(main_server, 0, tmp);
}

void wa_check_paths_warn(server_rec *main_server, apr_pool_t *tmp)
{
    (void)look_through(main_server, 1, tmp);
}
