/* SPDX-License-Identifier: Apache-2.0 */
/* Which paths of the API a section of the configuration is for, and for which servers. */
#ifndef WA_HTTPD_SECTIONS_H
#define WA_HTTPD_SECTIONS_H

#include <apr_pools.h>
#include <apr_tables.h>
#include <httpd.h>
#include <http_config.h>

/* Where a directive stands. All of it is the configuration's own and lives as long. */
typedef struct wa_section_t {
    /* the directive */
    const ap_directive_t *node;
    /* the section around it that says for which paths; NULL: for any */
    const ap_directive_t *location;
    /* the <VirtualHost> around it; NULL: for all servers */
    const ap_directive_t *vhost;
    /* 1: in an <If>, which httpd reads after all other sections */
    int is_conditional;
    /* how many directives are read before it */
    int order;
    /* for the caller to mark them with: zero at first */
    int is_used;
} wa_section_t;

typedef enum {
    WA_COVERS_NOT = 0,
    WA_COVERS_MAYBE, /* an expression that nothing tried fits */
    WA_COVERS
} wa_covers_e;

/* Finds the directives that `is_wanted` takes, in the order in which they are read, in the whole
 * configuration. To be called when that is read.
 * @return of wa_section_t, in p */
apr_array_header_t *wa_sections_find(int (*is_wanted)(const ap_directive_t *node), apr_pool_t *p);

/* 1 when requests to `s` go through the section. A file that is read twice makes several servers of
 * one <VirtualHost>. Any thread. */
int wa_section_is_of(const wa_section_t *section, const server_rec *s);

/* Whether requests below `base` are in the section.
 * @param base       a base path, without a slash at the end
 * @param is_signed  1: for all of the API | 0: only for what needs no signature. Any thread. */
wa_covers_e wa_section_covers(const wa_section_t *section, const char *base, int is_signed,
                              apr_pool_t *tmp);

/* What the line of a <Location> or <LocationMatch> names.
 * @param pis_regex  out. In p. Any thread. */
const char *wa_section_path(const ap_directive_t *location, int *pis_regex, apr_pool_t *p);

/* 1 when the directive makes requests come to our handler: SetHandler, AddHandler, or a
 * RewriteRule's flag. Any thread. */
int wa_section_sets_handler(const ap_directive_t *node);

#endif
