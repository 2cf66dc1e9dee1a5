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

static int spoil(wa_replica_t *replica, const char *what)
{
    wa_replica_thread_t *t = replica->newest;

    if (!strcmp(what, "read_row")) {
        t->read_row++;
    } else if (!strcmp(what, "message_count")) {
        t->message_count--; /* more than there are rows would not even be loaded */
    } else if (!strcmp(what, "unread_count")) {
        t->unread_count++;
    } else if (!strcmp(what, "changed_ms")) {
        t->changed_ms--;
    } else if (!strcmp(what, "last_inbound_ms")) {
        t->last_inbound_ms++;
    } else if (!strcmp(what, "name_row")) {
        t->name_row = 0;
    } else if (!strcmp(what, "flags")) {
        t->flags ^= 1;
    } else if (!strcmp(what, "thread")) {
        replica->newest = t->older; /* left out */
    } else if (!strcmp(what, "contact")) {
        replica->contacts->nelts--;
    } else if (!strcmp(what, "parked")) {
        replica->parked_first = NULL;
    } else if (!strcmp(what, "pending")) {
        APR_ARRAY_PUSH(replica->pending, apr_uint64_t) = 1;
    } else if (!strcmp(what, "records")) {
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

    if (!strcmp(what, "last_row")) {
        t->last_row = value;
    } else if (!strcmp(what, "read_row")) {
        t->read_row = value;
    } else if (!strcmp(what, "message_count")) {
        t->message_count = value;
    } else if (!strcmp(what, "unread_count")) {
        t->unread_count = value;
    } else if (!strcmp(what, "changed_ms")) {
        t->changed_ms = (apr_int64_t)value;
    } else if (!strcmp(what, "last_inbound_ms")) {
        t->last_inbound_ms = (apr_int64_t)value;
    } else if (!strcmp(what, "name_row")) {
        t->name_row = value;
    } else if (!strcmp(what, "pending")) {
        APR_ARRAY_PUSH(replica->pending, apr_uint64_t) = value;
    } else if (!strcmp(what, "contact_offset")) {
        APR_ARRAY_IDX(replica->contacts, 0, wa_replica_contact_t *)->offset = value;
    } else if (!strcmp(what, "parked_offset")) {
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
