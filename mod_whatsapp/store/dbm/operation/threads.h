/* SPDX-License-Identifier: Apache-2.0 */
/* The operations on threads: the list, marking as read, flags. */
#ifndef WA_STORE_DBM_OPERATION_THREADS_H
#define WA_STORE_DBM_OPERATION_THREADS_H

#include "store/dbm/dbm.h"

/* The operations `thread_version`, `threads_list`, `thread_visit`, `thread_mark_read` and
 * `thread_flags_set`. */
apr_uint64_t wa_dbm_thread_version(wa_store_t *self, const char *counterpart);
apr_status_t wa_dbm_threads_list(wa_store_t *self, apr_int64_t since_ms, wa_thread_visit_fn visit,
                                 void *baton);
apr_status_t wa_dbm_thread_visit(wa_store_t *self, const char *counterpart,
                                 wa_thread_visit_fn visit, void *baton);
apr_status_t wa_dbm_thread_mark_read(wa_store_t *self, const char *counterpart, apr_pool_t *tmp);
apr_status_t wa_dbm_thread_flags_set(wa_store_t *self, const char *counterpart, apr_uint32_t set,
                                     apr_uint32_t clear, apr_pool_t *tmp);

#endif
