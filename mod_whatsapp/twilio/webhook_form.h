/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a signed form is cut between names and values as Twilio cut it. */
#ifndef WA_TWILIO_WEBHOOK_FORM_H
#define WA_TWILIO_WEBHOOK_FORM_H

#include <apr_errno.h>
#include <apr_pools.h>

#include "base/form.h"

/*
 * Twilio signs names and values one behind the other, sorted by name, with nothing between them
 * (TWILIO.md section 4): "From=whatsapp:+1" and "Fr=omwhatsapp:+1" have one signature. Who saw one
 * signed form can cut it anew. What this checks is that no other cut of the same bytes has a better
 * claim to be Twilio's:
 *
 *   1  a name is an upper-case letter and then letters, digits or '_', and a known one is not there with two values
 *   2  no field begins with a name that Twilio is known to use and that is missing ("Fr" and
 *      "omwhatsapp:+1", "BodyHel" and "lo")
 *   3  no value that has no end of its own (a text, an address that is no number) holds a known name
 *      with the beginning of its value, which would stand next in the order and is missing
 *   4  a sender, our number and a message's sid stand nowhere else than in their own fields
 *   5  a field that nobody knows follows a value that clients are shown and that has no end of its own only
 *      when it looks like one of Twilio's: a name of two words ("CampaignName"), and a value behind it that
 *      does not begin as the rest of a sentence would. Else it is that value's end
 *
 * Fields that are not known yet are fine everywhere else. What cannot be told apart, because Twilio may send
 * either: the end of a text whose writer put something there that looks like a field, known or not. Whose
 * message it is and which one (4) can always be told.
 */

/* Checks a form whose signature is right.
 * @param pwhy  out: NULL, or with APR_EINVAL what is wrong, without anything of the form
 * @return APR_SUCCESS it is cut as Twilio cuts | APR_EINVAL it may not be. Any thread that may use tmp. */
apr_status_t wa_webhook_form_check(const wa_form_t *form, const char **pwhy, apr_pool_t *tmp);

#endif
