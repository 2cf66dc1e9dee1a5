/* SPDX-License-Identifier: Apache-2.0 */
/* Checks what people send, and says in a sentence what is wrong with it. */
#ifndef WA_MESSAGING_MESSAGE_VALIDATE_H
#define WA_MESSAGING_MESSAGE_VALIDATE_H

#include <apr_errno.h>
#include <apr_pools.h>

#include "base/slice.h"
#include "messaging/messenger.h"

/* The longest message and display name, in UTF-16 units as JavaScript counts them. */
#define WA_MESSAGE_UNITS_MAX 4096
#define WA_DISPLAY_NAME_UNITS_MAX 100

/* The longest id of a counterpart, in bytes. */
#define WA_COUNTERPART_BYTES_MAX 128

/* Every check: *psentence is NULL with APR_SUCCESS, and with APR_EINVAL a sentence (static or in p)
 * that begins with the field's name and holds nothing of what was typed, but for the one character
 * that stands in no number. Any thread that may use p. */

/* A phone number as people type it. @param pnumber  out: "+15551230001" in p, NULL unless
 * APR_SUCCESS. @return APR_SUCCESS | APR_EINVAL */
apr_status_t wa_validate_phone(wa_slice_t typed, const char **pnumber, wa_sentence_t *psentence,
                               apr_pool_t *p);

/* 1 for what may be a message's id, or a sid: nothing else is looked up in the store. Any
 * thread. */
int wa_validate_is_message_id(wa_slice_t typed);

/* The text of a message to send. @return APR_SUCCESS | APR_EINVAL not UTF-8, with a NUL, without
 * anything to see, or too long */
apr_status_t wa_validate_message(wa_slice_t text, wa_sentence_t *psentence);

/* A contact's name. @param ptrimmed  out: the name without white space around it, part of
 * `typed`. @return APR_SUCCESS | APR_EINVAL */
apr_status_t wa_validate_display_name(wa_slice_t typed, wa_slice_t *ptrimmed,
                                      wa_sentence_t *psentence);

/* A contact's id. @param pid  out: the id in p and in lower case. @return APR_SUCCESS | APR_EINVAL
 * not a UUID */
apr_status_t wa_validate_contact_id(const char *field, wa_slice_t typed, const char **pid,
                                    wa_sentence_t *psentence, apr_pool_t *p);

/* A counterpart in a query or path: a phone number (of a thread or not), or the id of a thread
 * there is, because Twilio gives ids that are no phone numbers too.
 * @param pcounterpart  out: as the store knows it, in p
 * @return APR_SUCCESS | APR_EINVAL neither */
apr_status_t wa_validate_counterpart(wa_store_t *store, wa_slice_t typed, const char **pcounterpart,
                                     wa_sentence_t *psentence, apr_pool_t *p);

#endif
