/* SPDX-License-Identifier: Apache-2.0 */
/* Checks what people send, and says in a sentence what is wrong with it. */
#include "messaging/message/validate.h"

#include <apr_lib.h>
#include <apr_strings.h>

#include "base/id.h"
#include "base/phone.h"
#include "base/text.h"
#include "base/unicode.h"
#include "messaging/message/channel.h"

/* Longer than any number with all that copying brings along: what is over it need not be looked
 * at. */
#define PHONE_BYTES_MAX 512

/* @return the number | NULL, and what of it is to be said after the sentence, "" for nothing */
static const char *phone_of(wa_slice_t typed, int is_number_meant, const char **pwhy, apr_pool_t *p)
{
    wa_phone_fault_t fault;
    const char *number;

    *pwhy = "";
    if (typed.len > PHONE_BYTES_MAX) {
        return NULL;
    }
    number = wa_phone_read(typed, &fault, p);
    if (!number && (is_number_meant || fault.has_plus)) {
        *pwhy = apr_pstrcat(p, ": ", wa_phone_fault_say(&fault, p), NULL);
    }
    return number;
}

apr_status_t wa_validate_phone(wa_slice_t typed, const char **pnumber, wa_sentence_t *psentence,
                               apr_pool_t *p)
{
    const char *why;

    *psentence = NULL;
    *pnumber = phone_of(typed, 1, &why, p);
    if (!*pnumber) {
        *psentence = apr_pstrcat(p,
                                 "phoneNumber must be a phone number with its country code, like"
                                 " +15551230001",
                                 why, NULL);
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
    } else if (wa_text_is_unseen(text.ptr, text.len)) {
        *psentence = "message must not be empty or only white space and what nobody sees";
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
    if (wa_text_is_unseen(typed.ptr, typed.len)) {
        *psentence = "displayName must not be empty or only white space and what nobody sees";
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
    const char *why;

    *psentence = NULL;
    *pcounterpart = phone_of(typed, 0, &why, p);
    if (*pcounterpart) {
        return APR_SUCCESS;
    }
    if (typed.len > 0 && typed.len <= WA_COUNTERPART_BYTES_MAX
        && wa_text_is_utf8(typed.ptr, typed.len)) {
        const char *id = wa_channel_of(typed).len > 0
                             ? wa_channel_keep(typed, wa_slice_make(NULL, 0), p)
                             : wa_slice_string(typed, p);

        if (id && wa_store_thread_version(store, id) != 0) {
            *pcounterpart = id;
            return APR_SUCCESS;
        }
    }
    *psentence = apr_pstrcat(p,
                             "counterpart must be a phone number like +15551230001, or the"
                             " counterpart of a thread there is",
                             why, NULL);
    return APR_EINVAL;
}
