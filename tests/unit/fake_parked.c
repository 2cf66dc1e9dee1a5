/* SPDX-License-Identifier: Apache-2.0 */
/* The parked facts of the store in memory. */
#include "fake_parked.h"

#include <string.h>

#include <apr_strings.h>

static fake_parked_t *parked_create(fake_store_t *fake, const char *key)
{
    fake_parked_t *parked = apr_pcalloc(fake->p, sizeof(*parked));

    if (apr_hash_count(fake->parked) >= WA_STORE_OPEN_MIN) {
        apr_hash_set(fake->parked, fake->parked_first->key, APR_HASH_KEY_STRING, NULL);
        fake->parked_first = fake->parked_first->next;
    }
    parked->key = apr_pstrdup(fake->p, key);
    apr_hash_set(fake->parked, parked->key, APR_HASH_KEY_STRING, parked);
    if (fake->parked_last) {
        fake->parked_last->next = parked;
    } else {
        fake->parked_first = parked;
    }
    fake->parked_last = parked;
    return parked;
}

static apr_status_t parked_add(fake_store_t *fake, const char *key, wa_slice_t value)
{
    fake_parked_t *parked = fake_by_slice(fake->parked, wa_slice_of(key));
    const apr_size_t before = parked ? parked->value.len + 1 : 0;
    char *joined = apr_palloc(fake->p, before + value.len + 1);

    if (!*key) {
        return APR_EINVAL;
    }
    if (before + value.len > WA_STORE_TEXT_MAX || fake_is_over(key, WA_STORE_NAME_MAX)) {
        return APR_ENOSPC;
    }
    if (parked) {
        if (parked->value.len) {
            memcpy(joined, parked->value.ptr, parked->value.len);
        }
        joined[before - 1] = '\n';
    } else {
        parked = parked_create(fake, key);
    }
    if (value.len) {
        memcpy(joined + before, value.ptr, value.len);
    }
    parked->value = wa_slice_make(joined, before + value.len);
    fake_commit(fake, 0, NULL, 0);
    return APR_SUCCESS;
}

apr_status_t fake_parked_add(wa_store_t *self, const char *key, wa_slice_t value, apr_pool_t *tmp)
{
    fake_store_t *fake = (fake_store_t *)self;
    apr_status_t rv = fake_failure_take(fake, FAKE_PARK);

    (void)tmp;
    if (rv != APR_SUCCESS) {
        return rv;
    }
    fake_hook_run(fake, FAKE_PARK);
    fake_enter(self);
    rv = parked_add(fake, key, value);
    fake_leave(fake);
    return rv;
}

apr_status_t fake_parked_get(wa_store_t *self, const char *key, wa_slice_t *pvalue, apr_pool_t *p)
{
    fake_store_t *fake = fake_enter(self);
    const fake_parked_t *parked = fake_by_slice(fake->parked, wa_slice_of(key));
    apr_status_t rv = fake_failure_take(fake, FAKE_UNPARK);

    if (rv == APR_SUCCESS && parked) {
        *pvalue = fake_slice_dup(parked->value, p);
    }
    fake_leave(fake);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    fake_hook_run(fake, FAKE_UNPARK);
    return parked ? APR_SUCCESS : APR_NOTFOUND;
}
