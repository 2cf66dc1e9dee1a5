/* SPDX-License-Identifier: Apache-2.0 */
/* Attachments that were announced with a received message and were not there when it was stored. */
#include "messaging/receive/late.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

/* ---- at the storing ---- */

/* How many attachments the form says there are; what is no number says none. */
static apr_size_t announced(const wa_form_t *form, apr_pool_t *p)
{
    const char *text = wa_form_string(form, "NumMedia", p);
    const long count = text ? strtol(text, NULL, 10) : 0;

    return count <= 0 ? 0 : count < WA_LATE_MEDIA_MAX ? (apr_size_t)count : WA_LATE_MEDIA_MAX;
}

apr_status_t wa_late_begin(const wa_form_t *form, apr_size_t count, wa_message_new_t *message,
                           apr_size_t *pawaited, apr_pool_t *p)
{
    wa_slice_t date;
    const apr_size_t all = wa_form_get(form, "DateSent", &date) ? announced(form, p) : 0;
    wa_late_media_t late = {.since_ms = wa_clock_now_ms()};
    wa_message_state_t state;
    apr_status_t rv;

    *pawaited = all > count ? all - count : 0;
    if (*pawaited == 0) {
        return APR_SUCCESS;
    }
    late.awaited = *pawaited;
    rv = wa_late_media_write(&late, &state, p);
    if (rv == APR_SUCCESS) {
        message->status = state.status;
        message->delivery = state.delivery;
    }
    return rv;
}

/* ---- afterwards ---- */

typedef struct fill_t {
    const wa_late_news_t *news; /* NULL: only the time is set */
    apr_int64_t since_ms;
    int is_changed;
} fill_t;

/* What names an attachment in its address, whatever host it is on. */
static wa_slice_t name_of(wa_slice_t url)
{
    apr_size_t at = url.len;

    while (at > 0 && url.ptr[at - 1] != '/') {
        at--;
    }
    return wa_slice_make(url.ptr + at, url.len - at);
}

/* 1 when one of the message's attachments has that address. */
static int is_known(const wa_message_t *message, const wa_late_media_t *late, const char *url)
{
    const wa_slice_t name = name_of(wa_slice_of(url));
    wa_late_medium_t one;
    apr_size_t n;

    for (n = 0; wa_late_media_get(message, n, &one); n++) {
        if (wa_slice_is_equal(name_of(one.url), name)) {
            return 1;
        }
    }
    for (n = 0; n < late->found_count; n++) {
        if (wa_slice_is_equal(name_of(late->found[n].url), name)) {
            return 1;
        }
    }
    return 0;
}

/* Takes one of those that came into a place where one lacks. */
static void found_add(wa_late_media_t *late, const wa_media_t *media)
{
    apr_size_t *lacking = late->awaited > 0 ? &late->awaited : &late->missing;
    wa_late_medium_t *one = &late->found[late->found_count];

    late->found_count++;
    (*lacking)--;
    one->content_type = wa_slice_of(media->content_type);
    one->url = wa_slice_of(media->url);
}

static apr_status_t fill_merge(void *baton, const wa_message_t *now, wa_message_state_t *next,
                               apr_pool_t *p)
{
    fill_t *fill = baton;
    const wa_late_news_t *news = fill->news;
    wa_late_media_t late;
    apr_size_t i;

    fill->is_changed = 0;
    wa_late_media_read(&late, now);
    if (!news && late.awaited > 0) {
        late.since_ms = fill->since_ms;
        fill->is_changed = 1;
    }
    for (i = 0; news && i < news->count && late.awaited + late.missing > 0
                && late.found_count < WA_LATE_MEDIA_MAX;
         i++) {
        if (!is_known(now, &late, news->media[i].url)) {
            found_add(&late, &news->media[i]);
            fill->is_changed = 1;
        }
    }
    if (news && news->is_final && late.awaited > 0) {
        late.missing += late.awaited;
        late.awaited = 0;
        fill->is_changed = 1;
    }
    return fill->is_changed ? wa_late_media_write(&late, next, p) : APR_EEXIST;
}

apr_status_t wa_late_fill(wa_messenger_t *messenger, const char *key, const wa_late_news_t *news,
                          int *pis_changed, apr_pool_t *p)
{
    fill_t fill = {.news = news};
    const wa_message_update_t update = {.key = key, .merge = fill_merge, .baton = &fill};
    wa_message_t message;
    apr_status_t rv = wa_store_message_update(messenger->store, &update, &message, p);

    *pis_changed = rv == APR_SUCCESS && fill.is_changed;
    return rv;
}

apr_status_t wa_late_restart(wa_messenger_t *messenger, const char *key, apr_int64_t since_ms,
                             apr_pool_t *p)
{
    fill_t fill = {.since_ms = since_ms};
    const wa_message_update_t update = {.key = key, .merge = fill_merge, .baton = &fill};
    wa_message_t message;

    return wa_store_message_update(messenger->store, &update, &message, p);
}
