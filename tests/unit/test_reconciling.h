/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of reconciliation share: a Twilio with a list of messages, and runs against it. */
#ifndef WA_TEST_RECONCILING_H
#define WA_TEST_RECONCILING_H

#include "test_messaging.h"

#include "messaging/reconcile/reconcile.h"
#include "messaging/delivery/reducer.h"
#include "messaging/delivery/receipts.h"
#include "twilio/client.h"

#define NUMBER "+15551230001"
#define START ((apr_int64_t)1795000000000)
#define MINUTE ((apr_int64_t)60000)
#define SID(n) "SM0000000000000000000000000000000" n

/* Stands in for twilio/list.c, which is not linked. Newest first, as Twilio lists. */
typedef struct entry_t {
    const char *sid, *from, *to, *body, *direction, *status;
    apr_int64_t created_ms;
    int media_count, error_code, is_unsent;
} entry_t;

/* How Twilio answers to one list instead. */
typedef struct answer_t {
    const char *of; /* a counterpart's number, or the sid of a message; NULL ends them */
    apr_status_t rv;
    int http;
    int media_count; /* with APR_SUCCESS: so many are listed */
} answer_t;

static struct {
    const entry_t *entries;
    size_t count;
    apr_status_t rv; /* of every list */
    apr_status_t media_rv;
    int http; /* of what is not given */
    const answer_t *answers;
    int media_lists;
    /* once so many messages were given a list breaks off; 0: never */
    int break_after;
    int breaks; /* how often it may still */
    int sent_lists, undated_lists, inbound_lists;
    int receipt_lists;    /* of all that our number sent */
    apr_time_t date_from; /* of the last list with a date */
    world_t *world;
    void (*meanwhile)(world_t *world); /* before a list is read */
} twilio;

static const answer_t *answer_of(const char *of)
{
    const answer_t *answer = twilio.answers;

    while (answer && answer->of && strcmp(answer->of, of) != 0) {
        answer++;
    }
    return answer && answer->of ? answer : NULL;
}

static apr_status_t result_set(wa_twilio_result_t *result, apr_status_t rv, int http)
{
    memset(result, 0, sizeof(*result));
    result->http_status = rv == APR_EGENERAL ? http : 200;
    result->outcome = rv == APR_EGENERAL ? WA_TWILIO_UNKNOWN : WA_TWILIO_ACCEPTED;
    return rv;
}

static int is_to(const char *address, const char *number)
{
    return strcmp(address + strlen("whatsapp:"), number) == 0;
}

apr_status_t wa_twilio_messages_fetch(wa_twilio_client_t *client, const wa_twilio_query_t *query,
                                      const wa_twilio_message_visitor_t *visitor,
                                      wa_twilio_result_t *result, apr_pool_t *tmp)
{
    const answer_t *answer = query->to && query->from ? answer_of(query->to) : NULL;
    apr_status_t rv = answer ? result_set(result, answer->rv, answer->http)
                             : result_set(result, twilio.rv, twilio.http);
    int given = 0;
    size_t i;

    (void)client;
    assert_string_equal(query->account->sid, OUR_SID);
    if (twilio.meanwhile) {
        twilio.meanwhile(twilio.world);
    }
    *(!query->from ? &twilio.inbound_lists
      : !query->to ? &twilio.receipt_lists
                   : (query->date_sent_from ? &twilio.sent_lists : &twilio.undated_lists)) += 1;
    if (query->date_sent_from && query->to) {
        twilio.date_from = query->date_sent_from;
    }
    for (i = 0; i < twilio.count && rv == APR_SUCCESS; i++) {
        const entry_t *e = &twilio.entries[i];
        wa_twilio_message_t m = {.sid = e->sid,
                                 .from = e->from,
                                 .to = e->to,
                                 .body = e->body,
                                 .direction = e->direction,
                                 .status = e->status,
                                 .error_code = e->error_code,
                                 .media_count = e->media_count,
                                 .date_created = apr_time_from_msec(e->created_ms)};

        m.date_sent = e->is_unsent ? 0 : m.date_created;
        if ((!query->to || is_to(e->to, query->to)) && (!query->from || is_to(e->from, query->from))
            && (!query->date_sent_from || m.date_sent >= query->date_sent_from)
            && (!query->date_sent_to || (m.date_sent && m.date_sent <= query->date_sent_to))) {
            rv = visitor->fn(visitor->baton, &m, tmp);
            if (rv == APR_SUCCESS && ++given == twilio.break_after && twilio.breaks > 0) {
                twilio.breaks--;
                return APR_INCOMPLETE;
            }
        }
    }
    return rv;
}

apr_status_t wa_twilio_media_list(wa_twilio_client_t *client, const wa_twilio_media_query_t *query,
                                  const wa_twilio_media_visitor_t *visitor,
                                  wa_twilio_result_t *result, apr_pool_t *tmp)
{
    const answer_t *answer = answer_of(query->message_sid);
    apr_status_t rv = answer ? result_set(result, answer->rv, answer->http)
                             : result_set(result, twilio.media_rv, twilio.http);
    int i;

    (void)client;
    twilio.media_lists++;
    for (i = 0; rv == APR_SUCCESS && i < (answer ? answer->media_count : 1); i++) {
        const wa_twilio_media_t media = {
            apr_psprintf(tmp, "https://api.twilio.com/%s/ME%d", query->message_sid, i),
            "image/png"};

        rv = visitor->fn(visitor->baton, &media, tmp);
    }
    return rv;
}

/* The versions of clang-format differ about these braces. */
/* clang-format off */
#define SENT_TO(sid, body, status, when)                                                           \
    {                                                                                              \
        sid, "whatsapp:" OUR_NUMBER, "whatsapp:" NUMBER, body, "outbound-api", status, when, 0, 0, \
            0                                                                                      \
    }
/* clang-format on */

static wa_reconcile_memory_t memory;

static inline void begin(world_t *world, apr_pool_t *p, const entry_t *entries, size_t count)
{
    world_init(world, p);
    memset(&twilio, 0, sizeof(twilio));
    twilio.world = world;
    twilio.entries = entries;
    twilio.count = count;
    fake_store_clock(world->fake, START);
    memset(memory.passed, 0, sizeof(memory.passed));
    memory.sends_after_ms = memory.media_after_ms = memory.media_run_ms = 0;
}

/* A message whose outcome is not known. */
static inline const char *pending_add(world_t *world, const char *id, const char *body)
{
    wa_delivery_t delivery = {
        .part_count = 1, .parts = {{.is = WA_PART_UNKNOWN}}, .reason = "Twilio did not answer."};
    wa_message_new_t message = {.id = id,
                                .counterpart = NUMBER,
                                .phone_number = OUR_NUMBER,
                                .body = wa_slice_of(body),
                                .direction = WA_DIRECTION_SENT,
                                .preview = WA_SLICE_LITERAL("x")};
    wa_message_state_t first;
    wa_message_t stored;

    assert_int_equal(wa_delivery_write(&delivery, NULL, &first, world->p), APR_SUCCESS);
    message.status = first.status;
    message.delivery = first.delivery;
    assert_int_equal(wa_store_message_add(world->messenger.store, &message, &stored, world->p),
                     APR_SUCCESS);
    return id;
}

static inline wa_message_t stored_of(world_t *world, const char *key)
{
    wa_message_t m;

    assert_int_equal(wa_store_message_find(world->messenger.store, key, &m, world->p), APR_SUCCESS);
    return m;
}

static inline const char *state_of(world_t *world, const char *id)
{
    wa_message_t m;

    assert_int_equal(wa_store_message_find(world->messenger.store, id, &m, world->p), APR_SUCCESS);
    return delivery_of(&m, world->p);
}

static inline apr_status_t run_at(world_t *world, apr_int64_t after_ms,
                                  wa_reconcile_result_t *result)
{
    const wa_reconcile_options_t options = {.now_ms = START + after_ms,
                                            .look_back = apr_time_from_sec(24 * 3600)};

    return wa_reconcile(&world->messenger, &memory, &options, result, world->p);
}

static inline wa_reconcile_result_t run(world_t *world, apr_int64_t after_ms)
{
    wa_reconcile_result_t result;

    assert_int_equal(run_at(world, after_ms, &result), APR_SUCCESS);
    return result;
}

#define PENDING "\"status\":\"pending\",\"errorMessage\":\"Twilio did not answer.\""
#define QUEUED(sid) "\"status\":\"success\",\"sid\":\"" sid "\",\"deliveryStatus\":\"queued\""

/* The last characters of the sids of the parts, as they are stored: "1,2,3"; - for none. */
static inline const char *sids_of(world_t *world, const char *id)
{
    const char *all = "";
    wa_message_t m;
    wa_delivery_t state;
    apr_size_t i;

    assert_int_equal(wa_store_message_find(world->messenger.store, id, &m, world->p), APR_SUCCESS);
    wa_delivery_read(&state, &m, world->p);
    for (i = 0; i < state.part_count; i++) {
        const char *sid = state.parts[i].sid;

        all = apr_pstrcat(world->p, all, i ? "," : "", sid ? sid + strlen(sid) - 1 : "-", NULL);
    }
    return all;
}

/* Adds a send of unknown outcome, "t", of which only Twilio knows the text. */
static inline void template_add(world_t *world)
{
    const wa_attributes_t attributes = {.content_sid = "HX1"};
    wa_message_new_t template = {.id = "t",
                                 .counterpart = NUMBER,
                                 .direction = WA_DIRECTION_SENT,
                                 .status = WA_STATUS_PENDING,
                                 .phone_number = OUR_NUMBER,
                                 .body = WA_SLICE_LITERAL("[template]")};
    wa_message_t stored;

    assert_int_equal(wa_attributes_write(&attributes, &template.attributes, world->p), APR_SUCCESS);
    assert_int_equal(wa_store_message_add(world->messenger.store, &template, &stored, world->p),
                     APR_SUCCESS);
}

#endif
