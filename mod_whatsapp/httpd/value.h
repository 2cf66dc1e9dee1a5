/* SPDX-License-Identifier: Apache-2.0 */
/* Recognizes values that were meant for another place, and what of a value may be shown. */
#ifndef WA_HTTPD_VALUE_H
#define WA_HTTPD_VALUE_H

#include <apr_pools.h>

#include "base/secret.h"

#include "base/url.h"

/* The value as a message may show it: what may be a secret (a user in a URL, a long word that is no
 * SID) is left out. In p. */
const char *wa_value_shown(const char *value, apr_pool_t *p);

/* What is wrong with an auth token, to stand after "the first token"; never shows it.
 * @param literal  the token as it stands in the configuration; NULL when it came from a file or
 *     command
 * @return NULL | the sentence's end, in p. While the configuration is read. */
const char *wa_value_token_flaw(const wa_secret_t *token, const char *literal, apr_pool_t *p);

/* What is meant instead of this value of WhatsAppStore.
 * @return NULL nothing is seen | a sentence, in p */
const char *wa_value_store_flaw(const char *value, apr_pool_t *p);

/* What is meant instead of this WhatsAppPublicURL, or of this WhatsAppTwilioURL.
 * @return NULL nothing is seen | a sentence, in p */
const char *wa_value_public_url_flaw(const wa_url_t *url, apr_pool_t *p);
const char *wa_value_twilio_url_flaw(const wa_url_t *url, apr_pool_t *p);

/* Where a public URL's path begins to be the API's own: its base path, or the webhook's name at its
 * end.
 * @param base_path    without a slash at the end
 * @param pis_certain  out: 1 when no proxy has such a path in front of the API's | 0 when one may
 * @return how many bytes of `path` stand before that | -1 nothing of it is the API's. Any
 * thread. */
int wa_value_own_path(const char *path, const char *base_path, int *pis_certain, apr_pool_t *tmp);

#endif
