/* SPDX-License-Identifier: Apache-2.0 */
/* What the module keeps of a request from one of httpd's hooks to another, in its
 * request_config. */
#include "httpd/request_state.h"

#include "httpd/config.h"

wa_request_state_t *wa_request_state_get(const request_rec *r)
{
    return ap_get_module_config(r->request_config, &whatsapp_module);
}

wa_request_state_t *wa_request_state_make(request_rec *r)
{
    wa_request_state_t *state = wa_request_state_get(r);

    if (!state) {
        state = apr_pcalloc(r->pool, sizeof(*state));
        ap_set_module_config(r->request_config, &whatsapp_module, state);
    }
    return state;
}
