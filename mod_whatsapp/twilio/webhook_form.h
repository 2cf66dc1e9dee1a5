/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a signed form is cut between names and values as Twilio cut it. */
#ifndef WA_TWILIO_WEBHOOK_FORM_H
#define WA_TWILIO_WEBHOOK_FORM_H

#include <apr_errno.h>
#include <apr_pools.h>

#include "base/form.h"

/*
 * Twilio signs names and values one behind the other, sorted by name, with nothing between them
 * (docs/TWILIO.md section 4): "From=whatsapp:+1" and "Fr=omwhatsapp:+1" have one signature. Who
 * holds one signed form can cut it anew, but cannot change a byte, nor the order: a field begins
 * where another one ended, and its name sorts behind that one's. Twilio adds fields when it likes,
 * so a field is not refused for being new. What holds for every form that is taken, however it was
 * cut:
 *
 *   1  Who, whose and which: From, To, MessageSid and AccountSid stand, with a value of their kind,
 *      nowhere but in their own fields, or at the end of a longer name (ForwardedFrom) that their
 *      order keeps from being one of them. What else decides what is made of the form (its status,
 *      its kind, its place, its attachments) is not missing where it stands somewhere in what was
 *      signed.
 *   2  These values are whole: each is of its kind, or holds nothing that could be the next field.
 *   3  Nothing of a text that is shown vanishes: it begins at the first place where its name can
 *      stand, and what follows is its end unless it is a field that Twilio is known to send or
 *      looks like one. A text may get more than its own that way, where Twilio adds a field that
 *      looks like a sentence.
 *
 * What cannot be told apart: the end of a word with a capital in it, at the end of a text
 * ("iCloud"), from a new field. Both readings are kept, the second one among the message's
 * attributes.
 */

/* Checks a form whose signature is right, and makes its texts whole (3).
 * @param ptaken  out: NULL unless APR_SUCCESS; the form to go on with: `form`, or one in p with the
 *     same fields in which texts are longer or stand in a field of their own besides. Its values
 *     live as long as form's and p
 * @param pwhy    out: NULL, or with APR_EINVAL what is wrong, without anything of the form
 * @return APR_SUCCESS | APR_EINVAL it was cut anew (1, 2), or may have been. Any thread that may
 *     use p. */
apr_status_t wa_webhook_form_check(const wa_form_t **ptaken, const wa_form_t *form,
                                   const char **pwhy, apr_pool_t *p);

#endif
