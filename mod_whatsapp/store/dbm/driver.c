/* SPDX-License-Identifier: Apache-2.0 */
/* The dbm driver's entry in the table of drivers. */
#include "store/dbm/dbm.h"

const wa_store_ops_t wa_store_dbm_ops = {
    .name = "dbm",
    .check = wa_dbm_check,
    .inspect = wa_dbm_inspect,
    .open = wa_dbm_open,
    .child_init = wa_dbm_child_init,
    .maintain = wa_dbm_maintain,
    .version = wa_dbm_version,
    .thread_version = wa_dbm_thread_version,
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
