/* SPDX-License-Identifier: Apache-2.0 */
/* POST /send */
#include "messaging/send/send.h"

#include <apr_strings.h>

#include "api/body.h"
#include "api/reply.h"
#include "base/clock.h"
#include "messaging/list/render.h"

/* Reads mediaUrl: a string, or an array of them. */
static int media_read(wa_request_t *q, const json_t *media, wa_content_request_t *content,
                      int *presult)
{
    const int is_array = json_is_array(media);
    const apr_size_t count = is_array ? json_array_size(media) : 1;
    apr_size_t i;

    if (count == 0 || count > WA_CONTENT_MEDIA_MAX || (!is_array && !json_is_string(media))) {
        *presult =
            wa_reply_error(q, WA_ERROR_INVALID_INPUT,
                           "mediaUrl must be an https:// address, or an array of 1 to 10 of them.");
        return 0;
    }
    for (i = 0; i < count; i++) {
        const json_t *url = is_array ? json_array_get(media, i) : media;

        if (!json_is_string(url)) {
            *presult = wa_reply_error(
                q, WA_ERROR_INVALID_INPUT,
                apr_psprintf(q->r->pool, "mediaUrl[%" APR_SIZE_T_FMT "] must be a string.", i));
            return 0;
        }
        content->media_urls[i] = wa_slice_make(json_string_value(url), json_string_length(url));
    }
    content->media_count = count;
    return 1;
}

/* Reads what is to be sent: a message, which may be missing where there is something else. */
static int content_read(wa_request_t *q, const json_t *j, wa_send_request_t *request, int *presult)
{
    const json_t *media = json_object_get(j, "mediaUrl");
    const json_t *sid = json_object_get(j, "contentSid");

    request->content.content_variables = json_object_get(j, "contentVariables");
    if (media && !media_read(q, media, &request->content, presult)) {
        return 0;
    }
    if (sid && !wa_body_string(q, j, "contentSid", &request->content.content_sid, presult)) {
        return 0;
    }
    return ((media || sid) && !json_object_get(j, "message"))
           || wa_body_string(q, j, "message", &request->message, presult);
}

static int request_read(wa_request_t *q, wa_send_request_t *request, int *presult)
{
    json_t *j;

    memset(request, 0, sizeof(*request));
    request->idempotency_key = apr_table_get(q->r->headers_in, "Idempotency-Key");
    if (!wa_body_json(q, &j, presult)
        || !wa_body_string(q, j, "phoneNumber", &request->phone_number, presult)
        || !content_read(q, j, request, presult)) {
        return 0;
    }
    request->has_contact_id = json_object_get(j, "contactId") != NULL;
    return !request->has_contact_id
           || wa_body_string(q, j, "contactId", &request->contact_id, presult);
}

/* Who a request is from, for the rate: its address, of which a network of IPv6 counts as one (it is
 * what one customer has). */
static const char *address_of(const request_rec *r)
{
    const apr_sockaddr_t *address = r->useragent_addr;

#if APR_HAVE_IPV6
    if (address && address->family == APR_INET6
        && !IN6_IS_ADDR_V4MAPPED(&address->sa.sin6.sin6_addr)) {
        const unsigned char *b = address->sa.sin6.sin6_addr.s6_addr;

        return apr_psprintf(r->pool, "%02x%02x:%02x%02x:%02x%02x:%02x%02x", b[0], b[1], b[2], b[3],
                            b[4], b[5], b[6], b[7]);
    }
#endif
    (void)address;
    return r->useragent_ip ? r->useragent_ip : "";
}

/* Takes from the bucket of the address and, where httpd knows one, of the user: of both or of
 * none. */
static apr_interval_time_t admit(void *baton)
{
    const wa_request_t *q = baton;
    const wa_rate_t *rate = &q->server->send_rate;
    const char *account = q->messenger->account_sid;
    const apr_time_t now = wa_clock_steady_us();
    const char *address;
    apr_interval_time_t wait;

    if (rate->count == 0 || !q->server->rates) {
        return 0;
    }
    address = apr_pstrcat(q->r->pool, account, " address ", address_of(q->r), NULL);
    wait = wa_rate_take(q->server->rates, rate, address, now);
    if (wait == 0 && q->r->user) {
        wait = wa_rate_take(q->server->rates, rate,
                            apr_pstrcat(q->r->pool, account, " user ", q->r->user, NULL), now);
        if (wait != 0) {
            wa_rate_give_back(q->server->rates, rate, address, now);
        }
    }
    return wait;
}

int wa_endpoint_send(wa_request_t *q)
{
    wa_send_request_t request;
    wa_send_result_t sent;
    wa_reply_t reply;
    apr_status_t rv;
    int result;

    if (!request_read(q, &request, &result)) {
        return result;
    }
    request.admit = admit;
    request.admit_baton = q;
    rv = wa_send(q->messenger, &request, &sent, q->r->pool);
    if (APR_STATUS_IS_TIMEUP(rv) && sent.sentence) {
        return wa_reply_retry(q,
                              sent.is_rate_limited ? WA_ERROR_RATE_LIMITED : WA_ERROR_UNAVAILABLE,
                              sent.sentence, sent.retry_after_s);
    }
    if (rv == APR_EACCES) {
        return wa_reply_error(q, WA_ERROR_CONFLICT, sent.sentence);
    }
    if (rv != APR_SUCCESS) {
        return wa_reply_status(q, rv, sent.sentence);
    }
    if (!sent.is_accepted) {
        return wa_reply_error_message(
            q, WA_ERROR_TWILIO, sent.sentence ? sent.sentence : "The message could not be sent.",
            &sent.message);
    }
    wa_reply_begin(&reply, q, sent.message.body.len + 512);
    WA_JSON_NAME(&reply.w, "message");
    wa_message_render(&reply.w, &sent.message, q->messenger->store, q->server->base_path,
                      q->r->pool);
    return wa_reply_end(&reply, APR_SUCCESS, NULL);
}
