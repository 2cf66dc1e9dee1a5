/* SPDX-License-Identifier: Apache-2.0 */
/* The journal kept by this host alone: a file, made durable by fdatasync. */
#ifndef WA_STORE_LOG_LOCAL_H
#define WA_STORE_LOG_LOCAL_H

#include "store/log/journal.h"
#include "store/log/backend.h"
#include "store/log/shared.h"
#include "store/store.h"

typedef struct wa_log_local_t {
    wa_log_backend_t base;
    wa_journal_t *journal;
    wa_shared_t *shared; /* `reserved_end` is its own */
    wa_sync_e
        sync; /* under WA_SYNC_ALWAYS what is allocated ahead is prepared for its first sync */
} wa_log_local_t;

/* Makes one that goes to `journal`, whose processes share `shared`. One thread. */
void wa_log_local_init(wa_log_local_t *local, wa_journal_t *journal, wa_shared_t *shared,
                       wa_sync_e sync);

#endif
