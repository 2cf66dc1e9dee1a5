/* SPDX-License-Identifier: Apache-2.0 */
/* WhatsAppRequireUser: the API's answers are for who logged in, whatever a later section of the
 * configuration says of Require. */
#include "httpd/access.h"

#include <apr_optional.h>
#include <apr_strings.h>
#include <http_core.h>
#include <http_request.h>
#include <mod_ssl.h>

#include "api/api.h"
#include "httpd/check_report.h"
#include "httpd/config.h"
#include "httpd/request_state.h"

/* The settings of one section. */
typedef struct access_t {
    int require_user; /* WA_CONFIG_UNSET, 0, 1 */
} access_t;

void *wa_access_create(apr_pool_t *p, char *dir)
{
    access_t *access = apr_palloc(p, sizeof(*access));

    (void)dir;
    access->require_user = WA_CONFIG_UNSET;
    return access;
}

void *wa_access_merge(apr_pool_t *p, void *base, void *add)
{
    const access_t *named = ((access_t *)add)->require_user != WA_CONFIG_UNSET ? add : base;

    return apr_pmemdup(p, named, sizeof(*named));
}

const char *wa_directive_require_user(cmd_parms *cmd, void *dir, int flag)
{
    (void)cmd;
    ((access_t *)dir)->require_user = flag != 0;
    return NULL;
}

/* What mod_ssl says of the client's certificate: "SUCCESS", "NONE", or that it was not verified;
 * NULL where it says nothing. */
static const char *certificate_state(request_rec *r)
{
    static const char name[] = "SSL_CLIENT_VERIFY";
    APR_OPTIONAL_FN_TYPE(ssl_var_lookup) *lookup = APR_RETRIEVE_OPTIONAL_FN(ssl_var_lookup);
    const char *state = lookup ? lookup(r->pool, r->server, r->connection, r,
                                        apr_pmemdup(r->pool, name, sizeof(name)))
                               : NULL;

    return state && *state != '\0' ? state : NULL;
}

static int has_name(const request_rec *r)
{
    return r->user && *r->user != '\0';
}

/* 1 when these settings ask for a user. */
static int is_asking(const ap_conf_vector_t *settings)
{
    const access_t *access = ap_get_module_config(settings, &whatsapp_module);

    return access->require_user == 1;
}

int wa_access_user_keep(request_rec *r)
{
    const char *certificate;

    if (!is_asking(r->per_dir_config) || !has_name(r) || !ap_auth_type(r)) {
        return DECLINED;
    }
    certificate = certificate_state(r);
    if (!certificate || strcmp(certificate, "NONE") == 0 || strcmp(certificate, "SUCCESS") == 0) {
        wa_request_state_make(r)->user_uri = apr_pstrdup(r->pool, r->uri);
    }
    return DECLINED;
}

/* 1 when mod_ssl verified the client's certificate and gave the request its name (SSLUserName): no
 * module's check_user_id is then asked. */
static int is_certified(request_rec *r)
{
    const char *certificate = has_name(r) ? certificate_state(r) : NULL;

    return certificate && strcmp(certificate, "SUCCESS") == 0;
}

const char *wa_access_user_flaw(request_rec *r)
{
    const wa_request_state_t *state = wa_request_state_get(r);
    const int is_settled = state && state->whole && strcmp(state->uri, r->uri) == 0;

    if (!is_asking(is_settled ? state->whole : r->per_dir_config)) {
        return NULL;
    }
    /* A request that httpd made of another one (r->prev, r->main) takes its user on without a
     * question, also one that was refused: only what was asked of this request counts. */
    if ((state && state->user_uri && strcmp(state->user_uri, r->uri) == 0) || is_certified(r)) {
        return NULL;
    }
    return apr_psprintf(
        r->pool,
        "WhatsAppRequireUser is On, but httpd asked for no login. Look in the main server and %s "
        "for a section that comes after the API's <Location> and has a Require or Satisfy of its "
        "own, which takes the place of the API's: apachectl configtest names it (WA0173)",
        r->server->is_virtual ? wa_check_server_name(r->server, r->pool) : "its virtual hosts");
}
