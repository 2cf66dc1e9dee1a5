/* SPDX-License-Identifier: Apache-2.0 */
/* The directives that say who may send how much, and to whom. */
#ifndef WA_HTTPD_DIRECTIVES_POLICY_H
#define WA_HTTPD_DIRECTIVES_POLICY_H

#include <httpd.h>
#include <http_config.h>

/* For the command table. Each returns NULL, or what is wrong with the value and what is allowed. */
const char *wa_directive_enforce_window(cmd_parms *cmd, void *dir, int flag);
const char *wa_directive_stop_words(cmd_parms *cmd, void *dir, int argc, char *const argv[]);
const char *wa_directive_start_words(cmd_parms *cmd, void *dir, int argc, char *const argv[]);

const char *wa_directive_send_rate(cmd_parms *cmd, void *dir, const char *value);

#endif
