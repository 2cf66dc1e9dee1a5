/* SPDX-License-Identifier: Apache-2.0 */
/* The part of reconciliation that asks for the attachments of received messages. For reconcile.c
 * and reconcile_inbound.c. */
#ifndef WA_MESSAGING_RECONCILE_RECONCILE_MEDIA_H
#define WA_MESSAGING_RECONCILE_RECONCILE_MEDIA_H

#include "messaging/message/attributes.h"
#include "messaging/message/late_media.h"
#include "messaging/reconcile/reconcile_run.h"

/* What Twilio says of the attachments of one message. */
typedef struct wa_reconcile_media_t {
    /* GIVEN, DENIED, or TROUBLE and SILENT: nothing is known */
    wa_twilio_verdict_e verdict;
    wa_media_t media[WA_LATE_MEDIA_MAX];
    apr_size_t count;
    wa_twilio_result_t result;
} wa_reconcile_media_t;

/* Asks Twilio for the attachments of a message, unless it has failed too often in this run. Any
 * thread; strings in p.
 * @return APR_SUCCESS, whatever it said | APR_ENOMEM */
apr_status_t wa_reconcile_media_ask(const wa_reconcile_run_t *run, const char *sid,
                                    wa_reconcile_media_t *answer, apr_pool_t *p);

/* Looks again for attachments that were announced and are not there (wa_late_media_t), of as many
 * messages as one run takes; the next run goes on. What Twilio denies, and what is not there after
 * WA_RECONCILE_MEDIA_MS, is missing from then on. Counts in run->result->attached.
 * @return APR_SUCCESS | APR_EINTR | the store's. Any thread. */
apr_status_t wa_reconcile_media(const wa_reconcile_run_t *run);

#endif
