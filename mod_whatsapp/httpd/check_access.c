/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a later section changes who may come in where the API is. */
#include "httpd/check_access.h"

#include <apr_strings.h>
#include <apr_tables.h>
#include <http_config.h>
#include <http_core.h>
#include <http_log.h>

#include "httpd/check_report.h"
#include "httpd/config.h"
#include "httpd/sections.h"

APLOG_USE_MODULE(whatsapp);

/* 1 for what mod_authz_core takes as the section's whole say in who may come in, and for a Satisfy
 * that makes it one of two. */
static int is_rule(const ap_directive_t *node)
{
    static const char *const names[] = {"Require", "<RequireAll", "<RequireAny", "<RequireNone"};
    apr_size_t i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (ap_cstr_casecmp(node->directive, names[i]) == 0) {
            return 1;
        }
    }
    return ap_cstr_casecmp(node->directive, "Satisfy") == 0
           && ap_cstr_casecmp(node->args, "Any") == 0;
}

/* 1 for a section that is merged by itself over what stands outside of it, and not for a
 * directory. */
static int is_layer(const ap_directive_t *node)
{
    return strncasecmp(node->directive, "<Location", 9) == 0
           || ap_cstr_casecmp(node->directive, "<If") == 0
           || ap_cstr_casecmp(node->directive, "<ElseIf") == 0
           || ap_cstr_casecmp(node->directive, "<Else") == 0;
}

/* The innermost layer around a directive, NULL when it stands in none. */
static const ap_directive_t *layer_around(const ap_directive_t *node)
{
    do {
        node = node->parent;
    } while (node && !is_layer(node));
    return node;
}

/* 1 when the section itself, or something in it, is what `is_wanted` takes. */
static int holds(const ap_directive_t *section, int (*is_wanted)(const ap_directive_t *node))
{
    const ap_directive_t *node;

    for (node = section->first_child; node; node = node->next) {
        if (is_wanted(node) || (node->first_child && holds(node, is_wanted))) {
            return 1;
        }
    }
    return 0;
}

static int is_merging(const ap_directive_t *node)
{
    return ap_cstr_casecmp(node->directive, "AuthMerging") == 0
           && ap_cstr_casecmp(node->args, "And") == 0;
}

/* Where httpd merges it: the main server's, then the virtual host's, then what stands in <If>. */
static int stage(const wa_section_t *section)
{
    return section->is_conditional ? 2 : section->vhost != NULL;
}

/* 1 when the rule comes over the door for some server that has the API. */
static int is_over(server_rec *main_server, const wa_section_t *door, const wa_section_t *rule,
                   server_rec **ps, apr_pool_t *tmp)
{
    server_rec *s;

    for (s = main_server; s; s = s->next) {
        const wa_config_t *config = wa_config_get(s);
        const char *base = wa_config_base_path(config);

        if (wa_config_is_complete(config) && wa_section_is_of(door, s) && wa_section_is_of(rule, s)
            && wa_section_covers(door, base, 0, tmp) != WA_COVERS_NOT
            && wa_section_covers(rule, base, 0, tmp) == WA_COVERS) {
            *ps = s;
            return 1;
        }
    }
    return 0;
}

/* 1 when the rule is read later than the door and stands in a section that is not of its own
 * making. */
static int is_later(const wa_section_t *door, const wa_section_t *rule)
{
    const ap_directive_t *own = layer_around(door->node);
    const ap_directive_t *section = layer_around(rule->node);
    const ap_directive_t *around;

    for (around = section; around; around = layer_around(around)) {
        if (around == own || holds(around, wa_section_sets_handler)) {
            return 0;
        }
    }
    if (!section || holds(section, is_merging)) {
        return 0;
    }
    return stage(rule) > stage(door) || (stage(rule) == stage(door) && rule->order > door->order);
}

static void rule_tell(server_rec *s, const wa_section_t *door, const wa_section_t *rule,
                      apr_pool_t *tmp)
{
    const ap_directive_t *section = layer_around(rule->node);

    ap_log_error(APLOG_MARK, APLOG_WARNING, 0, s,
                 "WA0173: %s:%d: this %s in %s %s takes the place of those at %s:%d, for the API "
                 "of %s%s: who may use it is what it says, and nobody where WhatsAppRequireUser is "
                 "On and it asks for no login. Put it before, narrow the section, or write the "
                 "login into it",
                 rule->node->filename, rule->node->line_num, rule->node->directive,
                 section->directive, section->args, door->node->filename, door->node->line_num,
                 wa_check_server_name(s, tmp),
                 rule->is_conditional ? ", where the condition holds" : "");
}

/* Warns of the rules that come over one door, of each section once. */
static void door_check(server_rec *main_server, const wa_section_t *door, apr_array_header_t *rules,
                       apr_pool_t *tmp)
{
    const ap_directive_t *told = NULL;
    server_rec *s;
    int i;

    for (i = 0; i < rules->nelts; i++) {
        wa_section_t *rule = &APR_ARRAY_IDX(rules, i, wa_section_t);

        if (rule->is_used || !is_later(door, rule) || !is_over(main_server, door, rule, &s, tmp)) {
            continue;
        }
        rule->is_used = 1;
        if (layer_around(rule->node) != told) {
            rule_tell(s, door, rule, tmp);
        }
        told = layer_around(rule->node);
    }
}

void wa_check_access_warn(server_rec *main_server, apr_pool_t *tmp)
{
    apr_array_header_t *doors = wa_sections_find(wa_section_sets_handler, tmp);
    apr_array_header_t *rules = wa_sections_find(is_rule, tmp);
    int i;

    for (i = 0; i < doors->nelts; i++) {
        const wa_section_t *door = &APR_ARRAY_IDX(doors, i, wa_section_t);
        const ap_directive_t *own = layer_around(door->node);

        if (own && holds(own, is_rule)) {
            door_check(main_server, door, rules, tmp);
        }
    }
}
