/* SPDX-License-Identifier: Apache-2.0 */
/* The rendered thread list, which two endpoints give. */
#ifndef WA_API_THREADS_H
#define WA_API_THREADS_H

#include "api/cache.h"
#include "api/request.h"

/* Gives the whole answer of GET /threads, rendered anew only when a thread has changed.
 * @param pentry  out: to be released; NULL unless APR_SUCCESS
 * @return APR_SUCCESS | APR_ENOMEM | the store's statuses. Any thread. */
apr_status_t wa_threads_entry(wa_request_t *q, wa_cache_entry_t **pentry);

/* The part of that answer which is the member, "threads":[...]; valid until the entry is
 * released. */
wa_slice_t wa_threads_member(const wa_cache_entry_t *entry);

#endif
