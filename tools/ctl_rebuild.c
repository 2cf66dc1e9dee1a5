/* SPDX-License-Identifier: Apache-2.0 */
/* whatsappctl rebuild: makes what is derived anew from the journal. */
#include "commands.h"
#include "ctl_say.h"
#include "ctl_store.h"

int ctl_rebuild(ctl_t *ctl, ctl_arguments_t arguments)
{
    const ctl_option_t options[] = {{NULL, NULL, NULL}};
    wa_dbm_store_t *store;
    apr_uint64_t records, rows;
    apr_pool_t *p;
    int rc;

    if (!ctl_arguments_read(arguments, options, NULL)) {
        return CTL_FAILED;
    }
    rc = ctl_store_find(ctl);
    if (rc != CTL_DONE) {
        return rc;
    }
    apr_pool_create(&p, ctl->pool);
    rc = ctl_store_open(ctl, ctl->directory, NULL, &store, p);
    if (rc == CTL_INTERRUPTED) {
        ctl_note(ctl, "the index is not complete: run it again, or start httpd, which reads the "
                      "journal itself");
    }
    if (rc != CTL_DONE) {
        return rc;
    }
    records = store->replica.at.records;
    rows = store->replica.at.rows;
    rc = ctl_store_close(store, p);
    if (rc == CTL_DONE) {
        ctl_note(ctl, "rebuilt: %" APR_UINT64_T_FMT " records, %" APR_UINT64_T_FMT " messages",
                 records, rows);
    }
    return rc;
}
