/* SPDX-License-Identifier: Apache-2.0 */
/* What a call of the store takes as a struct, written in one line: good until the block ends. */
#ifndef WA_TESTS_STORE_QUERIES_H
#define WA_TESTS_STORE_QUERIES_H

#include "store/store.h"

#define UPDATE_OF(of_key, by_merge, its_baton) \
    (&(const wa_message_update_t){.key = (of_key), .merge = (by_merge), .baton = (its_baton)})

#define MESSAGES_OF(of_counterpart, after_cursor, at_most, by_visit, its_baton) \
    (&(const wa_messages_query_t){.counterpart = (of_counterpart),              \
                                  .cursor = (after_cursor),                     \
                                  .limit = (at_most),                           \
                                  .visit = (by_visit),                          \
                                  .baton = (its_baton)})

#define PENDING_OF(at_or_before_ms, or_after_ms, at_most, by_visit, its_baton) \
    (&(const wa_pending_query_t){.before_ms = (at_or_before_ms),               \
                                 .ahead_ms = (or_after_ms),                    \
                                 .max = (at_most),                             \
                                 .visit = (by_visit),                          \
                                 .baton = (its_baton)})

#define CHANGES_AFTER(after_ms, at_most, by_visit, its_baton) \
    (&(const wa_changes_query_t){                             \
        .since_ms = (after_ms), .max = (at_most), .visit = (by_visit), .baton = (its_baton)})

#endif
