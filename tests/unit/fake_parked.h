/* SPDX-License-Identifier: Apache-2.0 */
/* Parked facts of the store in memory: the operations of that name. */
#ifndef WA_TEST_FAKE_PARKED_H
#define WA_TEST_FAKE_PARKED_H

#include "fake_state.h"

apr_status_t fake_parked_add(wa_store_t *self, const char *key, wa_slice_t value, apr_pool_t *tmp);
apr_status_t fake_parked_get(wa_store_t *self, const char *key, wa_slice_t *pvalue, apr_pool_t *p);

#endif
