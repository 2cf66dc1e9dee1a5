/* SPDX-License-Identifier: Apache-2.0 */
/* What the API says of a received message beside text and attachments, as the fields of the webhook
 * that said it. */
#ifndef WA_TOOLS_LOAD_DETAILS_H
#define WA_TOOLS_LOAD_DETAILS_H

#include <apr_pools.h>
#include <jansson.h>

#include "messaging/message/attributes.h"

/* Reads type, replyTo and referral into attributes->fields, for a message whose form is not told.
 * Strings are those of `message`.
 * @return NULL | what is wrong, constant. */
const char *load_details_read(const json_t *message, wa_attributes_t *attributes, apr_pool_t *p);

#endif
