/* SPDX-License-Identifier: Apache-2.0 */
/* What reconciliation passes over, so that one thing that cannot be had holds up nothing else. */
#ifndef WA_MESSAGING_RECONCILE_PASSED_H
#define WA_MESSAGING_RECONCILE_PASSED_H

#include "messaging/reconcile/reconcile_run.h"

/* What a thing is told from others by, of its kind and its name or sid. Any thread. */
apr_uint64_t wa_passed_key(const char *kind, const char *name);

/* 1 when the thing may be asked for: it was not passed over before, or its pause is over. Any
 * thread; one run at a time, like all here. */
int wa_passed_is_due(const wa_reconcile_run_t *run, apr_uint64_t key);

/* Passes over what has a definite answer: it is asked for again after 10 minutes, then after twice
 * as long each time, so that nothing is asked for for ever.
 * @return 1 it is news: the first time, or after a pause | 0 it is known */
int wa_passed_deny(const wa_reconcile_run_t *run, apr_uint64_t key);

/* Passes over what may be had later: it is asked for again in the next run, after another failure
 * in the second from then, then the fourth, then the eighth. */
void wa_passed_delay(const wa_reconcile_run_t *run, apr_uint64_t key);

/* It was had after all. */
void wa_passed_forget(const wa_reconcile_run_t *run, apr_uint64_t key);

/* What one thing failed with, as far as the others are concerned.
 * @param rv  of the store, or of what uses it, about one message
 * @return APR_SUCCESS the others go on: it is that message that is refused or damaged | `rv` the
 * store takes nothing now, or the server stops */
apr_status_t wa_passed_judge(const wa_reconcile_run_t *run, apr_status_t rv, apr_uint64_t key);

/* Notes for the run's one warning (WA0550) that something was passed over.
 * @param count   the counter of run->progress->passed that it is of
 * @param sid     its sid, or a word for a list
 * @param result  what Twilio said; NULL: nothing that matters */
void wa_passed_note(const wa_reconcile_run_t *run, apr_size_t *count, const char *sid,
                    const wa_twilio_result_t *result);

/* Writes WA0550 where something new was passed over in this run. */
void wa_passed_log(const wa_reconcile_run_t *run);

#endif
