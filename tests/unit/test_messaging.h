/* SPDX-License-Identifier: Apache-2.0 */
/* What the messaging layer's test programs share: a messenger on a fake store, and its log. */
#ifndef WA_TEST_MESSAGING_H
#define WA_TEST_MESSAGING_H

#include "test_base.h"

#include <apr_strings.h>

#include "base/form.h"
#include "fake_store.h"
#include "messaging/list/render.h"
#include "messaging/message/attributes.h"
#include "messaging/messenger.h"

#define OUR_SID "AC00000000000000000000000000000001"
#define OUR_NUMBER "+14155238886"
#define OUR_TOKEN "planted-token-0123456789"
#define SID_1 "SM00000000000000000000000000000011"
#define SID_2 "SM00000000000000000000000000000012"

/* One messenger with nothing in it. */
typedef struct world_t {
    apr_pool_t *p;
    fake_store_t *fake;
    wa_messenger_t messenger;
    wa_log_t log;
    char *lines; /* all that was logged, "WA0501 text\n" each */
} world_t;

static inline int world_log_is_on(void *baton, wa_log_level_e level)
{
    (void)baton;
    return level <= WA_LOG_DEBUG;
}

static inline void world_log_write(void *baton, wa_log_level_e level, const char *tag,
                                   apr_status_t rv, const char *text)
{
    world_t *world = baton;

    (void)rv;
    world->lines = apr_psprintf(world->p, "%s%d %s %s\n", world->lines, (int)level, tag, text);
}

static inline void world_init(world_t *world, apr_pool_t *p)
{
    memset(world, 0, sizeof(*world));
    world->p = p;
    world->fake = fake_store_create(p);
    world->lines = apr_pstrdup(p, "");
    world->log.is_on = world_log_is_on;
    world->log.write = world_log_write;
    world->log.baton = world;
    world->messenger.store = fake_store_seam(world->fake);
    world->messenger.account_sid = OUR_SID;
    world->messenger.tokens[0] = wa_secret_make(OUR_TOKEN, strlen(OUR_TOKEN), p);
    world->messenger.token_count = 1;
    world->messenger.number = OUR_NUMBER;
    world->messenger.public_url = "https://chat.example.org";
    world->messenger.base_path = "/api/whatsapp-messenger";
    world->messenger.log = &world->log;
}

/* A form as it would come over the wire. */
static inline const wa_form_t *form_of(const char *body, apr_pool_t *p)
{
    wa_form_t *form;

    assert_int_equal(wa_form_parse(&form, apr_pstrdup(p, body), strlen(body), 1000, p),
                     APR_SUCCESS);
    return form;
}

/* The Message object of a stored message. */
static inline const char *json_of(const wa_message_t *message, apr_pool_t *p)
{
    wa_buffer_t b;
    wa_json_writer_t w = WA_JSON_WRITER(&b);
    const char *json;

    wa_buffer_init(&b, 0);
    wa_message_render(&w, message, NULL, "/api/whatsapp-messenger", p);
    assert_false(b.failed);
    json = apr_pstrmemdup(p, b.data, b.len);
    wa_buffer_release(&b);
    return json;
}

/* A slice as a string. */
static inline const char *text_of(wa_slice_t s, apr_pool_t *p)
{
    return s.len > 0 ? apr_pstrmemdup(p, s.ptr, s.len) : "";
}

/* The members that a message's delivery gives; "" for a received one. */
static inline const char *delivery_of(const wa_message_t *message, apr_pool_t *p)
{
    const char *json = json_of(message, p);
    const char *from = strstr(json, "\"status\":"), *to = strstr(json, ",\"timestamp\":");

    assert_non_null(to);
    return from ? apr_pstrmemdup(p, from, (apr_size_t)(to - from)) : "";
}

/* The same of a state that is to be stored. */
static inline const char *state_text_of(const wa_message_state_t *state, apr_pool_t *p)
{
    const wa_message_t message = {
        .direction = WA_DIRECTION_SENT, .status = state->status, .delivery = state->delivery};

    return delivery_of(&message, p);
}

/* The duration in the first line that has one, in milliseconds. */
static inline apr_int64_t duration_of(const world_t *world)
{
    const char *at = strstr(world->lines, "duration=");

    assert_non_null(at);
    return apr_atoi64(at + strlen("duration="));
}

#endif
