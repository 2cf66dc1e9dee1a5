/* SPDX-License-Identifier: Apache-2.0 */
/* Notes that stored data was found damaged while it was served. */
#include "store/dbm/operation/damage.h"

void wa_dbm_damage_note(wa_dbm_store_t *store)
{
    if (store->is_read_only) {
        return;
    }
    if (!__atomic_exchange_n(&store->shared->damaged, 1, __ATOMIC_SEQ_CST)) {
        wa_checkpoint_forget(&store->place);
        WA_LOG(store->log, WA_LOG_ERR, "WA0405", APR_EGENERAL,
               "%s: stored data is damaged; what is damaged is not served, and when the server is "
               "stopped and started again everything is read anew from the journal",
               store->place.directory);
    }
}
