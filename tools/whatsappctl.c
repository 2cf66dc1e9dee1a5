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
#include <apr_getopt.h>
#include <apr_strings.h>
#include <apr_time.h>

#include "base/memory.h"
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
    {"retime", "mends times that are ahead of the clock; server stopped", ctl_retime,
     "usage: whatsappctl [--store STORE] retime [--dry-run] [--delete]\n\n"
     "A clock that was ahead once has dated messages ahead, and all that came later after them. "
     "With the clock right, this\n"
     "gives everything that is dated after now its time by the clock of then where that was right, "
     "and else a time between\n"
     "what came before and after it. Order and content stay; cursors of before are refused by the "
     "API, and who polls goes\n"
     "on with the server's time. The old journal stays as journal.before-retime in the store's "
     "folder.\n\n"
     "  --dry-run    only say what would be done; the server may run\n"
     "  --delete     do not keep the old journal, nor one of an earlier retime\n"},
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
    static const int ends[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    struct sigaction action, before;
    size_t i;

    memset(&action, 0, sizeof(action));
    action.sa_handler = on_signal;
    for (i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        /* What nohup had ignored stays so. */
        if (sigaction(ends[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN) {
            sigaction(ends[i], &action, NULL);
        }
    }
    action.sa_handler = on_bus;
    sigaction(SIGBUS, &action, NULL);
}

int ctl_is_interrupted(void)
{
    return interrupted != 0;
}

apr_status_t ctl_go_on(void)
{
    return ctl_is_interrupted() ? APR_EINTR : APR_SUCCESS;
}

const volatile sig_atomic_t *ctl_stop(void)
{
    return &interrupted;
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

    if (!ms || !wa_record_time_is_valid(ms) || apr_time_exp_gmt(&t, ms * 1000) != APR_SUCCESS) {
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
        text = wa_slice_string(wa_slice_make(text, (apr_size_t)(end - text)), ctl->pool);
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

/* What may stand anywhere in the command line. The numbers are of no letter: such an option has no short form. */
enum { OPTION_STORE = 256, OPTION_VERSION, OPTION_FIRST_OF_COMMAND };

static const apr_getopt_option_t general[] = {{"store", OPTION_STORE, 1, NULL},
                                              {"version", OPTION_VERSION, 0, NULL},
                                              {"quiet", 'q', 0, NULL},
                                              {"help", 'h', 0, NULL}};

#define GENERAL_COUNT (sizeof(general) / sizeof(general[0]))

/* The general options and a command's, as APR reads them. */
static apr_getopt_option_t *options_table(const ctl_option_t *options, apr_pool_t *p)
{
    apr_size_t count = 0, i;
    apr_getopt_option_t *table;

    while (options && options[count].name) {
        count++;
    }
    table = apr_pcalloc(p, (GENERAL_COUNT + count + 1) * sizeof(*table));
    memcpy(table, general, sizeof(general));
    for (i = 0; i < count; i++) {
        table[GENERAL_COUNT + i].name = options[i].name + 2;
        table[GENERAL_COUNT + i].optch = OPTION_FIRST_OF_COMMAND + (int)i;
        table[GENERAL_COUNT + i].has_arg = options[i].value != NULL;
    }
    return table;
}

/* @return 1 | 0 all that was asked for is told */
static int general_take(ctl_t *ctl, int option, const char *value)
{
    switch (option) {
    case OPTION_STORE:
        ctl->store = value;
        return 1;
    case OPTION_VERSION:
        puts("whatsappctl " CTL_VERSION);
        break;
    case 'q':
        ctl->is_quiet = 1;
        return 1;
    default:
        if (ctl->help) {
            fputs(ctl->help, stdout);
        } else {
            usage(stdout);
        }
        break;
    }
    ctl->is_told = 1;
    return 0;
}

/* Says what is wrong with the option that was just looked at. */
static void option_refuse(const ctl_t *ctl, const char *word, apr_status_t rv)
{
    const int len = (int)strcspn(word, "=");

    if (rv != APR_BADARG) {
        ctl_error(ctl->help ? "there is no option %.*s here; see --help"
                            : "there is no option %.*s; see whatsappctl --help",
                  len, word);
    } else if (word[len] == '=') {
        ctl_error("%.*s takes no value", len, word);
    } else {
        ctl_error("%s needs a value", word);
    }
}

/* Reads options up to the end of them. @return 1 | 0 told or said what is wrong */
static int options_read(ctl_t *ctl, apr_getopt_t *os, const ctl_option_t *options)
{
    const apr_getopt_option_t *table = options_table(options, ctl->pool);
    const char *value;
    int option;
    apr_status_t rv;

    os->errfn = NULL;
    for (;;) {
        rv = apr_getopt_long(os, table, &option, &value);
        if (APR_STATUS_IS_EOF(rv)) {
            return 1;
        }
        /* A dash by itself is a file's name to us, and to APR a mistake. */
        if (rv == APR_BADCH && strcmp(os->argv[os->ind - 1], "-") == 0) {
            continue;
        }
        if (rv != APR_SUCCESS) {
            option_refuse(ctl, os->argv[os->ind - 1], rv);
            return 0;
        }
        if (option < OPTION_FIRST_OF_COMMAND) {
            if (!general_take(ctl, option, value)) {
                return 0;
            }
        } else if (options[option - OPTION_FIRST_OF_COMMAND].flag) {
            *options[option - OPTION_FIRST_OF_COMMAND].flag = 1;
        } else {
            *options[option - OPTION_FIRST_OF_COMMAND].value = value;
        }
    }
}

int ctl_arguments_read(ctl_arguments_t arguments, const ctl_option_t *options,
                       const char **poperand)
{
    ctl_t *ctl = arguments.ctl;
    apr_getopt_t *os;

    if (poperand) {
        *poperand = NULL;
    }
    if (apr_getopt_init(&os, ctl->pool, arguments.count, arguments.values) != APR_SUCCESS) {
        return 0;
    }
    os->interleave = 1;
    if (!options_read(ctl, os, options)) {
        return 0;
    }
    for (; os->ind < os->argc; os->ind++) {
        if (!poperand || *poperand) {
            ctl_error("'%s' is one argument too many; see --help", os->argv[os->ind]);
            return 0;
        }
        *poperand = os->argv[os->ind];
    }
    return store_parse(ctl, ctl->store) == CTL_DONE;
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

/* What stands before the command, then the command with the rest. */
static int run(ctl_t *ctl, int argc, const char *const *argv)
{
    const command_t *command;
    apr_getopt_t *os;
    int rc;

    ctl->store = STORE_DEFAULT;
    if (apr_getopt_init(&os, ctl->pool, argc, argv) != APR_SUCCESS) {
        return CTL_FAILED;
    }
    if (!options_read(ctl, os, NULL)) {
        return ctl->is_told ? CTL_DONE : CTL_FAILED;
    }
    if (os->ind == os->argc) {
        usage(stderr);
        return CTL_FAILED;
    }
    command = command_find(os->argv[os->ind]);
    if (!command) {
        return ctl_error("there is no command '%s'; see whatsappctl --help", os->argv[os->ind]);
    }
    ctl->help = command->help;
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
