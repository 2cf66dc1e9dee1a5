/* SPDX-License-Identifier: Apache-2.0 */
/* The dbm driver's entry in the table of drivers, which every store that is opened gets. */
#include "store/dbm/driver.h"

#include "store/dbm/operation/changes.h"
#include "store/dbm/operation/contacts.h"
#include "store/dbm/lifecycle/inspect.h"
#include "store/dbm/lifecycle/open.h"
#include "store/dbm/operation/pending.h"
#include "store/dbm/operation/read.h"
#include "store/dbm/operation/threads.h"
#include "store/dbm/lifecycle/upkeep.h"
#include "store/dbm/lifecycle/uri.h"
#include "store/dbm/operation/wait.h"
#include "store/dbm/operation/write.h"

apr_status_t wa_dbm_open_tool(wa_store_t **pstore, const wa_dbm_opening_t *opening,
                              const char **perror, apr_pool_t *p)
{
    wa_dbm_store_t *store;
    apr_status_t rv = wa_dbm_store_open(&store, opening, perror, p);

    if (rv == APR_SUCCESS) {
        store->base.ops = &wa_store_dbm_ops;
        *pstore = &store->base;
    }
    return rv;
}

apr_status_t wa_dbm_open(wa_store_t **pstore, const wa_store_uri_t *uri,
                         const wa_store_options_t *options, const char **perror, apr_pool_t *p)
{
    const wa_dbm_opening_t opening = {.uri = uri, .options = options};

    return wa_dbm_open_tool(pstore, &opening, perror, p);
}

const wa_store_ops_t wa_store_dbm_ops = {
    .name = "dbm",
    .check = wa_dbm_check,
    .inspect = wa_dbm_inspect,
    .open = wa_dbm_open,
    .child_init = wa_dbm_child_init,
    .maintain = wa_dbm_maintain,
    .version = wa_dbm_version,
    .thread_version = wa_dbm_thread_version,
    .wait = wa_dbm_wait,
    .wait_end = wa_dbm_wait_end,
    .message_add = wa_dbm_message_add,
    .message_update = wa_dbm_message_update,
    .message_find = wa_dbm_message_find,
    .messages_list = wa_dbm_messages_list,
    .pending_list = wa_dbm_pending_list,
    .changes_list = wa_dbm_changes_list,
    .threads_list = wa_dbm_threads_list,
    .thread_visit = wa_dbm_thread_visit,
    .thread_mark_read = wa_dbm_thread_mark_read,
    .thread_flags_set = wa_dbm_thread_flags_set,
    .contacts_list = wa_dbm_contacts_list,
    .contact_add = wa_dbm_contact_add,
    .contact_rename = wa_dbm_contact_rename,
    .contact_delete = wa_dbm_contact_delete,
    .contact_find = wa_dbm_contact_find,
    .parked_add = wa_dbm_parked_add,
    .parked_get = wa_dbm_parked_get,
};
