/* SPDX-License-Identifier: Apache-2.0 */
/* Turns what an inbound webhook says into text that a person can read. */
#ifndef WA_MESSAGING_INBOUND_TEXT_H
#define WA_MESSAGING_INBOUND_TEXT_H

#include <apr_pools.h>

#include "base/form.h"
#include "base/slice.h"

/* The text as valid UTF-8 without NUL: each invalid piece and each NUL becomes U+FFFD. `raw` itself
 * when it is valid, else in p. Any thread that may use p. */
wa_slice_t wa_inbound_text_clean(wa_slice_t raw, apr_pool_t *p);

/* The body of a message: the text sent; without one the button's text, then the location (which is
 * added on a line of its own to a text), then, when there is no media either, "[kind]". At
 * most 64 KB of text are kept. Clean, in p
 * or in the form. Any thread that may use p. */
wa_slice_t wa_inbound_text_body(const wa_form_t *form, apr_size_t media_count, apr_pool_t *p);

/* What the thread list shows for media without a caption: "[image]", escaped. Static or in p. Any
 * thread. */
wa_slice_t wa_inbound_text_media_preview(const char *content_type, apr_pool_t *p);

/* The fields that the message's own members do not say, form-encoded in p, as far as the store has
 * room for them (128 KB); empty for none. Any
 * thread that may use p. */
wa_slice_t wa_inbound_text_rest(const wa_form_t *form, apr_pool_t *p);

#endif
