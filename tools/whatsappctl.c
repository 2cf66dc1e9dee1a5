/* SPDX-License-Identifier: Apache-2.0 */
/* whatsappctl: what an admin does with a store beside serving it. Reads the command line and ends in order whatever happens. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_file_info.h>
#include <apr_general.h>
#include <apr_strings.h>
#include <apr_time.h>

#include "ctl.h"

#define STORE_DEFAULT "dbm:/var/lib/apache2/whatsapp"
#define LEFTOVERS 4

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
     "Reads the whole journal (checksums, chain, numbers, contents) and compares rows, marks, keys "
     "and the\n"
     "checkpoint with what the journal says. Changes nothing. Takes 32 bytes of memory a "
     "message.\n\n"
     "  --all     print every difference, not only the first 100 of each kind\n\n"
     "Exit status: 0 sound, 1 damaged, 2 it could not be told; the last line says why.\n"},
    {"rebuild", "makes everything anew from the journal; server stopped", ctl_rebuild,
     "usage: whatsappctl [--store STORE] rebuild\n\n"
     "Makes rows, marks, keys and checkpoint anew from the journal. Damaged bytes of the journal "
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
    {"backup", "copies a store into an empty folder; of a live server too", ctl_backup,
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
     "journal.before-compact in the store's folder until the next compact.\n\n"
     "  --delete    do not keep the old journal, nor one of an earlier compact\n"},
};

#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

/* ---- ending ---- */

static volatile sig_atomic_t interrupted;
static sigjmp_buf bus_exit;
static char leftovers[LEFTOVERS][4096];
static int leftover_count;

static void on_signal(int number)
{
    interrupted = number;
}

/* A mapped file was cut, or the disk failed while it was read. */
static void on_bus(int number)
{
    signal(SIGBUS, SIG_DFL);
    siglongjmp(bus_exit, number);
}

static void signals_set(void)
{
    struct sigaction action;

    memset(&action, 0, sizeof(action));
    action.sa_handler = on_signal;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    action.sa_handler = on_bus;
    sigaction(SIGBUS, &action, NULL);
}

int ctl_is_interrupted(void)
{
    return interrupted != 0;
}

void ctl_leftover(const char *path)
{
    if (leftover_count < LEFTOVERS) {
        apr_cpystrn(leftovers[leftover_count++], path, sizeof(leftovers[0]));
    }
}

void ctl_leftover_keep(void)
{
    leftover_count = 0;
}

static void leftovers_remove(apr_pool_t *p)
{
    while (leftover_count > 0) {
        char *path = leftovers[--leftover_count];
        apr_size_t len = strlen(path);

        if (len && path[len - 1] == '/') {
            path[len - 1] = '\0';
            wa_folder_clear(path, p);
        } else if (unlink(path) && errno == EISDIR) {
            wa_folder_remove(path, p);
        }
    }
}

/* ---- saying ---- */

static void say(const char *format, va_list arguments, const char *more)
{
    fputs("whatsappctl: ", stderr);
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "%s%s\n", more ? ": " : "", more ? more : "");
}

int ctl_error(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    say(format, arguments, NULL);
    va_end(arguments);
    return CTL_FAILED;
}

int ctl_error_status(apr_status_t rv, const char *format, ...)
{
    va_list arguments;
    char text[200];

    if (APR_STATUS_IS_EINTR(rv) && interrupted) {
        return CTL_INTERRUPTED;
    }
    va_start(arguments, format);
    say(format, arguments,
        rv == APR_EGENERAL || rv == APR_EINVAL || rv == APR_ENOENT
            ? NULL
            : apr_strerror(rv, text, sizeof(text)));
    va_end(arguments);
    return CTL_FAILED;
}

void ctl_note(const ctl_t *ctl, const char *format, ...)
{
    va_list arguments;

    if (!ctl->is_quiet) {
        va_start(arguments, format);
        vfprintf(stderr, format, arguments);
        fputc('\n', stderr);
        va_end(arguments);
    }
}

const char *ctl_bytes(apr_uint64_t bytes, apr_pool_t *p)
{
    if (bytes < 10000) {
        return apr_psprintf(p, "%" APR_UINT64_T_FMT " bytes", bytes);
    }
    return bytes < 10000000 ? apr_psprintf(p, "%.1f kB", (double)bytes / 1e3)
                            : apr_psprintf(p, "%.1f MB", (double)bytes / 1e6);
}

const char *ctl_time(apr_int64_t ms, apr_pool_t *p)
{
    apr_time_exp_t t;

    if (ms == 0 || apr_time_exp_gmt(&t, ms * 1000) != APR_SUCCESS) {
        return "-";
    }
    return apr_psprintf(p, "%04d-%02d-%02d %02d:%02d:%02d.%03d UTC", t.tm_year + 1900, t.tm_mon + 1,
                        t.tm_mday, t.tm_hour, t.tm_min, t.tm_sec, t.tm_usec / 1000);
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

/* ---- the command line ---- */

static void usage(FILE *out)
{
    apr_size_t i;

    fputs("usage: whatsappctl [--store STORE] [--quiet] COMMAND [ARGUMENTS]\n\n", out);
    for (i = 0; i < COMMAND_COUNT; i++) {
        fprintf(out, "  %-8s  %s\n", commands[i].name, commands[i].summary);
    }
    fputs("\n  --store STORE    the store's folder, or what WhatsAppStore says: \"dbm:/folder "
          "type=gdbm\"\n"
          "                   (" STORE_DEFAULT ")\n"
          "  --quiet          no progress and no notes, only errors and what was asked for\n"
          "  --version\n"
          "  --help           also after a command\n\n"
          "Exit status: 0 done; 1 the store or the input is not right; 2 it could not be done; 130 "
          "interrupted.\n",
          out);
}

int ctl_arguments_read(ctl_arguments_t arguments, const ctl_option_t *options,
                       const char **poperand)
{
    int i, is_end = 0;

    if (poperand) {
        *poperand = NULL;
    }
    for (i = 0; i < arguments.count; i++) {
        const char *word = arguments.values[i];
        const ctl_option_t *option = options;

        if (is_end || word[0] != '-' || !word[1]) {
            if (!poperand || *poperand) {
                ctl_error("'%s' is one argument too many; see --help", word);
                return 0;
            }
            *poperand = word;
            continue;
        }
        if (!strcmp(word, "--")) {
            is_end = 1;
            continue;
        }
        while (option->name && strcmp(option->name, word)) {
            option++;
        }
        if (!option->name) {
            ctl_error("there is no option %s here; see --help", word);
            return 0;
        }
        if (option->flag) {
            *option->flag = 1;
            continue;
        }
        if (++i == arguments.count) {
            ctl_error("%s needs a value", word);
            return 0;
        }
        *option->value = arguments.values[i];
    }
    return 1;
}

/* Takes --store apart: a folder, or "dbm:folder [type=...]". */
static int store_parse(ctl_t *ctl, const char *text)
{
    const char *end, *rest;
    char *folder;

    if (!strncmp(text, "dbm:", 4)) {
        text += 4;
        end = text + strcspn(text, " \t");
        rest = end + strspn(end, " \t");
        if (*rest && strncmp(rest, "type=", 5)) {
            return ctl_error("'%s' after the store's folder is not known; allowed is type=db, "
                             "type=gdbm or type=sdbm",
                             rest);
        }
        ctl->type = *rest ? apr_pstrdup(ctl->pool, rest + 5) : NULL;
        text = apr_pstrmemdup(ctl->pool, text, (apr_size_t)(end - text));
    }
    if (apr_filepath_merge(&folder, NULL, text, 0, ctl->pool) != APR_SUCCESS || !*text) {
        return ctl_error("'%s' is no store: give its folder, or dbm:folder", text);
    }
    if (folder[0] != '/') {
        char *here;

        if (apr_filepath_get(&here, 0, ctl->pool) != APR_SUCCESS
            || apr_filepath_merge(&folder, here, text, 0, ctl->pool) != APR_SUCCESS) {
            return ctl_error("'%s' is no store: give its folder, or dbm:folder", text);
        }
    }
    while (strlen(folder) > 1 && folder[strlen(folder) - 1] == '/') {
        folder[strlen(folder) - 1] = '\0';
    }
    if (strlen(folder) > 3800) {
        return ctl_error("the path of the store's folder is too long");
    }
    ctl->folder = ctl->shown = folder;
    return CTL_DONE;
}

static const command_t *command_find(const char *name)
{
    apr_size_t i;

    for (i = 0; i < COMMAND_COUNT; i++) {
        if (!strcmp(commands[i].name, name)) {
            return &commands[i];
        }
    }
    return NULL;
}

/* What stands before the command or is known to all, then the command with the rest. */
static int run(ctl_t *ctl, int argc, const char *const *argv)
{
    const char **rest = apr_pcalloc(ctl->pool, (apr_size_t)(argc + 1) * sizeof(*rest));
    const command_t *command = NULL;
    const char *store = STORE_DEFAULT;
    ctl_arguments_t arguments = {rest, 0};
    int i;

    for (i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
            if (command) {
                fputs(command->help, stdout);
            } else {
                usage(stdout);
            }
            return CTL_DONE;
        }
        if (!strcmp(argv[i], "--version")) {
            puts("whatsappctl " CTL_VERSION);
            return CTL_DONE;
        }
        if (!strcmp(argv[i], "--quiet") || !strcmp(argv[i], "-q")) {
            ctl->is_quiet = 1;
        } else if (!strcmp(argv[i], "--store")) {
            if (++i == argc) {
                return ctl_error("--store needs a value");
            }
            store = argv[i];
        } else if (command) {
            rest[arguments.count++] = argv[i];
        } else if (argv[i][0] == '-') {
            return ctl_error("there is no option %s; see whatsappctl --help", argv[i]);
        } else {
            command = command_find(argv[i]);
            if (!command) {
                return ctl_error("there is no command '%s'; see whatsappctl --help", argv[i]);
            }
        }
    }
    if (!command) {
        usage(stderr);
        return CTL_FAILED;
    }
    if (store_parse(ctl, store) != CTL_DONE) {
        return CTL_FAILED;
    }
    return command->run(ctl, arguments);
}

int main(int argc, const char *const *argv, const char *const *environment)
{
    static ctl_t ctl;
    int rc;

    umask(0077);
    apr_app_initialize(&argc, &argv, &environment);
    atexit(apr_terminate);
    apr_pool_create(&ctl.pool, NULL);
    ctl.log.is_on = log_is_on;
    ctl.log.write = log_write;
    ctl.log.baton = &ctl;
    signals_set();
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
    leftovers_remove(ctl.pool);
    rc = ctl_outside_end(rc);
    if (rc == CTL_INTERRUPTED) {
        fputs("whatsappctl: interrupted\n", stderr);
    }
    return rc;
}
