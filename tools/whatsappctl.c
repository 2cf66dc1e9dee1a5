/* SPDX-License-Identifier: Apache-2.0 */
/* whatsappctl: what an admin does with a store beside serving it. Reads the command line and ends
 * in order whatever happens. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "base/memory.h"
#include "commands.h"
#include "ctl_end.h"
#include "ctl_owner.h"
#include "ctl_say.h"
#include "ctl_store.h"

#define STORE_DEFAULT "dbm:/var/lib/apache2/whatsapp"

typedef struct command_t {
    const char *name;
    const char *summary;
    int (*run)(ctl_t *ctl, ctl_arguments_t arguments);
    const char *help;
} command_t;

static const command_t commands[] = {
    {"stats", "sizes and counts of a store; beside a live server too", ctl_stats,
     "usage: whatsappctl [--store STORE] stats [--json]\n\n"
     "Says how many messages, threads and contacts there are, from when, how big the journal is, "
     "how much\n"
     "of it is in the newest checkpoint, how full the key tables are, and whether a server owns "
     "the store.\n"
     "Believes the checkpoint, so it takes no time; `verify` believes nothing.\n\n"
     "  --json    the same as one JSON object\n"},
    {"verify", "checks everything; beside a live server too", ctl_verify,
     "usage: whatsappctl [--store STORE] verify [--all]\n\n"
     "Reads the whole journal (checksums, chain, numbers, contents) and compares rows, times, keys "
     "and the\n"
     "checkpoint with what the journal says. Changes nothing. Takes 32 bytes of memory a "
     "message.\n\n"
     "  --all     print every difference, not only the first 100 of each kind\n\n"
     "Exit status: 0 sound, 1 damaged, 2 it could not be told; the last line says why.\n"},
    {"rebuild", "makes everything anew from the journal; server stopped", ctl_rebuild,
     "usage: whatsappctl [--store STORE] rebuild\n\n"
     "Makes rows, times, keys and checkpoint anew from the journal. Damaged bytes of the journal "
     "are set aside in\n"
     "files damaged-N, what is whole is kept. May be interrupted and run again.\n"},
    {"dump", "writes all messages, threads and contacts as JSON lines; beside a live server too",
     ctl_dump,
     "usage: whatsappctl [--store STORE] dump [--output FILE]\n\n"
     "One object a line: {\"key\":\"msg:{counterpart}:{timestamp}:{id}\",\"value\":{...}}, then "
     "thread:{counterpart}, then\n"
     "contact:{id}. It is one moment of the store, whatever is written meanwhile. Takes 32 bytes "
     "of memory a message.\n\n"
     "  --output FILE    write to FILE (mode 0600), which appears when it is complete\n"},
    {"load", "loads a dump or a Cloudflare KV export; server stopped", ctl_load,
     "usage: whatsappctl [--store STORE] load FILE|- [--account-sid SID] [--user NAME] "
     "[--dry-run]\n"
     "                   [--ignore-other-keys]\n\n"
     "Reads JSON lines or a JSON array of {\"key\":...,\"value\":...} with the keys msg:, thread: "
     "and contact:; value is an\n"
     "object or a string that holds one. Nothing is loaded unless every line can be. Messages keep "
     "ids and times and\n"
     "are sorted by time; what is in the store already (same id or sid) is skipped.\n\n"
     "  --account-sid SID      whose store it is; needed for a new one\n"
     "  --user NAME            who shall own the files of a new store (httpd's user), when run as "
     "root\n"
     "  --dry-run              do everything but put the result in place\n"
     "  --ignore-other-keys    skip keys that are none of the three\n"},
    {"backup", "copies a store into an empty directory; of a live server too", ctl_backup,
     "usage: whatsappctl [--store STORE] backup DIR\n\n"
     "Copies the journal up to its last whole record, checking every one, and makes the other "
     "files in the copy, so that\n"
     "a server can start on it at once. DIR must be new or empty. Everything is on the disk when "
     "it ends.\n"},
    {"compact", "rewrites the journal without what is superseded; server stopped", ctl_compact,
     "usage: whatsappctl [--store STORE] compact [--delete]\n\n"
     "Leaves out superseded states, read marks and flags, deleted and renamed contacts' records, "
     "fillers, and parked receipts of known\n"
     "messages. Messages, times and order stay; cursors of before are refused by the API. The old "
     "journal stays as\n"
     "journal.before-compact in the store's directory until the next compact.\n\n"
     "  --delete    do not keep the old journal, nor one of an earlier compact\n"},
    {"retime", "mends times that are ahead of the clock; server stopped", ctl_retime,
     "usage: whatsappctl [--store STORE] retime [--dry-run] [--delete]\n\n"
     "A clock that was ahead once has dated messages ahead, and all that came later after them. "
     "With the clock right, this\n"
     "gives everything that is dated after now its time by the clock of then where that was right, "
     "and else a time between\n"
     "what came before and after it. Order and content stay; cursors of before are refused by the "
     "API, and who polls goes\n"
     "on with the server's time. The old journal stays as journal.before-retime in the store's "
     "directory.\n\n"
     "  --dry-run    only say what would be done; the server may run\n"
     "  --delete     do not keep the old journal, nor one of an earlier retime\n"},
};

#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

static sigjmp_buf bus_exit;

/* A mapped file was cut, or the disk failed while it was read. */
static void on_bus(int number)
{
    signal(SIGBUS, SIG_DFL);
    siglongjmp(bus_exit, number);
}

static int log_is_on(void *baton, wa_log_level_e level)
{
    (void)baton;
    return level <= WA_LOG_NOTICE;
}

static void log_write(void *baton, wa_log_level_e level, const char *tag, apr_status_t rv,
                      const char *text)
{
    const ctl_t *ctl = baton;
    char status[200];

    if (level <= WA_LOG_WARNING || !ctl->is_quiet) {
        fprintf(stderr, "whatsappctl: %s%s%s (%s)\n", text,
                rv == APR_SUCCESS || rv == APR_EGENERAL ? "" : ": ",
                rv == APR_SUCCESS || rv == APR_EGENERAL ? ""
                                                        : apr_strerror(rv, status, sizeof(status)),
                tag);
    }
}

/* What whatsappctl --help says. */
static const char *usage(apr_pool_t *p)
{
    const char *text = "usage: whatsappctl [--store STORE] [--quiet] COMMAND [ARGUMENTS]\n\n";
    apr_size_t i;

    for (i = 0; i < COMMAND_COUNT; i++) {
        text = apr_psprintf(p, "%s  %-8s  %s\n", text, commands[i].name, commands[i].summary);
    }
    return apr_pstrcat(
        p, text,
        "\n  --store STORE    the store's directory, or what WhatsAppStore says: \"dbm:/directory "
        "type=gdbm\"\n"
        "                   (" STORE_DEFAULT ")\n"
        "  --quiet          no progress and no notes, only errors and what was asked for\n"
        "  --version\n"
        "  --help           also after a command\n\n"
        "Exit status: 0 done; 1 the store or the input is not right; 2 it could not be done; 130 "
        "interrupted.\n",
        NULL);
}

static const command_t *command_find(const char *name)
{
    apr_size_t i;

    for (i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(commands[i].name, name) == 0) {
            return &commands[i];
        }
    }
    return NULL;
}

/* What stands before the command, then the command with the rest. */
static int run(ctl_t *ctl, int argc, const char *const *argv)
{
    const command_t *command;
    apr_getopt_t *os;
    int rc;

    ctl->store = STORE_DEFAULT;
    ctl->help = usage(ctl->pool);
    if (apr_getopt_init(&os, ctl->pool, argc, argv) != APR_SUCCESS) {
        return CTL_FAILED;
    }
    if (!ctl_options_read(ctl, os, NULL)) {
        return ctl->is_told ? CTL_DONE : CTL_FAILED;
    }
    if (os->ind == os->argc) {
        fputs(ctl->help, stderr);
        return CTL_FAILED;
    }
    command = command_find(os->argv[os->ind]);
    if (!command) {
        return ctl_error("there is no command '%s'; see whatsappctl --help", os->argv[os->ind]);
    }
    ctl->help = command->help;
    ctl->has_command = 1;
    rc = command->run(ctl, (ctl_arguments_t){ctl, os->argv + os->ind, os->argc - os->ind});
    return ctl->is_told ? CTL_DONE : rc;
}

int main(int argc, const char *const *argv, const char *const *environment)
{
    static ctl_t ctl;
    int rc;

    umask(0077);
    apr_app_initialize(&argc, &argv, &environment);
    atexit(apr_terminate);
    apr_pool_create_ex(&ctl.pool, NULL, wa_memory_abort, NULL);
    ctl.log.is_on = log_is_on;
    ctl.log.write = log_write;
    ctl.log.baton = &ctl;
    ctl_signals_note();
    signal(SIGBUS, on_bus);
    if (sigsetjmp(bus_exit, 1) == 0) {
        rc = run(&ctl, argc, argv);
    } else {
        rc = ctl_error("a file of the store was cut while it was read, or the disk failed: try "
                       "again; see the system's log");
    }
    if (fflush(stdout) || ferror(stdout)) {
        rc = ctl_error_status(APR_FROM_OS_ERROR(errno), "what was asked for could not be written");
    }
    ctl_stores_abandon();
    apr_pool_clear(ctl.pool);
    ctl_leftovers_remove(ctl.pool);
    rc = ctl_outside_end(rc);
    if (rc == CTL_INTERRUPTED) {
        fputs("whatsappctl: interrupted\n", stderr);
    }
    return rc;
}
