/* SPDX-License-Identifier: Apache-2.0 */
/* The operations on contacts. */
#include "store/dbm/operation/contacts.h"

#include <string.h>

#include <apr_strings.h>

#include "store/dbm/operation/write.h"

/* Copies a contact; its slices are in the journal's mapping and stay. The caller holds the
 * replica's lock. */
static void contact_fill(wa_contact_t *out, const wa_replica_contact_t *c)
{
    out->id = c->id;
    out->phone_number = c->phone_number;
    out->display_name = c->display_name;
    out->created_ms = c->created_ms;
    out->updated_ms = c->updated_ms;
}

apr_status_t wa_dbm_contacts_list(wa_store_t *self, wa_contact_visit_fn visit, void *baton)
{
    wa_dbm_store_t *store = WA_DBM_STORE(self);
    wa_contact_t out;
    int i;
    apr_status_t rv = wa_replica_catch_up(&store->replica, store->shared);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    pthread_rwlock_rdlock(&store->replica.lock);
    for (i = 0; rv == APR_SUCCESS && i < store->replica.contacts->nelts; i++) {
        contact_fill(&out, APR_ARRAY_IDX(store->replica.contacts, i, wa_replica_contact_t *));
        rv = visit(baton, &out);
    }
    pthread_rwlock_unlock(&store->replica.lock);
    return rv;
}

/* Finds a contact by its id or by its number. @return APR_SUCCESS | APR_NOTFOUND | APR_EGENERAL */
static apr_status_t contact_get(wa_dbm_store_t *store, wa_slice_t key, int is_number,
                                wa_contact_t *pc)
{
    const wa_replica_contact_t *c;
    apr_status_t rv = wa_replica_catch_up(&store->replica, store->shared);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    pthread_rwlock_rdlock(&store->replica.lock);
    c = apr_hash_get(is_number ? store->replica.contacts_by_number : store->replica.contacts_by_id,
                     key.ptr, (apr_ssize_t)key.len);
    if (c) {
        contact_fill(pc, c);
    }
    pthread_rwlock_unlock(&store->replica.lock);
    return c ? APR_SUCCESS : APR_NOTFOUND;
}

apr_status_t wa_dbm_contact_find(wa_store_t *self, const char *key, wa_contact_t *pc, apr_pool_t *p)
{
    (void)p;
    return contact_get(WA_DBM_STORE(self), wa_slice_of(key), *key == '+', pc);
}

/* Commits a contact record whose preconditions hold up to commit->base.
 * @return like wa_dbm_commit_try */
static apr_status_t contact_commit(wa_dbm_store_t *store, wa_record_type_e type,
                                   const wa_record_contact_t *contact, wa_commit_t *commit,
                                   apr_pool_t *tmp)
{
    wa_record_t *record;
    apr_status_t rv = wa_record_contact_make(&record, type, contact, tmp);

    commit->timestamp_ms = 0;
    return rv == APR_SUCCESS ? wa_dbm_commit_try(store, record, commit) : rv;
}

apr_status_t wa_dbm_contact_add(wa_store_t *self, const wa_contact_t *contact, wa_contact_t *pc,
                                apr_pool_t *p)
{
    wa_dbm_store_t *store = WA_DBM_STORE(self);
    wa_record_contact_t record = {contact->id, contact->phone_number, contact->display_name,
                                  contact->created_ms};
    wa_commit_t commit;
    apr_status_t rv;

    memset(&commit, 0, sizeof(commit));
    do {
        rv = wa_dbm_check_begin(store, &commit);
        if (rv != APR_SUCCESS) {
            return rv;
        }
        if (contact_get(store, contact->phone_number, 1, pc) == APR_SUCCESS
            || contact_get(store, contact->id, 0, pc) == APR_SUCCESS) {
            return APR_EEXIST;
        }
        rv = contact_commit(store, WA_RECORD_CONTACT, &record, &commit, p);
    } while (APR_STATUS_IS_EAGAIN(rv));
    return rv == APR_SUCCESS ? contact_get(store, contact->id, 0, pc) : rv;
}

/* Commits a record about a contact that is there.
 * @param change  its id and what the record says of its display_name; the rest stays as it is
 * @return APR_SUCCESS | APR_NOTFOUND | what commit.h says */
static apr_status_t contact_change(wa_dbm_store_t *store, wa_record_type_e type,
                                   wa_record_contact_t *change, apr_pool_t *tmp)
{
    wa_contact_t now;
    wa_commit_t commit;
    apr_status_t rv;

    memset(&commit, 0, sizeof(commit));
    do {
        rv = wa_dbm_check_begin(store, &commit);
        if (rv == APR_SUCCESS) {
            rv = contact_get(store, change->id, 0, &now);
        }
        if (rv != APR_SUCCESS) {
            return rv;
        }
        change->phone_number = now.phone_number;
        change->created_ms = now.created_ms;
        rv = contact_commit(store, type, change, &commit, tmp);
    } while (APR_STATUS_IS_EAGAIN(rv));
    return rv;
}

apr_status_t wa_dbm_contact_rename(wa_store_t *self, const char *id, wa_slice_t display_name,
                                   wa_contact_t *pc, apr_pool_t *p)
{
    wa_dbm_store_t *store = WA_DBM_STORE(self);
    wa_record_contact_t change = {.id = wa_slice_of(id), .display_name = display_name};
    apr_status_t rv = contact_change(store, WA_RECORD_CONTACT, &change, p);

    return rv == APR_SUCCESS ? contact_get(store, change.id, 0, pc) : rv;
}

apr_status_t wa_dbm_contact_delete(wa_store_t *self, const char *id, apr_pool_t *tmp)
{
    wa_record_contact_t change = {.id = wa_slice_of(id)};

    return contact_change(WA_DBM_STORE(self), WA_RECORD_CONTACT_DELETE, &change, tmp);
}
