/* SPDX-License-Identifier: Apache-2.0 */
/* Tells the hooks of Twilio's other products from those of messages. */
#ifndef WA_TWILIO_HOOK_H
#define WA_TWILIO_HOOK_H

#include "base/form.h"
#include "base/slice.h"

/* Twilio calls whatever address it was given, for whatever product. */
typedef struct wa_hook_t {
    const char *product; /* "Conversations"; static */
    const char *setting; /* where its address is set at Twilio; static */
} wa_hook_t;

/* Which product's hook a form is.
 * @param hook  out: what it is; of a product that is not known "another product"
 * @return 1 it is none of a message: it has not the sid of one, or is about a conversation | 0.
 *     Any thread. */
int wa_hook_form_is_other(const wa_form_t *form, wa_hook_t *hook);

/* Which product's hook a signed body is that is no form: hooks of messages are forms.
 * @param content_type  NULL for none
 * Any thread. */
void wa_hook_body_read(const char *content_type, wa_slice_t body, wa_hook_t *hook);

#endif
