/* SPDX-License-Identifier: Apache-2.0 */
/* What limits all processes together, in memory that they share and that outlives restarts. */
#include "httpd/limits.h"

#include <unistd.h>

#include <apr_general.h>
#include <apr_shm.h>
#include <httpd.h>
#include <http_config.h>
#include <http_log.h>

#include "httpd/config.h"

APLOG_USE_MODULE(whatsapp);

/* Raised with every change of what is shared: a reloaded module then finds none, and makes its
 * own. */
#define LAYOUT 3

typedef struct limits_t {
    wa_concurrency_shared_t gate;
    wa_rate_table_t rates;
} limits_t;

/* Holds no pointer into the module, which may be reloaded in between. */
typedef struct retained_t {
    apr_uint32_t layout; /* 0 while there is no shared memory */
    limits_t *limits;
} retained_t;

static limits_t *limits;

apr_status_t wa_limits_create(server_rec *s)
{
    static const char key[] = "mod_whatsapp limits";
    retained_t *retained = ap_retained_data_get(key);
    apr_shm_t *shm = NULL;
    apr_status_t rv;

    limits = NULL;
    if (!retained) {
        retained = ap_retained_data_create(key, sizeof(*retained));
    }
    if (retained->layout != LAYOUT) {
        rv = apr_shm_create(&shm, sizeof(limits_t), NULL, s->process->pool);
        if (rv != APR_SUCCESS) {
            ap_log_error(APLOG_MARK, APLOG_EMERG | APLOG_STARTUP, rv, s,
                         "WA0137: no shared memory for the limits");
            return rv;
        }
        retained->limits = apr_shm_baseaddr_get(shm);
        memset(retained->limits, 0, sizeof(limits_t));
        (void)apr_generate_random_bytes((unsigned char *)retained->limits->rates.key,
                                        sizeof(retained->limits->rates.key));
        retained->layout = LAYOUT;
    }
    limits = retained->limits;
    return APR_SUCCESS;
}

wa_rate_table_t *wa_limits_rates(void)
{
    return limits ? &limits->rates : NULL;
}

wa_concurrency_t *wa_limits_child(server_rec *s, apr_pool_t *pchild)
{
    wa_concurrency_t *gate = apr_pcalloc(pchild, sizeof(*gate));

    if (!limits) { /* no memory for it in a reload, which is logged */
        return NULL;
    }
    gate->shared = &limits->gate;
    gate->own = wa_concurrency_claim(&limits->gate, (apr_uint32_t)getpid());
    if (!gate->own) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, s,
                     "WA0138: over %d processes: WhatsAppMaxSends counts in this one by itself",
                     WA_CONCURRENCY_SLOTS);
        return NULL;
    }
    return gate;
}

void wa_limits_child_status(server_rec *s, pid_t pid, ap_generation_t generation, int slot,
                            mpm_child_status state)
{
    (void)s;
    (void)generation;
    (void)slot;
    if (limits && state == MPM_CHILD_EXITED) {
        wa_concurrency_free(&limits->gate, (apr_uint32_t)pid);
    }
}
