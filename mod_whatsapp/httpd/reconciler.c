/* SPDX-License-Identifier: Apache-2.0 */
/* Runs reconciliation with Twilio in one process of the server, beside everything else. */
#include "httpd/reconciler.h"

#include <apr_optional.h>
#include <ap_mpm.h>
#include <http_config.h>
#include <http_log.h>
#include <mod_watchdog.h>

#include "api/api.h"
#include "base/clock.h"
#include "httpd/config.h"
#include "messaging/reconcile/reconcile.h"

APLOG_USE_MODULE(whatsapp);

#define WATCHDOG_NAME "_whatsapp_reconcile_"

/* How often at least the watchdog calls, to see what is due. */
#define TICK_MAX apr_time_from_sec(1)

/* One account's number; each process has its own copy since the fork. */
typedef struct subject_t {
    server_rec *s;
    apr_time_t due_us; /* of the steady clock */
    wa_reconcile_memory_t memory;
} subject_t;

static int is_stopping(void)
{
    int state = AP_MPMQ_RUNNING;

    return ap_mpm_query(AP_MPMQ_MPM_STATE, &state) == APR_SUCCESS && state == AP_MPMQ_STOPPING;
}

static void subject_run(subject_t *subject, apr_pool_t *tmp)
{
    const wa_config_t *config = wa_config_get(subject->s);
    wa_messenger_t *messenger = config->api->messenger;
    wa_reconcile_options_t options = {.now_ms = wa_clock_now_ms(),
                                      .look_back = wa_config_reconcile_look_back(config),
                                      .is_stopping = is_stopping};
    wa_reconcile_result_t result;
    apr_status_t rv;

    if (!messenger || !messenger->twilio) {
        return; /* this process could not prepare itself, and has said so */
    }
    rv = wa_reconcile(messenger, &subject->memory, &options, &result, tmp);
    if (rv != APR_SUCCESS) {
        ap_log_error(
            APLOG_MARK, APLOG_INFO, rv, subject->s,
            "WA0128: reconciliation with Twilio did not come to its end; it goes on later");
    }
}

/* In the thread of this watchdog, in the one child that has the watchdog's lock. */
static apr_status_t tick(int state, void *data, apr_pool_t *tmp)
{
    apr_array_header_t *subjects = data;
    int i;

    if (state != AP_WATCHDOG_STATE_RUNNING) {
        return APR_SUCCESS;
    }
    for (i = 0; i < subjects->nelts && !is_stopping(); i++) {
        subject_t *subject = &APR_ARRAY_IDX(subjects, i, subject_t);

        if (wa_clock_steady_us() < subject->due_us) {
            continue;
        }
        subject_run(subject, tmp);
        subject->due_us =
            wa_clock_steady_us() + wa_config_reconcile_interval(wa_config_get(subject->s));
    }
    return APR_SUCCESS;
}

/* 1 when another virtual host with the same store and number is there already. */
static int is_there(const apr_array_header_t *subjects, const wa_messenger_t *messenger)
{
    int i;

    for (i = 0; i < subjects->nelts; i++) {
        const subject_t *subject = &APR_ARRAY_IDX(subjects, i, subject_t);
        const wa_messenger_t *other = wa_config_get(subject->s)->api->messenger;

        if (other->store == messenger->store && strcmp(other->number, messenger->number) == 0) {
            return 1;
        }
    }
    return 0;
}

void wa_reconciler_start(server_rec *main_server, apr_pool_t *pconf)
{
    APR_OPTIONAL_FN_TYPE(ap_watchdog_get_instance) *get_instance =
        APR_RETRIEVE_OPTIONAL_FN(ap_watchdog_get_instance);
    APR_OPTIONAL_FN_TYPE(ap_watchdog_register_callback) *add =
        APR_RETRIEVE_OPTIONAL_FN(ap_watchdog_register_callback);
    apr_array_header_t *subjects = apr_array_make(pconf, 2, sizeof(subject_t));
    apr_interval_time_t interval = TICK_MAX;
    ap_watchdog_t *watchdog = NULL;
    apr_status_t rv = APR_ENOTIMPL;
    server_rec *s;

    for (s = main_server; s; s = s->next) {
        const wa_config_t *config = wa_config_get(s);
        subject_t *subject;

        if (!config->api || !config->api->messenger || !wa_config_reconcile(config)
            || is_there(subjects, config->api->messenger)) {
            continue;
        }
        subject = apr_array_push(subjects);
        memset(subject, 0, sizeof(*subject));
        subject->s = s;
        if (wa_config_reconcile_interval(config) < interval) {
            interval = wa_config_reconcile_interval(config);
        }
    }
    if (subjects->nelts == 0) {
        return;
    }
    if (get_instance && add) {
        rv = get_instance(&watchdog, WATCHDOG_NAME, 0, 1, pconf);
        if (rv == APR_SUCCESS) {
            rv = add(watchdog, interval, subjects, tick);
        }
    }
    if (rv != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_NOTICE, rv == APR_ENOTIMPL ? APR_SUCCESS : rv, main_server,
                     "WA0127: mod_watchdog is not there: what was missed is not asked of Twilio");
    }
}
