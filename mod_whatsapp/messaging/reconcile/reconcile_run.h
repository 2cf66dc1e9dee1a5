/* SPDX-License-Identifier: Apache-2.0 */
/* One run of reconciliation, as its parts share it. */
#ifndef WA_MESSAGING_RECONCILE_RECONCILE_RUN_H
#define WA_MESSAGING_RECONCILE_RECONCILE_RUN_H

#include "messaging/reconcile/reconcile.h"
#include "twilio/client.h"

/* What one run passed over and had not passed over before, for its one warning. */
typedef struct wa_reconcile_notice_t {
    apr_size_t attachments; /* messages of which an attachment is missing for good */
    apr_size_t messages;    /* of Twilio's that the store refuses, or of ours that are damaged */
    apr_size_t lists;       /* that Twilio refuses, or that break off */
    /* of the first: its sid, or a word for a list; NULL: there was none */
    const char *sid;
    int http_status;
    int error_code;
} wa_reconcile_notice_t;

/* How far one run is. */
typedef struct wa_reconcile_progress_t {
    wa_reconcile_notice_t passed;
    int has_list; /* 1: Twilio gave a list in this run: the account is not what is refused */
    /* how often Twilio may still fail to say what attachments a message has before the rest is left
     * to the next run */
    int media_left;
} wa_reconcile_progress_t;

typedef struct wa_reconcile_run_t {
    wa_messenger_t *messenger;
    const wa_reconcile_options_t *options;
    wa_reconcile_result_t *result;
    wa_reconcile_memory_t *memory;
    wa_reconcile_progress_t *progress;
    wa_twilio_account_t account;
    apr_pool_t *p;
} wa_reconcile_run_t;

/* So many messages in a row that are older than a list is read end it: a single one has a wrong
 * date. */
#define WA_RECONCILE_OLDER_MAX 3

/* 1 for one of Twilio's messages that we sent: all that is not said to have come in. Any thread. */
static inline int wa_reconcile_is_sent(const wa_twilio_message_t *message)
{
    return !message->direction || strcmp(message->direction, "inbound") != 0;
}

/* 1 when the server wants to stop: nothing new is begun then. Any thread. */
static inline int wa_reconcile_is_stopping(const wa_reconcile_run_t *run)
{
    return run->options->is_stopping && run->options->is_stopping();
}

#endif
