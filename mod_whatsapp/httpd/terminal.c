/* SPDX-License-Identifier: Apache-2.0 */
/* The terminal of who starts the server, for what keeps it from starting. */
#include "httpd/terminal.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static int kept = -1;

void wa_terminal_keep(void)
{
    wa_terminal_release();
    kept = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
}

void wa_terminal_say(const char *line)
{
    struct stat one, two;

    if (kept < 0
        || (fstat(kept, &one) == 0 && fstat(STDERR_FILENO, &two) == 0 && one.st_dev == two.st_dev
            && one.st_ino == two.st_ino)) {
        return;
    }
    dprintf(kept, "%s\n", line);
}

void wa_terminal_release(void)
{
    if (kept >= 0) {
        close(kept);
    }
    kept = -1;
}
