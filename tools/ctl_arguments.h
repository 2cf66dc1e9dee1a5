/* SPDX-License-Identifier: Apache-2.0 */
/* The command line: options, other arguments, and the store that they name. */
#ifndef WA_TOOLS_CTL_ARGUMENTS_H
#define WA_TOOLS_CTL_ARGUMENTS_H

#include <apr_getopt.h>

#include "ctl.h"

/* One option of a command: `value` takes what follows it, or `flag` becomes 1. */
typedef struct ctl_option_t {
    const char *name; /* "--json" */
    const char **value;
    int *flag;
} ctl_option_t;

/* The command's name and the arguments after it. */
typedef struct ctl_arguments_t {
    ctl_t *ctl;
    const char *const *values;
    int count;
} ctl_arguments_t;

/* Reads the general options and a command's, up to the first other argument; with os->interleave
 * all of them.
 * @param options  the command's, ended by one whose name is NULL; NULL for none
 * @return 1 | 0 it said what is wrong, or (ctl->is_told) all that was asked for */
int ctl_options_read(ctl_t *ctl, apr_getopt_t *os, const ctl_option_t *options);

/* Reads a command's options, ended by one whose name is NULL, and its other arguments, and finds
 * the store that they name: a command calls it before all else. "--name value", "--name=value",
 * in any order with other arguments; after "--" nothing is an option.
 * @param poperand  out: the one other argument; NULL when the command takes none
 * @return 1 | 0 it said what is wrong, or all that was asked for */
int ctl_arguments_read(ctl_arguments_t arguments, const ctl_option_t *options,
                       const char **poperand);

#endif
