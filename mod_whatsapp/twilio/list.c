/* SPDX-License-Identifier: Apache-2.0 */
/* Lists what Twilio has: messages and their media, page by page. */
#include <string.h>

#include <apr_date.h>
#include <apr_strings.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/form.h"
#include "base/id.h"
#include "base/json_mend.h"
#include "twilio/client_private.h"

#define DEFAULT_PAGE_SIZE 50
#define MAX_PAGE_SIZE 100

/* A list that never ends is cut off here. */
#define MAX_PAGES 1000

/* Called for each element of a page's list; what it returns ends the listing. */
typedef apr_status_t element_cb(const void *baton, const json_t *element, apr_pool_t *tmp);

typedef struct listing_t {
    wa_twilio_client_t *client;
    const wa_twilio_account_t *account;
    const char *member; /* the list's name in the answer */
    element_cb *element;
    const void *baton;
    int is_about_one;           /* 1: of one message or counterpart, not of the account */
    int left;                   /* elements still wanted; negative: all */
    wa_twilio_result_t *result; /* of the last page; strings in p */
    apr_pool_t *p;
} listing_t;

/* Where the next page is: only below the account's own address, so that the credentials go nowhere
 * else. @param pnext  out: NULL when there is none. @return 1 | 0 it is said to be where it cannot
 * be */
static int next_url(const listing_t *listing, const char *now, const json_t *json,
                    const char **pnext, apr_pool_t *p)
{
    const json_t *member = json_object_get(json, "next_page_uri");
    const char *uri = json_string_value(member);
    const char *prefix = apr_pstrcat(p, listing->client->base_url, "/2010-04-01/Accounts/",
                                     listing->account->sid, "/Messages", NULL);
    wa_url_t url;

    *pnext = NULL;
    if (!member || json_is_null(member) || (uri && *uri == '\0')) {
        return 1;
    }
    uri = uri ? wa_twilio_url(listing->client, uri, &url, p) : NULL;
    if (!uri || strncmp(uri, prefix, strlen(prefix)) != 0 || strcmp(uri, now) == 0) {
        return 0;
    }
    *pnext = apr_pstrdup(p, uri);
    return 1;
}

/* Asks for one page and gives its elements away. @param pnext out: the next page's URL in the
 * listing's pool; NULL when this was the last one. @return APR_INCOMPLETE it was not, and nobody
 * can tell where the next one is */
static apr_status_t page_read(listing_t *listing, const char *url, const char **pnext,
                              apr_pool_t *tmp)
{
    wa_twilio_result_t *result = listing->result;
    wa_http_request_t request = wa_twilio_request(listing->client, listing->account, url);
    wa_http_answer_t answer;
    const json_t *elements;
    json_t *json;
    size_t i;
    int is_whole;
    apr_status_t rv;

    *pnext = NULL;
    request.max_bytes = WA_TWILIO_MAX_PAGE;
    rv = wa_http_perform(listing->client->http, &request, &answer, tmp);
    if (rv == APR_SUCCESS) {
        /* A text of one item that is none must not hide the others. */
        rv = wa_json_mend(answer.body, &answer.body, tmp);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    wa_twilio_answer_read(&answer, result, &json, listing->p);
    elements = json_object_get(json, listing->member);
    if (answer.status != 200 || !json_is_array(elements)) {
        result->error = "Twilio did not give the list of messages. Try again later.";
        return APR_EGENERAL;
    }
    result->outcome = WA_TWILIO_ACCEPTED;
    result->error = NULL;
    is_whole = next_url(listing, url, json, pnext, listing->p);
    for (i = 0; i < json_array_size(elements) && listing->left != 0; i++) {
        rv = listing->element(listing->baton, json_array_get(elements, i), tmp);
        if (rv != APR_SUCCESS) {
            return rv;
        }
        listing->left -= listing->left > 0;
    }
    return is_whole || listing->left == 0 ? APR_SUCCESS : APR_INCOMPLETE;
}

static wa_log_level_e level_of(const listing_t *listing, apr_status_t rv)
{
    if (APR_STATUS_IS_INCOMPLETE(rv)) {
        return WA_LOG_INFO; /* who asked says what it means */
    }
    switch (wa_twilio_verdict(listing->result)) {
    case WA_TWILIO_GIVEN:
        return WA_LOG_DEBUG;
    case WA_TWILIO_DENIED:
        return listing->is_about_one ? WA_LOG_INFO : WA_LOG_WARNING;
    default:
        return WA_LOG_WARNING;
    }
}

/* All pages from `url` on. */
static apr_status_t pages_read(listing_t *listing, const char *url)
{
    wa_twilio_result_t *result = listing->result;
    apr_time_t start = wa_clock_steady_us();
    const char *next = url;
    apr_pool_t *page;
    int pages = 0;
    apr_status_t rv = apr_pool_create(&page, listing->p);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    while (rv == APR_SUCCESS && next && listing->left != 0 && pages < MAX_PAGES) {
        const char *following;

        rv = page_read(listing, next, &following, page);
        apr_pool_clear(page);
        next = following;
        pages++;
    }
    if (rv == APR_SUCCESS && next && listing->left != 0) {
        rv = APR_INCOMPLETE;
    } else if (rv == APR_EGENERAL && pages > 1 && wa_twilio_verdict(result) == WA_TWILIO_DENIED) {
        rv = APR_INCOMPLETE; /* the link leads nowhere */
    }
    apr_pool_destroy(page);
    result->tries = pages;
    result->duration = wa_clock_steady_us() - start;
    wa_twilio_alarm(listing->client, listing->account, result, listing->is_about_one);
    WA_LOG(listing->client->log, level_of(listing, rv), "WA0303",
           wa_twilio_verdict(result) == WA_TWILIO_DENIED ? APR_SUCCESS : rv,
           "list of %s: pages=%d http=%d error=%d ms=%" APR_TIME_T_FMT, listing->member, pages,
           result->http_status, result->error_code, apr_time_as_msec(result->duration));
    return rv;
}

/* ---- Messages ---- */

/* Twilio's dates are RFC 2822, in UTC. */
static apr_time_t date_read(const json_t *element, const char *name)
{
    const char *text = wa_twilio_json_string(element, name);

    return text ? apr_date_parse_rfc(text) : 0;
}

static apr_status_t message_element(const void *data, const json_t *element, apr_pool_t *tmp)
{
    const wa_twilio_message_visitor_t *visitor = data;
    wa_twilio_message_t message = {.sid = wa_twilio_json_string(element, "sid"),
                                   .from = wa_twilio_json_string(element, "from"),
                                   .to = wa_twilio_json_string(element, "to"),
                                   .body = wa_twilio_json_string(element, "body"),
                                   .direction = wa_twilio_json_string(element, "direction"),
                                   .status = wa_twilio_json_string(element, "status"),
                                   .error_code = wa_twilio_json_int(element, "error_code"),
                                   .error_message = wa_twilio_json_string(element, "error_message"),
                                   .media_count = wa_twilio_json_int(element, "num_media"),
                                   .date_created = date_read(element, "date_created"),
                                   .date_sent = date_read(element, "date_sent"),
                                   .date_updated = date_read(element, "date_updated")};

    /* What has no sid cannot be told apart from others: nobody could use it. */
    return wa_id_is_sid(message.sid, "SM,MM") ? visitor->fn(visitor->baton, &message, tmp)
                                              : APR_SUCCESS;
}

static void query_add_date(wa_buffer_t *query, wa_slice_t name, apr_time_t when)
{
    char text[32];
    apr_time_exp_t exp;
    apr_size_t len = 0;

    if (when > 0 && apr_time_exp_gmt(&exp, when) == APR_SUCCESS
        && apr_strftime(text, &len, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &exp) == APR_SUCCESS) {
        wa_form_add(query, name, wa_slice_make(text, len));
    }
}

/* The query string of a list. @return APR_SUCCESS | APR_EINVAL an address is none | APR_ENOMEM */
static apr_status_t query_make(const char **ptext, const wa_twilio_query_t *query, apr_pool_t *p)
{
    int page_size = query->page_size > 0 ? query->page_size : DEFAULT_PAGE_SIZE;
    const char *to = wa_twilio_address(query->to, p);
    const char *from = wa_twilio_address(query->from, p);
    apr_status_t rv = APR_SUCCESS;
    wa_buffer_t buffer;

    if ((query->to && !to) || (query->from && !from) || page_size > MAX_PAGE_SIZE) {
        return APR_EINVAL;
    }
    wa_buffer_init(&buffer, 0);
    if (to) {
        wa_form_add(&buffer, WA_SLICE_LITERAL("To"), wa_slice_of(to));
    }
    if (from) {
        wa_form_add(&buffer, WA_SLICE_LITERAL("From"), wa_slice_of(from));
    }
    /* Twilio writes "at or after" as a parameter whose name ends in '>'. */
    query_add_date(&buffer, WA_SLICE_LITERAL("DateSent>"), query->date_sent_from);
    query_add_date(&buffer, WA_SLICE_LITERAL("DateSent<"), query->date_sent_to);
    wa_form_add(&buffer, WA_SLICE_LITERAL("PageSize"), wa_slice_of(apr_itoa(p, page_size)));
    if (buffer.failed) {
        rv = APR_ENOMEM;
    } else {
        *ptext = wa_slice_string(wa_slice_make(buffer.data, buffer.len), p);
    }
    wa_buffer_release(&buffer);
    return rv;
}

apr_status_t wa_twilio_messages_fetch(wa_twilio_client_t *client, const wa_twilio_query_t *query,
                                      const wa_twilio_message_visitor_t *visitor,
                                      wa_twilio_result_t *result, apr_pool_t *tmp)
{
    const wa_twilio_account_t *account = query->account;
    listing_t listing = {.client = client,
                         .account = account,
                         .member = "messages",
                         .element = message_element,
                         .baton = visitor,
                         .is_about_one = query->to && query->from,
                         .left = query->max_messages > 0 ? query->max_messages : -1,
                         .result = result,
                         .p = tmp};
    const char *text;
    apr_status_t rv = query_make(&text, query, tmp);

    memset(result, 0, sizeof(*result));
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (!wa_twilio_account_is_usable(account)) {
        return APR_EINVAL;
    }
    return pages_read(&listing, apr_pstrcat(tmp, client->base_url, "/2010-04-01/Accounts/",
                                            account->sid, "/Messages.json?", text, NULL));
}

/* ---- Media ---- */

typedef struct media_baton_t {
    const wa_twilio_client_t *client;
    const wa_twilio_media_visitor_t *visitor;
} media_baton_t;

/* A media's own address is that of its JSON without the ending. */
static apr_status_t media_element(const void *data, const json_t *element, apr_pool_t *tmp)
{
    const media_baton_t *baton = data;
    const char *uri = wa_twilio_json_string(element, "uri");
    wa_twilio_media_t media = {.content_type = wa_twilio_json_string(element, "content_type")};
    apr_size_t len = uri ? strlen(uri) : 0;
    wa_url_t url;

    if (len <= 5 || strcmp(uri + len - 5, ".json") != 0) {
        return APR_SUCCESS;
    }
    media.url =
        wa_twilio_url(baton->client, wa_slice_string(wa_slice_make(uri, len - 5), tmp), &url, tmp);
    if (!media.url) {
        return APR_SUCCESS;
    }
    return baton->visitor->fn(baton->visitor->baton, &media, tmp);
}

apr_status_t wa_twilio_media_list(wa_twilio_client_t *client, const wa_twilio_media_query_t *query,
                                  const wa_twilio_media_visitor_t *visitor,
                                  wa_twilio_result_t *result, apr_pool_t *tmp)
{
    const wa_twilio_account_t *account = query->account;
    const media_baton_t media = {client, visitor};
    listing_t listing = {.client = client,
                         .account = account,
                         .member = "media_list",
                         .element = media_element,
                         .baton = &media,
                         .is_about_one = 1,
                         .left = -1,
                         .result = result,
                         .p = tmp};

    memset(result, 0, sizeof(*result));
    if (!wa_id_is_sid(query->message_sid, "SM,MM") || !wa_twilio_account_is_usable(account)) {
        return APR_EINVAL;
    }
    return pages_read(&listing,
                      apr_pstrcat(tmp, client->base_url, "/2010-04-01/Accounts/", account->sid,
                                  "/Messages/", query->message_sid, "/Media.json", NULL));
}
