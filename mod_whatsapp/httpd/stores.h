/* SPDX-License-Identifier: Apache-2.0 */
/* The stores of one start or reload: each directory opened once, whatever names lead to it. */
#ifndef WA_HTTPD_STORES_H
#define WA_HTTPD_STORES_H

#include <apr_pools.h>
#include <apr_tables.h>
#include <httpd.h>

#include "store/store.h"

/* One store's directory, whatever virtual hosts use it. */
typedef struct wa_stores_entry_t {
    const char *identity;
    const char *uri;
    server_rec *s;      /* the first that uses it */
    wa_store_t *store;  /* NULL: it could not be opened, or prepared in this child */
    const char *reason; /* why */
    apr_status_t rv;
    int is_new; /* 1: what wa_stores_open just made; its trouble was not told yet */
} wa_stores_entry_t;

/* The options with which the store of `s` would be opened, without the log and what is retained of
 * it. In p. */
void wa_stores_options(wa_store_options_t *options, server_rec *s, apr_pool_t *p);

/* Why two servers cannot have one store.
 * @param ptag  out: the line's tag.
 * @return NULL they can | a sentence, in p */
const char *wa_stores_sharing(const server_rec *owner, const server_rec *s, const char **ptag,
                              apr_pool_t *p);
/* What is said of a store that cannot be opened, by configtest, a start and a reload. In p. Any
 * thread. */
const char *wa_stores_trouble(const char *uri, const char *reason, apr_pool_t *p);

/* Opens the store of `s`, or finds it among those that are open.
 * @param entries  of wa_stores_entry_t; what is tried is added, also what failed
 * @param pentry   out: a copy of the entry; with APR_SUCCESS its store is open
 * @return APR_SUCCESS | APR_EINVAL `s` may not share it with who has it | a status of
 *     wa_store_open. Parent process only; stores live in pconf. */
apr_status_t wa_stores_open(server_rec *s, apr_array_header_t *entries, wa_stores_entry_t *pentry,
                            apr_pool_t *pconf, apr_pool_t *tmp);

#endif
