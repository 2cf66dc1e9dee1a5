/* SPDX-License-Identifier: Apache-2.0 */
/* Checks what people send, and says in a sentence what is wrong with it. */
#include "messaging/message/validate.h"

#include <apr_lib.h>
#include <apr_strings.h>

#include "base/id.h"
#include "base/phone.h"
#include "base/text.h"

/* Longer than any number with its separators: what is over it need not be looked at. */
#define PHONE_BYTES_MAX 64

static const char *phone_of(wa_slice_t typed, apr_pool_t *p)
{
    if (typed.len == 0 || typed.len > PHONE_BYTES_MAX || memchr(typed.ptr, '\0', typed.len)) {
        return NULL;
    }
    return wa_phone_normalize(wa_slice_string(typed, p), p);
}

apr_status_t wa_validate_phone(wa_slice_t typed, const char **pnumber, wa_sentence_t *psentence,
                               apr_pool_t *p)
{
    *psentence = NULL;
    *pnumber = phone_of(typed, p);
    if (!*pnumber) {
        *psentence = "phoneNumber must be a phone number with its country code, like +15551230001";
        return APR_EINVAL;
    }
    return APR_SUCCESS;
}

int wa_validate_is_message_id(wa_slice_t typed)
{
    static const char allowed[] =
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_-";
    apr_size_t i;

    for (i = 0; i < typed.len; i++) {
        if (!memchr(allowed, typed.ptr[i], sizeof(allowed) - 1)) {
            return 0;
        }
    }
    return typed.len > 0 && typed.len <= WA_STORE_ID_MAX;
}

apr_status_t wa_validate_message(wa_slice_t text, wa_sentence_t *psentence)
{
    *psentence = NULL;
    if (!wa_text_is_utf8(text.ptr, text.len)) {
        *psentence = "message must be valid text without NUL characters";
    } else if (wa_text_is_blank(text.ptr, text.len)) {
        *psentence = "message must not be empty or only white space";
    } else if (wa_text_utf16_length(text.ptr, text.len) > WA_MESSAGE_UNITS_MAX) {
        *psentence = "message must be at most 4096 characters long";
    }
    return *psentence ? APR_EINVAL : APR_SUCCESS;
}

apr_status_t wa_validate_display_name(wa_slice_t typed, wa_slice_t *ptrimmed,
                                      wa_sentence_t *psentence)
{
    *psentence = NULL;
    *ptrimmed = (wa_slice_t){NULL, 0};
    if (!wa_text_is_utf8(typed.ptr, typed.len)) {
        *psentence = "displayName must be valid text without NUL characters";
        return APR_EINVAL;
    }
    typed = wa_text_trim(typed);
    if (typed.len == 0) {
        *psentence = "displayName must not be empty or only white space";
        return APR_EINVAL;
    }
    if (wa_text_utf16_length(typed.ptr, typed.len) > WA_DISPLAY_NAME_UNITS_MAX) {
        *psentence = "displayName must be at most 100 characters long";
        return APR_EINVAL;
    }
    *ptrimmed = typed;
    return APR_SUCCESS;
}

apr_status_t wa_validate_contact_id(const char *field, wa_slice_t typed, const char **pid,
                                    wa_sentence_t *psentence, apr_pool_t *p)
{
    char *id = NULL, *c;

    *pid = NULL;
    *psentence = NULL;
    if (typed.len == 36 && !memchr(typed.ptr, '\0', typed.len)) {
        id = wa_slice_string(typed, p);
    }
    if (!wa_id_is_uuid(id)) {
        *psentence = apr_pstrcat(p, field, " must be the id of a contact, a UUID", NULL);
        return APR_EINVAL;
    }
    for (c = id; *c; c++) {
        *c = (char)apr_tolower(*c);
    }
    *pid = id;
    return APR_SUCCESS;
}

apr_status_t wa_validate_counterpart(wa_store_t *store, wa_slice_t typed, const char **pcounterpart,
                                     wa_sentence_t *psentence, apr_pool_t *p)
{
    *psentence = NULL;
    *pcounterpart = phone_of(typed, p);
    if (*pcounterpart) {
        return APR_SUCCESS;
    }
    if (typed.len > 0 && typed.len <= WA_COUNTERPART_BYTES_MAX
        && wa_text_is_utf8(typed.ptr, typed.len)) {
        const char *id = wa_slice_string(typed, p);

        if (wa_store_thread_version(store, id) != 0) {
            *pcounterpart = id;
            return APR_SUCCESS;
        }
    }
    *psentence = "counterpart must be a phone number like +15551230001, or the counterpart of a"
                 " thread there is";
    return APR_EINVAL;
}
