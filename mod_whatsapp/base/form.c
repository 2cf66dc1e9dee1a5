/* SPDX-License-Identifier: Apache-2.0 */
/* Form bodies, parsed byte for byte as Twilio signs them. */
#include "base/form.h"

#include <string.h>

#include <apr_strings.h>

#include "base/percent.h"

/* Where decoded text goes. One block for all fields, made when the first needs it: what is left
 * of the body bounds what is left to decode. */
typedef struct decoder_t {
    const char *body_end;
    char *free_space;
    apr_pool_t *p;
} decoder_t;

/* Cuts the text up to `stop` off the front of `rest`, and the stop itself.
 * @return what came before it, all of `rest` when there is none */
static wa_slice_t cut(wa_slice_t *rest, char stop)
{
    wa_slice_t front = *rest;
    const char *at = rest->len > 0 ? memchr(rest->ptr, stop, rest->len) : NULL;

    if (at == NULL) {
        *rest = wa_slice_make(NULL, 0);
        return front;
    }
    front.len = (apr_size_t)(at - front.ptr);
    *rest = wa_slice_make(at + 1, rest->len - front.len - 1);
    return front;
}

/* Counts the segments that are not empty, up to one more than `max`. */
static apr_size_t count_segments(wa_slice_t rest, apr_size_t max)
{
    apr_size_t count = 0;

    while (rest.len > 0 && count <= max) {
        count += cut(&rest, '&').len > 0;
    }
    return count;
}

static int is_encoded(wa_slice_t s)
{
    return s.len > 0 && (memchr(s.ptr, '%', s.len) != NULL || memchr(s.ptr, '+', s.len) != NULL);
}

static wa_slice_t decode(decoder_t *d, wa_slice_t s)
{
    if (!is_encoded(s)) {
        return s;
    }
    if (d->free_space == NULL) {
        d->free_space = apr_palloc(d->p, (apr_size_t)(d->body_end - s.ptr));
    }
    s = wa_slice_make(d->free_space, wa_percent_decode(d->free_space, s, WA_PERCENT_PLUS_IS_SPACE));
    d->free_space += s.len;
    return s;
}

apr_status_t wa_form_parse(wa_form_t **pf, const char *body, apr_size_t len, apr_size_t max_fields,
                           apr_pool_t *p)
{
    wa_slice_t rest = wa_slice_make(body, len);
    apr_size_t count = count_segments(rest, max_fields);
    decoder_t decoder = {NULL, NULL, p};
    wa_form_field_t *field;
    wa_form_t *form;

    *pf = NULL;
    if (count > max_fields) {
        return APR_ENOSPC;
    }
    if (len > 0) {
        decoder.body_end = body + len;
    }
    form = apr_palloc(p, sizeof(*form));
    field = apr_palloc(p, count * sizeof(*field));
    form->fields = field;
    form->count = count;
    while (rest.len > 0) {
        wa_slice_t value = cut(&rest, '&');
        wa_slice_t name;

        if (value.len == 0) {
            continue;
        }
        name = cut(&value, '=');
        field->name = decode(&decoder, name);
        field->value = decode(&decoder, value);
        field++;
    }
    *pf = form;
    return APR_SUCCESS;
}

void wa_form_add(wa_buffer_t *b, wa_slice_t name, wa_slice_t value)
{
    if (b->len > 0) {
        WA_BUFFER_ADD_LITERAL(b, "&");
    }
    wa_percent_add(b, name);
    WA_BUFFER_ADD_LITERAL(b, "=");
    wa_percent_add(b, value);
}

int wa_form_get(const wa_form_t *form, const char *name, wa_slice_t *pvalue)
{
    wa_slice_t wanted = wa_slice_of(name);
    apr_size_t i;

    *pvalue = wa_slice_make(NULL, 0);
    for (i = 0; i < form->count; i++) {
        if (wa_slice_is_equal(form->fields[i].name, wanted)) {
            *pvalue = form->fields[i].value;
            return 1;
        }
    }
    return 0;
}

int wa_form_has(const wa_form_t *form, const char *name)
{
    wa_slice_t value;

    return wa_form_get(form, name, &value) && value.len > 0;
}

const char *wa_form_string(const wa_form_t *form, const char *name, apr_pool_t *p)
{
    wa_slice_t value;

    if (!wa_form_get(form, name, &value)) {
        return NULL;
    }
    if (value.len > 0 && memchr(value.ptr, '\0', value.len) != NULL) {
        return NULL;
    }
    return wa_slice_string(value, p);
}
