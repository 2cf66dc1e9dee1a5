/* SPDX-License-Identifier: Apache-2.0 */
/* Which paths of the API a section of the configuration is for, and for which servers. */
#include "httpd/sections.h"

#include <apr_fnmatch.h>
#include <apr_lib.h>
#include <apr_strings.h>
#include <http_core.h>

#include "api/api.h"
#include "base/slice.h"
#include "httpd/lifecycle.h"

static int is_named(const ap_directive_t *node, const char *name)
{
    return ap_cstr_casecmp(node->directive, name) == 0;
}

static int is_location(const ap_directive_t *node)
{
    return is_named(node, "<Location") || is_named(node, "<LocationMatch");
}

static int is_condition(const ap_directive_t *node)
{
    return is_named(node, "<If") || is_named(node, "<ElseIf") || is_named(node, "<Else");
}

/* ---- finding ---- */

typedef struct finder_t {
    int (*is_wanted)(const ap_directive_t *node);
    int order;
    apr_array_header_t *found;
} finder_t;

static void find_below(finder_t *finder, const ap_directive_t *node, wa_section_t around)
{
    for (; node; node = node->next) {
        wa_section_t inside = around;

        around.node = node;
        around.order = finder->order++;
        if (finder->is_wanted(node)) {
            APR_ARRAY_PUSH(finder->found, wa_section_t) = around;
        }
        if (is_named(node, "<VirtualHost")) {
            inside.vhost = node;
        }
        if (is_location(node)) {
            inside.location = node;
        }
        if (is_condition(node)) {
            inside.is_conditional = 1;
        }
        if (node->first_child) {
            find_below(finder, node->first_child, inside);
        }
    }
}

apr_array_header_t *wa_sections_find(int (*is_wanted)(const ap_directive_t *node), apr_pool_t *p)
{
    finder_t finder = {is_wanted, 0, apr_array_make(p, 4, sizeof(wa_section_t))};
    wa_section_t anywhere;

    memset(&anywhere, 0, sizeof(anywhere));
    find_below(&finder, ap_conftree, anywhere);
    return finder.found;
}

int wa_section_is_of(const wa_section_t *section, const server_rec *s)
{
    return !section->vhost
           || (s->is_virtual && s->defn_name && strcmp(s->defn_name, section->vhost->filename) == 0
               && (int)s->defn_line_number == section->vhost->line_num);
}

/* The flags of a RewriteRule: what stands in brackets at its end. */
static int is_handler_flag(const char *args)
{
    static const char *const names[] = {"H=" WA_HANDLER_NAME, "handler=" WA_HANDLER_NAME};
    const char *flags = strrchr(args, '[');
    apr_size_t i;

    for (; flags && *flags; flags++) {
        for (i = 0; (*flags == '[' || *flags == ',') && i < sizeof(names) / sizeof(names[0]); i++) {
            const char *flag = flags + 1 + strspn(flags + 1, " ");
            const apr_size_t len = strlen(names[i]);

            if (strncasecmp(flag, names[i], len) == 0 && strchr(" ,]", flag[len])) {
                return 1;
            }
        }
    }
    return 0;
}

int wa_section_sets_handler(const ap_directive_t *node)
{
    const char *args = node->args;

    if (!args) {
        return 0;
    }
    if (is_named(node, "RewriteRule")) {
        return is_handler_flag(args);
    }
    if (!is_named(node, "SetHandler") && !is_named(node, "AddHandler")) {
        return 0;
    }
    if (strstr(args, "%{")) { /* an expression may say so */
        return strstr(args, WA_HANDLER_NAME) != NULL;
    }
    args += strspn(args, " \t\"'");
    return strncasecmp(args, WA_HANDLER_NAME, sizeof(WA_HANDLER_NAME) - 1) == 0
           && strchr(" \t\"'", args[sizeof(WA_HANDLER_NAME) - 1]) != NULL;
}

/* ---- paths ---- */

const char *wa_section_path(const ap_directive_t *location, int *pis_regex, apr_pool_t *p)
{
    const char *args = apr_pstrdup(p, location->args);
    char *end = strrchr(args, '>');
    const char *word;

    if (end) {
        *end = '\0';
    }
    *pis_regex = is_named(location, "<LocationMatch");
    word = ap_getword_conf(p, &args);
    if (strcmp(word, "~") == 0) {
        *pis_regex = 1;
        word = ap_getword_conf(p, &args);
    }
    return word;
}

/* The part of a path that begins at `at`, behind its slash.
 * @param pnext  out: where the next one begins, NULL at the end */
static const char *part_take(const char *at, const char **pnext, apr_pool_t *tmp)
{
    const apr_size_t len = strcspn(at, "/");

    *pnext = at[len] == '/' ? at + len + 1 : NULL;
    return wa_slice_string(wa_slice_make(at, len), tmp);
}

/* Whether a section's path and one of the API can meet; a part "*" of the API's stands for any
 * text. httpd takes a path with wildcards as a whole, any other as the beginning of what is asked
 * for. */
static int path_meets(const char *path, const char *api, int is_wild, apr_pool_t *tmp)
{
    const char *next = path + 1;
    const char *asked = api + 1;

    if (*path != '/') {
        return 0;
    }
    while (next && asked) {
        const char *part = part_take(next, &next, tmp);
        const char *other = part_take(asked, &asked, tmp);

        if (!is_wild && *part == '\0' && !next) {
            return 1; /* a slash at the end: what is below */
        }
        if (strcmp(other, "*") != 0
            && (is_wild ? apr_fnmatch(part, other, 0) != APR_SUCCESS : strcmp(part, other) != 0)) {
            return 0;
        }
    }
    return !next && (!asked || !is_wild);
}

/* What an open part of a path may hold: a message, a counterpart, a number. */
static const char *const fillings[] = {"6f1c3b52-5c2b-4b06-9d5e-0d4f5e3b2a10", "+15550001111", "0",
                                       "a", NULL};

static int regex_fits(const ap_regex_t *regex, const char *api, apr_pool_t *tmp)
{
    const char *star = strchr(api, '*');
    int i;

    if (!star) {
        return ap_regexec(regex, api, 0, NULL, 0) == 0;
    }
    for (i = 0; fillings[i]; i++) {
        const char *before = wa_slice_string(wa_slice_make(api, (apr_size_t)(star - api)), tmp);

        if (regex_fits(regex, apr_pstrcat(tmp, before, fillings[i], star + 1, NULL), tmp)) {
            return 1;
        }
    }
    return 0;
}

/* 1 when the text that the expression surely begins with is not the base path's: it cannot fit
 * anything of the API. */
static int regex_differs(const char *expression, const char *base)
{
    apr_size_t n = 0;

    if (*expression++ != '^' || strchr(expression, '|')) {
        return 0;
    }
    while (base[n] != '\0') {
        if (*expression == '\\' && expression[1] != '\0' && !apr_isalnum(expression[1])) {
            expression++;
        } else if (*expression == '\0' || strchr(".[]({?*+)^\\", *expression)) {
            return 0;
        } else if (*expression == '$') {
            return expression[1] == '\0';
        }
        if (expression[1] != '\0' && strchr("?*{", expression[1])) {
            return 0;
        }
        if (*expression++ != base[n++]) {
            return 1;
        }
    }
    return 0;
}

wa_covers_e wa_section_covers(const wa_section_t *section, const char *base, int is_signed,
                              apr_pool_t *tmp)
{
    int is_regex = 0;
    int needs_none = 0;
    const char *path;
    const char *below;
    ap_regex_t *regex = NULL;
    apr_size_t i;

    if (!section->location) {
        return WA_COVERS;
    }
    path = wa_section_path(section->location, &is_regex, tmp);
    if (is_regex) {
        regex = ap_pregcomp(tmp, path, AP_REG_EXTENDED);
    }
    if (is_regex && !regex) {
        return WA_COVERS; /* httpd itself refuses it */
    }
    for (i = 0; (below = wa_api_path(i, &needs_none)); i++) {
        const char *api = apr_pstrcat(tmp, base, below, NULL);

        if (needs_none && !is_signed) {
            continue;
        }
        if (regex ? regex_fits(regex, api, tmp)
                  : path_meets(path, api, apr_fnmatch_test(path), tmp)) {
            return WA_COVERS;
        }
    }
    return is_regex && !regex_differs(path, base) ? WA_COVERS_MAYBE : WA_COVERS_NOT;
}
