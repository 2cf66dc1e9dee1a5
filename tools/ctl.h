/* SPDX-License-Identifier: Apache-2.0 */
/* One call of whatsappctl, and how it ends. */
#ifndef WA_TOOLS_CTL_H
#define WA_TOOLS_CTL_H

#include <apr_pools.h>
#include <apr_user.h>

#include "base/log.h"

#define CTL_VERSION "1.0.0"

/* Exit codes. docs/OPERATIONS.md promises them. */
enum {
    CTL_DONE = 0,         /* done; verify: sound */
    CTL_BAD = 1,          /* what was looked at is not right: damage, lines that cannot be loaded */
    CTL_FAILED = 2,       /* it could not be done, or not be told */
    CTL_INTERRUPTED = 130 /* SIGINT, SIGTERM or SIGHUP: nothing is half done */
};

/* One call of the program. Strings live as long as the pool. */
typedef struct ctl_t {
    apr_pool_t *pool;
    const char
        *directory; /* of the store, absolute, without / at its end; or ".", see ctl_owner_become */
    const char *shown; /* the same for messages, always absolute */
    const char *type;  /* of apr_dbm; NULL when it was not given */
    const char *store; /* as given: what directory and type are read from */
    const char *help;  /* what --help says: of the command once it is known */
    int has_command;
    int is_quiet;
    int is_told;  /* 1: help or the version was asked for, and is said */
    int is_found; /* ctl_store_find was there */
    wa_log_t log;
    apr_uid_t uid; /* whose the store's files are */
    apr_gid_t gid;
} ctl_t;

#endif
