/* SPDX-License-Identifier: Apache-2.0 */
/* What belongs to a message beside its text and never changes: attachments, template, and what else
 * a webhook said. */
#ifndef WA_MESSAGING_MESSAGE_ATTRIBUTES_H
#define WA_MESSAGING_MESSAGE_ATTRIBUTES_H

#include <apr_errno.h>
#include <apr_pools.h>

#include "base/form.h"
#include "base/slice.h"

/* One attachment; UTF-8, NUL-terminated, borrowed. */
typedef struct wa_media_t {
    const char *url;
    const char *content_type;
    apr_size_t number; /* of a webhook's: n of MediaUrl<n> */
} wa_media_t;

/* What is to be stored; strings and fields are borrowed for the time of the call. All zero:
 * nothing. */
typedef struct wa_attributes_t {
    const wa_media_t *media;
    apr_size_t media_count;
    int media_is_at_twilio;  /* 1: received; who wants it needs the account's credentials */
    const char *content_sid; /* of the template that a sent message was made with; NULL for none */
    const wa_form_field_t *fields; /* of a webhook, as they came: any bytes */
    apr_size_t field_count;
} wa_attributes_t;

/* One that was stored, of the kind that wa_attributes_next says; slices point into the
 * attributes. */
typedef struct wa_attribute_t {
    wa_slice_t content_type, url; /* of an attachment */
    wa_slice_t content_sid;       /* of a template */
    wa_form_field_t field;        /* of a webhook */
} wa_attribute_t;

/* The values are stored: never renumber. */
typedef enum {
    WA_ATTRIBUTE_NONE = 0,
    WA_ATTRIBUTE_MEDIA = 1, /* an attachment that Twilio keeps: clients get it through us */
    WA_ATTRIBUTE_LINK = 2,  /* an attachment under an address that everybody may use */
    WA_ATTRIBUTE_CONTENT_SID = 3,
    WA_ATTRIBUTE_FIELD = 4
} wa_attribute_e;

/* Makes wa_message_t.attributes: the attachments in their order, the template, the fields in
 * theirs.
 * @param pbytes  out: in p; empty for none
 * @return APR_SUCCESS | APR_ENOMEM. Any thread that may use p. */
apr_status_t wa_attributes_write(const wa_attributes_t *attributes, wa_slice_t *pbytes,
                                 apr_pool_t *p);

/* Takes the next one off the front of `rest`, which starts as wa_message_t.attributes. Kinds that
 * are not known are passed over.
 * @return its kind | WA_ATTRIBUTE_NONE at the end. Any thread. */
wa_attribute_e wa_attributes_next(wa_slice_t *rest, wa_attribute_t *attribute);

/* The first webhook field of that name.
 * @param pvalue  out: empty when there is none.
 * @return 1 | 0 there is none. Any thread. */
int wa_attributes_field(wa_slice_t attributes, const char *name, wa_slice_t *pvalue);

/* The template's sid, empty for none. Any thread. */
wa_slice_t wa_attributes_content_sid(wa_slice_t attributes);

/* Attachment n, from 0. @return its kind | WA_ATTRIBUTE_NONE there are fewer. Any thread. */
wa_attribute_e wa_attributes_media(wa_slice_t attributes, apr_size_t n, wa_attribute_t *media);

#endif
