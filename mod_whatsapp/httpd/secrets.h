/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets in the configuration: literal, from a file, from a command. */
#ifndef WA_HTTPD_SECRETS_H
#define WA_HTTPD_SECRETS_H

#include <apr_pools.h>

#include "base/secret.h"

/* The most bytes of a secret. */
#define WA_SECRET_MAX 256

/* Reads the secret that `value` names: "file:PATH" (relative to the ServerRoot; its one line),
 * "exec:COMMAND ARGS" (the first line of its output) or the secret itself. White space around it is
 * dropped. While the configuration is read, by the user that starts httpd.
 * @param psecret     out: empty unless NULL is returned; lives in p and is wiped with it
 * @param popen_file  out: the file's path when everybody may read it, else NULL
 * @return NULL | what is wrong and what is allowed, without the secret, to stand after the
 *     directive's name; in p */
const char *wa_secret_read(const char *value, wa_secret_t *psecret, const char **popen_file,
                           apr_pool_t *p);

#endif
