/* SPDX-License-Identifier: Apache-2.0 */
/* Turns what an inbound webhook says into text that a person can read. */
#ifndef WA_MESSAGING_RECEIVE_INBOUND_TEXT_H
#define WA_MESSAGING_RECEIVE_INBOUND_TEXT_H

#include <apr_pools.h>

#include "base/form.h"
#include "base/slice.h"
#include "messaging/message/attributes.h"

/* The text as valid UTF-8 without NUL: each invalid piece and each NUL becomes U+FFFD. `raw` itself
 * when it is valid, else in p. Any thread that may use p. */
wa_slice_t wa_inbound_text_clean(wa_slice_t raw, apr_pool_t *p);

/* The body of a message: the text sent; without one the button's text, then the location (which is
 * added on a line of its own to a text), then, when there is no media either, "[kind]". At
 * most 64 KB of text are kept. Clean, in p
 * or in the form. Any thread that may use p. */
wa_slice_t wa_inbound_text_body(const wa_form_t *form, apr_size_t media_count, apr_pool_t *p);

/* The fields that the message's own do not say, as they came, as far as the store has room for them
 * (128 KB).
 * @param media   the attachments that were read from the form: the message has them
 * @param fields  out: room for form->count; they point into the form
 * @return how many. Any thread that may use p. */
apr_size_t wa_inbound_text_rest(const wa_form_t *form, const wa_media_t *media, apr_size_t count,
                                wa_form_field_t *fields, apr_pool_t *p);

#endif
