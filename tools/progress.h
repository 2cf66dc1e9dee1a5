/* SPDX-License-Identifier: Apache-2.0 */
/* A progress bar on a terminal, and nothing elsewhere. */
#ifndef WA_TOOLS_PROGRESS_H
#define WA_TOOLS_PROGRESS_H

#include <apr_time.h>

typedef struct progress_t {
    const char *label;
    apr_time_t started, shown;
    unsigned calls;
    int is_on;
    int is_shown;
} progress_t;

/* Begins. @param label  what is being done, static */
void progress_begin(progress_t *progress, const char *label, int is_quiet);

/* Says how far it is, in bytes; drawn a few times a second. */
void progress_update(progress_t *progress, apr_uint64_t done, apr_uint64_t total);

/* Wipes the bar. May be called more than once. */
void progress_end(progress_t *progress);

#endif
