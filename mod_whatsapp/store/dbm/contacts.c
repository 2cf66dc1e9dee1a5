/* SPDX-License-Identifier: Apache-2.0 */
/* The operations on contacts. */
#include <string.h>

#include <apr_strings.h>

#include "store/dbm/dbm.h"

/* Copies a contact; its slices are in the journal's mapping and stay. The caller holds the replica's lock. */
static void contact_fill(wa_contact_t *out, const wa_replica_contact_t *c)
{
    out->id = c->id;
    out->phone_number = c->phone_number;
    out->display_name_json = c->display_name_json;
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

apr_status_t wa_dbm_contact_find(wa_store_t *self, const char *key, wa_contact_t *pc, apr_pool_t *p)
{
    wa_dbm_store_t *store = WA_DBM_STORE(self);
    const wa_replica_contact_t *c;
    apr_status_t rv = wa_replica_catch_up(&store->replica, store->shared);

    (void)p;
    if (rv != APR_SUCCESS) {
        return rv;
    }
    pthread_rwlock_rdlock(&store->replica.lock);
    c = apr_hash_get(*key == '+' ? store->replica.contacts_by_number
                                 : store->replica.contacts_by_id,
                     key, (apr_ssize_t)strlen(key));
    if (c) {
        contact_fill(pc, c);
    }
    pthread_rwlock_unlock(&store->replica.lock);
    return c ? APR_SUCCESS : APR_NOTFOUND;
}

/* Commits a contact record whose preconditions hold up to commit->base. @return APR_SUCCESS | APR_EAGAIN check again | other */
static apr_status_t contact_commit(wa_dbm_store_t *store, wa_record_type_e type,
                                   const wa_record_contact_t *contact, wa_commit_t *commit,
                                   apr_pool_t *tmp)
{
    wa_record_t *record;
    apr_status_t waited, rv = wa_record_contact_make(&record, type, contact, tmp);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    commit->timestamp_ms = 0;
    rv = wa_commit_append(&store->writer, record, commit);
    if (rv != APR_SUCCESS && !APR_STATUS_IS_EAGAIN(rv)) {
        return rv;
    }
    waited = wa_commit_wait(&store->writer, commit->end);
    return waited != APR_SUCCESS ? waited : rv;
}

static apr_uint64_t visible_get(wa_dbm_store_t *store)
{
    return __atomic_load_n(&store->replica.at.offset, __ATOMIC_ACQUIRE);
}

apr_status_t wa_dbm_contact_add(wa_store_t *self, const wa_contact_t *contact, wa_contact_t *pc,
                                apr_pool_t *p)
{
    wa_dbm_store_t *store = WA_DBM_STORE(self);
    const char *id = apr_pstrmemdup(p, contact->id.ptr, contact->id.len);
    const char *number = apr_pstrmemdup(p, contact->phone_number.ptr, contact->phone_number.len);
    wa_record_contact_t record = {contact->id, contact->phone_number, contact->display_name_json,
                                  contact->created_ms};
    wa_commit_t commit;
    apr_status_t rv;

    memset(&commit, 0, sizeof(commit));
    do {
        rv = wa_replica_catch_up(&store->replica, store->shared);
        if (rv != APR_SUCCESS) {
            return rv;
        }
        commit.base = visible_get(store);
        if (wa_dbm_contact_find(self, number, pc, p) == APR_SUCCESS
            || wa_dbm_contact_find(self, id, pc, p) == APR_SUCCESS) {
            return APR_EEXIST;
        }
        rv = contact_commit(store, WA_RECORD_CONTACT, &record, &commit, p);
    } while (APR_STATUS_IS_EAGAIN(rv));
    return rv == APR_SUCCESS ? wa_dbm_contact_find(self, id, pc, p) : rv;
}

apr_status_t wa_dbm_contact_rename(wa_store_t *self, const char *id, wa_slice_t display_name_json,
                                   wa_contact_t *pc, apr_pool_t *p)
{
    wa_dbm_store_t *store = WA_DBM_STORE(self);
    wa_commit_t commit;
    apr_status_t rv;

    memset(&commit, 0, sizeof(commit));
    do {
        wa_record_contact_t record;

        rv = wa_replica_catch_up(&store->replica, store->shared);
        commit.base = visible_get(store);
        if (rv == APR_SUCCESS) {
            rv = wa_dbm_contact_find(self, id, pc, p);
        }
        if (rv != APR_SUCCESS) {
            return rv;
        }
        record.id = pc->id;
        record.phone_number = pc->phone_number;
        record.display_name_json = display_name_json;
        record.created_ms = pc->created_ms;
        rv = contact_commit(store, WA_RECORD_CONTACT, &record, &commit, p);
    } while (APR_STATUS_IS_EAGAIN(rv));
    return rv == APR_SUCCESS ? wa_dbm_contact_find(self, id, pc, p) : rv;
}

apr_status_t wa_dbm_contact_delete(wa_store_t *self, const char *id, apr_pool_t *tmp)
{
    wa_dbm_store_t *store = WA_DBM_STORE(self);
    wa_commit_t commit;
    wa_contact_t c;
    apr_status_t rv;

    memset(&commit, 0, sizeof(commit));
    do {
        wa_record_contact_t record;

        rv = wa_replica_catch_up(&store->replica, store->shared);
        commit.base = visible_get(store);
        if (rv == APR_SUCCESS) {
            rv = wa_dbm_contact_find(self, id, &c, tmp);
        }
        if (rv != APR_SUCCESS) {
            return rv;
        }
        record.id = c.id;
        record.phone_number = c.phone_number;
        record.display_name_json = wa_slice_make(NULL, 0);
        record.created_ms = c.created_ms;
        rv = contact_commit(store, WA_RECORD_CONTACT_DELETE, &record, &commit, tmp);
    } while (APR_STATUS_IS_EAGAIN(rv));
    return rv;
}
