/* SPDX-License-Identifier: Apache-2.0 */
/* The command line: options, other arguments, and the store that they name. */
#include "ctl_arguments.h"

#include <stdio.h>
#include <string.h>

#include <apr_file_info.h>
#include <apr_strings.h>

#include "base/slice.h"
#include "ctl_say.h"

/* Takes --store apart: a directory, or "dbm:directory [type=...]". */
static int store_parse(ctl_t *ctl, const char *text)
{
    const char *end, *rest;
    char *directory;

    if (strncmp(text, "dbm:", 4) == 0) {
        text += 4;
        end = text + strcspn(text, " \t");
        rest = end + strspn(end, " \t");
        if (*rest && strncmp(rest, "type=", 5) != 0) {
            return ctl_error("'%s' after the store's directory is not known; allowed is type=db, "
                             "type=gdbm or type=sdbm",
                             rest);
        }
        ctl->type = *rest ? apr_pstrdup(ctl->pool, rest + 5) : NULL;
        text = wa_slice_string(wa_slice_make(text, (apr_size_t)(end - text)), ctl->pool);
    }
    if (apr_filepath_merge(&directory, NULL, text, 0, ctl->pool) != APR_SUCCESS || !*text) {
        return ctl_error("'%s' is no store: give its directory, or dbm:directory", text);
    }
    if (directory[0] != '/') {
        char *here;

        if (apr_filepath_get(&here, 0, ctl->pool) != APR_SUCCESS
            || apr_filepath_merge(&directory, here, text, 0, ctl->pool) != APR_SUCCESS) {
            return ctl_error("'%s' is no store: give its directory, or dbm:directory", text);
        }
    }
    while (strlen(directory) > 1 && directory[strlen(directory) - 1] == '/') {
        directory[strlen(directory) - 1] = '\0';
    }
    if (strlen(directory) > 3800) {
        return ctl_error("the path of the store's directory is too long");
    }
    ctl->directory = ctl->shown = directory;
    return CTL_DONE;
}

/* What may stand anywhere in the command line. The numbers are of no letter: such an option has no
 * short form. */
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
        fputs(ctl->help, stdout);
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
        ctl_error(ctl->has_command ? "there is no option %.*s here; see --help"
                                   : "there is no option %.*s; see whatsappctl --help",
                  len, word);
    } else if (word[len] == '=') {
        ctl_error("%.*s takes no value", len, word);
    } else {
        ctl_error("%s needs a value", word);
    }
}

int ctl_options_read(ctl_t *ctl, apr_getopt_t *os, const ctl_option_t *options)
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
    if (!ctl_options_read(ctl, os, options)) {
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
