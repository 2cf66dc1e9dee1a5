/* SPDX-License-Identifier: Apache-2.0 */
/* Notes that stored data was found damaged while it was served. */
#ifndef WA_STORE_DBM_OPERATION_DAMAGE_H
#define WA_STORE_DBM_OPERATION_DAMAGE_H

#include "store/dbm/dbm.h"

/* Called when stored data was found damaged: logs it once, and makes the next start read
 * everything again from the journal, which sets damaged bytes aside and makes the index anew.
 * Until then what is damaged gives APR_EGENERAL. Of a store that is read-only nothing is noted.
 * Any thread. */
void wa_dbm_damage_note(wa_dbm_store_t *store);

#endif
