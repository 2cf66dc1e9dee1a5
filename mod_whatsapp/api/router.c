/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the endpoint that a request is for. */
#include "api/api.h"

#include <apr_strings.h>

#include "api/cache.h"
#include "api/origin.h"
#include "api/reply.h"
#include "api/request.h"

/* What one process keeps of rendered answers, for each virtual host. */
#define CACHE_ENTRIES 256
/* What a server that cannot use its store needs is an admin: asking again soon does not help. */
#define UNAVAILABLE_RETRY_S 30

#define CACHE_BYTES ((apr_size_t)8 * 1024 * 1024)

/* One endpoint. A '*' in the pattern stands for any text that is not empty; there are at most two.
 * At the end it stands for one part of a path, in which there is no slash.
 * HEAD is answered where GET is; httpd leaves the body out. */
typedef struct route_t {
    int method;
    const char *method_name;
    const char *pattern;
    wa_endpoint_fn endpoint;
    int is_signed; /* 1: proves by a signature who calls; a browser's word does not count */
} route_t;

static const route_t routes[] = {
    {M_GET, "GET, HEAD", "/messages", wa_endpoint_messages, 0},
    {M_GET, "GET, HEAD", "/messages/*/media/*", wa_endpoint_media, 0},
    {M_GET, "GET, HEAD", "/messages/*", wa_endpoint_message, 0},
    {M_GET, "GET, HEAD", "/messages-since", wa_endpoint_messages_since, 0},
    {M_GET, "GET, HEAD", "/threads", wa_endpoint_threads, 0},
    {M_GET, "GET, HEAD", "/contacts", wa_endpoint_contacts, 0},
    {M_POST, "POST", "/webhook", wa_endpoint_webhook, 1},
    {M_POST, "POST", "/send", wa_endpoint_send, 0},
    {M_POST, "POST", "/threads/*/read", wa_endpoint_thread_read, 0},
    {M_POST, "POST", "/threads/*/block", wa_endpoint_thread_block, 0},
    {M_POST, "POST", "/threads/*/unblock", wa_endpoint_thread_unblock, 0},
    {M_POST, "POST", "/contacts", wa_endpoint_contact_create, 0},
    {M_PATCH, "PATCH", "/contacts/*", wa_endpoint_contact_rename, 0},
    {M_DELETE, "DELETE", "/contacts/*", wa_endpoint_contact_delete, 0},
};
#define ROUTES (sizeof(routes) / sizeof(routes[0]))

/* 1 when the path is the pattern's. @param q  out: what each '*' stands for */
static int pattern_matches(const char *pattern, const char *path, wa_request_t *q)
{
    const char *star = strchr(pattern, '*');
    const char *second = star ? strchr(star + 1, '*') : NULL;
    apr_size_t len = strlen(path);
    apr_size_t head, tail, middle;

    if (!star) {
        return strcmp(pattern, path) == 0;
    }
    head = (apr_size_t)(star - pattern);
    if (second) { /* the last part of the path is the second one's */
        const char *slash = strrchr(path, '/');

        middle = (apr_size_t)(second - star - 1);
        len = slash ? (apr_size_t)(slash + 1 - path) : 0;
        if (path[len] == '\0' || len <= head + middle || strncmp(path, pattern, head) != 0
            || strncmp(path + len - middle, star + 1, middle) != 0) {
            return 0;
        }
        q->argument = wa_slice_make(path + head, len - head - middle);
        q->argument_2 = wa_slice_of(path + len);
        return 1;
    }
    tail = strlen(star + 1);
    if (tail == 0 && strchr(path + (len < head ? len : head), '/')) {
        return 0;
    }
    if (len <= head + tail || strncmp(path, pattern, head) != 0
        || strcmp(path + len - tail, star + 1) != 0) {
        return 0;
    }
    q->argument = wa_slice_make(path + head, len - head - tail);
    return 1;
}

/* The part of the path that is below the base path, "" for the base itself; NULL when it is
 * elsewhere. */
static const char *path_below(const wa_request_t *q)
{
    const char *base = q->server->base_path ? q->server->base_path : "";
    const apr_size_t len = strlen(base);
    const char *path = q->r->uri ? q->r->uri : "";

    if (strncmp(path, base, len) != 0 || (path[len] != '/' && path[len] != '\0')) {
        return NULL;
    }
    return path + len;
}

/* Answers a request for this route: everything that changes something comes through here. */
static int route_take(wa_request_t *q, const route_t *to)
{
    q->pattern = to->pattern;
    if (to->method != M_GET && !to->is_signed
        && wa_origin_is_foreign(q->r, q->messenger->public_url)) {
        WA_LOG(q->log, WA_LOG_DEBUG, "WA0240", APR_SUCCESS,
               "%s: refused, a browser says that another site asks for it", q->pattern);
        /* httpd gets rid of a body that is not read. */
        return wa_reply_error(q, WA_ERROR_UNAUTHORIZED,
                              "Pages of other sites may change nothing here.");
    }
    return to->endpoint(q);
}

static int route(wa_request_t *q)
{
    const char *path = path_below(q);
    const char *allow = NULL;
    apr_size_t i;

    for (i = 0; path && i < ROUTES; i++) {
        if (!pattern_matches(routes[i].pattern, path, q)) {
            continue;
        }
        if (routes[i].method == q->r->method_number) {
            return route_take(q, &routes[i]);
        }
        if (!allow) {
            allow = routes[i].method_name;
        } else if (!strstr(allow, routes[i].method_name)) {
            allow = apr_pstrcat(q->r->pool, allow, ", ", routes[i].method_name, NULL);
        }
    }
    if (allow) {
        apr_table_setn(q->r->headers_out, "Allow", allow);
        return wa_reply_error(q, WA_ERROR_METHOD_NOT_ALLOWED,
                              apr_pstrcat(q->r->pool, "This path takes only ", allow, ".", NULL));
    }
    return wa_reply_error(q, WA_ERROR_NOT_FOUND, "There is no such path in this API.");
}

/* 1 for the path of the webhook: what is signed is let through by its signature alone. */
static int is_signed_path(const wa_request_t *q)
{
    const char *path = q->server ? path_below(q) : NULL;
    apr_size_t i;

    for (i = 0; path && i < ROUTES; i++) {
        if (routes[i].is_signed && strcmp(routes[i].pattern, path) == 0) {
            return 1;
        }
    }
    return 0;
}

const char *wa_api_path(apr_size_t i, int *pis_signed)
{
    if (i >= ROUTES) {
        return NULL;
    }
    *pis_signed = routes[i].is_signed;
    return routes[i].pattern;
}

/* Whoever is not let in learns nothing more, not even whether there is a messenger. */
static int user_refuse(wa_request_t *q, const char *flaw)
{
    const wa_messenger_t *messenger = q->server ? q->server->messenger : NULL;

    WA_LOG(messenger ? messenger->log : NULL, WA_LOG_ERR, "WA0273", APR_SUCCESS, "refused: %s",
           flaw);
    return wa_reply_error(q, WA_ERROR_UNAUTHORIZED, "This API is for users who logged in.");
}

int wa_api_handler(request_rec *r, const wa_api_server_t *server, wa_api_user_flaw_fn user_flaw)
{
    wa_request_t q = {.r = r, .server = server, .pattern = "a request"};
    static const wa_api_server_t nowhere = {.base_path = ""};
    const char *flaw = is_signed_path(&q) ? NULL : user_flaw(r);

    /* No page of another site may show an answer, be it as a picture or in a frame. */
    apr_table_setn(r->headers_out, "Cross-Origin-Resource-Policy", "same-origin");
    apr_table_setn(r->headers_out, "Content-Security-Policy",
                   "default-src 'none'; frame-ancestors 'none'");
    if (flaw) {
        return user_refuse(&q, flaw);
    }
    if (q.server && q.server->unavailable) {
        return wa_reply_retry(&q, WA_ERROR_UNAVAILABLE, q.server->unavailable, UNAVAILABLE_RETRY_S);
    }
    if (!q.server || !q.server->messenger || !q.server->cache) {
        q.server = &nowhere;
        return wa_reply_error(&q, WA_ERROR_INTERNAL, "No messenger is configured for this host.");
    }
    q.messenger = q.server->messenger;
    q.log = q.messenger->log;
    return route(&q);
}

apr_status_t wa_api_child_init(wa_api_server_t *server, apr_pool_t *pchild)
{
    return wa_cache_create(&server->cache, CACHE_ENTRIES, CACHE_BYTES, pchild);
}
