/* SPDX-License-Identifier: Apache-2.0 */
/* What the module did since the server started, counted over all processes, for mod_status. */
#include "httpd/status.h"

#include <apr_shm.h>
#include <httpd.h>
#include <http_config.h>
#include <http_log.h>
#include <http_protocol.h>
#include <mod_status.h>

#include "api/api.h"
#include "httpd/config.h"

APLOG_USE_MODULE(whatsapp);

/* What is counted; the names are those that ?auto prints, after "WhatsApp". */
typedef enum {
    COUNT_REQUESTS = 0,
    COUNT_SENDS,
    COUNT_SENDS_FAILED,
    COUNT_WEBHOOKS,
    COUNT_WEBHOOKS_REFUSED,
    COUNT_CLIENT_ERRORS,
    COUNT_SERVER_ERRORS,
    COUNT_END
} count_e;

static const struct {
    const char *name;
    const char *text;
} labels[COUNT_END] = {
    [COUNT_REQUESTS] = {"Requests", "Requests"},
    [COUNT_SENDS] = {"Sends", "Messages sent"},
    [COUNT_SENDS_FAILED] = {"SendsFailed", "Sends that failed"},
    [COUNT_WEBHOOKS] = {"Webhooks", "Webhooks accepted"},
    [COUNT_WEBHOOKS_REFUSED] = {"WebhooksRefused", "Webhooks refused"},
    [COUNT_CLIENT_ERRORS] = {"ClientErrors", "Answers 4xx"},
    [COUNT_SERVER_ERRORS] = {"ServerErrors", "Answers 5xx"},
};

/* In shared memory. `layout` says how many counters there are: a module of another version finds
 * others. */
typedef struct counters_t {
    apr_uint64_t counts[COUNT_END];
} counters_t;

typedef struct retained_t {
    apr_size_t size; /* of the shared memory, 0 while there is none */
    counters_t *counters;
} retained_t;

static counters_t *counters;

apr_status_t wa_status_create(server_rec *s)
{
    static const char key[] = "mod_whatsapp counters";
    retained_t *retained = ap_retained_data_get(key);
    apr_shm_t *shm = NULL;
    apr_status_t rv;

    counters = NULL;
    if (!retained) {
        retained = ap_retained_data_create(key, sizeof(*retained));
    }
    if (retained->size != sizeof(counters_t)) {
        rv = apr_shm_create(&shm, sizeof(counters_t), NULL, s->process->pool);
        if (rv != APR_SUCCESS) {
            ap_log_error(APLOG_MARK, APLOG_EMERG | APLOG_STARTUP, rv, s,
                         "WA0126: no shared memory for the counters");
            return rv;
        }
        retained->counters = apr_shm_baseaddr_get(shm);
        memset(retained->counters, 0, sizeof(counters_t));
        retained->size = sizeof(counters_t);
    }
    counters = retained->counters;
    return APR_SUCCESS;
}

static void count(count_e what)
{
    (void)__atomic_fetch_add(&counters->counts[what], 1, __ATOMIC_RELAXED);
}

static int is_endpoint(const request_rec *r, const char *endpoint)
{
    const wa_api_server_t *api = wa_config_get(r->server)->api;
    apr_size_t len = api ? strlen(api->base_path) : 0;

    return api && strncmp(r->uri, api->base_path, len) == 0 && strcmp(r->uri + len, endpoint) == 0;
}

void wa_status_count(const request_rec *r)
{
    if (!counters) {
        return;
    }
    count(COUNT_REQUESTS);
    if (r->status >= 500) {
        count(COUNT_SERVER_ERRORS);
    } else if (r->status >= 400) {
        count(COUNT_CLIENT_ERRORS);
    }
    if (r->method_number != M_POST) {
        return;
    }
    if (is_endpoint(r, "/send")) {
        count(r->status < 300 ? COUNT_SENDS : COUNT_SENDS_FAILED);
    } else if (is_endpoint(r, "/webhook")) {
        count(r->status < 300 ? COUNT_WEBHOOKS : COUNT_WEBHOOKS_REFUSED);
    }
}

int wa_status_show(request_rec *r, int flags)
{
    count_e i;

    if (!counters) {
        return OK;
    }
    if (!(flags & AP_STATUS_SHORT)) {
        ap_rputs("<hr />\n<h2>WhatsApp messenger</h2>\n<table>\n", r);
    }
    for (i = 0; i < COUNT_END; i++) {
        apr_uint64_t value = __atomic_load_n(&counters->counts[i], __ATOMIC_RELAXED);

        if (flags & AP_STATUS_SHORT) {
            ap_rprintf(r, "WhatsApp%s: %" APR_UINT64_T_FMT "\n", labels[i].name, value);
        } else {
            ap_rprintf(r, "<tr><th align=\"left\">%s</th><td>%" APR_UINT64_T_FMT "</td></tr>\n",
                       labels[i].text, value);
        }
    }
    if (!(flags & AP_STATUS_SHORT)) {
        ap_rputs("</table>\n", r);
    }
    return OK;
}
