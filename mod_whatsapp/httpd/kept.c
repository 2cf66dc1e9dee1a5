/* SPDX-License-Identifier: Apache-2.0 */
/* What the module keeps of a request from one of httpd's hooks to another, in its
 * request_config. */
#include "httpd/kept.h"

#include "httpd/config.h"

wa_kept_t *wa_kept_get(const request_rec *r)
{
    return ap_get_module_config(r->request_config, &whatsapp_module);
}

wa_kept_t *wa_kept_make(request_rec *r)
{
    wa_kept_t *kept = wa_kept_get(r);

    if (!kept) {
        kept = apr_pcalloc(r->pool, sizeof(*kept));
        ap_set_module_config(r->request_config, &whatsapp_module, kept);
    }
    return kept;
}
