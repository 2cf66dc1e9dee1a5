/* SPDX-License-Identifier: Apache-2.0 */
/* Threads of the store in memory: the operations of that name. */
#ifndef WA_TEST_FAKE_THREADS_H
#define WA_TEST_FAKE_THREADS_H

#include "fake_state.h"

apr_status_t fake_threads_list(wa_store_t *self, apr_int64_t since_ms, wa_thread_visit_fn visit,
                               void *baton);
apr_status_t fake_thread_visit(wa_store_t *self, const char *counterpart, wa_thread_visit_fn visit,
                               void *baton);
apr_status_t fake_thread_mark_read(wa_store_t *self, const char *counterpart, apr_pool_t *tmp);
apr_status_t fake_thread_flags_set(wa_store_t *self, const char *counterpart, apr_uint32_t set,
                                   apr_uint32_t clear, apr_pool_t *tmp);

#endif
