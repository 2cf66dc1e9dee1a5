/* SPDX-License-Identifier: Apache-2.0 */
/* Writes a checkpoint that is whole and says something wrong: spoil_checkpoint DIRECTORY WHAT
 * [NUMBER]. Linked with the library by the tests. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_general.h>

#include "base/identity.h"
#include "store/dbm/driver.h"
#include "store/dbm/lifecycle/upkeep.h"

/* When somebody wrote: of the newest thread that was written in. */
static wa_replica_inbound_t *inbound_of(wa_replica_t *replica)
{
    wa_replica_thread_t *t = replica->newest;

    while (t->inbound_count == 0) {
        t = t->older;
    }
    return &t->inbound[0];
}

static int spoil(wa_replica_t *replica, const char *what)
{
    wa_replica_thread_t *t = replica->newest;

    if (strcmp(what, "read_row") == 0) {
        t->read_row++;
    } else if (strcmp(what, "message_count") == 0) {
        t->message_count--; /* more than there are rows would not even be loaded */
    } else if (strcmp(what, "unread_count") == 0) {
        t->unread_count++;
    } else if (strcmp(what, "changed_ms") == 0) {
        t->changed_ms--;
    } else if (strcmp(what, "last_inbound_ms") == 0) {
        t->last_inbound_ms++;
    } else if (strcmp(what, "name_row") == 0) {
        t->name_row = 0;
    } else if (strcmp(what, "inbound") == 0) {
        inbound_of(replica)->last.date_ms++;
    } else if (strcmp(what, "flags") == 0) {
        t->flags ^= 1;
    } else if (strcmp(what, "thread") == 0) {
        replica->newest = t->older; /* left out */
    } else if (strcmp(what, "contact") == 0) {
        replica->contacts->nelts--;
    } else if (strcmp(what, "parked") == 0) {
        replica->parked_first = NULL;
    } else if (strcmp(what, "pending") == 0) {
        APR_ARRAY_PUSH(replica->pending, apr_uint64_t) = 1;
    } else if (strcmp(what, "records") == 0) {
        replica->at.records++;
    } else {
        return 0;
    }
    return 1;
}

/* A number that somebody chose, in the place of the one that is right. */
static int put(wa_replica_t *replica, const char *what, apr_uint64_t value)
{
    wa_replica_thread_t *t = replica->newest;

    if (strcmp(what, "last_row") == 0) {
        t->last_row = value;
    } else if (strcmp(what, "read_row") == 0) {
        t->read_row = value;
    } else if (strcmp(what, "message_count") == 0) {
        t->message_count = value;
    } else if (strcmp(what, "unread_count") == 0) {
        t->unread_count = value;
    } else if (strcmp(what, "changed_ms") == 0) {
        t->changed_ms = (apr_int64_t)value;
    } else if (strcmp(what, "last_inbound_ms") == 0) {
        t->last_inbound_ms = (apr_int64_t)value;
    } else if (strcmp(what, "name_row") == 0) {
        t->name_row = value;
    } else if (strcmp(what, "inbound_row") == 0) {
        inbound_of(replica)->row = value;
    } else if (strcmp(what, "pending") == 0) {
        APR_ARRAY_PUSH(replica->pending, apr_uint64_t) = value;
    } else if (strcmp(what, "contact_offset") == 0) {
        APR_ARRAY_IDX(replica->contacts, 0, wa_replica_contact_t *)->offset = value;
    } else if (strcmp(what, "parked_offset") == 0) {
        replica->parked_first->offset = value;
    } else {
        return 0;
    }
    return 1;
}

int main(int argc, char **argv)
{
    wa_store_options_t options = {.sync = WA_SYNC_OFF};
    struct stat info;
    wa_store_uri_t uri = {"dbm", argc > 1 ? argv[1] : "", ""};
    const char *error = NULL;
    wa_store_t *store;
    apr_pool_t *p;

    apr_initialize();
    apr_pool_create(&p, NULL);
    if (argc < 3 || argc > 4 || stat(argv[1], &info)) {
        return 1;
    }
    options.server.owner = info.st_uid;
    options.server.owner_group = info.st_gid;
    /* As a server's child: what it makes is the store's owner's. */
    if (wa_identity_become(options.server.owner, options.server.owner_group, p) != APR_SUCCESS
        || wa_dbm_open(&store, &uri, &options, &error, p) != APR_SUCCESS
        || !(argc == 3 ? spoil(&WA_DBM_STORE(store)->replica, argv[2])
                       : put(&WA_DBM_STORE(store)->replica, argv[2], strtoull(argv[3], NULL, 10)))
        || wa_dbm_checkpoint(WA_DBM_STORE(store), p) != APR_SUCCESS) {
        fprintf(stderr, "spoil_checkpoint: %s\n", error ? error : "cannot");
        return 1;
    }
    _exit(0); /* without the checkpoint that closing would make */
}
