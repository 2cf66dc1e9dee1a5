/* SPDX-License-Identifier: Apache-2.0 */
/* Receipts that come before their message is known: kept under their sid until it is. */
#ifndef WA_MESSAGING_DELIVERY_PARKED_H
#define WA_MESSAGING_DELIVERY_PARKED_H

#include "messaging/delivery/reducer.h"
#include "store/store.h"

/* Keeps a receipt under its sid. One that is kept already is not kept again: a request that
 * somebody caught is valid for ever.
 * @param pis_new  out: 1 when it is kept now and was not before
 * @return APR_SUCCESS | the store's. Any thread. */
apr_status_t wa_parked_add(wa_store_t *store, const wa_delivery_event_t *event, int *pis_new,
                           apr_pool_t *p);

/* Applies what is parked (wa_store_parked_get) to a delivery.
 * @param about  the sid and the part that all of it is about
 * @return APR_SUCCESS the delivery changed | APR_EEXIST nothing of it is new. Any thread. */
apr_status_t wa_parked_apply(wa_slice_t parked, const wa_delivery_event_t *about, wa_delivery_t *d,
                             apr_pool_t *p);

#endif
