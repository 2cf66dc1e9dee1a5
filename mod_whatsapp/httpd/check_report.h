/* SPDX-License-Identifier: Apache-2.0 */
/* Tells what is wrong with the configuration: it ends a start, but no server that runs. */
#ifndef WA_HTTPD_CHECK_REPORT_H
#define WA_HTTPD_CHECK_REPORT_H

#include <apr_pools.h>
#include <httpd.h>

/* 1 while a server that runs reads its configuration again. While the configuration is read and
 * checked, and in post_config. */
int wa_check_is_reload(void);

/* Says what is wrong with the configuration, as a sentence without its full stop. */
void wa_check_complain(server_rec *s, const char *tag, const char *text);

/* "the main server" or "the virtual host chat.example.org (FILE:LINE)", in p. */
const char *wa_check_server_name(const server_rec *s, apr_pool_t *p);

#endif
