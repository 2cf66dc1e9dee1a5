/* SPDX-License-Identifier: Apache-2.0 */
/* What a message can carry beside or instead of text: media by their address, or a template of
 * Twilio's. */
#include "messaging/send/content.h"

#include <stdlib.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "base/id.h"
#include "base/text.h"
#include "messaging/message/media_type.h"
#include "messaging/message/media_url.h"
#include "messaging/message/parts.h"

#define VARIABLES_MAX 100
#define VARIABLE_NAME_BYTES_MAX 64

/* "mediaUrl", or which of several. */
static const char *url_name(const wa_content_request_t *request, apr_size_t i, apr_pool_t *p)
{
    return request->media_count == 1 ? "mediaUrl"
                                     : apr_psprintf(p, "mediaUrl[%" APR_SIZE_T_FMT "]", i);
}

static apr_status_t media_check(wa_content_t *content, const wa_content_request_t *request,
                                wa_sentence_t *psentence, apr_pool_t *p)
{
    apr_size_t i;

    for (i = 0; i < request->media_count; i++) {
        const char *flaw;
        wa_url_t url;

        if (wa_media_url_check(request->media_urls[i], &content->media[i].url, &url, &flaw, p)
            != APR_SUCCESS) {
            *psentence = apr_pstrcat(p, url_name(request, i, p), flaw, NULL);
            return APR_EINVAL;
        }
        content->media[i].content_type = wa_media_type_of_path(url.path, p);
    }
    content->media_count = request->media_count;
    return APR_SUCCESS;
}

static int variable_is_fine(const char *name, const json_t *value)
{
    return *name != '\0' && strlen(name) <= VARIABLE_NAME_BYTES_MAX && json_is_string(value)
           && wa_text_utf16_length(json_string_value(value), json_string_length(value))
                  <= WA_PART_UNITS_MAX;
}

/* Makes the JSON that Twilio gets: members sorted, so that the same variables are the same text. */
static apr_status_t variables_check(wa_content_t *content, const json_t *variables,
                                    wa_sentence_t *psentence, apr_pool_t *p)
{
    const char *name;
    const json_t *value;
    char *text;
    int is_fine = json_is_object(variables) && json_object_size(variables) <= VARIABLES_MAX;

    if (is_fine) {
        json_object_foreach((json_t *)(apr_uintptr_t)variables, name, value)
        {
            is_fine = is_fine && variable_is_fine(name, value);
        }
    }
    if (!is_fine) {
        *psentence = "contentVariables must be an object of at most 100 strings, each of at most"
                     " 1600 characters";
        return APR_EINVAL;
    }
    text = json_dumps(variables, JSON_COMPACT | JSON_SORT_KEYS);
    if (!text) {
        return APR_ENOMEM;
    }
    content->variables = apr_pstrdup(p, text);
    free(text);
    return APR_SUCCESS;
}

static apr_status_t template_check(wa_content_t *content, const wa_content_request_t *request,
                                   wa_sentence_t *psentence, apr_pool_t *p)
{
    const wa_slice_t sid = request->content_sid;
    apr_status_t rv = APR_SUCCESS;

    content->sid =
        sid.len == 34 && !memchr(sid.ptr, '\0', sid.len) ? wa_slice_string(sid, p) : NULL;
    if (!wa_id_is_sid(content->sid, "HX")) {
        *psentence = "contentSid must be the sid of a template: HX and 32 hexadecimal digits";
        return APR_EINVAL;
    }
    if (request->content_variables) {
        rv = variables_check(content, request->content_variables, psentence, p);
    }
    content->body =
        wa_slice_of(content->variables
                        ? apr_pstrcat(p, "Template ", content->sid, " ", content->variables, NULL)
                        : apr_pstrcat(p, "Template ", content->sid, NULL));
    return rv;
}

apr_status_t wa_content_check(wa_content_t *content, const wa_content_request_t *request,
                              int has_text, wa_sentence_t *psentence, apr_pool_t *p)
{
    memset(content, 0, sizeof(*content));
    *psentence = NULL;
    if (!request->content_sid.ptr) {
        if (request->content_variables) {
            *psentence = "contentVariables belongs to a contentSid, which is missing";
            return APR_EINVAL;
        }
        return media_check(content, request, psentence, p);
    }
    if (has_text || request->media_count > 0) {
        *psentence = "contentSid is sent by itself: without message and mediaUrl";
        return APR_EINVAL;
    }
    return template_check(content, request, psentence, p);
}
