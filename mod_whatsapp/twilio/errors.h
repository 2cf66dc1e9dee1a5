/* SPDX-License-Identifier: Apache-2.0 */
/* Twilio's error codes in plain sentences that a person can act on. */
#ifndef WA_TWILIO_ERRORS_H
#define WA_TWILIO_ERRORS_H

#include <apr_pools.h>

#include "base/slice.h"

/* What an error means for what we do next. */
typedef enum wa_twilio_error_kind_e {
    /* permanent as far as anybody knows */
    WA_TWILIO_ERROR_OTHER = 0,
    /* our account: no send can work until the operator acts */
    WA_TWILIO_ERROR_CREDENTIALS,
    /* too much at once, or Twilio or WhatsApp is having trouble: later may work */
    WA_TWILIO_ERROR_BUSY,
    /* the 24-hour window is closed: only a template can be sent */
    WA_TWILIO_ERROR_WINDOW_CLOSED,
    /* the recipient said STOP: never again until START */
    WA_TWILIO_ERROR_OPTED_OUT,
    /* this recipient cannot get it, others can */
    WA_TWILIO_ERROR_RECIPIENT,
    /* this message cannot be sent, another one can */
    WA_TWILIO_ERROR_CONTENT
} wa_twilio_error_kind_e;

/* A sentence for the user about a Twilio error code (docs/TWILIO.md section 1.5).
 * @param code Twilio's number; 0 or less means that none is known.
 * @param p where the sentence for a code that is not in the table is made; known ones are static.
 * @return never NULL; an unknown code gives a general sentence that names the number. Any thread.
 */
const char *wa_twilio_error_sentence(int code, apr_pool_t *p);

/* The same, with what Twilio says of it in words of its own where the table has no sentence.
 * @param said  made by wa_twilio_words; NULL for nothing */
const char *wa_twilio_error_told(int code, const char *said, apr_pool_t *p);

/* Words of Twilio's as they may be kept and shown: one line of at most
 * WA_TWILIO_WORDS_CHARACTERS, without what is no text (base/line.h).
 * @param text  any bytes
 * @return in p | NULL when nothing is left. Any thread that may use p. */
const char *wa_twilio_words(wa_slice_t text, apr_pool_t *p);

#define WA_TWILIO_WORDS_CHARACTERS 250

/* What a code means for us; WA_TWILIO_ERROR_OTHER for an unknown one. Any thread. */
wa_twilio_error_kind_e wa_twilio_error_kind(int code);

#endif
