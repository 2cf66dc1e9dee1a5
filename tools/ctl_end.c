/* SPDX-License-Identifier: Apache-2.0 */
/* Being interrupted, and what is removed then. */
#include "ctl_end.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <apr_strings.h>

#include "store/file/swap.h"

#define LEFTOVERS 4

static volatile sig_atomic_t interrupted;
static char leftovers[LEFTOVERS][4096];
static int leftover_count;

static void on_signal(int number)
{
    interrupted = number;
}

void ctl_signals_note(void)
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

void ctl_leftovers_remove(apr_pool_t *p)
{
    while (leftover_count > 0) {
        char *path = leftovers[--leftover_count];
        apr_size_t len = strlen(path);

        if (len && path[len - 1] == '/') {
            path[len - 1] = '\0';
            wa_directory_clear(path, p);
        } else if (unlink(path) && errno == EISDIR) {
            wa_directory_remove(path, p);
        }
    }
}
