/* SPDX-License-Identifier: Apache-2.0 */
/* The contacts of the store in memory. */
#include "fake_contacts.h"

#include <stdlib.h>
#include <string.h>

static int folded(char c)
{
    const int byte = (unsigned char)c;

    return byte >= 'A' && byte <= 'Z' ? byte + ('a' - 'A') : byte;
}

static int contact_compare(const void *one, const void *two)
{
    const wa_contact_t *a = one, *b = two;
    apr_size_t i;

    for (i = 0; i < a->display_name.len && i < b->display_name.len; i++) {
        if (folded(a->display_name.ptr[i]) != folded(b->display_name.ptr[i])) {
            return folded(a->display_name.ptr[i]) - folded(b->display_name.ptr[i]);
        }
    }
    if (a->display_name.len != b->display_name.len) {
        return a->display_name.len < b->display_name.len ? -1 : 1;
    }
    return strcmp(a->phone_number.ptr, b->phone_number.ptr);
}

static void contact_give(const wa_contact_t *stored, wa_contact_t *pc, apr_pool_t *p)
{
    *pc = *stored;
    pc->id = fake_slice_dup(stored->id, p);
    pc->phone_number = fake_slice_dup(stored->phone_number, p);
    pc->display_name = fake_slice_dup(stored->display_name, p);
}

/* Contacts changed by the last commit, and with them the row of the one's thread. */
static void contacts_changed(fake_store_t *fake, wa_slice_t number)
{
    fake_thread_t *t = fake_by_slice(fake->threads, number);

    fake->contacts_version = fake_version_get(fake);
    qsort(fake->contacts->elts, (size_t)fake->contacts->nelts, sizeof(wa_contact_t),
          contact_compare);
    if (t) {
        fake_thread_changed(fake, t);
    }
}

static apr_status_t contact_add(fake_store_t *fake, const wa_contact_t *contact, wa_contact_t *pc,
                                apr_pool_t *p)
{
    const wa_contact_t *other = fake_contact_by(fake, contact->id, contact->phone_number);
    wa_contact_t stored;

    if (other) {
        contact_give(other, pc, p);
        return APR_EEXIST;
    }
    if (!contact->id.len || contact->id.len > WA_STORE_ID_MAX || !contact->phone_number.len
        || contact->phone_number.len > WA_STORE_NAME_MAX
        || contact->display_name.len > WA_STORE_TEXT_MAX) {
        return APR_EINVAL;
    }
    contact_give(contact, &stored, fake->p);
    fake_commit(fake, 0, NULL, 0);
    stored.updated_ms = fake_clock_get(fake);
    stored.created_ms = contact->created_ms ? contact->created_ms : stored.updated_ms;
    APR_ARRAY_PUSH(fake->contacts, wa_contact_t) = stored;
    contacts_changed(fake, stored.phone_number);
    contact_give(&stored, pc, p);
    return APR_SUCCESS;
}

apr_status_t fake_contact_add(wa_store_t *self, const wa_contact_t *contact, wa_contact_t *pc,
                              apr_pool_t *p)
{
    fake_store_t *fake = fake_enter(self);
    apr_status_t rv = fake_failure_take(fake, FAKE_CONTACT);

    if (rv == APR_SUCCESS) {
        rv = contact_add(fake, contact, pc, p);
    }
    fake_leave(fake);
    return rv;
}

apr_status_t fake_contact_rename(wa_store_t *self, const char *id, wa_slice_t display_name,
                                 wa_contact_t *pc, apr_pool_t *p)
{
    fake_store_t *fake = fake_enter(self);
    wa_contact_t *stored = fake_contact_by(fake, wa_slice_of(id), (wa_slice_t){NULL, 0});
    apr_status_t rv = stored ? APR_SUCCESS : APR_NOTFOUND;

    if (rv == APR_SUCCESS && display_name.len > WA_STORE_TEXT_MAX) {
        rv = APR_EINVAL;
    }
    if (rv == APR_SUCCESS) {
        fake_commit(fake, 0, NULL, 0);
        stored->display_name = fake_slice_dup(display_name, fake->p);
        stored->updated_ms = fake_clock_get(fake);
        contact_give(stored, pc, p);
        contacts_changed(fake, pc->phone_number);
    }
    fake_leave(fake);
    return rv;
}

apr_status_t fake_contact_delete(wa_store_t *self, const char *id, apr_pool_t *tmp)
{
    fake_store_t *fake = fake_enter(self);
    wa_contact_t *stored = fake_contact_by(fake, wa_slice_of(id), (wa_slice_t){NULL, 0});
    wa_slice_t number;

    (void)tmp;
    if (stored) {
        number = stored->phone_number;
        *stored = APR_ARRAY_IDX(fake->contacts, --fake->contacts->nelts, wa_contact_t);
        fake_commit(fake, 0, NULL, 0);
        contacts_changed(fake, number);
    }
    fake_leave(fake);
    return stored ? APR_SUCCESS : APR_NOTFOUND;
}

apr_status_t fake_contact_find(wa_store_t *self, const char *key, wa_contact_t *pc, apr_pool_t *p)
{
    fake_store_t *fake = fake_enter(self);
    const wa_slice_t none = {NULL, 0};
    const wa_contact_t *stored = *key == '+' ? fake_contact_by(fake, none, wa_slice_of(key))
                                             : fake_contact_by(fake, wa_slice_of(key), none);
    apr_status_t rv = fake_failure_take(fake, FAKE_CONTACT);

    if (rv == APR_SUCCESS && !stored) {
        rv = APR_NOTFOUND;
    }
    if (rv == APR_SUCCESS) {
        contact_give(stored, pc, p);
    }
    fake_leave(fake);
    return rv;
}

apr_status_t fake_contacts_list(wa_store_t *self, wa_contact_visit_fn visit, void *baton)
{
    fake_store_t *fake = fake_enter(self);
    apr_status_t rv = APR_SUCCESS;
    int i;

    for (i = 0; rv == APR_SUCCESS && i < fake->contacts->nelts; i++) {
        const wa_contact_t given = APR_ARRAY_IDX(fake->contacts, i, wa_contact_t);

        rv = visit(baton, &given);
    }
    fake_leave(fake);
    return rv;
}
