/* SPDX-License-Identifier: Apache-2.0 */
/* WhatsAppRequireUser: the API's answers are for who logged in, whatever a later section of the
 * configuration says of Require. */
#ifndef WA_HTTPD_ACCESS_H
#define WA_HTTPD_ACCESS_H

#include <apr_pools.h>
#include <httpd.h>
#include <http_config.h>

/* The module record's create_dir_config and merge_dir_config: a section that does not have the
 * directive leaves it as it was. */
void *wa_access_create(apr_pool_t *p, char *dir);
void *wa_access_merge(apr_pool_t *p, void *base, void *add);

/* Reads WhatsAppRequireUser. @return NULL */
const char *wa_directive_require_user(cmd_parms *cmd, void *dir, int flag);

/* The hook auth_checker, to be run before all others and to be registered by ap_hook_check_authz.
 * httpd calls it only when some module's check_user_id found that the request's user is who they
 * claim to be, and where there is an AuthType other than None, with which mod_authn_core accepts
 * everybody. Not kept are a missing name (some modules let people in who did not log in, without
 * one) and a client certificate that was not verified, of which mod_ssl's FakeBasicAuth makes a
 * login.
 * @return DECLINED. Any thread. */
int wa_access_user_keep(request_rec *r);

/* What the API asks before it answers (wa_api_user_flaw_fn): whether WhatsAppRequireUser is On for
 * the request and nobody logged in for it.
 * @return NULL it may be answered | what an admin has to look for, in the request's pool. Any
 *     thread. */
const char *wa_access_user_flaw(request_rec *r);

#endif
