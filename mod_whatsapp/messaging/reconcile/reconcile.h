/* SPDX-License-Identifier: Apache-2.0 */
/* Asks Twilio what became of what was sent, and for messages that came meanwhile. */
#ifndef WA_MESSAGING_RECONCILE_RECONCILE_H
#define WA_MESSAGING_RECONCILE_RECONCILE_H

#include <apr_errno.h>
#include <apr_pools.h>
#include <apr_time.h>

#include "messaging/messenger.h"

/* After this long without a trace of it at Twilio a pending message counts as never sent. */
#define WA_RECONCILE_GIVE_UP_MS ((apr_int64_t)15 * 60 * 1000)

/* An inbound message is left to its webhook for this long. */
#define WA_RECONCILE_GRACE_MS ((apr_int64_t)60 * 1000)

/* For how long an attachment that was announced is looked for, from when it was first: at each
 * run at first, then about each time that it has waited for an eighth longer. After that the next
 * answer of any kind is the last; without any answer it is given up after the longest. */
#define WA_RECONCILE_MEDIA_MS ((apr_int64_t)24 * 3600 * 1000)
#define WA_RECONCILE_MEDIA_LONGEST_MS (7 * WA_RECONCILE_MEDIA_MS)

/* How many things that were passed over are remembered. */
#define WA_RECONCILE_PASSED_MAX 256

/* One thing that was passed over (passed.h). */
typedef struct wa_reconcile_passed_t {
    apr_uint64_t key;
    apr_time_t due_us;    /* it is left out until then, by the steady clock, */
    apr_uint32_t due_run; /* and until this run */
    apr_uint32_t times;   /* how often it was passed over; 0: this place is free */
} wa_reconcile_passed_t;

/* What one owner remembers between its runs. All zero at first. Nothing is lost with it: another
 * owner asks for what is known to be in vain once more. */
typedef struct wa_reconcile_memory_t {
    /* how many there were */
    apr_uint32_t runs;
    wa_reconcile_passed_t passed[WA_RECONCILE_PASSED_MAX];
    apr_uint32_t passed_next; /* the place that is used next */
    /* the store's time of the last pending message that was taken on, where there were more than
     * one run takes; 0: begin at the oldest */
    apr_int64_t sends_after_ms;
    /* the same of messages whose attachments are looked for */
    apr_int64_t media_after_ms;
    /* when all of these were gone through, unix time; 0 never */
    apr_int64_t media_run_ms;
    /* inbound messages up to here are stored; 0: nothing is known */
    apr_int64_t inbound_from_ms;
    /* the store's time of the newest pending message whose date is wrong */
    apr_int64_t undated_ms;
    /* when that was first seen, by the steady clock */
    apr_time_t undated_since_us;
    /* when the oldest message that was not delivered was made; 0: none */
    apr_int64_t receipts_open_ms;
    /* what was sent before this is still to be read; 0: nothing */
    apr_int64_t receipts_rest_ms;
    /* when everything is read again, by the steady clock */
    apr_time_t receipts_due_us;
    /* the store's when the list was read */
    apr_uint64_t receipts_version;
} wa_reconcile_memory_t;

typedef struct wa_reconcile_options_t {
    apr_int64_t now_ms;            /* of this run, unix time */
    apr_interval_time_t look_back; /* how far back messages are asked for */
    int (*is_stopping)(void);      /* asked between calls: 1 ends the run early; may be NULL */
} wa_reconcile_options_t;

/* What one run did. */
typedef struct wa_reconcile_result_t {
    apr_size_t settled;  /* pending messages that Twilio has: they have sid and status now */
    apr_size_t given_up; /* pending messages that Twilio never took: failed now */
    apr_size_t received; /* inbound messages that were missing */
    apr_size_t updated;  /* sent messages of which Twilio knew more than its receipts had said */
    apr_size_t attached; /* received messages whose attachments came later */
} wa_reconcile_result_t;

/* One run. Sends: a pending message older than two times messenger->send_timeout (a minute by
 * default), so that no call for it can still be under way, is looked up in Twilio's list: by its
 * sid when that is known, else by numbers, text, attachment and time. Each of Twilio's messages is
 * taken for one of ours at most, the oldest first, and for none where it could be several that are
 * not the same (reconcile_match.h); receipts that were parked for it are applied. Without a
 * match it stays pending until it is WA_RECONCILE_GIVE_UP_MS old, or as old as its send may take
 * where that is more; then, if the whole list was read, also without the filter by date, which
 * passes over what Twilio has not sent yet, it is failed with a sentence. Of a message in parts
 * each open part is looked up like a message, in their order, and settled by itself; what is given
 * up is kept in the parts (WA_EVENT_GIVE_UP). Inbound: what Twilio lists as received since the
 * look-back, or since the last whole run, and is not stored is stored like its webhook, the oldest
 * first, with Twilio's date (date_ms). Receipts: status and error of what
 * Twilio lists as sent since the look-back are applied like receipts, as reconcile_receipts.h says.
 * Attachments: those that were announced and are not there are looked for, as reconcile_media.h
 * says. Two runs at one time, in any processes, do no harm but ask twice.
 *
 * No part of this waits for another, and in each of them no message, counterpart or page for
 * another: what has a definite answer is passed over, what may be had later is left to the next
 * runs (passed.h). Only where the account's own list gets no answer, or 401, nothing else is asked.
 * Logs one line when it did something (WA0531, info), one when it passed over something that it had
 * not before (WA0550, warning).
 * @param result  out: always filled
 * @return APR_SUCCESS the run is complete | APR_EGENERAL, APR_EINVAL Twilio did not give a list
 * (logged); what was learned is stored, the next run goes on | APR_EINTR it was stopped | the
 * store's. Any thread; takes as long as Twilio does. */
apr_status_t wa_reconcile(wa_messenger_t *messenger, wa_reconcile_memory_t *memory,
                          const wa_reconcile_options_t *options, wa_reconcile_result_t *result,
                          apr_pool_t *tmp);

#endif
