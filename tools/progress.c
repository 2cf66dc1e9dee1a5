/* SPDX-License-Identifier: Apache-2.0 */
/* Draws the progress bar on stderr. */
#include "progress.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BAR_WIDTH 30
#define EVERY_CALLS 256 /* asking for the time costs more than most steps */
#define EVERY apr_time_from_msec(200)

void progress_begin(progress_t *progress, const char *label, int is_quiet)
{
    memset(progress, 0, sizeof(*progress));
    progress->label = label;
    progress->started = apr_time_now(); /* the first update draws */
    progress->is_on = !is_quiet && isatty(STDERR_FILENO);
}

void progress_update(progress_t *progress, apr_uint64_t done, apr_uint64_t total)
{
    apr_time_t now;
    double part, seconds;
    int filled;

    if (!progress->is_on || progress->calls++ % EVERY_CALLS || !total) {
        return;
    }
    now = apr_time_now();
    if (now - progress->shown < EVERY) {
        return;
    }
    progress->shown = now;
    progress->is_shown = 1;
    part = done < total ? (double)done / (double)total : 1.0;
    filled = (int)(part * BAR_WIDTH);
    seconds = (double)(now - progress->started) / 1e6;
    fprintf(stderr, "\r\033[K%s [%.*s%*s] %3.0f%%  %.1f of %.1f MB, %.0f s left", progress->label,
            filled, "##############################", BAR_WIDTH - filled, "", part * 100.0,
            (double)done / 1e6, (double)total / 1e6, part > 0 ? seconds / part - seconds : 0.0);
    fflush(stderr);
}

void progress_end(progress_t *progress)
{
    if (progress->is_shown) {
        fputs("\r\033[K", stderr);
        fflush(stderr);
        progress->is_shown = 0;
    }
}
