/* SPDX-License-Identifier: Apache-2.0 */
/* Asks Twilio for the attachments of received messages, and looks again for those that were
 * announced and not listed yet. */
#include "messaging/reconcile/reconcile_media.h"

#include <apr_strings.h>
#include <apr_tables.h>

#include "base/clock.h"
#include "messaging/receive/late.h"
#include "messaging/reconcile/passed.h"

/* How many messages one run asks about again; the next one goes on. */
#define LOOKS_MAX 100

#define SEEN_MAX 65536

/* ---- asking ---- */

typedef struct gather_t {
    wa_reconcile_media_t *answer;
    apr_pool_t *p;
} gather_t;

static apr_status_t media_take(void *baton, const wa_twilio_media_t *media, apr_pool_t *tmp)
{
    gather_t *gather = baton;
    wa_reconcile_media_t *answer = gather->answer;
    wa_media_t *one = &answer->media[answer->count];

    (void)tmp;
    one->number = answer->count++;
    one->url = apr_pstrdup(gather->p, media->url);
    one->content_type = media->content_type && *media->content_type
                            ? apr_pstrdup(gather->p, media->content_type)
                            : "application/octet-stream";
    return answer->count < WA_LATE_MEDIA_MAX ? APR_SUCCESS : APR_EOF;
}

/* A 403 is about the message only where the account's list was given with the same credentials; a
 * 429 is about none. */
static wa_twilio_verdict_e judged(const wa_reconcile_run_t *run, const wa_twilio_result_t *result)
{
    const int http = result->http_status;

    return http == 429 || (http == 403 && !run->progress->has_list) ? WA_TWILIO_SILENT
                                                                    : wa_twilio_verdict(result);
}

apr_status_t wa_reconcile_media_ask(const wa_reconcile_run_t *run, const char *sid,
                                    wa_reconcile_media_t *answer, apr_pool_t *p)
{
    gather_t gather = {answer, p};
    const wa_twilio_media_query_t query = {&run->account, sid};
    const wa_twilio_media_visitor_t visitor = {media_take, &gather};
    int *left = &run->progress->media_left;
    apr_status_t rv;

    memset(answer, 0, sizeof(*answer));
    answer->verdict = WA_TWILIO_SILENT;
    if (*left <= 0) {
        return APR_SUCCESS;
    }
    rv = wa_twilio_media_list(run->messenger->twilio, &query, &visitor, &answer->result, p);
    if (APR_STATUS_IS_ENOMEM(rv)) {
        return rv;
    }
    if (rv == APR_SUCCESS || APR_STATUS_IS_EOF(rv) || APR_STATUS_IS_INCOMPLETE(rv)) {
        answer->verdict = WA_TWILIO_GIVEN;
        return APR_SUCCESS;
    }
    answer->count = 0;
    answer->verdict = APR_STATUS_IS_EINVAL(rv) ? WA_TWILIO_DENIED : judged(run, &answer->result);
    if (answer->verdict == WA_TWILIO_SILENT) {
        *left = 0;
    } else if (answer->verdict == WA_TWILIO_TROUBLE) {
        (*left)--;
    }
    return APR_SUCCESS;
}

/* ---- looking again ---- */

/* A message whose attachments are looked for. Strings in the run's pool. */
typedef struct waiting_t {
    const char *sid;
    apr_int64_t since_ms;
    apr_int64_t timestamp_ms;
} waiting_t;

typedef struct look_t {
    const wa_reconcile_run_t *run;
    apr_array_header_t *waiting; /* of waiting_t, the oldest first */
    int is_cut;                  /* there are more */
} look_t;

/* Equal for two ages between which a wait has not become an eighth longer. */
static int age_step(apr_int64_t age_ms)
{
    const int bits = age_ms > 0 ? 63 - __builtin_clzll((unsigned long long)age_ms) : 0;

    return 8 * bits + (bits >= 3 ? (int)(age_ms >> (bits - 3)) & 7 : 0);
}

/* 1 when it is time to look; since_ms of a clock that was ahead says nothing. */
static int is_due(const wa_reconcile_run_t *run, apr_int64_t since_ms)
{
    const apr_int64_t now_ms = run->options->now_ms, last_ms = run->memory->media_run_ms;

    if (since_ms > now_ms + WA_CLOCK_SKEW_MS) {
        return 1;
    }
    if (since_ms >= now_ms) {
        return 0; /* it was looked for in this run */
    }
    return last_ms <= since_ms || last_ms > now_ms
           || age_step(now_ms - since_ms) != age_step(last_ms - since_ms);
}

static apr_status_t waiting_gather(void *baton, const wa_message_t *message, int is_update)
{
    look_t *look = baton;
    const wa_reconcile_run_t *run = look->run;
    wa_late_media_t late;
    waiting_t *one;

    (void)is_update;
    if (message->direction != WA_DIRECTION_RECEIVED
        || message->timestamp_ms <= run->memory->media_after_ms) {
        return APR_SUCCESS;
    }
    wa_late_media_read(&late, message);
    if (late.awaited == 0 || !is_due(run, late.since_ms)) {
        return APR_SUCCESS;
    }
    if (look->waiting->nelts >= LOOKS_MAX) {
        look->is_cut = 1;
        return APR_EOF;
    }
    one = apr_array_push(look->waiting);
    one->sid = wa_slice_string(message->sid.len > 0 ? message->sid : message->id, run->p);
    one->since_ms = late.since_ms;
    one->timestamp_ms = message->timestamp_ms;
    return APR_SUCCESS;
}

/* 1 when this is the last look, whatever comes of it. */
static int is_last(const wa_reconcile_run_t *run, const waiting_t *one, wa_twilio_verdict_e verdict)
{
    const apr_int64_t age_ms = run->options->now_ms - one->since_ms;

    switch (verdict) {
    case WA_TWILIO_DENIED:
        return 1;
    case WA_TWILIO_GIVEN:
    case WA_TWILIO_TROUBLE:
        return age_ms >= WA_RECONCILE_MEDIA_MS;
    case WA_TWILIO_SILENT:
        break;
    }
    return age_ms >= WA_RECONCILE_MEDIA_LONGEST_MS;
}

/* Looks for the attachments of one message. @param pis_over  out: 1 when the run shall ask no
 * more */
static apr_status_t look_once(const wa_reconcile_run_t *run, const waiting_t *one, int *pis_over,
                              apr_pool_t *p)
{
    wa_reconcile_notice_t *passed = &run->progress->passed;
    wa_reconcile_media_t answer = {.verdict = WA_TWILIO_SILENT};
    wa_late_news_t news;
    int is_changed;
    apr_status_t rv = APR_SUCCESS;

    *pis_over = 0;
    if (one->since_ms > run->options->now_ms + WA_CLOCK_SKEW_MS) {
        rv = wa_late_restart(run->messenger, one->sid, run->options->now_ms, p);
    }
    if (rv == APR_SUCCESS) {
        rv = wa_reconcile_media_ask(run, one->sid, &answer, p);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    *pis_over = run->progress->media_left <= 0;
    news = (wa_late_news_t){answer.media, answer.count, is_last(run, one, answer.verdict)};
    if (news.count == 0 && !news.is_final) {
        return APR_SUCCESS;
    }
    rv = wa_late_fill(run->messenger, one->sid, &news, &is_changed, p);
    if (rv == APR_SUCCESS && is_changed) {
        run->result->attached += news.count > 0;
        if (news.is_final) {
            wa_passed_note(run, &passed->attachments, one->sid, &answer.result);
        }
    }
    return rv;
}

apr_status_t wa_reconcile_media(const wa_reconcile_run_t *run)
{
    wa_reconcile_memory_t *memory = run->memory;
    look_t look = {.run = run, .waiting = apr_array_make(run->p, 16, sizeof(waiting_t))};
    const wa_pending_query_t query = {.before_ms = APR_INT64_MAX,
                                      .ahead_ms = APR_INT64_MAX,
                                      .max = SEEN_MAX,
                                      .visit = waiting_gather,
                                      .baton = &look};
    apr_pool_t *p;
    int i, is_over = run->progress->media_left <= 0;
    apr_status_t rv = wa_store_pending_list(run->messenger->store, &query, run->p);

    if (rv != APR_SUCCESS && !APR_STATUS_IS_EOF(rv)) {
        return rv;
    }
    rv = apr_pool_create(&p, run->p);
    for (i = 0; i < look.waiting->nelts && rv == APR_SUCCESS && !is_over; i++) {
        const waiting_t *one = &APR_ARRAY_IDX(look.waiting, i, waiting_t);

        rv = wa_reconcile_is_stopping(run) ? APR_EINTR : look_once(run, one, &is_over, p);
        rv = wa_passed_judge(run, rv, wa_passed_key("attachments", one->sid));
        memory->media_after_ms = one->timestamp_ms;
        apr_pool_clear(p);
    }
    if (rv == APR_SUCCESS && i == look.waiting->nelts && !look.is_cut) {
        memory->media_after_ms = 0;
        memory->media_run_ms = run->options->now_ms;
    }
    return rv;
}
